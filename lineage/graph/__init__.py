"""What follows from the events: nodes, runs, labels kept up to date, paths, impact, questions as of a time.

`Graph` is the room's one door: it writes, and answers as `View` (labels, names) and `Answers` (what walks the graph).
Inside: `keys` says which artifacts are one node, `pairs` how a source travels through a run (laws 1, 5, 6), `working`
holds rows in memory, `project` turns events into rows, `propagate` carries sources to the fixpoint, `resolve` says what
a source stands for now (laws 2, 8, 9), `walk` finds paths and impact, `write` writes. `closure` finds the entries that
an answer rests on, `asof` replays them to answer about the past (law 11), `said` reads what people said.
"""

from lineage.graph.graph import Graph
from lineage.graph.questions import (
    ClaimState,
    CorrectionRecord,
    Cut,
    Dataset,
    Entry,
    Executions,
    Impact,
    ImpactItem,
    Labels,
    Maker,
    Recorded,
    RemovalRecord,
    Said,
    Source,
    Status,
)
from lineage.graph.rows import Act

__all__ = [
    "Act",
    "ClaimState",
    "CorrectionRecord",
    "Cut",
    "Dataset",
    "Entry",
    "Executions",
    "Graph",
    "Impact",
    "ImpactItem",
    "Labels",
    "Maker",
    "Recorded",
    "RemovalRecord",
    "Said",
    "Source",
    "Status",
]
