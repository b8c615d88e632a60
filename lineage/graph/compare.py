"""Whether the rows of the graph are what the ledger's entries lead to, compared by meaning and not by row id.

The rows that are there are copied beside those of a replay, in the replay's scratch store on disk, so that a large
store is compared in little memory. A content is its key, a run its id, a name its text, a set of sources what its live
members say: how entries were batched decides ids, and leaves members behind that stand for nothing; neither decides an
answer.
"""
# ruff: noqa: S608 - every statement here is made of names of our own schema

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from lineage.graph.pairs import MASK
from lineage.graph.resolve import label_codes, resolve, unpack_labels
from lineage.graph.rows import EXPLAINED, SourceKind, unpack_edges
from lineage.graph.working import Working, digest_of, pack_pairs, read_origin, unpack_pairs
from lineage.graph.write import head_of
from lineage.store import Insert, Store
from lineage.store.store import Row

_PAGE = 5_000
_MOST = 1_000
"""Rows of one table that the first entry is looked for among."""
NOT_ROWS_OF_THE_GRAPH = frozenset(
    {"head", "entry", "state", "checkpoint", "token", "job", "job_run", "run_event", "received"}
)
"""Tables that are compared otherwise (`lineage.graph.verify`), or hold what no entry says (cursors of pipelines, hashes
of tokens), or what no verdict rests on (lists of jobs, what came in before)."""


class Difference(NamedTuple):
    """Rows that are not what follows from the ledger."""

    what: str
    """What the rows are about."""
    missing: bool
    """Whether they follow from the ledger and are not there; else they are there and do not follow."""
    rows: int
    """How many."""
    entry: int | None
    """The first entry, counted from 0, that one of them rests on; None when no entry speaks of them."""


class _Rows(NamedTuple):
    """One table's meaning: a query on the replay, and one on the copy that says the same in the replay's ids."""

    what: str
    here: str
    there: str
    entry: str
    """The entry that a row rests on."""


_NODE, _RUN, _NAME = (f"(SELECT here FROM {kind}_map WHERE there = %s)" for kind in ("node", "run", "dataset"))
_ORIGIN = "(SELECT value FROM there_origin WHERE id = t.origin)"
_NAMED = "(SELECT entry FROM named WHERE node = d.%s)"
_OF_RUN = "(SELECT entry FROM run WHERE id = d.run)"

