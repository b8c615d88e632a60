"""A real ``mlflow server`` on the loopback: gated, through its clients and its REST interface; and a plain one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException
from mlflow.tracking._model_registry.utils import _get_store as registry_of

from lineage.config import load
from lineage.gate import Gate
from lineage_mlflow import remote
from tests.integrations.mlflow.example_project import (
    Project,
    Server,
    clean_environment,
    configure,
    dataset_input,
    refused,
)


@pytest.fixture
def remote_project(server: Server, bare: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A client of the gated server, in a project of its own without settings."""
    return _client(server, bare, monkeypatch)


def _client(server: Server, bare: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", server.uri)
    return Uploading(bare.root, server.uri)


class Uploading(Project):
    """Models go to the server's artifact store."""

    def model(self, run: str, weights: str = "", name: str = "model", beside: Any = None) -> str:
        files = self.root / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        (files / "weights.bin").write_text(weights or f"weights of {run} " * 4)
        (files / "MLmodel").write_text("")
        model = self.client.create_logged_model(self.experiment(), name=name, source_run_id=run)
        self.client.log_model_artifacts(model.model_id, str(files))
        self.client.finalize_logged_model(model.model_id, mlflow.entities.LoggedModelStatus.READY)
        return str(model.model_id)


class TestGatedServer:
    def test_registration_through_a_client(self, server: Server, remote_project: Project) -> None:
        client = remote_project
        version = client.register("r-chat", f"models:/{client.model(client.run('s3://own/a.csv'))}")
        found = client.client.get_model_version("r-chat", version.version)
        assert found.tags["lineage.outcome"] == "allow"
        assert f"lineagegate why {found.tags['lineage.decision']}" in found.description
        with Gate.open(load(server.root)) as gate:
            assert gate.decision(found.tags["lineage.decision"]) is not None
        text = refused(lambda: client.register("r-bad", f"models:/{client.model(client.run('s3://gpt/a.csv'))}"))
        for part in ("registration of 'r-bad' refused by lineagegate", "no-openai-in-training", "gpt/a.csv"):
            assert part in text

    def test_refusal_is_403_with_the_decision(self, server: Server, remote_project: Project) -> None:
        client = remote_project
        run = client.run("s3://gpt/a.csv")
        model = client.model(run)
        server.post("/api/2.0/mlflow/registered-models/create", name="rest")
        body = {"name": "rest", "source": f"models:/{model}", "run_id": run, "model_id": model}
        for prefix in ("/api", "/ajax-api"):
            status, answer = server.post(f"{prefix}/2.0/mlflow/model-versions/create", **body)
            assert status == 403
            assert answer["error_code"] == "PERMISSION_DENIED"
            assert answer["lineage_outcome"] == "deny"
            assert len(answer["lineage_decision"]) == 26
        assert client.versions("rest") == []

    def test_foreign_and_missing_runs_over_rest(self, server: Server, remote_project: Project) -> None:
        client = remote_project
        clean = client.run("s3://own/a.csv")
        server.post("/api/2.0/mlflow/registered-models/create", name="foreign")
        for source, run in (("s3://bucket/model", clean), ("s3://bucket/model", "f" * 32), ("s3://bucket/model", "")):
            status, answer = server.post(
                "/api/2.0/mlflow/model-versions/create", name="foreign", source=source, run_id=run
            )
            assert status == 403
            assert "cannot be decided" in answer["message"]
        assert client.versions("foreign") == []

    def test_promotion_copy_and_rename(self, remote_project: Project) -> None:
        client = remote_project
        version = client.register("p-chat", f"models:/{client.model(client.run('s3://licensed/a.csv'))}").version
        mlflow_client = client.client
        for act in (
            lambda: mlflow_client.set_registered_model_alias("p-chat", "champion", version),
            lambda: mlflow_client.transition_model_version_stage("p-chat", version, "Production"),
            lambda: mlflow_client.rename_registered_model("p-chat", "public-p"),
            lambda: mlflow_client.copy_model_version(f"models:/p-chat/{version}", "public-p"),
        ):
            assert "licensed-not" in refused(act)
        mlflow_client.set_registered_model_alias("p-chat", "trial", version)
        assert (
            mlflow_client.copy_model_version(f"models:/p-chat/{version}", "p-copy").tags["lineage.outcome"] == "allow"
        )

    def test_tags_are_reserved(self, remote_project: Project) -> None:
        run = remote_project.run("s3://own/a.csv")
        assert remote_project.client.get_run(run).data.tags["lineage.origins"] == "first-party"
        assert "written by lineagegate" in refused(lambda: remote_project.client.set_tag(run, "lineage.origins", "x"))

    def test_prompts(self, remote_project: Project) -> None:
        assert mlflow.genai.register_prompt("r-greeting", "Hello {{name}}").version == 1
        tags = {"mlflow.prompt.is_prompt": "true"}
        with pytest.raises(MlflowException):
            remote_project.register("r-smuggled", "s3://bucket/model", tags=tags)
        assert remote_project.versions("r-smuggled") == []

    def test_the_client_sees_that_it_is_gated(self, server: Server, remote_project: Project) -> None:
        assert remote.is_gated(registry_of(server.uri, server.uri))


@pytest.fixture(scope="module")
def beside_a_pipeline(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Server]:
    """A gated server whose project has a pipeline."""
    root = tmp_path_factory.mktemp("pipeline")
    shutil.copy(database, root / "mlflow.db")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, env=clean_environment(), check=True, timeout=60)
    for name in ("web", "gpt"):
        (root / f"{name}.csv").write_text(f"text,{name}\n" * 20)
    stages = {name: {"cmd": "true", "deps": [f"{name}.csv"], "outs": [f"{name}.bin"]} for name in ("web", "gpt")}
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    configure(root)
    running = Server(root)
    yield running
    running.close()


