"""Removals and corrections on a real store: two people, evidence, what narrows, what voids (S6)."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lineage.events import dataset_event
from lineage.gate import Gate
from lineage.vocabulary import Basis, Input, Kind, Origin, Tag
from tests.unit.cli.conftest import GPT, TIME, Cli, dataset, model, stage

ASKED = ["--checked", "exact match of 1,000 records", "--result", "0 left", "--evidence", "MEMO-7"]
OPENAI = ["--kind", "third-party-model-output", "--provider", "openai"]


@pytest.fixture(autouse=True)
def ann(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setenv("LINEAGE_USER", "Ann Roe <ann@seed.example>")


def claim(cli: Cli, *arguments: str) -> str:
    (view,) = cli("removal", "claim", "data/clean", *OPENAI, *ASKED, *arguments, verb="removal").document["removals"]
    assert view["state"] == "waiting for approval"
    return str(view["removal"]["id"])


def test_a_removal_narrows_once_a_second_person_approves(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "check.csv").write_text("record,match\n")
    removal = claim(cli, "--evidence", "check.csv", "--run", "clean")
    assert cli("check", "models:/seed-chat/1").status == 1
    own = cli("removal", "approve", removal, verb="error")
    assert (own.status, own.document["error"]["code"]) == (2, "APPROVER_IS_CLAIMANT")
    monkeypatch.setenv("LINEAGE_USER", "ann roe <other@seed.example>")  # the same name under another address
    assert cli("removal", "approve", removal).status == 2
    assert cli("check", "models:/seed-chat/1").status == 1
    monkeypatch.setenv("LINEAGE_USER", "Bob <bob@seed.example>")
    shown = cli("removal", "approve", removal).out
    assert f"removal {removal}: in force" in shown
    assert "checked  exact match of 1,000 records" in shown
    digest = hashlib.sha256(b"record,match\n").hexdigest()
    assert f"check.csv (sha256:{digest})" in shown
    assert "claimed  " in shown and "approved " in shown and "Bob" in shown
    assert cli("check", "models:/seed-chat/1").status == 0
    again = cli("removal", "approve", removal, verb="error")
    assert again.document["error"]["code"] == "ALREADY_APPROVED"
    # the claim stays visible in the path
    why = cli("why", "models:/seed-chat/1")
    assert f"cut by removal {removal}" in why.out
    (cut,) = cli("why", "models:/seed-chat/1", verb="why").document["removed"]
    assert (cut["removals"], cut["path"][0]["artifact"]) == ([removal], "data/gpt4")
    view = cli("removal", "show", removal.lower(), verb="removal").document["removals"][0]
    assert view["removal"]["run"] == "dvc.yaml:clean"
    assert view["removal"]["inputs"] == ["md5:" + "1" * 32, "md5:" + "2" * 32]
    assert view["removal"]["sources"] == ["md5:" + "1" * 32]
    assert len(view["entries"]) == 2


def test_what_to_look_at_before_believing_one_is_said(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence that nobody kept, and a claim that came after the models."""
    removal = claim(cli)
    for arguments, changes in ((("show", removal), "approving it changes"), (("approve", removal), "it changes")):
        monkeypatch.setenv("LINEAGE_USER", "Bob <bob@seed.example>")
        found = cli("removal", *arguments).out
        assert "its evidence (MEMO-7) is no file with a recorded hash" in found
        assert "claimed after models were made of that content: " in found
        assert "models:/seed-chat/1" in found
        assert f"; {changes} what is answered about them, too" in found
        assert "nobody authenticated them" in found
    notices = cli("removal", "list", verb="removal").document["notices"]
    assert [n["code"] for n in notices] == ["EVIDENCE_NOT_KEPT", "REMOVAL_AFTER_MODELS"]
    (project / "check.csv").write_text("record,match\n")
    later = dataset("data/clean", "9")
    with Gate.open(start=project) as gate:
        gate.record([stage("clean-2", [Input(dataset("data/gpt4", "1"))], [later])])
    asked = ["md5:" + "9" * 32, *OPENAI, *ASKED, "--evidence", "check.csv"]
    assert cli("removal", "claim", *asked, verb="removal").document["notices"] == []


