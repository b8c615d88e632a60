"""The decision: labels, a model, a policy and grants in, a verdict out (SEMANTICS.md, "The decision").

Pure and deterministic: the same arguments give the same decision, in whatever order labels, rules and grants come.
Where the labels come from, the paths of the findings and recording are the gate's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from lineage.policy.grants import InForce, grants_in_force, scope_command
from lineage.policy.policy import COUNTED_FIELDS, SEVERITY, STATED_FIELDS, LabelFacts, ModelFacts, Policy, Rule
from lineage.vocabulary import Decision, Finding, Grant, Kind, Label, Outcome, Scope, Shortfall

MOST_REMEDIES = 3
"""How many remedies the hint of a decision names; every finding has its own."""

_OUTCOMES = {"deny": Outcome.DENY, "warn": Outcome.WARN, "allow": Outcome.ALLOW}


class Verdict(NamedTuple):
    """What one rule says of one label."""

    rule: Rule
    applies: bool
    assumed: tuple[str, ...]
    """What nobody stated and counts as matching, since the rule restricts."""


def decide(
    *,
    labels: Iterable[Label],
    sources: int,
    model: str,
    subject: str,
    action: str,
    attributes: Mapping[str, str],
    policy: Policy,
    grants: Iterable[Grant],
    at: datetime,
    position: int,
    id: str,  # noqa: A002 - the field's name in the vocabulary
    by: str,
    evidence: Mapping[str, int] | None = None,
) -> Decision:
    """Judge one model.

    For each label every deny and warn rule that matches counts; deny is stricter than warn, warn than allow. An allow
    rule settles a label against the policy's ``default`` only, never against another rule. Undeclared labels fall to
    the policy's ``undeclared`` unless a rule names that kind itself. A grant frees what deny and warn said of a label.

    Args:
        labels: everything that reaches the model.
        sources: how many sources the closure holds.
        model: registered name that rules match on.
        subject: what people call it.
        action: ``register``, ``alias``, ``stage``, ``rename``, ``copy`` or ``check``.
        attributes: ``stage`` and ``alias`` that the action gives; other keys do not count.
        policy: the policy.
        grants: all that are known; those in force are chosen here.
        at: the time of the decision, with its zone.
        position: number of ledger entries the labels were computed from.
        id: of the decision.
        by: who asks.
        evidence: executions behind the model by how they are known; None: nobody knows, and a requirement of the
            policy is not met.

    Returns:
        The decision. Without any source it is "cannot decide": emptiness is never clean (law 10).

    Raises:
        ValueError: ``at`` has no zone.
    """
    if at.tzinfo is None:
        raise ValueError("`at` has no time zone")
    if sources < 1:
        return cannot_decide(
            model=model, subject=subject, action=action, reason=f"no source of {subject} is known",
            hint="lineagegate sync", policy=policy, at=at, position=position, id=id, by=by, attributes=attributes,
        )  # fmt: skip
    facts = policy.model_facts(model, attributes)
    rules = [rule for rule in policy.rules if rule.in_force(at) and rule.match.of_model(facts) is not None]
    freeing = grants_in_force(grants, at=at, model=facts, catalogue=policy.catalogue)
    ordered = tuple(sorted(set(labels), key=_label_key))
    spoken = [said for label in ordered for said in _findings(label, rules, facts, model, policy, freeing)]
    spoken.sort(key=lambda said: said.order)
    findings = tuple(said.finding for said in spoken)
    counted = [said for said in spoken if not said.finding.grant]
    shortfalls = _shortfalls(policy, facts, at, evidence)
    effects = [said.finding.effect for said in counted] + [shortfall.effect for shortfall in shortfalls]
    effect = min(effects, key=SEVERITY.__getitem__, default="allow")
    decisive = [said for said in counted if said.finding.effect == effect]
    # what rests on silence may settle itself once the rest is mended
    first = [said.finding.remedy for said in decisive if said.assumed == decisive[0].assumed]
    if any(shortfall.effect == effect for shortfall in shortfalls):
        first.append("run the pipeline as `lineagegate exec -- dvc repro`")
    return Decision(
        id,
        _OUTCOMES[effect],
        subject,
        model,
        action,
        findings=findings,
        reason=_reason(effect, [said.finding for said in decisive], findings, len(ordered), sources, policy)
        if decisive or not shortfalls
        else _short(shortfalls[0]),
        hint="; and besides ".join(list(dict.fromkeys(first))[:MOST_REMEDIES]),
        labels=ordered,
        sources=sources,
        attributes=facts.stated(),
        shortfalls=shortfalls,
        evidence=dict(evidence or {}) if policy.requirements else {},
        mode=policy.mode,
        policy=policy.digest,
        position=position,
        time=at.astimezone(timezone.utc).isoformat(),
        by=by,
    )


def _shortfalls(
    policy: Policy, model: ModelFacts, at: datetime, evidence: Mapping[str, int] | None
) -> tuple[Shortfall, ...]:
    """The requirements that are not met, the strictest first. What nobody stated of the model counts as meant."""
    found = []
    known = evidence or {}
    for each in policy.requirements:
        if (each.start is not None and at < each.start) or each.match.of_model(model) is None:
            continue
        total, below = sum(known.values()), each.below(known)
        if below or not total:
            found.append(Shortfall(each.id, each.location, each.effect, each.level, below, total, each.reason))
    return tuple(sorted(found, key=lambda shortfall: SEVERITY[shortfall.effect]))


def _short(shortfall: Shortfall) -> str:
    verb = "refuses" if shortfall.effect == "deny" else "warns"
    return f"{shortfall.rule} {verb}, {shortfall.missing}: {shortfall.reason.rstrip('. ')}"


def cannot_decide(
    *,
    model: str,
    subject: str,
    action: str,
    reason: str,
    hint: str,
    policy: Policy | None,
    at: datetime,
    position: int,
    id: str,  # noqa: A002 - the field's name in the vocabulary
    by: str,
    attributes: Mapping[str, str] | None = None,
) -> Decision:
    """The answer when the labels cannot be established. It refuses like deny and says something else: we do not know.

    Args:
        reason: what is missing, one sentence.
        hint: the command that helps.
        policy: None when that is what could not be read; then it refuses as under ``enforce``.
        model, subject, action, at, position, id, by, attributes: as in `decide`.
    """
    given = attributes or {}
    return Decision(
        id,
        Outcome.CANNOT_DECIDE,
        subject,
        model,
        action,
        reason=reason,
        hint=hint,
        attributes=policy.model_facts(model, given).stated() if policy else dict(given),
        mode=policy.mode if policy else "enforce",
        policy=policy.digest if policy else "",
        position=position,
        time=at.astimezone(timezone.utc).isoformat(),
        by=by,
    )


def verdict(rule: Rule, label: LabelFacts, model: ModelFacts) -> Verdict:
    """What a rule says of a label, dates aside.

    A restricting rule counts what nobody stated as matching, and its exception only what is sure; an allow rule the
    other way round. So silence never frees anything.
    """
    of_model, of_label = rule.match.of_model(model), rule.match.of_label(label)
    if of_model is None or of_label is None:
        return Verdict(rule, False, ())
    assumed = of_model + of_label
    if rule.effect == "allow" and assumed:
        return Verdict(rule, False, assumed)
    if rule.unless is not None:
        model_open, label_open = rule.unless.of_model(model), rule.unless.of_label(label)
        if (
            model_open is not None
            and label_open is not None
            and (rule.effect == "allow" or not model_open + label_open)
        ):
            return Verdict(rule, False, ())
    return Verdict(rule, True, assumed)


class _Spoken(NamedTuple):
    """A finding with what puts it in order: what is sure comes before what rests on silence."""

    assumed: int
    finding: Finding

    @property
    def order(self) -> tuple[object, ...]:
        finding = self.finding
        return bool(finding.grant), SEVERITY[finding.effect], self.assumed, finding.rule, _label_key(finding.label)


def _findings(
    label: Label, rules: Sequence[Rule], model: ModelFacts, name: str, policy: Policy, freeing: Sequence[InForce]
) -> list[_Spoken]:
    facts = policy.label_facts(label)
    undeclared = label.origin.kind is Kind.UNDECLARED
    spoken = [said for rule in rules if (said := verdict(rule, facts, model)).applies]
    if undeclared:
        # an allow rule speaks of undeclared origins only when it names them: a wildcard is not meant for the unknown
        spoken = [said for said in spoken if said.rule.effect != "allow" or said.rule.match.names_undeclared]
    grant = next((grant.id for grant in freeing if grant.frees(facts)), "")
    found = [
        _Spoken(
            len(said.assumed),
            Finding(
                label, said.rule.effect, said.rule.id, said.rule.location, _why(said, name),
                _remedy(facts, name, said.assumed, said.rule.remedy), grant, terms="; ".join(map(str, said.rule.terms)),
            ),
        )
        for said in spoken if said.rule.effect != "allow"
    ]  # fmt: skip
    if undeclared:
        if policy.undeclared != "allow" and not any(said.rule.match.names_undeclared for said in spoken):
            why = "nobody has said where this source comes from"
            remedy = _remedy(facts, name)
            finding = Finding(label, policy.undeclared, "undeclared", policy.undeclared_location, why, remedy)
            found.append(_Spoken(0, finding))
    elif not spoken and policy.default != "allow":
        why = "no rule of the policy speaks of this origin and use"
        remedy = "add a rule to the policy that speaks of it; or " + _remedy(facts, name)
        finding = Finding(label, policy.default, "default", policy.default_location, why, remedy, grant)
        found.append(_Spoken(0, finding))
    return found


def _why(said: Verdict, model: str) -> str:
    parts = [said.rule.reason.rstrip(". ")]
    if said.assumed:
        stated = [f"{field} of {model}" if field in STATED_FIELDS else field for field in said.assumed]
        verb = "is" if len(stated) == 1 else "are"
        parts.append(f"{' and '.join(stated)} {verb} not stated, which counts against it")
    return "; ".join(parts)


def _remedy(facts: LabelFacts, model: str, assumed: Sequence[str] = (), own: str = "") -> str:
    kind = facts.label.origin.kind
    if kind is Kind.UNDECLARED:
        return "say where it comes from: lineagegate declare SOURCE --kind KIND"
    # who resold it follows from the channel
    missing = dict.fromkeys("channel" if field == "reseller" else field for field in assumed if field in COUNTED_FIELDS)
    if missing:
        flags = " ".join(f"--{field} {field.upper()}" for field in missing)
        return f"say more of it: lineagegate declare SOURCE --kind {kind.value} {flags}"
    ways = [own or f"train without the source; or have it permitted: {scope_command(grantable(facts, model))}"]
    if stated := [f"`{field}`" for field in assumed if field in STATED_FIELDS]:
        ways.insert(0, f"state {' and '.join(stated)} for {model} under `models:` in the policy")
    return "; or ".join(ways)


def grantable(facts: LabelFacts, model: str) -> Scope:
    """The narrowest scope by which a grant frees a label for a model."""
    providers = facts.fields["provider"]
    named = {
        # several: the stated one contradicts the channel or the service, which then have to do
        "provider": providers[0] if len(providers) == 1 else "",
        "service": "".join(facts.fields["service"]),
        "channel": "".join(facts.fields["channel"]),
    }
    kind = "" if any(named.values()) else facts.label.origin.kind.value
    return Scope(kind=kind, use=facts.label.use.value, model=model, **named)


def _reason(
    effect: str, decisive: Sequence[Finding], findings: Sequence[Finding], labels: int, sources: int, policy: Policy
) -> str:
    if effect == "allow":
        counted = f"{_count(labels, 'label')} from {_count(sources, 'source')}"
        if findings:
            ids = ", ".join(sorted({finding.grant for finding in findings}))
            return f"{counted}: what {policy.name} refuses or warns of is granted ({ids})"
        return f"{counted}: nothing in {policy.name} forbids them"
    first = decisive[0]
    short = next((rule.reason.rstrip(". ") for rule in policy.rules if rule.id == first.rule), first.reason)
    rules = {finding.rule for finding in decisive}
    others = f" and {_count(len(rules) - 1, 'other rule')}" if len(rules) > 1 else ""
    verb = ("refuse" if effect == "deny" else "warn of") if others else ("refuses" if effect == "deny" else "warns of")
    return f"{first.rule}{others} {verb} {_described(first.label)}: {short}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _described(label: Label) -> str:
    """A label in a few words: ``third-party-model-output, openai/gpt-4 via azure-openai, used as content``."""
    origin = label.origin
    who = "/".join(part.strip() for part in (origin.provider, origin.service) if part)
    named = " ".join(part for part in (who, f"via {origin.channel}" if origin.channel else "") if part)
    return ", ".join(part for part in (origin.kind.value, named, f"used as {label.use.value}") if part)


def _label_key(label: Label) -> tuple[str, ...]:
    o = label.origin
    basis = label.basis.value if label.basis else ""
    return (
        o.kind.value, o.provider, o.service, o.channel, o.terms, o.licence, o.jurisdiction, o.acquired,
        label.use.value, basis,
    )  # fmt: skip
