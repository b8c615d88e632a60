"""Benchmarks start in one way, and ``make bench`` has them all."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = {"workload", "postgres"}
PEERS = {"peer_mlmd"}
"""Run by another benchmark, in an environment of their own."""


def test_every_benchmark_starts_as_a_module_and_is_in_make_bench() -> None:
    listed = re.search(r"^BENCHMARKS := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(listed[1].replace("\\\n", " ").split()) == names - SHARED - PEERS
    for name in names - SHARED:
        module = importlib.import_module(f"benchmarks.{name}")
        assert callable(module.main)
        assert f"python -m benchmarks.{name}" in str(module.__doc__), name
