"""Offline, away, full, broken, gone between two writes: what is recorded here arrives once, and nothing is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lineage.config import load
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.client import Client, Team, Unanswered
from lineage.gate.outbox import Outbox, channel_of
from lineage.vocabulary import Artifact, Content, Input, Kind, Origin, Scope, Tag
from tests.e2e.test_server import COMMAND, Served, recorded, served

ADA = "Ada Roe <ada@example.com>"
POLICY = "mode: enforce\ndefault: allow\nrules: []\n"


class Machine:
    """Somebody's clone, with a ledger of its own."""

    def __init__(self, root: Path, server: str, *tokens: str, user: str = ADA) -> None:
        root.mkdir()
        (root / "lineage.toml").write_text(
            f'project = "p"\nuser = {json.dumps(user)}\n[team]\nserver = {json.dumps(server)}\npatience = 5\n'
        )
        (root / "lineage.policy.yaml").write_text(POLICY)
        Gate.init(root)[0].close()
        self.root = root
        self.token(*tokens)

    def token(self, *tokens: str) -> None:
        file = self.root / ".lineage" / "token"
        file.write_text("\n".join(tokens))
        file.chmod(0o600)

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LINEAGE_")}
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.root, env={**kept, **(environment or {})}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def record(self, *names: str) -> list[bytes]:
        events = [ran(name) for name in names]
        with Gate.open(load(self.root)) as gate:
            gate.record(events)
        return events

    def forward(self, seconds: float | None = None, *, again: bool = False) -> Any:
        with Gate.open(load(self.root)) as gate:
            return outbox(gate).forward(seconds, again=again)

    def entries(self) -> list[bytes]:
        return recorded(self.root)


def team_of(machine: Machine) -> Team:
    team = Team.of(load(machine.root))
    assert team
    return team


def outbox(gate: Gate) -> Outbox:
    team = Team.of(gate.config)
    assert team
    return Outbox(gate.graph, gate.seal, team)


def ran(name: str) -> bytes:
    return run_event(
        run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), job=("dvc://p", f"dvc.yaml:{name}"), time="2024-05-01T10:00:00Z",
        inputs=[Input(Artifact("dvc://p", f"raw/{name}"))], outputs=[Artifact("dvc://p", f"made/{name}")],
    )  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A team's server on SQLite."""
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server") as running:
        yield running


def counted(directory: Path, events: list[bytes]) -> list[int]:
    """How often each event is in a ledger."""
    found = Counter(recorded(directory))
    return [found[event] for event in events]


