"""Fingerprints of records: one of the whole record, and some of passages of it that its own content chooses.

A passage is 24 letters; it is chosen (an *anchor*) when a keyed product of its first 8 letters is small, and smaller
than those near by. The choice depends on these letters alone, so a text that was cut, joined with another, wrapped in a
template or moved keeps the anchors of what is left of it. What is stored of a passage is a keyed hash (SipHash-1-3):
without the installation's secret the numbers tell nothing about the text, and nobody can try a guess against them.

Pure functions over `Letters`, no input or output.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineage.content.normalise import Letters

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]

PASSAGE = 24
"""Letters in a passage (bytes of UTF-8: eight characters of Chinese)."""
EVERY = 22
"""One position in so many may be an anchor, on average; a third of them has a smaller one near by."""
APART = 12
"""Of two anchors nearer to each other than this the one with the smaller product stays: passages that overlap by more
than half are one piece of evidence."""
LEAST = 8
"""A record with fewer anchors than this gets those of the smallest products beside them, up to this many."""
VERSION = "2"
"""Of the method: fingerprints of another version or key are not compared."""

_LIMIT = (1 << 64) // EVERY
_BLOCK = 1 << 15
"""Positions whose products are made at once: what fits a core's cache is twice as fast."""


class Key:
    """The secret of an installation.

    Args:
        secret: 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise ValueError("a key has 32 bytes")
        self.secret = secret

    @classmethod
    def new(cls) -> Key:
        """A key that nobody knows."""
        return cls(secrets.token_bytes(32))

    def _derived(self, purpose: bytes, size: int) -> bytes:
        return hashlib.blake2b(purpose, digest_size=size, key=self.secret).digest()

    @cached_property
    def record(self) -> bytes:
        """Key of the fingerprints of whole records."""
        return self._derived(b"record", 32)

    @cached_property
    def choice(self) -> int:
        """Odd factor that chooses the anchors."""
        return int.from_bytes(self._derived(b"choice", 8), "little") | 1

    @cached_property
    def passage(self) -> tuple[int, int]:
        """Key of the fingerprints of passages."""
        derived = self._derived(b"passage", 16)
        return int.from_bytes(derived[:8], "little"), int.from_bytes(derived[8:], "little")

    @cached_property
    def id(self) -> str:
        """Tells keys apart and gives nothing away; the version of the method is part of it."""
        return self._derived(b"id" + VERSION.encode(), 8).hex()

    def __getstate__(self) -> bytes:
        return self.secret

    def __setstate__(self, secret: bytes) -> None:
        self.secret = secret


class Fingerprints(NamedTuple):
    """The fingerprints of some records."""

    exact: Words
    """Shape (records,): of all letters of a record; 0 where it has none."""
    letters: Numbers
    """Shape (records,): how many letters (bytes) a record has."""
    record: Numbers
    """Shape (anchors,): index of the record that an anchor is in, ascending."""
    anchors: Words
    """Shape (anchors,): fingerprints of passages."""


def fingerprints(letters: Letters, key: Key) -> Fingerprints:
    """Both sorts of fingerprints of some records."""
    record, found = anchors(letters, key)
    return Fingerprints(exact(letters, key), letters.sizes, record, found)


def exact(letters: Letters, key: Key) -> Words:
    """Keyed 64-bit BLAKE2b of each record's letters, shape (records,); 0 for a record without any."""
    blake2b, secret = hashlib.blake2b, key.record
    digests = [
        blake2b(record, digest_size=8, key=secret).digest() if record else b"\0\0\0\0\0\0\0\0"
        for record in letters.records
    ]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64, copy=False)


def anchors(letters: Letters, key: Key) -> tuple[Numbers, Words]:
    """The anchors of each record.

    Returns:
        Index of the record, ascending, and fingerprint of the passage. A record of fewer than `PASSAGE` letters has
        none; a passage never reaches into the next record.
    """
    size, starts, sizes = len(letters.buffer), letters.starts, letters.sizes
    padded, factor = letters.buffer + bytes(PASSAGE), np.uint64(key.choice)
    view = [np.ndarray((size,), "<u8", padded, offset, (1,)) for offset in (0, 8, 16)]
    small: list[Numbers] = [np.empty(0, np.int64)]
    product, under = np.empty(min(size, _BLOCK), np.uint64), np.empty(min(size, _BLOCK), np.bool_)
    for first in range(0, size, _BLOCK):
        part = view[0][first : first + _BLOCK]
        np.multiply(part, factor, out=product[: len(part)])
        np.less(product[: len(part)], np.uint64(_LIMIT), out=under[: len(part)])
        small.append(under[: len(part)].nonzero()[0] + first)
    position = np.concatenate(small)
    position = position[position + PASSAGE <= (starts + sizes)[_within(position, starts)]]
    position = position[_apart(position, view[0][position] * factor)]
    record = _within(position, starts)
    room = sizes - (PASSAGE - 1)
    few = (np.bincount(record, minlength=len(starts)) < LEAST) & (room > 0)
    if few.any():
        more = _smallest(view[0], factor, starts[few], room[few])
        position = np.concatenate((position[~few[record]], more))
        position.sort()
        record = _within(position, starts)
    return record, _siphash(key.passage, [words[position] for words in view])


