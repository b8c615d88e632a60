"""A store copied into a file, and a file back into a store, while others write.

A backup is a store: a SQLite file with every row, whatever database it came from. So it can be verified, asked and
moved like one, and either database takes it back. What was copied is recomputed from the entries before anybody is
told that it is there. Settings, policy and the signing key are files of their own and are not in it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.graph.seals import Seals
from lineage.graph.verify import Deviation, Expected, Tree
from lineage.ledger import note
from lineage.store import Store, create_store, open_store

Told = Callable[[str, int, int], None]


class Copied(NamedTuple):
    """What is there now, recomputed from what was written."""

    store: str
    """The store in the database, for people: without a password."""
    entries: int
    root: bytes
    """Root of the tree over them."""
    checkpoints: int
    """That hold."""
    size: int
    """Bytes of the file."""
    whole: bool
    """Whether every row of the graph was recomputed too."""


def back_up(url: str, file: Path, told: Told) -> Copied:
    """Copy a store into a new file that only this user may read. Writers are not held up.

    What the file holds is one moment's. Its tree is recomputed and must be the store's.

    Args:
        url: of the store.
        file: that is not there yet.
        told: progress.

    Raises:
        UsageError: ``BACKUP_EXISTS``, ``BACKUP_UNWRITABLE``, or the store's; no file is left behind.
        CannotDecide: ``BACKUP_DIFFERS``, the store's entries do not agree with its tree or checkpoints.
    """
    if file.exists():
        raise UsageError(f"{file} is there already", code="BACKUP_EXISTS", hint="name a file that is not there yet")
    with open_store(url) as source:
        try:
            descriptor, name = tempfile.mkstemp(prefix=f".{file.name[:100]}.", dir=file.parent)
        except OSError as error:
            raise _unwritable(file, error) from None
        os.close(descriptor)
        part = Path(name)  # beside it, so that it gets its name at once when it is whole
        try:
            with create_store(name) as target:
                copied = _copy(source, target, told, tree_only=True)
            _one_file(part)
            if file.exists():
                raise FileExistsError(f"{file} came there meanwhile")
            part.replace(file)
            _synced(file.parent)
        except (OSError, sqlite3.Error) as error:
            raise _unwritable(file, error) from None
        finally:
            for left in (part, Path(f"{part}-wal"), Path(f"{part}-shm")):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
    return copied._replace(store=source.name, size=file.stat().st_size)


def restore(file: Path, url: str, told: Told, *, tree_only: bool = False) -> Copied:
    """Make a store of a backup, in a database where none is, or an empty one.

    Everything is recomputed from the entries and compared before it is committed: all of it is there, or nothing.

    Args:
        file: a backup, or any other store in SQLite; of this version or an earlier one. It is not changed.
        url: where to.
        told: progress.
        tree_only: leave the graph out.

    Raises:
        UsageError: ``BACKUP_MISSING``, ``STORE_NOT_EMPTY``, or a store's.
        CannotDecide: ``BACKUP_DIFFERS``, what the file holds does not agree with itself.
    """
    if not file.is_file():
        raise UsageError(f"there is no backup {file}", code="BACKUP_MISSING")
    with _opened(file) as source, create_store(url) as target:
        copied = _copy(source, target, told, tree_only=tree_only)
    return copied._replace(store=target.name, size=file.stat().st_size)


def _copy(source: Store, target: Store, told: Told, *, tree_only: bool) -> Copied:
    from lineage.store.copy import copy_rows  # SQLAlchemy: 0.3 s

    with source.read(), target.write():
        held = target.one("SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM token)")
        if held is None or held[0]:
            raise UsageError(
                f"{target.name} is not empty",
                code="STORE_NOT_EMPTY",
                cause="a backup is brought back into a database of its own, and replaces nothing",
                hint="make a new database, or move the file of the old store away, and set `store` to it",
            )
        copy_rows(source, target)
        tree, checkpoints = _verified(target, told, tree_only=tree_only)
    return Copied("", tree.size, tree.root, checkpoints, 0, not tree_only)


def _verified(target: Store, told: Told, *, tree_only: bool) -> tuple[Tree, int]:
    """What was copied, recomputed. In the transaction, so that what does not hold is never there."""
    seals = Seals(target)
    stored = seals.all()
    expected = []
    for row in stored:
        where = f"the checkpoint of {row.position} entries"
        try:
            said = note.read_checkpoint(note.parse(row.note).text)
        except LineageError as error:
            raise _differs([Deviation(error.code, f"{where} cannot be read: {error.cause}")]) from None
        expected.append(Expected(where, said.size, said.root, row.recorded, False))
    tree = seals.check(expected, (), told, tree_only=tree_only)
    if tree.deviations:
        raise _differs(tree.deviations)
    return tree, len(stored)


def _differs(found: Sequence[Deviation]) -> CannotDecide:
    return CannotDecide(
        "what was copied does not agree with itself, so it was not kept",
        code="BACKUP_DIFFERS",
        cause="\n".join(deviation.message for deviation in found[:5]),
        hint="`lineagegate ledger verify --store FILE` tells everything that is wrong with a store",
    )


def _unwritable(file: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{file} cannot be written",
        code="BACKUP_UNWRITABLE",
        cause=str(error),
        hint="name a file that is not there yet, in a directory that exists and has room",
    )


@contextmanager
def _opened(file: Path) -> Iterator[Store]:
    """A backup as a store of this version; one of an earlier version in a copy that is brought up to date."""
    try:
        source = open_store(str(file.resolve()))
    except UsageError as error:
        if error.code != "STORE_SCHEMA_OLD":
            raise
        with tempfile.TemporaryDirectory(prefix="lineagegate-") as directory:
            copy = Path(directory) / "backup.db"
            shutil.copyfile(file, copy)
            with create_store(str(copy)) as source:
                yield source
        return
    with source:
        yield source


def _one_file(path: Path) -> None:
    """End the write-ahead log: what is carried elsewhere is one file, and on the disk when this returns."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    _synced(path)


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
