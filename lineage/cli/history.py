"""``lineagegate history``."""

from __future__ import annotations

import click

from lineage.cli.origin import origin_fields, wanted
from lineage.cli.settings import Settings, times, verb


@verb
@click.argument("model", default="")
@click.option("--since", default="", metavar="DATE", help="From this day on, or this time with its zone.")
@click.option("--until", default="", metavar="DATE", help="Until the end of this day, or this time.")
@click.option("--origin", default="", metavar="TEXT", help="Only what concerns origins that contain this.")
@origin_fields
@times
def history(
    settings: Settings, model: str, since: str, until: str, origin: str, as_of: str, known_at: str, **fields: str
) -> None:
    """What happened to a model, or on record at all.

    MODEL is a registered model (models:/seed-chat), one of its versions, or anything `check` takes; without it, the
    whole record is read. Listed are executions, declarations, decisions, versions, aliases, stages, grants, removals,
    corrections, policies and recalls, by the time they are said to have happened; what was recorded on another day says
    so. With --since, what was recorded after that day and is said to have happened before it is listed apart.

    \b
    lineagegate history models:/seed-chat
    lineagegate history --since 2023-04-30 --origin openai
    """
    from lineage.evidence import questions as text
    from lineage.gate import questions

    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            name = settings.name(asked, model) if model else ""
            found = questions.history(asked, name, wanted(origin, fields), since, until)
    settings.show(lambda: found, lambda: text.history_text(found))
