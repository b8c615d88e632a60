"""Projects with a real ledger, a real MLflow registry and, where wanted, a real MLflow server on the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.tracking._model_registry.utils import _get_store as registry_of
from mlflow.tracking._tracking_service.utils import _get_store as tracking_of

from lineage.config import load
from lineage.gate import Gate

POLICY = """
mode: enforce
undeclared: deny
default: allow
rules:
  - id: no-openai-in-training
    match:
      origin: {provider: openai}
      use: [content, base-model, annotation, fine-tuning]
    effect: deny
    reason: the terms of OpenAI forbid it
  - id: openai-in-evaluation
    match:
      origin: {provider: openai}
      use: evaluation
    effect: warn
    reason: to be looked at
  - id: licensed-not-in-public
    match:
      origin: {kind: licensed}
      model: {name: "public-*"}
    effect: deny
    reason: the licence is for our own use
  - id: licensed-not-champion
    match:
      origin: {kind: licensed}
      model: {alias: champion}
    effect: deny
    reason: the licence is for trials
  - id: licensed-not-in-production
    match:
      origin: {kind: licensed}
      model: {stage: Production}
    effect: deny
    reason: the licence is for trials
"""

SETTINGS = """
project = "demo"
user = "Ada Tester <ada@example.com>"

[[origins]]
url = "s3://own/*"
kind = "first-party"

[[origins]]
url = "s3://licensed/*"
kind = "licensed"

[[origins]]
url = "s3://gpt/*"
kind = "third-party-model-output"
provider = "openai"
service = "gpt-4"
channel = "azure-openai"
"""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DVC_NO_ANALYTICS": "1",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "PYTHONWARNINGS": "ignore",
    "GIT_CONFIG_NOSYSTEM": "1",
    "NO_COLOR": "1",
}


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would lead tools elsewhere."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("LINEAGE_", "MLFLOW_", "_MLFLOW_", "DVC_", "GIT_"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, **QUIET, "PATH": path, **more}


class Project:
    """A directory with settings, policy and ledger, and a registry beside it."""

    def __init__(self, root: Path, uri: str) -> None:
        self.root = root
        self.uri = uri
        self.client = MlflowClient(uri, uri)

    @property
    def gate(self) -> Gate:
        """A gate of the test's own, beside those of the stores."""
        return Gate.open(load(self.root))

    @property
    def registry(self) -> Any:
        return registry_of(self.uri, self.uri)

    @property
    def tracking(self) -> Any:
        return tracking_of(self.uri)

    def experiment(self) -> str:
        found = self.client.get_experiment_by_name("tests")
        return found.experiment_id if found else self.client.create_experiment("tests")

    def run(self, *sources: str, tags: Mapping[str, str] | None = None, parent: str = "", **contexts: str) -> str:
        """A run that logged datasets.

        Args:
            sources: URIs, logged for training.
            tags: run tags.
            parent: run it is nested in.
            contexts: dataset URI by context.
        """
        more = {"mlflow.parentRunId": parent} if parent else {}
        run = self.client.create_run(self.experiment(), tags={**(tags or {}), **more}).info.run_id
        logged = [dataset_input(uri) for uri in sources]
        logged += [dataset_input(uri, context) for context, uri in contexts.items()]
        if logged:
            self.client.log_inputs(run, logged)
        return run

    def model(self, run: str, weights: str = "", name: str = "model", beside: Mapping[str, str] | None = None) -> str:
        """A logged model of a run. Returns its id."""
        model = self.client.create_logged_model(self.experiment(), name=name, source_run_id=run)
        files = {
            "MLmodel": f"model_id: {model.model_id}\n",
            "weights.bin": weights or f"weights of {run} " * 4,
            **(beside or {}),
        }
        place = Path(model.artifact_location.removeprefix("file://"))
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text)
        self.client.log_outputs(run, [LoggedModelOutput(model.model_id, 0)])
        self.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        return str(model.model_id)

    def register(self, name: str, source: str, **arguments: Any) -> Any:
        """A version, made as clients make them."""
        if not any(model.name == name for model in self.client.search_registered_models()):
            self.client.create_registered_model(name)
        if source.startswith("models:/m-"):
            arguments.setdefault("model_id", source.removeprefix("models:/"))  # a server asks for both
        return self.client.create_model_version(name, source, **arguments)

    def versions(self, name: str) -> list[Any]:
        return list(self.client.search_model_versions(f"name = '{name}'"))


def dataset_input(uri: str, context: str = "training", digest: str = "", name: str = "", **tags: str) -> DatasetInput:
    """What `mlflow.log_input` sends for a dataset at a URI."""
    dataset = MetaDataset(resolve_dataset_source(uri), name=name or uri.rsplit("/", 1)[-1])
    entity = dataset._to_mlflow_entity()
    if digest:
        entity._digest = digest
    said = {"mlflow.data.context": context, **{key.replace("__", "."): value for key, value in tags.items()}}
    return DatasetInput(entity, [InputTag(key, value) for key, value in said.items()])


def refused(act: Any) -> str:
    """The text of the refusal that an act must end in."""
    with pytest.raises(MlflowException) as caught:
        act()
    assert caught.value.error_code == "PERMISSION_DENIED", caught.value
    return str(caught.value)


def configure(root: Path, settings: str = SETTINGS, policy: str = POLICY) -> None:
    """Make a project of a directory, as `lineagegate init` does."""
    (root / "lineage.toml").write_text(settings)
    (root / "lineage.policy.yaml").write_text(policy)
    Gate.init(root)[0].close()


class Server:
    """A real ``mlflow server`` on the loopback."""

    def __init__(
        self,
        root: Path,
        *,
        plugin: bool = True,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{root}/mlflow.db", "--artifacts-destination", str(root / "artifacts"),
            *arguments,
        ]  # fmt: skip
        base = clean_environment() if plugin else without_plugin(root)
        self.log = (root / "server.log").open("w")
        self.process = subprocess.Popen(
            command,
            cwd=root,
            env={**base, **(environment or {})},
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + 180
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=1)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        self.close()
        raise RuntimeError((self.root / "server.log").read_text())

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """POST JSON; returns the status and the answer."""
        return self.call("POST", path, **body)

    def call(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """Send JSON; returns the status and the answer."""
        request = urllib.request.Request(
            f"{self.uri}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def close(self) -> None:
        """End the server and its workers: a process group of their own."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait(20)
        self.log.close()


def without_plugin(root: Path) -> dict[str, str]:
    """An environment whose interpreter does not see our entry points, as on a server without lineagegate."""
    hook = root / "without-plugin"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "_own = m.entry_points\n"
        "def entry_points(**given):\n"
        "    found = _own(**given)\n"
        "    return m.EntryPoints(e for e in found if not e.value.startswith('lineage'))\n"
        "m.entry_points = entry_points\n"
    )
    return clean_environment(PYTHONPATH=str(hook))
