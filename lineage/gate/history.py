"""What happened, in order: to a model over its life, or on record at all (S8, S10).

Two times are told apart: a thing is listed when it is said to have happened, and says when it was recorded. An
execution is one thing however often it was told.
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
from lineage.graph.executions import Telling, together
from lineage.graph.rows import Act
from lineage.ledger import happened
from lineage.vocabulary import Artifact, Decision, Grant, Origin

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
    entered = {entry for found in examined.entered.values() for entry in found.runs}
    items: list[HistoryItem] = []
    tellings: list[Telling] = []
    tagged: set[object] = set()
    for position in sorted(entered.union(entries)):
        event, recorded = examined.event(position)
        if act_of(event) is not None:
            continue
        tellings.append(Telling(position, recorded, event))
        items += _declared(event, recorded, position, speaks, tagged)
    taken = {s.content for item in examined.answer.taken for s in item.sources if s.content}
    cut = {view.removal.content for view in examined.removals if view.state == "in force"} if taken else set()
    for told in together(tellings):
        made = [o.artifact for telling in told for o in telling.event.outputs if examined.is_version(o.artifact)]
        if any(telling.position in entered for telling in told):
            items.append(_executed(told, _read(told, examined)))
        elif out := [i.artifact for t in told for i in t.event.inputs if _key(i.artifact) in taken]:
            left = [o.artifact for t in told for o in t.event.outputs if _key(o.artifact) in cut]
            claim = f", made {_named(left)}, from which it is said to be taken out" if left else ""
            items.append(_executed(told, f"read {_named(out)}{claim}"))
        elif made:
            items.append(_executed(told, f"made {_named(made)}"))
    items += _acts(examined, speaks)
    return _ordered(items)


def _read(told: Sequence[Telling], examined: Examination) -> str:
    """Which of the sources that were asked about an execution read."""
    keys = {s.artifact.content.hash for s in examined.sources_of(examined.shown) if s.artifact.content}
    inputs = [i.artifact for telling in told for i in telling.event.inputs]
    found = [artifact for artifact in inputs if artifact.content and artifact.content.hash in keys]
    return f"read {_named(found)}" if found else "read data of that origin"


def _key(artifact: Artifact) -> str:
    return artifact.content.hash if artifact.content else ""


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


def of_record(graph: Graph, speaks: Speaks | None) -> tuple[HistoryItem, ...]:
    """Everything on record, or what concerns some origins.

    Args:
        graph: the record.
        speaks: whether an origin is one that was asked for; None: every one.
    """
    users = {u.entry: u for u in graph.users(speaks)} if speaks else {}
    items: list[HistoryItem] = []
    tellings: list[Telling] = []
    tagged: set[object] = set()
    for position, recorded, event in graph.events():
        items += _declared(event, recorded, position, speaks, tagged)  # what is said again is no new declaration
        act = act_of(event)
        if act is None and event.run is not None:
            tellings.append(Telling(position, recorded, event))
        elif act is not None and (speaks is None or _concerns(act, speaks)):
            item = act_item(event, recorded, position)
            items += [item] if item else []
    for told in together(tellings):
        used = [users[telling.position] for telling in told if telling.position in users]
        if used:
            nearest = min(used, key=lambda user: user.distance)
            items.append(_executed(told, _used(nearest.name, nearest.distance)))
        elif speaks is None:
            items.append(_executed(told, _made(told)))
    return _ordered(items)


def between(
    items: Iterable[HistoryItem], since: datetime | None, until: datetime | None
) -> tuple[tuple[HistoryItem, ...], tuple[HistoryItem, ...]]:
    """What is said to have happened between two times, and what may have: said to be earlier, but recorded after.

    When something happened is what its event states: the clock of the machine that ran it, or the date of a commit,
    which its author sets. When it was recorded is not theirs to set: what was recorded after ``since`` is never left
    out.

    Args:
        items: in order.
        since: from then on.
        until: up to then.
    """
    inside, late = [], []
    for item in items:
        at = happened(item.time).microseconds
        if since and at < since.timestamp() * 1_000_000:
            if happened(item.recorded).microseconds >= since.timestamp() * 1_000_000:
                late.append(item)
        elif not (until and at > until.timestamp() * 1_000_000):
            inside.append(item)
    return tuple(inside), tuple(late)


def _once(items: Iterable[HistoryItem]) -> Iterator[HistoryItem]:
    """A grant that is withdrawn again was withdrawn once."""
    gone: set[str] = set()
    for item in items:
        if item.kind == "withdrawn" and item.subject in gone:
            continue
        if item.kind == "withdrawn":
            gone.add(item.subject)
        yield item


def _ordered(items: Iterable[HistoryItem]) -> tuple[HistoryItem, ...]:
    return tuple(_once(sorted(items, key=lambda item: (happened(item.time).microseconds, item.entry))))


def _executed(told: Sequence[Telling], text: str) -> HistoryItem:
    """An execution, as the telling has it that states the earliest time."""
    first = min(told, key=lambda telling: (happened(telling.event.time).microseconds, telling.position))
    return executed_item(first.event, text, first.recorded, first.position)


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


def _made(told: Sequence[Telling]) -> str:
    made = [output.artifact for telling in told for output in telling.event.outputs]
    return f"made {_named(made)}" if made else "was executed"


def _named(artifacts: Iterable[Artifact]) -> str:
    return ", ".join(dict.fromkeys(display(artifact.namespace, artifact.name) for artifact in artifacts))


def _concerns(act: object, speaks: Speaks) -> bool:
    """Whether what was said concerns an origin; changes of registries and policies concern every one."""
    if isinstance(act, Decision):
        return any(speaks(label.origin) for label in act.labels)
    if isinstance(act, Grant):
        return True
    origin = getattr(act, "origin", None)
    return origin is None or speaks(origin)
