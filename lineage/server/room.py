"""What a running server has: the settings, one writer, a few readers of the record, and who may come in.

Everything that is recorded goes through the one `lineage.gate.intake.Intake`, in its thread. Questions are answered
over connections of their own, each used by one request at a time. A server reads no file of a work tree and runs no
pipeline: what it says is what was recorded.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property, partial
from typing import ParamSpec, TypeVar

import msgspec
from fastapi import Request

from lineage.config import Config
from lineage.errors import LineageError
from lineage.events.event import act_event
from lineage.gate import Gate
from lineage.gate.intake import Intake
from lineage.gate.tokens import holder
from lineage.graph import Graph
from lineage.graph.tokens import TokenRow
from lineage.pipeline import Pipeline
from lineage.server.identity import Identity, Vouchers
from lineage.server.rates import Rates, Refusals
from lineage.server.settings import ServerSettings
from lineage.server.telemetry import Metrics
from lineage.vocabulary import Access
from lineage.vocabulary.identifier import new_uuid

P = ParamSpec("P")
T = TypeVar("T")

GONE = ("STORE_UNREACHABLE", "STORE_CLOSED", "STORE_FORKED")
"""Failures after which a connection is not used again."""
WAIT = 10.0
"""Seconds that a question waits for a free reader."""
SHORT = 8
"""Threads for what is short: who asks, what an event says, whether the store is there."""
STOP = 30.0
"""Seconds that what waits to be recorded gets when the server stops."""


class Desk(Gate):
    """The gate as a server has it: no pipelines, and whoever was let in as its user."""

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """None: names are looked up in the record, never on the server's disk."""
        return ()

    def of(self, identity: Identity | None) -> Desk:
        """The same record, asked or written to by somebody."""
        if identity is None:
            return self
        desk = Desk(replace(self.config, user=identity.name), self.graph)
        desk._policy = self._policy
        return desk


class Room:
    """See the module.

    Args:
        config: the settings of the project; its store is made and up to date.
        settings: the table ``[server]``.
    """

    def __init__(self, config: Config, settings: ServerSettings) -> None:
        self.config = config
        self.settings = settings
        self.metrics = Metrics()
        self.rates = Rates(settings.rate, settings.burst)
        self.refusals = Refusals()
        self.intake = Intake(self._open)
        self.vouchers = Vouchers(settings, self._holder)
        self.stopping = False
        self._writer: Desk | None = None
        self._free: queue.LifoQueue[Desk] = queue.LifoQueue()
        self._made = 0
        self._lock = threading.Lock()
        self._door: Graph | None = None
        self._at_door = threading.Lock()
        self._short = ThreadPoolExecutor(SHORT, "lineagegate-short")

    def start(self) -> None:
        """Begin to take events.

        Raises:
            LineageError: the store cannot be used.
        """
        self._door = self._open()
        self._checking = Desk(self.config, self._door)
        self.intake.start()

    def stop(self) -> None:
        """Record what waits, and let go of the store. Requests are done by then."""
        self.stopping = True
        self.intake.stop(STOP)
        while True:
            try:
                self._free.get_nowait().close()
            except queue.Empty:
                break
        self._short.shutdown()
        if self._door is not None:
            self._door.close()

    def _open(self) -> Graph:
        gate = Gate.open(self.config)
        _ = gate.seal.origin  # settled now: what names it may be undone
        return gate.graph

    async def shortly(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Do what is short in a thread that no question has: all those of the framework may wait for a reader."""
        return await asyncio.get_running_loop().run_in_executor(self._short, partial(work, *args, **more))

    # asking

    @contextmanager
    def reading(self, identity: Identity | None = None) -> Iterator[Desk]:
        """The record, for one question. Not for the event loop's thread.

        Raises:
            LineageError: ``BUSY``, every reader is in use; the store cannot be reached.
        """
        desk = self._take()
        try:
            yield desk.of(identity)
        except LineageError as error:
            if error.code in GONE:
                self._forget(desk)
                raise
            self._free.put(desk)
            raise
        except BaseException:
            self._free.put(desk)
            raise
        else:
            self._free.put(desk)

    def _take(self) -> Desk:
        with suppress(queue.Empty):
            return self._free.get_nowait()
        with self._lock:
            fresh = self._made < self.settings.readers
            self._made += fresh
        if fresh:
            try:
                return Desk(self.config, self._open())
            except BaseException:
                with self._lock:
                    self._made -= 1
                raise
        try:
            return self._free.get(timeout=WAIT)
        except queue.Empty:
            raise LineageError(
                "too many questions at once", code="BUSY", cause=f"none was answered for {WAIT:.0f} s",
                hint="ask again in a few seconds",
            ) from None  # fmt: skip

    def _forget(self, desk: Desk) -> None:
        with suppress(LineageError):
            desk.close()
        with self._lock:
            self._made -= 1

    def _holder(self, text: str) -> TokenRow:
        """The token that a text is."""
        with self._door_open() as graph:
            return holder(graph, text)

    @contextmanager
    def _door_open(self) -> Iterator[Graph]:
        """A connection for short questions alone, so that a long one holds up nobody at the door."""
        with self._at_door:
            if self._door is None:
                self._door = self._open()
            try:
                self._door.there()
                yield self._door
            except LineageError as error:
                if error.code in GONE:
                    with suppress(LineageError):
                        self._door.close()
                    self._door = None
                raise

    def entries(self) -> int:
        """Number of entries of the ledger, over the connection of the door."""
        with self._door_open() as graph:
            return graph.position()

    def policy(self) -> None:
        """See that the policy loads.

        Raises:
            UsageError: it does not.
        """
        self._checking.policy()

    # recording

    async def write(self, work: Callable[[Desk], T], identity: Identity | None = None) -> T:
        """Have something recorded by the one writer, as somebody, and wait until it is durable."""
        return await asyncio.wrap_future(self.intake.do(lambda graph: work(self._desk(graph).of(identity))))

    def _desk(self, graph: Graph) -> Desk:
        """The writer's gate: kept, with the policy it read, as long as its graph is."""
        if self._writer is None or self._writer.graph is not graph:
            self._writer = Desk(self.config, graph)
        return self._writer

    async def note(self, act: Access) -> None:
        """Record what happened at the door, durably."""
        event = act_event(act, run_id=str(new_uuid()), time=datetime.now(timezone.utc).isoformat())
        await self.write(lambda desk: desk.record([event]))

    async def refused(self, act: Access, identity: Identity) -> None:
        """Record a refusal, if it is one that is recorded (`lineage.server.rates.Refusals`)."""
        again = self.refusals.note(identity.key, act.subject)
        if again is not None:
            await self.note(msgspec.structs.replace(act, again=again))


def room_of(request: Request) -> Room:
    """The room that a request came into."""
    found = request.app.state.room
    assert isinstance(found, Room)
    return found
