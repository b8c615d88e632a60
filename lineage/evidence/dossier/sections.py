"""What each section of a dossier says of a case. Long lists are cut here, and say so: the JSON document has all of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from lineage.evidence.case import Case, Contains, Share, Trace
from lineage.evidence.dossier import words
from lineage.evidence.dossier.outline import (
    Cell,
    Code,
    Column,
    Facts,
    Heading,
    Line,
    Paragraph,
    Picture,
    Points,
    Section,
    Table,
)
from lineage.evidence.dossier.svg import LEGEND, svg
from lineage.evidence.layout import count
from lineage.evidence.text import origin_text, path_text
from lineage.vocabulary import Outcome, Step

PATHS = 40
"""Paths that are spelled out."""
DRAWN = 26
"""Boxes of a picture, about: what stays readable on one page."""
HAPPENED = 120
"""Rows of the history."""
CITED = 250
"""Ledger entries that are listed."""

Blocks = Heading | Paragraph | Points | Facts | Table | Picture | Code


def verdict(case: Case) -> tuple[str, str]:
    """The answer in a word or two, and its tone; without an origin asked about, the policy's word."""
    if case.question.origin:
        return {Contains.YES: ("Yes", "bad"), Contains.NO: ("No", "good")}.get(
            case.answer.contains, ("Cannot be told", "open")
        )
    return {
        Outcome.ALLOW: ("Allowed", "good"),
        Outcome.WARN: ("Allowed with a warning", "open"),
        Outcome.DENY: ("Refused", "bad"),
    }.get(case.verdict.outcome, ("Cannot be decided", "open"))


def question(case: Case) -> str:
    """What was asked, as a question."""
    asked = case.question
    if asked.origin:
        said = f"Does {asked.subject} contain anything of the origin “{asked.origin}”"
    else:
        said = f"What does {asked.subject} contain, and does the policy allow it"
    if asked.as_of:
        said += f", as things stood {_at(asked.as_of)}"
    if asked.known_at:
        said += f", by what had been recorded {_at(asked.known_at)}"
    return f"{said}?"


def subject(case: Case) -> Facts:
    """The model that was asked about, and who asked."""
    model, asked = case.subject, case.question
    registered = words.when(model.registered) + (f", by {model.by}" if model.by else "")
    return _facts(
        ("Model", model.artifact.display),
        ("Registered", registered),
        ("Aliases", ", ".join(model.aliases) or "none"),
        ("Stage", model.stage or "none"),
        ("Made by", _line(model.run or words.NOT_KNOWN)),
        ("Commit", _code(model.commit)),
        ("Content hash", _code(model.artifact.content or "")),
        ("Asked by", f"{asked.by or words.NOT_KNOWN}, in the project {asked.project}"),
        ("Record read", f"{words.number(case.coverage.position)} ledger entries; the newest of {words.when(asked.asked)}"),
    )


def basis(case: Case) -> Section:
    """Over which lineage the answer was established, and whether that is whole."""
    over = case.coverage
    known = [
        f"{over.evidence[name]:,} {words.EVIDENCE.get(name, name)}"
        for name in ("observed", "restored", "asserted", *sorted(over.evidence))
        if over.evidence.get(name)
    ]
    span = f", from {words.day(over.first)} to {words.day(over.last)}" if over.first and over.last else ""
    complete = (
        "The lineage is complete: every step between the sources and the model was read, and each source has an origin "
        "that somebody answers for."
        if over.complete
        else f"The lineage is not complete: {over.reason}. What is not complete is never called clean."
    )
    blocks: list[Blocks] = [
        Paragraph(complete),
        _facts(
            ("Sources", words.number(over.sources)),
            ("Executions", count(over.executions, "execution") + span),
            ("How they are known", "; ".join(dict.fromkeys(known)) or words.NOT_KNOWN),
            ("Position", f"{words.number(over.position)} ledger entries were taken into account"),
        ),
    ]
    if over.undeclared:
        shown = over.undeclared[:PATHS]
        blocks.append(
            Table(
                "Sources with no declared origin",
                (Column("Source", 3), Column("Content hash", 4)),
                tuple((_cell(ref.display), Cell((_code(ref.content or ""),))) for ref in shown),
            )
        )
        blocks += _left_out(len(over.undeclared), len(shown), "source")
    return Section("basis", "What the answer rests on", tuple(blocks))


