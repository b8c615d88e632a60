"""What goes into a bundle: the dossier, the entries, their place in the record, who signed, and how to check it.

Pure but for the key that signs: the same case, entries and key give the same bytes. A bundle that its own verifier does
not accept is never handed out.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from importlib.util import find_spec
from typing import NamedTuple

import msgspec

from lineage.errors import CannotDecide, UsageError
from lineage.events.event import Event
from lineage.evidence.bundle import verify
from lineage.evidence.bundle.archive import archive
from lineage.evidence.bundle.redact import Redact, Redaction, commitment
from lineage.evidence.case import Case
from lineage.evidence.document import encode
from lineage.ledger import leaf_hash, root_of
from lineage.ledger.key import SigningKey
from lineage.ledger.note import sign
from lineage.ledger.proof import consistency_path

_STATIC = ("README.txt", "verify.py")


class Material(NamedTuple):
    """What a bundle is made of."""

    case: Case
    """With a seal."""
    events: Mapping[int, bytes]
    """Exact bytes of each of the case's entries, by position."""
    leaves: Sequence[bytes]
    """Leaf hashes of the ledger from its first entry on, at least as many as the largest checkpoint covers."""
    checkpoints: Mapping[int, str]
    """Other checkpoints to show that the record only grew: signed notes by size."""
    authority: bytes
    """Certificates of the timestamp's authority, PEM; empty where none are known."""
    key: SigningKey
    """The ledger's key: it signs the list of what is in the bundle."""


class Bundle(NamedTuple):
    """A bundle and what stays with whoever made it."""

    data: bytes
    """The zip file."""
    openings: str
    """JSON with the value behind every pseudonym; empty when nothing was redacted. To be kept by the operator."""
    withheld: int
    """Entries of which a redacted copy is in it."""

    @property
    def sha256(self) -> str:
        """Of the zip file, hex."""
        return sha256(self.data).hexdigest()


def make(material: Material, redact: frozenset[Redact] = frozenset()) -> Bundle:
    """Make a bundle.

    Args:
        material: what goes into it.
        redact: what to replace by pseudonyms.

    Raises:
        UsageError: ``NO_CHECKPOINT``, the case has no seal; ``BUNDLE_TOO_LARGE``.
        CannotDecide: ``LEDGER_DAMAGED``, an entry does not have its hash; ``REDACTION_INCOMPLETE``, a redacted value
            would still be in it; ``BUNDLE_UNSOUND``, its own verifier refuses it.
    """
    case, seal = material.case, material.case.seal
    if seal is None or any(entry.position >= seal.size for entry in case.entries):
        raise UsageError(
            "no checkpoint covers this case, so nothing in it can be proven",
            code="NO_CHECKPOINT",
            hint="lineagegate ledger checkpoint",
        )
    for entry in case.entries:
        if not leaf_hash(material.events[entry.position]).hex() == entry.hash == material.leaves[entry.position].hex():
            raise CannotDecide(
                f"entry {entry.position} of the ledger does not have its hash",
                code="LEDGER_DAMAGED",
                hint="lineagegate ledger verify",
            )
    said = encode(case)
    texts = {position: data.decode() for position, data in sorted(material.events.items())}
    shown, openings = texts, dict[str, tuple[str, str]]()
    redaction = None
    if redact:
        redaction = Redaction(redact, _secret(material, redact))
        redaction.learn(said, Case)
        for text in texts.values():
            redaction.learn(text, Event)
        said = redaction.apply(said, Case)
        case = msgspec.json.decode(said, type=Case)
        shown = {position: redaction.apply(text, Event) for position, text in texts.items()}
        openings = dict(redaction.openings())

    members = {name: files(__package__).joinpath(name).read_bytes() for name in _STATIC}
    members |= _dossier(case, said)
    members["entries.jsonl"] = _entries(material, texts, shown)
    members["tree.json"] = _tree(material)
    members["checkpoint.txt"] = seal.note.encode()
    members |= {f"checkpoints/{size}.txt": note.encode() for size, note in sorted(material.checkpoints.items())}
    members["keys.txt"] = "".join(f"{key}\n" for key in seal.keys).encode()
    if seal.timestamp:
        members["timestamp.tsr"] = base64.b64decode(seal.timestamp)
        if material.authority:
            members["timestamp-authority.pem"] = material.authority
    listed = {
        "format": verify.BUNDLE_FORMAT,
        "log": seal.origin,
        "size": seal.size,
        "root": seal.root,
        "redacted": sorted(kind.value for kind in redact),
        "commitments": {token: commitment(*opening) for token, opening in openings.items()},
        "files": {name: sha256(content).hexdigest() for name, content in members.items()},
    }
    members["bundle.json"] = _json(listed)
    text = f"{verify.BUNDLE_FORMAT}\n{seal.origin}\nsha256:{sha256(members['bundle.json']).hexdigest()}\n"
    members["bundle.note"] = sign(text, [material.key]).encode()
    if redaction is not None:
        _check_redacted(redaction, members)
    data = archive(members)
    _check(data)
    return Bundle(data, _openings(openings), sum(shown[position] != text for position, text in texts.items()))


