"""What happens when processes die, meet, or are kept out."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lineage.errors import UsageError
from lineage.events import dataset_event, run_event
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.store import sqlite as sqlite_store
from lineage.vocabulary import Artifact, Content, Input, Kind, Origin, Tag

WRITER = """
import sys
from lineage.graph import Graph
from lineage.store import open_store
from lineage.events import run_event, dataset_event
from lineage.vocabulary import *

graph = Graph(open_store(sys.argv[1]))
who, batch = sys.argv[2], int(sys.argv[3])
def thing(n, *tags):
    return Artifact("dvc://p", f"{who}/{n}", Content(f"sha256:{n:064x}"), tags=tags)
n = 0
while True:
    events = []
    for i in range(batch):
        n += 1
        inputs = [Input(thing(max(1, n - k))) for k in (1, 3)]
        events.append(run_event(run_id=f"{who}-{n}", job=("dvc://p", "s"), time="2024-01-01T00:00:00Z",
                                inputs=inputs, outputs=[thing(n + 1)]))
        if n % 7 == 0:
            tag = Tag(Origin(Kind.LICENSED, f"p{n % 3}"))
            events.append(dataset_event(thing(n // 2, tag), time="2024-01-01T00:00:00Z"))
    graph.record(events, {who: str(n)})
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def writer(url: str, who: str = "w", batch: int = 3) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, url, who, str(batch)], stdout=subprocess.PIPE, text=True)


def begun(process: subprocess.Popen[str]) -> int:
    """Wait until it wrote something, however long a process takes to start here, and say what."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def acknowledged(process: subprocess.Popen[str], before: int) -> int:
    """Kill it and say what it claimed to have written last, at least what it had before."""
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate(timeout=30)
    lines = [line for line in output.split("\n")[:-1] if line]
    return int(lines[-1]) if lines else before


def thing(n: int, who: str = "w") -> Artifact:
    return Artifact("dvc://p", f"{who}/{n}", Content(f"sha256:{n:064x}"))


def test_kill_9_loses_nothing_that_was_acknowledged(store_url: str) -> None:
    create_store(store_url).close()
    rnd = random.Random(7)
    for round_ in range(8):
        who = f"w{round_}"
        process = writer(store_url, who, batch=rnd.choice([1, 3, 40]))
        first = begun(process)
        time.sleep(rnd.random())
        last = acknowledged(process, first)
        graph = Graph(open_store(store_url))
        assert int(graph.state(who) or 0) >= last
        assert len(graph.known_runs(f"{who}-{n}" for n in range(1, last + 1))) == last
        graph.close()
    graph = Graph(open_store(store_url))
    again = graph.as_of()
    assert again.position() == graph.position() > 20
    newest = max(int(graph.state(f"w{r}") or 0) for r in range(8))
    for n in range(2, newest):
        assert graph.labels(thing(n)).labels == again.labels(thing(n)).labels
    assert graph.status() == again.status()
    again.close()
    graph.close()


def test_two_writers(store_url: str) -> None:
    create_store(store_url).close()
    processes = {who: writer(store_url, who, batch) for who, batch in (("a", 2), ("b", 5))}
    first = {who: begun(process) for who, process in processes.items()}
    time.sleep(2)
    last = {who: acknowledged(process, first[who]) for who, process in processes.items()}
    graph = Graph(open_store(store_url))
    for who, n in last.items():
        assert int(graph.state(who) or 0) >= n
    again = graph.as_of()
    for n in range(2, max(last.values()) + 1):
        assert graph.labels(thing(n)).labels == again.labels(thing(n)).labels
    assert graph.status() == again.status()
    again.close()
    graph.close()


def test_a_store_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "BUSY_SECONDS", 0.2)
    path = tmp_path / "l.db"
    graph = Graph(create_store(str(path)))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    event = dataset_event(thing(1), time="2024-01-01T00:00:00Z")
    with pytest.raises(UsageError) as caught:
        graph.record([event])
    assert caught.value.code == "STORE_BUSY"
    assert graph.position() == 0  # reading goes on
    other.execute("ROLLBACK")
    assert graph.record([event]) == 1
    graph.close()


def test_one_writer_at_a_time_on_postgresql(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineage.store import postgresql

    monkeypatch.setattr(postgresql, "BUSY_SECONDS", 1)
    one, two = create_store(postgres_url), Graph(open_store(postgres_url))
    with one.write():
        with pytest.raises(UsageError) as caught:
            two.record([dataset_event(thing(1), time="2024-01-01T00:00:00Z")])
        assert caught.value.code == "STORE_BUSY"
    assert two.record([dataset_event(thing(1), time="2024-01-01T00:00:00Z")]) == 1
    one.close()
    two.close()


def test_a_place_that_cannot_be_written() -> None:
    """As somebody who may only read: refused with the reason, and nothing is touched."""
    place = Path(tempfile.mkdtemp(prefix="lg-readonly-"))
    path = place / "lineage.db"
    source = Artifact("dvc://p", "x", Content("md5:" + "1" * 32), tags=(Tag(Origin(Kind.LICENSED)),))
    output = Artifact("dvc://p", "y", Content("md5:" + "2" * 32))
    run = run_event(
        run_id="r", job=("dvc://p", "s"), time="2024-01-01T00:00:00Z", inputs=[Input(source)], outputs=[output]
    )
    with create_store(str(path)) as store:
        Graph(store).record([run])
    before = path.read_bytes()
    path.chmod(0o444)
    place.chmod(0o555)
    try:
        assert as_nobody(lambda: codes(path, run)) == "STORE_UNREACHABLE STORE_UNREACHABLE"
        assert path.read_bytes() == before
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


def codes(path: Path, event: bytes) -> str:
    """How opening and making, and then writing, end."""
    out = []
    for make in (open_store, create_store):
        try:
            with make(str(path)) as store:
                Graph(store).record([event])
            out.append("written")
        except UsageError as error:
            out.append(error.code)
    return " ".join(out)


def as_nobody(act: Callable[[], str]) -> str:
    """Do something in a child that is not root, for root may write everywhere."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                nobody = pwd.getpwnam("nobody")
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
            os.write(send, act().encode())
        except BaseException as error:
            os.write(send, repr(error).encode())
        finally:
            os._exit(0)
    os.close(send)
    os.waitpid(pid, 0)
    with os.fdopen(receive) as pipe:
        return pipe.read()
