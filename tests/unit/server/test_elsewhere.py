"""What our other machines send: only what the one who sends it said, and nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.events.event import act_event
from lineage.gate import Gate
from lineage.vocabulary import Basis, Correction, Grant, PolicyRecord, Scope
from lineage.vocabulary.identifier import new_uuid
from tests.unit.server.conftest import CLEAN, GPT, GPT_DATA, MODEL, TIME, House

STEWARD, SAM = "steward <steward@example.com>", "Sam Poe <sam@example.com>"


def said(act: Any) -> bytes:
    return act_event(act, run_id=str(new_uuid()), time=TIME)


def claim(by: str, approver: str = "") -> bytes:
    assert GPT_DATA.content
    return said(Correction("C1", GPT, Basis.DECLARED, GPT_DATA.content.hash, by, approver, reason="a mistake"))


def send(house: House, who: str, *events: bytes) -> Any:
    return house("POST", "/api/v1/acts", who, content=b"[" + b",".join(events) + b"]").json()


def carried(house: House) -> str:
    assert CLEAN.content
    return json.dumps(house("GET", "/api/v1/why", params={"target": CLEAN.content.hash}).json()["labels"])


def codes(answer: Any) -> list[str]:
    return [item["code"] for item in answer["failed_events"]]


def test_a_claim_and_its_approval_travel_with_their_speakers(house: House) -> None:
    before = carried(house)
    assert "openai" in before
    one, two = claim(STEWARD), claim(STEWARD, SAM)
    assert codes(send(house, "other", one)) == ["NOT_YOURS"]
    assert codes(send(house, "steward", two)) == ["NOT_YOURS"]
    assert codes(send(house, "other", two)) == []  # before the claim: the order does not matter
    assert carried(house) == before
    assert send(house, "steward", one, one)["summary"]["successful"] == 2
    assert "openai" not in carried(house)
    with Gate.open(house.config) as gate:
        events = [gate.graph.event(i).data for i in range(gate.graph.position())]
    assert (events.count(one), events.count(two)) == (1, 1)


@pytest.mark.parametrize("name", ["", "nobody", "Steward <other@example.com>", "Bob <steward@example.com>", SAM])
def test_a_name_that_only_resembles_speaks_for_nobody(house: House, name: str) -> None:
    grant = Grant("G1", Scope(provider="openai"), name, "C-1", by=STEWARD)
    assert codes(send(house, "steward", claim(name))) == ["NOT_YOURS"]
    assert codes(send(house, "steward", said(grant))) == ["NOT_YOURS"]
    assert codes(send(house, "steward", said(Grant("G1", Scope(provider="openai"), STEWARD, "C-1", by=name)))) == [
        "NOT_YOURS"
    ]


def test_a_grant_that_cannot_be_made_is_not_taken(house: House) -> None:
    """What cannot be read would be in the way of every dossier, for good."""
    before = house("GET", "/api/v1/me").json()["entries"]
    for wrong in (
        {"from_": "soon"}, {"until": "9999-12-31T23:59:59-23:59"}, {"scope": Scope()}, {"reference": ""},
    ):  # fmt: skip
        made: dict[str, Any] = {"scope": Scope(provider="openai"), "reference": "C-1", **wrong}
        grant = Grant("G1", approver=STEWARD, by=STEWARD, **made)
        assert codes(send(house, "steward", said(grant))) == ["GRANT_INVALID"], wrong
    assert house("GET", "/api/v1/me").json()["entries"] == before


def test_what_is_said_by_no_person_is_not_taken(house: House) -> None:
    with Gate.open(house.config) as gate:
        decision = gate.decisions()[0]
    for act in (decision, PolicyRecord("0" * 64, (), by=STEWARD)):
        assert codes(send(house, "steward", said(act))) == ["ACT_REFUSED"]
    assert send(house, "steward", said(Grant("G1", Scope(provider="openai"), STEWARD, "C-1", by=STEWARD)))[
        "status"
    ] == ("success")
    assert house("POST", "/api/v1/acts", "producer", content=b"[]").status_code == 403


def test_what_a_gate_asks_and_tells(house: House) -> None:
    assert CLEAN.content and MODEL.content
    asked = {
        "contents": [CLEAN.content.hash, "md5:" + "9" * 32],
        "versions": [
            {"namespace": CLEAN.namespace, "name": CLEAN.name, "content": CLEAN.content.hash},
            {"namespace": "dvc://p", "name": "data"},
        ],
    }
    known = house("POST", "/api/v1/known", "gate", json=asked).json()
    assert known["contents"][0]["name"] == "clean.jsonl" and known["contents"][1] is None
    assert known["told"] == [True, False]
    change = {"model": "seed-chat", "happening": "alias", "version": "1", "value": "live", "by": "ann"}
    assert house("POST", "/api/v1/changes", "gate", json={"changes": [change]}).status_code == 201
    assert "ann, says gate <gate@example.com>" in house("GET", "/api/v1/history", params={"target": "seed-chat"}).text
    forged = json.loads(said(Grant("G1", Scope(provider="openai"), STEWARD, "C-1", by=STEWARD)))
    refused = house("POST", "/api/v1/changes", "gate", json={"changes": [change], "events": [forged]})
    assert refused.json()["code"] == "ACT_REFUSED"
    with Gate.open(house.config) as gate:
        decision = gate.decisions()[0]
    assert house("GET", f"/api/v1/decisions/{decision.id}", "gate").json()["id"] == decision.id
    assert house("GET", "/api/v1/decisions/01NONE", "gate").status_code == 404
