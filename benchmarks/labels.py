"""What a registration asks, "which origins does this hold?", of this store and of its peers, side by side in one run.

    python -m benchmarks.labels [--sizes 1000 10000 100000] [--ours 1000000] [--mlmd PYTHON] [--out FILE]

Every answer of every system is compared with the right one. Peers: ML Metadata (in an environment of its own, its
interpreter given by --mlmd), a recursive query on PostgreSQL (a private server started here), and a well-planned one on
SQLite. Times are of warm processes; the unit is the microsecond; ratios are what to look at.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import postgres
from benchmarks import workload as w
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import Artifact, Content

UPSTREAM = """
WITH RECURSIVE up(ds) AS (
  SELECT {0} UNION SELECT i.ds FROM up JOIN made o ON o.ds = up.ds JOIN used i ON i.run = o.run)
SELECT DISTINCT origin FROM tag WHERE ds IN (SELECT ds FROM up)
"""


def asked(
    ask: Callable[[int], frozenset[int]], work: w.Workload, right: Any, questions: int, warm: int, again: bool = False
) -> dict[str, float]:
    """Ask about random datasets of the last layer; time each answer, and count the wrong ones.

    ``warm`` other questions come first; with ``again`` all of the timed ones were asked before.
    """
    pick = random.Random(5)
    early, timed = pick.choices(work.tops, k=200), pick.choices(work.tops, k=questions)
    for target in timed if again else early[:warm]:
        ask(target)
    times, wrong = [], 0
    gc.collect()
    for target in timed:
        began = time.perf_counter()
        answer = ask(target)
        times.append(time.perf_counter() - began)
        wrong += answer != right[target]
    times.sort()
    return {
        "p50_us": times[len(times) // 2] * 1e6,
        "p99_us": times[min(len(times) - 1, len(times) * 99 // 100)] * 1e6,
        "wrong": wrong,
        "questions": questions,
    }


def ours(work: w.Workload, right: Any, path: Path) -> dict[str, float]:
    """Load in batches of 1,000 and ask; then open afresh and ask once."""
    name_of = {dataset: w.name(dataset, step) for step in work.steps for dataset in step.outputs}
    began = time.perf_counter()
    with create_store(str(path)) as store:
        graph = Graph(store)
        batch: list[bytes] = []
        spent = 0.0
        for event in w.events(work):
            batch.append(event)
            if len(batch) == 1000:
                start = time.perf_counter()
                graph.record(batch)
                spent += time.perf_counter() - start
                batch = []
        graph.record(batch)
    loaded = time.perf_counter() - began
    targets = {t: Artifact("dvc://bench", name_of[t], Content(w.key(t), 1000 + t % 100_000)) for t in work.tops}
    numbers = {f"provider-{i}": i for i in range(w.ORIGINS)}

    def ask(graph: Graph, target: int) -> frozenset[int]:
        return graph.labels(targets[target]).labels  # type: ignore[return-value]

    class Right:
        def __getitem__(self, target: int) -> Any:
            return _Answer(right[target], numbers)

    with open_store(str(path)) as store:
        graph = Graph(store)
        result = asked(lambda target: ask(graph, target), work, Right(), 2000, 200)
        again = asked(lambda target: ask(graph, target), work, Right(), 2000, 0, again=True)
        result |= {
            "again_p50_us": again["p50_us"],
            "again_p99_us": again["p99_us"],
            "wrong": result["wrong"] + again["wrong"],
        }
    opened = []
    for target in random.Random(9).choices(work.tops, k=30):
        start = time.perf_counter()
        with open_store(str(path)) as store:
            Graph(store).labels(targets[target])
            opened.append(time.perf_counter() - start)
    size = sum(f.stat().st_size for f in path.parent.glob(path.name + "*"))
    return result | {
        "open_and_ask_us": statistics.median(opened) * 1e6,
        "record_us": spent / len(work.steps) * 1e6,
        "load_s": loaded,
        "bytes_per_execution": size / work.executions,
        "memory_mb": _memory(path, [targets[t] for t in random.Random(11).choices(work.tops, k=500)]),
    }


_GATING = """
import json, sys
from lineage.graph import Graph
from lineage.store import open_store
from lineage.vocabulary import Artifact, Content
with open_store(sys.argv[1]) as store:
    graph = Graph(store)
    for name, key, size in json.load(sys.stdin):
        graph.labels(Artifact("dvc://bench", name, Content(key, size)))
