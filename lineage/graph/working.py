"""Rows in memory: read when first needed, changed freely, written back together.

One `Working` belongs to one transaction's view of the store, or to a chain of our own transactions that nobody wrote
between (`Graph` sees to that). A row that must be there and is not raises (law 10). What the rows mean is decided in
`project` and `propagate`.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from lineage.errors import UsageError
from lineage.graph import rows
from lineage.graph.pairs import CONTENT, MASK, MOST_SOURCES, through
from lineage.graph.rows import CORRECTED, DIRECTORY, LINKED, MEMBER, MORE_MAKERS, NARROWED, Head, Node, Run, SourceKind
from lineage.ledger import CHUNK, unpack
from lineage.store import Insert, Lookup, Store
from lineage.store.store import Row, damaged
from lineage.vocabulary import UNDECLARED, Basis, Kind, Origin

if TYPE_CHECKING:
    from lineage.events import Event

EMPTY = 1
"""Id of the empty set: known, and nothing inherited."""
MOST_CHUNKS = 64
"""Rows of the ledger kept unpacked (about 100 kB each)."""
MOST_ROWS = 100_000
"""Rows of one kind kept between transactions; beyond, all are dropped (about 40 MB)."""

Codes = tuple[int, ...]


class DatasetRow(msgspec.Struct):
    """A name."""

    id: int
    namespace: int
    name: str
    node: int
    entry: int
    last: int
    model: int
    dirty: bool = False


class SourceRow(msgspec.Struct):
    """A source."""

    id: int
    kind: int
    node: int
    dataset: int
    base: int
    origins: tuple[int, ...]
    tags: int
    dirty: bool = False


read_origin = msgspec.json.Decoder(Origin).decode


def pack_pairs(pairs: frozenset[int]) -> bytes:
    """The stored form of a set: sorted, four bytes each, little end first."""
    return struct.pack(f"<{len(pairs)}I", *sorted(pairs))


def digest_of(packed: bytes) -> bytes:
    """What a set is found by."""
    return blake2b(packed, digest_size=16).digest()


def unpack_pairs(data: bytes) -> frozenset[int]:
    """The set of a stored form."""
    return frozenset(struct.unpack(f"<{len(data) // 4}I", data))


STATED = ("provider", "service", "channel", "terms", "licence", "jurisdiction", "acquired")
"""What a removal can state of the origin that it takes out, beside its kind."""


def spoken_for(codes: Iterable[int]) -> bool:
    """Whether tags with these codes end ``undeclared``: what others outside say does not (law 8)."""
    return any(code & 7 != _IMPORTED for code in codes)


_IMPORTED = rows.BASIS_NUMBER[Basis.IMPORTED]


def matches(claimed: Origin, origin: Origin) -> bool:
    """Whether a removal of ``claimed`` takes ``origin`` out: the kind, and whatever else the claim states.

    ``undeclared`` is never taken out: it is the absence of a tag, and a removal speaks of a known origin.
    """
    if origin.kind is Kind.UNDECLARED or claimed.kind is not origin.kind:
        return False
    return all(getattr(claimed, field) in ("", getattr(origin, field)) for field in STATED)


def contradicts(claimed: Origin, found: Origin) -> bool:
    """Whether a match with ``found`` contradicts a removal of ``claimed``: what either does not state may be anything.

    Only who made it counts: a match knows content, not by which channel or under which terms it came.
    """
    if claimed.kind is not found.kind or found.kind is Kind.UNDECLARED:
        return False
    pairs = (claimed.provider, found.provider), (claimed.service, found.service)
    return all(one == other or "" in (one, other) for one, other in pairs)


class Working:
    """See the module.

    Args:
        store: open, in a transaction whenever a method is called.
        head: the head row at the start.
    """

    def __init__(self, store: Store, head: Head) -> None:
        self.store = store
        self.head = head
        self.nodes: dict[int, Node] = {}
        self.node_ids: dict[bytes, int] = {}
        self.runs: dict[int, Run] = {}
        self.run_ids: dict[bytes, int] = {}
        self.datasets: dict[int, DatasetRow] = {}
        self.names: dict[tuple[str, str], DatasetRow] = {}
        self.asked_names: set[str] = set()
        self.others: dict[int, list[int]] = {}
        self.namespaces: dict[str, int] | None = None
        self.sets: dict[int, frozenset[int]] = {EMPTY: frozenset()}
        self.set_ids: dict[frozenset[int], int] = {frozenset(): EMPTY}
        self.sources: dict[int, SourceRow] = {}
        self.narrowed: dict[tuple[int, tuple[int, ...]], int] = {}
        self.generated: dict[int, int] = {}
        self.origins: dict[int, Origin] = {0: UNDECLARED}
        self.origin_ids: dict[Origin, int] = {UNDECLARED: 0}
        self.resolved: dict[int, tuple[bool, Codes]] = {}
        self.tag_codes: dict[int, set[int]] = {}
        self.memo: dict[Any, int] = {}
        self.chunks: dict[int, tuple[int, int, list[bytes]]] = {}
        self.events: dict[int, Event] = {}
        self.contradicted: dict[int, set[int]] = {}
        """Of a node that removals speak for, the origins whose removal is void."""
        self.changed()

    def changed(self) -> None:
        """Forget what was to be written: it is, or it never will be."""
        self.pending: defaultdict[Insert, list[tuple[Any, ...]]] = defaultdict(list)
        self.dirty_nodes: list[Node] = []
        self.new_nodes: set[int] = set()
        self.dirty_runs: list[Run] = []
        self.new_runs: set[int] = set()
        self.dirty_datasets: list[DatasetRow] = []
        self.new_datasets: set[int] = set()
        self.new_versions: set[tuple[int, int]] = set()
        self.new_sets: list[int] = []
        self.new_sources: set[int] = set()
        self.dirty_sources: list[SourceRow] = []
        self.new_readers: defaultdict[int, list[int]] = defaultdict(list)
        self.new_makers: defaultdict[int, list[int]] = defaultdict(list)
        self.new_members: defaultdict[int, list[int]] = defaultdict(list)
        self.new_directories: defaultdict[int, list[int]] = defaultdict(list)
        self.retagged: set[int] = set()

    def trim(self) -> None:
        """Drop rows when there are many. Only between transactions."""
        if len(self.nodes) > MOST_ROWS or len(self.node_ids) > MOST_ROWS:
            self.nodes.clear()
            self.node_ids.clear()
            self.others.clear()
        if len(self.runs) > MOST_ROWS // 4:
            self.runs.clear()
        if len(self.run_ids) > MOST_ROWS:
            self.run_ids.clear()
        if len(self.asked_names) > MOST_ROWS:
            self.datasets.clear()
            self.names.clear()
            self.asked_names.clear()
        if len(self.sets) > MOST_ROWS // 4 or len(self.memo) > MOST_ROWS:
            self.sets = {EMPTY: frozenset()}
            self.set_ids = {frozenset(): EMPTY}
            self.memo.clear()
        if len(self.sources) > MOST_ROWS or len(self.resolved) > MOST_ROWS:
            self.sources.clear()
            self.narrowed.clear()
            self.generated.clear()
            self.resolved.clear()
            self.tag_codes.clear()

    # nodes

    def fetch_nodes(self, keys: Iterable[bytes]) -> None:
        """Read the nodes of these keys, in one go."""
        known = self.node_ids
        missing = [key for key in keys if key not in known]
        if not missing:
            return
        for key, node, *columns in self.store.lookup(rows.NODE_BY_KEY, missing):
            if columns[0] is None:
                raise damaged(f"node {node} is missing")
            known[bytes(key)] = node
            if node not in self.nodes:
                self.nodes[node] = Node(*columns)

    def find_node(self, key: bytes) -> Node | None:
        """The node of a key, if there is one."""
        node = self.node_ids.get(key)
        if node is None:
            self.fetch_nodes((key,))
            node = self.node_ids.get(key)
        return None if node is None else self.node(node)

    def node_of(self, key: bytes) -> Node:
        """The node of a key that was fetched before (`fetch_nodes`), made if there is none."""
        known = self.node_ids.get(key)
        if known is not None:
            return self.nodes.get(known) or self.node(known)
        head = self.head
        head.nodes += 1
        node = Node(head.nodes, 0, 0, 0, 0, 0)
        self.nodes[node.id] = node
        self.node_ids[key] = node.id
        self.new_nodes.add(node.id)
        self.pending[rows.PUT_CONTENT].append((key, node.id))
        self.touch(node)
        return node

    def node(self, id: int) -> Node:  # noqa: A002
        """A node by id."""
        node = self.nodes.get(id)
        if node is None:
            self.load_nodes((id,))
            node = self.nodes.get(id)
            if node is None:
                raise damaged(f"node {id} is missing")
        return node

    def load_nodes(self, ids: Iterable[int]) -> None:
        """Read nodes by id, in one go."""
        for columns in self.store.lookup(rows.NODE_BY_ID, [i for i in ids if i not in self.nodes]):
            self.nodes[columns[0]] = Node(*columns)

    def touch(self, node: Node) -> None:
        """Have a changed node written."""
        if not node.dirty:
            node.dirty = True
            self.dirty_nodes.append(node)

    def key(self, node: int) -> bytes:
        """Key of a node; slow, the table is ordered by key."""
        for key, id_ in self.node_ids.items():
            if id_ == node:
                return key
        row = self.store.one("SELECT key FROM content WHERE node = ?", (node,))
        if row is None:
            raise damaged(f"the key of node {node} is missing")
        return bytes(row[0])

    def readers(self, node: int) -> list[int]:
        """Runs that read it."""
        return self._linked(rows.READERS, node, self.new_readers)

    def makers(self, node: Node) -> list[int]:
        """Runs that made it."""
        if not node.run:
            return []
        if not node.flags & MORE_MAKERS:
            return [node.run]
        return [node.run, *self._linked(rows.MADE, node.id, self.new_makers)]

    def members(self, node: Node) -> list[int]:
        """Files of a directory."""
        return self._linked(rows.MEMBERS, node.id, self.new_members) if node.flags & DIRECTORY else []

    def directories(self, node: Node) -> list[int]:
        """Directories it is a file of."""
        return self._linked(rows.DIRECTORIES, node.id, self.new_directories) if node.flags & MEMBER else []

    def same(self, node: Node) -> list[Node]:
        """The nodes that its other names stand for, theirs too; itself first."""
        found = {node.id: node}
        waiting = [node]
        while waiting:
            at = waiting.pop()
            for id_ in self._others(at.id) if at.flags & LINKED else ():
                if id_ not in found:
                    found[id_] = self.node(id_)
                    waiting.append(found[id_])
        return list(found.values())

    def add_same(self, one: Node, other: Node) -> None:
        """Have two nodes be names of one thing."""
        for here, there in ((one, other), (other, one)):
            if not here.flags & LINKED:
                here.flags |= LINKED
                self.touch(here)
                self.others[here.id] = []
            self._others(here.id).append(there.id)
            self.pending[rows.PUT_SAME].append((here.id, there.id))

    def _others(self, node: int) -> list[int]:
        known = self.others.get(node)
        if known is None:
            known = self.others[node] = [other for _, other in self.store.lookup(rows.SAME, (node,))]
        return known

    def _linked(self, query: Lookup, node: int, new: dict[int, list[int]]) -> list[int]:
        new_ = new.get(node, [])
        return new_ if node in self.new_nodes else [row[1] for row in self.store.lookup(query, (node,))] + new_

    # entries

    def entry(self, position: int) -> tuple[bytes, int]:
        """(exact bytes, time it was recorded) of an entry."""
        chunk = self.chunks.get(position // CHUNK)
        if chunk is None or not chunk[0] <= position < chunk[0] + len(chunk[2]):
            row = self.store.one(rows.ENTRY_AT, (position,))
            if row is None or position >= row[0] + row[1]:
                raise damaged(f"entry {position} of the ledger is missing")
            chunk = row[0], row[2], unpack(bytes(row[3]))
            if len(chunk[2]) != row[1]:
                raise damaged(f"the row of entry {position} does not hold what it says")
            if len(self.chunks) > MOST_CHUNKS:
                self.chunks.clear()
            self.chunks[position // CHUNK] = chunk
        return chunk[2][position - chunk[0]], chunk[1]

    def version(self, dataset: int, node: int) -> int:
        """Position of the entry that first named a node so."""
        row = self.dataset(dataset)
        if row.node == node:
            return row.entry
        found = self.store.one("SELECT entry FROM version WHERE dataset = ? AND node = ?", (dataset, node))
        if found is None:
            raise damaged(f"the version of dataset {dataset} with node {node} is missing")
        return int(found[0])

    def has_version(self, dataset: int, node: int) -> bool:
        """Whether the table `version` has this one, or will."""
        if (dataset, node) in self.new_versions:
            return True
        if node in self.new_nodes or dataset in self.new_datasets:
            return False
        sql = "SELECT 1 FROM version WHERE dataset = ? AND node = ?"
        return self.store.one(sql, (dataset, node)) is not None

    def add_version(self, dataset: int, node: int, entry: int) -> None:
        """Have a version written."""
        self.head.versions += 1
        self.new_versions.add((dataset, node))
        self.pending[rows.PUT_VERSION].append((dataset, node, entry))

    # runs

    def fetch_runs(self, keys: Iterable[bytes]) -> None:
        """Read the runs of these keys, in one go."""
        missing = [key for key in keys if key not in self.run_ids]
        if not missing:
            return
        for key, run in self.store.lookup(rows.RUN_BY_KEY, missing):
            self.run_ids[bytes(key)] = run

    def run_of(self, key: bytes, entry: int) -> Run:
        """The run of a key that was fetched before, made if there is none."""
        known = self.run_ids.get(key)
        if known is not None:
            return self.run(known)
        self.head.runs += 1
        run = Run(self.head.runs, entry, [], [])
        self.runs[run.id] = run
        self.run_ids[key] = run.id
        self.new_runs.add(run.id)
        self.pending[rows.PUT_RUN_KEY].append((key, run.id))
        run.dirty = True
        self.dirty_runs.append(run)
        return run

    def run(self, id: int) -> Run:  # noqa: A002
        """A run by id."""
        run = self.runs.get(id)
        if run is None:
            self.load_runs((id,))
            run = self.runs.get(id)
            if run is None:
                raise damaged(f"run {id} is missing")
        return run

    def load_runs(self, ids: Iterable[int]) -> None:
        """Read runs by id, in one go."""
        for id_, entry, edges in self.store.lookup(rows.RUN_BY_ID, [i for i in ids if i not in self.runs]):
            try:
                inputs, outputs = rows.unpack_edges(bytes(edges))
            except ValueError as error:
                raise damaged(f"the edges of run {id_} cannot be read: {error}") from None
            self.runs[id_] = Run(id_, entry, inputs, outputs)

    # names

    def _namespaces(self) -> dict[str, int]:
        if self.namespaces is None:
            self.namespaces = {name: id_ for id_, name in self.store.rows("SELECT id, name FROM namespace")}
        return self.namespaces

    def namespace_text(self, id: int) -> str:  # noqa: A002
        """A namespace by id."""
        for text, number in self._namespaces().items():
            if number == id:
                return text
        raise damaged(f"namespace {id} is missing")

    def fetch_datasets(self, names: Iterable[str]) -> None:
        """Read the datasets of these names, whatever their namespace, in one go."""
        missing = [name for name in names if name not in self.asked_names]
        if missing:
            self.asked_names.update(missing)
            for columns in self.store.lookup(rows.DATASET_BY_NAME, missing):
                self._keep(columns)

    def _keep(self, columns: Sequence[Any]) -> None:
        if columns[0] not in self.datasets:
            row = DatasetRow(*columns)
            self.datasets[row.id] = row
            self.names[self.namespace_text(row.namespace), row.name] = row

    def dataset_of(self, namespace: str, name: str) -> DatasetRow:
        """The dataset of a name that was fetched before, made if there is none."""
        row = self.names.get((namespace, name))
        if row is None:
            head, known = self.head, self._namespaces()
            if namespace not in known:
                head.namespaces += 1
                known[namespace] = head.namespaces
                self.pending[rows.PUT_NAMESPACE].append((head.namespaces, namespace))
            head.datasets += 1
            row = DatasetRow(head.datasets, known[namespace], name, 0, 0, 0, 0)
            self.datasets[row.id] = row
            self.names[namespace, name] = row
            self.new_datasets.add(row.id)
            self.touch_dataset(row)
        return row

    def find_dataset(self, namespace: str, name: str) -> DatasetRow | None:
        """The dataset of a name, if there is one."""
        self.fetch_datasets((name,))
        return self.names.get((namespace, name))

    def dataset(self, id: int) -> DatasetRow:  # noqa: A002
        """A dataset by id."""
        row = self.datasets.get(id)
        if row is None:
            for columns in self.store.lookup(rows.DATASET_BY_ID, (id,)):
                self._keep(columns)
            row = self.datasets.get(id)
            if row is None:
                raise damaged(f"dataset {id} is missing")
        return row

    def touch_dataset(self, row: DatasetRow) -> None:
        """Have a changed dataset written."""
        if not row.dirty:
            row.dirty = True
            self.dirty_datasets.append(row)

    # sets

    def pairs(self, id: int) -> frozenset[int]:  # noqa: A002
        """The pairs of a set."""
        pairs = self.sets.get(id)
        if pairs is None:
            found = self.store.lookup(rows.SET_BY_ID, (id,))
            if not found:
                raise damaged(f"set {id} is missing")
            if len(found[0][1]) % 4:
                raise damaged(f"set {id} cannot be read")
            pairs = self.sets[id] = unpack_pairs(found[0][1])
        return pairs

    def intern(self, pairs: frozenset[int]) -> int:
        """Id of a set; each distinct one is kept once."""
        known = self.set_ids.get(pairs)
        if known is not None:
            return known
        packed = pack_pairs(pairs)
        found = self.store.lookup(rows.SET_BY_DIGEST, (digest_of(packed),))
        if found:
            id_ = int(found[0][1])
        else:
            self.head.pairsets += 1
            id_ = self.head.pairsets
            self.new_sets.append(id_)
        self.sets[id_] = pairs
        self.set_ids[pairs] = id_
        return id_

    def union(self, ids: Iterable[int]) -> int:
        """Id of the union of sets; 0 and the empty set add nothing."""
        distinct = set(ids)
        distinct.discard(0)
        distinct.discard(EMPTY)
        if len(distinct) < 2:
            return distinct.pop() if distinct else EMPTY
        key = frozenset(distinct)
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = self.intern(frozenset().union(*[self.pairs(i) for i in distinct]))
        return known

    def through(self, id: int, use: int, model: bool) -> int:  # noqa: A002
        """Id of what an input with this set gives to an output (`pairs.through`)."""
        if id <= EMPTY or (use == CONTENT and not model):
            return id
        key = (id, use, model)
        known = self.memo.get(key)
        if known is None:
            known = self.memo[key] = self.intern(through(self.pairs(id), use, model))
        return known

    # sources

    def source(self, id: int) -> SourceRow:  # noqa: A002
        """A source by id."""
        row = self.sources.get(id)
        if row is None:
            self.load_sources((id,))
            row = self.sources.get(id)
            if row is None:
                raise damaged(f"source {id} is missing")
        return row

    def load_sources(self, ids: Iterable[int]) -> None:
        """Read sources by id, in one go."""
        wanted = [i for i in ids if i not in self.sources]
        for id_, kind, node, dataset, base, origins, tags in self.store.lookup(rows.SOURCE_BY_ID, wanted):
            taken_out = tuple(map(int, origins.split(","))) if origins else ()
            self.sources[id_] = SourceRow(id_, kind, node, dataset, base, taken_out, tags)

    def new_source(
        self, kind: SourceKind, node: int, dataset: int, base: int = 0, origins: tuple[int, ...] = ()
    ) -> int:
        """Give out a source."""
        self.head.sources += 1
        id_ = self.head.sources
        if id_ >= MOST_SOURCES:
            raise UsageError("the store is full", code="STORE_FULL", cause=f"it holds {MOST_SOURCES - 1} sources")
        row = self.sources[id_] = SourceRow(id_, kind, node, dataset, base, origins, 0)
        self.new_sources.add(id_)
        self.touch_source(row)
        return id_

    def touch_source(self, row: SourceRow) -> None:
        """Have a changed source written."""
        if not row.dirty:
            row.dirty = True
            self.dirty_sources.append(row)

    def generated_by(self, dataset: int, node: int) -> int:
        """The source for what the model of this name generates (law 6).

        Args:
            dataset: the model's name.
            node: the node of that name, which a removal can point to.
        """
        known = self.generated.get(dataset)
        if known is None:
            found = self.store.lookup(rows.GENERATED_BY_DATASET, (dataset,))
            known = found[0][1] if found else self.new_source(SourceKind.GENERATED, node, dataset)
            self.generated[dataset] = known
        return known

    def without(self, source: int, origin: int) -> int:
        """The source narrowed by one more origin."""
        row = self.source(source)
        if origin in row.origins:
            return source
        base = row.base or source
        key = (base, tuple(sorted((*row.origins, origin))))
        known = self.narrowed.get(key)
        if known is None:
            for found_base, id_, origins in self.store.lookup(rows.NARROWED_BY_BASE, (base,)):
                self.narrowed[found_base, tuple(map(int, origins.split(",")))] = id_
            known = self.narrowed.get(key)
            if known is None:
                bottom = self.source(base)
                known = self.new_source(SourceKind.NARROWED, bottom.node, bottom.dataset, base, key[1])
                self.narrowed[key] = known
        return known

    def narrow(self, node: Node, set_id: int) -> int:
        """What a node inherits of a set, removals in force taken into account (law 2)."""
        if not node.flags & NARROWED or set_id <= EMPTY:
            return set_id
        removed: dict[int, list[int]] = {}
        for origin, bottom in self.removed(node):
            removed.setdefault(bottom, []).append(origin)
        out = set()
        for pair in self.pairs(set_id):
            source = pair >> 4
            for origin in removed.get(self.source(source).node, ()):
                source = self.without(source, origin)
            out.add(source << 4 | pair & MASK)
        return self.intern(frozenset(out))

    def removed(self, node: Node) -> list[tuple[int, int]]:
        """(origin, node of the source) of what removals in force take out of what a node inherits.

        A removal is void while a match on the content, or on a file of it, says that the origin is still there.
        """
        if not node.flags & NARROWED:
            return []
        found = [(o, s) for _, o, s in self.store.lookup(rows.REMOVALS, (node.id,))]
        found += [(o, s) for n, o, s in self.pending[rows.PUT_REMOVAL] if n == node.id]
        void = self.contradicted.get(node.id)
        if void is None:
            matched = {self.origin(o) for at in self.inside(node) for o in self._matched(at)}
            void = {o for o, _ in found if any(contradicts(self.origin(o), value) for value in matched)}
            self.contradicted[node.id] = void
        return [(o, s) for o, s in found if o not in void]

    def inside(self, node: Node) -> list[Node]:
        """A node and, of a directory, its files, those of directories among them too."""
        out = {node.id: node}
        waiting = [node]
        while waiting:
            files = [f for f in self.members(waiting.pop()) if f not in out]
            self.load_nodes(files)
            out.update((f, self.node(f)) for f in files)
            waiting += [self.node(f) for f in files]
        return list(out.values())

    def _matched(self, node: Node) -> list[int]:
        """Origins of the matches on a node that nobody took back."""
        if not node.source:
            return []
        matched = rows.BASIS_NUMBER[Basis.MATCHED]
        return [code >> 3 for code in self.tags(node.source) - self.taken(node) if code & 7 == matched]

    def origin_id(self, origin: Origin) -> int:
        """Id of an origin, made if there is none."""
        known = self.origin_ids.get(origin)
        if known is None:
            if len(self.origins) <= self.head.origins:
                self._keep_origins(self.store.rows("SELECT id, value FROM origin"))
                known = self.origin_ids.get(origin)
            if known is None:
                self.head.origins += 1
                known = self.head.origins
                self.origins[known] = origin
                self.origin_ids[origin] = known
                self.pending[rows.PUT_ORIGIN].append((known, msgspec.json.encode(origin).decode()))
        return known

    def origin(self, id: int) -> Origin:  # noqa: A002
        """An origin by id."""
        found = self.origins.get(id)
        if found is None:
            self.load_origins((id,))
            found = self.origins.get(id)
            if found is None:
                raise damaged(f"origin {id} is missing")
        return found

    def load_origins(self, ids: Iterable[int]) -> None:
        """Read origins by id, in one go."""
        self._keep_origins(self.store.lookup(rows.ORIGIN_BY_ID, [i for i in ids if i not in self.origins]))

    def _keep_origins(self, found: Iterable[Row]) -> None:
        for id_, value in found:
            origin = read_origin(value)
            self.origins[id_] = origin
            self.origin_ids[origin] = id_

    def tags(self, source: int) -> set[int]:
        """Codes (origin * 8 + basis) of the tags on a source, taken back or not."""
        known = self.tag_codes.get(source)
        if known is None:
            found = () if source in self.new_sources else self.store.lookup(rows.TAGS, (source,))
            known = {origin << 3 | basis for _, origin, basis, _ in found}
            if len(known) != self.source(source).tags:
                raise damaged(f"a tag of source {source} is missing")
            self.tag_codes[source] = known
        return known

    def add_tag(self, source: int, code: int) -> None:
        """Put a new tag on a source; its row is the caller's."""
        self.tags(source).add(code)
        row = self.source(source)
        row.tags += 1
        self.touch_source(row)
        self.retag(source)

    def taken(self, node: Node) -> set[int]:
        """Codes of the tags that corrections in force took back from a node."""
        if not node.flags & CORRECTED:
            return set()
        found = {o << 3 | b for _, o, b in self.store.lookup(rows.TAKEN, (node.id,))}
        return found | {o << 3 | b for n, o, b in self.pending[rows.PUT_TAKEN] if n == node.id}

    def retag(self, source: int) -> None:
        """Note that a source no longer resolves to what it did."""
        self.resolved.pop(source, None)
        if source in self.new_sources or source in self.retagged:
            return
        self.head.epoch += 1
        self.retagged.add(source)
        self.pending[rows.PUT_RETAG].append((self.head.epoch, source))
        for _, narrowed, _ in self.store.lookup(rows.NARROWED_BY_BASE, (source,)):
            self.retag(narrowed)

    def explained(self, node: Node) -> bool:
        """Whether a recorded run made it from data, under any of its names, or somebody spoke for another (law 8)."""
        if self._made_from_data(node):
            return True
        return any(
            self._made_from_data(other) or (other.source and spoken_for(self.tags(other.source) - self.taken(other)))
            for other in self.same(node)[1:]
        )

    def _made_from_data(self, node: Node) -> bool:
        """Whether some recorded run made it from data.

        A file of a directory is made by the runs that made the directory, unless they read the very file; where no
        run made the directory, the directory is the source and the file is not one beside it.
        """
        id_ = node.id
        if node.run and self.run(node.run).explains(id_):
            return True  # the others need not be read: a table has one a day
        for r in self.makers(node):
            if (self.runs.get(r) or self.run(r)).explains(id_):
                return True
        if node.flags & DIRECTORY:
            return False  # never through another directory: two that list each other would explain each other
        for directory in self.directories(node):
            makers = [run for r in self.makers(self.node(directory)) if (run := self.run(r)).explains(directory)]
            if not makers or any(id_ not in run.reads for run in makers):
                return True
        return False
