"""``lineagegate content index|scan|show|removal``."""

from __future__ import annotations

import click

from lineage.cli.content_removal import removal
from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError
from lineage.vocabulary import Kind, Origin

READ, FOUND, UNREAD = 0, 1, 3
"""Exit statuses of a search."""


@verb
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@click.option("--completions", metavar="FILE", help="Logged answers of a provider's API, as a source of their own.")
@click.option("--provider", default="", help="With --completions: who made the model (openai).")
@click.option("--service", default="", help="With --completions: the model (gpt-4).")
@click.option("--channel", default="", help="With --completions: how it was obtained (azure-openai).")
def index(
    settings: Settings, sources: tuple[str, ...], completions: str | None, provider: str, service: str, channel: str
) -> int:
    """Take the fingerprints of restricted sources.

    Without SOURCE: of every declared source that some rule denies or warns of and whose content is here; those that
    have theirs are kept. The index lies beside the store, holds keyed fingerprints and no text, and is of no use
    without the key (.lineage/content.key).

    \b
    lineagegate content index
    lineagegate content index --completions logs/azure.jsonl --provider openai --channel azure-openai
    """
    from lineage.evidence.content import index_text
    from lineage.gate.content import ContentIndex, declare_completions

    if completions is None and (provider or service or channel):
        raise UsageError("--provider, --service and --channel speak of --completions", hint="--completions FILE")
    if completions is not None and not provider:
        raise UsageError("completions have a provider", hint="--provider openai")
    with settings.gate() as gate:
        gate.refresh()
        named = [settings.name(gate, source) for source in sources]
        if completions is not None:
            origin = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider, service, channel)
            named.append(declare_completions(gate, settings.start / completions, origin))
        with settings.progress() as progress:
            found = ContentIndex(gate).index(named, progress)
        settings.show(lambda: found, lambda: index_text(found))
    return UNREAD if any(source.state in ("partial", "absent") for source in found.sources) else READ


@verb
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option(
    "--share", type=click.FloatRange(0, 1), help="Share of the records that is enough; default: the policy's."
)
@click.option("--records", type=click.IntRange(1), help="Number of records that is enough; default: the policy's.")
@click.option("--tag", is_flag=True, help="Record what is found as tags of basis `matched`.")
def scan(settings: Settings, paths: tuple[str, ...], share: float | None, records: int | None, tag: bool) -> int:
    """Search files and directories for content of restricted sources.

    Says for each origin how many records equal or resemble records of its sources, and where; never the text. Case,
    spaces, punctuation, digits, masks, columns and formats do not matter. Exit status 1 when something was found that
    reaches the threshold, 3 when something could not be read or a restricted source is not indexed whole.
    """
    from lineage.evidence.content import scan_text
    from lineage.gate.content import ContentIndex
    from lineage.gate.tally import Threshold

    with settings.gate() as gate:
        gate.refresh()
        check = gate.policy().content
        threshold = Threshold(check.share if share is None else share, check.records if records is None else records)
        where = [settings.start / path for path in paths]
        for path in where:
            if not path.exists():
                raise UsageError(f"there is no {path}", code="PATH_MISSING")
        with settings.progress() as progress:
            found = ContentIndex(gate).scan(where, threshold, tag=tag, progress=progress)
        settings.show(lambda: found, lambda: scan_text(found))
    if any(item.enough for scanned in found.scanned for item in scanned.found):
        return FOUND
    return UNREAD if found.missing or any(scanned.unread for scanned in found.scanned) else READ


@verb
def show(settings: Settings) -> None:
    """Show what is indexed."""
    from lineage.evidence.content import index_text
    from lineage.gate.content import ContentIndex

    with settings.gate() as gate:
        found = ContentIndex(gate).show()
        settings.show(lambda: found, lambda: index_text(found))


content = click.Group(
    "content",
    commands=[index, scan, show, removal],
    help="Find the content of restricted sources elsewhere.",
    context_settings={"help_option_names": ["--help", "-h"]},
)
