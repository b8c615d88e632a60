"""The outline of a dossier: what it says, block by block. HTML and PDF both show exactly this, so they say the same.

Texts are as they were given: names in them are other people's words, and whoever shows a block escapes them for its
format. An outline is at the same time what the PDF's template reads, as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lineage.evidence.case import Case


class Block(msgspec.Struct, frozen=True, tag_field="block", tag=str.lower):
    """The base of every part of a section."""


class Line(msgspec.Struct, frozen=True):
    """One line of a cell."""

    text: str
    code: bool = False
    """Set in a fixed width: a hash, an identifier, a command."""
    faint: bool = False
    """Stands back behind the line above."""


class Cell(msgspec.Struct, frozen=True):
    """What stands in a table's cell, or beside a term."""

    lines: tuple[Line, ...]
    part: float | None = None
    """A bar under it, filled to this part of its width (0 to 1); None: no bar."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    title: str
    width: int
    """Relative to the other columns."""
    right: bool = False
    """Numbers end at the same place."""


class Heading(Block, frozen=True):
    """A heading inside a section."""

    text: str


class Paragraph(Block, frozen=True):
    """A sentence or a few."""

    text: str
    note: bool = False
    """A remark on how to read what is near it."""


class Points(Block, frozen=True):
    """A list without order."""

    items: tuple[str, ...]


class Facts(Block, frozen=True):
    """Terms, each with what is known of it."""

    rows: tuple[tuple[str, Cell], ...]


class Table(Block, frozen=True):
    """Rows under column titles; the first column names its row."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Picture(Block, frozen=True):
    """A drawing, and the same in words for whoever does not see it."""

    svg: str
    caption: str
    words: str
    width: float
    """Of the drawing at its natural size, in CSS pixels."""
    height: float


class Code(Block, frozen=True):
    """Lines as they are: a command to type, a signed note."""

    lines: tuple[str, ...]


class Section(msgspec.Struct, frozen=True):
    """One numbered section."""

    id: str
    title: str
    blocks: tuple[Heading | Paragraph | Points | Facts | Table | Picture | Code, ...]


class Outline(msgspec.Struct, frozen=True):
    """A dossier, before it has a look."""

    title: str
    subject: str
    date: str
    """When the question was put, ISO 8601: the document's date. Empty where the record has no entry."""
    running: str
    """Foot of every page: position in the ledger and date."""
    question: str
    word: str
    """The answer in one or two words."""
    tone: str
    """``bad``, ``good`` or ``open``: how the word is framed; never told by colour alone."""
    answer: str
    more: tuple[str, ...]
    facts: Facts
    sections: tuple[Section, ...]


def outline(case: Case) -> Outline:
    """What the dossier of a case says.

    Args:
        case: as the gate filled it.

    Returns:
        The outline; the same for the same case.
    """
    from lineage.evidence.dossier import sections as s
    from lineage.evidence.dossier.words import running

    word, tone = s.verdict(case)
    return Outline(
        title="Provenance dossier",
        subject=case.question.subject,
        date=case.question.asked,
        running=running(case.coverage.position, case.question.asked),
        question=s.question(case),
        word=word,
        tone=tone,
        answer=case.answer.sentence,
        more=case.answer.more,
        facts=s.subject(case),
        sections=(
            s.basis(case),
            s.paths(case),
            s.shares(case),
            s.permissions(case),
            s.history(case),
            s.unknown(case),
            s.record(case),
            s.glossary(),
        ),
    )
