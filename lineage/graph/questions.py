"""What answers look like: plain values, no rows."""

from __future__ import annotations

from typing import NamedTuple

from lineage.vocabulary import Artifact, Label, Tag, Use


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
    """In force; none for an undeclared source."""
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
