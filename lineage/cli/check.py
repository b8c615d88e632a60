"""``lineagegate check``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, times, verb
from lineage.evidence import document, text
from lineage.vocabulary import Decision, Outcome


@verb
@click.argument("artifact")
@click.option("--model", default="", help="Registered model name to judge it under; default: its own.")
@click.option("--alias", default="", help="Judge giving it this alias.")
@click.option("--stage", default="", help="Judge moving it to this stage.")
@click.option("--strict", is_flag=True, help="Exit by the verdict in the policy modes warn and audit too.")
@times
def check(
    settings: Settings, artifact: str, model: str, alias: str, stage: str, strict: bool, as_of: str, known_at: str
) -> int:
    """What the gate would say about an artifact now.

    ARTIFACT is a path, a .dvc file, models:/name/version, runs:/id/path, a URI or a content key. What the pipelines
    have done is read first. Nothing is decided or recorded: the answer of the registry's own gate counts.

    Exit status: 0 allowed (with a warning or without), 1 denied, 3 cannot decide. When the policy's mode is warn or
    audit nothing is held up, so a denial is printed and exits 0; with --strict it exits 1.

    At another time the policy, rules and grants that held then count, as far as they were recorded; with --policy those
    of that file.
    """
    attributes = {name: value for name, value in (("alias", alias), ("stage", stage)) if value}
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as inquiry:
            decision = inquiry.check(settings.name(gate, artifact), model=model, attributes=attributes)
            asked = inquiry.times
    settings.show(lambda: document.check(decision, asked), lambda: text.decision_text(decision, asked))
    return status(decision, strict)


def status(decision: Decision, strict: bool) -> int:
    """The exit status of a verdict. What cannot be decided is never 0, whatever the mode."""
    if decision.outcome is Outcome.CANNOT_DECIDE:
        return 3
    return 1 if decision.outcome is Outcome.DENY and (strict or decision.blocks) else 0
