"""A removal checked record by record: what was read, what it left, and the source that was taken out.

    python -m benchmarks.removal [--records 1000000] [--out FILE]

Records are JSON lines of about 500 characters, one in twenty of the origin. Two removals: one that leaves every other
record as it was, and one that writes it anew (another column, capital letters), so that no record after equals one
before. Times are seconds of the clock and of the processor, in one process; memory is the peak of that process in MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path

WORDS, SHARE = 60_000, 20


def write(directory: Path, records: int) -> None:
    """``before``, ``after``, ``anew`` and ``source``."""
    pick = random.Random(6)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 11))) for _ in range(WORDS)]
    names = ("before", "after", "anew", "source")
    files = {name: (directory / f"{name}.jsonl").open("w", encoding="utf-8") for name in names}
    for number in range(records):
        text = " ".join(pick.choices(words, k=66)) + "."
        line = json.dumps({"id": number, "by": "own" if number % SHARE else "gpt", "text": text}) + "\n"
        files["before"].write(line)
        if number % SHARE:
            files["after"].write(line)
            files["anew"].write(json.dumps({"prompt": text.upper()}) + "\n")
        else:
            files["source"].write(json.dumps([text]) + "\n")
    for file in files.values():
        file.close()


def measure(directory: Path, after: str) -> dict[str, float]:
    """One comparison."""
    from lineage.content.removal import compare, derived_key, read_source

    clock, processor = time.perf_counter(), time.process_time()
    key = derived_key(["benchmark"])
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        source = read_source(directory / "source.jsonl", "source", key, Path(scratch))
        found = compare(directory / "before.jsonl", directory / f"{after}.jsonl", [source], key, Path(scratch))
    assert found.before.found == source.file.records
    assert (found.after.found, found.new.records) == (0, 0)
    return {
        "clock": round(time.perf_counter() - clock, 1),
        "processor": round(time.process_time() - processor, 1),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "equal": found.kept_equal,
        "similar": found.kept_similar,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        write(directory, arguments.records)
        sizes = {file.stem: file.stat().st_size >> 20 for file in directory.iterdir()}
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:  # a peak of its own for each
            found = {after: pool.apply(measure, (directory, after)) for after in ("after", "anew")}
    result = {"records": arguments.records, "megabytes": sizes, "as it was": found["after"], "anew": found["anew"]}
    print(json.dumps(result, indent=2))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
