"""``lineagegate share``."""

from __future__ import annotations

import click

from lineage.cli.origin import origin_fields, wanted
from lineage.cli.settings import Settings, times, verb


@verb
@click.argument("model")
@click.option("--origin", default="", metavar="TEXT", help="Say of origins that contain this which part they are.")
@origin_fields
@times
def share(settings: Settings, model: str, origin: str, as_of: str, known_at: str, **fields: str) -> None:
    """What part of a model's sources has which origin.

    In files, bytes and known records, for each use.

    MODEL is anything `check` takes. Shares are of what went in, not of what the model kept of it. Numbers of records
    are those that OpenLineage events state (outputStatistics, dataQualityMetrics); a source of unknown size is counted
    and left out of the rest.
    """
    from lineage.evidence import questions as text
    from lineage.gate import questions

    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            found = questions.share(asked, settings.name(asked, model), wanted(origin, fields))
    settings.show(lambda: found, lambda: text.share_text(found))
