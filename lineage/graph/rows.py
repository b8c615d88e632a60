"""The rows of the graph in memory, and the statements that read and write them."""

from __future__ import annotations

from enum import IntEnum, IntFlag

import msgspec

from lineage.graph.pairs import EVALUATION
from lineage.store import Insert, Lookup
from lineage.store.store import HEAD_ID
from lineage.vocabulary import Basis


class Flag(IntFlag):
    """Facts about a node."""

    ALONE = 1  # some event names it by itself, not only as a file of a directory
    EXPLAINED = 2  # some run made it from data, so its own source stands for nothing unless tagged (law 8)
    DIRECTORY = 4  # its files are known
    MEMBER = 8  # it is a file of a known directory
    MORE_MAKERS = 16  # runs beside the first made it: table `made`
    NARROWED = 32  # a removal in force speaks for it: table `removal`
    CORRECTED = 64  # a correction in force speaks for it: table `taken`
    LINKED = 128  # it has other names: table `same`


ALONE, EXPLAINED, DIRECTORY, MEMBER, MORE_MAKERS, NARROWED, CORRECTED, LINKED = (int(f) for f in Flag)


class SourceKind(IntEnum):
    """What a source stands for."""

    SELF = 0  # a node
    GENERATED = 1  # what the model of this name generates (law 6)
    NARROWED = 2  # another source without some origins (an approved removal)


class Act(IntEnum):
    """What the table `act` finds entries by."""

    DECISION = 0  # decision id
    MODEL = 1  # model a decision is about
    GRANT = 2
    REMOVAL = 3
    CORRECTION = 4
    CHANGE = 5  # model a registry's change is about
    POLICY = 6  # sha256 of the policy
    ACCESS = 7  # what was read, the route that was refused, the id of a token


BASES = (None, *Basis)
"""Bases by number; 0 is "no tag". Their order is part of the stored format."""
BASIS_NUMBER = {basis: i for i, basis in enumerate(BASES)}


class Node:
    """One content, wherever it lies."""

    __slots__ = ("dirty", "flags", "id", "made", "pairset", "run", "source")

    def __init__(self, id: int, pairset: int, made: int, run: int, source: int, flags: int) -> None:  # noqa: A002
        self.id = id
        self.pairset = pairset
        self.made = made
        self.run = run
        self.source = source
        self.flags = flags
        self.dirty = False


Edge = tuple[int, int, int]
LINK = 2
"""What an output says where the row of a run stands for "these names are one thing": labels travel, nothing is made."""


class Run:
    """One run, with everything any of its events said it read and made."""

    __slots__ = ("dirty", "entry", "id", "inputs", "outputs", "reads", "substantial")

    def __init__(self, id: int, entry: int, inputs: list[Edge], outputs: list[Edge]) -> None:  # noqa: A002
        self.id = id
        self.entry = entry
        self.inputs = inputs
        """(node, dataset, use * 2 + model)."""
        self.outputs = outputs
        """(node, dataset, 1 for a model, `LINK` where this is no run)."""
        self.reads = {edge[0] for edge in inputs}
        """Nodes among the inputs."""
        self.substantial = any(edge[2] >> 1 != EVALUATION for edge in inputs)
        """Whether an input counts: what is only evaluated on makes nothing."""
        self.dirty = False

    @property
    def link(self) -> bool:
        """Whether it is no run, but names that stand for one thing."""
        return any(edge[2] & LINK for edge in self.outputs)

    def explains(self, node: int) -> bool:
        """Whether it made the node from data: it has an input that counts, and the node is not among its inputs."""
        return self.substantial and node not in self.reads and not self.link


_edges_encode = msgspec.msgpack.Encoder().encode
_edges_decode = msgspec.msgpack.Decoder(list[int]).decode


def pack_edges(run: Run) -> bytes:
    """The stored form of a run's edges: how many inputs, then every edge as the steps from the one before.

    Ids given out together lie together, so the steps are small numbers.
    """
    out = [len(run.inputs)]
    node = dataset = 0
    for edge in (*run.inputs, *run.outputs):
        out += (edge[0] - node, edge[1] - dataset, edge[2])
        node, dataset, _ = edge
    return _edges_encode(out)