print(next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) / 1024)
"""


def _memory(path: Path, targets: list[Artifact]) -> float:
    """Peak memory, in MB, of a process that opens the store and gates 500 models."""
    asked = [(t.name, t.content.hash, t.content.size) for t in targets if t.content]
    done = subprocess.run(
        [sys.executable, "-c", _GATING, str(path)], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


class _Answer:
    """Compares labels with origin numbers outside of the timed part."""

    def __init__(self, right: frozenset[int], numbers: dict[str, int]) -> None:
        self._right, self._numbers = right, numbers

    def __eq__(self, labels: object) -> bool:
        return frozenset(self._numbers[label.origin.provider] for label in labels) == self._right  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]


def _rows(work: w.Workload) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[tuple[int, int]]]:
    used, made, tag = [], [], []
    for run, step in enumerate(work.steps):
        used += [(run, dataset) for dataset in step.inputs]
        made += [(run, dataset) for dataset in step.outputs]
        if step.origin is not None:
            tag.append((step.outputs[0], step.origin))
    return used, made, tag


def sqlite_cte(work: w.Workload, right: Any, path: Path, questions: int) -> dict[str, float]:
    """A recursive query on SQLite with the plan that performs."""
    used, made, tag = _rows(work)
    with sqlite3.connect(path) as db:
        db.executescript(
            "CREATE TABLE used(run INT, ds INT); CREATE TABLE made(run INT, ds INT);"
            "CREATE TABLE tag(ds INTEGER PRIMARY KEY, origin INT)"
        )
        db.executemany("INSERT INTO used VALUES(?,?)", used)
        db.executemany("INSERT INTO made VALUES(?,?)", made)
        db.executemany("INSERT INTO tag VALUES(?,?)", tag)
        db.executescript("CREATE INDEX used_run ON used(run, ds); CREATE INDEX made_ds ON made(ds, run)")
    db.execute("PRAGMA cache_size=-200000")
    query = UPSTREAM.format("?")
    result = asked(lambda t: frozenset(r[0] for r in db.execute(query, (t,))), work, right, questions, 5)
    db.close()
    return result


def postgres_cte(work: w.Workload, right: Any, url: str, questions: int) -> dict[str, float]:
    """The same on PostgreSQL, prepared, over a local socket."""
    import pg8000.native

    used, made, tag = _rows(work)
    db = pg8000.native.Connection(**postgres.parts(url))
    db.run("CREATE TABLE used(run INT, ds INT)")
    db.run("CREATE TABLE made(run INT, ds INT)")
    db.run("CREATE TABLE tag(ds INT PRIMARY KEY, origin INT)")
    for table, rows in (("used", used), ("made", made), ("tag", tag)):
        db.run(f"COPY {table} FROM STDIN", stream=(f"{a}\t{b}\n".encode() for a, b in rows))
    db.run("CREATE INDEX used_run ON used(run, ds)")
    db.run("CREATE INDEX made_ds ON made(ds, run)")
    db.run("ANALYZE")
    statement = db.prepare(UPSTREAM.format("CAST(:ds AS INT)"))
    result = asked(lambda t: frozenset(r[0] for r in statement.run(ds=t)), work, right, questions, 5)
    for table in ("used", "made", "tag"):
        db.run(f"DROP TABLE {table}")
    db.close()
    return result


def mlmd(python: str, shape: str, executions: int, questions: int) -> dict[str, float]:
    """ML Metadata in its own interpreter."""
    command = [python, "-m", "benchmarks.peer_mlmd", shape, str(executions), str(questions)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Run and print a table in Markdown; the figures also go to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--ours", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--shapes", nargs="*", default=["layered", "dense"])
    parser.add_argument("--mlmd", default="", help="interpreter of an environment with ml-metadata")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    print("| workload | system | p50 µs | p99 µs | times ours | wrong |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, postgres.server() as url:
        for shape in options.shapes:
            for size in [*options.sizes, *options.ours]:
                work = w.make(shape, size)
                right = w.origins_above(work)
                path = Path(folder) / f"{shape}-{size}"
                path.mkdir()
                rows = {"lineagegate": ours(work, right, path / "lineage.db")}
                if size not in options.ours:
                    few = 200 if shape == "layered" else 5
                    rows["SQLite recursive query"] = sqlite_cte(work, right, path / "cte.db", few)
                    rows["PostgreSQL recursive query"] = postgres_cte(work, right, url, few)
                    if options.mlmd:
                        rows["ML Metadata"] = mlmd(options.mlmd, shape, size, few)
                base = rows["lineagegate"]["p50_us"]
                for system, row in rows.items():
                    results.append({"shape": shape, "executions": size, "system": system, **row})
                    print(
                        f"| {shape} {size:,} | {system} | {row['p50_us']:,.0f} | {row['p99_us']:,.0f} "
                        f"| {row['p50_us'] / base:,.0f} | {row['wrong']:.0f} of {row['questions']:.0f} |",
                        flush=True,
                    )
                own = rows["lineagegate"]
                print(
                    f"| | lineagegate: asked again p50 {own['again_p50_us']:,.0f}, p99 {own['again_p99_us']:,.0f} µs; "
                    f"open and ask once {own['open_and_ask_us']:,.0f} µs; record {own['record_us']:,.0f} µs, "
                    f"{own['bytes_per_execution']:,.0f} bytes an execution; gate {own['memory_mb']:,.0f} MB | | | | |",
                    flush=True,
                )
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
