"""Content of restricted sources found again, in corpora that do not fit one machine.

The index of a project as `lineage.gate.content` has it, its reading done by Spark: workers read files with
`lineage.content.records`, take the same fingerprints, and hold them against the same index. An index file made here is
the one that a single machine makes, byte for byte, and what a search finds is what it finds there.

What is read (files, and the index's directory) has to lie where every worker sees it under the same path. The secret of
the installation travels to the workers with the job: where others listen, encrypt it (``spark.network.crypto.enabled``,
``spark.authenticate``).
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f

from lineage.content import (
    RULE,
    Batch,
    Index,
    IndexFile,
    Key,
    Sorted,
    Unread,
    arrow_texts,
    assemble,
    batched,
    files,
    fingerprints,
    normalise,
    passages,
    records_of,
    whole_records,
)
from lineage.content.encoding import Unreadable
from lineage.content.fingerprint import Words
from lineage.evidence.content import Scanned
from lineage.gate import Gate
from lineage.gate.content import ContentIndex
from lineage.gate.tally import Tallies, Threshold, scanned
from lineage.pipeline import Progress
from lineage.vocabulary import Origin
from lineage_spark.session import on_workers

PART = 64 << 20
"""Bytes of fingerprints that a worker sorts at once, about."""
_FEWEST, _MOST = 64, 4096
"""Parts that an index is built in; beyond the most they grow."""
_FLUSH = 32 << 20
"""Bytes of fingerprints that a worker holds before it hands them on."""
_TASKS = 10_000
"""Tasks that files are spread over at most."""

_PRINTS = "part int, number int, exact binary, pairs binary, records long, unread string"
_TOLD = -1
"""Instead of a part: how many records were read, and what could not be."""
_SORTED = "part int, fingerprints binary, common long"
_FOUND = "number int, found binary"


class SparkContent(ContentIndex):
    """The index of a project, made and searched by Spark; everything else is as `ContentIndex` says.

    Args:
        gate: the record.
        spark: an open session.
    """

    def __init__(self, gate: Gate, spark: SparkSession) -> None:
        super().__init__(gate)
        self.spark = spark

    def made(self, path: Path, name: str, progress: Progress | None = None) -> tuple[IndexFile, list[Unread]]:
        """Take the fingerprints of a file or directory, a file a task."""
        del progress  # Spark shows its own
        listed, failed = files(path)
        key, parts = self.key, _parts(sum(size for _, _, size in listed))

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            spread = _Spread(key, parts)
            for number in _numbers(batches):
                unread: list[Unread] = []
                for batch in _records(listed[number], unread):
                    yield from spread.add(batch.texts)
                spread.fail(number, unread)
            yield from spread.rest()

        file, unread = build(
            _numbered(self.spark, len(listed)).mapInArrow(on_workers(read), _PRINTS), self.directory, name, key
        )
        return file, [*failed, *unread]

    def tally(
        self,
        index: Index,
        origins: Sequence[tuple[Origin, ...]],
        path: Path,
        unread: list[Unread],
        progress: Progress | None = None,
    ) -> Tallies:
        """Hold every record of a file or directory against the index, a file a task."""
        del progress
        listed, failed = files(path)

        def search(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for number in _numbers(batches):
                tallies, bad = Tallies(), list[Unread]()
                for batch in _records(listed[number], bad):
                    tallies.take(batch, index, origins)
                yield _table(_FOUND, [(number, pickle.dumps((tallies, bad)))])

        whole = Tallies()
        unread += failed
        for row in _each(_numbered(self.spark, len(listed)).mapInArrow(on_workers(search), _FOUND)):
            tallies, bad = pickle.loads(bytes(row["found"]))  # noqa: S301 - made by our own workers
            whole.merge(tallies)
            unread += bad
        return whole

    def search_table(self, table: DataFrame, name: str, threshold: Threshold) -> Scanned:
        """Hold every row of a table against the index. Rows have no places.

        Args:
            table: all text of a row, whatever its columns, is a record, as in a file of Parquet.
            name: what to call it.
            threshold: what is enough.

        Raises:
            CannotDecide: the index is damaged.
        """
        known = self.sources()
        index = self.open(known)
        origins = [known[int(number)].origins for number in index.sources]

        def search(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            tallies, bad = Tallies(), list[Unread]()
            for batch in _rows(batches, name, bad):
                tallies.take(batch, index, origins)
            for tally in tallies.found.values():
                tally.places.listed.clear()
            yield _table(_FOUND, [(0, pickle.dumps((tallies, bad)))])

        whole, unread = Tallies(), dict[Unread, None]()
        for row in _each(table.mapInArrow(on_workers(search), _FOUND)):
            tallies, bad = pickle.loads(bytes(row["found"]))  # noqa: S301 - made by our own workers
            whole.merge(tallies)
            unread.update(dict.fromkeys(bad))
        return scanned(name, None, [known[int(i)].artifact for i in index.sources], whole, threshold, unread)


def fingerprint_table(table: DataFrame, directory: Path, name: str, key: Key) -> tuple[IndexFile, list[Unread]]:
    """Make the file of a source that is a table.

    Args:
        table: all text of a row, whatever its columns, is a record, as in a file of Parquet.
        directory: where the file goes.
        name: of the file.
        key: secret of the installation.

    Returns:
        The file, and what could not be read: it is not of the whole table then.
    """

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        spread, unread = _Spread(key, _FEWEST), list[Unread]()
        for batch in _rows(batches, name, unread):
            yield from spread.add(batch.texts)
        spread.fail(0, unread)
        yield from spread.rest()

    file, unread = build(table.mapInArrow(on_workers(read), _PRINTS), directory, name, key)
    return file, list(dict.fromkeys(unread))


def build(prints: DataFrame, directory: Path, name: str, key: Key) -> tuple[IndexFile, list[Unread]]:
    """Sort fingerprints on the workers, and write the file of a source here.

    Args:
        prints: rows as `_PRINTS` says.
        directory: where the file goes.
        name: of the file.
        key: that they were made with.
    """
    prints = prints.persist(StorageLevel.DISK_ONLY)
    try:
        told = prints.where(f.col("part") == _TOLD).select("number", "records", "unread").collect()
        unread = [Unread(*json.loads(row["unread"])) for row in sorted(told, key=_number) if row["unread"]]
        grouped = prints.where(f.col("part") != _TOLD).select("part", "exact", "pairs").groupBy("part")
        with tempfile.TemporaryFile(dir=directory) as scratch:

            def exact(group: pa.Table) -> pa.Table:
                return _sorted_part(group, whole_records(_joined(group["exact"])))

            def anchors(most: int) -> Iterator[Sorted]:
                def chosen(group: pa.Table) -> pa.Table:
                    return _sorted_part(group, passages(_joined(group["pairs"]).reshape(-1, 2), most))

                return _in_order(grouped.applyInArrow(chosen, _SORTED), scratch)

            first = _in_order(grouped.applyInArrow(exact, _SORTED), scratch)
            file = assemble(directory, key, name, sum(row["records"] for row in told), first, anchors)
        return file, unread
    finally:
        prints.unpersist()


class _Spread:
    """Fingerprints of some records, in parts by their first bits.

    Args:
        key: secret of the installation.
        parts: how many, a power of two.
    """

    def __init__(self, key: Key, parts: int) -> None:
        self.key, self.parts = key, parts
        self._exact: list[Words] = []
        self._pairs: list[Words] = []
        self._size = self._records = 0
        self._failed: list[tuple[int, str]] = []

    def add(self, texts: Sequence[bytes]) -> Iterator[pa.RecordBatch]:
        """Take records, and give out what is too much to hold."""
        prints = fingerprints(normalise(texts), self.key)
        self._records += len(texts)
        self._exact.append(prints.exact[prints.letters >= RULE.letters])
        self._pairs.append(np.stack((prints.anchors, prints.exact[prints.record]), axis=1))
        self._size += self._exact[-1].nbytes + self._pairs[-1].nbytes
        if self._size >= _FLUSH:
            yield from self.rest()

    def fail(self, number: int, unread: Iterable[Unread]) -> None:
        """Note what could not be read of a file."""
        self._failed += [(number, json.dumps(item)) for item in unread]

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Give out what is held."""
        empty = np.empty(0, np.uint64)
        exact = _split(np.concatenate([empty, *self._exact])[:, None], self.parts)
        pairs = _split(np.concatenate([empty.reshape(0, 2), *self._pairs]), self.parts)
        held = [(part, 0, a, b, 0, "") for part, (a, b) in enumerate(zip(exact, pairs, strict=True)) if a or b]
        told = [(_TOLD, number, b"", b"", 0, text) for number, text in self._failed]
        yield _table(_PRINTS, [*held, *told, (_TOLD, -1, b"", b"", self._records, "")])
        self._exact, self._pairs, self._failed, self._size, self._records = [], [], [], 0, 0


def _split(rows: Words, parts: int) -> list[bytes]:
    """The rows of each part; of which one a row is, the first bits of its first column say."""
    part = (rows[:, 0] >> np.uint64(64 - (parts - 1).bit_length())).astype(np.int64)
    order = np.argsort(part, kind="stable")
    rows, bounds = rows[order], np.searchsorted(part[order], np.arange(parts + 1))
    return [rows[bounds[i] : bounds[i + 1]].tobytes() for i in range(parts)]


def _joined(column: pa.ChunkedArray) -> Words:
    return np.frombuffer(b"".join(column.to_pylist()), np.uint64)


def _sorted_part(group: pa.Table, part: Sorted) -> pa.Table:
    row = (group["part"][0].as_py(), part.values.tobytes(), part.common)
    return pa.Table.from_batches([_table(_SORTED, [row])])


def _in_order(parts: DataFrame, scratch: IO[bytes]) -> Iterator[Sorted]:
    """Sorted parts, ascending; until all are here they lie in a file."""
    places = {}
    for row in _each(parts):
        data = bytes(row["fingerprints"])
        places[row["part"]] = scratch.seek(0, os.SEEK_END), len(data), row["common"]
        scratch.write(data)
    for _, (place, size, common) in sorted(places.items()):
        scratch.seek(place)
        yield Sorted(np.frombuffer(scratch.read(size), np.uint64), common)


