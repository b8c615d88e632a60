"""What a validation of data found, as a document: by content hash, without a value of the data.

It is evidence about quality. A claim of removal may refer to it; it takes no label away by itself.
"""

from __future__ import annotations

from lineage.evidence.document import Document


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


class ValidationDocument(Document, frozen=True):
    """The evidence file of a checkpoint."""

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
