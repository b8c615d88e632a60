"""What a validation of data found, as a document: by content hash, without a value of the data.

It is evidence about quality. A claim of removal may refer to it; it takes no label away by itself.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.errors import UsageError
from lineage.evidence.document import Document, encode
from lineage.evidence.layout import count

SCHEMA: Literal["https://lineagegate.github.io/schemas/evidence/validation-v1.json"] = (
    "https://lineagegate.github.io/schemas/evidence/validation-v1.json"
)

SEARCHED = "expect_no_records_of_restricted_origin"
"""What of all that can be expected speaks of an origin that is gone."""


class Checked(Document, frozen=True):
    """A dataset version that was validated."""

    namespace: str
    name: str
    content: str | None
    """Content key, the same before and after the validation; None where it has none (a table, a frame in memory)."""
    size: int | None
    """Bytes."""
    recorded: bool
    """Whether the ledger knew this content before the validation."""


class Assertion(Document, frozen=True):
    """One thing that was expected."""

    type: str
    success: bool
    column: str | None
    severity: str | None


class Validation(Document, frozen=True):
    """One suite held against one batch."""

    name: str
    """Of the validation definition."""
    suite: str
    success: bool
    """Every assertion held, and there is no problem."""
    run: str
    """Id of the run under which it is recorded."""
    inputs: tuple[Checked, ...]
    assertions: tuple[Assertion, ...]
    unvalidated: tuple[str, ...]
    """What the definition selects beside this batch, and no batch of the checkpoint holds."""
    problems: tuple[str, ...]
    """Why its outcome counts for nothing, one sentence each."""


class ValidationEvidence(Document, frozen=True):
    """The evidence file of a checkpoint."""

    schema: Literal["https://lineagegate.github.io/schemas/evidence/validation-v1.json"] = msgspec.field(name="$schema")
    tool: str
    """``great_expectations`` and its version."""
    checkpoint: str
    time: str
    by: str
    success: bool
    problems: tuple[str, ...]
    """What is wrong with the checkpoint as a whole."""
    validations: tuple[Validation, ...]
    entries: int
    """How many entries the ledger had once this was recorded."""

    def of(self, content: str) -> tuple[Validation, ...]:
        """The validations of a content."""
        return tuple(v for v in self.validations if any(checked.content == content for checked in v.inputs))


def evidence_bytes(evidence: ValidationEvidence) -> bytes:
    """The evidence file."""
    return encode(evidence).encode() + b"\n"


def read_validation(data: bytes, name: str) -> ValidationEvidence | None:
    """An evidence file as `evidence_bytes` made it; None when it is something else.

    Raises:
        UsageError: ``EVIDENCE_INVALID``: it says that it is one and is none.
    """
    if SCHEMA.encode() not in data[:1024]:
        return None
    try:
        found = msgspec.json.decode(data, type=ValidationEvidence)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(name, str(error)) from None
    if evidence_bytes(found) != data:
        raise _invalid(name, "it was written by something else, or changed")
    if found.success is not passed(found.validations, found.problems):
        raise _invalid(name, "its outcome does not follow from its validations")
    return found


def passed(validations: tuple[Validation, ...], problems: tuple[str, ...]) -> bool:
    """Whether a checkpoint is a success: each of its validations is, and nothing is wrong with it."""
    whole = [v.success and not v.problems and all(a.success for a in v.assertions) for v in validations]
    return bool(whole) and all(whole) and not problems


def checked_words(evidence: ValidationEvidence) -> str:
    """What was checked and how, in one sentence."""
    types = sorted({assertion.type for validation in evidence.validations for assertion in validation.assertions})
    return f"checkpoint {evidence.checkpoint} of {evidence.tool}: {', '.join(types)}"


def result_words(evidence: ValidationEvidence) -> str:
    """What was found, in one sentence."""
    asserted = [assertion for validation in evidence.validations for assertion in validation.assertions]
    problems = [
        *evidence.problems,
        *(problem for validation in evidence.validations for problem in validation.problems),
    ]
    held = sum(assertion.success for assertion in asserted)
    said = f"{held} of {count(len(asserted), 'expectation')} held"
    return f"{said}; {'; '.join(problems)}" if problems else said


def _invalid(name: str, cause: str) -> UsageError:
    return UsageError(
        f"{name} is not the evidence that it says it is", code="EVIDENCE_INVALID", cause=cause,
        hint="run the checkpoint again: its LineageAction writes the evidence",
    )  # fmt: skip
