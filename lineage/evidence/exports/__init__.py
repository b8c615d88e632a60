"""A case in the words of other standards, one module each: PROV, SPDX, CycloneDX, Croissant, in-toto, and two forms.

Every export is a pure function of a `Case`: the same case gives the same bytes. Identifiers are made from what they
name and times come from the record. What the record does not know is left visibly empty, or is the standard's own
word for "not known"; each module says in a table how our terms are mapped, and what its standard cannot say. No library
of a standard is needed to write it; in the tests each is held to the standard's own library or schema.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from lineage.evidence.case import Case
from lineage.evidence.document import Document
from lineage.evidence.exports.view import gaps, view
from lineage.evidence.layout import MARK, page

if TYPE_CHECKING:
    from lineage.ledger.key import SigningKey


class Standard(NamedTuple):
    """What ``--as`` chooses."""

    title: str
    function: str
    """Module here and function in it."""
    signed: bool = False
    """It takes the ledger's key."""


STANDARDS: Mapping[str, Standard] = {
    "prov": Standard("W3C PROV-JSON", "prov:prov"),
    "spdx3": Standard("SPDX 3.0.1 JSON-LD", "spdx:spdx3"),
    "cyclonedx": Standard("CycloneDX 1.6 ML-BOM", "cyclonedx:cyclonedx"),
    "croissant": Standard("Croissant 1.0 with RAI 1.0", "croissant:croissant"),
    "in-toto": Standard("in-toto Statement v1 in DSSE, one line for each decision", "intoto:intoto", signed=True),
    "eu-summary": Standard("EU AI Act summary of training content, template of 2025-07-24", "eu_summary:eu_summary"),
    "data-trust": Standard("Data & Trust Alliance Data Provenance Standards 1.0.0", "data_trust:data_trust"),
}
"""Every export by the name that the command line takes."""


class ExportDocument(Document, frozen=True):
    """``export``."""

    subject: str
    standard: str
    """As ``--as`` calls it."""
    title: str
    file: str
    """What was written; empty when nothing was."""
    sha256: str
    """Of the document's bytes, hex."""
    complete: bool
    """Whether every source of the subject is in it, over a lineage that was read whole."""
    unknown: tuple[str, ...]
    """What is not in it because it is not known, a sentence each."""
    text: str
    """The document itself; empty when it was written to a file."""


def export(case: Case, name: str, *, key: SigningKey | None = None) -> str:
    """A case in the words of a standard.

    Args:
        case: question, answer and evidence.
        name: one of `STANDARDS`.
        key: the ledger's, for those that are signed.

    Returns:
        The document, UTF-8 text with a newline at its end.

    Raises:
        CannotDecide: the case does not hold what the standard cannot do without.
    """
    standard = STANDARDS[name]
    module, _, function = standard.function.partition(":")
    write: Callable[..., str] = getattr(import_module(f"{__name__}.{module}"), function)
    return write(case, key) if standard.signed else write(case)


def document(case: Case, name: str, text: str, file: str) -> ExportDocument:
    """What the verb says of an export.

    Args:
        case: that was exported.
        name: of the standard.
        text: the export.
        file: that it was written to; empty: none.
    """
    found = view(case)
    return ExportDocument(
        found.model.name, name, STANDARDS[name].title, file, hashlib.sha256(text.encode()).hexdigest(), found.whole,
        tuple(gaps(found)), "" if file else text,
    )  # fmt: skip


def document_text(made: ExportDocument) -> str:
    """The same for people."""
    lines = [f"{made.subject} is in {made.file}: {made.title}, sha256 {made.sha256}."]
    if made.unknown:
        lines += ["", "Not in it, because it is not known:", *(f"{MARK}{text}" for text in made.unknown)]
    return page(lines)
