"""The files of a model: what counts of them, what MLflow serves of them, and what is known by them alone."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import mlflow
import pytest

from lineage.events.event import dataset_event
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag
from tests.integrations.mlflow.example_project import Project, refused

REFUSED = "weights that were trained on answers of a model and are refused " * 8
CLEAN = "weights of our own, made of what we wrote ourselves " * 8

PYFUNC = """
import mlflow
class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input
mlflow.models.set_model(Echo())
"""


def known(project: Project, name: str, text: str, origin: Origin) -> None:
    """Record a file of the pipeline with its origin."""
    content = Content(f"md5:{hashlib.md5(text.encode()).hexdigest()}", len(text))
    artifact = Artifact("dvc:demo", name, content, tags=(Tag(origin, by="Ada Tester"),))
    with project.gate as gate:
        gate.record([dataset_event(artifact, time="2026-05-04T10:00:00+00:00")])


@pytest.fixture
def pipeline(project: Project) -> Project:
    """A project that knows two models of its pipeline, one of them refused."""
    openai = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai", service="gpt-4")
    known(project, "models/bad.json", REFUSED, openai)
    known(project, "models/ok.json", CLEAN, Origin(Kind.FIRST_PARTY))
    return project


def place_of(project: Project, model: str) -> Path:
    return Path(project.client.get_logged_model(model).artifact_location.removeprefix("file://"))


class TestFilesLeftOut:
    """MLflow's own files and code are no members, unless the ledger knows them as data."""

    @pytest.mark.parametrize(
        "where",
        [
            "code/w.json", "metadata/w.json", "input_example.json", "serving_input_example.json", "requirements.txt",
            "conda.yaml", "sub/MLmodel", "registered_model_meta", "code/__pycache__/w.pyc",
        ],
    )  # fmt: skip
    def test_refused_weights_in_a_place_for_code(self, pipeline: Project, where: str) -> None:
        model = pipeline.model(pipeline.run("s3://own/a.csv"), beside={where: REFUSED})
        assert "no-openai-in-training" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    @pytest.mark.parametrize(
        ("flavour", "where"), [("artifacts: {a: {}}", "python_model.pkl"), ("model_code_path: w.py", "w.py")]
    )
    def test_refused_weights_as_the_wrapper(self, pipeline: Project, flavour: str, where: str) -> None:
        beside = {"MLmodel": f"flavors: {{python_function: {{{flavour}}}}}", where: REFUSED}
        model = pipeline.model(pipeline.run("s3://own/a.csv"), beside=beside)
        assert "no-openai-in-training" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    def test_equal_code_ties_no_models_together(self, pipeline: Project) -> None:
        code = {"code/model.py": "class Model: ..." * 9, "requirements.txt": "mlflow==3.17.2\n" * 3}
        bad = pipeline.model(pipeline.run("s3://gpt/a.csv"), beside=code)
        assert "no-openai-in-training" in refused(lambda: pipeline.register("bad", f"models:/{bad}"))
        clean = pipeline.model(pipeline.run("s3://own/a.csv"), beside=code)
        assert pipeline.register("chat", f"models:/{clean}").version == 1


