"""Leafing through what was recorded, in the shapes of Marquez, the reference server: for its clients and web pages.

Only for looking: what a model carries and whether it may be registered is asked elsewhere (`lineage.server.questions`).
A version here is a content, where Marquez hashes names; facets of a dataset are those that its last events state.

    names    namespaces, sources, datasets, jobs, runs, tags, and finding them
    around   the graphs around a dataset, a job or a column
    times    events as they came, and counts by hour and day
    advanced the search as people type
    shapes   a dataset, a job, a run as the answers show them
"""

from __future__ import annotations

from lineage.server.marquez import advanced, around, names, times

ROUTERS = (names.router, around.router, times.router, advanced.router)