def paths(case: Case) -> Section:
    """Each path in steps, and a picture of them all."""
    traces = ordered(case.traces)
    if not traces:
        return Section("paths", "The paths", (Paragraph(_no_path(case)),))
    of = f" of the origin “{case.question.origin}”" if case.question.origin else ""
    unspoken = any(trace.basis is None for trace in traces)
    first = f"{count(len(traces), 'path')} from a source{of} to the model, what is refused first"
    if unspoken and of:
        first = f"{count(len(traces), 'path')} to the model from a source{of}, or from one that nobody spoke for"
    shown = traces[:PATHS]
    blocks: list[Blocks] = [
        Paragraph(
            f"{first}. For each origin and use one shortest path is shown. The first row is the source; each row after "
            "it is what the next run made.",
        )
    ]
    blocks += _picture(shown)
    for number, trace in enumerate(shown, start=1):
        blocks += _path(number, trace)
    blocks += _left_out(len(traces), len(shown), "path")
    return Section("paths", "The paths", tuple(blocks))


def shares(case: Case) -> Section:
    """What part of what went in each origin is, use by use."""
    title = "The data by origin"
    if not case.shares:
        return Section("shares", title, (Paragraph("No source of this model is known."),))
    whole: dict[str, int] = {}
    for share in case.shares:
        whole[share.use.value] = whole.get(share.use.value, 0) + (share.bytes or 0)
    uses = list(dict.fromkeys(share.use.value for share in case.shares))
    rows = [_share(share, whole[use]) for use in uses for share in case.shares if share.use.value == use]
    columns = (
        Column("Origin", 30),
        Column("Use", 13),
        Column("Sources", 9, right=True),
        Column("Files", 9, right=True),
        Column("Size", 11, right=True),
        Column("Records", 11, right=True),
        Column("Share of the size", 17),
    )
    unsized = sum(share.unsized for share in case.shares)
    blocks: list[Blocks] = [
        Paragraph(
            "These are shares of what went in, not of what survived the steps after it. Each share is of the known size "
            "of everything that was used in the same way.",
            note=True,
        ),
        Table("Sources of the model by origin and use", columns, tuple(rows)),
    ]
    if unsized:
        one = unsized == 1
        blocks.append(
            Paragraph(
                f"The size of {count(unsized, 'source')} is not known; {'it is' if one else 'they are'} left out of the "
                "shares, so that the others look larger than they are.",
                note=True,
            )
        )
    return Section("shares", title, tuple(blocks))


def permissions(case: Case) -> Section:
    """What the policy says now, what was decided, what was permitted, and what was claimed to be out."""
    verdict_ = case.verdict
    blocks: list[Blocks] = [
        Paragraph(f"Under the policy that holds at the time asked about, this model is {words.outcome(verdict_)}."),
        _facts(
            ("Because", verdict_.reason),
            ("What would help", verdict_.hint),
            ("Policy", _line(f"sha256 {verdict_.policy}", code=True) if verdict_.policy else ""),
        ),
        Heading("Recorded decisions"),
    ]
    if case.decisions:
        columns = (Column("When, by", 24), Column("About", 22), Column("Outcome", 36), Column("Decision, entry", 18))
        rows = [
            (
                Cell((Line(words.when(d.time)), Line(d.by, faint=True))),
                _cell(words.action(d)),
                Cell((Line(words.outcome(d)), Line(d.reason, faint=True))),
                Cell((Line(d.id, code=True), Line(f"entry {entry}", faint=True))),
            )
            for d, entry in ((judged.decision, judged.entry) for judged in case.decisions[-HAPPENED:])
        ]
        blocks.append(Table("Decisions of the gate, oldest first", columns, tuple(rows)))
        blocks += _left_out(len(case.decisions), len(rows), "older decision")
    else:
        blocks.append(Paragraph("No decision about this model is recorded."))
    blocks += [*_grants(case), *_removals(case), *_corrections(case)]
    return Section("decisions", "Decisions, permissions, removals", tuple(blocks))


