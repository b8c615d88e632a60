"""`Graph.record(then=…)`: what is decided from events is recorded with them, or neither is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.events.event import run_event
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import Artifact, Content, Input, Kind, Origin, Tag

TIME = "2024-01-01T00:00:00+00:00"


def artifact(name: str, *kinds: Kind) -> Artifact:
    tags = tuple(Tag(Origin(kind), by="x") for kind in kinds)
    return Artifact("dvc://p", name, Content(f"md5:{name * 32}", 1_000), tags=tags)


def made(output: Artifact, *inputs: Artifact) -> bytes:
    return run_event(
        run_id=f"run-{output.name}", job=("dvc://p", "stage"), time=TIME, inputs=[Input(i) for i in inputs],
        outputs=[output],
    )  # fmt: skip


def kinds(graph: Graph, one: Artifact) -> set[Kind]:
    return {label.origin.kind for label in graph.labels(one).labels}


@pytest.fixture
def graph(store_url: str) -> Iterator[Graph]:
    graph = Graph(create_store(store_url))
    yield graph
    graph.close()


def test_what_is_asked_in_between_knows_the_events_and_nobody_else_does(graph: Graph, store_url: str) -> None:
    source, model = artifact("a", Kind.LICENSED), artifact("b")
    elsewhere = Graph(open_store(store_url))
    seen = []

    def then() -> list[bytes]:
        (path,) = graph.paths(model).values()
        seen.append((graph.position(), kinds(graph, model), [step.artifact for step in path], elsewhere.position()))
        return [made(artifact("c"), model)]

    assert graph.record([made(model, source)], then=then) == 2
    assert seen == [(1, {Kind.LICENSED}, ["a", "b"], 0)]
    assert kinds(graph, artifact("c")) == {Kind.LICENSED}
    assert elsewhere.position() == 2
    assert kinds(elsewhere, artifact("c")) == {Kind.LICENSED}
    assert graph.event(0)[1] == graph.event(1)[1]
    elsewhere.close()


def test_what_it_raises_undoes_everything_and_is_forgotten(graph: Graph) -> None:
    """Ids that were given out in what was undone are given out again, for something else."""
    model = artifact("b")
    graph.record([made(artifact("z"), artifact("y", Kind.CUSTOMER))])

    def fail() -> list[bytes]:
        assert kinds(graph, model) == {Kind.LICENSED}
        raise RuntimeError("no verdict")

    with pytest.raises(RuntimeError, match="no verdict"):
        graph.record([made(model, artifact("a", Kind.LICENSED))], then=fail)
    assert graph.position() == 1
    assert graph.find("dvc://p", "b") is None
    graph.record([made(model, artifact("d", Kind.WEB_CRAWL))])
    assert kinds(graph, model) == {Kind.WEB_CRAWL}
    assert kinds(graph, artifact("z")) == {Kind.CUSTOMER}


def test_an_event_that_cannot_be_read_undoes_everything(graph: Graph) -> None:
    from lineage.errors import UsageError

    with pytest.raises(UsageError) as caught:
        graph.record([made(artifact("b"), artifact("a"))], then=lambda: [b"{}"])
    assert caught.value.code == "EVENT_INVALID"
    assert graph.position() == 0
