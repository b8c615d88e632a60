"""Ed25519 keys of the ledger: made, kept in one file for its owner alone, and shown as the text that verifies.

The texts are those of signed notes (C2SP signed-note; ``golang.org/x/mod/sumdb/note`` reads and writes the same):
``name+id+base64`` for the public half, ``PRIVATE+KEY+name+id+base64`` in the file. `cryptography` does the arithmetic
and is imported when a key is first used, not when a program starts.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lineage.errors import CannotDecide, UsageError
from lineage.ledger.note import decode, is_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes that name a key in signature lines: of SHA-256 over name, newline, algorithm, public key."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


class PublicKey:
    """The half that verifies.

    Args:
        name: who signs with it.
        public: 32 bytes.
    """

    def __init__(self, name: str, public: bytes) -> None:
        self.name = name
        self.public = public
        self.id = key_id(name, public)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and (self.name, self.public) == (other.name, other.public)

    def __hash__(self) -> int:
        return hash((self.name, self.public))

    def __str__(self) -> str:
        """The vkey text."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def read(cls, text: str) -> PublicKey:
        """The key of a vkey text.

        Raises:
            CannotDecide: ``KEY_MALFORMED``.
        """
        name, _, rest = text.strip().partition("+")
        id_, _, encoded = rest.partition("+")
        raw = decode(encoded)
        if not is_name(name) or raw is None or len(raw) != 33 or raw[:1] != _ED25519:
            raise _malformed(text, "it is not name+id+base64 of an Ed25519 key")
        if key_id(name, raw[1:]).hex() != id_:
            raise _malformed(text, "its id is that of another key")
        return cls(name, raw[1:])

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is by this key over this text."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True

    @cached_property
    def _key(self) -> Ed25519PublicKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self.public)


class SigningKey:
    """The half that signs.

    Args:
        name: who signs with it: the log's name.
        seed: 32 random bytes.
    """

    def __init__(self, name: str, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.name = name
        self._seed = seed
        self._key: Ed25519PrivateKey = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())
        self.id = self.public.id

    def sign(self, text: bytes) -> bytes:
        """The signature over a text, 64 bytes."""
        return self._key.sign(text)

    def text(self) -> str:
        """What its file holds."""
        return f"{_PRIVATE}{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self._seed).decode()}\n"

    @classmethod
    def read(cls, text: str) -> SigningKey:
        """The key of a file's text.

        Raises:
            ValueError: it is no such text; the message does not repeat it.
        """
        name, _, rest = text.strip().removeprefix(_PRIVATE).partition("+")
        id_, _, encoded = rest.partition("+")
        raw = decode(encoded)
        if not text.startswith(_PRIVATE) or not is_name(name) or raw is None or len(raw) != 33 or raw[:1] != _ED25519:
            raise ValueError("it does not hold a key of the form PRIVATE+KEY+name+id+base64")
        key = cls(name, raw[1:])
        if key.id.hex() != id_:
            raise ValueError("the key in it and its id do not belong together")
        return key


def make_key(path: Path, name: str) -> SigningKey:
    """Make a key and keep it at a path, readable by its owner alone.

    When another process made one there in the meantime, that one is returned.

    Args:
        path: where; the directory is made.
        name: the log's name.

    Raises:
        UsageError: ``LEDGER_KEY_UNUSABLE``, it cannot be written.
    """
    key = SigningKey(name, os.urandom(32))
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if path.parent.name == ".lineage" and not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(key.text())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a rename, it never replaces what is there
        except FileExistsError:
            return load_key(path)
        finally:
            draft.unlink()
    except OSError as error:
        raise unusable(
            path, str(error), "name a place that can be written: `key` under [ledger] in lineage.toml"
        ) from None
    return key


def load_key(path: Path) -> SigningKey:
    """The key at a path.

    Raises:
        UsageError: ``LEDGER_KEY_UNUSABLE``: it cannot be read, others can read it, or it is no key.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(10_000)
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(path, str(error), "give its owner's account the right to read it, or restore it") from None
    if os.name == "posix" and mode & 0o077:
        raise unusable(
            path,
            f"others can read it (mode {stat.S_IMODE(mode):03o}), so a signature by it says nothing about who signed",
            f"chmod 600 {path}",
        )
    try:
        return SigningKey.read(text)
    except ValueError as error:
        raise unusable(path, str(error), "restore it from a backup, or `lineagegate ledger key --new`") from None


def unusable(path: Path, cause: str, hint: str) -> UsageError:
    """The key cannot be used, so nothing is signed and nothing is recorded that must be."""
    return UsageError(f"the ledger's key {path} cannot be used", code="LEDGER_KEY_UNUSABLE", cause=cause, hint=hint)


def _malformed(text: str, cause: str) -> CannotDecide:
    return CannotDecide(
        f"not a key that verifies: {text[:80]}",
        code="KEY_MALFORMED",
        cause=cause,
        hint="`lineagegate ledger key` prints the text",
    )
