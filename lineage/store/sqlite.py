"""A store in one SQLite file: WAL, every commit synced to disk, one writer at a time by SQLite's own lock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.store.store import VERSIONS, Insert, Lookup, Row, Store

BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""
_MANY = 256
"""Keys in one query at most: SQLite sorts them first, so neighbours are found together. A power of two."""
_STATEMENTS = 512
"""Prepared statements kept."""
_CACHE_KIB = 64 * 1024
_CHECKPOINT_PAGES = 16_000
"""Pages (4 KiB) in the write-ahead log before they are carried into the file. Content hashes fall on random pages, so a
page is written by many batches: carrying it over once for all of them is what keeps large stores fast to write."""


class SqliteStore(Store):
    """See `Store`. ``url`` is a path; empty text is a private scratch database, not durable."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        super().__init__(url)
        self._statements: dict[Insert, str] = {}
        self._lookups: dict[tuple[Lookup, int], str] = {}
        try:
            # `rw`: never make an empty file where a store is expected
            self._path = os.path.abspath(url) if url else ""  # noqa: PTH100 - 30 µs less
            target = f"file:{quote(self._path)}?mode=rw" if url else ""
            self._connection = sqlite3.connect(
                target,
                uri=bool(url),
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
            self._file = _file(self._path)
            cursor = self._connection.cursor()
            if durable:
                cursor.execute("PRAGMA synchronous=FULL")  # write-ahead logging is set once, in the file
            else:
                cursor.execute("PRAGMA synchronous=OFF")
                cursor.execute("PRAGMA journal_mode=OFF")
            cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        except sqlite3.Error as error:
            raise translate(error, self.name, opening=True) from None
        self._cursor = cursor

    @property
    def name(self) -> str:
        return self.url or "the scratch store"

    def schema(self) -> str | None:
        try:
            row = self._cursor.execute(f"SELECT version_num FROM {VERSIONS}").fetchone()  # noqa: S608 - a constant
        except sqlite3.Error as error:
            if "no such table" in str(error):
                return None
            raise translate(error, self.name, opening=True) from None
        return str(row[0]) if row else ""

    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        try:
            row: Row | None = self._cursor.execute(sql, args).fetchone()
            if row is not None:
                self._cursor.fetchone()  # ends the statement, so that no read transaction stays open behind it
            return row
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        try:
            return self._cursor.execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def lookup(self, query: Lookup, keys: Sequence[Any]) -> list[Row]:
        found: list[Row] = []
        try:
            for start in range(0, len(keys), _MANY):
                part = keys[start : start + _MANY]
                # a text for each power of two: the last key again and again, which IN looks up once
                width = 1 << (len(part) - 1).bit_length()
                if width > len(part):
                    part = (*part, *[part[-1]] * (width - len(part)))
                sql = self._lookups.get((query, width))
                if sql is None:
                    sql = self._lookups[query, width] = query.sql(f"IN ({', '.join('?' * width)})")
                found += self._cursor.execute(sql, part).fetchall()
        except sqlite3.Error as error:
            raise translate(error, self.name) from None
        return found

    def insert(self, into: Insert, rows: Sequence[Row]) -> None:
        sql = self._statements.get(into)
        if sql is None:
            marks = ", ".join("?" * len(into.columns))
            sql = f"INSERT INTO {into.table} ({', '.join(into.columns)}) VALUES ({marks}) {into.conflict}"  # noqa: S608
            self._statements[into] = sql
        try:
            self._cursor.executemany(sql, rows)
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def execute(self, sql: str, args: Sequence[Any] = ()) -> None:
        try:
            self._cursor.execute(sql, args)
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Row]:
        try:
            yield from self._connection.execute(
                "SELECT position, count, recorded, body FROM entry WHERE position + count > ? AND position < ? "
                "ORDER BY position",
                (start, 2**62 if end is None else end),
            )
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def scan(self, sql: str) -> Iterator[Row]:
        try:
            yield from self._connection.execute(sql)
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def there(self) -> None:
        if self._file != _file(self._path):
            raise UsageError(
                f"{self.name} is no longer the file that was opened",
                code="STORE_UNREACHABLE",
                cause="it was moved, deleted or replaced: what is written to the old one would be lost with it",
                hint="put it back, or restore a backup",
            )

    def _begin(self, write: bool) -> None:
        self.there()
        try:
            self._cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        except sqlite3.Error as error:
            raise translate(error, self.name) from None

    def _commit(self) -> None:
        try:
            self._cursor.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise translate(error, self.name) from None

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            try:
                self._cursor.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise translate(error, self.name) from None

    def _close(self) -> None:
        self._connection.close()


def _file(path: str) -> tuple[int, int] | None:
    """Which file lies at a path, whatever it is called; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - 2 µs less
    except OSError:
        return None
    return found.st_dev, found.st_ino


def translate(error: sqlite3.Error, name: str, *, opening: bool = False) -> LineageError:
    """Our error for one of SQLite's.

    Args:
        error: what the driver raised.
        name: the store, for people.
        opening: whether the store is only just being opened; then a broken file is a matter of configuration.
    """
    if isinstance(error, sqlite3.ProgrammingError):
        raise error  # a mistake in our own code
    text = str(error)
    if "locked" in text or "busy" in text:
        return UsageError(
            f"{name} is in use",
            code="STORE_BUSY",
            cause=f"another process kept it locked for {BUSY_SECONDS:.0f} s ({text})",
            hint="try again when the other process is done; nothing was changed",
        )
    if "unable to open" in text or "readonly" in text or "full" in text or "disk I/O" in text:
        return UsageError(
            f"{name} cannot be opened or written",
            code="STORE_UNREACHABLE",
            cause=text,
            hint="check that the file and its directory can be read and written, and that there is room",
        )
    kind = UsageError if opening else CannotDecide
    return kind(
        f"{name} is damaged or not a lineagegate store",
        code="STORE_CORRUPT",
        cause=text,
        hint="restore it from a backup; nothing was changed",
    )
