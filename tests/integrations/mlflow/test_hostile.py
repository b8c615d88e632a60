"""People who want a model registered that must not be: foreign runs, late inputs, edited tags, other ledgers."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import RunTag
from mlflow.entities.model_registry import ModelVersionTag

from lineage_mlflow.files import content
from lineage_mlflow.reading import PARENT
from tests.integrations.mlflow.example_project import Project, configure, dataset_input, refused


class TestSources:
    def test_foreign_run(self, project: Project) -> None:
        """The files are one run's, the run that is named is another's."""
        restricted, clean = project.run("s3://gpt/a.csv"), project.run("s3://own/a.csv")
        model = project.model(restricted)
        place = project.client.get_logged_model(model).artifact_location
        for source in (f"models:/{model}", place, f"{place}/../{model}"):
            text = refused(lambda: project.register("chat", source, run_id=clean))  # noqa: B023
            assert "cannot be decided" in text

    def test_foreign_logged_model(self, project: Project) -> None:
        restricted = project.model(project.run("s3://gpt/a.csv"))
        clean = project.model(project.run("s3://own/a.csv"))
        place = project.client.get_logged_model(restricted).artifact_location
        for source in (place, f"models:/{restricted}"):
            assert "cannot be decided" in refused(lambda: project.register("chat", source, model_id=clean))  # noqa: B023

    @pytest.mark.parametrize("run", ["", "f" * 32])
    def test_a_place_linked_to_nothing(self, project: Project, run: str) -> None:
        text = refused(lambda: project.register("chat", "s3://bucket/model", run_id=run or None))
        assert "cannot be decided" in text

    def test_files_that_leave_the_run_by_a_link(self, project: Project) -> None:
        restricted = project.model(project.run("s3://gpt/a.csv"))
        place = Path(project.client.get_logged_model(restricted).artifact_location)
        clean = project.client.get_run(project.run("s3://own/a.csv")).info
        root = Path(clean.artifact_uri.removeprefix("file://"))
        root.mkdir(parents=True)
        (root / "model").symlink_to(place, target_is_directory=True)
        text = refused(lambda: project.register("chat", f"{root}/model", run_id=clean.run_id))
        assert "is not among the files of run" in text

    def test_files_behind_a_link_inside_the_model(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        (project.root / "elsewhere").mkdir()
        place = Path(project.client.get_logged_model(model).artifact_location)
        (place / "more").symlink_to(project.root / "elsewhere", target_is_directory=True)
        assert "links to another directory" in refused(lambda: project.register("chat", f"models:/{model}"))


class TestLater:
    def test_late_inputs_and_edited_tags_show_in_the_audit(self, project: Project) -> None:
        run = project.run("s3://own/a.csv")
        project.register("chat", f"models:/{project.model(run)}")
        with project.gate as gate:
            assert gate.audit()[1] == []
        project.client.log_inputs(run, [dataset_input("s3://gpt/late.csv")])
        with project.gate as gate:
            codes = {finding.code for finding in gate.audit()[1]}
        assert codes == {"LATE_INPUT", "NOW_REFUSED"}

        with sqlite3.connect(project.root / "mlflow.db") as database:
            database.execute("update input_tags set value = 'first-party' where name = 'lineage.origin'")
            database.execute("update input_tags set value = 'a.csv' where name = 'lineage.name'")
            database.execute("update input_tags set value = 's3://own' where name = 'lineage.namespace'")
        # what was recorded when it was logged stays
        assert "no-openai-in-training" in refused(lambda: project.client.set_registered_model_alias("chat", "live", 1))

    def test_inputs_deleted_before_registration_stay_recorded(self, project: Project) -> None:
        run = project.run("s3://own/a.csv", "s3://gpt/b.csv")
        with sqlite3.connect(project.root / "mlflow.db") as database:
            database.execute(
                "delete from inputs where source_id in (select dataset_uuid from datasets where name = 'b.csv')"
            )
        assert len(project.client.get_run(run).inputs.dataset_inputs) == 1
        assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))

    def test_files_changed_after_registration(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        place = Path(project.client.get_logged_model(model).artifact_location)
        (place / "weights.bin").write_text("weights of another model " * 9)
        text = refused(lambda: project.client.set_registered_model_alias("chat", "live", 1))
        assert "not those that were judged" in text
        with project.gate as gate:
            assert "OTHER_CONTENT" in {finding.code for finding in gate.audit()[1]}

    def test_versions_that_came_around_the_gate(self, project: Project) -> None:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        model = project.model(project.run("s3://own/a.csv"))
        version = project.register("chat", f"models:/{model}")
        decision = project.client.get_model_version("chat", version.version).tags["lineage.decision"]
        ungated = SqlAlchemyStore(project.uri)
        bad = project.client.get_logged_model(project.model(project.run("s3://gpt/a.csv"))).artifact_location
        ungated.create_model_version("chat", bad)
        ungated.create_model_version("chat", bad, tags=[ModelVersionTag("lineage.decision", decision)])
        hidden = [ModelVersionTag("mlflow.prompt.is_prompt", "true")]
        ungated.create_model_version("chat", bad, tags=hidden)
        assert project.versions("chat") == []  # one tag hides them all from MLflow
        with project.gate as gate:
            count, findings = gate.audit()
        assert count == 4
        found = {(finding.version, finding.code) for finding in findings}
        assert {("2", "NO_DECISION"), ("3", "TAG_EDITED"), ("4", "NO_DECISION")} <= found
        assert not any(version == "1" for version, _ in found)


class TestDetached:
    """A run stays nested in what it was nested in, whatever becomes of MLflow's tag."""

    def test_the_tag_is_taken_away_or_changed(self, project: Project) -> None:
        changes: list[Callable[[str], object]] = [
            lambda run: project.client.delete_tag(run, PARENT),
            lambda run: project.client.set_tag(run, PARENT, ""),
            lambda run: project.client.set_tag(run, PARENT, project.run("s3://own/b.csv")),
            lambda run: project.client.log_batch(run, tags=[RunTag(PARENT, "f" * 32)]),
        ]
        for change in changes[:3]:
            child = project.run("s3://own/a.csv", parent=project.run("s3://gpt/a.csv"))
            change(child)
            text = refused(lambda: project.register("chat", f"models:/{project.model(child)}"))  # noqa: B023
            assert "no-openai-in-training" in text
        child = project.run("s3://own/a.csv", parent=project.run("s3://gpt/a.csv"))
        changes[3](child)
        assert "cannot be decided" in refused(lambda: project.register("chat", f"models:/{project.model(child)}"))

    def test_a_child_is_taken_away(self, project: Project) -> None:
        parent = project.run("s3://own/a.csv")
        child = project.run("s3://gpt/a.csv", parent=parent)
        project.client.delete_tag(child, PARENT)
        text = refused(lambda: project.register("chat", f"models:/{project.model(parent)}"))
        assert "no-openai-in-training" in text

    def test_a_parent_that_was_set_later(self, project: Project) -> None:
        child = project.run("s3://own/a.csv")
        project.client.set_tag(child, PARENT, project.run("s3://gpt/a.csv"))
        project.client.delete_tag(child, PARENT)
        text = refused(lambda: project.register("chat", f"models:/{project.model(child)}"))
        assert "no-openai-in-training" in text

    def test_our_tag_cannot_be_taken_away(self, project: Project) -> None:
        parent = project.run("s3://gpt/a.csv")
        child = project.run("s3://own/a.csv", parent=parent)
        assert "written by lineagegate" in refused(lambda: project.client.delete_tag(child, f"lineage.parent.{parent}"))

    def test_in_a_file_store(self, project: Project, tmp_path: Path) -> None:
        files = Project(project.root, f"file://{tmp_path}/runs")
        child = files.run("s3://own/a.csv", parent=files.run("s3://gpt/a.csv"))
        files.client.delete_tag(child, PARENT)
        text = refused(lambda: files.register("chat", f"models:/{files.model(child)}"))
        assert "no-openai-in-training" in text


