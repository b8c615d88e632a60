"""What follows from the events: nodes, runs, labels kept up to date, paths, impact, questions as of a time.

`Graph` is the room's one door. Inside: `keys` says which artifacts are one node, `pairs` how a source travels through
a run (laws 1, 5, 6), `working` holds rows in memory, `project` turns events into rows, `propagate` carries sources to
the fixpoint, `resolve` says what a source stands for now (laws 2, 8, 9), `walk` finds paths and impact.
"""

from lineage.graph.graph import Graph
from lineage.graph.questions import Dataset, Impact, ImpactItem, Labels, Recorded, Source, Status

__all__ = ["Dataset", "Graph", "Impact", "ImpactItem", "Labels", "Recorded", "Source", "Status"]
