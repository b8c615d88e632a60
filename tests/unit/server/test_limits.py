"""What a request is held to, and what every answer looks like, failures above all."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from starlette.types import Message

from lineage.config import Config
from lineage.errors import LineageError, UsageError
from lineage.gate import questions
from lineage.server import run
from lineage.server.limits import _Patient, segment, segments
from lineage.server.settings import ServerSettings
from tests.unit.server.conftest import House, event

HOSTILE = ("<script>alert(1)</script>", "\u202e\u0000\n", "x" * 2_000, "' OR 1=1 --", "../../etc/passwd", "%2F%00", "é")


@pytest.fixture
def settings(project: Config) -> ServerSettings:
    return replace(ServerSettings.of(project), most_body=100_000, most_events=50)


def send(house: House, data: Any, path: str = "/api/v1/lineage", **headers: str) -> Any:
    return house("POST", path, "producer", content=data, headers=headers)


def test_bodies_that_are_too_large(house: House) -> None:
    big = json.dumps(event(x="y" * 200_000)).encode()
    assert send(house, big).status_code == 413
    assert send(house, iter([big[:60_000], big[60_000:]])).status_code == 413  # nobody said how long it is
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    answer = send(house, bomb, **{"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert send(house, json.dumps([event()] * 51), "/api/v1/lineage/batch").status_code == 413


def test_who_is_not_known_sends_little(house: House) -> None:
    sent: list[int] = []

    def body() -> Iterator[bytes]:
        for _ in range(50):
            sent.append(1)
            yield b"x" * 1_000

    assert house("POST", "/login", None, content=body()).status_code == 413
    assert house("POST", "/login", None, content=b"token=" + b"x" * 30_000).status_code == 413


def test_a_body_letter_by_letter() -> None:
    """No pause is long, and it would still take days."""

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> int:
        patient = _Patient(receive, 10_000_000, 0.1)
        for _ in range(100):
            await patient()
        return patient.size

    with pytest.raises(LineageError) as slow:
        asyncio.run(read())
    assert slow.value.code == "CLIENT_SLOW"


def test_packed_bodies(house: House) -> None:
    data = json.dumps(event()).encode()
    for encoding, packed in (("gzip", gzip.compress(data)), ("deflate", zlib.compress(data)), ("identity", data)):
        assert send(house, packed, **{"Content-Encoding": encoding}).status_code == 201
    assert send(house, data, **{"Content-Encoding": "gzip"}).status_code == 400
    assert send(house, gzip.compress(data)[:-4], **{"Content-Encoding": "gzip"}).status_code == 400
    assert send(house, data, **{"Content-Encoding": "br"}).status_code == 415


@pytest.mark.parametrize("path", ["/api/v1/lineage", "/api/v1/lineage/batch"])
def test_bodies_that_cannot_be_read(house: House, path: str) -> None:
    before = house("GET", "/metrics").text
    for data in (
        b"", b"{", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 40_000, b'{"a":' * 15_000 + b"1" + b"}" * 15_000,
        b'{"eventTime":"2024-01-01T00:00:00Z"}', b'[[]]', b'{"run":{"runId":1}}',
    ):  # fmt: skip
        answer = send(house, data, path)
        assert answer.status_code == 400, data[:40]
        assert "Traceback" not in answer.text and "/work" not in answer.text
    gauge = [line for line in before.splitlines() if line.startswith("lineagegate_ledger_entries ")]
    assert gauge[0] in house("GET", "/metrics").text  # nothing was recorded


def test_steward_bodies_that_cannot_be_read(house: House) -> None:
    for data in (
        b"",
        b"{",
        b"[]",
        b"[" * 40_000,
        b'{"scope":{},"reference":"x","unknown":1}',
        b'{"scope":7}',
        b'{"scope":{"model":"a\\u0000"},"reference":"x"}',
    ):
        answer = house("POST", "/api/v1/grants", "steward", content=data)
        assert (answer.status_code, answer.json()["code"]) == (400, "BODY_INVALID"), data[:30]


def test_every_failure_is_a_problem_document(house: House) -> None:
    for answer in (
        house("GET", "/nothing"), house("PUT", "/api/v1/why"), house("GET", "/api/v1/why"), house("GET", "/api/v1/me", None),
        house("GET", "/api/v1/why?target=md5:0"), house("GET", "/api/v1/history?since=soon"),
        house("GET", "/api/v1/jobs?limit=-1"), house("POST", "/api/v1/decide"),
    ):  # fmt: skip
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert set(document) == {"type", "title", "status", "detail", "code", "hint"}
        assert document["status"] == answer.status_code and document["title"] and document["code"].isupper()
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    assert house("GET", "/health", None).headers["x-frame-options"] == "DENY"


def test_what_nobody_foresaw_is_told_without_a_trace(house: House) -> None:
    with patch.object(questions, "share", side_effect=RuntimeError("secret detail")):
        answer = house("GET", "/api/v1/share?model=models:/seed-chat/1")
    assert answer.status_code == 500 and answer.json()["code"] == "INTERNAL"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_break_nothing(house: House, name: str) -> None:
    for path in ("/api/v1/why", "/api/v1/check", "/api/v1/impact", "/api/v1/report", "/api/v1/bundle"):
        answer = house("GET", path, params={"target": name, "model": name})
        assert answer.status_code in (400, 404, 409, 422), (path, answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
    for path in ("/api/v1/search", "/api/v1/lineage"):
        assert house("GET", path, params={"q": name, "nodeId": f"dataset:{name}:{name}"}).status_code in (200, 400, 404)
    named = event(job={"namespace": "airflow", "name": name}, outputs=[{"namespace": "s3://lake", "name": name}])
    sent = send(house, json.dumps(named))
    assert sent.status_code in (201, 400)
    if sent.status_code == 201:
        from urllib.parse import quote

        found = house("GET", f"/api/v1/namespaces/airflow/jobs/{quote(name, safe='')}")
        assert found.status_code == 200 and found.json()["name"] == name
        assert found.headers["content-type"] == "application/json"


def test_names_with_slashes_in_a_path() -> None:
    assert segments(b"/a/s3%3A%2F%2Fb/x%252Fy?q") == "/a/s3:%2F%2Fb/x%252Fy"
    assert segment("s3:%2F%2Fb") == "s3://b" and segment("x%252Fy") == "x%2Fy" and segment("%2525") == "%25"


def test_where_a_server_may_listen(tmp_path: Any) -> None:
    file = tmp_path / "x.pem"
    file.write_text("x")
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        run.check_where(run.Where(host, 1), 0)
    run.check_where(run.Where("0.0.0.0", 1, file, file), 1)
    run.check_where(run.Where("10.0.0.1", 1, proxies=("10.0.0.2",)), 1)
    for where, tokens in (
        (run.Where("0.0.0.0", 1), 1), (run.Where("0.0.0.0", 1, file, file), 0), (run.Where("example.com", 1), 1),
        (run.Where("127.0.0.1", 1, file), 1), (run.Where("127.0.0.1", 1, file, tmp_path / "no"), 1), (run.Where("::", 1), 5),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            run.check_where(where, tokens)
