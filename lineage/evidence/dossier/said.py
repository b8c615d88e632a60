"""What people and the gate said of the model, and what happened to it: decisions, grants, removals, corrections."""

from __future__ import annotations

from lineage.evidence.case import Case, GrantUse
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import (
    NOT_KNOWN,
    Blocks,
    Column,
    Heading,
    Line,
    Paragraph,
    Points,
    Section,
    Table,
    cell,
    code,
    facts,
    faint,
    left_out,
)
from lineage.evidence.text import action_text, origin_text, recorded_by

MOST = 120
"""Rows of a list that are shown, the newest; the JSON document has all of them."""


def permissions(case: Case) -> Section:
    """What the policy says now, what was decided, what was permitted, and what was claimed to be out."""
    verdict_ = case.verdict
    blocks: list[Blocks] = [
        Paragraph(f"Under the policy that holds at the time asked about, this model is {words.outcome(verdict_)}."),
        facts(
            ("Because", verdict_.reason),
            ("What would help", verdict_.hint),
            ("Policy", cell(code(f"sha256 {verdict_.policy}"), *_recorded(case)) if verdict_.policy else ""),
        ),
        Heading("Recorded decisions"),
    ]
    if case.decisions:
        columns = (Column("When, by", 24), Column("About", 20), Column("Outcome", 31), Column("Decision, entry", 25))
        rows = [
            (
                cell(words.when(judged.decision.time), faint(judged.decision.by)),
                cell(action_text(judged.decision), faint(judged.content, code=True)),
                cell(words.outcome(judged.decision), faint(judged.decision.reason)),
                cell(code(judged.decision.id), faint(f"entry {judged.entry}")),
            )
            for judged in case.decisions[-MOST:]
        ]
        blocks.append(Table("Decisions of the gate, oldest first", columns, tuple(rows)))
        blocks += left_out(len(case.decisions), len(rows), "older decision")
    else:
        blocks.append(Paragraph("No decision about this model is recorded."))
    blocks += [*_grants(case), *_removals(case), *_corrections(case)]
    return Section("decisions", "Decisions, permissions, removals", tuple(blocks))


def _recorded(case: Case) -> list[Line]:
    """Since when the policy is on record, and where its text is."""
    found = [item for item in case.history if item.kind == "policy" and case.verdict.policy.startswith(item.subject)]
    return [
        faint(
            f"on record since {words.when(item.recorded)}; its text is entry {item.entry} of the ledger and the bundle"
        )
        for item in found[:1]
    ]


def history(case: Case) -> Section:
    """What happened, oldest first."""
    title = "What happened"
    if not case.history:
        return Section("history", title, (Paragraph("No event in the life of this model is recorded."),))
    shown = case.history[-MOST:]
    rows = tuple(
        (
            cell(words.when(item.time), faint(words.late(item.time, item.recorded))),
            cell(item.subject, faint(item.text)),
            cell(item.by or NOT_KNOWN),
            cell(str(item.entry)),
        )
        for item in shown
    )
    columns = (Column("When", 24), Column("What", 42), Column("Who", 26), Column("Entry", 8, right=True))
    blocks: list[Blocks] = [Table("Events, oldest first", columns, rows)]
    blocks += left_out(len(case.history), len(shown), "older event")
    return Section("history", title, tuple(blocks))


def unknown(case: Case) -> Section:
    """What is not known and would bear on the answer."""
    title = "What is not known"
    if not case.unknown:
        return Section(
            "unknown", title, (Paragraph("The record names nothing that is missing and would bear on the answer."),)
        )
    blocks: list[Blocks] = [
        Paragraph("Each of these could change the answer, or how much weight it bears."),
        Points(case.unknown[:MOST]),
    ]
    blocks += left_out(len(case.unknown), min(len(case.unknown), MOST), "point")
    return Section("unknown", title, tuple(blocks))


def _grants(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Permissions (grants)")]
    for use in case.grants:
        grant = use.grant
        start = f"from {words.day(grant.from_)} " if grant.from_ else ""
        end = f"until {words.day(grant.until)}" if grant.until else "until it is withdrawn"
        blocks.append(
            facts(
                ("Grant", code(grant.id)),
                ("Permits", words.scope(grant.scope)),
                ("Held" if grant.withdrawn else "Holds", start + end),
                ("Withdrawn", _withdrawn(use)),
                ("Approved by", grant.approver + recorded_by(grant)),
                ("Reference", grant.reference),
                ("Reason", grant.reason),
                ("Freed here", "; ".join(use.frees) or "nothing"),
                ("Now" if grant.withdrawn else "Without it", use.sentence or words.OUTCOMES[use.without]),
                ("Recorded", f"{words.when(use.recorded)}, entry {words.positions(use.entries) or 'none'}"),
            )
        )
    return blocks if case.grants else [*blocks, Paragraph("None is recorded that speaks of this model.")]


def _withdrawn(use: GrantUse) -> str:
    if not use.grant.withdrawn:
        return ""
    return f"{words.when(use.withdrawn)}, by {use.withdrawn_by or NOT_KNOWN}"


def _removals(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Removals")]
    for view in case.removals:
        removal = view.removal
        by = f" by {removal.run}" if removal.run else ""
        blocks.append(
            facts(
                ("Removal", code(removal.id)),
                ("State", view.state + (f": {view.void}" if view.void else "")),
                ("Claim", f"{origin_text(removal.origin)} was taken out{by}"),
                ("Claimed", f"{words.when(view.claimed)}, by {removal.claimed_by}"),
                ("Approved", _approved(view.approved, removal.approved_by)),
                ("Checked", ": ".join(part for part in (removal.checked, removal.result) if part)),
                ("Reason", removal.reason),
                ("Evidence", cell(removal.evidence or "none", faint(removal.evidence_hash, code=True))),
                ("Output it speaks for", code(removal.content)),
                ("Sources checked", cell(*map(code, removal.sources[:MOST])) if removal.sources else "none"),
                ("Entries", words.positions(view.entries)),
            )
        )
        blocks += left_out(len(removal.sources), MOST, "source checked", "sources checked")
    return blocks if case.removals else [*blocks, Paragraph("None is recorded that speaks of this lineage.")]


def _corrections(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Corrections of declarations")]
    for view in case.corrections:
        fix = view.correction
        basis = words.BASIS[fix.basis.value]
        blocks.append(
            facts(
                ("Correction", code(fix.id)),
                ("State", view.state),
                ("Claim", f"it was a mistake to call this {origin_text(fix.origin)} ({basis})"),
                ("Of content", code(fix.content)),
                ("Claimed", f"{words.when(view.claimed)}, by {fix.claimed_by}"),
                ("Approved", _approved(view.approved, fix.approved_by)),
                ("Reason", fix.reason),
                ("Entries", words.positions(view.entries)),
            )
        )
    return blocks if case.corrections else [*blocks, Paragraph("None is recorded that speaks of this lineage.")]


def _approved(time: str, by: str) -> str:
    return f"{words.when(time)}, by {by}" if by else "by nobody: it counts for nothing"
