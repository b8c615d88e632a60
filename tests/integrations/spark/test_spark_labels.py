"""Labels recomputed on Spark are the labels that are kept up to date event by event, and those of the naive reference."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

import lineage_spark.session
from lineage.errors import CannotDecide
from lineage.events import dataset_event
from lineage.graph import Graph
from lineage.store import create_store
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag
from lineage_spark.__main__ import main
from lineage_spark.check import differences
from lineage_spark.entries import entries, exported
from lineage_spark.labels import labels, read_label

sys.path.insert(0, str(Path(__file__).parents[2] / "laws"))
from reference import Reference
from worlds import EMPTY, SPACE, UNIVERSE, asked, histories

OPENAI = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai")
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


def recorded(path: str, number: int) -> str:
    """A store of some entries."""
    graph = Graph(create_store(path))
    for i in range(number):
        artifact = Artifact("file", f"{i}", Content(f"md5:{i:032x}"), tags=(Tag(OPENAI),) if i % 2 else ())
        graph.record([dataset_event(artifact, time="2024-01-01T00:00:00Z")])
    graph.close()
    return path


def events(read: Any) -> list[bytes]:
    return sorted(bytes(row["event"]).rstrip() for row in read.collect())


def test_an_export_that_is_not_whole_is_refused(spark: Any, tmp_path: Path) -> None:
    path, out = recorded(str(tmp_path / "lineage.db"), 3), str(tmp_path / "entries")
    read = entries(spark, path)
    read.write.parquet(out)
    assert events(exported(spark, out)) == events(read)
    read.where("position != 1").write.parquet(out + "middle")
    read.where("position != 2").write.parquet(out + "end")
    read.union(read).write.parquet(out + "twice")
    other = entries(spark, recorded(str(tmp_path / "other.db"), 4)).where("position = 3")
    read.union(other).write.parquet(out + "mixed")
    (tmp_path / "entriesnone" / "_temporary").mkdir(parents=True)  # what a job that died leaves
    (tmp_path / "entriesnone.jsonl").touch()
    for broken in ("middle", "end", "twice", "mixed", "none", "none.jsonl"):
        with pytest.raises(CannotDecide, match="not whole"):
            exported(spark, out + broken)


def test_lines_of_events_are_read_and_damage_is_not_passed_over(spark: Any, tmp_path: Path) -> None:
    path = recorded(str(tmp_path / "lineage.db"), 8)
    read = entries(spark, path)
    said = events(read)
    data = b"\r\n\n".join(said)
    (tmp_path / "all").mkdir()
    for name in ("all/a.jsonl", "all/b.jsonl", "all/c.jsonl.gz"):
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert events(exported(spark, str(tmp_path / "all/[bc].jsonl*"))) == sorted(2 * said)
    found = labels(exported(spark, str(tmp_path / "all/[bc].jsonl*")))
    assert differences(found, read, path).count() == 0  # what is there twice counts once (law 3)

    (tmp_path / "cut.jsonl").write_bytes(data[:-40])
    (tmp_path / "noise.jsonl").write_bytes(data + b"\nno event\n")
    (tmp_path / "bytes.jsonl").write_bytes(data + b"\n\xff\xfe{\x00}\x00\n")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(data)[:-40])
    spark.conf.set("spark.sql.files.ignoreCorruptFiles", "true")
    try:
        for name in ("cut.jsonl", "noise.jsonl", "bytes.jsonl", "cut.jsonl.gz"):
            with pytest.raises(Exception, match=r"not an OpenLineage event|EOF|not whole"):
                labels(exported(spark, str(tmp_path / name)))
    finally:
        spark.conf.unset("spark.sql.files.ignoreCorruptFiles")

    with pytest.raises(CannotDecide, match="cannot be held against"):
        differences(found, read, recorded(str(tmp_path / "more.db"), 9))


def test_an_entry_that_the_store_lost_is_noticed(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (0, 4, 7):
        path = recorded(str(tmp_path / f"{number}.db"), 8)
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("DELETE FROM entry WHERE position = ?", (number,))
        assert main(["labels", "--store", f"{number}.db"]) == 3
        said = capsys.readouterr()
        assert not said.out
        assert f"CannotDecide: entry {number} of the ledger is missing" in said.err.splitlines()[1]


def test_another_version_on_a_worker_is_refused(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded(str(tmp_path / "lineage.db"), 2)
    monkeypatch.setattr(lineage_spark.session, "version", lambda _: "9.9")
    read = entries(spark, path)
    monkeypatch.undo()
    with pytest.raises(Exception, match="a worker has lineagegate"):
        read.collect()
