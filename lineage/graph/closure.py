"""Which nodes, runs and ledger entries an answer rests on, found in the present rows.

Facts are only ever added, so the present graph holds every past one: what is upstream of an artifact today is a
superset of what was. The entries found here, replayed, therefore answer a question about the past exactly as the whole
ledger would (`asof`), and they are the evidence for an answer about the present. What is not found here was never
upstream: leaving it out can hide a name, never a label.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from lineage.events import Event
from lineage.events.event import Dataset, act_of
from lineage.graph import rows
from lineage.graph.keys import content_key, key_of_text, node_key
from lineage.graph.names import references
from lineage.graph.pairs import BASE_MODEL, CONTENT, EVALUATION
from lineage.graph.project import event_at
from lineage.graph.rows import DIRECTORY, MEMBER, MORE_MAKERS, Act, Node, Run
from lineage.graph.working import Working
from lineage.ledger import happened
from lineage.vocabulary import Artifact, Change, Content, Happening, Removal, Tag


class _Time(msgspec.Struct, gc=False):
    """The one field of an event that says when it happened."""

    time: str = msgspec.field(name="eventTime")


_read_time = msgspec.json.Decoder(_Time).decode


class Closure:
    """What some questions rest on. In a read transaction.

    Args:
        working: the present rows.
        upto: only entries before this position.
        until: only events whose own time is not after this (microseconds); None: whenever.
    """

    def __init__(self, working: Working, upto: int, until: int | None = None) -> None:
        self.working = working
        self.upto = upto
        self.until = until
        self.nodes: set[int] = set()
        self.runs: dict[int, list[int]] = {}
        """Runs by id, with the positions of their events that count."""
        self.positions: set[int] = set()
        """Entries beside those of the runs."""
        self._whole: set[int] = set()  # nodes with all their files, where they are directories
        self._made: set[int] = set()  # runs whose inputs were looked at
        self._passed: dict[int, bool] = {}

    def entries(self) -> list[int]:
        """Every entry found, in the order of the ledger."""
        found = set(self.positions)
        for positions in self.runs.values():
            found.update(positions)
        return sorted(found)

    def counts(self, position: int) -> bool:
        """Whether an entry is inside both times."""
        if position >= self.upto:
            return False
        if self.until is None:
            return True
        known = self._passed.get(position)
        if known is None:
            moment = happened(_read_time(self.working.entry(position)[0]).time)
            known = self._passed[position] = moment.microseconds <= self.until
        return known

    # upstream

    def backward(self, start: Iterable[int]) -> None:
        """Everything that nodes inherit from: runs, their inputs, directories, files; with the entries that say so."""
        working, lookup = self.working, self.working.store.lookup
        level = {(node, True) for node in start}
        while level:
            whole = [n for n, full in level if full and n not in self._whole]
            made = [n for n in {n for n, _ in level} if n not in self.nodes]
            self._whole.update(whole)
            self.nodes.update(made)
            working.load_nodes({*whole, *made})
            level = set()
            holders = [n for n in whole if working.node(n).flags & DIRECTORY]
            level.update((file, True) for _, file in lookup(rows.MEMBERS, holders))
            held = [n for n in made if working.node(n).flags & MEMBER]
            level.update((directory, False) for _, directory in lookup(rows.DIRECTORIES, held))
            makers = {working.node(n).run for n in made} - {0}
            more = [n for n in made if working.node(n).flags & MORE_MAKERS]
            makers.update(run for _, run in lookup(rows.MADE, more))
            readers = lookup(rows.READERS, made)
            working.load_runs({*makers, *(run for _, run in readers)})
            # a run that measures a model gives it what it was measured with (law 5)
            tests = {run for node, run in readers if _measures(working.run(run), node)}
            self._add_runs(makers | tests)
            for run in tests & self.runs.keys():
                level.update((i[0], True) for i in working.run(run).inputs if i[2] >> 1 == EVALUATION)
            for run in makers & self.runs.keys() - self._made:
                level.update((i[0], True) for i in working.run(run).inputs)
            self._made |= makers
        self._tags(self.nodes)
        self._listings(self.nodes)

    def forward(self, start: Iterable[int]) -> None:
        """Everything that inherits from nodes."""
        working, lookup = self.working, self.working.store.lookup
        level = {(node, False) for node in start}
        reached: set[int] = set()
        while level:
            made = [n for n, full in level if not full and n not in self.nodes]
            self.nodes.update(made)
            whole = [n for n in {n for n, _ in level} if n not in reached]
            reached.update(whole)
            working.load_nodes({*whole, *made})
            level = set()
            level.update((f, False) for _, f in lookup(rows.MEMBERS, [n for n in made if _is(working, n, DIRECTORY)]))
            level.update((d, True) for _, d in lookup(rows.DIRECTORIES, [n for n in whole if _is(working, n, MEMBER)]))
            readers = lookup(rows.READERS, whole)
            working.load_runs({run for _, run in readers})
            self._add_runs({run for _, run in readers})
            for node, id_ in readers:
                if id_ not in self.runs:
                    continue
                run = working.run(id_)
                level.update((o[0], False) for o in run.outputs)
                if any(i[0] == node and i[2] >> 1 == EVALUATION for i in run.inputs):
                    level.update((i[0], False) for i in run.inputs if _under_test(i[2]))
        self.nodes |= reached
        self._listings(self.nodes)

    def _add_runs(self, runs: set[int]) -> None:
        """Note those of some runs that had happened, with their entries."""
        new = [run for run in runs if run not in self.runs]
        found = {run: [self.working.run(run).entry] for run in new}
        for run, position in self.working.store.lookup(rows.AGAIN, new):
            found[run].append(position)
        for run, positions in found.items():
            if counting := [p for p in sorted(positions) if self.counts(p)]:
                self.runs[run] = counting

    def _tags(self, nodes: Iterable[int]) -> None:
        """The entry that first said each tag."""
        working = self.working
        sources = {source for n in nodes if (source := working.node(n).source)}
        said: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
        for source, origin, basis, position in working.store.lookup(rows.TAGS, list(sources)):
            said[source, origin, basis].append(position)
        for positions in said.values():
            first = next((p for p in sorted(positions) if self.counts(p)), None)
            if first is not None:
                self.positions.add(first)

    def _listings(self, nodes: Iterable[int]) -> None:
        """The entries that together list the files of each directory."""
        working, lookup = self.working, self.working.store.lookup
        directories = [n for n in nodes if _is(working, n, DIRECTORY)]
        sizes: defaultdict[int, int] = defaultdict(int)
        for directory, _ in lookup(rows.MEMBERS, directories):
            sizes[directory] += 1
        candidates: defaultdict[int, list[int]] = defaultdict(list)
        for node, position in lookup(rows.SPOKEN, directories):
            candidates[node].append(position)
        for directory, positions in candidates.items():
            listed: set[bytes] = set()
            for position in sorted(positions):
                if len(listed) == sizes[directory]:
                    break
                if self.counts(position):
                    event = event_at(working, position)
                    before = len(listed)
                    listed.update(self._files(event, directory))
                    if len(listed) > before:
                        self.positions.add(position)

    def _files(self, event: Event, directory: int) -> Iterable[bytes]:
        for reference in references(event):
            content = reference.artifact.content
            if content is None or not content.members:
                continue
            if self._is_node(reference, directory):
                own = content_key(content.hash)
                for member in content.members:
                    if not Content(member.hash, member.size).trivial and (file := content_key(member.hash)) != own:
                        yield file

    # names

    def subject(self, artifact: Artifact) -> int | None:
        """Note what says that an artifact exists, under which names and as what; its versions, and its own tags.

        Returns:
            Its node, None when nothing is recorded of it.
        """
        working = self.working
        node = working.find_node(node_key(artifact.namespace, artifact.name, artifact.content))
        row = working.find_dataset(artifact.namespace, artifact.name)
        if row is not None:
            versions = [n for (n,) in working.store.rows("SELECT node FROM version WHERE dataset = ?", (row.id,))]
            named: set[int] = set()
            for version in (row.node, *versions):
                positions = self._mentions(version, row.id)
                named.update(positions)
                self._first(positions, self._names(version, row.namespace, row.name))
            self._first(sorted(named, reverse=True), self._names(0, row.namespace, row.name))
            if row.model:
                self._first(sorted(named), self._names(0, row.namespace, row.name, model=True))
        if node is None:
            return None
        self._first(self._mentions(node.id, 0), self._names(node.id, 0, ""))
        said: set[Tag] = set()  # a tag that every run repeats is on record by its first saying
        for _, _, _, position in working.store.lookup(rows.TAGS, (node.source,) if node.source else ()):
            if self.counts(position):
                event = event_at(working, position)
                tags = {tag for d in references(event) if self._is_node(d, node.id) for tag in d.artifact.tags}
                if not tags <= said:
                    said |= tags
                    self.positions.add(position)
        return node.id

    def _mentions(self, node: int, dataset: int) -> list[int]:
        """Positions of the events that may name a node so (0: in any way)."""
        working, lookup = self.working, self.working.store.lookup
        runs = {*working.makers(working.node(node)), *working.readers(node)}
        working.load_runs(runs)
        runs = {
            id_
            for id_ in runs
            for edge in (*working.run(id_).inputs, *working.run(id_).outputs)
            if edge[0] == node and dataset in (0, edge[1])
        }
        positions = {working.run(id_).entry for id_ in runs}
        positions.update(position for _, position in lookup(rows.AGAIN, list(runs)))
        positions.update(position for _, position in lookup(rows.SPOKEN, (node,)))
        return sorted(positions)

    def _names(self, node: int, namespace: int, name: str, *, model: bool = False) -> Callable[[Event], bool]:
        """Whether an event names a node (0: any) under a name (empty: any), as a model."""
        working = self.working
        space = working.namespace_text(namespace) if namespace else ""

        def test(event: Event) -> bool:
            for reference in references(event):
                if name and (reference.namespace, reference.name) != (space, name):
                    continue
                if model and not reference.is_model:
                    continue
                if not node or self._is_node(reference, node):
                    return True
            return False

        return test

    def _is_node(self, reference: Dataset, node: int) -> bool:
        key = node_key(reference.namespace, reference.name, reference.artifact.content)
        self.working.fetch_nodes((key,))
        return self.working.node_ids.get(key) == node

    def _first(self, positions: Iterable[int], test: Callable[[Event], bool]) -> None:
        """Note the first of some entries that counts and says what is asked."""
        for position in positions:
            if self.counts(position) and test(event_at(self.working, position)):
                self.positions.add(position)
                return

    def names_one_of(self, artifact: Artifact, nodes: set[int]) -> bool:
        """Whether some version of a name is one of these nodes."""
        row = self.working.find_dataset(artifact.namespace, artifact.name)
        if row is None:
            return False
        if row.node in nodes or row.last in nodes:
            return True
        found = self.working.store.rows("SELECT node FROM version WHERE dataset = ?", (row.id,))
        return any(node in nodes for (node,) in found)

    # acts

    def acts(self, kinds: Sequence[Act], models: Iterable[str] | None = None) -> set[str]:
        """Note acts: those of some kinds, and decisions and registry changes about models (None: about any).

        Returns:
            The names of these models, those that they had or got by renaming among them.
        """
        rows_ = self.working.store.rows
        for kind in kinds:
            found = rows_("SELECT entry FROM act WHERE kind = ?", (int(kind),))
            self.positions.update(p for (p,) in found if self.counts(p))
        if models is None:
            return self.acts((Act.DECISION, Act.CHANGE), ())
        waiting, seen = list(models), set[str]()
        while waiting:
            model = waiting.pop()
            if model in seen:
                continue
            seen.add(model)
            for kind in (Act.MODEL, Act.CHANGE):
                for (p,) in rows_("SELECT entry FROM act WHERE kind = ? AND key = ?", (int(kind), model)):
                    if not self.counts(p):
                        continue
                    self.positions.add(p)
                    if kind is Act.CHANGE:
                        act = act_of(event_at(self.working, p))
                        if isinstance(act, Change) and act.happening is Happening.RENAMED:
                            waiting += [act.model, act.value]  # one model under two names
        return seen

    def matches(self) -> None:
        """Note the matches on what removals speak for: they decide what holds."""
        working = self.working
        nodes: set[int] = set()
        for (position,) in working.store.rows("SELECT entry FROM act WHERE kind = ?", (int(Act.REMOVAL),)):
            act = act_of(event_at(working, position))
            if isinstance(act, Removal) and (node := working.find_node(key_of_text(act.content))) is not None:
                nodes.update(inside.id for inside in working.inside(node))
        self._tags(nodes)
        self._listings(nodes)

    def spoken_of(self) -> None:
        """Note the removals and corrections that speak of a node found so far."""
        working = self.working
        for kind in (Act.REMOVAL, Act.CORRECTION):
            for (p,) in working.store.rows("SELECT entry FROM act WHERE kind = ?", (int(kind),)):
                act = act_of(event_at(working, p))
                texts = (act.content,) if not isinstance(act, Removal) else (act.content, *act.sources)  # type: ignore[union-attr]
                keys = [key_of_text(text) for text in texts]
                working.fetch_nodes(keys)
                if working.node_ids.get(keys[0]) in self.nodes and self.counts(p):
                    self.positions.add(p)


def lineage_of(working: Working, artifact: Artifact, node: Node) -> Closure:
    """What the lineage of an artifact rests on, now."""
    closure = Closure(working, working.head.position)
    closure.subject(artifact)
    closure.backward((node.id,))
    closure.spoken_of()
    return closure


def entries_upto(working: Working, recorded: int) -> int:
    """How many entries were recorded not after a time (microseconds). The recording clock never runs backwards."""
    low, high = 0, working.head.position
    while low < high:
        middle = (low + high) // 2
        if working.entry(middle)[1] <= recorded:
            low = middle + 1
        else:
            high = middle
    return low


def _measures(run: Run, node: int) -> bool:
    return any(i[0] == node and _under_test(i[2]) for i in run.inputs) and any(
        i[2] >> 1 == EVALUATION for i in run.inputs
    )


def _under_test(role: int) -> bool:
    return bool(role & 1) and role >> 1 in (CONTENT, BASE_MODEL)


def _is(working: Working, node: int, flag: int) -> bool:
    return bool(working.node(node).flags & flag)
