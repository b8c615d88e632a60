"""From text to letters: what is left when case, spaces, punctuation, digits, markup and masks are taken away.

"Data desensitization" (case S5) changes all of those and leaves the wording. Two texts that differ in them alone have
the same letters. Pure functions over UTF-8 bytes, no input or output, so that Spark's Arrow batches use the same code.
What decodes a format (JSON escapes, UTF-16, Parquet) is `lineage.content.records`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEPARATOR = 0
"""Byte between records in a buffer of letters; no letter is it."""


class Letters(NamedTuple):
    """The letters of some records."""

    buffer: bytes
    """Lower-case ASCII letters and the UTF-8 of other letters, one record after the other, `SEPARATOR` between them."""
    records: list[bytes]
    """The same, cut."""
    starts: NDArray[np.int64]
    """Shape (records,): where each begins in the buffer."""
    sizes: NDArray[np.int64]
    """Shape (records,): bytes of each."""


_LOWER = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_NO_LETTERS = bytes(byte for byte in range(1, 128) if not chr(byte).isalpha())

_MARKUP = (
    # (a byte without which the pattern cannot match, the pattern). Short ones only: nobody hides a record in a tag.
    (b"<", re.compile(rb"<[/!|]{0,2}[A-Za-z_][^<>\0]{0,40}>")),
    (b"[", re.compile(rb"\[[A-Z][A-Z_ ]{0,24}[0-9]*\]")),
    (b"{", re.compile(rb"\{\{[^{}\0]{0,40}\}\}|\{[A-Za-z_][A-Za-z_0-9]{0,24}\}")),
)
_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,24});")
_OTHER = re.compile(rb"[\x80-\xff]+")

# letters of other scripts that look like Latin ones (Unicode TR39, the single-letter part that fonts cannot tell apart)
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝкмтвнзгпʟοαινρτυχκεɡıʏᴀᴄᴇᴋᴍɴᴏᴘꜱᴛᴜᴠᴡᴢ",
    "aeopcyxijshdqwkmtbhzrnloaivptuxkegiyacekmnopstuvwz",
)


class _Folded(dict[int, str]):
    """What becomes of a character, found once for each: its compatibility form without marks, case and looks."""

    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKD", chr(code)).casefold()
        letters = "".join(char for char in unicodedata.normalize("NFKD", plain) if char.isalpha())
        self[code] = found = letters.translate(_LOOKALIKES)
        return found


_FOLDED = _Folded()


def _fold(match: re.Match[bytes]) -> bytes:
    return match[0].decode(errors="ignore").translate(_FOLDED).encode(errors="ignore")


def _entity(match: re.Match[bytes]) -> bytes:
    return html.unescape(match[0].decode()).encode(errors="ignore").replace(b"\0", b"")


def normalise(texts: Sequence[bytes]) -> Letters:
    """The letters of some records.

    Kept are letters of any script, folded (NFKD, no case, no marks, look-alikes of Latin letters as those); dropped are
    white space, punctuation, digits, invisible characters, entities' spelling, short tags (``<b>``, ``<|im_end|>``)
    and masks (``[NAME]``, ``<num>``, ``{{x}}``, ``***``).

    Args:
        texts: UTF-8, one for each record; bytes that are no UTF-8 are dropped.

    Returns:
        The letters, ``len(texts)`` records, in order.
    """
    letters = _letters(texts)
    records = letters.split(b"\0") if len(texts) else []
    if len(records) != len(texts):  # some hold the separator
        letters = _letters([text.replace(b"\0", b"") for text in texts])
        records = letters.split(b"\0")
    sizes = np.fromiter(map(len, records), np.int64, len(records))
    return Letters(letters, records, np.cumsum(sizes + 1) - (sizes + 1), sizes)


def _letters(texts: Sequence[bytes]) -> bytes:
    joined = b"\0".join(texts)
    if b"&" in joined:
        for _ in range(2):  # what was escaped twice is text as well
            joined = _ENTITY.sub(_entity, joined)
    for byte, pattern in _MARKUP:
        if byte in joined:
            joined = pattern.sub(b"", joined)
    letters = joined.translate(_LOWER, _NO_LETTERS)
    return letters if letters.isascii() else _OTHER.sub(_fold, letters)
