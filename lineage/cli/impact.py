"""``lineagegate impact``."""

from __future__ import annotations

import click

from lineage.cli.origin import origin_fields, wanted
from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError


@verb
@click.argument("source", default="")
@click.option("--origin", default="", metavar="TEXT", help="Every model that carries an origin that contains this.")
@origin_fields
@times
def impact(settings: Settings, source: str, origin: str, as_of: str, known_at: str, **fields: str) -> None:
    """What was made from a source, models first.

    Or which models an origin touches.

    SOURCE is anything `check` takes. Everything recorded downstream of it is listed, the nearest first. Instead of it
    an origin can be asked about. Of registered versions their uses of it, aliases, stage, and who runs them are shown.

    \b
    lineagegate impact data/raw/gpt4.dvc
    lineagegate impact --provider openai --channel azure-openai
    """
    from lineage.evidence import impact as text
    from lineage.gate import impact as ask

    about = wanted(origin, fields)
    if bool(source) is not about.anything:
        cause = "name either a source or an origin" if source else "neither a source nor an origin is named"
        hint = "lineagegate impact SOURCE; or lineagegate impact --provider NAME"
        raise UsageError("it is not clear what is asked about", code="QUESTION_UNCLEAR", cause=cause, hint=hint)
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            start = asked.resolve(settings.name(asked, source)) if source else None
            found = ask.of_source(asked, start) if start else ask.of_origin(asked, about)
    settings.show(lambda: found, lambda: text.impact_text(found))
