"""Whoever wants to break in, or break it: headers, tokens, names and bodies that nobody well-meaning sends."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import zlib
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineage.config import Config
from lineage.gate import Gate
from lineage.server.access import ANYONE, RULES
from lineage.server.rates import Rates
from lineage.server.settings import Group, Oidc, ServerSettings
from lineage.vocabulary import Role
from tests.unit.server.conftest import House, event
from tests.unit.server.test_identity import Issuer, issuer  # noqa: F401 - a fixture

HOSTILE = (
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%252e%252e%252f", "' OR '1'='1' --", "x'); DROP TABLE entry;--",
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}${7*7}", "\u202egnp.exe", "a\r\nSet-Cookie: a=b",
    "\udc80".encode("utf-8", "surrogatepass").decode("latin-1"), "x" * 2_000, "file:///etc/passwd", "\ufeff\u200b", "-1", "*",
)  # fmt: skip
LOCAL = {
    name.lower(): "127.0.0.1" for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "True-Client-IP")
}
FORGED = (
    LOCAL,
    {"X-Forwarded-User": "root", "X-Remote-User": "root", "Remote-User": "root", "X-Auth-Request-Email": "a@b.c"},
    {"X-Original-URL": "/health", "X-Rewrite-URL": "/health", "X-HTTP-Method-Override": "GET"},
    {"Authorization": "Basic cm9vdDpyb290"}, {"Authorization": "Bearer"}, {"Authorization": "Bearer lgt_"},
    {"Authorization": "bearer null"}, {"Authorization": "Bearer lgt__" + "A" * 5_000}, {"Cookie": "session=../../x; lg=1"},
    {"Host": "evil.example", "Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
)  # fmt: skip


@pytest.fixture
def settings(project: Config, issuer: Issuer) -> ServerSettings:  # noqa: F811
    return replace(
        ServerSettings.of(project), oidc=Oidc(issuer.url, "lineagegate"), groups={"stewards": Group(Role.STEWARD)},
        most_body=200_000,
    )  # fmt: skip


def entries(house: House) -> int:
    with Gate.open(house.config) as gate:
        return gate.graph.position()


def test_no_header_opens_a_door(house: House) -> None:
    before = entries(house)
    for number, (key, rule) in enumerate(RULES.items()):
        method, path = key.split(" ")
        if rule is ANYONE:
            continue
        for headers in FORGED[number % 5 :: 5]:  # each of them meets many routes
            house.client.app.state.room.rates = Rates(
                1_000, 2_000
            )  # whoever is unknown may ask rarely, which is not the matter here
            answer = house.client.request(method, path, headers=headers, follow_redirects=False)
            # a page sends whoever is unknown to the door
            to_door = answer.status_code == 303 and "/login" in answer.headers["location"]
            assert answer.status_code == 401 or to_door, (key, headers, answer.text)
            assert "evil.example" not in answer.text + answer.headers.get("location", "")
    assert entries(house) == before  # whoever is unknown writes nothing


def test_two_identities_are_none_or_the_first(house: House) -> None:
    one, other = house.tokens["reader"], house.tokens["administrator"]
    for pair in ((one, other), (one, "x"), ("x", other)):
        headers = [("Authorization", f"Bearer {text}") for text in pair]
        answer = house.client.request("GET", "/api/v1/tokens", headers=headers)
        assert answer.status_code in (401, 403), pair
    assert house("GET", "/api/v1/me", "reader", headers={"X-Identity": other}).json()["roles"] == ["reader"]


def test_tokens_that_are_nearly_right(house: House) -> None:
    right = house.tokens["administrator"]
    prefix, id_, secret = right.split("_", 2)
    another = house.tokens["reader"].split("_", 2)
    for text in (
        right[:-1], right + "0", right.upper(), f"{prefix}_{another[1]}_{secret}", f"{prefix}_{id_}_{another[2]}",
        f"{prefix}_{id_}_", f"{prefix}__{secret}", f"{prefix}_{id_}' OR '1'='1_{secret}", f"{prefix}_%_{secret}",
        f"{prefix}_{id_}_{hashlib.sha256(secret.encode()).hexdigest()}", right.replace(id_, id_.lower()),
    ):  # fmt: skip
        answer = house("GET", "/api/v1/me", text)
        assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID"), text
        assert secret not in answer.text


def signed(head: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A token with any header, by HMAC-SHA256 or not at all."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    body = b".".join(parts)
    mac = hmac.new(key, body, "sha256").digest() if key is not None else b""
    return (body + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_an_issuers_token_says_neither_how_nor_by_what_it_is_verified(
    house: House,
    issuer: Issuer,  # noqa: F811
) -> None:
    """RFC 8725: algorithms, keys by reference, keys carried along."""
    now = int(time.time())
    claims = {
        "iss": issuer.url,
        "aud": "lineagegate",
        "sub": "8f3c",
        "iat": now,
        "exp": now + 60,
        "groups": ["stewards"],
    }
    public = issuer.key.public_key()
    shared = [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(issuer.jwk(public, "k1", "RS256")).encode(), b"", b"\0",
    ]  # fmt: skip
    forged = [signed({"alg": alg, "kid": "k1"}, claims) for alg in ("none", "None", "NONE", "nOnE", "", "RS256", None)]
    forged += [signed({"alg": alg, "kid": "k1"}, claims, key) for key in shared for alg in ("HS256", "hs256", "RS256")]
    for kid in (
        "../../../../dev/null",
        "/dev/null",
        "k1' UNION SELECT 'x",
        "k1\0",
        "",
        "http://127.0.0.1/k",
        ["k1"],
        {},
        None,
    ):
        forged.append(signed({"alg": "HS256", "kid": kid}, claims, b""))
    mine = {**issuer.jwk(issuer.other.public_key(), "k1", "ES256")}
    for more in (
        {"jwk": mine},
        {"jku": issuer.url + "/mine"},
        {"x5u": issuer.url},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
    ):
        forged.append(jwt.encode(claims, issuer.other, "ES256", headers={"kid": "k1", **more}))
    forged.append(jwt.encode(claims, issuer.key, "RS256", headers={"kid": "k1", "crit": ["b64"], "b64": False}))
    for changed in (
        {"exp": "tomorrow"}, {"exp": -1}, {"exp": 1e400}, {"aud": ["other"]}, {"aud": {}}, {"sub": 7},
        {"iat": now + 9_999}, {"nbf": now + 9_999}, {"exp": [now + 60]},
    ):  # fmt: skip
        forged.append(issuer.token(**changed))
    asked = len(issuer.asked)
    for text in forged:
        answer = house("GET", "/api/v1/me", text)
        assert answer.status_code == 401, (text, answer.text)
    assert set(issuer.asked[asked:]) <= {"/.well-known/openid-configuration", "/keys"}  # nobody makes us ask elsewhere
    assert house("GET", "/api/v1/me", issuer.token()).status_code == 200


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_in_every_route(house: House, name: str) -> None:
    """In a path and in every query: an answer that is no failure of ours and runs in nobody's browser."""
    before = entries(house)
    parameters = ("target", "model", "q", "name", "node", "nodeId", "ref", "origin", "as_of", "cursor", "id")
    for key, rule in RULES.items():
        method, path = key.split(" ")
        if method != "GET" or rule is ANYONE or path in ("/metrics", "/api/v1/tokens"):
            continue
        for part in ("namespace", "dataset", "version", "job", "run", "identity", "name"):
            path = path.replace("{" + part + "}", quote(name, safe=""))
        who = next(role.value for role in sorted(rule, key=lambda r: r is not Role.READER))
        try:
            answer = house("GET", path, who, params=dict.fromkeys(parameters, name))
        except httpx2.InvalidURL:  # no client sends it
            continue
        assert answer.status_code < 500, (key, answer.text)
        assert "<script>alert" not in answer.text or "json" in answer.headers["content-type"], key
        assert "<img src=x" not in answer.text or "json" in answer.headers["content-type"], key
        assert "root:" not in answer.text and "set-cookie: a=b" not in str(answer.headers).lower()
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert entries(house) - before < 3  # a dossier or bundle that somebody read, at most


