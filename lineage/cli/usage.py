"""``lineagegate usage import|reconcile``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError

DONE, OPEN, UNREAD = 0, 1, 3
"""Exit statuses of a comparison."""


@verb
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
def import_(settings: Settings, files: tuple[str, ...]) -> None:
    """Record what a provider's logs and exports say of calls to its models.

    Read are request logs of Azure OpenAI and of Azure API Management (resource logs, or tables of Log Analytics),
    OpenAI's usage (JSON or CSV), and spans that programs exported (OTLP's JSON lines). Kept are counts by time, and
    fingerprints of the answers; no text. Which entries could not be read is said. A log that is known already adds
    nothing.

    \b
    lineagegate usage import logs/PT1H.json exports/completions_usage.csv
    """
    from lineage.evidence.usage import import_text
    from lineage.gate.usage import import_logs

    with settings.gate() as gate:
        with settings.progress() as progress:
            found = import_logs(gate, [settings.start / file for file in files], progress)
        settings.show(lambda: found, lambda: import_text(found))


@verb
@click.option("--tag", is_flag=True, help="Record sources that hold answers, as tags of basis `matched`.")
def reconcile(settings: Settings, tag: bool) -> int:
    """Compare the imported logs with what was declared and observed.

    By time: calls that no observed execution can have made: none called that provider then, or not so often. By channel
    and model: a provider, a way or a model that nobody declared. By content: answers found in sources that are
    undeclared or declared clean.
    Exit status 1 when something is left open, 3 when a source could not be searched.
    """
    from lineage.evidence.usage import reconcile_text
    from lineage.gate.tally import Threshold
    from lineage.gate.usage import reconcile as compare

    with settings.gate() as gate:
        gate.refresh()
        check = gate.policy().content
        with settings.progress() as progress:
            found = compare(gate, Threshold(check.share, check.records), tag=tag, progress=progress)
        if not found.logs:
            raise UsageError("no log was imported", code="LOG_MISSING", hint="lineagegate usage import FILE")
        settings.show(lambda: found, lambda: reconcile_text(found))
    return OPEN if found.open else UNREAD if found.not_searched else DONE


import_.name = "import"

usage = click.Group(
    "usage",
    commands=[import_, reconcile],
    help="Hold a provider's log against the record.",
    context_settings={"help_option_names": ["--help", "-h"]},
)
