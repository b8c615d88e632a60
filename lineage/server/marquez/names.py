"""Namespaces, sources, datasets, jobs, runs, tags, and finding them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from lineage.graph.jobs import Job, Jobs, Namespace
from lineage.server.access import AUTHORISED
from lineage.server.limits import segment
from lineage.server.marquez import shapes
from lineage.server.marquez.shapes import Limit, Offset, Shape, found, look, mapped, tag_of, whole_of
from lineage.server.room import Desk

router = APIRouter(prefix="/api/v1", tags=["Marquez"], dependencies=AUTHORISED)

State = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]
States = Annotated[list[State] | None, Query(alias="lastRunStates")]
AT_ONCE = 100
"""Jobs looked at together when those in some state are asked for."""


@router.get("/namespaces", summary="Namespaces")
def namespaces(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Namespaces of datasets and jobs, in the order of their names."""
    return look(request, lambda _, jobs: {
        "namespaces": [_namespace(space) for space in jobs.namespaces()[offset : offset + limit]]
    })  # fmt: skip


@router.get("/namespaces/{namespace}", summary="A namespace")
def namespace_(request: Request, namespace: str) -> Response:
    """One namespace."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        known = next((space for space in jobs.namespaces() if space.name == segment(namespace)), None)
        return _namespace(found(known, "such namespace"))

    return look(request, asked)


@router.get("/sources", summary="Sources of datasets")
def sources(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Where datasets lie: their namespaces, in the order of their names."""
    return look(request, lambda _, jobs: {
        "sources": [_source(space) for space in jobs.namespaces(datasets=True)[offset : offset + limit]]
    })  # fmt: skip


@router.get("/sources/{source}", summary="A source of datasets")
def source_(request: Request, source: str) -> Response:
    """One of them."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        known = next((space for space in jobs.namespaces(datasets=True) if space.name == segment(source)), None)
        return _source(found(known, "such source"))

    return look(request, asked)


@router.get("/namespaces/{namespace}/datasets", summary="Datasets of a namespace")
def datasets(request: Request, namespace: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Some of them, in the order of their names."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        total, names = jobs.datasets(segment(namespace), offset=offset, limit=limit)
        return {
            "totalCount": total,
            "datasets": [shapes.dataset(desk, jobs, segment(namespace), name) for name in names],
        }

    return look(request, asked)


@router.get("/namespaces/{namespace}/datasets/{dataset}", summary="A dataset")
def dataset_(request: Request, namespace: str, dataset: str) -> Response:
    """A dataset as its last events tell of it."""
    return look(request, lambda desk, jobs: shapes.dataset(desk, jobs, segment(namespace), segment(dataset)))


@router.get("/namespaces/{namespace}/datasets/{dataset}/versions", summary="Versions of a dataset")
def versions(request: Request, namespace: str, dataset: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Its recorded contents, the newest first."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        known = shapes.versions(desk, jobs, segment(namespace), segment(dataset))
        some = known[offset : offset + limit]
        return {"totalCount": len(known), "versions": [shapes.version(desk, jobs, told) for told in some]}

    return look(request, asked)


@router.get("/namespaces/{namespace}/datasets/{dataset}/versions/{version}", summary="A version of a dataset")
def version_(request: Request, namespace: str, dataset: str, version: str) -> Response:
    """One recorded content."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        known = shapes.versions(desk, jobs, segment(namespace), segment(dataset))
        told = next((told for told in known if told.id == segment(version)), None)
        return shapes.version(desk, jobs, found(told, "such version"))

    return look(request, asked)


@router.get("/jobs", summary="Jobs")
def jobs_(request: Request, limit: Limit = 100, offset: Offset = 0, states: States = None) -> Response:
    """Jobs of every namespace, the one recorded last first."""
    return look(request, lambda _, jobs: _jobs(jobs, "", limit, offset, states))


@router.get("/namespaces/{namespace}/jobs", summary="Jobs of a namespace")
def jobs_of(
    request: Request, namespace: str, limit: Limit = 100, offset: Offset = 0, states: States = None
) -> Response:
    """Some of them, the one recorded last first."""
    return look(request, lambda _, jobs: _jobs(jobs, segment(namespace), limit, offset, states))


@router.get("/namespaces/{namespace}/jobs/{job}", summary="A job")
def job_(request: Request, namespace: str, job: str) -> Response:
    """A job with its newest runs."""
    return look(
        request, lambda _, jobs: shapes.job(jobs, found(jobs.find(segment(namespace), segment(job)), "such job"))
    )


