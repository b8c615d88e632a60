"""The interface of a store, and how one is found, made and opened.

Two transactions exist: ``read()``, one consistent view, and ``write()``, one writer at a time, all or nothing. A store
is used by one thread at a time (it has a lock) and never across a fork. Errors of the driver never leave: they come
out as `LineageError` with a code.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lineage.errors import CannotDecide, LineageError, UsageError

SCHEMA = "0006"
"""The Alembic revision this code reads and writes."""
KNOWN = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision there has been, oldest first; anything else is newer than this code."""

HEAD_ID = int(SCHEMA)
"""Id of the one row of `head`: who opened the store before its schema changed finds no head any more, and stops."""

VERSIONS = "lineage_schema"
"""Alembic's table of ours: a database that is shared with MLflow has MLflow's under Alembic's own name."""

Row = tuple[Any, ...]


@dataclass(frozen=True, eq=False)  # compared by identity: they are keys on hot paths
class Lookup:
    """A query by one key column, asked for many keys at once."""

    select: str
    """``SELECT … FROM …`` without its condition."""
    key: str
    """Key column, qualified."""
    type: str = "bigint"
    """PostgreSQL type of the key."""
    order: str = ""
    """Columns to order by; across keys the order is not defined."""

    def sql(self, condition: str) -> str:
        """The text with ``= ?`` or ``= ANY(…)`` as condition."""
        tail = f" ORDER BY {self.order}" if self.order else ""
        return f"{self.select} WHERE {self.key} {condition}{tail}"


@dataclass(frozen=True, eq=False)  # compared by identity: they are keys on hot paths
class Insert:
    """Rows into one table, as many as there are."""

    table: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    """PostgreSQL types of the columns."""
    conflict: str = ""
    """``ON CONFLICT …`` clause; the same text in both databases."""


