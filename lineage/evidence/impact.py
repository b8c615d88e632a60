"""What follows from a source or an origin, as a document and as text: registered versions with what became of them,
other models, datasets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lineage.evidence.answer import listed
from lineage.evidence.document import ArtifactRef, Document
from lineage.evidence.layout import MARK, count, page, table, when
from lineage.vocabulary import Use


class VersionRef(Document, frozen=True):
    """A registered version as the recorded changes leave it."""

    model: str
    number: str
    registered: str
    """When it was made, ISO 8601; empty when no recorded change says so."""
    by: str
    """Who runs it: the user of its run, or who registered it; empty when it is not known."""
    aliases: tuple[str, ...]
    stage: str
    recalled: str
    """Id of the decision by which it was recalled; empty when it was not."""
    deleted: bool


class Reached(Document, frozen=True):
    """Something downstream."""

    artifact: ArtifactRef
    distance: int | None
    """Runs between; None where it was found by its labels."""
    uses: tuple[Use, ...] = ()
    """Roles in which it was reached, in the order of the vocabulary."""
    version: VersionRef | None = None
    """Of a registered version."""
    removals: tuple[str, ...] = ()
    """Ids of the removals in force by which an origin of what was asked about reaches it no more."""
    removed: bool = False
    """Whether nothing of the origin that was asked about reaches it, after a removal; its uses are those that it would
    have."""


class ImpactDocument(Document, frozen=True):
    """``impact``."""

    source: ArtifactRef | None
    """None when an origin was asked about."""
    origin: str
    as_of: str
    known_at: str
    models: tuple[Reached, ...]
    """Registered versions first."""
    datasets: tuple[Reached, ...]
    """Of a source alone."""
    doubtful: tuple[Reached, ...] = ()
    """Of an origin alone: models that may carry it, and nobody can tell from the record."""


def impact_text(document: ImpactDocument) -> str:
    """What was reached: registered versions, other models, datasets."""
    times = when(document.as_of, document.known_at)
    of = document.source.display if document.source else document.origin
    verb = "made from" if document.source else "touched by"
    if not document.models and not document.datasets:
        sure = "is known to have been" if document.doubtful else "was"
        return page([f"Nothing recorded {sure} {verb} {of}{times}.", *_doubtful(document)])
    models = [item for item in document.models if not item.removed]
    versions = [item for item in models if item.version]
    others = [item for item in models if not item.version]
    datasets = [item for item in document.datasets if not item.removed]
    removed = [item for item in (*document.models, *document.datasets) if item.removed]
    parts = [count(len(versions), "registered version"), count(_names(others), "other model")]
    parts += [count(_names(datasets), "dataset")] if document.source else []
    lines = [f"{listed(parts)} were {verb} {of}{times}."]
    if removed:
        number = _names(removed)
        of_ = "its origin" if document.source else document.origin
        lines.append(f"{MARK}Not counted: {number:,} of which an approved removal says that {of_} was taken out.")
    if versions:
        lines += ["", "registered versions", *table([_version(item) for item in versions])]
    for heading, items in (("other models", others), ("datasets", datasets)):
        if items:
            lines += ["", heading, *table(list(_rows(items, models=heading == "other models")))]
    if removed:
        lines += ["", "after a removal", *table([_version(item) for item in removed if item.version])]
        lines += table(list(_rows([item for item in removed if not item.version], models=False)))
        lines.append(f"{MARK}The records do not test that claim: lineagegate removal show {removed[0].removals[0]}")
    return page([*lines, *_doubtful(document)])


def _doubtful(document: ImpactDocument) -> list[str]:
    items = document.doubtful
    if not items:
        return []
    versions, others = [item for item in items if item.version], [item for item in items if not item.version]
    parts = [count(len(versions), "registered version"), count(_names(others), "other model")]
    told = listed([part for part, some in zip(parts, (versions, others), strict=True) if some])
    return [
        f"{MARK}Cannot tell of {told}: what they were made from has no declared origin, or not enough of it is stated.",
        "",
        "may be touched",
        *table([_version(item) for item in versions]),
        *table(list(_rows(others, models=True))),
    ]


def _version(item: Reached) -> tuple[str, str, str, str]:
    version = item.version
    assert version is not None
    state = [f"alias {alias}" for alias in version.aliases]
    state += [f"stage {version.stage}"] if version.stage else []
    state += ["deleted"] if version.deleted else []
    state += ["recalled"] if version.recalled else []
    state += _out(item)
    by = f"by {version.by}" if version.by else ""
    return item.artifact.display, _uses(item), ", ".join([*_away(item), *state]), by


def _rows(items: Iterable[Reached], *, models: bool) -> Iterable[tuple[str, str, str]]:
    # people count names; the versions of one are told in its line
    found: dict[str, list[Reached]] = {}
    for item in items:
        found.setdefault(item.artifact.display, []).append(item)
    for name, same in found.items():
        nearest = min(same, key=lambda item: item.distance or 0)
        note = count(len(same), "version") if len(same) > 1 else ""
        if models and name.startswith("models:/") and not name.startswith("models:/m-"):
            # judged under a model's name, and never became a version
            note = "judged, no version" if len(same) == 1 else f"judged {len(same)} times, no version"
        yield name, _uses(nearest), ", ".join([*_away(nearest), *([note] if note else []), *_out(nearest)])


def _out(item: Reached) -> list[str]:
    """What removals took out of it."""
    what = "taken out" if item.removed else "in part taken out"
    return [f"{what} by removal {id_}" for id_ in item.removals]


def _uses(item: Reached) -> str:
    return "as " + listed([use.value for use in item.uses]) if item.uses else ""


def _away(item: Reached) -> list[str]:
    return [f"{count(item.distance, 'run')} away"] if item.distance is not None else []


def _names(items: Sequence[Reached]) -> int:
    return len({item.artifact.display for item in items})
