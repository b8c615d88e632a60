"""Who asks: the holder of one of our tokens, or a person that an identity provider or a signing proxy vouches for.

A header that nobody signed is never believed. What a person is called in the record comes from here alone, and carries
what the provider fixes (the subject), so that one person cannot become two by changing a display name.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt

from lineage.errors import LineageError, printable
from lineage.gate.tokens import PREFIX, Unauthenticated
from lineage.graph.tokens import TokenRow
from lineage.server.settings import Group, Oidc, Proxy, ServerSettings
from lineage.vocabulary import Role

_log = logging.getLogger("lineagegate.server")

ALGORITHMS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("RSA", ""): ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
"""How keys of an issuer may sign, by their kind and curve: never by a shared key, never not at all (RFC 8725)."""
KEYS_KEPT = 3600.0
"""Seconds that an issuer's keys are kept."""
KEYS_AGAIN = 30.0
"""Seconds that must pass before they are fetched again for a key that is not among them."""
LEEWAY = 30
"""Seconds that clocks may differ."""
_FETCH = 5.0
_MOST_FETCHED = 1_000_000


@dataclass(frozen=True)
class Identity:
    """Whoever asks, as far as it was established."""

    name: str
    """What the record calls them."""
    roles: frozenset[Role]
    namespaces: tuple[str, ...] = ()
    """What they may speak of as a producer."""
    key: str = ""
    """Tells them apart in logs and limits: the token's id, or the subject at its issuer."""


def of_token(row: TokenRow) -> Identity:
    """The holder of a token."""
    return Identity(row.name, frozenset({row.role}), row.namespaces, row.id)


class Vouchers:
    """Establishes who asks from the headers of a request.

    Args:
        settings: who vouches.
        tokens: finds the token that a text is.
    """

    def __init__(self, settings: ServerSettings, tokens: Callable[[str], TokenRow]) -> None:
        self._settings = settings
        self._tokens = tokens
        self._issuer = Issuer(settings.oidc) if settings.oidc else None

    def identify(self, headers: Mapping[str, str]) -> Identity:
        """Who sent a request.

        Raises:
            Unauthenticated: nobody that is known here.
            LineageError: it cannot be established now; why is in the log, and nothing that a stranger is told.
        """
        try:
            return self._identify(headers)
        except Unauthenticated:
            raise
        except LineageError as error:
            _log.error("%s %s", error.code, printable(f"{error.message} ({error.cause})"))
            raise LineageError(
                "nobody can be let in now", code=error.code, hint="ask again later; the server's log says why"
            ) from None

    def _identify(self, headers: Mapping[str, str]) -> Identity:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        proxy = self._settings.proxy
        if scheme:
            shown = shown.strip()
            if scheme.lower() != "bearer" or not shown:
                raise Unauthenticated("only bearer tokens are taken", hint="Authorization: Bearer lgt_…")
            if shown.startswith(f"{PREFIX}_"):
                return of_token(self._tokens(shown))
            if self._issuer is not None:
                return self._person(self._issuer.claims(shown), self._issuer.oidc.groups_claim)
            raise Unauthenticated("this token is not known", code="TOKEN_INVALID", hint="ask an administrator for one")
        if proxy is not None and (said := headers.get(proxy.header.lower())):
            return self._person(_signed(said, proxy), proxy.groups_claim)
        raise Unauthenticated("this needs a token", code="TOKEN_MISSING", hint="Authorization: Bearer lgt_…")

    def _person(self, claims: Mapping[str, Any], groups_claim: str) -> Identity:
        said = claims.get(groups_claim, [])
        member = (
            [said]
            if isinstance(said, str)
            else [g for g in said if isinstance(g, str)]
            if isinstance(said, list)
            else []
        )
        found = [group for name in member if (group := self._settings.groups.get(name))]
        return Identity(
            name_of(claims),
            frozenset(group.role for group in found),
            _namespaces(found),
            f"{claims['sub']} at {claims['iss']}",
        )


def name_of(claims: Mapping[str, Any]) -> str:
    """What the record calls a person: display name, mail address if verified, and what the provider fixes.

    The last part is why a new display name makes nobody a second person (`lineage.vocabulary.same_person`).
    """
    host = urlsplit(str(claims["iss"])).hostname or re.sub(r"[^\w.-]", "-", str(claims["iss"]))
    fixed = f"{re.sub(r'[^a-zA-Z0-9._-]', '-', str(claims['sub']))}@{host}"
    unverified = str(claims.get("email_verified", True)).lower() == "false"  # some providers say it as a text
    mail = None if unverified else claims.get("email")
    parts = [
        _clean(claims.get("name") or claims.get("preferred_username") or ""),
        f"<{_clean(mail)}>" if isinstance(mail, str) and "@" in mail else "",
        f"<{fixed}>",
    ]
    return " ".join(part for part in parts if part)


