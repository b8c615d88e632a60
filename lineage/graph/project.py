"""Turns events into rows: which nodes, names, runs, edges, tags and acts an event speaks of.

A batch is read whole before anything is propagated, so that a run's START and COMPLETE, or a source and its maker,
arriving together cost nothing extra. Rows only ever appear; what they lead to is `propagate`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec
from msgspec import structs

from lineage.errors import UsageError
from lineage.events import ACTS, Event
from lineage.events.event import Dataset, act_of, read
from lineage.events.facets import LineageContentDatasetFacet, Name
from lineage.events.naming import MOST_NAME, OUR_NAMESPACE
from lineage.graph import rows
from lineage.graph.keys import content_key, key_of_text, named_key, node_key, run_key
from lineage.graph.pairs import EVALUATION, NUMBER
from lineage.graph.propagate import Propagation
from lineage.graph.rows import (
    ALONE,
    BASIS_NUMBER,
    CORRECTED,
    DIRECTORY,
    EXPLAINED,
    LINK,
    LINKED,
    MEMBER,
    MORE_MAKERS,
    NARROWED,
    Act,
    Node,
    Run,
    SourceKind,
)
from lineage.graph.working import DatasetRow, Working
from lineage.vocabulary import (
    Access,
    Basis,
    Change,
    Content,
    Correction,
    Decision,
    Grant,
    Happening,
    Kind,
    PolicyRecord,
    Removal,
    Tag,
)
from lineage.vocabulary.artifact import TRIVIAL_BYTES, TRIVIAL_HASHES

MOST_EVENTS = 2000
"""Events of entries that are kept read: the parts of one answer rest on the same ones."""
_SHORT = MOST_NAME // 4
"""Characters that cannot be more bytes than that."""
Accepted = tuple[int, Event]
"""(position, event)."""


class Reference(msgspec.Struct, gc=False):
    """A dataset as an event names it."""

    name: tuple[str, str]
    """(namespace, name)."""
    key: bytes
    role: int
    """``use * 2 + model``, as an edge keeps it."""
    content: LineageContentDatasetFacet | None
    """Where it lists files."""
    tags: tuple[Tag, ...]


class Link(msgspec.Struct, gc=False):
    """Labels travel from one reference to another and, where both are names of one thing, back."""

    key: bytes
    """It is kept as a run is."""
    one: Reference
    other: Reference
    both: bool


class Prepared(msgspec.Struct, gc=False):
    """An event, and what it names."""

    position: int
    event: Event
    act: bool
    run: bytes
    inputs: Sequence[Reference]
    outputs: Sequence[Reference]
    alone: Sequence[Reference]
    said: bytes
    """Key of what stands for a run where ``alone`` is said to be made from ``inputs``; else empty."""
    links: Sequence[Link]


_End = tuple[Node, int, int]
"""(node, name, role) of an edge."""


class Projection:
    """One batch of events on its way into the graph."""

    def __init__(self, working: Working) -> None:
        self.working = working
        self.propagation = Propagation(working)
        self._runs: dict[int, Run] = {}  # with new edges, in order
        self._touched: dict[int, int] = {}  # node named by itself for the first time -> the name
        self._members: dict[int, list[int]] = {}  # directory -> files newly known
        self._seeds: list[Node] = []
        self._shrink: dict[int, Node] = {}
        self._matched: list[Node] = []  # with a new match, or one that was taken back
        self._spoken: dict[int, None] = {}  # nodes with other names that somebody spoke for, or that got another name
        self._acts: dict[tuple[Act, str], list[Removal | Correction]] = {}

    def apply(self, events: Sequence[Accepted]) -> None:
        """Project events and propagate what follows."""
        first = events[0][0]
        prepared = [prepare(position, event, position - first) for position, event in events]
        self._prefetch(prepared)
        for item in prepared:
            if item.act:
                self._act(item.event, item.position)
                continue
            for reference in item.alone:
                node, _ = self._named(reference, item.position)
                self.working.pending[rows.PUT_SPOKEN].append((node.id, item.position))
            if item.run:
                self._run(item.run, item.position, item.inputs, item.outputs)
            if item.said:
                self._run(item.said, item.position, item.inputs, item.alone)
            for link in item.links:
                self._link(link, item.position)
        self._explain()
        self._unsettle()
        self._propagate()

    def _prefetch(self, prepared: Sequence[Prepared]) -> None:
        working = self.working
        named = [r for item in prepared for r in (*item.inputs, *item.outputs, *item.alone)]
        named += [r for item in prepared for link in item.links for r in (link.one, link.other)]
        files = [content_key(m.hash) for r in named if r.content is not None for m in r.content.members]
        working.fetch_nodes({r.key for r in named}.union(files))
        keys = [key for item in prepared for key in (item.run, item.said) if key]
        working.fetch_runs([*keys, *(link.key for item in prepared for link in item.links)])
        working.fetch_datasets({r.name[1] for r in named})

    # what an event names

    def _named(self, reference: Reference, position: int) -> tuple[Node, int]:
        """The node and the name of a dataset reference, with its tags and files."""
        working = self.working
        node = working.node_of(reference.key)
        row = working.names.get(reference.name) or working.dataset_of(*reference.name)
        if row.last != node.id:
            self._version(row, node, position)
        if reference.role & 1 and not row.model:
            row.model = 1
            working.head.models += 1
            working.touch_dataset(row)
        if reference.content is not None:
            self._files(node, reference.content)
            working.pending[rows.PUT_SPOKEN].append((node.id, position))
        if not node.flags & ALONE:
            node.flags |= ALONE
            working.touch(node)
            self._touched[node.id] = row.id
        for tag in reference.tags:
            self._tag(node, row.id, tag, position)
        return node, row.id

    def _version(self, row: DatasetRow, node: Node, position: int) -> None:
        """Note that a name now stands for this node."""
        working = self.working
        row.last = node.id
        working.touch_dataset(row)
        if not row.node:
            row.node, row.entry = node.id, position
            working.head.versions += 1
        elif row.node != node.id and not working.has_version(row.id, node.id):
            working.add_version(row.id, node.id, position)

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
            working.pending[rows.PUT_MEMBER].append((directory.id, node.id))
            working.new_members[directory.id].append(node.id)
            working.new_directories[node.id].append(directory.id)
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
        working.pending[rows.PUT_TAG].append((node.source, origin, basis, position))
        if (code := origin << 3 | basis) not in working.tags(node.source):
            working.add_tag(node.source, code)
            if tag.basis is Basis.MATCHED:
                self._matched.append(node)
            if node.flags & LINKED:
                self._spoken[node.id] = None

    def _source(self, node: Node, dataset: int) -> None:
        """Make a node a source of its own, once."""
        if not node.source:
            node.source = self.working.new_source(SourceKind.SELF, node.id, dataset)
            self.working.touch(node)
            self._seeds.append(node)

    # runs

    def _run(self, key: bytes, position: int, inputs: Sequence[Reference], outputs: Sequence[Reference]) -> None:
        run = self.working.run_of(key, position)
        if run.entry != position:
            self.working.pending[rows.PUT_AGAIN].append((run.id, position))
        read_ = [(*self._named(reference, position), reference.role) for reference in inputs]
        made = [(*self._named(reference, position), reference.role & 1) for reference in outputs]
        self._edges(run, read_, made)

    def _link(self, link: Link, position: int) -> None:
        """Let labels travel between names of one thing, or from a content to the name it was seen under.

        Nothing is made by it (law 8): a name that nobody spoke for stays so until one of its other names is made from
        data or declared.
        """
        working = self.working
        run = working.run_of(link.key, position)
        if run.entry != position:
            working.pending[rows.PUT_AGAIN].append((run.id, position))
        ends = [self._named(reference, position) for reference in (link.one, link.other)]
        if run.inputs:
            return
        from_, to = (ends, ends) if link.both else (ends[:1], ends[1:])
        if link.both:
            (one, _), (other, _) = ends
            working.add_same(one, other)
            self._spoken[one.id] = None
        self._edges(run, [(node, name, 0) for node, name in from_], [(node, name, LINK) for node, name in to])

    def _edges(self, run: Run, read_: Sequence[_End], made: Sequence[_End]) -> None:
        """Have a run read and make this, beside what is known of it."""
        working = self.working
        grown = False
        for node, name, role in read_:
            edge = (node.id, name, role)
            if edge in run.inputs:
                continue
            grown = True
            if node.id not in run.reads:
                working.pending[rows.PUT_READS].append((node.id, run.id))
                working.new_readers[node.id].append(run.id)
                run.reads.add(node.id)
            if edge[2] >> 1 != EVALUATION:
                run.substantial = True
            run.inputs.append(edge)
        for node, name, model in made:
            edge = (node.id, name, model)
            if edge in run.outputs:
                continue
            grown = True
            if node.id not in [known[0] for known in run.outputs]:
                self._made(node, run)
            run.outputs.append(edge)
        if grown:
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
            working.pending[rows.PUT_MADE].append((node.id, run.id))
            working.new_makers[node.id].append(run.id)
        working.touch(node)

    # acts

    def _act(self, event: Event, position: int) -> None:
        act = act_of(event)
        if isinstance(act, Decision):
            self._keep(Act.DECISION, act.id, position)
            self._keep(Act.MODEL, act.model, position)
        elif isinstance(act, Grant):
            self._keep(Act.GRANT, act.id, position)
        elif isinstance(act, Change):
            self._keep(Act.CHANGE, act.model, position)
            if act.happening is Happening.RENAMED:
                self._keep(Act.CHANGE, act.value, position)
        elif isinstance(act, PolicyRecord):
            self._keep(Act.POLICY, act.sha256, position)
        elif isinstance(act, Access):
            self._keep(Act.ACCESS, act.subject, position)
        elif isinstance(act, Removal):
            if self._agreed(Act.REMOVAL, act, position):
                self._narrow(act)
        elif isinstance(act, Correction) and self._agreed(Act.CORRECTION, act, position):
            self._take_back(act)

    def _keep(self, kind: Act, key: str, position: int) -> None:
        self.working.pending[rows.PUT_ACT].append((int(kind), key, position))

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
        same = [s for s in said if claim_of(s) == claim_of(act)]
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
            working.pending[rows.PUT_REMOVAL].append((node.id, origin, source.id))
        self._shrink[node.id] = node

    def _take_back(self, correction: Correction) -> None:
        working = self.working
        key = key_of_text(correction.content)
        working.fetch_nodes((key,))
        node = working.node_of(key)
        node.flags |= CORRECTED
        working.touch(node)
        origin = working.origin_id(correction.origin)
        working.pending[rows.PUT_TAKEN].append((node.id, origin, BASIS_NUMBER[correction.basis]))
        if node.source:
            working.retag(node.source)
        if node.flags & LINKED:
            self._spoken[node.id] = None
        if correction.basis is Basis.MATCHED:
            self._matched.append(node)

    # what follows

    def _unsettle(self) -> None:
        """Have everything computed anew that a removal speaks for which a match now contradicts, or no longer does."""
        working = self.working
        working.contradicted.clear()
        waiting = [*self._matched, *(working.node(directory) for directory in self._members)]
        seen: set[int] = set()
        while waiting:
            node = waiting.pop()
            if node.id not in seen:
                seen.add(node.id)
                if node.flags & NARROWED:
                    self._shrink[node.id] = node
                waiting += [working.node(directory) for directory in working.directories(node)]

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
        for id_ in [*self._spoken, *(i for i in check if working.node(i).flags & LINKED)]:
            check.update((other.id, None) for other in working.same(working.node(id_)))
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


def _check_lengths(index: int, *texts: str) -> None:
    """Refuse names that a database cannot find things by.

    Args:
        index: number of the event in what is recorded.
        texts: none may be longer than `MOST_NAME` bytes.

    Raises:
        UsageError: ``EVENT_INVALID``; nothing changes.
    """
    for text in texts:
        if len(text) > _SHORT and len(text.encode()) > MOST_NAME:
            raise UsageError(
                f"event {index} cannot be recorded, so none was",
                code="EVENT_INVALID",
                cause=f"{text[:60]}… is longer than {MOST_NAME} bytes",
                hint="see docs/reference/events.md for the fields that are read",
            )


def prepare(position: int, event: Event, index: int) -> Prepared:
    """What the projection needs of an event, worked out once: of nothing but the event.

    Args:
        position: its position in the ledger.
        event: as read.
        index: its number in what is recorded, for the refusal.

    Raises:
        UsageError: ``EVENT_INVALID``: a name is too long.
    """
    job, run = event.job, event.run
    if job is not None:
        _check_lengths(index, job.namespace + job.name)
    inputs, outputs = [_reference(d, index) for d in event.inputs], [_reference(d, index) for d in event.outputs]
    alone = () if event.dataset is None else (_reference(event.dataset, index),)
    if run is not None:
        _check_lengths(index, run.run_id)
    if job is not None and job.namespace == OUR_NAMESPACE and job.name in ACTS:
        return Prepared(position, event, True, b"", (), (), (), b"", ())
    links = [link for d in (*event.inputs, *event.outputs) for link in _links(d, index)]
    # what facets say was read or made counts like an input or output; that they name nothing takes nothing away (law 2)
    inputs += [_of_name(name, index) for name in event.read_too]
    outputs += [_of_name(name, index) for name in event.made_too]
    key = said = b""
    if run is not None:
        key = run_key(run.run_id)
    elif job is not None and (inputs or outputs):
        # a JobEvent states what every run of the job reads and makes: lineage like a run's
        key = b"j" + f"{job.namespace}/{job.name}".encode()
    if event.dataset is not None:
        links += _links(event.dataset, index)
        if made_from := event.dataset.made_from:
            if key:
                alone = ()
                outputs.append(_reference(event.dataset, index))
            else:
                said = b"d" + _reference(event.dataset, index).key
            inputs += [_of_name(name, index) for name in made_from]
    return Prepared(position, event, False, key, inputs, outputs, alone, said, links)


def _of_name(name: Name, index: int) -> Reference:
    """A dataset that a facet names, without content."""
    _check_lengths(index, name.namespace + name.name)
    return Reference((name.namespace, name.name), named_key(f"{name.namespace}/{name.name}"), 0, None, ())


def _links(dataset: Dataset, index: int) -> list[Link]:
    """What the other names of a dataset connect."""
    if not (others := dataset.other_names):
        return []
    own = _of_name(Name(dataset.namespace, dataset.name), index)
    seen = _reference(dataset, index)
    names = {own.key: own, **{other.key: other for other in (_of_name(name, index) for name in others)}}
    found = [] if len(names) == 1 or seen.key == own.key else [Link(_link_key(seen, own, b">"), seen, own, both=False)]
    for other in list(names.values())[1:]:
        first, last = sorted((own, other), key=lambda reference: reference.key)
        found.append(Link(_link_key(first, last, b"="), first, last, both=True))
    return found


def _link_key(one: Reference, other: Reference, kind: bytes) -> bytes:
    return kind + blake2b(one.key + b"\0" + other.key, digest_size=20).digest()


def _reference(dataset: Dataset, index: int) -> Reference:
    namespace, name, facets = dataset.namespace, dataset.name, dataset.facets
    if len(namespace) + len(name) > _SHORT:
        _check_lengths(index, namespace + name)
    role = 0 if dataset.input_facets is None else NUMBER[dataset.use] << 1
    if facets is None:
        return Reference((namespace, name), named_key(f"{namespace}/{name}"), role, None, ())
    content, origin = facets.content, facets.origin
    if content is None:
        key = named_key(f"{namespace}/{name}")
    else:
        hash_, size = content.hash, content.size
        if len(hash_) > _SHORT:
            _check_lengths(index, hash_)
        if hash_ in TRIVIAL_HASHES or (size is not None and size < TRIVIAL_BYTES):
            key = node_key(namespace, name, Content(hash_, size))
        else:
            key = content_key(hash_)
        if not content.members:
            content = None
    if facets.dataset_type is not None and dataset.is_model:
        role |= 1
    return Reference((namespace, name), key, role, content, () if origin is None else origin.tags)


def claim_of(act: Removal | Correction) -> tuple[object, ...]:
    """What must agree between a claim and its approval."""
    if isinstance(act, Removal):
        return structs.replace(act, sources=(), approved_by=""), frozenset(act.sources)
    return (structs.replace(act, approved_by=""),)


def entries_of(working: Working, kind: Act, key: str) -> list[Event]:
    """The events of an act, in the order they were recorded."""
    found = working.store.rows("SELECT entry FROM act WHERE kind = ? AND key = ? ORDER BY entry", (int(kind), key))
    return [event_at(working, position) for (position,) in found]


def event_at(working: Working, position: int) -> Event:
    """The event of an entry."""
    event = working.events.get(position)
    if event is None:
        if len(working.events) >= MOST_EVENTS:
            working.events.clear()
        event = working.events[position] = read(working.entry(position)[0])
    return event
