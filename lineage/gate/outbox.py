"""What was recorded here goes to the team's server, in the order of the ledger, once the server can take it.

The ledger of this machine is the outbox: everything is recorded in it first, and beside it stands how far the server
has acknowledged it. Whatever happens on the way, what is not acknowledged is sent again; the server knows an event by
its bytes and counts it once, and the order in which events arrive does not matter (law 3).

Two kinds of entries travel, byte for byte. Events of runs and datasets need a producer's token. What people said
(grants, claims, approvals) needs a steward's, of the very person who said it: the server holds the name in the act
against the token's. Decisions, changes of registries, policies and what happened at a door stay where they were made:
they say what this ledger held, and are sealed in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import NamedTuple

import msgspec

from lineage.errors import CannotDecide, LineageError
from lineage.events.event import act_of, read
from lineage.events.naming import OUR_NAMESPACE
from lineage.gate.client import Client, Me, Reply, Team, Unanswered
from lineage.gate.seal import Seal
from lineage.graph import Graph
from lineage.ledger.clock import moment_of
from lineage.pipeline import Progress
from lineage.vocabulary import Correction, Grant, Removal, Role

TOGETHER = 500
"""Events in one request."""
BYTES_TOGETHER = 4_000_000
MOST_REFUSED = 1_000
"""Events that the server refuses for good and that are kept in mind; beyond, nothing more is sent."""
MOST_REASON = 300
_BETWEEN = 2.0
"""Seconds before the server is asked again, where it does not say."""
_OUR_JOB = b'"namespace":"' + OUR_NAMESPACE.encode() + b'"'


class Channel(NamedTuple):
    """A kind of entries that travels."""

    name: str
    path: str
    role: Role
    """Of the token that it needs."""


EVENTS = Channel("events", "/api/v1/lineage/batch", Role.PRODUCER)
ACTS = Channel("acts", "/api/v1/acts", Role.STEWARD)
CHANNELS = (EVENTS, ACTS)


class Refusal(msgspec.Struct, frozen=True):
    """An entry that the server refuses for good."""

    position: int
    code: str
    reason: str


class Mark(msgspec.Struct, frozen=True):
    """How far a channel has come."""

    position: int = 0
    """Entries before it are acknowledged, refused, or none of this channel's."""
    refused: tuple[Refusal, ...] = ()


class Standing(msgspec.Struct, frozen=True):
    """What is known of a server; kept beside the ledger, one for each address."""

    ledger: str = ""
    """Name of its log: when another one answers at the same address, everything is sent anew."""
    entries: int = 0
    """Entries it held when it last acknowledged something: when it holds less, it was restored from a backup."""
    last: str = ""
    """Hash of the last of them: when another stands in its place, it was restored and has grown since."""
    events: Mark = Mark()
    acts: Mark = Mark()
    tried: str = ""
    """When it was last asked, ISO 8601."""
    error: str = ""
    """What went wrong then; empty: nothing."""
    hint: str = ""

    def mark(self, channel: Channel) -> Mark:
        """How far a channel has come."""
        return self.events if channel is EVENTS else self.acts

    def with_mark(self, channel: Channel, mark: Mark) -> Standing:
        """The same with another mark."""
        return msgspec.structs.replace(self, **{channel.name: mark})


class Waiting(NamedTuple):
    """What the server has not acknowledged."""

    server: str
    events: int
    acts: int
    """What people said."""
    since: str
    """When the oldest of it was recorded, ISO 8601; empty: nothing waits."""
    refused: tuple[Refusal, ...]
    """What the server refused for good."""
    tried: str
    error: str
    hint: str

    @property
    def total(self) -> int:
        """Entries that wait."""
        return self.events + self.acts


class Forwarded(NamedTuple):
    """What became of an attempt."""

    sent: int
    """Entries that the server acknowledged now."""
    waiting: Waiting


class _Failed(msgspec.Struct, frozen=True):
    index: int
    reason: str
    code: str
    retriable: bool


class _Summary(msgspec.Struct, frozen=True):
    received: int
    successful: int
    failed: int


class _Taken(msgspec.Struct, frozen=True):
    summary: _Summary
    failed_events: tuple[_Failed, ...]


Batch = list[tuple[int, bytes]]
"""Positions and exact bytes."""


