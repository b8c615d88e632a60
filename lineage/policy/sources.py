"""The registry of known sources: datasets and places known by their address, and where what lies there came from.

The list is `sources.yaml` beside this file, with a version of its own. It speaks of addresses, never of content: what
it says of a source is a statement of somebody outside the project (basis ``imported``), which ends nothing and frees
nothing.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib.resources import files
from urllib.parse import unquote, urlsplit

import msgspec

from lineage import yaml12
from lineage.vocabulary import Kind, Origin
from lineage.vocabulary.value import Value

LONGEST = 4000
"""Characters of an address that is looked up."""


class KnownSource(Value, frozen=True, forbid_unknown_fields=True):
    """A dataset or a place."""

    id: str
    name: str
    addresses: tuple[str, ...]
    """``host/path`` in small letters, ``*`` for any text within a part; what lies below is meant too."""
    kind: Kind | None = None
    """None: anybody puts anything there."""
    provider: str = ""
    service: str = ""
    licence: str = ""
    note: str = ""

    @property
    def origin(self) -> Origin | None:
        """The origin of what lies there; None where nothing is known of it."""
        return Origin(self.kind, self.provider, self.service, licence=self.licence) if self.kind else None


class _File(Value, frozen=True, forbid_unknown_fields=True):
    version: str
    sources: tuple[KnownSource, ...]


class Sources:
    """Known sources by their address.

    Args:
        version: of the list.
        sources: the entries; of several that fit an address the one that says most of it counts.
    """

    def __init__(self, version: str, sources: Iterable[KnownSource]) -> None:
        self.version = version
        self.sources = {entry.id: entry for entry in sources}
        self._patterns = sorted(
            ((tuple(address.split("/")), entry) for entry in self.sources.values() for address in entry.addresses),
            key=lambda pair: (-len(pair[0]), "*" in "".join(pair[0])),
        )

    def by_url(self, url: str) -> KnownSource | None:
        """The source at an address.

        Args:
            url: with its scheme (``https``, ``s3``, ``gs``, ``hf`` …); of git also ``git@host:path``.
        """
        parts = address(url)
        for pattern, entry in self._patterns:
            if len(pattern) <= len(parts) and all(map(fnmatch.fnmatchcase, parts, pattern)):
                return entry
        return None


@lru_cache(maxsize=4096)
def address(url: str) -> tuple[str, ...]:
    """The parts of an address, host first, in small letters; none where it is no URL.

    Args:
        url: as in `Sources.by_url`.
    """
    if len(url) > LONGEST:
        return ()
    if (ssh := re.fullmatch(r"[^/:@]+@([^/:@]+):(.*)", url, re.S)) is not None:
        url = f"ssh://{ssh[1]}/{ssh[2]}"
    try:
        split = urlsplit(url)
        host = (split.hostname or "").rstrip(".")
    except ValueError:
        return ()
    if not split.scheme or not host:
        return ()
    path = posixpath.normpath("/" + unquote(split.path)).lower()
    if split.scheme == "hf":  # hf://datasets/owner/name@revision/path
        host, path = "huggingface.co", f"/{host}{path}"
    return host.lower(), *(part.partition("@")[0].removesuffix(".git") for part in path.split("/") if part)


@cache
def sources() -> Sources:
    """The registry that comes with the package."""
    text = files("lineage.policy").joinpath("sources.yaml").read_text(encoding="utf-8")
    try:
        table = msgspec.convert(yaml12.load(text), _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a registry of sources: {error}") from None
    return Sources(table.version, table.sources)
