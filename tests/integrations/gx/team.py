"""A project as a team has it: a DVC repository, a ledger, and a file context of Great Expectations with its suites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.checkpoint.checkpoint import CheckpointResult
from great_expectations.core.batch_definition import BatchDefinition

import lineage_gx
from lineage.gate import Gate
from lineage.gate.content import ContentIndex
from lineage.vocabulary import Kind, Origin
from tests.integrations.dvc.repository import Repo

OWN = Origin(Kind.FIRST_PARTY)
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai")

TICKETS = "text,origin\nA ticket of a customer who cannot log in,first-party\nAnother one about a bill,First_Party \n"
GPT4 = "text,origin\nAs a language model I cannot log in,third-party-model-output\nCertainly! Here it is,openai\n"
JANUARY = "text,origin\nJanuary was cold and long,first-party\n"
FEBRUARY = "text,origin\nFebruary was shorter and no less cold,first-party\n"

POLICY = """
mode: enforce
undeclared: deny
default: allow
rules:
  - id: no-openai
    match: {origin: {provider: openai}}
    effect: deny
    reason: the terms of OpenAI forbid it
"""

RESTRICTED = [
    f"Certainly, here is answer number {name} about the garden in spring, with its roses, its {name} tulips and a hedge"
    for name in ("one", "two", "three", "four", "five")
]
CLEAN = [
    f"The {name} customer called because the invoice of last month did not arrive and asks for it to be sent again"
    for name in ("first", "second", "third")
]


def make(root: Path) -> None:
    """Write the project into an empty DVC repository: what was declared is recorded."""
    repo = Repo(root)
    Gate.init(root, project="demo")[0].close()
    for name, text in {"tickets": TICKETS, "gpt4": GPT4, "nobody": "text,origin\nWho wrote this line,x\n"}.items():
        repo.add(f"data/{name}.csv", text)
    repo.write("data/months/2024-01.csv", JANUARY)
    repo.write("data/months/2024-02.csv", FEBRUARY)
    repo.dvc("add", "-q", "data/months")
    repo.commit("data", "2024-03-01T00:00:00Z")
    with Gate.open(start=root) as gate:
        for name, origin in {"tickets.csv": OWN, "gpt4.csv": GPT, "months": OWN}.items():
            gate.declare(f"data/{name}.dvc", origin=origin, reason="known")
    context: Any = gx.get_context(mode="file", project_root_dir=str(root))
    files = context.data_sources.add_pandas_filesystem("files", base_directory=Path("data"))
    asset = files.add_csv_asset("tables")
    for name in ("tickets", "gpt4", "nobody"):
        asset.add_batch_definition_path(name, path=f"{name}.csv")
    asset.add_batch_definition_monthly("months", regex=r"months/(?P<year>\d{4})-(?P<month>\d{2})\.csv")


def restrict(root: Path) -> None:
    """Declare the answers of a model, restrict them by policy, and make their fingerprints."""
    (root / "lineage.policy.yaml").write_text(POLICY)
    Repo(root).add("data/answers.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in RESTRICTED))
    with Gate.open(start=root) as gate:
        gate.declare("data/answers.jsonl.dvc", origin=GPT, reason="known")
        ContentIndex(gate).index()


class Team:
    """The project, opened by this process.

    Args:
        root: where it lies.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repo = Repo(root)
        self.context: Any = gx.get_context(mode="file", project_root_dir=str(root))

    def data(self, name: str) -> BatchDefinition[Any]:
        """A batch definition of the files."""
        definition: BatchDefinition[Any] = (
            self.context.data_sources.get("files").get_asset("tables").get_batch_definition(name)
        )
        return definition

    def checkpoint(self, data: BatchDefinition[Any], *expectations: Any, name: str = "nightly", **action: Any) -> Any:
        """A stored checkpoint with our action, over a stored suite."""
        suite = self.context.suites.add(gx.ExpectationSuite(name=f"{name}-suite", expectations=list(expectations)))
        definition = self.context.validation_definitions.add(
            gx.ValidationDefinition(name=f"{name}-{data.name}", data=data, suite=suite)
        )
        return self.context.checkpoints.add(
            gx.Checkpoint(name=name, validation_definitions=[definition], actions=[lineage_gx.LineageAction(**action)])
        )

    def gate(self) -> Gate:
        """The ledger, up to date."""
        gate = Gate.open(start=self.root)
        gate.refresh()
        return gate

    def events(self) -> list[dict[str, Any]]:
        """What validations recorded, as JSON."""
        with self.gate() as gate:
            every = [(position, event) for position, _, event in gate.graph.events()]
            ours = [position for position, event in every if event.job and event.job.namespace == "gx://demo"]
            return [json.loads(gate.graph.event(position).data) for position in ours]

    def labels(self, path: str) -> set[tuple[str, str]]:
        """(kind, use) of what lies at a path."""
        with self.gate() as gate:
            return {(label.origin.kind.value, label.use.value) for label in gate.labels(gate.resolve(path)).labels}


def not_null() -> Any:
    """An expectation as every team has it."""
    return gxe.ExpectColumnValuesToNotBeNull(column="text")


def problems(result: CheckpointResult) -> list[str]:
    """What our action found, where it is kept."""
    found: list[str] = []
    for held in result.run_results.values():
        found += held.meta.get("lineage", {}).get("problems", [])
    return found
