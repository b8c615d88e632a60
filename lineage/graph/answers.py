"""What an artifact rests on and what follows from it: paths, impact, sources, what people said, the entries of each.

Every answer is of one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from lineage.events import Event
from lineage.events.event import act_of
from lineage.graph import rows
from lineage.graph.asof import not_covered, whole
from lineage.graph.executions import Telling
from lineage.graph.keys import key_text, node_key
from lineage.graph.names import any_artifact, artifact_of, recorded_tags, steps
from lineage.graph.near import Beside, Named, Page, beside, called, told, version
from lineage.graph.origins import Contribution, Entered, User, contributions, entered, row_count, users
from lineage.graph.pairs import USES
from lineage.graph.project import entries_of, event_at
from lineage.graph.questions import (
    CorrectionRecord,
    Cut,
    Entry,
    Executions,
    Impact,
    ImpactItem,
    Maker,
    Recorded,
    RemovalRecord,
    Said,
    Source,
    Status,
)
from lineage.graph.resolve import resolve
from lineage.graph.rows import EXPLAINED, Act, SourceKind
from lineage.graph.said import (
    claims,
    executions,
    first_entry,
    maker,
    removed_from,
    said,
    speaks_of,
    step_entries,
    tellings,
    watched,
)
from lineage.graph.view import View
from lineage.graph.walk import cut_labels, downstream, labels_of, path
from lineage.graph.working import Working, matches, read_origin
from lineage.graph.write import head_of
from lineage.ledger.clock import moment_of
from lineage.store.store import damaged
from lineage.vocabulary import (
    Artifact,
    Basis,
    Decision,
    Grant,
    Label,
    Origin,
    Step,
)

_LINKS = "SELECT count(*) FROM run_key WHERE key >= ? AND key < ? AND length(key) = 21"  # kept as runs are


class Answers(View):
    """The questions that walk the graph."""

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

    def first_entries(self, run_ids: Sequence[str]) -> list[int | None]:
        """Of each run the first entry that tells of it; None where none does."""
        with self._store.read():
            working = self._view()
            return [first_entry(working, run_id) for run_id in run_ids]

    def watched(self, run_ids: Sequence[str]) -> list[frozenset[str]]:
        """Of each run the executions of which its events say what was seen (`Observation.executions`)."""
        with self._store.read():
            working = self._view()
            return [watched(working, run_id) for run_id in run_ids]

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

    def tellings(self, artifact: Artifact) -> list[list[Telling]]:
        """The executions of an artifact's lineage, each with the events that tell of it.

        Raises:
            CannotDecide: ``ARTIFACT_UNKNOWN``, ``GRAPH_DAMAGED``.
        """
        with self._store.read():
            working = self._view()
            return tellings(working, self._lineage(working, artifact))

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