class Outbox:
    """See the module.

    Args:
        graph: the record of this machine.
        seal: what signs it.
        team: the server.
    """

    def __init__(self, graph: Graph, seal: Seal, team: Team) -> None:
        self._graph, self._seal, self._team = graph, seal, team
        self._key = f"forward/{team.server}"

    def standing(self) -> Standing:
        """What is known of the server."""
        kept = self._graph.state(self._key)
        try:
            return msgspec.json.decode(kept, type=Standing) if kept else Standing()
        except msgspec.DecodeError:
            return Standing()  # everything is sent once more, and counted once

    def waiting(self) -> Waiting:
        """What was not acknowledged, from what is recorded here alone."""
        standing = self.standing()
        counts, first = {EVENTS: 0, ACTS: 0}, -1
        for channel in CHANNELS:
            for position, _ in self._entries(channel, standing.mark(channel).position):
                counts[channel] += 1
                first = position if first < 0 else min(first, position)
        since = moment_of(self._graph.seals.entry(first)[1]).isoformat() if first >= 0 else ""
        refused = (*standing.events.refused, *standing.acts.refused)
        return Waiting(
            self._team.server, counts[EVENTS], counts[ACTS], since, refused, standing.tried, standing.error,
            standing.hint,
        )  # fmt: skip

    def forward(self, seconds: float | None = None, *, again: bool = False, progress: Progress | None = None
                ) -> Forwarded:  # fmt: skip
        """Send what waits, until all is acknowledged or something is in the way. What is in the way is kept in mind.

        Args:
            seconds: how long to go on, also when the server is away or full; None: until the first failure.
            again: also what was refused for good before.
            progress: told how many entries were acknowledged.
        """
        until = None if seconds is None else time.monotonic() + seconds
        sent = 0
        while True:
            failure: LineageError | None = None
            try:
                for count in self._round(again, math.inf if until is None else until):
                    sent += count
                    if progress:
                        progress("forwarding", sent, 0)
                    if until is not None and time.monotonic() > until:
                        break
            except LineageError as error:
                failure = error
            self._tried(failure)
            waiting = self.waiting()
            pause = max(failure.after, _BETWEEN) if isinstance(failure, Unanswered) else _BETWEEN
            lasting = failure is not None and not (isinstance(failure, Unanswered) and failure.again)
            if not waiting.total or lasting or until is None or time.monotonic() + pause > until:
                return Forwarded(sent, waiting)
            time.sleep(pause)

    def deliver(self, start: int, end: int) -> None:
        """Send what waits, so that the server surely has the events from one place of the ledger to another.

        Args:
            start: the first entry.
            end: the one after the last.

        Raises:
            CannotDecide: ``NOT_FORWARDED``.
        """
        waiting = self.forward().waiting
        mark = self.standing().events
        refused = next((item.reason for item in mark.refused if start <= item.position < end), "")
        if refused or mark.position < end:
            raise CannotDecide(
                f"{self._team.server} does not have what was recorded here", code="NOT_FORWARDED",
                cause=refused or waiting.error, hint=waiting.hint or "lineagegate status",
            )  # fmt: skip

    def _round(self, again: bool, until: float) -> Iterator[int]:
        """Send everything once, with each token what its role is for; yields how many entries were acknowledged."""
        unserved = set(CHANNELS)
        failure: Unanswered | None = None
        for token in self._team.tokens:
            client = Client(self._team, token, until)
            try:
                me = client.me(self.standing().entries)
                if me.ledger == self._seal.origin:
                    self._own()
                    return
                self._met(me)
                for channel in CHANNELS:
                    if channel in unserved and channel.role in me.roles:
                        unserved.discard(channel)
                        yield from self._send_all(client, channel, again)
                        self._held(client)
            except Unanswered as error:
                if error.status not in (401, 403):
                    raise
                failure = error  # another token may be good
            finally:
                client.close()
        waiting = self.waiting()
        for channel, count in ((EVENTS, waiting.events), (ACTS, waiting.acts)):
            if channel in unserved and count:
                raise failure or Unanswered(
                    f"{count:,} {channel.name} wait for a token of a {channel.role.value}", code="ROLE_MISSING",
                    status=403, hint=f"ask an administrator of {self._team.server} for one, and add it as a line",
                )  # fmt: skip
        if failure is not None:
            raise failure

    def _own(self) -> None:
        """This store is the server's: there is nothing to send anywhere."""
        position = self._graph.position()
        self._keep(Standing(self._seal.origin, position, events=Mark(position), acts=Mark(position)))

    def _met(self, me: Me) -> None:
        standing = self.standing()
        another = standing.last and standing.last != me.last
        if standing.ledger != me.ledger or me.entries < standing.entries or another:
            self._keep(Standing(ledger=me.ledger, entries=me.entries))

    def _held(self, client: Client) -> None:
        me = client.me()
        self._keep(msgspec.structs.replace(self.standing(), entries=me.entries, last=me.last))

    def _send_all(self, client: Client, channel: Channel, again: bool) -> Iterator[int]:
        mark = self.standing().mark(channel)
        if again and mark.refused:
            yield from self._send_refused(client, channel)
            mark = self.standing().mark(channel)
        while True:
            batch, end = self._batch(channel, mark.position)
            refused, done = self._send(client, channel, batch) if batch else ({}, end)
            position = end if done >= len(batch) else batch[done][0]
            kept = (*mark.refused, *(refused[i] for i in sorted(refused)))
            if len(kept) > MOST_REFUSED:
                raise Unanswered(
                    f"{self._team.server} refuses more than {MOST_REFUSED:,} {channel.name}", code="REFUSED",
                    status=403, cause=kept[-1].reason, hint="lineagegate status lists what is refused and why",
                )  # fmt: skip
            mark = Mark(position, kept)
            self._keep(self.standing().with_mark(channel, mark))
            yield min(done, len(batch)) - len(refused)
            if done < len(batch):
                raise Unanswered(f"{self._team.server} cannot take more now", code="BUSY", status=503)
            if not batch:
                return

    def _send_refused(self, client: Client, channel: Channel) -> Iterator[int]:
        """Send once more what was refused for good; its rights, or the server, may be others by now."""
        mark = self.standing().mark(channel)
        for start in range(0, len(mark.refused), TOGETHER):
            part = mark.refused[start : start + TOGETHER]
            batch = [(item.position, self._graph.seals.entry(item.position)[0]) for item in part]
            refused, done = self._send(client, channel, batch)
            taken = {batch[i][0] for i in range(min(done, len(batch))) if i not in refused}
            now = self.standing().mark(channel)
            left = tuple(item for item in now.refused if item.position not in taken)
            self._keep(self.standing().with_mark(channel, Mark(now.position, left)))
            yield len(taken)

    def _send(self, client: Client, channel: Channel, batch: Batch) -> tuple[dict[int, Refusal], int]:
        """Send a batch.

        Returns:
            Of those that are refused for good, by place in the batch, why; and how many from the start are dealt with.

        Raises:
            Unanswered: nothing of it is known to have been taken.
        """
        reply = client.send("POST", channel.path, b"[" + b",".join(data for _, data in batch) + b"]")
        if reply.status == 413:
            if len(batch) == 1:
                return {0: Refusal(batch[0][0], "BODY_TOO_LARGE", "the server takes no event of this size")}, 1
            middle = len(batch) // 2
            refused, done = self._send(client, channel, batch[:middle])
            if done < middle:
                return refused, done
            more, further = self._send(client, channel, batch[middle:])
            return refused | {middle + i: reason for i, reason in more.items()}, middle + further
        failed = self._answer(client, reply, len(batch))
        later = min((item.index for item in failed if item.retriable), default=len(batch))
        return {
            item.index: Refusal(batch[item.index][0], item.code, item.reason[:MOST_REASON])
            for item in failed
            if item.index < later
        }, later

    def _answer(self, client: Client, reply: Reply, sent: int) -> Sequence[_Failed]:
        """What failed of a batch. An answer that does not speak of all of it speaks of nothing."""
        try:
            taken = msgspec.json.decode(reply.body, type=_Taken)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if reply.status == 200:
                return client.read(reply, _Taken).failed_events  # raises, and says what came
            raise client.refusal(reply) from None
        failed, summary = taken.failed_events, taken.summary
        whole = len({item.index for item in failed if 0 <= item.index < sent}) == len(failed)
        if not whole or (summary.received, summary.failed, summary.successful) != (
            sent, len(failed), sent - len(failed),
        ) or (reply.status == 200) is bool(failed):  # fmt: skip
            raise Unanswered(
                f"what {self._team.server} answers contradicts itself", code="SERVER_NONSENSE", status=reply.status,
                cause=f"{sent} events were sent, HTTP {reply.status}: {summary}"[:MOST_REASON],
            )  # fmt: skip
        return failed

    # what there is to send

    def _entries(self, channel: Channel, start: int) -> Iterator[tuple[int, bytes]]:
        end = self._graph.position()
        while start < end:
            page = self._graph.seals.entries(start, min(start + 1_000, end))
            yield from ((start + i, data) for i, data in enumerate(page) if channel_of(data) is channel)
            start += len(page)

    def _batch(self, channel: Channel, start: int) -> tuple[Batch, int]:
        """The next entries of a channel, and where those after them begin."""
        end = self._graph.position()
        batch: Batch = []
        size = 0
        for position, data in self._entries(channel, start):
            if batch and (len(batch) == TOGETHER or size + len(data) > BYTES_TOGETHER):
                return batch, position
            batch.append((position, data))
            size += len(data) + 1
        return batch, max(end, start)

    # what is kept in mind

    def _keep(self, standing: Standing) -> None:
        self._graph.seals.keep(self._key, msgspec.json.encode(standing).decode())

    def _tried(self, failure: LineageError | None) -> None:
        said = failure.message + (f": {failure.cause}" if failure.cause else "") if failure else ""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        hint = failure.hint if failure else ""
        self._keep(msgspec.structs.replace(self.standing(), tried=now, error=said[:1_000], hint=hint))


def channel_of(data: bytes) -> Channel | None:
    """The channel that an entry travels by; None: it stays here."""
    if _OUR_JOB not in data:  # as we write them; nobody else may say what is ours
        return EVENTS
    event = read(data)
    if event.job is None or event.job.namespace != OUR_NAMESPACE:
        return EVENTS
    return ACTS if isinstance(act_of(event), (Grant, Removal, Correction)) else None
