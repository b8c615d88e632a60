"""The eleven laws of SEMANTICS.md, each a property test against the naive reference."""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Reference
from worlds import FILES, NAMES, SPACE, TIMES, UNIVERSE, asked, histories, plain_histories

from lineage.errors import CannotDecide, UsageError
from lineage.events import dataset_event, run_event
from lineage.events.event import act_event
from lineage.graph import Graph
from lineage.store import create_store, scratch_store
from lineage.vocabulary import (
    UNDECLARED,
    Artifact,
    ArtifactType,
    Basis,
    Content,
    Decision,
    Input,
    Kind,
    Label,
    Origin,
    Outcome,
    Tag,
    Use,
)

N = int(os.environ.get("LAWS", "60"))
law = settings(max_examples=N, deadline=None, suppress_health_check=list(HealthCheck))

Answer = frozenset[Label] | str


def answer(graph: Graph, artifact: Artifact) -> Answer:
    try:
        return graph.labels(artifact).labels
    except CannotDecide as error:
        return error.code


def answers(graph: Graph) -> dict[Artifact, Answer]:
    return {a: answer(graph, a) for a in UNIVERSE}


def expected(events: list[bytes]) -> dict[Artifact, Answer]:
    reference = Reference(events)
    return {a: reference.labels(a.namespace, a.name, asked(a)) for a in UNIVERSE}


@contextlib.contextmanager
def graph_of(events: list[bytes], rnd: random.Random | None = None) -> Iterator[Graph]:
    """A graph with these events, in batches of random size."""
    graph = Graph(scratch_store())
    try:
        for batch in batches(events, rnd):
            graph.record(batch)
        yield graph
    finally:
        graph.close()


def batches(events: list[bytes], rnd: random.Random | None) -> list[list[bytes]]:
    out: list[list[bytes]] = [[]]
    for event in events:
        if rnd is None or rnd.random() < 0.5:
            out.append([])
        out[-1].append(event)
    return out


randoms = st.randoms(use_true_random=False)
fresh = iter(range(10**9))


def new(name: str, *, model: bool = False, tags: tuple[Tag, ...] = ()) -> Artifact:
    """An artifact that no history knows."""
    content = Content(f"md5:{next(fresh) + (1 << 100):032x}")
    return Artifact(SPACE, f"new/{name}", content, ArtifactType.MODEL if model else ArtifactType.DATASET, tags)


def made(inputs: list[Input], outputs: list[Artifact]) -> bytes:
    return run_event(run_id=f"new{next(fresh)}", job=(SPACE, "s"), time=TIMES[0], inputs=inputs, outputs=outputs)


def told(artifact: Artifact, origin: Origin) -> bytes:
    tagged = Artifact(artifact.namespace, artifact.name, artifact.content, artifact.type, (Tag(origin),))
    return dataset_event(tagged, time=TIMES[0])


MARK = Origin(Kind.LICENSED, "marked")


@law
@given(plain_histories, randoms)
def test_law_1_union(events: list[bytes], rnd: random.Random) -> None:
    with graph_of(events, rnd) as graph:
        for inputs, outputs in reads_and_makes(events):
            for content in inputs:
                for output in outputs:
                    carried, inherits = answer(graph, content), answer(graph, output)
                    if isinstance(carried, frozenset):
                        assert isinstance(inherits, frozenset)
                        assert carried <= inherits


def reads_and_makes(events: list[bytes]) -> Iterator[tuple[list[Artifact], list[Artifact]]]:
    """Of each event: plain inputs of use ``content``, and outputs."""
    from lineage.events import read

    for data in events:
        event = read(data)
        inputs = [d.artifact for d in event.inputs if d.use is Use.CONTENT and not d.is_model]
        yield [plain(a) for a in inputs], [plain(d.artifact) for d in event.outputs]


def plain(artifact: Artifact) -> Artifact:
    """An artifact without what was only said of it here (files, tags, type)."""
    content = artifact.content
    return Artifact(artifact.namespace, artifact.name, content and Content(content.hash, content.size))


