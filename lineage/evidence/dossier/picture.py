"""Where the boxes and lines of the paths stand: a layered drawing, the sources on top, the model below.

Layers with a bounded number of boxes (Coffman and Graham 1972), an order by barycentres (Sugiyama, Tagawa, Toda 1981),
positions by isotonic regression. Boxes and labels stand in rows of their own; a line that passes a row has a lane there
like a box, and bends only between rows: so nothing lies on anything, whatever the paths are. Only lines cross lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from lineage.errors import printable
from lineage.evidence.case import CaseStep
from lineage.evidence.dossier import words
from lineage.evidence.dossier.metrics import elide, width
from lineage.vocabulary import Use

ABREAST = 4
"""Boxes in a row, at most: what fits a page at a size that can be read."""
NAME, NOTE = 13.0, 10.5
"""Font sizes of the two lines of a box."""
ROOM = 178.0
"""Width of text in the widest box."""
PADDING, HEIGHT = 11.0, 45.0
LABEL = 15.0
"""Height of a row of labels."""
LANE = 6.0
"""Width kept free for a line that passes a row."""
BETWEEN, GAP = 18.0, 26.0
"""Space between neighbours, and between rows."""
MARGIN = 6.0
SWEEPS = 8


@dataclass(eq=False)
class Item:
    """Something that stands in a row: a box, a label on a line, or the lane of a line that passes."""

    kind: str
    """``source``, ``data``, ``model``, ``label`` or ``lane``."""
    width: float
    height: float
    lines: tuple[str, ...] = ()
    """What is written, cut to size."""
    full: str = ""
    """What is meant, in full."""
    x: float = 0.0
    """Centre; before there are places, the place in its row from 0 to 1."""
    y: float = 0.0
    """Top."""
    above: list[Item] = field(default_factory=list, repr=False)
    below: list[Item] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Stroke:
    """A line from the foot of one item to the head of the next, or down a lane."""

    start: tuple[float, float]
    end: tuple[float, float]
    arrow: bool
    dashed: bool


@dataclass(frozen=True)
class Drawing:
    """Everything placed; y grows downwards, from 0."""

    width: float
    height: float
    items: tuple[Item, ...]
    """Boxes and labels."""
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True)
class _Chain:
    items: list[Item]
    dashed: bool


@dataclass
class _Node:
    name: str
    content: str
    kind: str = "data"
    paths: list[int] = field(default_factory=list)
    steps: list[CaseStep] = field(default_factory=list)
    children: dict[int, set[str]] = field(default_factory=dict)
    """Index of what was made from it, and the uses in which it went in."""


def place(paths: Sequence[Sequence[CaseStep]]) -> Drawing:
    """Draw some paths as one picture, what they share once.

    Args:
        paths: each the source first, the model last; they are numbered from 1.

    Returns:
        Where everything stands.
    """
    rows, chains = _rows(_merge(paths))
    _order(rows)
    _across(rows)
    height = _down(rows)
    every = [item for row in rows for item in row]
    left = min((item.x - item.width / 2 for item in every), default=0.0) - MARGIN
    for item in every:
        item.x -= left
    right = max((item.x + item.width / 2 for item in every), default=0.0)
    boxes = tuple(item for item in every if item.kind != "lane")
    return Drawing(right + MARGIN, height, boxes, tuple(_strokes(chains)))


def _rows(nodes: Sequence[_Node]) -> tuple[list[list[Item]], list[_Chain]]:
    """What stands in each row, from above, and every line as the chain of what it meets.

    Boxes are in even rows; odd ones hold the labels of lines, where there are any.
    """
    levels = _levels(nodes)
    items = [_box(node) for node in nodes]
    place_ = [2 * (max(levels) - level) for level in levels]
    rows: dict[int, list[Item]] = {}
    for item, row in zip(items, place_, strict=True):
        rows.setdefault(row, []).append(item)
    edges = [(index, child, uses) for index, node in enumerate(nodes) for child, uses in node.children.items()]
    labelled = {place_[child] - 1 for _, child, uses in edges if _said(uses)}
    chains: list[_Chain] = []
    for index, child, uses in edges:
        chain = [items[index]]
        for row in range(place_[index] + 1, place_[child]):
            if row % 2 and row not in labelled:
                continue
            here = row == place_[child] - 1 and _said(uses)
            chain.append(_label(here) if here else Item("lane", LANE, 0.0))
            rows.setdefault(row, []).append(chain[-1])
        chain.append(items[child])
        for upper, lower in pairwise(chain):
            upper.below.append(lower)
            lower.above.append(upper)
        chains.append(_Chain(chain, uses == {Use.EVALUATION.value}))
    return [rows[row] for row in sorted(rows)], chains


def _merge(paths: Sequence[Sequence[CaseStep]]) -> list[_Node]:
    """One node for each content of a name; a step that would close a circle gets a node of its own."""
    nodes: list[_Node] = []
    known: dict[tuple[str, str], int] = {}

    def reaches(start: int, goal: int) -> bool:
        seen, waiting = {start}, [start]
        while waiting:
            found = waiting.pop()
            if found == goal:
                return True
            waiting += (new := nodes[found].children.keys() - seen)
            seen |= new
        return False

    for number, path in enumerate(paths, start=1):
        before = -1
        for place_, step in enumerate(path):
            index = known.get((step.artifact, step.content), -1)
            if index < 0 or (before >= 0 and reaches(index, before)):
                index = len(nodes)
                nodes.append(_Node(step.artifact, step.content))
                known.setdefault((step.artifact, step.content), index)
            node = nodes[index]
            if place_ == 0:
                node.kind = "source"
                node.paths.append(number)
            if place_ == len(path) - 1 and place_:
                node.kind = "model"
            node.steps.append(step)
            if before >= 0:
                nodes[before].children.setdefault(index, set()).add(step.use or Use.CONTENT.value)
            before = index
    return nodes


def _levels(nodes: Sequence[_Node]) -> list[int]:
    """Level of each node, counted from below: above all that was made from it, at most `ABREAST` in each."""
    far = [-1] * len(nodes)
    for root in range(len(nodes)):  # depth first, without recursion: paths may be long
        waiting = [root]
        while waiting:
            index = waiting[-1]
            open_ = [child for child in nodes[index].children if far[child] < 0]
            if open_:
                waiting += open_
            else:
                far[index] = max((far[child] + 1 for child in nodes[index].children), default=0)
                waiting.pop()
    levels = [0] * len(nodes)
    filled: dict[int, int] = {}
    for index in sorted(range(len(nodes)), key=lambda index: (far[index], index)):
        level = max((levels[child] + 1 for child in nodes[index].children), default=0)
        while filled.get(level, 0) >= ABREAST:
            level += 1
        levels[index] = level
        filled[level] = filled.get(level, 0) + 1
    return levels


def _box(node: _Node) -> Item:
    runs = list(dict.fromkeys(step.run for step in node.steps if step.run))
    latest = next((step for step in node.steps if step.run), node.steps[0])
    if node.kind == "source":
        said = f"path {', '.join(map(str, node.paths))} · {latest.basis or 'undeclared'}"
    else:
        said = ", ".join(runs) or "same content"
    said = printable(f"{said} · {words.day(latest.time)}" if latest.time else said)
    name = printable(node.name)
    lines = (elide(name, NAME, ROOM), elide(said, NOTE, ROOM))
    wide = max(width(lines[0], NAME), width(lines[1], NOTE), 60.0)
    by = f", {latest.by}" if latest.by else ""
    return Item(
        node.kind,
        wide + 2 * PADDING,
        HEIGHT,
        lines,
        printable(f"{node.name} ({node.content or 'no hash'}): {said}{by}"),
    )


def _said(uses: set[str]) -> str:
    """What a line is labelled with: the roles that are not plain content."""
    return ", ".join(sorted(uses - {Use.CONTENT.value}))


def _label(text: str) -> Item:
    shown = elide(printable(text), NOTE, ROOM)
    return Item("label", width(shown, NOTE) + 8, LABEL, (shown,), printable(text))


def _order(rows: Sequence[list[Item]]) -> None:
    """Order each row so that few lines cross: the mean place of neighbours, downwards and upwards in turn."""
    for row in rows:
        for index, item in enumerate(row):
            item.x = (index + 0.5) / len(row)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            for item in row:
                near = item.above if down else item.below
                item.x = sum(n.x for n in near) / len(near) if near else item.x
            row.sort(key=lambda item: item.x)
            for index, item in enumerate(row):
                item.x = (index + 0.5) / len(row)


def _across(rows: Sequence[list[Item]]) -> None:
    """Place each item near its neighbours in other rows, in order and apart."""
    for row in rows:
        _apart(row, [0.0] * len(row))
    for sweep in range(3 * SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _apart(row, [_wanted(item, sweep >= 2) for item in row])
    for row in rows:  # at last each under what it was made from: paths run straight down, as far as there is room
        _apart(row, [_wanted(item, False) for item in row])


def _wanted(item: Item, both: bool) -> float:
    """The mean place of an item's neighbours; one that has no other neighbour on that side pulls hard, so that chains
    are straight."""
    total = weight = 0.0
    for near, side in ((item.above, "below"), (item.below if both else [], "above")):
        for other in near:
            pull = 8.0 if len(near) == 1 and len(getattr(other, side)) == 1 else 1.0
            total += pull * other.x
            weight += pull
    return total / weight if weight else item.x


def _apart(row: Sequence[Item], wanted: Sequence[float]) -> None:
    """The places nearest to the wanted ones (least squares) that keep order and space: pool adjacent violators."""
    offsets, at = [], 0.0
    for index, item in enumerate(row):
        if index:
            at += (row[index - 1].width + item.width) / 2 + BETWEEN
        offsets.append(at)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while pools and pools[-1][0] >= mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    shifts = [mean for mean, count in pools for _ in range(count)]
    for item, offset, shift in zip(row, offsets, shifts, strict=True):
        item.x = offset + shift


def _down(rows: Sequence[list[Item]]) -> float:
    """Place the rows below each other, further apart where many lines bend; returns the height of all."""
    y = MARGIN
    for index, row in enumerate(rows):
        tall = max(item.height for item in row)
        for item in row:
            item.y = y
            item.height = item.height or tall
        y += tall
        if index < len(rows) - 1:
            y += GAP + min(3.0 * (sum(len(item.below) for item in row) - 1), 36.0)
    return y + MARGIN


def _strokes(chains: Sequence[_Chain]) -> list[Stroke]:
    """Lines between neighbours in a chain; several at one box share its edge evenly, in the order of where they go."""
    strokes = []
    for chain in chains:
        for upper, lower in pairwise(chain.items):
            start = (_port(upper, lower, upper.below), upper.y + upper.height)
            end = (_port(lower, upper, lower.above), lower.y)
            strokes.append(Stroke(start, end, lower is chain.items[-1], chain.dashed))
            if lower.kind == "lane":
                foot = (lower.x, lower.y + lower.height)
                strokes.append(Stroke((lower.x, lower.y), foot, False, chain.dashed))
    return strokes


def _port(item: Item, other: Item, neighbours: Sequence[Item]) -> float:
    order = sorted(neighbours, key=lambda n: (n.x, id(n) == id(other)))
    place_ = next(index for index, n in enumerate(order) if n is other)
    return item.x - item.width / 2 + item.width * (place_ + 1) / (len(order) + 1)
