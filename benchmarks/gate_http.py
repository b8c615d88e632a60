"""Decisions over HTTP by many clients at once: how long each waits, and how many there are in a second.

    python -m benchmarks.gate_http [--clients 50] [--seconds 10] [--rate 50] [--store sqlite postgresql] [--alone]

A real `lineagegate serve` process over a ledger whose models rest on some sources each. First the clients ask as fast
as they are answered, then each at its own pace, so many decisions a second together. `--alone` has the server commit
each decision by itself, as it did before decisions that wait were committed together. The clients share the machine.

    python -m benchmarks.gate_http --mlflow

What the gate adds to registrations at an `mlflow server` with PostgreSQL and four workers: ungated, and judged by a
server over HTTP; all clients at once.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import postgres
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.tokens import make_token
from lineage.vocabulary import Artifact, ArtifactType, Content, Input, Kind, Origin, Role, Tag

MODELS, SOURCES = 200, 20
POLICY = """mode: enforce
default: allow
undeclared: deny
rules:
  - id: no-gpt
    match: {origin: {provider: openai}}
    effect: deny
    reason: the terms forbid it
"""
SERVE = """
import sys
from lineage.gate import intake
if sys.argv[1] == "alone":
    intake.MOST_WORKS = 1
from lineage.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def model(number: int) -> Artifact:
    """A model that was trained."""
    return Artifact("mlflow://m", f"runs/{number}/model", Content(f"md5:{number:032x}", 500), ArtifactType.MODEL)


def build(root: Path, store: str) -> str:
    """A ledger with models, and the text of a token that may ask about them."""
    (root / "lineage.toml").write_text(f'project = "b"\nuser = "Ada"\nstore = {json.dumps(store)}\n')
    (root / "lineage.policy.yaml").write_text(POLICY)
    gate, _ = Gate.init(root)
    sources = [Artifact("s3://lake", f"raw/{i}", Content(f"md5:{10**9 + i:032x}", 500)) for i in range(200)]
    own = Origin(Kind.FIRST_PARTY)
    chance = random.Random(7)
    with gate:
        gate.record([
            dataset_event(Artifact(s.namespace, s.name, s.content, tags=(Tag(own),)), time="2026-01-01T00:00:00Z")
            for s in sources
        ])  # fmt: skip
        gate.record([
            run_event(
                run_id=f"00000000-0000-0000-0000-{number:012d}", job=("airflow", "train"), time="2026-01-01T00:00:00Z",
                inputs=[Input(source) for source in chance.sample(sources, SOURCES)], outputs=[model(number)],
            )
            for number in range(MODELS)
        ])  # fmt: skip
        return make_token(gate.graph, name="MLflow", role=Role.GATE, by="Ada")[1]


@contextmanager
def serving(root: Path, how: str) -> Iterator[int]:
    """A server; yields its port."""
    port = free()
    command = [sys.executable, "-c", SERVE, how, "serve", "--port", str(port)]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, stdout=log, stderr=log)
    try:
        wait(f"http://127.0.0.1:{port}/ready")
        yield port
    finally:
        process.terminate()
        process.wait(60)


def free() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait(url: str) -> None:
    """Until something answers."""
    for _ in range(1_800):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=1)
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


