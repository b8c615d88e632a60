"""Text that stands in a code: base64, hexadecimal, percent signs, backslashes, quoted-printable, entities.

A string in which most of a record stands in such a form is no other record. What a code holds takes its place where it
is text; else it stays as it was. No input or output.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

_SHORTEST = 40
"""Letters of base64 or hexadecimal that are tried."""

_BLOCK = 1 << 15

_RUN = re.compile(rb"[A-Za-z0-9+/_-]{%d,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}" % _SHORTEST)
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r") + b"\x7f"


def decoded(joined: bytes) -> bytes:
    """Records, with the text of what stands in them in base64 or hexadecimal.

    Args:
        joined: records, NUL between them.
    """
    done, parts = 0, list[bytes]()
    for place in _dense(joined):
        if place < done:
            continue
        first = max(done, joined.rfind(b"\0", 0, place) + 1)
        last = joined.find(b"\0", place)
        last = len(joined) if last < 0 else last
        parts += (joined[done:first], _RUN.sub(_run, joined[first:last]))
        done = last
    return b"".join((*parts, joined[done:])) if parts else joined


def _dense(joined: bytes) -> list[int]:
    """A place in every stretch of 128 bytes without a space."""
    data = np.frombuffer(joined, np.uint8, len(joined) // 32 * 32)
    none = np.empty(len(data) // 32, np.bool_)
    space = np.empty(_BLOCK, np.bool_)  # what fits a core's cache is several times as fast
    for first in range(0, len(data), _BLOCK):
        part = data[first : first + _BLOCK]
        words = np.equal(part, 32, out=space[: len(part)]).view(np.uint64).reshape(-1, 4)
        none[first // 32 : (first + len(part)) // 32] = ((words[:, 0] | words[:, 1]) | (words[:, 2] | words[:, 3])) == 0
    found: list[int] = (np.flatnonzero(none[2:] & none[1:-1] & none[:-2]) * 32 + 32).tolist()
    return found


def _run(match: re.Match[bytes]) -> bytes:
    run = b"".join(match[0].split())
    held = _text(binascii.unhexlify(run)) if len(run) % 2 == 0 and _HEX.fullmatch(run) else b""
    if not held:
        digits = run.rstrip(b"=")
        try:
            held = _text(
                base64.b64decode(digits[: len(digits) // 4 * 4], b"-_" if b"-" in run or b"_" in run else None)
            )
        except ValueError:
            return match[0]
    return b" " + held + b" " if held else match[0]


def _text(data: bytes) -> bytes:
    """Bytes as text, or nothing when they are none."""
    plain = data.replace(b"\0", b"")  # UTF-16 of Latin text
    if plain.translate(None, _CONTROL) != plain:
        return b""
    try:
        plain.decode()
    except UnicodeDecodeError as error:
        if error.start < len(plain) - 3:  # at its end a character may be cut
            return b""
    return plain


def _backslashes(match: re.Match[bytes]) -> bytes:
    codes = [int(code, 16) for code in _CODE.findall(match[0])]
    if all(code < 256 for code in codes):
        try:  # bytes of UTF-8, as Python shows them
            return bytes(codes).decode().encode().replace(b"\0", b"")
        except UnicodeDecodeError:
            pass
    joined = "".join(chr(code) for code in codes if 0 < code < 0x110000)
    return joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore").encode()


def _hexadecimal(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[0].translate(None, b"%=\r\n").decode()).replace(b"\0", b"")


def _entity(match: re.Match[bytes]) -> bytes:
    return _character(match[0])


@lru_cache(maxsize=4096)
def _character(entity: bytes) -> bytes:
    return html.unescape(entity.decode()).encode(errors="ignore").replace(b"\0", b"")


_CODE = re.compile(rb"\\(?:u\{?|U|x)([0-9A-Fa-f]+)")
_ESCAPES: tuple[tuple[bytes, re.Pattern[bytes], Callable[[re.Match[bytes]], bytes] | bytes], ...] = (
    # (a byte without which the pattern cannot match, the pattern, what takes its place)
    (
        b"\\",
        re.compile(rb"(?:\\u(?:[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})|\\U[0-9A-Fa-f]{8}|\\x[0-9A-Fa-f]{2})+"),
        _backslashes,
    ),
    (b"\\", re.compile(rb"\\[nrt]"), b" "),
    (b"%", re.compile(rb"(?:%[0-9A-Fa-f]{2})+"), _hexadecimal),
    (b"=", re.compile(rb"(?:=[0-9A-F]{2}|=\r?\n)+"), _hexadecimal),
    (b"&", re.compile(rb"&(?:amp;|#38;|#x26;)+"), b"&"),  # what was escaped several times is text as well
    (b"&", _ENTITY := re.compile(rb"&(?:#[0-9]{1,12};?|#[xX][0-9A-Fa-f]{1,10};?|[A-Za-z][A-Za-z0-9]{1,24};)"), _entity),
    (b"&", _ENTITY, _entity),
)


def unescaped(joined: bytes) -> bytes:
    """Text with the characters that escapes and entities stand for; none of them becomes NUL.

    Args:
        joined: records, NUL between them.
    """
    for byte, pattern, plain in _ESCAPES:
        if byte in joined:
            joined = pattern.sub(plain, joined)
    return joined
