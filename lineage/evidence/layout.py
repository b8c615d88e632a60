"""How text is laid out on a page: lines, named fields, tables, counted nouns. What it says is others' business.

Names are other people's words: `page` and `table` escape whatever a terminal would obey instead of show.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.errors import printable

MARK = "  "
"""Indent of what belongs to the sentence above."""


def page(lines: Iterable[str]) -> str:
    """What every text ends as: one line for each that was meant to be one."""
    return "\n".join(map(printable, lines))


def fields(rows: Iterable[tuple[str, str]]) -> list[str]:
    """``name  value`` lines; a value without a name hangs under the one before."""
    return [f"{MARK}{name:<8} {value.rstrip()}" for name, value in rows if value]


def table(rows: Sequence[Sequence[str]], indent: str = MARK) -> list[str]:
    """Rows with their columns aligned."""
    if not rows:
        return []
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def count(number: int, what: str) -> str:
    """``1 source``, ``1,200 sources``, ``3 entries``."""
    if number == 1:
        return f"{number:,} {what}"
    return f"{number:,} {what[:-1]}ies" if what.endswith("ry") else f"{number:,} {what}s"


def when(as_of: str, known_at: str) -> str:
    """The times that an answer holds for, as the end of its first line; nothing for now."""
    said = [f"as of {as_of}"] if as_of else []
    said += [f"by what had been recorded at {known_at}"] if known_at else []
    return f" ({', '.join(said)})" if said else ""
