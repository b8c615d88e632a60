"""Every way to a model version, and every promotion, is judged; on the local store, in this process."""

from __future__ import annotations

import mlflow
import numpy
import pytest
from mlflow.entities.model_registry import ModelVersionTag

from tests.integrations.mlflow.example_project import Project, refused


class TestCreation:
    def test_clean_model_is_registered_with_its_decision(self, project: Project) -> None:
        run = project.run("s3://own/train.csv")
        model = project.model(run)
        version = project.register("chat", f"models:/{model}", model_id=model)

        tags = project.client.get_model_version("chat", version.version).tags
        assert tags["lineage.outcome"] == "allow"
        with project.gate as gate:
            decision = gate.decision(tags["lineage.decision"])
            assert decision is not None
            assert (decision.model, decision.action, decision.outcome.value) == ("chat", "register", "allow")
            assert {label.origin.kind.value for label in decision.labels} == {"first-party"}
        assert f"lineagegate why {tags['lineage.decision']}" in version.description

    def test_refusal_names_source_path_rule_and_decision(self, project: Project) -> None:
        run = project.run("s3://gpt/dialogues.jsonl")
        text = refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
        assert "registration of 'chat' refused by lineagegate" in text
        for part in ("gpt/dialogues.jsonl", "openai/gpt-4 via azure-openai", "no-openai-in-training", "models:/chat"):
            assert part in text
        assert project.versions("chat") == []
        with project.gate as gate:
            assert gate.decisions("chat")[-1].id in text

    @pytest.mark.parametrize("form", ["runs", "logged-model", "version", "path"])
    def test_register_model_from_every_form(self, project: Project, form: str) -> None:
        for sources, denied in ((("s3://own/a.csv",), False), (("s3://own/a.csv", "s3://gpt/b.csv"), True)):
            run = project.run(*sources)
            model = project.model(run, weights=f"{form} {denied} " * 9)
            uri = f"models:/{model}"
            if form == "runs":
                uri = f"runs:/{run}/model"
            elif form == "path":
                uri = project.client.get_logged_model(model).artifact_location
            elif form == "version" and not denied:
                project.register("first", uri)
                uri = "models:/first/1"
            name = f"chat-{form}-{denied}"
            if denied:
                assert "no-openai-in-training" in refused(lambda: mlflow.register_model(uri, name))  # noqa: B023
                assert project.versions(name) == []
            else:
                assert mlflow.register_model(uri, name).version == 1

    def test_log_model_with_a_registered_name(self, project: Project) -> None:
        mlflow.set_experiment("tests")
        with mlflow.start_run() as run:
            mlflow.log_input(mlflow.data.from_numpy(numpy.ones(3), source="s3://own/x.npy"))
            mlflow.pyfunc.log_model(name="m", python_model=_echo, registered_model_name="echo", pip_requirements=[])
        assert [v.run_id for v in project.versions("echo")] == [run.info.run_id]
        with (
            pytest.raises(mlflow.exceptions.MlflowException, match="refused by lineagegate"),
            mlflow.start_run() as run,
        ):
            mlflow.log_input(mlflow.data.from_numpy(numpy.ones(3), source="s3://gpt/x.npy"))
            mlflow.pyfunc.log_model(name="m", python_model=_echo, registered_model_name="parrot", pip_requirements=[])
        assert project.versions("parrot") == []
        assert project.client.get_run(run.info.run_id).info.status == "FAILED"

    def test_autolog(self, project: Project) -> None:
        from sklearn.linear_model import LinearRegression

        mlflow.set_experiment("tests")
        mlflow.sklearn.autolog(registered_model_name="auto", log_input_examples=False, log_model_signatures=False)
        try:
            with mlflow.start_run():
                LinearRegression().fit(numpy.arange(6).reshape(3, 2), numpy.arange(3))
        finally:
            mlflow.sklearn.autolog(disable=True)
        # autolog swallows what fails in it; data made in code and explained by nothing is undeclared
        assert project.versions("auto") == []
        with project.gate as gate:
            assert [d.outcome.value for d in gate.decisions("auto")] == ["deny"]

    def test_copy(self, project: Project) -> None:
        model = project.model(project.run("s3://licensed/a.csv"))
        version = project.register("private-chat", f"models:/{model}")
        copied = project.client.copy_model_version(f"models:/private-chat/{version.version}", "second")
        assert copied.tags["lineage.decision"] != version.tags["lineage.decision"]
        assert copied.description.count("lineagegate why") == 1
        text = refused(
            lambda: project.client.copy_model_version(f"models:/private-chat/{version.version}", "public-chat")
        )
        assert "copy to 'public-chat'" in text
        assert "licensed-not-in-public" in text
        assert project.versions("public-chat") == []

    def test_mode_warn_lets_through_and_says_so(self, project: Project, caplog: pytest.LogCaptureFixture) -> None:
        policy = project.root / "lineage.policy.yaml"
        policy.write_text(policy.read_text().replace("mode: enforce", "mode: warn"))
        model = project.model(project.run("s3://gpt/a.csv"))
        version = project.register("chat", f"models:/{model}")
        assert project.client.get_model_version("chat", version.version).tags["lineage.outcome"] == "deny"
        assert "no-openai-in-training" in caplog.text


