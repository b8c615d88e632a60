"""A dataset, a job, a run as Marquez' clients read them. Every field that its web pages need is there, known or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import Query, Request, Response

from lineage.errors import UsageError
from lineage.graph.jobs import Job, Jobs, Told
from lineage.ledger import happened
from lineage.server.access import identity_of
from lineage.server.room import Desk, room_of
from lineage.vocabulary import Artifact, Origin

Limit = Annotated[int, Query(ge=0, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
NEWEST_RUNS = 10
"""Of a job, shown with it."""
_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""The name space of RFC 9562 appendix A for URLs: versions are UUIDs to Marquez' clients."""
STATES = {"START": "RUNNING", "RUNNING": "RUNNING", "COMPLETE": "COMPLETED", "FAIL": "FAILED", "ABORT": "ABORTED"}
ENDS = ("COMPLETE", "FAIL", "ABORT")
Shape = dict[str, Any]
T = TypeVar("T")


def look(request: Request, question: Callable[[Desk, Jobs], Any]) -> Response:
    """Answer a question from the record as it is now."""
    with room_of(request).reading(identity_of(request)) as desk:
        jobs = desk.graph.jobs
        jobs.catch_up()
        return Response(msgspec.json.encode(question(desk, jobs)), media_type="application/json")


def found(value: T | None, what: str) -> T:
    """What was found.

    Raises:
        UsageError: ``NOT_FOUND``.
    """
    if value is None:
        raise UsageError(f"there is no {what}", code="NOT_FOUND", hint="/api/v1/search?q=… finds names")
    return value


def named(namespace: str, name: str) -> Shape:
    """An id of a dataset or job."""
    return {"namespace": namespace, "name": name}


def tag_of(origin: Origin) -> str:
    """An origin as the tag that stands for it."""
    return f"{origin.kind.value}/{origin.provider}" if origin.provider else origin.kind.value


def version_of(artifact: Artifact) -> str:
    """The UUID that stands for a content under a name."""
    said = artifact.content.hash if artifact.content else ""
    return str(uuid.uuid5(_SPACE, f"{artifact.namespace}/{artifact.name}#{said}"))


# datasets


def facets_of(jobs: Jobs, namespace: str, name: str, positions: list[int]) -> tuple[Shape, str]:
    """The facets that some entries give a dataset, the later over the earlier, and when the last was recorded."""
    facets: Shape = {}
    recorded = ""
    for entry in jobs.entries(positions):
        recorded = entry.recorded
        whole = whole_of(entry.data)
        for item in (*listed(whole.get("inputs")), *listed(whole.get("outputs")), whole.get("dataset")):
            if isinstance(item, dict) and item.get("namespace") == namespace and item.get("name") == name:
                for kind in ("facets", "inputFacets", "outputFacets"):
                    facets |= mapped(item.get(kind))
    return facets, recorded


def dataset(desk: Desk, jobs: Jobs, namespace: str, name: str) -> Shape:
    """A dataset as its last events tell of it.

    Raises:
        UsageError: ``NOT_FOUND``.
    """
    artifact = found(desk.graph.find(namespace, name), "such dataset")
    positions = jobs.dataset_entries(namespace, name)
    facets, updated = facets_of(jobs, namespace, name, jobs.lately(namespace, name))
    created = jobs.entries(positions[:1])[0].recorded
    return {**_shaped(desk, artifact, facets), "createdAt": created, "updatedAt": updated, "deleted": False,
            "currentVersion": version_of(artifact), "lastLifecycleState": _lifecycle(facets)}  # fmt: skip


class Version(NamedTuple):
    """A recorded content of a dataset."""

    artifact: Artifact
    position: int
    """The entry that named it first."""
    current: bool
    """Whether it is the one recorded last, again or for the first time."""

    @property
    def id(self) -> str:
        """The UUID that stands for it."""
        return version_of(self.artifact)


