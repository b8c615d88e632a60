"""The search of Marquez' pages built with advanced search: as people type, and no search engine behind it."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from lineage.graph.jobs import Job, Jobs
from lineage.server.access import AUTHORISED
from lineage.server.marquez import shapes
from lineage.server.marquez.shapes import Shape, look, mapped, whole_of
from lineage.server.room import Desk

router = APIRouter(prefix="/api/v2beta/search", tags=["Marquez"], dependencies=AUTHORISED)

MOST_HITS = 10
Text = Annotated[str, Query(alias="q", min_length=1, max_length=1_000)]


@router.get("/jobs", summary="Find jobs while typing")
def jobs_(request: Request, text: Text) -> Response:
    """Jobs whose name contains a text, the one recorded last first, each with its newest run."""
    return look(
        request, lambda _, jobs: _found(text, [_job(jobs, job) for job in jobs.like(text, MOST_HITS, newest=True)])
    )


@router.get("/datasets", summary="Find datasets while typing")
def datasets(request: Request, text: Text) -> Response:
    """Datasets whose name contains a text, the newest first, each with its fields."""

    def asked(_: Desk, jobs: Jobs) -> Shape:
        named = jobs.datasets_like(text, MOST_HITS, newest=True)
        return _found(text, [_dataset(jobs, namespace, name) for namespace, name, _ in named])

    return look(request, asked)


def _found(text: str, hits: list[Shape]) -> Shape:
    """Hits, and for each where in its name the text stands."""
    mark = re.compile(re.escape(text), re.IGNORECASE)
    return {"hits": hits, "highlights": [{"name": [mark.sub(r"<em>\g<0></em>", hit["name"])]} for hit in hits]}


def _job(jobs: Jobs, job: Job) -> Shape:
    newest = jobs.runs(job, limit=1)
    told = newest[0][-1] if newest else None
    whole = whole_of(told.data) if told else {}
    engine = mapped(mapped(mapped(whole.get("run")).get("facets")).get("processing_engine"))
    return {
        "run_id": told.event.run.run_id if told and told.event.run else "", "name": job.name,
        "namespace": job.namespace, "eventType": told.event.type.upper() if told else "", "type": "BATCH",
        "facets": mapped(mapped(whole.get("job")).get("facets")),
        # the pages fail on an engine without a name
        "runFacets": {"processing_engine": engine} if isinstance(engine.get("name"), str) else {},
    }  # fmt: skip


def _dataset(jobs: Jobs, namespace: str, name: str) -> Shape:
    facets, _ = shapes.facets_of(jobs, namespace, name, jobs.lately(namespace, name))
    fields = [{"name": field, "type": kind} for field, kind, _ in shapes.schema(facets)]
    return {"run_id": "", "name": name, "namespace": namespace, "eventType": "",
            "facets": {"schema": {"fields": fields}} if fields else {}}  # fmt: skip
