"""The ledger's entries as a frame of Spark: from the store, or from what was exported of it.

The workers read the store's ranges themselves, each with a connection of its own: PostgreSQL from anywhere, a SQLite
file on its own machine. For workers that reach neither, `entries` written as Parquet is an export, for `exported`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from lineage.errors import CannotDecide
from lineage.graph import Graph
from lineage.ledger import unpack
from lineage.store import open_store

SCHEMA = "position long, event binary"
"""Position in the ledger from 0, exact bytes of the OpenLineage event."""
_SLICE = 20_000
"""Entries that a task reads."""


def entries(spark: SparkSession, url: str) -> DataFrame:
    """Every entry that a store holds now.

    Args:
        spark: an open session.
        url: absolute path of the SQLite file, or ``postgresql://…``, as the workers reach it.

    Raises:
        UsageError: the store cannot be opened here.
    """
    with open_store(url) as store:
        size = Graph(store).position()

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            first, end = batch.column(0)[0].as_py(), batch.column(0)[-1].as_py() + 1
            positions, found = [], []
            with open_store(url) as there:
                for start, _, _, body in there.entries(first, end):
                    for position, data in enumerate(unpack(bytes(body)), start):
                        if first <= position < end:
                            positions.append(position)
                            found.append(data)
            yield pa.RecordBatch.from_arrays(
                [pa.array(positions, pa.int64()), pa.array(found, pa.binary())], names=["position", "event"]
            )

    return spark.range(0, size, 1, max(1, -(-size // _SLICE))).mapInArrow(read, SCHEMA)


def exported(spark: SparkSession, path: str) -> DataFrame:
    """Every entry of an export.

    Args:
        spark: an open session.
        path: of Parquet as `entries` gives it, or of lines of one event each (``….jsonl``, ``….json``, compressed too).

    Raises:
        CannotDecide: ``LEDGER_INCOMPLETE``: a position is missing or there twice.
    """
    if ".json" in path.rstrip("/").rpartition("/")[2]:
        lines = spark.read.text(path, lineSep="\n").where("length(trim(value)) > 0")
        return lines.select(f.lit(-1).cast("long").alias("position"), f.col("value").cast("binary").alias("event"))
    frame = spark.read.schema(SCHEMA).parquet(path)
    row = frame.agg(f.count("*"), f.count_distinct("position"), f.max("position")).first()
    if row is None or not row[0] == row[1] == (-1 if row[2] is None else row[2]) + 1:
        raise CannotDecide(
            f"the export {path} is not whole", code="LEDGER_INCOMPLETE", cause="a position is missing or there twice",
            hint="export the ledger again; labels of a part of it would look clean and not be",
        )  # fmt: skip
    return frame
