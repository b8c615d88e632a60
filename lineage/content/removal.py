"""Whether an origin was taken out: record by record, what is before and what is after (case S6).

Two questions of each record after: is it of the origin, equal or resembling; is it one of those before. Reads files,
knows no ledger: which sources an origin has, and what binds the answer to content, is `lineage.gate.removed`. Held in
memory is one batch, and eight bytes for each different record of fewer than `Rule.letters` letters; the rest lies in
mapped files.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineage.content.fingerprint import Fingerprints, Key, Words, fingerprints
from lineage.content.index import RULE, Index, IndexFile, IndexWriter
from lineage.content.normalise import Letters, normalise
from lineage.content.places import Places
from lineage.content.records import Progress, records
from lineage.content.search import search
from lineage.errors import CannotDecide

KEPT = RULE._replace(passages=1 << 31)
"""When a record after comes from one before whose letters are others: it resembles one by its share of passages. That
it holds a whole record is not enough: what else a long text holds would be new."""

_Mask = NDArray[np.bool_]


class Source(NamedTuple):
    """The fingerprints of one source."""

    file: IndexFile
    short: Words
    """Of its different short records, ascending; one without any letter is none of them."""
    shorts: int
    """How many short records it has."""

    @property
    def brief(self) -> bool:
        """Whether most of its records are short. Then to be equal to one tells something; else everybody says "yes"."""
        return 2 * self.shorts > self.file.records


class Side(NamedTuple):
    """What is before, or after."""

    records: int
    short: int
    """Records of fewer letters than `Rule.letters`: compared as a whole only."""
    equal: int
    """Records of the origin: those with all letters of one …"""
    similar: int
    """… and those that resemble one."""
    short_equal: int
    """Short records that a source has, too, and that are not counted as found: it has mostly longer ones."""
    by_source: tuple[int, ...]
    """Records found, by source; one that is in several counts for each."""

    @property
    def found(self) -> int:
        """Records of the origin."""
        return self.equal + self.similar


class Comparison(NamedTuple):
    """What was found."""

    before: Side
    after: Side
    left: Places
    """Records of the origin that are still there."""
    kept_equal: int
    """Records after with all letters of one before."""
    kept_similar: int
    """Those that resemble one (`KEPT`)."""
    new: Places
    """Those that do neither."""
    digest: str
    """`Index.digest` of the sources."""


def derived_key(contents: Sequence[str]) -> Key:
    """The key of a comparison, made of the content keys of its sources: whoever has the files gets the same result."""
    return Key(hashlib.blake2b("\n".join(sorted(contents)).encode(), digest_size=32, person=b"removal").digest())


def read_source(path: Path, name: str, key: Key, directory: Path, progress: Progress | None = None) -> Source:
    """Fingerprint a source.

    Args:
        path: what `lineage.content.records` takes.
        name: of the file to make.
        key: of the comparison.
        directory: where the file goes.
        progress: as there.

    Raises:
        CannotDecide: ``CONTENT_UNREADABLE``, ``CONTENT_EMPTY``.
    """
    inside = _Inside(directory, key)
    try:
        for batch in records(path, progress=progress):
            inside.add(fingerprints(normalise(batch.texts), key))
        return inside.finish(name, path)
    finally:
        inside.writer.close()


def compare(
    before: Path,
    after: Path,
    sources: Sequence[Source],
    key: Key,
    directory: Path,
    progress: Progress | None = None,
) -> Comparison:
    """Hold what is after against what was before, and both against the sources.

    Args:
        before: what the removal read.
        after: what it left.
        sources: of the origin, from `read_source` with the same key and directory.
        key: of the comparison.
        directory: where the sources' files are; takes temporary ones.
        progress: as in `lineage.content.records`.

    Raises:
        CannotDecide: ``CONTENT_UNREADABLE``; ``CONTENT_EMPTY``: there is no record at all.
    """
    origin = _Origin(Index.open(directory, [(f"{i:06}", s.file) for i, s in enumerate(sources)], key), sources)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        inside = _Inside(Path(scratch), key)
        try:
            first = _Counting(len(sources))
            for batch in records(before, progress=progress):
                prints, _ = first.add(normalise(batch.texts), origin)
                inside.add(prints)
            whole = inside.finish("before", before)
        finally:
            inside.writer.close()
        kept = Index.open(Path(scratch), [("before", whole.file)], key)
        second, left, new = _Counting(len(sources)), Places(), Places()
        equal = similar = wordless = 0
        for batch in records(after, progress=progress):
            prints, of = second.add(normalise(batch.texts), origin)
            left.add(batch.file, np.flatnonzero(of) + batch.first)
            same = _same(prints, kept, whole.short)
            # all of them look the same: there may be as many as before and no more (numbers may stand for text)
            blank = prints.letters == 0
            same |= blank & (np.cumsum(blank) <= inside.wordless - wordless)
            wordless += int(blank.sum())
            like = np.zeros(len(same), np.bool_)
            if not same.all():
                like[kept.match(_without(prints, same), KEPT).record] = True
                like &= ~same
            equal += int(same.sum())
            similar += int(like.sum())
            new.add(batch.file, np.flatnonzero(~same & ~like) + batch.first)
        del kept  # it maps a file of the directory that goes now
    if second.records == wordless:
        raise _empty(after)
    return Comparison(first.side(), second.side(), left, equal, similar, new, origin.index.digest)


class _Inside:
    """What a file holds, to be looked up."""

    def __init__(self, directory: Path, key: Key) -> None:
        self.writer = IndexWriter(directory, key)
        self.short: list[Words] = []
        self.shorts = 0
        self.wordless = 0
        """Records without any letter: of those nothing can be said."""

    def add(self, prints: Fingerprints) -> None:
        """Take the records of a batch."""
        self.writer.add(prints)
        short = _short(prints)
        self.shorts += int(short.sum())
        self.wordless += int((prints.letters == 0).sum())
        if short.any():
            self.short.append(np.unique(prints.exact[short]))
            if len(self.short) == 64:  # what repeats takes no more room
                self.short = [np.unique(np.concatenate(self.short))]

    def finish(self, name: str, path: Path) -> Source:
        """Write the file."""
        if self.writer.records == self.wordless:
            raise _empty(path)
        short = np.unique(np.concatenate(self.short)) if self.short else np.empty(0, np.uint64)
        return Source(self.writer.finish(name), short, self.shorts)


class _Origin:
    """The sources, to be looked up."""

    def __init__(self, index: Index, sources: Sequence[Source]) -> None:
        self.index, self.sources = index, sources

    def find(self, letters: Letters) -> tuple[Fingerprints, _Mask, _Mask, _Mask, NDArray[np.int64]]:
        """(fingerprints, records of the origin, those that equal one, short ones that say nothing, records by source).

        Args:
            letters: of a batch.
        """
        prints, matches = search(self.index, letters)
        found, equal, silent = (np.zeros(len(prints.exact), np.bool_) for _ in range(3))
        found[matches.record] = True
        equal[matches.record[matches.exact]] = True
        counts = np.bincount(matches.source, minlength=len(self.sources)).astype(np.int64)
        short = _short(prints)
        if short.any():
            for number, source in enumerate(self.sources):
                same = short & _holds(source.short, prints.exact)
                if source.brief:
                    found |= same
                    equal |= same
                    counts[number] += int(same.sum())
                else:
                    silent |= same
        return prints, found, equal, silent & ~found, counts


class _Counting:
    """One side while it is read."""

    def __init__(self, sources: int) -> None:
        self.records = self.short = self.equal = self.found = self.silent = 0
        self.counts = np.zeros(sources, np.int64)

    def add(self, letters: Letters, origin: _Origin) -> tuple[Fingerprints, _Mask]:
        """Count a batch; its fingerprints, and which of its records are of the origin."""
        prints, found, equal, silent, counts = origin.find(letters)
        self.records += len(prints.exact)
        self.short += int((prints.letters < RULE.letters).sum())
        self.found += int(found.sum())
        self.equal += int(equal.sum())
        self.silent += int(silent.sum())
        self.counts += counts
        return prints, found

    def side(self) -> Side:
        """What was counted."""
        by_source = tuple(self.counts.tolist())
        return Side(self.records, self.short, self.equal, self.found - self.equal, self.silent, by_source)


def _short(prints: Fingerprints) -> _Mask:
    return (prints.letters > 0) & (prints.letters < RULE.letters)


def _holds(values: Words, asked: Words) -> _Mask:
    if not len(values):
        return np.zeros(len(asked), np.bool_)
    place = np.minimum(np.searchsorted(values, asked), len(values) - 1)
    held: _Mask = values[place] == asked
    return held


def _same(prints: Fingerprints, kept: Index, short: Words) -> _Mask:
    """Records with all letters of a record before, one letter at least."""
    same = _short(prints) & _holds(short, prints.exact)
    nothing = prints._replace(record=prints.record[:0], anchors=prints.anchors[:0])
    matches = kept.match(nothing, KEPT)
    same[matches.record[matches.exact]] = True
    return same


def _without(prints: Fingerprints, same: _Mask) -> Fingerprints:
    """The same records, with the passages of only those whose letters are not found."""
    rest = ~same[prints.record]
    return prints._replace(record=prints.record[rest], anchors=prints.anchors[rest])


def _empty(path: Path) -> CannotDecide:
    return CannotDecide(
        f"{path} holds no record of text",
        code="CONTENT_EMPTY",
        cause="from nothing nothing follows: neither what was taken out nor what was left",
        hint="see whether it is the file that was meant, and whether it was written to its end",
    )