def tagged(by: str) -> dict[str, Any]:
    """A dataset that somebody of that name spoke for."""
    tag = {"origin": {"kind": "first-party"}, "by": by}
    return {"namespace": "s3://lake", "name": "in", "facets": {"lineage_origin": {"tags": [tag]}}}


@pytest.mark.parametrize("path", ["/api/v1/lineage", "/api/v1/lineage/batch", "/api/v1/decide", "/api/v1/grants"])
def test_bodies_that_are_bombs(house: House, path: str) -> None:
    who = {"decide": "gate", "grants": "steward"}.get(path.rpartition("/")[2], "producer")
    before, began = entries(house), time.monotonic()
    flat = json.dumps(event())[:-1]
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (b"[" * 100_000, {}),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, {}),
        ((flat + ',"x":' + "[" * 50_000 + "]" * 50_000 + "}").encode(), {}),
        ((flat + ',"x":1' + "0" * 150_000 + "}").encode(), {}),
        ((flat + ',"x":-1e' + "9" * 100_000 + "}").encode(), {}),
        (b"{" + b",".join(b'"k%d":0' % n for n in range(15_000)) + b"}", {}),
        (gzip.compress(b"0" * 30_000_000), {"Content-Encoding": "gzip"}),
        (zlib.compress(b" " * 30_000_000), {"Content-Encoding": "deflate"}),
        (gzip.compress(gzip.compress(b"0" * 30_000_000)), {"Content-Encoding": "gzip"}),
        (gzip.compress(b"{}"), {"Content-Encoding": "gzip, gzip"}),
        (b"\x1f\x8b" + b"\0" * 500, {"Content-Encoding": "gzip"}),
        (b"{" + b",".join(b'"k%d":0' % n for n in range(18_000)) + b',"k17999":0}', {}),
        (json.dumps(event(eventTime=10**400)).encode(), {}),
        (json.dumps(event(inputs=[tagged("a" * 150_000)])).encode(), {}),
        (b"\xff\xfe{\x00}\x00", {}), (b'{"a":"\\ud800"}', {}), (b"", {"Content-Encoding": "gzip"}), (b"NaN", {}),
    ]  # fmt: skip
    for body, headers in bodies:
        answer = house("POST", path, who, content=body, headers={"Content-Type": "application/json", **headers})
        # an event may hold what nobody reads: taken as it is, or refused, but never a failure of ours
        assert answer.status_code in (201, 200, 400, 413, 415), (body[:40], answer.text[:300])
        assert "Traceback" not in answer.text and len(answer.text) < 5_000
    assert time.monotonic() - began < 30
    assert entries(house) - before <= 5


