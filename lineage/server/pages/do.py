"""The forms: come in and go, declare, grant, claim, approve, withdraw, and try a policy.

Who does it is whoever came in. A form that cannot be carried out is shown again, with what was filled in, and why;
one that was leads back to its page, so that loading that again sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from lineage.errors import LineageError, UsageError
from lineage.gate import Inquiry, recall
from lineage.gate.removal import approve_correction, approve_removal, claim_correction
from lineage.gate.tokens import Unauthenticated
from lineage.policy import Policy, parse_policy
from lineage.server.access import identity_of
from lineage.server.acts import EvidenceFile, RemovalAsked, check_evidence, claim_asked
from lineage.server.limits import segment
from lineage.server.pages import found, look
from lineage.server.pages.door import COOKIE, from_here, kept, local, sessions
from lineage.server.pages.forms import Form, form_of
from lineage.server.pages.router import router
from lineage.server.pages.show import page
from lineage.server.problem import status_of
from lineage.server.room import Desk, room_of
from lineage.vocabulary import Basis, Kind, Origin, Scope

ORIGIN = ("provider", "service", "channel", "terms", "licence", "jurisdiction", "acquired")
MOST_LOGIN = 20_000
"""Bytes of the one form that anybody may send: a JSON web token with many groups has 8,000."""
SCOPE = ("kind", "provider", "service", "channel", "terms", "use", "model", "market")

Again = Callable[[Mapping[str, Any], int], Response]
"""Shows a page again, with why its form was not carried out."""


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the usual name
    """The form that asks for a token."""
    return page(request, "login.html", {"next": local(next)})


@router.post("/login")
async def login(request: Request) -> Response:
    """Take a token, and keep it as a session."""
    form = await form_of(request, MOST_LOGIN)
    from_here(request, form("csrf"))
    room, token = room_of(request), form("token")
    try:
        await room.shortly(room.vouchers.identify, {"authorization": f"Bearer {token}"})
    except Unauthenticated as error:
        room.metrics.refused.labels(error.code).inc()
        room.rates.strangers(request.client.host if request.client else "")
        return page(request, "login.html", {"fault": error, "next": local(form("next"))}, 401)
    kept_before = request.cookies.get(COOKIE, "")
    sessions(request).close(kept_before)
    return kept(request, RedirectResponse(local(form("next")), 303), sessions(request).open(token))


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session, here and in the browser."""
    if request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
        sessions(request).close(request.cookies.get(COOKIE, ""))
    return kept(request, RedirectResponse("/login", 303), "")


async def _done(request: Request, form: Form, work: Callable[[Desk], Any], back: str, again: Again) -> Response:
    """Carry out a form as whoever sent it; what is refused is said on its own page."""
    try:
        await room_of(request).write(work, identity_of(request))
    except LineageError as error:
        failed = {"fault": error, "form": form.fields}
        return await run_in_threadpool(again, failed, status_of(error))
    return RedirectResponse(back, 303)


async def _form(request: Request) -> Form:
    form = await form_of(request, room_of(request).settings.most_body)
    from_here(request, form("csrf"))
    return form


def _origin(form: Form) -> Origin:
    try:
        kind = Kind(form("kind"))
    except ValueError:
        raise UsageError(
            "it does not say what kind of origin is meant", code="ORIGIN_INVALID", cause=form("kind"), hint="choose one"
        ) from None
    return Origin(kind, **{name: form(name) for name in ORIGIN})


@router.post("/declare")
async def declare(request: Request) -> Response:
    """Say where a source comes from."""
    form = await _form(request)
    exact = form.fields  # names are taken as they are, blanks too
    about = found.About(*(exact.get(name, "") for name in ("target", "namespace", "name", "content")))

    def work(desk: Desk) -> None:
        desk.declare(about.of(desk), _origin(form), reason=form("reason"), evidence=form("evidence"))

    return await _done(
        request, form, work, "/undeclared?done=declared",
        lambda more, status: look.declare_page(request, about, more, status),
    )  # fmt: skip


