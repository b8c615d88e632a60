"""The dossier as a PDF, through typst: PDF/A-2a for archives and PDF/UA-1 for screen readers, the same bytes each time.

The template ``dossier.typ`` gets the outline as JSON and never as markup, so no name can become an instruction. Only
the fonts that come with typst are used; what they cannot show is written as an escape (``\\u4e2d``), as PDF/A demands
that every character has a glyph. The document's date is that of the question, not of a clock.
"""

from __future__ import annotations

from datetime import datetime, timezone
from importlib.resources import files
from typing import Any

import msgspec

from lineage.errors import LineageError, UsageError, printable
from lineage.evidence.case import Case
from lineage.evidence.dossier.metrics import WIDTHS
from lineage.evidence.dossier.outline import Outline, outline
from lineage.evidence.dossier.words import moment

SHORT = 90
"""Characters of the subject in the head of a page."""


def pdf(case: Case) -> bytes:
    """The dossier of a case as a PDF.

    Raises:
        UsageError: typst is not installed.
        LineageError: typst does not make it.
    """
    return render(outline(case))


def render(said: Outline) -> bytes:
    """An outline as a PDF."""
    try:
        import typst
    except ImportError as error:
        raise UsageError(
            "a PDF needs typst, which is not installed",
            code="EXTRA_MISSING",
            cause=str(error),
            hint="pip install 'lineagegate[pdf]'; or write the dossier as .html and print it",
        ) from error
    at = (moment(said.date) or datetime(1970, 1, 1, tzinfo=timezone.utc)).replace(microsecond=0)
    template = files(__package__).joinpath("dossier.typ").read_bytes()
    try:
        made = typst.Compiler(
            template,
            font_paths=typst.Fonts(include_system_fonts=False),
            ignore_system_fonts=True,
            sys_inputs={"said": data(said)},
        ).compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=at)
    except typst.TypstError as error:
        raise LineageError(
            "the PDF cannot be made",
            code="PDF_FAILED",
            cause="\n".join((error.message, *error.hints)),
            hint="write the dossier as .html and print it",
        ) from error
    assert isinstance(made, bytes)
    return made


def data(said: Outline) -> str:
    """What the template reads: the outline as JSON, every text in characters that its fonts have."""
    value = _shown(msgspec.to_builtins(said))
    date = moment(said.date)
    fields = ("year", "month", "day", "hour", "minute", "second")
    value["at"] = {name: getattr(date, name) for name in fields} if date else None
    subject = value["subject"]
    value["short"] = subject if len(subject) <= SHORT else f"{subject[: SHORT // 2]}…{subject[-SHORT // 2 :]}"
    return msgspec.json.encode(value).decode()


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        # a drawing has its line breaks between elements; within them it is escaped already
        return "\n".join(_glyphs(line) for line in value.split("\n")) if value.startswith("<svg ") else _glyphs(value)
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(inner) for inner in value]
    return value


def _glyphs(text: str) -> str:
    text = printable(text)
    if text.isascii():
        return text
    return "".join(char if char in WIDTHS else char.encode("unicode_escape").decode() for char in text)
