"""Grants: what may be granted, and what a grant frees (S2, S7)."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from msgspec.structs import replace

from lineage.errors import UsageError
from lineage.policy import check_grant
from lineage.policy.decision import grantable
from lineage.vocabulary import Grant, Kind, Label, Origin, Scope, Use
from tests.unit.policy.samples import grant, judge, of, output, policy, rule, undeclared, verdict

TEXT = (
    "models:\n  - {name: 'seed-*', market: [cn, sg]}\n  - {name: abroad, market: us}\nrules:\n"
    + rule("origin: {kind: '*-output'}", name="no-output")
    + rule("origin: {kind: customer}", name="customers", effect="warn")
)


@pytest.mark.parametrize(
    ("scope", "label", "freed"),
    [
        ({"provider": "openai"}, output("OpenAI", channel="azure-openai"), True),
        ({"provider": "Open AI", "channel": "Azure OpenAI"}, output("openai", channel="azure-openai"), True),
        ({"provider": "openai", "channel": "azure-openai"}, output("openai", channel="openai"), False),
        ({"channel": "azure-openai"}, output("openai", channel="openai"), False),
        ({"provider": "openai", "channel": "azure-openai"}, output("openai"), False),
        ({"provider": "openai"}, output(""), False),
        ({"provider": "openai"}, output("", channel="azure-openai"), True),
        ({"provider": "acme"}, output("acme", channel="azure-openai"), False),
        ({"provider": "openai"}, output("acme", channel="azure-openai"), False),
        ({"provider": "open*"}, output("openai"), True),
        ({"service": "gpt-4*"}, output("openai", service="gpt-4-turbo"), True),
        ({"service": "gpt-4*"}, output("openai"), False),
        ({"service": "o1*"}, output("openai", service="o1-mini"), True),
        ({"provider": "[o]pen*"}, output("openai"), True),
        ({"provider": "x"}, output("x"), True),
        ({"provider": "[a-z]*", "kind": "third-party-*"}, output("openai"), True),
        ({"kind": "third-party-model-output"}, output(""), True),
        ({"kind": "third-party-*", "use": "evaluation"}, output(use=Use.EVALUATION), True),
        ({"kind": "third-party-*", "use": "evaluation"}, output(use=Use.FINE_TUNING), False),
        ({"provider": "openai", "model": "seed-*"}, output(), True),
        ({"provider": "openai", "model": "other"}, output(), False),
        ({"provider": "openai", "terms": "acme@*"}, output(terms="ACME@2023"), True),
        ({"provider": "openai", "terms": "acme@*"}, output(), False),
        ({"provider": "*", "kind": "*output"}, output(""), True),
    ],
)  # fmt: skip
def test_scope(scope: dict[str, str], label: Label, freed: bool) -> None:
    given = grant(**scope)
    check_grant(given)
    decision = judge(TEXT, label, grants=[given])
    assert decision.outcome.value == ("allow" if freed else "deny")
    assert {finding.grant for finding in decision.findings} == {"g1" if freed else ""}


def test_market() -> None:
    free = [grant(provider="openai", market="us")]
    assert verdict(TEXT, output(), model="abroad", grants=free) == "allow"
    assert verdict(TEXT, output(), model="seed-1", grants=free) == "deny"
    assert verdict(TEXT, output(), model="seed-1", grants=[grant(provider="openai", market="cn")]) == "deny", (
        "sold in sg too"
    )
    assert verdict(TEXT, output(), model="seed-1", grants=[grant(provider="openai", market="*")]) == "allow"
    assert verdict(TEXT, output(), model="unheard-of", grants=free) == "deny", "no market is stated"


def test_dates_are_whole_days_both_included() -> None:
    given = [grant(provider="openai", from_="2024-03-01", until="2024-03-31")]
    for day, expected in (
        (datetime(2024, 2, 29, 23, 59, tzinfo=timezone.utc), "deny"),
        (datetime(2024, 3, 1, tzinfo=timezone.utc), "allow"),
        (datetime(2024, 3, 31, 23, 59, 59, tzinfo=timezone.utc), "allow"),
        (datetime(2024, 4, 1, tzinfo=timezone.utc), "deny"),
    ):
        assert verdict(TEXT, output(), grants=given, at=day) == expected


def test_withdrawn_grants_free_nothing() -> None:
    given = grant(provider="openai")
    gone = replace(given, withdrawn=True)
    for order in ([gone], [given, gone], [gone, given]):
        assert verdict(TEXT, output(), grants=order) == "deny"


def test_undeclared_is_never_freed() -> None:
    for scope in ({"kind": "*", "provider": "openai"}, {"kind": "undeclared"}, {}):
        assert verdict(TEXT, undeclared(), grants=[grant(**scope)]) == "deny"


def test_warnings_are_freed_too() -> None:
    assert verdict(TEXT, of(Kind.CUSTOMER)) == "warn"
    assert verdict(TEXT, of(Kind.CUSTOMER), grants=[grant(kind="customer")]) == "allow"


def test_one_grant_does_not_free_another_label() -> None:
    decision = judge(TEXT, output("openai"), output("mistral"), grants=[grant(provider="openai")])
    assert decision.outcome.value == "deny"
    assert [(f.label.origin.provider, f.grant) for f in decision.findings] == [("mistral", ""), ("openai", "g1")]


@pytest.mark.parametrize(
    "bad",
    [
        grant(""), grant(),
        grant(model="seed-*", use="content", market="cn"),
        grant(provider="*"), grant(kind="**", provider=" "), grant(provider="?*"),
        grant(provider="[a-z]*"), grant(provider="[!x]*"), grant(provider="[]a]*"), grant(provider="*e*"),
        grant(provider="*-*"), grant(kind="*-*", provider="[o][p][e][n]*"), grant(channel="[abc*]*"), grant(terms="*@2*"),
        grant(provider="[openai]*"),
        grant(kind="undeclared"), grant(kind="third-party"), grant(kind="licensed", use="training"),
        grant(provider="openai", from_="2024-02-01", until="2024-01-31"),
        grant(provider="openai", from_="yesterday"), grant(provider="openai", until="2024-01-01T00:00:00"),
        grant(provider="openai", until="2024-02-30"),
        Grant("g", Scope(provider="openai"), "", "Contract"), Grant("g", Scope(provider="openai"), "  ", "Contract"),
        Grant("g", Scope(provider="openai"), "Jane", ""), Grant("g", Scope(provider="openai"), "Jane", "\u200b"),
    ],
)  # fmt: skip
def test_what_cannot_be_granted(bad: Grant) -> None:
    with pytest.raises(UsageError) as caught:
        check_grant(bad)
    assert caught.value.code == "GRANT_INVALID"
    assert caught.value.cause and caught.value.hint
    # a record of it that somebody smuggled into the ledger frees nothing either
    assert verdict(TEXT, output("openai"), of(Kind.LICENSED), grants=[bad]) == "deny"


def test_the_command_in_a_remedy_frees_what_it_was_given_for() -> None:
    rules = policy(TEXT)
    for label in (
        output(" OpenAI"), output("", channel="Azure OpenAI"), output("acme", channel="azure-openai"), output(""),
        output("x y", service="it's"), output("openai", service="gpt-4", channel="chatgpt", use=Use.TEACHER),
        Label(Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service="seed"), Use.CONTENT),
    ):  # fmt: skip
        scope = grantable(rules.label_facts(label), "seed-chat")
        given = Grant("g", scope, "Jane", "Contract")
        check_grant(given)
        assert verdict(rules, label, grants=[given]) == "allow"
        assert verdict(rules, label, grants=[given], model="other") == "deny"