def test_models_trained_before_keep_theirs(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    later = dataset("data/clean", "9")
    with Gate.open(start=project) as gate:
        inputs = [Input(dataset("data/gpt4", "1")), Input(dataset("data/tickets", "2"))]
        gate.record([stage("clean-2", inputs, [later]), stage("train-2", [Input(later)], [model("seed-chat", 2, "a")])])
    assert cli("check", "models:/seed-chat/2").status == 1
    claimed = cli("removal", "claim", "md5:" + "9" * 32, *OPENAI, *ASKED, verb="removal").document["removals"][0]
    monkeypatch.setenv("LINEAGE_USER", "Bob")
    cli("removal", "approve", claimed["removal"]["id"])
    assert cli("check", "models:/seed-chat/2").status == 0
    assert cli("check", "models:/seed-chat/1").status == 1


def test_a_match_voids_it_and_a_corrected_match_does_not(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    removal = claim(cli)
    monkeypatch.setenv("LINEAGE_USER", "Bob")
    cli("removal", "approve", removal)
    approved = datetime.now(timezone.utc).isoformat()
    found = Tag(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai"), Basis.MATCHED, by="matcher")
    clean = dataset("data/clean", "4")
    with Gate.open(start=project) as gate:
        gate.record([dataset_event(type(clean)(clean.namespace, clean.name, clean.content, tags=(found,)), time=TIME)])
    shown = cli("removal", "show", removal).out
    assert f"removal {removal}: void" in shown
    assert "data/clean was matched with third-party-model-output/openai" in shown
    now = datetime.now(timezone.utc).isoformat()
    assert f"removal {removal}: void" in cli("removal", "list", "--known-at", now).out
    assert f"removal {removal}: in force" in cli("removal", "list", "--known-at", approved).out
    labels = cli("why", "models:/seed-chat/1", verb="why").document["labels"]
    assert {(x["origin"].get("service", ""), x["basis"]) for x in labels if x["origin"].get("provider")} == {
        ("gpt-4", "declared"),
        ("", "matched"),
    }
    # it cannot be approved again, and the way out is named
    other = claim(cli)
    monkeypatch.setenv("LINEAGE_USER", "Ann Roe <ann@seed.example>")
    void = cli("removal", "approve", other, verb="error").document["error"]
    assert void["code"] == "REMOVAL_VOID"
    assert "correction claim" in void["hint"]
    asked = ["correction", "claim", "data/clean", *OPENAI, "--basis", "matched"]
    assert cli(*asked, verb="error").document["error"]["code"] == "CORRECTION_INVALID"  # no reason
    correction = cli(*asked, "--reason", "a test string", verb="correction").document["corrections"][0]
    assert correction["state"] == "waiting for approval"
    monkeypatch.setenv("LINEAGE_USER", "Bob")
    assert "in force" in cli("correction", "approve", correction["correction"]["id"]).out
    assert "in force" in cli("correction", "list").out
    assert f"removal {removal}: in force" in cli("removal", "show", removal).out
    assert cli("check", "models:/seed-chat/1").status == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["data/clean", *OPENAI], "REMOVAL_INVALID"),
        (["data/clean", "--kind", "licensed", *ASKED], "REMOVAL_INVALID"),
        (["data/gpt4", *OPENAI, *ASKED], "REMOVAL_INVALID"),
        (["data/clean", *OPENAI, *ASKED, "--run", "train"], "REMOVAL_INVALID"),
        (["data/clean", *OPENAI, *ASKED, "--source", "data/tickets"], "REMOVAL_INVALID"),
        (["data/clean", *ASKED], "REMOVAL_INVALID"),
        (["data/clean", "--provider", "openai", *ASKED], "ORIGIN_INVALID"),
    ],
)
def test_a_wrong_claim_is_refused_and_changes_nothing(arguments: list[str], code: str, project: Path, cli: Cli) -> None:
    refused = cli("removal", "claim", *arguments, verb="error")
    assert (refused.status, refused.document["error"]["code"]) == (2, code)
    assert cli("removal", "list", verb="removal").document["removals"] == []
    assert "No removal was ever claimed" in cli("removal", "list").out


def test_unknown_and_wrong_corrections(project: Path, cli: Cli) -> None:
    assert cli("removal", "approve", "01HW", verb="error").document["error"]["code"] == "REMOVAL_UNKNOWN"
    assert cli("removal", "show", "01HW", verb="error").document["error"]["code"] == "REMOVAL_UNKNOWN"
    assert cli("correction", "approve", "01HW", verb="error").document["error"]["code"] == "CORRECTION_UNKNOWN"
    none = cli("correction", "claim", "data/web", *OPENAI, "--reason", "x", verb="error").document["error"]
    assert none["code"] == "CORRECTION_INVALID"
    assert "No correction" in cli("correction", "list").out


def test_a_mistaken_tag_is_taken_back_by_two(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    said = cli("correction", "claim", "data/gpt4", *OPENAI, "--reason", "it is our own", verb="correction").document
    identity = said["corrections"][0]["correction"]["id"]
    assert said["corrections"][0]["correction"]["origin"]["service"] == GPT.service
    assert cli("correction", "approve", identity).status == 2
    assert cli("check", "models:/seed-chat/1").status == 1
    monkeypatch.setenv("LINEAGE_USER", "Bob")
    assert cli("correction", "approve", identity).status == 0
    assert "undeclared" in cli("why", "models:/seed-chat/1").out
