"""From rows back to what people know: artifacts, steps of a path, tags. Facts are read from the ledger's events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
from lineage.vocabulary import Artifact, ArtifactType, Basis, Content, Label, Step, Tag

__all__ = ["artifact_of", "dataset_of_node", "hop_listing", "recorded_tags", "steps", "tag_entries"]


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
        given = reference.artifact.content
        if (reference.namespace, reference.name) == (namespace, row.name) and _is(
            working, namespace, row.name, given, node
        ):
            content = given  # else a facet names it, which knows no content
            break
    return Artifact(namespace, row.name, content, ArtifactType.MODEL if row.model else ArtifactType.DATASET)


def _is(working: Working, namespace: str, name: str, content: Content | None, node: Node) -> bool:
    key = node_key(namespace, name, content)
    working.fetch_nodes((key,))
    return working.node_ids.get(key) == node.id


def references(event: Event) -> tuple[Dataset, ...]:
    """Every dataset an event names: its inputs, outputs and dataset in this order, then those that facets name."""
    stated = (*event.inputs, *event.outputs, *((event.dataset,) if event.dataset else ()))
    facets = (*event.read_too, *event.made_too, *(event.dataset.made_from if event.dataset else ()))
    others = [name for dataset in stated for name in dataset.other_names]
    return (*stated, *(Dataset(name.namespace, name.name) for name in (*facets, *others)))


def listing(working: Working, directory: Node, file: Node) -> tuple[int, Artifact, Artifact]:
    """The entry that first lists a file of a directory, and the two as it names them.

    Raises:
        CannotDecide: ``GRAPH_DAMAGED``, no entry lists it.
    """
    for _, position in working.store.lookup(rows.SPOKEN, (directory.id,)):
        for reference in references(event_at(working, position)):
            holder = reference.artifact
            members = holder.content.members if holder.content else ()
            if not members or not _is(working, holder.namespace, holder.name, holder.content, directory):
                continue
            working.fetch_nodes([content_key(member.hash) for member in members])
            for member in members:
                content = Content(member.hash, member.size)
                if not content.trivial and working.node_ids.get(content_key(member.hash)) == file.id:
                    return position, holder, Artifact(holder.namespace, f"{holder.name}/{member.path}", content)
    raise damaged(f"no entry lists file {file.id} of directory {directory.id}")


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
            return listing(working, holder, node)[2]
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


def hop_named(working: Working, hops: Sequence[Hop], i: int, wanted: Label) -> Artifact:
    """What a step of a path is called: as a run beside it names it, as its tag does, or as what lists it does. An entry
    that says so is among those that the path rests on."""
    hop = hops[i]
    node = working.node(hop.node)
    if hop.dataset:
        return artifact_of(working, hop.dataset, node)
    if i == 0 and (tagged := tag_entries(working, node, wanted)):
        for reference in references(event_at(working, tagged[0])):
            artifact = reference.artifact
            if artifact.tags and _is(working, artifact.namespace, artifact.name, artifact.content, node):
                return artifact
    for j in (i, i + 1):
        if 0 < j < len(hops) and hops[j].holder:
            _, holder, file = hop_listing(working, hops, j)
            return holder if hops[j].holder == hop.node else file
    raise damaged(f"node {node.id} has no name")


def hop_listing(working: Working, hops: Sequence[Hop], i: int) -> tuple[int, Artifact, Artifact]:
    """What lists the file of a step between a directory and its file: see `listing`."""
    holder = hops[i].holder
    file = hops[i - 1].node if hops[i].node == holder else hops[i].node
    return listing(working, working.node(holder), working.node(file))


def tag_entries(working: Working, node: Node, wanted: Label) -> list[int]:
    """The entries that put the tag of a label on a node, taken back or not, in order."""
    if not node.source or wanted.basis is None:
        return []
    return [
        position
        for _, origin, basis, position in working.store.lookup(rows.TAGS, (node.source,))
        if BASES[basis] is wanted.basis and working.origin(origin) == wanted.origin
    ]


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
        artifact = end if i == len(hops) - 1 else hop_named(working, hops, i, wanted)
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
        every = recorded_tags(working, node) if i == 0 else []
        said = [r for r in every if _says(r, wanted)]
        by, time = (said[0].tag.by, said[0].happened) if said else ("", "")
        declared = [r.tag for r in every if r.tag.basis is Basis.DECLARED]
        seen = seen_words(declared, [r.tag for r in said if r.tag.basis is Basis.OBSERVED])
        out.append(Step(artifact=name, content=content, time=time, by=by, seen=seen))
    return tuple(out)


def seen_words(declared: Iterable[Tag], observed: Iterable[Tag]) -> str:
    """What was seen that tells the origin of a source, beside what somebody declared of the same content."""
    reasons = dict.fromkeys(tag.reason for tag in observed if tag.reason)
    if not reasons:
        return ""
    kinds = dict.fromkeys(tag.origin.kind.value for tag in declared)
    words = [f"declared as {' and '.join(kinds)}"] if kinds else []
    return "; ".join([*words, f"observed: {' and '.join(reasons)}"])


def _says(recorded: Recorded, wanted: Label) -> bool:
    return recorded.tag.basis is wanted.basis and recorded.tag.origin == wanted.origin


def _has_execution(event: Event) -> bool:
    return bool(event.run and event.run.facets and event.run.facets.execution)


def stage_of(event: Event) -> str:
    """Address of the stage that an event is of, or the name of its job."""
    if _has_execution(event) and (stage := event.run.facets.execution.execution.stage):  # type: ignore[union-attr]
        return stage
    return event.job.name if event.job else ""


def _short(stage: str) -> str:
    return stage.rpartition(":")[2] or stage
