"""From rows back to what people know: artifacts, steps of a path, tags. Facts are read from the ledger's events."""

from __future__ import annotations

from lineage.events import Event
from lineage.events.event import Dataset
from lineage.events.naming import display
from lineage.graph import rows
from lineage.graph.keys import content_key, node_key
from lineage.graph.project import event_at
from lineage.graph.questions import Recorded
from lineage.graph.rows import BASES, DIRECTORY, Node
from lineage.graph.walk import Hop
from lineage.graph.working import Working
from lineage.ledger.clock import moment_of
from lineage.store.store import damaged
from lineage.vocabulary import Artifact, ArtifactType, Content, Label, Step

__all__ = ["artifact_of", "dataset_of_node", "file_of", "recorded_tags", "steps"]


def dataset_of_node(working: Working, node: Node) -> int:
    """A name of a node: as the output of the run that made it, as a source, or as an input; 0 if it has none."""
    if node.run:
        for id_, dataset, _ in working.run(node.run).outputs:
            if id_ == node.id:
                return dataset
    if node.source and (dataset := working.source(node.source).dataset):
        return dataset
    for r in working.readers(node.id):
        for id_, dataset, _ in working.run(r).inputs:
            if id_ == node.id:
                return dataset
    return 0


def artifact_of(working: Working, dataset: int, node: Node) -> Artifact:
    """The dataset version of a name and a node, as the event that first recorded it says."""
    row = working.dataset(dataset)
    namespace = working.namespace_text(row.namespace)
    content = None
    for reference in references(event_at(working, working.version(dataset, node.id))):
        if (reference.namespace, reference.name) == (namespace, row.name):
            content = reference.artifact.content
            if _is(working, namespace, row.name, content, node):
                break
    return Artifact(namespace, row.name, content, ArtifactType.MODEL if row.model else ArtifactType.DATASET)


def _is(working: Working, namespace: str, name: str, content: Content | None, node: Node) -> bool:
    key = node_key(namespace, name, content)
    working.fetch_nodes((key,))
    return working.node_ids.get(key) == node.id


def references(event: Event) -> tuple[Dataset, ...]:
    """Every dataset an event names."""
    return (*event.inputs, *event.outputs, *((event.dataset,) if event.dataset else ()))


def file_of(working: Working, file: Node, directory: Node) -> Artifact:
    """A file by its place in a directory."""
    dataset = dataset_of_node(working, directory)
    if not dataset:
        raise damaged(f"directory {directory.id} has no name")
    holder = artifact_of(working, dataset, directory)
    members = holder.content.members if holder.content else ()
    if not members:  # the first event that named it here did not list the files; another name's did
        for (other,) in working.store.rows(
            "SELECT entry FROM version WHERE node = ? UNION SELECT entry FROM dataset WHERE node = ?",
            (directory.id, directory.id),
        ):
            for reference in references(event_at(working, other)):
                content = reference.artifact.content
                if content and content.members and content.hash == (holder.content and holder.content.hash):
                    members = content.members
    working.fetch_nodes([content_key(m.hash) for m in members])
    for member in members:
        if working.node_ids.get(content_key(member.hash)) == file.id:
            name = f"{holder.name}/{member.path}"
            return Artifact(holder.namespace, name, Content(member.hash, member.size))
    return Artifact(holder.namespace, f"{holder.name}/?")


def any_artifact(working: Working, node: Node) -> Artifact | None:
    """A node under any of its names, or as a file of a directory."""
    dataset = dataset_of_node(working, node)
    if dataset:
        return artifact_of(working, dataset, node)
    found = working.store.one(
        "SELECT dataset FROM version WHERE node = ? UNION SELECT id FROM dataset WHERE node = ?", (node.id, node.id)
    )
    if found:
        return artifact_of(working, found[0], node)
    for directory in working.directories(node):
        holder = working.node(directory)
        if holder.flags & DIRECTORY:
            return file_of(working, node, holder)
    return None


def recorded_tags(working: Working, node: Node) -> list[Recorded]:
    """Tags on a node that nobody took back, first saying first, the same tag once."""
    if not node.source:
        return []
    taken = working.taken(node)
    out: dict[object, Recorded] = {}
    for _, origin, basis, position in working.store.lookup(rows.TAGS, (node.source,)):
        if origin << 3 | basis in taken:
            continue
        event = event_at(working, position)
        recorded = moment_of(working.entry(position)[1]).isoformat()
        for reference in references(event):
            artifact = reference.artifact
            if not _is(working, artifact.namespace, artifact.name, artifact.content, node):
                continue
            for tag in artifact.tags:
                if tag.origin == working.origin(origin) and tag.basis is BASES[basis]:
                    out.setdefault(tag, Recorded(tag, recorded, event.time))
    return list(out.values())


def steps(working: Working, hops: list[Hop], end: Artifact, wanted: Label) -> tuple[Step, ...]:
    """A path for people: names, stages, commits, times."""
    runs = {hop.run: event_at(working, working.run(hop.run).entry) for hop in hops if hop.run}
    short: dict[str, set[str]] = {}
    for event in runs.values():
        full = stage_of(event)
        short.setdefault(_short(full), set()).add(full)
    out = []
    for i, hop in enumerate(hops):
        node = working.node(hop.node)
        last = i == len(hops) - 1
        if last:
            artifact = end
        elif hop.dataset:
            artifact = artifact_of(working, hop.dataset, node)
        elif hop.holder and not node.flags & DIRECTORY:
            artifact = file_of(working, node, working.node(hop.holder))
        else:
            artifact = any_artifact(working, node) or _unnamed(node)
        name = display(artifact.namespace, artifact.name)
        content = artifact.content.hash if artifact.content else ""
        if hop.run:
            event = runs[hop.run]
            execution = event.run.facets.execution.execution if _has_execution(event) else None  # type: ignore[union-attr]
            full = stage_of(event)
            stage = _short(full) if len(short[_short(full)]) == 1 else full
            out.append(
                Step(
                    artifact=name,
                    run=stage,
                    use=hop.use.value,
                    content=content,
                    commit=execution.commit if execution else "",
                    time=event.time,
                    by=execution.author if execution else "",
                )
            )
            continue
        said = [r for r in recorded_tags(working, node) if i == 0 and _says(r, wanted)]
        by, time = (said[0].tag.by, said[0].happened) if said else ("", "")
        out.append(Step(artifact=name, content=content, time=time, by=by))
    return tuple(out)


def _says(recorded: Recorded, wanted: Label) -> bool:
    return recorded.tag.basis is wanted.basis and recorded.tag.origin == wanted.origin


def _unnamed(node: Node) -> Artifact:
    raise damaged(f"node {node.id} has no name")


def _has_execution(event: Event) -> bool:
    return bool(event.run and event.run.facets and event.run.facets.execution)


def stage_of(event: Event) -> str:
    """Address of the stage that an event is of, or the name of its job."""
    if _has_execution(event) and (stage := event.run.facets.execution.execution.stage):  # type: ignore[union-attr]
        return stage
    return event.job.name if event.job else ""


def _short(stage: str) -> str:
    return stage.rpartition(":")[2] or stage
