"""What the verbs of ``store`` print: a document, and the same as text."""

from __future__ import annotations

from lineage.evidence.document import Document
from lineage.evidence.layout import count, fields, page
from lineage.evidence.ledger import count_entries


class StoreCopyDocument(Document, frozen=True):
    """``store backup`` and ``store restore``: what is there now, recomputed from what was written."""

    file: str
    """The backup."""
    store: str
    """The store, without a password."""
    entries: int
    root: str
    """Root of the tree, base64 as in checkpoints."""
    checkpoints: int
    """Checkpoints that hold."""
    size: int
    """Bytes of the backup."""
    graph: bool
    """Whether every row of the graph was recomputed too."""


def backup_text(made: StoreCopyDocument) -> str:
    """Where it is and what was checked."""
    lines = [f"backed up: {count_entries(made.entries)} of {made.store} in {made.file}", *_fields(made)]
    return page(
        [*lines, "", "Not in it: settings, policy, the signing key (`lineagegate ledger key` tells where it lies)."]
    )


def restore_text(made: StoreCopyDocument) -> str:
    """What is there, what was checked, and what to do next."""
    lines = [f"restored: {count_entries(made.entries)} of {made.file} in {made.store}", *_fields(made)]
    after = "`lineagegate ledger verify` tells what checkpoints kept elsewhere have seen beyond it."
    return page([*lines, "", after])


def _fields(made: StoreCopyDocument) -> list[str]:
    graph = "every row recomputed from the entries" if made.graph else "copied, not recomputed"
    return fields([
        ("tree", f"recomputed, root {made.root}; {count(made.checkpoints, 'checkpoint')} hold"),
        ("graph", graph),
        ("size", f"{made.size:,} bytes"),
    ])  # fmt: skip
