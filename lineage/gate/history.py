"""What happened, in order: to a model over its life, or on record at all, between two dates (S8, S10).

Two times are told apart: a thing is listed when it happened, and says when it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lineage.events import Event
from lineage.events.event import act_of
from lineage.events.naming import display
from lineage.evidence.case import HistoryItem
from lineage.evidence.happened import act_item, declared, declared_item, executed_item
from lineage.graph import Graph
from lineage.graph.rows import Act
from lineage.ledger import happened
from lineage.vocabulary import Decision, Grant, Origin

if TYPE_CHECKING:
    from lineage.gate.case import Examination

Speaks = Callable[[Origin], bool]


def of_case(examined: Examination, entries: Sequence[int]) -> tuple[HistoryItem, ...]:
    """What happened to the model that was asked about, as far as its lineage and its name show.

    Args:
        examined: the model and the origin.
        entries: of its lineage.
    """
    speaks: Speaks = lambda origin: examined.wanted.anything or examined.speaks(origin) is True  # noqa: E731
    entered = {entry for found in examined.entered.values() for entry in found}
    items: list[HistoryItem] = []
    tagged: set[object] = set()
    for position in entries:
        event, recorded = examined.event(position)
        if act_of(event) is not None:
            continue
        if position in entered:
            items.append(executed_item(event, _read(event, examined), recorded, position))
        elif made := [o.artifact for o in event.outputs if examined.is_version(o.artifact)]:
            names = ", ".join(display(artifact.namespace, artifact.name) for artifact in made)
            items.append(executed_item(event, f"made {names}", recorded, position))
        items += _declared(event, recorded, position, speaks, tagged)
    items += _acts(examined, speaks)
    return tuple(sorted(items, key=lambda item: (happened(item.time).microseconds, item.entry)))


def _read(event: Event, examined: Examination) -> str:
    """Which of the sources that were asked about a run read."""
    keys = {s.artifact.content.hash for s in examined.sources_of(examined.shown) if s.artifact.content}
    names = [
        display(i.namespace, i.name) for i in event.inputs if i.artifact.content and i.artifact.content.hash in keys
    ]
    return f"read {', '.join(dict.fromkeys(names))}" if names else "read data of that origin"


def _acts(examined: Examination, speaks: Speaks) -> Iterable[HistoryItem]:
    graph = examined.graph
    whole = examined.whole_model
    positions = {item.entry for item in examined.changes if whole or item.change.version in ("", examined.version)}
    positions.update(judgement.entry for judgement in examined.judgements)
    positions.update(entry for grant in examined.grant_uses for entry in grant.entries)
    positions.update(
        entry for removal in examined.removals for entry in removal.entries if speaks(removal.removal.origin)
    )
    positions.update(entry for item in examined.corrections for entry in item.entries if speaks(item.correction.origin))
    positions.update(said.position for said in graph.acts((Act.POLICY,)))
    for position in positions:
        event, recorded = examined.event(position)
        if (item := act_item(event, recorded, position)) is not None:
            yield item


def of_record(
    graph: Graph, speaks: Speaks | None, since: datetime | None, until: datetime | None
) -> tuple[HistoryItem, ...]:
    """Everything on record between two times, or what concerns some origins.

    Args:
        graph: the record.
        speaks: whether an origin is one that was asked for; None: every one.
        since: from then on.
        until: up to then.
    """
    users = {u.entry: u for u in graph.users(speaks)} if speaks else {}
    items: list[HistoryItem] = []
    tagged: set[object] = set()
    for position, recorded, event in graph.events():
        moment = happened(event.time).microseconds
        new = list(_declared(event, recorded, position, speaks, tagged))  # what is said again later is no declaration
        if (since and moment < since.timestamp() * 1_000_000) or (until and moment > until.timestamp() * 1_000_000):
            continue
        act = act_of(event)
        if act is not None:
            if speaks is None or _concerns(act, speaks):
                item = act_item(event, recorded, position)
                items += [item] if item else []
            continue
        if event.run is not None and (speaks is None or position in users):
            text = _used(users[position].name, users[position].distance) if position in users else _made(event)
            items.append(executed_item(event, text, recorded, position))
        items += new
    return tuple(sorted(items, key=lambda item: (happened(item.time).microseconds, item.entry)))


def _declared(
    event: Event, recorded: str, entry: int, speaks: Speaks | None, tagged: set[object]
) -> Iterator[HistoryItem]:
    """The tags that an event is the first to put on something."""
    for artifact, tag in declared(event):
        key = (artifact.content.hash if artifact.content else (artifact.namespace, artifact.name), tag)
        if key not in tagged and (speaks is None or speaks(tag.origin)):
            tagged.add(key)
            yield declared_item(event, artifact, tag, recorded, entry)


def _used(name: str, distance: int) -> str:
    return f"read {name}" if not distance else f"read {name}, made from it"


def _made(event: Event) -> str:
    made = [display(output.namespace, output.name) for output in event.outputs]
    return f"made {', '.join(made)}" if made else "was executed"


def _concerns(act: object, speaks: Speaks) -> bool:
    """Whether what was said concerns an origin; changes of registries and policies concern every one."""
    if isinstance(act, Decision):
        return any(speaks(label.origin) for label in act.labels)
    if isinstance(act, Grant):
        return True
    origin = getattr(act, "origin", None)
    return origin is None or speaks(origin)
