"""From text to letters: what is left when case, spaces, punctuation, digits, markup and masks are taken away.

"Data desensitization" (case S5) changes all of those and leaves the wording. Two texts that differ in them alone have
the same letters. Pure functions over UTF-8 bytes, no input or output, so that Spark's Arrow batches use the same code.
What decodes a format (JSON, UTF-16, Parquet) is `lineage.content.records`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineage.content.coded import decoded, unescaped
from lineage.content.fold import fold


class Letters(NamedTuple):
    """The letters of some records."""

    buffer: bytes
    """Lower-case ASCII letters and the UTF-8 of other letters, one record after the other, a zero byte between them."""
    records: list[bytes]
    """The same, cut."""
    starts: NDArray[np.int64]
    """Shape (records,): where each begins in the buffer."""
    sizes: NDArray[np.int64]
    """Shape (records,): bytes of each."""

    @classmethod
    def of(cls, buffer: bytes, records: list[bytes]) -> Letters:
        """Records, and the same with separators between them."""
        sizes = np.fromiter(map(len, records), np.int64, len(records))
        return cls(buffer, records, np.cumsum(sizes + 1) - (sizes + 1), sizes)


_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_NO_LETTERS = bytes(byte for byte in range(1, 128) if not chr(byte).isalpha())

_MARKUP = (
    # (a byte without which the pattern cannot match, the pattern)
    (b"<", re.compile(rb"<[/!|?]{0,2}[A-Za-z_-][^<>\0]{0,200}>")),
    (b"[", re.compile(rb"\[[A-Z][A-Z_ ]{0,24}[0-9]*\]")),
    (b"{", re.compile(rb"\{\{[^{}\0]{0,40}\}\}|\{[A-Za-z_][A-Za-z_0-9]{0,24}\}")),
)
_HIDDEN, _PART = 48, 8
"""Markup that holds so many letters and one for so many outside of it may be text: with it the record is read again."""


def normalise(texts: Sequence[bytes]) -> Letters:
    """The letters of some records.

    Kept are letters of any script, folded (`lineage.content.fold`); dropped are white space, punctuation, digits,
    invisible characters, tags (``<b>``, ``<|im_end|>``) and masks (``[NAME]``, ``<num>``, ``{{x}}``, ``***``). What
    stands in a code is decoded (`lineage.content.coded`). Where tags and masks hold much, the record with
    them comes after the record without.

    Args:
        texts: UTF-8, one for each record; bytes that are no UTF-8 are dropped.

    Returns:
        The letters, ``len(texts)`` records, in order.
    """
    if not len(texts):
        return Letters.of(b"", [])
    whole = joined = unescaped(decoded(b"\0".join(texts)))
    for byte, pattern in _MARKUP:
        if byte in joined:
            joined = pattern.sub(b"", joined)
    letters = _letters(joined)
    records = letters.split(b"\0")
    if len(records) != len(texts):  # some hold the separator
        return normalise([text.replace(b"\0", b"") for text in texts])
    if len(joined) < len(whole):
        letters, records = _unhidden(whole, letters, records)
    return Letters.of(letters, records)


def _letters(text: bytes) -> bytes:
    letters = text.translate(_LOWER, _NO_LETTERS)
    return letters if letters.isascii() else fold(letters)


def _unhidden(whole: bytes, letters: bytes, records: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Letters of records; where many stand in markup those of the record as it is come after them."""
    changed = False
    for i, (text, kept) in enumerate(zip(whole.split(b"\0"), records, strict=True)):
        if len(text) - len(kept) < _HIDDEN + len(kept) // _PART:
            continue
        every = _letters(text)
        if len(every) - len(kept) >= _HIDDEN + len(kept) // _PART:
            records[i], changed = kept + every, True
    return (b"\0".join(records), records) if changed else (letters, records)
