"""Taking a version out of use: here, in a file store, through a gated server and on a plain one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pytest

from lineage.errors import LineageError
from lineage.gate import Gate
from lineage.vocabulary import Change, Decision
from lineage_mlflow.description import described, plain, recalled
from tests.integrations.mlflow.example_project import POLICY, Project, refused

FORBIDDEN = (
    POLICY
    + """
  - id: ours-no-longer
    match:
      origin: {kind: first-party}
    effect: deny
    reason: "withdrawn; see [here](http://evil.example) <b>now</b>"
"""
)


def forbid(project: Project) -> None:
    """A policy under which nothing of our own passes."""
    (project.root / "lineage.policy.yaml").write_text(FORBIDDEN)


def decided(gate: Gate, version: str = "1", model: str = "chat") -> Decision:
    """A recorded decision to recall a version."""
    artifact = gate.graph.find(gate.registries[0].namespace, f"models/{model}/{version}")
    return gate.judge(artifact, model=model, subject=f"models:/{model}/{version}", action="recall")


def recall(project: Project, version: str = "1") -> list[tuple[str, str]]:
    """Decide, recall, and say what changed."""
    with project.gate as gate:
        decision = decided(gate, version)
        return [(one.happening.value, one.value) for one in gate.registries[0].recall("chat", version, decision)]


@pytest.fixture
def version(project: Project) -> str:
    """A version in use."""
    number = project.register("chat", f"models:/{project.model(project.run('s3://own/a.csv'))}").version
    project.client.set_registered_model_alias("chat", "live", number)
    project.client.set_registered_model_alias("chat", "best", number)
    project.client.transition_model_version_stage("chat", number, "Production")
    return str(number)


def state(project: Project, version: str = "1") -> tuple[list[str], str, bool]:
    found = project.client.get_model_version("chat", version)
    return sorted(found.aliases), found.current_stage, "lineage.recalled" in found.tags


class TestLocal:
    def test_everything_is_taken_off_and_said(self, project: Project, version: str) -> None:
        forbid(project)
        assert recall(project) == [
            ("recalled", ""), ("alias-removed", "best"), ("alias-removed", "live"), ("stage", "Archived"),
        ]  # fmt: skip
        assert state(project) == ([], "Archived", True)
        found = project.client.get_model_version("chat", version)
        with project.gate as gate:
            decision = gate.decision(found.tags["lineage.recalled"])
            assert decision is not None
            assert decision.action == "recall"
            (seen,) = gate.registries[0].versions()
            assert (seen.recalled, seen.aliases, seen.stage) == (decision.id, (), "Archived")
            last = [said.act for said in gate.graph.acts((5,))][-4:]  # type: ignore[arg-type]
            assert {act.decision for act in last if isinstance(act, Change)} == {decision.id}
            assert [code.code for code in gate.audit()[1]] == ["NOW_REFUSED"]
        assert found.tags["lineage.recall.reason"] == decision.reason
        *_, sentence = found.description.splitlines()
        assert sentence.startswith(f"**lineagegate** recalled on {decision.time[:10]}: ")
        assert sentence.endswith(f"`lineagegate why {decision.id}`")
        assert "](http" not in sentence
        assert "<b>" not in sentence

    def test_twice_changes_nothing_more(self, project: Project, version: str) -> None:
        forbid(project)
        recall(project)
        before = project.client.get_model_version("chat", version)
        assert recall(project) == []
        after = project.client.get_model_version("chat", version)
        assert (after.tags, after.description) == (before.tags, before.description)

    @pytest.mark.parametrize("mode", ["enforce", "warn", "audit"])
    def test_nothing_promotes_it_until_it_is_allowed(self, project: Project, version: str, mode: str) -> None:
        forbid(project)
        recall(project)
        (project.root / "lineage.policy.yaml").write_text(FORBIDDEN.replace("mode: enforce", f"mode: {mode}"))
        for act in (
            lambda: project.client.set_registered_model_alias("chat", "live", version),
            lambda: project.client.transition_model_version_stage("chat", version, "Production"),
        ):
            assert "ours-no-longer" in refused(act)
        assert state(project) == ([], "Archived", True)
        (project.root / "lineage.policy.yaml").write_text(POLICY)
        project.client.set_registered_model_alias("chat", "live", version)
        assert state(project) == (["live"], "Archived", False)
        with project.gate as gate:
            assert gate.audit()[1] == []

    def test_it_goes_on_where_it_stopped(self, project: Project, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        forbid(project)

        def fail(*_: Any) -> None:
            raise mlflow.exceptions.MlflowException("the database is gone")

        with monkeypatch.context() as broken:
            broken.setattr(SqlAlchemyStore, "delete_registered_model_alias", fail)
            with pytest.raises(LineageError, match="was not recalled"):
                recall(project)
        assert state(project) == (["best", "live"], "Production", True)
        with project.gate as gate:
            assert "ALIAS_MOVED" in {finding.code for finding in gate.audit()[1]}
        assert recall(project) == [("alias-removed", "best"), ("alias-removed", "live"), ("stage", "Archived")]

    def test_the_mark_is_taken_away_by_hand(self, project: Project, version: str) -> None:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

        forbid(project)
        recall(project)
        assert "written by lineagegate" in refused(
            lambda: project.client.delete_model_version_tag("chat", version, "lineage.recalled")
        )
        SqlAlchemyStore(project.uri).delete_model_version_tag("chat", version, "lineage.recalled")
        with project.gate as gate:
            assert {finding.code for finding in gate.audit()[1]} == {"TAG_EDITED", "NOW_REFUSED"}

    def test_what_nobody_decided_recalls_nothing(self, project: Project, version: str) -> None:
        with project.gate as gate:
            allowed = decided(gate)
        forbid(project)
        with project.gate as gate:
            other = decided(gate, "2")
            artifact = gate.graph.find("mlflow://local", "models/chat/1")
            alias = gate.judge(artifact, model="chat", subject="models:/chat/1", action="alias")
        for identity in (allowed.id, other.id, alias.id, "01J00000000000000000000000", ""):
            text = refused(
                lambda: project.client.set_model_version_tag("chat", version, "lineage.recalled", identity)  # noqa: B023
            )
            assert "recall of models:/chat/1 refused by lineagegate" in text
        assert state(project) == (["best", "live"], "Production", False)

    def test_from_another_directory(
        self, project: Project, version: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forbid(project)
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
        assert len(recall(project)) == 4
        with project.gate as gate:
            assert "ALIAS_MOVED" not in {finding.code for finding in gate.audit()[1]}

    def test_a_version_that_does_not_exist(self, project: Project, version: str) -> None:
        forbid(project)
        with project.gate as gate, pytest.raises(LineageError, match="was not recalled"):
            gate.registries[0].recall("chat", "9", decided(gate, "9"))


def test_file_store(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"file://{project.root}/mlruns"
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", uri)
    local = Project(project.root, uri)
    local.register("chat", f"models:/{local.model(local.run('s3://own/a.csv'))}", description="for the shop")
    local.client.set_registered_model_alias("chat", "live", 1)
    forbid(local)
    assert recall(local) == [("recalled", ""), ("alias-removed", "live")]
    assert state(local) == ([], "None", True)
    assert local.client.get_model_version("chat", "1").description.startswith("for the shop\n\n**lineagegate** allow")
    (local.root / "lineage.policy.yaml").write_text(POLICY)
    local.client.rename_registered_model("chat", "talk")
    assert "lineage.recalled" in local.client.get_model_version("talk", "1").tags


class TestDescription:
    def decision(self, reason: str) -> Decision:
        from lineage.vocabulary import Outcome

        return Decision(
            "01J00000000000000000000000", Outcome.DENY, "models:/chat/1", "chat", "recall", reason=reason,
            time="2026-01-02T03:04:05+00:00",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("data/raw.csv is denied", "data/raw.csv is denied"),
            ("a_b *c* `d`", "a\\_b \\*c\\* \\`d\\`"),
            ("[x](javascript:1) ![y](z)", "\\[x\\]\\(javascript\\:1\\) \\!\\[y\\]\\(z\\)"),
            ("<script>", "&lt;script\\>"),
            ("a & b@c.example www.evil.example", "a &amp; b&#64;c.example www\\.evil.example"),
            ("one\n# two", "one\\\\n\\# two"),
            ("\u202etxt", "\\\\u202etxt"),
        ],
    )
    def test_names_are_shown_as_they_are(self, text: str, shown: str) -> None:
        assert plain(text) == shown

    def test_one_line_whatever_the_reason(self) -> None:
        text = recalled("mine", self.decision("x\n**lineagegate** allow\n" + "y" * 5000))
        assert [line.startswith("**lineagegate**") for line in text.splitlines()] == [False, False, True]
        assert len(text) < 1000

    def test_a_copy_says_nothing_of_the_recall(self) -> None:
        text = recalled("mine", self.decision("why"))
        assert described(text, self.decision("")).splitlines()[0] == "mine"
        assert "recalled" not in described(text, self.decision(""))

    def test_a_link_to_the_page_that_explains_it(self, tmp_path: Path) -> None:
        from lineage.config import load
        from lineage.errors import UsageError
        from lineage.gate.address import page_of, url_of

        said = self.decision("why")
        page = f" · [explained](https://lineage.example.com/x/decision?id={said.id})"
        file = tmp_path / "lineage.toml"
        file.write_text('[server]\nurl = "https://lineage.example.com/x/"\n')
        at = page_of(url_of(load(tmp_path)), said.id)
        assert described("mine", said, at).endswith(f"`lineagegate why {said.id}`{page}")
        assert recalled("mine", said, at).endswith(page)
        assert described("mine", said, "").endswith(f"`lineagegate why {said.id}`")
        for wrong in ("lineage.example.com", "javascript:alert(1)", "https://x.example/a b", "https://x.example/)("):
            file.write_text(f'[server]\nurl = "{wrong}"\n')
            with pytest.raises(UsageError, match="url is not valid"):
                url_of(load(tmp_path))
