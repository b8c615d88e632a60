"""The graph as it was: the ledger's entries of then, replayed into a scratch store, so that the same code answers.

What is replayed is the whole ledger, or what some questions rest on (`closure`): tens of entries instead of hundreds of
thousands. A graph made from a part refuses every question that the part cannot answer: a lineage that was not read
whole is never judged clean (law 10).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lineage.errors import UsageError
from lineage.events import Event
from lineage.events.event import read
from lineage.graph.closure import Closure
from lineage.graph.keys import content_key, node_key
from lineage.graph.project import Projection
from lineage.graph.rows import Act
from lineage.graph.working import Working
from lineage.graph.write import flush, head_of, put_chunk
from lineage.ledger import CHUNK, happened, unpack
from lineage.store import Store, scratch_store
from lineage.store.store import damaged
from lineage.vocabulary import Artifact

BATCH = 1000
"""Entries projected together."""
ACTS = (Act.GRANT, Act.REMOVAL, Act.CORRECTION, Act.POLICY)
"""Acts that any answer may rest on; there are few."""

Read = tuple[int, bytes, Event, int]
"""(position, bytes, event, recorded in microseconds)."""


class Covered(NamedTuple):
    """What a graph made from a part of the ledger can be asked. Its methods raise for anything else."""

    keys: frozenset[bytes]
    """Of nodes."""
    names: frozenset[tuple[str, str]]
    models: frozenset[str] | None
    """Whose decisions and changes are there; None: everyone's."""
    ahead: bool
    """Whether what is downstream is there."""

    def node(self, key: bytes) -> None:
        """A node's lineage is asked for."""
        if key not in self.keys:
            raise not_covered("another artifact")

    def name(self, namespace: str, name: str) -> None:
        """The versions of a name are asked for."""
        if (namespace, name) not in self.names:
            raise not_covered(name)

    def model(self, name: str | None) -> None:
        """Decisions about a model are asked for (None: about every model)."""
        if self.models is not None and (name is None or name not in self.models):
            raise not_covered(f"decisions about {name}" if name else "every decision")

    def acts(self, kinds: Iterable[Act], key: str | None) -> None:
        """Acts are asked for. A decision's id says nothing of its model: what is not there is not found."""
        for kind in kinds:
            if kind in (Act.MODEL, Act.CHANGE) or (kind is Act.DECISION and key is None):
                self.model(key)

    def downstream(self) -> None:
        """What is downstream is asked for."""
        if not self.ahead:
            raise not_covered("what is downstream")


def not_covered(what: str) -> UsageError:
    """A question that a part of the ledger cannot answer."""
    return UsageError(
        f"this view of the past cannot be asked about {what}",
        code="NOT_COVERED",
        cause="it was made for other questions, and read only what these rest on",
        hint="name what will be asked when the view is made (Graph.as_of, about=…)",
    )


def whole(store: Store, upto: int, until: int | None) -> Iterator[Read]:
    """Every entry before a position that had happened by then.

    Raises:
        CannotDecide: ``GRAPH_DAMAGED``: one of them is missing (law 10).
    """
    wanted = 0
    for start, _, recorded, body in store.entries(0, upto):
        if start != wanted:
            break
        for position, data in enumerate(unpack(bytes(body)), start):
            wanted = position + 1
            if position < upto:
                event = read(data)
                if until is None or happened(event.time).microseconds <= until:
                    yield position, data, event, recorded
    if wanted < upto:
        raise damaged(f"entry {wanted} of the ledger is missing")


def partial(
    working: Working, about: Sequence[Artifact], upto: int, until: int | None, downstream: bool
) -> tuple[Iterator[Read], Covered]:
    """The entries that questions about some artifacts rest on, and what can be asked of them."""
    closure = Closure(working, upto, until)
    nodes = [node for artifact in about if (node := closure.subject(artifact)) is not None]
    closure.backward(nodes)
    names = {(artifact.namespace, artifact.name) for artifact in about}
    if downstream:
        ahead = Closure(working, upto, until)
        ahead.forward(nodes)
        # a registered version is a name that content was given after a run had made it: no run leads to it
        named = [artifact for artifact in _models(working) if closure.names_one_of(artifact, ahead.nodes)]
        for artifact in named:
            ahead.subject(artifact)
            names.add((artifact.namespace, artifact.name))
        closure.positions.update(ahead.entries())
    models = {part for _, name in names for part in _model_names(name)}
    models = closure.acts(ACTS, models if about else None)
    closure.matches()
    keys = {node_key(a.namespace, a.name, a.content) for a in about}
    keys.update(content_key(a.content.hash) for a in about if a.content)
    covered = Covered(frozenset(keys), frozenset(names), frozenset(models) if about else None, downstream)

    def entries() -> Iterator[Read]:
        for position in closure.entries():
            data, recorded = working.entry(position)
            yield position, data, read(data), recorded

    return entries(), covered


def _models(working: Working) -> list[Artifact]:
    found = working.store.rows(
        "SELECT s.name, d.name FROM dataset d JOIN namespace s ON s.id = d.namespace "
        "WHERE d.model = 1 AND d.name >= 'models/' AND d.name < 'models0'"
    )
    return [Artifact(namespace, name) for namespace, name in found]


def _model_names(name: str) -> tuple[str, ...]:
    """What a decision may call the model of a dataset name."""
    return (name, name.split("/")[1]) if name.startswith("models/") else (name,)


def replay(entries: Iterable[Read], position: int) -> Store:
    """A scratch store with these entries alone, under the positions they have in the ledger.

    Args:
        entries: in order.
        position: how many entries the ledger held then.
    """
    store = scratch_store()
    try:
        working = Working(store, head_of(store))
        batch: list[Read] = []
        for entry in entries:
            batch.append(entry)
            if len(batch) == BATCH:
                _apply(working, batch, position)
                batch = []
        _apply(working, batch, position)
    except BaseException:
        store.close()
        raise
    return store


def _apply(working: Working, batch: Sequence[Read], position: int) -> None:
    head = working.head
    with working.store.write():
        chunk: list[bytes] = []
        for at, data, _, recorded in batch:
            if chunk and (at != head.position or recorded != head.recorded or len(chunk) == CHUNK):
                put_chunk(working, chunk)
                chunk = []
            head.position, head.recorded = at + 1, recorded
            chunk.append(data)
        if chunk:
            put_chunk(working, chunk)
            Projection(working).apply([(at, event) for at, _, event, _ in batch])
        head.position = position
        flush(working)
    working.changed()
    working.trim()