class TestPromotion:
    @pytest.fixture
    def version(self, project: Project) -> str:
        model = project.model(project.run("s3://licensed/a.csv"))
        return str(project.register("chat", f"models:/{model}").version)

    def test_alias(self, project: Project, version: str) -> None:
        project.client.set_registered_model_alias("chat", "trial", version)
        assert "licensed-not-champion" in refused(
            lambda: project.client.set_registered_model_alias("chat", "champion", version)
        )
        assert list(project.client.get_registered_model("chat").aliases) == ["trial"]

    def test_stage(self, project: Project, version: str) -> None:
        project.client.transition_model_version_stage("chat", version, "Staging")
        text = refused(lambda: project.client.transition_model_version_stage("chat", version, "Production"))
        assert "licensed-not-in-production" in text
        assert project.client.get_model_version("chat", version).current_stage == "Staging"

    def test_rename_is_judged_under_the_new_name(self, project: Project, version: str) -> None:
        assert "licensed-not-in-public" in refused(
            lambda: project.client.rename_registered_model("chat", "public-chat")
        )
        project.client.rename_registered_model("chat", "talk")
        with project.gate as gate:
            decision = gate.decision(project.client.get_model_version("talk", version).tags["lineage.decision"])
            assert decision is not None
            assert (decision.model, decision.action) == ("talk", "rename")

    def test_demotion_and_deletion_are_free_and_recorded(self, project: Project, version: str) -> None:
        project.client.set_registered_model_alias("chat", "trial", version)
        policy = project.root / "lineage.policy.yaml"
        policy.write_text(policy.read_text().replace("provider: openai", "kind: licensed"))
        before = _entries(project)
        project.client.transition_model_version_stage("chat", version, "Archived")
        project.client.delete_registered_model_alias("chat", "trial")
        project.client.delete_model_version("chat", version)
        assert _entries(project) == before + 3


class TestPrompts:
    def test_prompts_are_registrable(self, project: Project) -> None:
        prompt = mlflow.genai.register_prompt("greeting", "Hello {{name}}")
        assert prompt.version == 1
        mlflow.genai.set_prompt_alias("greeting", "live", 1)
        assert mlflow.genai.load_prompt("prompts:/greeting@live").template == "Hello {{name}}"

    @pytest.mark.parametrize("source", ["s3://bucket/model", "dummy-source"])
    def test_the_tag_alone_frees_nothing(self, project: Project, source: str) -> None:
        project.client.create_registered_model("chat")
        tags = [ModelVersionTag("mlflow.prompt.is_prompt", "true")]
        assert "cannot be decided" in refused(lambda: project.registry.create_model_version("chat", source, tags=tags))

    def test_a_placeholder_without_the_tag_frees_nothing(self, project: Project) -> None:
        assert "cannot be decided" in refused(lambda: project.register("chat", "dummy-source"))


class TestReservedTags:
    def test_of_a_version(self, project: Project) -> None:
        model = project.model(project.run("s3://own/a.csv"))
        forged = {"lineage.decision": "01J00000000000000000000000", "team": "chat"}
        version = project.register("chat", f"models:/{model}", tags=forged)
        tags = project.client.get_model_version("chat", version.version).tags
        assert tags["team"] == "chat"
        assert tags["lineage.decision"] != forged["lineage.decision"]
        for act in (
            lambda: project.registry.set_model_version_tag(
                "chat", version.version, ModelVersionTag("lineage.outcome", "x")
            ),
            lambda: project.registry.delete_model_version_tag("chat", version.version, "lineage.decision"),
        ):
            assert "written by lineagegate" in refused(act)

    def test_of_a_run_and_a_logged_model(self, project: Project) -> None:
        run = project.run("s3://own/a.csv", tags={"lineage.dvc.stage": "dvc.yaml:clean", "mine": "kept"})
        assert "lineage.dvc.stage" not in project.client.get_run(run).data.tags
        assert project.client.get_run(run).data.tags["mine"] == "kept"
        model = project.model(run)
        for act in (
            lambda: project.client.set_tag(run, "lineage.origins", "first-party"),
            lambda: project.client.delete_tag(run, "lineage.origins"),
            lambda: project.client.log_batch(run, tags=[mlflow.entities.RunTag("lineage.dvc.inputs", "[]")]),
            lambda: project.client.set_logged_model_tags(model, {"lineage.dvc.stage": "x"}),
        ):
            assert "written by lineagegate" in refused(act)


class TestOtherStores:
    def test_file_store_and_bare_path(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        for uri in (f"file://{project.root}/mlruns", "./mlruns2"):
            local = Project(project.root, uri)
            monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", uri)
            clean = local.model(local.run("s3://own/a.csv"))
            assert local.register("chat", f"models:/{clean}").version == 1
            restricted = local.model(local.run("s3://gpt/a.csv"))
            assert "no-openai-in-training" in refused(lambda: local.register("chat", f"models:/{restricted}"))  # noqa: B023

    def test_registry_of_our_own_scheme(self, project: Project) -> None:
        registry = f"lineage+{project.uri}"
        client = mlflow.MlflowClient(project.uri, registry)
        client.create_registered_model("chat")
        model = project.model(project.run("s3://gpt/a.csv"))
        assert "no-openai-in-training" in refused(lambda: client.create_model_version("chat", f"models:/{model}"))

    def test_store_keeps_its_class_and_signatures(self, project: Project) -> None:
        import inspect

        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        store = project.registry
        assert isinstance(store, SqlAlchemyStore)
        own, gated = (inspect.signature(cls.create_model_version) for cls in (SqlAlchemyStore, type(store)))
        assert own == gated


def _echo(model_input: list[str]) -> list[str]:
    return model_input


def _entries(project: Project) -> int:
    with project.gate as gate:
        return gate.status().entries
