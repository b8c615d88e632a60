"""A store in a PostgreSQL database: one writer at a time by an advisory lock that ends with its transaction.

A batch is a few round trips: keys go as one array, rows as one array a column (``unnest``). Statements are prepared
once a connection. The driver is pg8000 (BSD); psycopg is LGPL.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.store.store import VERSIONS, Insert, Lookup, Row, Store

try:
    import pg8000.dbapi
    import pg8000.native
except ImportError as error:
    raise UsageError(
        "the driver for PostgreSQL is not installed",
        code="STORE_UNREACHABLE",
        cause=str(error),
        hint="pip install 'lineagegate[postgresql]'",
    ) from None

WRITER_LOCK = 7_236_837_411
"""Number of the advisory lock that a writer holds, schema changes included."""
BUSY_SECONDS = 30
_CHUNK = 5_000
_FEW = 500
"""Rows of any size in memory at once: one of entries may have some hundred kilobytes."""


def parameters(url: str) -> dict[str, Any]:
    """What the driver needs of a ``postgresql://user:password@host:port/database?host=…&sslmode=…`` address.

    ``host`` as a query may be a directory: the socket in it is used. ``sslmode`` ``require`` and stricter ones verify
    the server's certificate.

    Raises:
        UsageError: ``STORE_UNREACHABLE``, it is not such an address.
    """
    try:
        parts = urlsplit(url)
        query = {k: v[-1] for k, v in parse_qs(parts.query).items()}
        port = parts.port or int(query.get("port", 5432))
    except ValueError as error:
        raise UsageError(
            "the address of the store cannot be read",
            code="STORE_UNREACHABLE",
            cause=str(error),
            hint="it is postgresql://user@host:port/database",
        ) from None
    host = query.get("host") or parts.hostname or "localhost"
    found: dict[str, Any] = {
        "user": unquote(parts.username or query.get("user", "")) or "postgres",
        "password": unquote(parts.password) if parts.password else None,
        "database": unquote(parts.path.lstrip("/")) or None,
        "timeout": None,
        "application_name": "lineagegate",
    }
    if host.startswith("/"):
        found["unix_sock"] = f"{host}/.s.PGSQL.{port}"
    else:
        found |= {"host": host, "port": port}
    if query.get("sslmode") in ("require", "verify-ca", "verify-full"):
        found["ssl_context"] = ssl.create_default_context()
    return found


def connect(url: str) -> Any:
    """A DB-API connection, for SQLAlchemy.

    Raises:
        UsageError: ``STORE_UNREACHABLE``.
    """
    try:
        return pg8000.dbapi.connect(**parameters(url))
    except (pg8000.dbapi.Error, OSError) as error:
        raise _unreachable(url, error) from None


def plain(url: str) -> str:
    """An address without its password."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@", 1)).geturl()


