"""Laws of the decision, over generated policies, labels and grants."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import UsageError
from lineage.policy import Policy
from lineage.vocabulary import Basis, Grant, Kind, Label, Origin, Scope, Use
from tests.unit.policy.samples import judge, policy

SEVERITY = {"allow": 0, "warn": 1, "deny": 2}
PROVIDERS = ["", "openai", "OpenAI", "anthropic", "acme"]
CHANNELS = ["", "openai", "azure-openai", "bedrock"]
SERVICES = ["", "gpt-4", "claude-3", "own"]
KINDS = ["third-party-model-output", "licensed", "undeclared", "*-output", "*", "first-party"]
USES = ["content", "evaluation", "fine-tuning", "*"]

labels = st.builds(
    Label,
    st.builds(
        Origin,
        st.sampled_from([k for k in Kind if k is not Kind.UNDECLARED]),
        st.sampled_from(PROVIDERS),
        st.sampled_from(SERVICES),
        st.sampled_from(CHANNELS),
    ),
    st.sampled_from([Use.CONTENT, Use.EVALUATION, Use.FINE_TUNING]),
    st.sampled_from(list(Basis)),
) | st.builds(Label, st.just(Origin(Kind.UNDECLARED)), st.sampled_from([Use.CONTENT, Use.EVALUATION]), st.none())

days = st.sampled_from(["", "2024-01-01", "2024-06-01", "2025-01-01"])
grants = st.builds(
    lambda number, scope, since, until, withdrawn: Grant(
        f"g{number}", scope, "Jane", "Contract", since, until, "", withdrawn
    ),
    st.integers(0, 10**9),
    st.builds(
        Scope,
        kind=st.sampled_from(["", "*", "third-party-model-output", "undeclared", "nonsense"]),
        provider=st.sampled_from([*PROVIDERS, "*", "open*"]),
        channel=st.sampled_from(CHANNELS),
        use=st.sampled_from(["", "content"]),
        model=st.sampled_from(["", "seed-*", "other"]),
    ),
    days,
    days,
    st.booleans(),
)


@st.composite
def rules(draw: st.DrawFn, effect: str | None = None) -> str:
    def words(values: list[str]) -> str:
        return "[" + ", ".join(f"'{v}'" for v in draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))) + "]"

    parts, origin = [], []
    if draw(st.booleans()):
        origin.append(f"kind: {words(KINDS)}")
    if draw(st.booleans()):
        origin.append(f"provider: {words(PROVIDERS)}")
    if draw(st.booleans()):
        origin.append(f"channel: {words(CHANNELS)}")
    if origin:
        parts.append(f"origin: {{{', '.join(origin)}}}")
    if draw(st.booleans()) or not parts:
        parts.append(f"use: {words(USES[:3])}")
    if draw(st.booleans()):
        parts.append(f"model: {{competes-with: {words(['openai', 'acme'])}}}")
    unless = draw(st.sampled_from(["", "", ", unless: {use: evaluation}", ", unless: {origin: {channel: openai}}"]))
    since = draw(st.sampled_from(["", "", ", from: 2024-03-01", ", until: 2024-03-01"]))
    said = effect or draw(st.sampled_from(["deny", "warn", "allow"]))
    return f"{{id: ID, match: {{{', '.join(parts)}}}{unless}{since}, effect: {said}, reason: x}}"


settings_of = st.fixed_dictionaries(
    {"undeclared": st.sampled_from(["deny", "warn", "allow"]), "default": st.sampled_from(["allow", "warn", "deny"])}
)
stated = st.sampled_from(["[]", "[{name: '*', competes-with: []}]", "[{name: 'seed-*', competes-with: openai}]"])


def build(settings: dict[str, str], models: str, lines: list[str]) -> Policy | None:
    """The policy of these rules, or None when they contradict each other."""
    head = "providers: acme\n" + "".join(f"{key}: {value}\n" for key, value in settings.items())
    body = "".join(f"  - {line.replace('ID', f'r{i}')}\n" for i, line in enumerate(lines))
    try:
        return policy(f"{head}models: {models}\nrules:{' []' if not lines else ''}\n{body}")
    except UsageError as error:
        assert error.code == "POLICY_INVALID"
        return None


world = given(
    settings_of, stated, st.lists(rules(), max_size=5), st.lists(labels, max_size=5), st.lists(grants, max_size=3)
)


@world
@settings(max_examples=150, deadline=None)
def test_order_and_repetition_do_not_matter(
    head: dict[str, str], models: str, lines: list[str], some: list[Label], given_: list[Grant]
) -> None:
    rules_ = build(head, models, lines)
    if rules_ is None:
        return
    shuffled = random.Random(1).sample(lines, len(lines))
    numbered = [line.replace("ID", f"r{lines.index(line)}x{n}") for n, line in enumerate(lines)]
    first = judge(rules_, *some, grants=given_)
    again = judge(rules_, *reversed(some), *some, grants=[*reversed(given_), *given_])
    assert again == first
    del numbered
    moved = build(head, models, shuffled)
    if moved is not None:
        assert judge(moved, *some, grants=given_).outcome is first.outcome


@world
@settings(max_examples=150, deadline=None)
def test_a_grant_never_makes_it_stricter(
    head: dict[str, str], models: str, lines: list[str], some: list[Label], given_: list[Grant]
) -> None:
    rules_ = build(head, models, lines)
    if rules_ is None:
        return
    live = [grant for grant in given_ if not grant.withdrawn]
    verdicts = [SEVERITY[judge(rules_, *some, grants=live[:n]).outcome.value] for n in range(len(live) + 1)]
    assert verdicts == sorted(verdicts, reverse=True)


@given(
    settings_of, stated, st.lists(rules(), max_size=4), rules("deny"), st.lists(labels, max_size=5),
    st.lists(grants, max_size=2),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_a_deny_rule_never_makes_it_laxer(
    head: dict[str, str], models: str, lines: list[str], more: str, some: list[Label], given_: list[Grant]
) -> None:
    before, after = build(head, models, lines), build(head, models, [*lines, more])
    if before is None or after is None:
        return
    was, now = (judge(rules_, *some, grants=given_).outcome.value for rules_ in (before, after))
    assert SEVERITY[now] >= SEVERITY[was]


@world
@settings(max_examples=150, deadline=None)
def test_more_labels_are_never_laxer(
    head: dict[str, str], models: str, lines: list[str], some: list[Label], given_: list[Grant]
) -> None:
    rules_ = build(head, models, lines)
    if rules_ is None:
        return
    verdicts = [SEVERITY[judge(rules_, *some[:n], grants=given_).outcome.value] for n in range(len(some) + 1)]
    assert verdicts == sorted(verdicts)


@world
@settings(max_examples=150, deadline=None)
def test_every_refusal_is_explained(
    head: dict[str, str], models: str, lines: list[str], some: list[Label], given_: list[Grant]
) -> None:
    rules_ = build(head, models, lines)
    if rules_ is None:
        return
    decision = judge(rules_, *some, grants=given_)
    assert decision.reason
    assert all(f.reason and f.remedy and f.location for f in decision.findings)
    if decision.outcome.value != "allow":
        counted = [f for f in decision.findings if not f.grant]
        assert decision.findings[0] is counted[0] and counted[0].effect == decision.outcome.value
        assert decision.hint
    assert not any(f.grant for f in decision.findings if f.label.origin.kind is Kind.UNDECLARED)
