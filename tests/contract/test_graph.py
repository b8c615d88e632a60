"""What a graph promises, on both databases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events import dataset_event, run_event
from lineage.events.event import act_event
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Basis,
    Content,
    Decision,
    Execution,
    Grant,
    Input,
    Kind,
    Label,
    Member,
    Origin,
    Outcome,
    Scope,
    Tag,
    Use,
)

SPACE = "dvc://shop"
TIME = "2024-01-01T00:00:00Z"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")


def thing(name: str, *tags: Tag, model: bool = False, content: str = "") -> Artifact:
    digest = f"{int.from_bytes((content or name).encode(), 'big'):032x}"[-32:]
    kind = ArtifactType.MODEL if model else ArtifactType.DATASET
    return Artifact(SPACE, name, Content(f"md5:{digest}", 1000), kind, tags)


RAW, CLEAN, MODEL = thing("data/raw"), thing("data/clean"), thing("model.pkl", model=True)


def stage(name: str, inputs: list[Input], outputs: list[Artifact], run_id: str = "") -> bytes:
    execution = Execution("dvc", f"dvc.yaml:{name}", commit="abc123", author="Ann <ann@example.com>")
    return run_event(
        run_id=run_id or f"run-{name}",
        job=(SPACE, f"dvc.yaml:{name}"),
        time=TIME,
        inputs=inputs,
        outputs=outputs,
        execution=execution,
    )


PIPELINE = [
    dataset_event(
        Artifact(RAW.namespace, RAW.name, RAW.content, tags=(Tag(GPT, by="Jane"),)), time="2023-03-02T00:00:00Z"
    ),
    stage("clean", [Input(RAW)], [CLEAN]),
    stage("train", [Input(CLEAN, Use.FINE_TUNING)], [MODEL]),
]


@pytest.fixture
def graph(store_url: str) -> Iterator[Graph]:
    graph = Graph(create_store(store_url))
    yield graph
    graph.close()


def test_labels_paths_and_facts(graph: Graph, store_url: str) -> None:
    assert graph.record(PIPELINE, {"dvc": "cursor"}) == 3
    assert graph.labels(MODEL) == ({Label(GPT, Use.FINE_TUNING)}, 1, 3)
    path = graph.paths(MODEL)[Label(GPT, Use.FINE_TUNING)]
    assert [(s.artifact, s.run, s.use, s.by) for s in path] == [
        ("data/raw", "", "content", "Jane"),
        ("data/clean", "clean", "content", "Ann <ann@example.com>"),
        ("model.pkl", "train", "fine-tuning", "Ann <ann@example.com>"),
    ]
    assert path[0].time == "2023-03-02T00:00:00Z"
    assert path[1].commit == "abc123"
    impact = graph.impact(RAW)
    assert [(i.artifact.name, i.distance) for i in impact.items] == [("model.pkl", 2), ("data/clean", 1)]
    assert (impact.models, impact.datasets) == (1, 1)
    assert graph.state("dvc") == "cursor"
    assert graph.state("mlflow") is None
    assert graph.known_runs(["run-train", "nope"]) == {"run-train"}
    assert graph.find(SPACE, "model.pkl") == MODEL
    assert graph.find(SPACE, "nope") is None
    assert RAW.content is not None
    assert graph.find_content(RAW.content.hash) == RAW
    assert [d.name for d in graph.names(SPACE)] == ["data/clean", "data/raw", "model.pkl"]
    assert [d.name for d in graph.names(models=True)] == ["model.pkl"]
    assert [d.name for d in graph.names(prefix="data/")] == ["data/clean", "data/raw"]
    assert graph.status() == (3, 2, 3, 3, 1, 1, 0)
    assert [t.tag for t in graph.tags(RAW)] == [Tag(GPT, by="Jane")]
    assert [s.artifact for s in graph.sources(MODEL)] == [RAW]
    assert graph.undeclared() == []
    with open_store(store_url) as store:
        assert Graph(store).labels(MODEL).labels == {Label(GPT, Use.FINE_TUNING)}


def test_versions_of_a_name(graph: Graph) -> None:
    one, two = thing("data/raw", content="one"), thing("data/raw", content="two")
    for version in (one, two, one):
        graph.record([dataset_event(version, time=TIME)])
    assert graph.versions(SPACE, "data/raw") == [one, two]
    assert graph.find(SPACE, "data/raw") == one
    assert graph.status().versions == 2


def test_what_is_unknown_is_refused(graph: Graph) -> None:
    graph.record(PIPELINE)
    for ask in (graph.labels, graph.paths, graph.impact, graph.sources):
        with pytest.raises(CannotDecide) as caught:
            ask(thing("other"))
        assert caught.value.code == "ARTIFACT_UNKNOWN"


def test_a_closed_circle_has_no_source(graph: Graph) -> None:
    a, b = thing("a"), thing("b")
    graph.record([stage("one", [Input(a)], [b]), stage("two", [Input(b)], [a])])
    with pytest.raises(CannotDecide) as caught:
        graph.labels(a)
    assert caught.value.code == "NO_SOURCE"


def test_all_or_nothing(graph: Graph) -> None:
    graph.record(PIPELINE, {"dvc": "1"})
    before = graph.status()
    for bad in (
        b"{",
        b"[]",
        b"{}",
        b'{"eventTime": "2024-01-01T00:00:00Z", "run": {"runId": 3}}',
        b'{"eventTime": "2024-01-01T00:00:00Z", "run": {"runId": "a\\u0000"}}',
        b'{"eventTime": "2024-01-01T00:00:00Z", "producer": "https://github.com/lineagegate/lineagegate", '
        b'"dataset": {"namespace": "a", "name": "b", "facets": {"lineage_origin": {"tags": [{"origin": {"kind": "?"}}]}}}}',
        dataset_event(RAW, time="2024-01-01T00:00:00"),
        dataset_event(Artifact(SPACE, "é" * 1000), time=TIME),
    ):
        with pytest.raises(UsageError) as caught:
            graph.record([stage("more", [Input(RAW)], [thing("more")]), bad], {"dvc": "2"})
        assert caught.value.code == "EVENT_INVALID"
        assert "event 1" in caught.value.message
    assert graph.status() == before
    assert graph.state("dvc") == "1"
    graph.record([stage("more", [Input(RAW)], [thing("more")])])
    assert graph.labels(thing("more")).labels == {Label(GPT, Use.CONTENT)}


def test_the_clock(graph: Graph) -> None:
    now = datetime(2024, 5, 1, tzinfo=timezone.utc)
    graph.record([PIPELINE[0]], now=now)
    graph.record([PIPELINE[1]], now=now - timedelta(minutes=4))
    with pytest.raises(UsageError) as caught:
        graph.record([PIPELINE[2]], {"x": "y"}, now=now - timedelta(minutes=6))
    assert caught.value.code == "CLOCK_WENT_BACK"
    assert graph.position() == 2
    assert graph.state("x") is None
    Graph(graph._store, accept_clock=True).record([PIPELINE[2]], now=now - timedelta(days=6))
    assert graph.tags(RAW)[0].recorded == "2024-05-01T00:00:00+00:00"
    assert graph.position() == 3
    past = graph.as_of(recorded=now - timedelta(seconds=1))
    assert past.position() == 0
    past.close()


def test_acts(graph: Graph) -> None:
    grant = Grant("g1", Scope(provider="openai"), "Legal", "C-12")
    first = Decision("0A", Outcome.DENY, "models:/chat/1", "chat", "register")
    second = Decision("0B", Outcome.ALLOW, "models:/other/1", "other", "register")
    graph.record([act_event(a, run_id=str(i), time=TIME, subject=MODEL) for i, a in enumerate((grant, first, second))])
    assert graph.grants() == [grant]
    assert graph.decisions() == [second, first]
    assert graph.decisions("chat") == [first]
    assert graph.decisions(limit=1) == [second]
    assert graph.decision("0A") == first
    assert graph.decision("0C") is None
    withdrawn = Grant("g1", Scope(provider="openai"), "Legal", "C-12", withdrawn=True)
    graph.record([act_event(withdrawn, run_id="w", time=TIME), act_event(grant, run_id="g", time=TIME)])
    assert graph.grants() == [withdrawn]
    assert graph.status()[:5] == (5, 0, 0, 0, 0)  # saying something derives nothing


def test_two_graphs_on_one_store(graph: Graph, store_url: str) -> None:
    """What one writes, the other sees, whatever it had in memory."""
    other = Graph(open_store(store_url))
    graph.record(PIPELINE[1:])
    undeclared = graph.labels(MODEL).labels
    assert other.labels(MODEL).labels == undeclared
    other.record(PIPELINE[:1])
    assert graph.labels(MODEL).labels == {Label(GPT, Use.FINE_TUNING)}
    graph.record([stage("a", [Input(MODEL)], [thing("text")])])
    other.record([stage("b", [Input(thing("text"))], [thing("copy")])])
    graph.record(
        [dataset_event(Artifact(SPACE, "data/clean", CLEAN.content, tags=(Tag(GPT, Basis.MATCHED),)), time=TIME)]
    )
    assert other.labels(thing("copy")) == graph.labels(thing("copy"))
    assert Label(GPT, Use.FINE_TUNING, Basis.MATCHED) in other.labels(thing("copy")).labels
    other.close()


def test_directories(graph: Graph) -> None:
    files = tuple(Member(f"part/{i:04}.txt", f"md5:{i:032x}", 100) for i in range(1, 301))
    folder = Artifact(SPACE, "data/folder", Content(f"md5:{'d' * 32}.dir", 30000, 300, files))
    lone = Artifact(SPACE, "lone.txt", Content(files[7].hash, 100))
    graph.record([stage("use", [Input(lone)], [thing("out")]), stage("make", [Input(RAW)], [folder])])
    graph.record(PIPELINE[:1])
    # the folder was made from raw, so its files were
    assert graph.labels(lone).labels == {Label(GPT, Use.CONTENT)}
    path = graph.paths(thing("out"))[Label(GPT, Use.CONTENT)]
    assert [s.artifact for s in path] == ["data/raw", "data/folder", "data/folder/part/0008.txt", "out"]
    # a file carries into its folder, and not into its siblings
    web = Origin(Kind.WEB_CRAWL)
    graph.record([dataset_event(Artifact(SPACE, "lone.txt", lone.content, tags=(Tag(web),)), time=TIME)])
    assert Label(web, Use.CONTENT) in graph.labels(folder).labels
    assert Label(web, Use.CONTENT) not in graph.labels(Artifact(SPACE, "x", Content(files[8].hash, 100))).labels
    found = graph.find_content(files[9].hash)
    assert found is not None
    assert found.name == "data/folder/part/0010.txt"


def test_making_twice_changes_nothing(graph: Graph, store_url: str) -> None:
    graph.record(PIPELINE)
    create_store(store_url).close()
    assert graph.position() == 3


def test_no_store(tmp_path: Path, postgres_url: str) -> None:
    for url in (str(tmp_path / "no.db"), postgres_url):
        with pytest.raises(UsageError) as caught:
            open_store(url)
        assert caught.value.code == "STORE_MISSING"
        assert "lineagegate init" in caught.value.hint
    assert not (tmp_path / "no.db").exists()


def test_other_schemas(graph: Graph, store_url: str) -> None:
    graph._store.execute("UPDATE lineage_schema SET version_num = '9999'")
    for make in (open_store, create_store):
        with pytest.raises(UsageError) as caught:
            make(store_url)
        assert caught.value.code == "STORE_SCHEMA_NEW"
        assert "upgrade" in caught.value.hint


def test_closed_and_forked(graph: Graph) -> None:
    graph.record(PIPELINE)
    pid = os.fork()
    if pid == 0:
        try:
            graph.labels(MODEL)
        except UsageError as error:
            os._exit(7 if error.code == "STORE_FORKED" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert graph.labels(MODEL).sources == 1
    graph.close()
    with pytest.raises(UsageError) as caught:
        graph.labels(MODEL)
    assert caught.value.code == "STORE_CLOSED"


def test_an_unreachable_server() -> None:
    with pytest.raises(UsageError) as caught:
        open_store("postgresql://u:secret@127.0.0.1:1/none")
    assert caught.value.code == "STORE_UNREACHABLE"
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError):
        open_store("mysql://x/y")


TABLES = [
    "head",
    "entry",
    "dataset",
    "namespace",
    "content",
    "node",
    "run",
    "source",
    "pairset",
    "origin",
    "tag",
    "retag",
    "reads",
    "run_key",
]


@pytest.mark.parametrize("table", TABLES)
def test_a_missing_row_is_never_clean(store_url: str, table: str) -> None:
    """Law 10: with any table emptied, an answer is the true one or a refusal."""
    graph = Graph(create_store(store_url))
    graph.record([*PIPELINE[1:], stage("ask", [Input(MODEL)], [thing("text")])])
    graph.record(PIPELINE[:1])
    asked = [RAW, CLEAN, MODEL, thing("text")]
    true = {a: graph.labels(a).labels for a in asked}
    paths = {a: set(graph.paths(a)) for a in asked}
    graph._store.execute(f"DELETE FROM {table}")
    graph.close()
    graph = Graph(open_store(store_url))
    refusals = 0
    for artifact in asked:
        try:
            assert graph.labels(artifact).labels == true[artifact]
            assert set(graph.paths(artifact)) == paths[artifact]
        except LineageError as error:
            assert error.code in ("GRAPH_DAMAGED", "ARTIFACT_UNKNOWN")
            refusals += 1
    assert refusals or table in ("reads", "run_key")  # nobody asks these
    graph.close()


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    graph = Graph(create_store(str(path)))
    outputs = [thing(f"out/{i}") for i in range(3000)]
    graph.record([*PIPELINE, *(stage(f"s{i}", [Input(CLEAN)], [o]) for i, o in enumerate(outputs))])
    graph.close()
    size = path.stat().st_size
    for keep in (size * 3 // 4, size // 2, size // 4, 5000, 100):
        os.truncate(path, keep)
        refused = 0
        try:
            with open_store(str(path)) as store:
                cut = Graph(store)
                for output in outputs[::50]:
                    try:
                        assert cut.labels(output).labels == {Label(GPT, Use.CONTENT)}
                    except CannotDecide:
                        refused += 1
        except UsageError as error:
            assert error.code in ("STORE_CORRUPT", "STORE_MISSING")
            refused += 1
        assert refused


@pytest.mark.parametrize("data", [b"not a database, not at all" * 100, b"\0" * 8192])
def test_not_a_database(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "l.db"
    path.write_bytes(data)
    for make in (open_store, create_store):
        with pytest.raises(UsageError) as caught:
            make(str(path))
        assert caught.value.code == "STORE_CORRUPT"
    assert path.read_bytes() == data


def test_a_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE experiments (id INTEGER)")
    connection.close()
    with pytest.raises(UsageError) as caught:
        open_store(str(path))
    assert caught.value.code == "STORE_MISSING"


def test_the_directory_is_kept_out_of_git(tmp_path: Path) -> None:
    create_store(str(tmp_path / ".lineage" / "lineage.db")).close()
    assert (tmp_path / ".lineage" / ".gitignore").read_text() == "*\n"
    with pytest.raises(UsageError) as caught:
        create_store(str(tmp_path / ".lineage" / "lineage.db" / "x" / "y.db"))
    assert caught.value.code == "STORE_UNREACHABLE"
