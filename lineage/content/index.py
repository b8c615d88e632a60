"""The index: for every source a file of sorted fingerprints, and which records of anything equal or resemble them.

A file is mapped into memory, not read, and holds no text, no record numbers and no names: only keyed fingerprints of 40
bits and more. Fingerprints are spread over buckets by their first bits; of the rest 32 bits are kept, so that one
lookup meets a wrong one once in half a billion times, whatever the size. Which origin a source has is the ledger's
business; which files there are, and their hashes, is kept in the store (`lineage.gate.content`).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lineage.content.fingerprint import LEAST, PASSAGE, Fingerprints, Key, Numbers, Words
from lineage.errors import CannotDecide

_MAGIC = b"lineagegate content 1\n"
_HEADER = 4096
_PARTS = 64
"""Files that fingerprints are spread over while an index is built: what has to be sorted at once is one of them."""


class Rule(NamedTuple):
    """When a record resembles records of a source. Found by measurement (docs/explanation/content.md)."""

    share: float = 0.3
    """At least this share of its passages, and two of them, are the source's …"""
    passages: int = 5
    """… or at least so many are: a long text that holds a whole record resembles it."""
    brief: int = 200
    """Of a record with fewer letters two passages are enough."""
    letters: int = PASSAGE
    """A record with fewer letters says nothing: it is counted and not compared."""


RULE = Rule()


class Matches(NamedTuple):
    """Records of a batch that equal or resemble records of a source; one row for each record and source."""

    record: Numbers
    """Index in the batch, ascending within a source."""
    source: Numbers
    """Index in `Index.sources`."""
    exact: NDArray[np.bool_]
    """Whether all its letters are the same; else it resembles."""
    share: NDArray[np.float64]
    """Share of its passages that are the source's; 1 for an equal one."""
    evidence: Evidence
    """What they rest on."""


class Evidence(NamedTuple):
    """What matches rest on: of an equal record its fingerprint, of a resembling one those of its passages found."""

    source: Numbers
    """Index in `Index.sources`."""
    exact: NDArray[np.bool_]
    """Whether it is a whole record."""
    fingerprint: Words


_RECORD = 12
"""Passages that count as one record: so many has one of 400 letters."""


class Different:
    """How much different content was found, in records: copies of a record, and a phrase that stands in many, count
    once; twelve passages count as one record.

    Bounded: beyond a million fingerprints of either sort nothing more is counted, in parts or at once.
    """

    def __init__(self) -> None:
        self._exact = self._passages = np.empty(0, np.uint64)

    def add(self, evidence: Evidence, sources: Iterable[int]) -> None:
        """Take what matches with some sources rest on."""
        of = np.isin(evidence.source, list(sources))
        if len(self._exact) < _MOST:
            self._exact = np.union1d(self._exact, evidence.fingerprint[of & evidence.exact])
        if len(self._passages) < _MOST:
            self._passages = np.union1d(self._passages, evidence.fingerprint[of & ~evidence.exact])

    def merge(self, other: Different) -> None:
        """Take what was found elsewhere."""
        if len(self._exact) < _MOST:
            self._exact = np.union1d(self._exact, other._exact)
        if len(self._passages) < _MOST:
            self._passages = np.union1d(self._passages, other._passages)

    @property
    def records(self) -> float:
        """The number."""
        return min(len(self._exact), _MOST) + min(len(self._passages), _MOST) / _RECORD


_MOST = 1 << 20
ENOUGH = _MOST // _RECORD
"""Records' worth of different content that is enough, however large a dataset is: of passages no more is counted."""


class IndexFile(NamedTuple):
    """The file of one source."""

    name: str
    """Its name in the directory."""
    sha256: str
    """Of its bytes, lower-case hex."""
    key: str
    """`Key.id` that it was made with."""
    records: int
    """Records of the source, those too short to compare among them."""
    distinct: int
    """Different ones."""
    passages: int
    """Different passages that are kept."""
    common: int
    """Passages that are not: they stand in so many records of the source itself that they tell nothing."""
    bytes: int
    """Of the file."""


