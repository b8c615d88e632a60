"""What a policy says, as data for people (`lineagegate policy show`, `explain`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lineage.policy.decision import verdict
from lineage.policy.policy import SEVERITY, Citation, Condition, Policy, Rule
from lineage.vocabulary import Label


class RuleView(NamedTuple):
    """One rule in words."""

    id: str
    effect: str
    match: str
    """``kind third-party-model-output, provider openai, model competes-with openai``."""
    unless: str
    reason: str
    from_: str
    until: str
    in_force: bool
    """At the time that was asked about."""
    terms: tuple[Citation, ...]
    location: str


class Said(NamedTuple):
    """What one rule says of one label and model."""

    rule: str
    effect: str
    location: str
    applies: bool
    why: str
    """Why it applies, or what stands against it."""


def show(policy: Policy, at: datetime) -> list[RuleView]:
    """All rules, the strictest first, as they stand at a time."""
    return [
        RuleView(
            rule.id,
            rule.effect,
            _words(rule.match),
            _words(rule.unless) if rule.unless else "",
            rule.reason,
            rule.from_,
            rule.until,
            rule.in_force(at),
            rule.terms,
            rule.location,
        )
        for rule in sorted(policy.rules, key=lambda rule: (SEVERITY[rule.effect], rule.id))
    ]


def explain(policy: Policy, label: Label, model: str, attributes: Mapping[str, str], at: datetime) -> list[Said]:
    """What each rule says of a label, in the order of the file.

    Args:
        policy: the policy.
        label: an origin and its use.
        model: registered name.
        attributes: ``stage`` and ``alias``.
        at: the time that is asked about.
    """
    return [_said(policy, rule, label, model, attributes, at) for rule in policy.rules]


def _said(policy: Policy, rule: Rule, label: Label, model: str, attributes: Mapping[str, str], at: datetime) -> Said:
    facts, about = policy.label_facts(label), policy.model_facts(model, attributes)
    said = verdict(rule, facts, about)
    applies = False
    if not rule.in_force(at):
        why = f"it counts {_period(rule)}"
    elif said.applies:
        applies = True
        why = f"{', '.join(said.assumed)} not stated, counted as matching" if said.assumed else "everything matches"
    elif rule.match.of_model(about) is None:
        why = f"it is for other models: {_words(Condition(None, None, (), rule.match.model))}"
    elif rule.match.of_label(facts) is None:
        wanted = Condition(rule.match.kinds, rule.match.uses, rule.match.origin, ())
        why = f"it is for other origins or uses: {_words(wanted)}"
    elif said.assumed:
        why = f"{', '.join(said.assumed)} not stated, and nothing is allowed by silence"
    else:
        why = f"its exception fits: {_words(rule.unless) if rule.unless else ''}"
    return Said(rule.id, rule.effect, rule.location, applies, why)


def _period(rule: Rule) -> str:
    return " ".join(
        part
        for part in (f"from {rule.from_}" if rule.from_ else "", f"until {rule.until}" if rule.until else "")
        if part
    )


def _words(condition: Condition) -> str:
    parts = []
    if condition.kinds is not None:
        parts.append("kind " + " or ".join(sorted(kind.value for kind in condition.kinds)))
    parts += [
        f"{key} {' or '.join(text or 'not stated' for text in pattern.texts)}" for key, pattern in condition.origin
    ]
    if condition.uses is not None:
        parts.append("use " + " or ".join(sorted(use.value for use in condition.uses)))
    parts += [
        f"model {key} {' or '.join(text or 'none' for text in pattern.texts)}" for key, pattern in condition.model
    ]
    return ", ".join(parts)
