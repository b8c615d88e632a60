"""What happens in a registry of models beside decisions, and the policy that decisions were made under, as records."""

from __future__ import annotations

from enum import Enum

from lineage.vocabulary.value import Value


class Happening(str, Enum):
    """What a registry did, once it had done it."""

    CREATED = "created"  # a version exists
    ALIAS = "alias"  # `value` points at the version
    ALIAS_REMOVED = "alias-removed"
    STAGE = "stage"  # the version is in stage `value`
    RENAMED = "renamed"  # the model is called `value` from now on
    DELETED = "deleted"  # the version; without a version, the model
    RECALLED = "recalled"  # a recall took its aliases off and marked it


class Change(Value, frozen=True):
    """One change of a registered model, recorded after the registry made it (S10)."""

    model: str
    """Registered name at that time."""
    happening: Happening
    version: str = ""
    """Empty where it is about the model as a whole."""
    value: str = ""
    """The alias, the stage or the new name."""
    decision: str = ""
    """Id of the decision that let it happen, where it needed one."""
    by: str = ""
    registry: str = ""
    """Which registry, as an OpenLineage namespace (`lineage.events.naming.mlflow_namespace`)."""


class PolicyFile(Value, frozen=True):
    """One file of a policy: the policy's own, one that it extends, or a pack."""

    name: str
    text: str


class PolicyRecord(Value, frozen=True):
    """The policy in force from now on, whole, so that a later question can be judged under it."""

    sha256: str
    """What decisions call it (`Decision.policy`)."""
    files: tuple[PolicyFile, ...]
    """The policy's own file first."""
    by: str = ""