def versions(desk: Desk, jobs: Jobs, namespace: str, name: str) -> list[Version]:
    """The recorded contents of a dataset, the newest first.

    Raises:
        UsageError: ``NOT_FOUND``.
    """
    known = found(desk.graph.versions(namespace, name) or None, "such dataset")
    current = found(desk.graph.find(namespace, name), "such dataset")
    pairs = list(zip(known, jobs.dataset_entries(namespace, name), strict=False))[::-1]
    return [Version(one, position, version_of(one) == version_of(current)) for one, position in pairs]


def version(desk: Desk, jobs: Jobs, told: Version) -> Shape:
    """One of them, with the run that made it last."""
    namespace, name = told.artifact.namespace, told.artifact.name
    positions = jobs.lately(namespace, name) if told.current else [told.position]
    facets, _ = facets_of(jobs, namespace, name, positions)
    made = [events for maker in desk.graph.makers(told.artifact)[-1:] if (events := jobs.run(maker.run))]
    return {
        **_shaped(desk, told.artifact, facets), "id": {**named(namespace, name), "version": told.id},
        "version": told.id, "createdAt": jobs.entries([told.position])[0].recorded,
        "createdByRun": run(made[0]) if made else None, "lifecycleState": _lifecycle(facets),
    }  # fmt: skip


def _lifecycle(facets: Shape) -> str:
    return text_or_none(mapped(facets.get("lifecycleStateChange")).get("lifecycleStateChange")) or ""


def _shaped(desk: Desk, artifact: Artifact, facets: Shape) -> Shape:
    namespace, name = artifact.namespace, artifact.name
    return {
        "id": named(namespace, name), "type": "DB_TABLE", "name": name, "physicalName": name, "namespace": namespace,
        "sourceName": namespace, "lastModifiedAt": None,
        "fields": [
            {"name": field, "type": kind, "tags": [], "description": said} for field, kind, said in schema(facets)
        ],
        "tags": sorted({tag_of(recorded.tag.origin) for recorded in desk.graph.tags(artifact)}),
        "description": text_or_none(mapped(facets.get("documentation")).get("description")),
        "columnLineage": [
            {"name": column, "inputFields": [_input(*item) for item in inputs], **_first(inputs)}
            for column, inputs in columns(facets).items()
        ] or None,
        "facets": facets,
    }  # fmt: skip


def schema(facets: Shape) -> Iterator[tuple[str, str | None, str | None]]:
    """(name, type, description) of the fields that the schema facet states, each once."""
    seen = set()
    for field in listed(mapped(facets.get("schema")).get("fields")):
        name = field.get("name") if isinstance(field, dict) else None
        if isinstance(name, str) and name not in seen:
            seen.add(name)
            yield name, text_or_none(field.get("type")), text_or_none(field.get("description"))


Column = tuple[str, str, str, str | None, str | None]
"""(namespace, dataset, field, description of the transformation, its type) of a column that another is made from."""


def columns(facets: Shape) -> dict[str, list[Column]]:
    """Which columns the column lineage facet says each is made from."""
    out: dict[str, list[Column]] = {}
    for name, told in mapped(mapped(facets.get("columnLineage")).get("fields")).items():
        told = mapped(told)
        inputs: dict[tuple[str, str, str], Column] = {}
        for item in map(mapped, listed(told.get("inputFields"))):
            key = item.get("namespace"), item.get("name"), item.get("field")
            if all(isinstance(part, str) for part in key):
                how = next(iter(map(mapped, listed(item.get("transformations")))), {})
                said = how.get("description") or told.get("transformationDescription")
                kind = how.get("type") or told.get("transformationType")
                inputs.setdefault(key, (*key, text_or_none(said), text_or_none(kind)))  # type: ignore[arg-type]
        if inputs:
            out[name] = list(inputs.values())
    return out


def _input(namespace: str, name: str, field: str, said: str | None, kind: str | None) -> Shape:
    return {"namespace": namespace, "dataset": name, "field": field, "transformationDescription": said,
            "transformationType": kind}  # fmt: skip


def _first(inputs: list[Column]) -> Shape:
    return {"transformationDescription": inputs[0][3], "transformationType": inputs[0][4]}


# jobs and runs


