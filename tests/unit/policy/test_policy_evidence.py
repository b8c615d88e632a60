"""What a policy asks of the runs behind a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from lineage.errors import UsageError
from lineage.policy import decide, parse_policy
from lineage.policy.cases import run_tests
from lineage.vocabulary import Decision, Grant, Kind, Label, Origin, Outcome, Scope, Use

POLICY = """
default: allow
require:
  - id: seen
    evidence: observed
    model: {stage: Production}
    from: 2026-01-01
    reason: production models must be seen while they are made
  - id: kept
    evidence: restored
    effect: warn
    reason: a run cache is the least
"""
AT = datetime(2026, 6, 1, tzinfo=timezone.utc)


def judged(
    evidence: Mapping[str, int] | None, stage: str = "Production", text: str = POLICY, at: datetime = AT
) -> Decision:
    """A clean model, judged."""
    label = Label(Origin(Kind.FIRST_PARTY), Use.CONTENT)
    grant = Grant("all", Scope(model="*"), "boss", "paper")
    return decide(
        labels=[label], sources=1, model="seed", subject="models:/seed", action="stage", attributes={"stage": stage},
        policy=parse_policy(text, "p"), grants=[grant], at=at, position=1, id="x", by="me", evidence=evidence,
    )  # fmt: skip


def test_every_execution_must_be_known_as_well_as_asked() -> None:
    assert judged({"observed": 3}).outcome is Outcome.ALLOW
    one = judged({"observed": 2, "restored": 1})
    assert one.outcome is Outcome.DENY
    assert one.reason == (
        "seen refuses, 1 of 3 executions behind it not seen while running: production models must be seen while they are made"
    )
    assert one.hint == "run the pipeline as `lineagegate exec -- dvc repro`"
    assert one.evidence == {"observed": 2, "restored": 1}
    assert judged({"observed": 2, "restored": 1}, stage="Staging").outcome is Outcome.ALLOW
    assert judged({"asserted": 1}, stage="Staging").outcome is Outcome.WARN


def test_what_nobody_knows_is_not_met() -> None:
    for nothing in (None, {}):
        assert judged(nothing).outcome is Outcome.DENY
        assert judged(nothing).shortfalls[0].missing == "no execution behind it is known"
    assert judged({"hearsay": 1}).outcome is Outcome.DENY


def test_it_begins_on_its_day() -> None:
    assert judged({"restored": 1}, at=datetime(2025, 6, 1, tzinfo=timezone.utc)).outcome is Outcome.ALLOW


def test_without_a_requirement_nothing_is_asked() -> None:
    assert judged({"asserted": 1}, text="default: allow").outcome is Outcome.ALLOW
    assert judged({"asserted": 1}, text="default: allow").evidence == {}


def test_tests_of_a_policy_suppose_a_level() -> None:
    text = POLICY + (
        "tests:\n"
        "  - {name: a, model: seed, stage: Production, labels: [{kind: customer}], expect: allow}\n"
        "  - {name: b, model: seed, stage: Production, labels: [{kind: customer}], evidence: restored, expect: deny,"
        " rule: seen}\n"
    )
    assert all(result.passed for result in run_tests(parse_policy(text, "p"), now=AT))


def test_an_id_stands_once() -> None:
    with pytest.raises(UsageError, match="stands twice"):
        parse_policy(POLICY.replace("id: kept", "id: seen"), "p")