_COMPARED = (
    _Rows(
        "which contents are known",
        "SELECT key, node FROM content",
        f"SELECT t.key, {_NODE % 't.node'} FROM there_content t",
        _NAMED % "node",
    ),
    _Rows(
        "which runs there were",
        "SELECT k.key, k.run, r.entry FROM run_key k JOIN run r ON r.id = k.run",
        f"SELECT t.key, {_RUN % 't.run'}, (SELECT entry FROM there_run WHERE id = t.run) FROM there_run_key t",
        "d.entry",
    ),
    _Rows(
        "which names there are, and what they stand for",
        "SELECT s.name AS namespace, d.name, d.id, d.node, d.entry, d.last, d.model FROM dataset d "
        "JOIN namespace s ON s.id = d.namespace",
        f"SELECT s.name, t.name, {_NAME % 't.id'}, {_NODE % 't.node'}, t.entry, {_NODE % 't.last'}, t.model "
        "FROM there_dataset t LEFT JOIN there_namespace s ON s.id = t.namespace",
        "d.entry",
    ),
    _Rows(
        "which versions were recorded under a name",
        "SELECT dataset, node, entry FROM version",
        f"SELECT {_NAME % 't.dataset'}, {_NODE % 't.node'}, t.entry FROM there_version t",
        "d.entry",
    ),
    _Rows(
        "what runs read",
        "SELECT node, run FROM reads",
        f"SELECT {_NODE % 't.node'}, {_RUN % 't.run'} FROM there_reads t",
        _OF_RUN,
    ),
    _Rows(
        "what runs made",
        "SELECT node, run FROM made UNION SELECT id, run FROM node WHERE run > 0",
        f"SELECT {_NODE % 't.node'}, {_RUN % 't.run'} FROM there_made t "
        f"UNION SELECT {_NODE % 't.id'}, {_RUN % 't.run'} FROM there_node t WHERE t.run > 0",
        _OF_RUN,
    ),
    _Rows(
        "which files directories hold",
        "SELECT directory, node FROM member",
        f"SELECT {_NODE % 't.directory'}, {_NODE % 't.node'} FROM there_member t",
        _NAMED % "directory",
    ),
    _Rows(
        "which names are of one thing",
        "SELECT node, other FROM same",
        f"SELECT {_NODE % 't.node'}, {_NODE % 't.other'} FROM there_same t",
        _NAMED % "node",
    ),
    _Rows(
        "which origins were declared",
        "SELECT s.node, (SELECT value FROM origin WHERE id = t.origin) AS origin, t.basis, t.entry FROM tag t "
        "JOIN source s ON s.id = t.source",
        f"SELECT (SELECT {_NODE % 's.node'} FROM there_source s WHERE s.id = t.source), {_ORIGIN}, t.basis, t.entry "
        "FROM there_tag t",
        "d.entry",
    ),
    _Rows(
        "which declarations were taken back",
        "SELECT node, (SELECT value FROM origin WHERE id = t.origin) AS origin, basis FROM taken t",
        f"SELECT {_NODE % 't.node'}, {_ORIGIN}, t.basis FROM there_taken t",
        _NAMED % "node",
    ),
    _Rows(
        "which origins were removed",
        "SELECT node, (SELECT value FROM origin WHERE id = t.origin) AS origin, source FROM removal t",
        f"SELECT {_NODE % 't.node'}, {_ORIGIN}, {_NODE % 't.source'} FROM there_removal t",
        _NAMED % "node",
    ),
    _Rows(
        "decisions, grants, removals and other acts",
        "SELECT kind, key, entry FROM act",
        "SELECT kind, key, entry FROM there_act",
        "d.entry",
    ),
    _Rows(
        "which further events speak of a run",
        "SELECT run, entry FROM again",
        f"SELECT {_RUN % 't.run'}, t.entry FROM there_again t",
        "d.entry",
    ),
    _Rows(
        "which events speak of a content outside of runs",
        "SELECT node, entry FROM spoken",
        f"SELECT {_NODE % 't.node'}, t.entry FROM there_spoken t",
        "d.entry",
    ),
    _Rows(
        "what is known of contents",
        "SELECT id AS node, flags, run FROM node",
        f"SELECT {_NODE % 't.id'}, t.flags, CASE t.run WHEN 0 THEN 0 ELSE {_RUN % 't.run'} END FROM there_node t",
        _NAMED % "node",
    ),
    _Rows(
        "which sources reach a content",
        "SELECT n.id AS node, p.digest AS sources, m.digest AS made FROM node n "
        "LEFT JOIN here_set p ON p.id = n.pairset LEFT JOIN here_set m ON m.id = n.made",
        f"SELECT {_NODE % 't.id'}, p.digest, m.digest FROM there_node t "
        "LEFT JOIN there_set p ON p.id = t.pairset LEFT JOIN there_set m ON m.id = t.made",
        _NAMED % "node",
    ),
)