def job(jobs: Jobs, job: Job, *, runs: int = NEWEST_RUNS) -> Shape:
    """A job with its newest runs."""
    newest = [run(told) for told in jobs.runs(job, limit=runs)]
    inputs, outputs = jobs.names_of(job, newest=NEWEST_RUNS)
    first, last = jobs.entries([job.first, job.last])
    facets = mapped(mapped(whole_of(last.data).get("job")).get("facets"))
    where, parent = mapped(facets.get("sourceCodeLocation")), {}
    if newest:
        parent = mapped(mapped(newest[0]["facets"].get("parent")).get("job"))
    return {
        "id": named(job.namespace, job.name), "type": "BATCH", "name": job.name,
        "simpleName": job.name.rpartition(".")[2], "parentJobName": text_or_none(parent.get("name")),
        "parentJobUuid": None, "namespace": job.namespace,
        "createdAt": first.recorded, "updatedAt": last.recorded,
        "inputs": [named(*name) for name in inputs], "outputs": [named(*name) for name in outputs],
        "location": text_or_none(where.get("url")),
        "description": text_or_none(mapped(facets.get("documentation")).get("description")),
        # an empty list makes Marquez' pages fail
        "latestRun": newest[0] if newest else None, "latestRuns": newest or None, "facets": facets,
        "currentVersion": None, "labels": [], "tags": [],
    }  # fmt: skip


def run(told: list[Told]) -> Shape:
    """A run from its events: its state is that of the one that happened last."""
    ordered = sorted(told, key=lambda item: (happened(item.event.time).microseconds, item.position))
    types = [item.event.type.upper() for item in ordered]
    started = next((item.event.time for item, kind in zip(ordered, types, strict=True) if kind == "START"), None)
    ends = [item.event.time for item, kind in zip(ordered, types, strict=True) if kind in ENDS]
    ended = ends[-1] if ends else None
    facets: Shape = {}
    for item in told:
        facets |= mapped(mapped(whole_of(item.data).get("run")).get("facets"))
    nominal = mapped(facets.get("nominalTime"))
    inputs = dict.fromkeys((d.namespace, d.name) for item in told for d in item.event.inputs)
    outputs = dict.fromkeys((d.namespace, d.name) for item in told for d in item.event.outputs)
    first, job = ordered[0], ordered[-1].event.job
    return {
        "id": first.event.run.run_id if first.event.run else None,
        "createdAt": told[0].recorded, "updatedAt": told[-1].recorded,
        "nominalStartTime": nominal.get("nominalStartTime"), "nominalEndTime": nominal.get("nominalEndTime"),
        "state": _state(types), "startedAt": started, "endedAt": ended, "durationMs": _milliseconds(started, ended),
        "args": {}, "jobVersion": {**named(job.namespace, job.name), "version": None} if job else None,
        "inputDatasetVersions": [{"datasetVersionId": named(*name)} for name in inputs],
        "outputDatasetVersions": [{"datasetVersionId": named(*name)} for name in outputs],
        "context": {}, "facets": facets,
    }  # fmt: skip


def state_of(told: list[Told]) -> str:
    """The state of a run, from its events."""
    ordered = sorted(told, key=lambda item: (happened(item.event.time).microseconds, item.position))
    return _state([item.event.type.upper() for item in ordered])


def _state(types: list[str]) -> str:
    """Of a run whose events are of these types: a run that ended runs no more, in whatever order that was told."""
    told = [kind for kind in types if kind in ENDS] or [kind for kind in types if kind in STATES]
    return STATES[told[-1]] if told else "NEW"


def _milliseconds(started: str | None, ended: str | None) -> int | None:
    if not started or not ended:
        return None
    return (happened(ended).microseconds - happened(started).microseconds) // 1000


# what others wrote


def whole_of(data: bytes) -> Mapping[str, Any]:
    """Everything that an entry says."""
    try:
        return mapped(msgspec.json.decode(data))
    except (msgspec.DecodeError, RecursionError):
        return {}  # taken as it came: what the strict reader cannot take has nothing to show


def mapped(value: Any) -> Shape:
    """A JSON object; an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A JSON array; an empty one where something else stands."""
    return value if isinstance(value, list) else []


def text_or_none(value: Any) -> str | None:
    """A JSON string; None where something else stands."""
    return value if isinstance(value, str) else None
