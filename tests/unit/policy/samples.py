"""Labels, grants and a judge that the tests of the policy share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from lineage.policy import Policy, decide, parse_policy
from lineage.vocabulary import UNDECLARED, Basis, Decision, Grant, Kind, Label, Origin, Scope, Use

NOW = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
NAME = "lineage.policy.yaml"


def policy(text: str) -> Policy:
    return parse_policy(text, NAME)


def output(provider: str = "openai", use: Use = Use.CONTENT, **fields: str) -> Label:
    """A label of third-party model output."""
    return Label(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider, **fields), use)


def own(use: Use = Use.CONTENT) -> Label:
    return Label(Origin(Kind.FIRST_PARTY), use)


def of(kind: Kind, use: Use = Use.CONTENT, basis: Basis = Basis.DECLARED, **fields: str) -> Label:
    return Label(Origin(kind, **fields), use, basis)


def undeclared(use: Use = Use.CONTENT) -> Label:
    return Label(UNDECLARED, use, None)


def grant(name: str = "g1", *, from_: str = "", until: str = "", withdrawn: bool = False, **scope: str) -> Grant:
    return Grant(name, Scope(**scope), "Jane Roe <jane@example.com>", "Contract 7", from_, until, withdrawn=withdrawn)


def judge(
    rules: Policy | str,
    *labels: Label,
    model: str = "seed-chat",
    grants: Iterable[Grant] = (),
    at: datetime = NOW,
    attributes: Mapping[str, str] | None = None,
    sources: int = 1,
) -> Decision:
    return decide(
        labels=labels,
        sources=sources,
        model=model,
        subject=f"models:/{model}",
        action="register",
        attributes=attributes or {},
        policy=policy(rules) if isinstance(rules, str) else rules,
        grants=grants,
        at=at,
        position=7,
        id="01J00000000000000000000000",
        by="Jane Roe",
    )


def verdict(rules: Policy | str, *labels: Label, **more: object) -> str:
    return judge(rules, *labels, **more).outcome.value  # type: ignore[arg-type]


def rule(match: str, *, name: str = "r", effect: str = "deny", more: str = "") -> str:
    """A rule in one line of YAML."""
    return f"  - {{id: {name}, match: {{{match}}}, effect: {effect}, reason: because{', ' + more if more else ''}}}\n"
