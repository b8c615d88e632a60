"""Making and reading OpenLineage events: the bytes that the ledger keeps, and the part of them that lineage needs.

Reading takes what it knows and ignores the rest; the bytes are kept whole elsewhere. A facet of ours that is malformed
makes the event unreadable: half of it is never believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lineage.errors import UsageError
from lineage.events import facets as f
from lineage.events.naming import OUR_NAMESPACE
from lineage.vocabulary import (
    Access,
    Artifact,
    ArtifactType,
    Change,
    Content,
    Correction,
    Decision,
    Execution,
    Grant,
    Input,
    Match,
    Observation,
    PolicyRecord,
    Removal,
    UsageLog,
    Use,
)
from lineage.vocabulary.moment import happened

BEFORE_EVERYTHING = "1970-01-01T00:00:00Z"
"""The time of an event that states none that can be read: what it says counts at every time that is asked about."""

Act = Decision | Grant | Removal | Correction | Change | PolicyRecord | Access
"""What the gate, a registry or a person says, as a run of a job in our own namespace."""

_SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"
_TYPE_SCHEMA = "https://openlineage.io/spec/facets/1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet"
_VERSION_SCHEMA = (
    "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
)


class _Struct(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    pass


class DatasetFacets(_Struct, frozen=True):
    """The dataset facets that lineage reads."""

    version: f.DatasetVersionDatasetFacet | None = None
    dataset_type: f.DatasetTypeDatasetFacet | None = msgspec.field(default=None, name="datasetType")
    content: f.LineageContentDatasetFacet | None = msgspec.field(default=None, name="lineage_content")
    origin: f.LineageOriginDatasetFacet | None = msgspec.field(default=None, name="lineage_origin")
    match: f.LineageMatchDatasetFacet | None = msgspec.field(default=None, name="lineage_match")
    symlinks: f.SymlinksDatasetFacet | None = None
    lifecycle: f.LifecycleStateChangeDatasetFacet | None = msgspec.field(default=None, name="lifecycleStateChange")
    columns: f.ColumnLineageDatasetFacet | None = msgspec.field(default=None, name="columnLineage")
    lineage: f.LineageDatasetFacet | None = None


class InputFacets(_Struct, frozen=True):
    """The input facets that lineage reads."""

    use: f.LineageUseInputDatasetFacet | None = msgspec.field(default=None, name="lineage_use")


class Dataset(_Struct, frozen=True):
    """A dataset reference in an event."""

    namespace: str
    name: str
    facets: DatasetFacets | None = None
    input_facets: InputFacets | None = msgspec.field(default=None, name="inputFacets")

    @property
    def artifact(self) -> Artifact:
        """The dataset version it names."""
        facets = self.facets or DatasetFacets()
        content = facets.content
        return Artifact(
            self.namespace,
            self.name,
            Content(content.hash, content.size, content.files, content.members) if content else None,
            ArtifactType.MODEL if self.is_model else ArtifactType.DATASET,
            facets.origin.tags if facets.origin else (),
        )

    @property
    def is_model(self) -> bool:
        """Whether the producer calls it a model (law 5, law 6)."""
        facets = self.facets
        return bool(facets and facets.dataset_type and facets.dataset_type.type.upper() == "MODEL")

    @property
    def other_names(self) -> tuple[f.Name, ...]:
        """Names that it has too: symlinks, and the one it had before it was renamed."""
        facets = self.facets
        if facets is None:
            return ()
        found = (facets.symlinks.identifiers if facets.symlinks else None) or ()
        before = facets.lifecycle.previous if facets.lifecycle else None
        return (*found, before) if before else found

    @property
    def made_from(self) -> tuple[f.Name, ...]:
        """Datasets that a facet of it says it was made from, each once."""
        facets = self.facets
        if facets is None or (facets.columns is None and facets.lineage is None):
            return ()
        columns, lineage = facets.columns, facets.lineage
        found = dict.fromkeys(columns.dataset or ()) if columns else {}
        for column in (columns.fields or {}).values() if columns else ():
            found |= dict.fromkeys(column.fields or ())
        return tuple(found | dict.fromkeys(_inputs(lineage))) if lineage else tuple(found)

    @property
    def use(self) -> Use:
        """Role as an input."""
        facets = self.input_facets
        return facets.use.use if facets and facets.use else Use.CONTENT


class RunFacets(_Struct, frozen=True):
    """The run facets that lineage reads."""

    execution: f.LineageExecutionRunFacet | None = msgspec.field(default=None, name="lineage_execution")
    observation: f.LineageObservationRunFacet | None = msgspec.field(default=None, name="lineage_observation")
    usage: f.LineageUsageRunFacet | None = msgspec.field(default=None, name="lineage_usage")
    decision: f.LineageDecisionRunFacet | None = msgspec.field(default=None, name="lineage_decision")
    grant: f.LineageGrantRunFacet | None = msgspec.field(default=None, name="lineage_grant")
    removal: f.LineageRemovalRunFacet | None = msgspec.field(default=None, name="lineage_removal")
    correction: f.LineageCorrectionRunFacet | None = msgspec.field(default=None, name="lineage_correction")
    change: f.LineageRegistryRunFacet | None = msgspec.field(default=None, name="lineage_registry")
    policy: f.LineagePolicyRunFacet | None = msgspec.field(default=None, name="lineage_policy")
    access: f.LineageAccessRunFacet | None = msgspec.field(default=None, name="lineage_access")


class Run(_Struct, frozen=True):
    """The run of an event."""

    run_id: str = msgspec.field(name="runId")
    facets: RunFacets | None = None


class JobFacets(_Struct, frozen=True):
    """The job facets that lineage reads."""

    lineage: f.LineageJobFacet | None = None


class Job(_Struct, frozen=True):
    """The job of an event."""

    namespace: str
    name: str
    facets: JobFacets | None = None


class Event(_Struct, frozen=True):
    """What lineage reads of an OpenLineage RunEvent, DatasetEvent or JobEvent."""

    time: str = msgspec.field(name="eventTime")
    producer: str = ""
    schema_url: str = msgspec.field(default="", name="schemaURL")
    type: str = msgspec.field(default="", name="eventType")
    run: Run | None = None
    job: Job | None = None
    dataset: Dataset | None = None
    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()

    @property
    def read_too(self) -> tuple[f.Name, ...]:
        """Datasets that facets say were read, beside the inputs."""
        found = {name: None for dataset in (*self.inputs, *self.outputs) for name in dataset.made_from}
        for entry in self._entries:
            found |= dict.fromkeys(_inputs(entry))
        return tuple(found)

    @property
    def made_too(self) -> tuple[f.Name, ...]:
        """Datasets that facets say were made, beside the outputs."""
        return tuple(
            f.Name(entry.namespace, entry.name)
            for entry in self._entries
            if entry.type == "DATASET" and entry.namespace is not None and entry.name is not None
        )

    @property
    def _entries(self) -> tuple[f.LineageEntry, ...]:
        facets = self.job.facets if self.job else None
        return (facets.lineage.entries or ()) if facets and facets.lineage else ()


def _inputs(told: f.LineageDatasetFacet | f.LineageEntry) -> list[f.Name]:
    inputs = [*(told.inputs or ()), *(i for field in (told.fields or {}).values() for i in field.inputs or ())]
    return [
        f.Name(i.namespace, i.name)
        for i in inputs
        if i.type == "DATASET" and i.namespace is not None and i.name is not None
    ]


_decoder = msgspec.json.Decoder(Event)
_encode = msgspec.json.Encoder().encode


def read(data: bytes, warnings: list[str] | None = None) -> Event:
    """Read an event. What other producers write against the schema is read as far as it can be (`foreign.mended`).

    Args:
        data: the JSON of one OpenLineage event, UTF-8.
        warnings: gets a sentence for each place that was read otherwise than written.

    Raises:
        UsageError: ``EVENT_INVALID``, with the place in the document that cannot be understood.
    """
    try:
        event = _decoder.decode(data)
        happened(event.time)
    except (ValueError, RecursionError):  # DecodeError, ValidationError and UnicodeDecodeError are ValueErrors
        from lineage.events.foreign import mended

        event = mended(data, [] if warnings is None else warnings)
    if event.run is None and event.dataset is None and event.job is None:
        raise invalid("it has neither `run`, `job` nor `dataset`")
    if event.run is not None and not event.run.run_id:
        raise invalid("`run.runId` is empty")
    return event


def invalid(cause: str) -> UsageError:
    """What an event that cannot be understood raises."""
    return UsageError(
        "this is not an OpenLineage event that can be read",
        code="EVENT_INVALID",
        cause=cause,
        hint="see docs/reference/events.md for the fields that are read",
    )


def run_event(
    *,
    run_id: str,
    job: tuple[str, str],
    time: str,
    inputs: Sequence[Input] = (),
    outputs: Sequence[Artifact] = (),
    execution: Execution | None = None,
    observation: Observation | None = None,
    log: UsageLog | None = None,
) -> bytes:
    """The bytes of a COMPLETE RunEvent.

    Args:
        run_id: UUID text; see `lineage.events.naming.run_id` for runs whose identity is known.
        job: (namespace, name).
        time: when it happened, ISO 8601 with a zone.
        inputs: what it read, each with its role.
        outputs: what it made.
        execution: how it came about.
        observation: what was seen of it.
        log: what it read of a provider's log.
    """
    how = seen = usage = None
    if execution:
        how = f.LineageExecutionRunFacet(execution=execution, **f.envelope(f.LineageExecutionRunFacet))
    if observation:
        seen = f.LineageObservationRunFacet(observation=observation, **f.envelope(f.LineageObservationRunFacet))
    if log:
        usage = f.LineageUsageRunFacet(log=log, **f.envelope(f.LineageUsageRunFacet))
    return _run(
        run_id,
        job,
        time,
        RunFacets(execution=how, observation=seen, usage=usage) if how or seen or usage else None,
        [_dataset(i.artifact, i.use) for i in inputs],
        [_dataset(o) for o in outputs],
    )


def dataset_event(artifact: Artifact, *, time: str, matches: Sequence[Match] = ()) -> bytes:
    """The bytes of a DatasetEvent: what is known of one dataset version, its tags above all.

    Args:
        artifact: the version.
        time: when, ISO 8601 with a zone.
        matches: what a search by content found in it; evidence of tags of basis ``matched``.
    """
    dataset = _dataset(artifact)
    if matches:
        match = f.LineageMatchDatasetFacet(matches=tuple(matches), **f.envelope(f.LineageMatchDatasetFacet))
        dataset = msgspec.structs.replace(
            dataset, facets=msgspec.structs.replace(dataset.facets or DatasetFacets(), match=match)
        )
    return _encode(Event(time=time, producer=f.PRODUCER, schema_url=_SPEC + "DatasetEvent", dataset=dataset))


_ACTS: dict[type, tuple[str, str, type[f.Facet]]] = {
    Decision: ("decide", "decision", f.LineageDecisionRunFacet),
    Grant: ("grant", "grant", f.LineageGrantRunFacet),
    Removal: ("removal", "removal", f.LineageRemovalRunFacet),
    Correction: ("correction", "correction", f.LineageCorrectionRunFacet),
    Change: ("registry", "change", f.LineageRegistryRunFacet),
    PolicyRecord: ("policy", "policy", f.LineagePolicyRunFacet),
    Access: ("access", "access", f.LineageAccessRunFacet),
}


def act_event(act: Act, *, run_id: str, time: str, subject: Artifact | None = None) -> bytes:
    """The bytes of a RunEvent for what the gate or a person says (jobs of namespace ``lineagegate``).

    Args:
        act: what is said.
        run_id: UUID text, fresh for every saying.
        time: when, ISO 8601 with a zone.
        subject: the artifact it speaks of, not recorded as an input: saying something derives nothing.
    """
    name, key, facet = _ACTS[type(act)]
    fields: dict[str, Any] = {key: act, **f.envelope(facet)}
    facets: dict[str, Any] = {key: facet(**fields)}
    return _run(run_id, (OUR_NAMESPACE, name), time, RunFacets(**facets), [_dataset(subject)] if subject else [], [])


def act_of(event: Event) -> Act | None:
    """What an act says; None when the event is no act."""
    facets = event.run.facets if event.run else None
    if facets is None:
        return None
    for name, key, _ in _ACTS.values():
        job = event.job
        if (facet := getattr(facets, key)) is not None and job and (job.namespace, job.name) == (OUR_NAMESPACE, name):
            act: Act = getattr(facet, key)
            return act
    return None


def _run(
    run_id: str,
    job: tuple[str, str],
    time: str,
    facets: RunFacets | None,
    inputs: list[Dataset],
    outputs: list[Dataset],
) -> bytes:
    return _encode(
        Event(
            time=time,
            producer=f.PRODUCER,
            schema_url=_SPEC + "RunEvent",
            type="COMPLETE",
            run=Run(run_id, facets),
            job=Job(*job),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
        )
    )


def _dataset(artifact: Artifact, use: Use = Use.CONTENT) -> Dataset:
    content, tags = artifact.content, artifact.tags
    facets = DatasetFacets(
        version=f.DatasetVersionDatasetFacet(version=content.hash, producer=f.PRODUCER, schema_url=_VERSION_SCHEMA)
        if content
        else None,
        dataset_type=f.DatasetTypeDatasetFacet(type="MODEL", producer=f.PRODUCER, schema_url=_TYPE_SCHEMA)
        if artifact.type is ArtifactType.MODEL
        else None,
        content=f.LineageContentDatasetFacet(
            hash=content.hash,
            size=content.size,
            files=content.files,
            members=content.members,
            **f.envelope(f.LineageContentDatasetFacet),
        )
        if content
        else None,
        origin=f.LineageOriginDatasetFacet(tags=tags, **f.envelope(f.LineageOriginDatasetFacet)) if tags else None,
    )
    return Dataset(
        artifact.namespace,
        artifact.name,
        facets if facets != DatasetFacets() else None,
        InputFacets(use=f.LineageUseInputDatasetFacet(use=use, **f.envelope(f.LineageUseInputDatasetFacet)))
        if use is not Use.CONTENT
        else None,
    )
