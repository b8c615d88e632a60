"""One writer for many: nothing lost, nothing twice, one caller's mistake is his alone. On both databases."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from lineage.errors import LineageError, UsageError
from lineage.events.event import act_event
from lineage.gate import intake as intake_module
from lineage.gate.intake import Intake, Receipt
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import Grant, Scope

TIME = "2026-01-01T00:00:00Z"


def event(name: str, **more: Any) -> bytes:
    return json.dumps(
        {
            "eventTime": TIME,
            "eventType": "COMPLETE",
            "producer": "https://example.com/etl",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json",
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, name))},
            "job": {"namespace": "etl", "name": "job"},
            "inputs": [{"namespace": "s3://raw", "name": name}],
            "outputs": [{"namespace": "s3://made", "name": name}],
            **more,
        }
    ).encode()


class Opened:
    """Graphs of one store, as the intake asks for them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.graphs: list[Graph] = []
        create_store(url).close()

    def __call__(self) -> Graph:
        graph = Graph(open_store(self.url))
        self.graphs.append(graph)
        return graph

    def entries(self) -> list[bytes]:
        graph = Graph(open_store(self.url))
        try:
            return [graph.event(i).data for i in range(graph.position())]
        finally:
            graph.close()


@pytest.fixture
def opened(store_url: str) -> Opened:
    return Opened(store_url)


@pytest.fixture
def intake(opened: Opened) -> Iterator[Intake]:
    intake = Intake(opened)
    intake.start()
    yield intake
    intake.stop(10)


def test_many_at_once_are_recorded_once_each_and_in_their_own_order(opened: Opened, intake: Intake) -> None:
    def produce(who: int) -> list[Receipt]:
        return [intake.submit([event(f"{who}/{i}/a"), event(f"{who}/{i}/b")]).result(30) for i in range(20)]

    with ThreadPoolExecutor(8) as pool:
        receipts = [receipt for found in pool.map(produce, range(8)) for receipt in found]
    assert {receipt[:3] for receipt in receipts} == {(2, 0, ())}
    held = opened.entries()
    assert sorted(held) == sorted(event(f"{who}/{i}/{x}") for who in range(8) for i in range(20) for x in "ab")
    assert max(receipt.position for receipt in receipts) == len(held) == 320
    for who in range(8):
        mine = [data for data in held if json.loads(data)["inputs"][0]["name"].startswith(f"{who}/")]
        assert mine == [event(f"{who}/{i}/{x}") for i in range(20) for x in "ab"]


def test_what_waits_is_committed_together(opened: Opened, intake: Intake) -> None:
    gate = threading.Event()
    held = intake.do(lambda graph: gate.wait(10))
    waiting = [intake.submit([event(str(i))]) for i in range(50)]
    gate.set()
    assert held.result(10)
    positions = {future.result(10).position for future in waiting}
    assert positions == {50}


def test_the_same_bytes_again_are_known(opened: Opened, intake: Intake) -> None:
    assert intake.submit([event("a"), event("b"), event("a")]).result(10)[:2] == (2, 1)
    assert intake.submit([event("b"), event("c")]).result(10) == Receipt(1, 1, (), 3)
    assert len(opened.entries()) == 3


def test_one_callers_bad_event_is_his_alone(opened: Opened, intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError) as refused:
        intake.submit([event("a"), b"{", event("b")])
    assert refused.value.code == "EVENT_INVALID"
    assert "event 1 of 3" in refused.value.message
    # one that fails only when it is projected, among others that wait with it
    whole = Graph.receive

    def receive(graph: Graph, events: Any, **more: Any) -> Any:
        if any(b"poison" in data for data, _ in events):
            raise ValueError("nobody foresaw this")
        return whole(graph, events, **more)

    monkeypatch.setattr(Graph, "receive", receive)
    gate = threading.Event()
    held = intake.do(lambda graph: gate.wait(10))
    futures = [intake.submit([event(f"{i}a"), event("poison" if i == 3 else f"{i}b")]) for i in range(9)]
    gate.set()
    held.result(10)
    for i, future in enumerate(futures):
        if i == 3:
            with pytest.raises(ValueError, match="nobody foresaw this"):
                future.result(10)
        else:
            assert future.result(10).recorded == 2
    assert len(opened.entries()) == 16
    assert event("3a") not in opened.entries()


