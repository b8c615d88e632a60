"""How facts travel: OpenLineage events, with facets of our own where the standard has none.

`lineage.events.naming` says what things are called, `facets` what we add, `event` reads and makes events,
`schema` publishes the facets as JSON Schema. The OpenLineage client is not imported here (0.5 s, facts/performance.md);
`lineage_openlineage` builds its classes from these same definitions.
"""

from lineage.events.event import Event, dataset_event, read, run_event
from lineage.events.facets import ACTS

__all__ = ["ACTS", "Event", "dataset_event", "read", "run_event"]
