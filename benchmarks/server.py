"""Events over HTTP into `lineagegate serve`, each durable before its answer, by callers in processes of their own.

    python -m benchmarks.server [--events 20000] [--store sqlite postgresql] [--memory 100000]

- batch: two callers, 100 events a request;
- single: eight callers, one event a request, over connections that are kept;
- memory: with ``--memory N``, N events, 1,000 a request, and what the server's process holds at every tenth (1000000 is
  a large company's day).

The events are those of `benchmarks/intake.py`, 2 to 4 kB. Callers and server share the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import intake

COMMAND = [sys.executable, "-c", "import sys; from lineage.cli.main import main; sys.exit(main())"]


class Served(NamedTuple):
    """A running server."""

    port: int
    token: str
    pid: int


@contextmanager
def served(kind: str) -> Iterator[Served]:
    """A server over an empty store of a kind, in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder, intake.store(kind, folder) as url:
        Path(folder, "lineage.toml").write_text(f'project = "p"\nstore = {json.dumps(url)}\n')
        Path(folder, "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\nrules: []\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port)], cwd=folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert process.stdout
            process.stdout.readline()
            administrator = process.stdout.readline().strip()
            while True:
                try:
                    answer = ask(port, administrator, "GET", "/ready", b"")
                except OSError:
                    assert process.poll() is None
                else:
                    if answer[0] == 200:
                        break
                time.sleep(0.05)
            body = json.dumps({"name": "Load", "role": "producer", "namespaces": ["*"]}).encode()
            status, made = ask(port, administrator, "POST", "/api/v1/tokens", body)
            assert status == 201, made
            yield Served(port, json.loads(made)["secret"], process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(70)


def ask(port: int, token: str, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def caller(port: int, token: str, start: int, end: int, together: int) -> tuple[float, float, list[float]]:
    """(when it began, when it ended, seconds of each answer) of one caller."""
    bodies = [[intake.event(n) for n in range(i, min(i + together, end))] for i in range(start, end, together)]
    whole = [part[0] if together == 1 else b"[" + b",".join(part) + b"]" for part in bodies]
    path = "/api/v1/lineage" if together == 1 else "/api/v1/lineage/batch"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    spent, began = [], time.time()
    for body in whole:
        sent = time.perf_counter()
        connection.request("POST", path, body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (200, 201), answer.status
        spent.append(time.perf_counter() - sent)
    connection.close()
    return began, time.time(), spent


def produce(server: Served, callers: int, numbers: range, together: int) -> tuple[float, list[float]]:
    """(events a second, seconds of each answer)."""
    share = -(-len(numbers) // callers)
    starts = range(numbers.start, numbers.stop, share)
    with ProcessPoolExecutor(callers) as pool:
        found = [
            pool.submit(caller, server.port, server.token, start, min(start + share, numbers.stop), together)
            for start in starts
        ]
        parts = [future.result() for future in found]
    seconds = max(end for _, end, _ in parts) - min(began for began, _, _ in parts)
    return len(numbers) / seconds, [s for *_, spent in parts for s in spent]


def held(pid: int) -> int:
    """What a process holds, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))) // 1024


def memory(server: Served, events: int) -> None:
    """Print what the server holds at every tenth of a long load."""
    began = time.perf_counter()
    for tenth in range(10):
        caller(server.port, server.token, tenth * events // 10, (tenth + 1) * events // 10, 1_000)
        done = (tenth + 1) * events // 10
        rate = done / (time.perf_counter() - began)
        print(f"  {done:>10,} events: {held(server.pid)} MiB, {rate:,.0f} a second", flush=True)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--store", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}\n\n| | events/s | median | 99 % |\n|---|---|---|---|")
    for kind in options.store:
        with served(kind) as server:
            most = options.events // 5 * 4
            for name, callers, numbers, together in (
                ("2 callers, 100 events a request", 2, range(most), 100),
                ("8 callers, one event a request", 8, range(most, options.events), 1),
            ):
                rate, spent = produce(server, callers, numbers, together)
                middle, late = statistics.median(spent) * 1e3, statistics.quantiles(spent, n=100)[98] * 1e3
                print(f"| {kind}, {name} | {rate:,.0f} | {middle:.1f} ms | {late:.1f} ms |", flush=True)
        if options.memory:
            with served(kind) as server:
                memory(server, options.memory)
    print(f"\nload average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
