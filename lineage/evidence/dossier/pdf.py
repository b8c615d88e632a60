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
from lineage.evidence.dossier.outline import outline
from lineage.evidence.dossier.words import moment

SHORT = 90
"""Characters of the subject in the head of a page."""


def pdf(case: Case) -> bytes:
    """The dossier of a case as a PDF.

    Raises:
        UsageError: typst is not installed.
        LineageError: typst does not make it.
    """
    try:
        import typst
    except ImportError as error:
        raise UsageError(
            "a PDF needs typst, which is not installed",
            code="EXTRA_MISSING",
            cause=str(error),
            hint="pip install 'lineagegate[pdf]'; or write the dossier as .html and print it",
        ) from error
    template = files(__package__).joinpath("dossier.typ").read_bytes()
    try:
        made = typst.Compiler(
            template,
            font_paths=typst.Fonts(include_system_fonts=False),
            ignore_system_fonts=True,
            sys_inputs={"said": data(case)},
        ).compile(format="pdf", pdf_standards=["a-2a", "ua-1"], timestamp=_date(case))
    except typst.TypstError as error:
        raise LineageError(
            "the PDF cannot be made",
            code="PDF_FAILED",
            cause="\n".join((error.message, *error.hints)),
            hint="write the dossier as .html and print it",
        ) from error
    assert isinstance(made, bytes)
    return made


def data(case: Case) -> str:
    """What the template reads: the outline of a case as JSON, every text in characters that its fonts have."""
    # spelled before it is drawn: the picture is measured with what will stand in it
    said = outline(msgspec.convert(_spelled(msgspec.to_builtins(case)), Case))
    value = _shown(msgspec.to_builtins(said))
    value["at"] = {name: getattr(_date(case), name) for name in ("year", "month", "day", "hour", "minute", "second")}
    subject = value["subject"]
    value["short"] = subject if len(subject) <= SHORT else f"{subject[: SHORT // 2]}…{subject[-SHORT // 2 :]}"
    return msgspec.json.encode(value).decode()


def _date(case: Case) -> datetime:
    """The document's date, which PDF/A demands, in whole seconds."""
    return (moment(case.question.asked) or datetime(1970, 1, 1, tzinfo=timezone.utc)).replace(microsecond=0)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        # a drawing has line breaks between its elements; what stands in them is escaped already
        return value if value.startswith("<svg ") else printable(_spelled(value))
    if isinstance(value, dict):
        return {name: _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _spelled(value: Any) -> Any:
    """The same with every visible character that the fonts lack written as an escape."""
    if isinstance(value, str):
        if value.isascii():
            return value
        return "".join(
            char.encode("unicode_escape").decode() if char.isprintable() and char not in WIDTHS else char
            for char in value
        )
    if isinstance(value, dict):
        return {name: _spelled(inner) for name, inner in value.items()}
    return [_spelled(inner) for inner in value] if isinstance(value, (list, tuple)) else value
