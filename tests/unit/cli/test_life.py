"""What history and the dossier's data say of removals and of withdrawn grants, on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.gate import Gate
from lineage.vocabulary import Scope
from tests.unit.cli.conftest import Cli
from tests.unit.cli.test_questions import CHAT, remove


def test_history_and_sources_name_what_a_removal_took_out(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(project, cli, monkeypatch)
    items = cli("history", CHAT, "--origin", "openai", verb="history").document["items"]
    told = {item["subject"]: item["text"] for item in items if item["kind"] == "executed"}
    assert told["clean"] == "read data/gpt4, made data/clean, from which it is said to be taken out"
    with Gate.open(start=project) as gate:
        case = gate.case(CHAT, "openai")
    told_of = {view.artifact.display: (view.origin.provider, view.narrowed, view.entries) for view in case.sources}
    assert {name: found[:2] for name, found in told_of.items()} == {
        "data/gpt4": ("openai", True), "data/tickets": ("", False),
    }  # fmt: skip
    assert all(entries for *_, entries in told_of.values())


def test_a_grant_withdrawn_twice_is_withdrawn_once_by_whoever_was_first(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate.open(start=project) as gate:
        grant = gate.grant(Scope(provider="openai", model="seed-*"), reference="C-9", until="2099-12-31")
    for name in ("Ann Roe <ann@seed.example>", "Bob Lee <bob@seed.example>"):
        monkeypatch.setenv("LINEAGE_USER", name)
        assert cli("grant", "--withdraw", grant.id).status == 0
    (use,) = cli("contains", CHAT, "openai", verb="contains").document["grants"]
    assert (use["withdrawnBy"], len(use["entries"])) == ("Ann Roe <ann@seed.example>", 2)
    said = cli("contains", CHAT, "openai").out
    assert "withdrawn " in said
    assert "by Ann Roe <ann@seed.example>" in said
    assert "holds    no more: withdrawn; it was given until 2099-12-31" in cli("grant", "--list").out
    items = cli("history", verb="history").document["items"]
    assert [item["by"] for item in items if item["kind"] == "withdrawn"] == ["Ann Roe <ann@seed.example>"]
