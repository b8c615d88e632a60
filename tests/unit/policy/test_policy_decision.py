"""The verdict: precedence, dates, modes, words (S4, S8, S15)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lineage.policy import cannot_decide, parse_policy
from lineage.vocabulary import Kind, Outcome, Use
from tests.unit.policy.samples import NOW, grant, judge, of, output, own, policy, rule, undeclared, verdict


def test_the_strictest_counts() -> None:
    text = (
        "rules:\n"
        + rule("origin: {provider: openai}", name="a", effect="warn")
        + rule("origin: {provider: openai, service: gpt-4*}", name="b")
    )
    decision = judge(text, output("openai", service="gpt-4"))
    assert [(f.rule, f.effect, f.location) for f in decision.findings] == [
        ("b", "deny", "lineage.policy.yaml:3"),
        ("a", "warn", "lineage.policy.yaml:2"),
    ]
    assert decision.outcome is Outcome.DENY
    assert decision.reason == "b refuses third-party-model-output, openai/gpt-4, used as content: because"


def test_defaults() -> None:
    assert verdict("default: allow", own(), of(Kind.WEB_CRAWL)) == "allow"
    decision = judge("default: warn", own())
    assert decision.outcome is Outcome.WARN
    assert [(f.rule, f.location) for f in decision.findings] == [("default", "lineage.policy.yaml:1")]
    text = "default: deny\nrules:\n" + rule("origin: {kind: first-party}", effect="allow")
    assert verdict(text, own()) == "allow"
    assert verdict(text, own(), of(Kind.WEB_CRAWL)) == "deny"


def test_evaluation_only_has_a_verdict_of_its_own() -> None:
    text = (
        "rules:\n"
        "  - {id: train, match: {origin: {provider: openai}}, unless: {use: evaluation}, effect: deny, reason: x}\n"
        + rule("origin: {provider: openai}, use: evaluation", name="measure", effect="warn")
    )
    assert verdict(text, output(use=Use.EVALUATION)) == "warn"
    assert verdict(text, output(use=Use.EVALUATION), output(use=Use.VALIDATION)) == "deny"


def test_rules_have_dates() -> None:
    text = "rules:\n" + rule("origin: {provider: openai}", more="from: 2023-04-15, until: 2023-04-30")
    zone = timezone(timedelta(hours=8))
    for at, expected in (
        (datetime(2023, 4, 14, 23, 59, 59, 999999, tzinfo=timezone.utc), "allow"),
        (datetime(2023, 4, 15, tzinfo=timezone.utc), "deny"),
        (datetime(2023, 4, 15, 7, 59, tzinfo=zone), "allow"),
        (datetime(2023, 4, 15, 8, tzinfo=zone), "deny"),
        (datetime(2023, 4, 30, 23, 59, 59, 999999, tzinfo=timezone.utc), "deny"),
        (datetime(2023, 5, 1, tzinfo=timezone.utc), "allow"),
    ):
        assert verdict(text, output(), at=at) == expected, at
    exact = "rules:\n" + rule("origin: {provider: openai}", more='from: "2023-04-15T12:00:00+02:00"')
    assert verdict(exact, output(), at=datetime(2023, 4, 15, 10, tzinfo=timezone.utc)) == "deny"
    assert verdict(exact, output(), at=datetime(2023, 4, 15, 9, 59, tzinfo=timezone.utc)) == "allow"


def test_the_time_must_have_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        judge("default: allow", own(), at=datetime(2024, 1, 1))  # noqa: DTZ001


def test_emptiness_is_never_clean() -> None:
    decision = judge("default: allow", sources=0)
    assert decision.outcome is Outcome.CANNOT_DECIDE
    assert decision.blocks
    assert verdict("default: allow", sources=3) == "allow", "an approved removal may leave sources without labels"


def test_modes() -> None:
    for mode, blocks in (("enforce", True), ("warn", False), ("audit", False)):
        decision = judge(f"mode: {mode}\ndefault: allow", undeclared())
        assert decision.outcome is Outcome.DENY, "the verdict does not depend on the mode"
        assert decision.mode == mode
        assert decision.blocks is blocks


def test_what_a_decision_records() -> None:
    rules = policy("rules:\n" + rule("origin: {provider: openai}"))
    decision = judge(rules, own(), output("openai"), sources=2)
    assert decision.policy == rules.digest
    assert decision.position == 7
    assert decision.sources == 2
    assert decision.time == "2024-06-01T12:00:00+00:00"
    assert {label.origin.kind for label in decision.labels} == {Kind.FIRST_PARTY, Kind.THIRD_PARTY_MODEL_OUTPUT}
    assert decision.subject == "models:/seed-chat"


def test_remedies() -> None:
    text = "rules:\n" + rule("origin: {provider: openai}", name="own-words", more="remedy: Ask Jane")
    assert judge(text, output()).hint == "Ask Jane"
    said = judge(
        "rules:\n" + rule("origin: {provider: openai}"), output(" OpenAI", channel="Azure OpenAI", service="gpt-4")
    )
    assert said.hint == (
        "train without the source; or have it permitted: lineagegate grant --provider openai --service gpt-4 "
        "--channel azure-openai --use content --model seed-chat --reference REFERENCE"
    )
    assert judge("default: allow", undeclared()).hint == (
        "say where it comes from: lineagegate declare SOURCE --kind KIND"
    )
    text = "rules:\n" + rule("origin: {provider: openai}, model: {competes-with: openai}")
    assert judge(text, output()).hint.startswith(
        "state `competes-with` for seed-chat under `models:` in the policy; or "
    )


def test_reasons_of_what_passes() -> None:
    text = "rules:\n" + rule("origin: {provider: openai}")
    assert judge(text, own(), sources=3).reason == "1 label from 3 sources: nothing in lineage.policy.yaml forbids them"
    freed = judge(text, own(), output(), grants=[grant("g9", provider="openai")])
    assert freed.reason.endswith("what lineage.policy.yaml refuses or warns of is granted (g9)")
    assert [(f.effect, f.grant) for f in freed.findings] == [("deny", "g9")]


def test_a_finding_cites_the_terms() -> None:
    text = (
        "rules:\n  - id: r\n    match: {origin: {provider: openai}}\n    effect: deny\n    reason: No.\n"
        "    terms:\n      - {id: openai-services-agreement, clause: 3.3(e)}\n      - {id: contract-7, clause: '12'}\n"
        "      - {id: cohere-saas-agreement}\n"
    )
    finding = judge(text, output()).findings[0]
    assert finding.reason == "No"
    assert finding.terms == (
        "OpenAI Services Agreement 3.3(e) (2026-01-01, read in a copy of 2026-08-22); contract-7 12; "
        "Cohere Software as a Service Agreement (not read)"
    )


def test_cannot_decide() -> None:
    rules = parse_policy("mode: audit\ndefault: allow", "p.yaml")
    known = {
        "model": "m", "subject": "models:/m", "action": "register", "reason": "the run has no stage",
        "hint": "dvc repro", "at": NOW, "position": 3, "id": "x", "by": "me",
    }  # fmt: skip
    decision = cannot_decide(**known, policy=rules)  # type: ignore[arg-type]
    assert (decision.outcome, decision.mode, decision.blocks) == (Outcome.CANNOT_DECIDE, "audit", False)
    blind = cannot_decide(**known, policy=None)  # type: ignore[arg-type]
    assert (blind.mode, blind.policy, blind.blocks) == ("enforce", "", True)
    assert (blind.reason, blind.hint) == ("the run has no stage", "dvc repro")
