"""Origins and labels in Great Expectations: expectations, and an action that ties a validation to content hashes.

``import lineage_gx`` wherever a suite or a checkpoint that uses them is loaded: Great Expectations drops from a suite
what it does not know, and reports success (facts/openlineage-and-gx.md). ``python -m lineage_gx`` finds such suites.

``expectation``  what our expectations share: none can be weakened, all render in Data Docs
``column``       ExpectColumnOriginToBeDeclared
``records``      ExpectNoRecordsOfRestrictedOrigin
``labels``       ExpectDatasetLabelsWithin
``action``       LineageAction: what was validated, by content hash, as an event and as a file
``batches``      the files behind a batch, and which files no batch validated
``suites``       expectations that a stored suite has and a loaded one has not
``statement``    what was found, as an OpenLineage event and as a document

A passed validation is a statement about quality. It is recorded, and it never takes a label away.
"""

import os

# Great Expectations reads it as it is imported; what a team validates is nobody else's business
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from lineage_gx.action import LineageAction
from lineage_gx.column import ExpectColumnOriginToBeDeclared
from lineage_gx.labels import ExpectDatasetLabelsWithin
from lineage_gx.records import ExpectNoRecordsOfRestrictedOrigin
from lineage_gx.suites import check

__all__ = [
    "ExpectColumnOriginToBeDeclared",
    "ExpectDatasetLabelsWithin",
    "ExpectNoRecordsOfRestrictedOrigin",
    "LineageAction",
    "check",
]
