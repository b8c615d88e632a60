"""A page at a time of what may be long: runs beside an artifact, names that hold a text; and one version by its name.

Rows are put in order by numbers alone; only what is on the page gets its names, which are read from events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from lineage.graph.jobs import contained
from lineage.graph.keys import content_key, named_key
from lineage.graph.names import artifact_of, stage_of
from lineage.graph.project import event_at
from lineage.graph.rows import Node
from lineage.graph.working import Working
from lineage.vocabulary import Artifact, Use

T = TypeVar("T")


class Page(NamedTuple):
    """Which part of a list is wanted."""

    offset: int = 0
    limit: int = 50


class Ran(NamedTuple):
    """A run as its first event tells it."""

    stage: str
    """Address of the stage, or the job's name."""
    run: str
    """Run id."""
    time: str
    entry: int
    inputs: tuple[tuple[Artifact, Use], ...]
    outputs: tuple[Artifact, ...]


class Beside(NamedTuple):
    """The runs that made an artifact, or that read it."""

    total: int
    runs: tuple[Ran, ...]
    """Those of the page, first recorded first."""


class Named(NamedTuple):
    """A name under which something is recorded."""

    namespace: str
    name: str
    model: bool


def beside(working: Working, node: Node, page: Page, *, made: bool) -> Beside:
    """The runs that made a node (``made``), or those that read it."""
    ids = working.makers(node) if made else working.readers(node.id)
    runs = sorted((run for id_ in set(ids) if not (run := working.run(id_)).link), key=lambda run: run.entry)
    return Beside(len(runs), tuple(_ran(working, run.entry) for run in _some(runs, page)))


def told(working: Working, node: Node) -> bool:
    """Whether more is recorded of a node than that runs of a registry of models read it.

    Somebody spoke of it or of a directory that holds it, a run made it, or a pipeline's run read it.
    """
    if working.makers(node) or list(working.directories(node)):
        return True
    if working.store.rows("SELECT 1 FROM spoken WHERE node = ? LIMIT 1", (node.id,)):
        return True
    jobs = (event_at(working, working.run(id_).entry).job for id_ in working.readers(node.id))
    return any(job is None or not job.namespace.startswith("mlflow://") for job in jobs)


def _ran(working: Working, entry: int) -> Ran:
    event = event_at(working, entry)
    inputs = tuple((item.artifact, item.use) for item in event.inputs)
    outputs = tuple(item.artifact for item in event.outputs)
    return Ran(stage_of(event), event.run.run_id if event.run else "", event.time, entry, inputs, outputs)


def called(working: Working, text: str, page: Page) -> list[Named]:
    """Names that contain a text, whatever its case: models first, then by name."""
    found = working.store.rows(
        "SELECT s.name, d.name, d.model FROM dataset d JOIN namespace s ON s.id = d.namespace "
        "WHERE lower(d.name) LIKE ? ESCAPE '!' ORDER BY d.model DESC, d.name, s.name LIMIT ? OFFSET ?",
        (contained(text), page.limit, page.offset),
    )
    return [Named(space, name, bool(model)) for space, name, model in found]


def version(working: Working, namespace: str, name: str, content: str) -> Artifact | None:
    """The version of a name that has a content; None where none is recorded."""
    row = working.find_dataset(namespace, name)
    if row is None:
        return None
    for key in (content_key(content), named_key(f"{namespace}/{name}#{content}")):  # as `node_key` has them
        node = working.find_node(key)
        if node is not None and (
            row.node == node.id
            or working.store.rows("SELECT 1 FROM version WHERE dataset = ? AND node = ?", (row.id, node.id))
        ):
            return artifact_of(working, row.id, node)
    return None


def _some(items: Sequence[T], page: Page) -> Sequence[T]:
    return items[page.offset : page.offset + page.limit]
