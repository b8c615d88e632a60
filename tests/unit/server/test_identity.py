"""People that somebody else vouches for: an issuer that the test starts, and a proxy that signs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineage.config import Config
from lineage.errors import UsageError
from lineage.server.identity import name_of
from lineage.server.settings import Group, Oidc, Proxy, ServerSettings
from lineage.vocabulary import Role, same_person
from tests.unit.server.conftest import House, event

KEY = b"a key that only the proxy and the server know"


class Issuer:
    """An OpenID Connect issuer on this machine."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other = ec.generate_private_key(ec.SECP256R1())
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                body = json.dumps(
                    {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                    if self.path.startswith("/.well-known/")
                    else {"keys": [issuer.jwk(issuer.key.public_key(), "k1", "RS256")]}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def jwk(key: Any, kid: str, alg: str) -> dict[str, Any]:
        return {**json.loads(jwt.get_algorithm_by_name(alg).to_jwk(key)), "kid": kid, "use": "sig", "alg": alg}

    def token(self, key: Any = None, alg: str = "RS256", kid: str = "k1", **claims: Any) -> str:
        now = int(time.time())
        said = {
            "iss": self.url, "aud": "lineagegate", "sub": "8f3c", "iat": now, "exp": now + 60, "name": "Jane Roe",
            "email": "jane@example.com", "groups": ["stewards", "everybody"], **claims,
        }  # fmt: skip
        said = {k: v for k, v in said.items() if v is not None}
        return jwt.encode(said, self.key if key is None else key, algorithm=alg, headers={"kid": kid})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def settings(project: Config, issuer: Issuer) -> ServerSettings:
    groups = {
        "stewards": Group(Role.STEWARD),
        "readers": Group(Role.READER),
        "jobs": Group(Role.PRODUCER, ("airflow", "s3://lake")),
    }
    return replace(
        ServerSettings.of(project), oidc=Oidc(issuer.url, "lineagegate"), proxy=Proxy("X-Identity", KEY), groups=groups
    )


def test_a_person_of_the_issuer_is_let_in(house: House, issuer: Issuer) -> None:
    me = house("GET", "/api/v1/me", issuer.token()).json()
    assert (me["ledger"].startswith("p/"), me["entries"] > 0) == (True, True)
    said = {key: me[key] for key in ("name", "roles", "namespaces")}
    assert said == {"name": "Jane Roe <jane@example.com> <8f3c@127.0.0.1>", "roles": ["steward"], "namespaces": []}
    both = house("GET", "/api/v1/me", issuer.token(groups=["readers", "jobs"])).json()
    assert both["roles"] == ["producer", "reader"] and both["namespaces"] == ["airflow", "s3://lake"]
    assert house("POST", "/api/v1/lineage", issuer.token(groups=["jobs"]), json=event()).status_code == 201
    for nobody in (["everybody"], [], None, "x", 7, [{"a": 1}]):
        assert house("GET", "/api/v1/why?target=x", issuer.token(groups=nobody)).status_code == 403
    assert house("GET", "/api/v1/me", "reader").status_code == 200  # our own tokens hold beside it


def test_what_the_issuer_did_not_say_is_not_believed(house: House, issuer: Issuer) -> None:
    now = int(time.time())
    public = issuer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body, _ = issuer.token().split(".")
    forged = [
        issuer.token(aud="somebody else"), issuer.token(aud=None), issuer.token(iss="https://evil.example"),
        issuer.token(exp=now - 120), issuer.token(exp=None), issuer.token(iat=None), issuer.token(sub=None),
        issuer.token(nbf=now + 600), issuer.token(issuer.other, "ES256"), issuer.token(issuer.other, "ES256", "k2"),
        issuer.token(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        jwt.encode({"sub": "x", "iss": issuer.url, "aud": "lineagegate", "exp": now + 60, "iat": now}, "", "none"),
        f"{head}.{body}.", f"{head}.{body}.AAAA", "a.b.c", "..", "x" * 5_000,
        _hmac(public, head, body),
    ]  # fmt: skip
    for text in forged:
        answer = house("GET", "/api/v1/me", text)
        assert answer.status_code == 401, text
        assert answer.json()["code"] in ("TOKEN_INVALID", "TOKEN_EXPIRED")


def _hmac(public: bytes, _: str, body: str) -> str:
    """A token signed with the issuer's public key as if it were a shared one (RFC 8725 section 2.1)."""
    import base64
    import hashlib
    import hmac

    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"k1"}').rstrip(b"=").decode()
    mac = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_nobody_makes_us_ask_the_issuer_at_every_request(house: House, issuer: Issuer) -> None:
    house("GET", "/api/v1/me", issuer.token())
    asked = len(issuer.asked)
    for number in range(20):
        house("GET", "/api/v1/me", issuer.token(issuer.other, "ES256", f"unknown-{number}"))
    assert len(issuer.asked) == asked


def test_a_proxy_is_believed_when_it_signs(house: House) -> None:
    def said(key: bytes = KEY, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        whole = {"iss": "https://sso.example", "aud": "lineagegate", "sub": "7", "exp": now + 60, "groups": "readers"}
        kept = {k: v for k, v in {**whole, **claims}.items() if v is not None}
        return {"X-Identity": jwt.encode(kept, key, "HS256")}

    assert house("GET", "/api/v1/me", None, headers=said()).json()["roles"] == ["reader"]
    for headers in (
        said(b"another key that is as long as the right one"), said(exp=1), said(exp=None), said(aud="x"), said(sub=None),
        {"X-Identity": "jane@example.com"}, {"X-Forwarded-User": "jane"}, {"X-Forwarded-Groups": "stewards"},
        {"Remote-User": "jane"}, {"X-Identity": ""},
    ):  # fmt: skip
        assert house("GET", "/api/v1/me", None, headers=headers).status_code == 401, headers
    # the proxy vouches also for what another site's page makes a browser send
    grant = json.dumps({"scope": {"provider": "openai"}, "reference": "MS-1"})
    for site in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):  # fmt: skip
        sent = house("POST", "/api/v1/grants", None, headers=said(groups="stewards") | site, content=grant)
        assert (sent.status_code, sent.json()["code"]) == (403, "CROSS_SITE")
        assert house("POST", "/api/v1/grants", "steward", headers=site, content=grant).status_code == 201
    for own in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://testserver"}):
        sent = house("POST", "/api/v1/grants", None, headers=said(groups="stewards") | own, content=grant)
        assert sent.status_code == 201


def test_an_issuer_that_hangs_holds_up_who_is_known(house: House, issuer: Issuer) -> None:
    """Whoever shows keys that nobody published makes one request wait for the issuer, and no other."""
    vouchers = house.client.app.state.room.vouchers._issuer  # type: ignore[attr-defined]
    assert house("GET", "/api/v1/me", issuer.token(groups=["readers"])).status_code == 200
    with vouchers._lock:  # somebody else's request asks it just now
        vouchers._fetched = float("-inf")
        assert house("GET", "/api/v1/me", issuer.token(groups=["readers"])).status_code == 200


def test_a_mail_address_that_nobody_verified_is_left_out() -> None:
    for said in (False, "false", "False"):
        claims = {"iss": "https://sso.example", "sub": "7", "email": "jane@example.com", "email_verified": said}
        assert "jane" not in name_of(claims)


def test_a_new_display_name_makes_no_second_person() -> None:
    claims = {"iss": "https://sso.example/realm", "sub": "8f3c", "name": "Jane Roe", "email": "jane@example.com"}
    jane = name_of(claims)
    assert same_person(jane, name_of({**claims, "name": "Sam Poe", "email": "sam@example.com"}))
    assert same_person(jane, name_of({**claims, "name": "", "email": None}))
    assert same_person(jane, name_of({**claims, "name": "Sam <x@y.z>\n", "email": "a@b", "email_verified": False}))
    assert not same_person(jane, name_of({**claims, "sub": "9", "name": "Sam Poe", "email": "sam@example.com"}))
    hostile = name_of({**claims, "name": "<script>\u202e" + "x" * 2_000, "email": "a@b>c"})
    assert hostile.isprintable() and len(hostile) < 500 and "<script>" not in hostile


@pytest.mark.parametrize(
    "table",
    [
        {"rate": 0}, {"rate": "x"}, {"rate": True}, {"unknown": 1}, {"oidc": {"issuer": "https://x"}}, {"oidc": 1},
        {"oidc": {"issuer": "http://sso.example", "audience": "a"}}, {"groups": [{"group": "a", "role": "king"}]},
        {"groups": [{"group": "a", "role": "producer"}]}, {"groups": [{"group": "a", "role": "reader", "namespaces": ["x"]}]},
        {"proxy": {"header": "X"}}, {"proxy": {"header": "X", "key": "missing"}}, {"proxy": {"header": "X", "key": "short"}},
    ],
)  # fmt: skip
def test_settings_that_are_refused(project: Config, table: dict[str, Any]) -> None:
    (project.root / "short").write_text("short")
    with pytest.raises(UsageError) as caught:
        ServerSettings.of(replace(project, extra={"server": table}))
    assert caught.value.code == "CONFIG_INVALID" and caught.value.hint


def test_settings(project: Config) -> None:
    (project.root / "proxy.key").write_bytes(KEY + b"\n")
    table = {
        "rate": 5, "groups": [{"group": "g", "role": "reader"}], "oidc": {"issuer": "https://sso.example", "audience": "a"},
        "proxy": {"header": "X-Who", "key": "proxy.key"},
    }  # fmt: skip
    found = ServerSettings.of(replace(project, extra={"server": table}), audience="b")
    assert found.oidc == Oidc("https://sso.example", "b") and found.proxy and found.proxy.key == KEY
    assert found.groups == {"g": Group(Role.READER)} and found.rate == 5
    assert KEY.decode() not in repr(found)
