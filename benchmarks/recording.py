"""What recording costs beside the bare database, and a tag put on a source afterwards.

    python -m benchmarks.recording [--executions 100000] [--single 500]

- batch: events in batches of 1,000, against inserting the very rows that result into the same tables;
- single: one durable event at a time, against a bare SQLite commit of the same bytes (WAL, synchronous=FULL);
- retag: a tag on a source that much was made from, durable, and the first label read after it.

Both sides of a ratio are measured in turns in this run, on the same disk.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import workload as w
from lineage.events import dataset_event
from lineage.graph import Graph
from lineage.store import create_store
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag

BATCH = 1000


def batches(events: list[bytes], path: Path) -> float:
    """Seconds to record everything in batches."""
    with create_store(str(path)) as store:
        graph = Graph(store)
        began = time.perf_counter()
        for start in range(0, len(events), BATCH):
            graph.record(events[start : start + BATCH])
        return time.perf_counter() - began


def raw(full: Path, empty: Path, parts: int) -> float:
    """Seconds to insert the rows of one store into the tables of an empty one, in as many durable parts."""
    create_store(str(empty)).close()
    source, sink = sqlite3.connect(full), sqlite3.connect(empty, isolation_level=None)
    sink.execute("PRAGMA journal_mode=WAL")
    sink.execute("PRAGMA synchronous=FULL")
    tables = [
        name
        for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith(("sqlite_", "alembic"))
    ]
    rows = {name: source.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    for name in tables:
        sink.execute(f"DELETE FROM {name}")
    inserts = {
        name: f"INSERT INTO {name} VALUES({','.join('?' * len(rows[name][0]))})" for name in tables if rows[name]
    }
    began = time.perf_counter()
    for part in range(parts):
        sink.execute("BEGIN IMMEDIATE")
        for name, statement in inserts.items():
            size = -(-len(rows[name]) // parts)
            sink.executemany(statement, rows[name][part * size : (part + 1) * size])
        sink.execute("COMMIT")
    spent = time.perf_counter() - began
    sink.close()
    return spent


def singles(events: list[bytes], store_path: Path, bare_path: Path) -> tuple[float, float]:
    """Median seconds of one durable event here, and of a bare commit of its bytes, in turns."""
    bare = sqlite3.connect(bare_path, isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE entry(position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    ours, plain = [], []
    with create_store(str(store_path)) as store:
        graph = Graph(store)
        for event in events:
            began = time.perf_counter()
            graph.record([event])
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            bare.execute("BEGIN IMMEDIATE")
            bare.execute("INSERT INTO entry(body) VALUES(?)", (event,))
            bare.execute("COMMIT")
            plain.append(time.perf_counter() - began)
    bare.close()
    return statistics.median(ours), statistics.median(plain)


def retags(work: w.Workload, path: Path, count: int) -> tuple[float, float]:
    """Median seconds of a durable tag on a source, and of reading a model's labels right after."""
    name_of = {dataset: w.name(dataset, step) for step in work.steps for dataset in step.outputs}
    sources = [step.outputs[0] for step in work.steps if step.origin is not None]
    pick = random.Random(3)
    tag, read = [], []
    with create_store(str(path)) as store:
        graph = Graph(store)
        for number, source in enumerate(pick.choices(sources, k=count)):
            said = Tag(Origin(Kind.WEB_CRAWL, provider=f"late-{number}"), by="Jane")
            content = Content(w.key(source), 1000 + source % 100_000)
            event = dataset_event(
                Artifact("dvc://bench", name_of[source], content, tags=(said,)), time="2026-02-01T00:00:00Z"
            )
            began = time.perf_counter()
            graph.record([event])
            tag.append(time.perf_counter() - began)
            target = pick.choice(work.tops)
            artifact = Artifact("dvc://bench", name_of[target], Content(w.key(target), 1000 + target % 100_000))
            began = time.perf_counter()
            graph.labels(artifact)
            read.append(time.perf_counter() - began)
    return statistics.median(tag), statistics.median(read)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--single", type=int, default=500)
    options = parser.parse_args()
    work = w.make("layered", options.executions)
    events = list(w.events(work))
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        ours = batches(events, here / "a.db") / len(events)
        bare = raw(here / "a.db", here / "b.db", -(-len(events) // BATCH)) / len(events)
        size = sum(file.stat().st_size for file in here.glob("a.db*")) / options.executions
        one, commit = singles(list(itertools.islice(events, options.single)), here / "c.db", here / "d.db")
        tag, read = retags(work, here / "a.db", 200)
    print(f"| {options.executions:,} executions | lineagegate | bare | ratio |\n|---|---|---|---|")
    print(f"| in batches of 1,000, each | {ours * 1e6:,.0f} µs | {bare * 1e6:,.0f} µs | {ours / bare:.2f} |")
    print(f"| one durable event | {one * 1e6:,.0f} µs | {commit * 1e6:,.0f} µs | {one / commit:.2f} |")
    print(f"| a tag on a source, durable | {tag * 1e6:,.0f} µs | | |")
    print(f"| labels right after a tag | {read * 1e6:,.0f} µs | | |")
    print(f"| on disk, each | {size:,.0f} bytes | | |")


if __name__ == "__main__":
    main()
