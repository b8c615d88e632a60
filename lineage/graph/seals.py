"""What lies beside the entries to prove them by: checkpoints, leaf hashes, and what is kept once and for all.

Rows and hashes only; who signs and who is asked for a timestamp is `lineage.gate.seal`'s, what is proven by them
`lineage.graph.verify`'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lineage.ledger import leaf_hash, unpack
from lineage.store import Store
from lineage.store.store import damaged

if TYPE_CHECKING:
    from lineage.graph.verify import Expected, Told, Tree


class StoredCheckpoint(NamedTuple):
    """A row of the table `checkpoint`."""

    position: int
    """Number of entries that it seals."""
    recorded: int
    """When it was made, microseconds since 1970 in UTC."""
    note: str
    """The signed note."""
    timestamp: bytes
    """Answer of a timestamp authority over the note's bytes (RFC 3161, TimeStampResp in DER); empty where none was
    asked."""


_COLUMNS = "SELECT position, recorded, note, timestamp FROM checkpoint"


class Seals:
    """See the module.

    Args:
        store: an open store, outside of any transaction or in one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self) -> StoredCheckpoint | None:
        """The checkpoint that seals most."""
        with self._store.lock:
            self._store.check()
            row = self._store.one(f"{_COLUMNS} ORDER BY position DESC LIMIT 1")
        return None if row is None else _stored(*row)

    def over(self, position: int) -> StoredCheckpoint | None:
        """The checkpoint that seals at least so many entries and as few more as may be."""
        with self._store.lock:
            self._store.check()
            row = self._store.one(f"{_COLUMNS} WHERE position >= ? ORDER BY position LIMIT 1", (position,))
        return None if row is None else _stored(*row)

    def naming_keys(self, position: int) -> list[StoredCheckpoint]:
        """The checkpoints over at most so many entries that vouch for keys, the one that seals least first."""
        with self._store.lock:
            self._store.check()
            found = self._store.rows(
                f"{_COLUMNS} WHERE position <= ? AND note LIKE ? ORDER BY position", (position, "%\nkey %")
            )
        return [_stored(*row) for row in found]

    def all(self) -> list[StoredCheckpoint]:
        """Every checkpoint, the one that seals least first."""
        with self._store.lock:
            self._store.check()
            return [_stored(*row) for row in self._store.rows(f"{_COLUMNS} ORDER BY position")]

    def leaves(self, start: int = 0, end: int | None = None) -> Generator[bytes]:
        """Leaf hashes of the entries from ``start`` (included) to ``end`` (not included), computed from their bytes.

        Close it (`contextlib.closing`) when it may not be read to its end: until then it holds the store's lock.

        Raises:
            CannotDecide: ``LEDGER_DAMAGED``, an entry cannot be read.
        """
        with self._store.lock:
            self._store.check()
            for first, _, _, body in self._store.entries(start, end):
                for i, data in enumerate(unpack(bytes(body)), first):
                    if i >= start and (end is None or i < end):
                        yield leaf_hash(data)

    def entry(self, position: int) -> tuple[bytes, int]:
        """(exact bytes, time it was recorded) of an entry.

        Raises:
            CannotDecide: ``GRAPH_DAMAGED``, it is not there; ``LEDGER_DAMAGED``, it cannot be read.
        """
        with self._store.lock:
            self._store.check()
            for first, _, recorded, body in self._store.entries(position, position + 1):
                events = unpack(bytes(body))
                if 0 <= position - first < len(events):
                    return events[position - first], recorded
        raise damaged(f"entry {position} of the ledger is missing")

    def entries(self, start: int, end: int) -> list[bytes]:
        """Exact bytes of the entries from ``start`` (included) to ``end`` (not included), all of them there.

        Raises:
            CannotDecide: ``GRAPH_DAMAGED``, one is missing; ``LEDGER_DAMAGED``, one cannot be read.
        """
        found: list[bytes] = []
        with self._store.lock:
            self._store.check()
            for first, _, _, body in self._store.entries(start, end):
                found += [data for i, data in enumerate(unpack(bytes(body)), first) if start <= i < end]
        if len(found) != end - start:
            raise damaged(f"entries between {start} and {end} of the ledger are missing")
        return found

    def stamp(self, position: int, note: str, timestamp: bytes) -> None:
        """Keep a timestamp over a checkpoint's note, if that is still the note there."""
        with self._store.write():
            self._store.execute(
                "UPDATE checkpoint SET timestamp = ? WHERE position = ? AND note = ?", (timestamp, position, note)
            )

    def settle(self, key: str, value: str) -> str:
        """What is kept under a key; where nothing is, this value from now on, whoever else asks at the same time."""
        with self._store.write():
            self._store.execute("INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (key, value))
            row = self._store.one("SELECT value FROM state WHERE key = ?", (key,))
        return value if row is None else str(row[0])

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self._store.write():
            self._store.execute(
                "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )

    def kept(self, prefix: str) -> dict[str, str]:
        """What is kept under keys that begin so, by the rest of the key."""
        with self._store.lock:
            self._store.check()
            found = self._store.rows("SELECT key, value FROM state WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))
        return {str(key)[len(prefix) :]: str(value) for key, value in found}

    def check(
        self,
        expected: Sequence[Expected],
        hashes: Sequence[tuple[str, Iterator[bytes]]],
        told: Told,
        *,
        tree_only: bool = False,
    ) -> Tree:
        """Recompute the tree, and the graph unless ``tree_only``; see `lineage.graph.verify`."""
        from lineage.graph.verify import check_decisions, check_graph, check_tree

        with self._store.read():
            tree = check_tree(self._store, expected, hashes, told)
            if tree_only or not tree.whole:
                return tree
            found = (*check_decisions(self._store), *check_graph(self._store, tree.size, told))
        return tree._replace(deviations=tree.deviations + found)


def _stored(position: int, recorded: int, note: str, timestamp: bytes) -> StoredCheckpoint:
    return StoredCheckpoint(position, recorded, note, bytes(timestamp))
