"""What a dossier is made of: paragraphs, facts, tables, a picture. Nothing of how they look.

Texts are as they were given: names in them are other people's words, and whoever shows a block escapes them for its
format. Blocks are at the same time what the PDF's template reads, as JSON.
"""

from __future__ import annotations

import msgspec


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
    blocks: tuple[Blocks, ...]


Blocks = Heading | Paragraph | Points | Facts | Table | Picture | Code
"""Anything that stands in a section."""

NOT_KNOWN = "not known"
"""What stands where nothing is known: never a blank, never a zero."""


def facts(*rows: tuple[str, str | Line | Cell]) -> Facts:
    """Terms with something to say; an empty text drops its term."""
    told = []
    for term, value in rows:
        shown = value if isinstance(value, Cell) else cell(value)
        if any(line.text for line in shown.lines):
            told.append((term, shown))
    return Facts(tuple(told))


def cell(*lines: str | Line) -> Cell:
    """Lines under each other; empty ones are left out."""
    told = (Line(line) if isinstance(line, str) else line for line in lines)
    return Cell(tuple(line for line in told if line.text))


def code(text: str) -> Line:
    """A hash, key or identifier; words where it is not known."""
    return Line(text, code=True) if text else Line(NOT_KNOWN)


def faint(text: str, *, code: bool = False) -> Line:
    """What stands back."""
    return Line(text, code=code, faint=True)


def left_out(all_: int, shown: int, what: str, plural: str = "") -> list[Blocks]:
    """That a list was cut, by how much, and where the whole is."""
    if all_ <= shown:
        return []
    more = all_ - shown
    noun = what if more == 1 else plural or f"{what}s"
    return [Paragraph(f"{more:,} more {noun}: in the JSON document of this case.", note=True)]
