"""The team's server, asked over HTTP with the standard library; the table ``[team]`` of the settings names it.

Whatever does not go as it should is an error with the server's address in it: nothing that could not be read, and
nothing that only looks like an answer, is ever taken for one. Redirects are not followed: a token goes to the server
that the settings name, and to no other.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import math
import os
import re
import socket
import ssl
import stat
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from lineage.config import Config
from lineage.errors import LineageError, UsageError
from lineage.vocabulary import Role

T = TypeVar("T")

TABLE = "team"
TOKEN_FILE = ".lineage/token"  # noqa: S105 - where it lies by default
PATIENCE = 30.0
"""Seconds for a connection, and for each piece of an answer."""
MOST_ANSWER = 50_000_000
"""Bytes of an answer."""
_LONGEST = 10
"""Times the patience that a whole answer may take: a letter at a time would hold a registration for days."""
_IDLE = 5.0
"""Seconds after which a connection is not used again."""
_PACKED = 2_000
"""Bytes of a body from which on it is packed."""
_KEYS = ("server", "token", "certificates", "gate", "patience")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")


class Unanswered(LineageError):  # noqa: N818 - what it says
    """The server did not do what it was asked to."""

    code = "SERVER_UNREACHABLE"

    def __init__(self, message: str, *, status: int = 0, after: float = 0.0, **more: str) -> None:
        super().__init__(message, **more)
        self.status = status
        """Of HTTP; 0 where there was no answer."""
        self.after = after
        """Seconds after which the server wants to be asked again; 0: it did not say."""

    @property
    def again(self) -> bool:
        """Whether the same may be taken later."""
        return self.status in (0, 408, 429) or self.status >= 500 or self.code == "SERVER_NONSENSE"


@dataclass(frozen=True)
class Team:
    """The table ``[team]``: which server this project belongs to."""

    server: str
    """Its address, without a slash at the end."""
    tokens: tuple[str, ...] = field(repr=False)
    """Each is used for what its role is for."""
    certificates: Path | None = None
    """Authorities to believe beside the system's (PEM)."""
    judges: bool = False
    """Whether registrations are judged there (``gate = "server"``)."""
    patience: float = PATIENCE

    @classmethod
    def of(cls, config: Config) -> Team | None:
        """Read and check it. None: no server is named.

        The address is ``LINEAGE_SERVER``, else ``server`` of the table; tokens are ``LINEAGE_TOKEN``, else the lines of
        the file ``token``, which nobody else may read. A token never stands in the settings.

        Raises:
            UsageError: ``CONFIG_INVALID``, ``TOKEN_MISSING``, ``TOKEN_EXPOSED``.
        """
        table: Mapping[str, Any] = config.extra.get(TABLE, {})

        def invalid(key: str, wanted: str) -> UsageError:
            return UsageError(
                f"{config.file or 'the settings'}: [{TABLE}] {key} is not valid", code="CONFIG_INVALID",
                cause=repr(table.get(key)), hint=wanted,
            )  # fmt: skip

        if unknown := sorted(set(table) - set(_KEYS)):
            raise invalid(unknown[0], f"known are {', '.join(_KEYS)}; a token is in a file or in LINEAGE_TOKEN")
        for key in ("server", "token", "certificates"):
            if not isinstance(table.get(key, ""), str):
                raise invalid(key, "a text")
        patience = table.get("patience", PATIENCE)
        if not isinstance(patience, (int, float)) or isinstance(patience, bool) or not 0 < patience <= 600:
            raise invalid("patience", "seconds, up to 600")
        gate = table.get("gate", "here")
        if gate not in ("here", "server"):
            raise invalid("gate", '"here" (by default) or "server"')
        server = (os.environ.get("LINEAGE_SERVER") or table.get("server", "")).rstrip("/")
        if not server:
            if gate == "server":
                raise invalid("server", f'[{TABLE}] server = "https://lineage.example.com", which judges')
            return None
        if not _ADDRESS.fullmatch(server):
            raise invalid("server", 'an address like "https://lineage.example.com"')
        if server.startswith("http://") and urlsplit(server).hostname not in _LOOPBACK:
            raise invalid("server", "an https:// address: over http:// the token would be read on the way")
        named = table.get("certificates", "")
        return cls(
            server, _tokens(config.root / table.get("token", TOKEN_FILE)),
            config.root / named if named else None, gate == "server", float(patience),
        )  # fmt: skip


