"""The graph: events go in, questions are answered. One transaction each.

Everything said here is computed from the ledger's entries; the rows beside them are kept up to date in the same
transaction as the entry (laws 4, 10). Another process may write between our transactions, so what is cached is held
against the position at the start of each.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

import msgspec
from msgspec.structs import replace

from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events import Event
from lineage.events.event import act_of, read
from lineage.events.facets import PRODUCER
from lineage.events.naming import display
from lineage.graph import rows
from lineage.graph.asof import Covered, not_covered, partial, replay, whole
from lineage.graph.closure import Closure, entries_upto, lineage_of
from lineage.graph.jobs import Jobs
from lineage.graph.keys import content_key, key_text, node_key, run_key
from lineage.graph.names import any_artifact, artifact_of, recorded_tags, steps
from lineage.graph.near import Beside, Named, Page, beside, called, told, version
from lineage.graph.origins import Contribution, Entered, User, contributions, entered, row_count, users
from lineage.graph.pairs import USES
from lineage.graph.project import Projection, entries_of, event_at
from lineage.graph.questions import (
    CorrectionRecord,
    Cut,
    Dataset,
    Entry,
    Executions,
    Impact,
    ImpactItem,
    Labels,
    Maker,
    Recorded,
    RemovalRecord,
    Said,
    Source,
    Status,
)
from lineage.graph.resolve import label, label_codes, label_of, resolve, unpack_labels
from lineage.graph.rows import EXPLAINED, Act, Head, Node, SourceKind
from lineage.graph.said import claims, executions, maker, removed_from, said, speaks_of, step_entries
from lineage.graph.seals import Seals
from lineage.graph.tokens import Tokens
from lineage.graph.walk import cut_labels, downstream, labels_of, path
from lineage.graph.working import Working, matches, read_origin, unpack_pairs
from lineage.graph.write import flush, head_of, put_chunk
from lineage.ledger import CHUNK, Frontier, happened, leaf_hash, recording_time
from lineage.ledger.clock import microseconds, moment_of
from lineage.store import Store
from lineage.store.store import HEAD_ID, damaged, headless
from lineage.vocabulary import (
    UNDECLARED,
    Artifact,
    Basis,
    Change,
    Decision,
    Grant,
    Label,
    Origin,
    Step,
)

Signer = Callable[[int, bytes, int], str]
"""Makes the signed note of a checkpoint, of (number of entries, root of their tree, time in microseconds UTC)."""
MOST_RESOLVED = 20_000
"""Label sets kept in memory."""
_LABELS = (  # one statement, so one view
    "SELECT h.position, h.epoch, c.node, n.pairset, p.epoch, p.labels FROM head h LEFT JOIN content c ON c.key = ? "  # noqa: S608
    f"LEFT JOIN node n ON n.id = c.node LEFT JOIN pairset p ON p.id = n.pairset WHERE h.id = {HEAD_ID}"
)
_STORED = "SELECT epoch, labels, pairs FROM pairset WHERE id = ?"
_LINKS = "SELECT count(*) FROM run_key WHERE key >= ? AND key < ? AND length(key) = 21"  # kept as runs are
_RETAGGED = "SELECT source, epoch FROM retag WHERE epoch > ? ORDER BY epoch"


class Graph:
    """The questions and the one way to write.

    Args:
        store: an open store; the graph uses it alone.
        accept_clock: record although the clock went back (``[ledger] accept_clock``).
    """

    def __init__(self, store: Store, *, accept_clock: bool = False) -> None:
        self._store = store
        self._accept_clock = accept_clock or os.environ.get("LINEAGE_ACCEPT_CLOCK") == "1"
        self._working: Working | None = None
        self._resolved: dict[int, tuple[int, frozenset[Label], int]] = {}  # set -> (epoch, labels, sources)
        self._names: dict[int, Label] = {}
        self._changed: dict[int, int] = {}  # source -> epoch it was retagged at, complete after `_changed_from`
        self._changed_from = -1
        self._changed_to = -1
        self._traced: tuple[tuple[int, int, Artifact], Closure] | None = None
        self._covered: Covered | None = None  # what can be asked; None: anything
        self._afterwards: list[Callable[[], None]] = []  # `once_durable`

    @property
    def seals(self) -> Seals:
        """Checkpoints and leaf hashes."""
        return Seals(self._store)

    @property
    def tokens(self) -> Tokens:
        """Who may ask a server."""
        return Tokens(self._store)

    @property
    def jobs(self) -> Jobs:
        """Jobs, their runs, and events as they came: for looking at."""
        return Jobs(self._store)

    # writing

    def record(
        self,
        events: Sequence[bytes],
        state: Mapping[str, str] | None = None,
        *,
        now: datetime | None = None,
        seal: Signer | None = None,
        then: Callable[[], Sequence[bytes]] | None = None,
    ) -> int:
        """Record events: ledger entries, what follows from them, and ``state``, all or nothing, durably.

        Args:
            events: the exact bytes of OpenLineage events.
            state: keys and values to keep beside (cursors of pipelines).
            now: the recording time; default: the clock.
            seal: signs a checkpoint over everything up to these entries, which is kept with them or not at all.
            then: asked for further events once these are in. It may ask this graph, which answers as if they were
                recorded; nobody else writes in between. What it raises undoes everything.

        Returns:
            Number of entries after them.

        Raises:
            UsageError: ``EVENT_INVALID`` naming the event's index, ``CLOCK_WENT_BACK``, ``STORE_BUSY``; then nothing
                changed.
        """
        time = microseconds(now or datetime.now(timezone.utc))
        with self._store.lock, _no_collection(len(events)):
            incoming = [(data, _checked(data, i), time) for i, data in enumerate(events)]
            return self._write(lambda _: incoming, state or {}, seal, time, then)

    def receive(self, events: Sequence[tuple[bytes, Event]], *, now: datetime | None = None) -> tuple[int, list[bool]]:
        """Record those of some events that were not received before, all or nothing, durably.

        What was received is known by its exact bytes, so that whoever does not know whether an event arrived sends it
        again (law 3). What `record` recorded is not looked at.

        Args:
            events: exact bytes, and what `lineage.events.read` made of them.
            now: the recording time; default: the clock.

        Returns:
            Number of entries after them; of each event whether it is recorded now.

        Raises:
            UsageError: ``EVENT_INVALID``, ``CLOCK_WENT_BACK``, ``STORE_BUSY``; then nothing changed.
        """
        time = microseconds(now or datetime.now(timezone.utc))
        new: list[bool] = []

        def unknown(working: Working) -> list[tuple[bytes, Event, int]]:
            keys = [leaf_hash(data)[:16] for data, _ in events]
            known = self._received(working, {key: data for key, (data, _) in zip(keys, events, strict=True)})
            position = working.head.position
            incoming: list[tuple[bytes, Event, int]] = []
            for key, (data, event) in zip(keys, events, strict=True):
                new.append(key not in known)
                if key not in known:
                    known.add(key)
                    working.pending[rows.PUT_RECEIVED].append((key, position + len(incoming)))
                    incoming.append((data, event, time))
            return incoming

        with self._store.lock, _no_collection(len(events)):
            return self._write(unknown, {}), new

    def _received(self, working: Working, asked: Mapping[bytes, bytes]) -> set[bytes]:
        """Keys of the events that are recorded. The entry decides: a row alone makes no event known."""
        known = set()
        for key, position in working.store.lookup(rows.RECEIVED, list(asked)):
            key = bytes(key)
            if working.entry(position)[0] != asked[key]:
                raise damaged(f"entry {position} is not the event that was received")
            known.add(key)
        return known

    def _write(
        self,
        incoming: Callable[[Working], Sequence[tuple[bytes, Event, int]]],
        state: Mapping[str, str],
        seal: Signer | None = None,
        time: int = 0,
        then: Callable[[], Sequence[bytes]] | None = None,
    ) -> int:
        store = self._store
        try:
            with store.write():
                working = self._fresh()
                self._append(working, incoming(working))
                if then is not None:
                    flush(working)
                    working.changed()
                    self._append(working, [(data, _checked(data, i), time) for i, data in enumerate(then())])
                working.pending[rows.PUT_STATE] += state.items()
                if seal is not None:
                    head = working.head
                    # what is recorded after a checkpoint has no earlier time than it: back-dating shows
                    head.recorded = recording_time(head.recorded, time, accept=self._accept_clock)
                    root = Frontier(head.position, head.frontier).root()
                    note = seal(head.position, root, head.recorded)
                    working.pending[rows.PUT_CHECKPOINT].append((head.position, head.recorded, note, b""))
                flush(working)
        except BaseException:
            self._forget()
            raise
        working.changed()
        working.trim()
        return working.head.position

    def together(self, works: Sequence[Callable[[], None]]) -> list[BaseException | None]:
        """Do several things that record, in one transaction: durable when this returns, each of them or none of it.

        Args:
            works: each is done alone and in this order, and sees what those before it recorded.

        Returns:
            For each what it raised; then nothing of it is recorded. None: it is recorded.

        Raises:
            LineageError: the transaction failed as a whole, and nothing at all is recorded.
        """
        failed: list[BaseException | None] = []
        with self._store.lock:
            try:
                with self._store.write():
                    for work in works:
                        try:
                            with self._store.write():
                                work()
                            failed.append(None)
                        except Exception as error:
                            self._forget()
                            failed.append(error)
            except BaseException:
                self._afterwards.clear()
                self._forget()
                raise
            self._settle()
        return failed

    def once_durable(self, work: Callable[[], None]) -> None:
        """Do something that is not in the database once what was recorded is durable: now, or after `together`."""
        with self._store.lock:
            self._afterwards.append(work)
            if not self._store.writing:
                self._settle()

    def _settle(self) -> None:
        while self._afterwards:
            self._afterwards.pop(0)()

    def _forget(self) -> None:
        """Let go of what was read in a transaction that is undone: it may hold ids that will be given out again."""
        self._working = None
        self._traced = None
        self._resolved.clear()
        self._names.clear()
        self._changed_from = -1

    def _append(self, working: Working, incoming: Sequence[tuple[bytes, Event, int]]) -> None:
        """Put entries at the end, and what follows from them into the rows in memory."""
        if not incoming:
            return
        head = working.head
        frontier = Frontier(head.position, head.frontier)
        start = head.position
        chunk: list[bytes] = []
        for data, _, time in incoming:
            now = recording_time(head.recorded, time, accept=self._accept_clock)
            if chunk and (now != head.recorded or len(chunk) == CHUNK):
                put_chunk(working, chunk)
                chunk = []
            head.recorded = now
            chunk.append(data)
            frontier.append(leaf_hash(data))
            head.position += 1
        put_chunk(working, chunk)
        head.frontier = frontier.pack()
        Projection(working).apply([(start + i, event) for i, (_, event, _) in enumerate(incoming)])

    def _fresh(self) -> Working:
        """Rows in memory that are those of the store now. In a write transaction."""
        head = head_of(self._store)
        working = self._working
        if working is None or working.head.position != head.position or working.head.epoch != head.epoch:
            working = self._working = Working(self._store, head)
        return working

    # labels

    def labels(self, artifact: Artifact) -> Labels:
        """What reaches an artifact through its lineage.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, nothing is recorded of it; ``NO_SOURCE``, its closure holds no source
                (law 10: emptiness is not cleanness); ``GRAPH_DAMAGED``.
        """
        key = node_key(artifact.namespace, artifact.name, artifact.content)
        if self._covered is not None:
            self._covered.node(key)
        with self._store.lock:
            self._store.check()
            row = self._store.one(_LABELS, (key,))
            if row is None:
                raise headless(self._store)
            position, epoch, node, pairset, since, stored = row
            if node is None or not pairset:
                if node is not None and pairset is None:
                    raise damaged(f"node {node} is missing")
                raise _unknown(artifact)
            cached = self._resolved.get(pairset)
            if cached is None or cached[0] != epoch:
                if stored is None:
                    raise damaged(f"set {pairset} is missing")
                if since == epoch:
                    cached = epoch, *self._stored_labels(pairset, stored)
                else:
                    cached = self._labels_of_set(pairset)
                if len(self._resolved) >= MOST_RESOLVED:
                    self._resolved.clear()
                self._resolved[pairset] = cached
        if not cached[2]:
            raise _no_source(artifact)
        return Labels(cached[1], cached[2], position)

    def _labels_of_set(self, pairset: int) -> tuple[int, frozenset[Label], int]:
        """(epoch, labels, number of sources) of a set whose stored labels are of an earlier epoch."""
        with self._store.read():
            working = self._view()
            now = working.head.epoch
            row = self._store.one(_STORED, (pairset,))
            if row is None:
                raise damaged(f"set {pairset} is missing")
            since, stored, packed = row
            pairs = unpack_pairs(packed)
            if self._unchanged(pairs, since, now):
                return now, *self._stored_labels(pairset, stored)
            sources, codes = label_codes(working, pairs)
            return now, frozenset([label(working, code) for code in codes]), sources

    def _stored_labels(self, pairset: int, stored: bytes) -> tuple[frozenset[Label], int]:
        try:
            sources, codes = unpack_labels(bytes(stored))
        except msgspec.DecodeError as error:
            raise damaged(f"the labels of set {pairset} cannot be read: {error}") from None
        names = self._names
        missing = [code for code in codes if code not in names]
        if missing:
            if len(names) > MOST_RESOLVED:
                names.clear()
                missing = codes
            found = self._store.lookup(rows.ORIGIN_BY_ID, list({code >> 7 for code in missing}))
            origins = {0: UNDECLARED, **{id_: read_origin(value) for id_, value in found}}
            for code in missing:
                if code >> 7 not in origins:
                    raise damaged(f"origin {code >> 7} is missing")
                names[code] = label_of(origins[code >> 7], code)
        return frozenset([names[code] for code in codes]), sources

    def _unchanged(self, pairs: frozenset[int], since: int, until: int) -> bool:
        """Whether no source among the pairs was retagged after epoch ``since``."""
        if self._changed_from < 0 or since < self._changed_from:
            self._changed, self._changed_from, self._changed_to = {}, since, since
        if self._changed_to < until:
            found = self._store.rows(_RETAGGED, (self._changed_to,))
            if len(found) != until - self._changed_to:
                raise damaged("the record of an epoch is missing")
            self._changed.update(found)
            self._changed_to = until
        return not any(self._changed.get(pair >> 4, -1) > since for pair in pairs)

    def _reading(self, head: Head) -> Working:
        """Rows in memory for a question. In a read transaction."""
        working = self._working
        if working is None or working.head.position != head.position or working.head.epoch != head.epoch:
            working = self._working = Working(self._store, head)
        return working

    # single facts

    def position(self) -> int:
        """Number of entries."""
        with self._store.lock:
            self._store.check()
            return head_of(self._store).position

    def state(self, key: str) -> str | None:
        """A value kept by `record`."""
        with self._store.lock:
            self._store.check()
            row = self._store.one("SELECT value FROM state WHERE key = ?", (key,))
            return str(row[0]) if row else None

    def known_runs(self, run_ids: Iterable[str]) -> set[str]:
        """Those of the run ids that some recorded event is about."""
        with self._store.read():
            keys = {run_key(run_id): run_id for run_id in run_ids}
            return {keys[bytes(key)] for key, _ in self._store.lookup(rows.RUN_BY_KEY, list(keys))}

    def known_content(self, keys: Iterable[str]) -> set[str]:
        """Those of the content keys (``md5:…``) that are recorded of some data; a file of a directory too."""
        with self._store.read():
            working = self._view()
            asked = {key: content_key(key) for key in keys}
            working.fetch_nodes(asked.values())
            return {key for key, node in asked.items() if node in working.node_ids}

    def find(self, namespace: str, name: str) -> Artifact | None:
        """The version recorded last under a name."""
        if self._covered is not None:
            self._covered.name(namespace, name)
        with self._store.read():
            working = self._view()
            row = working.find_dataset(namespace, name)
            return None if row is None else artifact_of(working, row.id, working.node(row.last))

    def find_content(self, hash: str) -> Artifact | None:  # noqa: A002
        """An artifact with this content, under one of its names; a file of a directory under its place in it."""
        if self._covered is not None:
            self._covered.node(content_key(hash))
        with self._store.read():
            working = self._view()
            node = working.find_node(content_key(hash))
            return None if node is None or not node.pairset else any_artifact(working, node)

    def versions(self, namespace: str, name: str) -> list[Artifact]:
        """Every version recorded under a name, oldest recording first."""
        if self._covered is not None:
            self._covered.name(namespace, name)
        with self._store.read():
            working = self._view()
            row = working.find_dataset(namespace, name)
            if row is None:
                return []
            found = self._store.rows("SELECT entry, node FROM version WHERE dataset = ?", (row.id,))
            named = [(e, artifact_of(working, row.id, working.node(n))) for e, n in ((row.entry, row.node), *found)]
        # of versions that one event names first, the order of ids says nothing
        named.sort(key=lambda item: (item[0], item[1].content.hash if item[1].content else ""))
        return [artifact for _, artifact in named]

    def names(self, namespace: str = "", prefix: str = "", *, models: bool = False) -> list[Dataset]:
        """Names under which versions are recorded, in order.

        Args:
            namespace: only this one; empty: any.
            prefix: only names that begin so.
            models: only models.
        """
        with self._store.read():
            found = self._store.rows(
                "SELECT s.name, d.name, d.model, 1 + count(v.node) FROM dataset d "
                "JOIN namespace s ON s.id = d.namespace LEFT JOIN version v ON v.dataset = d.id "
                "WHERE (? = '' OR s.name = ?) AND substr(d.name, 1, ?) = ? AND d.model >= ? "
                "GROUP BY s.name, d.name, d.model",
                (namespace, namespace, len(prefix), prefix, int(models)),
            )
        out = sorted(Dataset(space, name, bool(model), count) for space, name, model, count in found)
        return out if self._covered is None else [d for d in out if (d.namespace, d.name) in self._covered.names]

    def models(self) -> list[tuple[str, str]]:
        """(namespace, name) of every model, in order."""
        with self._store.read():
            found = self._store.rows(
                "SELECT s.name, d.name FROM dataset d JOIN namespace s ON s.id = d.namespace WHERE d.model = 1"
            )
        known = sorted((space, name) for space, name in found)
        return known if self._covered is None else [name for name in known if name in self._covered.names]

    def registered(self, contents: Iterable[str] | None = None) -> list[Artifact]:
        """The versions of registered models (``models/<name>/<number>``), each with what was recorded of it last.

        Args:
            contents: only those whose content key is one of these.
        """
        with self._store.read():
            working = self._view()
            keys = None if contents is None else [content_key(text) for text in contents]
            working.fetch_nodes(keys or ())
            wanted = None if keys is None else {working.node_ids.get(key) for key in keys}
            found = self._store.rows(
                "SELECT s.name, d.name, d.last FROM dataset d JOIN namespace s ON s.id = d.namespace "
                "WHERE d.name >= 'models/' AND d.name < 'models0' AND d.model = 1 ORDER BY d.name, s.name"
            )
            covered = self._covered
            numbered = [
                (space, name, last)
                for space, name, last in found
                if name.rpartition("/")[2].isdigit()
                and (covered is None or (space, name) in covered.names)
                and (wanted is None or last in wanted)
            ]
            working.fetch_datasets([name for _, name, _ in numbered])
            working.load_nodes([last for *_, last in numbered])
            rows_ = [(working.find_dataset(space, name), last) for space, name, last in numbered]
            return [artifact_of(working, row.id, working.node(last)) for row, last in rows_ if row is not None]

    def renamings(self) -> list[Change]:
        """The recorded renamings of registered models, in order."""
        with self._store.read():
            working = self._view()
            # a renaming is kept under both names, every other change under one
            found = self._store.rows(
                "SELECT entry FROM act WHERE kind = ? GROUP BY entry HAVING count(*) > 1 ORDER BY entry",
                (int(Act.CHANGE),),
            )
            acts = [act_of(event_at(working, entry)) for (entry,) in found]
        return [act for act in acts if isinstance(act, Change)]

    # why and what follows

    def paths(self, artifact: Artifact, labels: Iterable[Label] | None = None) -> dict[Label, tuple[Step, ...]]:
        """One shortest path for each label of an artifact, the source first, the artifact last.

        Args:
            artifact: where the paths end.
            labels: only these; a label that the artifact does not carry is left out.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            node = self._known(working, artifact)
            carried = labels_of(working, node)
            wanted = carried if labels is None else [x for x in dict.fromkeys(labels) if x in set(carried)]
            return {x: steps(working, path(working, node, x), artifact, x) for x in wanted}

    def impact(self, artifact: Artifact) -> Impact:
        """Everything downstream of an artifact.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            if self._covered is not None:
                self._covered.downstream()
            reached = downstream(working, self._known(working, artifact))
            items = []
            for r in reached:
                node = working.node(r.node)
                found = artifact_of(working, r.dataset, node) if r.dataset else any_artifact(working, node)
                if found is not None:
                    items.append(ImpactItem(found, r.distance, tuple(USES[u] for u in sorted(r.uses))))
        items.sort(key=lambda i: (i.artifact.type.value != "MODEL", i.distance, i.artifact.namespace, i.artifact.name))
        models = sum(i.artifact.type.value == "MODEL" for i in items)
        return Impact(tuple(items), models, len(items) - models)

    def beside(self, artifact: Artifact, page: Page, *, made: bool) -> Beside:
        """The runs that made an artifact (``made``), or those that read it, a page of them.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return beside(working, self._known(working, artifact), page, made=made)

    def told(self, artifact: Artifact) -> bool:
        """Whether a pipeline or a person told of an artifact: more than that a registry's run read it."""
        with self._store.read():
            working = self._view()
            node = working.find_node(node_key(artifact.namespace, artifact.name, artifact.content))
            return node is not None and told(working, node)

    def called(self, text: str, page: Page) -> list[Named]:
        """A page of the names that contain a text, whatever its case: models first, then by name."""
        with self._store.read():
            return called(self._view(), text, page)

    def version(self, namespace: str, name: str, content: str) -> Artifact | None:
        """The version of a name that has a content; None where none is recorded."""
        if self._covered is not None:
            self._covered.name(namespace, name)
        with self._store.read():
            return version(self._view(), namespace, name, content)

    # sources

    def sources(self, artifact: Artifact) -> list[Source]:
        """The sources of an artifact, undeclared ones first; what models generated is left out.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            node = self._known(working, artifact)
            bottoms = {working.source(p >> 4).base or p >> 4 for p in working.pairs(node.pairset)}
            in_models = self._sources_of_models(working)
            found = [
                self._source(working, s, in_models)
                for s in sorted(bottoms)
                if working.source(s).kind == SourceKind.SELF and resolve(working, s)[0]
            ]
        return sorted(found, key=lambda s: bool(s.tags))

    def contributions(self, artifact: Artifact) -> list[Contribution]:
        """The sources of an artifact, each with the labels that reach it from there; what models generated too.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return contributions(working, self._known(working, artifact))

    def row_count(self, artifact: Artifact) -> int | None:
        """How many records events state of an artifact; None where none does, or two disagree."""
        with self._store.read():
            return row_count(self._view(), artifact)

    def users(self, speaks: Callable[[Origin], bool]) -> list[User]:
        """The runs that read data of some origins, or anything made from it, by the entry of each.

        Args:
            speaks: whether an origin is one of them.
        """
        if self._covered is not None:
            raise not_covered("the whole record")
        with self._store.read():
            return users(self._view(), speaks)

    def origins(self) -> list[Origin]:
        """Every origin that was ever stated, in the order of recording."""
        with self._store.read():
            return [read_origin(value) for (value,) in self._store.rows("SELECT value FROM origin ORDER BY id")]

    def events(self) -> Iterator[tuple[int, str, Event]]:
        """What every entry says: position, when it was recorded (ISO 8601, UTC), event. Ask nothing else meanwhile."""
        if self._covered is not None:
            raise not_covered("the whole record")
        with self._store.read():
            for position, _, event, recorded in whole(self._store, head_of(self._store).position, None):
                yield position, moment_of(recorded).isoformat(), event

    def entered(self, artifact: Artifact, labels: Iterable[Label]) -> dict[Label, Entered]:
        """For each label, the entries of the runs by which its sources entered an artifact's lineage, on any path.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return entered(working, self._known(working, artifact), labels)

    def undeclared(self) -> list[Source]:
        """Every source that nobody spoke for: models' sources first, then those that a run reads, then the rest."""
        if self._covered is not None:
            raise not_covered("the whole record")
        with self._store.read():
            working = self._view()
            found = self._undeclared(working)
            in_models = self._sources_of_models(working) if found else frozenset()
            out = [self._source(working, s, in_models) for s in found]
        return sorted(out, key=lambda s: (not s.models, not s.used, s.artifact.namespace, s.artifact.name))

    def waiting(self, page: Page) -> tuple[int, list[Source]]:
        """How many sources nobody spoke for, and a page of them: models' sources first, then those that a run reads."""
        with self._store.read():
            working = self._view()
            found = self._undeclared(working)
            in_models = self._sources_of_models(working) if found else frozenset()
            working.load_sources(found)
            read_ = {node for node, _ in self._store.lookup(rows.READERS, [working.source(s).node for s in found])}
            found.sort(key=lambda s: (s not in in_models, working.source(s).node not in read_, s))
            shown = found[page.offset : page.offset + page.limit]
            return len(found), [self._source(working, s, in_models) for s in shown]

    def tagged(self) -> list[Source]:
        """Every dataset version with a tag in force, in the order in which they became sources."""
        if self._covered is not None:
            raise not_covered("the whole record")
        with self._store.read():
            working = self._view()
            found = self._store.rows("SELECT id FROM source WHERE kind = 0 AND tags > 0 ORDER BY id")
            in_models = self._sources_of_models(working) if found else frozenset()
            out = [self._source(working, s, in_models) for (s,) in found]
        return [source for source in out if source.tags]

    def _undeclared(self, working: Working) -> list[int]:
        found = self._store.rows(
            "SELECT s.id FROM source s JOIN node n ON n.id = s.node WHERE s.kind = 0 AND (n.flags & ?) = 0 "
            "AND (NOT EXISTS (SELECT 1 FROM tag t WHERE t.source = s.id AND t.basis <> ?) OR (n.flags & ?) > 0) "
            "ORDER BY s.id",
            (EXPLAINED, rows.BASIS_NUMBER[Basis.IMPORTED], rows.CORRECTED),
        )
        return [s for (s,) in found if 0 in resolve(working, s)[1]]

    def _sources_of_models(self, working: Working) -> frozenset[int]:
        sets = self._store.rows(
            "SELECT n.pairset FROM dataset d JOIN node n ON n.id = d.node WHERE d.model = 1 UNION SELECT n.pairset "
            "FROM dataset d JOIN version v ON v.dataset = d.id JOIN node n ON n.id = v.node WHERE d.model = 1"
        )
        return frozenset(pair >> 4 for (s,) in sets for pair in working.pairs(s))

    def _source(self, working: Working, source: int, in_models: frozenset[int]) -> Source:
        row = working.source(source)
        node = working.node(row.node)
        artifact = artifact_of(working, row.dataset, node) if row.dataset else any_artifact(working, node)
        if artifact is None:
            raise damaged(f"source {source} has no name")
        used = self._store.one("SELECT 1 FROM reads WHERE node = ? LIMIT 1", (node.id,)) is not None
        return Source(artifact, tuple(recorded_tags(working, node)), used, source in in_models)

    def tags(self, artifact: Artifact) -> list[Recorded]:
        """The tags put on an artifact itself that were not taken back, first recorded first."""
        key = node_key(artifact.namespace, artifact.name, artifact.content)
        if self._covered is not None:
            self._covered.node(key)
        with self._store.read():
            working = self._view()
            node = working.find_node(key)
            return [] if node is None else recorded_tags(working, node)

    # acts

    def grants(self) -> list[Grant]:
        """Every grant ever given, as said last, ``by`` who gave it; one that was withdrawn once stays so. Dates are the
        policy's matter."""
        with self._store.read():
            out: dict[str, Grant] = {}
            working = self._view()
            found = self._store.rows("SELECT entry FROM act WHERE kind = ? ORDER BY entry", (int(Act.GRANT),))
            for (position,) in found:
                act = act_of(event_at(working, position))
                if isinstance(act, Grant):
                    before = out.get(act.id)
                    gone = act.withdrawn or bool(before and before.withdrawn)
                    by = before.by if before else act.by  # of a withdrawal: who withdrew it
                    out[act.id] = msgspec.structs.replace(act, withdrawn=gone, by=by)
            return list(out.values())

    def decisions(self, model: str | None = None, limit: int | None = None) -> list[Decision]:
        """Recorded decisions, newest first.

        Args:
            model: only about this registered model.
            limit: at most so many.
        """
        with self._store.read():
            working = self._view()
            most = 2**31 if limit is None else limit
            if self._covered is not None:
                self._covered.model(model)
            if model is None:
                found = self._store.rows(
                    "SELECT entry FROM act WHERE kind = ? ORDER BY entry DESC LIMIT ?", (int(Act.DECISION), most)
                )
            else:
                found = self._store.rows(
                    "SELECT entry FROM act WHERE kind = ? AND key = ? ORDER BY entry DESC LIMIT ?",
                    (int(Act.MODEL), model, most),
                )
            acts = [act_of(event_at(working, position)) for (position,) in found]
            return [act for act in acts if isinstance(act, Decision)]

    def decision(self, id: str) -> Decision | None:  # noqa: A002
        """A decision by its id; the first recorded, should another have come under the same id."""
        with self._store.read():
            for event in entries_of(self._view(), Act.DECISION, id):
                act = act_of(event)
                if isinstance(act, Decision):
                    return act
        return None

    def judged(self, id: str) -> Artifact | None:  # noqa: A002
        """The artifact that a decision was about, as the event that recorded it says; None when it was not known."""
        with self._store.read():
            for event in entries_of(self._view(), Act.DECISION, id):
                if isinstance(act_of(event), Decision):
                    return event.inputs[0].artifact if event.inputs else None
        return None

    def status(self) -> Status:
        """Counts over the whole store."""
        if self._covered is not None:
            raise not_covered("the whole record")
        with self._store.read():
            working = self._view()
            head = working.head
            sources = self._store.one(
                "SELECT count(*) FROM source s JOIN node n ON n.id = s.node WHERE s.kind = 0 AND "
                "((n.flags & ?) = 0 OR EXISTS (SELECT 1 FROM tag t WHERE t.source = s.id))",
                (EXPLAINED,),
            )
            links = self._store.one(_LINKS, (b"=", b"?"))
            return Status(
                head.position,
                head.runs - (links[0] if links else 0),
                head.datasets,
                head.versions,
                head.models,
                sources[0] if sources else 0,
                len(self._undeclared(working)),
            )

    # two times

    def as_of(
        self,
        *,
        happened: datetime | None = None,
        recorded: datetime | None = None,
        about: Iterable[Artifact] | None = None,
        downstream: bool = False,
    ) -> Graph:
        """The graph as it was: computed from the ledger's entries alone (law 11). Close it when done.

        Positions in it are those of the ledger. With ``about`` only the entries that such questions rest on are read,
        and other questions are refused: `labels`, `paths`, `sources`, `tags` of these very artifacts, `find`,
        `versions` and `names` of their names, decisions and changes of their models; every grant, removal, correction
        and policy.

        Args:
            happened: only events whose own time is not after this.
            recorded: only entries recorded not after this.
            about: what will be asked about; None: anything. Without any artifact every act, and nothing else. One
                without content stands for its name.
            downstream: `impact` of these artifacts is asked too.
        """
        until = None if happened is None else microseconds(happened)
        with self._store.read():
            working = self._view()
            upto = working.head.position if recorded is None else entries_upto(working, microseconds(recorded))
            if about is None:
                return Graph(replay(whole(self._store, upto, until), upto))
            found, covered = partial(working, list(about), upto, until, downstream)
            past = Graph(replay(found, upto))
        past._covered = covered
        return past

    # which entries say so

    def entries(self, artifact: Artifact) -> list[int]:
        """Positions of the entries that an artifact's lineage rests on: runs, tags, lists of files, removals.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return self._lineage(working, artifact).entries()

    def path_entries(
        self, artifact: Artifact, labels: Iterable[Label] | None = None
    ) -> dict[Label, tuple[tuple[int, ...], ...]]:
        """For each step of each path that `paths` gives, the positions of the entries that say so.

        Of the source those of its tag (none where it is undeclared), of a run every event of it; of a step into a
        directory those that list its files.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            node = self._known(working, artifact)
            carried = labels_of(working, node)
            wanted = carried if labels is None else [x for x in dict.fromkeys(labels) if x in set(carried)]
            return {x: step_entries(working, path(working, node, x), x) for x in wanted}

    def event(self, position: int) -> Entry:
        """An entry of the ledger by its position, counted from 0.

        Raises:
            CannotDecide: ``GRAPH_DAMAGED``, there is none.
        """
        with self._store.read():
            data, recorded = self._view().entry(position)
            return Entry(data, moment_of(recorded).isoformat())

    def newest_key(self, kind: Act) -> str:
        """The key of the act of a kind that was recorded last; empty when there is none."""
        with self._store.lock:
            self._store.check()
            row = self._store.one("SELECT key FROM act WHERE kind = ? ORDER BY entry DESC LIMIT 1", (int(kind),))
            return str(row[0]) if row else ""

    def first_named(self, namespace: str, name: str) -> list[tuple[str, str]]:
        """(when it was recorded, when it happened) of the event that first gave some content a name; empty: none."""
        with self._store.read():
            working = self._view()
            row = working.find_dataset(namespace, name)
            if row is None:
                return []
            recorded = moment_of(working.entry(row.entry)[1]).isoformat()
            return [(recorded, event_at(working, row.entry).time)]

    def acts(self, kinds: Iterable[Act], key: str | None = None) -> list[Said]:
        """What people, registries and the gate said, in the order of recording.

        Args:
            kinds: of these kinds.
            key: only under this key: the id, the model's name, the policy's sha256 (see `Act`).
        """
        kinds = tuple(kinds)
        if self._covered is not None:
            self._covered.acts(kinds, key)
        with self._store.read():
            return said(self._view(), kinds, key)

    @staticmethod
    def key(artifact: Artifact) -> str:
        """What removals and corrections call an artifact: its content key, or its name where content says nothing."""
        return key_text(node_key(artifact.namespace, artifact.name, artifact.content))

    def makers(self, artifact: Artifact) -> list[Maker]:
        """The runs that made an artifact, in the order in which they were first recorded.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            node = self._known(working, artifact)
            found = [run for id_ in working.makers(node) if not (run := working.run(id_)).link]
            return [maker(working, run) for run in sorted(found, key=lambda run: run.entry)]

    def removable(self, artifact: Artifact, origin: Origin) -> list[str]:
        """The sources of an artifact that have an origin now, as removals call them; its own tags left out.

        Args:
            artifact: what the origin would be taken out of.
            origin: what it does not state is any.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        own = self.key(artifact)
        found: list[str] = []
        for source in self.contributions(artifact):
            if any(matches(origin, label.origin) for label in source.labels):
                named = replace(source.artifact, content=None) if source.generated else source.artifact
                found.append(self.key(named))
        return [key for key in found if key != own]

    def executions(self, artifact: Artifact) -> Executions:
        """How many runs an artifact's lineage holds, when, and how they are known.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return executions(working, self._lineage(working, artifact))

    def removals(self, artifact: Artifact | None = None) -> list[RemovalRecord]:
        """Removals ever claimed, first claimed first, with what became of them.

        Args:
            artifact: only those that speak of something in its lineage.
        """
        return [r for r in self._claims(Act.REMOVAL, artifact) if isinstance(r, RemovalRecord)]

    def corrections(self, artifact: Artifact | None = None) -> list[CorrectionRecord]:
        """Corrections ever claimed; see `removals`."""
        return [r for r in self._claims(Act.CORRECTION, artifact) if isinstance(r, CorrectionRecord)]

    def cuts(self, artifact: Artifact) -> list[Cut]:
        """What an artifact would carry if no removal were in force, with one path for each label, and what cut it.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            node = self._known(working, artifact)
            out = []
            wanted = cut_labels(working, node)
            found = [r for r in claims(working, Act.REMOVAL) if isinstance(r, RemovalRecord)] if wanted else []
            nodes = self._lineage(working, artifact).nodes if wanted else set()
            for x, sources in wanted.items():
                hops = path(working, node, x, cut=True)
                out.append(Cut(x, removed_from(working, nodes, sources, x, found), steps(working, hops, artifact, x)))
            return out

    def _claims(self, kind: Act, artifact: Artifact | None) -> list[RemovalRecord | CorrectionRecord]:
        with self._store.read():
            working = self._view()
            found = claims(working, kind)
            if artifact is None or not found:
                return found
            nodes = self._lineage(working, artifact).nodes
            return [record for record in found if speaks_of(working, record, nodes)]

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    # inside

    def _view(self) -> Working:
        return self._reading(head_of(self._store))

    def _lineage(self, working: Working, artifact: Artifact) -> Closure:
        """What an artifact's lineage rests on; the last one is kept, for the next question about the same artifact."""
        node = self._known(working, artifact)
        key = working.head.position, working.head.epoch, artifact
        if self._traced is None or self._traced[0] != key:
            self._traced = key, lineage_of(working, artifact, node)
        return self._traced[1]

    def _known(self, working: Working, artifact: Artifact) -> Node:
        key = node_key(artifact.namespace, artifact.name, artifact.content)
        if self._covered is not None:
            self._covered.node(key)
        node = working.find_node(key)
        if node is None or not node.pairset:
            raise _unknown(artifact)
        return node