def history(case: Case) -> Section:
    """What happened, oldest first."""
    title = "What happened"
    if not case.history:
        return Section("history", title, (Paragraph("No event in the life of this model is recorded."),))
    shown = case.history[-HAPPENED:]
    rows = tuple(
        (
            Cell(_lines(Line(words.when(item.time)), Line(words.late(item.time, item.recorded), faint=True))),
            Cell(_lines(Line(item.subject), Line(item.text, faint=True))),
            _cell(item.by or words.NOT_KNOWN),
            _cell(str(item.entry)),
        )
        for item in shown
    )
    columns = (Column("When", 24), Column("What", 42), Column("Who", 26), Column("Entry", 8, right=True))
    blocks: list[Blocks] = [Table("Events, oldest first", columns, rows)]
    blocks += _left_out(len(case.history), len(shown), "older event")
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
        Points(case.unknown[:HAPPENED]),
    ]
    blocks += _left_out(len(case.unknown), min(len(case.unknown), HAPPENED), "point")
    return Section("unknown", title, tuple(blocks))


def record(case: Case) -> Section:
    """The checkpoint that fixes the record, how to check it, and the entries that were cited."""
    seal = case.seal
    blocks: list[Blocks] = []
    if seal is None:
        blocks.append(
            Paragraph(
                "The record has no checkpoint. Nothing in it can be shown to be unchanged to somebody who does not trust "
                "whoever keeps it; `lineagegate ledger checkpoint` makes one."
            )
        )
    else:
        covers = "all of" if seal.size >= case.coverage.position else "not all of"
        blocks += [
            Paragraph(
                f"A signed checkpoint fixes the first {seal.size:,} entries of the ledger, {covers} the "
                f"{case.coverage.position:,} that this answer takes into account. Whoever holds the checkpoint can tell "
                "when an entry under it was changed, taken out or put in."
            ),
            _facts(
                ("Ledger", seal.origin),
                ("Entries", words.number(seal.size)),
                ("Root hash", _code(seal.root)),
                ("Made", f"{words.when(seal.time)}, by the clock of whoever keeps the ledger"),
                *((("Key", _code(key)) for key in seal.keys)),
                (
                    "Timestamp",
                    f"{words.when(seal.timestamped)}, by an independent authority (RFC 3161)"
                    if seal.timestamp
                    else "none: the date of the checkpoint rests on the clock above",
                ),
            ),
            Paragraph("The checkpoint as it was signed (C2SP signed note, Ed25519):"),
            Code(tuple(seal.note.rstrip("\n").split("\n"))),
        ]
    options = _options(case)
    name = shlex.quote(case.question.subject)
    blocks += [
        Heading("How to check this"),
        Paragraph(
            "Ask for the bundle of this case: one file with the entries cited here, the proof that each of them is under "
            "the checkpoint, and a verifier. It is made with"
        ),
        Code((f"lineagegate bundle {name}{options} -o case.zip",)),
        Paragraph(
            "It is checked on any computer with Python and openssl, without lineagegate and without a network. Get "
            "verify.py from somewhere else than from whoever made the bundle:"
        ),
        Code(("python3 verify.py case.zip",)),
        Paragraph("Where the record is kept, the whole of it is checked, and this document made again, with"),
        Code(("lineagegate ledger verify", f"lineagegate report {name}{options} -o dossier.html")),
    ]
    cited = [entry for entry in case.entries if entry.position in _cited(case)]
    if cited:
        columns = (Column("Entry", 9, right=True), Column("Recorded", 21), Column("What it says, and its hash", 70))
        rows = tuple(
            (
                _cell(str(entry.position)),
                _cell(words.when(entry.recorded)),
                Cell((Line(entry.text), Line(entry.hash, code=True, faint=True))),
            )
            for entry in cited[:CITED]
        )
        blocks += [Heading("Ledger entries cited"), Table("Entries are counted from 0; the hash is the RFC 6962 leaf hash (SHA-256)", columns, rows)]
        blocks += _left_out(len(cited), len(rows), "entry")
    return Section("record", "The record, and how to check it", tuple(blocks))


