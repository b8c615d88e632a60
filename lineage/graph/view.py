"""What a question starts from: one view of the store, the rows of it in memory, the labels that were resolved.

Another process may write between our transactions, so what is kept in memory is held against the position at the
start of each.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lineage.errors import CannotDecide
from lineage.events.event import act_of
from lineage.events.naming import display
from lineage.graph import rows
from lineage.graph.asof import Covered
from lineage.graph.closure import Closure, lineage_of
from lineage.graph.jobs import Jobs
from lineage.graph.keys import content_key, node_key, run_key
from lineage.graph.names import any_artifact, artifact_of
from lineage.graph.project import event_at
from lineage.graph.questions import (
    Dataset,
    Labels,
)
from lineage.graph.resolve import label, label_codes, label_of, unpack_labels
from lineage.graph.rows import Act, Node
from lineage.graph.seals import Seals
from lineage.graph.tokens import Tokens
from lineage.graph.working import Working, read_origin, unpack_pairs
from lineage.graph.write import head_of
from lineage.store import Store
from lineage.store.store import HEAD_ID, damaged, headless
from lineage.vocabulary import (
    UNDECLARED,
    Artifact,
    Change,
    Label,
)

MOST_RESOLVED = 20_000
"""Label sets kept in memory."""
_LABELS = (  # one statement, so one view
    "SELECT h.position, h.epoch, c.node, n.pairset, p.epoch, p.labels FROM head h LEFT JOIN content c ON c.key = ? "  # noqa: S608
    f"LEFT JOIN node n ON n.id = c.node LEFT JOIN pairset p ON p.id = n.pairset WHERE h.id = {HEAD_ID}"
)
_STORED = "SELECT epoch, labels, pairs FROM pairset WHERE id = ?"
_RETAGGED = "SELECT source, epoch FROM retag WHERE epoch > ? ORDER BY epoch"


class View:
    """Labels, names and single facts.

    Args:
        store: an open store; the view uses it alone.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._working: Working | None = None
        self._resolved: dict[int, tuple[int, frozenset[Label], int]] = {}  # set -> (epoch, labels, sources)
        self._names: dict[int, Label] = {}
        self._changed: dict[int, int] = {}  # source -> epoch it was retagged at, complete after `_changed_from`
        self._changed_from = -1
        self._changed_to = -1
        self._traced: tuple[tuple[int, int, Artifact], Closure] | None = None
        self._covered: Covered | None = None  # what can be asked; None: anything

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

    def close(self) -> None:
        """Close the store."""
        self._store.close()

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

    # single facts

    def there(self) -> None:
        """See that the database is still the one that was opened, as `Store.there`."""
        self._store.there()

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

    # inside

    def _view(self) -> Working:
        """Rows in memory that are those of the store now. In a transaction."""
        head = head_of(self._store)
        working = self._working
        if working is None or working.head.position != head.position or working.head.epoch != head.epoch:
            working = self._working = Working(self._store, head)
        return working

    def _forget(self) -> None:
        """Let go of what was read in a transaction that is undone: it may hold ids that will be given out again."""
        self._working = None
        self._traced = None
        self._resolved.clear()
        self._names.clear()
        self._changed_from = -1

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
