"""Events of other producers: what is taken as it is, what is taken with a warning, and what is refused whole.

The bytes are kept as they came; this says only how they are read. What breaks OpenLineage's schema and still says which
run read and made what is taken, and every place that was read otherwise than written is named in a plain sentence. What
cannot be understood is refused, with the place. Nothing here depends on what is recorded already, so that the ledger
reads the same in a hundred years (laws 3 and 4).

`read` in `lineage.events.event` turns to `mended` where the strict reading fails.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from lineage.errors import UsageError
from lineage.events import facets as f
from lineage.events.event import (
    BEFORE_EVERYTHING,
    Dataset,
    DatasetFacets,
    Event,
    InputFacets,
    JobFacets,
    RunFacets,
    invalid,
    read,
)
from lineage.events.naming import MOST_NAME, OUR_NAMESPACE
from lineage.vocabulary.identity import same_person
from lineage.vocabulary.moment import happened, moment_of

MOST_BYTES = 10_000_000
"""Bytes of one event."""
MOST_DEPTH = 100
"""Lists and objects within each other."""
MOST_DATASETS = 10_000
"""Datasets that one event names."""
MOST_WARNINGS = 20
"""Sentences about one event; the last one says how many more there are."""
_TYPES = frozenset({"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"})
_OURS = frozenset(f.FACETS)
_ACT_FACETS = frozenset(key for key, facet in f.FACETS.items() if facet.__name__.endswith("RunFacet")) - {
    "lineage_execution",
    "lineage_observation",
    "lineage_usage",
}
_READ = {
    kind: frozenset(field.encode_name for field in msgspec.structs.fields(kind))
    for kind in (DatasetFacets, InputFacets, RunFacets, JobFacets)
}
"""Keys of the facets that are read."""


class Received(NamedTuple):
    """An event that can be recorded."""

    data: bytes
    """Its exact bytes."""
    event: Event
    """What lineage reads of it."""
    warnings: tuple[str, ...]
    """What breaks the standard, or was read otherwise than written; sentences without a full stop."""


def receive(data: bytes, *, by: str = "", trusted: bool = False) -> Received:
    """Read an event that came from outside.

    Args:
        data: the JSON of one OpenLineage event, UTF-8.
        by: who hands it in, where that is known.
        trusted: it was made by us (a person at a command line, the gate, an integration of ours): it may be an act.

    Raises:
        UsageError: ``EVENT_INVALID``, it cannot be understood; ``ACT_REFUSED``, it says what only we may say.
    """
    whole = _parsed(data)
    if not trusted:
        _no_act(whole)
    warnings: list[str] = []
    event = read(data, warnings)
    _unusual(event, whole, b'"_deleted"' in data, by, warnings)
    if len(warnings) > MOST_WARNINGS:
        warnings[MOST_WARNINGS - 1 :] = [f"and {len(warnings) - MOST_WARNINGS + 1} more"]
    return Received(data, event, tuple(warnings))


# what is refused


def _parsed(data: bytes) -> dict[str, Any]:
    """The whole document, which must say each thing once."""
    if len(data) > MOST_BYTES:
        raise invalid(f"it has {len(data):,} bytes; at most {MOST_BYTES:,} are taken")
    try:
        whole = json.loads(data.decode(), object_pairs_hook=_object, parse_constant=_no_number)
        if data.count(b"{") + data.count(b"[") > MOST_DEPTH:
            _check_depth(whole)
    except RecursionError:
        raise invalid(f"it is nested deeper than {MOST_DEPTH}") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are
        raise invalid(f"it is not JSON: {error}") from None
    if not isinstance(whole, dict):
        raise invalid("it is no JSON object")
    return whole


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _check_depth(whole: Any) -> None:
    level = [whole]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise RecursionError


def _no_act(whole: dict[str, Any]) -> None:
    """Refuse what only we may say: a job in our namespace, or a facet of an act in any other."""
    job, run = whole.get("job"), whole.get("run")
    facets = run.get("facets") if isinstance(run, dict) else None
    said = sorted(_ACT_FACETS.intersection(facets)) if isinstance(facets, dict) else []
    if said or (isinstance(job, dict) and job.get("namespace") == OUR_NAMESPACE):
        what = f"the run facet {said[0]}" if said else f"the job namespace {OUR_NAMESPACE!r}"
        raise UsageError(
            "this event says what no producer may say",
            code="ACT_REFUSED",
            cause=f"it has {what}: decisions, grants, removals, corrections and policies are not taken from outside",
            hint="say it with `lineagegate grant`, `removal` or `correction`, or ask the server as a steward",
        )


# what is warned of


def _unusual(event: Event, whole: dict[str, Any], mentions_deleted: bool, by: str, warnings: list[str]) -> None:
    if not event.producer:
        warnings.append("`producer` is missing, so nobody can tell which program said this")
    if not event.schema_url:
        warnings.append("`schemaURL` is missing")
    if event.time != BEFORE_EVERYTHING and not happened(event.time).zoned:
        warnings.append(f"`eventTime` {event.time!r} names no zone; it is read as UTC")
    if event.run is not None:
        if event.type not in _TYPES:
            said = f" {event.type[:40]!r} is not one of {', '.join(sorted(_TYPES))}" if event.type else " is missing"
            warnings.append(f"`eventType`{said}")
        if not _is_uuid(event.run.run_id):
            warnings.append("`run.runId` is no UUID: whoever uses the same text again tells of the same run")
        if event.job is None:
            warnings.append("`job` is missing")
    places = _places(event)
    for place, text in _names(event, places):
        if len(text) > MOST_NAME // 4 and len(text.encode()) > MOST_NAME:
            raise invalid(f"`{place}` is longer than {MOST_NAME} bytes: {text[:60]}…")
        if "\0" in text:
            raise invalid(f"`{place}` holds a NUL character")
    for place, dataset in places:
        if not dataset.namespace or not dataset.name:
            warnings.append(f"`{place}` has an empty {'name' if dataset.namespace else 'namespace'}")
        origin = dataset.facets.origin if dataset.facets else None
        for tag in origin.tags if origin else ():
            if by and tag.by and (len(tag.by) > MOST_NAME or not same_person(tag.by, by)):
                warnings.append(f"`{place}` has a tag said by {tag.by[:80]!r}, handed in by {by[:80]!r}")
    if len(places) > MOST_DATASETS:
        raise invalid(f"it names {len(places):,} datasets; at most {MOST_DATASETS:,} are taken")
    if not places and event.run is None:
        warnings.append("it names no dataset and no run, so nothing follows from it")
    for place in _deleted(whole) if mentions_deleted else ():
        warnings.append(f"`{place}` is marked as deleted; nothing that was recorded before is taken away")


def _names(event: Event, places: list[tuple[str, Dataset]]) -> Iterator[tuple[str, str]]:
    """What the record finds things by."""
    if event.run is not None:
        yield "run.runId", event.run.run_id
    if event.job is not None:
        yield "job", event.job.namespace + event.job.name
    for place, dataset in places:
        yield place, dataset.namespace + dataset.name
        if dataset.facets and dataset.facets.content:
            yield f"{place}.facets.lineage_content.hash", dataset.facets.content.hash
        for name in (*dataset.other_names, *dataset.made_from):
            yield f"{place}.facets", name.namespace + name.name
    for name in (*event.read_too, *event.made_too):
        yield "job.facets.lineage", name.namespace + name.name


def _deleted(whole: dict[str, Any]) -> list[str]:
    """Facets of datasets that a producer wants gone."""
    found = []
    for place, dataset in _datasets(whole):
        for group in ("facets", "inputFacets", "outputFacets"):
            held = dataset.get(group)
            for key, body in held.items() if isinstance(held, dict) else ():
                if isinstance(body, dict) and body.get("_deleted") is True:
                    found.append(f"{place}.{group}.{key[:80]}")
    return found


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return len(text) == 36


def _places(event: Event) -> list[tuple[str, Dataset]]:
    found = [(f"inputs[{i}]", dataset) for i, dataset in enumerate(event.inputs)]
    found += [(f"outputs[{i}]", dataset) for i, dataset in enumerate(event.outputs)]
    return found if event.dataset is None else [*found, ("dataset", event.dataset)]


def _datasets(whole: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (f"{side}[{i}]", dataset)
        for side in ("inputs", "outputs")
        for i, dataset in enumerate(whole.get(side) or ())
        if isinstance(dataset, dict)
    ]
    return [*found, ("dataset", whole["dataset"])] if isinstance(whole.get("dataset"), dict) else found


# what is read otherwise than written


def mended(data: bytes, warnings: list[str]) -> Event:
    """The event that breaks the schema, without what cannot be read and need not be.

    Args:
        data: its exact bytes.
        warnings: gets a sentence for each place that was read otherwise than written.

    Raises:
        UsageError: ``EVENT_INVALID``.
    """
    try:
        whole = json.loads(data.decode())  # half a surrogate pair in a text that is not read harms nobody
    except RecursionError:
        raise invalid(f"it is nested deeper than {MOST_DEPTH}") from None
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are
        raise invalid(f"it is not JSON: {error}") from None
    if not isinstance(whole, dict):
        raise invalid("it is no JSON object")
    told: dict[str, Any] = {"eventTime": _time(whole.get("eventTime"), warnings)}
    for key in ("producer", "schemaURL", "eventType"):
        value = whole.get(key)
        if isinstance(value, str):
            told[key] = value
        elif value is not None:
            warnings.append(f"`{key}` is no text; it is not read")
    for key, ids in (("run", ("runId",)), ("job", ("namespace", "name"))):
        if whole.get(key) is not None:
            told[key] = _named(whole[key], key, ids)
    if "run" in told:
        facets = _facets(whole["run"], "facets", "run", RunFacets, warnings)
        told["run"] |= {"facets": facets} if facets else {}
    if "job" in told:
        facets = _facets(whole["job"], "facets", "job", JobFacets, warnings)
        told["job"] |= {"facets": facets} if facets else {}
    for side in ("inputs", "outputs"):
        listed = whole.get(side)
        if listed is None:
            continue
        if not isinstance(listed, list):
            raise invalid(f"`{side}` is no list")
        told[side] = [_dataset(dataset, f"{side}[{i}]", warnings) for i, dataset in enumerate(listed)]
    if whole.get("dataset") is not None:
        told["dataset"] = _dataset(whole["dataset"], "dataset", warnings)
    if told.get("producer") == f.PRODUCER and warnings:
        raise invalid(warnings[0])  # what claims to be ours must be right
    try:
        return msgspec.convert(told, Event)
    except msgspec.ValidationError as error:  # a facet of ours: half of it is never believed
        raise invalid(str(error)) from None


def _time(value: Any, warnings: list[str]) -> str:
    """When it happened. An event that does not say so counts at every time: what it adds is never left out."""
    if isinstance(value, str):
        try:
            happened(value)
        except ValueError:
            pass
        else:
            return value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        for unit in (1, 1_000, 1_000_000):  # seconds, milliseconds or microseconds: what gives a year after 2000
            if 946_684_800 * unit <= value < 4_062_960_000 * unit:
                time = moment_of(int(value * 1_000_000 // unit)).isoformat()
                warnings.append(f"`eventTime` {value} is a number; it is read as {time}")
                return time
    said = "is missing" if value is None else f"{str(value)[:60]!r} is no time that can be read"
    warnings.append(f"`eventTime` {said}; the event counts as having always been so")
    return BEFORE_EVERYTHING


def _named(value: Any, place: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """The identity of a run, a job or a dataset: without it nothing can be said."""
    if not isinstance(value, dict):
        raise invalid(f"`{place}` is no object")
    for key in keys:
        if not isinstance(value.get(key), str):
            raise invalid(f"`{place}.{key}` is {'missing' if value.get(key) is None else 'no text'}")
        if not value[key].isprintable() and any("\ud800" <= char <= "\udfff" for char in value[key]):
            raise invalid(f"`{place}.{key}` holds half of a surrogate pair")
    return {key: value[key] for key in keys}


def _dataset(value: Any, place: str, warnings: list[str]) -> dict[str, Any]:
    told = _named(value, place, ("namespace", "name"))
    for key, kind in (("facets", DatasetFacets), ("inputFacets", InputFacets)):
        if facets := _facets(value, key, place, kind, warnings):
            told[key] = facets
    return told


def _facets(
    value: dict[str, Any],
    key: str,
    place: str,
    kind: type[DatasetFacets | InputFacets | RunFacets | JobFacets],
    warnings: list[str],
) -> dict[str, Any]:
    """The facets that are read; of others' facets those that can be."""
    held = value.get(key)
    if held is None:
        return {}
    if not isinstance(held, dict):
        warnings.append(f"`{place}.{key}` is no object; it is not read")
        return {}
    kept = {}
    for name in _READ[kind].intersection(held):
        body = held[name]
        if body is None or (isinstance(body, dict) and body.get("_deleted") is True):
            continue  # it says nothing, and takes nothing away
        if name not in _OURS:
            try:
                msgspec.convert({name: body}, kind)
            except msgspec.ValidationError as error:
                warnings.append(f"`{place}.{key}.{name}` cannot be read ({error}); it is left out")
                continue
        kept[name] = body
    return kept
