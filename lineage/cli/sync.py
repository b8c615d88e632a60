"""``lineagegate sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lineage.cli.forward import after_sync, later
from lineage.cli.settings import Settings, address, verb
from lineage.evidence import document, text

if TYPE_CHECKING:
    from lineage.evidence.document import WaitingDocument
    from lineage.gate import Gate, SyncReport


@verb
@click.option("--no-forward", is_flag=True, help="Send nothing to the team's server now.")
@click.option("--forward-later", is_flag=True, help="Send in a process of its own that is not waited for.")
def sync(settings: Settings, no_forward: bool, forward_later: bool) -> None:
    """Read what the pipelines have done since last time.

    Commits, branches, experiments, the run cache and the work tree are read; nothing in them is changed. What waits for
    a person (sources with no declared origin, expired claims) is listed with the command that settles it. Where a
    team's server is named, what is recorded here is then sent there, for at most 20 seconds; what does not go waits.
    """
    with settings.gate() as gate:
        with settings.progress() as progress:
            report = gate.sync(progress)
        show(settings, gate, report, after_sync(gate, now=not (no_forward or forward_later)))
    if forward_later:
        later(settings)


def show(
    settings: Settings, gate: Gate, report: SyncReport, waiting: WaitingDocument | None = None,
    written: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """Print what a sync found."""
    held = document.counts(report.status, gate.commits())
    todo = [(source, address(gate.config, source)) for source in report.undeclared]
    settings.show(
        lambda: document.SyncDocument(
            report.commits,
            report.executions,
            report.events,
            held,
            document.todo(todo),
            document.notices(report.notices),
            written,
            waiting,
        ),
        lambda: text.sync_text(
            report.commits,
            report.executions,
            report.events,
            held,
            [where for _, where in todo],
            report.notices,
            waiting,
        ),
    )
