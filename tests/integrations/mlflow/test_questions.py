"""The lawyer's questions about a real registry: a recall that is applied, and the life that history tells of."""

from __future__ import annotations

import pytest

from lineage.evidence.case import Contains
from lineage.evidence.questions import history_text
from lineage.evidence.recall import RecallDocument, recall_text
from lineage.gate import Gate
from lineage.gate.impact import of_origin
from lineage.gate.questions import contains, history
from lineage.gate.recall import apply, rejudge
from lineage.gate.wanted import Wanted
from tests.integrations.mlflow.example_project import Project
from tests.integrations.mlflow.test_recall import forbid, state


@pytest.fixture
def version(project: Project) -> str:
    """A version in use, made from our own data; another model beside it from licensed data."""
    number = project.register("chat", f"models:/{project.model(project.run('s3://own/a.csv'))}").version
    project.client.set_registered_model_alias("chat", "live", number)
    project.client.transition_model_version_stage("chat", number, "Production")
    project.register("other", f"models:/{project.model(project.run('s3://licensed/b.csv'))}")
    return str(number)


def recalled(gate: Gate) -> RecallDocument:
    return apply(gate, *rejudge(gate))


class TestRecall:
    def test_it_takes_off_what_is_refused_now_and_leaves_the_rest(self, project: Project, version: str) -> None:
        with project.gate as gate:
            assert rejudge(gate)[0].versions == ()
        forbid(project)
        with project.gate as gate:
            before = gate.graph.position()
            dry, _ = rejudge(gate)
            assert gate.graph.position() == before
            assert [(v.version.model, v.version.aliases, v.version.stage) for v in dry.versions] == [
                ("chat", ("live",), "Production")
            ]
            found = recalled(gate)
            assert not found.failed
            (item,) = found.versions
            assert sorted(c.happening.value for c in item.changes) == ["alias-removed", "recalled", "stage"]
            assert gate.decision(item.decision.id).action == "recall"  # type: ignore[union-attr]
            assert "1 version recalled" in recall_text(found)
        assert state(project) == ([], "Archived", True)
        assert state(project, "1")[2]

    def test_doing_it_again_changes_nothing(self, project: Project, version: str) -> None:
        forbid(project)
        with project.gate as gate:
            recalled(gate)
            position = gate.graph.position()
            again = recalled(gate)
            assert (again.versions, gate.graph.position()) == ((), position)

    def test_what_the_registry_no_longer_has_is_said_and_stops_nothing(self, project: Project, version: str) -> None:
        forbid(project)
        project.register("more", f"models:/{project.model(project.run('s3://licensed/c.csv'))}")
        with project.gate as gate:
            from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

            SqlAlchemyStore(project.uri).delete_model_version("chat", version)  # around the gate
            found = recalled(gate)
            assert len(found.failed) == 1
            assert found.failed[0].startswith("models:/chat/1: ")
            assert "not done" in recall_text(found)


class TestQuestions:
    def test_history_tells_the_life_of_a_model(self, project: Project, version: str) -> None:
        forbid(project)
        with project.gate as gate:
            recalled(gate)
            kinds = [item.kind for item in history(gate, "models:/chat", Wanted()).items]
            said = history_text(history(gate, "models:/chat", Wanted()))
        assert [kind for kind in kinds if kind in ("registered", "alias", "alias-removed", "stage", "recalled")] == [
            "registered", "alias", "stage", "recalled", "alias-removed", "stage",
        ]  # fmt: skip
        assert "alias 'live' points at it" in said

    def test_a_case_knows_who_registered_what_and_when(self, project: Project, version: str) -> None:
        with project.gate as gate:
            found = contains(gate, "models:/other/1", Wanted(kind="licensed"))
            case = gate.case("models:/other/1", "licensed")
            assert found.answer.contains is case.answer.contains is Contains.YES
            assert case.subject.registered
            assert case.subject.by
            assert [j.decision.action for j in case.decisions] == ["register"]
            assert case.seal is not None
            assert case.seal.keys
            touched = of_origin(gate, Wanted(kind="licensed"))
            assert "models:/other/1" in [item.artifact.display for item in touched.models if item.version]
            assert contains(gate, "models:/other/1", Wanted("openai")).answer.contains is Contains.NO

    def test_a_renamed_model_keeps_its_life(self, project: Project, version: str) -> None:
        project.client.rename_registered_model("chat", "talk")
        with project.gate as gate:
            kinds = [item.kind for item in history(gate, "models:/talk", Wanted()).items]
            assert {"registered", "alias", "renamed"} <= set(kinds)
