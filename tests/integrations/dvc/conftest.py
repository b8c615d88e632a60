"""Repositories are made once and copied: making one takes longest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integrations.dvc.repository import ENVIRONMENT, Repo, chain


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """No settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for key in list(os.environ):
            if key.startswith(("LINEAGE_", "DVC_", "GIT_")):
                patch.delenv(key)
        for key, value in ENVIRONMENT.items():
            patch.setenv(key, value)
        yield


@pytest.fixture(autouse=True)
def _no_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What MLflow leaves in the variables of a process that set an experiment, as other tests do."""
    for key in list(os.environ):
        if key.startswith("MLFLOW_"):
            monkeypatch.delenv(key)


@pytest.fixture(scope="session")
def _bare(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Path:
    root = tmp_path_factory.mktemp("bare")
    repo = Repo(root)
    repo.git("init", "-q", "-b", "main")
    repo.dvc("init", "-q")
    repo.dvc("config", "core.analytics", "false")
    repo.dvc("config", "core.check_update", "false")
    repo.commit("start", "2023-01-01T00:00:00Z")
    return root


@pytest.fixture(scope="session")
def _chained(tmp_path_factory: pytest.TempPathFactory, _bare: Path) -> Path:
    root = tmp_path_factory.mktemp("chained") / "project"
    shutil.copytree(_bare, root, symlinks=True)
    repo = Repo(root)
    chain(repo)
    repo.commit("first", "2023-02-01T10:00:00Z")
    return root


@pytest.fixture
def empty(tmp_path: Path, _bare: Path) -> Repo:
    """A repository with DVC and nothing in it."""
    shutil.copytree(_bare, tmp_path / "project", symlinks=True)
    return Repo(tmp_path / "project")


@pytest.fixture
def chained(tmp_path: Path, _chained: Path) -> Repo:
    """Two `.dvc` files and three stages, run and committed."""
    shutil.copytree(_chained, tmp_path / "project", symlinks=True)
    return Repo(tmp_path / "project")
