"""The answer to "does this model contain that origin", in sentences that can stand alone in a letter.

Pure: what is said follows from the traces and the coverage. A "no" is said over a lineage known to be complete alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence.case import Answer, Contains, Coverage, Trace
from lineage.evidence.layout import count
from lineage.evidence.text import origin_text
from lineage.vocabulary import Decision, Finding, Kind, Outcome, Use

MOST = 10
"""How many labels get a sentence of their own; the rest is counted."""


def answer(
    name: str,
    what: str,
    traces: Sequence[Trace],
    coverage: Coverage,
    verdict: Decision,
    *,
    sources: int,
    unstated: int,
) -> Answer:
    """The answer.

    Args:
        name: the model, as people call it.
        what: what was asked for; empty: anything.
        traces: those of the labels that surely are what was asked for.
        coverage: of the lineage.
        verdict: what the gate says of the model.
        sources: number of sources that are surely what was asked for.
        unstated: number of declared sources that may be what was asked for, since nobody stated their provider.
    """
    whole = (
        f"That was established over {count(coverage.executions, 'execution')}"
        + (f" from {coverage.first[:10]} to {coverage.last[:10]}" if coverage.first else "")
        + f", with {count(coverage.position, 'ledger entry')} on record."
    )
    doubts = [coverage.reason] if not coverage.complete else []
    if unstated:
        verb = "is" if unstated == 1 else "are"
        doubts.append(f"{count(unstated, 'source')} {verb} third-party model output whose provider nobody stated")
    doubt = "; ".join(doubts)
    if traces:
        return Answer(Contains.YES, _yes(name, what, traces, sources, doubt), (*_said(traces, doubt, verdict), whole))
    if doubt or not coverage.sources:
        asked = f"whether {name} contains {what}" if what else f"what {name} was made from"
        sentence = f"It cannot be told {asked}: {doubt or 'no source of it is known'}."
        rest = coverage.sources - len(coverage.undeclared) - unstated
        more = ("Among its sources of stated origin none is of that kind.",) if what and rest > 0 else ()
        return Answer(Contains.CANNOT_TELL, sentence, (*more, whole))
    each = "its one source is not of that origin, and it is declared"
    if coverage.sources > 1:
        each = f"none of its {coverage.sources:,} sources is of that origin, and each of them is declared"
    return Answer(Contains.NO, f"{name} does not contain {what}: {each}.", (whole,))


def uses(traces: Sequence[Trace]) -> list[Use]:
    """The uses in which something arrives, in the order of the vocabulary."""
    met = {trace.use for trace in traces}
    return [use for use in Use if use in met]


def listed(words: Sequence[str]) -> str:
    """``annotation, fine-tuning and evaluation``."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _yes(name: str, what: str, traces: Sequence[Trace], sources: int, doubt: str) -> str:
    roles = uses(traces)
    if not what:
        origins = len({trace.origin for trace in traces})
        return (
            f"{name} was made from {count(sources, 'source')} of {count(origins, 'origin')}, used as {_words(roles)}."
        )
    if roles == [Use.EVALUATION]:  # S4
        if doubt:
            return f"{name} met {what} in evaluation; whether it was also trained on it cannot be told: {doubt}."
        return f"{name} met {what} in evaluation only: no training path from it exists, in a lineage that is complete."
    return f"{name} contains {what}: {count(sources, 'source')} of it reached the model, used as {_words(roles)}."


def _words(roles: Sequence[Use]) -> str:
    return listed([use.value for use in roles])


def _said(traces: Sequence[Trace], doubt: str, verdict: Decision) -> list[str]:
    said = []
    for trace in traces[:MOST]:
        source = trace.source.display + (f" and {count(trace.tags - 1, 'other source')}" if trace.tags > 1 else "")
        since = f" since {trace.since[:10]}" if trace.since else ""
        said.append(f"As {trace.use.value}: {origin_text(trace.origin)}, from {source}{since}; {_spoken(trace)}.")
    if len(traces) > MOST:
        said.append(f"And {count(len(traces) - MOST, 'more label')}.")
    if doubt and uses(traces) != [Use.EVALUATION]:
        said.append(f"There may be more: {doubt}.")
    return [*said, *_judged(traces, verdict)]


def _spoken(trace: Trace) -> str:
    if trace.origin.kind is Kind.UNDECLARED:
        return "nobody has said where it comes from"
    how = trace.basis.value if trace.basis else ""
    return " ".join(
        part for part in (how, trace.declared[:10], f"by {trace.declared_by}" if trace.declared_by else "") if part
    )


def _judged(traces: Sequence[Trace], verdict: Decision) -> list[str]:
    if verdict.outcome is Outcome.CANNOT_DECIDE:
        return [f"Whether the policy permits it cannot be decided: {verdict.reason}."]
    findings: list[Finding] = [finding for trace in traces for finding in trace.findings]
    said = []
    for effect, words in (("deny", "refuses"), ("warn", "warns of")):
        rules = sorted({finding.rule for finding in findings if finding.effect == effect and not finding.grant})
        if rules:
            said.append(f"The policy {words} it: {listed(rules)}.")
    freed = sorted({finding.grant for finding in findings if finding.grant})
    if freed:
        said.append(f"Freed by {'grant' if len(freed) == 1 else 'grants'} {listed(freed)}.")
    return said or ["The policy permits it."]
