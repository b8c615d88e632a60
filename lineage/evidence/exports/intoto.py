"""in-toto Statement v1 in a DSSE 1.0 envelope: one for each recorded decision, one a line (an in-toto bundle).

=====================================  ======================================================================
ours                                   in-toto, DSSE
=====================================  ======================================================================
what was judged, by content key        subject; digest md5 or sha256, of a directory ``dvcDirMd5``: the hash of its list
the ledger entry with the decision     subject; digest ``rfc6962LeafSha256``, its leaf hash
the decision                           predicate of the type `PREDICATE` (schemas/exports/decision-v1.json)
the checkpoint that covers it          predicate.checkpoint
the ledger's key                       signature; keyid is name+id, as in signed notes
=====================================  ======================================================================

A statement says that the decision was recorded, not that it was right, and nothing of decisions that were not recorded.
The envelope proves who signed; that the record was not changed since is proven by the checkpoint and inclusion proofs
of a bundle, not by this. The same key signs checkpoints: what is signed here begins with ``DSSEv1 ``, a checkpoint with
the log's name, which holds no space, so that neither is ever read as the other.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec

from lineage.errors import CannotDecide, printable
from lineage.evidence.case import Case, Judgement
from lineage.evidence.document import Document
from lineage.evidence.exports.view import VOCABULARY, digest, utc
from lineage.vocabulary import Decision

if TYPE_CHECKING:
    from lineage.ledger.key import SigningKey

VERSION = "Statement v1, DSSE 1.0"
STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
PREDICATE = VOCABULARY + "decision-v1.json"
"""The type of the predicate, and the address of its schema."""


class Checkpoint(Document, frozen=True):
    """The state of the log that covers the decision."""

    log: str
    """Name of the log."""
    size: int
    root: str
    """Base64, as in the signed note."""
    time: str


class DecisionPredicate(Document, frozen=True):
    """What the statement says of its subjects: the gate decided this about them."""

    decision: Decision
    """As it was recorded."""
    entry: int
    """Ledger entry that holds it, counted from 0."""
    checkpoint: Checkpoint | None
    """None where the store had none when this was written."""


def intoto(case: Case, key: SigningKey) -> str:
    """An envelope for each decision of the case, oldest first, one a line.

    Args:
        case: with its decisions.
        key: the ledger's.

    Raises:
        CannotDecide: ``EXPORT_NO_DECISION``, none is recorded; ``EXPORT_NO_SUBJECT``, neither what was judged nor the
            entry is known.
    """
    if not case.decisions:
        raise CannotDecide(
            f"no decision about {case.question.subject} is recorded, so there is nothing to state",
            code="EXPORT_NO_DECISION",
            hint="a registration records one; lineagegate history MODEL lists what is recorded",
        )
    leaves = {entry.position: entry.hash for entry in case.entries}
    statements = (statement(case, judged, leaves.get(judged.entry, "")) for judged in case.decisions)
    return "".join(f"{envelope(text, key)}\n" for text in statements)


def statement(case: Case, judged: Judgement, leaf: str) -> bytes:
    """The statement about one decision: UTF-8 JSON without spaces between.

    Args:
        case: that it belongs to.
        judged: the decision.
        leaf: hash of its ledger entry, hex; empty when it is not known.
    """
    seal = case.seal if case.seal and judged.entry < case.seal.size else None
    checkpoint = Checkpoint(seal.origin, seal.size, seal.root, utc(seal.time)) if seal else None
    document = {
        "_type": STATEMENT,
        "subject": _subjects(judged, leaf),
        "predicateType": PREDICATE,
        "predicate": msgspec.to_builtins(DecisionPredicate(judged.decision, judged.entry, checkpoint)),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _subjects(judged: Judgement, leaf: str) -> list[dict[str, Any]]:
    decision, found = judged.decision, []
    if known := digest(judged.content):
        found.append({"name": printable(decision.subject), "digest": {known[0]: known[1]}})
    elif known := digest(judged.content.removesuffix(".dir")):
        found.append({"name": printable(decision.subject), "digest": {f"dvcDir{known[0].capitalize()}": known[1]}})
    if leaf:
        found.append({"name": f"entry {judged.entry}", "digest": {"rfc6962LeafSha256": leaf}})
    if not found:
        raise CannotDecide(
            f"neither what decision {decision.id} was about nor its ledger entry is in the case",
            code="EXPORT_NO_SUBJECT",
            hint=f"lineagegate why {decision.id} shows it",
        )
    return found


def envelope(payload: bytes, key: SigningKey) -> str:
    """A DSSE envelope over a statement (DSSE v1.0.2, protocol.md and envelope.md)."""
    signature = base64.b64encode(key.sign(preauthenticated(payload))).decode()
    document = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD,
        "signatures": [{"keyid": f"{key.name}+{key.id.hex()}", "sig": signature}],
    }
    return json.dumps(document, separators=(",", ":"))


def preauthenticated(payload: bytes) -> bytes:
    """What is signed: PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)
