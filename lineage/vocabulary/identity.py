"""Whether two names stand for two people: what the rule of the second person rests on (law 2).

The standalone verifier of bundles holds the same rule (`lineage/evidence/bundle/verify.py`); one test asks both.
"""

from __future__ import annotations

import re
import unicodedata

_ADDRESS = re.compile(r"(?:mailto:|(?<![^\s<>()\[\],;:\"']))([^\s<>()\[\],;:\"']+)@([^\s<>()\[\],;:\"'@]+)")
"""What stands before the @ of a mail address, and what after. It begins where a word does: from every letter of a long
word the search for the @ would be a search through the whole word."""

_CAPITALS = str.maketrans("АВЕКМНОРСТУХІЈЅҺԀԚԜѴӀΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEKMHOPCTYXIJSHDQWVIABEZHIKMNOPTYXC")
_LETTERS = str.maketrans(
    "авекмнорстухіјѕһԁԛԝѵӏьɡɑɩıαβεικνορτυχγηωϲϳl1|0", "abekmhopctyxijshdqwvibgaiiabeikvoptuxynwcjiiio"
)
"""Letters of other scripts, and digits, that are drawn like Latin ones: Cyrillic, Greek, phonetic."""

_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks to Unicode, nothing to the eye."""


def same_person(one: str, other: str) -> bool:
    """Whether two identities (``Jane Roe <jane@example.com>``) may be one person's.

    They are when they share the name or the mail address, compared by what a reader sees (`spellings`). Nobody's name
    is anybody's: who cannot be told apart is not two people.
    """
    known = spellings(one), spellings(other)
    return not all(known) or bool(known[0] & known[1])


def spellings(who: str) -> frozenset[str]:
    """The name and the mail addresses of an identity, in the form in which they are compared.

    Compatibility forms are folded (NFKC), case, accents, punctuation, spaces and invisible characters dropped, letters
    that are drawn alike taken for one; the words of a name may have any order, and what follows a plus sign in an
    address says nothing.
    """
    whole = unicodedata.normalize("NFKC", who)
    found: set[str] = set()
    for text in (whole, whole.translate(_CAPITALS)):  # a capital may be drawn like another letter than its small one
        plain = "".join(char for char in text.casefold() if char.isprintable() or char.isspace())
        for local, host in _ADDRESS.findall(plain):
            found.add(f"{seen(local.partition('+')[0])}@{'.'.join(map(seen, host.strip('.').split('.')))}")
        apart = "".join(char if unicodedata.category(char)[0] in "LMN" else " " for char in _ADDRESS.sub(" ", plain))
        words = [word for word in map(seen, apart.split()) if word]
        found |= {"".join(words), " ".join(sorted(words))}
    return frozenset(found - {""})


def seen(text: str) -> str:
    """Letters and digits as a reader sees them; a mark that stands for a sound of its own is a letter."""
    kept = (c for c in unicodedata.normalize("NFKD", _BLANK.sub("", text)) if not unicodedata.combining(c))
    return "".join(c for c in kept if unicodedata.category(c)[0] in "LMN").casefold().translate(_LETTERS)