def unpack_edges(data: bytes) -> tuple[list[Edge], list[Edge]]:
    """(inputs, outputs) from the stored form.

    Raises:
        ValueError: it is not such a form.
    """
    count, *steps = _edges_decode(data)  # a DecodeError is a ValueError
    if len(steps) % 3 or count * 3 > len(steps):
        raise ValueError("it ends in the middle of an edge")
    edges = []
    node = dataset = 0
    for i in range(0, len(steps), 3):
        node += steps[i]
        dataset += steps[i + 1]
        edges.append((node, dataset, steps[i + 2]))
    return edges[:count], edges[count:]


NODE_BY_KEY = Lookup(
    "SELECT c.key, c.node, n.id, n.pairset, n.made, n.run, n.source, n.flags "
    "FROM content c LEFT JOIN node n ON n.id = c.node",
    "c.key",
    "bytea",
)
NODE_BY_ID = Lookup("SELECT id, pairset, made, run, source, flags FROM node", "id")
RUN_BY_KEY = Lookup("SELECT key, run FROM run_key", "key", "bytea")
RUN_BY_ID = Lookup("SELECT id, entry, edges FROM run", "id")
READERS = Lookup("SELECT node, run FROM reads", "node", order="run")
MADE = Lookup("SELECT node, run FROM made", "node", order="run")
DIRECTORIES = Lookup("SELECT node, directory FROM member", "node", order="directory")
MEMBERS = Lookup("SELECT directory, node FROM member", "directory", order="node")
SET_BY_DIGEST = Lookup("SELECT digest, id FROM pairset", "digest", "bytea")
SET_BY_ID = Lookup("SELECT id, pairs FROM pairset", "id")
DATASET_BY_ID = Lookup("SELECT id, namespace, name, node, entry, last, model FROM dataset", "id")
DATASET_BY_NAME = Lookup("SELECT id, namespace, name, node, entry, last, model FROM dataset", "name", "text")
SOURCE_BY_ID = Lookup("SELECT id, kind, node, dataset, base, origins, tags FROM source", "id")
NARROWED_BY_BASE = Lookup("SELECT base, id, origins FROM source", "base > 0 AND base")
GENERATED_BY_DATASET = Lookup("SELECT dataset, id FROM source", "kind = 1 AND dataset")
ORIGIN_BY_ID = Lookup("SELECT id, value FROM origin", "id")
TAGS = Lookup("SELECT source, origin, basis, entry FROM tag", "source", order="entry, origin, basis")
TAKEN = Lookup("SELECT node, origin, basis FROM taken", "node")
REMOVALS = Lookup("SELECT node, origin, source FROM removal", "node")

AGAIN = Lookup("SELECT run, entry FROM again", "run", order="entry")
SPOKEN = Lookup("SELECT node, entry FROM spoken", "node", order="entry")

SAME = Lookup("SELECT node, other FROM same", "node", order="other")
RECEIVED = Lookup("SELECT key, entry FROM received", "key", "bytea")