@router.post("/grants")
async def grant(request: Request) -> Response:
    """Give a permission."""
    form = await _form(request)

    def work(desk: Desk) -> None:
        scope = Scope(**{name: form(name) for name in SCOPE})
        desk.grant(
            scope, reference=form("reference"), from_=form("from"), until=form("until"), reason=form("reason")
        )  # fmt: skip

    return await _done(
        request, form, work, "/grants?done=granted", lambda more, status: look.grants_page(request, more, status)
    )


@router.post("/grants/{identity}/withdraw")
async def withdraw(request: Request, identity: str) -> Response:
    """Take a permission back from now on."""
    form = await _form(request)
    return await _done(
        request, form, lambda desk: desk.withdraw(segment(identity).upper()), "/grants?done=withdrawn",
        lambda more, status: look.grants_page(request, more, status),
    )  # fmt: skip


@router.post("/removals")
async def claim(request: Request) -> Response:
    """Claim that an origin was taken out."""
    form = await _form(request)
    file = form.files.get("file")

    def work(desk: Desk) -> None:
        asked = RemovalAsked(
            form("output"), _origin(form) if form("kind") else None, form("checked"), form("result"), form("evidence"),
            EvidenceFile(file.name, file.text) if file else None, form("run"), (), form("reason"),
        )  # fmt: skip
        check_evidence(asked)
        claim_asked(desk, asked)

    return await _done(
        request, form, work, "/removals?done=claimed", lambda more, status: look.removals_page(request, more, status)
    )


@router.post("/removals/{identity}/approve")
async def approve(request: Request, identity: str) -> Response:
    """Approve somebody else's removal."""
    form = await _form(request)
    return await _done(
        request, form, lambda desk: approve_removal(desk, segment(identity)), "/removals?done=approved",
        lambda more, status: look.removals_page(request, more, status),
    )  # fmt: skip


@router.post("/corrections")
async def correct(request: Request) -> Response:
    """Claim that a declaration was a mistake."""
    form = await _form(request)

    def work(desk: Desk) -> None:
        basis = Basis(form("basis")) if form("basis") in [b.value for b in Basis] else None
        claim_correction(desk, form("source"), _origin(form), basis=basis, reason=form("reason"))

    return await _done(
        request, form, work, "/corrections?done=claimed",
        lambda more, status: look.corrections_page(request, more, status),
    )  # fmt: skip


@router.post("/corrections/{identity}/approve")
async def approve_other(request: Request, identity: str) -> Response:
    """Approve somebody else's correction."""
    form = await _form(request)
    return await _done(
        request, form, lambda desk: approve_correction(desk, segment(identity)), "/corrections?done=approved",
        lambda more, status: look.corrections_page(request, more, status),
    )  # fmt: skip


class _Tried(Inquiry):
    """The record under a policy that somebody tries."""

    def __init__(self, desk: Desk, policy: Policy) -> None:
        super().__init__(desk.config, desk.graph)
        self._tried = policy

    def policy(self) -> Policy:
        """That policy."""
        return self._tried


def _mistake(error: LineageError) -> int:
    """A policy that somebody sent is theirs, not the server's (`lineage.server.problem.OURS`)."""
    return 400 if isinstance(error, UsageError) else status_of(error)


@router.post("/policy")
async def replay(request: Request) -> Response:
    """What a policy that somebody pastes or sends along would have made of every decision. Nothing is recorded."""
    form = await _form(request)
    file = form.files.get("file")
    text = file.text if file else form.fields.get("text", "")

    def answer() -> Response:
        try:
            with room_of(request).reading(identity_of(request)) as desk:
                said = recall.replay(
                    _Tried(desk, parse_policy(text, file.name if file else "your policy")), form("since")
                )
        except LineageError as error:
            return look.policy_page(request, {"fault": error, "form": form.fields, "text": text}, _mistake(error))
        return look.policy_page(request, {"form": form.fields, "text": text}, said=said)

    return await run_in_threadpool(answer)