@contextmanager
def _no_collection(events: int) -> Iterator[None]:
    """Keep the cycle collector out of a batch: it makes many small objects and no cycles (a quarter of the time)."""
    if events < 50 or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def _checked(data: bytes, index: int) -> Event:
    """An event that can be recorded."""
    try:
        event = read(data)
        if b"\\u0000" in data and _NUL.search(data):  # the plain search first: it is ten times as fast
            raise UsageError("", cause="it holds a NUL character")
        moment = happened(event.time)
        if not moment.zoned and event.producer == PRODUCER:
            raise UsageError("", cause=f"eventTime {event.time!r} names no zone")
    except ValueError as error:
        raise _invalid(index, str(error)) from None
    except LineageError as error:
        raise _invalid(index, error.cause) from None
    return event


def _time(event: Event) -> int:
    return happened(event.time).microseconds


def _invalid(index: int, cause: str) -> UsageError:
    return UsageError(
        f"event {index} cannot be recorded, so none was",
        code="EVENT_INVALID",
        cause=cause,
        hint="see docs/reference/events.md for the fields that are read",
    )


def _unknown(artifact: Artifact) -> CannotDecide:
    name = display(artifact.namespace, artifact.name)
    return CannotDecide(
        f"nothing is recorded of {name}",
        code="ARTIFACT_UNKNOWN",
        cause="no recorded event names this content" if artifact.content else "no recorded event names it",
        hint="run `lineagegate sync`, or record the run that made it",
    )


def _no_source(artifact: Artifact) -> CannotDecide:
    name = display(artifact.namespace, artifact.name)
    return CannotDecide(
        f"no source of {name} is known",
        code="NO_SOURCE",
        cause="its lineage leads back to nothing that was recorded as a source",
        hint=f"run `lineagegate why {name}`, and record or declare where it comes from",
    )
