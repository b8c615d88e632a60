"""What follows from a source, or which models an origin touches: with uses, aliases, stages, and who runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineage.errors import CannotDecide
from lineage.evidence.document import artifact as reference
from lineage.evidence.impact import ImpactDocument, Reached, VersionRef
from lineage.gate.life import Version, changes, registered, versions
from lineage.gate.wanted import Wanted
from lineage.graph import ClaimState, Cut, Graph
from lineage.policy import catalogue
from lineage.vocabulary import Artifact, ArtifactType, Kind, Origin, Use

if TYPE_CHECKING:
    from lineage.gate.inquiry import Inquiry

FEW = 20
"""Models whose changes are read one by one; of more, all changes are read at once."""
_NO_LABELS = ("NO_SOURCE", "ARTIFACT_UNKNOWN")


def of_source(inquiry: Inquiry, source: Artifact) -> ImpactDocument:
    """Everything downstream of an artifact.

    Raises:
        CannotDecide: nothing is recorded of it, or what is cannot be read.
    """
    found = inquiry.impact(source)
    models = [item for item in found.items if item.artifact.type is ArtifactType.MODEL]
    artifacts = [item.artifact for item in models]
    graph = inquiry.over(source, downstream=True)
    life = _life(graph, artifacts)
    stated = _origins(graph, source) if _narrows(graph) else set()

    def out(reached: Artifact) -> tuple[tuple[str, ...], bool]:
        """By which removals origins of the source reach something no more, and whether none does."""
        cuts = [cut for cut in _cuts(graph, reached) if cut.label.origin in stated] if stated else []
        left = cuts and _origins(graph, reached) & stated
        return tuple(dict.fromkeys(id_ for cut in cuts for id_ in cut.removals)), bool(cuts) and not left

    return ImpactDocument(
        reference(source),
        "",
        *inquiry.times,
        tuple(
            Reached(reference(i.artifact), i.distance, i.uses, _version(i.artifact, life), *out(i.artifact))
            for i in models
        ),
        tuple(
            Reached(reference(item.artifact), item.distance, item.uses, None, *out(item.artifact))
            for item in found.items
            if item.artifact.type is not ArtifactType.MODEL
        ),
    )


def of_origin(inquiry: Inquiry, wanted: Wanted) -> ImpactDocument:
    """Every model that carries an origin, or would if no removal were in force: registered versions, then models that
    are no version, by name. What may carry it is told apart: something it was made from has no declared origin, or not
    enough of it is stated, or its lineage leads to no source.

    Raises:
        UsageError: ``ORIGIN_UNKNOWN``, a word of the question means nothing here.
        CannotDecide: the labels of a model cannot be read.
    """
    graph, names = inquiry.graph, catalogue()
    wanted.known(inquiry.origins(), names)
    narrows = _narrows(graph)
    speaks: dict[Origin, bool | None] = {}

    def fits(origin: Origin) -> bool | None:
        if origin not in speaks:
            said = wanted.speaks_of(origin, names)
            speaks[origin] = None if said is False and origin.kind is Kind.UNDECLARED else said
        return speaks[origin]

    versions_ = registered(graph)
    known = {(v.namespace, v.name) for v in versions_}
    contents = {v.content.hash for v in versions_ if v.content}
    others = [
        version
        for name in graph.models()
        if name not in known
        for version in graph.versions(*name)
        # what became a version is listed as that version alone
        if not (version.namespace.startswith("mlflow://") and version.content and version.content.hash in contents)
    ]
    touched: list[tuple[Artifact, set[Use], tuple[str, ...], bool]] = []
    doubtful: list[tuple[Artifact, set[Use]]] = []
    for artifact in (*versions_, *others):
        try:
            labels = graph.labels(artifact).labels
        except CannotDecide as unknown:
            if unknown.code not in _NO_LABELS:
                raise
            doubtful.append((artifact, set()))
            continue
        uses = {label.use for label in labels if fits(label.origin)}
        cuts = [cut for cut in _cuts(graph, artifact) if fits(cut.label.origin)] if narrows else []
        if uses or cuts:
            removals = tuple(dict.fromkeys(id_ for cut in cuts for id_ in cut.removals))
            touched.append((artifact, uses or {cut.label.use for cut in cuts}, removals, not uses))
        elif any(fits(label.origin) is None for label in labels):
            doubtful.append((artifact, {label.use for label in labels if fits(label.origin) is None}))
    life = _life(graph, [*(item[0] for item in touched), *(item[0] for item in doubtful)])
    return ImpactDocument(
        None,
        str(wanted),
        *inquiry.times,
        tuple(
            Reached(reference(a), None, tuple(u for u in Use if u in uses), _version(a, life), removals, removed)
            for a, uses, removals, removed in touched
        ),
        (),
        tuple(
            Reached(reference(a), None, tuple(u for u in Use if u in uses), _version(a, life)) for a, uses in doubtful
        ),
    )


def _narrows(graph: Graph) -> bool:
    """Whether any removal is in force: without one there is nothing to look up for each model."""
    return any(record.state is ClaimState.IN_FORCE for record in graph.removals())


def _cuts(graph: Graph, artifact: Artifact) -> list[Cut]:
    try:
        return graph.cuts(artifact)
    except CannotDecide as unknown:
        if unknown.code not in _NO_LABELS:
            raise
        return []


def _origins(graph: Graph, artifact: Artifact) -> set[Origin]:
    """What reaches an artifact; nothing where its lineage leads to no source."""
    try:
        return {label.origin for label in graph.labels(artifact).labels}
    except CannotDecide as unknown:
        if unknown.code not in _NO_LABELS:
            raise
        return set()


def _life(graph: Graph, models: list[Artifact]) -> dict[tuple[str, str], Version]:
    """What the recorded changes leave of the registered models among some artifacts."""
    names = {a.name.split("/")[1] for a in models if _number(a)}
    if len(names) > FEW:
        return versions(changes(graph))
    return {key: version for name in names for key, version in versions(changes(graph, name)).items()}


def _version(artifact: Artifact, life: dict[tuple[str, str], Version]) -> VersionRef | None:
    number = _number(artifact)
    if not number:
        return None
    model = artifact.name.split("/")[1]
    return version_ref(life.get((model, number)) or Version(model, number))


def version_ref(version: Version) -> VersionRef:
    """A version as documents show it."""
    return VersionRef(
        version.model, version.number, version.created, version.by, tuple(sorted(version.aliases)), version.stage,
        version.recalled, version.deleted,
    )  # fmt: skip


def _number(artifact: Artifact) -> str:
    head, _, number = artifact.name.rpartition("/")
    return number if head.startswith("models/") and number.isdigit() else ""
