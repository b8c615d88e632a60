"""``lineagegate record``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, verb


@verb
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def record(settings: Settings, files: tuple[str, ...]) -> None:
    """Record OpenLineage events of other producers from files.

    FILE holds one event a line, one event, or a JSON list of events; - is standard input. Events are kept byte for
    byte. What breaks the standard is taken with a warning. A file with an event that cannot be understood, or that
    says what only people and the gate say, is refused whole. An event that was received before counts once.

    \b
    lineagegate record airflow/lineage.ndjson
    kcat -C -e -t openlineage | lineagegate record -
    """
    from lineage.evidence.record import EventWarning, RecordDocument, RecordedFile, record_text
    from lineage.gate.load import load

    with settings.gate() as gate:
        with settings.progress() as progress:
            loaded = [load(gate.graph, file, settings.start, progress) for file in files]
        found = RecordDocument(
            tuple(
                RecordedFile(x.file, x.events, x.recorded, x.known, tuple(EventWarning(*n) for n in x.warnings), x.more)
                for x in loaded
            ),
            gate.graph.position(),
        )
    settings.show(lambda: found, lambda: record_text(found))