def _tokens(file: Path) -> tuple[str, ...]:
    said = os.environ.get("LINEAGE_TOKEN", "")
    where = "LINEAGE_TOKEN"
    if not said:
        where = str(file)
        try:
            if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
                raise UsageError(f"others can read the token in {file}", code="TOKEN_EXPOSED", hint=f"chmod 600 {file}")
            said = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                "there is no token for the team's server", code="TOKEN_MISSING", cause=str(error),
                hint=f"put the one that an administrator gave you into {file} (mode 600), or set LINEAGE_TOKEN",
            ) from None  # fmt: skip
    found = tuple(said.split())
    if not found or not all(token.isascii() and token.isprintable() for token in found):
        raise UsageError(
            "the token for the team's server cannot be used", code="TOKEN_MISSING",
            cause=f"{where} holds {'something else' if found else 'nothing'}", hint="as in lgt_01M8…_…, one a line",
        )  # fmt: skip
    return found


class Reply(NamedTuple):
    """An answer as it came."""

    status: int
    body: bytes
    after: float
    """Seconds after which to ask again; 0: it did not say."""


class Me(msgspec.Struct, frozen=True):
    """Whom the server takes a token for."""

    name: str
    roles: tuple[Role, ...]
    namespaces: tuple[str, ...]
    ledger: str
    """Name of the log that its checkpoints are of."""
    entries: int
    last: str = ""
    """Hash of the last of the entries that were asked about; empty: it holds fewer, or does not say."""


class _Problem(msgspec.Struct, frozen=True):
    """What is read of RFC 9457."""

    title: str
    code: str
    detail: str = ""
    hint: str = ""