def test_long_and_many_parameters(house: House) -> None:
    for url in (
        "/api/v1/why?" + "target=x&" * 2_000,
        "/api/v1/search?q=" + "x" * 50_000,
        "/api/v1/why?target[]=x&target.x=1",
    ):
        assert house("GET", url).status_code in (200, 400, 404, 414)
    headers = {f"X-{n}": "y" * 100 for n in range(200)}
    assert house("GET", "/api/v1/me", headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH", "OPTIONS", "GET\u0020/x"])
def test_methods_that_nobody_offers(house: House, method: str) -> None:
    for path in ("/api/v1/tokens", "/api/v1/grants", "/"):
        answer = house(method, path, "administrator")
        assert answer.status_code in (400, 404, 405), (method, path)
        assert house.tokens["administrator"] not in answer.text and "access-control-allow-origin" not in answer.headers


def test_methods_that_somebody_made_up_are_counted_as_one(house: House) -> None:
    for n in range(20):
        house(f"MADEUP{n}", "/health", None)
    told = house("GET", "/metrics").text
    assert "MADEUP" not in told and 'method="other"' in told


def test_static_files_are_only_ours(house: House) -> None:
    for name in (
        "../access.py",
        "..%2faccess.py",
        "%2e%2e/settings.py",
        "pages.css/../../x",
        "",
        ".",
        "pages.css%00.js",
        "//etc/passwd",
    ):
        answer = house.client.get(f"/static/{name}")
        assert answer.status_code in (400, 404), name
        assert "import" not in answer.text
