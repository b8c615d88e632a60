"""Making a bundle of a case: fetch its entries, leaf hashes and checkpoints from the record, and have the key sign.

What goes into the file is `lineage.evidence.bundle`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.errors import CannotDecide, UsageError
from lineage.evidence.bundle import Bundle, Material, Redact, make
from lineage.evidence.case import Case
from lineage.gate.gate import Gate
from lineage.ledger import note, root_of


def bundle(
    gate: Gate, case: Case, *, redact: frozenset[Redact] = frozenset(), checkpoints: Mapping[str, str] | None = None
) -> Bundle:
    """A case with everything that a stranger needs to check it.

    Args:
        gate: the record that the case is from, as it stands now.
        case: what is handed over.
        redact: what to replace by pseudonyms.
        checkpoints: signed notes kept outside, by what people call them, which the bundle shall be shown to continue.

    Raises:
        UsageError: ``NO_CHECKPOINT``; ``CHECKPOINT_FOREIGN``, one is of another log; ``LEDGER_KEY_UNUSABLE``.
        CannotDecide: ``RECORD_REWRITTEN``, the record is not the one that a checkpoint fixes; what `make` raises.
    """
    seal = case.seal
    if seal is None:
        raise UsageError(
            "no checkpoint covers this case, so nothing in it could be proven",
            code="NO_CHECKPOINT",
            hint="lineagegate ledger checkpoint",
        )
    notes = _own(gate, case, seal.note)
    given = {name: _read(name, text, seal.origin) for name, text in (checkpoints or {}).items()}
    leaves = list(gate.seals.leaves(0, max([seal.size, *notes, *(point.size for point in given.values())])))
    for name, point in given.items():
        if len(leaves) < point.size or root_of(leaves[: point.size]) != point.root:
            raise CannotDecide(
                f"this record is not the one that the checkpoint {name} fixes, so no bundle was made",
                code="RECORD_REWRITTEN",
                cause=f"{name} fixes {point.size} entries; {gate.graph.position()} are here"
                + ("" if len(leaves) < point.size else ", and the first of them have another root hash"),
                hint=f"lineagegate ledger verify --checkpoint {name}",
            )
        if (checkpoints or {})[name] != seal.note:
            notes.setdefault(point.size, (checkpoints or {})[name])
    events = {entry.position: gate.graph.event(entry.position).data for entry in case.entries}
    certificate = gate.seal.settings.certificate
    authority = certificate.read_bytes() if certificate is not None and certificate.is_file() else b""
    return make(Material(case, events, leaves, notes, authority, gate.seal.signer()), redact)


def _own(gate: Gate, case: Case, sealed: str) -> dict[int, str]:
    """Checkpoints of the record that a stranger may hold, or needs: the oldest one, those that were made at the case's
    decisions (a registry keeps them), and those that introduce a key."""
    seals = gate.seals
    stored = [seals.over(1), *(seals.over(item.entry + 1) for item in case.decisions)]
    stored += seals.naming_keys(gate.graph.position())
    return {row.position: row.note for row in stored if row is not None and row.note != sealed}


def _read(name: str, text: str, origin: str) -> note.Checkpoint:
    point = note.read_checkpoint(note.parse(text).text)
    if point.origin != origin:
        raise UsageError(
            f"{name} is a checkpoint of another record",
            code="CHECKPOINT_FOREIGN",
            cause=f"{point.origin} there, {origin} here",
        )
    return point


def notes_of(texts: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Checkpoints in files that may hold several, by name and number."""
    found: dict[str, str] = {}
    for name, text in texts:
        notes = note.split(text)
        found |= {name if len(notes) == 1 else f"{name}:{number}": each for number, each in enumerate(notes, 1)}
    return found
