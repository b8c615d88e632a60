"""The checkpoint that seals what a case rests on, as the case shows it. Whether it holds is for verification to say."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timezone

from lineage.evidence.case import Seal
from lineage.graph.seals import Seals, StoredCheckpoint
from lineage.ledger import note
from lineage.ledger.clock import moment_of
from lineage.ledger.key import PublicKey

_TIME = re.compile(rb"\x18[\x0f-\x1f](\d{14})(\.\d+)?Z")
"""ASN.1 GeneralizedTime; the first one in a TimeStampResp is ``genTime`` of its TSTInfo (RFC 3161 section 2.4.2)."""


def seal_over(seals: Seals, position: int) -> Seal | None:
    """The first checkpoint over at least so many entries, so that later ones change no earlier case; else the newest.

    Args:
        seals: the store's checkpoints.
        position: number of entries that the answer takes into account.

    Returns:
        None where there is no checkpoint.

    Raises:
        CannotDecide: ``NOTE_MALFORMED``.
    """
    stored = seals.over(position) or seals.newest()
    if stored is None:
        return None
    taken = note.parse(stored.note)
    checkpoint = note.read_checkpoint(taken.text)
    return Seal(
        checkpoint.origin,
        checkpoint.size,
        base64.b64encode(checkpoint.root).decode(),
        stored.note,
        checkpoint.time or moment_of(stored.recorded).isoformat(),
        _keys(seals, taken, stored),
        base64.b64encode(stored.timestamp).decode(),
        _stamped(stored.timestamp),
    )


def _keys(seals: Seals, taken: note.Note, stored: StoredCheckpoint) -> tuple[str, ...]:
    """The keys of its signatures: checkpoints up to it name them."""
    signers = [(signature.name, signature.id) for signature in taken.signatures]
    found: dict[tuple[str, bytes], str] = {}
    for naming in seals.naming_keys(stored.position):
        for text in note.read_checkpoint(note.parse(naming.note).text).keys:
            key = PublicKey.read(text)
            found.setdefault((key.name, key.id), text)
    return tuple(found[signer] for signer in signers if signer in found)


def _stamped(token: bytes) -> str:
    """The time that a timestamp states; empty where there is none."""
    found = _TIME.search(token)
    if found is None:
        return ""
    time = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    return time.isoformat()
