"""``lineagegate store backup|restore``."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lineage.cli.settings import Settings, verb

if TYPE_CHECKING:
    from lineage.evidence.store import StoreCopyDocument
    from lineage.gate.backup import Copied


@verb
@click.argument("file", metavar="FILE")
def backup(settings: Settings, file: str) -> None:
    """Copy the store into FILE, which is not there yet, while others write.

    The file is a store in SQLite with every row, whatever database it comes from: one moment's, with its tree
    recomputed. `ledger verify --store FILE` verifies it like any other. Settings, policy and the signing key are not in
    it.

    \b
    lineagegate store backup /backup/lineage-2026-11-22.db
    """
    from lineage.evidence import store as text
    from lineage.gate.backup import back_up

    url = settings.config().store_url
    with settings.progress() as progress:
        made = back_up(url, Path(file), progress or _quiet)
    found = _document(made, file)
    settings.show(lambda: found, lambda: text.backup_text(found))


@verb
@click.option("--tree-only", is_flag=True, help="Leave out recomputing the graph, which takes longest.")
@click.argument("file", metavar="FILE")
def restore(settings: Settings, file: str, tree_only: bool) -> None:
    """Make the store of FILE, a backup, in a database that is empty or not made yet.

    Nothing is replaced: where there are entries or tokens, it is refused. All is recomputed from the entries and
    compared before any of it is kept. Any store in SQLite is a backup, so this also moves one into PostgreSQL.

    \b
    lineagegate --store postgresql://lineage@db/lineage store restore lineage-2026-11-22.db
    """
    from lineage.evidence import store as text
    from lineage.gate.backup import restore as bring_back

    url = settings.config().store_url
    with settings.progress() as progress:
        made = bring_back(Path(file), url, progress or _quiet, tree_only=tree_only)
    found = _document(made, file)
    settings.show(lambda: found, lambda: text.restore_text(found))


store = click.Group(
    "store",
    commands=[backup, restore],
    help="Back up the store while it is used, and bring it back.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _quiet(*_: object) -> None:
    """Nobody watches."""


def _document(made: Copied, file: str) -> StoreCopyDocument:
    from lineage.evidence.store import StoreCopyDocument

    return StoreCopyDocument(
        file, made.store, made.entries, base64.b64encode(made.root).decode(), made.checkpoints, made.size, made.whole
    )
