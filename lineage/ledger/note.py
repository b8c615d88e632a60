"""Signed notes (C2SP signed-note) and what ours say: a checkpoint of the ledger (C2SP tlog-checkpoint).

A note is a text, a blank line, and signature lines. A checkpoint's text is the log's name, its size, the root of its
tree, and extension lines; ours are ``time …`` (when it was made) and ``key …`` (a key that its signers vouch for).
Pure text here; keys and their arithmetic are `lineage.ledger.key`'s.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from lineage.errors import CannotDecide

MOST_BYTES = 1_000_000
MOST_SIGNATURES = 100
_DASH = "— "


class Verifies(Protocol):
    """A key that signatures are checked with."""

    @property
    def name(self) -> str:
        """Who signs with it."""
        ...

    @property
    def id(self) -> bytes:
        """Four bytes that signature lines name it by."""
        ...

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is by this key over this text."""
        ...


class Signs(Protocol):
    """A key that signs."""

    @property
    def name(self) -> str:
        """Who signs with it."""
        ...

    @property
    def id(self) -> bytes:
        """Four bytes that signature lines name it by."""
        ...

    def sign(self, text: bytes) -> bytes:
        """The signature over a text."""
        ...


class Signature(NamedTuple):
    """One signature line."""

    name: str
    id: bytes
    """Key id, 4 bytes."""
    value: bytes


class Note(NamedTuple):
    """A note taken apart. Nothing about it is checked yet."""

    text: str
    """What is signed, its final newline included."""
    signatures: tuple[Signature, ...]


class Checkpoint(NamedTuple):
    """What a checkpoint says."""

    origin: str
    """Name of the log."""
    size: int
    """Number of entries it seals."""
    root: bytes
    """Root of the tree of that size."""
    extensions: tuple[str, ...] = ()

    @property
    def time(self) -> str:
        """When it says it was made, ISO 8601; empty when it does not say."""
        return next((line[5:] for line in self.extensions if line.startswith("time ")), "")

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys (vkey texts) that its signers vouch for."""
        return tuple(line[4:] for line in self.extensions if line.startswith("key "))


def parse(message: str) -> Note:
    """Take a note apart.

    Raises:
        CannotDecide: ``NOTE_MALFORMED``.
    """
    if len(message) > MOST_BYTES or len(message.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise _malformed("it is too long")
    if any(char < " " and char != "\n" for char in message) or any("\ud800" <= char <= "\udfff" for char in message):
        raise _malformed("it holds control characters or is not UTF-8")
    at = message.rfind("\n\n")
    if at < 0:
        raise _malformed("no blank line divides text and signatures")
    text, lines = message[: at + 1], message[at + 2 :]
    if not lines.endswith("\n"):
        raise _malformed("there is no signature line" if not lines else "the last line has no end")
    signatures = tuple(_signature(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MOST_SIGNATURES:
        raise _malformed(f"it has more than {MOST_SIGNATURES} signatures")
    return Note(text, signatures)


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not is_name(name):
        raise _malformed(f"not a signature line: {line[:60]!r}")
    raw = decode(encoded)
    if raw is None or len(raw) < 5:
        raise _malformed(f"a signature that cannot be read: {line[:60]!r}")
    return Signature(name, raw[:4], raw[4:])


def split(texts: str) -> list[str]:
    """Notes that were appended to each other, apart again, as far as they are notes.

    The text of each is one without blank lines, as a checkpoint's is; blank lines between notes are passed over, and
    what mail does to lines is undone: CRLF, and a last line without end.
    """
    found: list[str] = []
    lines: list[str] = []
    signed = False
    for line in (*texts.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), ""):
        if signed and not line.startswith(_DASH):
            found.append("\n".join(lines) + "\n")
            lines, signed = [], False
        if not lines and not line:
            continue
        signed = signed or (line.startswith(_DASH) and lines[-1:] == [""])
        lines.append(line)
    rest = "\n".join(lines).strip("\n")
    return [*found, rest + "\n"] if rest else found


def sign(text: str, keys: Iterable[Signs]) -> str:
    """A signed note.

    Args:
        text: what is signed; ends in a newline.
        keys: each adds one line.
    """
    if not text.endswith("\n") or any(char < " " and char != "\n" for char in text):
        raise ValueError("a note's text ends in a newline and holds no control characters")
    lines = [f"{_DASH}{key.name} {base64.b64encode(key.id + key.sign(text.encode())).decode()}\n" for key in keys]
    return f"{text}\n{''.join(lines)}"


def verified(note: Note, keys: Iterable[Verifies]) -> list[Verifies]:
    """Those of some keys that signed a note; signatures by other keys are ignored.

    Raises:
        CannotDecide: ``SIGNATURE_INVALID``, a line names one of the keys and is not its signature;
            ``SIGNATURE_UNKNOWN``, no line is by any of the keys.
    """
    known = {(key.name, key.id): key for key in keys}
    text, found = note.text.encode(), dict[tuple[str, bytes], Verifies]()
    for name, id_, value in note.signatures:
        key = known.get((name, id_))
        if key is None or (name, id_) in found:
            continue
        if not key.verify(text, value):
            raise CannotDecide(
                "the signature of a checkpoint is wrong",
                code="SIGNATURE_INVALID",
                cause=f"the line of key {name}+{id_.hex()} is not a signature over this text",
            )
        found[name, id_] = key
    if not found:
        signers = ", ".join(f"{name}+{id_.hex()}" for name, id_, _ in note.signatures)
        raise CannotDecide(
            "a checkpoint is signed by no key that is trusted",
            code="SIGNATURE_UNKNOWN",
            cause=f"it is signed by {signers}",
            hint="lineagegate ledger verify --key VKEY",
        )
    return list(found.values())


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The text of a checkpoint, to be signed."""
    lines = [checkpoint.origin, str(checkpoint.size), base64.b64encode(checkpoint.root).decode()]
    lines += checkpoint.extensions
    if any(not line or "\n" in line for line in lines):
        raise ValueError("a line of a checkpoint is one line")
    return "".join(f"{line}\n" for line in lines)


def read_checkpoint(text: str) -> Checkpoint:
    """What a checkpoint's text says.

    Raises:
        CannotDecide: ``NOTE_MALFORMED``.
    """
    if not text.endswith("\n"):
        raise _malformed("the last line has no end")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise _malformed("a checkpoint is a name, a size and a root, one a line")
    origin, size, root, *extensions = lines
    if not (size.isascii() and size.isdigit()) or (size != "0" and size[0] == "0") or len(size) > 18:
        raise _malformed(f"not a size: {size[:40]!r}")
    digest = decode(root)
    if digest is None or len(digest) != 32:
        raise _malformed(f"not a root: {root[:60]!r}")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def is_name(text: str) -> bool:
    """Whether a key may be called so: not empty, no white space, no plus."""
    return bool(text) and "+" not in text and not any(char.isspace() for char in text)


def decode(text: str) -> bytes | None:
    """Bytes of standard base64 with padding and nothing else in it; None if it is not."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def _malformed(cause: str) -> CannotDecide:
    return CannotDecide(
        "a signed note cannot be read",
        code="NOTE_MALFORMED",
        cause=cause,
        hint="a checkpoint is kept with every byte as it was written (docs/reference/ledger.md)",
    )