def verifier() -> tuple[bytes, str]:
    """The verifier's text and its SHA-256 in hex: what a trusted copy is compared with."""
    data = files(__package__).joinpath("verify.py").read_bytes()
    return data, sha256(data).hexdigest()


def _dossier(case: Case, said: str) -> dict[str, bytes]:
    from lineage.evidence.dossier.html import html

    made = {"case.json": said.encode(), "dossier.html": html(case).encode()}
    if find_spec("typst") is not None:
        from lineage.evidence.dossier.pdf import pdf

        made["dossier.pdf"] = pdf(case)
    return made


def _entries(material: Material, texts: Mapping[int, str], shown: Mapping[int, str]) -> bytes:
    lines = []
    for position, text in texts.items():
        form = "event" if shown[position] == text else "redacted"
        lines.append(_json({"entry": position, "leaf": material.leaves[position].hex(), form: shown[position]}, False))
    return b"".join(lines)


def ranges(leaves: Sequence[bytes], size: int, inside: Sequence[int]) -> dict[tuple[int, int], bytes]:
    """The audit paths of some leaves (RFC 6962 section 2.1.1), each hash once.

    Args:
        leaves: leaf hashes, at least ``size``.
        size: of the tree.
        inside: which leaves, ascending.

    Returns:
        Hashes of subtrees that hold none of them, by the entries they cover: start included, end not included.
    """
    found: dict[tuple[int, int], bytes] = {}

    def split(start: int, end: int, inside: Sequence[int]) -> None:
        if not inside:
            found[start, end] = root_of(leaves[start:end])
        elif end - start > 1:
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            at = bisect_left(inside, middle)
            split(start, middle, inside[:at])
            split(middle, end, inside[at:])

    split(0, size, inside)
    return found


def _tree(material: Material) -> bytes:
    assert material.case.seal is not None
    size, leaves = material.case.seal.size, material.leaves
    hashes = ranges(leaves, size, sorted(material.events))
    proofs = []
    for other in sorted(material.checkpoints):
        first, last = sorted((other, size))
        if first == last:
            continue
        path = consistency_path(leaves, first, last)
        proofs.append({"from": first, "to": last, "proof": [node.hex() for node in path]})
    named = {f"{start}-{end}": value.hex() for (start, end), value in hashes.items()}
    return _json({"size": size, "hashes": named, "consistency": proofs})


def _secret(material: Material, redact: frozenset[Redact]) -> bytes:
    """Bytes that only the key's owner can make, others for every case: a signature over what no checkpoint says."""
    question = encode(material.case.question)
    kinds = ",".join(sorted(kind.value for kind in redact))
    assert material.case.seal is not None
    text = f"lineagegate salts of a bundle\n{material.case.seal.root}\n{kinds}\n{question}\n"
    return sha256(material.key.sign(text.encode())).digest()


def _openings(openings: Mapping[str, tuple[str, str]]) -> str:
    if not openings:
        return ""
    values = {token: {"salt": salt, "value": exact} for token, (salt, exact) in openings.items()}
    return _json({"format": verify.OPENINGS_FORMAT, "openings": values}).decode()


def _check_redacted(redaction: Redaction, members: Mapping[str, bytes]) -> None:
    """No redacted value stands in any member that is text and not the same in every bundle."""
    from html import unescape

    for name, content in members.items():
        if name in _STATIC or name.startswith(("dossier.pdf", "timestamp")):
            continue
        text = content.decode()
        left = redaction.left(text) or (redaction.left(unescape(text)) if name.endswith(".html") else "")
        if left:
            raise CannotDecide(
                f"a redacted value would still be in {name}, so no bundle was made",
                code="REDACTION_INCOMPLETE",
                cause=f"{left!r} stands where it cannot be replaced (a name of the project, the log or the model?)",
                hint="redact less (--redact), or take the value out of the project's own names",
            )


def _check(data: bytes) -> None:
    said: list[str] = []
    status = verify.Check(data, verify.Given(), said.append).run()
    if status == 1:
        raise CannotDecide(
            "the bundle would not verify, so none was made",
            code="BUNDLE_UNSOUND",
            cause=said[-1],
            hint="lineagegate ledger verify",
        )


def _json(value: object, spread: bool = True) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1 if spread else None) + "\n").encode()
