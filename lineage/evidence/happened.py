"""What an event of the ledger says, in a line: for histories, and for the list of entries that a case rests on."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from lineage.events import Event
from lineage.events.event import act_of
from lineage.events.naming import display
from lineage.evidence.case import HistoryItem
from lineage.evidence.text import decision_text, origin_text
from lineage.vocabulary import (
    Artifact,
    Change,
    Correction,
    Decision,
    Grant,
    Happening,
    Kind,
    PolicyRecord,
    Removal,
    Tag,
)

_CHANGES = {
    Happening.CREATED: ("registered", "version {version} exists"),
    Happening.ALIAS: ("alias", "alias '{value}' points at it"),
    Happening.ALIAS_REMOVED: ("alias-removed", "alias '{value}' was taken off"),
    Happening.STAGE: ("stage", "is in stage {value}"),
    Happening.RENAMED: ("renamed", "is called '{value}' from then on"),
    Happening.DELETED: ("deleted", "was deleted"),
    Happening.RECALLED: ("recalled", "was recalled"),
}


def entry_text(event: Event) -> str:
    """What an entry is, in a few words: ``execution of clean``."""
    act = act_of(event)
    if isinstance(act, Decision):
        return f"decision {act.id}"
    if isinstance(act, Grant):
        return f"{'withdrawal of ' if act.withdrawn else ''}grant {act.id}"
    if isinstance(act, (Removal, Correction)):
        kind = "removal" if isinstance(act, Removal) else "correction"
        return f"{'approval of ' if act.approved_by else ''}{kind} {act.id}"
    if isinstance(act, Change):
        return f"change of {act.model}{'/' if act.version else ''}{act.version}: {act.happening.value}"
    if isinstance(act, PolicyRecord):
        return f"policy {act.sha256[:12]}"
    if event.run is not None:
        return f"execution of {stage(event)}"
    if event.dataset is not None:
        artifact = event.dataset.artifact
        name = display(artifact.namespace, artifact.name)
        return f"{'declaration' if artifact.tags else 'description'} of {name}"
    return f"description of job {event.job.name}" if event.job else "description"


def stage(event: Event) -> str:
    """The stage or job of a run, as short as people call it."""
    facets = event.run.facets if event.run else None
    full = facets.execution.execution.stage if facets and facets.execution else ""
    full = full or (event.job.name if event.job else "")
    return full.rpartition(":")[2] or full


def act_item(event: Event, recorded: str, entry: int) -> HistoryItem | None:
    """What a person, the gate or a registry said; None for an event that is no such saying."""
    act = act_of(event)

    def item(kind: str, subject: str, text: str, by: str) -> HistoryItem:
        return HistoryItem(event.time, recorded, kind, subject, text, by, entry)

    if isinstance(act, Decision):
        return item("decided", act.subject, decision_text(act).partition("\n")[0], act.by)
    if isinstance(act, Grant):
        scope = " ".join(f"{name}={value}" for name, value in structs.asdict(act.scope).items() if value)
        if act.withdrawn:
            return item("withdrawn", act.id, f"{scope} is no longer granted", act.by)
        return item("granted", act.id, f"{scope} on {act.reference}", act.approver)
    if isinstance(act, Removal):
        said = f"{origin_text(act.origin)} taken out" + (f": {act.result}" if act.result else "")
        kind = "removal-approved" if act.approved_by else "removal-claimed"
        return item(kind, act.content, f"{said} (removal {act.id})", act.approved_by or act.claimed_by)
    if isinstance(act, Correction):
        kind = "correction-approved" if act.approved_by else "correction-claimed"
        said = f"{origin_text(act.origin)} was a mistake (correction {act.id})"
        return item(kind, act.content, said, act.approved_by or act.claimed_by)
    if isinstance(act, Change):
        kind, words = _CHANGES[act.happening]
        subject = f"models:/{act.model}" + (f"/{act.version}" if act.version else "")
        return item(kind, subject, words.format(version=act.version, value=act.value), act.by)
    if isinstance(act, PolicyRecord):
        name = act.files[0].name if act.files else "the policy"
        return item("policy", act.sha256[:12], f"{name} holds from then on", act.by)
    return None


def declared(event: Event) -> Iterator[tuple[Artifact, Tag]]:
    """The tags that an event puts on dataset versions."""
    for reference in (*event.inputs, *event.outputs, *((event.dataset,) if event.dataset else ())):
        artifact = reference.artifact
        for tag in artifact.tags:
            if tag.origin.kind is not Kind.UNDECLARED:
                yield artifact, tag


def declared_item(event: Event, artifact: Artifact, tag: Tag, recorded: str, entry: int) -> HistoryItem:
    """That an origin was put on something."""
    name = display(artifact.namespace, artifact.name)
    text = origin_text(tag.origin) + ("" if tag.basis.value == "declared" else f", {tag.basis.value}")
    return HistoryItem(event.time, recorded, "declared", name, text, tag.by, entry)


def executed_item(event: Event, text: str, recorded: str, entry: int) -> HistoryItem:
    """That a stage or run was executed."""
    facets = event.run.facets if event.run else None
    by = facets.execution.execution.author if facets and facets.execution else ""
    return HistoryItem(event.time, recorded, "executed", stage(event), text, by, entry)
