"""Recording what a tool that validates data found: events in the ledger, and the evidence file.

A validation reads and makes nothing, so it has inputs and no outputs; it puts no tag and removes none (law 2). Its
facets are OpenLineage's own, ``dataQualityAssertions`` and ``dataQualityMetrics``, and hold no value of the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lineage.errors import CannotDecide
from lineage.events import naming
from lineage.events.event import run_event
from lineage.events.facets import PRODUCER
from lineage.evidence.validation import (
    SCHEMA,
    Assertion,
    Checked,
    Validation,
    ValidationEvidence,
    evidence_bytes,
    passed,
)
from lineage.vocabulary import Artifact, Execution, Input
from lineage.vocabulary.identifier import new_uuid

if TYPE_CHECKING:
    from lineage.gate.gate import Gate

_SPEC = "https://openlineage.io/spec/facets"
_ASSERTIONS = f"{_SPEC}/1-1-0/DataQualityAssertionsDatasetFacet.json#/$defs/DataQualityAssertionsDatasetFacet"
_METRICS = f"{_SPEC}/1-0-3/DataQualityMetricsInputDatasetFacet.json#/$defs/DataQualityMetricsInputDatasetFacet"


class Asserted(NamedTuple):
    """One thing that was expected of a batch."""

    type: str
    success: bool
    column: str | None = None
    severity: str | None = None


class Outcome(NamedTuple):
    """What one suite said about one batch."""

    name: str
    """Of the validation definition."""
    suite: str
    success: bool
    """What the tool says."""
    inputs: Sequence[Artifact]
    """With the content that they had before and after."""
    assertions: Sequence[Asserted]
    unvalidated: Sequence[str] = ()
    problems: Sequence[str] = ()
    rows: int | None = None
    """How many rows the whole of the one input has; None where that is not known."""


def record_validation(
    gate: Gate, tool: str, checkpoint: str, outcomes: Sequence[Outcome], problems: Sequence[str] = ()
) -> ValidationEvidence:
    """Record the outcomes of a checkpoint: one run for each, all or none.

    Args:
        gate: the record, up to date.
        tool: what validated, with its version.
        checkpoint: its name.
        outcomes: of its validation definitions.
        problems: what is wrong with the checkpoint as a whole.

    Returns:
        The evidence.
    """
    time = datetime.now(timezone.utc).isoformat()
    validations = tuple(_validation(gate, outcome) for outcome in outcomes)  # before the recording makes all known
    entries = gate.record(
        [
            _event(gate.config.project, checkpoint, outcome, validation, problems, time)
            for outcome, validation in zip(outcomes, validations, strict=True)
        ]
    )
    return ValidationEvidence(
        SCHEMA, tool, checkpoint, time, gate.user, passed(validations, tuple(problems)), tuple(problems), validations,
        entries,
    )  # fmt: skip


def write_evidence(evidence: ValidationEvidence, file: Path) -> None:
    """Write the evidence file, whole or not at all.

    Raises:
        CannotDecide: ``EVIDENCE_NOT_WRITTEN``.
    """
    draft = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(evidence_bytes(evidence))
        draft.replace(file)
    except OSError as error:
        raise CannotDecide(
            f"the evidence cannot be written to {file}", code="EVIDENCE_NOT_WRITTEN", cause=str(error)
        ) from None


def _validation(gate: Gate, outcome: Outcome) -> Validation:
    checked = tuple(
        Checked(
            artifact.namespace,
            artifact.name,
            artifact.content.hash if artifact.content else None,
            artifact.content.size if artifact.content else None,
            bool(artifact.content and gate.known_content(artifact.content.hash)),
        )
        for artifact in outcome.inputs
    )
    return Validation(
        outcome.name,
        outcome.suite,
        outcome.success and not outcome.problems,
        str(new_uuid()),
        checked,
        tuple(Assertion(*asserted) for asserted in outcome.assertions),
        tuple(outcome.unvalidated),
        tuple(outcome.problems),
    )


def _event(
    project: str, checkpoint: str, outcome: Outcome, validation: Validation, problems: Sequence[str], time: str
) -> bytes:
    stage = f"{checkpoint}/{outcome.name}"
    event = msgspec.json.decode(
        run_event(
            run_id=validation.run,
            job=(naming.gx_namespace(project), stage),
            time=time,
            inputs=[Input(artifact) for artifact in outcome.inputs],
            execution=Execution(tool="gx", stage=stage, evidence="observed"),
        )
    )
    assertions = [
        _stated({"assertion": a.type, "success": a.success, "column": a.column, "severity": a.severity})
        for a in validation.assertions
    ]
    # what counts for nothing is on record as a failure, not as the assertions that passed
    wrong = [*problems, *validation.problems]
    assertions += [{"assertion": "lineage", "success": False, "description": text} for text in wrong]
    for dataset, artifact in zip(event.get("inputs", ()), outcome.inputs, strict=True):
        size, files = (artifact.content.size, artifact.content.files) if artifact.content else (None, None)
        metrics: dict[str, Any] = {"rowCount": outcome.rows, "bytes": size, "fileCount": files, "columnMetrics": {}}
        dataset.setdefault("inputFacets", {}).update(
            dataQualityAssertions={"_producer": PRODUCER, "_schemaURL": _ASSERTIONS, "assertions": assertions},
            dataQualityMetrics={"_producer": PRODUCER, "_schemaURL": _METRICS, **_stated(metrics)},
        )
    if wrong or not validation.success:
        event["eventType"] = "FAIL"
    return msgspec.json.encode(event)


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
