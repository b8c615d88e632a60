"""What was seen of the executions behind an artifact, from the record, and where it differs from what was declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lineage.errors import CannotDecide
from lineage.events import Event
from lineage.evidence.document import artifact as reference
from lineage.evidence.happened import stage
from lineage.evidence.observed import CallView, Contradiction, ReadView, RunView, SeenView
from lineage.gate.observed import words
from lineage.graph import Graph
from lineage.graph.executions import Telling, earliest, evidence
from lineage.graph.names import seen_words
from lineage.graph.origins import Contribution
from lineage.ledger import happened
from lineage.policy import Catalogue
from lineage.vocabulary import Basis, Call, Observation, Tag

if TYPE_CHECKING:
    from lineage.vocabulary import Label


def runs(graph: Graph, executions: Iterable[Sequence[Telling]], names: Catalogue) -> tuple[RunView, ...]:
    """Executions with what was seen of each, the earliest first.

    Args:
        graph: the record.
        executions: from `Graph.tellings`.
        names: who stands behind which channel.
    """
    out = []
    for told in executions:
        made = dict.fromkeys(o.artifact for telling in told for o in telling.event.outputs)
        out.append(
            RunView(
                next((name for telling in told if (name := stage(telling.event))), ""),
                tuple(map(reference, made)),
                evidence(told),
                earliest(told),
                tuple(_seen(graph, told, names)),
                tuple(telling.position for telling in told),
            )
        )
    return tuple(sorted(out, key=lambda run: (happened(run.time).microseconds, run.entries)))


def told(execution: Sequence[Telling]) -> bool:
    """Whether something was seen of an execution that somebody should look at."""
    found = (_observation(telling.event) for telling in execution)
    return any(seen and (seen.calls or seen.undeclared or seen.notes or seen.faults) for seen in found)


def contradictions(sources: Iterable[Contribution]) -> tuple[Contradiction, ...]:
    """Where something is declared to be of one origin, and was seen to be of another.

    Args:
        sources: of an artifact.
    """
    out = []
    for source in sources:
        tags = [recorded.tag for recorded in source.tags]
        declared = [tag for tag in tags if tag.basis is Basis.DECLARED]
        seen = [tag for tag in tags if tag.basis is Basis.OBSERVED and tag.reason]
        other = [tag for tag in seen if not any(_same(tag, one) for one in declared)]
        if declared and other:
            out.append(Contradiction(reference(source.artifact), seen_words(declared, other)))
    return tuple(out)


def _same(seen: Tag, declared: Tag) -> bool:
    """Whether somebody declared what was seen; the provider may be left out of a declaration, but not be another."""
    one, other = seen.origin, declared.origin
    return one.kind is other.kind and other.provider in ("", one.provider)


def _seen(graph: Graph, told: Sequence[Telling], names: Catalogue) -> Iterable[SeenView]:
    found = [(t, seen) for t in told if (seen := _observation(t.event))]
    whole = {each for _, seen in found if seen.ended for each in seen.executions}
    for telling, seen in found:
        if not seen.ended and whole.issuperset(seen.executions):
            continue  # what was known before its end is in what was known after
        yield SeenView(
            seen.started, seen.ended, seen.mode, seen.status,
            tuple(_call(call, names) for call in seen.calls), seen.hosts, seen.libraries,
            tuple(ReadView(path, _labels(graph, telling.event, path)) for path in seen.undeclared),
            seen.notes, seen.faults, telling.position,
        )  # fmt: skip


def _observation(event: Event) -> Observation | None:
    facet = event.run.facets.observation if event.run and event.run.facets else None
    return facet.observation if facet else None


def _call(call: Call, names: Catalogue) -> CallView:
    channel = names.channels.get(call.channel)
    provider = (channel.provider if channel else "") or call.provider
    return CallView(
        call.host, provider, call.channel, call.model, call.count, call.counted, call.use, words(call)
    )  # fmt: skip


def _labels(graph: Graph, event: Event, path: str) -> tuple[Label, ...] | None:
    """What a file carries that was an input of a run for being read; None where it is none, or nothing is known."""
    artifact = next((i.artifact for i in event.inputs if i.artifact.name == path), None)
    if artifact is None:
        return None
    try:
        found = graph.labels(artifact).labels
    except CannotDecide:
        return None
    return tuple(sorted(found, key=lambda label: (label.use.value, repr(label.origin))))
