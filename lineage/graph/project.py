"""Turns events into rows: which nodes, names, runs, edges, tags and acts an event speaks of.

A batch is read whole before anything is propagated, so that a run's START and COMPLETE, or a source and its maker,
arriving together cost nothing extra. Rows only ever appear; what they lead to is `propagate`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.events import ACTS, Event
from lineage.events.event import Dataset, read
from lineage.events.facets import LineageContentDatasetFacet
from lineage.events.naming import OUR_NAMESPACE
from lineage.graph import rows
from lineage.graph.keys import content_key, key_of_text, named_key, node_key, run_key
from lineage.graph.pairs import NUMBER
from lineage.graph.propagate import Propagation
from lineage.graph.rows import (
    ALONE,
    BASIS_NUMBER,
    CORRECTED,
    DIRECTORY,
    EXPLAINED,
    MEMBER,
    MORE_MAKERS,
    NARROWED,
    Act,
    Node,
    Run,
    SourceKind,
)
from lineage.graph.working import Working
from lineage.ledger import unpack
from lineage.store.store import damaged
from lineage.vocabulary import Content, Correction, Decision, Grant, Kind, Removal, Tag

Accepted = tuple[int, Event]
"""(position, event)."""


class Projection:
    """One batch of events on its way into the graph."""

    def __init__(self, working: Working) -> None:
        self.working = working
        self.propagation = Propagation(working)
        self._runs: dict[int, Run] = {}  # with new edges, in order
        self._touched: dict[int, int] = {}  # node -> a dataset it was named under
        self._members: dict[int, list[int]] = {}  # directory -> files newly known
        self._seeds: list[Node] = []
        self._shrink: dict[int, Node] = {}
        self._acts: dict[tuple[Act, str], list[Removal | Correction]] = {}

    def apply(self, events: Sequence[Accepted]) -> None:
        """Project events and propagate what follows."""
        self._prefetch(events)
        for position, event in events:
            job = event.job
            if job is not None and job.namespace == OUR_NAMESPACE and job.name in ACTS:
                self._act(event, position)
            elif event.run is not None:
                self._run(run_key(event.run.run_id), event, position)
            elif event.dataset is not None:
                self._named(event.dataset, position)
            elif job is not None and (event.inputs or event.outputs):
                # a JobEvent states what every run of the job reads and makes: lineage like a run's
                self._run(b"j" + f"{job.namespace}/{job.name}".encode(), event, position)
        self._explain()
        self._propagate()

    def _prefetch(self, events: Sequence[Accepted]) -> None:
        keys: set[bytes] = set()
        names: set[str] = set()
        runs: set[bytes] = set()
        for _, event in events:
            if event.run is not None:
                runs.add(run_key(event.run.run_id))
            elif event.job is not None:
                runs.add(b"j" + f"{event.job.namespace}/{event.job.name}".encode())
            for dataset in _datasets(event):
                names.add(dataset.name)
                content = _content(dataset)
                keys.add(_key(dataset, content))
                if content is not None and content.members:
                    keys.update(content_key(m.hash) for m in content.members)
        working = self.working
        working.fetch_nodes(keys)
        working.load_nodes({i for k in keys if (i := working.node_ids.get(k)) is not None})
        working.fetch_runs(runs)
        working.fetch_datasets(names)

    # what an event names

    def _named(self, dataset: Dataset, position: int) -> tuple[Node, int]:
        """The node and the name of a dataset reference, with its tags and files."""
        working = self.working
        facets = dataset.facets
        content = _content(dataset)
        node = working.node_of(_key(dataset, content))
        row = working.dataset_of(dataset.namespace, dataset.name)
        if row.last != node.id:
            row.last = node.id
            working.touch_dataset(row)
            working.put(rows.PUT_VERSION, (row.id, node.id, position))
        if facets is not None:
            if dataset.is_model and not row.model:
                row.model = 1
                working.head.models += 1
                working.touch_dataset(row)
            if content is not None and content.members:
                self._files(node, content)
            if facets.origin is not None:
                for tag in facets.origin.tags:
                    self._tag(node, row.id, tag, position)
        if node.id not in self._touched:
            self._touched[node.id] = row.id
        if not node.flags & ALONE:
            node.flags |= ALONE
            working.touch(node)
        return node, row.id

    def _files(self, directory: Node, content: LineageContentDatasetFacet) -> None:
        working = self.working
        known = set(working.members(directory))
        new = self._members.setdefault(directory.id, [])
        for file in content.members:
            if Content(file.hash, file.size).trivial:
                continue
            node = working.node_of(content_key(file.hash))
            if node.id == directory.id or node.id in known:
                continue
            known.add(node.id)
            new.append(node.id)
            node.flags |= MEMBER
            working.touch(node)
            working.put(rows.PUT_MEMBER, (directory.id, node.id))
            working.new_members.setdefault(directory.id, []).append(node.id)
            working.new_directories.setdefault(node.id, []).append(directory.id)
        if new and not directory.flags & DIRECTORY:
            directory.flags |= DIRECTORY
            directory.made = directory.pairset
            working.touch(directory)

    def _tag(self, node: Node, dataset: int, tag: Tag, position: int) -> None:
        if tag.origin.kind is Kind.UNDECLARED:
            return  # the absence of a tag is not a tag (law 8)
        working = self.working
        self._source(node, dataset)
        origin, basis = working.origin_id(tag.origin), BASIS_NUMBER[tag.basis]
        working.put(rows.PUT_TAG, (node.source, origin, basis, position))
        tags = working.tags(node.source)
        if (code := origin << 3 | basis) not in tags:
            tags.add(code)
            working.retag(node.source)

    def _source(self, node: Node, dataset: int) -> None:
        """Make a node a source of its own, once."""
        if not node.source:
            node.source = self.working.new_source(SourceKind.SELF, node.id, dataset)
            self.working.touch(node)
            self._seeds.append(node)

    # runs

    def _run(self, key: bytes, event: Event, position: int) -> None:
        working = self.working
        run = working.run_of(key, position)
        grown = False
        for dataset in event.inputs:
            node, name = self._named(dataset, position)
            edge = (node.id, name, NUMBER[dataset.use] << 1 | dataset.is_model)
            if edge in run.inputs:
                continue
            grown = True
            if node.id not in run.reads:
                working.put(rows.PUT_READS, (node.id, run.id))
                working.new_readers.setdefault(node.id, []).append(run.id)
            run.inputs.append(edge)
            run.reads.add(node.id)
        for dataset in event.outputs:
            node, name = self._named(dataset, position)
            made = (node.id, name, int(dataset.is_model))
            if made in run.outputs:
                continue
            grown = True
            if not any(o[0] == node.id for o in run.outputs):
                self._made(node, run)
            run.outputs.append(made)
        if grown:
            run.refresh()
            self._runs[run.id] = run
            if not run.dirty:
                run.dirty = True
                working.dirty_runs.append(run)

    def _made(self, node: Node, run: Run) -> None:
        working = self.working
        if not node.run:
            node.run = run.id
        else:
            node.flags |= MORE_MAKERS
            working.put(rows.PUT_MADE, (node.id, run.id))
            working.new_makers.setdefault(node.id, []).append(run.id)
        working.touch(node)

    # acts

    def _act(self, event: Event, position: int) -> None:
        facets = event.run.facets if event.run else None
        if facets is None:
            return
        if facets.decision is not None:
            self._keep(Act.DECISION, facets.decision.decision.id, position)
            self._keep(Act.MODEL, facets.decision.decision.model, position)
        if facets.grant is not None:
            self._keep(Act.GRANT, facets.grant.grant.id, position)
        if facets.removal is not None:
            removal = facets.removal.removal
            if self._agreed(Act.REMOVAL, removal, position):
                self._narrow(removal)
        if facets.correction is not None:
            correction = facets.correction.correction
            if self._agreed(Act.CORRECTION, correction, position):
                self._take_back(correction)

    def _keep(self, kind: Act, key: str, position: int) -> None:
        self.working.put(rows.PUT_ACT, (int(kind), key, position))

    def _agreed(self, kind: Act, act: Removal | Correction, position: int) -> bool:
        """Whether with this saying a claim and a second person's approval of the same claim are both on record."""
        said = self._acts.get((kind, act.id))
        if said is None:
            said = self._acts[kind, act.id] = [
                earlier
                for event in entries_of(self.working, kind, act.id)
                if (earlier := act_of(event)) is not None and isinstance(earlier, (Removal, Correction))
            ]
        said.append(act)
        self._keep(kind, act.id, position)
        same = [s for s in said if _claim(s) == _claim(act)]
        return any(not s.approved_by for s in same) and any(s.in_force for s in same)

    def _narrow(self, removal: Removal) -> None:
        working = self.working
        origin = working.origin_id(removal.origin)
        keys = [key_of_text(text) for text in (removal.content, *removal.sources)]
        working.fetch_nodes(keys)
        node, *sources = [working.node_of(key) for key in keys]
        node.flags |= NARROWED
        working.touch(node)
        for source in sources:
            working.put(rows.PUT_REMOVAL, (node.id, origin, source.id))
        self._shrink[node.id] = node

    def _take_back(self, correction: Correction) -> None:
        working = self.working
        key = key_of_text(correction.content)
        working.fetch_nodes((key,))
        node = working.node_of(key)
        node.flags |= CORRECTED
        working.touch(node)
        working.put(rows.PUT_TAKEN, (node.id, working.origin_id(correction.origin), BASIS_NUMBER[correction.basis]))
        if node.source:
            working.retag(node.source)

    # what follows

    def _explain(self) -> None:
        """Say of each node that may have changed whether a run explains it; who is not explained is a source."""
        working = self.working
        for id_ in self._maybe_changed():
            node = working.node(id_)
            explained = working.explained(node)
            if explained != bool(node.flags & EXPLAINED):
                node.flags ^= EXPLAINED
                working.touch(node)
                if node.source:
                    working.retag(node.source)
            if not explained and node.flags & ALONE:
                self._source(node, self._touched.get(id_) or self._name_of(node))

    def _maybe_changed(self) -> dict[int, None]:
        """The nodes whose explanation this batch may have changed, in order."""
        working = self.working
        check = dict.fromkeys(self._touched)
        directories = list(self._members)
        for run in self._runs.values():
            for output, _, _ in run.outputs:
                check[output] = None
                if working.node(output).flags & DIRECTORY:
                    directories.append(output)
        for id_ in directories:
            check[id_] = None
            check.update((f, None) for f in self._members.get(id_, ()) if working.node(f).flags & ALONE)
            # of the files known before, only those that a maker of the directory reads can change their answer
            for r in working.makers(working.node(id_)):
                for read_ in working.run(r).reads:
                    if id_ in working.directories(working.node(read_)):
                        check[read_] = None
        return check

    def _name_of(self, node: Node) -> int:
        """A name of a node that this batch does not name: from a run that made or reads it."""
        working = self.working
        for r in (*working.makers(node), *working.readers(node.id)):
            run = working.run(r)
            for edge in (*run.outputs, *run.inputs):
                if edge[0] == node.id:
                    return edge[1]
        return 0

    def _propagate(self) -> None:
        working, propagation = self.working, self.propagation
        for id_ in self._touched:
            propagation.known(working.node(id_))
        for node in self._seeds:
            propagation.seed(node)
        for directory, members in self._members.items():
            propagation.join(working.node(directory), members)
        for run in self._runs:
            propagation.push(run)
        propagation.finish()
        if self._shrink:
            propagation.shrink(self._shrink.values())
            propagation.finish()


