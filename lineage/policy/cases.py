"""Running the tests that stand beside a policy (`lineagegate policy test`)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import NamedTuple

from lineage.policy.decision import decide
from lineage.policy.policy import Case, Policy


class CaseResult(NamedTuple):
    """What became of one test."""

    name: str
    location: str
    """``lineage.policy.yaml:40``."""
    passed: bool
    expected: str
    outcome: str
    """``allow``, ``warn`` or ``deny``."""
    rules: tuple[str, ...]
    """Ids of the rules that fired and were not freed by a grant."""
    message: str
    """For people: what was expected and what came, with the reason. Empty when it passed."""


def run_tests(policy: Policy, *, now: datetime | None = None) -> list[CaseResult]:
    """Decide every test of a policy.

    Args:
        policy: whose tests to run; those of what it extends belong to them.
        now: time of the tests that name none, with its zone; by default the current time.

    Returns:
        One result for each test, in the order of the file.
    """
    at = now or datetime.now(timezone.utc)
    return [_run(policy, case, case.at or at) for case in policy.cases]


def _run(policy: Policy, case: Case, at: datetime) -> CaseResult:
    decision = decide(
        labels=case.labels, sources=1, model=case.model, subject=f"models:/{case.model}", action="check",
        attributes=case.attributes, policy=policy, grants=case.grants, at=at, position=0, id="test", by="test",
        evidence={case.evidence: 1},
    )  # fmt: skip
    spoken = [finding.rule for finding in decision.findings if not finding.grant]
    rules = tuple(dict.fromkeys([*spoken, *(shortfall.rule for shortfall in decision.shortfalls)]))
    outcome = decision.outcome.value
    message = ""
    if outcome != case.expect:
        message = f"expected {case.expect}, got {outcome}: {decision.reason}"
    elif case.rule and case.rule not in rules:
        fired = ", ".join(rules) or "no rule"
        message = f"expected rule {case.rule} to fire, but {fired} did"
    return CaseResult(case.name, case.location, not message, case.expect, outcome, rules, message)