@law
@given(plain_histories, plain_histories, randoms)
def test_law_2_monotone(earlier: list[bytes], later: list[bytes], rnd: random.Random) -> None:
    """Whatever comes later, whoever sends it, no label that rests on a tag goes away."""
    with graph_of(earlier, rnd) as graph:
        before = answers(graph)
        for batch in batches(later, rnd):
            graph.record(batch)
        after = answers(graph)
    for artifact, labels in before.items():
        if isinstance(labels, frozenset):
            tagged = {x for x in labels if x.origin != UNDECLARED}
            found = after[artifact]
            assert tagged <= (found if isinstance(found, frozenset) else set())


@law
@given(histories, randoms)
def test_law_3_order_and_repetition_do_not_matter(events: list[bytes], rnd: random.Random) -> None:
    other = [*events, *rnd.sample(events, rnd.randint(0, len(events)))]
    rnd.shuffle(other)
    with graph_of(events) as one, graph_of(other, rnd) as two:
        assert answers(one) == answers(two)


@law
@given(histories, randoms)
def test_law_4_incremental_equals_recomputed(events: list[bytes], rnd: random.Random) -> None:
    with graph_of(events, rnd) as graph:
        assert answers(graph) == expected(events)
        again = graph.as_of()
        assert answers(again) == answers(graph)
        again.close()


@law
@given(histories, randoms)
def test_law_5_evaluation_stops_at_the_model(events: list[bytes], rnd: random.Random) -> None:
    model, metrics, text = new("model", model=True), new("metrics"), new("text")
    exam = new("exam", tags=(Tag(MARK),))
    history = [
        *events,
        made([Input(rnd.choice(UNIVERSE)), Input(new("data"))], [model]),
        made([Input(model)], [text]),
    ]
    rnd.shuffle(history)
    with graph_of(history, rnd) as graph:
        before, text_before, model_before = answers(graph), answer(graph, text), answer(graph, model)
        graph.record([made([Input(model), Input(exam, Use.EVALUATION)], [metrics])])
        assert answers(graph) == before
        assert answer(graph, text) == text_before
        assert answer(graph, model) == set(model_before) | {Label(MARK, Use.EVALUATION)}
        assert Label(MARK, Use.EVALUATION) in graph.labels(metrics).labels
        # what chose the weights does travel
        graph.record([made([Input(new("v", tags=(Tag(MARK),)), Use.VALIDATION), Input(new("w"))], [model])])
        assert Label(MARK, Use.VALIDATION) in graph.labels(text).labels


@law
@given(histories, randoms)
def test_law_6_through_models(events: list[bytes], rnd: random.Random) -> None:
    chosen = rnd.choice(UNIVERSE)
    model = Artifact(chosen.namespace, chosen.name, chosen.content, ArtifactType.MODEL)
    text = new("text")
    with graph_of([*events, made([Input(model)], [text])], rnd) as graph:
        carried = answer(graph, model)
        kept = {x for x in carried if x.use is not Use.EVALUATION} if isinstance(carried, frozenset) else set()
        origin = Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service=model.name)
        assert graph.labels(text).labels == kept | {Label(origin, Use.CONTENT, Basis.OBSERVED)}


@law
@given(plain_histories, randoms)
def test_law_7_same_content_same_labels(events: list[bytes], rnd: random.Random) -> None:
    with graph_of(events, rnd) as graph:
        for file in FILES:
            here, there = Artifact(SPACE, "a", Content(file)), Artifact("s3://elsewhere", "x/y", Content(file, 10**6))
            assert answer(graph, here) == answer(graph, there)
        for data in events:
            for reference in references(json.loads(data)):
                content = ((reference.get("facets") or {}).get("lineage_content")) or {}
                holder = answer(graph, Artifact(SPACE, "a", Content(content["hash"]))) if "hash" in content else ""
                for member in content.get("members", ()):
                    inside = answer(graph, Artifact(SPACE, "a", Content(member["hash"])))
                    if not Content(member["hash"]).trivial and isinstance(inside, frozenset):
                        assert inside <= holder  # type: ignore[operator]


def references(event: dict) -> list[dict]:  # type: ignore[type-arg]
    return [*event.get("inputs", ()), *event.get("outputs", ()), *([event["dataset"]] if "dataset" in event else [])]