def _datasets(event: Event) -> Iterable[Dataset]:
    yield from event.inputs
    yield from event.outputs
    if event.dataset is not None:
        yield event.dataset


def _content(dataset: Dataset) -> LineageContentDatasetFacet | None:
    return dataset.facets.content if dataset.facets is not None else None


def _key(dataset: Dataset, content: LineageContentDatasetFacet | None) -> bytes:
    if content is None:
        return named_key(f"{dataset.namespace}/{dataset.name}")
    return node_key(dataset.namespace, dataset.name, Content(content.hash, content.size))


def _claim(act: Removal | Correction) -> tuple[object, ...]:
    """What must agree between a claim and its approval."""
    if isinstance(act, Removal):
        return act.origin, act.content, frozenset(act.sources), act.claimed_by
    return act.origin, act.content, act.basis, act.claimed_by


def act_of(event: Event) -> Decision | Grant | Removal | Correction | None:
    """What an act says."""
    facets = event.run.facets if event.run else None
    if facets is None:
        return None
    if facets.decision is not None:
        return facets.decision.decision
    if facets.grant is not None:
        return facets.grant.grant
    if facets.removal is not None:
        return facets.removal.removal
    return facets.correction.correction if facets.correction is not None else None


def entries_of(working: Working, kind: Act, key: str) -> list[Event]:
    """The events of an act, in the order they were recorded."""
    found = working.store.rows("SELECT entry FROM act WHERE kind = ? AND key = ? ORDER BY entry", (int(kind), key))
    return [event_at(working, position) for (position,) in found]


def event_at(working: Working, position: int) -> Event:
    """The event of an entry."""
    found = working.store.lookup(rows.BODY, (position,))
    if not found:
        raise damaged(f"entry {position} of the ledger is missing")
    return read(unpack(bytes(found[0][2])))