def asking(port: int, token: str) -> Callable[[int], None]:
    """Something that has a decision made, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(number: int) -> None:
        one = model(number % MODELS)
        assert one.content
        body = {
            "model": f"m{number % 7}", "action": "register",
            "artifact": {"namespace": one.namespace, "name": one.name, "content": {"hash": one.content.hash}},
        }  # fmt: skip
        connection.request("POST", "/api/v1/decide", json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200 and b'"blocks": false' in data, data[:300]

    return ask


def measure(clients: int, seconds: float, pause: float, make: Callable[[], Callable[[int], None]]) -> list[float]:
    """Seconds of each answer, with so many clients at once, each pausing on average so long between two questions."""
    spent: list[float] = []
    until = time.monotonic() + seconds

    def client(number: int) -> None:
        chance, ask = random.Random(number), make()
        time.sleep(chance.uniform(0, pause))
        while time.monotonic() < until:
            began = time.perf_counter()
            ask(chance.randrange(10**6))
            spent.append(time.perf_counter() - began)
            time.sleep(chance.expovariate(1 / pause) if pause else 0)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return spent


def line(name: str, spent: list[float], seconds: float) -> str:
    """A row of the table."""
    cuts = statistics.quantiles(spent, n=100)
    return f"| {name} | {len(spent) / seconds:,.0f} | {cuts[49] * 1e3:.0f} ms | {cuts[98] * 1e3:.0f} ms |"


@contextmanager
def store(kind: str, folder: str) -> Iterator[str]:
    """The address of an empty store of a kind."""
    if kind == "sqlite":
        yield str(Path(folder) / "ledger.db")
    else:
        with postgres.server() as url:
            yield url


def decisions(given: argparse.Namespace) -> None:
    """Measure decisions over HTTP."""
    print("| | decisions/s | median | 99 % |\n|---|---|---|---|")
    for kind in given.store:
        with tempfile.TemporaryDirectory() as folder, store(kind, folder) as url:
            root = Path(folder)
            token = build(root, url)
            with serving(root, "alone" if given.alone else "together") as port:
                measure(4, 1, 0, partial(asking, port, token))
                for name, pause in (
                    (f"{given.clients} clients, each at once again", 0.0),
                    (f"{given.clients} clients, {given.rate} a second together", given.clients / given.rate),
                ):
                    spent = measure(given.clients, given.seconds, pause, partial(asking, port, token))
                    print(line(f"{kind}, {name}", spent, given.seconds), flush=True)


@contextmanager
def mlflow_server(root: Path, database: str, environment: dict[str, str], *, gated: bool) -> Iterator[str]:
    """An MLflow server on PostgreSQL with four workers."""
    parts = postgres.parts(database)
    uri = f"postgresql+pg8000://{parts['user']}@/{parts['database']}?unix_sock={parts['unix_sock']}"
    port = free()
    more = dict(environment)
    if not gated:
        hook = root / "ungated"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(
            "import importlib.metadata as m\n_own = m.entry_points\n"
            "m.entry_points = lambda **g: m.EntryPoints(e for e in _own(**g) if not e.value.startswith('lineage'))\n"
        )
        more["PYTHONPATH"] = str(hook)
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "4", "--backend-store-uri", uri,
        "--artifacts-destination", str(root / "artifacts"),
    ]  # fmt: skip
    with (root / "mlflow.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=root, env={**os.environ, **more}, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(60)


def registrations(given: argparse.Namespace) -> None:
    """Measure what the gate adds to a registration."""
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")

    def post(url: str, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{url}/api/2.0/mlflow/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def run(url: str, root: Path) -> list[float]:
        """Each client has a run with a model of its own, and registers it again and again."""
        made: list[tuple[str, str, str]] = []
        for number in range(given.clients):
            run = post(url, "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
            dataset = {"name": "a", "digest": "d", "source_type": "s3", "source": '{"uri": "s3://lake/a"}'}
            tags = [{"key": "mlflow.data.context", "value": "training"}]
            post(url, "runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]})
            place = root / "artifacts" / "0" / run / "artifacts" / "model"
            place.mkdir(parents=True)
            (place / "weights.bin").write_text(f"weights of {run}" * 9)
            post(url, "registered-models/create", {"name": f"m{number}"})
            made.append((f"m{number}", f"runs:/{run}/model", run))
        names = iter(made)
        lock = threading.Lock()

        def client() -> Callable[[int], None]:
            with lock:
                name, source, run = next(names)
            return lambda _: post(url, "model-versions/create", {"name": name, "source": source, "run_id": run})

        return measure(given.clients, given.seconds, 0, client)

    print("| | registrations/s | median | 99 % |\n|---|---|---|---|")
    for gated in (False, True):
        with contextlib.ExitStack() as open_:
            folder = Path(open_.enter_context(tempfile.TemporaryDirectory()))
            (folder / "lineage").mkdir()
            (folder / "mlflow").mkdir()
            token = build(folder / "lineage", open_.enter_context(postgres.server()))
            port = open_.enter_context(serving(folder / "lineage", "together"))
            (folder / "mlflow" / "lineage.toml").write_text(
                f'project = "b"\n[[origins]]\nurl = "s3://lake/*"\nkind = "first-party"\n'
                f'[team]\nserver = "http://127.0.0.1:{port}"\ngate = "server"\n'
            )
            Gate.init(folder / "mlflow")[0].close()
            database = open_.enter_context(postgres.server())
            environment = {"LINEAGE_TOKEN": token}
            url = open_.enter_context(mlflow_server(folder / "mlflow", database, environment, gated=gated))
            print(line("judged over HTTP" if gated else "ungated", run(url, folder / "mlflow"), given.seconds))


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=50, help="decisions a second together, at their own pace")
    parser.add_argument("--store", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--mlflow", action="store_true")
    given = parser.parse_args()
    registrations(given) if given.mlflow else decisions(given)


if __name__ == "__main__":
    main()