def _within(positions: Numbers, starts: Numbers) -> Numbers:
    """Index of the record that each of some positions, ascending, lies in."""
    bounds = np.append(np.searchsorted(positions, starts), len(positions))
    return np.repeat(np.arange(len(starts)), np.diff(bounds))


def _apart(positions: Numbers, values: Words) -> NDArray[np.bool_]:
    """Which of some positions, ascending, are far enough from each that has a smaller product.

    Records lie further apart than that.
    """
    stays = np.ones(len(positions), np.bool_)
    kept = np.arange(len(positions))
    for _ in range(2):  # the greater one between two small ones is gone after the first
        first = np.flatnonzero(np.diff(positions[kept]) < APART)
        greater = first + (values[kept[first]] < values[kept[first + 1]])
        stays[kept[greater]] = False
        kept = np.flatnonzero(stays)
    return stays


def _smallest(words: Words, factor: np.uint64, starts: Numbers, room: Numbers) -> Numbers:
    """Positions of the `LEAST` smallest products of each record, and of all below the limit."""
    offset = np.cumsum(room) - room
    positions = np.arange(int(room.sum()), dtype=np.int64) + np.repeat(starts - offset, room)
    values = words[positions] * factor
    # of most positions it is clear that they are not among the smallest: sorting is for the rest
    limit = np.maximum(5.0 * LEAST / room, 1.0 / EVERY) * 2.0**64
    limits = np.where(limit >= 2.0**64, np.uint64(2**64 - 1), np.minimum(limit, 2.0**63 * 1.99).astype(np.uint64))
    kept = np.flatnonzero(values <= np.repeat(limits, room))
    record = np.repeat(np.arange(len(room)), room)[kept]
    far = _apart(positions[kept], values[kept])
    values, positions, record = values[kept][far], positions[kept][far], record[far]
    order = np.lexsort((positions, values, record))
    counts = np.bincount(record, minlength=len(room))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen: Numbers = positions[order[(rank < LEAST) | (values[order] < np.uint64(_LIMIT))]]
    return chosen


def _siphash(key: tuple[int, int], words: list[Words]) -> Words:
    """SipHash-1-3 of 24-byte messages, vectorised (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012)."""
    count = len(words[0])
    first, second = key
    v0 = np.full(count, first ^ 0x736F6D6570736575, np.uint64)
    v1 = np.full(count, second ^ 0x646F72616E646F6D, np.uint64)
    v2 = np.full(count, first ^ 0x6C7967656E657261, np.uint64)
    v3 = np.full(count, second ^ 0x7465646279746573, np.uint64)
    scratch = np.empty(count, np.uint64)

    def rotate(x: Words, bits: int) -> None:
        np.right_shift(x, np.uint64(64 - bits), out=scratch)
        np.left_shift(x, np.uint64(bits), out=x)
        np.bitwise_or(x, scratch, out=x)

    def mix() -> None:
        np.add(v0, v1, out=v0)
        np.add(v2, v3, out=v2)
        rotate(v1, 13)
        rotate(v3, 16)
        np.bitwise_xor(v1, v0, out=v1)
        np.bitwise_xor(v3, v2, out=v3)
        rotate(v0, 32)
        np.add(v2, v1, out=v2)
        np.add(v0, v3, out=v0)
        rotate(v1, 17)
        rotate(v3, 21)
        np.bitwise_xor(v1, v2, out=v1)
        np.bitwise_xor(v3, v0, out=v3)
        rotate(v2, 32)

    for word in [*words, np.full(count, 24 << 56, np.uint64)]:
        np.bitwise_xor(v3, word, out=v3)
        mix()
        np.bitwise_xor(v0, word, out=v0)
    np.bitwise_xor(v2, np.uint64(0xFF), out=v2)
    for _ in range(3):
        mix()
    return v0 ^ v1 ^ v2 ^ v3