class PostgresqlStore(Store):
    """See `Store`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._prepared: dict[str, Any] = {}
        self._texts: dict[Insert | Lookup, str] = {}
        self._inside = False
        try:
            self._connection = pg8000.native.Connection(**parameters(url))
            self._connection.run("SET synchronous_commit = on")
            self._connection.run(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        except (pg8000.native.Error, OSError) as error:
            raise _unreachable(url, error) from None

    @property
    def name(self) -> str:
        return plain(self.url)

    def schema(self) -> str | None:
        row = self.one(f"SELECT to_regclass('{VERSIONS}') IS NOT NULL")
        if not row or not row[0]:
            return None
        row = self.one(f"SELECT version_num FROM {VERSIONS}")  # noqa: S608 - a constant
        return str(row[0]) if row else ""

    def _run(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        try:
            statement = self._prepared.get(sql)
            if statement is None:
                head, *rest = sql.split("?")
                text = head + "".join(f":p{i}{part}" for i, part in enumerate(rest))
                statement = self._prepared[sql] = self._connection.prepare(text)
            rows = statement.run(**{f"p{i}": value for i, value in enumerate(args)})
        except (pg8000.native.Error, OSError) as error:
            raise self._translated(error) from None
        return rows or []

    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        rows = self._run(sql, args)
        return rows[0] if rows else None

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        return self._run(sql, args)

    def execute(self, sql: str, args: Sequence[Any] = ()) -> None:
        self._run(sql, args)

    def lookup(self, query: Lookup, keys: Sequence[Any]) -> list[Row]:
        sql = self._texts.get(query)
        if sql is None:
            sql = self._texts[query] = query.sql(f"= ANY(CAST(? AS {query.type}[]))")
        found: list[Row] = []
        for start in range(0, len(keys), _CHUNK):
            found += self._run(sql, (_array(keys[start : start + _CHUNK], query.type),))
        return found

    def insert(self, into: Insert, rows: Sequence[Row]) -> None:
        sql = self._texts.get(into)
        if sql is None:
            arrays = ", ".join(f"CAST(? AS {kind}[])" for kind in into.types)
            names = ", ".join(into.columns)
            sql = f"INSERT INTO {into.table} ({names}) SELECT * FROM unnest({arrays}) {into.conflict}"  # noqa: S608
            self._texts[into] = sql
        for start in range(0, len(rows), _CHUNK):
            columns = zip(*rows[start : start + _CHUNK], strict=True)
            self._run(sql, [_array(c, kind) for c, kind in zip(columns, into.types, strict=True)])

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Row]:
        sql = (
            "SELECT position, count, recorded, body FROM entry WHERE position + count > ? AND position < ? "
            "ORDER BY position LIMIT 500"
        )
        while rows := self._run(sql, (start, 2**62 if end is None else end)):
            yield from rows
            start = rows[-1][0] + rows[-1][1]

    def scan(self, sql: str) -> Iterator[Row]:
        self._native(f"DECLARE scan CURSOR FOR {sql}")
        while rows := self._native(f"FETCH {_FEW} FROM scan"):
            yield from map(tuple, rows)
        self._native("CLOSE scan")

    def _native(self, sql: str) -> list[Row]:
        try:
            return self._connection.run(sql) or []
        except (pg8000.native.Error, OSError) as error:
            raise self._translated(error) from None

    def there(self) -> None:
        """A connection is to one database until it ends."""

    def _begin(self, write: bool) -> None:
        try:
            self._inside = True
            if write:
                self._connection.run("BEGIN")
                self._connection.run(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
            else:
                self._connection.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        except (pg8000.native.Error, OSError) as error:
            self._rollback()
            raise self._translated(error) from None

    def _commit(self) -> None:
        self._inside = False
        try:
            self._connection.run("COMMIT")
        except (pg8000.native.Error, OSError) as error:
            raise self._translated(error) from None

    def _rollback(self) -> None:
        if self._inside:
            self._inside = False
            try:
                self._connection.run("ROLLBACK")
            except (pg8000.native.Error, OSError):
                self._open = False  # the connection is gone, and with it the transaction

    def _close(self) -> None:
        try:
            self._connection.close()
        except (pg8000.native.Error, OSError):
            return  # it was gone already

    def _translated(self, error: Exception) -> LineageError:
        detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code, text = detail.get("C", ""), detail.get("M", str(error))
        if code in ("55P03", "40001", "40P01", "57014"):
            return UsageError(
                f"{self.name} is in use",
                code="STORE_BUSY",
                cause=f"another process kept it locked for {BUSY_SECONDS} s ({text})",
                hint="try again when the other process is done; nothing was changed",
            )
        if not code or code.startswith(("08", "53", "57P", "25006")):
            return _unreachable(self.url, error)
        return CannotDecide(
            f"{self.name} is damaged or not a lineagegate store",
            code="STORE_CORRUPT",
            cause=text,
            hint="restore it from a backup; nothing was changed",
        )


def _unreachable(url: str, error: Exception) -> UsageError:
    detail = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    return UsageError(
        f"the store at {plain(url)} cannot be reached",
        code="STORE_UNREACHABLE",
        cause=str(detail.get("M", error)),
        hint="check that PostgreSQL runs there and lets this user in",
    )


def _array(values: Sequence[Any], kind: str) -> str:
    """The text of an array; formatting it here costs a tenth of what the driver's own way does."""
    if kind == "bytea":
        return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"
    if kind == "bigint":
        return "{" + ",".join(map(str, values)) + "}"
    return "{" + ",".join(['"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values]) + "}"