class _Set:
    """A set of fingerprints: buckets by the first bits, 32 bits of the rest."""

    def __init__(self, bounds: NDArray[np.uint32], rests: NDArray[np.uint32]) -> None:
        self.bounds, self.rests = bounds, rests
        self.bits = np.uint64(64 - (len(bounds) - 2).bit_length())

    def holds(self, values: Words) -> NDArray[np.bool_]:
        """Which of some fingerprints are in it."""
        found = np.zeros(len(values), np.bool_)
        if not len(self.rests) or not len(values):
            return found
        bucket = (values >> self.bits).astype(np.int64)
        rest = ((values >> (self.bits - np.uint64(32))) & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        place, end = self.bounds[bucket].astype(np.int64), self.bounds[bucket + 1].astype(np.int64)
        waiting = np.flatnonzero(place < end)
        place, end, rest = place[waiting], end[waiting], rest[waiting]
        while len(waiting):
            here = self.rests[place]
            found[waiting[here == rest]] = True
            place += 1
            on = np.flatnonzero((here < rest) & (place < end))  # sorted: beyond it there is nothing
            waiting, place, end, rest = waiting[on], place[on], end[on], rest[on]
        return found


def _bits(count: int) -> int:
    """Bits of the bucket's number: eight to sixteen fingerprints a bucket."""
    return max(8, (count // 8).bit_length() - 1)


class Sorted(NamedTuple):
    """Some fingerprints, ascending, each once."""

    values: Words
    common: int
    """How many were left out because they are common."""


class _Part(NamedTuple):
    """`Sorted`, in a file."""

    file: IO[bytes]
    place: int
    size: int
    common: int

    def values(self) -> Words:
        """What it holds."""
        self.file.seek(self.place)
        return np.frombuffer(self.file.read(8 * self.size), np.uint64)


class IndexWriter:
    """Builds the file of one source, in bounded memory: what does not fit lies in temporary files beside it.

    Args:
        directory: where the file goes.
        key: secret of the installation.
    """

    def __init__(self, directory: Path, key: Key) -> None:
        self.directory, self.key = directory, key
        self.records = 0
        self._scratch = tempfile.TemporaryDirectory(dir=directory, prefix=".building-")
        where = Path(self._scratch.name)
        self._exact: list[IO[bytes]] = [(where / f"e{i}").open("w+b") for i in range(_PARTS)]
        self._anchors: list[IO[bytes]] = [(where / f"a{i}").open("w+b") for i in range(_PARTS)]

    def add(self, found: Fingerprints) -> None:
        """Take the records of one batch."""
        self.records += len(found.exact)
        told = found.letters >= RULE.letters
        _spread(self._exact, found.exact[told][:, None])
        # with the record's own fingerprint: a passage is common when it stands in many different records
        _spread(self._anchors, np.stack((found.anchors, found.exact[found.record]), axis=1))

    def finish(self, name: str) -> IndexFile:
        """Write the file; a name that is there is replaced at once or not at all.

        Args:
            name: of the file in the directory.
        """
        try:
            exact = (whole_records(_taken(file, 1)[:, 0]) for file in self._exact)
            return assemble(
                self.directory,
                self.key,
                name,
                self.records,
                exact,
                lambda most: (passages(_taken(file, 2), most) for file in self._anchors),
            )
        finally:
            self.close()

    def close(self) -> None:
        """Take the temporary files away."""
        for file in (*self._exact, *self._anchors):
            file.close()
        self._scratch.cleanup()


def assemble(
    directory: Path,
    key: Key,
    name: str,
    records: int,
    exact: Iterable[Sorted],
    anchors: Callable[[int], Iterable[Sorted]],
) -> IndexFile:
    """Write the file of one source from fingerprints sorted before, here or elsewhere; what it holds lies in temporary
    files meanwhile.

    Args:
        directory: where the file goes.
        key: that the fingerprints were made with.
        name: of the file; one that is there is replaced at once or not at all.
        records: how many the source has.
        exact: of its records, `whole_records` of consecutive ranges of fingerprints.
        anchors: of its passages, `passages` of consecutive ranges; given after how many records one is common.
    """
    with tempfile.TemporaryFile(dir=directory) as scratch:

        def kept(parts: Iterable[Sorted]) -> list[_Part]:
            found = []
            for part in parts:
                found.append(_Part(scratch, scratch.seek(0, os.SEEK_END), len(part.values), part.common))
                scratch.write(part.values.tobytes())
            return found

        whole = kept(exact)
        most = max(8, int(sum(part.size for part in whole) ** (1 / 3)))
        return _write(directory, key, name, records, whole, kept(anchors(most)))


def _write(directory: Path, key: Key, name: str, records: int, exact: list[_Part], anchors: list[_Part]) -> IndexFile:
    distinct, kept = sum(part.size for part in exact), sum(part.size for part in anchors)
    common = sum(part.common for part in anchors)
    header = {
        "key": key.id, "records": records, "exact": distinct, "anchors": kept, "common": common,
    }  # fmt: skip
    number, draft = tempfile.mkstemp(dir=directory, prefix=".index-")
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(number, "wb") as file:

            def put(data: bytes) -> None:
                nonlocal size
                file.write(data)
                digest.update(data)
                size += len(data)

            put((_MAGIC + json.dumps(header, sort_keys=True).encode()).ljust(_HEADER))
            for parts, count in ((exact, distinct), (anchors, kept)):
                bits = _bits(count)
                counts = np.zeros(1 << bits, np.uint32)
                for part in parts:
                    buckets = (part.values() >> np.uint64(64 - bits)).astype(np.int64)
                    if len(buckets):
                        low, high = int(buckets[0]), int(buckets[-1]) + 1
                        counts[low:high] += np.bincount(buckets - low, minlength=high - low).astype(np.uint32)
                put(b"\0\0\0\0" + np.cumsum(counts, dtype=np.uint64).astype("<u4").tobytes())
                for part in parts:
                    rests = (part.values() >> np.uint64(32 - bits)) & np.uint64(0xFFFFFFFF)
                    put(rests.astype("<u4").tobytes())
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(directory / name)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return IndexFile(name, digest.hexdigest(), key.id, records, distinct, kept, common, size)


def _spread(files: list[IO[bytes]], rows: Words) -> None:
    """Append rows to the file that the first bits of their first column name."""
    part = (rows[:, 0] >> np.uint64(64 - (_PARTS - 1).bit_length())).astype(np.int64)
    order = np.argsort(part, kind="stable")
    rows = np.ascontiguousarray(rows[order])
    bounds = np.searchsorted(part[order], np.arange(_PARTS + 1))
    for i, file in enumerate(files):
        if bounds[i] < bounds[i + 1]:
            file.write(rows[bounds[i] : bounds[i + 1]].tobytes())


def _taken(file: IO[bytes], columns: int) -> Words:
    """What a file holds; it is empty afterwards."""
    file.seek(0)
    rows = np.frombuffer(file.read(), np.uint64).reshape(-1, columns)
    file.truncate(0)
    return rows


def whole_records(fingerprints: Words) -> Sorted:
    """What an index keeps of the records of a range: each fingerprint once."""
    return Sorted(np.unique(fingerprints), 0)


def passages(pairs: Words, most: int) -> Sorted:
    """What an index keeps of the passages of a range.

    Args:
        pairs: shape (n, 2), the fingerprint of a passage and of the whole record that it stands in.
        most: a passage that stands in more different records is common.
    """
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    first, second = pairs[order, 0], pairs[order, 1]
    fresh = np.ones(len(first), np.bool_)
    fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    values, counts = np.unique(first[fresh], return_counts=True)
    return Sorted(values[counts <= most], int((counts > most).sum()))


class Index:
    """Some sources' files, opened. Reads only. Pickled, it is opened anew where it arrives: the files must be there.

    Args:
        sources: what the caller calls each of them, in the order of ``files``.
        files: their sets of fingerprints.
        key: secret that they were made with.
    """

    def __init__(self, sources: Sequence[str], files: Sequence[tuple[_Set, _Set]], key: Key, digest: str) -> None:
        self.sources, self._files, self.key = tuple(sources), files, key
        self.digest = digest
        """sha256 over the files' digests and names: what a result was made against."""
        self._from: tuple[Path, tuple[tuple[str, IndexFile], ...]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if self._from is None:
            raise TypeError("only an index that was opened from files can be opened elsewhere")
        return _opened, (*self._from, self.key.secret)

    @classmethod
    def open(cls, directory: Path, files: Iterable[tuple[str, IndexFile]], key: Key) -> Index:
        """Map files into memory, each checked against its hash.

        Args:
            directory: where they lie.
            files: what the caller calls a source, and its file.
            key: secret of the installation.

        Raises:
            CannotDecide: ``CONTENT_INDEX_MISSING``, ``CONTENT_INDEX_DAMAGED`` or ``CONTENT_INDEX_KEY``.
        """
        listed = sorted(files)
        sets = [_open(directory / file.name, file, key) for _, file in listed]
        whole = hashlib.sha256("".join(f"{source}\0{file.sha256}\n" for source, file in listed).encode())
        index = cls([source for source, _ in listed], sets, key, whole.hexdigest())
        index._from = directory, tuple(listed)
        return index

    def match(self, found: Fingerprints, rule: Rule = RULE) -> Matches:
        """The records of a batch that equal or resemble records of some source.

        Args:
            found: fingerprints made with the same key.
            rule: what counts as resembling.
        """
        told = found.letters >= rule.letters
        count = len(found.exact)
        whole = np.maximum(np.bincount(found.record, minlength=count), 1)
        none = np.empty(0, np.int64)
        rows: list[tuple[Any, ...]] = [(none, none, none.astype(np.bool_), none.astype(np.float64))]
        evidence: list[tuple[Any, ...]] = [(none, none.astype(np.bool_), none.astype(np.uint64))]
        for source, (exact, anchors) in enumerate(self._files):
            equal = told & exact.holds(found.exact)
            hit = np.flatnonzero(anchors.holds(found.anchors))
            share = np.bincount(found.record[hit], minlength=count) / whole
            # a passage that a record repeats is one piece of evidence
            pair = found.anchors[hit] ^ (found.record[hit].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
            _, once = np.unique(pair, return_index=True)
            different = np.bincount(found.record[hit[once]], minlength=count)
            alike = (share >= rule.share) | (found.letters < rule.brief)
            near = told & ~equal & ((different >= 2) & alike | (different >= rule.passages))
            record = np.flatnonzero(equal | near)
            rows.append((record, np.full(len(record), source), equal[record], np.where(equal, 1.0, share)[record]))
            for kind, prints in (
                (True, np.unique(found.exact[equal])),
                (False, np.unique(found.anchors[hit[near[found.record[hit]]]])),
            ):
                evidence.append((np.full(len(prints), source), np.full(len(prints), kind), prints))
        record, of, equal, share = (np.concatenate(column) for column in zip(*rows, strict=True))
        rests = Evidence(*(np.concatenate(column) for column in zip(*evidence, strict=True)))
        return Matches(record, of, equal, share, rests)


@lru_cache(2)
def _opened(directory: Path, files: tuple[tuple[str, IndexFile], ...], secret: bytes) -> Index:
    """An index that arrives again and again, with each task of a job, is opened and checked once."""
    return Index.open(directory, files, Key(secret))


def _open(path: Path, file: IndexFile, key: Key) -> tuple[_Set, _Set]:
    if file.key != key.id:
        raise _unusable("CONTENT_INDEX_KEY", f"{path} was made with another key", "the key is not the one of then")
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != file.sha256:
            raise _unusable("CONTENT_INDEX_DAMAGED", f"{path} is damaged", "its sha256 is not the recorded one")
        data = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise _unusable("CONTENT_INDEX_MISSING", f"{path} cannot be read", str(error)) from None
    sets, place = [], _HEADER
    for count in (file.distinct, file.passages):
        buckets = (1 << _bits(count)) + 1
        words = data[place : place + 4 * (buckets + count)].view("<u4")
        sets.append(_Set(words[:buckets], words[buckets:]))
        place += 4 * (buckets + count)
    return sets[0], sets[1]


def _unusable(code: str, message: str, cause: str) -> CannotDecide:
    return CannotDecide(message, code=code, cause=cause, hint="`lineagegate content index` makes it again")


assert LEAST >= 2  # `Index.match` asks for two passages
