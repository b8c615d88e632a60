"""The lawyer's questions as documents and as text: contains, share, history. A sentence first, then the evidence.

Pure functions of values that `lineage.gate` fills from the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lineage.evidence.answer import listed
from lineage.evidence.case import (
    Answer,
    Contains,
    Coverage,
    GrantUse,
    HistoryItem,
    Judgement,
    Question,
    RemovalView,
    Share,
    Subject,
    Trace,
)
from lineage.evidence.document import ArtifactRef, Document
from lineage.evidence.layout import MARK, count, fields, page, table, when
from lineage.evidence.text import label_text, origin_text, recorded_by
from lineage.vocabulary import Basis, Kind, Label, Outcome, Use

MOST = 20
"""Things of one sort that a text spells out; the rest is counted."""
BAR = 24
"""Characters of a bar that stands for everything."""


class ContainsDocument(Document, frozen=True):
    """``contains``."""

    question: Question
    answer: Answer
    subject: Subject
    coverage: Coverage
    traces: tuple[Trace, ...]
    decisions: tuple[Judgement, ...]
    """Oldest first."""
    grants: tuple[GrantUse, ...]
    removals: tuple[RemovalView, ...]
    unknown: tuple[str, ...]
    notices: tuple[str, ...] = ()
    """What bears on the answer and is no part of it: what was seen to be other than declared, and what whoever reads a
    removal should look at first. A sentence each, without a full stop."""


class UseTotal(Document, frozen=True):
    """Everything that went in with one use. A source of several origins counts once here, and once under each."""

    use: Use
    sources: int
    files: int | None
    bytes: int | None
    records: int | None
    unsized: int
    """Sources whose size is not known: the numbers above leave them out."""


class ShareDocument(Document, frozen=True):
    """``share``: of what went in, not of what survived the transforms."""

    question: Question
    subject: ArtifactRef
    sentence: str
    shares: tuple[Share, ...]
    asked: tuple[bool, ...]
    """For each share, whether it is of the origin that was asked about."""
    totals: tuple[UseTotal, ...]
    position: int


class HistoryDocument(Document, frozen=True):
    """``history``."""

    subject: str
    """The model; empty: everything on record."""
    origin: str
    since: str
    until: str
    as_of: str
    known_at: str
    items: tuple[HistoryItem, ...]
    """Said to have happened between the two times, oldest first."""
    recorded_after: tuple[HistoryItem, ...]
    """Recorded after ``since``, and said to have happened before it: when it happened is whoever recorded it's word."""
    position: int
    undeclared: int = 0
    """Of a question about an origin on record: sources with no declared origin. What happened to them is left out."""
    unstated: int = 0
    """Of such a question: recorded origins that may be the one asked about, because too little of them is stated."""


