"""Several names of one thing, and facets that name inputs: labels travel, and nothing takes one away. Both databases."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from lineage.errors import CannotDecide
from lineage.events.event import dataset_event
from lineage.graph import Graph
from lineage.graph.verify import check_graph
from lineage.store import create_store, scratch_store
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag

LICENSED = Origin(Kind.LICENSED, "reuters")
LAKE = "s3://lake"
HIVE = "hive://meta:9083"


@pytest.fixture
def graph(store_url: str) -> Iterator[Graph]:
    graph = Graph(create_store(store_url))
    yield graph
    graph.close()


def dataset(name: str, namespace: str = LAKE, **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, **({"facets": facets} if facets else {})}


def event(run: str = "", **more: Any) -> bytes:
    told: dict[str, Any] = {"eventTime": "2026-03-01T10:00:00Z", "producer": "https://example.com/spark"}
    if run:
        told |= {"run": {"runId": run}, "job": {"namespace": "spark", "name": "job"}, "eventType": "COMPLETE"}
    return json.dumps(told | more).encode()


def declared(name: str, namespace: str = LAKE, content: Content | None = None, origin: Origin = LICENSED) -> bytes:
    return dataset_event(Artifact(namespace, name, content, tags=(Tag(origin),)), time="2026-03-01T10:00:00Z")


def kinds(graph: Graph, name: str, namespace: str = LAKE) -> set[str]:
    return {label.origin.kind.value for label in graph.labels(Artifact(namespace, name)).labels}


def symlink(name: str, namespace: str = HIVE) -> dict[str, Any]:
    return {"identifiers": [{"namespace": namespace, "name": name, "type": "TABLE"}]}


def test_another_spelling_is_the_same_thing(graph: Graph) -> None:
    graph.record([declared("raw/x"), event("1", inputs=[dataset("raw/x/", "s3a://lake")], outputs=[dataset("y")])])
    assert kinds(graph, "y") == kinds(graph, "raw/x", "s3n://lake") == {"licensed"}
    assert [step.artifact for path in graph.paths(Artifact(LAKE, "y")).values() for step in path][-1] == "s3://lake/y"


def test_a_table_and_its_place_are_one_thing(graph: Graph) -> None:
    """Written to a place, read by the table's name: nobody has to declare the table beside."""
    graph.record(
        [
            declared("raw"),
            event("write", inputs=[dataset("raw")], outputs=[dataset("wh/t", symlinks=symlink("db.t"))]),
            event("read", inputs=[dataset("db.t", HIVE)], outputs=[dataset("model")]),
        ]
    )
    assert kinds(graph, "model") == kinds(graph, "db.t", HIVE) == {"licensed"}
    assert graph.status().undeclared == 0
    assert graph.status().runs == 2
    assert {maker.run for maker in graph.makers(Artifact(LAKE, "wh/t"))} == {"write"}


def test_declaring_one_name_speaks_for_the_other_and_taking_it_back_does_too(graph: Graph) -> None:
    graph.record([event("r", inputs=[dataset("wh/t", symlinks=symlink("db.t"))], outputs=[dataset("out")])])
    assert kinds(graph, "out") == {"undeclared"}
    graph.record([declared("db.t", HIVE)])
    assert kinds(graph, "out") == {"licensed"}
    assert graph.status().undeclared == 0


def test_a_renamed_table_keeps_its_labels(graph: Graph) -> None:
    change = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": LAKE, "name": "old"}}
    graph.record(
        [declared("old"), event("r", outputs=[dataset("new", lifecycleStateChange=change)], inputs=[dataset("old")])]
    )
    assert "licensed" in kinds(graph, "new")


