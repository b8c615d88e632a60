"""What was found: the question, the answer and its subject, over which lineage, by which paths, in which shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.evidence.case import Case, CaseStep, Contains, Share, Trace
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import (
    NOT_KNOWN,
    Blocks,
    Cell,
    Column,
    Facts,
    Heading,
    Line,
    Paragraph,
    Picture,
    Section,
    Table,
    cell,
    code,
    facts,
    faint,
    left_out,
)
from lineage.evidence.dossier.svg import legend, svg
from lineage.evidence.layout import count
from lineage.evidence.text import origin_text, path_text
from lineage.vocabulary import ArtifactType, Outcome, Step

PATHS = 40
"""Paths, and sources with no origin, that are spelled out; the JSON document has all of them."""
ALIKE = 12
"""Other sources with the same label that are named."""
DRAWN = 26
"""Boxes of a picture, about: what stays readable on one page."""
SOURCES = 250
"""Sources that are listed; the JSON document has all of them."""
LIFE = 6
"""Changes of aliases and stages that page 1 names, the newest."""
_COMMIT = "where the work tree started from when it was made, or the commit that first carried the record of it"
_RAN = {**words.EVIDENCE, "observed": "seen while they ran"}


def verdict(case: Case) -> tuple[str, str]:
    """The answer in a word or two, and its tone; without an origin asked about, the policy's word."""
    if case.question.origin:
        if case.answer.contains is Contains.NO and case.answer.taken:
            return "No, after a removal", "open"
        return {
            Contains.YES: ("Yes", "bad"),
            Contains.EVALUATION_ONLY: ("Evaluation only", "open"),
            Contains.NO: ("No", "good"),
        }.get(case.answer.contains, ("Cannot be told", "open"))
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
    return facts(
        (thing(case).capitalize(), model.artifact.display),
        ("Registered", registered if model.model else ""),
        ("Aliases", _life(case)),
        ("Stage", (model.stage or "none") if model.model else ""),
        ("Made by", model.run or NOT_KNOWN),
        ("Commit", cell(code(model.commit), faint(_COMMIT if model.commit else ""))),
        ("Content hash", code(model.artifact.content or "")),
        ("Asked by", f"{asked.by or NOT_KNOWN}, in the project {asked.project}"),
        (
            "Record read up to",
            f"{words.when(asked.asked)}: its {words.number(case.coverage.position)} ledger entries",
        ),
    )


def thing(case: Case) -> str:
    """What was asked about: a model, or data."""
    return "model" if case.subject.artifact.type is ArtifactType.MODEL else "data"


def _life(case: Case) -> Cell:
    """Aliases now, and what the registry did to the version before: it may have been in use."""
    kinds = ("alias", "alias-removed", "stage", "recalled", "deleted")
    lived = [item for item in case.history if item.kind in kinds]
    if not case.subject.model:
        return Cell(())
    now = ", ".join(case.subject.aliases) or ("none now" if lived else "none")
    earlier = [f"and {len(lived) - LIFE:,} before"] if len(lived) > LIFE else []
    said = [f"{item.text}: {words.when(item.time)} (entry {item.entry})" for item in lived[-LIFE:]]
    return cell(now, *map(faint, [*earlier, *said]))


def basis(case: Case) -> Section:
    """Over which lineage the answer was established, and whether that is whole."""
    over = case.coverage
    known = [
        f"{over.evidence[name]:,} {_RAN.get(name, name)}"
        for name in ("observed", "restored", "asserted", *sorted(over.evidence))
        if over.evidence.get(name)
    ]
    span = f", from {words.day(over.first)} to {words.day(over.last)}" if over.first and over.last else ""
    complete = (
        f"Every step on record between the sources and the {thing(case)} was taken into account, and each source on "
        "record has an origin that somebody declared. The lineage is complete in that sense, and in no other: what was "
        "never recorded is not in it."
        if over.complete
        else f"The lineage is not complete: {over.reason}. What is not complete is never called clean."
    )
    blocks: list[Blocks] = [
        Paragraph(complete),
        facts(
            ("Sources", words.number(over.sources)),
            ("Executions", count(over.executions, "execution") + span),
            ("How they are known", "; ".join(dict.fromkeys(known)) or NOT_KNOWN),
            ("Position", f"{words.number(over.position)} ledger entries were taken into account"),
        ),
    ]
    if over.undeclared:
        shown = over.undeclared[:PATHS]
        blocks.append(
            Table(
                "Sources with no declared origin",
                (Column("Source", 3), Column("Content hash", 4)),
                tuple((cell(ref.display), cell(code(ref.content or ""))) for ref in shown),
            )
        )
        blocks += left_out(len(over.undeclared), len(shown), "source")
    return Section("basis", "What the answer rests on", (*blocks, *_sources(case)))


