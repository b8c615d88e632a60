"""The facets we add to OpenLineage, as the values of `lineage.vocabulary` in OpenLineage's envelope.

Key ``lineage_<name>``, class ``Lineage<Name><Entity>Facet`` (OpenLineage spec, "Custom Facet Naming"). The standard has
no facet for origin, content hash, role of an input, decision or grant (facts/openlineage-and-gx.md); where it has one
(``datasetType``, ``version``) it is used. The schema URL of a facet is immutable: a change makes a new version.
"""

from __future__ import annotations

import msgspec

from lineage.vocabulary import (
    Access,
    Change,
    Correction,
    Decision,
    Execution,
    Grant,
    Match,
    Member,
    Observation,
    PolicyRecord,
    Removal,
    Tag,
    UsageLog,
    Use,
)

PRODUCER = "https://github.com/lineagegate/lineagegate"
SCHEMA_BASE = "https://lineagegate.github.io/schemas/facets/1-0-0"


class Facet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """OpenLineage's BaseFacet: who wrote it and which schema it follows."""

    producer: str = msgspec.field(default="", name="_producer")
    schema_url: str = msgspec.field(default="", name="_schemaURL")


class LineageOriginDatasetFacet(Facet, frozen=True, kw_only=True):
    """Where a dataset came from: every tag that the producer knows of. Later facets add, they never replace (law 2)."""

    tags: tuple[Tag, ...]


class LineageContentDatasetFacet(Facet, frozen=True, kw_only=True):
    """What identifies the bytes of this dataset version."""

    hash: str
    """Content key ``algorithm:hex``; a directory ends in ``.dir``."""
    size: int | None = None
    """Bytes."""
    files: int | None = None
    """Number of files in a directory."""
    members: tuple[Member, ...] = ()
    """Files of a directory."""


class LineageMatchDatasetFacet(Facet, frozen=True, kw_only=True):
    """What a search by content found in a dataset version. What follows from it are tags of basis ``matched``."""

    matches: tuple[Match, ...]


class LineageUseInputDatasetFacet(Facet, frozen=True, kw_only=True):
    """The role of an input in its run."""

    use: Use


class LineageExecutionRunFacet(Facet, frozen=True, kw_only=True):
    """How a run came about."""

    execution: Execution


class LineageObservationRunFacet(Facet, frozen=True, kw_only=True):
    """What was seen of a run while it ran."""

    observation: Observation


class LineageUsageRunFacet(Facet, frozen=True, kw_only=True):
    """What a provider's log, or an export of its usage, says of calls to its models."""

    log: UsageLog


class LineageDecisionRunFacet(Facet, frozen=True, kw_only=True):
    """A verdict of the gate, with everything it rests on."""

    decision: Decision


class LineageGrantRunFacet(Facet, frozen=True, kw_only=True):
    """A permission given, or taken back (the same id with ``withdrawn``)."""

    grant: Grant


class LineageRemovalRunFacet(Facet, frozen=True, kw_only=True):
    """A claim that an origin was taken out of one content; repeated with ``approvedBy`` when a second person agrees."""

    removal: Removal


class LineageCorrectionRunFacet(Facet, frozen=True, kw_only=True):
    """A claim that a tag was a mistake; repeated with ``approvedBy`` when a second person agrees."""

    correction: Correction


class LineageRegistryRunFacet(Facet, frozen=True, kw_only=True):
    """What a registry of models did: a version created, an alias moved or removed, a stage, a deletion."""

    change: Change


class LineagePolicyRunFacet(Facet, frozen=True, kw_only=True):
    """The policy in force from now on, with the text of every file."""

    policy: PolicyRecord


class LineageAccessRunFacet(Facet, frozen=True, kw_only=True):
    """What happened at a server's door: a dossier that was read, a refusal, a token made or revoked."""

    access: Access


class DatasetTypeDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``datasetType`` facet; ``MODEL`` marks a model version."""

    type: str = msgspec.field(default="", name="datasetType")


class DatasetVersionDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``version`` facet."""

    version: str = msgspec.field(default="", name="datasetVersion")


class Name(msgspec.Struct, frozen=True, gc=False):
    """A dataset that a facet of OpenLineage's own names."""

    namespace: str
    name: str


class SymlinksDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``symlinks`` facet: other names of the same dataset."""

    identifiers: tuple[Name, ...] | None = None


class LifecycleStateChangeDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``lifecycleStateChange`` facet. Only a rename counts: what was dropped was there."""

    previous: Name | None = msgspec.field(default=None, name="previousIdentifier")


class ColumnInputs(msgspec.Struct, frozen=True, gc=False):
    """Columns that one column was made from."""

    fields: tuple[Name, ...] | None = msgspec.field(default=None, name="inputFields")


class ColumnLineageDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``columnLineage`` facet."""

    fields: dict[str, ColumnInputs] | None = None
    dataset: tuple[Name, ...] | None = None


class LineageInput(msgspec.Struct, frozen=True, gc=False):
    """A dataset or a job that something was made from; a dataset where it names one."""

    type: str = "DATASET"
    namespace: str | None = None
    name: str | None = None


class LineageInputs(msgspec.Struct, frozen=True, gc=False):
    """What one field was made from."""

    inputs: tuple[LineageInput, ...] | None = None


class LineageDatasetFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``lineage`` facet of a dataset. An empty list of inputs says nothing (law 2)."""

    inputs: tuple[LineageInput, ...] | None = None
    fields: dict[str, LineageInputs] | None = None


class LineageEntry(LineageInput, frozen=True, gc=False):
    """A dataset or a job, and what it was made from."""

    inputs: tuple[LineageInput, ...] | None = None
    fields: dict[str, LineageInputs] | None = None


class LineageJobFacet(Facet, frozen=True, kw_only=True):
    """OpenLineage's own ``lineage`` facet of a job."""

    entries: tuple[LineageEntry, ...] | None = None


FACETS: dict[str, type[Facet]] = {
    "lineage_origin": LineageOriginDatasetFacet,
    "lineage_content": LineageContentDatasetFacet,
    "lineage_match": LineageMatchDatasetFacet,
    "lineage_use": LineageUseInputDatasetFacet,
    "lineage_execution": LineageExecutionRunFacet,
    "lineage_observation": LineageObservationRunFacet,
    "lineage_usage": LineageUsageRunFacet,
    "lineage_decision": LineageDecisionRunFacet,
    "lineage_grant": LineageGrantRunFacet,
    "lineage_removal": LineageRemovalRunFacet,
    "lineage_correction": LineageCorrectionRunFacet,
    "lineage_registry": LineageRegistryRunFacet,
    "lineage_policy": LineagePolicyRunFacet,
    "lineage_access": LineageAccessRunFacet,
}
"""Every facet of ours by its key. ``schemas/facets/`` and the classes in ``lineage_openlineage`` come from here."""

ACTS = ("decide", "grant", "removal", "correction", "registry", "policy", "access")
"""Jobs in our own namespace: what people and the gate say, as runs."""


def envelope(facet: type[Facet]) -> dict[str, str]:
    """The two envelope fields of one of our facets."""
    return {"producer": PRODUCER, "schema_url": f"{SCHEMA_BASE}/{facet.__name__}.json"}
