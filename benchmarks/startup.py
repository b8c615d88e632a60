"""How long the command takes to start, beside a bare interpreter (issue 2: `--help` at most four times as long).

    python -m benchmarks.startup [repetitions]

The two are run in turn, so that a processor that changes its speed changes both; medians and their ratio are printed.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMAND = str(Path(sys.executable).with_name("lineagegate"))
RUNS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "lineagegate --help": [COMMAND, "--help"],
    "lineagegate --version": [COMMAND, "--version"],
    "lineagegate check --help": [COMMAND, "check", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall-clock time of one process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measure(repetitions: int) -> dict[str, float]:
    """Median seconds of each command; the first round compiles and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in RUNS}
    for turn in range(repetitions + 1):
        for name, command in RUNS.items():
            taken = seconds(command)
            if turn:
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Print the table."""
    medians = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
    bare = medians["bare interpreter"]
    print("| start of | ms | times a bare interpreter |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median * 1000:.1f} | {median / bare:.2f} |")


if __name__ == "__main__":
    main()