def _sources(case: Case) -> list[Blocks]:
    """Each source with each origin that it has: what a "no" rests on."""
    if not case.sources:
        return []
    shown = case.sources[:SOURCES]
    columns = (Column("Source", 34), Column("Origin", 28), Column("Declared", 28), Column("Entry", 9, right=True))
    rows = tuple(
        (
            cell(view.artifact.display, code(view.artifact.content or "")),
            cell(origin_text(view.origin), faint("narrowed by a removal, see below" if view.narrowed else "")),
            cell(
                words.spoken(view.basis, view.declared, view.declared_by),
                *map(faint, (view.reason, view.evidence)),
            ),
            cell(words.positions(view.entries) or "none"),
        )
        for view in shown
    )
    return [
        Table("Every source of the lineage, whatever was asked", columns, rows),
        *left_out(len(case.sources), len(shown), "source"),
    ]


def paths(case: Case) -> Section:
    """Each path in steps, and a picture of them all."""
    traces = ordered(case.traces)
    if not traces:
        return Section("paths", "The paths", (Paragraph(_no_path(case)), *_cut(case)))
    of = f" of the origin “{case.question.origin}”" if case.question.origin else ""
    unspoken = any(trace.basis is None for trace in traces)
    first = f"{count(len(traces), 'path')} from a source{of} to the {thing(case)}"
    if unspoken and of:
        first = (
            f"{count(len(traces), 'path')} to the {thing(case)} from a source{of}, or from one that nobody spoke for"
        )
    first += "" if len(traces) == 1 else ", what is refused first"
    shown = traces[:PATHS]
    blocks: list[Blocks] = [
        Paragraph(
            f"{first}. For each origin and use the shortest of the ways is shown, from one source; the record may hold "
            "longer ways, and ways from other sources alike. The first row is the source; each row after it is what "
            "the next run made.",
        )
    ]
    blocks += _picture(shown)
    for number, trace in enumerate(shown, start=1):
        blocks += _path(number, trace)
    blocks += left_out(len(traces), len(shown), "path")
    return Section("paths", "The paths", (*blocks, *_cut(case)))


def _cut(case: Case) -> list[Blocks]:
    """The ways that removals cut: where the text really went, whatever is claimed to have been taken out on it."""
    blocks: list[Blocks] = []
    columns = (Column("Step", 7, right=True), Column("What", 45), Column("How it came about", 20), Column("When", 28))
    for number, taken in enumerate(case.answer.taken[:PATHS], start=1):
        rows = tuple(
            (
                cell(str(index)),
                cell(step.artifact, faint(step.content or "no content hash", code=True)),
                cell(step.run or ("source" if index == 1 else "same content")),
                cell(words.when(step.time), faint(step.by)),
            )
            for index, step in enumerate(taken.path, start=1)
        )
        ids = ", ".join(taken.removals)
        blocks += [
            Heading(f"Way {number} that a removal cut: {origin_text(taken.origin)}, used {words.used(taken.use)}"),
            Paragraph(
                f"The data went this way. Removal {ids} claims that what is of that origin was taken out on it; the "
                "records do not test that claim."
            ),
            *([Table(f"Way {number}, step by step", columns, rows)] if rows else []),
        ]
    return [*blocks, *left_out(len(case.answer.taken), PATHS, "way")]


