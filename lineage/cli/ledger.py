"""``lineagegate ledger verify|checkpoint|key|log|prove``."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError
from lineage.evidence import document
from lineage.evidence import ledger as text
from lineage.ledger.clock import moment_of

if TYPE_CHECKING:
    from lineage.graph.seals import StoredCheckpoint


@verb
@click.option(
    "--checkpoint", "files", multiple=True, metavar="FILE|-", help="Checkpoints that you kept; may be given again."
)
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A key that you trust; may be given again.")
@click.option("--tree-only", is_flag=True, help="Leave out recomputing the graph, which takes longest.")
def verify(settings: Settings, files: tuple[str, ...], keys: tuple[str, ...], tree_only: bool) -> int:
    """Recompute the ledger from its entries, and hold it against every checkpoint.

    Hashed are all entries; compared are the tree, recording times, the checkpoints of the store, of git notes, of
    registries, of file witnesses and those given here, timestamps, and every row of the graph. The message names the
    first entry that differs, exactly where a file witness knows it, otherwise between two checkpoints.

    Exit status: 0 verified, 1 something found.
    """
    from lineage.ledger.key import PublicKey

    trusted = [PublicKey.read(key) for key in keys]
    given = [_given(file) for file in files]
    with settings.gate() as gate, settings.progress() as progress:
        report = gate.verify(given, trusted, progress, tree_only=tree_only)
    found = text.LedgerVerifyDocument(
        verified=not report.findings,
        origin=report.origin,
        entries=report.size,
        root=base64.b64encode(report.root).decode(),
        checkpoints=report.checkpoints,
        outside=report.outside,
        sealed=report.sealed,
        stamped=report.stamped,
        keys=report.keys,
        graph=report.graph,
        findings=tuple(text.DeviationRef(*deviation) for deviation in report.findings),
        unproven=report.unproven,
    )
    settings.show(lambda: found, lambda: text.verify_text(found))
    return 1 if report.findings else 0


@verb
@click.option("--witness", "witnesses", multiple=True, metavar="git|file:DIR", help="Also keep it there.")
def checkpoint(settings: Settings, witnesses: tuple[str, ...]) -> int:
    """Sign a checkpoint over everything recorded, and show it to the witnesses.

    It is printed as a signed note: keep it where nobody who runs this machine can change it. The witnesses and the
    timestamp authority of the settings are asked too.

    Exit status: 0 done, 1 made, but a witness or the authority could not be reached.
    """
    with settings.gate() as gate:
        made = gate.seal.checkpoint()
        names = dict.fromkeys((*gate.seal.settings.witnesses, *witnesses))
        notices = gate.seal.publish(made, tuple(names))
        made = gate.graph.seals.newest() or made
    found = text.LedgerCheckpointDocument(_reference(made), document.notices(notices))
    settings.show(lambda: found, lambda: text.checkpoint_text(found))
    return 1 if notices else 0


@verb
@click.option("--rotate", is_flag=True, help="Change the key; the old one vouches for the new one.")
@click.option("--introduce", "keys", multiple=True, metavar="VKEY", help="Vouch for the key of another machine.")
def key(settings: Settings, rotate: bool, keys: tuple[str, ...]) -> None:
    """Show the key that verifies this machine's checkpoints; change it; vouch for another.

    Publish what is printed where you do not publish the ledger: with it, anybody can tell who signed.
    """
    from lineage.ledger.key import PublicKey

    introduced = [PublicKey.read(one) for one in keys]
    with settings.gate() as gate:
        if rotate:
            gate.seal.rotate()
        if introduced:
            gate.seal.checkpoint(introduced)
        public = gate.seal.public()
        found = text.LedgerKeyDocument(str(public or ""), str(gate.seal.settings.key))
    settings.show(lambda: found, lambda: text.key_text(found))


@verb
def log(settings: Settings) -> None:
    """List the checkpoints that were made."""
    with settings.gate() as gate:
        checkpoints = tuple(_reference(row) for row in gate.graph.seals.all())
        found = text.LedgerLogDocument(gate.seal.origin, gate.graph.position(), checkpoints)
    settings.show(lambda: found, lambda: text.log_text(found))


@verb
@click.argument("entry", type=click.IntRange(min=0))
def prove(settings: Settings, entry: int) -> None:
    """Prove that an entry is in the tree that the newest checkpoint seals.

    ENTRY is its position, counted from 0. With --format json: the event's exact text, its leaf hash, the audit path of
    RFC 9162, and the signed note.
    """
    with settings.gate() as gate:
        proof = gate.seal.prove(entry)
    found = text.LedgerProofDocument(
        entry=entry,
        event=proof.event.decode(),
        recorded=_iso(proof.recorded),
        leaf=proof.leaf.hex(),
        path=tuple(step.hex() for step in proof.path),
        size=proof.size,
        root=proof.root.hex(),
        checkpoint=proof.note,
    )
    settings.show(lambda: found, lambda: text.proof_text(found))


ledger = click.Group(
    "ledger",
    commands=[verify, checkpoint, key, log, prove],
    help="Verify the ledger, seal it, prove what is in it.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _given(file: str) -> tuple[str, str]:
    """(what it is called, its text) of a file with checkpoints."""
    if file == "-":
        return "the checkpoint given", sys.stdin.read()
    try:
        return f"the checkpoint in {file}", Path(file).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read", code="CHECKPOINT_UNREADABLE", cause=str(error)) from None


def _reference(row: StoredCheckpoint) -> text.CheckpointRef:
    return text.CheckpointRef(row.position, _iso(row.recorded), row.note, bool(row.timestamp))


def _iso(time: int) -> str:
    return moment_of(time).isoformat().replace("+00:00", "Z")
