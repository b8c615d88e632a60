"""What was said about a model's lineage: decisions, grants and what each frees, removals, corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lineage.evidence import case as c
from lineage.evidence.answer import listed
from lineage.evidence.document import artifact as reference
from lineage.evidence.happened import declared
from lineage.evidence.text import label_text
from lineage.graph.rows import Act
from lineage.policy.grants import grants_in_force
from lineage.policy.pattern import instant
from lineage.vocabulary import UNDECLARED, Decision, Grant, Label, Outcome, Tag

if TYPE_CHECKING:
    from lineage.gate.case import Examination

_REFUSED = {Outcome.ALLOW: "allowed", Outcome.WARN: "allowed with a warning", Outcome.DENY: "refused"}


def judgements(examined: Examination) -> tuple[c.Judgement, ...]:
    """The recorded decisions about the version, or about its content before it had one. Oldest first."""
    found: dict[int, c.Judgement] = {}
    content = examined.artifact.content.hash if examined.artifact.content else ""
    for model in examined.names:
        for said in examined.graph.acts((Act.MODEL,), model):
            act = said.act
            if not isinstance(act, Decision):
                continue
            inputs = examined.event(said.position)[0].inputs
            judged = inputs[0].artifact.content if inputs else None
            hash_ = judged.hash if judged else ""
            if act.subject == examined.name or (content and hash_ == content) or examined.whole_model:
                found[said.position] = c.Judgement(act, said.position, hash_)
    return tuple(found[position] for position in sorted(found))


def grant_uses(examined: Examination, decisions: Sequence[c.Judgement]) -> tuple[c.GrantUse, ...]:
    """The grants that free something of this lineage, freed something in a decision, or would inside their dates."""
    freed: dict[str, list[Label]] = {}
    for finding in examined.verdict.findings:
        if finding.grant:
            freed.setdefault(finding.grant, []).append(finding.label)
    named = {f.grant for j in decisions for f in j.decision.findings if f.grant}
    said: dict[str, list[tuple[int, str]]] = {}
    given_by: dict[str, str] = {}
    withdrawn: dict[str, tuple[str, str]] = {}
    for given in examined.graph.acts((Act.GRANT,)):
        act = given.act
        if isinstance(act, Grant) and not (act.withdrawn and act.id in withdrawn):  # withdrawn again is withdrawn once
            said.setdefault(act.id, []).append((given.position, given.recorded))
            if act.withdrawn:
                withdrawn[act.id] = given.happened, act.by
            else:
                given_by.setdefault(act.id, act.by)
    out = []
    for grant in examined.grants:
        scoped = _scoped(examined, grant)
        if grant.id not in freed and grant.id not in named and not scoped:
            continue
        frees = tuple(dict.fromkeys(map(label_text, freed.get(grant.id, ()))))
        without = examined.judged([other for other in examined.grants if other.id != grant.id])
        entries = said.get(grant.id, [])
        out.append(
            c.GrantUse(
                replace(grant, by=given_by.get(grant.id, grant.by)),
                entries[0][1] if entries else "",
                frees,
                without.outcome,
                _sentence(examined, grant, frees, without, used=grant.id in named),
                tuple(position for position, _ in entries),
                *withdrawn.get(grant.id, ("", "")),
            )
        )
    return tuple(out)


def _scoped(examined: Examination, grant: Grant) -> list[Label]:
    """Labels of what was asked for that are inside the scope of a grant, its dates and withdrawal aside."""
    policy = examined.policy
    if policy is None:
        return []
    forever = replace(grant, withdrawn=False, from_="", until="")
    model = policy.model_facts(examined.verdict.model, {})
    compiled = grants_in_force([forever], at=examined.at, model=model, catalogue=policy.catalogue)
    return [x for x in examined.chosen if any(g.frees(policy.label_facts(x)) for g in compiled)]


def _sentence(examined: Examination, grant: Grant, frees: Sequence[str], without: Decision, *, used: bool) -> str:
    if frees:
        now, then = examined.verdict.outcome, without.outcome
        rules = sorted({f.rule for f in without.findings if not f.grant} - _rules(examined.verdict))
        because = f" by {listed(rules)}" if rules else ""
        if then is not now:
            return f"Without it the model would be {_REFUSED.get(then, 'undecided')}{because}."
        if rules:
            return f"Without it the verdict would be the same, and {listed(rules)} would speak against it too."
        return "Without it nothing would change: what it frees is freed by another grant too, or refused all the same."
    before = "it freed this model in a decision that is on record; " if used else ""
    if grant.withdrawn:
        return _capital(f"{before}it was withdrawn and frees nothing now.")
    if grant.until and examined.at > instant(grant.until, end=True):
        return _capital(f"{before}it ended on {grant.until} and frees nothing now.")
    if grant.from_ and examined.at < instant(grant.from_, end=False):
        return f"It begins on {grant.from_} and frees nothing yet."
    return _capital(f"{before}nothing of this model needs it now, or another grant frees the same.")


def _rules(decision: Decision) -> set[str]:
    return {finding.rule for finding in decision.findings if not finding.grant}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def sources(examined: Examination) -> tuple[c.SourceView, ...]:
    """Every source with every origin that it has, who said so and where."""
    stated: dict[tuple[str, Tag], list[int]] = {}
    for position in examined.lineage:
        for artifact, tag in declared(examined.event(position)[0]):
            stated.setdefault((artifact.content.hash if artifact.content else "", tag), []).append(position)
    out = []
    for source in examined.contributions:
        ref, key = reference(source.artifact), source.artifact.content.hash if source.artifact.content else ""
        for item in source.tags:
            tag, entries = item.tag, tuple(stated.get((key, item.tag), ()))
            if not entries:
                continue  # another said the same of it before, and that entry is the one that the lineage rests on
            out.append(
                c.SourceView(
                    ref,
                    tag.origin,
                    tag.basis,
                    item.happened,
                    tag.by,
                    tag.reason,
                    tag.evidence,
                    source.narrowed,
                    entries,
                )
            )
        if not source.tags or any(label.basis is None for label in source.labels):
            told = {item.tag.origin for item in source.tags}
            origins = [label.origin for label in source.labels if label.origin not in told] or [UNDECLARED]
            out += [c.SourceView(ref, o, None, "", "", "", "", source.narrowed, ()) for o in dict.fromkeys(origins)]
    return tuple(out)


def removal_views(examined: Examination) -> tuple[c.RemovalView, ...]:
    """The removals that speak of this lineage."""
    return tuple(
        c.RemovalView(r.removal, r.state.value, r.claimed, r.approved, r.void, r.positions)
        for r in examined.graph.removals(examined.artifact)
    )


def correction_views(examined: Examination) -> tuple[c.CorrectionView, ...]:
    """The corrections that speak of this lineage."""
    return tuple(
        c.CorrectionView(r.correction, r.state.value, r.claimed, r.approved, r.positions)
        for r in examined.graph.corrections(examined.artifact)
    )
