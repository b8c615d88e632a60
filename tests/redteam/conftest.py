"""One honest history, made once for each database and copied for every attack."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.redteam.insider import Case, honest, settle


def admin(directory: str) -> Any:
    import pg8000.native

    return pg8000.native.Connection("postgres", unix_sock=f"{directory}/.s.PGSQL.5432", database="postgres")


@pytest.fixture(scope="session")
def sqlite_history(tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = tmp_path_factory.mktemp("history")
    return honest(root, str(root / ".lineage" / "lineage.db"))


@pytest.fixture(scope="session")
def postgres_history(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[tuple[Case, str]]:
    name = f"h{uuid.uuid4().hex}"
    with contextlib.closing(admin(postgres_server)) as connection:
        connection.run(f"CREATE DATABASE {name}")
    url = f"postgresql://postgres@localhost/{name}?host={postgres_server}"
    yield honest(tmp_path_factory.mktemp("history"), url), name
    with contextlib.closing(admin(postgres_server)) as connection:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """A ledger with an honest history, four checkpoints of which an outsider keeps three, and his copy of the key."""
    root = tmp_path / "project"
    if request.param == "sqlite":
        made: Case = request.getfixturevalue("sqlite_history")
        shutil.copytree(made.root, root)
        url = str(root / ".lineage" / "lineage.db")
        settle(root, url)
        yield Case(root, url, list(made.outside), list(made.trusted))
        return
    server: str = request.getfixturevalue("postgres_server")
    made, template = request.getfixturevalue("postgres_history")
    shutil.copytree(made.root, root)
    name = f"t{uuid.uuid4().hex}"
    with contextlib.closing(admin(server)) as connection:
        connection.run(f"CREATE DATABASE {name} TEMPLATE {template}")
    url = f"postgresql://postgres@localhost/{name}?host={server}"
    settle(root, url)
    yield Case(root, url, list(made.outside), list(made.trusted))
    with contextlib.closing(admin(server)) as connection:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")
