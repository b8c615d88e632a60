"""The answer to "does this model contain that origin", in sentences that can stand alone in a letter.

Pure: what is said follows from the traces and the coverage. A "no" is said over a lineage known to be complete alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence.case import Answer, Contains, Coverage, RemovalView, Taken, Trace
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
    unstated_what: str = "provider",
    taken: Sequence[Taken] = (),
    removals: Sequence[RemovalView] = (),
    understood: str = "",
) -> Answer:
    """The answer.

    Args:
        name: the model, as people call it.
        what: what was asked for; empty: anything.
        traces: those of the labels that surely are what was asked for.
        coverage: of the lineage.
        verdict: what the gate says of the model.
        sources: number of sources that are surely what was asked for.
        unstated: number of declared sources that may be what was asked for, since too little of them is stated.
        unstated_what: what nobody stated of them.
        taken: what was asked for, or may be, and was taken out by removals in force.
        removals: of this lineage.
        understood: what the words of the question were taken to mean, in a sentence.
    """
    record = coverage.evidence.get("asserted", 0)
    whole = (
        f"That was established over {count(coverage.executions, 'execution')}"
        + (f" ({record:,} of them known from a record alone)" if record else "")
        + (f" from {coverage.first[:10]} to {coverage.last[:10]}" if coverage.first else "")
        + f", with {count(coverage.position, 'ledger entry')} on record."
    )
    doubts = [coverage.reason] if not coverage.complete else []
    if unstated:
        verb = "is" if unstated == 1 else "are"
        doubts.append(
            f"{count(unstated, 'source')} {verb} third-party model output whose {unstated_what} nobody stated"
        )
    doubt = "; ".join(doubts)
    out = taken_out(taken, what, coverage.sources, removals)
    meant = [understood] if understood else []
    if traces:
        only = bool(what) and uses(traces) == [Use.EVALUATION] and not doubt
        more = (*_said(traces, doubt, verdict), *[f"Besides, {said}." for said in out[:MOST]], *meant, whole)
        sentence = _yes(name, what, traces, sources, doubt, coverage, after=bool(out))
        return Answer(Contains.EVALUATION_ONLY if only else Contains.YES, sentence, more, tuple(taken))
    if doubt or not coverage.sources:
        asked = f"whether {name} contains {what}" if what else f"what {name} was made from"
        sentence = f"It cannot be told {asked}: {doubt or 'no source of it is known'}."
        rest = coverage.sources - len(coverage.undeclared) - unstated
        none = "Among its sources of stated origin none is of that kind" + (", after a removal." if out else ".")
        more = (none,) if what and rest > 0 else ()
        more = (*more, *[f"Of what was taken out, {said}." for said in out[:MOST]], *meant, whole)
        return Answer(Contains.CANNOT_TELL, sentence, more, tuple(taken))
    if out:
        first, *others = out
        sentence = f"{name} does not contain {what}, after a removal: {first}; the records do not test that claim."
        return Answer(
            Contains.NO, sentence, (*[f"And {said}." for said in others[: MOST - 1]], *meant, whole), tuple(taken)
        )
    each = "its one source is not of that origin, and it is declared"
    if coverage.sources > 1:
        each = f"none of its {coverage.sources:,} sources is of that origin, and each of them is declared"
    return Answer(Contains.NO, f"{name} does not contain {what}: {each}.", (*meant, whole))


def uses(traces: Sequence[Trace]) -> list[Use]:
    """The uses in which something arrives, in the order of the vocabulary."""
    met = {trace.use for trace in traces}
    return [use for use in Use if use in met]


def listed(words: Sequence[str]) -> str:
    """``annotation, fine-tuning and evaluation``."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def taken_out(taken: Sequence[Taken], what: str, sources: int, removals: Sequence[RemovalView]) -> list[str]:
    """For each removal that an answer rests on: of how many sources, who said so, on which evidence; no full stops."""
    views = {view.removal.id: view for view in removals}
    out = []
    for ids in dict.fromkeys(item.removals for item in taken):
        items = [item for item in taken if item.removals == ids]
        number = len({source for item in items for source in item.sources})
        verb = "is" if number == 1 else "are"
        be = verb if all(item.sure for item in items) else "may be"
        of = what or listed(list(dict.fromkeys(origin_text(item.origin) for item in items)))
        said = [_claimed(views[id_]) for id_ in ids if id_ in views]
        number_ = f"{number:,} of its {count(sources, 'source')} {be} of {of}"
        if sources == 1:
            number_ = f"its one source {be} of {of}"
        out.append("; ".join([number_, *said]))
    return out


