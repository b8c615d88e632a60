"""The laws, for what comes from outside: in any order, told twice, in pieces, and nothing takes a label away."""

from __future__ import annotations

import json
import random
from contextlib import closing

from foreign import KNOWN, worlds
from hypothesis import given
from test_laws import Answer, answer, batches, law, randoms

from lineage.errors import UsageError
from lineage.events.foreign import receive
from lineage.graph import Graph
from lineage.store import scratch_store
from lineage.vocabulary import UNDECLARED, Artifact


def taken(events: list[bytes]) -> list[bytes]:
    """Those that are not refused; each stands for itself."""
    out = []
    for data in events:
        try:
            receive(data)
        except UsageError:
            continue
        out.append(data)
    return out


def hand_in(graph: Graph, events: list[bytes], rnd: random.Random | None = None) -> None:
    """As the intake does it."""
    for batch in batches(events, rnd):
        graph.receive([(data, receive(data).event) for data in batch])


def answers(graph: Graph) -> dict[Artifact, Answer]:
    return {artifact: answer(graph, artifact) for artifact in (Artifact(*name) for name in KNOWN)}


@law
@given(worlds, randoms)
def test_order_repetition_and_pieces_do_not_matter(events: list[bytes], rnd: random.Random) -> None:
    events = taken(events)
    other = [*events, *rnd.sample(events, rnd.randint(0, len(events)))]
    rnd.shuffle(other)
    with closing(Graph(scratch_store())) as one, closing(Graph(scratch_store())) as two:
        hand_in(one, events)
        hand_in(two, other, rnd)
        assert answers(one) == answers(two)
        assert two.position() == len(set(events))  # each counts once, however often it is sent
        with closing(two.as_of()) as again:
            assert answers(again) == answers(two)


@law
@given(worlds, worlds, randoms)
def test_nothing_that_comes_later_takes_a_label_away(
    earlier: list[bytes], later: list[bytes], rnd: random.Random
) -> None:
    with closing(Graph(scratch_store())) as graph:
        hand_in(graph, taken(earlier), rnd)
        before = answers(graph)
        hand_in(graph, taken(later), rnd)
        after = answers(graph)
    for artifact, labels in before.items():
        if isinstance(labels, frozenset):
            found = after[artifact]
            assert isinstance(found, frozenset)
            assert {label for label in labels if label.origin != UNDECLARED} <= found


def test_the_worlds_are_worth_it() -> None:
    """Most events are taken, and each trait is among them: a world of refused events would prove nothing."""
    seen: list[bytes] = []

    @law
    @given(worlds)
    def draw(events: list[bytes]) -> None:
        seen.extend(events)

    draw()
    assert len(taken(seen)) > 0.95 * len(seen) > 200
    text = b"".join(seen)
    for trait in ("symlinks", "columnLineage", "_deleted", "RENAME", "lineage_origin", '"inputs": []', "fake_run_id"):
        assert json.dumps(trait).strip('"').encode() in text or trait.encode() in text, trait
