"""The story that `make demo` tells: real git, DVC, MLflow and models. It asserts its own verdicts; here it has to end well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STORY = Path(__file__).parents[2] / "examples" / "project_seed" / "run.py"
CASES = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14", "S15")


@pytest.mark.timeout(900)
def test_project_seed(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, str(STORY), str(tmp_path / "seed")], capture_output=True, text=True, check=False, timeout=850
    )
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    held = [
        line.split()[1]
        for line in told.stdout.partition("The cases, and how they ended")[2].splitlines()
        if "✓" in line
    ]
    assert sorted(held) == sorted(CASES)
