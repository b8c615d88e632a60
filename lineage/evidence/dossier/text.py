"""The short form of a dossier, for a terminal: the sentence, the paths, what is not known, and where the rest is."""

from __future__ import annotations

from lineage.evidence.case import Case
from lineage.evidence.dossier import words
from lineage.evidence.dossier.found import label, ordered, verdict
from lineage.evidence.dossier.proof import command
from lineage.evidence.layout import MARK, count, fields, page, table

MOST = 10
"""Paths that are spelled out."""


def dossier_text(case: Case) -> str:
    """The answer to a case and the evidence in brief."""
    word, _ = verdict(case)
    lines = [case.answer.sentence, *case.answer.more, ""]
    lines += fields(
        [
            ("answer", word.lower()),
            ("policy", words.outcome(case.verdict)),
            ("lineage", "complete" if case.coverage.complete else f"not complete: {case.coverage.reason}"),
            ("record", words.running(case.coverage.position, case.question.asked)),
        ]
    )
    traces = ordered(case.traces)
    for number, trace in enumerate(traces[:MOST], start=1):
        lines += ["", f"path {number}: {label(trace)}"]
        rows = []
        for index, step in enumerate(trace.path):
            role = "" if step.use == "content" else f" ({step.use})"
            made = words.known(step.basis, source=True) if index == 0 else f"{step.run or '(same content)'}{role}"
            rows.append((step.artifact, made, step.time[:10], step.commit[:7], step.by))
        lines += table(rows) or [f"{MARK}(no steps recorded)"]
        lines += [f"{MARK}{words.finding(finding)}" for finding in trace.findings]
    if len(traces) > MOST:
        lines += ["", f"… and {count(len(traces) - MOST, 'more path')}"]
    if case.contradictions:
        lines += ["", "declared as one thing, seen to be another:"]
        lines += [f"{MARK}{each.artifact.display}: {each.sentence}" for each in case.contradictions[:MOST]]
        if len(case.contradictions) > MOST:
            lines.append(f"{MARK}… and {len(case.contradictions) - MOST} more")
    if case.unknown:
        lines += ["", "not known:", *(f"{MARK}{sentence}" for sentence in case.unknown[:MOST])]
        if len(case.unknown) > MOST:
            lines.append(f"{MARK}… and {len(case.unknown) - MOST} more")
    return page([*lines, "", *fields([("all of it", f" {command(case, 'report')} -o dossier.html")])])
