"""What ``record`` says: how many events of each file are in the ledger now, and what about them breaks the standard."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence.document import Document
from lineage.evidence.layout import MARK, count, page


class EventWarning(Document, frozen=True):
    """Something about events that breaks the standard, or was read otherwise than written."""

    text: str
    events: int
    first: int
    """Number of the first event with it, counted from 1."""


class RecordedFile(Document, frozen=True):
    """A file of events."""

    file: str
    events: int
    recorded: int
    known: int
    """Those that had been received before, byte for byte."""
    warnings: tuple[EventWarning, ...]
    more: int
    """Warnings that are not listed."""


class RecordDocument(Document, frozen=True):
    """``record``."""

    files: tuple[RecordedFile, ...]
    entries: int
    """Of the ledger afterwards."""


def record_text(found: RecordDocument) -> str:
    """The same for people."""
    lines: list[str] = []
    for file in found.files:
        known = f", {file.known:,} known before" if file.known else ""
        lines.append(f"{file.file}: {count(file.events, 'event')}, {file.recorded:,} recorded{known}")
        lines += _warnings(file.warnings)
        if file.more:
            lines.append(f"{MARK}warning  and {file.more:,} more")
    lines.append(f"The ledger holds {count(found.entries, 'entry')}.")
    return page(lines)


def _warnings(warnings: Sequence[EventWarning]) -> list[str]:
    return [
        f"{MARK}warning  {warning.text}"
        + (f" ({count(warning.events, 'event')}, first {warning.first:,})" if warning.events > 1 else
           f" (event {warning.first:,})")
        for warning in warnings
    ]  # fmt: skip
