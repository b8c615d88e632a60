"""Leafing through what was recorded, in the shapes of Marquez, the reference server: for its clients and web pages.

Only for looking: what a model carries and whether it may be registered is asked elsewhere (`lineage.server.questions`).
A version here is a content, where Marquez hashes names; facets of a dataset or run are those of its last event.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response

from lineage.errors import UsageError
from lineage.events.event import act_of, read
from lineage.graph.jobs import Job, Jobs, Told
from lineage.ledger import happened
from lineage.server.access import AUTHORISED, identity_of
from lineage.server.limits import segment
from lineage.server.room import Desk, room_of
from lineage.vocabulary import Artifact

router = APIRouter(prefix="/api/v1", tags=["Marquez"], dependencies=AUTHORISED)

Limit = Annotated[int, Query(ge=1, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=2**31)]
MOST_NODES = 1_000
"""Of one lineage graph; a picture with more says nothing."""
NEWEST_RUNS = 10
"""Of a job, shown with it."""
_SPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""The name space of RFC 9562 appendix A for URLs: versions are UUIDs to Marquez' clients."""
STATES = {"START": "RUNNING", "RUNNING": "RUNNING", "COMPLETE": "COMPLETED", "FAIL": "FAILED", "ABORT": "ABORTED"}
Shape = dict[str, Any]
T = TypeVar("T")


def _look(request: Request, question: Callable[[Desk, Jobs], Shape]) -> Response:
    with room_of(request).reading(identity_of(request)) as desk:
        jobs = desk.graph.jobs
        jobs.catch_up()
        return Response(msgspec.json.encode(question(desk, jobs)), media_type="application/json")


def _found(value: T | None, what: str) -> T:
    if value is None:
        raise UsageError(f"there is no {what}", code="NOT_FOUND", hint="/api/v1/search?q=… finds names")
    return value


