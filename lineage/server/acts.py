"""What people and gates do over HTTP: decide, declare, grant, claim, approve, hand out tokens.

Who does it is whoever was let in, never what a body says. Everything goes through the one writer and is durable when
it is answered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response

from lineage.errors import UsageError
from lineage.events.foreign import receive
from lineage.evidence import document
from lineage.evidence import removal as removal_documents
from lineage.evidence import tokens as token_documents
from lineage.evidence.tokens import TokenMadeDocument, TokensDocument
from lineage.gate.questions import moment
from lineage.gate.removal import (
    approve_correction,
    approve_removal,
    claim_correction,
    claim_removal,
    removal_notices,
)
from lineage.gate.tokens import make_token, revoke_token
from lineage.graph import RemovalRecord
from lineage.ledger import leaf_hash
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.identity import Identity
from lineage.server.limits import body_of, segment
from lineage.server.questions import answered
from lineage.server.room import Desk, room_of
from lineage.vocabulary import Artifact, ArtifactType, Basis, Content, Decision, Origin, Role, Scope

router = APIRouter(prefix="/api/v1", tags=["Acts"], dependencies=AUTHORISED)

Body = TypeVar("Body", bound="Asked")

MOST_FILE_NAME = 60
"""Characters of the name of a file of evidence: at four bytes each, what any file system takes."""


class Asked(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a body may say; anything else is refused."""


class ContentRef(Asked, frozen=True):
    """What identifies the bytes of an artifact."""

    hash: str
    size: int | None = None
    files: int | None = None


class Judged(Asked, frozen=True):
    """The artifact that is to be registered or promoted, by its OpenLineage name and content."""

    namespace: str
    name: str
    content: ContentRef | None = None
    type: ArtifactType = ArtifactType.MODEL

    def artifact(self) -> Artifact:
        """As the gate takes it."""
        content = self.content
        known = Content(content.hash, content.size, content.files) if content else None
        return Artifact(self.namespace, self.name, known, self.type)


class DecideAsked(Asked, frozen=True):
    """The question in the middle: `lineage.gate.Gate.judge`, word for word."""

    model: str
    """Registered model name that rules match on."""
    subject: str = ""
    """What people call it (``models:/seed-chat/3``); empty: the model."""
    action: str = "register"
    """``register``, ``alias``, ``stage``, ``rename`` or ``copy``."""
    artifact: Judged | None = None
    """None when it is not known; then ``missing`` says why."""
    attributes: dict[str, str] = {}
    """What the action adds (``stage``, ``alias``)."""
    missing: str = ""
    """What could not be established; then the answer is "cannot decide"."""
    hint: str = ""
    """The command that helps with it."""
    events: tuple[msgspec.Raw, ...] = ()
    """Its lineage as OpenLineage events, recorded with the decision and before it."""
    by: str = ""
    """Who asked the registry, as far as that knows."""


class DecideDocument(document.Document, frozen=True):
    """The answer to ``decide``. The decision is recorded."""

    decision: Decision
    blocks: bool
    """Whether the action may not go on."""
    text: str
    """The decision as people read it."""
    checkpoint: str
    """The newest checkpoint after it, a signed note to be kept elsewhere; empty when there is none."""


class DeclareAsked(Asked, frozen=True):
    """As ``lineagegate declare``."""

    target: str
    origin: Origin
    reason: str = ""
    evidence: str = ""


class GrantAsked(Asked, frozen=True):
    """As ``lineagegate grant``; the approver is whoever asks."""

    scope: Scope
    reference: str
    from_: str = msgspec.field(default="", name="from")
    until: str = ""
    reason: str = ""


class EvidenceFile(Asked, frozen=True):
    """A file of evidence, sent along: its hash is recorded, and it is held against the claim."""

    name: str
    text: str


class RemovalAsked(Asked, frozen=True):
    """As ``lineagegate removal claim``."""

    output: str
    origin: Origin | None = None
    checked: str = ""
    result: str = ""
    evidence: str = ""
    """A reference: a contract, a ticket, a URL."""
    evidence_file: EvidenceFile | None = None
    run: str = ""
    sources: tuple[str, ...] = ()
    reason: str = ""


class CorrectionAsked(Asked, frozen=True):
    """As ``lineagegate correction claim``."""

    source: str
    origin: Origin
    reason: str
    basis: Basis | None = None


class TokenAsked(Asked, frozen=True):
    """As ``lineagegate token create``."""

    name: str
    role: Role
    namespaces: tuple[str, ...] = ()
    expires: str = ""
    """Last day, or a time with its zone; empty: until it is revoked."""


