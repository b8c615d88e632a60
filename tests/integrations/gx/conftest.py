"""One project is made and copied: making one takes longest."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.dvc.repository import ENVIRONMENT, Repo, inside
from tests.integrations.gx.team import Team, make, restrict
from tests.integrations.spark.conftest import local


@pytest.fixture(scope="session", autouse=True)
def _environment() -> Iterator[None]:
    """No settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for key in list(os.environ):
            if key.startswith(("LINEAGE_", "DVC_", "GIT_", "GX_")):
                patch.delenv(key)
        for key, value in ENVIRONMENT.items():
            patch.setenv(key, value)
        patch.setenv("GX_ANALYTICS_ENABLED", "false")
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        yield


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory, _environment: None) -> Path:
    root = tmp_path_factory.mktemp("made") / "project"
    root.mkdir()
    repo = Repo(root)
    repo.git("init", "-q", "-b", "main")
    repo.dvc("init", "-q")
    with inside(root):
        make(root)
    return root


@pytest.fixture
def team(tmp_path: Path, _made: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The project of a team."""
    root = tmp_path / "project"
    shutil.copytree(_made, root, symlinks=True)
    monkeypatch.chdir(root)
    return Team(root)


@pytest.fixture(scope="session")
def _restricted(tmp_path_factory: pytest.TempPathFactory, _made: Path) -> Path:
    root = tmp_path_factory.mktemp("restricted") / "project"
    shutil.copytree(_made, root, symlinks=True)
    with inside(root):
        restrict(root)
    return root


@pytest.fixture
def indexed(tmp_path: Path, _restricted: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The project, with fingerprints of what the policy restricts."""
    root = tmp_path / "project"
    shutil.copytree(_restricted, root, symlinks=True)
    monkeypatch.chdir(root)
    return Team(root)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local session."""
    yield from local()