def glossary() -> Section:
    """Six words."""
    return Section(
        "words",
        "Words used here",
        (
            _facts(
                ("Source", "Data that no recorded step made from other data: what came in from outside."),
                ("Origin", "Where a source came from: its kind, provider, service, channel and terms."),
                ("Use", "In which role data went into a step: fine-tuning, evaluation, annotation. “Content” is the plain case."),
                ("Basis", "How something is known: declared (someone said so), observed (seen while it ran), restored (taken "
                          "from an earlier run of the same step), asserted (a record says so), matched (same content), imported."),
                ("Content hash", "A fingerprint of data. Equal data has an equal one; other data practically never has."),
                ("Ledger, checkpoint", "The ledger is the list of everything recorded, to which is only ever added. A checkpoint is a "
                           "signed fingerprint of the whole list at one moment."),
            ),
        ),
    )  # fmt: skip


def ordered(traces: Iterable[Trace]) -> list[Trace]:
    """What is refused first, then what is warned of, what a grant freed, and the rest; undeclared after declared."""

    def weight(trace: Trace) -> tuple[int, bool, str, str, str]:
        free = [finding for finding in trace.findings if not finding.grant]
        rank = {"deny": 0, "warn": 1}
        first = min((rank.get(finding.effect, 3) for finding in free), default=2 if trace.findings else 3)
        return first, trace.basis is None, trace.use.value, origin_text(trace.origin), trace.source.display

    return sorted(traces, key=weight)


def label(trace: Trace | Share) -> str:
    """An origin and the role it was used in."""
    return f"{origin_text(trace.origin)}, used {words.used(trace.use)}"


def route(trace: Trace) -> str:
    """A path in one line."""
    return path_text([Step(step.artifact, step.run, step.use) for step in trace.path])


def _path(number: int, trace: Trace) -> list[Blocks]:
    said = words.spoken(trace.basis, trace.declared, trace.declared_by)
    late = words.late(trace.declared, trace.recorded)
    facts = _facts(
        ("Source", trace.source.display),
        ("Its origin was", f"{said}; {late}" if late else said),
        ("Reason given", trace.reason),
        ("Evidence", trace.evidence),
        ("In the model since", words.when(trace.since) if trace.since else words.NOT_KNOWN),
        ("What the policy says", Cell(tuple(Line(words.finding(f)) for f in trace.findings) or (Line("nothing"),))),
        ("Terms", "; ".join(dict.fromkeys(f.terms for f in trace.findings if f.terms))),
        ("Other sources alike", words.number(trace.tags - 1) if trace.tags > 1 else ""),
    )
    columns = (
        Column("Step", 6, right=True),
        Column("What", 36),
        Column("How it came about", 20),
        Column("When, by whom", 25),
        Column("Entry", 8, right=True),
    )
    rows = []
    for index, step in enumerate(trace.path):
        role = "" if step.use == "content" else f" ({step.use})"
        made = "source" if index == 0 else f"{step.run}{role}" if step.run else f"same content{role}"
        how = words.EVIDENCE.get(step.basis, step.basis)
        rows.append(
            (
                _cell(str(index + 1)),
                Cell(_lines(Line(step.artifact), Line(step.content or "no content hash", code=True, faint=True))),
                Cell(_lines(Line(made), Line(how, faint=True))),
                Cell(
                    _lines(
                        Line(words.when(step.time) if step.time else words.NOT_KNOWN),
                        Line(step.by, faint=True),
                        Line(f"commit {step.commit[:12]}" if step.commit else "", code=True, faint=True),
                    )
                ),
                _cell(words.positions(step.entries) or "none"),
            )
        )
    return [
        Heading(f"Path {number}: {label(trace)}"),
        facts,
        Table(f"Path {number}, step by step", columns, tuple(rows))
        if rows
        else Paragraph("The steps of this path are not recorded."),
    ]


