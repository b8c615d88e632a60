"""What every request is held to before anything reads it: size, patience; and what every answer carries.

Plain ASGI, so that a body is cut as it streams in. Rates are `lineage.server.access`'s, because they are somebody's.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineage.errors import LineageError, UsageError
from lineage.server.problem import problem, unforeseen
from lineage.server.settings import ServerSettings
from lineage.server.telemetry import Metrics

_log = logging.getLogger("lineagegate.server")

PIECE = 64_000
"""Bytes of a body that must come within the patience: who sends one at a time holds a connection for days."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Of RFC 9110 and RFC 5789."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Put on every answer that does not say otherwise."""


class Limits:
    """See the module.

    Args:
        app: what answers.
        settings: how much and how long.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, begun = time.perf_counter(), 500, False
        scope["path"] = segments(scope.get("raw_path") or scope["path"].encode())
        patient = _Patient(receive, self._settings.most_body, self._settings.patience)

        async def sending(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                there = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in HEADERS if name not in there]
                if status in (408, 413):  # what is still on its way is not read
                    more.append((b"connection", b"close"))
                if scope.get("scheme") == "https":
                    more.append((b"strict-transport-security", b"max-age=31536000"))
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            if b"%00" in scope.get("raw_path", b"") + b"?" + scope["query_string"]:  # no database keeps it in a text
                await problem(UsageError("the address holds a NUL", code="REQUEST_INVALID"))(scope, receive, sending)
                return
            stated = [value for name, value in scope["headers"] if name == b"content-length"]
            if stated and stated[0].isdigit() and int(stated[0]) > self._settings.most_body:
                await problem(_too_large(self._settings.most_body))(scope, receive, sending)
                return
            await self._app(scope, patient, sending)
        except Exception as error:
            answer = problem(unforeseen(error))
            if begun:
                raise  # half an answer is out: the connection ends, so that nobody takes it for a whole one
            await answer(scope, receive, sending)
        finally:
            self._tell(scope, status, time.perf_counter() - began, patient.size)

    def _tell(self, scope: Scope, status: int, seconds: float, size: int) -> None:
        route = getattr(scope.get("route"), "path", "")
        method = scope["method"] if scope["method"] in METHODS else "other"  # anybody can make up as many as they like
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if route in ("/health", "/ready", "/metrics") and status < 400:
            return
        identity = scope.get("state", {}).get("identity")
        _log.info("request", extra={"fields": {
            "method": method, "route": route or "-", "status": status, "ms": round(seconds * 1000, 1),
            "bytes": size, "who": identity.key if identity else "-",
            "client": scope["client"][0] if scope.get("client") else "-",
        }})  # fmt: skip


class _Patient:
    """The body of a request: so many bytes, and each `PIECE` of it within so many seconds."""

    def __init__(self, receive: Receive, most: int, patience: float) -> None:
        self._receive, self._most, self._patience = receive, most, patience
        self._ended = False
        self._until = self._next = 0.0
        self.size = 0

    async def __call__(self) -> Message:
        if self._ended:  # what comes now is that the client went away: no hurry
            return await self._receive()
        now = time.monotonic()
        if self.size >= self._next:
            self._until, self._next = now + self._patience, self.size + PIECE
        try:
            message = await asyncio.wait_for(self._receive(), self._until - now)
        except (TimeoutError, asyncio.TimeoutError):
            self._ended = True
            raise LineageError(
                "the request took too long", code="CLIENT_SLOW", cause=f"{self._patience:g} s for {PIECE:,} bytes",
                hint="send it again",
            ) from None  # fmt: skip
        self.size += len(message.get("body", b""))
        self._ended = message["type"] != "http.request" or not message.get("more_body")
        if self.size > self._most:
            self._ended = True
            raise _too_large(self._most)
        return message


async def body_of(request: Request, most: int) -> bytes:
    """The body of a request, unpacked.

    Args:
        request: with ``Content-Encoding`` gzip, deflate or none.
        most: bytes it may have, as sent and once unpacked.

    Raises:
        UsageError: ``BODY_TOO_LARGE``, ``ENCODING_UNKNOWN``, ``BODY_INVALID``.
    """
    sent = bytearray()
    async for piece in request.stream():
        sent += piece
        if len(sent) > most:
            raise _too_large(most)
    data = bytes(sent)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return data
    if encoding not in ("gzip", "deflate"):
        raise UsageError(
            "this way of packing is not known", code="ENCODING_UNKNOWN", cause=encoding[:40], hint="gzip, or none"
        )
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, as its header says
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise UsageError("the body cannot be unpacked", code="BODY_INVALID", cause=str(error)) from None
    if len(found) > most:
        raise _too_large(most)
    if not unpacker.eof or unpacker.unused_data:
        raise UsageError("the body cannot be unpacked", code="BODY_INVALID", cause="it does not end where it should")
    return found


def _too_large(most: int) -> UsageError:
    return UsageError(
        "the body is too large",
        code="BODY_TOO_LARGE",
        cause=f"at most {most:,} bytes are taken",
        hint="send less at once",
    )


def segments(raw: bytes) -> str:
    """A path to find the route by: each segment decoded, except a slash (and the percent sign) inside one.

    Names of datasets and namespaces hold slashes (``s3://bucket``); clients send them as ``%2F``. `segment` gives the
    name back.
    """
    parts = raw.partition(b"?")[0].split(b"/")
    decoded = (unquote_to_bytes(part).decode("utf-8", "replace") for part in parts)
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in decoded)


def segment(text: str) -> str:
    """The name that a segment of a path stands for."""
    return text.replace("%2F", "/").replace("%25", "%")
