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

SCHEMA = "artifact string, recomputed string, kept string"
"""Labels as JSON (origin, use, basis), or why there is no answer."""


def differences(recomputed: DataFrame, url: str) -> DataFrame:
    """Artifacts whose labels in a store are others; nothing may be recorded meanwhile.

    Args:
        recomputed: from `lineage_spark.labels.labels`.
        url: of the store, as the workers reach it.
    """

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

    return recomputed.select("artifact", "sources", "labels").mapInArrow(compare, SCHEMA)


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
