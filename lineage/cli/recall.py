"""``lineagegate recall``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError


@verb
@click.option("--since", default="", metavar="DATE", help="Only versions made from this day on, or this time.")
@click.option("--apply", "applied", is_flag=True, help="Take back what is refused: aliases and stages off, and a mark.")
@times
def recall(settings: Settings, since: str, applied: bool, as_of: str, known_at: str) -> int:
    """Judge every registered version again, and take back what is refused now.

    Judged is under the policy in force, or under a proposed one with --policy FILE; aliases and stages that a version
    has are judged with it. Listed are the versions to recall, those in use first, each with the rule and a path; then
    those whose verdict is another than it was. With --apply each recall is a recorded decision, and the registry takes
    aliases and stages off and marks the version. Doing it twice changes nothing more.

    Exit status: 0 nothing is left to recall, 1 something is.
    """
    from lineage.evidence import recall as text
    from lineage.gate import recall as judge

    if applied and (as_of or known_at):
        raise UsageError("only what is so now can be recalled", code="QUESTION_UNCLEAR", hint="leave --apply out")
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as asked:
            found, artifacts = judge.rejudge(asked, since)
        if applied:
            found = judge.apply(gate, found, artifacts)
    settings.show(lambda: found, lambda: text.recall_text(found))
    left = [item for item in found.versions if item.recall]
    return 1 if (found.failed if applied else left) else 0
