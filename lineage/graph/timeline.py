"""What happened when, for looking at: events of runs by the time they state, and how much was known when.

Rests on the table `run_event`, which `lineage.graph.jobs` keeps up to date when somebody looks. No verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from lineage.graph.write import head_of
from lineage.store import Insert, Store

TYPES = ("", "START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
"""Types of events by number; their order is part of the stored format. 0 is whatever else a producer wrote."""

PUT_EVENT = Insert("run_event", ("happened", "entry", "type"), ("bigint",) * 3, "ON CONFLICT DO NOTHING")

_FIRST_ENTRIES = {
    "jobs": "SELECT first FROM job",
    "datasets": "SELECT entry FROM dataset",
    "sources": "SELECT min(entry) FROM dataset GROUP BY namespace",
}
Things = Literal["jobs", "datasets", "sources"]


def type_number(text: str) -> int:
    """The number of an event's type, whatever its case."""
    upper = text.upper()
    return TYPES.index(upper) if upper in TYPES else 0


class Timeline:
    """See the module. Times are microseconds UTC.

    Args:
        store: an open store, outside of any transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self, after: int, before: int, *, newest: bool, offset: int, limit: int) -> tuple[int, list[int]]:
        """Events of runs by when they happened.

        Args:
            after: the time of the first that is meant.
            before: a time that none of them reaches.
            newest: the last one first.
            offset: how many are left out.
            limit: how many are given at most.

        Returns:
            How many there are, and the entries of some of them.
        """
        within = "FROM run_event WHERE happened >= ? AND happened < ?"
        order = "happened DESC, entry DESC" if newest else "happened, entry"
        with self._store.read():
            count = self._store.one(f"SELECT count(*) {within}", (after, before))
            found = self._store.rows(
                f"SELECT entry {within} ORDER BY {order} LIMIT ? OFFSET ?", (after, before, limit, offset)
            )
            return int(count[0]) if count else 0, [int(entry) for (entry,) in found]

    def types(self, edges: Sequence[int]) -> list[dict[str, int]]:
        """How many events of which type happened between each two times that follow one another."""
        sql = "SELECT type, count(*) FROM run_event WHERE happened >= ? AND happened < ? GROUP BY type"
        with self._store.read():
            return [
                {TYPES[number]: int(count) for number, count in self._store.rows(sql, between)}
                for between in pairwise(edges)
            ]

    def known(self, things: Things, times: Iterable[int]) -> list[int]:
        """How many jobs, datasets or sources were recorded before each time. Times ascend."""
        with self._store.read():
            entries = sorted(int(entry) for (entry,) in self._store.rows(_FIRST_ENTRIES[things], ()))
            counts = []
            at = start = 0
            for time in times:
                start = self._entries_before(time, start)
                while at < len(entries) and entries[at] < start:
                    at += 1
                counts.append(at)
            return counts

    def _entries_before(self, time: int, low: int) -> int:
        """How many entries were recorded before a time, at least ``low``: the recording clock never runs backwards."""
        high = head_of(self._store).position
        while low < high:
            middle = (low + high) // 2
            row = self._store.one(
                "SELECT position, count, recorded FROM entry WHERE position <= ? ORDER BY position DESC LIMIT 1",
                (middle,),
            )
            assert row is not None
            if row[2] < time:
                low = row[0] + row[1]
            else:
                high = row[0]
        return low
