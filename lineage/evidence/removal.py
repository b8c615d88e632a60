"""Removals and corrections as documents and as text: who claims what, on which evidence, who agreed, what holds."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence import document
from lineage.evidence.case import CorrectionView, RemovalView
from lineage.evidence.document import Document, NoticeRef
from lineage.evidence.layout import count, fields, page, when
from lineage.evidence.text import origin_text
from lineage.graph import CorrectionRecord, RemovalRecord

MOST = 5
"""How many sources of a removal are spelled out; the rest is counted."""


class RemovalsDocument(Document, frozen=True):
    """``removal``: the one claimed, approved or shown, or all of them."""

    removals: tuple[RemovalView, ...]
    notices: tuple[NoticeRef, ...]
    """What to look at before one is believed: evidence that was not kept, models that were made before the claim."""
    as_of: str = ""
    known_at: str = ""


class CorrectionsDocument(Document, frozen=True):
    """``correction``: the one claimed or approved, or all of them."""

    corrections: tuple[CorrectionView, ...]
    as_of: str = ""
    known_at: str = ""


def removals(
    records: Sequence[RemovalRecord], notices: Sequence[Sequence[str]], times: tuple[str, str] = ("", "")
) -> RemovalsDocument:
    """Removals with what became of them."""
    views = [RemovalView(r.removal, r.state.value, r.claimed, r.approved, r.void, r.positions) for r in records]
    return RemovalsDocument(tuple(views), document.notices(notices), *times)


def corrections(records: Sequence[CorrectionRecord], times: tuple[str, str] = ("", "")) -> CorrectionsDocument:
    """Corrections with what became of them."""
    views = [CorrectionView(r.correction, r.state.value, r.claimed, r.approved, r.positions) for r in records]
    return CorrectionsDocument(tuple(views), *times)


def removals_text(said: RemovalsDocument) -> str:
    """Each removal with its evidence, its claimant and its approver."""
    times = said.as_of, said.known_at
    if not said.removals:
        return page([f"No removal was ever claimed{when(*times)}."])
    lines = [f"{count(len(said.removals), 'removal')}{when(*times)}:"] if any(times) else []
    for view in said.removals:
        removal = view.removal
        sources = [*removal.sources[:MOST]]
        if len(removal.sources) > MOST:
            sources.append(f"and {len(removal.sources) - MOST} more")
        digest = f" ({removal.evidence_hash})" if removal.evidence_hash else ""
        lines.append(f"removal {removal.id}: {view.state}")
        lines += fields(
            [
                ("origin", origin_text(removal.origin)),
                ("out of", removal.content),
                ("by run", removal.run),
                *(("" if index else "sources", source) for index, source in enumerate(sources)),
                ("checked", removal.checked),
                ("result", removal.result),
                ("evidence", removal.evidence + digest),
                ("reason", removal.reason),
                ("claimed", f"{view.claimed} by {removal.claimed_by}"),
                ("approved", f"{view.approved} by {removal.approved_by}" if view.approved else ""),
                ("void", view.void),
                *(("note", n.message) for n in said.notices if n.where == f"removal {removal.id}"),
            ]
        )
    lines.append("Names are as each user's own settings give them; nobody authenticated them.")
    return page(lines)


def corrections_text(document: CorrectionsDocument) -> str:
    """Each correction with its claimant and its approver."""
    times = document.as_of, document.known_at
    if not document.corrections:
        return page([f"No correction was ever claimed{when(*times)}."])
    lines = [f"{count(len(document.corrections), 'correction')}{when(*times)}:"] if any(times) else []
    for view in document.corrections:
        correction = view.correction
        lines.append(f"correction {correction.id}: {view.state}")
        lines += fields(
            [
                ("tag", f"{origin_text(correction.origin)} ({correction.basis.value})"),
                ("on", correction.content),
                ("reason", correction.reason),
                ("claimed", f"{view.claimed} by {correction.claimed_by}"),
                ("approved", f"{view.approved} by {correction.approved_by}" if view.approved else ""),
            ]
        )
    return page(lines)
