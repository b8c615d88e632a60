"""What people write under ``meta.lineage``: where data came from, and for which content they say so.

``meta`` belongs to a path, not to content (facts/dvc.md), so a claim names the content it speaks for. On other
content a claim of a kind that frees data expires, any other sticks. Reading of values only; `lineage_dvc.declare`
writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lineage.vocabulary import CLEAN_KINDS, Kind, Origin, Tag, Use

ORIGIN_FIELDS = ("kind", "provider", "service", "channel", "terms", "licence", "jurisdiction", "acquired")
CLAIM_FIELDS = ("origin", "content", "by", "at", "reason", "evidence")
STAGE_FIELDS = (*CLAIM_FIELDS, "uses", "inputs")


class Malformed(Exception):  # noqa: N818 - a state of a file; the source stays undeclared, it is never read as clean
    """A ``meta.lineage`` that cannot be understood. Args: why; keys from ``lineage`` to the place."""

    def __init__(self, why: str, *place: str | int) -> None:
        super().__init__(why)
        self.place = place


class Writer(NamedTuple):
    """Who made the commit that first holds a claim, and when. Empty as long as it is not committed."""

    name: str = ""
    time: str = ""
    """ISO 8601."""


NOBODY = Writer()


class Claim(NamedTuple):
    """An origin that somebody put on a path."""

    origin: Origin
    content: frozenset[str]
    """Content keys it speaks for; empty: those beside which it was first seen."""
    paths: tuple[tuple[str, str], ...] = ()
    """(output, content key or empty): it speaks for these outputs of a stage alone."""
    by: str = ""
    at: str = ""
    reason: str = ""
    evidence: str = ""

    @property
    def clean(self) -> bool:
        """Whether it frees data, and so expires on other content."""
        return self.origin.kind in CLEAN_KINDS

    def speaks_of(self, path: str) -> bool:
        """Whether it is about an output at all."""
        return not self.paths or any(own == path for own, _ in self.paths)

    def keys(self, path: str) -> frozenset[str]:
        """The content keys it speaks for at an output; empty: those beside which it was first seen there."""
        return frozenset(key for own, key in self.paths if own == path and key) if self.paths else self.content

    def said_by(self, writer: Writer) -> str:
        """Who says so: whom it names, and who wrote that where it is another. A name in a file is no signature."""
        if not self.by or not writer.name or self.by == writer.name:
            return self.by or writer.name
        dates = (
            (f", {self.at[:10]}", f", {writer.time[:10]}") if self.at[:10] not in ("", writer.time[:10]) else ("", "")
        )
        return f"{self.by}{dates[0]} (written by {writer.name}{dates[1]})"

    def tag(self, writer: Writer = NOBODY, *, spoken_for: str = "") -> Tag:
        """The tag it puts on content.

        Args:
            writer: who wrote it.
            spoken_for: the content it names, when it is carried to other content.
        """
        reason = self.reason
        if spoken_for:
            carried = f"declared for {spoken_for}; a restricted claim stays with the path when the content changes"
            reason = f"{reason} ({carried})" if reason else carried
        return Tag(self.origin, by=self.said_by(writer), reason=reason, evidence=self.evidence)


class Said(NamedTuple):
    """Everything under one ``meta.lineage``."""

    claims: tuple[Claim, ...] = ()
    uses: tuple[tuple[str, Use], ...] = ()
    """(dependency as written, or pattern; role). Stages only."""
    inputs: tuple[tuple[str, tuple[Claim, ...]], ...] = ()
    """(dependency as written; claims). Stages only: for sources that have no file of their own in DVC."""


NOTHING = Said()


def said(meta: Any, *, stage: bool = False) -> Said:
    """Read a ``meta`` value.

    Args:
        meta: what stands under ``meta`` of a `.dvc` file, an output or a stage; None when nothing does.
        stage: whether ``uses`` and ``inputs`` may stand there.

    Raises:
        Malformed: ``lineage`` is there and cannot be understood.
    """
    if not isinstance(meta, Mapping) or "lineage" not in meta:
        return NOTHING
    claims: list[Claim] = []
    uses: list[tuple[str, Use]] = []
    inputs: list[tuple[str, tuple[Claim, ...]]] = []
    for place, item in _items(meta["lineage"]):
        unknown = set(map(str, item)) - set(STAGE_FIELDS if stage else CLAIM_FIELDS)
        if unknown:
            allowed = ", ".join(STAGE_FIELDS if stage else CLAIM_FIELDS)
            raise Malformed(f"unknown field `{min(unknown)}` (known: {allowed})", *place, min(unknown))
        if "origin" in item:
            claims.append(_claim(item, place))
        elif not {"uses", "inputs"} & set(item):
            raise Malformed("`origin` is missing", *place)
        uses += _uses(item.get("uses"), place)
        inputs += _inputs(item.get("inputs"), place)
    return Said(tuple(claims), tuple(uses), tuple(inputs))


def _items(value: Any) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        yield (), value
        return
    if not isinstance(value, list) or not value:
        raise Malformed("`lineage` is neither a mapping nor a list of mappings")
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise Malformed("a claim is not a mapping", index)
        yield (index,), item


def _claim(item: Mapping[str, Any], place: tuple[str | int, ...]) -> Claim:
    origin = item["origin"]
    if not isinstance(origin, Mapping):
        raise Malformed("`origin` is not a mapping, as in  origin: {kind: first-party}", *place, "origin")
    fields: dict[str, str] = {}
    for key, value in origin.items():
        if key not in ORIGIN_FIELDS:
            known = ", ".join(ORIGIN_FIELDS)
            raise Malformed(f"unknown field `{key}` of origin (known: {known})", *place, "origin", key)
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise Malformed(f"`{key}` of origin is not text", *place, "origin", key)
        fields[key] = str(value)
    try:
        kind = Kind(fields.pop("kind", ""))
    except ValueError:
        kinds = ", ".join(k.value for k in Kind if k is not Kind.UNDECLARED)
        raise Malformed(f"`kind` of origin is missing or unknown (known: {kinds})", *place, "origin", "kind") from None
    if kind is Kind.UNDECLARED:
        raise Malformed("`undeclared` cannot be declared: it is the absence of a declaration", *place, "origin", "kind")
    for key in ("by", "at", "reason", "evidence"):
        if not isinstance(item.get(key, ""), (str, int)):
            raise Malformed(f"`{key}` is not text", *place, key)
    content = item.get("content")
    paths: tuple[tuple[str, str], ...] = ()
    if isinstance(content, Mapping):
        paths = tuple(
            (str(path).replace("\\", "/"), next(iter(_contents(key, (*place, "content", str(path)))), ""))
            for path, key in content.items()
        )
        content = None
    return Claim(
        Origin(kind, **fields),
        frozenset(_contents(content, (*place, "content"))),
        paths,
        str(item.get("by", "")),
        str(item.get("at", "")),
        str(item.get("reason", "")),
        str(item.get("evidence", "")),
    )


_KEY = re.compile(r"[a-z0-9_]+:\S+")


def _contents(value: Any, place: tuple[str | int, ...]) -> list[str]:
    if value is None:
        return []
    keys = value if isinstance(value, list) else [value]
    whole = [key if ":" in key else f"md5:{key}" for key in keys if isinstance(key, str)]
    if not keys or len(whole) != len(keys) or not all(_KEY.fullmatch(key) for key in whole):
        raise Malformed("`content` is no content key, as in  content: md5:900150983cd24fb0d6963f7d28e17f72", *place)
    return whole


def _uses(value: Any, place: tuple[str | int, ...]) -> list[tuple[str, Use]]:
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise Malformed("`uses` is not a mapping, as in  uses: {data/exam.csv: evaluation}", *place, "uses")
    found: list[tuple[str, Use]] = []
    for path, use in value.items():
        try:
            found.append((str(path).replace("\\", "/"), Use(use)))
        except ValueError:
            uses = ", ".join(u.value for u in Use)
            raise Malformed(f"{use!r} is no use (known: {uses})", *place, "uses", str(path)) from None
    return found


def _inputs(value: Any, place: tuple[str | int, ...]) -> list[tuple[str, tuple[Claim, ...]]]:
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise Malformed("`inputs` is not a mapping of dependencies", *place, "inputs")
    found: list[tuple[str, tuple[Claim, ...]]] = []
    for path, claims in value.items():
        try:
            inner = said({"lineage": claims})
        except Malformed as error:
            raise Malformed(str(error), *place, "inputs", str(path), *error.place) from None
        found.append((str(path), inner.claims))
    return found
