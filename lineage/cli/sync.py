"""``lineagegate sync``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage.cli.settings import Settings, address, verb
from lineage.evidence import document, text

if TYPE_CHECKING:
    from lineage.gate import Gate, SyncReport


@verb
def sync(settings: Settings) -> None:
    """Read what the pipelines have done since last time.

    Commits, branches, experiments, the run cache and the work tree are read; nothing in them is changed. What waits for
    a person (sources with no declared origin, expired claims) is listed with the command that settles it.
    """
    with settings.gate() as gate:
        with settings.progress() as progress:
            report = gate.sync(progress)
        show(settings, gate, report)


def show(settings: Settings, gate: Gate, report: SyncReport, written: tuple[str, ...] = ()) -> None:
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
        ),
        lambda: text.sync_text(
            report.commits,
            report.executions,
            report.events,
            held,
            [where for _, where in todo],
            report.notices,
        ),
    )
