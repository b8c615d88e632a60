"""One database is made and copied: making one takes longest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from tests.integrations.mlflow.example_project import QUIET, Project, Server, configure


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    root = tmp_path_factory.mktemp("database")
    SqlAlchemyStore(f"sqlite:///{root}/mlflow.db", str(root / "artifacts"))
    return root / "mlflow.db"


@pytest.fixture
def bare(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A registry in a project without settings."""
    for key in list(os.environ):
        if key.startswith(("LINEAGE_", "DVC_", "MLFLOW_", "_MLFLOW_")):
            monkeypatch.delenv(key)
    for key, value in QUIET.items():
        monkeypatch.setenv(key, value)
    shutil.copy(database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", uri)
    monkeypatch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", None)
    return Project(tmp_path, uri)


@pytest.fixture
def project(bare: Project) -> Project:
    """A project with settings, policy and an empty ledger, and an empty registry."""
    configure(bare.root)
    return bare


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, database: Path) -> Iterator[Server]:
    """A gated server."""
    root = tmp_path_factory.mktemp("server")
    shutil.copy(database, root / "mlflow.db")
    configure(root)
    running = Server(root)
    yield running
    running.close()
