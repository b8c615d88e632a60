"""Paths and impact: walks along the edges, with the use each step carries (so a path really yields its label).

A node has two ports: what it was made of, and what readers of it inherit. They differ for directories only, which
give their files what they were made of and carry to their readers what their files carry.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from lineage.graph import rows
from lineage.graph.pairs import BASE_MODEL, BITS, CONTENT, EVALUATION, MASK, USES, after, before
from lineage.graph.resolve import generated_origin, label, label_codes, resolve
from lineage.graph.rows import ALONE, DIRECTORY, NARROWED, Node
from lineage.graph.working import Working, matches
from lineage.store.store import damaged
from lineage.vocabulary import Basis, Label, Use


class Hop(NamedTuple):
    """One step of a path in rows: what was reached, how."""

    node: int
    dataset: int
    """Name it has in the run that made it, 0 where unknown."""
    run: int
    """Run that made it; 0 for a source, and for a step between a directory and its file."""
    use: Use
    """Role in which the node before entered that run."""
    holder: int = 0
    """Of a step between a directory and its file, the directory."""


class _State(NamedTuple):
    node: int
    full: bool
    wanted: int
    blocked: frozenset[int]


class _Back(NamedTuple):
    """How the search came to a state: the state after it, and the run and names between."""

    state: _State
    run: int
    dataset: int  # name of this state's node as that run's input
    made: int  # name of the later state's node as that run's output
    use: int


def path(working: Working, end: Node, wanted: Label, *, cut: bool = False) -> list[Hop]:
    """One shortest path from a source with this label to a node.

    Args:
        cut: through removals in force: the path of a label that they took out.

    Raises:
        CannotDecide: ``GRAPH_DAMAGED``, the node carries the label and no path leads there.
    """
    for every_file in (False, True):
        found = _search(_Search(working, wanted, every_file, cut=cut), end)
        if found is not None:
            return found
    raise damaged(f"no path leads to a label of node {end.id}: an edge is missing")


def _search(search: _Search, end: Node) -> list[Hop] | None:
    working = search.working
    first = _State(end.id, True, 1 << USES.index(search.wanted.use), frozenset())
    seen: dict[_State, _Back | None] = {first: None}
    queue = deque([first])
    while queue:
        state = queue.popleft()
        node = working.node(state.node)
        found = search.source_at(node, state)
        if found is not None:
            return _unwind(seen, state, found)
        for back, earlier in search.earlier(node, state):
            if earlier not in seen and search.carries(working.node(earlier.node)):
                seen[earlier] = back
                queue.append(earlier)
    return None


def entering(working: Working, end: Node, wanted: Label) -> tuple[set[int], set[tuple[int, int]]]:
    """The runs by which the sources of a label entered the lineage of a node, on any recorded path.

    Of files of a directory that carry the same one stands for all, as in `path`.

    Returns:
        The runs; (directory, file) of each step between a source and one of them.
    """
    for every_file in (False, True):
        found = _entering(_Search(working, wanted, every_file), end)
        if found[0]:
            break
    return found


def _entering(search: _Search, end: Node) -> tuple[set[int], set[tuple[int, int]]]:
    working, wanted = search.working, search.wanted
    first = _State(end.id, True, 1 << USES.index(wanted.use), frozenset())
    into: dict[_State, list[_Back]] = {first: []}
    queue = deque([first])
    waiting: list[_State] = []
    found: set[int] = set()
    listed: set[tuple[int, int]] = set()
    while queue:
        state = queue.popleft()
        node = working.node(state.node)
        if (source := search.source_at(node, state)) is not None:
            found.update(run for run in source[2:] if run)
            if not source[2]:
                waiting.append(state)
        for back, earlier in search.earlier(node, state):
            if earlier in into:
                into[earlier].append(back)
            elif search.carries(working.node(earlier.node)):
                into[earlier] = [back]
                queue.append(earlier)
    seen = set(waiting)
    while waiting:  # steps between a directory and its files are no runs: the one after them is
        state = waiting.pop()
        for back in into[state]:
            if back.run:
                found.add(back.run)
                continue
            if back.state.node != state.node:
                listed.add((back.state.node, state.node) if state.full else (state.node, back.state.node))
            if back.state not in seen:
                seen.add(back.state)
                waiting.append(back.state)
    return found, listed


def _unwind(seen: dict[_State, _Back | None], state: _State, generated: tuple[int, int, int]) -> list[Hop]:
    hops: list[Hop] = []
    back = seen[state]
    model, dataset, run = generated
    if model:  # the source is what a model generated: the model first, then what it made
        hops.append(Hop(model, dataset, 0, Use.CONTENT))
        hops.append(Hop(state.node, back.dataset if back else 0, run, Use.CONTENT))
    else:
        hops.append(Hop(state.node, back.dataset if back else 0, 0, Use.CONTENT))
    while back is not None:
        after_ = back.state
        if after_.node != state.node or back.run:  # between the two ports of a directory there is no step
            holder = 0 if back.run else after_.node if state.full else state.node
            hops.append(Hop(after_.node, back.made, back.run, USES[back.use], holder))
        state = after_
        back = seen[state]
    return hops


class _Search:
    """Steps backwards from an artifact, for one label."""

    def __init__(self, working: Working, wanted: Label, every_file: bool, *, cut: bool = False) -> None:
        self.working = working
        self._cut = cut
        self.wanted = wanted
        self._every_file = every_file
        self._carrying: dict[int, bool] = {}
        self._sources: dict[int, bool] = {}

    def carries(self, node: Node) -> bool:
        """Whether a node holds any source with the wanted origin; others need not be visited."""
        known = self._carrying.get(node.pairset)
        if known is None:
            working = self.working
            known = self._carrying[node.pairset] = any(
                self._yields(working.source(s).base or s) for s in {p >> 4 for p in working.pairs(node.pairset)}
            )
        return known

    def _yields(self, source: int) -> bool:
        known = self._sources.get(source)
        if known is None:
            origin, basis = self.wanted.origin, self.wanted.basis
            codes = resolve(self.working, source)[1]
            known = any(self.working.origin(c >> 3) == origin and rows.BASES[c & 7] is basis for c in codes)
            self._sources[source] = known
        return known

    def source_at(self, node: Node, state: _State) -> tuple[int, int, int] | None:
        """(0, 0, 0) if the node's own source has the label here; (model node, name, run) if a model generated it."""
        if not state.wanted >> CONTENT & 1:
            return None
        working = self.working
        if node.source and node.id not in state.blocked and self._yields(node.source):
            return 0, 0, 0
        if self.wanted.basis is not Basis.OBSERVED:
            return None
        blocked = self._blocked(node, state)
        for r in working.makers(node):
            run = working.run(r)
            if any(o[0] == node.id and not o[2] for o in run.outputs):
                for model, dataset, role in run.inputs:
                    if not role & 1 or role >> 1 == EVALUATION:
                        continue
                    if generated_origin(working, dataset) == self.wanted.origin:
                        source = working.generated_by(dataset, 0)
                        if working.source(source).node not in blocked:
                            return model, dataset, r
        return None

    def _blocked(self, node: Node, state: _State) -> frozenset[int]:
        """Sources that removals in force take the wanted origin out of, from this node backwards."""
        if self._cut or not node.flags & NARROWED:
            return state.blocked
        origin = self.wanted.origin
        removed = self.working.removed(node)
        return state.blocked | {s for o, s in removed if matches(self.working.origin(o), origin)}

    def _files(self, directory: Node) -> Iterator[int]:
        """Files worth visiting: of those that carry the same, one stands for all, unless it is a source itself.

        A directory may have a hundred thousand files; the path through any of them is as true. In a cycle the one may
        have it only through the directory itself: then the search is done again with every file.
        """
        working = self.working
        members = working.members(directory)
        working.load_nodes(members)
        seen = {directory.made}
        for member in members:
            node = working.node(member)
            if self._every_file or node.source or node.pairset not in seen:
                seen.add(node.pairset)
                yield member

    def earlier(self, node: Node, state: _State) -> Iterator[tuple[_Back, _State]]:
        """Every state from which a pair reaches this one."""
        working = self.working
        blocked = self._blocked(node, state)
        wanted = state.wanted
        if state.full and node.flags & DIRECTORY:
            yield _Back(state, 0, 0, 0, CONTENT), _State(node.id, False, wanted, state.blocked)
            for member in self._files(node):
                yield _Back(state, 0, 0, 0, CONTENT), _State(member, True, wanted, blocked)
            return
        for r in working.makers(node):
            run = working.run(r)
            name = next((o[1] for o in run.outputs if o[0] == node.id), 0)
            for input_, dataset, role in run.inputs:
                mask = before(wanted, role >> 1, bool(role & 1))
                if mask:
                    yield _Back(state, r, dataset, name, role >> 1), _State(input_, True, mask, blocked)
        if wanted >> EVALUATION & 1:
            for r in working.readers(node.id):
                run = working.run(r)
                name = next((i[1] for i in run.inputs if i[0] == node.id and _under_test(i[2])), 0)
                if name:
                    for input_, dataset, role in run.inputs:
                        if role >> 1 == EVALUATION:
                            mask = before(1 << EVALUATION, EVALUATION, bool(role & 1))
                            yield _Back(state, r, dataset, name, EVALUATION), _State(input_, True, mask, blocked)
        for directory in working.directories(node):
            yield _Back(state, 0, 0, 0, CONTENT), _State(directory, False, wanted, blocked)


