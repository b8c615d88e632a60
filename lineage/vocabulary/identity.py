"""Whether two names stand for two people: what the rule of the second person rests on (law 2)."""

from __future__ import annotations

import re
import unicodedata

_PARTS = re.compile(r" *[<>] *")
"""What separates the parts of git's ``name <address>``."""


def same_person(one: str, other: str) -> bool:
    """Whether two identities (``Jane Roe <jane@example.com>``) may be one person's.

    They are when they share the name, the mail address or the whole text, compared without case, with spaces collapsed,
    invisible characters dropped and compatibility forms folded (NFKC). Nobody's name is anybody's: who cannot be told
    apart is not two people.
    """
    words = _words(one), _words(other)
    return not all(words) or bool(words[0] & words[1])


def _words(who: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", who)
    plain = "".join(" " if char.isspace() else char for char in folded if char.isprintable() or char.isspace())
    plain = " ".join(plain.casefold().split())
    return frozenset(word for word in (plain, *_PARTS.split(plain)) if word)
