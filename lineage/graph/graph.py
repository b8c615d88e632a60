"""The graph: events go in, questions are answered. One transaction each.

Everything said here is computed from the ledger's entries; the rows beside them are kept up to date in the same
transaction as the entry (laws 4, 10). `View` and `Answers` read; here is the one way to write.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

from lineage.errors import LineageError, UsageError
from lineage.events import Event
from lineage.events.event import read
from lineage.events.facets import PRODUCER
from lineage.graph import rows
from lineage.graph.answers import Answers
from lineage.graph.asof import partial, replay, whole
from lineage.graph.closure import entries_upto
from lineage.graph.project import Projection
from lineage.graph.working import Working
from lineage.graph.write import flush, put_chunk
from lineage.ledger import CHUNK, Frontier, happened, leaf_hash, recording_time
from lineage.ledger.clock import microseconds
from lineage.store import Store
from lineage.store.store import damaged
from lineage.vocabulary import (
    Artifact,
)

Signer = Callable[[int, bytes, int], str]
"""Makes the signed note of a checkpoint, of (number of entries, root of their tree, time in microseconds UTC)."""


class Graph(Answers):
    """The questions and the one way to write.

    Args:
        store: an open store; the graph uses it alone.
        accept_clock: record although the clock went back (``[ledger] accept_clock``).
    """

    def __init__(self, store: Store, *, accept_clock: bool = False) -> None:
        super().__init__(store)
        self._accept_clock = accept_clock or os.environ.get("LINEAGE_ACCEPT_CLOCK") == "1"
        self._afterwards: list[Callable[[], None]] = []  # `once_durable`

    def record(
        self,
        events: Sequence[bytes],
        state: Mapping[str, str] | None = None,
        *,
        now: datetime | None = None,
        seal: Signer | None = None,
        then: Callable[[], Sequence[bytes]] | None = None,
    ) -> int:
        """Record events: ledger entries, what follows from them, and ``state``, all or nothing, durably.

        Args:
            events: the exact bytes of OpenLineage events.
            state: keys and values to keep beside (cursors of pipelines).
            now: the recording time; default: the clock.
            seal: signs a checkpoint over everything up to these entries, which is kept with them or not at all.
            then: asked for further events once these are in. It may ask this graph, which answers as if they were
                recorded; nobody else writes in between. What it raises undoes everything.

        Returns:
            Number of entries after them.

        Raises:
            UsageError: ``EVENT_INVALID`` naming the event's index, ``CLOCK_WENT_BACK``, ``STORE_BUSY``; then nothing
                changed.
        """
        time = microseconds(now or datetime.now(timezone.utc))
        with self._store.lock, _no_collection(len(events)):
            incoming = [(data, _checked(data, i), time) for i, data in enumerate(events)]
            return self._write(lambda _: incoming, state or {}, seal, time, then)

    def receive(self, events: Sequence[tuple[bytes, Event]], *, now: datetime | None = None) -> tuple[int, list[bool]]:
        """Record those of some events that were not received before, all or nothing, durably.

        What was received is known by its exact bytes, so that whoever does not know whether an event arrived sends it
        again (law 3). What `record` recorded is not looked at.

        Args:
            events: exact bytes, and what `lineage.events.read` made of them.
            now: the recording time; default: the clock.

        Returns:
            Number of entries after them; of each event whether it is recorded now.

        Raises:
            UsageError: ``EVENT_INVALID``, ``CLOCK_WENT_BACK``, ``STORE_BUSY``; then nothing changed.
        """
        time = microseconds(now or datetime.now(timezone.utc))
        new: list[bool] = []

        def unknown(working: Working) -> list[tuple[bytes, Event, int]]:
            keys = [leaf_hash(data)[:16] for data, _ in events]
            known = self._received(working, {key: data for key, (data, _) in zip(keys, events, strict=True)})
            position = working.head.position
            incoming: list[tuple[bytes, Event, int]] = []
            for key, (data, event) in zip(keys, events, strict=True):
                new.append(key not in known)
                if key not in known:
                    known.add(key)
                    working.pending[rows.PUT_RECEIVED].append((key, position + len(incoming)))
                    incoming.append((data, event, time))
            return incoming

        with self._store.lock, _no_collection(len(events)):
            return self._write(unknown, {}), new

    def _received(self, working: Working, asked: Mapping[bytes, bytes]) -> set[bytes]:
        """Keys of the events that are recorded. The entry decides: a row alone makes no event known."""
        known = set()
        for key, position in working.store.lookup(rows.RECEIVED, list(asked)):
            key = bytes(key)
            if working.entry(position)[0] != asked[key]:
                raise damaged(f"entry {position} is not the event that was received")
            known.add(key)
        return known

    def _write(
        self,
        incoming: Callable[[Working], Sequence[tuple[bytes, Event, int]]],
        state: Mapping[str, str],
        seal: Signer | None = None,
        time: int = 0,
        then: Callable[[], Sequence[bytes]] | None = None,
    ) -> int:
        store = self._store
        try:
            with store.write():
                working = self._view()
                self._append(working, incoming(working))
                if then is not None:
                    flush(working)
                    working.changed()
                    self._append(working, [(data, _checked(data, i), time) for i, data in enumerate(then())])
                working.pending[rows.PUT_STATE] += state.items()
                if seal is not None:
                    head = working.head
                    # what is recorded after a checkpoint has no earlier time than it: back-dating shows
                    head.recorded = recording_time(head.recorded, time, accept=self._accept_clock)
                    root = Frontier(head.position, head.frontier).root()
                    note = seal(head.position, root, head.recorded)
                    working.pending[rows.PUT_CHECKPOINT].append((head.position, head.recorded, note, b""))
                flush(working)
        except BaseException:
            self._forget()
            raise
        working.changed()
        working.trim()
        return working.head.position

    def together(self, works: Sequence[Callable[[], None]]) -> list[BaseException | None]:
        """Do several things that record, in one transaction: durable when this returns, each of them or none of it.

        Args:
            works: each is done alone and in this order, and sees what those before it recorded.

        Returns:
            For each what it raised; then nothing of it is recorded. None: it is recorded.

        Raises:
            LineageError: the transaction failed as a whole, and nothing at all is recorded.
        """
        failed: list[BaseException | None] = []
        with self._store.lock:
            try:
                with self._store.write():
                    for work in works:
                        try:
                            with self._store.write():
                                work()
                            failed.append(None)
                        except Exception as error:
                            self._forget()
                            failed.append(error)
            except BaseException:
                self._afterwards.clear()
                self._forget()
                raise
            self._settle()
        return failed

    def once_durable(self, work: Callable[[], None]) -> None:
        """Do something that is not in the database once what was recorded is durable: now, or after `together`."""
        with self._store.lock:
            self._afterwards.append(work)
            if not self._store.writing:
                self._settle()

    def _settle(self) -> None:
        while self._afterwards:
            self._afterwards.pop(0)()

    def _append(self, working: Working, incoming: Sequence[tuple[bytes, Event, int]]) -> None:
        """Put entries at the end, and what follows from them into the rows in memory."""
        if not incoming:
            return
        head = working.head
        frontier = Frontier(head.position, head.frontier)
        start = head.position
        chunk: list[bytes] = []
        for data, _, time in incoming:
            now = recording_time(head.recorded, time, accept=self._accept_clock)
            if chunk and (now != head.recorded or len(chunk) == CHUNK):
                put_chunk(working, chunk)
                chunk = []
            head.recorded = now
            chunk.append(data)
            frontier.append(leaf_hash(data))
            head.position += 1
        put_chunk(working, chunk)
        head.frontier = frontier.pack()
        Projection(working).apply([(start + i, event) for i, (_, event, _) in enumerate(incoming)])

    def as_of(
        self,
        *,
        happened: datetime | None = None,
        recorded: datetime | None = None,
        about: Iterable[Artifact] | None = None,
        downstream: bool = False,
    ) -> Graph:
        """The graph as it was: computed from the ledger's entries alone (law 11). Close it when done.

        Positions in it are those of the ledger. With ``about`` only the entries that such questions rest on are read,
        and other questions are refused: `labels`, `paths`, `sources`, `tags` of these very artifacts, `find`,
        `versions` and `names` of their names, decisions and changes of their models; every grant, removal, correction
        and policy.

        Args:
            happened: only events whose own time is not after this.
            recorded: only entries recorded not after this.
            about: what will be asked about; None: anything. Without any artifact every act, and nothing else. One
                without content stands for its name.
            downstream: `impact` of these artifacts is asked too.
        """
        until = None if happened is None else microseconds(happened)
        with self._store.read():
            working = self._view()
            upto = working.head.position if recorded is None else entries_upto(working, microseconds(recorded))
            if about is None:
                return Graph(replay(whole(self._store, upto, until), upto))
            found, covered = partial(working, list(about), upto, until, downstream)
            past = Graph(replay(found, upto))
        past._covered = covered
        return past


@contextmanager
def _no_collection(events: int) -> Iterator[None]:
    """Keep the cycle collector out of a batch: it makes many small objects and no cycles (a quarter of the time)."""
    if events < 50 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _checked(data: bytes, index: int) -> Event:
    """An event that can be recorded."""
    try:
        event = read(data)
        if b"\\u0000" in data and _NUL.search(data):  # the plain search first: it is ten times as fast
            raise UsageError("", cause="it holds a NUL character")
        moment = happened(event.time)
        if not moment.zoned and event.producer == PRODUCER:
            raise UsageError("", cause=f"eventTime {event.time!r} names no zone")
    except ValueError as error:
        raise _invalid(index, str(error)) from None
    except LineageError as error:
        raise _invalid(index, error.cause) from None
    return event


def _invalid(index: int, cause: str) -> UsageError:
    return UsageError(
        f"event {index} cannot be recorded, so none was",
        code="EVENT_INVALID",
        cause=cause,
        hint="see docs/reference/events.md for the fields that are read",
    )