_MAPS = (
    "CREATE TABLE node_map (there INTEGER PRIMARY KEY, here INTEGER)",
    "INSERT OR IGNORE INTO node_map SELECT t.node, c.node FROM there_content t LEFT JOIN content c ON c.key = t.key",
    "CREATE TABLE run_map (there INTEGER PRIMARY KEY, here INTEGER)",
    "INSERT OR IGNORE INTO run_map SELECT t.run, k.run FROM there_run_key t LEFT JOIN run_key k ON k.key = t.key",
    "CREATE TABLE run_of (here INTEGER PRIMARY KEY, there INTEGER)",
    "INSERT OR IGNORE INTO run_of SELECT here, there FROM run_map WHERE here IS NOT NULL",
    "CREATE TABLE dataset_map (there INTEGER PRIMARY KEY, here INTEGER)",
    "INSERT OR IGNORE INTO dataset_map SELECT t.id, d.id FROM there_dataset t "
    "LEFT JOIN there_namespace n ON n.id = t.namespace LEFT JOIN namespace s ON s.name = n.name "
    "LEFT JOIN dataset d ON d.name = t.name AND d.namespace = s.id",
    "CREATE TABLE here_set (id INTEGER PRIMARY KEY, digest BLOB)",
    "CREATE TABLE there_set (id INTEGER PRIMARY KEY, digest BLOB)",
    "INSERT INTO here_set VALUES (0, X'')",
    "INSERT INTO there_set VALUES (0, X'')",
    "CREATE TABLE named (node INTEGER PRIMARY KEY, entry INTEGER)",
    "INSERT INTO named SELECT node, min(entry) FROM (SELECT node, entry FROM dataset UNION ALL "
    "SELECT node, entry FROM version) GROUP BY node",
)

Told = Callable[[str, int, int], None]


def compare(store: Store, scratch: Store, told: Told) -> Iterator[Difference]:
    """Every kind of row that differs.

    Args:
        store: the store, in a read transaction.
        scratch: what a replay of its entries led to (`lineage.graph.asof.replay`); it is written to.
        told: progress.
    """
    _copy(store, scratch, told)
    for number, statement in enumerate(_MAPS):
        told("matching", number, len(_MAPS))
        scratch.execute(statement)
    there = _There(scratch)
    found: list[Difference] = [*there.sources(), *there.sets(told), *there.edges(told), *_counters(store, scratch)]
    for number, rows in enumerate(_COMPARED):
        told("comparing", number, len(_COMPARED))
        found += _differences(scratch, rows)
    told("comparing", len(_COMPARED), len(_COMPARED))
    yield from sorted(found, key=lambda d: (d.entry is None, d.entry or 0))


def compared_tables() -> frozenset[str]:
    """The tables that `compare` looks at."""
    from lineage.store.tables import metadata

    return frozenset(metadata.tables) - NOT_ROWS_OF_THE_GRAPH


def _copy(store: Store, scratch: Store, told: Told) -> None:
    from lineage.store.migrate import schema_statements
    from lineage.store.tables import metadata

    tables = compared_tables()
    for statement in schema_statements():
        if (match := re.match(r"\s*CREATE TABLE (\w+)", statement)) and match[1] in tables:
            scratch.execute(statement.replace(f"CREATE TABLE {match[1]}", f"CREATE TABLE there_{match[1]}", 1))
    for number, name in enumerate(sorted(tables)):
        told("reading the graph", number, len(tables))
        table = metadata.tables[name]
        columns = tuple(column.name for column in table.columns)
        keys = [column.name for column in table.primary_key]
        into = Insert(f"there_{name}", columns, ())
        for page in _pages(store, name, columns, keys):
            with scratch.write():
                scratch.insert(into, page)


def _pages(store: Store, table: str, columns: Sequence[str], keys: Sequence[str]) -> Iterator[list[Row]]:
    """A table's rows by key, some at a time."""
    order, marks = ", ".join(keys), ", ".join("?" * len(keys))
    select = f"SELECT {', '.join(columns)} FROM {table}"
    where = [columns.index(key) for key in keys]
    after = ""
    last: list[object] = []
    while True:
        page = store.rows(f"{select}{after} ORDER BY {order} LIMIT {_PAGE}", last)
        if page:
            yield page
        if len(page) < _PAGE:
            return
        last = [page[-1][i] for i in where]
        after = f" WHERE ({order}) > ({marks})"


