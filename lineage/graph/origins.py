"""What an artifact's labels stem from: the sources with the uses in which each arrives, and since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from lineage.events.event import read
from lineage.events.naming import display
from lineage.events.statistics import row_counts
from lineage.graph import rows
from lineage.graph.keys import node_key
from lineage.graph.names import any_artifact, artifact_of, listing, recorded_tags, references
from lineage.graph.pairs import MASK
from lineage.graph.questions import Recorded
from lineage.graph.resolve import label, resolve
from lineage.graph.rows import Node, SourceKind
from lineage.graph.walk import Met, downstream, entering
from lineage.graph.working import Working, read_origin
from lineage.store import Lookup
from lineage.store.store import damaged
from lineage.vocabulary import Artifact, Label, Origin


class Contribution(NamedTuple):
    """One source of an artifact."""

    artifact: Artifact
    """The source; of what a model generated, that model."""
    generated: bool
    """Whether it stands for what that model generated (law 6)."""
    labels: frozenset[Label]
    """What reaches the artifact from it; none where a removal took every origin of it out."""
    narrowed: bool
    """Whether a removal in force took an origin of it out on some way here."""
    tags: tuple[Recorded, ...]
    """The tags on it that were not taken back; none where it stands for what a model generated."""


def contributions(working: Working, node: Node) -> list[Contribution]:
    """The sources of a node, in the order in which they were first recorded."""
    uses: defaultdict[int, set[int]] = defaultdict(set)
    for pair in working.pairs(node.pairset):
        uses[pair >> 4].add(pair & MASK)
    working.load_sources(uses)
    labels: defaultdict[int, set[Label]] = defaultdict(set)
    narrowed: set[int] = set()
    for source, found in uses.items():
        live, codes = resolve(working, source)
        if not live:
            continue
        base = working.source(source).base
        labels[base or source].update(
            label(working, code >> 3 << 7 | use << 3 | code & 7) for code in codes for use in found
        )
        if base:
            narrowed.add(base)
    return [
        Contribution(
            _artifact(working, source),
            working.source(source).kind == SourceKind.GENERATED,
            frozenset(labels[source]),
            source in narrowed,
            _tags(working, source),
        )
        for source in sorted(labels)
    ]


def _tags(working: Working, source: int) -> tuple[Recorded, ...]:
    """The tags on a source; those on a model are not on what it generates."""
    row = working.source(source)
    return () if row.kind == SourceKind.GENERATED else tuple(recorded_tags(working, working.node(row.node)))


def _artifact(working: Working, source: int) -> Artifact:
    row = working.source(source)
    node = working.node(row.node)
    if row.kind == SourceKind.GENERATED:
        dataset = working.dataset(row.dataset)
        return artifact_of(working, row.dataset, working.node(dataset.last))
    found = artifact_of(working, row.dataset, node) if row.dataset else any_artifact(working, node)
    if found is None:
        raise damaged(f"source {source} has no name")
    return found


class Entered(NamedTuple):
    """How the sources of a label came into a lineage, on any path."""

    runs: list[int]
    """Entries of the runs that read one first, every telling of each."""
    listings: list[int]
    """Entries that list the files by which they did."""


def entered(working: Working, node: Node, labels: Iterable[Label]) -> dict[Label, Entered]:
    """For each label, how its sources entered the lineage of a node."""
    out = {}
    for x in labels:
        runs, listed = entering(working, node, x)
        again = (entry for _, entry in working.store.lookup(rows.AGAIN, list(runs)))
        listings = {listing(working, working.node(d), working.node(f))[0] for d, f in listed}
        out[x] = Entered(sorted({*(working.run(run).entry for run in runs), *again}), sorted(listings))
    return out


def row_count(working: Working, artifact: Artifact) -> int | None:
    """The number of records that events state of an artifact; None where none does, or two disagree."""
    node = working.find_node(node_key(artifact.namespace, artifact.name, artifact.content))
    if node is None:
        return None
    runs = (*working.makers(node)[:MOST_RUNS], *working.readers(node.id)[:MOST_RUNS])
    entries = {working.run(run).entry for run in runs}
    entries.update(entry for _, entry in working.store.lookup(rows.AGAIN, runs))
    entries.update(entry for _, entry in working.store.lookup(rows.SPOKEN, (node.id,)))
    found: set[int] = set()
    for position in sorted(entries):
        data = working.entry(position)[0]
        if b"rowCount" not in data:
            continue
        event = read(data)
        named = references(event)
        for place, stated in row_counts(data, event):
            other = named[place].artifact
            key = node_key(other.namespace, other.name, other.content)
            working.fetch_nodes((key,))
            if working.node_ids.get(key) == node.id:
                found.add(stated)
    return found.pop() if len(found) == 1 else None


MOST_RUNS = 20
"""Runs of a node that are asked for its number of records: the others read or made the same bytes."""


class User(NamedTuple):
    """A run that read data of some origins."""

    entry: int
    """Of its first event."""
    name: str
    """What it read, as people call it."""
    distance: int
    """Runs between the source and what it read; 0 when it read the source itself."""


def users(working: Working, speaks: Callable[[Origin], bool]) -> list[User]:
    """The runs that read data of origins, whatever became of their outputs, by entry; the nearest reading of each."""
    known = [(id_, read_origin(value)) for id_, value in working.store.rows("SELECT id, value FROM origin")]
    wanted = [id_ for id_, origin in known if speaks(origin)]
    sources = {source for source, *_ in working.store.lookup(_TAGGED, wanted)}
    met: dict[int, Met] = {}
    for source in sorted(sources):
        row = working.source(source)
        if any(speaks(working.origin(code >> 3)) for code in resolve(working, source)[1]):
            downstream(working, working.node(row.node), met)
    out = []
    for run, (dataset, distance) in met.items():
        row_ = working.dataset(dataset)
        name = display(working.namespace_text(row_.namespace), row_.name)
        out.append(User(working.run(run).entry, name, distance))
    return sorted(out)


_TAGGED = Lookup("SELECT source, origin FROM tag", "origin")