class TestFilesWrittenLater:
    """Loading a model writes into its directory; it stays the model that was judged."""

    def test_registered_model_meta(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        mlflow.artifacts.download_artifacts("models:/chat/1")
        assert (place_of(project, model) / "registered_model_meta").is_file()
        with project.gate as gate:
            assert gate.audit()[1] == []
        project.client.set_registered_model_alias("chat", "live", 1)
        assert project.register("chat", f"models:/{model}").version == 2

    def test_something_else_of_that_name(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        project.register("chat", f"models:/{model}")
        (place_of(project, model) / "registered_model_meta").write_text("weights: of another model\n")
        assert "alias 'live'" in refused(lambda: project.client.set_registered_model_alias("chat", "live", 1))
        with project.gate as gate:
            assert "OTHER_CONTENT" in {finding.code for finding in gate.audit()[1]}

    def test_a_model_of_code_is_loaded(self, project: Project) -> None:
        script, package = project.root / "echo.py", project.root / "ours"
        script.write_text(PYFUNC)
        package.mkdir()
        (package / "__init__.py").write_text("ANSWER = 42\n")
        run = project.run("s3://own/a.csv")
        mlflow.set_experiment(experiment_id=project.experiment())
        with mlflow.start_run(run):
            info = mlflow.pyfunc.log_model(
                name="echo", python_model=str(script), code_paths=[str(package)], pip_requirements=[]
            )
        project.register("chat", f"models:/{info.model_id}")
        mlflow.pyfunc.load_model("models:/chat/1")
        place = place_of(project, info.model_id)
        for code in place.rglob("*.py"):  # as the next import of each does
            __import__("py_compile").compile(str(code))
        assert list(place.rglob("*.pyc"))
        with project.gate as gate:
            assert gate.audit()[1] == []
        project.client.set_registered_model_alias("chat", "live", 1)


class TestWhatIsServed:
    def test_a_logged_model_and_files_of_the_run_under_one_name(self, pipeline: Project) -> None:
        """MLflow serves both, one over the other."""
        run = pipeline.run("s3://own/a.csv")
        pipeline.model(run)
        beside = Path(pipeline.client.get_run(run).info.artifact_uri.removeprefix("file://")) / "model"
        beside.mkdir(parents=True)
        (beside / "w.json").write_text(REFUSED)
        for source in (f"runs:/{run}/model", f"runs:/{run}/model/"):
            text = refused(lambda: pipeline.register("chat", source, run_id=run))  # noqa: B023
            assert "cannot be decided" in text
            assert "stands for two" in text

    def test_two_logged_models_under_one_name(self, pipeline: Project) -> None:
        """Which of them MLflow serves depends on when it is asked."""
        run = pipeline.run("s3://own/a.csv")
        pipeline.model(run, REFUSED)
        pipeline.model(run)
        text = refused(lambda: pipeline.register("chat", f"runs:/{run}/model", run_id=run))
        assert "stands for two" in text

    def test_a_logged_model_that_its_run_does_not_name(self, pipeline: Project) -> None:
        """MLflow serves what says that it is of the run, whether or not the run says so."""
        run = pipeline.run("s3://own/a.csv")
        model = pipeline.client.create_logged_model(pipeline.experiment(), name="model", source_run_id=run)
        place = place_of(pipeline, model.model_id)
        place.mkdir(parents=True)
        (place / "w.json").write_text(REFUSED)
        beside = Path(pipeline.client.get_run(run).info.artifact_uri.removeprefix("file://")) / "model"
        beside.mkdir(parents=True)
        (beside / "w.json").write_text(CLEAN)
        assert "stands for two" in refused(lambda: pipeline.register("chat", f"runs:/{run}/model", run_id=run))

    def test_files_below_a_logged_model(self, pipeline: Project) -> None:
        run = pipeline.run("s3://own/a.csv")
        pipeline.model(run, beside={"sub/w.json": REFUSED})
        text = refused(lambda: pipeline.register("chat", f"runs:/{run}/model/sub", run_id=run))
        assert "no-openai-in-training" in text

    def test_linked_directories(self, pipeline: Project) -> None:
        kept = pipeline.root / "kept" / "deep"
        kept.mkdir(parents=True)
        (kept / "w.json").write_text(REFUSED)
        model = pipeline.model(pipeline.run("s3://own/a.csv"))
        (place_of(pipeline, model) / "data").symlink_to(kept.parent, target_is_directory=True)
        assert "links to another directory" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    def test_a_linked_file(self, pipeline: Project) -> None:
        """As DVC links its outputs to its cache."""
        (pipeline.root / "cached").write_text(REFUSED)
        model = pipeline.model(pipeline.run("s3://own/a.csv"))
        (place_of(pipeline, model) / "w.json").symlink_to(pipeline.root / "cached")
        assert "no-openai-in-training" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    @pytest.mark.parametrize("target", [".", "..", "nowhere"])
    def test_links_that_lead_nowhere(self, pipeline: Project, target: str) -> None:
        model = pipeline.model(pipeline.run("s3://own/a.csv"))
        (place_of(pipeline, model) / "data").symlink_to(target)
        assert "cannot be decided" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    def test_a_pipe(self, pipeline: Project) -> None:
        model = pipeline.model(pipeline.run("s3://own/a.csv"))
        os.mkfifo(place_of(pipeline, model) / "pipe")
        assert "cannot be decided" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    def test_other_bytes_of_the_same_size_and_time(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"), "A" * 5000)
        project.register("chat", f"models:/{model}")
        weights = place_of(project, model) / "weights.bin"
        before = weights.stat()
        with weights.open("r+b") as stream:
            stream.write(b"B" * 5000)
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
        text = refused(lambda: project.client.set_registered_model_alias("chat", "live", 1))
        assert "not those that were judged" in text
        assert "alias 'live'" in text


class TestKnownByContentAlone:
    """A run that says nothing of what it read, and files that the pipeline made."""

    def test_every_file_is_known(self, pipeline: Project) -> None:
        model = pipeline.model(pipeline.run(), CLEAN, beside={"requirements.txt": "mlflow==3.17.2\n" * 3})
        version = pipeline.register("chat", f"models:/{model}")
        assert pipeline.client.get_model_version("chat", version.version).tags["lineage.outcome"] == "allow"
        with pipeline.gate as gate:
            assert gate.audit()[1] == []
            assert "models/ok.json" in str(gate.why("models:/chat/1").paths)

    def test_one_of_them_is_refused(self, pipeline: Project) -> None:
        model = pipeline.model(pipeline.run(), CLEAN, beside={"more.bin": REFUSED})
        assert "no-openai-in-training" in refused(lambda: pipeline.register("chat", f"models:/{model}"))

    def test_one_of_them_is_not_known(self, pipeline: Project) -> None:
        model = pipeline.model(pipeline.run(), CLEAN, beside={"more.bin": "bytes from nobody knows where " * 3})
        text = refused(lambda: pipeline.register("chat", f"models:/{model}"))
        assert "says nothing of what it read" in text
        assert pipeline.versions("chat") == []