def shares(case: Case) -> Section:
    """What part of what went in each origin is, use by use."""
    title = "The data by origin"
    if not case.shares:
        return Section("shares", title, (Paragraph("No source of this model is known."),))
    whole: dict[str, int] = {}
    for share in case.shares:
        whole[share.use.value] = whole.get(share.use.value, 0) + (share.bytes or 0)
    uses = list(dict.fromkeys(share.use.value for share in case.shares))
    open_ = {share.use.value for share in case.shares if share.unsized}
    rows = [_share(share, whole[use], use in open_) for use in uses for share in case.shares if share.use.value == use]
    columns = (
        Column("Origin", 27),
        Column("Use", 14),
        Column("Sources", 9, right=True),
        Column("Files", 11, right=True),
        Column("Size", 12, right=True),
        Column("Records", 12, right=True),
        Column("Share of the size", 15),
    )
    unsized = sum(share.unsized for share in case.shares)
    blocks: list[Blocks] = [
        Paragraph(
            "These are shares of what went in, not of what survived the steps after it. Each share is of the known "
            "size of everything that was used in the same way.",
            note=True,
        ),
        Table("Sources of the model by origin and use", columns, tuple(rows)),
    ]
    if unsized:
        one = unsized == 1
        blocks.append(
            Paragraph(
                f"The size of {count(unsized, 'source')} is not known; {'it is' if one else 'they are'} left out of "
                "the shares: what is known of the others is the most that they can be.",
                note=True,
            )
        )
    return Section("shares", title, tuple(blocks))


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
    told = facts(
        ("Source", trace.source.display),
        ("Its origin was", f"{said}; {late}" if late else said),
        ("Reason given", trace.reason),
        ("Evidence", trace.evidence),
        ("First read in this lineage", words.when(trace.since) if trace.since else NOT_KNOWN),
        ("What the policy says", cell(*(words.finding(finding) for finding in trace.findings))),
        ("Terms", "; ".join(dict.fromkeys(finding.terms for finding in trace.findings if finding.terms))),
        ("Sources alike", _alike(trace)),
    )
    columns = (
        Column("Step", 7, right=True),
        Column("What", 35),
        Column("How it came about", 20),
        Column("When, by whom", 25),
        Column("Entry", 8, right=True),
    )
    rows = []
    for index, step in enumerate(trace.path):
        role = "" if step.use == "content" else f" ({step.use})"
        made = "source" if index == 0 else f"{step.run}{role}" if step.run else f"same content{role}"
        how = words.known(step.basis, source=index == 0)
        commit = f"{'work tree at commit' if step.basis == 'observed' else 'commit'} {step.commit[:12]}"
        rows.append(
            (
                cell(str(index + 1)),
                cell(step.artifact, faint(step.content or "no content hash", code=True)),
                cell(made, faint(how)),
                cell(words.when(step.time), faint(_who(step, index)), faint(commit if step.commit else "", code=True)),
                cell(words.positions(step.entries) or "none"),
            )
        )
    return [
        Heading(f"Path {number}: {label(trace)}"),
        told,
        Table(f"Path {number}, step by step", columns, tuple(rows))
        if rows
        else Paragraph("The steps of this path are not recorded."),
    ]


def _who(step: CaseStep, index: int) -> str:
    """Who is named beside a step: who ran it where it was seen, else who committed the record of it."""
    if not step.by or not index:
        return step.by
    return f"run by {step.by}" if step.basis == "observed" else f"committed by {step.by}"


def _alike(trace: Trace) -> Cell:
    """The other sources with the same label: how many, and which where that was looked up."""
    if trace.tags < 2:
        return Cell(())
    others = [size for size in trace.sources if size.artifact != trace.source]
    named = [f"{size.artifact.display} ({words.size(size.bytes)})" for size in others[:ALIKE]]
    more = f"and {len(others) - ALIKE:,} more" if len(others) > ALIKE else ""
    return cell(f"{count(trace.tags - 1, 'other source')} with the same label", *map(faint, [*named, more]))


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
    return [Picture(image, legend(drawing) + some, spoken, round(drawing.width, 1), round(drawing.height, 1))]


def _no_path(case: Case) -> str:
    origin = f" of the origin “{case.question.origin}”" if case.question.origin else ""
    if case.answer.contains is not Contains.NO:
        return (
            "No path can be shown: what was read of the lineage does not hold one. That is not a statement that there "
            "is none."
        )
    if case.answer.taken:
        return (
            f"No path leads from a source{origin} to the {thing(case)} if approved removals are believed. Without them "
            f"{count(len(case.answer.taken), 'way')} would; each is shown here."
        )
    return f"No path is on record from a source{origin} to the {thing(case)}, over the lineage described above."


def _share(share: Share, whole: int, more: bool) -> tuple[Cell, ...]:
    part = share.bytes / whole if share.bytes is not None and whole else None
    said = NOT_KNOWN if part is None else words.percent(part)
    if part is not None and share.unsized:
        said += " of what is known"
    elif part is not None and more:
        said = f"at most {said}"
    part_known = 0 < share.unsized < share.sources  # otherwise the size says it
    some = f"{share.sources:,}" + (f" ({share.unsized:,} of unknown size)" if part_known else "")
    return (
        cell(origin_text(share.origin)),
        cell(share.use.value),
        cell(some),
        cell(words.number(share.files)),
        cell(words.size(share.bytes)),
        cell(words.number(share.records)),
        Cell((Line(said),), part),
    )


def _at(text: str) -> str:
    said = words.when(text)
    return f"at {said}" if said.startswith("the ") else f"on {said}"
