"""What a rule matches: words, kinds, uses, models, silence (S1, S2, S3)."""

from __future__ import annotations

import pytest

from lineage.policy.pattern import Pattern, normal
from lineage.vocabulary import Basis, Kind, Use
from tests.unit.policy.samples import judge, of, output, own, rule, undeclared, verdict

OPENAI = "rules:\n" + rule("origin: {provider: openai}")


@pytest.mark.parametrize(
    "written",
    ["openai", " OpenAI", "OPENAI ", "Open-AI", "open_ai", "Open AI", "ＯｐｅｎＡＩ", "open\u200bai", "OpenAI Inc"],
)
def test_one_word_however_it_is_written(written: str) -> None:
    assert verdict(OPENAI, output(written)) == "deny"


def test_a_rule_is_normalised_too() -> None:
    for word in (" Open-AI ", "OPENAI", "open*"):
        assert verdict("rules:\n" + rule(f"origin: {{provider: '{word}'}}"), output("openai")) == "deny"


def test_a_rule_on_the_provider_catches_every_channel() -> None:
    for channel in ("openai", "azure-openai", "Azure OpenAI Service", "openrouter", "unheard-of", ""):
        assert verdict(OPENAI, output("openai", channel=channel)) == "deny"


def test_a_channel_gives_its_provider_away() -> None:
    assert verdict(OPENAI, output("", channel="azure-openai")) == "deny"
    assert verdict(OPENAI, output("acme", channel="azure-openai")) == "deny"
    assert verdict(OPENAI, output("microsoft", channel="azure-openai")) == "deny"
    assert verdict(OPENAI, output("mistral", channel="bedrock")) == "allow"


def test_a_service_gives_its_provider_away() -> None:
    assert verdict(OPENAI, output("acme", service="GPT-4-turbo", channel="acme-gateway")) == "deny"
    assert verdict(OPENAI, output("acme", service="own-model", channel="acme-gateway")) == "allow"
    ours = of(Kind.FIRST_PARTY_MODEL_OUTPUT, service="gpt-4-detector")
    assert verdict(OPENAI, ours) == "allow", "a name of one's own model gives nobody away"


def test_reseller_and_provider_are_told_apart() -> None:
    resold = "rules:\n" + rule("origin: {reseller: microsoft}")
    assert verdict(resold, output("openai", channel="azure-openai")) == "deny"
    assert verdict(resold, output("openai", channel="openai")) == "allow", "a direct channel has no reseller"
    assert verdict(resold, output("microsoft", channel="self-hosted")) == "allow"
    assert verdict(resold, output("openai")) == "deny", "nobody said how it was obtained"
    assert verdict(resold, output("openai", channel="some-gateway")) == "deny", "nobody knows who sold it"


def test_kinds_and_uses() -> None:
    text = "rules:\n" + rule("origin: {kind: [licensed, '*-output']}, use: [fine-tuning, pretraining]")
    assert verdict(text, of(Kind.LICENSED, Use.FINE_TUNING)) == "deny"
    assert verdict(text, of(Kind.FIRST_PARTY_MODEL_OUTPUT, Use.PRETRAINING)) == "deny"
    assert verdict(text, of(Kind.LICENSED, Use.EVALUATION)) == "allow"
    assert verdict(text, own(Use.FINE_TUNING)) == "allow"


def test_the_other_words_of_an_origin() -> None:
    for field, said, other in (
        ("terms", "acme@2023", "acme@2024"),
        ("licence", "CC-BY-NC-4.0", "CC-BY-4.0"),
        ("jurisdiction", "cn", "DE"),
    ):
        text = "rules:\n" + rule(f"origin: {{{field}: '{said.upper()}'}}")
        assert verdict(text, of(Kind.LICENSED, **{field: said})) == "deny"
        assert verdict(text, of(Kind.LICENSED, **{field: other})) == "allow"
    text = "rules:\n" + rule("origin: {basis: matched}")
    assert verdict(text, of(Kind.FIRST_PARTY, basis=Basis.MATCHED)) == "deny"
    assert verdict(text, of(Kind.FIRST_PARTY)) == "allow"


def test_not_stated_can_be_matched() -> None:
    text = "rules:\n" + rule("origin: {kind: licensed, terms: ''}")
    assert verdict(text, of(Kind.LICENSED)) == "deny"
    assert verdict(text, of(Kind.LICENSED, terms="contract-7")) == "allow"


def test_silence_about_model_output_counts_against_it() -> None:
    decision = judge("rules:\n" + rule("origin: {provider: openai, service: gpt-4*}"), output(""))
    assert decision.outcome.value == "deny"
    assert "provider and service are not stated, which counts against it" in decision.findings[0].reason
    assert "lineagegate declare SOURCE --kind third-party-model-output --provider PROVIDER" in decision.hint


def test_silence_about_anything_else_is_nothing() -> None:
    assert verdict(OPENAI, own(), of(Kind.LICENSED), of(Kind.WEB_CRAWL)) == "allow"
    assert verdict("rules:\n" + rule("origin: {licence: '*NC*'}"), output("acme")) == "allow"


def test_silence_never_allows() -> None:
    text = "default: deny\nrules:\n" + rule("origin: {provider: openai}", effect="allow")
    assert verdict(text, output("openai")) == "allow"
    assert verdict(text, output("")) == "deny"
    text = "providers: acme\ndefault: deny\nrules:\n" + rule(
        "origin: {kind: '*'}, model: {competes-with: acme}", effect="allow"
    )
    assert verdict(text, own()) == "deny", "nobody stated what the model competes with"
    assert verdict("models: [{name: 'seed-*', competes-with: acme}]\n" + text, own()) == "allow"


