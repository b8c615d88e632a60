"""Each role against each route; tokens that do not hold; what of it is recorded."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

import pytest
from fastapi import APIRouter

from lineage.config import Config
from lineage.errors import LineageError, UsageError
from lineage.gate import Gate
from lineage.gate.tokens import Unauthenticated, covers, holder, make_token, revoke_token
from lineage.server.access import ANYONE, AUTHORISED, RULES
from lineage.server.app import ROUTERS, create_app
from lineage.server.rates import Rates, Refusals
from lineage.server.settings import ServerSettings
from lineage.vocabulary import Passage, Role
from tests.unit.server.conftest import House, event, post

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "server.md"
MARK = "<!-- from here on made by `make docs` -->\n\n"


def test_each_role_against_each_route(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rates, "STRANGERS_BURST", 1_000.0)  # more routes than a stranger may try at once
    for route, rule in RULES.items():
        method, _, path = route.partition(" ")
        path = re.sub(r"\{\w+\}", "x", path)
        assert (house(method, path, None).status_code == 401) is (rule is not ANYONE), route
        for role in Role:
            status = house(method, path, role.value).status_code
            if rule is ANYONE or role in rule:
                assert status not in (401, 403, 405, 500), (route, role)
            else:
                assert status == 403, (route, role)


def test_a_route_without_a_rule_stops_everything(project: Config) -> None:
    router = APIRouter(dependencies=AUTHORISED)
    router.add_api_route("/loose", lambda: None, methods=["GET"])
    with pytest.raises(AssertionError, match="without a rule"):
        create_app(project, routers=(*ROUTERS, router))
    bare = APIRouter()
    bare.add_api_route("/bare", lambda: None, methods=["GET"])
    with pytest.raises(AssertionError, match="not authorised"), patch.dict(RULES, {"GET /bare": ANYONE}):
        create_app(project, routers=(*ROUTERS, bare))
    with pytest.raises(AssertionError, match="rules without a route"):
        create_app(project, routers=ROUTERS[1:])


def test_the_table_in_the_docs_is_the_table_in_the_code(request: pytest.FixtureRequest) -> None:
    def row(route: str) -> str:
        method, _, path = route.partition(" ")
        rule = RULES[route]
        roles = "anyone" if rule is ANYONE else "every role" if rule == set(Role) else None
        return f"| `{method}` | `{path}` | {roles or ', '.join(r.value for r in Role if r in rule)} |"

    table = "\n".join(["| | Route | Who |", "|---|---|---|", *map(row, RULES)]) + "\n"
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(head + MARK + table, encoding="utf-8")
    assert mark
    assert PAGE.read_text(encoding="utf-8") == head + mark + table


def test_tokens_that_do_not_hold(house: House, project: Config) -> None:
    now = datetime.now(timezone.utc)
    with Gate.open(project) as gate:
        row, revoked = make_token(gate.graph, name="Gone", role=Role.READER, by="t")
        assert house("GET", "/api/v1/me", revoked).status_code == 200
        revoke_token(gate.graph, row.id, by="t")
        assert revoke_token(gate.graph, row.id, by="t").revoked == gate.graph.tokens.find(row.id).revoked  # type: ignore[union-attr]
        _, expired = make_token(gate.graph, name="Late", role=Role.READER, by="t", expires=now + timedelta(seconds=1))
        time.sleep(1)
        _, good = make_token(gate.graph, name="Good", role=Role.READER, by="t", expires=now + timedelta(days=1))
    identity = good.split("_")[1]
    other = house.tokens["reader"].split("_")
    for text, code in (
        (revoked, "TOKEN_REVOKED"), (expired, "TOKEN_EXPIRED"), (good[:-1] + "x", "TOKEN_INVALID"),
        (f"lgt_{identity}_{other[2]}", "TOKEN_INVALID"), (f"lgt_{identity}_", "TOKEN_INVALID"),
        (f"lgt_{identity.lower()}_{good.split('_')[2]}", "TOKEN_INVALID"),
        ("lgt_" + "0" * 26 + "_" + "0" * 64, "TOKEN_INVALID"), ("x", "TOKEN_INVALID"), ("' OR 1=1 --", "TOKEN_INVALID"),
    ):  # fmt: skip
        answer = house("GET", "/api/v1/me", text)
        assert (answer.status_code, answer.json()["code"]) == (401, code), text
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert house("GET", "/api/v1/me", good).status_code == 200
    for header in ("Basic abc", "Bearer", f"Bearer{good}", f"Token {good}"):
        assert house("GET", "/api/v1/me", None, headers={"Authorization": header}).status_code == 401


def test_a_secret_is_nowhere(house: House, project: Config) -> None:
    made = post(house, "/api/v1/tokens", {"name": "New One", "role": "reader"}, "administrator")
    assert made.status_code == 201
    secret = made.json()["secret"]
    me = house("GET", "/api/v1/me", secret).json()
    assert (me["name"], me["roles"], me["namespaces"]) == ("New One", ["reader"], [])
    assert me["ledger"].startswith("p/") and me["entries"] > 0
    listed = house("GET", "/api/v1/tokens", "administrator").text
    assert "New One" in listed and secret.split("_")[2] not in listed
    data = b"".join(path.read_bytes() for path in project.root.rglob("*") if path.is_file())
    assert b"New One" in data and secret.split("_")[2].encode() not in data
    identity = made.json()["token"]["id"]
    assert post(house, f"/api/v1/tokens/{identity}/revoke", None, "administrator").json()["tokens"][0]["revoked"]
    assert house("GET", "/api/v1/me", secret).status_code == 401
    told = [(a.passage, a.by, a.name) for a in house.accesses() if a.subject == identity]
    who = "administrator <administrator@example.com>"
    assert told == [(Passage.TOKEN_MADE, who, "New One"), (Passage.TOKEN_REVOKED, who, "New One")]


def test_what_cannot_be_a_token(house: House) -> None:
    for body in (
        {"name": "", "role": "reader"}, {"name": "<>", "role": "reader"}, {"name": "a\nb", "role": "reader"},
        {"name": "x" * 201, "role": "reader"}, {"name": "P", "role": "producer"},
        {"name": "P", "role": "producer", "namespaces": [""]}, {"name": "R", "role": "reader", "namespaces": ["x"]},
        {"name": "R", "role": "king"}, {"name": "R", "role": "reader", "expires": "2020-01-01"},
        {"name": "R", "role": "reader", "expires": "soon"}, {"name": "R", "role": "reader", "secret": "mine"},
    ):  # fmt: skip
        assert post(house, "/api/v1/tokens", body, "administrator").status_code == 400, body


def test_refusals_are_recorded_but_cannot_fill_the_disk(house: House) -> None:
    before = len(house.accesses())
    for _ in range(5):
        assert house("POST", "/api/v1/decide", "reader").status_code == 403
        assert house("GET", "/api/v1/why?target=x", None).status_code == 401
    told = house.accesses()[before:]
    assert [(a.passage, a.by, a.subject, a.detail) for a in told] == [
        (Passage.DENIED, "reader <reader@example.com>", "POST /api/v1/decide", "FORBIDDEN")
    ]


def test_which_refusals_are_recorded() -> None:
    now = 0.0
    refusals = Refusals(clock=lambda: now)
    assert refusals.note("a", "x") == 0
    assert [refusals.note("a", "x") for _ in range(3)] == [None] * 3
    assert refusals.note("a", "y") == 0
    assert refusals.note("b", "x") == 0
    now += refusals.EVERY
    assert refusals.note("a", "x") == 3  # those that were only counted
    for who in range(2 * refusals.MOST):
        refusals.note(str(who), "x")
    assert refusals.note("somebody else", "x") is None


def test_how_often_somebody_may_ask() -> None:
    now = 0.0
    rates = Rates(10, 20, clock=lambda: now)
    for _ in range(20):
        rates.spend("a")
    with pytest.raises(LineageError, match="too many"):
        rates.spend("a")
    rates.spend("b")
    now += 1
    for _ in range(10):
        rates.spend("a")
    with pytest.raises(LineageError):
        rates.spend("a")
    for key in range(2 * rates.MOST):
        rates.strangers(str(key))
    assert len(rates._strangers) <= rates.MOST


def test_whoever_asks_too_often_waits(project: Config, house: House) -> None:
    from starlette.testclient import TestClient

    with TestClient(create_app(project, ServerSettings(rate=1, burst=3))) as client:
        headers = {"Authorization": f"Bearer {house.tokens['reader']}"}
        answers = [client.get("/api/v1/me", headers=headers) for _ in range(6)]
        assert [a.status_code for a in answers].count(200) in (3, 4)
        assert answers[-1].status_code == 429 and answers[-1].headers["retry-after"]
        guesses = [client.get("/api/v1/me", headers={"Authorization": "Bearer x"}).status_code for _ in range(80)]
        assert set(guesses) == {401, 429}


def test_a_producer_speaks_of_its_namespaces(house: House) -> None:
    def sent(**fields: object) -> int:
        return int(post(house, "/api/v1/lineage", event(**fields), "producer").status_code)

    origin = {"lineage_origin": {"tags": [{"origin": {"kind": "first-party"}, "basis": "declared"}]}}
    elsewhere = {"namespace": "s3://others", "name": "x"}
    assert sent() == 201
    assert sent(job={"namespace": "airflow2", "name": "j"}) == 403
    assert sent(job={"namespace": "s3://lake/x", "name": "j"}) == 201
    assert sent(inputs=[elsewhere]) == 201  # what it read lies where it lies
    assert sent(inputs=[{**elsewhere, "facets": origin}]) == 403
    assert sent(inputs=[{"namespace": "s3://lake", "name": "x", "facets": origin}]) == 201
    link = {"symlinks": {"identifiers": [{**elsewhere, "type": "TABLE"}]}}
    assert sent(outputs=[{"namespace": "s3://lake", "name": "x", "facets": link}]) == 403  # it would share its origin
    assert (
        sent(outputs=[{**elsewhere, "facets": {"symlinks": {"identifiers": [{"namespace": "airflow", "name": "x"}]}}}])
        == 403
    )
    # nobody says of somebody else's data what made it: it would be a source no more, and "undeclared" would end
    assert sent(outputs=[elsewhere]) == 403
    columns = {
        "columnLineage": {"fields": {"a": {"inputFields": [{"namespace": "airflow", "name": "x", "field": "a"}]}}}
    }
    assert sent(outputs=[], dataset={**elsewhere, "facets": columns}) == 403
    made = {"lineage": {"entries": [{**elsewhere, "type": "DATASET"}]}}
    assert sent(outputs=[], job={"namespace": "airflow", "name": "j", "facets": made}) == 403
    for nobodys in ({}, {"job": None}):
        run = {key: value for key, value in event().items() if key != "job"} | nobodys
        assert post(house, "/api/v1/lineage", run, "producer").status_code == 403
    alone = {"eventTime": "2024-01-01T00:00:00Z", "dataset": {**elsewhere, "facets": {}}}
    assert post(house, "/api/v1/lineage", alone, "producer").status_code == 403
    act = event(job={"namespace": "lineagegate", "name": "grant"})
    assert post(house, "/api/v1/lineage", act, "producer").status_code in (400, 403)


def test_namespaces() -> None:
    assert covers(("a",), "a") and not covers(("a",), "ab") and not covers((), "a")
    assert covers(("s3://l/*",), "s3://l/x") and not covers(("s3://l/*",), "s3://lx") and covers(("*",), "")


def test_a_token_of_another_store_is_not_known(house: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    gate, _ = Gate.init(tmp_path_factory.mktemp("elsewhere"))
    with gate, pytest.raises(Unauthenticated):
        holder(gate.graph, house.tokens["reader"])
    with Gate.open(house.config) as own, pytest.raises(UsageError):
        revoke_token(own.graph, "0" * 26, by="t")