def _differences(scratch: Store, rows: _Rows) -> Iterator[Difference]:
    for missing, one, other in ((True, rows.here, rows.there), (False, rows.there, rows.here)):
        # the first part of a compound names its columns; an empty one says how they are called
        difference = (
            f"SELECT * FROM ({rows.here}) WHERE 0 "
            f"UNION ALL SELECT * FROM (SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other}))"
        )
        (count,) = scratch.rows(f"SELECT count(*) FROM ({difference})")[0]
        if count:
            first = f"SELECT min(entry) FROM (SELECT {rows.entry} AS entry FROM ({difference} LIMIT {_MOST}) d)"
            (entry,) = scratch.rows(first)[0]
            yield Difference(rows.what, missing, count, entry)


def _counters(store: Store, scratch: Store) -> Iterator[Difference]:
    """The head row's counts, and the record of what was retagged: with them new rows and cached labels are read."""
    head, fresh = head_of(store), head_of(scratch)
    wrong = sum(
        getattr(head, name) != getattr(fresh, name)
        for name in ("nodes", "runs", "datasets", "versions", "models", "namespaces")
    )
    for table in ("pairset", "source", "origin"):
        (most,) = scratch.rows(f"SELECT coalesce(max(id), 0) FROM there_{table}")[0]
        wrong += getattr(head, f"{table}s") < most
    found = scratch.rows("SELECT count(*), coalesce(max(epoch), 0) FROM there_retag")
    wrong += tuple(found[0]) != (head.epoch, head.epoch)
    if wrong:
        yield Difference("the counters of the head row", False, wrong, None)


