"""What becomes of a character: its plain lower-case letters, whatever it is dressed as, or nothing.

Case, accents, widths, styles (bold, circled, superscript) and the shapes that other scripts lend to Latin letters are
dress; marks, digits and invisible characters are nothing. Found once for each character and looked up from then on:
text of any script is folded by a table over code points.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# letters of other scripts that look like Latin ones (Unicode TR39, the part that fonts cannot tell apart): Cyrillic,
# Greek and small capitals; Armenian; Cherokee; Lisu
_LOOKALIKES = (
    str.maketrans(
        "аеорсухіјѕһԁԛԝкмтвнзгпʟοαινρτυχκεɡıʏᴀᴄᴇᴋᴍɴᴏᴘꜱᴛᴜᴠᴡᴢ", "aeopcyxijshdqwkmtbhzrnloaivptuxkegiyacekmnopstuvwz"
    )
    | str.maketrans("սոհօցզյլ", "unhogqjl")
    | str.maketrans("ᎠᎡᎢᎥᎪᎫᎬᎳᎷᎻᎽᏀᏃᏚᏙᏞᏟᏢᏦᏧᏴᏏᏂᏆᏔᏒ", "drtiajewmhygzsvlcpkdbbhiwr")
    | str.maketrans("ꓮꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓰꓲꓳꓴ", "abpdtgkjczfmnlsrvhwxyeiou")
)

_BASE = re.compile(
    r"(?:.* )?(?:LATIN (?:(?:SMALL|CAPITAL) )?LETTER|INDICATOR SYMBOL LETTER)"
    r" (?:SMALL CAPITAL |SCRIPT |OPEN |DOTLESS |LONG |CLOSED )?([A-Z]|AE|OE)(?: WITH .*)?"
)
"""A name that says which plain letter a character is: LATIN SMALL LETTER L WITH STROKE, TAG LATIN SMALL LETTER A,
NEGATIVE CIRCLED LATIN CAPITAL LETTER A, REGIONAL INDICATOR SYMBOL LETTER A."""

_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters to Unicode that show as nothing."""


def folded(char: str) -> str:
    """The letters that a character stands for: none, one or several."""
    plain = unicodedata.normalize("NFKD", char).casefold()
    return "".join(map(_plain, unicodedata.normalize("NFKD", plain)))


def _plain(char: str) -> str:
    if (name := _BASE.fullmatch(unicodedata.name(char, ""))) is not None:
        return name[1].lower()
    if not char.isalpha() or char in _FILLERS or unicodedata.category(char) == "Lm":
        return ""
    if "\u1100" <= char <= "\u11ff":  # of a Korean syllable, which is put together again
        return char
    return char.translate(_LOOKALIKES)


class _Table:
    """What becomes of each character, filled as characters are met."""

    def __init__(self) -> None:
        self.size = np.full(0x110000, 255, np.uint8)
        """How many letters; 255: not met yet."""
        self.place = np.zeros(0x110000, np.int32)
        """Where the first of them stands in the pool; of one letter the letter itself is at ``one``."""
        self.one = np.zeros(0x110000, "<u4")
        self.pool = np.zeros(0, "<u4")

    def fill(self, codes: NDArray[np.uint32]) -> None:
        """Take characters that were not met yet."""
        more: list[int] = []
        for code in np.unique(codes).tolist():
            letters = [ord(letter) for letter in unicodedata.normalize("NFC", folded(chr(code)))] if code else [0]
            self.place[code] = len(self.pool) + len(more)
            self.one[code] = letters[0] if letters else 0
            self.size[code] = len(letters)
            more += letters
        self.pool = np.concatenate((self.pool, np.array(more, "<u4")))


_TABLE = _Table()


def fold(text: bytes) -> bytes:
    """Every character of a text folded; bytes that are no UTF-8 are dropped, ASCII stays as it is.

    Args:
        text: UTF-8, of ASCII only lower-case letters and NUL.
    """
    others = np.count_nonzero(np.frombuffer(text, np.int8) < 0)
    # few of them, and mostly the same (quotes, dashes): one by one is faster
    return _OTHERS.sub(_run, text) if others * _FEW < len(text) else _every(text)


_FEW = 24
_OTHERS = re.compile(rb"[\x80-\xff]+")


def _run(match: re.Match[bytes]) -> bytes:
    return _remembered(match[0])


@lru_cache(maxsize=1 << 14)
def _remembered(run: bytes) -> bytes:
    return _every(run)


def _every(text: bytes) -> bytes:
    decoded = text.decode(errors="ignore")
    codes = np.frombuffer(decoded.encode("utf-32-le"), "<u4")
    size = _TABLE.size[codes]
    if (unmet := size == 255).any():
        _TABLE.fill(codes[unmet])
        size = _TABLE.size[codes]
    if int(size.max(initial=0)) <= 1:
        found = _TABLE.one[codes] if size.all() else _TABLE.one[codes[size > 0]]
    else:
        ends = np.cumsum(size, dtype=np.int64)
        found = _TABLE.pool[np.repeat(_TABLE.place[codes] - ends + size, size) + np.arange(ends[-1])]
    letters: str = found.tobytes().decode("utf-32-le")
    if _JAMO.search(letters):  # Korean that was written in parts is the same syllables
        letters = unicodedata.normalize("NFC", letters)
    return letters.encode()


_JAMO = re.compile("[\u1100-\u11ff]")