class Store(ABC):
    """One open database.

    The SQL has ``?`` for parameters, whatever the driver's style. ``url`` is the path or address it was opened with.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = threading.RLock()
        self._pid = os.getpid()
        self._open = True
        self._writing = False
        self._spoilt: LineageError | None = None

    @abstractmethod
    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        """The first row, or None. Outside a transaction: a consistent view of its own."""

    @abstractmethod
    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """All rows."""

    @abstractmethod
    def lookup(self, query: Lookup, keys: Sequence[Any]) -> list[Row]:
        """The rows of all keys, in no order across keys; keys without a row are left out."""

    @abstractmethod
    def insert(self, into: Insert, rows: Sequence[Row]) -> None:
        """Insert rows, in few round trips."""

    @abstractmethod
    def execute(self, sql: str, args: Sequence[Any] = ()) -> None:
        """Run a statement that returns nothing."""

    @abstractmethod
    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Row]:
        """(position of the first, count, recorded, stored body) of every row that holds one of the entries from
        ``start`` (included) to ``end`` (not included), in order."""

    @abstractmethod
    def scan(self, sql: str) -> Iterator[Row]:
        """The rows of a query over everything, of which few are in memory at a time. In a transaction."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it: the path, or the address without its password."""

    @abstractmethod
    def schema(self) -> str | None:
        """The revision of the tables that are there; None if there are none."""

    @abstractmethod
    def there(self) -> None:
        """See that the database is still the one that was opened: asked at the beginning of each transaction.

        Raises:
            UsageError: ``STORE_UNREACHABLE``.
        """

    @abstractmethod
    def _begin(self, write: bool) -> None: ...

    @abstractmethod
    def _commit(self) -> None: ...

    @abstractmethod
    def _rollback(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...

    @contextmanager
    def read(self) -> Iterator[None]:
        """One consistent view for several statements: in the writer's transaction its own, with what it wrote so far.
        Not nested otherwise."""
        with self.lock:
            self.check()
            if self._writing:
                yield
                return
            self._begin(False)
            try:
                yield
            finally:
                self._rollback()

    @contextmanager
    def write(self) -> Iterator[None]:
        """The one writer's transaction: what is in it is durable when it ends, or none of it happened.

        Within another one it is a part of that: none of it happened, or it is durable when the whole ends.

        Raises:
            UsageError: ``STORE_BUSY``, another process writes and does not finish.
        """
        with self.lock:
            self.check()
            if self._writing:
                with self._part():
                    yield
                return
            self._begin(True)
            self._writing, self._spoilt = True, None
            try:
                yield
                if self._spoilt is not None:
                    raise self._spoilt
            except BaseException:
                self._rollback()
                raise
            finally:
                self._writing = False
            self._commit()

    @contextmanager
    def _part(self) -> Iterator[None]:
        """A part of a write transaction that can be undone by itself."""
        if self._spoilt is not None:  # the database has undone it all: nothing more may seem to be part of it
            raise self._spoilt
        self.execute("SAVEPOINT part")
        try:
            yield
            self.execute("RELEASE SAVEPOINT part")
        except BaseException:
            try:
                self.execute("ROLLBACK TO SAVEPOINT part")
                self.execute("RELEASE SAVEPOINT part")
            except LineageError as error:
                self._spoilt = error
            raise

    @property
    def writing(self) -> bool:
        """Whether a write transaction is going on."""
        return self._writing

    def check(self) -> None:
        """Refuse use after ``close`` and in a forked child, where the connection is the parent's."""
        if not self._open:
            raise UsageError("the store is closed", code="STORE_CLOSED", hint="open it again")
        if os.getpid() != self._pid:
            raise UsageError(
                "the store was opened before this process forked",
                code="STORE_FORKED",
                cause="a database connection cannot be shared between processes",
                hint="open the store in the process that uses it",
            )

    def close(self) -> None:
        """Close the connection; closing twice is fine. In a forked child the parent's connection is left alone."""
        with self.lock:
            if self._open:
                self._open = False
                if os.getpid() == self._pid:
                    self._close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_store(url: str) -> Store:
    """Open a store that exists.

    Args:
        url: absolute path of the SQLite file, or ``postgresql://user@host:port/database``.

    Raises:
        UsageError: ``STORE_MISSING``, ``STORE_UNREACHABLE``, ``STORE_CORRUPT``, ``STORE_SCHEMA_OLD``,
            ``STORE_SCHEMA_NEW``. Nothing is created.
    """
    store = _connect(url)
    try:
        _check_schema(store)
    except BaseException:
        store.close()
        raise
    return store


def create_store(url: str) -> Store:
    """Open a store, making it or bringing its schema up to date first. Doing it twice changes nothing.

    A SQLite file's directory is made, with a ``.gitignore`` that keeps it out of git.

    Raises:
        UsageError: as `open_store`, without ``STORE_MISSING`` and ``STORE_SCHEMA_OLD``.
    """
    from lineage.store.migrate import migrate  # SQLAlchemy and Alembic: 0.5 s, only here

    if not _is_postgresql(url):
        _prepare_directory(Path(url))
    migrate(url)
    return open_store(url)


def scratch_store() -> Store:
    """An empty store that nobody else sees and that is gone when it is closed: for recomputing."""
    from lineage.store.migrate import schema_statements
    from lineage.store.sqlite import SqliteStore

    store = SqliteStore("", durable=False)
    for statement in schema_statements():
        store.execute(statement)
    return store


def _is_postgresql(url: str) -> bool:
    scheme = url.partition("://")[0]
    if scheme in ("postgresql", "postgres"):
        return True
    if "://" in url:
        raise UsageError(
            f"a store of kind {scheme!r} is not known",
            code="STORE_UNREACHABLE",
            cause="SQLite (a path) and PostgreSQL (postgresql://…) are",
            hint="set `store` in lineage.toml",
        )
    return False


def _connect(url: str) -> Store:
    if _is_postgresql(url):
        from lineage.store.postgresql import PostgresqlStore

        return PostgresqlStore(url)
    from lineage.store.sqlite import SqliteStore

    if not os.path.exists(url):  # noqa: PTH110 - 10 µs less, on the path of every question
        raise UsageError(f"there is no store at {url}", code="STORE_MISSING", hint="run `lineagegate init`")
    return SqliteStore(url)


def _check_schema(store: Store) -> None:
    found = store.schema()
    if found is None:
        raise UsageError(
            f"{store.name} holds no lineagegate store", code="STORE_MISSING", hint="run `lineagegate init`"
        )
    if found == SCHEMA:
        return
    if found in KNOWN:
        raise UsageError(
            f"{store.name} was made by an earlier version",
            code="STORE_SCHEMA_OLD",
            cause=f"its schema is {found}, this version needs {SCHEMA}",
            hint="run `lineagegate init`, which brings it up to date and keeps everything in it",
        )
    raise UsageError(
        f"{store.name} was made by a newer version",
        code="STORE_SCHEMA_NEW",
        cause=f"its schema is {found or 'not stated'}, this version knows {SCHEMA}",
        hint="pip install --upgrade lineagegate",
    )


def _prepare_directory(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = path.parent / ".gitignore"
        if path.parent.name == ".lineage" and not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the directory of the store, {path.parent}, cannot be written",
            code="STORE_UNREACHABLE",
            cause=str(error),
            hint="set `store` in lineage.toml to a place that can be written",
        ) from None


def damaged(cause: str) -> CannotDecide:
    """What a reader raises when a row that must be there is not (law 10)."""
    return CannotDecide(
        "the store is damaged, so nothing can be said from it",
        code="GRAPH_DAMAGED",
        cause=cause,
        hint="restore the store from a backup",
    )


def headless(store: Store) -> LineageError:
    """What a reader raises when it finds no head row: the schema changed since the store was opened, or it is damaged.

    Rows of a schema that this code does not know are neither read nor added to.
    """
    if store.schema() is not None:
        try:
            _check_schema(store)
        except UsageError as changed:
            return changed
    return damaged("the head row is missing")
