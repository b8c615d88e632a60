"""Events of others: what is taken as it is, what with a warning, what is refused whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lineage.errors import UsageError
from lineage.events import facets as f
from lineage.events.event import BEFORE_EVERYTHING, act_event, dataset_event, run_event
from lineage.events.foreign import MOST_WARNINGS, receive
from lineage.events.naming import canonical
from lineage.vocabulary import Artifact, Grant, Kind, Origin, Scope, Tag, UsageLog

ID = "019a0000-0000-7000-8000-000000000001"


def told(**more: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-03-01T10:00:00Z",
        "eventType": "COMPLETE",
        "producer": "https://example.com/etl/1.0",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": ID},
        "job": {"namespace": "etl", "name": "nightly"},
        "inputs": [{"namespace": "s3://lake", "name": "raw/orders"}],
        "outputs": [{"namespace": "s3://lake", "name": "clean/orders"}],
        **more,
    }


def raw(event: Any) -> bytes:
    return json.dumps(event).encode()


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in told().items() if key not in keys}


def facet(**facets: Any) -> dict[str, Any]:
    return told(inputs=[{"namespace": "s3://lake", "name": "raw/orders", "facets": facets}])


def test_what_keeps_the_standard_is_taken_without_a_word() -> None:
    received = receive(raw(told()))
    assert received.warnings == ()
    assert received.data == raw(told())
    assert received.event.inputs[0].name == "raw/orders"


@pytest.mark.parametrize(
    ("event", "warning"),
    [
        (without("schemaURL"), "`schemaURL` is missing"),
        (without("producer"), "`producer` is missing"),
        (told(producer=7), "`producer` is no text; it is not read"),
        (without("eventType"), "`eventType` is missing"),
        (told(eventType="DONE"), "`eventType` 'DONE' is not one of"),
        (told(eventTime="2026-03-01T10:00:00.123456789"), "names no zone; it is read as UTC"),
        (told(eventTime=1772359200000), "is a number; it is read as 2026-03-01T10:00:00+00:00"),
        (told(eventTime=1772359200), "is a number; it is read as 2026-03-01T10:00:00+00:00"),
        (told(eventTime="yesterday"), "'yesterday' is no time that can be read; the event counts as having always"),
        (without("eventTime"), "`eventTime` is missing; the event counts as having always been so"),
        (told(run={"runId": "scheduled__2026-03-01"}), "`run.runId` is no UUID"),
        (without("job"), "`job` is missing"),
        (told(run={"runId": ID, "facets": []}, inputs=None), "`run.facets` is no object; it is not read"),
        (told(inputs=[{"namespace": "", "name": "x"}]), "`inputs[0]` has an empty namespace"),
        (facet(symlinks={"identifiers": [{"name": 3}]}), "`inputs[0].facets.symlinks` cannot be read"),
        (facet(columnLineage={"fields": []}), "`inputs[0].facets.columnLineage` cannot be read"),
        (facet(version={"datasetVersion": 3}), "`inputs[0].facets.version` cannot be read"),
        (facet(schema={"_deleted": True}), "`inputs[0].facets.schema` is marked as deleted; nothing that was recorded"),
        (facet(lineage_origin={"_deleted": True}), "`inputs[0].facets.lineage_origin` is marked as deleted; nothing"),
    ],
)
def test_what_breaks_the_standard_is_taken_with_a_warning(event: dict[str, Any], warning: str) -> None:
    received = receive(raw(event))
    assert any(warning in text for text in received.warnings), received.warnings
    assert received.event.run is not None
    assert [d.name for d in received.event.outputs] == ["clean/orders"]


def test_an_unknown_time_is_before_everything() -> None:
    assert receive(raw(without("eventTime"))).event.time == BEFORE_EVERYTHING


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"\xef\xbb\xbf{}", "it is not JSON"),
        (b"[]", "no JSON object"),
        (b'{"run": {"runId": NaN}}', "NaN is no JSON number"),
        (b'{"run": {"runId": "a"}, "run": {"runId": "b"}}', "the key 'run' stands twice"),
        (b'{"job": {"namespace": "a", "name": "b", "facets": {"x": {"y": 1, "y": 2}}}}', "the key 'y' stands twice"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "deeper than 100"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeper than 100"),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', "at most 10,000,000 are taken"),
        (raw({"eventTime": "2026-03-01T10:00:00Z"}), "neither `run`, `job` nor `dataset`"),
        (raw(told(run={"facets": {}})), "`run.runId` is missing"),
        (raw(told(run={"runId": 3})), "`run.runId` is no text"),
        (raw(told(run={"runId": ""})), "`run.runId` is empty"),
        (raw(told(run=[])), "`run` is no object"),
        (raw(told(job={"namespace": "a"})), "`job.name` is missing"),
        (raw(told(inputs={})), "`inputs` is no list"),
        (raw(told(inputs=["s3://lake/raw"])), "`inputs[0]` is no object"),
        (raw(told(outputs=[{"namespace": "a", "name": ["b"]}])), "`outputs[0].name` is no text"),
        (raw(told(outputs=[{"namespace": "a", "name": "b\0"}])), "`outputs[0]` holds a NUL character"),
        (raw(told(outputs=[{"namespace": "a", "name": "\ud800"}])), "surrogate"),
        (raw(told(outputs=[{"namespace": "a", "name": "x" * 2001}])), "longer than 2000 bytes"),
        (raw(told(outputs=[{"namespace": "a", "name": f"{i}"} for i in range(10_000)])), "names 10,001 datasets"),
        (raw(facet(lineage_origin={"tags": [{"origin": {"kind": "nonsense"}}]})), "Invalid enum value 'nonsense'"),
        (raw(facet(lineage_content={"hash": 5})), "Expected `str`, got `int`"),
        (raw({**without("eventTime"), "producer": f.PRODUCER}), "`eventTime` is missing"),
    ],
)
def test_what_cannot_be_understood_is_refused_whole(data: bytes, cause: str) -> None:
    with pytest.raises(UsageError) as refused:
        receive(data)
    assert refused.value.code == "EVENT_INVALID"
    assert cause in refused.value.cause


def test_a_text_that_is_not_read_may_hold_anything() -> None:
    """A NUL or half a surrogate pair in a query is no reason to lose a run."""
    event = told(job={"namespace": "etl", "name": "q", "facets": {"sql": {"query": "select '\0\ud800'"}}})
    assert receive(raw(event)).event.outputs


GRANT = act_event(Grant("1", Scope(model="seed"), "Ann", "T-1"), run_id=ID, time="2026-03-01T10:00:00Z")


@pytest.mark.parametrize(
    "data",
    [
        GRANT,
        GRANT.replace(b'"namespace":"lineagegate"', b'"namespace":"elsewhere"'),
        raw(told(job={"namespace": "lineagegate", "name": "anything"})),
        *(raw(told(run={"runId": ID, "facets": {f"lineage_{kind}": {}}})) for kind in
          ("decision", "grant", "removal", "correction", "registry", "policy", "access")),
    ],
)  # fmt: skip
def test_what_only_we_may_say_is_refused_from_outside(data: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        receive(data)
    assert refused.value.code == "ACT_REFUSED"
    assert refused.value.hint


def test_acts_of_ours_are_taken_from_ourselves() -> None:
    assert receive(GRANT, trusted=True).warnings == ()


def test_our_own_events_are_taken_without_a_word() -> None:
    tagged = Artifact("dvc://p", "a", tags=(Tag(Origin(Kind.LICENSED), by="Ann <ann@example.com>"),))
    assert receive(dataset_event(tagged, time="2026-03-01T10:00:00Z")).warnings == ()
    assert receive(run_event(run_id=ID, job=("dvc://p", "s"), time="2026-03-01T10:00:00Z")).warnings == ()
    log = UsageLog("usage.csv", "sha256:" + "0" * 64, 0, (), ())  # `usage import` on another machine, forwarded
    assert (
        receive(run_event(run_id=ID, job=("https://h", "import"), time="2026-03-01T10:00:00Z", log=log)).warnings == ()
    )
    (warning,) = receive(dataset_event(tagged, time="2026-03-01T10:00:00Z"), by="Bob <bob@example.com>").warnings
    assert "a tag said by 'Ann <ann@example.com>', handed in by 'Bob <bob@example.com>'" in warning


def test_warnings_about_one_event_are_few() -> None:
    event = told(inputs=[{"namespace": "", "name": f"{i}"} for i in range(1000)])
    warnings = receive(raw(event)).warnings
    assert len(warnings) == MOST_WARNINGS
    assert warnings[-1] == "and 981 more"


@pytest.mark.parametrize(
    "spellings",
    [
        ["s3://lake/raw/x", "s3a://lake/raw/x", "S3N://lake//raw/x/", "s3://lake/raw/x/"],
        ["gs://lake/x", "gcs://lake//x"],
        ["hdfs://nn:8020/user/x", "hdfs://NN:8020//user/x/"],
        ["abfss://c@acc.dfs.core.windows.net/x", "abfs://c@ACC.dfs.core.windows.net//x"],
        ["postgres://db:5432/shop.public.orders", "postgresql://DB:5432/shop.public.orders"],
        ["file//data/x", "file:////data/x", "file:///data/x/", "file:/data/x", "FILE://localhost/data/x"],
    ],
)
def test_spellings_of_one_thing(spellings: list[str]) -> None:
    assert {canonical(spelling) for spelling in spellings} == {spellings[0]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://lake/Raw", "s3://lake/raw"),
        ("s3://lake/raw", "gs://lake/raw"),
        ("s3://lake/a//b", "s3://lake/a/b"),
        ("postgres://db:5432/shop.Orders", "postgres://db:5432/shop.orders"),
        ("file//data/x", "file://host/data/x"),
        ("dvc://P/x", "dvc://p/x"),
        ("dvc://p/x/", "dvc://p/x"),
        ("warehouse/x/", "warehouse/x"),
    ],
)
def test_spellings_of_two_things(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)
