"""What pages ask of the record, beyond the questions of the command line: what a word may mean, the paths that decide,
the runs beside an artifact, what happened last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from lineage.errors import CannotDecide, LineageError
from lineage.events.event import act_of, read
from lineage.events.naming import display
from lineage.evidence.case import CaseStep, HistoryItem
from lineage.evidence.document import ArtifactRef, CheckDocument, Document, WhyDocument
from lineage.evidence.document import artifact as reference
from lineage.evidence.dossier.found import DRAWN
from lineage.evidence.dossier.svg import legend, svg
from lineage.evidence.happened import act_item, declared, declared_item, executed_item
from lineage.evidence.impact import VersionRef
from lineage.evidence.observed import ObservedDocument
from lineage.evidence.text import origin_text, path_text
from lineage.gate import Answer, Inquiry, seen
from lineage.gate.asking import answer, why_document
from lineage.gate.impact import version_ref
from lineage.gate.life import Version, changes, versions
from lineage.graph import Graph
from lineage.graph.near import Page, Ran
from lineage.graph.said import counted
from lineage.policy import catalogue
from lineage.vocabulary import Artifact, ArtifactType, Decision, Finding, Label, Outcome, Step, Use

PATHS = 20
"""Offending paths that a page spells out; its document has all of them."""
PROVIDERS = 20
"""Providers that a search lists."""
FEW = 3
"""Outputs of a run that a timeline names."""


class Hit(Document, frozen=True):
    """Something that a word may mean."""

    kind: str
    """``model``, ``dataset``, ``provider`` or ``decision``."""
    name: str
    """As people call it."""
    artifact: ArtifactRef | None = None
    """Of a model or dataset; its newest version where a name alone was found."""


class SearchDocument(Document, frozen=True):
    """What was found under a word: what it names exactly first, then models, datasets and providers that contain it."""

    query: str
    page: int
    hits: tuple[Hit, ...]
    more: bool
    """Whether there is another page."""


class ArtifactDocument(Document, frozen=True):
    """``check`` and ``why`` of one artifact."""

    artifact: ArtifactRef
    check: CheckDocument
    why: WhyDocument | None
    """None where its lineage leads to no source."""


class ModelDocument(Document, frozen=True):
    """A registered model of several versions: what is asked about is one of them."""

    model: str
    versions: tuple[VersionRef, ...]
    """Newest first."""


class Read(Document, frozen=True):
    """An input of a run."""

    artifact: ArtifactRef
    use: Use


class RanDocument(Document, frozen=True):
    """A run beside an artifact."""

    stage: str
    run: str
    time: str
    entry: int
    inputs: tuple[Read, ...]
    outputs: tuple[ArtifactRef, ...]


class HopDocument(Document, frozen=True):
    """The runs that made an artifact, or that read it: one hop."""

    artifact: ArtifactRef
    made: bool
    """Whether those that made it."""
    total: int
    page: int
    runs: tuple[RanDocument, ...]


class About(NamedTuple):
    """Which artifact is meant: by what a person typed or a path shows, or by its name; of these, the version with a
    content."""

    target: str = ""
    namespace: str = ""
    name: str = ""
    content: str = ""

    def of(self, inquiry: Inquiry) -> Artifact:
        """The artifact.

        Raises:
            LineageError: as `Inquiry.resolve`.
        """
        if not self.content:
            return inquiry.resolve(self.target) if not self.name else self._found(inquiry)
        try:
            named = Artifact(self.namespace, self.name) if self.name else inquiry.resolve(self.target)
        except LineageError:
            return inquiry.resolve(self.content)
        found = inquiry.over(named).version(named.namespace, named.name, self.content)
        return found or (self._found(inquiry) if self.name else inquiry.resolve(self.content))

    def _found(self, inquiry: Inquiry) -> Artifact:
        graph = inquiry.over(Artifact(self.namespace, self.name))
        if self.content or (found := graph.find(self.namespace, self.name)) is None:
            raise CannotDecide(
                f"nothing is recorded of {display(self.namespace, self.name)} with this content",
                code="ARTIFACT_UNKNOWN", hint="search for its name",
            )  # fmt: skip
        return found


def text_of(artifact: Artifact) -> str:
    """What `Inquiry.resolve` takes for this very artifact."""
    registered = artifact.namespace.startswith("mlflow://") and artifact.name.startswith("models/")
    if registered or artifact.content is None or artifact.content.trivial:
        return display(artifact.namespace, artifact.name)
    return artifact.content.hash


def search(inquiry: Inquiry, query: str, number: int, page: Page) -> SearchDocument:
    """What a word may mean. Only the first page tells what it names exactly, and providers."""
    graph, hits = inquiry.graph, list[Hit]()
    if number == 1:
        hits += _exactly(inquiry, query)
    named = graph.called(query, Page(page.offset, page.limit + 1))
    known = {(hit.artifact.namespace, hit.artifact.name) for hit in hits if hit.artifact}
    for row in named[: page.limit]:
        if (row.namespace, row.name) not in known:
            type_ = ArtifactType.MODEL if row.model else ArtifactType.DATASET
            shown = display(row.namespace, row.name)
            artifact = ArtifactRef(row.namespace, row.name, shown, type_, None)
            hits.append(Hit("model" if row.model else "dataset", shown, artifact))
    if number == 1:
        hits += [Hit("provider", name) for name in _providers(inquiry, query)]
    return SearchDocument(query, number, tuple(hits), len(named) > page.limit)


def _exactly(inquiry: Inquiry, query: str) -> Iterable[Hit]:
    if identifier(query) and inquiry.graph.decision(query.upper()):
        yield Hit("decision", query.upper())
    keys = [query, f"md5:{query}", f"sha256:{query}"] if query.isalnum() and len(query) in (32, 64) else [query]
    for key in keys:
        try:
            found = inquiry.resolve(key)
        except LineageError:
            continue
        kind = "model" if found.type is ArtifactType.MODEL else "dataset"
        yield Hit(kind, display(found.namespace, found.name), reference(found))
        return


def identifier(text: str) -> bool:
    """Whether a text has the form of the id of a decision."""
    return len(text) == 26 and text.isascii() and text.isalnum()


def _providers(inquiry: Inquiry, query: str) -> list[str]:
    word = query.lower()
    found = dict.fromkeys(
        origin.provider for origin in inquiry.origins() if origin.provider and word in origin_text(origin).lower()
    )
    return list(found)[:PROVIDERS]


def judged(inquiry: Inquiry, artifact: Artifact) -> Decision:
    """What the gate would say of an artifact now; see `Inquiry.check`."""
    subject = display(artifact.namespace, artifact.name)
    model = artifact.name.split("/")[1] if artifact.name.startswith("models/") else artifact.name
    return inquiry.decide(artifact, model, subject, "check", {}, "", "")


def carried(graph: Graph, artifact: Artifact) -> list[Label]:
    """Its labels in a stable order; none where its lineage leads to no source."""
    try:
        found = graph.labels(artifact).labels
    except CannotDecide as unknown:
        if unknown.code != "NO_SOURCE":
            raise
        return []
    return sorted(found, key=lambda label: (label.use.value, origin_text(label.origin)))


def why(inquiry: Inquiry, artifact: Artifact) -> WhyDocument | None:
    """Every label with its path, for programs."""
    graph = inquiry.over(artifact)
    try:
        labels = graph.labels(artifact)
    except CannotDecide as unknown:
        if unknown.code != "NO_SOURCE":
            raise
        return None
    found = Answer(artifact, labels, graph.paths(artifact, labels.labels), graph.cuts(artifact))
    return why_document(found, inquiry.times)


def refused_before(inquiry: Inquiry, target: str) -> Decision | None:
    """The last decision about a model that never had a version, or the one with this id."""
    try:
        found = answer(inquiry, target) if target.startswith("models:/") or identifier(target) else None
    except LineageError:
        return None
    return found if isinstance(found, Decision) else None


def verdict(decision: Decision) -> tuple[str, str]:
    """The outcome in a word or two, and its tone, as the dossier has them."""
    return {
        Outcome.ALLOW: ("Allowed", "good"),
        Outcome.WARN: ("Allowed with a warning", "open"),
        Outcome.DENY: ("Refused", "bad"),
    }.get(decision.outcome, ("Cannot be decided", "open"))


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """What is refused first, then what is warned of, then what a grant freed."""
    rank = {"deny": 0, "warn": 1}
    return sorted(
        findings,
        key=lambda f: (
            bool(f.grant), rank.get(f.effect, 2), f.label.basis is None, f.label.use.value,
            origin_text(f.label.origin), f.rule,
        ),
    )  # fmt: skip


class Drawn(NamedTuple):
    """A picture of some paths."""

    svg: Markup
    caption: str


def picture(findings: Sequence[Finding]) -> Drawn | None:
    """The paths of findings as one picture, the first of them where all would not be read; None without any path."""
    paths: list[list[CaseStep]] = []
    boxes: set[tuple[str, str]] = set()
    every = list(dict.fromkeys((f.label, f.path) for f in findings if f.path))
    for label, path in every:
        grown = boxes | {(step.artifact, step.content) for step in path}
        if paths and len(grown) > DRAWN:
            break
        boxes = grown
        paths.append([_step(step, label if index == 0 else None) for index, step in enumerate(path)])
    if not paths:
        return None
    spoken = " ".join(f"Path {n}: {path_text(path)}." for n, (_, path) in enumerate(every[: len(paths)], start=1))
    title = "The paths that decide" if len(paths) > 1 else "The path that decides"
    image, drawing = svg(paths, title, spoken)
    some = "" if len(paths) == len(every) else f" Paths 1 to {len(paths)} of {len(every)}."
    return Drawn(Markup(image), legend(drawing) + some)  # noqa: S704 - `svg` escapes every text


def _step(step: Step, label: Label | None) -> CaseStep:
    basis = label.basis.value if label and label.basis else ""
    return CaseStep(step.artifact, step.run, step.use, step.content, step.commit, step.time, step.by, basis, ())


def life(graph: Graph, artifact: Artifact) -> Version | None:
    """What its registry did to a version; None of what is no version."""
    parts = artifact.name.split("/")
    if parts[0] != "models" or len(parts) != 3:
        return None
    return versions(changes(graph, parts[1])).get((parts[1], parts[2]))


def model(graph: Graph, target: str) -> ModelDocument | None:
    """The versions of the registered model that ``models:/NAME`` names; None where it names one version, or none."""
    name = target.removeprefix("models:/")
    if name == target or "/" in name:
        return None
    known = versions(changes(graph, name)).values()
    refs = [version_ref(version) for version in known if version.model == name and version.number.isdigit()]
    refs.sort(key=lambda version: int(version.number), reverse=True)
    return ModelDocument(name, tuple(refs)) if len(refs) > 1 else None


def let_in(graph: Graph, decision: Decision) -> str:
    """The version that came into being by a decision, as people call it; empty where none did."""
    for version in versions(changes(graph, decision.model)).values():
        if version.decision == decision.id:
            return f"models:/{version.model}/{version.number}"
    return ""


def hop(inquiry: Inquiry, artifact: Artifact, number: int, page: Page, *, made: bool) -> HopDocument:
    """The runs that made an artifact, or that read it."""
    found = inquiry.over(artifact).beside(artifact, page, made=made)
    return HopDocument(reference(artifact), made, found.total, number, tuple(map(_ran, found.runs)))


def _ran(ran: Ran) -> RanDocument:
    inputs = tuple(Read(reference(artifact), use) for artifact, use in ran.inputs)
    return RanDocument(ran.stage, ran.run, ran.time, ran.entry, inputs, tuple(map(reference, ran.outputs)))


def observed(inquiry: Inquiry, artifact: Artifact, number: int, page: Page) -> ObservedDocument:
    """What was seen of the executions behind an artifact: those with something to look at first, then the latest."""
    graph = inquiry.over(artifact)
    executions = graph.tellings(artifact)
    remarkable = [told for told in executions if seen.told(told)]
    rest = sorted((told for told in executions if not seen.told(told)), key=lambda told: -told[0].position)
    shown = [*remarkable, *rest][page.offset : page.offset + page.limit]
    try:
        contradictions = seen.contradictions(graph.contributions(artifact))
    except CannotDecide as unknown:
        if unknown.code != "NO_SOURCE":
            raise
        contradictions = ()
    evidence, names = counted(executions).evidence, catalogue()
    return ObservedDocument(
        reference(artifact), *inquiry.times, dict(evidence), contradictions, len(executions), number,
        seen.runs(graph, shown, names),
    )  # fmt: skip


def lately(graph: Graph, page: Page) -> tuple[tuple[HistoryItem, ...], int]:
    """What the newest entries say, the one recorded last first, and how many entries there are; a page of them."""
    end = graph.position()
    last = end - page.offset
    items: list[HistoryItem] = []
    for position in range(last - 1, max(last - page.limit, 0) - 1, -1):
        data, recorded = graph.event(position)
        event = read(data)
        said = [declared_item(event, artifact, tag, recorded, position) for artifact, tag in declared(event)]
        if act_of(event) is not None:
            said += [item] if (item := act_item(event, recorded, position)) else []
        elif event.run is not None:
            made = [display(o.artifact.namespace, o.artifact.name) for o in event.outputs]
            more = f" and {len(made) - FEW:,} more" if len(made) > FEW else ""
            text = f"made {', '.join(made[:FEW])}{more}" if made else "was executed"
            said.append(executed_item(event, text, recorded, position))
        items += said
    return tuple(items), end
