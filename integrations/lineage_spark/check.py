"""Whether the labels that a store keeps up to date are those recomputed from its entries (law 4), for any graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import pyarrow as pa
from pyspark.sql import DataFrame

from lineage.errors import CannotDecide
from lineage.graph import Graph
from lineage.graph.keys import key_of_text, named_key
from lineage.store import open_store
from lineage.vocabulary import Artifact, Content
from lineage_spark.session import on_workers

SCHEMA = "artifact string, recomputed string, kept string"
"""Labels as JSON (origin, use, basis), or why there is no answer."""


def differences(recomputed: DataFrame, entries: DataFrame, url: str) -> DataFrame:
    """Artifacts whose labels in a store are others; nothing may be recorded meanwhile.

    Args:
        recomputed: from `lineage_spark.labels.labels` …
        entries: … of these.
        url: of the store, as the workers reach it.

    Raises:
        CannotDecide: ``LEDGER_INCOMPLETE``: the store holds more entries, or fewer.
    """
    read = entries.count()
    with open_store(url) as store:
        held = Graph(store).position()
    if read != held:
        raise CannotDecide(
            "the labels cannot be held against those of the store", code="LEDGER_INCOMPLETE",
            cause=f"they were recomputed from {read} entries, the store holds {held}",
            hint="export the ledger again, and record nothing meanwhile",
        )  # fmt: skip

    def compare(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with open_store(url) as store:
            graph = Graph(store)
            for batch in batches:
                found = []
                for artifact, sources, told in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    rows = sorted((row["origin"], row["use"], row["basis"]) for row in told)
                    ours, kept = (rows if sources else "NO_SOURCE"), _kept(graph, artifact)
                    if ours != kept:
                        found.append((artifact, _json(ours), _json(kept)))
                columns = zip(*found, strict=True) if found else [()] * 3
                yield pa.RecordBatch.from_arrays(
                    [pa.array(column, pa.string()) for column in columns], names=["artifact", "recomputed", "kept"]
                )

    return recomputed.select("artifact", "sources", "labels").mapInArrow(on_workers(compare), SCHEMA)


_Rows = list[tuple[str, str, str | None]]


def _kept(graph: Graph, key: str) -> _Rows | str:
    namespace, _, name = key.partition("/")
    # content is found whatever its name; of a name, what is namespace and what is name does not matter
    named = key_of_text(key) == named_key(key)
    artifact = Artifact(namespace, name) if named else Artifact("", "", Content(key))
    try:
        labels = graph.labels(artifact).labels
    except CannotDecide as unknown:
        return unknown.code
    return sorted(
        (msgspec.json.encode(x.origin).decode(), x.use.value, None if x.basis is None else x.basis.value)
        for x in labels
    )


def _json(value: _Rows | str) -> str:
    return msgspec.json.encode(value).decode()