class Client:
    """One connection to the team's server, made when first needed and used by one thread at a time.

    Args:
        team: where it is.
        token: who asks.
        until: when whoever asks goes on without an answer, by the clock of `time.monotonic`.
    """

    def __init__(self, team: Team, token: str, until: float = math.inf) -> None:
        self.team = team
        self._token = token
        self._until = until
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def me(self, entries: int = 0) -> Me:
        """Whom the server takes this token for.

        Args:
            entries: how many of its entries are asked about; 0: all that it holds.

        Raises:
            Unanswered: it cannot say.
        """
        return self.ask("GET", f"/api/v1/me?entries={entries}" if entries else "/api/v1/me", None, Me)

    def ask(self, method: str, path: str, body: Any, kind: type[T]) -> T:
        """Ask, and read the answer.

        Args:
            method: of HTTP.
            path: with the query.
            body: what to send as JSON; None: nothing.
            kind: what the answer must be.

        Raises:
            Unanswered: with the server's own code, message and hint where it gave them; ``SERVER_UNREACHABLE``,
                ``SERVER_NONSENSE``.
        """
        reply = self.send(method, path, None if body is None else msgspec.json.encode(body))
        if not 200 <= reply.status < 300:
            raise self.refusal(reply)
        return self.read(reply, kind)

    def read(self, reply: Reply, kind: type[T]) -> T:
        """An answer as what it must be.

        Raises:
            Unanswered: ``SERVER_NONSENSE``.
        """
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._nonsense(reply, str(error)) from None

    def refusal(self, reply: Reply) -> Unanswered:
        """What an answer says that is not the one asked for."""
        try:
            said = msgspec.json.decode(reply.body, type=_Problem)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._nonsense(reply, f"HTTP {reply.status}, and no problem document")
        return Unanswered(
            f"{self.team.server} refuses: {said.title}", code=said.code, cause=said.detail, hint=said.hint,
            status=reply.status, after=reply.after,
        )  # fmt: skip

    def _nonsense(self, reply: Reply, cause: str) -> Unanswered:
        return Unanswered(
            f"what answers at {self.team.server} is no lineagegate server, or one that is broken",
            code="SERVER_NONSENSE", cause=f"{cause}: {reply.body[:80].decode('utf-8', 'replace')!r}",
            hint=f"check [{TABLE}] server, and what stands between here and there",
            status=reply.status, after=reply.after,
        )  # fmt: skip

    def send(self, method: str, path: str, body: bytes | None) -> Reply:
        """Send a body, and take what comes. What was sent and not answered may have arrived all the same.

        Raises:
            Unanswered: ``SERVER_UNREACHABLE``.
        """
        if time.monotonic() - self._used > _IDLE:  # a server closes connections that are idle, perhaps just now
            self.close()
        left = min(self.team.patience * _LONGEST, self._until - time.monotonic())
        watch = threading.Timer(max(left, 0.0), self._cut)
        watch.daemon = True
        watch.start()
        try:
            reply = self._send(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._away(error) from None
        finally:
            watch.cancel()
        self._used = time.monotonic()
        return reply

    def _cut(self) -> None:
        """End what is being waited for, in whatever part of it; from another thread."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)  # below TLS, which the other thread is in

    def _away(self, error: Exception) -> Unanswered:
        return Unanswered(
            f"{self.team.server} does not answer", cause=str(error) or type(error).__name__,
            hint=f"check that it runs: curl {self.team.server}/health",
        )  # fmt: skip

    def _send(self, method: str, path: str, body: bytes | None) -> Reply:
        headers = {
            "Authorization": f"Bearer {self._token}", "Accept": "application/json",
            "User-Agent": _agent(),
        }  # fmt: skip
        if body is not None:
            headers["Content-Type"] = "application/json"
            if len(body) > _PACKED:
                body = gzip.compress(body, 1)
                headers["Content-Encoding"] = "gzip"
        if self._connection is None:
            self._connection = self._connect()
        prefix = urlsplit(self.team.server).path
        self._connection.request(method, f"{prefix}{path}", body, headers)
        answer = self._connection.getresponse()
        data = answer.read(MOST_ANSWER + 1)
        if answer.length:  # asked for so many bytes, the library takes a body that was cut for a whole one
            raise http.client.IncompleteRead(data[:0], answer.length)
        if len(data) > MOST_ANSWER:
            self.close()
            raise http.client.HTTPException(f"its answer is longer than {MOST_ANSWER:,} bytes")
        after = 0.0
        with contextlib.suppress(ValueError):
            after = min(max(float(answer.headers.get("Retry-After", "0")), 0.0), 3_600.0)
        return Reply(answer.status, data, after)

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.team.server)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.team.patience)
        context = ssl.create_default_context()
        if self.team.certificates is not None:
            context.load_verify_locations(self.team.certificates)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=self.team.patience, context=context
        )


def client_for(team: Team, role: Role) -> Client:
    """A client whose token has a role.

    Raises:
        Unanswered: the server cannot say, or ``ROLE_MISSING``: no token has it.
    """
    names = []
    for token in team.tokens:
        client = Client(team, token)
        me = client.me()
        if role in me.roles:
            return client
        client.close()
        names.append(f"{me.name} ({', '.join(me.roles) or 'no role'})")
    raise Unanswered(
        f"none of the tokens for {team.server} is of a {role.value}", code="ROLE_MISSING", status=403,
        cause=f"they are of {'; '.join(names)}", hint=f"ask an administrator for a token with the role {role.value}",
    )  # fmt: skip


@cache
def _agent() -> str:
    """Who asks. Read once: it costs more than the rest of a request does here."""
    return f"lineagegate/{version('lineagegate')}"
