"""``lineagegate forward``, and what ``sync`` and ``status`` tell of the team's server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from lineage.cli.settings import Settings, verb
from lineage.errors import LineageError, UsageError

if TYPE_CHECKING:
    from lineage.evidence.document import WaitingDocument
    from lineage.gate import Gate
    from lineage.gate.outbox import Outbox, Waiting

AFTER_SYNC = 20.0
"""Seconds that forwarding may take after a sync; what is left waits for the next."""


@verb
@click.option("--wait", default=0, metavar="SECONDS", type=click.IntRange(0), help="Go on that long while it fails.")
@click.option("--again", is_flag=True, help="Send once more what the server refused for good.")
def forward(settings: Settings, wait: int, again: bool) -> int:
    """Send what is recorded here to the team's server.

    The server is `server` under [team] in lineage.toml, or LINEAGE_SERVER; the token is in a file that only you can
    read, or in LINEAGE_TOKEN. Everything is recorded here first: what the server has not acknowledged is sent again,
    and counted once. Events need a producer's token, what people said needs a steward's of theirs.

    \b
    lineagegate forward
    lineagegate forward --wait 600

    Exit status: 0 nothing waits, 1 the server refuses something for good, 3 something still waits.
    """
    from lineage.evidence.forward import ForwardDocument, forward_text

    with settings.gate() as gate:
        outbox = outbox_of(gate)
        if outbox is None:
            raise UsageError(
                "no server is named here", code="SERVER_MISSING",
                hint='[team] server = "https://lineage.example.com" in lineage.toml, or LINEAGE_SERVER',
            )  # fmt: skip
        with settings.progress() as progress:
            done = outbox.forward(wait or None, again=again, progress=progress)
    found = ForwardDocument(done.sent, waiting_document(done.waiting))
    settings.show(lambda: found, lambda: forward_text(found))
    if done.waiting.total or done.waiting.error:
        return 3
    return 1 if done.waiting.refused else 0


def outbox_of(gate: Gate) -> Outbox | None:
    """What goes to the team's server; None where no server is named."""
    if "team" not in gate.config.extra and not _named():
        return None
    from lineage.gate.client import Team
    from lineage.gate.outbox import Outbox

    team = Team.of(gate.config)
    return Outbox(gate.graph, gate.seal, team) if team else None


def after_sync(gate: Gate, *, now: bool) -> WaitingDocument | None:
    """Forward after a sync, for a short while; what does not go is told and fails nothing.

    Args:
        gate: whose ledger was brought up to date.
        now: send; else only say what waits.
    """
    try:
        outbox = outbox_of(gate)
        if outbox is None:
            return None
        return waiting_document(outbox.forward(AFTER_SYNC).waiting if now else outbox.waiting())
    except LineageError as error:
        click.echo(f"lineagegate: not forwarded: {error}", err=True)
        return None


def later(settings: Settings) -> None:
    """Forward in a process of its own, that nobody waits for."""
    if not _named() and "team" not in settings.config().extra:
        return
    command = [sys.executable, "-c", "import sys; from lineage.cli.main import main; sys.exit(main())"]
    store = ["--store", settings.store] if settings.store else []
    where = ["-C", str(settings.start)] if settings.directory else []
    subprocess.Popen(  # noqa: S603 - ourselves
        [*command, "forward", *store, *where], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, env=os.environ,
    )  # fmt: skip


def waiting_document(found: Waiting) -> WaitingDocument:
    """What waits, as programs read it."""
    from lineage.evidence.document import RefusedEntry, WaitingDocument

    refused = tuple(RefusedEntry(item.position, item.code, item.reason) for item in found.refused)
    return WaitingDocument(
        found.server, found.events, found.acts, found.since, refused, found.tried, found.error, found.hint
    )


def _named() -> bool:
    return bool(os.environ.get("LINEAGE_SERVER"))
