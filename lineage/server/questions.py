"""The questions of the command line over HTTP: the same words in, the same JSON documents out (docs/reference/cli.md).

What is handed over, a dossier or a bundle, is recorded with who read it before it leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from lineage.errors import UsageError
from lineage.events.naming import display
from lineage.evidence import document
from lineage.evidence import removal as removal_documents
from lineage.gate import Inquiry, questions
from lineage.gate import impact as ask_impact
from lineage.gate.asking import answer, why_document
from lineage.gate.removal import removal_notices
from lineage.gate.wanted import Wanted
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.room import Desk, Room, room_of
from lineage.vocabulary import Access, Decision, Passage

router = APIRouter(prefix="/api/v1", tags=["Questions"], dependencies=AUTHORISED)

Word = Annotated[str, Query(max_length=4_000)]
MOST_DECISIONS = 1_000


class DecisionsDocument(document.Document, frozen=True):
    """Recorded decisions, newest first."""

    decisions: tuple[Decision, ...]


class Times(NamedTuple):
    """The two times that a question can be asked about, as `Gate.at` takes them."""

    as_of: str
    known_at: str

    def of(self, desk: Desk) -> AbstractContextManager[Inquiry]:
        """The record at these times; the present one without any."""
        if not self.as_of and not self.known_at:
            return nullcontext(desk)
        return desk.at(as_of=self.as_of, known_at=self.known_at)


def _times(as_of: Word = "", known_at: Word = "") -> Times:
    return Times(as_of, known_at)


def _wanted(
    origin: Word = "", kind: Word = "", provider: Word = "", service: Word = "", channel: Word = "", terms: Word = "",
    licence: Word = "",
) -> Wanted:  # fmt: skip
    return Wanted(origin, kind, provider, service, channel, terms, licence)


When = Annotated[Times, Depends(_times)]
About = Annotated[Wanted, Depends(_wanted)]


def answered(value: Any, status: int = 200) -> Response:
    """A document as an answer."""
    return Response(document.encode(value), status, media_type="application/json")


def _ask(request: Request, when: Times, question: Callable[[Inquiry], Any]) -> Response:
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        return answered(question(inquiry))


@router.get("/why", summary="What an artifact carries, and on which path it came")
def why(request: Request, target: Word, when: When, origin: Word = "") -> Response:
    """As ``lineagegate why``."""
    return _ask(request, when, lambda inquiry: why_document(answer(inquiry, target, origin), inquiry.times))


@router.get("/contains", summary="Whether a model contains an origin, with the evidence")
def contains(request: Request, model: Word, about: About, when: When) -> Response:
    """As ``lineagegate contains``."""
    if about.anything:
        raise UsageError("no origin is named", code="ORIGIN_MISSING", hint="&origin=openai, or provider, channel …")
    return _ask(request, when, lambda inquiry: questions.contains(inquiry, model, about))


@router.get("/share", summary="What part of a model's sources has which origin")
def share(request: Request, model: Word, about: About, when: When) -> Response:
    """As ``lineagegate share``."""
    return _ask(request, when, lambda inquiry: questions.share(inquiry, model, about))


@router.get("/impact", summary="What was made from a source, or which models an origin touches")
def impact(request: Request, about: About, when: When, target: Word = "") -> Response:
    """As ``lineagegate impact``."""
    if bool(target) is not about.anything:
        raise UsageError("it is not clear what is asked about", code="QUESTION_UNCLEAR", hint="target, or an origin")

    def asked(inquiry: Inquiry) -> Any:
        if target:
            return ask_impact.of_source(inquiry, inquiry.resolve(target))
        return ask_impact.of_origin(inquiry, about)

    return _ask(request, when, asked)


@router.get("/history", summary="What happened to a model, or on record at all")
def history(
    request: Request, about: About, when: When, model: Word = "", since: Word = "", until: Word = ""
) -> Response:
    """As ``lineagegate history``."""
    return _ask(request, when, lambda inquiry: questions.history(inquiry, model, about, since, until))


@router.get("/check", summary="What the gate would say now; nothing is recorded")
def check(request: Request, target: Word, when: When, model: Word = "", alias: Word = "", stage: Word = "") -> Response:
    """As ``lineagegate check``."""
    attributes = {name: value for name, value in (("alias", alias), ("stage", stage)) if value}
    return _ask(
        request, when,
        lambda inquiry: document.check(inquiry.check(target, model=model, attributes=attributes), inquiry.times),
    )  # fmt: skip


@router.get("/decisions", summary="Recorded decisions, newest first")
def decisions(
    request: Request, model: Word = "", limit: Annotated[int, Query(ge=1, le=MOST_DECISIONS)] = 100
) -> Response:
    """Of one registered model, or of all."""
    with room_of(request).reading(identity_of(request)) as desk:
        return answered(DecisionsDocument(tuple(desk.graph.decisions(model or None, limit))))


@router.get("/status", summary="What the ledger holds")
def status(request: Request, when: When) -> Response:
    """As ``lineagegate status``."""

    def asked(inquiry: Inquiry) -> Any:
        todo = [(source, display(source.namespace, source.name)) for source in inquiry.undeclared()]
        return document.StatusDocument(document.counts(inquiry.status(), None), document.todo(todo), *inquiry.times)

    return _ask(request, when, asked)


@router.get("/grants", summary="Every grant ever made")
def grants(request: Request, when: When) -> Response:
    """As ``lineagegate grant --list``."""
    return _ask(request, when, lambda inquiry: document.GrantsDocument(tuple(inquiry.over().grants()), *inquiry.times))


@router.get("/removals", summary="Every removal ever claimed, and what became of it")
def removals(request: Request, when: When) -> Response:
    """As ``lineagegate removal list``."""
    with room_of(request).reading(identity_of(request)) as desk, when.of(desk) as inquiry:
        found = inquiry.over().removals()
        return answered(removal_documents.removals(found, removal_notices(desk.graph, found), inquiry.times))


@router.get("/corrections", summary="Every correction ever claimed, and what became of it")
def corrections(request: Request, when: When) -> Response:
    """As ``lineagegate correction list``."""
    return _ask(
        request, when, lambda inquiry: removal_documents.corrections(inquiry.over().corrections(), inquiry.times)
    )


HAND_OVER, KEEP = "case.zip", "openings.json"
"""Of a redacted bundle: what is handed over, and what stays with whoever asked for it."""
FORMS = {"html": "text/html; charset=utf-8", "pdf": "application/pdf", "json": "application/json"}


@router.get("/report", summary="A dossier about a model")
async def report(
    request: Request, model: Word, when: When, origin: Word = "", format: Literal["html", "pdf", "json"] = "html"  # noqa: A002
) -> Response:  # fmt: skip
    """As ``lineagegate report``. Who read it is recorded."""
    room = room_of(request)

    def made() -> bytes:
        with room.reading(identity_of(request)) as desk, when.of(desk) as inquiry:
            case = inquiry.case(model, origin=origin)
        if format == "json":
            return f"{document.encode(case)}\n".encode()
        if format == "pdf":
            from lineage.evidence.dossier.pdf import pdf

            return pdf(case)
        from lineage.evidence.dossier.html import html

        return html(case).encode()

    data = await run_in_threadpool(made)
    await _read(room, request, model, format)
    headers = {"Content-Disposition": f'attachment; filename="dossier.{format}"'}
    if format == "html":  # its style stands in it; it loads nothing and runs nothing
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
    return Response(data, 200, headers, media_type=FORMS[format])


@router.get("/bundle", summary="A case in one file that a stranger can check")
async def bundle(request: Request, model: Word, when: When, origin: Word = "", redact: Word = "") -> Response:
    """As ``lineagegate bundle``. With ``redact`` (``people``, ``paths``, or both with a comma) a file with two in it:
    the bundle, and what its pseudonyms stand for, to be kept. Who read it is recorded."""
    room = room_of(request)

    def made() -> bytes:
        from lineage.evidence.bundle import archive, document
        from lineage.gate.bundle import bundle as make

        kinds = document.kinds(redact)
        with room.reading(identity_of(request)) as desk:
            with when.of(desk) as inquiry:
                case = inquiry.case(model, origin=origin)
            found = make(desk, case, redact=kinds)
        return archive.archive({HAND_OVER: found.data, KEEP: found.openings.encode()}) if kinds else found.data

    data = await run_in_threadpool(made)
    await _read(room, request, model, f"bundle, redacted: {redact}" if redact else "bundle")
    name = "case-and-openings.zip" if redact else HAND_OVER
    return Response(data, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, media_type="application/zip")


async def _read(room: Room, request: Request, model: str, form: str) -> None:
    """Record that somebody read what is handed over. What cannot be recorded is not handed over."""
    await room.note(Access(Passage.READ, identity_of(request).name, model, detail=form))