@law
@given(histories, randoms)
def test_law_8_undeclared_until_somebody_speaks(events: list[bytes], rnd: random.Random) -> None:
    source, output = new("source"), new("output")
    history = [*events, made([Input(source), Input(rnd.choice(UNIVERSE))], [output])]
    rnd.shuffle(history)
    with graph_of(history, rnd) as graph:
        assert graph.labels(source).labels == {Label(UNDECLARED, Use.CONTENT, None)}
        assert Label(UNDECLARED, Use.CONTENT, None) in graph.labels(output).labels
        assert source.content in [s.artifact.content for s in graph.undeclared()]
        graph.record([told(source, MARK)])
        assert graph.labels(source).labels == {Label(MARK, Use.CONTENT)}
        assert Label(MARK, Use.CONTENT) in graph.labels(output).labels
        assert source.content not in [s.artifact.content for s in graph.undeclared()]


@law
@given(plain_histories, st.sampled_from(UNIVERSE), randoms)
def test_law_9_a_tag_reaches_everything_downstream(events: list[bytes], chosen: Artifact, rnd: random.Random) -> None:
    decision = Decision("0" * 26, Outcome.ALLOW, "models:/x", "x", "register", position=3)
    history = [*events, act_event(decision, run_id="d", time=TIMES[0]), dataset_event(chosen, time=TIMES[0])]
    with graph_of(history, rnd) as graph:
        impact = graph.impact(chosen)
        graph.record([told(chosen, MARK)])
        assert graph.decisions() == [decision]
        assert graph.decision(decision.id) == decision
        carrying = {node(a) for a, labels in answers(graph).items() if marked(labels)}
        # impact says beforehand exactly where a tag will show
        assert all(marked(answer(graph, item.artifact)) for item in impact.items)
        reached = {node(i.artifact) for i in impact.items} | {node(chosen)}
        assert {n for n in carrying if n not in reached} <= file_nodes(history)


def marked(labels: Answer) -> bool:
    return isinstance(labels, frozenset) and any(x.origin == MARK for x in labels)


def file_nodes(events: list[bytes]) -> set[tuple[str, ...]]:
    """Directories and their files: impact lists what runs made, and a file is listed as part of its directory."""
    out: set[tuple[str, ...]] = set()
    for data in events:
        for reference in references(json.loads(data)):
            content = ((reference.get("facets") or {}).get("lineage_content")) or {}
            if content.get("members"):
                out |= {("content", content["hash"]), *(("content", m["hash"]) for m in content["members"])}
    return out


def node(artifact: Artifact) -> tuple[str, ...]:
    from reference import node_of

    return node_of(artifact.namespace, artifact.name, asked(artifact))


@law
@given(histories, randoms)
def test_paths_lead_from_a_source_for_every_label(events: list[bytes], rnd: random.Random) -> None:
    with graph_of(events, rnd) as graph:
        for artifact in UNIVERSE:
            labels = answer(graph, artifact)
            if isinstance(labels, frozenset):
                paths = graph.paths(artifact)
                assert set(paths) == labels
                for path in paths.values():
                    assert path[0].run == ""
                    assert path[-1].artifact in (artifact.name, *NAMES) or len(path) == 1
                    assert len(path) <= 30


@law
@given(histories, st.integers(0, 9), st.integers(0, 20), randoms)
def test_law_11_two_times(events: list[bytes], month: int, cut: int, rnd: random.Random) -> None:
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    graph = Graph(scratch_store())
    for i, event in enumerate(events):
        graph.record([event], now=start + timedelta(days=i))
    happened = datetime(2023, month or 1, 15, tzinfo=timezone.utc)
    known = start + timedelta(days=cut)

    def before(data: bytes) -> bool:
        text = json.loads(data)["eventTime"].removesuffix("Z")
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc) <= happened

    for past, events_then in (
        (graph.as_of(happened=happened), [e for e in events if before(e)]),
        (graph.as_of(recorded=known), events[: cut + 1]),
        (graph.as_of(happened=happened, recorded=known), [e for e in events[: cut + 1] if before(e)]),
    ):
        assert answers(past) == expected(events_then)
        past.close()
    graph.close()