def _under_test(role: int) -> bool:
    return bool(role & 1) and role >> 1 in (CONTENT, BASE_MODEL)


class Reached(NamedTuple):
    """Something downstream, in rows."""

    node: int
    dataset: int
    """Name it has in the run that made it; 0 where it is reached as a file of a directory, or as the directory."""
    distance: int
    uses: set[int]
    """In which a label of the start gets there, by number."""


Met = tuple[int, int]
"""What a run read of something downstream: (its name there, runs between)."""


def downstream(working: Working, start: Node, met: dict[int, Met] | None = None) -> list[Reached]:
    """Everything a tag put on a node would reach, removals in force aside, nearest first; the node itself left out.

    Args:
        working: the rows.
        start: the node.
        met: filled with every run that reads any of it, and what it reads that is nearest to the start.
    """
    queue = deque([(start.id, False, CONTENT, 0)])
    seen: set[tuple[int, bool, int]] = set()
    reached: dict[tuple[int, int], Reached] = {}
    while queue:
        id_, full, use, distance = queue.popleft()
        if (id_, full, use) in seen:
            continue
        seen.add((id_, full, use))
        node = working.node(id_)
        if node.flags & ALONE and id_ != start.id:  # it has a name, whether a run gave it one or not
            reached.setdefault((id_, 0), Reached(id_, 0, distance, set())).uses.add(use)
        if not full:
            queue.appendleft((id_, True, use, distance))
            queue.extendleft((member, False, use, distance) for member in working.members(node))
            continue
        queue.extendleft((directory, True, use, distance) for directory in working.directories(node))
        for r in working.readers(id_):
            run = working.run(r)
            for input_, name, role in run.inputs:
                if input_ != id_:
                    continue
                if met is not None and (r not in met or distance < met[r][1]):
                    met[r] = name, distance
                uses = after(use, role >> 1, bool(role & 1))
                if uses:
                    for output, dataset, _ in run.outputs:
                        if output != start.id:
                            new = Reached(output, dataset, distance + 1, set())
                            reached.setdefault((output, dataset), new).uses.update(uses)
                        queue.extend((output, False, u, distance + 1) for u in uses)
                if role >> 1 == EVALUATION and uses:
                    for tested, dataset, other in run.inputs:
                        if _under_test(other):
                            if tested != start.id:
                                new = Reached(tested, dataset, distance + 1, set())
                                reached.setdefault((tested, dataset), new).uses.add(EVALUATION)
                            queue.append((tested, False, EVALUATION, distance + 1))
    named = {node for node, dataset in reached if dataset}
    return [found for (node, dataset), found in reached.items() if dataset or node not in named]


def labels_of(working: Working, node: Node) -> list[Label]:
    """The labels a node carries, in a fixed order."""
    _, codes = label_codes(working, working.pairs(node.pairset))
    return [label(working, code) for code in sorted(codes)]


def cut_labels(working: Working, node: Node) -> dict[Label, set[int]]:
    """The labels that a node would carry if no removal were in force, less those that it carries all the same; of each
    the nodes of its sources."""
    pairs = working.pairs(node.pairset)
    _, carried = label_codes(working, pairs)
    codes: dict[int, set[int]] = {}
    for pair in pairs:
        if base := working.source(pair >> 4).base:
            for code in label_codes(working, frozenset((base << BITS | pair & MASK,)))[1]:
                codes.setdefault(code, set()).add(working.source(base).node)
    return {label(working, code): codes[code] for code in sorted(codes.keys() - carried)}
