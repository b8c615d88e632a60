"""Every failure as one document: ``application/problem+json`` (RFC 9457), never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lineage.errors import CannotDecide, LineageError, UsageError, printable
from lineage.gate.tokens import Unauthenticated

_log = logging.getLogger("lineagegate.server")

RETRY = 2
"""Seconds after which to ask again."""


class Refused(LineageError):  # noqa: N818 - what it says of whoever asks
    """Somebody known asks for what is not for them."""

    code = "FORBIDDEN"


STATUS: Mapping[str, int] = {
    "ALREADY_APPROVED": 409,
    "APPROVER_IS_CLAIMANT": 403,
    "ARTIFACT_UNKNOWN": 404,
    "BODY_TOO_LARGE": 413,
    "BUSY": 503,
    "CHECKPOINT_FOREIGN": 409,
    "CLIENT_SLOW": 408,
    "CLOCK_WENT_BACK": 500,
    "ENCODING_UNKNOWN": 415,
    "GRANT_UNKNOWN": 404,
    "GRAPH_DAMAGED": 500,
    "LEDGER_DAMAGED": 500,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_FOUND": 404,
    "NO_CHECKPOINT": 409,
    "POLICY_UNKNOWN": 409,
    "REMOVAL_UNKNOWN": 404,
    "CORRECTION_UNKNOWN": 404,
    "REMOVAL_VOID": 409,
    "STOPPING": 503,
    "STORE_BUSY": 503,
    "STORE_CLOSED": 503,
    "STORE_CORRUPT": 500,
    "STORE_MISSING": 503,
    "STORE_SCHEMA_NEW": 503,  # another process has upgraded it: this one is restarted with the new version
    "STORE_UNREACHABLE": 503,
    "TOKEN_UNKNOWN": 404,
    "TOO_MANY_REQUESTS": 429,
}
"""Where the class of a failure does not say it all."""
OURS = ("CONFIG_", "LEDGER_KEY", "PLUGIN_", "POLICY_", "STORE_")
"""Beginnings of codes that are the server's own fault, whatever was asked."""


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 section 3.1, with the code and the hint of `LineageError`."""

    type: str
    title: str
    """What happened, one sentence."""
    status: int
    detail: str
    """Why."""
    code: str
    """Stable, upper snake case."""
    hint: str
    """What to do next."""


def status_of(error: LineageError) -> int:
    """The HTTP status of a failure."""
    if isinstance(error, Unauthenticated):
        return 401
    if isinstance(error, Refused):
        return 403
    if (known := STATUS.get(error.code)) is not None:
        return known
    if error.code.startswith(OURS):
        return 500
    if isinstance(error, UsageError):
        return 400
    return 409 if isinstance(error, CannotDecide) else 500


def problem(error: LineageError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer that a failure is."""
    status = status_of(error)
    document = Problem(
        f"urn:lineagegate:problem:{error.code.lower().replace('_', '-')}",
        printable(error.message),
        status,
        "\n".join(map(printable, error.cause.split("\n"))),
        error.code,
        printable(error.hint),
    )
    more = dict(headers or {})
    if status == 401:
        more["WWW-Authenticate"] = 'Bearer realm="lineagegate"'
    if status in (429, 503):
        more["Retry-After"] = str(RETRY)
    return Response(msgspec.json.encode(document), status, more, media_type="application/problem+json")


def unforeseen(error: BaseException) -> LineageError:
    """A failure that nobody foresaw: logged whole, told without any of it."""
    _log.error("a request failed", exc_info=error)
    return LineageError("lineagegate failed; nothing was decided", code="INTERNAL", hint="the server's log has more")


def handle(app: FastAPI) -> None:
    """Answer every failure of an application with a problem document; one that nobody foresaw is `Limits`' matter."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, LineageError)
        if status_of(error) >= 500:
            _log.error("%s %s", error.code, printable(f"{error.message} ({error.cause})"))
        return problem(error)

    async def framework(request: Request, error: Exception) -> Response:
        from lineage.server.pages.show import missing  # pages are above this floor

        assert isinstance(error, HTTPException)
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "REQUEST_INVALID")
        what = {404: "there is nothing at this address", 405: "this address does not take this method"}
        failure = UsageError(what.get(error.status_code, "the request cannot be read"), code=code, hint="/openapi.json")
        looked = error.status_code == 404 and not request.url.path.startswith("/api/")
        page = await missing(request, failure) if looked else None
        return page or problem(failure, error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        words = error.errors()
        cause = "; ".join(f"{'.'.join(map(str, e.get('loc', ())))}: {e.get('msg', '')}" for e in words[:5])
        return problem(
            UsageError("the request is not valid", code="REQUEST_INVALID", cause=cause, hint="/openapi.json")
        )

    app.add_exception_handler(LineageError, ours)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, invalid)