def contains_text(document: ContainsDocument) -> str:
    """The answer, the paths, what was decided, what is not known."""
    answer, question = document.answer, document.question
    lines = [_dated(answer.sentence, question), *(MARK + said for said in answer.more)]
    for trace in document.traces[:MOST]:
        lines += ["", *_trace(trace)]
    if len(document.traces) > MOST:
        lines += ["", f"… and {count(len(document.traces) - MOST, 'more label')}"]
    if document.decisions:
        rows = [
            (j.decision.time[:10], j.decision.action, _outcome(j.decision.outcome), j.decision.id, j.decision.by)
            for j in document.decisions[-MOST:]
        ]
        lines += ["", f"{count(len(document.decisions), 'recorded decision')} about it", *table(rows)]
    for use in document.grants:
        frees = f"frees {listed(use.frees)}. " if use.frees else ""
        lines += ["", f"grant {use.grant.id} ({use.grant.reference}, by {use.grant.approver}{recorded_by(use.grant)})"]
        if use.withdrawn:
            lines.append(f"{MARK}withdrawn {use.withdrawn[:10]} by {use.withdrawn_by or 'somebody not named'}")
        lines.append(f"{MARK}{frees}{use.sentence}")
    for view in document.removals:
        removal = view.removal
        lines += ["", f"removal {removal.id}: {view.state}"]
        lines += fields(
            [
                ("origin", origin_text(removal.origin)),
                ("claimed", f"{view.claimed[:10]} by {removal.claimed_by}"),
                ("approved", f"{view.approved[:10]} by {removal.approved_by}" if view.approved else ""),
                ("checked", removal.checked or "not stated"),
                ("result", removal.result),
                ("evidence", f"{removal.evidence or 'none named'} {removal.evidence_hash or '(not a hashed file)'}"),
                ("void", view.void),
            ]
        )
    if document.notices:
        shown = [f"{MARK}{said}" for said in document.notices[:MOST]]
        more = [f"{MARK}… and {len(document.notices) - MOST} more"] if len(document.notices) > MOST else []
        lines += ["", "look at this, too", *shown, *more]
    if document.unknown:
        shown = [f"{MARK}{said}" for said in document.unknown[:MOST]]
        more = [f"{MARK}… and {len(document.unknown) - MOST} more"] if len(document.unknown) > MOST else []
        lines += ["", "not known", *shown, *more]
    return page(lines)


def status(answer: Answer) -> int:
    """The exit status of an answer: 0 no, 1 yes or in evaluation only, 3 cannot tell."""
    return {Contains.NO: 0, Contains.YES: 1, Contains.EVALUATION_ONLY: 1}.get(answer.contains, 3)


def _dated(sentence: str, question: Question) -> str:
    times = when(question.as_of, question.known_at)
    return f"{sentence.removesuffix('.')}{times}." if times else sentence


def _trace(trace: Trace) -> list[str]:
    others = f"  (and from {count(trace.tags - 1, 'other source')})" if trace.tags > 1 else ""
    lines = [label_text(Label(trace.origin, trace.use, trace.basis)) + others]
    if not trace.path:
        return [*lines, f"{MARK}(no path recorded)"]
    lines.append(f"{MARK}{trace.path[0].artifact}  {_source(trace)}")
    rows = []
    for index, step in enumerate(trace.path[1:], start=2):
        role = "" if step.use in ("", Use.CONTENT.value) else f" ({step.use})"
        branch = "└─ " if index == len(trace.path) else "├─ "
        who = "  ".join(part for part in (step.time[:10], step.commit[:7], step.by) if part)
        rows.append((f"{branch}{step.run or '(same content)'}{role}", step.artifact, who))
    return lines + table(rows)


def _source(trace: Trace) -> str:
    if trace.origin.kind is Kind.UNDECLARED:
        return "nobody has said where it comes from"
    how = {Basis.MATCHED: "matched by content"}.get(trace.basis, trace.basis.value) if trace.basis else ""
    late = f", recorded {trace.recorded[:10]}" if trace.recorded[:10] > trace.declared[:10] else ""
    by = f" by {trace.declared_by}" if trace.declared_by else ""
    why = "".join(f"; {text}" for text in (trace.reason, trace.evidence) if text)
    return f"{how} {trace.declared[:10]}{by}{late}{why}"


def _outcome(outcome: Outcome) -> str:
    return {
        Outcome.ALLOW: "allowed",
        Outcome.WARN: "allowed with a warning",
        Outcome.DENY: "refused",
        Outcome.CANNOT_DECIDE: "could not be decided",
    }[outcome]


