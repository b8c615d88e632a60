"""What the verbs of ``content`` say: what is indexed, and which records are found elsewhere. Never text."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence.document import ArtifactRef, Document
from lineage.evidence.layout import MARK, count, page, table
from lineage.evidence.text import origin_text
from lineage.vocabulary import Origin


class UnreadRef(Document, frozen=True):
    """A file that could not be read whole."""

    file: str
    reason: str


class IndexedSource(Document, frozen=True):
    """A source and its fingerprints."""

    artifact: ArtifactRef
    origins: tuple[Origin, ...]
    state: str
    """``indexed`` now, ``kept`` as it was, ``partial`` (some of it could not be read), ``absent`` (its bytes are not
    here)."""
    records: int
    distinct: int
    """Different records."""
    bytes: int
    """Of the index file."""
    sha256: str
    """Of the index file."""
    unread: tuple[UnreadRef, ...]


class ContentIndexDocument(Document, frozen=True):
    """``content index`` and ``content show``."""

    sources: tuple[IndexedSource, ...]
    directory: str
    key: str
    """Tells keys apart and gives nothing away."""


class Place(Document, frozen=True):
    """Records of a file."""

    file: str
    first: int
    """Number of the first one, counted from 1."""
    last: int


class ContentFound(Document, frozen=True):
    """Records that equal or resemble records of one origin."""

    origin: Origin
    sources: tuple[ArtifactRef, ...]
    """Those of its sources that they were found in."""
    records: int
    equal: int
    """Of them, those with all the same letters."""
    share: float
    """Of the records that were read."""
    different: float
    """How much different content that is, in records; copies and phrases that stand in many count once."""
    enough: bool
    """Whether they reach the threshold."""
    places: tuple[Place, ...]
    more: int
    """Records found that no place is given for."""


class Scanned(Document, frozen=True):
    """A dataset that was searched."""

    path: str
    artifact: ArtifactRef | None
    """None when nothing identifies it."""
    records: int
    short: int
    """Records too short to say anything; they are not compared."""
    found: tuple[ContentFound, ...]
    unread: tuple[UnreadRef, ...]
    tagged: bool
    """Whether what was found is now in the ledger."""


class ContentScanDocument(Document, frozen=True):
    """``content scan``."""

    scanned: tuple[Scanned, ...]
    sources: int
    """Sources that were searched for."""
    missing: tuple[ArtifactRef, ...]
    """Restricted sources that are not indexed whole: what comes from them is not found."""
    index: str
    """Digest of the index."""
    threshold_share: float
    threshold_records: int
    similar_share: float
    """A record resembles when at least this share of its passages is a source's …"""
    similar_passages: int
    """… or so many of them."""


def index_text(document: ContentIndexDocument) -> str:
    """The index as people read it."""
    if not document.sources:
        return page(["No restricted source is declared, so there is nothing to index."])
    rows = [
        (
            source.artifact.display,
            ", ".join(origin_text(origin) for origin in source.origins),
            source.state,
            count(source.records, "record"),
            f"{source.bytes:,} bytes",
        )
        for source in document.sources
    ]
    lines = [f"{count(len(rows), 'source')}, index in {document.directory}", *table(rows)]
    for source in document.sources:
        if source.state == "absent":
            lines.append(f"{source.artifact.display}: its content is not here; `dvc pull` brings it")
        lines += _unread(source.artifact.display, source.unread)
    return page(lines)


def scan_text(document: ContentScanDocument) -> str:
    """What was found as people read it."""
    lines: list[str] = []
    for scanned in document.scanned:
        said = f"{scanned.path}: {count(scanned.records, 'record')}"
        if scanned.short:
            said += f", {scanned.short:,} of them too short to compare"
        if not scanned.found:
            lines.append(f"{said}; nothing of {count(document.sources, 'indexed source')} found in what was read")
        else:
            lines.append(said)
        for found in scanned.found:
            lines.append(
                f"{MARK}{found.records:,} ({found.share:.2%}) of {origin_text(found.origin)}: {found.equal:,} equal, "
                f"{found.records - found.equal:,} similar" + ("" if found.enough else "; below the threshold")
            )
            lines.append(f"{MARK}{MARK}from {', '.join(source.display for source in found.sources)}")
            lines.append(f"{MARK}{MARK}at {_places(found)}")
        if scanned.tagged:
            lines.append(f"{MARK}recorded as tags of basis `matched`")
        lines += _unread(scanned.path, scanned.unread)
    lines += [
        f"{source.display} is restricted and not indexed whole: what comes from it was not looked for"
        for source in document.missing
    ]
    return page(lines)


_SHOWN = 5


def _places(found: ContentFound) -> str:
    shown = [
        f"{place.file}:{place.first}" + (f"-{place.last}" if place.last > place.first else "")
        for place in found.places[:_SHOWN]
    ]
    told = sum(place.last - place.first + 1 for place in found.places[:_SHOWN])
    return ", ".join(shown) + (f" and {found.records - told:,} more" if told < found.records else "")


def _unread(name: str, unread: Sequence[UnreadRef]) -> list[str]:
    lines = [f"{name}: {count(len(unread), 'file')} could not be read whole"] if unread else []
    lines += [f"{MARK}{item.file}: {item.reason}" for item in unread[:_SHOWN]]
    return lines
