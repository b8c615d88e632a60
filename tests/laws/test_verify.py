"""Law 4 as an auditor applies it: what any history left in the tables is what a replay of its entries leads to."""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, given, settings
from test_laws import graph_of, randoms
from worlds import histories

N = int(os.environ.get("LAWS", "60"))


@settings(max_examples=N, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories, randoms)
def test_the_rows_of_any_history_are_those_of_its_replay(events: list[bytes], rnd: random.Random) -> None:
    with graph_of(events, rnd) as graph:
        tree = graph.seals.check([], [], lambda *_: None)
        assert tree.deviations == ()
        assert tree.size == graph.position()