def share_text(document: ShareDocument) -> str:
    """How much of each origin went in, per use, with bars."""
    question = document.question
    lines = [_dated(document.sentence, question)]
    lines.append(f"{MARK}Shares are of what went in, not of what the model kept of it.")
    for total in document.totals:
        known = total.bytes is not None
        lines += ["", f"as {total.use.value}: {_amounts(total)}"]
        part = "share of known bytes" if total.unsized else "share of bytes"
        rows = [("origin", "sources", "files", "bytes", "records", part)]
        for share in document.shares:
            if share.use is total.use:
                rows.append(
                    (
                        origin_text(share.origin),
                        f"{share.sources:,}",
                        number(share.files),
                        size(share.bytes),
                        number(share.records),
                        bar(share.bytes, total.bytes) if known else "not known",
                    )
                )
        lines += table(rows)
        if total.unsized:
            verb = "is" if total.unsized == 1 else "are"
            lines.append(f"{MARK}The size of {count(total.unsized, 'source')} {verb} not known and left out.")
    return page(lines)


def share_sentence(
    name: str,
    what: str,
    shares: Sequence[Share],
    asked: Sequence[bool],
    totals: Sequence[UseTotal],
    taken: Sequence[str] = (),
) -> str:
    """What went in, or what part of it is of an origin, for each use.

    Args:
        name: the model.
        what: the origin asked about; empty: none.
        shares: all of them.
        asked: for each, whether it is of that origin.
        totals: for each use.
        taken: what removals took out (`lineage.evidence.answer.taken_out`).
    """
    out = "".join(f" After a removal: {said}; the records do not test that claim." for said in taken)
    if not totals:
        return f"No source of {name} is known."
    if not what:
        return f"{name} was made from {listed([f'{_amounts(total)} as {total.use.value}' for total in totals])}."
    said = []
    for total in totals:
        mine = [share for share, yes in zip(shares, asked, strict=True) if yes and share.use is total.use]
        if not mine:
            continue
        parts = []
        known = "known " if total.unsized else ""  # a part of what is known is not a part of everything
        for field, unit in (("bytes", f"{known}bytes"), ("files", f"{known}files"), ("records", "known records")):
            part, whole = _sum(getattr(share, field) for share in mine), getattr(total, field)
            if part is not None and whole:
                parts.append(f"{percent(part, whole)} of the {unit}")
        unsized = sum(share.unsized for share in mine)
        parts += [f"an unknown part ({count(unsized, 'source')} of unknown size)"] if unsized else []
        said.append(f"{listed(parts) or 'an unknown part'} that went in as {total.use.value}")
    if not said:
        how = "is left in" if out else "went into"
        return f"Nothing that is known to be of {what} {how} {name}.{out}"
    return f"Of {name}, {what} is {listed(said)}.{out}"


def _amounts(total: UseTotal) -> str:
    parts = [count(total.sources, "source")]
    parts += [count(total.files, "file")] if total.files is not None else []
    parts += [size(total.bytes)] if total.bytes is not None else []
    return ", ".join(parts)


def bar(part: int | None, whole: int | None) -> str:
    """A bar and its percentage, in characters that any printer has."""
    if part is None or not whole:
        return "not known"
    filled = round(BAR * part / whole)
    return f"{'#' * max(filled, int(part > 0)):<{BAR}}  {percent(part, whole)}"


def percent(part: int, whole: int) -> str:
    """``3.1 %``; what is more than nothing is never shown as nothing."""
    value = 100 * part / whole
    if 0 < value < 0.1:
        return "less than 0.1 %"
    if 99.9 < value < 100:
        return "more than 99.9 %"
    return f"{value:.1f} %"


def size(number_: int | None) -> str:
    """``48.2 MB``; in powers of ten."""
    if number_ is None:
        return "?"
    value, units = float(number_), ["B", "kB", "MB", "GB", "TB", "PB"]
    while value >= 999.95 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{number_} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def number(value: int | None) -> str:
    """``41,200``; a question mark for what is not known."""
    return "?" if value is None else f"{value:,}"


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [value for value in numbers if value is not None]
    return sum(known) if known else None


