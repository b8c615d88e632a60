"""What nobody stated about an origin: it is never "no"."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.events.event import dataset_event
from lineage.gate import Gate
from lineage.vocabulary import Input, Kind, Origin
from tests.unit.cli.conftest import TIME, Cli, dataset, model, stage

MODEL = "models:/seed-odd/1"


def made_from(root: Path, origin: Origin) -> None:
    """seed-odd/1 is made from one source of this origin."""
    with Gate.open(start=root) as gate:
        source = dataset("data/odd", "9", origin)
        gate.record([dataset_event(source, time=TIME), stage("odd", [Input(source)], [model("seed-odd", 1, "a")])])


@pytest.mark.parametrize(
    "provider", ["", "microsoft", "Azure", "openrouter", "unknown", "N/A", "-", "none", "?", "Hugging Face"]
)
def test_a_seller_or_a_placeholder_states_no_provider(project: Path, cli: Cli, provider: str) -> None:
    made_from(project, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider))
    found = cli("contains", MODEL, "openai", verb="contains")
    assert (found.status, found.document["answer"]["contains"]) == (3, "cannot-tell")
    assert cli("contains", MODEL, "--provider", "openai").status == 3
    assert cli("check", MODEL).status == 1, "what nobody stated may be what a rule denies"


@pytest.mark.parametrize("provider", ["ореnаi", "0penAI", "open ai", "azure-openai", "ＯｐｅｎＡＩ"])
def test_a_provider_is_known_by_what_a_reader_sees(project: Path, cli: Cli, provider: str) -> None:
    made_from(project, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider))
    assert cli("contains", MODEL, "openai").status == 1
    assert cli("check", MODEL).status == 1


def test_who_makes_models_and_sells_others_is_known_by_the_model(project: Path, cli: Cli) -> None:
    made_from(project, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "microsoft", "phi-3"))
    assert cli("contains", MODEL, "openai").status == 0
    assert cli("contains", MODEL, "--provider", "microsoft").status == 1


def test_synthetic_data_without_a_maker_may_be_anybodys(project: Path, cli: Cli) -> None:
    made_from(project, Origin(Kind.SYNTHETIC))
    assert cli("contains", MODEL, "--provider", "openai").status == 3
    assert cli("contains", MODEL, "--kind", "licensed").status == 0


@pytest.mark.parametrize("provider", ["unknown", "-", "microsoft", "openrouter"])
def test_declare_refuses_a_provider_that_says_nothing(project: Path, cli: Cli, provider: str) -> None:
    asked = ["declare", "data/gpt4", "--kind", "third-party-model-output"]
    found = cli(*asked, "--provider", provider, verb="error")
    assert (found.status, found.document["error"]["code"]) == (2, "PROVIDER_NOT_STATED")
    assert cli(*asked, "--provider", provider, "--service", "gpt-4").status == 0
    assert cli(*asked).status == 0


def test_impact_of_an_origin_tells_what_may_be_touched(project: Path, cli: Cli) -> None:
    made_from(project, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT))
    found = cli("impact", "--provider", "openai", verb="impact").document
    assert [x["artifact"]["display"] for x in found["models"]] == ["models:/seed-chat/1", "models:/seed-own/1"]
    assert [x["artifact"]["display"] for x in found["doubtful"]] == ["models:/seed-odd/1", "models:/seed-web/1"]
    said = cli("impact", "--provider", "anthropic").out
    assert said.startswith("Nothing recorded is known to have been touched by provider anthropic.")
    assert "Cannot tell of 2 registered versions" in said
    assert "models:/seed-web/1" in said


def test_history_of_an_origin_says_what_was_left_out(project: Path, cli: Cli) -> None:
    made_from(project, Origin(Kind.THIRD_PARTY_MODEL_OUTPUT))
    found = cli("history", "--origin", "openai", verb="history").document
    assert (found["undeclared"], found["unstated"]) == (1, 1)
    assert "Cannot tell of 1 source without a declared origin and 1 origin" in cli("history", "--origin", "openai").out
    assert "Cannot tell" not in cli("history").out