def _clean(text: Any) -> str:
    return "".join(c for c in str(text) if c.isprintable() and c not in "<>[]()\"'\\,;:")[:200].strip()


def _namespaces(groups: list[Group]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(space for group in groups for space in group.namespaces))


def _signed(text: str, proxy: Proxy) -> Mapping[str, Any]:
    try:
        return jwt.decode(
            text, proxy.key, algorithms=["HS256"], audience=proxy.audience, leeway=LEEWAY,
            options={"require": ["exp", "aud", "sub", "iss"]},
        )  # fmt: skip
    except jwt.PyJWTError as error:
        raise _not_believed(error) from None


class _Key(NamedTuple):
    key: Any
    algorithms: tuple[str, ...]


class Issuer:
    """An OpenID Connect issuer: its keys, fetched when first needed and kept.

    Args:
        oidc: which.
    """

    def __init__(self, oidc: Oidc) -> None:
        self.oidc = oidc
        self._lock = threading.Lock()
        self._keys: dict[str, _Key] = {}
        self._fetched = float("-inf")

    def claims(self, text: str) -> Mapping[str, Any]:
        """What a token says, once its signature, issuer, audience and dates were verified.

        Raises:
            Unauthenticated: it does not hold.
            LineageError: ``ISSUER_UNREACHABLE``.
        """
        try:
            header = jwt.get_unverified_header(text)
            key = self._key(str(header.get("kid", "")))
            if header.get("alg") not in key.algorithms:
                raise jwt.InvalidAlgorithmError(f"its key does not sign by {header.get('alg')}")
            return jwt.decode(
                text, key.key, algorithms=list(key.algorithms), audience=self.oidc.audience, issuer=self.oidc.issuer,
                leeway=LEEWAY, options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise _not_believed(error) from None

    def _key(self, kid: str) -> _Key:
        if self._due(kid) and self._lock.acquire(blocking=not self._keys):  # while one asks, the others go on
            try:
                if self._due(kid):
                    self._fetch()
            finally:
                self._lock.release()
        key = self._keys.get(kid)
        if key is None:
            raise jwt.InvalidKeyError("it is signed by a key that its issuer does not publish")
        return key

    def _due(self, kid: str) -> bool:
        age = time.monotonic() - self._fetched
        return age > KEYS_KEPT or (kid not in self._keys and age > KEYS_AGAIN)

    def _fetch(self) -> None:
        self._fetched = time.monotonic()  # also when it fails: nobody can make us ask at every request
        try:
            about = _json(self.oidc.issuer.rstrip("/") + "/.well-known/openid-configuration")
            if about.get("issuer") != self.oidc.issuer:
                raise ValueError(f"it calls itself {about.get('issuer')!r}")
            where = str(about["jwks_uri"])
            if urlsplit(where).scheme != urlsplit(self.oidc.issuer).scheme:
                raise ValueError(f"its keys are at {where}")
            found = _json(where)["keys"]
            keys = {}
            for item in found:
                ways = ALGORITHMS.get((item.get("kty"), item.get("crv", "")), ())
                ways = tuple(way for way in ways if item.get("alg", way) == way)
                if item.get("use", "sig") == "sig" and ways:
                    keys[str(item.get("kid", ""))] = _Key(jwt.PyJWK(item, ways[0]).key, ways)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
            if self._keys:
                return  # the ones that are known stay good while the issuer is away
            raise LineageError(
                "the identity provider cannot be asked", code="ISSUER_UNREACHABLE", cause=str(error),
                hint=f"check {self.oidc.issuer}",
            ) from None  # fmt: skip
        self._keys = keys


def _json(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - from the settings
    with _opener.open(request, timeout=_FETCH) as answer:
        return json.loads(answer.read(_MOST_FETCHED))


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: keys come from where the settings say."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Stay)


def _not_believed(error: jwt.PyJWTError) -> Unauthenticated:
    code = "TOKEN_EXPIRED" if isinstance(error, jwt.ExpiredSignatureError) else "TOKEN_INVALID"
    return Unauthenticated("this token is not believed", code=code, cause=str(error), hint="sign in again")
