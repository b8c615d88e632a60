"""One writer for many who have something to record: what waits is committed together, and each is answered.

A commit that is durable costs milliseconds, recording an event a tenth of one: so eight callers at once wait for one
commit and not for eight. Reading an event is the caller's work and happens in his thread; what cannot be read never
waits. What is answered is durable. What was not answered may be sent again: an event is known by its bytes and counted
once, whoever sends it how often, and also when the database went away in the middle of a commit.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from lineage.errors import LineageError
from lineage.events import Event
from lineage.events.foreign import receive
from lineage.graph import Graph

T = TypeVar("T")

MOST_TOGETHER = 1_000
"""Events in one commit: beyond, waiting for the others costs more than the commit."""
MOST_WORKS = 50
"""Other writes in one commit: each takes about a millisecond, and the first waits for the last."""
MOST_WAITING_BYTES = 64_000_000
"""Bytes that wait at most, whatever their number."""
_LOST = ("STORE_UNREACHABLE", "STORE_CLOSED")
"""The connection is gone: a new one is made and what was under way is done again."""
_AGAIN = (0.0, 0.2, 1.0, 3.0)
"""Seconds before each new connection; then everybody who waits is told."""


class Warning_(NamedTuple):  # noqa: N801 - Python has a Warning of its own
    """Something about an event that breaks the standard, or was read otherwise than written."""

    event: int
    """Its place in what was handed in."""
    text: str
    """A sentence without a full stop."""


class Receipt(NamedTuple):
    """What became of the events that one caller handed in. They are durable."""

    recorded: int
    """Entries made of them."""
    known: int
    """Those that had been received before, byte for byte."""
    warnings: tuple[Warning_, ...]
    position: int
    """Entries of the ledger after them."""


@dataclass
class _Waiting:
    """What one caller handed in."""

    future: Future[Any]
    events: list[tuple[bytes, Event]] = field(default_factory=list)
    warnings: tuple[Warning_, ...] = ()
    size: int = 0
    work: Callable[[Graph], Any] | None = None

    @property
    def weight(self) -> int:
        return len(self.events) or 1


class Intake:
    """See the module.

    Args:
        open_graph: opens the graph that is written to, for the writer alone; asked again when its connection is lost.
        most_waiting: events (and other writes) that may wait; beyond, callers are refused.
    """

    def __init__(self, open_graph: Callable[[], Graph], *, most_waiting: int = 10_000) -> None:
        self._open_graph = open_graph
        self._most = most_waiting
        self._queue: deque[_Waiting] = deque()
        self._weight = 0
        self._size = 0
        self._changed = threading.Condition()
        self._accepting = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._graph: Graph | None = None

    @property
    def waiting(self) -> int:
        """Events and other writes that wait for the writer."""
        return self._weight

    @property
    def running(self) -> bool:
        """Whether something can be handed in."""
        return self._accepting and self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Open the graph and begin.

        Raises:
            LineageError: the graph cannot be opened.
        """
        self._graph = self._open_graph()
        self._thread = threading.Thread(target=self._run, name="lineagegate-intake", daemon=True)
        self._accepting = True
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Take nothing more, record what waits, and close the graph.

        Args:
            timeout: seconds to record in; who still waits then is refused (``STOPPING``), and may send again.
        """
        with self._changed:
            self._accepting = False
            self._stopping = True
            self._changed.notify_all()
        if self._thread is None:
            return
        self._thread.join(timeout)
        with self._changed:
            left = self._emptied()
        for item in left:
            _fail(item, _stopping())

    def _emptied(self) -> list[_Waiting]:
        left = list(self._queue)
        self._queue.clear()
        self._weight = self._size = 0
        return left

    def submit(self, events: Sequence[bytes], *, by: str = "", trusted: bool = False) -> Future[Receipt]:
        """Have events recorded, all or none of them.

        Args:
            events: each the JSON of one OpenLineage event.
            by: who hands them in, where that is known.
            trusted: they were made by us and may be acts (`lineage.events.foreign.receive`).

        Returns:
            The receipt, once they are durable.

        Raises:
            UsageError: ``EVENT_INVALID`` or ``ACT_REFUSED``, naming the event's place in the list.
            LineageError: ``BUSY``, too much waits; ``STOPPING``. Nothing of the list is recorded then.
        """
        taken = []
        warnings = []
        for index, data in enumerate(events):
            try:
                received = receive(data, by=by, trusted=trusted)
            except LineageError as error:
                raise _of_event(error, index, len(events)) from None
            taken.append((data, received.event))
            warnings += [Warning_(index, text) for text in received.warnings]
        return self._put(_Waiting(Future(), taken, tuple(warnings), sum(map(len, events))))

    def do(self, work: Callable[[Graph], T]) -> Future[T]:
        """Have something else done to the graph by the one writer: a decision, a grant, a declaration.

        It is done in its turn, and committed with those that wait behind it: it sees what was recorded before it, and
        is answered once it is durable. What it raises reaches the caller, and undoes nothing else; it is not tried a
        second time.

        Raises:
            LineageError: ``BUSY`` or ``STOPPING``.
        """
        return self._put(_Waiting(Future(), work=work))

    def _put(self, item: _Waiting) -> Future[Any]:
        with self._changed:
            if not self._accepting:
                raise _stopping()
            full = self._weight + item.weight > self._most or self._size + item.size > MOST_WAITING_BYTES
            if full and self._queue:  # what is too much by itself is taken when nothing else waits
                raise LineageError(
                    "too much waits to be recorded",
                    code="BUSY",
                    cause=f"{self._weight:,} events and other writes wait for the database",
                    hint="send it again in a few seconds; nothing of it was recorded",
                )
            self._queue.append(item)
            self._weight += item.weight
            self._size += item.size
            self._changed.notify()
        return item.future

    # the writer's thread

    def _run(self) -> None:
        try:
            while group := self._next():
                self._serve(group)
        finally:
            with self._changed:
                self._accepting = False  # also when it ends for a reason that nobody foresaw
                left = self._emptied()
            for item in left:
                _fail(item, _stopping())
            if self._graph is not None:
                self._graph.close()
                self._graph = None

    def _next(self) -> list[_Waiting]:
        """What is done in one transaction: events of as many callers as wait, or other writes; empty: the end."""
        with self._changed:
            while not self._queue:
                if self._stopping:
                    return []
                self._changed.wait()
            group: list[_Waiting] = []
            weight = 0
            most = MOST_WORKS if self._queue[0].work else MOST_TOGETHER
            while self._queue and (not group or weight + self._queue[0].weight <= most):
                if group and bool(group[0].work) is not bool(self._queue[0].work):
                    break
                item = self._queue.popleft()
                weight += item.weight
                self._weight -= item.weight
                self._size -= item.size
                group.append(item)
            return group

    def _serve(self, group: list[_Waiting]) -> None:
        group = [item for item in group if item.future.set_running_or_notify_cancel()]
        if not group:
            return
        try:
            if group[0].work is not None:
                self._do(group)
            else:
                self._record(group)
        except BaseException as error:
            for item in group:
                _fail(item, error)
            if not isinstance(error, Exception):
                raise

    def _do(self, group: list[_Waiting]) -> None:
        """Do other writes in one transaction; one that fails fails alone, and each is answered when all are durable."""
        self._connected()
        graph = self._opened()
        found: list[Any] = [None] * len(group)

        def work_of(index: int, work: Callable[[Graph], Any]) -> Callable[[], None]:
            def run() -> None:
                found[index] = work(graph)

            return run

        works = [work_of(index, item.work) for index, item in enumerate(group) if item.work is not None]
        failed = graph.together(works)
        for item, answer, error in zip(group, found, failed, strict=True):
            if error is None:
                item.future.set_result(answer)
            else:
                _fail(item, error)

    def _record(self, group: list[_Waiting]) -> None:
        """Record what some callers handed in; what makes it fail is found and fails alone."""
        try:
            position, new = self._try([event for item in group for event in item.events])
        except LineageError as error:
            if len(group) == 1 or error.code.startswith(("STORE_", "CLOCK_")):
                raise
            self._apart(group)
            return
        except Exception:
            if len(group) == 1:
                raise
            self._apart(group)
            return
        at = 0
        for item in group:
            recorded = sum(new[at : at + len(item.events)])
            at += len(item.events)
            item.future.set_result(Receipt(recorded, len(item.events) - recorded, item.warnings, position))

    def _apart(self, group: list[_Waiting]) -> None:
        """Halve a group that cannot be recorded together."""
        middle = len(group) // 2
        for part in (group[:middle], group[middle:]):
            try:
                self._record(part)
            except Exception as error:
                for item in part:
                    _fail(item, error)

    def _try(self, events: list[tuple[bytes, Event]]) -> tuple[int, list[bool]]:
        """Record in one transaction; over a new connection when the old one is lost, for what arrived is known."""
        for pause in _AGAIN:
            try:
                return self._opened().receive(events)
            except LineageError as error:
                if error.code not in _LOST:
                    raise
                self._reopen(pause)
        return self._opened().receive(events)

    def _connected(self) -> None:
        """Make sure of the connection before something is done that cannot be done twice."""
        for pause in _AGAIN:
            try:
                self._opened().position()
                return
            except LineageError as error:
                if error.code not in _LOST:
                    raise
                self._reopen(pause)

    def _opened(self) -> Graph:
        if self._graph is None:
            self._graph = self._open_graph()
        return self._graph

    def _reopen(self, pause: float) -> None:
        """Let go of a connection that is lost; the next use makes a new one."""
        if self._graph is not None:
            with suppress(LineageError):
                self._graph.close()
            self._graph = None
        with self._changed:
            stopping = self._stopping
        if not stopping:
            time.sleep(pause)


def _fail(item: _Waiting, error: BaseException) -> None:
    if not item.future.done():
        item.future.set_exception(error)


def _of_event(error: LineageError, index: int, count: int) -> LineageError:
    """The error of one event of a list."""
    if count > 1:
        error.message = f"event {index} of {count} cannot be recorded, so none of them was"
    return error


def _stopping() -> LineageError:
    return LineageError(
        "the record takes nothing more: it is being closed",
        code="STOPPING",
        hint="send it again when the server is back; nothing of it was recorded",
    )
