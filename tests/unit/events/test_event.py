"""Events: what we make is OpenLineage, says the same when read back, and the same as the client's own classes say."""

from __future__ import annotations

import json

import pytest
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)
from openlineage.client.facet_v2 import dataset_type_dataset, dataset_version_dataset
from openlineage.client.serde import Serde

from lineage.errors import UsageError
from lineage.events import dataset_event, read, run_event
from lineage.events.event import act_event
from lineage.vocabulary import Artifact, ArtifactType, Content, Input, Use
from lineage_openlineage import facets as client
from tests.unit.events import examples

EVENTS = dict(examples.events())


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_written_is_read_back(name: str) -> None:
    event = read(EVENTS[name])
    assert event.producer.startswith("https://")
    assert event.time
    if event.run and event.run.facets and name not in ("run", "bare run", "observed run", "log"):
        facets = event.run.facets
        (act,) = [x for x in (facets.decision, facets.grant, facets.removal, facets.correction) if x]
        expected = {
            "decision": examples.DECISION,
            "grant": examples.GRANT,
            "removal": examples.REMOVAL,
            "correction": examples.CORRECTION,
        }[name]
        assert getattr(act, name) == expected


def test_a_run_keeps_artifacts_uses_and_how_it_came_about() -> None:
    event = read(EVENTS["run"])
    assert event.run and event.run.facets and event.run.facets.execution
    assert event.run.facets.execution.execution == examples.EXECUTION
    (source,), (model,) = event.inputs, event.outputs
    assert source.artifact == examples.SOURCE
    assert source.use is Use.DISTILLATION
    assert model.artifact == examples.MODEL
    assert model.is_model


def _client_dataset(kind: type, artifact: Artifact, **more: object) -> object:
    facets: dict[str, object] = {}
    if artifact.content:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=artifact.content.hash)
        facets["lineage_content"] = client.LineageContentDatasetFacet(
            hash=artifact.content.hash,
            size=artifact.content.size,
            files=artifact.content.files,
            members=artifact.content.members,
        )
    if artifact.tags:
        facets["lineage_origin"] = client.LineageOriginDatasetFacet(tags=artifact.tags)
    if artifact.type is ArtifactType.MODEL:
        facets["datasetType"] = dataset_type_dataset.DatasetTypeDatasetFacet(datasetType="MODEL")
    return kind(artifact.namespace, artifact.name, facets=facets, **more)


def _facts(data: bytes | str) -> object:
    """An event as we read it, without who wrote it."""
    event = json.loads(data)

    def strip(value: object) -> object:
        if isinstance(value, dict):
            kept = {k: strip(v) for k, v in value.items() if k not in ("producer", "_producer", "eventTime")}
            return {k: v for k, v in kept.items() if v not in ({}, [])}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(event)


def test_the_client_classes_write_what_we_write() -> None:
    event = RunEvent(
        eventTime=examples.TIME,
        eventType=RunState.COMPLETE,
        run=Run(
            runId=json.loads(EVENTS["run"])["run"]["runId"],
            facets={"lineage_execution": client.LineageExecutionRunFacet(execution=examples.EXECUTION)},
        ),
        job=Job("dvc://seed", "dvc.yaml:train"),
        inputs=[
            _client_dataset(
                InputDataset,
                examples.SOURCE,
                inputFacets={"lineage_use": client.LineageUseInputDatasetFacet(use=Use.DISTILLATION)},
            )
        ],
        outputs=[_client_dataset(OutputDataset, examples.MODEL)],
    )
    theirs = Serde.to_json(event)
    assert _facts(theirs) == _facts(EVENTS["run"])
    a, b = read(theirs.encode()), read(EVENTS["run"])
    assert [x.artifact for x in a.inputs] == [x.artifact for x in b.inputs]
    assert [x.artifact for x in a.outputs] == [x.artifact for x in b.outputs]
    assert [x.use for x in a.inputs] == [x.use for x in b.inputs]


def test_the_client_classes_write_our_dataset_events_and_acts() -> None:
    dataset = DatasetEvent(eventTime=examples.TIME, dataset=_client_dataset(StaticDataset, examples.SOURCE))
    assert _facts(Serde.to_json(dataset)) == _facts(EVENTS["dataset"])
    acts = {
        "decision": client.LineageDecisionRunFacet(decision=examples.DECISION),
        "grant": client.LineageGrantRunFacet(grant=examples.GRANT),
        "removal": client.LineageRemovalRunFacet(removal=examples.REMOVAL),
        "correction": client.LineageCorrectionRunFacet(correction=examples.CORRECTION),
    }
    for name, facet in acts.items():
        ours = json.loads(EVENTS[name])["run"]["facets"][f"lineage_{name}"]
        theirs = Serde.to_dict(facet)
        theirs["_producer"] = ours["_producer"]
        assert theirs == ours


def test_a_client_facet_refuses_what_our_reader_would_refuse() -> None:
    with pytest.raises(UsageError) as refused:
        client.LineageUseInputDatasetFacet(use="trainign")
    assert refused.value.code == "FACET_INVALID"
    with pytest.raises(TypeError):
        client.LineageOriginDatasetFacet()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"eventTime": "2023-01-01T00:00:00Z", "run": {"runId": 3}}',
        b'{"eventTime": "2023-01-01T00:00:00Z"}',
        b'{"eventTime": "2023-01-01T00:00:00Z", "dataset": {"namespace": "a", "name": "b", "facets": '
        b'{"lineage_origin": {"tags": [{"origin": {"kind": "nonsense"}}]}}}}',
        b'{"eventTime": "2023-01-01T00:00:00Z", "dataset": {"namespace": "a", "name": "b", "facets": '
        b'{"lineage_origin": {}}}}',
    ],
)
def test_what_cannot_be_understood_is_refused_whole(data: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        read(data)
    assert refused.value.code == "EVENT_INVALID"
    assert refused.value.cause


def test_what_others_add_is_ignored_and_what_they_leave_out_is_no_fault() -> None:
    event = read(
        b'{"eventTime": "2023-01-01T00:00:00Z", "run": {"runId": "any text", "facets": {"parent": {"x": 1}}}, "job": '
        b'{"namespace": "n", "name": "j"}, "inputs": [{"namespace": "s3://b", "name": "k", "facets": {"schema": {}}}]}'
    )
    assert event.inputs[0].artifact == Artifact("s3://b", "k")


def test_bare_values_leave_no_empty_facets() -> None:
    data = run_event(run_id="r", job=("n", "j"), time="t", inputs=[Input(Artifact("a", "b"))], outputs=[])
    assert json.loads(data)["inputs"] == [{"namespace": "a", "name": "b"}]
    content = json.loads(dataset_event(Artifact("a", "b", Content("md5:1")), time="t"))["dataset"]["facets"]
    assert set(content) == {"version", "lineage_content"}
    assert "inputs" not in json.loads(act_event(examples.GRANT, run_id="r", time="t"))
