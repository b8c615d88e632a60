"""``lineagegate contains``."""

from __future__ import annotations

import click

from lineage.cli.origin import origin_fields, wanted
from lineage.cli.settings import Settings, times, verb


@verb
@click.argument("model")
@click.argument("origin", default="")
@origin_fields
@times
def contains(settings: Settings, model: str, origin: str, as_of: str, known_at: str, **fields: str) -> int:
    """Whether a model contains an origin, with the evidence.

    For which uses, on which paths, since when, and who said so.

    MODEL is anything `check` takes. ORIGIN is a word in the kind, provider, service, channel, reseller, terms or
    licence of a source; a channel's name is looked for among channels alone. The options ask for exact values instead,
    and take shell patterns. A word that means nothing here is refused. What an answer rests on is shown: paths,
    decisions, grants, removals; of a "no" the lineage it was established over, and the removal it needs, if it does.

    \b
    lineagegate contains models:/seed-chat/7 openai
    lineagegate contains models:/seed-chat/7 --provider openai --channel azure-openai

    Exit status: 0 no, 1 yes or in evaluation only, 3 cannot tell: a source has no declared origin, or the lineage
    cannot be read.
    """
    from lineage.evidence import questions as text
    from lineage.gate import questions

    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            found = questions.contains(asked, settings.name(asked, model), wanted(origin, fields, required=True))
    settings.show(lambda: found, lambda: text.contains_text(found))
    return text.status(found.answer)
