"""The life of registered models, read from the changes that their registry recorded (S10): what versions there are,
which aliases point where, in which stage each is, who runs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lineage.graph import Graph
from lineage.graph.rows import Act
from lineage.vocabulary import Artifact, Change, Happening


@dataclass
class Version:
    """One version as the recorded changes leave it."""

    model: str
    number: str
    created: str = ""
    """When its creation happened; empty when no change says so."""
    by: str = ""
    aliases: set[str] = field(default_factory=set)
    stage: str = ""
    decision: str = ""
    """Id of the decision that let it in; empty when no change says so."""
    recalled: str = ""
    """Id of the decision by which it was recalled."""
    deleted: bool = False
    recorded: str = ""
    """When its creation was recorded; empty when no change says so."""


@dataclass(frozen=True)
class Changed:
    """A recorded change."""

    change: Change
    time: str
    recorded: str
    entry: int


def changes(graph: Graph, model: str = "") -> list[Changed]:
    """The recorded changes of a model, of all models when none is named, in the order they were recorded.

    A model that was renamed keeps its life: changes under names that it had before are among them.
    """
    names, found = [model], dict[int, Changed]()
    for name in names:
        for said in graph.acts((Act.CHANGE,), name or None):
            change = said.act
            if isinstance(change, Change):
                found[said.position] = Changed(change, said.happened, said.recorded, said.position)
                if (
                    name
                    and change.happening is Happening.RENAMED
                    and change.value == name
                    and change.model not in names
                ):
                    names.append(change.model)
    return [found[position] for position in sorted(found)]


def versions(found: Iterable[Changed]) -> dict[tuple[str, str], Version]:
    """Every version that changes speak of, by model (as it is called now) and number."""
    out: dict[tuple[str, str], Version] = {}
    for item in found:
        change = item.change
        happening = change.happening
        if not change.version:
            if happening is Happening.RENAMED:
                for model, number in [key for key in out if key[0] == change.model]:
                    version = out.pop((model, number))
                    version.model = change.value
                    out[change.value, number] = version
            elif happening is Happening.DELETED:
                for key, version in out.items():
                    version.deleted = version.deleted or key[0] == change.model
            elif happening is Happening.ALIAS_REMOVED:
                for version in _of(out, change.model):
                    version.aliases.discard(change.value)
            continue
        version = out.setdefault((change.model, change.version), Version(change.model, change.version))
        if happening is Happening.CREATED:  # anew, where a deleted model's name and numbers are used again
            made = Version(change.model, change.version, item.time, change.by or version.by, decision=change.decision)
            made.recorded = item.recorded
            out[change.model, change.version] = made
        elif happening is Happening.ALIAS:
            for other in _of(out, change.model):
                other.aliases.discard(change.value)
            version.aliases.add(change.value)
            version.recalled = ""  # whatever gave it an alias or a stage has allowed it again
        elif happening is Happening.ALIAS_REMOVED:
            version.aliases.discard(change.value)
        elif happening is Happening.STAGE:
            version.stage = "" if change.value.lower() == "none" else change.value
            if version.stage not in ("", "Archived"):
                version.recalled = ""
        elif happening is Happening.DELETED:
            version.deleted, version.stage = True, ""
            version.aliases.clear()
        elif happening is Happening.RECALLED:
            version.recalled = change.decision or "yes"
            version.aliases.clear()
    return out


def registered(graph: Graph, contents: Iterable[str] | None = None) -> list[Artifact]:
    """The versions of registered models, each under the name that it has: after a renaming, not under the old one too.

    Args:
        graph: the record.
        contents: only those whose content key is one of these.
    """
    found = graph.registered(contents)
    names = {(version.namespace, version.name) for version in found}
    moved: dict[str, set[str]] = {}
    for change in graph.renamings():
        moved.setdefault(change.model, set()).add(change.value)

    def gone(version: Artifact) -> bool:
        model, _, number = version.name.removeprefix("models/").rpartition("/")
        kept = any((version.namespace, f"models/{new}/{number}") in names for new in moved.get(model, ()))
        # a name that was freed may be given again
        return kept and (model, number) not in versions(changes(graph, model))

    return [version for version in found if not gone(version)]


def _of(found: dict[tuple[str, str], Version], model: str) -> list[Version]:
    return [version for key, version in found.items() if key[0] == model]
