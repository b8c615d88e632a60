"""A store is backed up while others write, and comes back whole in either database, or not at all."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lineage.config import load
from lineage.errors import CannotDecide, UsageError
from lineage.events import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.backup import back_up, restore
from lineage.gate.intake import Intake
from lineage.gate.tokens import holder, make_token
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.store.tables import metadata
from lineage.vocabulary import Artifact, Content, Input, Kind, Origin, Role, Tag
from tests.unit.cli.conftest import Cli, cli  # noqa: F401 - a fixture

TIME = "2024-01-01T00:00:00Z"


def thing(n: int, *tags: Tag) -> Artifact:
    return Artifact("dvc://p", f"d/ü \u202e'\"{n}", Content(f"sha256:{n:064x}"), tags=tags)


def step(n: int) -> bytes:
    return run_event(run_id=f"r{n}", job=("dvc://p", "s"), time=TIME, inputs=[Input(thing(n // 2))], outputs=[thing(n)])


@pytest.fixture
def project(tmp_path: Path, store_url: str) -> Path:
    """A project on each database."""
    filled(tmp_path, store_url)
    return tmp_path


def filled(tmp_path: Path, store_url: str) -> None:
    """Make a project with entries and a checkpoint."""
    (tmp_path / "lineage.toml").write_text(f'project = "p"\nstore = {json.dumps(store_url)}\n')
    (tmp_path / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\nrules: []\n")
    create_store(store_url).close()
    with Gate.open(load(tmp_path)) as gate:
        gate.record([dataset_event(thing(0, Tag(Origin(Kind.LICENSED, "acme"))), time=TIME)])
        gate.record([step(n) for n in range(1, 200)])
        gate.seal.checkpoint()
        gate.record([step(n) for n in range(200, 250)])


def quiet(*_: object) -> None:
    """Nobody watches."""


def everything(url: str) -> dict[str, list[Any]]:
    with open_store(url) as store, store.read():
        found = {}
        for table in metadata.sorted_tables:
            rows = store.rows(f"SELECT {', '.join(table.columns.keys())} FROM {table.name}")
            found[table.name] = sorted([tuple(bytes(v) if isinstance(v, memoryview) else v for v in r) for r in rows])
        return found


@pytest.mark.parametrize("back", ["sqlite", "postgresql"])
def test_there_and_back_is_every_row(
    project: Path, store_url: str, back: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with open_store(store_url) as store:
        row, secret = make_token(Graph(store), name="Ann", role=Role.READER, by="the test")
    made = back_up(store_url, tmp_path / "b.db", quiet)
    assert stat.S_IMODE((tmp_path / "b.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("*b.db*")) == ["b.db"]
    assert everything(str(tmp_path / "b.db")) == everything(store_url)
    to = str(tmp_path / "new" / "l.db") if back == "sqlite" else second(request)
    found = restore(tmp_path / "b.db", to, quiet)
    assert everything(to) == everything(store_url)
    assert (found.entries, found.root, found.checkpoints) == (made.entries, made.root, made.checkpoints) != (0, b"", 0)
    assert found.whole and not made.whole
    with open_store(to) as store:
        graph = Graph(store)
        assert holder(graph, secret).id == row.id
        assert graph.labels(thing(249)).labels == graph.labels(thing(0)).labels != frozenset()
        assert graph.record([step(250)]) == made.entries + 1  # and it goes on
    # what was recorded afterwards at the old place is not in the new one, and nothing is in both
    with open_store(store_url) as store:
        assert Graph(store).position() == made.entries


def second(request: pytest.FixtureRequest) -> str:
    """Another database on the server of the tests."""
    import contextlib
    import uuid

    import pg8000.native

    where = request.getfixturevalue("postgres_server")
    name = f"t{uuid.uuid4().hex}"
    with contextlib.closing(
        pg8000.native.Connection("postgres", unix_sock=f"{where}/.s.PGSQL.5432", database="postgres")
    ) as admin:
        admin.run(f"CREATE DATABASE {name}")
    return f"postgresql://postgres@localhost/{name}?host={where}"


def test_while_events_come_in_it_is_one_moment(project: Path, store_url: str, tmp_path: Path) -> None:
    intake = Intake(lambda: Graph(open_store(store_url)))
    intake.start()
    ended, position = threading.Event(), [0]

    def produce() -> None:
        n = 1_000
        while not ended.is_set():
            n += 1
            position[0] = intake.submit([step(n)], trusted=True).result(60).position
            time.sleep(0.01)

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        sizes = [back_up(store_url, tmp_path / f"b{i}.db", quiet).entries for i in range(2)]
    finally:
        ended.set()
        thread.join(60)
        intake.stop(30)
    assert 250 < sizes[0] < sizes[1] <= position[0]
    for i, size in enumerate(sizes):
        with Gate.open(load(project, store=str(tmp_path / f"b{i}.db"))) as gate:
            report = gate.verify()
            assert (report.findings, report.size, report.graph) == ((), size, True)


def test_nothing_is_replaced(project: Path, store_url: str, tmp_path: Path) -> None:
    back_up(store_url, tmp_path / "b.db", quiet)
    kept = (tmp_path / "b.db").read_bytes()
    with pytest.raises(UsageError) as caught:
        back_up(store_url, tmp_path / "b.db", quiet)
    assert caught.value.code == "BACKUP_EXISTS"
    assert (tmp_path / "b.db").read_bytes() == kept
    before = everything(store_url)
    with pytest.raises(UsageError) as caught:
        restore(tmp_path / "b.db", store_url, quiet)
    assert caught.value.code == "STORE_NOT_EMPTY"
    assert everything(store_url) == before
    for file, code in ((tmp_path / "no.db", "BACKUP_MISSING"), (tmp_path / "lineage.toml", "STORE_CORRUPT")):
        with pytest.raises(UsageError) as caught:
            restore(file, str(tmp_path / "other.db"), quiet)
        assert caught.value.code == code
    with pytest.raises(UsageError) as caught:
        back_up(store_url, tmp_path / "no" / "b.db", quiet)
    assert caught.value.code == "BACKUP_UNWRITABLE"


CHANGES = (
    "UPDATE entry SET body = (SELECT body FROM entry WHERE position = 0) WHERE position > 0",
    "DELETE FROM entry WHERE position = (SELECT max(position) FROM entry)",
    "UPDATE checkpoint SET note = replace(note, '200', '199')",
    "DELETE FROM tag",
    "UPDATE node SET pairset = 1",
)


def test_a_backup_that_was_changed_is_not_kept(tmp_path: Path) -> None:
    store_url, to = str(tmp_path / "l.db"), str(tmp_path / "new.db")
    filled(tmp_path, store_url)
    good = tmp_path / "good.db"
    back_up(store_url, good, quiet)
    for change in CHANGES:
        file = Path(shutil.copyfile(good, tmp_path / "b.db"))
        connection = sqlite3.connect(file)
        with connection:
            assert connection.execute(change).rowcount
        connection.close()
        with pytest.raises(CannotDecide) as caught:
            restore(file, to, quiet)
        assert caught.value.code in ("BACKUP_DIFFERS", "GRAPH_DAMAGED"), change
        with open_store(to) as store:
            assert Graph(store).position() == 0
    restore(good, to, quiet)  # the same place takes one that holds


def test_a_backup_of_an_earlier_version_is_brought_up_to_date(project: Path, store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "b.db"
    made = back_up(store_url, file, quiet)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("DROP TABLE run_event")
        connection.execute("UPDATE lineage_schema SET version_num = '0004'")
        connection.execute("UPDATE head SET id = 0")
    connection.close()
    before = file.read_bytes()
    assert restore(file, str(tmp_path / "new.db"), quiet).root == made.root
    assert file.read_bytes() == before


def test_the_verbs(cli: Cli, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(project)
    made = cli("store", "backup", "b.db", verb="store-backup").document
    assert made["entries"] > 249 and made["size"] == (tmp_path / "b.db").stat().st_size and not made["graph"]
    text = cli("store", "backup", "c.db").out
    assert text.startswith("backed up: 25") and "signing key" in text
    found = cli("store", "restore", "b.db", "--store", "new.db", verb="store-restore").document
    assert (found["root"], found["graph"]) == (made["root"], True)
    assert "not recomputed" in cli("store", "restore", "b.db", "--tree-only", "--store", "again.db").out
    refused = cli("store", "restore", "b.db")
    assert refused.status == 2 and "not empty" in refused.err
    assert cli("ledger", "verify", "--store", "b.db").status == 0
