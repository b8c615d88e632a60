"""The process: what must hold before a socket is opened, TLS, patience with slow clients, signals.

A first start on loopback needs nothing. Anything else asks for tokens, and for TLS here or at a proxy in front.
"""

from __future__ import annotations

import ipaddress
import signal
from pathlib import Path
from typing import Any, NamedTuple

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lineage.config import Config
from lineage.errors import UsageError
from lineage.gate import Gate
from lineage.gate.tokens import make_token
from lineage.server.app import create_app
from lineage.server.settings import ServerSettings
from lineage.server.telemetry import log_to_stderr
from lineage.vocabulary import Role

GRACE = 30
"""Seconds that requests under way get when the server is told to stop."""
MOST_CONNECTIONS = 2_000


class Where(NamedTuple):
    """What a server listens on."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()
    """Addresses of proxies whose ``X-Forwarded-*`` headers are believed; none: nobody's are."""


def check_where(where: Where, tokens: int) -> None:
    """Refuse to be reached from elsewhere without tokens, or in the clear.

    Args:
        where: what is asked for.
        tokens: how many there are.

    Raises:
        UsageError: ``HOST_REFUSED``, ``TLS_INCOMPLETE``.
    """
    if bool(where.certificate) is not bool(where.key):
        raise UsageError(
            "TLS needs a certificate and its key", code="TLS_INCOMPLETE", hint="--tls-cert FILE --tls-key FILE"
        )
    for file in (where.certificate, where.key):
        if file is not None and not file.is_file():
            raise UsageError(f"there is no {file}", code="TLS_INCOMPLETE", hint="--tls-cert FILE --tls-key FILE")
    if is_loopback(where.host):
        return
    if not tokens:
        raise UsageError(
            f"nobody has a token, so {where.host} is not listened on", code="HOST_REFUSED",
            cause="a server that others reach is not set up by whoever comes first",
            hint="lineagegate token create --name NAME --role administrator",
        )  # fmt: skip
    if where.certificate is None and not where.proxies:
        raise UsageError(
            f"{where.host} is not listened on in the clear: tokens would be read on the way", code="HOST_REFUSED",
            hint="--tls-cert FILE --tls-key FILE, or --behind-proxy ADDRESS of the proxy that ends TLS",
        )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def first_token(gate: Gate) -> str:
    """The text of an administrator's token, made because there is none at all; empty when there is one."""
    if gate.graph.tokens.all():
        return ""
    return make_token(gate.graph, name=gate.user, role=Role.ADMINISTRATOR, by=gate.user)[1]


def serve(config: Config, settings: ServerSettings, where: Where, log_format: str) -> None:
    """Answer until told to stop; requests under way are finished, and what waits is recorded.

    Args:
        config: the settings of the project; its store is made and up to date.
        settings: the table ``[server]``.
        where: what to listen on; `check_where` has been asked.
        log_format: ``text`` or ``json``.
    """
    log_to_stderr(log_format)
    # the signal that ended it is raised once more when all is done: then it asks for nothing that was not done
    signal.signal(signal.SIGTERM, lambda *_: None)
    app = create_app(config, settings)
    uvicorn.Server(
        uvicorn.Config(
            app,
            host=where.host,
            port=where.port,
            http=patient(settings.patience),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            ssl_certfile=where.certificate,
            ssl_keyfile=where.key,
            proxy_headers=bool(where.proxies),
            forwarded_allow_ips=list(where.proxies),
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=GRACE,
        )
    ).run()


def patient(seconds: float) -> type[H11Protocol]:
    """A protocol that waits for the header of a request so long and no longer; the body is `Limits`'."""

    class Patient(H11Protocol):
        _waiting: Any = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._waiting = self.loop.call_later(seconds, self._give_up)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            between = self.conn.their_state is h11.IDLE
            if not between and self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
            elif between and self._waiting is None:  # the beginning of another header
                self._waiting = self.loop.call_later(seconds, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
            super().connection_lost(exc)

        def _give_up(self) -> None:
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

    return Patient
