"""A registered model without a version: what is true of one version is not said of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.events import naming
from lineage.gate import Gate
from lineage.vocabulary import Artifact, ArtifactType, Content, Input
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
