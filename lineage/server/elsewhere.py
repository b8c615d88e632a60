"""What our other machines send and ask: what people said there, and what a gate in front of a registry needs to know.

What people said elsewhere is taken byte for byte, and only from whoever said it: the name in the act is held against
the token's, so that nobody can claim for one person and approve for another (law 2). Decisions are made here, or stay
in the ledger that they were made from.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import msgspec
from fastapi import APIRouter, Request, Response

from lineage.errors import CannotDecide, UsageError
from lineage.events.event import act_of, read
from lineage.events.foreign import receive
from lineage.evidence import document
from lineage.gate.intake import Receipt
from lineage.policy import check_grant
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.acts import Asked, body_as, described
from lineage.server.identity import Identity
from lineage.server.limits import segment
from lineage.server.openlineage import EVENTS, take_batch
from lineage.server.problem import Refused
from lineage.server.questions import answered
from lineage.server.room import Room, room_of
from lineage.vocabulary import Artifact, Change, Content, Correction, Grant, Removal
from lineage.vocabulary.identity import spellings

router = APIRouter(prefix="/api/v1", tags=["Elsewhere"], dependencies=AUTHORISED)

MOST_ASKED = 1_000
"""Artifacts and contents in one question."""


class ChangesAsked(Asked, frozen=True):
    """What a registry did, once it had done it."""

    changes: tuple[Change, ...]
    events: tuple[msgspec.Raw, ...] = ()
    """Recorded with it, and before it."""


class RecordedDocument(document.Document, frozen=True):
    """The answer to what was recorded."""

    entries: int
    """Of the ledger afterwards."""


class Version(Asked, frozen=True):
    """A dataset version by name."""

    namespace: str
    name: str
    content: str = ""

    def artifact(self) -> Artifact:
        """As the record takes it."""
        return Artifact(self.namespace, self.name, Content(self.content) if self.content else None)


class KnownAsked(Asked, frozen=True):
    """What somebody asks about."""

    contents: tuple[str, ...] = ()
    """Content keys."""
    versions: tuple[Version, ...] = ()
    runs: tuple[str, ...] = ()
    """Run ids."""


class KnownDocument(document.Document, frozen=True):
    """What is recorded of it."""

    contents: tuple[document.ArtifactRef | None, ...]
    """For each content key an artifact that is recorded with it, or null."""
    told: tuple[bool, ...]
    """For each version whether a pipeline or a person told of it: more than that a registry's run read it."""
    watched: tuple[tuple[str, ...], ...]
    """For each run the executions around it of which it is recorded what was seen."""


@router.post("/acts", openapi_extra=EVENTS, summary="Record what you said on another machine")
async def acts(request: Request) -> Response:
    """Grants, claims and approvals as they were recorded elsewhere, each for itself, as ``/lineage/batch`` answers."""
    return await take_batch(request, _submit)


def _submit(room: Room, identity: Identity, data: bytes) -> Future[Receipt]:
    act = act_of(read(data))
    if not isinstance(act, (Grant, Removal, Correction)):
        raise UsageError(
            "this is nothing that a person says", code="ACT_REFUSED",
            cause="grants, claims of removals and corrections, and their approvals are taken here",
            hint="events go to /api/v1/lineage/batch; a decision stays in the ledger that it was made from",
        )  # fmt: skip
    # the same letters, not merely perhaps the same person: one that resembles two others could speak for both
    own, sayers = spellings(identity.name), (act.by, act.approver) if isinstance(act, Grant) else (_sayer(act),)
    for sayer in sayers:
        if not own or spellings(sayer) != own:
            raise Refused(
                "somebody else said this", code="NOT_YOURS",
                cause=f"{sayer or 'nobody'} said it; you are {identity.name}",
                hint="whoever said it forwards it, with a token that has their name as it stands in the record",
            )  # fmt: skip
    if isinstance(act, Grant):
        check_grant(act)  # one that cannot be read would be in the way of every dossier
    return room.intake.submit([data], by=identity.name, trusted=True)


def _sayer(act: Removal | Correction) -> str:
    return act.approved_by or act.claimed_by


@router.post("/changes", status_code=201, openapi_extra=described(ChangesAsked), summary="Record what a registry did")
async def changes(request: Request) -> Response:
    """What a gated registry did, after a decision let it. In one transaction."""
    asked, identity, room = await body_as(request, ChangesAsked), identity_of(request), room_of(request)
    events = [bytes(event) for event in asked.events]
    await room.shortly(lambda: [receive(event, by=identity.name) for event in events])
    said = [
        msgspec.structs.replace(change, by=f"{change.by}, says {identity.name}" if change.by else identity.name)
        for change in asked.changes
    ]
    return answered(RecordedDocument(await room.write(lambda desk: desk.changed(*said, events=events))), 201)


@router.post("/known", openapi_extra=described(KnownAsked), summary="What is recorded of contents, versions and runs")
async def known(request: Request) -> Response:
    """Whether contents are recorded, whether anybody told of versions, what was seen of runs. Nothing is recorded."""
    asked, room = await body_as(request, KnownAsked), room_of(request)
    if len(asked.contents) + len(asked.versions) + len(asked.runs) > MOST_ASKED:
        raise UsageError("too much is asked at once", code="BODY_TOO_LARGE", cause=f"at most {MOST_ASKED:,} things are")

    def look() -> KnownDocument:
        with room.reading() as desk:
            found = [desk.known_content(key) for key in asked.contents]
            told = [desk.told(version.artifact()) for version in asked.versions]
            watched = [tuple(sorted(each)) for each in desk.watched(asked.runs)]
        known = tuple(document.artifact(one) if one else None for one in found)
        return KnownDocument(known, tuple(told), tuple(watched))

    return answered(await asyncio.to_thread(look))


@router.get("/decisions/{identity}", summary="A recorded decision")
def decision(request: Request, identity: str) -> Response:
    """The decision with an id, as it was recorded."""
    name = segment(identity).upper()
    with room_of(request).reading() as desk:
        found = desk.decision(name)
    if found is None:
        raise CannotDecide(f"no decision {name} is recorded", code="ARTIFACT_UNKNOWN")
    return answered(found)
