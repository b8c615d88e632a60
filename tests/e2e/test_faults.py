"""Server, database and clients end at random moments under load: what was acknowledged is there, once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pg8000.native
import pytest

from lineage.config import load
from lineage.gate import Gate
from lineage.gate.backup import back_up, restore
from tests.conftest import Postgres, postgres
from tests.e2e.test_server import Served, event, served

ROUNDS = int(os.environ.get("FAULTS", "2"))
"""Lives of the server; all but the last end by SIGKILL. `FAULTS=20` looks for rarer moments."""


class Load:
    """Producers that send what was not acknowledged again, byte for byte, until it is; and some that go away."""

    def __init__(self, seed: int) -> None:
        self.url = self.token = ""
        self.acknowledged: list[str] = []
        self.failures: Counter[str] = Counter()
        self._ended = threading.Event()
        self._seed = seed
        self._threads = [threading.Thread(target=self._produce, args=(n,)) for n in range(3)]
        self._threads.append(threading.Thread(target=self._leave))

    def begin(self, server: Served) -> None:
        """Send to this one from now on."""
        self.url = server.url
        if not self.token:
            self.token = server.token("producer", "Load", "*")
            for thread in self._threads:
                thread.start()

    def end(self) -> None:
        """Have what is under way acknowledged, and nothing further sent."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(120)
                assert not thread.is_alive()

    def _produce(self, number: int) -> None:
        rnd = random.Random(f"{self._seed}/{number}")
        with httpx2.Client(timeout=20) as client:
            while not self._ended.is_set():
                runs = [_uuid(rnd) for _ in range(rnd.choice((1, 1, 1, 5, 20)))]
                path = "/api/v1/lineage" if len(runs) == 1 else "/api/v1/lineage/batch"
                events = [event(run) for run in runs]
                self._until_acknowledged(client, path, json.dumps(events if len(events) > 1 else events[0]))
                self.acknowledged += runs
                time.sleep(0.02)  # what is looked for are moments, not numbers

    def _until_acknowledged(self, client: httpx2.Client, path: str, body: str) -> None:
        until = time.monotonic() + 100
        while True:
            try:
                answer = client.post(self.url + path, content=body, headers={"Authorization": f"Bearer {self.token}"})
                if answer.status_code in (200, 201):
                    return
                # a database that is away is nobody's fault who sends: all failures say that it may be sent again
                assert answer.status_code in (207, 500, 503), answer.text
                self.failures[str(answer.status_code)] += 1
            except httpx2.TransportError as error:
                self.failures[type(error).__name__] += 1
            assert time.monotonic() < until, self.failures
            time.sleep(0.05)

    def _leave(self) -> None:
        """Clients that die in the middle of a request, or before they read the answer."""
        rnd = random.Random(f"{self._seed}/leaving")
        while not self._ended.is_set():
            body = json.dumps(event(_uuid(rnd))).encode()
            head = f"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
            whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
            to = urlsplit(self.url)
            with contextlib.suppress(OSError), socket.create_connection((to.hostname, to.port), 5) as connection:
                connection.sendall(whole[: rnd.choice((len(whole), rnd.randrange(len(whole))))])
            time.sleep(0.02)


def _uuid(rnd: random.Random) -> str:
    return str(uuid.UUID(int=rnd.getrandbits(128), version=4))


def database_fault(rnd: random.Random, database: Postgres) -> None:
    """Cut every connection, or end the database and start it again."""
    if rnd.random() < 0.5:
        admin = pg8000.native.Connection("postgres", unix_sock=f"{database.directory}/.s.PGSQL.5432")
        with contextlib.closing(admin):
            admin.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lineagegate'")
    else:
        database.crash()
        time.sleep(rnd.random() / 2)
        database.start()


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Postgres | None]]:
    """A project, and its database where that is a process of its own."""
    if request.param == "sqlite":
        yield tmp_path, None
        return
    with postgres() as database:
        store = f"postgresql://postgres@localhost/postgres?host={database.directory}"
        (tmp_path / "lineage.toml").write_text(f'project = "p"\nstore = {json.dumps(store)}\n')
        (tmp_path / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\nrules: []\n")
        yield tmp_path, database


def test_what_was_acknowledged_is_there_once(house: tuple[Path, Postgres | None]) -> None:
    directory, database = house
    rnd, load_ = random.Random(20261122), Load(7)
    try:
        for life in range(ROUNDS):
            with served(directory) as server:
                load_.begin(server)
                for _ in range(2):
                    time.sleep(0.3 + rnd.random())
                    if database is not None:
                        database_fault(rnd, database)
                if life == ROUNDS - 1:
                    copied = back_up(load(directory).store_url, directory / "backup.db", lambda *_: None)
                    load_.end()
                    server.stop()
                # else: SIGKILL, at the end of the block
    finally:
        load_.end()
    back = restore(directory / "backup.db", str(directory / "restored.db"), lambda *_: None)
    with Gate.open(load(directory)) as gate:
        report = gate.verify()
        assert report.findings == () and report.graph
        found = [gate.graph.event(position).data for position in range(report.size)]
    runs: Counter[str] = Counter(_run(data) for data in found if b'"load"' in data)
    assert set(load_.acknowledged) <= set(runs)
    assert set(runs.values()) == {1}
    assert (back.entries, back.root) == (copied.entries, copied.root) and 100 < back.entries <= report.size
    with Gate.open(load(directory, store=str(directory / "restored.db"))) as gate:
        assert [gate.graph.event(position).data for position in range(back.entries)] == found[: back.entries]
    assert len(load_.acknowledged) == len(set(load_.acknowledged)) > 100
    assert sum(load_.failures.values()) > 3  # faults were felt


def _run(data: bytes) -> str:
    found: Any = json.loads(data)["run"]["runId"]
    return str(found)
