"""What the verbs of ``ledger`` print: documents, and the same as text."""

from __future__ import annotations

from lineage.evidence.document import Document, NoticeRef
from lineage.evidence.layout import MARK, count, fields, page, table


class DeviationRef(Document, frozen=True):
    """Something that is not as it must be."""

    code: str
    message: str
    first: int | None
    """The first entry that differs, or may; counted from 0."""
    last: int | None
    """The last entry that the first difference may be at; equal to ``first`` when it is known exactly."""
    hint: str


class LedgerVerifyDocument(Document, frozen=True):
    """``ledger verify``."""

    verified: bool
    """Whether nothing was found."""
    origin: str
    """The log's name."""
    entries: int
    root: str
    """Root of the tree, base64 as in checkpoints."""
    checkpoints: int
    """Checkpoints in the store that hold."""
    outside: tuple[str, ...]
    """Where checkpoints from outside of the store were read, and how many."""
    sealed: int
    """Entries that the largest checkpoint from outside seals which holds."""
    stamped: str
    """When the newest timestamp that holds was given; empty: none."""
    keys: tuple[str, ...]
    """The keys that signatures were checked with."""
    graph: bool
    """Whether the graph was recomputed."""
    findings: tuple[DeviationRef, ...]
    unproven: tuple[str, ...]
    """What this does not show."""


class CheckpointRef(Document, frozen=True):
    """A checkpoint of the ledger."""

    entries: int
    """How many it seals."""
    recorded: str
    """When it was made, ISO 8601."""
    note: str
    """The signed note, with every byte."""
    stamped: bool
    """Whether it has a timestamp of an authority."""


class LedgerCheckpointDocument(Document, frozen=True):
    """``ledger checkpoint``."""

    checkpoint: CheckpointRef
    notices: tuple[NoticeRef, ...]
    """Witnesses and the authority that could not be reached."""


class LedgerKeyDocument(Document, frozen=True):
    """``ledger key``."""

    key: str
    """What verifies this machine's signatures (vkey); empty: there is no key yet."""
    file: str


class LedgerLogDocument(Document, frozen=True):
    """``ledger log``."""

    origin: str
    entries: int
    checkpoints: tuple[CheckpointRef, ...]


class LedgerProofDocument(Document, frozen=True):
    """``ledger prove``: with these, anybody computes the root from the event (RFC 9162, section 2.1.3)."""

    entry: int
    """Its position, counted from 0."""
    event: str
    """Its exact bytes; JSON in UTF-8."""
    recorded: str
    leaf: str
    """SHA-256 over 0x00 and the event's bytes, hexadecimal."""
    path: tuple[str, ...]
    """The audit path, hexadecimal, from the leaf upwards."""
    size: int
    """Entries that the checkpoint seals."""
    root: str
    """Hexadecimal."""
    checkpoint: str
    """The signed note."""


def verify_text(found: LedgerVerifyDocument) -> str:
    """The result first, then what was found, what was checked, and what that does not show."""
    if found.verified:
        lines = [f"verified: {count_entries(found.entries)} of {found.origin}"]
    else:
        lines = [f"NOT verified: {count(len(found.findings), 'finding')} in the ledger {found.origin}"]
        for finding in found.findings:
            lines += ["", f"{finding.code}", f"{MARK}{finding.message}"]
            lines += [f"{MARK}{finding.hint}"] if finding.hint else []
        lines += ["", "checked"]
    outside = "; ".join(found.outside) or "none found"
    graph = "not recomputed" if not found.graph else "every row recomputed from the entries"
    lines += fields(
        [
            ("entries", f"{found.entries:,} hashed, root {found.root}"),
            ("seals", f"{count(found.checkpoints, 'checkpoint')} of the store hold"),
            ("outside", f"{outside}; {count_entries(found.sealed)} sealed by them"),
            ("graph", graph),
            ("time", f"an authority saw it {found.stamped}" if found.stamped else ""),
            *(("key" if i == 0 else "", key) for i, key in enumerate(found.keys)),
        ]
    )
    if found.unproven:
        lines += ["", "what this does not show", *(f"{MARK}{sentence}" for sentence in found.unproven)]
    return page(lines)


def checkpoint_text(made: LedgerCheckpointDocument) -> str:
    """The note as it is, so that it can be piped; then what could not be reached."""
    notices = [f"{notice.where}: {notice.message}" for notice in made.notices]
    return "\n".join([page(made.checkpoint.note.removesuffix("\n").split("\n")), *([page(notices)] if notices else [])])


def key_text(key: LedgerKeyDocument) -> str:
    """The vkey alone, so that it can be piped."""
    return page([key.key or "there is no key yet; the first decision makes one, or `lineagegate ledger checkpoint`"])


def log_text(log: LedgerLogDocument) -> str:
    """The checkpoints, newest last."""
    lines = [
        f"{count_entries(log.entries)} in {log.origin}, {count(len(log.checkpoints), 'checkpoint')}",
    ]
    rows = [(f"{c.entries:,}", c.recorded, "timestamp" if c.stamped else "") for c in log.checkpoints]
    return page([*lines, *table([("entries", "made", ""), *rows] if rows else [])])


def proof_text(proof: LedgerProofDocument) -> str:
    """The proof, and what it proves."""
    lines = [f"entry {proof.entry} is in the tree of {count_entries(proof.size)}"]
    lines += fields([("recorded", proof.recorded), ("leaf", proof.leaf), ("root", proof.root)])
    lines += fields([("path" if i == 0 else "", step) for i, step in enumerate(proof.path)])
    return page([*lines, "", *proof.checkpoint.rstrip("\n").split("\n")])


def count_entries(number: int) -> str:
    """``1 entry``, ``1,200 entries``."""
    return f"{number:,} entr{'y' if number == 1 else 'ies'}"