def test_exceptions_count_only_when_they_are_sure() -> None:
    text = "rules:\n  - {id: r, match: {origin: {kind: '*-output'}}, unless: {%s}, effect: deny, reason: x}\n"
    assert verdict(text % "origin: {channel: self-hosted}", output(channel="self-hosted")) == "allow"
    assert verdict(text % "origin: {channel: self-hosted}", output()) == "deny"
    assert verdict(text % "use: evaluation", output(use=Use.EVALUATION)) == "allow"
    assert verdict(text % "model: {purpose: research}", output()) == "deny"
    stated = "models: [{name: '*', purpose: research}]\n"
    assert verdict(stated + text % "model: {purpose: research}", output()) == "allow"
    allow = "default: deny\nrules:\n  - {id: r, match: {origin: {kind: '*'}}, unless: {%s}, effect: allow, reason: x}\n"
    assert verdict(allow % "origin: {provider: openai}", output("")) == "deny", "it might be the exception"
    assert verdict(allow % "origin: {provider: openai}", output("acme")) == "allow"


def test_models_by_name_and_by_what_is_stated() -> None:
    text = (
        "models:\n  - {name: 'seed-*', competes-with: [OpenAI, anthropic], market: cn}\n"
        "  - {name: [helper, 'support-*'], competes-with: [], purpose: support}\n"
        "  - {name: 'seed-x*', competes-with: meta}\nrules:\n"
        + rule("origin: {provider: openai}, model: {competes-with: openai}", name="competing")
        + rule("origin: {provider: openai}, model: {competes-with: meta}", name="with-meta", effect="warn")
        + rule("origin: {kind: licensed}, model: {name: 'SEED-*', market: CN}", name="market")
    )
    assert verdict(text, output("openai"), model="Seed-Chat ") == "deny"
    assert verdict(text, output("openai"), model="helper") == "allow"
    fired = [f.rule for f in judge(text, output("openai"), model="seed-x1").findings]
    assert fired == ["competing", "with-meta"], "entries add up"
    assert verdict(text, output("openai"), model="unheard-of") == "deny", "nothing is stated of it"
    assert verdict(text, of(Kind.LICENSED), model="seed-1") == "deny"
    assert verdict(text, of(Kind.LICENSED), model="unheard-of") == "allow"
    decision = judge(text, output("openai"), model="seed-x1")
    assert decision.attributes == {"competes-with": "anthropic, meta, openai", "market": "cn"}
    assert judge(text, own(), model="helper").attributes == {"competes-with": "none", "purpose": "support"}


def test_what_a_model_is_for_never_comes_from_the_caller() -> None:
    text = "models: [{name: '*', competes-with: openai}]\nrules:\n" + rule(
        "origin: {provider: openai}, model: {competes-with: openai}"
    )
    decision = judge(text, output("openai"), attributes={"competes-with": "nobody", "market": "eu"})
    assert decision.outcome.value == "deny"
    assert decision.attributes == {"competes-with": "openai"}


def test_stage_and_alias_come_with_the_action() -> None:
    text = (
        "rules:\n"
        + rule("origin: {kind: customer}, model: {stage: production}")
        + rule("origin: {kind: customer}, model: {alias: [champion, 'live-*']}", name="s", effect="warn")
    )
    assert verdict(text, of(Kind.CUSTOMER)) == "allow", "a registration moves nothing to production"
    assert verdict(text, of(Kind.CUSTOMER), attributes={"stage": "Production"}) == "deny"
    assert verdict(text, of(Kind.CUSTOMER), attributes={"alias": "live-eu"}) == "warn"
    assert judge(text, own(), attributes={"alias": "live-eu"}).attributes == {"alias": "live-eu"}


def test_undeclared_is_met_by_name_only() -> None:
    assert verdict("default: allow", undeclared()) == "deny"
    assert verdict("undeclared: warn\ndefault: allow", undeclared()) == "warn"
    assert verdict("undeclared: allow\ndefault: allow", undeclared()) == "allow"
    for effect in ("allow", "warn"):
        wide = "default: deny\nrules:\n" + rule("origin: {kind: '*'}", effect=effect)
        assert verdict(wide, undeclared()) == "deny", "a wildcard is not meant for the unknown"
        named = "rules:\n" + rule("origin: {kind: undeclared}, model: {name: 'sandbox-*'}", effect=effect)
        assert verdict(named, undeclared(), model="sandbox-1") == effect
        assert verdict(named, undeclared(), model="seed-1") == "deny"
    strict = "undeclared: allow\nrules:\n" + rule("use: pretraining")
    assert verdict(strict, undeclared(Use.PRETRAINING)) == "deny", "a wide rule can only be stricter"


@pytest.mark.parametrize(
    ("outer", "inner", "covers"),
    [
        (["*"], ["x"], True), (["gpt-*"], ["gpt-4*"], True), (["gpt-*"], ["gpt-4"], True), (["a", "b"], ["b"], True),
        (["gpt-4"], ["gpt-*"], False), (["a?"], ["a*"], False), (["[ab]"], ["a"], False), (["a?"], ["a?"], True),
    ],
)  # fmt: skip
def test_covering_is_never_claimed_in_doubt(outer: list[str], inner: list[str], covers: bool) -> None:
    assert Pattern(outer).covers(Pattern(inner)) is covers


def test_normal_forms() -> None:
    assert normal("  Azure  OpenAI_Service ") == "azure-openai-service"
    assert Pattern(["*"]).matches("") and not Pattern(["?*"]).matches("")
    assert Pattern(["[!a]*"]).matches("bc") and not Pattern(["[!a]*"]).matches("ab")