I8, TX, BY = "bigint", "text", "bytea"
PUT_ENTRY = Insert("entry", ("position", "count", "recorded", "body"), (I8, I8, I8, BY))
PUT_NODE = Insert(
    "node",
    ("id", "pairset", "made", "run", "source", "flags"),
    (I8,) * 6,
    "ON CONFLICT (id) DO UPDATE SET pairset = excluded.pairset, made = excluded.made, run = excluded.run, "
    "source = excluded.source, flags = excluded.flags",
)
NEW_NODE = Insert("node", ("id", "pairset", "made", "run", "source", "flags"), (I8,) * 6)
PUT_CONTENT = Insert("content", ("key", "node"), (BY, I8))
PUT_RUN_KEY = Insert("run_key", ("key", "run"), (BY, I8))
PUT_RUN = Insert("run", ("id", "entry", "edges"), (I8, I8, BY), "ON CONFLICT (id) DO UPDATE SET edges = excluded.edges")
NEW_RUN = Insert("run", ("id", "entry", "edges"), (I8, I8, BY))
PUT_READS = Insert("reads", ("node", "run"), (I8, I8))
PUT_MADE = Insert("made", ("node", "run"), (I8, I8))
PUT_MEMBER = Insert("member", ("directory", "node"), (I8, I8))
PUT_SET = Insert("pairset", ("id", "digest", "pairs", "labels", "epoch"), (I8, BY, BY, BY, I8))
PUT_SOURCE = Insert(
    "source",
    ("id", "kind", "node", "dataset", "base", "origins", "tags"),
    (I8, I8, I8, I8, I8, TX, I8),
    "ON CONFLICT (id) DO UPDATE SET tags = excluded.tags",
)
PUT_TAG = Insert("tag", ("source", "origin", "basis", "entry"), (I8,) * 4, "ON CONFLICT DO NOTHING")
PUT_TAKEN = Insert("taken", ("node", "origin", "basis"), (I8,) * 3, "ON CONFLICT DO NOTHING")
PUT_REMOVAL = Insert("removal", ("node", "origin", "source"), (I8,) * 3, "ON CONFLICT DO NOTHING")
PUT_RETAG = Insert("retag", ("epoch", "source"), (I8, I8))
PUT_ACT = Insert("act", ("kind", "key", "entry"), (I8, TX, I8), "ON CONFLICT DO NOTHING")
PUT_AGAIN = Insert("again", ("run", "entry"), (I8, I8), "ON CONFLICT DO NOTHING")
PUT_SPOKEN = Insert("spoken", ("node", "entry"), (I8, I8), "ON CONFLICT DO NOTHING")
PUT_NAMESPACE = Insert("namespace", ("id", "name"), (I8, TX))
PUT_DATASET = Insert(
    "dataset",
    ("id", "namespace", "name", "node", "entry", "last", "model"),
    (I8, I8, TX, I8, I8, I8, I8),
    "ON CONFLICT (id) DO UPDATE SET last = excluded.last, model = excluded.model",
)
NEW_DATASET = Insert(
    "dataset", ("id", "namespace", "name", "node", "entry", "last", "model"), (I8, I8, TX, I8, I8, I8, I8)
)
PUT_VERSION = Insert("version", ("dataset", "node", "entry"), (I8, I8, I8), "ON CONFLICT DO NOTHING")
PUT_ORIGIN = Insert("origin", ("id", "value"), (I8, TX))
PUT_CHECKPOINT = Insert(
    "checkpoint",
    ("position", "recorded", "note", "timestamp"),
    (I8, I8, TX, BY),
    # another note over the same entries: the key was changed, or an authority is asked about one made just now
    "ON CONFLICT (position) DO UPDATE SET recorded = excluded.recorded, note = excluded.note, "
    "timestamp = excluded.timestamp",
)
PUT_SAME = Insert("same", ("node", "other"), (I8, I8))
PUT_RECEIVED = Insert("received", ("key", "entry"), (BY, I8))
PUT_STATE = Insert("state", ("key", "value"), (TX, TX), "ON CONFLICT (key) DO UPDATE SET value = excluded.value")

ENTRY_AT = "SELECT position, count, recorded, body FROM entry WHERE position <= ? ORDER BY position DESC LIMIT 1"
HEAD = (
    "SELECT position, recorded, frontier, epoch, nodes, runs, datasets, versions, models, pairsets, sources, origins, "  # noqa: S608
    f"namespaces FROM head WHERE id = {HEAD_ID}"
)
PUT_HEAD = (
    "UPDATE head SET position = ?, recorded = ?, frontier = ?, epoch = ?, nodes = ?, runs = ?, datasets = ?, "  # noqa: S608
    f"versions = ?, models = ?, pairsets = ?, sources = ?, origins = ?, namespaces = ? WHERE id = {HEAD_ID}"
)


class Head(msgspec.Struct):
    """The one row that changes with every transaction: position, counters, and the last ids given out."""

    position: int
    recorded: int
    frontier: bytes
    epoch: int
    nodes: int
    runs: int
    datasets: int
    versions: int
    models: int
    pairsets: int
    sources: int
    origins: int
    namespaces: int
