"""``lineagegate export``, end to end on a real store: what it prints, what it writes, and that a failure writes nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from lineage.cli.export import NAMES
from lineage.config import load
from lineage.evidence.exports import STANDARDS
from lineage.evidence.exports.intoto import preauthenticated
from lineage.gate import Gate
from lineage.gate.seal import LedgerSettings
from lineage.ledger.key import load_key
from tests.unit.cli.conftest import Cli
from tests.unit.evidence.exports.test_exports import VALID

MODEL = "models:/seed-chat/1"
UNSIGNED = [name for name in NAMES if name != "in-toto"]


def judge(project: Path) -> None:
    """Have the model judged, so that a decision and a checkpoint are recorded."""
    with Gate.open(start=project) as gate:
        gate.judge(gate.resolve(MODEL), model="seed-chat", subject=MODEL, action="register")


def test_every_standard_can_be_asked_for() -> None:
    assert set(NAMES) == set(STANDARDS)


@pytest.mark.parametrize("standard", UNSIGNED)
def test_a_real_record_gives_a_valid_document_twice_the_same(standard: str, project: Path, cli: Cli) -> None:
    judge(project)
    said = cli("export", MODEL, "--as", standard, "-o", "made.json")
    assert said.status == 0, said.err
    assert said.out.startswith(f"{MODEL} is in made.json: {STANDARDS[standard].title}, sha256 ")
    first = (project / "made.json").read_bytes()
    VALID[standard](first.decode())
    assert b"gpt4" in first
    assert b"azure-openai" in first
    cli("export", MODEL, "--as", standard, "-o", "made.json")
    assert (project / "made.json").read_bytes() == first
    printed = cli("export", MODEL, "--as", standard, verb="export").document
    assert printed["text"].encode() == first
    assert printed["complete"] is True
    if standard != "eu-summary":
        assert cli("export", MODEL, "--as", standard).out.encode() == first


def test_every_standard_takes_each_model(project: Path, cli: Cli) -> None:
    for model in ("models:/seed-own/1", "models:/seed-web/1", "data/clean"):
        for standard in UNSIGNED:
            made = cli("export", model, "--as", standard, verb="export").document
            VALID[standard](made["text"])


def test_what_made_a_model_and_measured_it_made_it(project: Path, cli: Cli) -> None:
    document = json.loads(cli("export", "models:/seed-own/1", "--as", "prov").out)
    (made,) = document["wasGeneratedBy"].values()
    assert document["entity"][made["prov:entity"]]["prov:label"] == "models:/seed-own/1"
    (derived,) = document["wasDerivedFrom"].values()
    assert document["entity"][derived["prov:usedEntity"]]["prov:label"] == "data/tickets"


def test_each_decision_is_signed_with_the_ledgers_key(project: Path, cli: Cli) -> None:
    judge(project)
    judge(project)
    assert cli("export", MODEL, "--as", "in-toto", "-o", "decisions.jsonl").status == 0
    lines = (project / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    key = load_key(LedgerSettings.of(load(project)).key).public
    assert len(lines) == 2
    for line in lines:
        envelope = json.loads(line)
        payload = base64.b64decode(envelope["payload"])
        assert key.verify(preauthenticated(payload), base64.b64decode(envelope["signatures"][0]["sig"]))
        statement = json.loads(payload)
        assert statement["subject"][0] == {"name": MODEL, "digest": {"md5": "5" * 32}}
        assert statement["predicate"]["decision"]["outcome"] == "deny"
        assert statement["predicate"]["checkpoint"]["size"] > statement["predicate"]["entry"]


def test_nothing_to_state_is_said_and_nothing_is_written(project: Path, cli: Cli) -> None:
    said = cli("export", MODEL, "--as", "in-toto", "-o", "decisions.jsonl")
    assert said.status == 3
    assert "no decision about models:/seed-chat/1 is recorded" in said.err
    assert not (project / "decisions.jsonl").exists()
    assert cli("export", "models:/nobody/1", "--as", "prov", "-o", "made.json").status == 3
    assert cli("export", MODEL, "--as", "dublin-core").status == 2
    assert cli("export", MODEL, "--as", "prov", "-o", "nowhere/made.json").status == 2


def test_without_the_key_nothing_is_signed_and_none_is_made(project: Path, cli: Cli) -> None:
    judge(project)
    key = LedgerSettings.of(load(project)).key
    key.unlink()
    said = cli("export", MODEL, "--as", "in-toto", "-o", "decisions.jsonl")
    assert said.status == 3
    assert "lineagegate ledger checkpoint" in said.err
    assert not key.exists()
    assert not (project / "decisions.jsonl").exists()


def test_summary_for_people_and_for_programs(project: Path, cli: Cli) -> None:
    page = cli("export", MODEL, "--as", "eu-summary")
    assert page.out.startswith("# Public summary of training content: models:/seed-chat/1\n")
    cli("export", MODEL, "--as", "eu-summary", "-o", "summary.md")
    assert (project / "summary.md").read_text(encoding="utf-8") == page.out
    assert json.loads(cli("export", MODEL, "--as", "eu-summary", verb="export").document["text"])["model"] == MODEL


def test_another_time(project: Path, cli: Cli) -> None:
    said = cli("export", MODEL, "--as", "spdx3", "--as-of", "2023-03-01")
    assert said.status == 3  # nothing had happened yet
    said = cli("export", MODEL, "--as", "spdx3", "--as-of", "2023-03-03")
    assert said.status == 0
    VALID["spdx3"](said.out)
