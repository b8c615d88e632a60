"""What tests of every room share."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

# The same worlds on every run, so that a change that did nothing fails nothing; `LAWS=1000` looks for new ones.
settings.register_profile("same", derandomize="LAWS" not in os.environ, database=None)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` writes what came out as what is expected; look at the difference before you commit it."""
    parser.addoption("--update-golden", action="store_true", help="write golden files anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)`` compares a text with ``golden/<name>`` beside the test."""

    def compare(name: str, text: str) -> None:
        file = Path(request.path).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")

    return compare


def _binary(name: str) -> str:
    found = shutil.which(name) or next((str(p) for p in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), "")
    assert found, f"{name} is missing: PostgreSQL must be installed to run the tests (`make setup` does it)"
    return found


class Postgres(NamedTuple):
    """A PostgreSQL of our own."""

    directory: str
    """Where its socket lies."""
    start: Callable[[], None]
    crash: Callable[[], None]
    """End all of its processes at once."""


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, stopped and removed at the end."""
    # PostgreSQL refuses to run as root; the directory must be one that the other user can reach
    as_user: dict[str, Any] = {}
    root = Path(tempfile.mkdtemp(prefix="lg-pg-"))
    if os.geteuid() == 0:
        name = "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"
        entry = pwd.getpwnam(name)
        as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        os.chown(root, entry.pw_uid, entry.pw_gid)
    quiet: dict[str, Any] = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **as_user}
    initdb = [_binary("initdb"), "-D", str(root / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*initdb, "--locale=C"], check=True, timeout=120, **quiet)
    options = f"-c listen_addresses='' -k {root} -c fsync=off -c max_connections=40"
    control = [_binary("pg_ctl"), "-D", str(root / "data"), "-w", "-t", "60"]
    started = {**quiet, "stderr": subprocess.DEVNULL}  # the server keeps the pipe open, and we would wait for its end

    def start() -> None:
        subprocess.run([*control, "-o", options, "-l", str(root / "log"), "start"], check=True, timeout=90, **started)

    def crash() -> None:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, timeout=90, **started)

    start()
    try:
        yield Postgres(str(root), start, crash)
    finally:
        crash()
        shutil.rmtree(root)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL of our own: its socket directory. Stopped and removed at the end."""
    with postgres() as server:
        yield server.directory


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of a fresh, empty database."""
    name = f"t{uuid.uuid4().hex}"
    with contextlib.closing(_admin(postgres_server)) as connection:
        connection.run(f"CREATE DATABASE {name}")
    yield f"postgresql://postgres@localhost/{name}?host={postgres_server}"
    with contextlib.closing(_admin(postgres_server)) as connection:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(directory: str) -> Any:
    import pg8000.native

    return pg8000.native.Connection("postgres", unix_sock=f"{directory}/.s.PGSQL.5432", database="postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that is not made yet, on both databases."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return str(tmp_path / ".lineage" / "lineage.db")
