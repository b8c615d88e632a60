"""The table ``[server]`` of the settings: limits, and who vouches for people beside our own tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage.config import Config
from lineage.errors import UsageError
from lineage.gate.address import url_of
from lineage.vocabulary import Role

LEAST_KEY = 32
"""Bytes of a key that a proxy signs with (RFC 7518 section 3.2, for HS256)."""


@dataclass(frozen=True)
class Group:
    """What members of a group of the identity provider may do."""

    role: Role
    namespaces: tuple[str, ...] = ()
    """Of a producer; see `lineage.gate.tokens.covers`."""


@dataclass(frozen=True)
class Oidc:
    """An OpenID Connect issuer whose tokens are believed."""

    issuer: str
    audience: str
    groups_claim: str = "groups"


@dataclass(frozen=True)
class Proxy:
    """A reverse proxy that says who asks, in a header that it signs: a JWT by a shared key (HS256)."""

    header: str
    key: bytes = field(repr=False)
    audience: str = "lineagegate"
    groups_claim: str = "groups"


@dataclass(frozen=True)
class ServerSettings:
    """See the module. Sizes are bytes, times seconds."""

    most_body: int = 10_000_000
    """Of a request, as sent and as unpacked."""
    most_events: int = 1_000
    """In one batch."""
    rate: int = 1_000
    """Requests a second of one identity, on average over `burst`."""
    burst: int = 2_000
    patience: int = 30
    """How long a client may take over a request's header, and over each 64,000 bytes of its body."""
    readers: int = 4
    """Connections to the store that answer questions."""
    url: str = ""
    """See `lineage.gate.address.url_of`."""
    groups: Mapping[str, Group] = field(default_factory=dict)
    oidc: Oidc | None = None
    proxy: Proxy | None = None

    @classmethod
    def of(cls, config: Config, *, issuer: str = "", audience: str = "") -> ServerSettings:
        """Read and check them.

        Args:
            config: the settings of the project.
            issuer: of OpenID Connect, as given on the command line; it wins.
            audience: likewise.

        Raises:
            UsageError: ``CONFIG_INVALID``.
        """
        table = dict(config.extra.get("server", {}))
        read = _Reader(config)
        oidc = read.table("oidc", table.pop("oidc", {}), ("issuer", "audience", "groups_claim"))
        proxy = read.table("proxy", table.pop("proxy", {}), ("header", "key", "audience", "groups_claim"))
        groups = read.groups(table.pop("groups", []))
        if issuer or audience:
            oidc = {**oidc, **({"issuer": issuer} if issuer else {}), **({"audience": audience} if audience else {})}
        if oidc and not (oidc.get("issuer") and oidc.get("audience")):
            raise read.invalid(
                "oidc", "without an issuer and an audience", "both are needed: a token says for whom it is"
            )
        if oidc and not oidc["issuer"].startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise read.invalid(
                "oidc", f"of an issuer that is not asked over TLS: {oidc['issuer']}", "an https:// address"
            )
        table.pop("url", None)
        unknown = sorted(set(table) - set(_NUMBERS))
        if unknown:
            known = ", ".join((*_NUMBERS, "url", "groups", "oidc", "proxy"))
            raise read.invalid(unknown[0], "not known", f"known are {known}")
        numbers: dict[str, int] = {}
        for key, value in table.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise read.invalid(key, f"{value!r}", "a number above 0")
            numbers[key] = value
        return cls(
            **numbers,
            url=url_of(config),
            groups=groups,
            oidc=Oidc(**oidc) if oidc else None,
            proxy=read.proxy(proxy) if proxy else None,
        )


_NUMBERS = ("most_body", "most_events", "rate", "burst", "patience", "readers")


@dataclass(frozen=True)
class _Reader:
    config: Config

    def invalid(self, key: str, cause: str, wanted: str) -> UsageError:
        return UsageError(
            f"{self.config.file or 'lineage.toml'}: [server] {key} is not valid",
            code="CONFIG_INVALID",
            cause=cause,
            hint=wanted,
        )

    def table(self, name: str, value: Any, keys: tuple[str, ...]) -> dict[str, str]:
        if not isinstance(value, dict) or set(value) - set(keys) or not all(isinstance(v, str) for v in value.values()):
            raise self.invalid(name, repr(value), f"a table of {', '.join(keys)}")
        return dict(value)

    def groups(self, value: Any) -> dict[str, Group]:
        found: dict[str, Group] = {}
        wanted = '[[server.groups]] with  group = "ml-stewards"  and  role = "steward"'
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict) or set(item) - {"group", "role", "namespaces"}:
                raise self.invalid("groups", repr(item), wanted)
            name, role, spaces = item.get("group"), item.get("role"), item.get("namespaces", [])
            if not isinstance(name, str) or role not in [r.value for r in Role]:
                raise self.invalid("groups", repr(item), f"{wanted}; roles: {', '.join(r.value for r in Role)}")
            if not isinstance(spaces, list) or not all(isinstance(s, str) for s in spaces):
                raise self.invalid("groups", repr(item), 'namespaces = ["airflow-prod"]')
            if (Role(role) is Role.PRODUCER) != bool(spaces):
                raise self.invalid("groups", repr(item), "namespaces for a producer, and for nobody else")
            found[name] = Group(Role(role), tuple(spaces))
        return found

    def proxy(self, table: dict[str, str]) -> Proxy:
        header, named = table.get("header", ""), table.pop("key", "")
        if not header or not named:
            raise self.invalid("proxy", "without a header or a key", 'header = "X-Identity", key = "proxy.key"')
        file: Path = self.config.root / named
        try:
            key = file.read_bytes().strip()
        except OSError as error:
            raise self.invalid("proxy", str(error), "a file with the key that the proxy signs with") from None
        if len(key) < LEAST_KEY:
            raise self.invalid("proxy", f"{file} holds {len(key)} bytes", f"a key of at least {LEAST_KEY} bytes")
        return Proxy(key=key, **table)