@pytest.mark.parametrize(
    "later",
    [
        event("w", inputs=[], outputs=[dataset("x")]),
        event("w", eventType="ABORT", outputs=[dataset("x", lifecycleStateChange={"lifecycleStateChange": "DROP"})]),
        event("w", outputs=[dataset("x", lifecycleStateChange={"lifecycleStateChange": "OVERWRITE"})]),
        event("w", outputs=[dataset("x", lifecycleStateChange={"lifecycleStateChange": "TRUNCATE"})]),
        event("w", outputs=[dataset("x", lineage={"inputs": []})]),
        event("w", outputs=[dataset("x", lineage_origin={"_deleted": True}, symlinks={"_deleted": True})]),
        event("w", outputs=[dataset("x", symlinks={"identifiers": []})]),
        event("w", outputs=[dataset("x", symlinks=symlink("clean", LAKE))]),
        event("other", inputs=[dataset("clean")], outputs=[dataset("x")]),
        event("other", inputs=[dataset("clean", symlinks=symlink("x", LAKE))], outputs=[dataset("z")]),
        event(dataset=dataset("x", columnLineage={"fields": {"c": {"inputFields": [dataset("clean")]}}})),
        event(dataset=dataset("x", version={"datasetVersion": "2"})),
        event(job={"namespace": "j", "name": "j"}, inputs=[dataset("clean")], outputs=[dataset("x")]),
        declared("x", origin=Origin(Kind.FIRST_PARTY)),
    ],
)
def test_nothing_from_outside_removes_a_label(graph: Graph, later: bytes) -> None:
    graph.record(
        [
            declared("raw"),
            declared("clean", origin=Origin(Kind.FIRST_PARTY)),
            event("w", inputs=[dataset("raw")], outputs=[dataset("x")]),
            event("use", inputs=[dataset("x")], outputs=[dataset("model")]),
        ]
    )
    before = graph.labels(Artifact(LAKE, "model")).labels
    graph.record([later])
    assert before <= graph.labels(Artifact(LAKE, "model")).labels


def test_what_facets_say_was_read_counts(graph: Graph) -> None:
    graph.record([declared(name) for name in "abcd"])
    columns = {"fields": {"c": {"inputFields": [{**dataset("a"), "field": "f"}]}}, "dataset": [dataset("b")]}
    entries = [{"type": "DATASET", **dataset("t"), "inputs": [{"type": "DATASET", **dataset("c")}, {"type": "JOB"}]}]
    graph.record(
        [
            event("r", outputs=[dataset("out", columnLineage=columns)]),
            event(dataset=dataset("view", lineage={"inputs": [{"type": "DATASET", **dataset("d")}]})),
            event(job={"namespace": "j", "name": "j", "facets": {"lineage": {"entries": entries}}}),
        ]
    )
    for name, sources in (("out", {"a", "b"}), ("view", {"d"}), ("t", {"c"})):
        found = {source.artifact.name for source in graph.sources(Artifact(LAKE, name))}
        assert found == sources, name
        assert kinds(graph, name) == {"licensed"}


def test_a_symlink_of_a_content_carries_what_the_content_carries(graph: Graph) -> None:
    content = Content("md5:" + "a" * 32, 100)
    held = {"lineage_content": {"hash": content.hash, "size": 100}}
    graph.record([declared("x", content=content), event("r", inputs=[dataset("x", symlinks=symlink("db.x"), **held)])])
    assert "licensed" in kinds(graph, "db.x", HIVE)
    with pytest.raises(CannotDecide):
        graph.labels(Artifact(HIVE, "db.y"))


def test_order_and_repetition_do_not_matter(graph: Graph) -> None:
    """What Spark, dbt and Airflow tell of one night, shuffled and told twice."""
    told = [
        declared("raw"),
        event("a", eventType="START", inputs=[dataset("raw")]),
        event("a", eventType="RUNNING", inputs=[dataset("raw", "s3a://lake"), dataset("dim")]),
        event("a", eventType="COMPLETE", outputs=[dataset("wh/t", symlinks=symlink("db.t"))]),
        event("b", eventType="FAIL", inputs=[dataset("db.t", HIVE)], outputs=[dataset("broken")]),
        event("b", eventType="ABORT", inputs=[dataset("late")]),
        event("c", inputs=[dataset("broken/")], outputs=[dataset("model")]),
        declared("dim", origin=Origin(Kind.FIRST_PARTY)),
        event(dataset=dataset("db.t", HIVE, symlinks=symlink("db2.t"))),
    ]
    names = [("model", LAKE), ("broken", LAKE), ("db2.t", HIVE), ("wh/t", LAKE)]
    graph.record(told)
    expected = {name: kinds(graph, *name) for name in names}
    with graph._store.read():
        assert list(check_graph(graph._store, graph.position(), lambda *_: None)) == []
    assert expected["model", LAKE] == {"licensed", "first-party", "undeclared"}
    pick = random.Random(7)
    for _ in range(25):
        other = Graph(scratch_store())
        shuffled = [*told, *pick.sample(told, 4)]
        pick.shuffle(shuffled)
        for data in shuffled:
            other.record([data])
        assert {name: kinds(other, *name) for name in names} == expected
        other.close()
