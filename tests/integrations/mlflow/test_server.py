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
from lineage.errors import LineageError
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
from tests.integrations.mlflow.test_changes import changes


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


class TestRecord:
    """What the server's registry did is in its ledger, and a client can have a version recalled."""

    def test_every_change_over_rest(self, server: Server, remote_project: Project) -> None:
        client = remote_project
        model = client.model(client.run("s3://own/a.csv", tags={"mlflow.user": "grace"}))
        for _ in range(2):
            client.register("rest-chat", f"models:/{model}")
        api = "/api/2.0/mlflow"
        calls: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "registered-models/alias", {"name": "rest-chat", "alias": "live", "version": "1"}),
            ("DELETE", "registered-models/alias", {"name": "rest-chat", "alias": "live"}),
            ("POST", "model-versions/transition-stage", {
                "name": "rest-chat", "version": "1", "stage": "Staging", "archive_existing_versions": False,
            }),
            ("POST", "model-versions/transition-stage", {
                "name": "rest-chat", "version": "2", "stage": "Staging", "archive_existing_versions": True,
            }),
            ("DELETE", "model-versions/delete", {"name": "rest-chat", "version": "1"}),
            ("POST", "registered-models/rename", {"name": "rest-chat", "new_name": "rest-talk"}),
            ("DELETE", "registered-models/delete", {"name": "rest-talk"}),
        ]  # fmt: skip
        for method, path, body in calls:
            status, answer = server.call(method, f"{api}/{path}", **body)
            assert status == 200, (path, answer)
        with Gate.open(load(server.root)) as gate:
            said = [change for change in changes(gate) if change.model in ("rest-chat", "rest-talk")]
        assert [(one.happening.value, one.version, one.value) for one in said] == [
            ("created", "1", ""),
            ("created", "2", ""),
            ("alias", "1", "live"),
            ("alias-removed", "1", "live"),
            ("stage", "1", "Staging"),
            ("stage", "1", "Archived"),
            ("stage", "2", "Staging"),
            ("deleted", "1", ""),
            ("renamed", "", "rest-talk"),
            ("deleted", "", ""),
        ]
        # nobody signs in to this server: a registration is by whoever made the run, the rest by nobody known
        assert [one.by for one in said] == ["grace"] * 2 + [""] * 8

    def test_recall_by_a_client(self, server: Server, remote_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        client = remote_project
        client.register("old-chat", f"models:/{client.model(client.run('s3://own/a.csv'))}")
        client.client.set_registered_model_alias("old-chat", "live", 1)
        with Gate.open(load(server.root)) as gate:
            registry = gate.registries[0]
            assert registry.namespace == "mlflow://local"
            assert dict(registry.checkpoints())["models:/old-chat/1"].count("\n\n") == 1
            allowed = gate.judge(
                gate.graph.find("mlflow://local", "models/old-chat/1"), model="old-chat",
                subject="models:/old-chat/1", action="recall",
            )  # fmt: skip
            with pytest.raises(LineageError, match="was not recalled"):
                registry.recall("old-chat", "1", allowed)
            decision = gate.judge(
                None, model="old-chat", subject="models:/old-chat/1", action="recall", missing="the data is gone"
            )
            done = registry.recall("old-chat", "1", decision)
            assert [one.happening.value for one in done] == ["recalled", "alias-removed"]
            assert registry.recall("old-chat", "1", decision) == []
            recorded = [one for one in changes(gate) if one.model == "old-chat"][2:]
            assert [(one.happening, one.decision) for one in recorded] == [(one.happening, decision.id) for one in done]
            findings = [finding for finding in gate.audit()[1] if finding.model == "old-chat"]
            assert findings == []
        found = client.client.get_model_version("old-chat", "1")
        assert found.aliases == []
        assert found.tags["lineage.recall.reason"] == "the data is gone"
        assert f"lineagegate why {decision.id}" in found.description

    def test_a_client_cannot_recall_without_a_decision(self, server: Server, remote_project: Project) -> None:
        client = remote_project
        client.register("kept-chat", f"models:/{client.model(client.run('s3://own/a.csv'))}")
        text = refused(lambda: client.client.set_model_version_tag("kept-chat", "1", "lineage.recalled", "mine"))
        assert "no recorded decision to recall" in text


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
    def test_what_this_client_does_is_recorded(
        self, plain: Server, bare: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        configure(bare.root)
        client = _client(plain, bare, monkeypatch)
        client.register("noted", f"models:/{client.model(client.run('s3://own/a.csv'))}")
        client.client.set_registered_model_alias("noted", "live", 1)
        with bare.gate as gate:
            (registry,) = gate.registries
            decision = gate.judge(
                None, model="noted", subject="models:/noted/1", action="recall", missing="the data is gone"
            )
            registry.recall("noted", "1", decision)
        client.client.delete_model_version("noted", "1")
        client.client.delete_registered_model("noted")
        with bare.gate as gate:
            said = changes(gate)
            assert [finding for finding in gate.audit()[1] if finding.model == "noted"] == []
        happened = ["created", "alias", "recalled", "alias-removed", "deleted", "deleted"]
        assert [one.happening.value for one in said] == happened
        assert {one.registry for one in said} == {f"mlflow://127.0.0.1:{plain.port}"}
        assert {one.by for one in said} == {"Ada Tester <ada@example.com>"}

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


class TestUsers:
    def test_the_server_knows_who_signed_in(
        self, tmp_path_factory: pytest.TempPathFactory, bare: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path_factory.mktemp("users")
        configure(root)
        shutil.copy(bare.root / "mlflow.db", root / "mlflow.db")
        password = "a long password 1"
        (root / "auth.ini").write_text(
            "[mlflow]\ndefault_permission = MANAGE\nadmin_username = grace\n"
            f"database_uri = sqlite:///{root}/users.db\nadmin_password = {password}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "grace")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)
        server = Server(
            root, arguments=("--app-name", "basic-auth"),
            environment={"MLFLOW_AUTH_CONFIG_PATH": str(root / "auth.ini"), "MLFLOW_FLASK_SERVER_SECRET_KEY": "x" * 32},
        )  # fmt: skip
        try:
            client = _client(server, bare, monkeypatch)
            client.register("chat", f"models:/{client.model(client.run('s3://own/a.csv'))}")
            client.client.set_registered_model_alias("chat", "live", 1)
        finally:
            server.close()
        with Gate.open(load(root)) as gate:
            assert [(one.happening.value, one.by) for one in changes(gate)] == [
                ("created", "grace"),
                ("alias", "grace"),
            ]