def test_too_much_is_refused_and_nothing_of_it_recorded(opened: Opened) -> None:
    intake = Intake(opened, most_waiting=5)
    intake.start()
    gate, began = threading.Event(), threading.Event()

    def work(graph: Graph) -> None:
        began.set()
        gate.wait(10)

    held = intake.do(work)
    assert began.wait(10)
    first = intake.submit([event(str(i)) for i in range(7)])  # too much by itself, and nothing else waits
    with pytest.raises(LineageError) as refused:
        intake.submit([event("x")])
    assert refused.value.code == "BUSY"
    gate.set()
    held.result(10)
    assert first.result(10).recorded == 7
    assert intake.submit([event("x")]).result(10).recorded == 1
    intake.stop(10)
    assert len(opened.entries()) == 8


def test_stopping_records_what_waits_and_takes_nothing_more(opened: Opened) -> None:
    intake = Intake(opened)
    with pytest.raises(LineageError):
        intake.submit([event("before")])
    intake.start()
    futures = [intake.submit([event(str(i))]) for i in range(100)]
    intake.stop(30)
    assert all(future.result(0).recorded == 1 for future in futures)
    with pytest.raises(LineageError) as refused:
        intake.submit([event("after")])
    assert refused.value.code == "STOPPING"
    assert not intake.running
    assert len(opened.entries()) == 100


def test_who_still_waits_when_the_time_is_over_is_told(opened: Opened) -> None:
    intake = Intake(opened)
    intake.start()
    gate, began = threading.Event(), threading.Event()

    def work(graph: Graph) -> None:
        began.set()
        gate.wait(10)

    held = intake.do(work)
    assert began.wait(10)
    late = intake.submit([event("late")])
    intake.stop(0.05)
    with pytest.raises(LineageError) as refused:
        late.result(1)
    assert refused.value.code == "STOPPING"
    gate.set()
    held.result(10)
    assert opened.entries() == []


def test_other_writes_are_done_by_the_same_writer(opened: Opened, intake: Intake) -> None:
    grant = Grant("1", Scope(model="seed"), "Ann", "T-1")
    act = act_event(grant, run_id=str(uuid.uuid4()), time=TIME)
    assert intake.do(lambda graph: graph.record([act])).result(10) == 1

    def fail(graph: Graph) -> None:
        raise UsageError("no", code="NO")

    with pytest.raises(UsageError, match="no"):
        intake.do(fail).result(10)
    with pytest.raises(UsageError) as refused:
        intake.submit([act])
    assert refused.value.code == "ACT_REFUSED"
    assert intake.submit([act], trusted=True).result(10).recorded == 1  # not received before


def test_a_caller_who_gave_up_is_left_out(opened: Opened, intake: Intake) -> None:
    gate = threading.Event()
    held = intake.do(lambda graph: gate.wait(10))
    future = intake.submit([event("a")])
    assert future.cancel()
    gate.set()
    held.result(10)
    assert intake.submit([event("b")]).result(10).position == 1


def killed(opened: Opened) -> None:
    """Cut the writer's connection as a database that is restarted does."""
    graph = opened.graphs[-1]
    if opened.url.startswith("postgresql"):
        other = open_store(opened.url)
        (pid,) = graph._store.one("SELECT pg_backend_pid()")  # type: ignore[misc]
        other.execute("SELECT pg_terminate_backend(?)", (pid,))
        other.close()
        time.sleep(0.2)
    else:
        graph._store.close()


def test_a_lost_connection_is_made_anew(opened: Opened, intake: Intake) -> None:
    assert intake.submit([event("a")]).result(10).recorded == 1
    killed(opened)
    assert intake.submit([event("a"), event("b")]).result(10)[:2] == (1, 1)
    killed(opened)
    assert intake.do(lambda graph: graph.position()).result(10) == 2
    assert len(opened.graphs) == 3
    assert opened.entries() == [event("a"), event("b")]


