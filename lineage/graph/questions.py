"""What answers look like: plain values, no rows."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from lineage.events.event import Act
from lineage.vocabulary import Artifact, Correction, Label, Removal, Step, Tag, Use


class Labels(NamedTuple):
    """What reaches an artifact through its lineage."""

    labels: frozenset[Label]
    sources: int
    """How many sources its closure holds; what models generated counts as one source a model."""
    position: int
    """Number of ledger entries this was computed from."""


class Recorded(NamedTuple):
    """A tag, when it was recorded, and when its event says it was given."""

    tag: Tag
    recorded: str
    """ISO 8601, UTC."""
    happened: str
    """The event's own time."""


class Source(NamedTuple):
    """A dataset version that no recorded run made from data, or that carries a tag of its own."""

    artifact: Artifact
    tags: tuple[Recorded, ...]
    """In force; for an undeclared source none, or those of basis ``imported`` alone."""
    used: bool
    """Whether some run reads it."""
    models: bool
    """Whether some model has it among its sources."""


class Dataset(NamedTuple):
    """A name under which versions were recorded."""

    namespace: str
    name: str
    model: bool
    versions: int


class ImpactItem(NamedTuple):
    """Something downstream."""

    artifact: Artifact
    distance: int
    """Runs between, at least 1."""
    uses: tuple[Use, ...] = ()
    """Roles in which content of the artifact asked about gets there, in the order of the vocabulary."""


class Impact(NamedTuple):
    """Everything downstream of an artifact: models first, then by distance and name."""

    items: tuple[ImpactItem, ...]
    models: int
    datasets: int


class Status(NamedTuple):
    """Counts over the whole store."""

    entries: int
    runs: int
    datasets: int
    """Names, models among them."""
    versions: int
    """Names with a content each."""
    models: int
    """Names that are models."""
    sources: int
    undeclared: int


class Entry(NamedTuple):
    """An entry of the ledger."""

    data: bytes
    """The exact bytes of the event."""
    recorded: str
    """ISO 8601, UTC."""


class Said(NamedTuple):
    """An act, and the entry that holds it."""

    position: int
    """Counted from 0."""
    recorded: str
    """ISO 8601, UTC."""
    happened: str
    """The event's own time."""
    act: Act


class Executions(NamedTuple):
    """The executions of a lineage; what is told several times is one (`lineage.graph.executions`)."""

    number: int
    first: str
    """When the earliest happened, as its event says; empty when there is none."""
    last: str
    evidence: dict[str, int]
    """How many are known how: ``observed``, ``restored``, ``asserted``."""


class Maker(NamedTuple):
    """A run that made an artifact."""

    run: str
    """Run id."""
    stage: str
    """Address of the stage, or the job's name."""
    inputs: tuple[str, ...]
    """What it read, as removals call it (`Graph.key`)."""
    time: str
    entry: int
    """Where it was recorded first."""


class ClaimState(str, Enum):
    """What became of a claim that needs a second person."""

    IN_FORCE = "in force"
    WAITING = "waiting for approval"
    OWN_APPROVAL = "approved by the one who claimed it"
    UNCLAIMED = "approved without a claim"
    VOID = "void"


class RemovalRecord(NamedTuple):
    """A removal and what became of it."""

    removal: Removal
    """With its approver, where a second person approved it."""
    state: ClaimState
    claimed: str
    """When, as the event says; empty where there is an approval alone."""
    approved: str
    """When a second person approved it; empty when nobody did."""
    void: str
    """The match that contradicts it, in words; empty when there is none."""
    positions: tuple[int, ...]
    """Entries that hold the claim and every approval."""


class CorrectionRecord(NamedTuple):
    """A correction and what became of it; see `RemovalRecord`."""

    correction: Correction
    state: ClaimState
    claimed: str
    approved: str
    positions: tuple[int, ...]


class Cut(NamedTuple):
    """A label that removals in force took out, and the path that they cut."""

    label: Label
    removals: tuple[str, ...]
    """Ids."""
    path: tuple[Step, ...]
    """As it would be without them, the source first."""
