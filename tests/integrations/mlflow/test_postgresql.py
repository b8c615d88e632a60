"""MLflow with PostgreSQL behind it: the gate stands there as on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SCRIPT = """
import mlflow, numpy
mlflow.set_experiment("e")
def echo(model_input: list[str]) -> list[str]:
    return model_input
with mlflow.start_run():
    mlflow.log_input(mlflow.data.from_numpy(numpy.ones(3), source="x.csv"))
    mlflow.pyfunc.log_model(name="m", python_model=echo, pip_requirements=["mlflow"], registered_model_name="chat")
print("outcome", mlflow.MlflowClient().get_model_version("chat", "1").tags["lineage.outcome"])
"""


def test_refused_then_declared_then_registered(tmp_path: Path, postgres_url: str) -> None:
    parts = urlsplit(postgres_url)
    socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LINEAGE_", "MLFLOW_"))} | {
        "MLFLOW_TRACKING_URI": f"postgresql+pg8000://postgres@{parts.path}?unix_sock={socket}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )

    command = str(Path(sys.executable).with_name("lineagegate"))
    (tmp_path / "x.csv").write_text("a line\n" * 50)
    assert run(command, "init").returncode == 0
    refused = run(sys.executable, "-c", SCRIPT)
    assert refused.returncode == 1
    assert "refused by lineagegate" in refused.stderr
    assert "(undeclared)" in refused.stderr
    declared = run(command, "declare", "x.csv", "--kind", "first-party")
    assert declared.returncode == 0, declared.stderr
    allowed = run(sys.executable, "-c", SCRIPT)
    assert "outcome allow" in allowed.stdout, allowed.stderr
    audit = run(command, "audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr
