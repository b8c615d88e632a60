"""``lineagegate why``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, times, verb
from lineage.errors import CannotDecide
from lineage.events.naming import display
from lineage.evidence import document, text
from lineage.gate import Answer, Inquiry
from lineage.vocabulary import Decision


@verb
@click.argument("artifact")
@click.option(
    "--origin", default="", metavar="TEXT", help="Only origins whose kind, provider, service … contains this."
)
@times
def why(settings: Settings, artifact: str, origin: str, as_of: str, known_at: str) -> None:
    """What an artifact carries, and on which path it came.

    ARTIFACT is anything `check` takes, or the id of a decision: then the decision as it was recorded. Of a model that
    was refused before it had a version, the last decision about it is shown. For each label one shortest path is
    printed, with the run that made each step, its date, commit and author; a path that an approved removal cut is shown
    as cut.

    \b
    lineagegate why models:/seed-chat/7                                      what is known today
    lineagegate why models:/seed-chat/7 --known-at models:/seed-chat/7       what was known when it was registered
    """
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as inquiry:
            answer = _answer(inquiry, settings.name(gate, artifact), origin)
            asked = inquiry.times
    if isinstance(answer, Decision):
        settings.show(lambda: document.recorded(answer), lambda: text.decision_text(answer))
        return
    found = answer
    name = display(found.artifact.namespace, found.artifact.name)
    shown, count = tuple(found.paths), found.labels.sources
    settings.show(
        lambda: document.why(
            found.artifact,
            shown,
            found.paths,
            sources=count,
            position=found.labels.position,
            cuts=found.cuts,
            times=asked,
        ),
        lambda: text.why_text(name, shown, found.paths, sources=count, origin=origin, cuts=found.cuts, times=asked),
    )


def _answer(gate: Inquiry, artifact: str, origin: str) -> Answer | Decision:
    if recorded := gate.decision(artifact.upper()) if len(artifact) == 26 and artifact.isalnum() else None:
        return recorded
    try:
        return gate.why(artifact, origin=origin)
    except CannotDecide as unknown:
        name = artifact.removeprefix("models:/").partition("/")[0]
        said = gate.decisions(name) if artifact.startswith("models:/") and unknown.code == "ARTIFACT_UNKNOWN" else []
        if not said:
            raise
        return said[0]
