"""What a registered model and its versions are called: a name without a version, a renamed model, a number used again."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from lineage.events import naming
from lineage.events.event import dataset_event
from lineage.gate import Gate
from lineage.gate.past import time_of
from lineage.vocabulary import Artifact, ArtifactType, Change, Content, Happening, Input
from tests.unit.cli.conftest import OWN, Cli, dataset, model, stage


@pytest.fixture
def versions(project: Path) -> Path:
    """seed-chat/1 has openai; seed-chat/2 is clean, and was judged last under the model's bare name."""
    clean = Artifact("mlflow://local", naming.model_name("seed-chat"), Content("md5:" + "8" * 32), ArtifactType.MODEL)
    with Gate.open(start=project) as gate:
        own = dataset("data/tickets", "2", OWN)
        gate.record([stage("train-2", [Input(own)], [model("seed-chat", 2, "8"), clean])])
        gate.judge(clean, model="seed-chat", subject="models:/seed-chat", action="register")
    return project


@pytest.mark.parametrize("asked", [["contains", "openai"], ["report"], ["why"], ["share"], ["check"], ["impact"]])
def test_a_model_with_versions_is_not_answered_by_one_of_them(versions: Path, cli: Cli, asked: list[str]) -> None:
    verb, *rest = asked
    found = cli(verb, "models:/seed-chat", *rest, verb="error")
    assert found.status == 2
    error = found.document["error"]
    assert (error["code"], error["cause"]) == ("MODEL_AMBIGUOUS", "models:/seed-chat/1, models:/seed-chat/2")
    assert cli(verb, "models:/seed-chat/2", *rest).status in (0, 1)


def test_history_of_a_model_without_a_version_is_its_whole_life(versions: Path, cli: Cli) -> None:
    assert cli("history", "models:/seed-chat").status == 0


def test_a_model_with_one_version_is_that_version(project: Path, cli: Cli) -> None:
    assert cli("contains", "models:/seed-chat", "openai").out.startswith("models:/seed-chat/1 contains openai")


def rename(root: Path, *, again: bool = False) -> tuple[str, str]:
    """seed-chat was registered, and is called seed-talk now; the times before and after its registration."""
    with Gate.open(start=root) as gate:
        before = datetime.now(timezone.utc).isoformat()
        gate.changed(Change("seed-chat", Happening.CREATED, "1", by="Jo Park", registry="mlflow://local"))
        after = datetime.now(timezone.utc).isoformat()
        gate.record([named(model("seed-talk", 1, "5"))])
        gate.changed(Change("seed-chat", Happening.RENAMED, value="seed-talk", by="Jo Park", registry="mlflow://local"))
        if again:
            gate.record([named(model("seed-chat", 1, "6"))])
            gate.changed(Change("seed-chat", Happening.CREATED, "1", by="Jo Park", registry="mlflow://local"))
    return before, after


def named(version: Artifact) -> bytes:
    return dataset_event(version, time=datetime.now(timezone.utc).isoformat())


def test_a_renamed_version_is_counted_under_its_new_name_alone(project: Path, cli: Cli) -> None:
    rename(project)
    expected = ["models:/seed-own/1", "models:/seed-talk/1"]
    for asked in (
        ["data/gpt4"],
        ["--provider", "openai"],
        ["data/gpt4", "--known-at", datetime.now(timezone.utc).isoformat()],
    ):
        found = cli("impact", *asked, verb="impact").document["models"]
        assert sorted(x["artifact"]["display"] for x in found) == expected, asked
    recall = cli("recall", verb="recall").document
    assert (recall["judged"], [x["decision"]["subject"] for x in recall["versions"] if x["recall"]]) == (
        3, ["models:/seed-talk/1", "models:/seed-web/1"],
    )  # fmt: skip


def test_a_freed_name_may_be_given_again(project: Path, cli: Cli) -> None:
    rename(project, again=True)
    found = cli("impact", "--provider", "openai", verb="impact").document["models"]
    assert sorted(x["artifact"]["display"] for x in found) == [
        "models:/seed-chat/1",
        "models:/seed-own/1",
        "models:/seed-talk/1",
    ]


@pytest.mark.parametrize("option", ["--known-at", "--as-of"])
def test_a_renamed_version_was_registered_when_it_was_registered(project: Path, cli: Cli, option: str) -> None:
    before, after = rename(project)
    with Gate.open(start=project) as gate:
        moment = time_of(gate, "models:/seed-talk/1", known=option == "--known-at").isoformat()
    assert before <= moment <= after
    assert cli("why", "data/gpt4", option, "models:/seed-talk/1").status == 0


def test_a_version_made_again_is_the_one_that_there_is(project: Path) -> None:
    _, after = rename(project, again=True)
    with Gate.open(start=project) as gate:
        assert time_of(gate, "models:/seed-chat/1", known=True).isoformat() > after


@pytest.mark.parametrize("verb", [["report"], ["bundle", "-o", "x.zip"], ["export", "--as", "prov"]])
def test_nothing_is_handed_over_under_a_proposed_policy(project: Path, cli: Cli, verb: list[str]) -> None:
    found = cli(verb[0], "models:/seed-own/1", *verb[1:], "--policy", "lineage.policy.yaml", verb="error")
    assert (found.status, found.document["error"]["code"]) == (2, "POLICY_PROPOSED")
