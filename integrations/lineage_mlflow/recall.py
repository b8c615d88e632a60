"""Taking a version out of use: off with its aliases and its stage, and a mark on it that says why.

Asked for by setting the tag ``lineage.recalled`` to the id of a decision that refuses the version, through any store
and over REST. The gate, on the client or on the server, holds the decision against the ledger and does the rest: so a
client needs no right that it would not have anyway, and what nobody decided recalls nothing.
"""

from __future__ import annotations

from typing import Any

from lineage.errors import UsageError
from lineage.gate import Gate
from lineage.vocabulary import Change, Decision, Happening, Outcome
from lineage_mlflow import description
from lineage_mlflow.changes import UNUSED
from lineage_mlflow.session import session
from lineage_mlflow.verdict import RECALL_REASON, RECALLED, Asked, refusing

REFUSALS = (Outcome.DENY, Outcome.CANNOT_DECIDE)


def recall(asked: Asked) -> None:
    """Do what the tag asks for.

    Raises:
        MlflowException: PERMISSION_DENIED, there is no such decision about this version.
    """
    name, number = asked["name"], str(asked["version"])
    with refusing(f"recall of models:/{name}/{number}"), session() as gate:
        decision = _decided(gate, str(asked["tag"].value), name, number)
        withdraw(gate, own(asked.store), asked.store.get_model_version(name, number), decision,
                 by=asked.caller(gate), registry=asked.namespace)  # fmt: skip


def withdraw(gate: Gate, store: Any, version: Any, decision: Decision, *, by: str, registry: str) -> list[Change]:
    """Take a version out of use, and record it. What is done already is not done again.

    The mark comes first: should the rest fail, doing it again goes on where it stopped.

    Args:
        gate: the project's gate.
        store: where the version is; its methods are called as they are, without being judged.
        version: the version as it is.
        decision: why.
        by: who does it.
        registry: namespace for the record.

    Returns:
        What changed.
    """
    from mlflow.entities.model_registry import ModelVersionTag

    name, number, page = version.name, str(version.version), gate.page(decision)
    changes = withdrawn(version, decision, by=by, registry=registry)
    for change in changes:
        if change.happening is Happening.RECALLED:
            for key, value in ((RECALL_REASON, description.reason_of(decision)), (RECALLED, decision.id)):
                store.set_model_version_tag(name, number, ModelVersionTag(key, value))
            store.update_model_version(name, number, description.recalled(version.description, decision, page))
        elif change.happening is Happening.STAGE:
            store.transition_model_version_stage(name, number, change.value, False)
        else:
            store.delete_registered_model_alias(name, change.value)
        gate.changed(change)
    return changes


def withdrawn(version: Any, decision: Decision, *, by: str, registry: str) -> list[Change]:
    """What taking a version out of use changes, as it is now."""
    name, number = version.name, str(version.version)
    found = []
    if not version.tags.get(RECALLED):
        found.append(Change(name, Happening.RECALLED, number, "", decision.id, by, registry))
    found += [Change(name, Happening.ALIAS_REMOVED, number, alias, decision.id, by, registry)
              for alias in sorted(version.aliases or ())]  # fmt: skip
    if (version.current_stage or "") not in UNUSED:
        found.append(Change(name, Happening.STAGE, number, "Archived", decision.id, by, registry))
    return found


def own(store: Any) -> Any:
    """A gated store's methods as MLflow wrote them."""
    return super(type(store), store)


def _decided(gate: Gate, identity: str, name: str, number: str) -> Decision:
    found = gate.decision(identity)
    if found is None or found.action != "recall" or found.outcome not in REFUSALS:
        raise UsageError(
            f"{identity!r} is no recorded decision to recall",
            code="RECALL_UNDECIDED",
            hint="`lineagegate recall --apply` decides and records, in the ledger of this registry's gate",
        )
    if found.subject != f"models:/{name}/{number}":
        raise UsageError(
            f"decision {identity} is about {found.subject}, not about models:/{name}/{number}", code="RECALL_UNDECIDED"
        )
    return found