def _claimed(view: RemovalView) -> str:
    removal = view.removal
    digest = removal.evidence_hash.replace(":", " ", 1)
    on = ", ".join(part for part in (removal.evidence and f"evidence {removal.evidence}", digest) if part)
    checked = "; ".join(
        part
        for part in (
            removal.checked and f"checked: {removal.checked}",
            removal.result and f"result: {removal.result}",
            on or "no evidence named",
        )
        if part
    )
    at = f" at `{removal.run.rpartition(':')[2]}`" if removal.run else ""
    return (
        f"{removal.claimed_by} claimed on {view.claimed[:10]} and {removal.approved_by} approved on "
        f"{view.approved[:10]} that it was taken out{at} ({checked})"
    )


def _yes(
    name: str, what: str, traces: Sequence[Trace], sources: int, doubt: str, coverage: Coverage, *, after: bool
) -> str:
    roles = uses(traces)
    if not what:
        origins = len({trace.origin for trace in traces})
        return (
            f"{name} was made from {count(sources, 'source')} of {count(origins, 'origin')}, used as {_words(roles)}."
        )
    if roles == [Use.EVALUATION]:  # S4
        if doubt:
            return f"{name} met {what} in evaluation; whether it was also trained on it cannot be told: {doubt}."
        record, all_ = coverage.evidence.get("asserted", 0), coverage.executions
        known = f"{record:,} of {count(all_, 'execution')} {'is' if record == 1 else 'are'} known from a record alone"
        removed = " after a removal" if after else ""
        return (
            f"{name} met {what} in evaluation only: no training path from it is on record{removed}; each source on "
            f"record has a declared origin; {known}."
        )
    of = f"{sources:,} of its {count(coverage.sources, 'source')} {'is' if sources == 1 else 'are'}"
    if coverage.sources <= 1:
        of = "its one source is"
    return f"{name} contains {what}: {of} of that origin, used as {_words(roles)}."


def _words(roles: Sequence[Use]) -> str:
    return listed([use.value for use in roles])


def _said(traces: Sequence[Trace], doubt: str, verdict: Decision) -> list[str]:
    said = []
    for trace in traces[:MOST]:
        source = trace.source.display + (f" and {count(trace.tags - 1, 'other source')}" if trace.tags > 1 else "")
        since = f", first read in this lineage on {trace.since[:10]}" if trace.since else ""
        said.append(f"As {trace.use.value}: {_bought(trace)}, from {source}{since}; {_spoken(trace)}.")
    if len(traces) > MOST:
        said.append(f"And {count(len(traces) - MOST, 'more label')}.")
    if doubt and uses(traces) != [Use.EVALUATION]:
        said.append(f"There may be more: {doubt}.")
    return [*said, *_judged(traces, verdict)]


def _bought(trace: Trace) -> str:
    """The origin, who sold it, and that nobody stated the terms where terms are to be expected."""
    origin = trace.origin
    sold = f", sold by {trace.reseller}" if trace.reseller else ""
    expected = origin.kind is Kind.THIRD_PARTY_MODEL_OUTPUT or (origin.kind is Kind.LICENSED and not origin.licence)
    return origin_text(origin) + sold + (", terms: not stated" if expected and not origin.terms else "")


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
