"""What a page of the server costs, from the request to its last byte, over a layered workload. Goal: 150 ms.

    python -m benchmarks.pages [--size 100000] [--models 1000] [--requests 20] [--project DIR]

A project is built as `benchmarks/questions.py` does (with ``--project`` in that directory, and used again from there);
some sources are left without a declared origin. Pages are asked for by the application's own client, in one process.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks import questions
from benchmarks import workload as w
from lineage.config import load as settings
from lineage.events import run_event
from lineage.gate import Gate
from lineage.gate.tokens import make_token
from lineage.server.app import create_app
from lineage.server.pages.show import address
from lineage.vocabulary import Artifact, Content, Input, Role
from lineage.vocabulary.identifier import new_uuid

UNDECLARED = 2_000
"""Sources that nobody speaks for."""


def build(root: Path, work: w.Workload, models: int) -> None:
    """The workload with registered models, and sources that wait for a declaration."""
    questions.build(root, work, models)
    with Gate.open(settings(root)) as gate:
        for start in range(0, UNDECLARED, 500):
            gate.record([
                run_event(
                    run_id=str(new_uuid()), job=("dvc://bench", "load"), time="2026-02-01T00:00:00Z",
                    inputs=[Input(Artifact("s3://lake", f"raw/{n}", Content(f"md5:{n:032x}", 5_000)))],
                    outputs=[Artifact("s3://lake", f"in/{n}", Content(f"md5:{n + 10**9:032x}", 5_000))],
                )
                for n in range(start, start + 500)
            ])  # fmt: skip


def measured(client: Any, headers: dict[str, str], addresses: list[str]) -> str:
    """Median, slowest, and kilobytes of the largest, after one request to warm up."""
    client.get(addresses[0], headers=headers)
    times, sizes = [], []
    for to in addresses:
        began = time.perf_counter()
        answer = client.get(to, headers=headers)
        times.append((time.perf_counter() - began) * 1e3)
        sizes.append(len(answer.content))
        assert answer.status_code == 200, (to, answer.text[-500:])
    return f"{statistics.median(times):,.0f} | {max(times):,.0f} | {max(sizes) / 1e3:,.0f}"


def main() -> None:
    """Run and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--project", type=Path)
    options = parser.parse_args()
    work, pick = w.make("layered", options.size), random.Random(3)
    sources = [(step.outputs[0], step) for step in work.steps if step.origin is not None]
    with tempfile.TemporaryDirectory() as folder:
        root = options.project or Path(folder)
        if not (root / "lineage.toml").exists():
            root.mkdir(exist_ok=True)
            build(root, work, options.models)
        config = settings(root)
        with Gate.open(config) as gate:
            token = make_token(gate.graph, name="Ada", role=Role.STEWARD, by="benchmark")[1]
            ids = [decision.id for decision in gate.graph.decisions(None, options.requests)]
        models = [f"models:/model-{n}/1" for n in pick.choices(range(options.models), k=options.requests)]
        data = pick.choices(sources, k=options.requests)
        keys = [w.key(dataset) for dataset, _ in data]
        numbers = [str(n) for n in pick.choices(range(1, 40), k=options.requests)]
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
        with TestClient(create_app(config)) as client:
            print("| page | median ms | slowest ms | kB |\n|---|---:|---:|---:|")
            for what, addresses in (
                ("first page", ["/"] * options.requests),
                ("search: part of a name", [address("/search", q=f"part-{n}") for n in numbers]),
                ("search: a hash", [address("/search", q=key) for key in keys]),
                ("search: nothing", [address("/search", q=f"no such thing {n}") for n in numbers]),
                ("artifact: a model", [address("/artifact", target=model) for model in models]),
                ("artifact: a source", [address("/artifact", target=key) for key in keys]),
                (
                    "ask: a model, an origin",
                    [
                        address("/question", model=m, origin=f"provider-{n}")
                        for m, n in zip(models, numbers, strict=True)
                    ],
                ),
                ("recall", ["/recall"] * options.requests),
                ("one hop", [address("/hop", target=key, made="false") for key in keys]),
                ("source: everything downstream", [address("/source", target=key) for key in keys]),
                ("source: a provider", [address("/source", origin=f"provider-{n}") for n in numbers]),
                ("decisions", [address("/decisions", page=n) for n in pick.choices(range(1, 20), k=len(numbers))]),
                ("a decision", [address("/decision", id=id_) for id_ in ids]),
                ("to declare", [address("/undeclared", page=n) for n in numbers]),
                ("timeline of everything", [address("/history", page=n) for n in numbers]),
                ("timeline of a model", [address("/history", model=model) for model in models]),
                ("policy", ["/policy"] * options.requests),
                ("ledger", ["/ledger"] * options.requests),
            ):
                print(f"| {what} | {measured(client, headers, addresses)} |", flush=True)


if __name__ == "__main__":
    main()
