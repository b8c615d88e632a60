"""``lineagegate why``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, times, verb
from lineage.events.naming import display
from lineage.evidence import text
from lineage.gate import Answer
from lineage.gate.asking import answer, why_document
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
            found = answer(inquiry, settings.name(gate, artifact), origin)
            asked = inquiry.times
    settings.show(lambda: why_document(found, asked), lambda: _text(found, origin, asked))


def _text(found: Answer | Decision, origin: str, asked: tuple[str, str]) -> str:
    if isinstance(found, Decision):
        return text.decision_text(found)
    name, count = display(found.artifact.namespace, found.artifact.name), found.labels.sources
    return text.why_text(
        name, tuple(found.paths), found.paths, sources=count, origin=origin, cuts=found.cuts, times=asked
    )
