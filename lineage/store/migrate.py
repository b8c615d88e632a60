"""Makes the schema and brings it up to date, with Alembic in this process. Imported only by ``create_store``."""

from __future__ import annotations

import sqlite3
from functools import cache
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.script.revision import RangeNotAncestorError, ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from lineage.errors import UsageError
from lineage.store.sqlite import translate
from lineage.store.store import HEAD_ID, KNOWN, VERSIONS
from lineage.store.tables import metadata

_SCRIPTS = Path(__file__).parent / "migrations"
FIRST_ROWS = (
    f"INSERT INTO head VALUES ({HEAD_ID}, 0, 0, X'', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)",  # noqa: S608
    # set 1 is the empty set: "known, and nothing inherited", told apart from 0, "nothing recorded"
    "INSERT INTO pairset VALUES (1, X'', X'', X'', 0)",
)


def migrate(url: str) -> None:
    """Bring the database at ``url`` to the newest revision.

    Raises:
        UsageError: ``STORE_UNREACHABLE``, ``STORE_CORRUPT``, ``STORE_SCHEMA_NEW``, ``STORE_BUSY``.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            _upgrade(connection)
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise translate(error.orig, url, opening=True) from None
        raise UsageError(
            "the schema of the store cannot be made",
            code="STORE_UNREACHABLE",
            cause=str(error.orig),
            hint="the user needs the right to create tables in this database",
        ) from None
    finally:
        engine.dispose()


@cache
def schema_statements() -> tuple[str, ...]:
    """The newest schema as SQLite statements, with its first rows: what a scratch database is made with."""
    dialect = sqlite.dialect()
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    made += [str(CreateIndex(i).compile(dialect=dialect)) for t in metadata.sorted_tables for i in t.indexes]
    return (*made, *FIRST_ROWS)


def _engine(url: str) -> Engine:
    if "://" not in url:
        return create_engine(URL.create("sqlite", database=url), poolclass=NullPool)  # a path may hold `?` and `#`
    from lineage.store.postgresql import connect

    return create_engine("postgresql+pg8000://", creator=lambda: connect(url), poolclass=NullPool)


def _upgrade(connection: Connection) -> None:
    script = ScriptDirectory(str(_SCRIPTS))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.rollback()
        # the driver would begin by itself only at the first INSERT: take the lock before anything is looked at
        connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236837411)")  # store.postgresql.WRITER_LOCK
    _rename(connection)
    options = {"transactional_ddl": True, "target_metadata": metadata, "version_table": VERSIONS}
    context = MigrationContext.configure(connection, opts=options)
    current = context.get_current_heads()
    target = script.get_current_head()
    try:
        steps = list(script.iterate_revisions(target, current or "base"))
    except (CommandError, ResolutionError, RangeNotAncestorError):
        raise UsageError(
            "the store was made by a newer version",
            code="STORE_SCHEMA_NEW",
            cause=f"its schema is {', '.join(current)}, this version knows {target}",
            hint="pip install --upgrade lineagegate",
        ) from None
    if steps:
        context._ensure_version_table()  # noqa: SLF001 - what `alembic upgrade` itself calls; there is no public name
        with Operations.context(context):
            for revision in reversed(steps):
                revision.module.upgrade()
        context.stamp(script, target)  # type: ignore[arg-type]
        # whoever has the store open from before finds no head any more (store.HEAD_ID)
        connection.execute(text("UPDATE head SET id = :revision"), {"revision": int(target or 0)})
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("COMMIT")
    else:
        connection.commit()


def _rename(connection: Connection) -> None:
    """Give a store of ours that was made under Alembic's own name for its table the present one."""
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables and {"head", "entry"} <= tables and VERSIONS not in tables:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if all(revision in KNOWN for revision in found):
            connection.execute(text(f"ALTER TABLE alembic_version RENAME TO {VERSIONS}"))