class _There:
    """Sources and sets of the copy, said in the replay's ids."""

    def __init__(self, scratch: Store) -> None:
        self._scratch = scratch
        self._here = Working(scratch, head_of(scratch))
        self._map: dict[int, int] = {}  # source there -> source here
        self._dead: set[int] = set()  # sources there that stand for nothing and are not here
        self._live: dict[int, bool] = {}
        self._origins: dict[int, int] = {0: 0}
        self._retagged: dict[int, int] = {}

    def sources(self) -> Iterator[Difference]:
        """Match the sources; what one stands for must be the same here and there."""
        scratch, here = self._scratch, self._here
        for id_, value in scratch.rows("SELECT id, value FROM there_origin"):
            try:
                self._origins[id_] = here.origin_id(read_origin(value))
            except (msgspec.DecodeError, msgspec.ValidationError):
                yield Difference("how origins read", False, 1, None)
        self._retagged = dict(scratch.rows("SELECT source, max(epoch) FROM there_retag GROUP BY source"))
        known: dict[tuple[object, ...], int] = {}
        for id_, kind, node, dataset, base, origins, _ in _all(scratch, "source"):
            known[self._key(kind, node, dataset, base, origins, int)[0]] = id_
        strange, first = 0, None
        for id_, kind, node, dataset, base, origins, tags in self._theirs():
            key, whole = self._key(
                kind, node, dataset, self._map.get(base, 0), origins, lambda o: self._origins.get(o, 0)
            )
            match = known.pop(key, 0) if whole else 0
            if match and here.source(match).tags == tags:
                self._map[id_] = match
            elif kind == SourceKind.SELF and not tags and node and here.node(node).flags & EXPLAINED:
                self._dead.add(id_)  # it was a source until a run explained it, and nobody spoke for it
            else:
                strange, first = strange + 1, _least(first, self._named(node))
        if strange:
            yield Difference("which contents are sources, and how many declarations are on them", False, strange, first)
        left = [self._named(here.source(s).node) for s in known.values() if self._lives(s)]
        if left:
            yield Difference("which contents are sources", True, len(left), min((e for e in left if e), default=None))
        (loose,) = scratch.rows(
            "SELECT count(*) FROM there_node n LEFT JOIN there_source s ON s.id = n.source "
            "WHERE n.source > 0 AND (s.id IS NULL OR s.kind <> 0 OR s.node <> n.id)"
        )[0]
        (unbound,) = scratch.rows(
            "SELECT count(*) FROM there_source s JOIN there_node n ON n.id = s.node "
            "WHERE s.kind = 0 AND n.source <> s.id"
        )[0]
        (misnamed,) = scratch.rows(
            "SELECT count(*) FROM there_source s WHERE s.kind = 0 AND s.dataset > 0 AND NOT EXISTS "
            "(SELECT 1 FROM there_version v WHERE v.dataset = s.dataset AND v.node = s.node) AND NOT EXISTS "
            "(SELECT 1 FROM there_dataset d WHERE d.id = s.dataset AND d.node = s.node)"
        )[0]
        if loose + unbound + misnamed:
            yield Difference("which content a source stands for", False, loose + unbound + misnamed, None)

    def _theirs(self) -> Iterator[Row]:
        """Their sources, nodes and names said in our ids."""
        last = 0
        while True:
            page = self._scratch.rows(
                "SELECT t.id, t.kind, coalesce(n.here, 0), coalesce(m.here, 0), t.base, t.origins, t.tags "
                "FROM there_source t LEFT JOIN node_map n ON n.there = t.node LEFT JOIN dataset_map m "
                f"ON m.there = t.dataset WHERE t.id > ? ORDER BY t.id LIMIT {_PAGE}",
                (last,),
            )
            yield from page
            self._here.trim()
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def _key(
        self, kind: int, node: int, dataset: int, base: int, origins: str, translate: Callable[[int], int]
    ) -> tuple[tuple[object, ...], bool]:
        """What a source is found by, and whether every part of it is known."""
        if kind == SourceKind.SELF:
            return (kind, node), bool(node)
        if kind == SourceKind.GENERATED:
            return (kind, dataset), bool(dataset)
        taken = frozenset(translate(int(o)) for o in origins.split(","))
        return (kind, base, taken), bool(base) and 0 not in taken

    def _named(self, node: int) -> int | None:
        found = self._scratch.one("SELECT entry FROM named WHERE node = ?", (node,))
        return None if found is None else int(found[0])

    def _lives(self, source: int) -> bool:
        live = self._live.get(source)
        if live is None:
            live = self._live[source] = resolve(self._here, source)[0]
        return live

    def sets(self, told: Told) -> Iterator[Difference]:
        """Note the meaning of every set, here and there, and check the labels that sets there carry."""
        scratch, into = self._scratch, Insert("here_set", ("id", "digest"), ())
        total = scratch.rows("SELECT count(*) FROM there_pairset")[0][0]
        for page in _pages(scratch, "pairset", ("id", "pairs"), ("id",)):
            with scratch.write():
                scratch.insert(into, [(id_, _digest(self._alive(unpack_pairs(pairs)))) for id_, pairs in page])
        into = Insert("there_set", ("id", "digest"), ())
        wrong: list[int] = []
        columns = ("id", "digest", "pairs", "labels", "epoch")
        done = 0
        for page in _pages(scratch, "there_pairset", columns, ("id",)):
            said = []
            for id_, digest, packed, labels, epoch in page:
                pairs = unpack_pairs(packed) if len(packed) % 4 == 0 else frozenset[int]()
                meaning = self._meaning(pairs)
                # a set with a member that nothing explains means nothing that another could mean
                said.append((id_, b"?" if meaning is None else _digest(meaning)))
                holds = (
                    meaning is not None
                    and len(packed) % 4 == 0
                    and digest_of(bytes(packed)) == bytes(digest)
                    and self._labels_hold(pairs, meaning, labels, epoch)
                )
                if not holds and (id_, bytes(packed)) != (1, b""):
                    wrong.append(id_)
            with scratch.write():
                scratch.insert(into, said)
            done += len(page)
            self._here.trim()
            told("checking labels", done, total)
        if wrong:
            yield Difference("which labels a set of sources has", False, len(wrong), self._first_with(wrong[:_MOST]))

    def _alive(self, pairs: frozenset[int]) -> frozenset[int]:
        return frozenset(p for p in pairs if self._lives(p >> 4))

    def _meaning(self, pairs: frozenset[int]) -> frozenset[int] | None:
        """A set there in the ids here, less what stands for nothing; None when a member is unknown."""
        out = set()
        for pair in pairs:
            source = self._map.get(pair >> 4)
            if source is None:
                if pair >> 4 not in self._dead:
                    return None
            elif self._lives(source):
                out.add(source << 4 | pair & MASK)
        return frozenset(out)

    def _labels_hold(self, pairs: frozenset[int], meaning: frozenset[int], stored: bytes, epoch: int) -> bool:
        """Whether what is answered from a set's row is what its sources say; a row that is out of date is not used."""
        if any(self._retagged.get(pair >> 4, -1) > epoch for pair in pairs):
            return True
        try:
            count, codes = unpack_labels(bytes(stored))
        except (msgspec.DecodeError, ValueError):
            return False
        if any(code >> 7 not in self._origins for code in codes):
            return False
        read = frozenset(self._origins[code >> 7] << 7 | code & 127 for code in codes)
        return (count, read) == label_codes(self._here, meaning)

    def _first_with(self, sets: Sequence[int]) -> int | None:
        marks = ", ".join("?" * len(sets))
        (entry,) = self._scratch.rows(
            "SELECT min(d.entry) FROM there_node t JOIN node_map m ON m.there = t.id JOIN named d ON d.node = m.here "
            f"WHERE t.pairset IN ({marks}) OR t.made IN ({marks})",
            (*sets, *sets),
        )[0]
        return None if entry is None else int(entry)

    def edges(self, told: Told) -> Iterator[Difference]:
        """Compare what each run's row says it read and made, under which names and in which roles."""
        scratch = self._scratch
        nodes, names = _translation(scratch, "node_map"), _translation(scratch, "dataset_map")
        total = scratch.rows("SELECT count(*) FROM run")[0][0]
        wrong, first, last = 0, None, 0
        while True:
            page = scratch.rows(
                "SELECT r.id, r.entry, r.edges, t.edges FROM run r LEFT JOIN run_of m ON m.here = r.id "
                f"LEFT JOIN there_run t ON t.id = m.there WHERE r.id > ? ORDER BY r.id LIMIT {_PAGE}",
                (last,),
            )
            for last, entry, ours, theirs in page:  # noqa: B007 - the last id begins the next page
                try:
                    here = [set(edges) for edges in unpack_edges(ours)]
                    there = [{(nodes(n), names(d), role) for n, d, role in edges} for edges in unpack_edges(theirs)]
                except (ValueError, TypeError):  # a TypeError: there is no such row
                    there = []
                if here != there:
                    wrong, first = wrong + 1, _least(first, entry)
            told("checking runs", last, total)
            if len(page) < _PAGE:
                break
        if wrong:
            yield Difference("what runs read and made, and in which roles", False, wrong, first)


def _translation(scratch: Store, table: str) -> Callable[[int], int]:
    """From ids there to ids here, 0 for one that stands for nothing here; eight bytes an id."""
    (most,) = scratch.rows(f"SELECT coalesce(max(there), 0) FROM {table}")[0]
    (count,) = scratch.rows(f"SELECT count(*) FROM {table}")[0]
    known = array("q", bytes(8 * (min(most, 4 * count + 1000) + 1)))  # a forged id must not cost memory
    for page in _pages(scratch, table, ("there", "here"), ("there",)):
        for there, here in page:
            if 0 < there < len(known):
                known[there] = here or 0
    return lambda there: known[there] if 0 < there < len(known) else 0


def _all(scratch: Store, table: str) -> Iterator[Row]:
    for page in _pages(scratch, table, ("id", "kind", "node", "dataset", "base", "origins", "tags"), ("id",)):
        yield from page


def _digest(pairs: frozenset[int]) -> bytes:
    return blake2b(pack_pairs(pairs), digest_size=16).digest()


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