class MeDocument(document.Document, frozen=True):
    """Whom a request was taken to be from."""

    name: str
    roles: tuple[Role, ...]
    namespaces: tuple[str, ...]
    ledger: str
    """Name of the log that checkpoints here are of."""
    entries: int
    """Of the ledger."""
    last: str
    """Leaf hash (RFC 6962, hexadecimal) of the last of the entries that were asked about; empty: there are fewer."""


def described(kind: type[Asked]) -> dict[str, Any]:
    """The body of a route, for the OpenAPI document."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    own = parts.pop(kind.__name__)
    assert schema
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(own, parts)}}}}


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    """A schema without references: FastAPI puts none of ours among its components."""
    if isinstance(schema, list):
        return [_inlined(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {key: _inlined(value, parts) for key, value in schema.items() if key != "default"}


async def body_as(request: Request, kind: type[Body]) -> Body:
    """The body of a request, as what it must be.

    Raises:
        UsageError: ``BODY_INVALID``.
    """
    data = await body_of(request, room_of(request).settings.most_body)
    try:
        if b"\\u0000" in data:
            raise UnicodeError("it holds a NUL")  # no database keeps it in a text
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(
            "the body cannot be read", code="BODY_INVALID", cause=str(error), hint="/openapi.json"
        ) from None


async def _write(request: Request, work: Callable[[Desk], Any], status: int = 201) -> Response:
    return answered(await room_of(request).write(work, identity_of(request)), status)


@router.get("/me", summary="Whom this token stands for")
def me(request: Request, entries: Annotated[int | None, Query(ge=0, le=2**53)] = None) -> Response:
    """Name, roles and namespaces of whoever asks, and which ledger this is: whoever remembers the last of so many
    entries sees whether it was set back."""
    found = identity_of(request)
    with room_of(request).reading() as desk:
        ledger, held = desk.seal.origin, desk.graph.position()
        asked = held if entries is None else entries
        last = leaf_hash(desk.graph.seals.entry(asked - 1)[0]).hex() if 0 < asked <= held else ""
    return answered(MeDocument(found.name, tuple(sorted(found.roles)), found.namespaces, ledger, held, last))


@router.post("/decide", openapi_extra=described(DecideAsked), summary="Decide about one model, and record it")
async def decide(request: Request) -> Response:
    """What a registry asks before it lets a version exist. 200 whatever the outcome: ``blocks`` says it."""
    asked, identity, room = await body_as(request, DecideAsked), identity_of(request), room_of(request)
    events = [bytes(event) for event in asked.events]
    await room.shortly(lambda: [receive(event, by=identity.name) for event in events])  # no acts among them
    if not asked.model.strip():
        raise UsageError("no model is named", code="BODY_INVALID", hint='{"model": "seed-chat", …}')

    def work(desk: Desk) -> DecideDocument:
        decision = desk.judge(
            asked.artifact.artifact() if asked.artifact else None, model=asked.model,
            subject=asked.subject or f"models:/{asked.model}", action=asked.action, attributes=asked.attributes,
            missing=asked.missing, hint=asked.hint, events=events,
            by=f"{asked.by}, says {identity.name}" if asked.by else identity.name,
        )  # fmt: skip
        return DecideDocument(decision, decision.blocks, desk.explain(decision), desk.checkpoint())

    found = await room.write(work)
    room.metrics.decisions.labels(found.decision.outcome.value).inc()
    return answered(found)


@router.post(
    "/declare", status_code=201, openapi_extra=described(DeclareAsked), summary="Say where a source comes from"
)
async def declare(request: Request) -> Response:
    """As ``lineagegate declare``, for what the record holds."""
    asked = await body_as(request, DeclareAsked)

    def work(desk: Desk) -> document.DeclareDocument:
        found = desk.declare(asked.target, asked.origin, reason=asked.reason, evidence=asked.evidence)
        targets = tuple(document.DeclaredTarget(document.artifact(t.artifact), t.address) for t in found)
        return document.DeclareDocument(targets, asked.origin, {})

    return await _write(request, work)


@router.post("/grants", status_code=201, openapi_extra=described(GrantAsked), summary="Give a permission")
async def grant(request: Request) -> Response:
    """As ``lineagegate grant``."""
    asked = await body_as(request, GrantAsked)
    return await _write(
        request,
        lambda desk: document.GrantsDocument((
            desk.grant(
                asked.scope, reference=asked.reference, from_=asked.from_, until=asked.until, reason=asked.reason
            ),
        )),
    )  # fmt: skip


@router.post("/grants/{identity}/withdraw", summary="Take a permission back from now on")
async def withdraw(request: Request, identity: str) -> Response:
    """As ``lineagegate grant --withdraw``."""
    return await _write(request, lambda desk: document.GrantsDocument((desk.withdraw(segment(identity).upper()),)), 200)


@router.post("/removals", status_code=201, openapi_extra=described(RemovalAsked), summary="Claim a removal")
async def claim(request: Request) -> Response:
    """As ``lineagegate removal claim``. It narrows nothing until somebody else approves it."""
    asked = await body_as(request, RemovalAsked)
    check_evidence(asked)
    return await _write(request, lambda desk: _removal(desk, claim_asked(desk, asked)))


def check_evidence(asked: RemovalAsked) -> None:
    """Refuse evidence that is neither a reference nor a file that is sent along.

    Raises:
        UsageError: ``REMOVAL_INVALID``.
    """
    file = asked.evidence_file
    evidence = file.name if file else asked.evidence
    # what a body names is never read from the server's disk
    path = PurePosixPath(evidence)
    if (
        path.is_absolute()
        or ".." in path.parts
        or (file and (not evidence or path.name != evidence or len(evidence) > MOST_FILE_NAME))
    ):
        raise UsageError(
            "evidence over HTTP is a reference, or a file that is sent along", code="REMOVAL_INVALID", cause=evidence,
            hint="evidenceFile: {name, text}",
        )  # fmt: skip
    if file and asked.evidence:
        raise UsageError("evidence is either a reference or a file", code="REMOVAL_INVALID", hint="name one of them")


def claim_asked(desk: Desk, asked: RemovalAsked) -> RemovalRecord:
    """Claim a removal whose evidence `check_evidence` took; a file lies alone in a directory of its own meanwhile."""
    file = asked.evidence_file
    with tempfile.TemporaryDirectory(prefix="lineagegate-") as root:
        if file:
            (Path(root) / file.name).write_text(file.text, encoding="utf-8")
        return claim_removal(
            Desk(replace(desk.config, root=Path(root)), desk.graph), asked.output, asked.origin,
            checked=asked.checked, result=asked.result, evidence=file.name if file else asked.evidence,
            run=asked.run, sources=asked.sources, reason=asked.reason,
        )  # fmt: skip


@router.post("/removals/{identity}/approve", summary="Approve somebody else's removal")
async def approve(request: Request, identity: str) -> Response:
    """As ``lineagegate removal approve``; the one who claims cannot."""
    return await _write(request, lambda desk: _removal(desk, approve_removal(desk, segment(identity))), 200)


def _removal(desk: Desk, record: RemovalRecord) -> Any:
    return removal_documents.removals([record], removal_notices(desk.graph, [record]), ("", ""))


@router.post("/corrections", status_code=201, openapi_extra=described(CorrectionAsked), summary="Claim a correction")
async def correct(request: Request) -> Response:
    """As ``lineagegate correction claim``. It takes nothing back until somebody else approves it."""
    asked = await body_as(request, CorrectionAsked)
    return await _write(
        request,
        lambda desk: removal_documents.corrections(
            [claim_correction(desk, asked.source, asked.origin, basis=asked.basis, reason=asked.reason)], ("", "")
        ),
    )


@router.post("/corrections/{identity}/approve", summary="Approve somebody else's correction")
async def approve_other(request: Request, identity: str) -> Response:
    """As ``lineagegate correction approve``; the one who claims cannot."""
    return await _write(
        request,
        lambda desk: removal_documents.corrections([approve_correction(desk, segment(identity))], ("", "")), 200,
    )  # fmt: skip


@router.get("/tokens", summary="Every token ever made, without its secret")
def tokens(request: Request) -> Response:
    """As ``lineagegate token list``."""
    with room_of(request).reading() as desk:
        return answered(TokensDocument(tuple(map(token_documents.token, desk.graph.tokens.all()))))


@router.post("/tokens", status_code=201, openapi_extra=described(TokenAsked), summary="Make a token")
async def make(request: Request) -> Response:
    """As ``lineagegate token create``. Its text is in this answer and nowhere else."""
    asked, identity = await body_as(request, TokenAsked), identity_of(request)
    expires = moment(asked.expires, end=True)

    def work(desk: Desk) -> TokenMadeDocument:
        row, secret = make_token(
            desk.graph, name=asked.name, role=asked.role, by=identity.name, namespaces=asked.namespaces, expires=expires
        )
        return TokenMadeDocument(token_documents.token(row), secret)

    return await _write(request, work)


@router.post("/tokens/{identity}/revoke", summary="End a token now")
async def revoke(request: Request, identity: str) -> Response:
    """As ``lineagegate token revoke``."""
    who: Identity = identity_of(request)

    def work(desk: Desk) -> TokensDocument:
        return TokensDocument((token_documents.token(revoke_token(desk.graph, segment(identity), by=who.name)),))

    return await _write(request, work, 200)
