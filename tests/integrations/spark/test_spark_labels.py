"""Labels recomputed on Spark are the labels that are kept up to date event by event, and those of the naive reference."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from lineage.errors import CannotDecide
from lineage.events import dataset_event
from lineage.graph import Graph
from lineage.store import create_store
from lineage.vocabulary import Artifact, Content
from lineage_spark.entries import entries, exported
from lineage_spark.labels import labels, read_label

sys.path.insert(0, str(Path(__file__).parents[2] / "laws"))
from reference import Reference
from worlds import EMPTY, SPACE, UNIVERSE, asked, histories

N = int(os.environ.get("LAWS", "60"))


def moved(value: Any, world: int) -> Any:
    """The same world beside others: its own names, contents, runs and acts, so that one job computes many worlds."""
    if isinstance(value, dict):
        return {
            key: moved_id(item, world) if key in ("id", "runId") else moved(item, world) for key, item in value.items()
        }
    if isinstance(value, list):
        return [moved(item, world) for item in value]
    if not isinstance(value, str):
        return value
    if value.startswith("md5:") and value != EMPTY:
        return f"md5:{world:06x}{value[10:]}"
    return value.replace(SPACE, f"{SPACE}{world}", 1)


def moved_id(value: str, world: int) -> str:
    return f"{world}/{value}"


def moved_artifact(artifact: Artifact, world: int) -> Artifact:
    content = artifact.content and Content(moved(artifact.content.hash, world), artifact.content.size)
    return Artifact(moved(artifact.namespace, world), artifact.name, content)


def answer(graph: Graph, artifact: Artifact) -> Any:
    try:
        found = graph.labels(artifact)
    except CannotDecide as error:
        return error.code
    return found.labels, found.sources


def told(rows: dict[str, Any], artifact: Artifact) -> Any:
    row = rows.get(Graph.key(artifact))
    if row is None:
        return "ARTIFACT_UNKNOWN"
    if not row["sources"]:
        return "NO_SOURCE"
    return frozenset(map(read_label, row["labels"])), row["sources"]


def test_random_worlds(spark: Any, tmp_path: Path) -> None:
    worlds: list[list[bytes]] = []

    @settings(max_examples=N, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(histories)
    def collect(events: list[bytes]) -> None:
        worlds.append(events)

    collect()
    path = str(tmp_path / "lineage.db")
    graph = Graph(create_store(path))
    for number, events in enumerate(worlds):
        graph.record([json.dumps(moved(json.loads(event), number)).encode() for event in events])
    rows = {row["artifact"]: row for row in labels(entries(spark, path)).collect()}
    for number, events in enumerate(worlds):
        reference = Reference(events)
        for artifact in UNIVERSE:
            here = moved_artifact(artifact, number)
            found = told(rows, here)
            assert found == answer(graph, here), (number, artifact, events)
            plain = found if isinstance(found, str) else found[0]
            assert plain == reference.labels(artifact.namespace, artifact.name, asked(artifact)), (number, artifact)
    graph.close()


def test_an_export_that_is_not_whole_is_refused(spark: Any, tmp_path: Path) -> None:
    path, out = str(tmp_path / "lineage.db"), str(tmp_path / "entries")
    graph = Graph(create_store(path))
    graph.record([dataset_event(UNIVERSE[0], time="2024-01-01T00:00:00Z") for _ in range(3)])
    graph.close()
    read = entries(spark, path)
    read.write.parquet(out)
    assert labels(exported(spark, out)).collect() == labels(read).collect()
    read.where("position != 1").write.parquet(out + "2")
    read.union(read).write.parquet(out + "3")
    for broken in (out + "2", out + "3"):
        with pytest.raises(CannotDecide, match="not whole"):
            exported(spark, broken)
