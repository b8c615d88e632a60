"""Carries sources along the edges to the fixpoint, only along what changed (laws 1, 3, 4, 5, 6, 7).

Sets only grow here, and every step distributes over unions, so any order of work ends in the same least fixpoint,
cycles included. The one exception is `shrink`: an approved removal makes the region downstream be computed anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lineage.graph.keys import named_key
from lineage.graph.pairs import BASE_MODEL, BITS, CONTENT, EVALUATION
from lineage.graph.rows import DIRECTORY, MEMBER, NARROWED, Node, Run
from lineage.graph.working import EMPTY, Working


class Propagation:
    """The work to be done on one `Working`."""

    def __init__(self, working: Working) -> None:
        self.working = working
        self._queue: deque[int] = deque()
        self._queued: set[int] = set()
        self._carry: list[tuple[int, int, bool]] = []
        """(node, set, whether a file gives it to its directory) still to be carried between a directory and its files;
        a list and not a recursion, for directories may be nested as deep as an event says."""

    def push(self, run: int) -> None:
        """Have a run evaluated."""
        if run not in self._queued:
            self._queued.add(run)
            self._queue.append(run)

    def finish(self) -> None:
        """Evaluate until nothing changes."""
        queue, carry, working = self._queue, self._carry, self.working
        while queue or carry:
            while carry:
                id_, pairset, upwards = carry.pop()
                node = working.node(id_)
                if upwards:
                    self._grow_full(node, working.narrow(node, pairset))
                else:
                    self.inherit(node, pairset)
            if queue:
                run = queue.popleft()
                self._queued.discard(run)
                self.evaluate(working.run(run))

    def seed(self, node: Node) -> None:
        """Give a node its own source: (itself, content). Not narrowed: a removal speaks of what is inherited."""
        self._grow(node, self.working.intern(frozenset((node.source << BITS | CONTENT,))))

    def known(self, node: Node) -> None:
        """Tell a node that nothing is known to flow into from one that was never recorded."""
        if not node.pairset:
            node.pairset = EMPTY
            if node.flags & DIRECTORY:
                node.made = EMPTY
            self.working.touch(node)

    def evaluate(self, run: Run) -> None:
        """Give a run's outputs what they inherit through it."""
        working = self.working
        nodes = working.nodes
        parts: list[int] = []
        tested: list[int] = []  # what the inputs used for evaluation give the model under test
        models: list[tuple[int, int, int]] = []
        for edge in run.inputs:
            node, _, role = edge
            pairset = (nodes.get(node) or working.node(node)).pairset
            if not role:  # content of what is no model: the common case
                parts.append(pairset)
                continue
            use = role >> 1
            part = working.through(pairset, use, bool(role & 1))
            parts.append(part)
            if use == EVALUATION:
                tested.append(part)
            elif role & 1:
                models.append(edge)
        inherited = parts[0] if len(parts) == 1 else working.union(parts)
        generated = inherited
        if models and not all(o[2] for o in run.outputs):
            own = [working.generated_by(d, self._named(d)) << BITS | CONTENT for _, d, _ in models]
            generated = working.union((inherited, working.intern(frozenset(own))))
        for node, _, model in run.outputs:
            self.inherit(nodes.get(node) or working.node(node), inherited if model else generated)
        if tested:
            under_test = working.union(tested)
            for node, _, role in models:
                if role >> 1 in (CONTENT, BASE_MODEL):
                    self.inherit(working.node(node), under_test)

    def _named(self, dataset: int) -> int:
        row = self.working.dataset(dataset)
        key = named_key(f"{self.working.namespace_text(row.namespace)}/{row.name}")
        self.working.fetch_nodes((key,))
        return self.working.node_of(key).id

    def inherit(self, node: Node, pairset: int) -> None:
        """Let a node have everything in a set, less what removals in force took out of it."""
        if node.flags & NARROWED:
            pairset = self.working.narrow(node, pairset)
        self._grow(node, pairset)

    def _grow(self, node: Node, pairset: int) -> None:
        working = self.working
        if not node.flags & DIRECTORY:
            self._grow_full(node, pairset)
            return
        made = working.union((node.made, pairset))
        if made == node.made:
            return
        node.made = made
        working.touch(node)
        self._grow_full(node, made)
        self._carry += [(member, made, False) for member in working.members(node)]

    def _grow_full(self, node: Node, pairset: int) -> None:
        """Grow what readers see: of a directory, also what its files carry."""
        working = self.working
        old = node.pairset
        if old == pairset:
            return
        new = pairset if old <= EMPTY else working.union((old, pairset))
        if new == old:
            return
        node.pairset = new
        working.touch(node)
        for run in working.readers(node.id):
            self.push(run)
        if node.flags & MEMBER:
            self._carry += [(directory, new, True) for directory in working.directories(node)]

    def join(self, directory: Node, members: Iterable[int]) -> None:
        """Connect files to a directory that was not known to hold them."""
        working = self.working
        parts = set()
        for id_ in members:
            member = working.node(id_)
            self.known(member)
            self.inherit(member, directory.made)
            parts.add(member.pairset)
        self._grow_full(directory, working.narrow(directory, working.union(parts)))

    def shrink(self, start: Iterable[Node]) -> None:
        """Compute everything downstream of these nodes from nothing, the nodes included (an approved removal)."""
        working = self.working
        region: dict[int, Node] = {}
        todo = list(start)
        while todo:
            node = todo.pop()
            if node.id in region:
                continue
            region[node.id] = node
            after = [*working.members(node), *working.directories(node)]
            for r in working.readers(node.id):
                run = working.run(r)
                after += [o[0] for o in run.outputs]
                if any(i[2] >> 1 == EVALUATION for i in run.inputs):
                    after += [i[0] for i in run.inputs if i[2] & 1]
            todo += [working.node(n) for n in after if n not in region]
        for node in region.values():
            if not node.pairset:
                continue  # nothing is recorded of it; its name was only mentioned
            own = working.intern(frozenset((node.source << BITS | CONTENT,))) if node.source else EMPTY
            node.pairset = own
            node.made = own if node.flags & DIRECTORY else 0
            working.touch(node)
        for node in region.values():
            for r in (*working.makers(node), *working.readers(node.id)):
                self.push(r)
            for member in working.members(node):
                inside = working.node(member)
                self.inherit(inside, node.made)
                self._grow_full(node, working.narrow(node, inside.pairset))
            for directory in working.directories(node):
                self.inherit(node, working.node(directory).made)
