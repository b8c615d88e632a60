"""The parts around the gate: dataset source, stores that are elsewhere, what `doctor` is told, laws of the small parts."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.tracking._model_registry.utils import _get_store as registry_of

from lineage.config import load
from lineage.errors import UsageError
from lineage.vocabulary import Artifact, Content, Input, Use
from lineage_mlflow.ancestry import packed, unpacked
from lineage_mlflow.audit import MlflowRegistry
from lineage_mlflow.dvc_source import DvcDatasetSource
from lineage_mlflow.files import content
from lineage_mlflow.sources import inside
from lineage_mlflow.swap import Guarded, guard
from tests.integrations.mlflow.example_project import Project, refused

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)


@given(st.lists(st.tuples(TEXT, TEXT, st.sampled_from(list(Use)), st.booleans()), max_size=60))
def test_inputs_survive_being_tags(rows: list[tuple[str, str, Use, bool]]) -> None:
    inputs = [
        Input(Artifact(space, name, Content("md5:" + "0" * 32) if hashed else None), use)
        for space, name, use, hashed in rows
    ]
    tags = packed(inputs)
    assert unpacked(tags) == inputs
    assert all(len(value) <= 5000 for value in tags.values())  # MLflow cuts longer ones


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "a b", "%2e%2e", "ä"]), max_size=6))
def test_nothing_leaves_its_root(parts: list[str]) -> None:
    path = "/".join(parts)
    if ".." in parts or "%2e%2e" in parts:
        assert not inside(f"s3://bucket/root/{path}", "s3://bucket/root")
    else:
        assert inside(f"s3://bucket/root/{path}", "s3://bucket/root")
    assert not inside(f"s3://bucket/root-2/{path}", "s3://bucket/root")
    assert not inside(f"s3://other/root/{path}", "s3://bucket/root")


def test_directories_have_the_key_that_dvc_gives_them(tmp_path: Path) -> None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    for name in ("b/x.txt", "a.txt", "b.txt", "ä/é.txt"):
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name * 9)
    db = HashFileDB(LocalFileSystem(), str(tmp_path / "cache"))
    _, _, found = build(db, str(tmp_path / "tree"), LocalFileSystem(), "md5")
    assert content(str(tmp_path / "tree")).hash == f"md5:{found.hash_info.value}"


def test_dvc_source_keeps_path_and_content(project: Project) -> None:
    (project.root / "train.csv").write_text("a,b\n1,2\n" * 4)
    source = mlflow.data.dataset_source_registry.resolve_dataset_source("dvc:train.csv")
    assert isinstance(source, DvcDatasetSource)
    again = mlflow.data.dataset_source_registry.get_dataset_source_from_json(source.to_json(), "dvc")
    assert (again.path, again.hash) == (source.path, source.hash)
    assert Path(again.load()) == project.root / "train.csv"
    assert json.loads(source.to_json())["path"] == "train.csv"


@pytest.mark.parametrize("uri", ["databricks", "databricks-uc", "uc:http://127.0.0.1:1"])
def test_stores_of_databricks_are_checked_before_anything_is_sent(
    bare: Project, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: what is refused here was refused before the call."""
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("DATABRICKS_TOKEN", "none")
    monkeypatch.setattr("lineage_mlflow.remote.is_gated", lambda store: False)
    store = registry_of(uri, bare.uri)
    assert isinstance(store, Guarded)
    text = refused(lambda: store.create_model_version("a.b.chat", "s3://bucket/model"))
    assert "lineagegate init" in text


class TestDoctor:
    def codes(self, project: Project) -> list[str]:
        return [notice.code for notice in MlflowRegistry(load(project.root)).faults()]

    def test_all_is_well(self, project: Project) -> None:
        assert self.codes(project) == []

    def test_no_registry_yet(self, project: Project) -> None:
        """Asking must not make one."""
        (project.root / "mlflow.db").unlink()
        registry = MlflowRegistry(load(project.root))
        assert list(registry.faults()) == list(registry.versions()) == []
        assert not (project.root / "mlflow.db").exists()

    def test_somebody_else_answers_for_the_scheme(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
        from mlflow.tracking._model_registry import utils

        registry = utils._get_store_registry()
        monkeypatch.setitem(
            registry._registry, "sqlite", lambda store_uri, tracking_uri=None: SqlAlchemyStore(store_uri)
        )
        assert self.codes(project) == ["REGISTRY_UNGATED"]

    def test_unreachable(self, project: Project) -> None:
        (project.root / "lineage.toml").write_text(
            'project = "demo"\n[mlflow]\ntracking_uri = "postgresql://nobody@127.0.0.1:1/none"\n'
        )
        assert self.codes(project) == ["REGISTRY_UNREACHABLE"]

    def test_unknown_settings_are_told(self, project: Project) -> None:
        (project.root / "lineage.toml").write_text('project = "demo"\n[mlflow]\nregistry = "sqlite:///x"\n')
        with pytest.raises(UsageError, match=r"unknown key `mlflow\.registry`"):
            MlflowRegistry(load(project.root))


def test_a_store_is_guarded_once() -> None:
    class Store:
        def write(self, name: str) -> str:
            return name

    seen: list[str] = []
    acts = {"write": lambda store, own, call: seen.append(call.arguments["name"]) or own(*call.args)}
    store = guard(guard(Store(), acts), acts)
    assert store.write("x") == "x"
    assert seen == ["x"]
    assert isinstance(store, Store)
