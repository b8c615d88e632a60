"""Jobs, runs and names to leaf through, and tokens, on both databases."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from lineage.errors import UsageError
from lineage.gate.tokens import Unauthenticated, holder, make_token, revoke_token
from lineage.graph import Act, Graph, jobs
from lineage.store import create_store, open_store
from lineage.vocabulary import Access, Role


def event(job: str, run: int, inputs: list[str], outputs: list[str], space: str = "airflow") -> bytes:
    def named(names: list[str]) -> list[dict[str, str]]:
        return [{"namespace": "s3://lake", "name": name} for name in names]

    told: dict[str, Any] = {
        "eventType": "COMPLETE", "eventTime": "2024-05-01T10:00:00Z", "producer": "p", "schemaURL": "s",
        "run": {"runId": f"0192f0c1-7d8e-7000-8000-{run:012x}"}, "job": {"namespace": space, "name": job},
        "inputs": named(inputs), "outputs": named(outputs),
    }  # fmt: skip
    return json.dumps(told).encode()


def test_jobs_are_found_however_often_somebody_looks(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 3)  # several transactions
    graph = Graph(create_store(store_url))
    graph.record(
        [event("load", 1, ["A%_!x"], ["b"]), event("load", 2, ["A%_!x"], ["b"]), event("clean", 3, ["b"], ["c"])]
    )
    found = graph.jobs
    assert found.catch_up() == 3 == found.catch_up()
    graph.record([event("load", 1, ["late"], []), event("load", 4, [], ["b"], "other"), b'{"eventTime": "2024-01-01T00:00:00Z",'
                  b' "dataset": {"namespace": "n", "name": "alone"}}', event("Load.Two", 5, ["c"], [])])  # fmt: skip
    assert found.catch_up() == 7
    assert {(job.namespace, job.name, job.first, job.last) for job in found.some()} == {
        ("airflow", "Load.Two", 6, 6), ("airflow", "clean", 2, 2), ("airflow", "load", 0, 3), ("other", "load", 4, 4),
    }  # fmt: skip
    assert [job.last for job in found.some()] == [6, 4, 3, 2] and [job.name for job in found.some(offset=3)] == [
        "clean"
    ]
    assert (found.count(), found.count("other"), found.count("none")) == (4, 1, 0)
    load = found.find("airflow", "load")
    assert load and found.run_count(load) == 2 and found.find("airflow", "b") is None
    newest, first = found.runs(load)
    assert [item.position for item in first] == [0, 3] and [item.position for item in newest] == [1]
    assert found.names_of(load) == ([("s3://lake", "A%_!x"), ("s3://lake", "late")], [("s3://lake", "b")])
    made, read = found.touching(("s3://lake", "b"))
    assert [(job.namespace, job.name) for job in made] == [("airflow", "load"), ("other", "load")]
    assert [job.name for job in read] == ["clean"] and found.touching(("s3://lake", "z")) == ([], [])
    assert {job.name for job in found.like("LOAD", 10)} == {"load", "Load.Two"}
    assert len(found.like("load", 10, "other")) == 1 and len(found.like("load", 1)) == 1
    for text, hits in (("a%_!", 1), ("%", 1), ("_", 1), ("!", 1), ("\\", 0), ("'", 0)):
        assert len(found.datasets_like(text, 10)) == hits, text
    assert found.datasets("s3://lake", offset=1, limit=2)[0] == 4
    assert {space.name for space in found.namespaces()} == {"airflow", "n", "other", "s3://lake"}
    assert found.run("0192f0c1-7d8e-7000-8000-000000000003")[0].event.job and found.run("unknown") == []
    assert found.entries([2])[0].data == event("clean", 3, ["b"], ["c"])
    graph.close()


def test_two_look_at_once(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "AT_ONCE", 5)
    graph = Graph(create_store(store_url))
    graph.record([event(f"j{i % 7}", i, [], ["x"]) for i in range(60)])
    graphs = [Graph(open_store(store_url)) for _ in range(3)]
    threads = [threading.Thread(target=other.jobs.catch_up) for other in graphs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert graph.jobs.count() == 7
    assert sum(graph.jobs.run_count(job) for job in graph.jobs.some()) == 60
    for each in (graph, *graphs):
        each.close()


def test_tokens(store_url: str) -> None:
    graph = Graph(create_store(store_url))
    row, text = make_token(
        graph, name="Jane Roe <jane@example.com>", role=Role.PRODUCER, by="adm", namespaces=("a*", "b")
    )
    assert holder(graph, text) == row == graph.tokens.find(row.id) and graph.tokens.all() == [row]
    assert row.secret not in text.encode() and graph.tokens.find("0" * 26) is None
    gone = revoke_token(graph, row.id.lower(), by="adm")
    assert gone.revoked and revoke_token(graph, row.id, by="adm") == gone
    with pytest.raises(Unauthenticated, match="revoked"):
        holder(graph, text)
    acts = [said.act for said in graph.acts((Act.ACCESS,), row.id)]
    assert [act.passage.value for act in acts if isinstance(act, Access)] == ["token-made", "token-revoked"]
    before = graph.position()
    with pytest.raises(UsageError):
        make_token(graph, name="", role=Role.READER, by="adm")
    assert graph.position() == before and len(graph.tokens.all()) == 1
    graph.close()
