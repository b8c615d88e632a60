"""The migrations make exactly the schema that the code declares, on both databases."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import lineage.store.migrate as migrate
from lineage.errors import UsageError
from lineage.events import dataset_event, run_event
from lineage.events.event import act_event
from lineage.graph import Graph, rows
from lineage.store import Insert, Lookup, create_store, open_store, scratch_store
from lineage.store.store import KNOWN, SCHEMA
from lineage.store.tables import metadata
from lineage.vocabulary import Artifact, Content, Input, Kind, Member, Origin, Removal


def test_no_drift(store_url: str) -> None:
    create_store(store_url).close()
    engine = migrate._engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
    engine.dispose()
    assert [d for d in found if d[0] != "remove_table" or d[1].name != "lineage_schema"] == []


def test_the_code_knows_the_newest_revision() -> None:
    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert script.get_current_head() == SCHEMA == KNOWN[-1]
    assert len(list(script.walk_revisions())) == len(KNOWN)


def test_the_migrated_file_is_the_scratch_schema(tmp_path: Path) -> None:
    """WITHOUT ROWID and index conditions, which the comparison above does not see."""

    def tables(found: list[tuple[str, str]]) -> dict[str, str]:
        return {name: "".join(sql.replace('"', "").split()) for name, sql in found if name != "lineage_schema"}

    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    create_store(str(tmp_path / "l.db")).close()
    connection = sqlite3.connect(tmp_path / "l.db")
    migrated = tables(connection.execute(query).fetchall())
    scratch = scratch_store()
    assert migrated == tables(scratch.rows(query))
    assert connection.execute("SELECT * FROM head").fetchall() == scratch.rows("SELECT * FROM head")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    scratch.close()


def test_every_statement_runs(store_url: str) -> None:
    with create_store(store_url) as store, store.read():
        for statement in vars(rows).values():
            if isinstance(statement, Lookup):
                key = b"x" if statement.type == "bytea" else "x" if statement.type == "text" else -1
                assert store.lookup(statement, [key]) == []
    for statement in vars(rows).values():
        if isinstance(statement, Insert):
            assert len(statement.columns) == len(statement.types) == len(set(statement.columns))
            assert set(statement.columns) <= {c.name for c in metadata.tables[statement.table].columns}


def test_a_database_is_shared_with_another_program_that_uses_alembic(store_url: str) -> None:
    """MLflow keeps its revision under Alembic's own name, and would not start over ours."""
    if "://" not in store_url:
        Path(store_url).parent.mkdir(parents=True, exist_ok=True)
    engine = migrate._engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('1bd49d398cd23')"))
    create_store(store_url).close()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == ["1bd49d398cd23"]
    engine.dispose()
    open_store(store_url).close()


def test_a_store_from_before_keeps_its_revision_under_our_name(store_url: str) -> None:
    with create_store(store_url) as store:
        store.execute("ALTER TABLE lineage_schema RENAME TO alembic_version")
    with pytest.raises(UsageError) as caught:
        open_store(store_url)
    assert "lineagegate init" in caught.value.hint
    create_store(store_url).close()
    open_store(store_url).close()


def test_an_old_schema_is_named(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_store(store_url).close()
    monkeypatch.setattr("lineage.store.store.KNOWN", ("0000", "0001"))
    with open_store(store_url) as store:
        store.execute("UPDATE lineage_schema SET version_num = '0000'")
    with pytest.raises(UsageError) as caught:
        open_store(store_url)
    assert caught.value.code == "STORE_SCHEMA_OLD"
    assert "lineagegate init" in caught.value.hint


def test_a_store_of_the_first_schema_is_brought_up_to_date(store_url: str) -> None:
    """What 0002 works out from the entries is what recording them writes."""
    space, time, directory = "dvc://p", "2024-01-01T00:00:00Z", "md5:" + "d" * 32 + ".dir"
    files = tuple(Member(f"f{i}", f"md5:{i:032x}", 100) for i in range(1, 4))
    contents = [
        None,
        Content("md5:" + "a" * 32),
        Content("sha256:" + "b" * 64, 99),
        Content("md5:" + "A" * 32),
        Content("etag:x", 50),
        Content("md5:" + "c" * 32, 3),
        Content("md5:d41d8cd98f00b204e9800998ecf8427e"),
        Content(directory, 3, 1, files[:1]),
        Content(directory, 300, 3, files),
    ]
    named = [Artifact(space, f"n{i}", content) for i, content in enumerate(contents)]
    removal = Removal("1", Origin(Kind.LICENSED), "md5:" + "a" * 32, (), "Ann")
    job = {"eventTime": time, "job": {"namespace": space, "name": "j"}, "outputs": [{"namespace": space, "name": "o"}]}
    events = [
        *(dataset_event(artifact, time=time) for artifact in named),
        *(run_event(run_id=f"r{i}", job=(space, "s"), time=time, inputs=[Input(a)]) for i, a in enumerate(named)),
        *(run_event(run_id="r1", job=(space, "s"), time=time, outputs=[a]) for a in named),
        run_event(run_id="0b1c2d3e-0000-7000-8000-00000000000a", job=(space, "s"), time=time, outputs=named[:1]),
        run_event(run_id="0b1c2d3e-0000-7000-8000-00000000000a", job=(space, "s"), time=time),
        run_event(run_id="0B1C2D3E-0000-7000-8000-00000000000A", job=(space, "s"), time=time),
        act_event(removal, run_id="r1", time=time, subject=named[1]),
        *[json.dumps(job).encode()] * 2,
    ]
    graph = Graph(create_store(store_url))
    for start in range(0, len(events), 7):
        graph.record(events[start : start + 7])
    store = graph._store
    expected = {t: sorted(store.rows(f"SELECT * FROM {t}")) for t in ("again", "spoken")}
    assert all(expected.values())
    for table in ("again", "spoken", "checkpoint", "token", "job", "job_run", "run_event", "received", "same"):
        store.execute(f"DROP TABLE {table}")
    store.execute("UPDATE lineage_schema SET version_num = '0001'")
    graph.close()
    with pytest.raises(UsageError):
        open_store(store_url)
    with create_store(store_url) as store:
        assert {t: sorted(store.rows(f"SELECT * FROM {t}")) for t in ("again", "spoken")} == expected
