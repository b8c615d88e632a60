"""What went into a model, as MLflow knows it: datasets, nested runs, models used, files."""

from __future__ import annotations

import pytest
from mlflow.entities import LoggedModelInput, Metric

from lineage.vocabulary import Label
from tests.integrations.mlflow.example_project import Project, dataset_input, refused


def labels(project: Project, name: str) -> set[tuple[str, str]]:
    """(kind, use) of everything that the last decision about a model saw."""
    with project.gate as gate:
        last = max(gate.decisions(name), key=lambda decision: decision.id)  # they sort by time
        found: tuple[Label, ...] = last.labels
    return {(label.origin.kind.value, label.use.value) for label in found}


class TestDatasets:
    def test_contexts_are_uses(self, project: Project) -> None:
        run = project.run("s3://own/train.csv", eval="s3://gpt/exam.csv", validation="s3://licensed/val.csv")
        project.register("chat", f"models:/{project.model(run)}")
        assert labels(project, "chat") == {
            ("first-party", "content"),
            ("third-party-model-output", "evaluation"),
            ("licensed", "validation"),
        }

    def test_row_shared_with_another_run_proves_nothing(self, project: Project) -> None:
        """MLflow keeps one row for a name and digest, with the source of whoever came first."""
        first = project.client.create_run(project.experiment()).info.run_id
        project.client.log_inputs(first, [dataset_input("s3://own/a.csv", digest="same", name="d")])
        second = project.client.create_run(project.experiment()).info.run_id
        project.client.log_inputs(second, [dataset_input("s3://gpt/a.csv", digest="same", name="d")])
        shown = project.client.get_run(second).inputs.dataset_inputs[0]
        assert "s3://own/a.csv" in shown.dataset.source
        assert {tag.key: tag.value for tag in shown.tags}["lineage.origin"] == (
            "third-party-model-output openai/gpt-4 via azure-openai"
        )
        assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(second)}"))

    def test_row_without_tags_of_ours_is_not_enough(self, project: Project) -> None:
        """Logged before lineagegate was there: the source that MLflow shows may be another run's."""
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        ungated = SqlAlchemyStore(project.uri, str(project.root / "artifacts"))
        run = project.client.create_run(project.experiment()).info.run_id
        ungated.log_inputs(run, [dataset_input("s3://own/a.csv")])
        refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
        assert labels(project, "chat") == {("first-party", "content"), ("undeclared", "content")}

    def test_origins_are_shown_on_the_input_and_the_run(self, project: Project) -> None:
        run = project.run("s3://own/a.csv", eval="s3://gpt/b.csv")
        data = project.client.get_run(run)
        gpt = "third-party-model-output openai/gpt-4 via azure-openai"
        assert data.data.tags["lineage.origins"] == f"first-party; {gpt}"
        shown = [{tag.key: tag.value for tag in one.tags} for one in data.inputs.dataset_inputs]
        assert {tags["lineage.name"]: tags["lineage.origin"] for tags in shown} == {
            "a.csv": "first-party",
            "b.csv": gpt,
        }

    def test_a_user_cannot_write_our_input_tags(self, project: Project) -> None:
        run = project.client.create_run(project.experiment()).info.run_id
        forged = {"lineage__namespace": "s3://own", "lineage__name": "a.csv", "lineage__origin": "first-party"}
        project.client.log_inputs(run, [dataset_input("s3://gpt/b.csv", **forged)])
        assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))

    def test_data_that_nothing_explains_is_undeclared(self, project: Project) -> None:
        run = project.run("s3://somewhere/a.csv")
        refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
        assert labels(project, "chat") == {("undeclared", "content")}


class TestRuns:
    def test_run_without_inputs_cannot_be_decided(self, project: Project) -> None:
        text = refused(lambda: project.register("chat", f"models:/{project.model(project.run())}"))
        assert "cannot be decided" in text
        assert "says nothing of what it read" in text
        assert "mlflow.log_input" in text

    @pytest.mark.parametrize("where", ["parent", "child", "grandchild"])
    def test_nested_runs_count(self, project: Project, where: str) -> None:
        parent = project.run(*(["s3://gpt/a.csv"] if where == "parent" else []))
        run = project.run("s3://own/a.csv", parent=parent)
        child = project.run(*(["s3://gpt/a.csv"] if where == "child" else []), parent=run)
        project.run(*(["s3://gpt/a.csv"] if where == "grandchild" else []), parent=child)
        assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))

    def test_siblings_do_not_count(self, project: Project) -> None:
        parent = project.run()
        project.run("s3://gpt/a.csv", parent=parent)
        run = project.run("s3://own/a.csv", parent=parent)
        assert project.register("chat", f"models:/{project.model(run)}").version == 1

    def test_a_parent_that_is_gone_refuses(self, project: Project) -> None:
        run = project.run("s3://own/a.csv", parent="0" * 32)
        assert "is gone" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))