def _picture(traces: Sequence[Trace]) -> list[Blocks]:
    drawn: list[Trace] = []
    boxes: set[tuple[str, str]] = set()
    for trace in traces:
        grown = boxes | {(step.artifact, step.content) for step in trace.path}
        if not trace.path or (drawn and len(grown) > DRAWN):
            break
        drawn.append(trace)
        boxes = grown
    if not drawn:
        return []
    spoken = " ".join(f"Path {number}: {route(trace)}." for number, trace in enumerate(drawn, start=1))
    title = "The paths from the sources to the model" if len(drawn) > 1 else "The path from the source to the model"
    image, drawing = svg([trace.path for trace in drawn], title, spoken)
    some = "" if len(drawn) == len(traces) else f" Paths 1 to {len(drawn)} of {len(traces)}."
    return [Picture(image, LEGEND + some, spoken, round(drawing.width, 1), round(drawing.height, 1))]


def _no_path(case: Case) -> str:
    origin = case.question.origin
    if case.answer.contains is Contains.NO:
        of = f" of the origin “{origin}”" if origin else ""
        return f"No path leads from a source{of} to the model, over the whole of the lineage described above."
    return "No path can be shown: what was read of the lineage does not hold one. That is not a statement that there is none."


def _share(share: Share, whole: int) -> tuple[Cell, ...]:
    part = share.bytes / whole if share.bytes is not None and whole else None
    some = f"{share.sources:,}" + (f" ({share.unsized} of unknown size)" if share.unsized else "")
    return (
        _cell(origin_text(share.origin)),
        _cell(share.use.value),
        _cell(some),
        _cell(words.number(share.files)),
        _cell(words.size(share.bytes)),
        _cell(words.number(share.records)),
        Cell((Line(words.NOT_KNOWN if part is None else words.percent(part)),), part),
    )


