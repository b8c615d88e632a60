"""The graphs around a dataset, a job or a column: by name, at most so many steps away, in either direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from lineage.errors import UsageError
from lineage.graph.jobs import Jobs
from lineage.server.access import AUTHORISED
from lineage.server.marquez import shapes
from lineage.server.marquez.shapes import Column, Shape, found, look
from lineage.server.room import Desk

router = APIRouter(prefix="/api/v1", tags=["Marquez"], dependencies=AUTHORISED)

MOST_NODES = 1_000
"""Of one graph; a picture with more says nothing."""
NodeId = Annotated[str, Query(alias="nodeId", max_length=4_000)]
Depth = Annotated[int, Query(ge=0, le=100)]
Key = tuple[str, str, str]
"""(``dataset`` or ``job``, namespace, name)."""
Cell = tuple[str, str, str]
"""(namespace, dataset, column)."""


@router.get("/lineage", summary="The graph around a dataset or a job")
def lineage(request: Request, node: NodeId, depth: Depth = 20) -> Response:
    """Jobs and datasets at most ``depth`` steps away."""

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        return {"graph": _around(desk, jobs, _start(desk, jobs, node), depth)}

    return look(request, asked)


@router.get("/column-lineage", summary="The graph around the columns of a dataset or a job, or one column")
def column_lineage(
    request: Request, node: NodeId, depth: Depth = 20,
    downstream: Annotated[bool, Query(alias="withDownstream")] = False,
) -> Response:  # fmt: skip
    """Columns that these are made from, at most ``depth`` steps away; with what is made of them too if asked for.

    As the newest events of each dataset tell it; a version of a dataset or job has no graph of its own here.
    """

    def asked(desk: Desk, jobs: Jobs) -> Shape:
        cells = _cells(desk, jobs, node)
        return {"graph": _columns(jobs, cells, depth, downstream=downstream)}

    return look(request, asked)


# nodes by their ids


def _cuts(text: str) -> Iterator[tuple[str, str]]:
    """The ways to cut an id in two. Namespaces have colons, and so may names: the record knows which is which."""
    parts = text.split(":")
    for cut in range(1, len(parts)):
        yield ":".join(parts[:cut]), ":".join(parts[cut:])


def _start(desk: Desk, jobs: Jobs, node: str) -> Key:
    """The node that an id means; what follows a ``#`` is its version, unless a name is written so."""
    kind, _, rest = node.partition(":")
    if kind not in ("dataset", "job"):
        raise UsageError(
            "this is no id of a node", code="NODE_INVALID", hint="dataset:NAMESPACE:NAME or job:NAMESPACE:NAME"
        )
    for text in dict.fromkeys((rest, rest.rpartition("#")[0])):
        for space, name in _cuts(text):
            known = desk.graph.find(space, name) if kind == "dataset" else jobs.find(space, name)
            if known is not None:
                return kind, space, name
    raise UsageError("nothing is recorded of this node", code="NOT_FOUND", hint="/api/v1/search?q=… finds names")


def _cells(desk: Desk, jobs: Jobs, node: str) -> list[Cell]:
    """The columns that an id means: of a dataset, of what a job makes, or one."""
    kind, _, rest = node.partition(":")
    if kind == "datasetField":
        for text, column in _cuts(rest):
            for space, name in _cuts(text):
                if desk.graph.find(space, name) is not None:
                    return [(space, name, column)]
        raise UsageError(
            "nothing is recorded of this column", code="NOT_FOUND", hint="datasetField:NAMESPACE:NAME:COLUMN"
        )
    kind, space, name = _start(desk, jobs, node)
    job = jobs.find(space, name) if kind == "job" else None
    made = jobs.names_of(job)[1] if job else [(space, name)]
    return [(*dataset, column) for dataset in made for column in _named_columns(_facets(jobs, *dataset))]


# jobs and datasets


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
        data = shapes.dataset(desk, jobs, space, name)
    else:
        data = shapes.job(jobs, found(jobs.find(space, name), "such job"), runs=1)
    return {
        "id": ":".join(node), "type": kind.upper(), "data": data,
        "inEdges": [{"origin": ":".join(other), "destination": ":".join(node)} for other in into],
        "outEdges": [{"origin": ":".join(node), "destination": ":".join(other)} for other in out],
    }  # fmt: skip


# columns


def _facets(jobs: Jobs, namespace: str, name: str) -> Shape:
    return shapes.facets_of(jobs, namespace, name, jobs.lately(namespace, name))[0]


def _named_columns(facets: Shape) -> list[str]:
    return list(dict.fromkeys([*(name for name, *_ in shapes.schema(facets)), *shapes.columns(facets)]))


def _columns(jobs: Jobs, start: list[Cell], depth: int, *, downstream: bool) -> list[Shape]:
    """The columns that take part in some column's making, each with what it is made from and what is made from it."""

    @cache
    def told(namespace: str, name: str) -> tuple[dict[str, list[Column]], dict[str, str | None]]:
        facets = _facets(jobs, namespace, name)
        return shapes.columns(facets), {field: kind for field, kind, _ in shapes.schema(facets)}

    @cache
    def made_of(namespace: str, name: str) -> list[tuple[str, str]]:
        _, readers = jobs.touching((namespace, name))
        return list(dict.fromkeys(made for job in readers for made in jobs.names_of(job)[1]))

    edges: dict[tuple[Cell, Cell], Column] = {}
    seen = dict.fromkeys(start[:MOST_NODES], 0)
    waiting = list(seen)
    for cell in waiting:  # grows while it is walked
        space, name, column = cell
        near = {(item[:3], cell): item for item in told(space, name)[0].get(column, ())}
        for made in made_of(space, name) if downstream else ():
            for other, inputs in told(*made)[0].items():
                near |= {(cell, (*made, other)): item for item in inputs if item[:3] == cell}
        for (a, b), item in near.items():
            other_cell = a if b == cell else b
            if other_cell not in seen:
                if seen[cell] >= depth or len(seen) >= MOST_NODES:
                    continue
                seen[other_cell] = seen[cell] + 1
                waiting.append(other_cell)
            edges[a, b] = item
    into: dict[Cell, list[Column]] = {}
    out: dict[Cell, list[Cell]] = {}
    for (a, b), item in sorted(edges.items(), key=lambda edge: edge[0]):
        into.setdefault(b, []).append(item)
        out.setdefault(a, []).append(b)
    return [
        _column(cell, told(*cell[:2])[1].get(cell[2]), into.get(cell, []), out.get(cell, []))
        for cell in sorted({*into, *out})
    ]


def _column(cell: Cell, kind: str | None, into: list[Column], out: list[Cell]) -> Shape:
    def id_of(of: Cell) -> str:
        return "datasetField:" + ":".join(of)

    def shape(of: Cell, said: str | None, how: str | None) -> Shape:
        return {
            "namespace": of[0], "dataset": of[1], "datasetVersion": None, "field": of[2],
            "transformationDescription": said, "transformationType": how,
        }  # fmt: skip

    _, _, _, said, how = into[0] if into else (*cell, None, None)
    return {
        "id": id_of(cell), "type": "DATASET_FIELD",
        "data": {
            **shape(cell, said, how), "fieldType": kind or "",
            "inputFields": [shape(item[:3], *item[3:]) for item in into],
        },
        # Marquez turns these round, and its pages read them so
        "inEdges": [{"origin": id_of(cell), "destination": id_of(item[:3])} for item in into],
        "outEdges": [{"origin": id_of(cell), "destination": id_of(other)} for other in out],
    }  # fmt: skip
