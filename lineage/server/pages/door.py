"""Who looks at pages: a token is shown once, at the door, and kept here; the browser keeps a name for it.

The cookie opens pages and nothing else: the routes under ``/api`` take a token or nothing, so that no other site can
use them through somebody's browser. Forms carry a word that only our own pages know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from lineage.errors import LineageError, UsageError

COOKIE = "lineagegate"
KEPT = 12 * 3600
"""Seconds that a session lasts."""
MOST = 10_000
"""Sessions kept; the one that was opened first goes first."""


class _Session(NamedTuple):
    token: str
    until: float


class Sessions:
    """Tokens by the hash of what the browser keeps. In memory: a server that starts again asks for the token again.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[bytes, _Session] = OrderedDict()
        self.key = secrets.token_bytes(32)

    def open(self, token: str) -> str:
        """Keep a token; returns what the browser is to keep."""
        name = secrets.token_urlsafe(32)
        while len(self._kept) >= MOST:
            self._kept.popitem(last=False)
        self._kept[_hash(name)] = _Session(token, self._clock() + KEPT)
        return name

    def token(self, name: str) -> str:
        """The token of a session; empty where there is none, or it is over."""
        found = self._kept.get(_hash(name))
        if found is None:
            return ""
        if found.until <= self._clock():
            self.close(name)
            return ""
        return found.token

    def close(self, name: str) -> None:
        """Forget a session."""
        self._kept.pop(_hash(name), None)


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def sessions(request: Request) -> Sessions:
    """The sessions of the server that a request came to."""
    found = request.app.state.sessions
    assert isinstance(found, Sessions)
    return found


class PageRoute(APIRoute):
    """A route that a session opens, too, and whose failures are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            from lineage.server.pages.show import fault

            if "authorization" not in request.headers:
                token = sessions(request).token(request.cookies.get(COOKIE, ""))
                if token:
                    told = (b"authorization", f"Bearer {token}".encode("latin-1", "replace"))
                    request.scope["headers"] = [*request.scope["headers"], told]
                    request = Request(request.scope, request.receive)
            try:
                return await answer(request)
            except RequestValidationError as error:
                cause = "; ".join(f"{e.get('loc', ('', ''))[-1]}: {e.get('msg', '')}" for e in error.errors()[:5])
                return fault(
                    request, UsageError("this cannot be asked", code="REQUEST_INVALID", cause=cause, hint="start at /")
                )
            except LineageError as error:
                return fault(request, error)

        return handle


def csrf(request: Request) -> str:
    """The word that forms on our pages carry: for this person and session, and of no use to anybody else."""
    identity = getattr(request.state, "identity", None)
    about = f"{identity.key if identity else ''}\n{request.cookies.get(COOKIE, '')}"
    return hmac.new(sessions(request).key, about.encode(), hashlib.sha256).hexdigest()


def from_here(request: Request, word: str) -> None:
    """See that a form was sent by one of our pages.

    Raises:
        UsageError: ``FORM_STALE``.
    """
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if elsewhere or not hmac.compare_digest(csrf(request), word):
        raise UsageError(
            "this form is not one of ours, or too old", code="FORM_STALE",
            cause="nothing was recorded", hint="open the page again and fill it in anew",
        )  # fmt: skip


def kept(request: Request, response: Response, name: str) -> Response:
    """An answer after which the browser keeps a session; with an empty name, none."""
    secure = request.url.scheme == "https"
    if name:
        response.set_cookie(COOKIE, name, max_age=KEPT, httponly=True, samesite="lax", secure=secure)
    else:
        response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=secure)
    return response


def local(path: str) -> str:
    """An address on this server, whatever a link asked for; the first page else."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if inside else "/"