class TestModels:
    def test_base_model_passes_its_origins_on(self, project: Project) -> None:
        base = project.model(project.run("s3://gpt/a.csv"))
        run = project.run("s3://own/a.csv")
        project.client.log_inputs(run, models=[LoggedModelInput(base)])
        text = refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
        assert "no-openai-in-training" in text
        assert "gpt/a.csv" in text

    def test_models_that_name_each_other_end(self, project: Project) -> None:
        first, second = project.run("s3://own/a.csv"), project.run("s3://own/b.csv")
        one, two = project.model(first), project.model(second)
        project.client.log_inputs(first, models=[LoggedModelInput(two)])
        project.client.log_inputs(second, models=[LoggedModelInput(one)])
        assert project.register("chat", f"models:/{one}").version == 1

    def test_a_run_that_measures_its_own_model_is_no_cycle(self, project: Project) -> None:
        run = project.run("s3://own/a.csv")
        model = project.model(run)
        project.client.log_inputs(run, models=[LoggedModelInput(model)])
        assert project.register("chat", f"models:/{model}").version == 1

    def test_evaluation_by_another_run_labels_and_warns(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        exam = project.run(eval="s3://gpt/exam.csv")
        metric = Metric("accuracy", 0.9, 0, 0, model_id=model, dataset_name="exam.csv", dataset_digest="1", run_id=exam)
        project.tracking.log_batch(exam, [metric], [], [])
        project.client.log_inputs(exam, models=[LoggedModelInput(model)])
        version = project.register("chat", f"models:/{model}")
        assert project.client.get_model_version("chat", version.version).tags["lineage.outcome"] == "warn"
        assert ("third-party-model-output", "evaluation") in labels(project, "chat")


class TestFiles:
    def test_files_that_mlflow_adds_tie_no_models_together(self, project: Project) -> None:
        beside = {
            "requirements.txt": "mlflow==3.17.2\n" * 4,
            "conda.yaml": "name: mlflow-env\n" * 4,
            "code/a.py": "x = 1\n" * 9,
        }
        restricted = project.model(project.run("s3://gpt/a.csv"), beside=beside)
        refused(lambda: project.register("bad", f"models:/{restricted}"))
        clean = project.model(project.run("s3://own/a.csv"), beside=beside)
        assert project.register("good", f"models:/{clean}").version == 1

    def test_a_wrapper_around_weights_ties_no_models_together(self, project: Project) -> None:
        flavor = "flavors: {python_function: {python_model: python_model.pkl, artifacts: {w: {path: weights.bin}}}}"
        beside = {"MLmodel": flavor, "python_model.pkl": "the same pickled class " * 9}
        refused(
            lambda: project.register("bad", f"models:/{project.model(project.run('s3://gpt/a.csv'), beside=beside)}")
        )
        clean = project.model(project.run("s3://own/a.csv"), beside=beside)
        assert project.register("good", f"models:/{clean}").version == 1

    def test_equal_weights_are_the_same_model(self, project: Project) -> None:
        """Laundering: the same bytes, logged again by a run that names clean data."""
        restricted = project.model(project.run("s3://gpt/a.csv"), weights="the same weights " * 9)
        refused(lambda: project.register("bad", f"models:/{restricted}"))
        laundered = project.model(project.run("s3://own/a.csv"), weights="the same weights " * 9)
        assert "no-openai-in-training" in refused(lambda: project.register("good", f"models:/{laundered}"))

    def test_files_linked_to_no_run_pass_only_when_their_content_is_known(self, project: Project) -> None:
        from pathlib import Path
        from shutil import copytree

        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        place = Path(project.client.get_logged_model(model).artifact_location.removeprefix("file://"))
        copytree(place, project.root / "elsewhere")
        assert project.register("twin", str(project.root / "elsewhere")).version == 1
        (project.root / "elsewhere" / "weights.bin").write_text("something else " * 9)
        text = refused(lambda: project.register("twin", str(project.root / "elsewhere")))
        assert "linked to no run" in text