@router.get("/namespaces/{namespace}/jobs/{job}/runs", summary="Runs of a job")
def runs(request: Request, namespace: str, job: str, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The one that happened last first."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        known = found(jobs.find(segment(namespace), segment(job)), "such job")
        some = jobs.runs(known, offset=offset, limit=limit)
        return {"totalCount": jobs.run_count(known), "runs": [shapes.run(told) for told in some]}

    return look(request, asked)


@router.get("/jobs/runs/{run}", summary="A run")
def run_(request: Request, run: str) -> Response:
    """A run by its id."""
    return look(request, lambda _, jobs: shapes.run(found(jobs.run(segment(run)) or None, "such run")))


@router.get("/jobs/runs/{run}/facets", summary="Facets of a run, or of its job")
def facets(request: Request, run: str, of: Annotated[Literal["run", "job"], Query(alias="type")]) -> Response:
    """What the events of a run state of it or of its job, the later over the earlier."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        stated: Shape = {}
        for told in found(jobs.run(segment(run)) or None, "such run"):
            stated |= mapped(mapped(whole_of(told.data).get(of)).get("facets"))
        return {"runId": segment(run), "facets": stated}

    return look(request, asked)


@router.get("/search", summary="Find datasets and jobs by name")
def search(
    request: Request, q: Annotated[str, Query(min_length=1, max_length=1_000)], limit: Limit = 10,
    filter: Literal["JOB", "DATASET", ""] = "", sort: Literal["NAME", "UPDATE_AT"] = "NAME",  # noqa: A002
    namespace: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:  # fmt: skip
    """Names that contain a text, whatever its case. ``totalCount`` counts those given."""
    newest = sort == "UPDATE_AT"

    def asked(_: Desk, jobs: Jobs) -> Shape:
        hits: list[Shape] = []
        if filter != "DATASET":
            for job in jobs.like(q, limit, namespace, newest=newest):
                when = jobs.entries([job.last])[0].recorded
                hits.append(_hit("JOB", job.namespace, job.name, when))
        if filter != "JOB":
            hits += [_hit("DATASET", *hit) for hit in jobs.datasets_like(q, limit, namespace, newest=newest)]
        hits.sort(key=lambda hit: hit["updatedAt" if newest else "name"], reverse=newest)
        return {"totalCount": len(hits[:limit]), "results": hits[:limit]}

    return look(request, asked)


@router.get("/tags", summary="Origins, as tags")
def tags(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
    """Every origin that was ever stated, as Marquez lists tags."""

    def asked(desk: Desk, _: Jobs) -> Shape:
        names = sorted({tag_of(origin) for origin in desk.origins()})
        return {"tags": [{"name": name, "description": ""} for name in names[offset : offset + limit]]}

    return look(request, asked)


def _jobs(jobs: Jobs, namespace: str, limit: int, offset: int, states: list[State] | None) -> Shape:
    """Some jobs; ``totalCount`` counts those in other states too, as Marquez counts."""
    if states is None:
        some = jobs.some(namespace, offset=offset, limit=limit)
    else:
        some = list(islice(_in_state(jobs, namespace, states), offset, offset + limit))
    return {"totalCount": jobs.count(namespace), "jobs": [shapes.job(jobs, job) for job in some]}


def _in_state(jobs: Jobs, namespace: str, states: list[State]) -> Iterator[Job]:
    """The jobs whose last run is in one of some states, and those without a run."""
    for start in range(0, jobs.count(namespace), AT_ONCE):
        for job in jobs.some(namespace, offset=start, limit=AT_ONCE):
            newest = jobs.runs(job, limit=1)
            if not newest or shapes.state_of(newest[0]) in states:
                yield job


def _namespace(space: Namespace) -> Shape:
    return {"name": space.name, "createdAt": space.first, "updatedAt": space.last, "ownerName": "", "description": "",
            "isHidden": False}  # fmt: skip


def _source(space: Namespace) -> Shape:
    return {"type": space.name.partition(":")[0].upper(), "name": space.name, "createdAt": space.first,
            "updatedAt": space.last, "connectionUrl": space.name, "description": ""}  # fmt: skip


def _hit(kind: str, namespace: str, name: str, updated: str) -> Shape:
    return {
        "type": kind, "name": name, "updatedAt": updated, "namespace": namespace,
        "nodeId": f"{kind.lower()}:{namespace}:{name}",
    }  # fmt: skip
