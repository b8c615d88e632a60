"""Comparing words of a policy with words of a label: normal forms, shell patterns, dates.

What people write by hand differs in case, spaces and underscores; none of that may decide about a model.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from functools import lru_cache


@lru_cache(maxsize=65536)
def normal(text: str) -> str:
    """The form in which two words are compared.

    Compatibility forms are folded (NFKC), invisible characters dropped, case folded, spaces and underscores written as
    one hyphen, so that ``" OpenAI"``, ``ＯｐｅｎＡＩ`` and ``open<zero width space>ai`` are the same word.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(char for char in folded if unicodedata.category(char) != "Cf")
    return re.sub(r"[\s_]+", "-", visible.strip())


class Pattern:
    """Shell patterns (``*``, ``?``, ``[…]``) of which one must match a normal form.

    The empty pattern matches what is not stated; ``*`` matches everything, stated or not, ``?*`` what is stated.

    Args:
        patterns: as written.
    """

    __slots__ = ("_any", "_literals", "_wild", "texts")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.texts = tuple(sorted({normal(pattern) for pattern in patterns}))
        self._any = "*" in self.texts
        self._literals = self.texts
        self._wild: tuple[Callable[[str], object], ...] = ()
        if any(map(wild, self.texts)):
            self._literals = tuple(text for text in self.texts if not wild(text))
            self._wild = tuple(_matcher(text) for text in self.texts if wild(text))

    def matches(self, value: str) -> bool:
        """Whether one of the patterns matches a value that is in its normal form."""
        return self._any or value in self._literals or any(match(value) for match in self._wild)

    def covers(self, other: Pattern) -> bool:
        """Whether everything that ``other`` matches is surely matched here. False when in doubt."""
        return self._any or all(
            text in self.texts
            # `*` here takes up whatever a wildcard there may stand for; `?` and `[` do not
            or any(not set("?[") & set(own) and fnmatch.fnmatchcase(text, own) for own in self.texts)
            for text in other.texts
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return f"Pattern({list(self.texts)})"


def wild(text: str) -> bool:
    """Whether a pattern holds wildcards."""
    return "*" in text or "?" in text or "[" in text


@lru_cache(maxsize=4096)
def _matcher(text: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(text)).match


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})")


@lru_cache(maxsize=4096)
def instant(text: str, *, end: bool) -> datetime:
    """The moment a date means, in UTC.

    Args:
        text: a day (``2023-04-30``, the whole day in UTC) or an ISO 8601 time with its zone.
        end: of a day, its last microsecond instead of its first.

    Raises:
        ValueError: it is neither, or a time without a zone: a guess would free or refuse for hours.
    """
    text = text.strip()
    if _DAY.fullmatch(text):
        day = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        return day + timedelta(days=1, microseconds=-1) if end else day
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"{text!r} is neither a day (2023-04-30) nor a time with its zone (2023-04-30T12:00:00Z)")
    fraction = re.search(r"\.(\d+)", text)  # Python 3.10 reads three or six digits only
    if fraction:
        text = text.replace(fraction[0], "." + fraction[1].ljust(6, "0"))
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"no calendar in UTC holds {text!r}") from None
