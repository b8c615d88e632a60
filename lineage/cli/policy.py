"""``lineagegate policy test|check|show``."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import click

from lineage.cli.settings import Settings, times, verb
from lineage.evidence import document, text
from lineage.vocabulary import Outcome

if TYPE_CHECKING:
    from lineage.policy import Policy


@verb
def test(settings: Settings) -> int:
    """Run the cases written beside the policy.

    Exit status: 0 every case ends as it says, 1 one does not, 2 the policy is not valid.
    """
    from lineage.policy import run_tests

    results = run_tests(_policy(settings))
    cases = tuple(
        document.CaseDocument(r.name, r.passed, r.expected, r.outcome, r.rules, r.message, r.location) for r in results
    )
    failed = sum(not case.passed for case in cases)
    settings.show(lambda: document.PolicyTestDocument(cases, failed), lambda: text.cases_text(cases))
    return 1 if failed else 0


@verb
def check(settings: Settings) -> None:
    """Say whether the policy is valid.

    Exit status: 0 valid, 2 not; then with the line and what to write instead.
    """
    _show(settings, _policy(settings), rules=False)


@verb
def show(settings: Settings) -> None:
    """Show the rules in force, those of packs and included files too."""
    _show(settings, _policy(settings), rules=True)


@verb
@click.option(
    "--since", default="", metavar="DATE", help="Only decisions from this day on, or this time with its zone."
)
@times
def replay(settings: Settings, since: str, as_of: str, known_at: str) -> int:
    """What the policy would have refused: every decision on record, judged again. A dry run.

    Each is judged from the labels and attributes that it recorded, at its own time, with the grants that were on record
    then; so a rule counts from the day it is in force. With --policy FILE that file is judged instead of the policy in
    force. Nothing is changed.

    Exit status: 0 nothing more would have been refused, 1 something would.
    """
    from lineage.evidence import recall as text
    from lineage.gate import recall

    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as asked:
        found = recall.replay(asked, since)
    settings.show(lambda: found, lambda: text.replay_text(found))
    return 1 if any(item.would in (Outcome.DENY, Outcome.CANNOT_DECIDE) for item in found.changed) else 0


policy = click.Group(
    "policy",
    commands=[test, check, show, replay],
    help="Test, check, show or replay the policy.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _policy(settings: Settings) -> Policy:
    from lineage.policy import load_policy

    return load_policy(settings.config().policy_path)


def _show(settings: Settings, loaded: Policy, *, rules: bool) -> None:
    from lineage.policy import show as view

    found = document.PolicyDocument(
        loaded.name,
        loaded.mode,
        loaded.undeclared,
        loaded.default,
        tuple(
            document.RuleDocument(
                *(r.id, r.effect, r.match, r.unless, r.reason, r.from_, r.until, r.in_force),
                tuple(map(str, r.terms)),
                r.location,
            )
            for r in view(loaded, datetime.now(timezone.utc))
        ),
        document.SearchedDocument(*loaded.content),
    )
    settings.show(lambda: found, lambda: text.policy_text(found, rules=rules))
