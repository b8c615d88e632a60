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
from lineage_spark.session import on_workers

SCHEMA = "position long, event binary, entries long"
"""Position in the ledger from 0, exact bytes of the OpenLineage event, and how many entries there are, in each row:
a part of them cannot be taken for all."""
_ARROW = pa.schema([("position", pa.int64()), ("event", pa.binary()), ("entries", pa.int64())])
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
        numbers = [number for batch in batches for number in batch.column(0).to_pylist()]
        if not numbers:
            return
        wanted, end = numbers[0], numbers[-1] + 1
        with open_store(url) as there:
            for start, _, _, body in there.entries(wanted, end):
                found = unpack(bytes(body))[wanted - start : end - start]
                if start > wanted or not found:
                    break
                columns = range(wanted, wanted + len(found)), found, [size] * len(found)
                yield pa.RecordBatch.from_arrays(
                    [pa.array(column, field.type) for column, field in zip(columns, _ARROW, strict=True)], schema=_ARROW
                )
                wanted += len(found)
        if wanted != end:
            raise CannotDecide(
                f"entry {wanted} of the ledger is missing", code="LEDGER_DAMAGED",
                cause=f"the store says that it has {size}", hint="restore the store from a backup",
            )  # fmt: skip

    return spark.range(0, size, 1, max(1, -(-size // _SLICE))).mapInArrow(on_workers(read), SCHEMA)


def exported(spark: SparkSession, path: str) -> DataFrame:
    """Every entry of an export.

    Args:
        spark: an open session.
        path: of Parquet as `entries` gives it, or of lines of one event each (``….jsonl``, ``….json``, compressed too).

    Raises:
        CannotDecide: ``LEDGER_INCOMPLETE``: there is no entry, a position is missing or there twice.
    """
    # whatever the session says: what is damaged or gone is not passed over
    reader = spark.read.option("ignoreCorruptFiles", False).option("ignoreMissingFiles", False)
    if ".json" in path.rstrip("/").rpartition("/")[2]:
        lines = reader.text(path, lineSep="\n").where("length(trim(value)) > 0")
        unknown = f.lit(None).cast("long")
        frame = lines.select(
            unknown.alias("position"), f.col("value").cast("binary").alias("event"), unknown.alias("entries")
        )
        whole = not frame.isEmpty()
    else:
        frame = reader.schema(SCHEMA).parquet(path)
        inside = f.col("position").between(0, f.col("entries") - 1)
        (row,) = frame.agg(
            f.count(f.when(inside, 1)), f.count_distinct("position"), f.min("entries"), f.max("entries"), f.count("*")
        ).collect()
        whole = len(set(row)) == 1 and row[0] > 0
    if not whole:
        raise CannotDecide(
            f"the export {path} is not whole", code="LEDGER_INCOMPLETE", cause="entries are missing or there twice",
            hint="export the ledger again; labels of a part of it would look clean and not be",
        )  # fmt: skip
    return frame
