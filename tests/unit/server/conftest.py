"""A server over a small recorded history, in this process, with a token for each role."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.testclient import TestClient

from lineage.config import Config, load
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.gate.tokens import make_token
from lineage.server.app import create_app
from lineage.server.settings import ServerSettings
from lineage.vocabulary import Access, Artifact, ArtifactType, Content, Input, Kind, Origin, Role, Tag
from lineage.vocabulary.identifier import new_uuid

TIME = "2023-03-02T09:30:00+00:00"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")
POLICY = """
mode: enforce
default: allow
rules:
  - id: no-gpt
    match: {origin: {provider: openai}}
    effect: deny
    reason: the terms forbid it
"""
GPT_DATA = Artifact("s3://lake", "raw/gpt.jsonl", Content("md5:" + "a" * 32, 1000))
OWN_DATA = Artifact("s3://lake", "raw/own.jsonl", Content("md5:" + "b" * 32, 1000))
CLEAN = Artifact("s3://lake", "clean.jsonl", Content("md5:" + "c" * 32, 900))
MODEL = Artifact("mlflow://m", "models/seed-chat/1", Content("md5:" + "d" * 32, 500), ArtifactType.MODEL)


class House(NamedTuple):
    """A server, and who may ask it."""

    client: TestClient
    config: Config
    tokens: dict[str, str]
    """Text of a token by role; a second steward is ``other``."""

    def __call__(self, method: str, path: str, who: str | None = "reader", **more: Any) -> Any:
        """Ask as somebody: a role, the text of a token, or nobody."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(who, who)}"
        return self.client.request(method, path, headers=headers, **more)

    def accesses(self) -> list[Access]:
        """What the ledger tells of the door."""
        with Gate.open(self.config) as gate:
            found = [event for _, _, event in gate.graph.events()]
        return [e.run.facets.access.access for e in found if e.run and e.run.facets and e.run.facets.access]


def event(**fields: Any) -> dict[str, Any]:
    """An OpenLineage event of a producer."""
    return {
        "eventType": "COMPLETE", "eventTime": "2024-05-01T10:00:00Z", "producer": "https://example.com/p",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(new_uuid())}, "job": {"namespace": "airflow", "name": "load"},
        "inputs": [{"namespace": "s3://lake", "name": "in"}], "outputs": [{"namespace": "s3://lake", "name": "out"}],
        **fields,
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Config:
    """A project whose model rests on text of a provider."""
    (tmp_path / "lineage.policy.yaml").write_text(POLICY)
    gate, _ = Gate.init(tmp_path, project="p")

    def ran(name: str, inputs: list[Artifact], output: Artifact) -> bytes:
        return run_event(
            run_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), job=("airflow", name), time=TIME,
            inputs=[Input(item) for item in inputs], outputs=[output],
        )  # fmt: skip

    with gate:
        gate.record([
            dataset_event(Artifact(*GPT_DATA_FIELDS, tags=(Tag(GPT, by="Jane Roe <jane@example.com>"),)), time=TIME),
            dataset_event(Artifact(*OWN_DATA_FIELDS, tags=(Tag(Origin(Kind.FIRST_PARTY)),)), time=TIME),
            ran("clean", [GPT_DATA, OWN_DATA], CLEAN),
            ran("train", [CLEAN], MODEL),
        ])  # fmt: skip
        gate.judge(MODEL, model="seed-chat", subject="models:/seed-chat/1", action="register")
    return load(tmp_path)


GPT_DATA_FIELDS = (GPT_DATA.namespace, GPT_DATA.name, GPT_DATA.content)
OWN_DATA_FIELDS = (OWN_DATA.namespace, OWN_DATA.name, OWN_DATA.content)


@pytest.fixture
def settings(project: Config) -> ServerSettings:
    """The table [server]; tests replace it."""
    return ServerSettings.of(project)


@pytest.fixture
def house(project: Config, settings: ServerSettings) -> Iterator[House]:
    """See the module."""
    people = {role.value: (f"{role.value} <{role.value}@example.com>", role) for role in Role}
    people["other"] = "Sam Poe <sam@example.com>", Role.STEWARD
    with Gate.open(project) as gate:
        tokens = {
            key: make_token(
                gate.graph, name=name, role=role, by="the test",
                namespaces=("airflow", "s3://lake*") if role is Role.PRODUCER else (),
            )[1]
            for key, (name, role) in people.items()
        }  # fmt: skip
    with TestClient(create_app(project, settings), raise_server_exceptions=False) as client:
        yield House(client, project, tokens)


def post(house: House, path: str, body: Any, who: str = "steward") -> Any:
    """Post JSON as somebody."""
    return house("POST", path, who, content=json.dumps(body))
