"""Numbers of records that OpenLineage's own facets state of a whole dataset version.

``outputStatistics`` of what a run wrote and ``dataQualityMetrics`` of a dataset (OpenLineage spec, facets). What a run
read (``inputStatistics``) may be a part and is not taken. Anything malformed is no statement: these are others' facets.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lineage.events.event import Event

_PLACES = (
    ("facets", "dataQualityMetrics"),
    ("inputFacets", "dataQualityMetrics"),
    ("outputFacets", "outputStatistics"),
)


def row_counts(data: bytes, event: Event) -> list[tuple[int, int]]:
    """What an event states.

    Args:
        data: its exact bytes.
        event: what `lineage.events.event.read` made of them.

    Returns:
        (place among its inputs, outputs and dataset, in this order; number of records).
    """
    if b"rowCount" not in data:
        return []
    try:
        whole = msgspec.json.decode(data)
    except msgspec.DecodeError:  # half a surrogate pair somewhere: read, and no statement
        return []
    stated = [
        *(whole.get("inputs") or ()),
        *(whole.get("outputs") or ()),
        *([whole["dataset"]] if event.dataset else []),
    ]
    return [(place, rows) for place, dataset in enumerate(stated) for rows in _stated(dataset)]


def _stated(dataset: dict[str, Any]) -> list[int]:
    found = []
    for facets, facet in _PLACES:
        held = dataset.get(facets)
        body = held.get(facet) if isinstance(held, dict) else None
        rows = body.get("rowCount") if isinstance(body, dict) else None
        if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0:
            found.append(rows)
    return found
