"""``lineagegate impact``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, verb
from lineage.events.naming import display
from lineage.evidence import document, text


@verb
@click.argument("source")
def impact(settings: Settings, source: str) -> None:
    """What was made from a source, models first.

    SOURCE is anything `check` takes. Everything recorded downstream of it is listed, the nearest first.
    """
    with settings.gate() as gate:
        gate.refresh()
        artifact = gate.resolve(settings.name(gate, source))
        found = gate.impact(artifact)
    settings.show(
        lambda: document.impact(artifact, found),
        lambda: text.impact_text(display(artifact.namespace, artifact.name), found),
    )
