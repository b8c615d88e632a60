"""The registries against the ledger: what in them do the recorded decisions and changes not account for (S10, S13)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lineage.gate.inquiry import Inquiry
from lineage.gate.life import Version, changes, versions
from lineage.pipeline import RegisteredVersion, Registry
from lineage.vocabulary import Artifact, Decision


class AuditFinding(NamedTuple):
    """Something about one registered version that the ledger does not account for."""

    registry: str
    model: str
    version: str
    code: str
    """``NO_DECISION``, ``NOT_ALLOWED``, ``OTHER_CONTENT``, ``NOW_REFUSED``, ``ALIAS_MOVED``, ``STAGE_MOVED``,
    ``VERSION_GONE``, ``VERSION_BACK``, or what the registry itself shows (`RegisteredVersion.anomalies`)."""
    message: str
    hint: str = ""


def audit(inquiry: Inquiry, registries: Iterable[Registry]) -> tuple[int, list[AuditFinding]]:
    """Compare every version in the registries with the recorded decisions.

    Args:
        inquiry: the record, up to date.
        registries: what is compared with it.

    Returns:
        How many versions were read, and those that the ledger does not account for.
    """
    decisions = {decision.id: decision for decision in inquiry.graph.decisions()}
    changed = changes(inquiry.graph)
    count, findings = 0, list[AuditFinding]()
    for registry in registries:
        recorded = versions(item for item in changed if item.change.registry == registry.namespace)
        for version in registry.versions():
            count += 1
            on_record = recorded.pop((version.model, version.version), None)
            for code, message, hint in (*_audit(inquiry, version, decisions), *_moved(version, on_record)):
                findings.append(AuditFinding(registry.name, version.model, version.version, code, message, hint))
        for gone in recorded.values():
            if gone.created and not gone.deleted:
                message = f"models:/{gone.model}/{gone.number} was registered, and is gone without a record of it"
                hint = f"lineagegate history {gone.model}"
                findings.append(AuditFinding(registry.name, gone.model, gone.number, "VERSION_GONE", message, hint))
    return count, findings


def _moved(version: RegisteredVersion, recorded: Version | None) -> Iterable[tuple[str, str, str]]:
    """What a registry shows of a version otherwise than its recorded changes leave it.

    Of a version that no change speaks of there is nothing to compare: it has no decision, and that is said already.
    """
    if version.exempt or recorded is None:
        return
    name, hint = f"models:/{version.model}/{version.version}", f"lineagegate history {version.model}"
    if recorded.deleted:
        yield "VERSION_BACK", f"{name} was deleted, and is there", hint
    for alias in sorted(set(version.aliases) - recorded.aliases):
        yield "ALIAS_MOVED", f"alias {alias!r} points at {name} without a record of it", hint
    for alias in sorted(recorded.aliases - set(version.aliases)):
        yield "ALIAS_MOVED", f"alias {alias!r} was taken off {name} without a record of it", hint
    if version.stage != recorded.stage:
        now, then = version.stage or "no stage", recorded.stage or "no stage"
        yield "STAGE_MOVED", f"{name} is in {now} and in {then} on record", hint
    if recorded.recalled and not version.recalled:
        yield "TAG_EDITED", f"{name} was recalled by decision {recorded.recalled} and no longer says so", hint


def _audit(
    inquiry: Inquiry, version: RegisteredVersion, decisions: Mapping[str, Decision]
) -> Iterable[tuple[str, str, str]]:
    name = f"models:/{version.model}/{version.version}"
    if version.exempt:
        return
    decision = decisions.get(version.decision)
    if decision is None or decision.model != version.model:
        said = "names a decision that is not in the ledger" if version.decision else "has no recorded decision"
        yield "NO_DECISION", f"{name} {said}: it came around the gate", f"lineagegate check {name}"
    elif decision.blocks:
        yield "NOT_ALLOWED", f"{name} exists although decision {decision.id} refused it", f"lineagegate why {name}"
    for code, message in version.anomalies:
        yield code, f"{name}: {message}", f"lineagegate check {name}"
    artifact = version.artifact
    if artifact is None:
        return
    judged = inquiry.graph.judged(decision.id) if decision else None
    known = inquiry.graph.find(judged.namespace if judged else artifact.namespace, artifact.name)
    if decision is not None and known is None:
        # tags can be copied from another version, an entry of the ledger cannot
        yield (
            "NO_DECISION",
            f"{name} carries decision {decision.id} and is not in the ledger under its own number: it was made "
            "around the gate with the tags of another version, or the ledger failed as it was made",
            f"lineagegate check {name}",
        )
    if any(_differ(artifact, other) for other in (known, judged)):
        yield "OTHER_CONTENT", f"the files of {name} are not those that were judged", f"lineagegate why {name}"
    elif decision is not None and known is not None:
        now = inquiry.decide(known, version.model, name, "check", {}, "", "")
        if now.blocks and not decision.blocks:
            yield (
                "NOW_REFUSED",
                f"{name} was let through and would be refused today: {now.reason}",
                f"lineagegate check {name}",
            )


def _differ(one: Artifact, other: Artifact | None) -> bool:
    """Whether two artifacts hold other bytes, as far as their keys can be compared."""
    if other is None or one.content is None or other.content is None:
        return False
    here, there = one.content.hash, other.content.hash
    return here != there and here.partition(":")[0] == there.partition(":")[0]