_NOUNS = {
    "executed": "execution",
    "declared": "declaration",
    "decided": "decision",
    "registered": "registration",
    "alias": "alias set",
    "alias-removed": "alias removed",
    "stage": "stage change",
    "renamed": "renaming",
    "deleted": "deletion",
    "recalled": "recall",
    "granted": "grant",
    "withdrawn": "withdrawal",
    "removal-claimed": "removal claimed",
    "removal-approved": "removal approved",
    "correction-claimed": "correction claimed",
    "correction-approved": "correction approved",
    "policy": "policy",
}


def history_text(document: HistoryDocument) -> str:
    """What happened, counted and then told, with the day of recording where it was another."""
    span = " ".join(
        part
        for part in (
            f"from {document.since[:10]}" if document.since else "",
            f"until {document.until[:10]}" if document.until else "",
        )
        if part
    )
    about = " about ".join(part for part in (document.subject, document.origin) if part) or "the record"
    found = Counter(item.kind for item in document.items)
    late = document.recorded_after
    if found:
        words = [_counted(number_, kind) for kind, number_ in found.items()]
        heading = f"{about}{', ' + span if span else ''}: {listed(words)}"
    else:
        heading = f"Nothing is on record{' of ' + about if about != 'the record' else ''} {span}".rstrip()
        heading += " by the time that it is said to have happened" if late else ""
    lines = [f"{heading}{when(document.as_of, document.known_at)}."]
    if document.origin and (said := _readings(document.items, document)):
        lines.append(f"{MARK}{said}")
    if found:
        lines += ["", *_happenings(document.items)]
    if late:
        day = document.since[:10]
        lines += ["", f"recorded after {day}, said to have happened before: {len(late):,}"]
        if document.origin and (said := _readings(late, document)):
            lines.append(f"{MARK}{said}")
        lines.append(
            f"{MARK}That {'it' if len(late) == 1 else 'they'} happened before {day} is not proven: the time of "
            "an execution is its machine's clock or its commit's date, which people can set; the time of recording is "
            "the clock of whoever keeps the record."
        )
        lines += ["", *_happenings(late)]
    if document.undeclared or document.unstated:
        parts = [
            *([f"{count(document.undeclared, 'source')} without a declared origin"] if document.undeclared else []),
            *([f"{count(document.unstated, 'origin')} of which too little is stated"] if document.unstated else []),
        ]
        lines += ["", f"{MARK}Cannot tell of {listed(parts)}: what happened to them is left out."]
    return page(lines)


def _happenings(items: Sequence[HistoryItem]) -> list[str]:
    rows = []
    for item in items[:LINES]:
        late = f"recorded {item.recorded[:10]}" if item.recorded[:10] > item.time[:10] else ""
        rows.append((item.time[:10], item.kind, item.subject, item.text, item.by, late))
    more = [f"{MARK}… and {len(items) - LINES:,} more: --format json lists them all"] if len(items) > LINES else []
    return [*table(rows), *more]


LINES = 200
"""Items that a history spells out."""


def _readings(items: Sequence[HistoryItem], document: HistoryDocument) -> str:
    """S8: what still read an origin; empty where nothing did."""
    runs = [item for item in items if item.kind == "executed" and item.text.startswith("read ")]
    if not runs:
        return ""
    direct = [item for item in runs if not item.text.endswith(", made from it")]
    since = f" from {document.since[:10]} on" if document.since and items is document.items else ""
    read = f"{count(len(runs), 'execution')}{since} read data of {document.origin}"
    return f"{read}, {len(direct):,} of them the source itself."


def _counted(number_: int, kind: str) -> str:
    noun = _NOUNS.get(kind, kind)
    head, _, tail = noun.partition(" ")
    if head == "policy":
        return f"{number_:,} {'policy' if number_ == 1 else 'policies'}"
    if head == "alias":
        return f"{number_:,} {'alias' if number_ == 1 else 'aliases'} {tail}"
    if noun == "stage change":
        return count(number_, noun)
    return f"{count(number_, head)}{' ' + tail if tail else ''}"
