"""What others state of data, as tags: the registry of known sources, and files that come with data.

The basis is ``imported``: whoever wrote a list, a card or a licence is nobody of this project. Such a tag stands, and
is judged by the policy, but never ends ``undeclared``; a person here does that (docs/explanation/labels.md).
"""

from __future__ import annotations

import hashlib

from lineage.policy.cards import LARGEST, NAMES, Unreadable, stated
from lineage.policy.sources import sources
from lineage.vocabulary import Basis, Tag

__all__ = ["LARGEST", "NAMES", "Unreadable", "place_of", "tag_of_url", "tags_of_file"]


def tag_of_url(url: str) -> Tag | None:
    """What the registry says of an address; None where it knows nothing of what lies there.

    Args:
        url: where data was taken from.
    """
    known = sources().by_url(url)
    if known is None or known.origin is None:
        return None
    words = f"it was taken from {known.name}" + (f", of which is known: {known.note}" if known.note else "")
    return Tag(known.origin, Basis.IMPORTED, f"lineagegate's list of sources {sources().version}", words, known.id)


def place_of(url: str) -> str:
    """The name of a place where anybody puts anything; empty where the address is none."""
    known = sources().by_url(url)
    return known.name if known is not None and known.origin is None else ""


def tags_of_file(path: str, data: bytes) -> tuple[Tag, ...]:
    """What a file that comes with data says of it.

    Args:
        path: of the file, as people know it; its name is one of `NAMES`.
        data: its bytes.

    Raises:
        Unreadable: it cannot be understood.
    """
    digest = hashlib.sha256(data).hexdigest()
    return tuple(
        Tag(said.origin, Basis.IMPORTED, f"whoever wrote {path}", said.words, f"{path} sha256:{digest}")
        for said in stated(path.rpartition("/")[2], data)
    )