class TestForgedStages:
    """A client may write into a new run's tags what it likes: stages that the server knows read what they read."""

    def test_a_client_that_leaves_out_what_the_stage_reads(
        self, beside_a_pipeline: Server, bare: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = _client(beside_a_pipeline, bare, monkeypatch)
        said = {"lineage.dvc.stage": "gpt", "lineage.dvc.cwd": str(bare.root), "lineage.dvc.inputs": "[]"}
        _, answer = beside_a_pipeline.post(
            "/api/2.0/mlflow/runs/create", experiment_id=client.experiment(), start_time=1,
            tags=[{"key": key, "value": value} for key, value in said.items()],
        )  # fmt: skip
        run = answer["run"]["info"]["run_id"]
        client.client.log_inputs(run, [dataset_input("s3://own/a.csv")])
        text = refused(lambda: client.register("chat", f"models:/{client.model(run)}"))
        assert "gpt.csv" in text


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Server]:
    """A server without lineagegate."""
    root = tmp_path_factory.mktemp("plain")
    shutil.copy(database, root / "mlflow.db")
    running = Server(root, plugin=False)
    yield running
    running.close()


class TestPlainServer:
    def test_the_client_checks_and_says_that_it_is_advisory(
        self, plain: Server, bare: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        configure(bare.root)
        client = _client(plain, bare, monkeypatch)
        assert not remote.is_gated(registry_of(plain.uri, plain.uri))
        version = client.register("chat", f"models:/{client.model(client.run('s3://own/a.csv'))}")
        assert client.client.get_model_version("chat", version.version).tags["lineage.outcome"] == "allow"
        assert "advisory" in caplog.text
        text = refused(lambda: client.register("bad", f"models:/{client.model(client.run('s3://gpt/a.csv'))}"))
        assert "no-openai-in-training" in text
        assert client.versions("bad") == []

    def test_doctor_says_that_the_server_is_not_gated(
        self, plain: Server, server: Server, bare: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(bare.root)
        for one, codes in ((plain, ["REGISTRY_UNGATED"]), (server, [])):
            monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", one.uri)
            with bare.gate as gate:
                assert [notice.code for registry in gate.registries for notice in registry.faults()] == codes
