"""What the gate adds to a registration with MLflow, gated and ungated in turn, in one warm process.

    python -m benchmarks.registration [--rounds 50] [--out FILE]

The project is a git and DVC repository with a pipeline of several stages and a ledger that knows it; the registry is
SQLite. Each round registers one logged model twice, once through MLflow's own store and once through the gated one, in
changing order. Times are medians in milliseconds, of the clock and of the processor: on a machine that does other
things the second says more of the work, and leaves out the waiting for the disk.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STAGES = 12
POLICY = "mode: enforce\nundeclared: deny\ndefault: allow\n"


def build(root: Path) -> None:
    """A repository whose pipeline ran, declared and recorded."""
    from lineage.gate import Gate
    from lineage.vocabulary import Kind, Origin

    def must(*command: str) -> None:
        subprocess.run(command, cwd=root, check=True, capture_output=True)

    bin_ = Path(sys.executable).parent
    (root / "raw.txt").write_text("a line of our own\n" * 100)
    must("git", "init", "-q")
    must("git", "config", "user.name", "Ada")
    must("git", "config", "user.email", "ada@example.com")
    must(str(bin_ / "dvc"), "init", "-q")
    must(str(bin_ / "dvc"), "add", "-q", "raw.txt")
    lines, before = ["stages:"], "raw.txt"
    for number in range(STAGES):
        lines += [
            f"  s{number}:", f"    cmd: (cat {before}; echo {number}) > {number}.txt",
            f"    deps: [{before}]", f'    outs: ["{number}.txt"]',
        ]  # fmt: skip
        before = f"{number}.txt"
    (root / "dvc.yaml").write_text("\n".join(lines) + "\n")
    (root / ".gitignore").write_text("mlflow.db*\n/mlruns\n")
    must(str(bin_ / "dvc"), "repro", "-q")
    (root / "lineage.policy.yaml").write_text(POLICY)
    (root / "lineage.toml").write_text('project = "benchmark"\nuser = "Ada"\n')
    with Gate.init(root)[0] as gate:
        gate.declare("raw.txt.dvc", Origin(Kind.FIRST_PARTY))
        gate.refresh()
    must("git", "add", "-A")
    must("git", "commit", "-qm", "pipeline")


def measure(root: Path, rounds: int) -> dict[str, float]:
    """Medians of a registration, through MLflow's own store and through the gated one; ``cpu`` of the processor."""
    import mlflow
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._model_registry.utils import _get_store

    uri = f"sqlite:///{root}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("benchmark")

    def echo(model_input: list[str]) -> list[str]:
        return model_input

    gated, own = _get_store(uri, uri), SqlAlchemyStore(uri)
    assert not isinstance(gated, type(own)) or type(gated) is not type(own)
    for name in ("gated", "own"):
        own.create_registered_model(name)
    times: dict[str, list[float]] = {"gated": [], "own": [], "gated cpu": [], "own cpu": []}
    acts: dict[str, Callable[..., object]] = {"gated": gated.create_model_version, "own": own.create_model_version}
    for round_ in range(rounds + 3):
        with mlflow.start_run() as run:
            mlflow.log_input(mlflow.data.from_numpy(__import__("numpy").ones(3), source=f"{STAGES - 1}.txt"))
            model = mlflow.pyfunc.log_model(name="model", python_model=echo, pip_requirements=["mlflow"])
        for name in ("gated", "own") if round_ % 2 else ("own", "gated"):
            began, busy = time.perf_counter(), time.process_time()
            acts[name](name, model.model_uri, run.info.run_id, model_id=model.model_id)
            if round_ >= 3:
                times[name].append((time.perf_counter() - began) * 1000)
                times[f"{name} cpu"].append((time.process_time() - busy) * 1000)
    medians = {name: statistics.median(found) for name, found in times.items()}
    added = {f"added{of}": medians[f"gated{of}"] - medians[f"own{of}"] for of in ("", " cpu")}
    return {**medians, **added}


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DVC_NO_ANALYTICS="1", PYTHONWARNINGS="ignore")
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="registration-") as folder:
        root = Path(folder).resolve()
        build(root)
        os.chdir(root)
        found = measure(root, given.rounds)
        os.chdir("/")
    print(f"registration, medians of {given.rounds}, ms     clock  processor")
    for name, text in (("own", "MLflow's own store"), ("gated", "gated"), ("added", "added by the gate")):
        print(f"  {text:<32} {found[name]:7.1f}    {found[f'{name} cpu']:7.1f}")
    if given.out:
        given.out.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
