"""What is answered and recorded: events, questions in the command line's words, decisions, declarations, approvals."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lineage import schemas
from lineage.config import Config
from lineage.gate import Gate
from lineage.vocabulary import Passage
from tests.unit.server.conftest import CLEAN, GPT_DATA, MODEL, House, event, post

SCHEMAS = Path(__file__).parents[3] / "schemas" / "cli"


def known(house: House, name: str, answer: Any) -> Any:
    """A document that the published schema of a verb describes."""
    assert answer.status_code < 300, answer.text
    document = answer.json()
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


def entries(house: House) -> int:
    with Gate.open(house.config) as gate:
        return gate.graph.position()


def test_questions_are_answered_in_the_documents_of_the_command_line(house: House) -> None:
    model = "models:/seed-chat/1"
    before = entries(house)
    for name, path in {
        "why": f"why?target={model}", "contains": f"contains?model={model}&origin=openai",
        "share": f"share?model={model}", "impact": "impact?provider=openai", "history": f"history?model={model}",
        "check": f"check?target={model}", "status": "status", "grant": "grants", "removal": "removals",
        "correction": "corrections",
    }.items():  # fmt: skip
        assert known(house, name, house("GET", f"/api/v1/{path}"))
    assert known(house, "impact", house("GET", "/api/v1/impact", params={"target": GPT_DATA.content.hash}))
    early = house("GET", "/api/v1/why", params={"target": GPT_DATA.content.hash, "as_of": "2023-01-01"})
    assert early.status_code == 404  # nothing had happened by then
    found = house("GET", "/api/v1/contains", params={"model": model, "channel": "azure-openai"}).json()
    assert found["answer"]["contains"] == "yes"
    decisions = house("GET", "/api/v1/decisions?model=seed-chat").json()["decisions"]
    assert [d["outcome"] for d in decisions] == ["deny"]
    assert known(house, "why", house("GET", f"/api/v1/why?target={decisions[0]['id']}"))["decision"]["id"]
    assert entries(house) == before  # questions are not recorded


def test_questions_that_are_not_clear(house: House) -> None:
    for path, code in {
        "contains?model=models:/seed-chat/1": "ORIGIN_MISSING", "impact": "QUESTION_UNCLEAR",
        "impact?target=x&origin=y": "QUESTION_UNCLEAR", "contains?model=models:/seed-chat/1&origin=qqqq": "ORIGIN_UNKNOWN",
        "why?target=models:/seed-chat/1&as_of=soon": "TIME_INVALID",
        "history?since=0001-01-01T00:00:00%2B23:59": "TIME_INVALID", "history?until=9999-12-31T23:59:59-23:59": "TIME_INVALID",
        "why": "REQUEST_INVALID",
        "why?target=models:/nothing/1": "ARTIFACT_UNKNOWN",
    }.items():  # fmt: skip
        answer = house("GET", f"/api/v1/{path}")
        assert answer.json()["code"] == code, path


def test_a_server_reads_no_file(house: House) -> None:
    (house.config.root / "here.txt").write_text("here")
    for target in ("here.txt", "/etc/passwd", str(house.config.root / "here.txt"), "file:///etc/passwd"):
        assert house("GET", "/api/v1/why", params={"target": target}).status_code == 404
    for evidence in ("/etc/passwd", "../x", "a/../../x"):
        body = {
            "output": CLEAN.content.hash,
            "origin": {"kind": "third-party-model-output"},
            "checked": "a",
            "result": "b",
        }
        assert post(house, "/api/v1/removals", {**body, "evidence": evidence}).status_code == 400
        named = {**body, "evidenceFile": {"name": evidence, "text": "x"}}
        assert post(house, "/api/v1/removals", named).status_code == 400
    found = post(house, "/api/v1/removals", {**body, "evidence": "lineage.policy.yaml"})
    assert "evidenceHash" not in json.dumps(found.json())


@pytest.mark.parametrize("form", ["html", "json", "bundle"])
def test_what_is_handed_over_is_recorded_with_who_read_it(house: House, form: str) -> None:
    path = "bundle?" if form == "bundle" else f"report?format={form}&"
    assert house("GET", f"/api/v1/{path}model=models:/nothing/1").status_code == 404
    assert not [a for a in house.accesses() if a.passage is Passage.READ]
    answer = house("GET", f"/api/v1/{path}model=models:/seed-chat/1")
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    if form == "html":
        assert "sandbox" in answer.headers["content-security-policy"] and "reader@example.com" in answer.text
    elif form == "json":
        jsonschema.Draft202012Validator(schemas.document_schema("report", schemas.DOCUMENTS["report"])).validate(
            answer.json()
        )
    else:
        assert "verify.py" in " ".join(zipfile.ZipFile(io.BytesIO(answer.content)).namelist())
    told = [(a.passage, a.by, a.subject, a.detail) for a in house.accesses()]
    assert told[-1] == (Passage.READ, "reader <reader@example.com>", "models:/seed-chat/1", form)


def test_a_bundle_without_names_comes_with_what_they_stand_for(house: House) -> None:
    answer = house("GET", "/api/v1/bundle?model=models:/seed-chat/1&redact=people,paths")
    assert answer.status_code == 200 and 'filename="case-and-openings.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as both:
        assert both.namelist() == ["case.zip", "openings.json"]
        assert "Jane Roe <jane@example.com>" in both.read("openings.json").decode()
        with zipfile.ZipFile(io.BytesIO(both.read("case.zip"))) as bundle:
            told = {name: bundle.read(name) for name in bundle.namelist()}
    assert b"[person-1]" in told["case.json"] and not [name for name, data in told.items() if b"jane@example" in data]
    assert house.accesses()[-1].detail == "bundle, redacted: people,paths"
    assert house("GET", "/api/v1/bundle?model=models:/seed-chat/1&redact=all").json()["code"] == "REDACT_INVALID"


def test_a_decision_is_asked_and_recorded(house: House) -> None:
    ref = {"namespace": MODEL.namespace, "name": "models/seed-chat/2", "content": {"hash": MODEL.content.hash}}
    lineage = event(inputs=[{"namespace": GPT_DATA.namespace, "name": "unheard-of"}], outputs=[])
    answer = post(
        house, "/api/v1/decide", {"model": "seed-chat", "artifact": ref, "events": [lineage], "by": "ann"}, "gate"
    )
    found = answer.json()
    assert answer.status_code == 200 and found["blocks"] is True
    assert found["decision"]["outcome"] == "deny" and found["decision"]["by"] == "ann, says gate <gate@example.com>"
    assert "the terms forbid it" in found["text"] and found["checkpoint"].count("\n") > 3
    with Gate.open(house.config) as gate:
        assert gate.decision(found["decision"]["id"]) is not None
    unknown = post(
        house, "/api/v1/decide", {"model": "m", "missing": "its run is not known", "hint": "log it"}, "gate"
    ).json()
    assert unknown["decision"]["outcome"] == "cannot-decide" and unknown["blocks"]
    before = entries(house)
    for wrong in (
        {"model": ""}, {}, {"model": "m", "events": [{"x": 1}]}, {"model": "m", "who": "me"},
        {"model": "m", "events": [event(job={"namespace": "lineagegate", "name": "grant"})]},
    ):  # fmt: skip
        assert post(house, "/api/v1/decide", wrong, "gate").status_code == 400, wrong
    assert entries(house) == before


def test_a_steward_declares_and_grants_under_its_own_name(house: House) -> None:
    assert house("POST", "/api/v1/lineage", "producer", json=event()).status_code == 201
    body = {"target": "s3://lake/in", "origin": {"kind": "first-party"}, "reason": "ours"}
    assert post(house, "/api/v1/declare", body).status_code == 201
    with Gate.open(house.config) as gate:
        (tag,) = gate.graph.tags(gate.resolve("s3://lake/in"))
    assert tag.tag.by == "steward <steward@example.com>"
    scope = {"provider": "openai", "model": "seed-*"}
    given = post(house, "/api/v1/grants", {"scope": scope, "reference": "MS-117"}).json()["grants"][0]
    assert given["approver"] == given["by"] == "steward <steward@example.com>"
    assert house("GET", "/api/v1/check?target=models:/seed-chat/1").json()["outcome"] == "allow"
    taken = post(house, f"/api/v1/grants/{given['id'].lower()}/withdraw", None, "other").json()["grants"][0]
    assert taken["withdrawn"] is True
    assert house("GET", "/api/v1/check?target=models:/seed-chat/1").json()["outcome"] == "deny"
    for wrong in (
        {"scope": {}, "reference": "x"},
        {"scope": scope, "reference": ""},
        {"scope": scope, "approver": "CEO"},
    ):
        assert post(house, "/api/v1/grants", wrong).status_code == 400


def test_a_grant_until_the_last_day_there_is(house: House) -> None:
    grant = {"scope": {"provider": "openai"}, "reference": "MS-1", "until": "9999-12-31"}
    assert house("POST", "/api/v1/grants", "steward", json=grant).status_code == 201
    for path in ("contains?origin=openai&", "report?format=json&"):
        assert house("GET", f"/api/v1/{path}model=models:/seed-chat/1").status_code == 200


def test_nobody_approves_what_they_claimed(house: House) -> None:
    body = {
        "output": CLEAN.content.hash, "origin": {"kind": "third-party-model-output", "provider": "openai"},
        "checked": "all records", "result": "0 left", "evidenceFile": {"name": "report.txt", "text": "0 of 900"},
    }  # fmt: skip
    claimed = post(house, "/api/v1/removals", body)
    assert claimed.status_code == 201, claimed.text
    removal = known(house, "removal", claimed)["removals"][0]
    identity, text = removal.get("id") or removal["removal"]["id"], json.dumps(removal)
    assert "sha256:" in text and "steward <steward@example.com>" in text
    own = post(house, f"/api/v1/removals/{identity}/approve", None)
    assert (own.status_code, own.json()["code"]) == (403, "APPROVER_IS_CLAIMANT")
    assert house("GET", "/api/v1/check?target=models:/seed-chat/1").json()["outcome"] == "deny"
    assert post(house, f"/api/v1/removals/{identity}/approve", None, "other").status_code == 200
    assert house("GET", "/api/v1/check?target=models:/seed-chat/1").json()["outcome"] == "allow"
    assert post(house, f"/api/v1/removals/{identity}/approve", None, "other").status_code == 409

    wrong = {"source": GPT_DATA.content.hash, "origin": {"kind": "third-party-model-output"}, "reason": "a mix-up"}
    correction = known(house, "correction", post(house, "/api/v1/corrections", wrong, "other"))["corrections"][0]
    identity = correction.get("id") or correction["correction"]["id"]
    assert post(house, f"/api/v1/corrections/{identity}/approve", None, "other").status_code == 403
    assert post(house, f"/api/v1/corrections/{identity}/approve", None).status_code == 200


def test_events_are_taken_byte_for_byte(house: House) -> None:
    data = json.dumps(event(), indent=3).encode()
    assert house("POST", "/api/v1/lineage", "producer", content=data).content == b""
    assert house("POST", "/api/v1/lineage", "producer", content=data).status_code == 201  # sent again, counted once
    with Gate.open(house.config) as gate:
        kept = [gate.graph.event(position).data for position in range(gate.graph.position())]
    assert kept.count(data) == 1
    odd = {k: v for k, v in event().items() if k not in ("schemaURL", "producer")}
    answer = house("POST", "/api/v1/lineage", "producer", json=odd)
    assert answer.status_code == 201 and len(answer.json()["warnings"]) == 2


def test_each_event_of_a_batch_stands_for_itself(house: House) -> None:
    good, bad, theirs = event(), {"eventTime": "x"}, event(job={"namespace": "b", "name": "j"})
    answer = house("POST", "/api/v1/lineage/batch", "producer", json=[good, bad, theirs, event()])
    assert answer.status_code == 207
    found = answer.json()
    assert found["status"] == "partial_success"
    assert found["summary"] == {"received": 4, "successful": 2, "failed": 2, "retriable": 0, "non_retriable": 2}
    assert [(f["index"], f["code"]) for f in found["failed_events"]] == [
        (1, "EVENT_INVALID"),
        (2, "NAMESPACE_FORBIDDEN"),
    ]
    assert house("POST", "/api/v1/lineage/batch", "producer", json=[good]).json()["status"] == "success"
    assert house("POST", "/api/v1/lineage/batch", "producer", json=[bad]).status_code == 400
    assert house("POST", "/api/v1/lineage/batch", "producer", json=[]).status_code == 200


def test_what_one_event_holds_refuses_no_other(house: House) -> None:
    """An outbox that sends them together would never get any further."""
    odd = json.dumps(event(x="@")).replace('"@"', '"\\ud800"')  # taken by itself: nobody reads it
    nan = json.dumps(event(x="@")).replace('"@"', "NaN")
    body = f"[ {json.dumps(event())} ,{odd},\n{nan}, {json.dumps(event())}]"
    answer = house("POST", "/api/v1/lineage/batch", "producer", content=body.encode())
    assert answer.status_code == 207 and answer.json()["summary"]["successful"] == 3, answer.text
    assert [(item["index"], item["code"]) for item in answer.json()["failed_events"]] == [(2, "EVENT_INVALID")]
    for wrong in (f"[{odd}", f"{odd}]", f"[{odd},]", f"[{odd} {nan}]", f"[{nan}] x", "[,]", "", "  "):
        assert house("POST", "/api/v1/lineage/batch", "producer", content=wrong.encode()).status_code == 400, wrong


def test_leafing_through(house: House) -> None:
    run = {"runId": "0192f0c1-7d8e-7000-8000-000000000001"}
    for kind, time in (("COMPLETE", "2024-05-01T10:00:05Z"), ("START", "2024-05-01T10:00:00Z")):  # told backwards
        sent = event(eventType=kind, eventTime=time, run=run, outputs=[{
            "namespace": "s3://lake", "name": "a/out.csv",
            "facets": {"schema": {"fields": [{"name": "id", "type": "int"}]}},
        }])  # fmt: skip
        assert house("POST", "/api/v1/lineage", "producer", json=sent).status_code == 201

    def get(path: str, **params: Any) -> Any:
        answer = house("GET", f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert {n["name"] for n in get("namespaces")["namespaces"]} >= {"airflow", "s3://lake", "mlflow://m"}
    assert get("namespaces/s3%3A%2F%2Flake")["name"] == "s3://lake"
    listed = get("namespaces/s3%3A%2F%2Flake/datasets", limit=2)
    assert listed["totalCount"] == 5 and len(listed["datasets"]) == 2
    out = get("namespaces/s3%3A%2F%2Flake/datasets/a%2Fout.csv")
    assert out["fields"][0]["name"] == "id" and out["deleted"] is False
    gpt = get("namespaces/s3%3A%2F%2Flake/datasets/raw%2Fgpt.jsonl")
    assert gpt["tags"] == ["third-party-model-output/openai"]
    (version,) = get("namespaces/s3%3A%2F%2Flake/datasets/a%2Fout.csv/versions")["versions"]
    assert version["createdByRun"]["id"] == run["runId"] and version["version"] == out["currentVersion"]
    path = f"namespaces/s3%3A%2F%2Flake/datasets/a%2Fout.csv/versions/{version['version']}"
    assert get(path)["id"]["version"] == version["version"]
    job = get("namespaces/airflow/jobs/load")
    assert job["latestRun"]["state"] == "COMPLETED" and job["latestRun"]["durationMs"] == 5000
    assert job["outputs"] == [{"namespace": "s3://lake", "name": "a/out.csv"}]
    assert get("jobs")["totalCount"] == get("namespaces/airflow/jobs")["totalCount"] == 3
    assert get("namespaces/airflow/jobs/load/runs")["totalCount"] == 1
    assert get(f"jobs/runs/{run['runId']}")["state"] == "COMPLETED"
    graph = get("lineage", nodeId="dataset:s3://lake:a/out.csv", depth=1)["graph"]
    assert [node["id"] for node in graph] == ["dataset:s3://lake:a/out.csv", "job:airflow:load"]
    whole = {node["id"]: node for node in get("lineage", nodeId="dataset:s3://lake:raw/gpt.jsonl")["graph"]}
    assert whole["job:airflow:clean"]["outEdges"] == [
        {"origin": "job:airflow:clean", "destination": "dataset:s3://lake:clean.jsonl"}
    ]
    assert "dataset:mlflow://m:models/seed-chat/1" in whole
    hits = get("search", q="OUT")["results"]
    assert [(h["type"], h["name"]) for h in hits] == [("DATASET", "a/out.csv")]
    assert get("search", q="%")["totalCount"] == 0
    assert [tag["name"] for tag in get("tags")["tags"]] == ["first-party", "third-party-model-output/openai"]
    told = get("events/lineage", limit=2)["events"]
    assert [e["eventType"] for e in told] == ["COMPLETE", "START"]  # the one that happened last first
    for missing in ("namespaces/x", "namespaces/x/jobs/y", "jobs/runs/x", "namespaces/s3%3A%2F%2Flake/datasets/x"):
        assert house("GET", f"/api/v1/{missing}").status_code == 404


def test_health_readiness_and_metrics(house: House, project: Config) -> None:
    assert house("GET", "/health", None).json() == {"status": "ok"}
    assert house("GET", "/ready", None).json()["status"] == "ok"
    text = house("GET", "/metrics").text
    assert "lineagegate_requests_total" in text and "lineagegate_ledger_entries" in text
    project.policy_path.write_text("rules: 7")
    broken = house("GET", "/ready", None)
    assert (broken.status_code, broken.json()["policy"]) == (503, "failed")
    refused = post(house, "/api/v1/decide", {"model": "m", "missing": "x"}, "gate")
    assert refused.status_code == 500 and refused.json()["code"].startswith("POLICY")


def test_the_openapi_document_describes_every_route(house: House) -> None:
    found = house("GET", "/openapi.json", None).json()
    assert "/api/v1/decide" in found["paths"] and "$ref" not in json.dumps(
        found["paths"]["/api/v1/decide"]["post"]["requestBody"]
    )
