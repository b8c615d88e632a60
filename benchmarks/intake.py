"""Events of others into the ledger through the one writer that commits together what waits.

    python -m benchmarks.intake [--events 20000] [--store sqlite postgresql] [--memory 0]

- batch: two callers, lists of 100 events, each list durable before the next;
- single: eight callers, one event at a time, each durable before the next;
- memory: with ``--memory N``, N events in lists of 1,000, and what the process holds at every tenth.

Events are Spark-like: 2 to 4 kB, schemas, column lineage, a symlink; 1,000 tables in ten layers, which daily jobs
write again and again.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks import postgres
from lineage.gate.intake import Intake
from lineage.graph import Graph
from lineage.store import create_store, open_store

TABLES = 1_000
WIDTH = 100
"""Tables in a layer; each reads two of the layer before."""
_COLUMNS = [f"column_{i}" for i in range(12)]


def event(number: int) -> bytes:
    """START and COMPLETE of a run that reads two tables and writes a third."""
    run, table = divmod(number // 2, TABLES)
    made = {"namespace": "s3://warehouse", "name": f"db/table_{table}"}
    layer, place = divmod(table, WIDTH)
    before = [f"db/table_{(layer - 1) * WIDTH + (place + i) % WIDTH}" if layer else f"raw/{place + i}" for i in (0, 1)]
    read = [{"namespace": "s3://warehouse", "name": name} for name in before]
    fields = {c: {"inputFields": [{**read[0], "field": c, "transformations": []}]} for c in _COLUMNS}
    schema = {"_producer": "spark", "_schemaURL": "x", "fields": [{"name": c, "type": "string"} for c in _COLUMNS]}
    symlinks = {"identifiers": [{"namespace": "hive://meta:9083", "name": f"db.table_{table}", "type": "TABLE"}]}
    lineage = {"_producer": "spark", "_schemaURL": "x", "fields": fields}
    end = number % 2
    return json.dumps(
        {
            "eventTime": f"2026-01-{1 + run % 28:02d}T{table % 24:02d}:00:00Z",
            "eventType": "COMPLETE" if end else "START",
            "producer": "https://github.com/OpenLineage/OpenLineage/tree/1.54.0/integration/spark",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{run}/{table}"))},
            "job": {"namespace": "spark", "name": f"nightly.table_{table}"},
            "inputs": [{**r, "facets": {"schema": schema}} for r in read],
            "outputs": [{**made, "facets": {"schema": schema, "columnLineage": lineage, "symlinks": symlinks}}]
            if end
            else [],
        }
    ).encode()


@contextmanager
def started(url: str) -> Iterator[Intake]:
    """A running intake into a new store."""
    create_store(url).close()
    intake = Intake(lambda: Graph(open_store(url)))
    intake.start()
    yield intake
    intake.stop(60)


def produce(intake: Intake, callers: int, numbers: range, together: int) -> tuple[float, list[float]]:
    """(events a second, seconds of each answer) with every answer waited for."""
    parts = [numbers[i : i + together] for i in range(0, len(numbers), together)]
    lists = [[event(n) for n in part] for part in parts]  # made beforehand: the producers' work is not ours

    def caller(mine: list[list[bytes]]) -> list[float]:
        spent = []
        for events in mine:
            began = time.perf_counter()
            intake.submit(events).result()
            spent.append(time.perf_counter() - began)
        return spent

    began = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        spent = [s for found in pool.map(caller, [lists[i::callers] for i in range(callers)]) for s in found]
    return len(numbers) / (time.perf_counter() - began), spent


def memory(intake: Intake, events: int) -> None:
    """Print what the process holds at every tenth of a long load."""
    began = time.perf_counter()
    for tenth in range(10):
        for start in range(tenth * events // 10, (tenth + 1) * events // 10, 1_000):
            intake.submit([event(n) for n in range(start, min(start + 1_000, (tenth + 1) * events // 10))]).result()
        held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        done = (tenth + 1) * events // 10
        print(f"  {done:>10,} events: {held} MiB, {done / (time.perf_counter() - began):,.0f} a second", flush=True)


@contextmanager
def store(kind: str, folder: str) -> Iterator[str]:
    """The address of an empty store of a kind."""
    if kind == "sqlite":
        yield str(Path(folder) / f"{uuid.uuid4().hex}.db")
    else:
        with postgres.server() as url:
            yield url


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--store", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args()
    print("| | events/s | median | 99 % |\n|---|---|---|---|")
    for kind in options.store:
        with tempfile.TemporaryDirectory() as folder, store(kind, folder) as url, started(url) as intake:
            half = options.events // 10 * 9
            for name, callers, numbers, together in (
                ("2 callers, lists of 100", 2, range(half), 100),
                ("8 callers, one event each", 8, range(half, options.events), 1),
            ):
                rate, spent = produce(intake, callers, numbers, together)
                middle, late = statistics.median(spent) * 1e3, statistics.quantiles(spent, n=100)[98] * 1e3
                print(f"| {kind}, {name} | {rate:,.0f} | {middle:.1f} ms | {late:.1f} ms |", flush=True)
        if options.memory:
            with tempfile.TemporaryDirectory() as folder, store(kind, folder) as url, started(url) as intake:
                memory(intake, options.memory)


if __name__ == "__main__":
    main()
