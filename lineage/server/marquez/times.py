"""Events as they came, and counts by hour and day: what Marquez' first page shows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from lineage.errors import UsageError
from lineage.graph.jobs import Jobs
from lineage.ledger import happened
from lineage.ledger.clock import microseconds
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.marquez.shapes import Limit, Offset, Shape, look
from lineage.server.room import Desk, room_of

router = APIRouter(prefix="/api/v1", tags=["Marquez"], dependencies=AUTHORISED)

Period = Literal["DAY", "WEEK"]
Zone = Annotated[str, Query(alias="timezone", max_length=100)]
_FIRST, _LAST = -(2**62), 2**62


@router.get("/events/lineage", summary="Events of runs as they came")
def events(
    request: Request, limit: Limit = 100, offset: Offset = 0, before: str = "", after: str = "",
    sort: Annotated[Literal["asc", "desc"], Query(alias="sortDirection")] = "desc",
) -> Response:  # fmt: skip
    """Byte for byte, by the times they state; what people and the gate said is not among them.

    ``after`` is the first time that is meant, ``before`` the first that is not; ``totalCount`` counts all between.
    """
    start, end = (_time(after) if after else _FIRST), (_time(before) if before else _LAST)
    with room_of(request).reading(identity_of(request)) as desk:
        jobs = desk.graph.jobs
        jobs.catch_up()
        total, entries = jobs.timeline.events(start, end, newest=sort == "desc", offset=offset, limit=limit)
        found = [entry.data for entry in jobs.entries(entries)]
    return Response(b'{"events":[' + b",".join(found) + b'],"totalCount":%d}' % total, media_type="application/json")


@router.get("/stats/lineage-events", summary="Events by hour or day")
def events_by_time(request: Request, period: Period, zone: Zone = "UTC") -> Response:
    """How many events of each type happened in each of the last 24 hours, or of the last 7 days of a time zone."""
    names, edges = _intervals(period, zone)

    def asked(_: Desk, jobs: Jobs) -> list[Shape]:
        counts = jobs.timeline.types([microseconds(edge) for edge in edges])
        return [
            name | {kind.lower(): count.get(kind, 0) for kind in ("FAIL", "START", "COMPLETE", "ABORT")}
            for name, count in zip(names, counts, strict=True)
        ]

    return look(request, asked)


@router.get("/stats/{things}", summary="Jobs, datasets or sources by hour or day")
def things_by_time(
    request: Request, things: Literal["jobs", "datasets", "sources"], period: Period, zone: Zone = "UTC"
) -> Response:
    """How many were recorded by the end of each of the last 24 hours, or of the last 7 days of a time zone."""
    names, edges = _intervals(period, zone)

    def asked(_: Desk, jobs: Jobs) -> list[Shape]:
        counts = jobs.timeline.known(things, [microseconds(edge) for edge in edges[1:]])
        return [name | {"count": count} for name, count in zip(names, counts, strict=True)]

    return look(request, asked)


def _intervals(period: Period, zone: str) -> tuple[list[Shape], list[datetime]]:
    """(how each interval is named, where each begins and the last one ends)."""
    try:
        now = datetime.now(ZoneInfo(zone))
    except (KeyError, ValueError, OSError):
        raise UsageError(f"{zone[:60]!r} is no time zone that is known here", code="TIME_ZONE_UNKNOWN",
                         hint="a name such as Europe/Paris, or UTC") from None  # fmt: skip
    if period == "DAY":
        last = now.astimezone(timezone.utc).replace(minute=0, second=0, microsecond=0)
        edges = [last + timedelta(hours=n) for n in range(-23, 2)]
        told = edges
    else:
        last = now.replace(hour=0, minute=0, second=0, microsecond=0)
        edges = [last + timedelta(days=n) for n in range(-6, 2)]  # by the calendar: days of 23 and of 25 hours too
        told = [
            edge.replace(tzinfo=timezone.utc) for edge in edges
        ]  # Marquez names days so, and its pages read them so
    names = [{"startInterval": a.isoformat(), "endInterval": b.isoformat()} for a, b in pairwise(told)]
    return names, edges


def _time(text: str) -> int:
    try:
        return happened(text if len(text) != 10 else f"{text}T00:00:00").microseconds
    except ValueError as error:
        raise UsageError(f"{text[:60]!r} is no time", code="TIME_INVALID", cause=str(error)) from None