@law
@given(histories, st.integers(0, 12), st.integers(0, 20), st.sampled_from(UNIVERSE), randoms)
def test_law_11_what_a_question_rests_on_is_enough(
    events: list[bytes], month: int, cut: int, chosen: Artifact, rnd: random.Random
) -> None:
    """A view of the past made for some questions answers them as the whole ledger does, and refuses the others."""
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    graph = Graph(scratch_store())
    for i, event in enumerate(events):
        graph.record([event], now=start + timedelta(days=i))
    happened = None if month > 9 else datetime(2023, month or 1, 15, tzinfo=timezone.utc)
    recorded = None if cut > 15 else start + timedelta(days=cut)
    full = graph.as_of(happened=happened, recorded=recorded)
    part = graph.as_of(happened=happened, recorded=recorded, about=[chosen], downstream=rnd.random() < 0.5)
    assert part.position() == full.position()
    assert answer(part, chosen) == answer(full, chosen)
    if isinstance(answer(full, chosen), frozenset):
        assert part.labels(chosen) == full.labels(chosen)
        assert lengths(part, chosen) == lengths(full, chosen)
        assert [len(step) for step in part.path_entries(chosen).values()] == [
            len(path) for path in part.paths(chosen).values()
        ]
    assert part.tags(chosen) == full.tags(chosen)
    assert part.versions(chosen.namespace, chosen.name) == full.versions(chosen.namespace, chosen.name)
    assert part.find(chosen.namespace, chosen.name) == full.find(chosen.namespace, chosen.name)
    assert [r[:4] for r in part.removals()] == [r[:4] for r in full.removals()]
    assert part.corrections() == full.corrections()
    try:
        expected_impact = reached(full, chosen)
    except CannotDecide:
        pass
    else:
        ahead = graph.as_of(happened=happened, recorded=recorded, about=[chosen], downstream=True)
        assert reached(ahead, chosen) == expected_impact
        ahead.close()
    with pytest.raises(UsageError):
        part.labels(new("other"))
    for past in (part, full, graph):
        past.close()


def lengths(graph: Graph, artifact: Artifact) -> dict[Label, int]:
    """How long the path of each label is: of paths of one length any will do."""
    return {label: len(path) for label, path in graph.paths(artifact).items()}


def reached(graph: Graph, artifact: Artifact) -> set[tuple[str, str | None, int]]:
    items = graph.impact(artifact).items
    return {(i.artifact.name, i.artifact.content and i.artifact.content.hash, i.distance) for i in items}


@law
@given(histories)
def test_entries_are_enough(events: list[bytes]) -> None:
    """The entries that a lineage rests on, alone, give the labels."""
    with graph_of(events) as graph:
        for artifact in UNIVERSE:
            labels = answer(graph, artifact)
            if isinstance(labels, frozenset):
                with graph_of([graph.event(position).data for position in graph.entries(artifact)]) as again:
                    assert answer(again, artifact) == labels


@pytest.fixture
def postgres_graph(postgres_url: str) -> Iterator[Graph]:
    graph = Graph(create_store(postgres_url))
    yield graph
    graph.close()


@settings(max_examples=max(10, N // 6), deadline=None, suppress_health_check=list(HealthCheck))
@given(events=histories, rnd=randoms)
def test_the_laws_hold_on_postgresql(postgres_graph: Graph, events: list[bytes], rnd: random.Random) -> None:
    store = postgres_graph._store
    tables = "entry, state, namespace, dataset, version, content, node, run_key, run, reads, made, member, source"
    store.execute(f"TRUNCATE {tables}, origin, tag, taken, removal, retag, act, again, spoken")
    store.execute("DELETE FROM pairset WHERE id > 1")
    store.execute(
        "UPDATE head SET position = 0, recorded = 0, frontier = '', epoch = 0, nodes = 0, runs = 0, datasets = 0, "
        "versions = 0, models = 0, pairsets = 1, sources = 0, origins = 0, namespaces = 0"
    )
    graph = Graph(store)
    for batch in batches(events, rnd):
        graph.record(batch)
    assert answers(graph) == expected(events)
    for artifact, labels in answers(graph).items():
        if isinstance(labels, frozenset):
            assert set(graph.paths(artifact)) == labels
            graph.impact(artifact)
    again = graph.as_of()
    assert answers(again) == answers(graph)
    again.close()
