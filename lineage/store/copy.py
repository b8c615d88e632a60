"""Every row of one store into another, of either database: what a backup is made and brought back with.

Both have the same schema, so the rows are the same. That they belong together is the caller's to verify
(`lineage.gate.backup`).
"""

from __future__ import annotations

from itertools import islice
from typing import cast

from sqlalchemy import LargeBinary, Table, Text

from lineage.store.store import Insert, Store
from lineage.store.tables import metadata

_ROWS = 500
"""Rows at once: one of entries may have some hundred kilobytes."""


def copy_rows(source: Store, target: Store) -> None:
    """Replace what the target holds by what the source holds.

    Args:
        source: in a read transaction, so that what is written meanwhile is left out whole.
        target: in a write transaction.
    """
    for table in metadata.sorted_tables:
        into = Insert(table.name, tuple(table.columns.keys()), tuple(_types(table)))
        key = ", ".join(column.name for column in table.primary_key.columns)
        target.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own tables
        rows = source.scan(f"SELECT {', '.join(into.columns)} FROM {table.name} ORDER BY {key}")  # noqa: S608
        while part := list(islice(rows, _ROWS)):
            target.insert(into, part)


def _types(table: Table) -> list[str]:
    """PostgreSQL's types of the columns."""
    kinds = {Text: "text", LargeBinary: "bytea"}
    return [kinds.get(cast("type", type(column.type)), "bigint") for column in table.columns]
