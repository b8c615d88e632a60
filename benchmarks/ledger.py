"""What verifying the ledger takes: the tree alone, and with the graph recomputed; time, entries a second, memory.

    python -m benchmarks.ledger [--sizes 20000 100000] [--shape layered] [--out FILE]

Each verification runs in a process of its own, so that its memory is its own (peak resident, of which the interpreter
and its imports are about 60 MB). Processor time stands beside the clock's, for machines that others use too. Each must
verify: a wrong row would be a finding, and ends the benchmark.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks import workload as w

BATCH = 1000


def fill(path: str, shape: str, size: int) -> float:
    """Record a workload; entries a second."""
    from lineage.graph import Graph
    from lineage.store import create_store

    graph = Graph(create_store(path))
    events = w.events(w.make(shape, size))
    began = time.perf_counter()
    while batch := list(islice(events, BATCH)):
        graph.record(batch)
    taken = time.perf_counter() - began
    count = graph.position()
    graph.close()
    return count / taken


def verify(path: str, tree_only: bool) -> dict[str, float]:
    """One verification in this process."""
    from lineage.graph.seals import Seals
    from lineage.store import open_store

    parts: dict[str, float] = {}
    last = time.process_time()

    def told(what: str, *_: int) -> None:
        nonlocal last
        now = time.process_time()
        parts[what] = parts.get(what, 0.0) + now - last
        last = now

    with open_store(path) as store:
        began, used = time.perf_counter(), time.process_time()
        tree = Seals(store).check([], [], told, tree_only=tree_only)
        taken, used = time.perf_counter() - began, time.process_time() - used
    assert tree.deviations == (), tree.deviations
    # not getrusage: its peak is inherited from the process that started this one
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
    return {"entries": tree.size, "seconds": taken, "cpu_seconds": used, "peak_mb": peak, **parts}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--shape", default="layered")
    parser.add_argument("--out")
    parser.add_argument("--verify", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.verify:
        print(json.dumps(verify(arguments.verify[0], arguments.verify[1] == "tree")))
        return
    results = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as directory:
            path = str(Path(directory) / ".lineage" / "lineage.db")
            recorded = fill(path, arguments.shape, size)
            for kind in ("tree", "all"):
                command = [sys.executable, "-m", "benchmarks.ledger", "--verify", path, kind]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(done.stdout)
                results.append({"executions": size, "kind": kind, "recorded_a_second": recorded, **found})
                print(
                    f"{kind:<5} {found['entries']:>9,} entries {found['seconds']:8.2f} s, "
                    f"processor {found['cpu_seconds']:7.2f} s, "
                    f"{found['entries'] / found['cpu_seconds']:>9,.0f} a second of it, "
                    f"peak {found['peak_mb']:.0f} MB"
                    f"   (recording them: {recorded:,.0f} a second)"
                )
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