def _parts(size: int) -> int:
    """How many parts the fingerprints of so many bytes of text are sorted in."""
    wanted = size // PART  # fingerprints take about as many bytes as the text
    return min(_MOST, max(_FEWEST, 1 << wanted.bit_length()))


def _numbered(spark: SparkSession, count: int) -> DataFrame:
    """The numbers of some files, in order, some to each task."""
    return spark.range(0, count, 1, max(1, min(count, _TASKS)))


def _numbers(batches: Iterable[pa.RecordBatch]) -> Iterator[int]:
    for batch in batches:
        yield from batch.column(0).to_pylist()


def _records(listed: tuple[str, Path, int], unread: list[Unread]) -> Iterator[Batch]:
    """The records of a file, on the worker that reads it."""
    name, file, size = listed
    try:
        found = file.stat().st_size
    except OSError as error:
        unread.append(Unread(name, str(error)))
        return
    if found != size:
        unread.append(Unread(name, f"a worker sees {found} bytes of it, who asked saw {size}"))
        return
    yield from records_of(name, file, unread=unread)


def _each(frame: DataFrame) -> Iterator[Row]:
    """The rows of a frame, in order, made by all workers first and then fetched task by task."""
    frame = frame.persist(StorageLevel.DISK_ONLY)
    try:
        frame.count()
        yield from frame.toLocalIterator()
    finally:
        frame.unpersist()


def _rows(batches: Iterable[pa.RecordBatch], name: str, unread: list[Unread]) -> Iterator[Batch]:
    """The rows of some of a table, in the same batches as those of a file, whatever Spark's are."""
    try:
        yield from batched(name, map(arrow_texts, batches))
    except Unreadable as error:
        unread.append(Unread(name, str(error)))


def _number(row: Row) -> int:
    return int(row["number"])


_TYPES = {"int": pa.int32(), "long": pa.int64(), "binary": pa.binary(), "string": pa.string()}


def _table(schema: str, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    """Rows as a batch; the schema as Spark writes it."""
    fields = [(name, _TYPES[kind]) for name, kind in (field.split() for field in schema.split(","))]
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, (_, kind) in zip(columns, fields, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
