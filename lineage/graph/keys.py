"""Which artifacts are one node (law 7): those of equal content; where content says nothing, those of equal name."""

from __future__ import annotations

import re

from lineage.events.naming import canonical
from lineage.vocabulary import Content

_CONTENT = re.compile(r"[A-Za-z0-9_+-]+:[^/\s]+$")


def node_key(namespace: str, name: str, content: Content | None) -> bytes:
    """Key of the node an artifact belongs to.

    Content too small to mean anything joins only what also has its name.
    """
    if content is None:
        return named_key(f"{namespace}/{name}")
    if content.trivial:
        return named_key(f"{namespace}/{name}#{content.hash}")
    return content_key(content.hash)


def content_key(hash_: str) -> bytes:
    """Key of a content hash, MD5 and SHA-256 in binary."""
    size = len(hash_)
    try:
        if size == 36 and hash_[:4] == "md5:":
            digits = hash_[4:]
            value = bytes.fromhex(digits)
            if value.hex() == digits:  # upper case is another text, and must come back as it was
                return b"\x01" + value
        elif size == 40 and hash_[:4] == "md5:" and hash_[36:] == ".dir":
            return b"\x02" + _unhex(hash_[4:36])
        elif size == 71 and hash_[:7] == "sha256:":
            return b"\x03" + _unhex(hash_[7:])
    except ValueError:
        pass
    return b"c" + hash_.encode()


def _unhex(text: str) -> bytes:
    value = bytes.fromhex(text)
    if value.hex() != text:
        raise ValueError(text)
    return value


def named_key(text: str) -> bytes:
    """Key of ``namespace/name``, however it is spelled."""
    return b"n" + canonical(text).encode()


def key_of_text(text: str) -> bytes:
    """Key of what a removal or correction names: a content key, or ``namespace/name``."""
    return content_key(text) if _CONTENT.match(text) else named_key(text)


def key_text(key: bytes) -> str:
    """The text of a key, as `key_of_text` reads it."""
    form, rest = key[:1], key[1:]
    if form == b"\x01":
        return "md5:" + rest.hex()
    if form == b"\x02":
        return "md5:" + rest.hex() + ".dir"
    if form == b"\x03":
        return "sha256:" + rest.hex()
    return rest.decode()


def run_key(run_id: str) -> bytes:
    """Key of a run: a UUID in binary, any other text as it is."""
    if len(run_id) == 36 and run_id[8] == run_id[13] == run_id[18] == run_id[23] == "-":
        digits = run_id.replace("-", "")
        if len(digits) == 32:
            try:
                return _unhex(digits)
            except ValueError:
                pass
    return b"r" + run_id.encode()
