"""The migrations make exactly the schema that the code declares, on both databases."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import lineage.store.migrate as migrate
from lineage.errors import UsageError
from lineage.graph import rows
from lineage.store import Insert, Lookup, create_store, open_store, scratch_store
from lineage.store.store import KNOWN, SCHEMA
from lineage.store.tables import metadata


def test_no_drift(store_url: str) -> None:
    create_store(store_url).close()
    engine = migrate._engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, metadata)
    engine.dispose()
    assert [d for d in found if d[0] != "remove_table" or d[1].name != "alembic_version"] == []


def test_the_code_knows_the_newest_revision() -> None:
    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert script.get_current_head() == SCHEMA == KNOWN[-1]
    assert len(list(script.walk_revisions())) == len(KNOWN)


def test_the_migrated_file_is_the_scratch_schema(tmp_path: Path) -> None:
    """WITHOUT ROWID and index conditions, which the comparison above does not see."""

    def tables(found: list[tuple[str, str]]) -> dict[str, str]:
        return {name: "".join(sql.replace('"', "").split()) for name, sql in found if name != "alembic_version"}

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


def test_an_old_schema_is_named(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_store(store_url).close()
    monkeypatch.setattr("lineage.store.store.KNOWN", ("0000", "0001"))
    with open_store(store_url) as store:
        store.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(UsageError) as caught:
        open_store(store_url)
    assert caught.value.code == "STORE_SCHEMA_OLD"
    assert "lineagegate init" in caught.value.hint