def test_a_connection_lost_in_a_commit_that_arrived_counts_nothing_twice(
    opened: Opened, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Graph.receive
    lost: list[bool] = []

    def receive(graph: Graph, events: Any, **more: Any) -> Any:
        found = whole(graph, events, **more)
        if not lost:
            lost.append(True)
            killed(opened)
            raise UsageError("the answer was lost", code="STORE_UNREACHABLE")
        return found

    monkeypatch.setattr(Graph, "receive", receive)
    assert intake.submit([event("a"), event("b")]).result(10) == Receipt(0, 2, (), 2)
    assert len(opened.entries()) == 2


def test_a_database_that_stays_away_is_told_to_everybody_and_comes_back(
    opened: Opened, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "_AGAIN", (0.0, 0.01))
    away = [True]
    whole = Opened.__call__

    def closed(opened: Opened) -> Graph:
        if away:
            raise UsageError("it is down", code="STORE_UNREACHABLE")
        return whole(opened)

    monkeypatch.setattr(Opened, "__call__", closed)
    killed(opened)
    gate = threading.Event()
    futures: list[Future[Any]] = [intake.submit([event(str(i))]) for i in range(5)]
    futures.append(intake.do(lambda graph: gate.wait(1)))
    for future in futures:
        with pytest.raises(LineageError) as told:
            future.result(10)
        assert told.value.code == "STORE_UNREACHABLE"
    away.clear()
    assert intake.submit([event("0")]).result(10).recorded == 1


def test_a_clock_that_went_back_is_told(opened: Opened, intake: Intake) -> None:
    from datetime import datetime, timedelta, timezone

    later = datetime.now(timezone.utc) + timedelta(days=1)
    intake.do(lambda graph: graph.record([event("a")], now=later)).result(10)
    futures = [intake.submit([event(str(i))]) for i in range(3)]
    for future in futures:
        with pytest.raises(UsageError) as told:
            future.result(10)
        assert told.value.code == "CLOCK_WENT_BACK"


def test_a_row_that_an_insider_puts_in_swallows_no_event(opened: Opened, intake: Intake) -> None:
    from lineage.ledger import leaf_hash

    intake.submit([event("a")]).result(10)
    key = leaf_hash(event("b"))[:16]
    insert: Callable[[Graph], Any] = lambda graph: graph._store.execute(  # noqa: E731
        "INSERT INTO received (key, entry) VALUES (?, 0)", (key,)
    )
    intake.do(insert).result(10)
    with pytest.raises(LineageError) as told:
        intake.submit([event("b")]).result(10)
    assert told.value.code == "GRAPH_DAMAGED"


def test_other_writes_that_wait_are_one_transaction_and_fail_alone(
    opened: Opened, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def hold(graph: Graph) -> None:
        begun.set()
        go.wait(10)

    first = intake.do(hold)
    assert begun.wait(10)
    commits = []
    store = opened.graphs[0]._store
    own = store._commit
    monkeypatch.setattr(store, "_commit", lambda: (commits.append(1), own())[1])

    def work(number: int) -> Callable[[Graph], int]:
        def run(graph: Graph) -> int:
            seen = graph.position()  # with what was recorded before in the same transaction
            graph.record([event(f"w{number}")])
            if number == 3:
                raise UsageError("not this one")
            if number == 5:
                raise ZeroDivisionError
            if number == 7:
                graph.record([b"{}"])
            return seen

        return run

    waiting = [intake.do(work(number)) for number in range(10)]
    go.set()
    first.result(10)
    with pytest.raises(UsageError, match="not this one"):
        waiting[3].result(10)
    with pytest.raises(ZeroDivisionError):
        waiting[5].result(10)
    with pytest.raises(LineageError):
        waiting[7].result(10)
    good = [number for number in range(10) if number not in (3, 5, 7)]
    assert [waiting[number].result(10) for number in good] == list(range(7))
    assert opened.entries() == [event(f"w{number}") for number in good]
    assert len(commits) == 2  # the one that held them up, and theirs
    assert intake.submit([event("after")]).result(10).position == 8


def test_a_transaction_that_fails_as_a_whole_acknowledges_none(
    opened: Opened, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    first = intake.do(lambda graph: (begun.set(), go.wait(10)))
    assert begun.wait(10)
    store = opened.graphs[0]._store
    own = store._commit
    settled: list[str] = []

    def fails() -> None:
        store._rollback()
        raise LineageError("the disk is full", code="STORE_UNREACHABLE")

    def work(graph: Graph) -> int:
        graph.once_durable(lambda: settled.append("x"))
        return graph.record([event("w")])

    waiting = [intake.do(work) for _ in range(3)]
    commits = iter([own, fails])
    monkeypatch.setattr(store, "_commit", lambda: next(commits, own)())
    go.set()
    first.result(10)
    for one in waiting:
        with pytest.raises(LineageError, match="disk is full"):
            one.result(10)
    assert (opened.entries(), settled) == ([], [])
    assert intake.do(work).result(10) == 1
    assert settled == ["x"]


def test_what_the_database_undid_is_never_part_of_a_transaction(opened: Opened) -> None:
    graph = opened()

    def ends_it() -> None:
        graph.record([event("a")])
        graph._store._rollback()  # as a database does when its disk is full
        raise UsageError("after that")

    with pytest.raises(LineageError):
        graph.together([ends_it, lambda: print(graph.record([event("b")]))])
    graph.close()
    assert opened.entries() == []
