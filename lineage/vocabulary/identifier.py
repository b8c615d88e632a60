"""Identifiers that sort by time: a UUID version 7 (RFC 9562 section 5.7), written in 26 characters for people.

The two forms are the same 128 bits: OpenLineage wants a UUID as ``runId``, people read and sort the short one.
"""

from __future__ import annotations

import os
import time
import uuid

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford base 32: no I, L, O, U


def new_uuid() -> uuid.UUID:
    """A fresh UUID version 7 from the wall clock (milliseconds) and 74 random bits."""
    ms = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return uuid.UUID(int=value)


def short(value: uuid.UUID) -> str:
    """The 26 characters of a UUID."""
    number, out = value.int, ""
    for _ in range(26):
        out = _ALPHABET[number & 31] + out
        number >>= 5
    return out


def from_short(text: str) -> uuid.UUID:
    """The UUID of 26 characters.

    Raises:
        ValueError: it is not such an identifier.
    """
    if len(text) != 26:
        raise ValueError(f"not an identifier of 26 characters: {text!r}")
    number = 0
    for char in text.upper():
        number = number << 5 | _ALPHABET.index(char)
    return uuid.UUID(int=number)