class TestCopiedTags:
    """A version made around the gate, with the tags of a clean one that was deleted."""

    @pytest.fixture
    def ungated(self, project: Project) -> Any:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        return SqlAlchemyStore(project.uri)

    def _deleted(self, project: Project, source: str) -> dict[str, str]:
        version = project.register("chat", source).version
        tags = dict(project.client.get_model_version("chat", version).tags)
        project.client.delete_model_version("chat", version)
        return tags

    def _audit(self, project: Project) -> set[tuple[str, str]]:
        with project.gate as gate:
            return {(finding.version, finding.code) for finding in gate.audit()[1]}

    def test_other_files(self, project: Project, ungated: Any) -> None:
        tags = self._deleted(project, f"models:/{project.model(project.run('s3://own/a.csv'))}")
        bad = project.client.get_logged_model(project.model(project.run("s3://gpt/a.csv"))).artifact_location
        tags["lineage.content"] = content(bad).hash
        number = ungated.create_model_version(
            "chat", bad, tags=[ModelVersionTag(k, v) for k, v in tags.items()]
        ).version
        assert {(str(number), "OTHER_CONTENT"), (str(number), "NO_DECISION")} <= self._audit(project)

    def test_files_linked_to_no_run(self, project: Project, ungated: Any) -> None:
        tags = self._deleted(project, f"models:/{project.model(project.run('s3://own/a.csv'))}")
        stolen = project.root / "stolen"
        stolen.mkdir()
        (stolen / "weights.bin").write_text("weights from nobody knows where " * 4)
        tags["lineage.content"] = content(str(stolen)).hash
        number = ungated.create_model_version(
            "chat", str(stolen), tags=[ModelVersionTag(k, v) for k, v in tags.items()]
        ).version
        assert {(str(number), "OTHER_CONTENT"), (str(number), "NO_DECISION")} <= self._audit(project)

    def test_the_same_files(self, project: Project, ungated: Any) -> None:
        source = f"models:/{project.model(project.run('s3://own/a.csv'))}"
        tags = self._deleted(project, source)
        number = ungated.create_model_version("chat", source, tags=[ModelVersionTag(k, v) for k, v in tags.items()])
        assert (str(number.version), "NO_DECISION") in self._audit(project)

    def test_rename_stage_and_copy_are_accounted_for(self, project: Project) -> None:
        project.register("chat", f"models:/{project.model(project.run('s3://own/a.csv'))}")
        project.client.rename_registered_model("chat", "talk")
        project.client.copy_model_version("models:/talk/1", "copy")
        project.client.set_registered_model_alias("copy", "live", 1)
        assert self._audit(project) == set()


class TestLedgers:
    def test_a_deleted_ledger_refuses(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        shutil.rmtree(project.root / ".lineage")
        assert "lineagegate init" in refused(lambda: project.register("chat", f"models:/{model}"))

    def test_a_new_ledger_shows_in_the_audit(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        shutil.rmtree(project.root / ".lineage")
        configure(project.root)
        with project.gate as gate:
            assert {finding.code for finding in gate.audit()[1]} == {"NO_DECISION"}

    def test_another_ledger_shows_in_the_audit(
        self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody points ``LINEAGE_*`` at settings of their own, with a policy that allows everything."""
        other = tmp_path / "other"
        other.mkdir()
        configure(other, policy="mode: enforce\nundeclared: allow\ndefault: allow\n")
        model = project.model(project.run("s3://gpt/a.csv"))
        monkeypatch.setenv("LINEAGE_ROOT", str(other))
        assert project.register("chat", f"models:/{model}").version == 1
        monkeypatch.delenv("LINEAGE_ROOT")
        with project.gate as gate:
            assert "NO_DECISION" in {finding.code for finding in gate.audit()[1]}
