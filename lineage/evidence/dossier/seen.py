"""What was seen of the executions behind the model: calls, undeclared reads, what does not fit; what it leaves open."""

from __future__ import annotations

from collections.abc import Iterator

from lineage.evidence.case import Case
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import (
    NOT_KNOWN,
    Blocks,
    Cell,
    Column,
    Heading,
    Line,
    Paragraph,
    Points,
    Section,
    Table,
    cell,
    code,
    faint,
    left_out,
)
from lineage.evidence.layout import count
from lineage.evidence.observed import CallView, RunView, SeenView
from lineage.evidence.text import label_text

MOST = 120
"""Rows of a list; the JSON document has all of them."""
FEW = 6
"""Things of one kind that are named of one execution."""
_COUNTED = {
    "observed": ("was seen while it ran", "were seen while they ran"),
    "restored": ("was restored from a run cache", "were restored from a run cache"),
    "asserted": ("is stated by a record alone", "are stated by records alone"),
}
ABSENCE = (
    "That nothing was seen of an execution says nothing about it. Where nobody looked, nothing is known of what it "
    "called and read; where somebody looked, not everything can be seen, and a program that wants to hide can."
)
"""What an absence of observations means."""


def observed(case: Case) -> Section:
    """Execution by execution, what was seen."""
    title = "What was seen while it was made"
    if not case.coverage.executions:
        return Section("observed", title, (Paragraph("No execution is recorded, so none was seen."),))
    blocks: list[Blocks] = [Paragraph(levels(case.coverage.evidence)), Paragraph(ABSENCE, note=True)]
    if case.contradictions:
        blocks.append(Heading("Declared as one thing, seen to be another"))
        said = tuple(f"{each.artifact.display}: {each.sentence}." for each in case.contradictions[:MOST])
        blocks += [Points(said), *left_out(len(case.contradictions), MOST, "source")]
    runs = sorted(case.runs, key=lambda run: not run.remarkable)  # of the rest the order of time stays
    columns = (
        Column("Execution", 26),
        Column("How it is known", 16),
        Column("What was seen", 32),
        Column("When", 18),
        Column("Entries", 8, right=True),
    )
    rows = tuple(
        (
            cell(run.run or "a run", *map(faint, _few([made.display for made in run.made]))),
            cell(words.EVIDENCE.get(run.level, run.level)),
            Cell(tuple(_seen(run))),
            cell(words.when(run.time)),
            cell(words.positions(run.entries)),
        )
        for run in runs[:MOST]
    )
    if rows:
        blocks += [Table("Executions behind it", columns, rows), *left_out(len(runs), MOST, "execution"), *_reads(case)]
    return Section("observed", title, tuple(blocks))


def levels(evidence: dict[str, int]) -> str:
    """``Of 4 executions behind it 3 were seen while they ran and one was restored from a run cache.``"""
    parts = [
        f"{evidence[level]:,} {one if evidence[level] == 1 else many}"
        for level, (one, many) in _COUNTED.items()
        if evidence.get(level)
    ]
    said = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + "".join(parts[-1:])
    return f"Of {count(sum(evidence.values()), 'execution')} behind it {said}."


def call(value: CallView) -> str:
    """``1,204 calls to api.openai.com (openai), declared as evaluation``."""
    who = value.provider if value.provider and value.provider not in value.sentence.split(" ") else ""
    use = f", declared as {value.use}" if value.use else ""
    return f"{value.sentence}{f' ({who})' if who else ''}{use}"


def _seen(run: RunView) -> Iterator[Line]:
    if not run.seen:
        yield faint("nobody looked")
    for seen in run.seen:
        said = [call(each) for each in seen.calls]
        said += [f"{count(len(seen.reads), 'file')} read that no stage declares"] if seen.reads else []
        said += [f"{library} was loaded, which runs models on the machine itself" for library in _few(seen.libraries)]
        said += [*_few(seen.notes), *(f"the record is not whole: {fault}" for fault in _few(seen.faults))]
        yield from map(Line, said)
        yield from map(faint, _beside(seen, bool(said)))


def _beside(seen: SeenView, said: bool) -> Iterator[str]:
    if seen.hosts:
        yield f"other hosts: {', '.join(_few(seen.hosts))}"
    if seen.mode == "off":
        yield "looked at: only that it ran"
    elif not said:
        yield "no call to a provider and no undeclared read was seen"
    if not seen.ended:
        yield "until the model was registered"


def _reads(case: Case) -> list[Blocks]:
    """The files that were read and not declared, with what they carry."""
    every = [(run, read) for run in case.runs for seen in run.seen for read in seen.reads]
    if not every:
        return []
    rows = tuple(
        (
            cell(run.run or "a run"),
            cell(code(read.path)),
            cell(*(_few([label_text(label) for label in read.labels]) if read.labels is not None else [NOT_KNOWN]))
            if read.labels is None or read.labels
            else cell("nothing"),
        )
        for run, read in every[:MOST]
    )
    columns = (Column("Execution", 20), Column("File", 45), Column("What it carries", 35))
    return [Table("Files that were read and not declared", columns, rows), *left_out(len(every), MOST, "file")]


def _few(texts: tuple[str, ...] | list[str]) -> list[str]:
    more = [f"and {len(texts) - FEW:,} more"] if len(texts) > FEW else []
    return [*texts[:FEW], *more]
