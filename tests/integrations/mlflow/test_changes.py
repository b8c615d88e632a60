"""What a registry did is on record, by whatever way it was done; what was done around the gate shows in the audit."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

from lineage.gate import Gate
from lineage.graph.rows import Act
from lineage.vocabulary import Change, Happening
from lineage_mlflow.audit import MlflowRegistry
from tests.integrations.mlflow.example_project import Project

ADA = "Ada Tester <ada@example.com>"


def changes(gate: Gate) -> list[Change]:
    """The recorded changes, oldest first."""
    return [said.act for said in gate.graph.acts((Act.CHANGE,)) if isinstance(said.act, Change)]


def told(project: Project) -> list[tuple[str, str, str, str]]:
    """(model, what happened, version, value) of each recorded change, oldest first."""
    with project.gate as gate:
        return [(one.model, one.happening.value, one.version, one.value) for one in changes(gate)]


def audit(project: Project) -> list[tuple[str, str, str]]:
    """(model, version, code) of each finding."""
    with project.gate as gate:
        return sorted((one.model, one.version, one.code) for one in gate.audit()[1])


@pytest.fixture
def model(project: Project) -> str:
    """The source of a clean model."""
    return f"models:/{project.model(project.run('s3://own/a.csv'))}"


@pytest.fixture
def ungated(project: Project) -> Any:
    """The registry, opened by somebody who goes around the gate."""
    return SqlAlchemyStore(project.uri)


class TestClient:
    def test_every_change(self, project: Project, model: str) -> None:
        client = project.client
        for _ in range(3):
            project.register("chat", model)
        client.set_registered_model_alias("chat", "live", 1)
        client.set_registered_model_alias("chat", "live", "2")  # moves it
        client.delete_registered_model_alias("chat", "live")
        client.delete_registered_model_alias("chat", "live")  # nothing happens
        client.transition_model_version_stage("chat", "1", "production")
        client.transition_model_version_stage("chat", "2", "Production", archive_existing_versions=True)
        client.transition_model_version_stage("chat", "2", "None")
        client.set_registered_model_alias("chat", "trial", 3)
        client.delete_model_version("chat", "1")
        client.rename_registered_model("chat", "talk")
        client.copy_model_version("models:/talk/3", "copy")
        assert audit(project) == []
        client.delete_registered_model("copy")
        client.delete_registered_model("talk")
        assert told(project) == [
            ("chat", "created", "1", ""),
            ("chat", "created", "2", ""),
            ("chat", "created", "3", ""),
            ("chat", "alias", "1", "live"),
            ("chat", "alias", "2", "live"),
            ("chat", "alias-removed", "2", "live"),
            ("chat", "stage", "1", "Production"),
            ("chat", "stage", "1", "Archived"),
            ("chat", "stage", "2", "Production"),
            ("chat", "stage", "2", "None"),
            ("chat", "alias", "3", "trial"),
            ("chat", "deleted", "1", ""),
            ("chat", "renamed", "", "talk"),
            ("copy", "created", "1", ""),
            ("copy", "deleted", "", ""),
            ("talk", "deleted", "", ""),
        ]
        assert audit(project) == []

    def test_who_and_by_which_decision(self, project: Project, model: str) -> None:
        project.register("chat", model)
        project.client.set_registered_model_alias("chat", "live", 1)
        project.client.delete_model_version("chat", "1")
        with project.gate as gate:
            created, alias, deleted = changes(gate)
            assert {one.by for one in (created, alias, deleted)} == {ADA}
            assert {one.registry for one in (created, alias, deleted)} == {"mlflow://local"}
            actions = [decision.action for one in (created, alias) if (decision := gate.decision(one.decision))]
            assert actions == ["register", "alias"]
            assert deleted.decision == ""

    def test_created_is_recorded_together_with_the_number(self, project: Project, model: str) -> None:
        project.register("chat", model)  # the policy is recorded with the first one
        with project.gate as gate:
            before = gate.graph.position()
        project.register("chat", model)
        with project.gate as gate:
            assert gate.graph.find("mlflow://local", "models/chat/2") is not None
            times = {gate.graph.event(position)[1] for position in range(before, gate.graph.position())}
            assert len(times) == 2  # two transactions: lineage and decision, and what MLflow did then

    def test_prompts_are_none_of_our_business(self, project: Project) -> None:
        mlflow.genai.register_prompt("greeting", "Hello {{name}}")
        mlflow.genai.set_prompt_alias("greeting", "live", 1)
        project.registry.delete_registered_model_alias("greeting", "live")
        project.registry.rename_registered_model("greeting", "welcome")
        project.registry.delete_model_version("welcome", "1")
        project.registry.delete_registered_model("welcome")
        assert told(project) == []

    def test_what_cannot_be_recorded_stays_done_and_shows(
        self, project: Project, model: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        project.register("chat", model)
        project.client.set_registered_model_alias("chat", "old", 1)
        with monkeypatch.context() as broken:
            broken.setattr(Gate, "changed", lambda *_, **__: {}["disk full"])
            project.client.set_registered_model_alias("chat", "live", 1)
            project.client.delete_registered_model_alias("chat", "old")
            project.register("chat", model)
        assert project.client.get_registered_model("chat").aliases == {"live": 1}
        assert caplog.text.count("is not in the ledger, and `lineagegate audit` will say so") == 3
        assert audit(project) == [
            ("chat", "1", "ALIAS_MOVED"),
            ("chat", "1", "ALIAS_MOVED"),
            ("chat", "2", "NO_DECISION"),
        ]


class TestFileStore:
    def test_every_change(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        uri = f"file://{project.root}/mlruns"
        monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", uri)
        local = Project(project.root, uri)
        local.register("chat", f"models:/{local.model(local.run('s3://own/a.csv'))}")
        client = local.client
        client.set_registered_model_alias("chat", "live", 1)
        client.transition_model_version_stage("chat", "1", "Staging")
        client.rename_registered_model("chat", "talk")  # this store loses the aliases then
        assert client.get_registered_model("talk").aliases == {}
        assert audit(local) == []
        client.set_registered_model_alias("talk", "live", 1)
        client.delete_model_version("talk", "1")
        client.delete_registered_model("talk")
        assert [(model, what, value) for model, what, _, value in told(local)] == [
            ("chat", "created", ""),
            ("chat", "alias", "live"),
            ("chat", "stage", "Staging"),
            ("chat", "renamed", "talk"),
            ("talk", "alias-removed", "live"),
            ("talk", "alias", "live"),
            ("talk", "deleted", ""),
            ("talk", "deleted", ""),
        ]
        assert audit(local) == []


class TestAroundTheGate:
    @pytest.fixture(autouse=True)
    def registered(self, project: Project, model: str) -> None:
        for _ in range(2):
            project.register("chat", model)
        project.client.set_registered_model_alias("chat", "live", 1)
        assert audit(project) == []

    def test_an_alias_is_moved(self, project: Project, ungated: Any) -> None:
        ungated.set_registered_model_alias("chat", "live", 2)
        assert audit(project) == [("chat", "1", "ALIAS_MOVED"), ("chat", "2", "ALIAS_MOVED")]

    def test_an_alias_is_set_or_taken_off(self, project: Project, ungated: Any) -> None:
        ungated.set_registered_model_alias("chat", "more", 2)
        assert audit(project) == [("chat", "2", "ALIAS_MOVED")]
        ungated.delete_registered_model_alias("chat", "live")
        assert audit(project) == [("chat", "1", "ALIAS_MOVED"), ("chat", "2", "ALIAS_MOVED")]

    def test_a_stage(self, project: Project, ungated: Any) -> None:
        ungated.transition_model_version_stage("chat", 2, "Production", False)
        assert audit(project) == [("chat", "2", "STAGE_MOVED")]

    def test_a_version_is_deleted(self, project: Project, ungated: Any) -> None:
        ungated.delete_model_version("chat", 2)
        assert audit(project) == [("chat", "2", "VERSION_GONE")]

    def test_a_model_is_deleted(self, project: Project, ungated: Any) -> None:
        ungated.delete_registered_model("chat")
        assert audit(project) == [("chat", "1", "VERSION_GONE"), ("chat", "2", "VERSION_GONE")]

    def test_a_model_is_renamed(self, project: Project, ungated: Any) -> None:
        ungated.rename_registered_model("chat", "talk")
        codes = {code for _, _, code in audit(project)}
        assert codes == {"VERSION_GONE", "NO_DECISION"}

    def test_the_database_is_another_one(self, project: Project, database: Path) -> None:
        (project.root / "mlflow.db").unlink()
        assert audit(project) == [("chat", "1", "VERSION_GONE"), ("chat", "2", "VERSION_GONE")]

    def test_a_deleted_version_comes_back(self, project: Project) -> None:
        with sqlite3.connect(project.root / "mlflow.db") as database:
            kept = database.execute("select source, run_id from model_versions where version = 2").fetchone()
        project.client.delete_model_version("chat", "2")
        assert audit(project) == []
        with sqlite3.connect(project.root / "mlflow.db") as database:
            database.execute(
                "update model_versions set source = ?, run_id = ?, current_stage = 'None' where version = 2", kept
            )
        assert ("chat", "2", "VERSION_BACK") in audit(project)

    def test_a_name_used_again_is_no_finding(self, project: Project, model: str) -> None:
        project.client.delete_registered_model("chat")
        project.register("chat", model)
        assert audit(project) == []


class TestRegistry:
    def test_a_version_with_all_that_is_known(self, project: Project, model: str) -> None:
        project.register("chat", model)
        project.client.set_registered_model_alias("chat", "b", 1)
        project.client.set_registered_model_alias("chat", "a", 1)
        project.client.transition_model_version_stage("chat", "1", "Staging")
        with project.gate as gate:
            (found,) = gate.registries[0].versions()
            (created, *_) = changes(gate)
        assert (found.aliases, found.stage, found.recalled) == (("a", "b"), "Staging", "")
        assert found.created.startswith("20")
        assert found.created.endswith("+00:00")
        assert created.happening is Happening.CREATED

    def test_who_runs_it(self, project: Project) -> None:
        run = project.client.create_run(project.experiment(), tags={"mlflow.user": "grace"}).info.run_id
        from tests.integrations.mlflow.example_project import dataset_input

        project.client.log_inputs(run, [dataset_input("s3://own/a.csv")])
        project.register("chat", f"models:/{project.model(run)}")
        with project.gate as gate:
            assert [version.by for version in gate.registries[0].versions()] == ["grace"]

    def test_checkpoints_lie_on_the_versions(self, project: Project, model: str) -> None:
        from lineage.ledger.note import parse, read_checkpoint

        for _ in range(2):
            project.register("chat", model)
        with project.gate as gate:
            found = dict(gate.registries[0].checkpoints())
            notes = {sealed.note for sealed in gate.graph.seals.all()}
            position = gate.graph.position()
        assert set(found) == {"models:/chat/1", "models:/chat/2"}
        assert set(found.values()) <= notes
        sizes = [read_checkpoint(parse(found[f"models:/chat/{n}"]).text).size for n in (1, 2)]
        assert 0 < sizes[0] < sizes[1] < position

    def test_no_registry(self, project: Project) -> None:
        (project.root / "mlflow.db").unlink()
        from lineage.config import load

        assert list(MlflowRegistry(load(project.root)).checkpoints()) == []
