"""What ``forward`` says, and what ``status`` and ``sync`` say of it: what the team's server has not acknowledged."""

from __future__ import annotations

from lineage.evidence.document import Document, WaitingDocument
from lineage.evidence.layout import MARK, count, page

SHOWN = 5
"""Refusals that a text lists."""


class ForwardDocument(Document, frozen=True):
    """``forward``."""

    sent: int
    """Entries that the server acknowledged now."""
    waiting: WaitingDocument


def waiting_lines(found: WaitingDocument) -> list[str]:
    """What waits, since when, and why."""
    lines: list[str] = []
    total = found.events + found.acts
    if total:
        parts = [count(found.events, "event")] * bool(found.events) + [f"{count(found.acts, 'act')} of people"] * bool(
            found.acts
        )
        verb = "waits" if total == 1 else "wait"
        lines.append(f"{' and '.join(parts)} {verb} for {found.server}, the oldest since {found.since}")
        if not found.tried:
            lines.append(f"{MARK}lineagegate forward")
    if found.error:
        lines += [f"{MARK}last tried {found.tried}: {found.error}", *([f"{MARK}{found.hint}"] if found.hint else [])]
    if found.refused:
        lines.append(f"{found.server} refuses {count(len(found.refused), 'entry')}:")
        for item in found.refused[:SHOWN]:
            lines.append(f"{MARK}entry {item.entry}: {item.code}: {item.reason}")
        if len(found.refused) > SHOWN:
            lines.append(f"{MARK}… and {len(found.refused) - SHOWN:,} more")
        lines.append(f"{MARK}lineagegate forward --again, once that is settled")
    return lines


def forward_text(found: ForwardDocument) -> str:
    """What was sent, and what still waits."""
    sent = (
        f"{count(found.sent, 'entry')} acknowledged by {found.waiting.server}." if found.sent else "Nothing was sent."
    )
    waiting = waiting_lines(found.waiting)
    return page([sent, *(waiting or ["Nothing waits."])])
