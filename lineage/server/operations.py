"""What whoever runs a server asks: whether it is alive, whether it is ready, its metrics."""

from __future__ import annotations

import json
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from lineage.errors import LineageError
from lineage.server.access import AUTHORISED
from lineage.server.room import Room, room_of
from lineage.server.telemetry import CONTENT_TYPE

router = APIRouter(tags=["Operations"], dependencies=AUTHORISED)


@router.get("/health", summary="Alive")
async def health() -> Response:
    """That the process answers; nothing is asked of the store."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/ready", summary="Ready")
async def ready(request: Request) -> Response:
    """Whether requests can be served: the store answers, the writer runs, the policy loads."""
    room = room_of(request)
    state = {name: "ok" if good else "failed" for name, good in (await room.shortly(_checked, room)).items()}
    status = 200 if set(state.values()) == {"ok"} else 503
    return Response(
        json.dumps({"status": "ok" if status == 200 else "failed", **state}), status, media_type="application/json"
    )


@router.get("/metrics", summary="Metrics")
async def metrics(request: Request) -> Response:
    """What Prometheus scrapes."""
    room = room_of(request)
    gauges = {"intake_waiting": room.intake.waiting, "ledger_entries": await room.shortly(room.entries)}
    return Response(room.metrics.text(**gauges), media_type=CONTENT_TYPE)


def _checked(room: Room) -> dict[str, bool]:
    """What must hold before anything is sent here; why something does not is in the log and for readers, not here."""

    def holds(check: Callable[[], object]) -> bool:
        try:
            return check() is not False
        except LineageError:
            return False

    return {
        "store": holds(room.entries),
        "intake": room.intake.running and not room.stopping,
        "policy": holds(room.policy),
    }