def test_what_happened_offline_arrives_later_and_once(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server") as running:
        token, url = running.token("producer", "Ada's machine", "dvc://p"), running.url
        running.stop()
    machine = Machine(tmp_path / "ada", url, token)
    events = machine.record(*(f"s{i}" for i in range(600)))
    failed = machine.run("forward")
    assert failed.returncode == 3, failed.stderr
    status = json.loads(machine.run("status", "--format", "json").stdout)["waiting"]
    assert status["events"] == 600 and status["since"] and "does not answer" in status["error"]
    assert f"600 events wait for {url}" in machine.run("status").stdout
    port = int(url.rpartition(":")[2])
    with served(tmp_path / "server", port=port) as running:
        done = machine.run("forward", "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["sent"] == 600
        assert machine.run("forward").stdout == "Nothing was sent.\nNothing waits.\n"
        # a mark that was not written before the machine died: all of it is sent again, and counted once
        with Gate.open(load(machine.root)) as gate:
            gate.graph.seals.keep(f"forward/{url}", "{}")
        assert machine.forward().sent == 600
        running.stop()
    assert set(counted(tmp_path / "server", events)) == {1}


def test_a_server_that_lost_what_it_had_gets_it_again(server: Served, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "ada", server.url, server.token("producer", "m", "dvc://p"))
    machine.record("a", "b")
    assert machine.forward().sent == 2
    with Gate.open(load(machine.root)) as gate:
        box = outbox(gate)
        standing = json.loads(gate.graph.state(f"forward/{server.url}") or "")
        gate.graph.seals.keep(f"forward/{server.url}", json.dumps(standing | {"entries": 10_000}))
        assert box.forward().sent == 2
        gate.graph.seals.keep(f"forward/{server.url}", json.dumps(standing | {"ledger": "another/1"}))
        assert box.forward().sent == 2
    assert sorted(counted(server.directory, machine.entries())) == [1, 1]


def test_a_server_that_was_set_back_and_has_grown_since(server: Served, tmp_path: Path) -> None:
    """It holds more entries than when it acknowledged ours, and ours are not among them."""
    token = server.token("producer", "m", "dvc://p")
    machine, other = (Machine(tmp_path / name, server.url, token) for name in ("ada", "bob"))
    port, backup = int(server.url.rpartition(":")[2]), tmp_path / "backup.db"
    command = [*COMMAND, "store", "backup", str(backup)]
    subprocess.run(command, cwd=server.directory, check=True, capture_output=True, timeout=60)
    machine.record("a", "b")
    assert machine.forward().sent == 2
    server.stop()
    for file in (server.directory / ".lineage").glob("lineage.db*"):
        file.unlink()
    shutil.copy(backup, server.directory / ".lineage" / "lineage.db")
    with served(server.directory, port=port):
        other.record("c", "d", "e")
        assert other.forward().sent == 3
        assert machine.forward().sent == 2 and machine.forward().sent == 0
    assert set(counted(server.directory, [*machine.entries(), *other.entries()])) == {1}


def test_what_people_said_travels_with_their_own_token(server: Served, tmp_path: Path) -> None:
    ours = server.token("producer", "m", "dvc://p")
    machine = Machine(tmp_path / "ada", server.url, ours)
    machine.record("a")
    with Gate.open(load(machine.root)) as gate:
        gate.grant(Scope(provider="openai", model="seed-*"), reference="C-1")
        gate.judge(None, model="m", subject="models:/m", action="register", missing="no run")
        stays = [event for event in machine.entries() if channel_of(event) is None]
    assert len(stays) == 2  # the policy, and the decision
    some = machine.forward()
    assert (some.sent, some.waiting.acts) == (1, 1) and "wait for a token of a steward" in some.waiting.error
    machine.token(ours, server.token("steward", "Bob Poe <bob@example.com>"))
    other = machine.forward()
    assert other.waiting.total == 0 and other.waiting.refused[0].code == "NOT_YOURS"
    assert machine.run("forward").returncode == 1
    machine.token(ours, server.token("steward", ADA))
    assert machine.forward(again=True).sent == 1
    assert machine.run("forward").returncode == 0
    grants = [event for event in recorded(server.directory) if b"lineage_grant" in event]
    assert grants == [event for event in machine.entries() if b"lineage_grant" in event]
    assert not [event for event in stays if event in recorded(server.directory)]


def test_rights_end_at_the_namespace(server: Served, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "ada", server.url, server.token("producer", "m", "dvc://p"))
    foreign = dataset_event(
        Artifact("s3://lake", "a", Content("md5:" + "a" * 32), tags=(Tag(Origin(Kind.FIRST_PARTY), by=ADA),)),
        time="2024-05-01T10:00:00Z",
    )
    with Gate.open(load(machine.root)) as gate:
        gate.record([ran("a"), foreign, ran("b")])
    done = machine.forward()
    assert done.sent == 2
    assert [(item.position, item.code) for item in done.waiting.refused] == [(1, "NAMESPACE_FORBIDDEN")]
    shown = machine.run("status")
    assert "entry 1: NAMESPACE_FORBIDDEN" in shown.stdout and "forward --again" in shown.stdout
    machine.token(server.token("producer", "m", "dvc://p", "s3://lake"))
    assert machine.forward().sent == 0
    assert machine.forward(again=True).sent == 1


def test_a_store_that_is_the_servers_own_is_not_forwarded_to_itself(server: Served) -> None:
    token = server.token("producer", "m", "dvc://p")
    before = len(recorded(server.directory))
    with Gate.open(load(server.directory)) as gate:
        gate.record([ran("a")])
        box = Outbox(gate.graph, gate.seal, Team(server.url, (token,)))
        assert (box.forward().sent, box.waiting().total) == (0, 0)
    assert len(recorded(server.directory)) == before + 1


def test_tokens_that_cannot_be_used(server: Served, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "ada", server.url, "lgt_x_y")
    machine.record("a")
    assert "this token is not known" in machine.run("forward").stdout
    (machine.root / ".lineage" / "token").chmod(0o644)
    assert "others can read the token" in machine.run("forward").stderr
    (machine.root / ".lineage" / "token").unlink()
    assert "there is no token" in machine.run("forward").stderr
    synced = machine.run("sync")  # what cannot be forwarded fails nothing
    assert synced.returncode == 0 and "not forwarded" in synced.stderr
    assert (
        machine.run("forward", environment={"LINEAGE_TOKEN": server.token("producer", "m", "dvc://p")}).returncode == 0
    )
    bad = machine.run("status", environment={"LINEAGE_SERVER": "http://lineage.example.com", "LINEAGE_TOKEN": "t"})
    assert "over http:// the token would be read" in bad.stderr


class Broken(BaseHTTPRequestHandler):
    """What may stand at the address of a server, and answers what a test says."""

    answers: Callable[[Broken, int], tuple[int, dict[str, str], bytes]]
    received: list[bytes]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        me = {"name": "m", "roles": ["producer"], "namespaces": ["*"], "ledger": "there/1", "entries": 5}
        self._say(200, {}, json.dumps(me).encode())

    def do_POST(self) -> None:
        import gzip

        body = self.rfile.read(int(self.headers["Content-Length"]))
        events = json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") else body)
        type(self).received.append(body)
        self._say(*type(self).answers(self, len(events)))

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        cut = headers.pop("cut", "")
        self.send_header("Content-Length", str(len(body) + (10 if cut else 0)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[tuple[type[Broken], Machine]]:
    kind = type("Kind", (Broken,), {"received": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as http:
        http.handle_error = lambda *_: None  # type: ignore[method-assign] - whoever asked went away
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield kind, Machine(tmp_path / "ada", f"http://127.0.0.1:{http.server_address[1]}", "lgt_x_y")
        finally:
            http.shutdown()
            thread.join()


def good(count: int, failed: tuple[dict[str, Any], ...] = ()) -> bytes:
    summary = {"received": count, "successful": count - len(failed), "failed": len(failed)}
    return json.dumps({"status": "x", "summary": summary, "failed_events": failed, "warned_events": []}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda n: (200, {}, b"<html>Sign in</html>"), id="a page"),
        pytest.param(lambda n: (200, {}, b""), id="nothing"),
        pytest.param(lambda n: (200, {}, good(n)[:-20]), id="cut JSON"),
        pytest.param(lambda n: (200, {"cut": "yes"}, good(n)), id="cut body"),
        pytest.param(lambda n: (200, {}, good(n - 1)), id="fewer than were sent"),
        pytest.param(lambda n: (200, {}, good(n, ({"index": 0, "reason": "", "code": "X", "retriable": False},))),
                     id="failures under 200"),
        pytest.param(lambda n: (207, {}, good(n, ({"index": 99, "reason": "", "code": "X", "retriable": False},))),
                     id="failures of what was not sent"),
        pytest.param(lambda n: (207, {}, good(n)), id="failures that are not named"),
        pytest.param(lambda n: (302, {"Location": "http://127.0.0.1:9/"}, b""), id="elsewhere"),
        pytest.param(lambda n: (500, {}, b"oh"), id="500"),
        pytest.param(lambda n: (201, {}, b"[]"), id="another list"),
    ],
)  # fmt: skip
def test_nonsense_acknowledges_nothing(broken: tuple[type[Broken], Machine], answer: Callable[[int], Any]) -> None:
    kind, machine = broken
    kind.answers = lambda self, n: answer(n)
    machine.record("a", "b", "c")
    done = machine.forward()
    assert (done.sent, done.waiting.events, done.waiting.refused) == (0, 3, ())
    assert done.waiting.error
    kind.answers = lambda self, n: (200, {}, good(n))
    assert machine.forward().sent == 3
    assert machine.forward().waiting.total == 0


def test_full_and_slow(broken: tuple[type[Broken], Machine]) -> None:
    kind, machine = broken
    told = [
        (503, {"Retry-After": "1"}, json.dumps({"title": "too much waits", "code": "BUSY", "status": 503}).encode()),
        (207, {}, good(3, ({"index": 1, "reason": "busy", "code": "BUSY", "retriable": True},))),
    ]
    kind.answers = lambda self, n: told.pop(0) if told else (200, {}, good(n))
    machine.record("a", "b", "c")
    began = time.monotonic()
    done = machine.forward(30)
    assert (done.sent, done.waiting.total) == (3, 0)
    assert 2.9 < time.monotonic() - began < 20
    assert [len(json.loads(body)) for body in kind.received] == [3, 3, 2]
    kind.answers = lambda self, n: time.sleep(6) or (200, {}, good(n))  # type: ignore[func-returns-value]
    machine.record("d")
    slow = machine.forward()
    assert (slow.sent, slow.waiting.events) == (0, 1) and "timed out" in slow.waiting.error


def test_an_answer_letter_by_letter(broken: tuple[type[Broken], Machine]) -> None:
    """No pause is longer than the patience, and it would still take days."""
    kind, machine = broken

    def drip(self: Broken, _: int) -> tuple[int, dict[str, str], bytes]:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                self.wfile.write(b" ")
                time.sleep(0.1)
        raise ConnectionError

    kind.answers = drip
    machine.record("a")
    began = time.monotonic()
    assert machine.forward(2).waiting.events == 1  # as long as was said, whatever the patience
    client = Client(dataclasses.replace(team_of(machine), patience=0.2), "lgt_x_y")
    with pytest.raises(Unanswered) as away:
        client.send("POST", "/api/v1/lineage/batch", b"[]")
    assert away.value.again and time.monotonic() - began < 30


def test_too_large_is_sent_in_parts(broken: tuple[type[Broken], Machine]) -> None:
    kind, machine = broken
    problem = json.dumps({"title": "too large", "code": "BODY_TOO_LARGE", "status": 413}).encode()
    kind.answers = lambda self, n: (413, {}, problem) if n > 2 else (200, {}, good(n))
    machine.record(*"abcdefg")
    assert machine.forward().sent == 7
    kind.answers = lambda self, n: (413, {}, problem)
    machine.record("h")
    assert [item.code for item in machine.forward().waiting.refused] == ["BODY_TOO_LARGE"]


def test_servers_that_die_under_way(tmp_path: Path) -> None:
    """Killed again and again while two machines forward the same and other things; each is there once."""
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server") as running:
        tokens = [running.token("producer", f"m{i}", "dvc://p") for i in range(2)]
        url = running.url
        machines = [Machine(tmp_path / f"m{i}", url, token) for i, token in enumerate(tokens)]
        events = machines[0].record(*(f"s{i}" for i in range(600)))
        events += machines[1].record(*(f"s{i}" for i in range(300, 900)))
        threads = [threading.Thread(target=machine.forward, args=(60,)) for machine in machines]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        running.process.kill()
        running.process.wait()
    for pause in (1.0, 60.0):
        with served(tmp_path / "server", port=int(url.rpartition(":")[2])) as running:
            until = time.monotonic() + pause
            while time.monotonic() < until and any(thread.is_alive() for thread in threads):
                time.sleep(0.1)
            running.process.kill()
            running.process.wait()
    for thread in threads:
        thread.join(90)
    assert set(counted(tmp_path / "server", sorted(set(events)))) == {1}
    with Gate.open(load(tmp_path / "server")) as gate:
        assert gate.verify().findings == ()