@router.get("/namespaces", summary="Namespaces")
def namespaces(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Every namespace of a dataset or a job."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        found = jobs.namespaces()
        return {"namespaces": [_namespace(*space) for space in found[offset : offset + limit]]}

    return _look(request, asked)


@router.get("/namespaces/{namespace}", summary="A namespace")
def namespace_(request: Request, namespace: str) -> Response:
    """One namespace."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        found = next((space for space in jobs.namespaces() if space.name == segment(namespace)), None)
        return _namespace(*_found(found, "such namespace"))

    return _look(request, asked)


@router.get("/namespaces/{namespace}/datasets", summary="Datasets of a namespace")
def datasets(request: Request, namespace: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Some of them, in the order of their names."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        total, names = jobs.datasets(segment(namespace), offset=offset, limit=limit)
        return {"totalCount": total, "datasets": [_dataset(desk, jobs, segment(namespace), name) for name in names]}

    return _look(request, asked)


@router.get("/namespaces/{namespace}/datasets/{dataset}", summary="A dataset")
def dataset_(request: Request, namespace: str, dataset: str) -> Response:
    """A dataset as it was recorded last."""
    return _look(request, lambda desk, jobs: _dataset(desk, jobs, segment(namespace), segment(dataset)))


@router.get("/namespaces/{namespace}/datasets/{dataset}/versions", summary="Versions of a dataset")
def versions(request: Request, namespace: str, dataset: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Its recorded contents, the newest first."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        found = _versions(desk, jobs, segment(namespace), segment(dataset))
        return {"totalCount": len(found), "versions": found[offset : offset + limit]}

    return _look(request, asked)


@router.get("/namespaces/{namespace}/datasets/{dataset}/versions/{version}", summary="A version of a dataset")
def version_(request: Request, namespace: str, dataset: str, version: str) -> Response:
    """One recorded content."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        found = _versions(desk, jobs, segment(namespace), segment(dataset))
        return _found(next((v for v in found if v["version"] == segment(version)), None), "such version")

    return _look(request, asked)


@router.get("/jobs", summary="Jobs")
def jobs_(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Jobs of every namespace."""
    return _look(request, lambda _, jobs: _jobs(jobs, "", limit, offset))


@router.get("/namespaces/{namespace}/jobs", summary="Jobs of a namespace")
def jobs_of(request: Request, namespace: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Some of them, in the order of their names."""
    return _look(request, lambda _, jobs: _jobs(jobs, segment(namespace), limit, offset))


@router.get("/namespaces/{namespace}/jobs/{job}", summary="A job")
def job_(request: Request, namespace: str, job: str) -> Response:
    """A job with its newest runs."""
    return _look(request, lambda _, jobs: _job(jobs, _found(jobs.find(segment(namespace), segment(job)), "such job")))


@router.get("/namespaces/{namespace}/jobs/{job}/runs", summary="Runs of a job")
def runs(request: Request, namespace: str, job: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The one recorded last first."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        known = _found(jobs.find(segment(namespace), segment(job)), "such job")
        found = jobs.runs(known, offset=offset, limit=limit)
        return {"totalCount": jobs.run_count(known), "runs": [_run(told) for told in found]}

    return _look(request, asked)


@router.get("/jobs/runs/{run}", summary="A run")
def run_(request: Request, run: str) -> Response:
    """A run by its id."""
    return _look(request, lambda _, jobs: _run(_found(jobs.run(segment(run)) or None, "such run")))


@router.get("/lineage", summary="The graph around a dataset or a job")
def lineage(
    request: Request, node: Annotated[str, Query(alias="nodeId", max_length=4_000)],
    depth: Annotated[int, Query(ge=0, le=100)] = 20,
) -> Response:  # fmt: skip
    """Jobs and datasets at most ``depth`` steps away in either direction, by name."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        kind, _, rest = node.partition(":")
        start = _start(desk, jobs, kind, rest)
        return {"graph": _around(desk, jobs, start, depth)}

    return _look(request, asked)


@router.get("/search", summary="Find datasets and jobs by name")
def search(
    request: Request, q: Annotated[str, Query(min_length=1, max_length=1_000)], limit: Limit = 10,
    filter: Literal["JOB", "DATASET", ""] = "", sort: Literal["NAME", "UPDATE_AT"] = "NAME",  # noqa: A002
    namespace: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:  # fmt: skip
    """Names that contain a text, whatever its case."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        found: list[Shape] = []
        if filter != "DATASET":
            for job in jobs.like(q, limit, namespace):
                when = jobs.entries([job.last])[0].recorded
                found.append(_hit("JOB", job.namespace, job.name, when))
        if filter != "JOB":
            found += [_hit("DATASET", *hit) for hit in jobs.datasets_like(q, limit, namespace)]
        found.sort(key=lambda hit: hit["updatedAt"] if sort == "UPDATE_AT" else hit["name"], reverse=sort != "NAME")
        return {"totalCount": len(found[:limit]), "results": found[:limit]}

    return _look(request, asked)


@router.get("/tags", summary="Origins, as tags")
def tags(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Every origin that was ever stated, as Marquez lists tags."""

    def asked(desk: Desk, _: Jobs) -> Shape:
        names = sorted({_tag(origin.kind.value, origin.provider) for origin in desk.origins()})
        return {"tags": [{"name": name, "description": None} for name in names[offset : offset + limit]]}

    return _look(request, asked)


@router.get("/events/lineage", summary="Events as they came")
def events(
    request: Request, limit: Limit = 100, offset: Offset = 0, before: str = "", after: str = "",
    sort: Annotated[Literal["asc", "desc"], Query(alias="sortDirection")] = "desc",
) -> Response:  # fmt: skip
    """The events of the ledger, by when they were recorded; what people and the gate said is not among them.

    ``totalCount`` counts every entry. ``before`` and ``after`` are times of the events themselves, of those shown.
    """
    with room_of(request).reading(identity_of(request)) as desk:
        jobs = desk.graph.jobs
        end = jobs.end()
        first = max(end - offset - limit, 0) if sort == "desc" else min(offset, end)
        last = max(end - offset, 0) if sort == "desc" else min(offset + limit, end)
        found = [
            entry.data
            for entry in jobs.entries(range(first, last))
            if act_of(event := read(entry.data)) is None and _between(event.time, after, before)
        ]
        if sort == "desc":
            found.reverse()
    return Response(
        b'{"events":[' + b",".join(found) + b'],"totalCount":' + str(end).encode() + b"}", media_type="application/json"
    )


# shapes


def _namespace(name: str, first: str, last: str) -> Shape:
    return {"name": name, "createdAt": first, "updatedAt": last, "ownerName": "", "description": "", "isHidden": False}


def _named(namespace: str, name: str) -> Shape:
    return {"namespace": namespace, "name": name}


def _tag(kind: str, provider: str) -> str:
    return f"{kind}/{provider}" if provider else kind


def _hit(kind: str, namespace: str, name: str, updated: str) -> Shape:
    return {
        "type": kind, "name": name, "updatedAt": updated, "namespace": namespace,
        "nodeId": f"{kind.lower()}:{namespace}:{name}",
    }  # fmt: skip


def _version_of(artifact: Artifact) -> str:
    said = artifact.content.hash if artifact.content else ""
    return str(uuid.uuid5(_SPACE, f"{artifact.namespace}/{artifact.name}#{said}"))


def _facets(jobs: Jobs, position: int, namespace: str, name: str) -> tuple[Shape, str]:
    """(the facets that an entry gives a dataset, when it was recorded)."""
    entry = jobs.entries([position])[0]
    whole = _whole(entry.data)
    listed = [*_list(whole.get("inputs")), *_list(whole.get("outputs")), whole.get("dataset")]
    for item in listed:
        if isinstance(item, dict) and item.get("namespace") == namespace and item.get("name") == name:
            facets = item.get("facets")
            return (facets if isinstance(facets, dict) else {}), entry.recorded
    return {}, entry.recorded


def _dataset(desk: Desk, jobs: Jobs, namespace: str, name: str) -> Shape:
    artifact = _found(desk.graph.find(namespace, name), "such dataset")
    entries = jobs.dataset_entries(namespace, name)
    facets, updated = _facets(jobs, entries[-1], namespace, name)
    created = jobs.entries([entries[0]])[0].recorded
    return {**_shaped(desk, artifact, facets), "createdAt": created, "updatedAt": updated, "deleted": False,
            "currentVersion": _version_of(artifact), "lastLifecycleState": ""}  # fmt: skip


def _shaped(desk: Desk, artifact: Artifact, facets: Shape) -> Shape:
    namespace, name = artifact.namespace, artifact.name
    schema = facets.get("schema")
    fields = _list(schema.get("fields")) if isinstance(schema, dict) else []
    said = facets.get("documentation")
    return {
        "id": _named(namespace, name), "type": "DB_TABLE", "name": name, "physicalName": name, "namespace": namespace,
        "sourceName": namespace, "lastModifiedAt": None,
        "fields": [
            {"name": f.get("name"), "type": f.get("type"), "tags": [], "description": f.get("description")}
            for f in fields if isinstance(f, dict)
        ],
        "tags": sorted({_tag(r.tag.origin.kind.value, r.tag.origin.provider) for r in desk.graph.tags(artifact)}),
        "description": said.get("description") if isinstance(said, dict) else None,
        "columnLineage": None, "facets": facets,
    }  # fmt: skip


def _versions(desk: Desk, jobs: Jobs, namespace: str, name: str) -> list[Shape]:
    found = desk.graph.versions(namespace, name)
    entries = jobs.dataset_entries(namespace, name)
    _found(found or None, "such dataset")
    shapes = []
    for artifact, position in zip(found, entries, strict=False):
        facets, recorded = _facets(jobs, position, namespace, name)
        version = _version_of(artifact)
        made = [told for maker in desk.graph.makers(artifact)[-1:] if (told := jobs.run(maker.run))]
        shapes.append({
            **_shaped(desk, artifact, facets), "id": {**_named(namespace, name), "version": version},
            "version": version, "createdAt": recorded, "createdByRun": _run(made[0]) if made else None,
            "lifecycleState": "",
        })  # fmt: skip
    return shapes[::-1]


def _jobs(jobs: Jobs, namespace: str, limit: int, offset: int) -> Shape:
    found = jobs.some(namespace, offset=offset, limit=limit)
    return {"totalCount": jobs.count(namespace), "jobs": [_job(jobs, job) for job in found]}


def _job(jobs: Jobs, job: Job) -> Shape:
    newest = [_run(told) for told in jobs.runs(job, limit=NEWEST_RUNS)]
    inputs, outputs = jobs.names_of(job, newest=NEWEST_RUNS)
    first, last = jobs.entries([job.first, job.last])
    whole = _whole(last.data)
    told = whole.get("job")
    facets = told.get("facets") if isinstance(told, dict) else None
    facets = facets if isinstance(facets, dict) else {}
    where, said = facets.get("sourceCodeLocation"), facets.get("documentation")
    return {
        "id": _named(job.namespace, job.name), "type": "BATCH", "name": job.name,
        "simpleName": job.name.rpartition(".")[2], "parentJobName": None, "namespace": job.namespace,
        "createdAt": first.recorded, "updatedAt": last.recorded,
        "inputs": [_named(*name) for name in inputs], "outputs": [_named(*name) for name in outputs],
        "location": where.get("url") if isinstance(where, dict) else None,
        "description": said.get("description") if isinstance(said, dict) else None,
        "latestRun": newest[0] if newest else None, "latestRuns": newest, "facets": facets,
        "currentVersion": None, "labels": [], "tags": [],
    }  # fmt: skip


def _run(told: list[Told]) -> Shape:
    """A run from its events: its state is that of the one that happened last."""
    ordered = sorted(told, key=lambda item: (happened(item.event.time).microseconds, item.position))
    first, last = ordered[0], ordered[-1]
    types = [item.event.type.upper() for item in ordered]
    started = next((item.event.time for item, kind in zip(ordered, types, strict=True) if kind == "START"), None)
    ends = [i.event.time for i, kind in zip(ordered, types, strict=True) if kind in ("COMPLETE", "FAIL", "ABORT")]
    ended = ends[-1] if ends else None
    state = next((STATES[kind] for kind in reversed(types) if kind in STATES), "NEW")
    if ended and state == "RUNNING":  # told in another order than it happened
        state = STATES[next(kind for kind in reversed(types) if kind in ("COMPLETE", "FAIL", "ABORT"))]
    job = last.event.job
    facets: Shape = {}
    for item in told:
        run = _whole(item.data).get("run")
        said = run.get("facets") if isinstance(run, dict) else None
        facets |= said if isinstance(said, dict) else {}
    nominal = facets.get("nominalTime")
    nominal = nominal if isinstance(nominal, dict) else {}
    inputs = dict.fromkeys((d.namespace, d.name) for item in told for d in item.event.inputs)
    outputs = dict.fromkeys((d.namespace, d.name) for item in told for d in item.event.outputs)
    return {
        "id": first.event.run.run_id if first.event.run else None,
        "createdAt": told[0].recorded, "updatedAt": told[-1].recorded,
        "nominalStartTime": nominal.get("nominalStartTime"), "nominalEndTime": nominal.get("nominalEndTime"),
        "state": state, "startedAt": started, "endedAt": ended, "durationMs": _milliseconds(started, ended), "args": {},
        "jobVersion": {**_named(job.namespace, job.name), "version": None} if job else None,
        "inputDatasetVersions": [{"datasetVersionId": _named(*name)} for name in inputs],
        "outputDatasetVersions": [{"datasetVersionId": _named(*name)} for name in outputs],
        "context": {}, "facets": facets,
    }  # fmt: skip


def _milliseconds(started: str | None, ended: str | None) -> int | None:
    if not started or not ended:
        return None
    return (happened(ended).microseconds - happened(started).microseconds) // 1000


def _between(time: str, after: str, before: str) -> bool:
    at = happened(time).microseconds
    return (not after or at >= _moment(after)) and (not before or at < _moment(before))


def _moment(text: str) -> int:
    try:
        return happened(datetime.fromisoformat(text.replace("Z", "+00:00")).isoformat()).microseconds
    except ValueError as error:
        raise UsageError(f"{text[:60]!r} is no time", code="TIME_INVALID", cause=str(error)) from None


def _whole(data: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return {}  # taken as it came: what the strict reader cannot take has nothing to show
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# the graph around a node

Key = tuple[str, str, str]
"""(``dataset`` or ``job``, namespace, name)."""


def _start(desk: Desk, jobs: Jobs, kind: str, rest: str) -> Key:
    """The node that an id means. Namespaces have colons, and so may names: the record knows which is which."""
    if kind not in ("dataset", "job"):
        raise UsageError(
            "this is no id of a node", code="NODE_INVALID", hint="dataset:NAMESPACE:NAME or job:NAMESPACE:NAME"
        )
    rest = rest.partition("#")[0] if kind == "dataset" and "#" in rest else rest
    parts = rest.split(":")
    for cut in range(1, len(parts)):
        space, name = ":".join(parts[:cut]), ":".join(parts[cut:])
        known = desk.graph.find(space, name) if kind == "dataset" else jobs.find(space, name)
        if known is not None:
            return kind, space, name
    raise UsageError("nothing is recorded of this node", code="NOT_FOUND", hint="/api/v1/search?q=… finds names")


def _around(desk: Desk, jobs: Jobs, start: Key, depth: int) -> list[Shape]:
    """Every node at most so many steps away, with its edges to others of them."""
    edges: set[tuple[Key, Key]] = set()
    seen = {start: 0}
    waiting = [start]
    for node in waiting:  # grows while it is walked
        for edge in _edges(jobs, node):
            other = edge[0] if edge[1] == node else edge[1]
            if other not in seen and seen[node] < depth and len(seen) < MOST_NODES:
                seen[other] = seen[node] + 1
                waiting.append(other)
            edges.add(edge)
    into: dict[Key, list[Key]] = {}
    out: dict[Key, list[Key]] = {}
    for a, b in sorted(edges):
        if a in seen and b in seen:
            out.setdefault(a, []).append(b)
            into.setdefault(b, []).append(a)
    return [_node(desk, jobs, node, into.get(node, ()), out.get(node, ())) for node in sorted(seen)]


def _edges(jobs: Jobs, node: Key) -> Iterable[tuple[Key, Key]]:
    kind, space, name = node
    if kind == "job":
        job = jobs.find(space, name)
        inputs, outputs = jobs.names_of(job) if job else ([], [])
        yield from ((("dataset", *item), node) for item in inputs)
        yield from ((node, ("dataset", *item)) for item in outputs)
    else:
        made, read_ = jobs.touching((space, name))
        yield from ((("job", job.namespace, job.name), node) for job in made)
        yield from ((node, ("job", job.namespace, job.name)) for job in read_)


def _node(desk: Desk, jobs: Jobs, node: Key, into: Iterable[Key], out: Iterable[Key]) -> Shape:
    kind, space, name = node
    if kind == "dataset":
        known = desk.graph.find(space, name)
        data = _dataset(desk, jobs, space, name) if known else {"id": _named(space, name), **_named(space, name)}
    else:
        data = _job(jobs, _found(jobs.find(space, name), "such job"))
    return {
        "id": ":".join(node), "type": kind.upper(), "data": data,
        "inEdges": [{"origin": ":".join(other), "destination": ":".join(node)} for other in into],
        "outEdges": [{"origin": ":".join(node), "destination": ":".join(other)} for other in out],
    }  # fmt: skip
