"""A project with a real store and a small recorded history, and the command line in this process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from lineage.cli.group import run
from lineage.events import naming
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.vocabulary import Artifact, ArtifactType, Content, Execution, Input, Kind, Origin, Tag, Use

SCHEMAS = Path(__file__).parents[3] / "schemas" / "cli"
TIME = "2023-03-02T09:30:00+00:00"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")
OWN = Origin(Kind.FIRST_PARTY)

POLICY = """
mode: enforce
default: allow
models:
  - name: "seed-*"
    competes-with: openai
rules:
  - id: no-gpt
    match: {origin: {provider: openai}, model: {competes-with: openai}}
    unless: {use: evaluation}
    effect: deny
    reason: the terms forbid it
tests:
  - name: gpt text is refused
    model: seed-chat
    labels: [{kind: third-party-model-output, provider: openai, use: content}]
    expect: deny
"""


class Ran(NamedTuple):
    """What a verb did."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its JSON."""
        return json.loads(self.out)


Cli = Callable[..., Ran]


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Cli:
    """``cli("check", "x")`` runs a verb; with ``verb="check"`` as JSON, held against the published schema."""
    for name in ("ROOT", "STORE", "POLICY", "PROJECT", "USER", "DEBUG"):
        monkeypatch.delenv(f"LINEAGE_{name}", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("reports")))

    def call(*arguments: str, verb: str = "") -> Ran:
        capsys.readouterr()
        status = run([*arguments, "--format=json"] if verb else arguments)
        out, err = capsys.readouterr()
        if verb:
            schema = json.loads((SCHEMAS / f"{verb}.json").read_text(encoding="utf-8"))
            jsonschema.Draft202012Validator(schema).validate(json.loads(out))
        return Ran(status, out, err)

    return call


def dataset(name: str, digit: str, origin: Origin | None = None) -> Artifact:
    """A version of a DVC output."""
    tags = (Tag(origin, by="Lin <lin@seed.example>"),) if origin else ()
    return Artifact(naming.dvc_namespace("seed"), name, Content("md5:" + digit * 32, 1000), tags=tags)


def model(name: str, version: int, digit: str) -> Artifact:
    """A registered version."""
    name = naming.model_name(name, version)
    return Artifact("mlflow://local", name, Content("md5:" + digit * 32, 1000), ArtifactType.MODEL)


def stage(name: str, inputs: list[Input], outputs: list[Artifact]) -> bytes:
    """An execution."""
    return run_event(
        run_id=naming.run_id(name),
        job=(naming.dvc_namespace("seed"), f"dvc.yaml:{name}"),
        time=TIME,
        inputs=inputs,
        outputs=outputs,
        execution=Execution("dvc", f"dvc.yaml:{name}", commit="a1b2c3d4e5", author="Lin Seed"),
    )


@pytest.fixture
def project(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """gpt4 and tickets and web -> clean -> seed-chat/1; tickets -> seed-own/1; gpt4 only evaluates seed-own/1."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    assert cli("init", "--project", "seed").status == 0
    gpt, tickets, web = dataset("data/gpt4", "1", GPT), dataset("data/tickets", "2", OWN), dataset("data/web", "3")
    clean, chat, own = dataset("data/clean", "4"), model("seed-chat", 1, "5"), model("seed-own", 1, "6")
    with Gate.open(start=tmp_path) as gate:
        gate.record(
            [
                dataset_event(gpt, time=TIME),
                dataset_event(tickets, time=TIME),
                dataset_event(web, time=TIME),
                stage("clean", [Input(gpt), Input(tickets)], [clean]),
                stage("train", [Input(clean)], [chat]),
                stage("train-own", [Input(tickets), Input(gpt, Use.EVALUATION)], [own]),
                stage("train-web", [Input(web)], [model("seed-web", 1, "7")]),
            ]
        )
    return tmp_path