def _grants(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Permissions (grants)")]
    for use in case.grants:
        grant = use.grant
        dates = (f"from {words.day(grant.from_)} " if grant.from_ else "") + (
            f"until {words.day(grant.until)}" if grant.until else "until it is withdrawn"
        )
        blocks.append(
            _facts(
                ("Grant", _line(grant.id, code=True)),
                ("Permits", words.scope(grant.scope)),
                ("Holds", dates + (", but it was withdrawn" if grant.withdrawn else "")),
                ("Approved by", grant.approver + (f"; recorded by {grant.by}" if grant.by else "")),
                ("Reference", grant.reference),
                ("Reason", grant.reason),
                ("Freed here", "; ".join(use.frees) or "nothing"),
                ("Without it", f"{use.sentence} (verdict: {words.OUTCOMES[use.without]})" if use.sentence else words.OUTCOMES[use.without]),
                ("Recorded", f"{words.when(use.recorded)}, entry {words.positions(use.entries) or 'none'}"),
            )
        )  # fmt: skip
    return blocks if case.grants else [*blocks, Paragraph("None is recorded that speaks of this model.")]


def _removals(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Removals")]
    for view in case.removals:
        removal = view.removal
        blocks.append(
            _facts(
                ("Removal", _line(removal.id, code=True)),
                ("State", view.state + (f": {view.void}" if view.void else "")),
                ("Claim", f"{origin_text(removal.origin)} was taken out" + (f" by {removal.run}" if removal.run else "")),
                ("Claimed", f"{words.when(view.claimed)}, by {removal.claimed_by}"),
                ("Approved", f"{words.when(view.approved)}, by {removal.approved_by}" if removal.approved_by else "by nobody: it counts for nothing"),
                ("Checked", ": ".join(part for part in (removal.checked, removal.result) if part)),
                ("Reason", removal.reason),
                ("Evidence", Cell(_lines(Line(removal.evidence), Line(removal.evidence_hash, code=True, faint=True)) or (Line("none"),))),
                ("Output it speaks for", _code(removal.content)),
                ("Sources checked", Cell(tuple(_code(key) for key in removal.sources[:CITED]) or (Line("none"),))),
                ("Entries", words.positions(view.entries)),
            )
        )  # fmt: skip
    return blocks if case.removals else [*blocks, Paragraph("None is recorded that speaks of this lineage.")]


def _corrections(case: Case) -> list[Blocks]:
    blocks: list[Blocks] = [Heading("Corrections of declarations")]
    for view in case.corrections:
        fix = view.correction
        blocks.append(
            _facts(
                ("Correction", _line(fix.id, code=True)),
                ("State", view.state),
                ("Claim", f"it was a mistake to call this {origin_text(fix.origin)} ({words.EVIDENCE[fix.basis.value]})"),
                ("Of content", _code(fix.content)),
                ("Claimed", f"{words.when(view.claimed)}, by {fix.claimed_by}"),
                ("Approved", f"{words.when(view.approved)}, by {fix.approved_by}" if fix.approved_by else "by nobody: it counts for nothing"),
                ("Reason", fix.reason),
                ("Entries", words.positions(view.entries)),
            )
        )  # fmt: skip
    return blocks if case.corrections else [*blocks, Paragraph("None is recorded that speaks of this lineage.")]


def _cited(case: Case) -> set[int]:
    """Entries that this document names."""
    said = {entry for trace in ordered(case.traces)[:PATHS] for step in trace.path for entry in step.entries}
    said |= {judged.entry for judged in case.decisions[-HAPPENED:]} | {item.entry for item in case.history[-HAPPENED:]}
    for view in (*case.grants, *case.removals, *case.corrections):
        said |= set(view.entries)
    return said


def _options(case: Case) -> str:
    asked = case.question
    options = (("--origin", asked.origin), ("--as-of", asked.as_of), ("--known-at", asked.known_at))
    return "".join(f" {name} {shlex.quote(value)}" for name, value in options if value)


def _at(text: str) -> str:
    said = words.when(text)
    return f"at {said}" if said.startswith("the ") else f"on {said}"


def _left_out(all_: int, shown: int, what: str) -> list[Blocks]:
    if all_ <= shown:
        return []
    more = all_ - shown
    plural = "entries" if what == "entry" else f"{what}s"
    return [Paragraph(f"{more:,} more {what if more == 1 else plural}: in the JSON document of this case.", note=True)]


def _facts(*rows: tuple[str, str | Line | Cell]) -> Facts:
    """Terms with something to say; an empty text drops its term."""
    told = []
    for term, value in rows:
        cell = value if isinstance(value, Cell) else Cell((value if isinstance(value, Line) else Line(value),))
        if any(line.text for line in cell.lines):
            told.append((term, cell))
    return Facts(tuple(told))


def _cell(text: str) -> Cell:
    return Cell((Line(text),))


def _line(text: str, code: bool = False) -> Line:
    return Line(text, code=code)


def _code(text: str) -> Line:
    """A hash or key; words where it is not known."""
    return Line(text, code=True) if text else Line(words.NOT_KNOWN)


def _lines(*lines: Line) -> tuple[Line, ...]:
    return tuple(line for line in lines if line.text)
