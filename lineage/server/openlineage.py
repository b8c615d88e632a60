"""The OpenLineage endpoint: what Airflow, Spark, dbt and Flink send to. Answered once it is durable.

A producer speaks of the jobs in its namespaces, and of the data that they make. What a run read lies where it lies;
but who says what made a dataset, where it comes from, or that two names are one dataset (symlinks), needs the
namespaces of all these names: whoever could say so of anybody's data would end its being undeclared (law 8).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import msgspec
from fastapi import APIRouter, Request, Response

from lineage.errors import LineageError, UsageError
from lineage.events import Event
from lineage.events.event import read
from lineage.gate.intake import Receipt
from lineage.gate.tokens import covers
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.identity import Identity
from lineage.server.limits import body_of
from lineage.server.problem import Refused, status_of, unforeseen
from lineage.server.room import Room, room_of
from lineage.vocabulary import Access, Passage

router = APIRouter(prefix="/api/v1", tags=["OpenLineage"], dependencies=AUTHORISED)
_EVENT = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
EVENTS = {"requestBody": {"required": True, "content": {"application/json": {"schema": {
    "type": "array", "items": {"type": "object"},
}}}}}  # fmt: skip


_AT_ONCE = 50_000
"""Bytes of an event that is read in the event loop's thread: in less than it takes to ask another one to. Reading one
of 10 MB takes seconds, in which nobody else would be answered."""

_BLANKS = frozenset(" \t\r\n")

Submit = Callable[[Room, Identity, bytes], Future[Receipt]]


class Taken(msgspec.Struct, frozen=True):
    """The answer to an event that broke the standard and was recorded all the same."""

    warnings: tuple[str, ...]


class Failed(msgspec.Struct, frozen=True):
    """An event of a batch that was not recorded."""

    index: int
    reason: str
    code: str
    retriable: bool


class Warned(msgspec.Struct, frozen=True):
    """An event of a batch that broke the standard and was recorded all the same."""

    index: int
    warnings: tuple[str, ...]


class Summary(msgspec.Struct, frozen=True):
    """How many events of a batch ended how."""

    received: int
    successful: int
    failed: int
    retriable: int
    non_retriable: int


class BatchTaken(msgspec.Struct, frozen=True):
    """The answer to a batch; each event stands for itself."""

    status: str
    """``success``, ``partial_success`` or ``error``."""
    summary: Summary
    failed_events: tuple[Failed, ...]
    warned_events: tuple[Warned, ...]


@router.post("/lineage", status_code=201, openapi_extra=_EVENT, summary="Record an event")
async def post_event(request: Request) -> Response:
    """Record one run, job or dataset event. 201 once it is durable; a body only where there are warnings."""
    room, identity = room_of(request), identity_of(request)
    data = await body_of(request, room.settings.most_body)
    try:
        if len(data) > _AT_ONCE:
            waiting = await room.shortly(_submit, room, identity, data)
        else:
            waiting = _submit(room, identity, data)
        receipt = await asyncio.wrap_future(waiting)
    except LineageError as error:
        room.metrics.events.labels("refused").inc()
        if isinstance(error, Refused):
            await _refused(room, identity, error)
        raise
    _count(room, receipt)
    warnings = tuple(warning.text for warning in receipt.warnings)
    return Response(msgspec.json.encode(Taken(warnings)) if warnings else b"", 201, media_type="application/json")


@router.post("/lineage/batch", openapi_extra=EVENTS, summary="Record events, each for itself")
async def post_events(request: Request) -> Response:
    """Record some events. 200 when all are durable, 207 when some are, and the status of the failures when none is."""
    return await take_batch(request, _submit)


async def take_batch(request: Request, submit: Submit) -> Response:
    """Record a list of events, each for itself.

    Args:
        request: whose body is a JSON list.
        submit: hands one event to the writer, or refuses it.
    """
    room, identity = room_of(request), identity_of(request)
    data = await body_of(request, room.settings.most_body)
    events = await room.shortly(_split, data, room.settings.most_events)
    waiting = await room.shortly(_submit_all, room, identity, events, submit)
    found = await asyncio.gather(*map(asyncio.wrap_future, waiting), return_exceptions=True)
    failed: list[Failed] = []
    warned: list[Warned] = []
    worst = 400
    for index, result in enumerate(found):
        if isinstance(result, Receipt):
            _count(room, result)
            if result.warnings:
                warned.append(Warned(index, tuple(warning.text for warning in result.warnings)))
            continue
        error = result if isinstance(result, LineageError) else unforeseen(result)
        if isinstance(error, Refused):
            await _refused(room, identity, error)
        status = status_of(error)
        worst = max(worst, status)
        room.metrics.events.labels("refused").inc()
        reason = f"{error.message}: {error.cause}" if error.cause else error.message
        failed.append(Failed(index, reason, error.code, status in (408, 429) or status >= 500))
    again = sum(item.retriable for item in failed)
    good = len(events) - len(failed)
    answer = BatchTaken(
        "success" if not failed else "partial_success" if good else "error",
        Summary(len(events), good, len(failed), again, len(failed) - again),
        tuple(failed),
        tuple(warned),
    )
    return Response(
        msgspec.json.encode(answer), 200 if not failed else 207 if good else worst, media_type="application/json"
    )


def _submit(room: Room, identity: Identity, data: bytes) -> Future[Receipt]:
    permitted(identity, read(data))
    return room.intake.submit([data], by=identity.name)


def _submit_all(room: Room, identity: Identity, events: Sequence[bytes], submit: Submit) -> list[Future[Receipt]]:
    """Each event by itself; one that is refused at once fails like one that is refused later."""
    out = []
    for data in events:
        try:
            out.append(submit(room, identity, data))
        except Exception as error:
            failed: Future[Receipt] = Future()
            failed.set_exception(error)
            out.append(failed)
    return out


def _split(data: bytes, most: int) -> list[bytes]:
    """The events of a batch, each byte for byte as it was sent."""
    try:
        events: Sequence[bytes | msgspec.Raw] = msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            events = list(_pieces(data.decode()))  # what one event holds is no reason to refuse the others
        except (ValueError, RecursionError) as error:
            raise UsageError(
                "this is not a list of events", code="EVENT_INVALID", cause=str(error), hint="a JSON array of events"
            ) from None
    if len(events) > most:
        raise UsageError(
            "too many events at once", code="BODY_TOO_LARGE", cause=f"{len(events):,}; at most {most:,} are taken",
            hint="send them in several batches",
        )  # fmt: skip
    return [bytes(event) for event in events]


def _pieces(text: str) -> Iterator[bytes]:
    """The members of a JSON array as they stand in it, also where one holds what msgspec does not take.

    Raises:
        ValueError: it is none.
    """
    decoder, at = json.JSONDecoder(), _after(text, 0, "[")
    if text[at : at + 1] == "]":
        return
    while True:
        end = decoder.raw_decode(text, at)[1]
        yield text[at:end].encode()
        at = _after(text, end, "")
        if text[at : at + 1] == "]" and not text[at + 1 :].strip():
            return
        at = _after(text, at, ",")


def _after(text: str, at: int, sign: str) -> int:
    """Where what follows a sign begins, blanks around it left out."""
    while text[at : at + 1] in _BLANKS:
        at += 1
    if not text.startswith(sign, at):
        raise ValueError(f"{sign} is missing at character {at}")
    at += len(sign)
    while text[at : at + 1] in _BLANKS:
        at += 1
    return at


def permitted(identity: Identity, event: Event) -> None:
    """Hold an event to the namespaces of whoever sends it.

    Raises:
        Refused: ``NAMESPACE_FORBIDDEN``.
    """
    spaces = identity.namespaces
    made = (*event.outputs, *([event.dataset] if event.dataset else []))
    spoken = [*(dataset.namespace for dataset in made), *(name.namespace for name in event.made_too)]
    if event.job:
        spoken.append(event.job.namespace)
    elif event.run:  # it may be anybody's: only who may speak of everything adds to it
        spoken.append("")
    for dataset in (*event.inputs, *made):
        facets, others = dataset.facets, dataset.other_names
        if others or (facets and (facets.origin or facets.match)):
            spoken += [dataset.namespace, *(other.namespace for other in others)]
    for namespace in spoken:
        if not covers(spaces, namespace):
            raise Refused(
                "this event speaks of a namespace that is not yours",
                code="NAMESPACE_FORBIDDEN",
                cause=f"{namespace or 'a run without a job'}; yours: {', '.join(spaces)}",
                hint="ask an administrator for a token with that namespace",
            )


async def _refused(room: Room, identity: Identity, refusal: Refused) -> None:
    room.metrics.refused.labels(refusal.code).inc()
    act = Access(Passage.DENIED, identity.name, "POST /api/v1/lineage", role="producer", detail=refusal.code)
    await room.refused(act, identity)


def _count(room: Room, receipt: Receipt) -> None:
    room.metrics.events.labels("recorded").inc(receipt.recorded)
    room.metrics.events.labels("known").inc(receipt.known)
