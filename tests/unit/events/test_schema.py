"""Our events against OpenLineage's own rules, and every published schema against the code and against real values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openlineage.client.facet_v2 import dataset_type_dataset, dataset_version_dataset
from referencing import Registry, Resource

from lineage import schemas
from lineage.events.facets import FACETS
from lineage_openlineage import facets as client
from lineage_openlineage.validate import event_schema
from tests.unit.events import examples

ROOT = Path(__file__).parents[3] / "schemas"
EVENTS = dict(examples.events())
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
EVENT_SCHEMA = event_schema()
# our facets refer to the specification's; the client's classes stand for it, the file itself is in no package
REGISTRY: Registry[Any] = Registry().with_resource(SPEC, Resource.from_contents(EVENT_SCHEMA))


def _facets(value: object) -> Iterator[tuple[str, dict[str, object]]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict) and "_schemaURL" in inner:
                yield key, inner
            yield from _facets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _facets(inner)


def _faults(event: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(EVENT_SCHEMA, format_checker=FORMATS)
    return [fault.message for fault in validator.iter_errors(event)]


def test_formats_are_really_checked() -> None:
    assert {"date-time", "uri", "uuid"} <= set(FORMATS.checkers)


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_passes_openlineages_rules(name: str) -> None:
    assert _faults(json.loads(EVENTS[name])) == []


@pytest.mark.parametrize(
    "change",
    [
        {"eventTime": "2023-03-02 09:30"},
        {"producer": "not a uri"},
        {"schemaURL": None},
        {"run": {"runId": "not-a-uuid"}},
        {"run": {}},
        {"eventType": "DONE"},
        {"inputs": [{"namespace": "n"}]},
        {"inputs": [{"namespace": "n", "name": "m", "facets": {"x": {"_producer": "https://x.example"}}}]},
        {"outputs": {}},
    ],
)
def test_the_rules_refuse_what_the_specification_refuses(change: dict[str, object]) -> None:
    assert _faults({**json.loads(EVENTS["run"]), **change})


@pytest.mark.parametrize("name", EVENTS)
def test_every_facet_of_ours_passes_its_published_schema(name: str) -> None:
    for key, facet in _facets(json.loads(EVENTS[name])):
        if key in FACETS:
            schema = json.loads((ROOT / "facets" / f"{FACETS[key].__name__}.json").read_text(encoding="utf-8"))
            assert facet["_schemaURL"] == schema["$id"]
            jsonschema.Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS).validate(facet)


def test_a_facet_schema_refuses_an_unknown_word() -> None:
    schema = schemas.facet_schema("lineage_use", FACETS["lineage_use"])
    facet = {"_producer": "https://x.example", "_schemaURL": schema["$id"], "use": "trainign"}
    assert not jsonschema.Draft202012Validator(schema, registry=REGISTRY).is_valid(facet)


def test_standard_facets_name_the_version_that_the_client_knows() -> None:
    facets = dict(_facets(json.loads(EVENTS["run"])))
    standard = {
        "version": dataset_version_dataset.DatasetVersionDatasetFacet,
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet,
    }
    for key, kind in standard.items():
        assert facets[key]["_schemaURL"] == kind._get_schema()


def test_names_follow_openlineages_rule_for_custom_facets() -> None:
    for key, facet in FACETS.items():
        name = key.removeprefix("lineage_").capitalize()
        assert facet.__name__ == f"Lineage{name}{schemas.entity(facet)}"
        assert getattr(client, facet.__name__)._get_schema() == f"{schemas.SCHEMA_BASE}/{facet.__name__}.json"


def test_published_schemas_are_up_to_date() -> None:
    """`make schemas` writes them."""
    expected = {path: schemas.text(schema) for path, schema in schemas.schemas().items()}
    published = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in ROOT.rglob("*.json")}
    assert published == expected


@pytest.mark.parametrize("path", schemas.schemas())
def test_published_schemas_are_schemas(path: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads((ROOT / path).read_text(encoding="utf-8")))
