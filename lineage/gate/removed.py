"""Checks by content that an origin was taken out: what is compared with what follows from the ledger (case S6).

The sources are those of that origin in the lineage of what was read, or those that somebody names; the result is bound
to the content of all that was read. It records nothing: the file that is made of it is evidence for a claim, which two
people make (`lineage.gate.removal`). The comparison is `lineage.content.removal`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lineage.errors import CannotDecide, UsageError
from lineage.evidence.content import Place
from lineage.evidence.document import artifact as reference
from lineage.evidence.removed import SCHEMA, ComparedSide, ComparedSource, RemovalEvidence, judged
from lineage.gate.content import ContentIndex, identify, name_of
from lineage.policy import catalogue
from lineage.vocabulary import Artifact, Basis, Kind, Origin

if TYPE_CHECKING:
    from lineage.content.places import Places
    from lineage.content.removal import Side
    from lineage.gate.gate import Gate
    from lineage.gate.wanted import Wanted
    from lineage.pipeline import Progress


class Named(NamedTuple):
    """A source to compare with."""

    artifact: Artifact
    key: str
    """What removals call it."""


def check_removal(
    gate: Gate,
    before: Path,
    after: Path,
    wanted: Wanted,
    sources: Sequence[str] = (),
    progress: Progress | None = None,
) -> RemovalEvidence:
    """Compare, record by record, what a removal read with what it left.

    Args:
        gate: the record, up to date.
        before: file or directory that the removal read.
        after: what it left.
        wanted: the origin that was to be taken out.
        sources: of that origin, anything `Gate.resolve` takes; by default every one in the lineage of ``before``.
        progress: told how far it is.

    Raises:
        UsageError: ``ORIGIN_AMBIGUOUS``, ``SOURCE_UNTAGGED``, ``SOURCES_UNKNOWN``.
        CannotDecide: something cannot be read whole, is not here, is not what its hash says, or changed meanwhile.
    """
    from lineage.content.fingerprint import VERSION
    from lineage.content.index import RULE
    from lineage.content.removal import KEPT, compare, derived_key, read_source

    first, second = _identified(gate, before), _identified(gate, after)
    origin, named = _named(gate, sources, wanted) if sources else _inherited(gate, first, wanted)
    contents = ContentIndex(gate)
    key = derived_key([source.key for source in named])
    with tempfile.TemporaryDirectory(prefix="lineagegate-") as made:
        directory = Path(made)
        read = []
        for number, source in enumerate(named):
            path = contents.find(source.artifact)
            if path is None:
                raise CannotDecide(
                    f"the content of {name_of(source.artifact)} is not here", code="CONTENT_ABSENT",
                    cause=f"nothing on this machine is {source.key}", hint="dvc pull, or dvc fetch --all-commits",
                )  # fmt: skip
            read.append(read_source(path, f"{number:06}", key, directory, progress))
        found = compare(before, after, read, key, directory, progress)
    for path, was in ((before, first), (after, second)):
        if _identified(gate, path).content != was.content:
            raise CannotDecide(
                f"{path} changed while it was read", code="CONTENT_CHANGED", hint="run it when nobody writes there"
            )
    sides = _side(first, found.before), _side(second, found.after)
    verdict, problems = judged(*sides, found.new.records)
    return RemovalEvidence(
        schema=SCHEMA,
        tool=f"lineagegate {version('lineagegate')}",
        method=VERSION,
        origin=origin,
        verdict=verdict,
        problems=problems,
        before=sides[0],
        after=sides[1],
        sources=tuple(
            ComparedSource(
                reference(source.artifact), source.key, each.file.records, each.shorts,
                found.before.by_source[i], found.after.by_source[i], each.file.sha256,
            )
            for i, (source, each) in enumerate(zip(named, read, strict=True))
        ),
        left=_listed(found.left),
        left_more=found.left.more,
        kept_equal=found.kept_equal,
        kept_similar=found.kept_similar,
        new=_listed(found.new),
        new_more=found.new.more,
        new_records=found.new.records,
        shortest=RULE.letters,
        similar_share=RULE.share,
        similar_passages=RULE.passages,
        kept_share=KEPT.share,
        index=found.digest,
    )  # fmt: skip


def _identified(gate: Gate, path: Path) -> Artifact:
    if not path.exists():
        raise UsageError(f"there is no {path}", code="PATH_MISSING")
    artifact = identify(gate, path)
    if artifact is None or artifact.content is None:
        raise CannotDecide(
            f"nothing identifies the content of {path}", code="ARTIFACT_UNKNOWN",
            hint="add it to the pipeline (`dvc add`, or an output of a stage)",
        )  # fmt: skip
    return artifact


# -- sources -----------------------------------------------------------------------------------------------------------


def _inherited(gate: Gate, before: Artifact, wanted: Wanted) -> tuple[Origin, list[Named]]:
    """The sources of an origin in the lineage of what the removal read."""
    graph = gate.graph
    spoken = _speaker(wanted)
    contributions = graph.contributions(before)
    origin = _origin(wanted, {label.origin for c in contributions for label in c.labels if spoken(label.origin)})
    if origin is None:
        raise UsageError(
            f"nothing of {wanted} reaches {name_of(before)}", code="SOURCES_UNKNOWN",
            cause="its lineage has no source of that origin",
            hint="--source names one; lineagegate why shows what it has",
        )  # fmt: skip
    keys = set(graph.removable(before, origin))
    found: list[Named] = []
    for contribution in contributions:
        artifact = contribution.artifact
        key = graph.key(artifact)
        if contribution.generated and graph.key(Artifact(artifact.namespace, artifact.name)) in keys:
            raise CannotDecide(
                f"what {name_of(artifact)} generated is of that origin, and a model has no records to compare with",
                code="SOURCE_IS_MODEL", hint="--source names the files that it generated",
            )  # fmt: skip
        if key in keys and not contribution.generated:
            found.append(Named(artifact, key))
    if not found:
        raise UsageError(
            f"{name_of(before)} carries {wanted} itself", code="SOURCES_UNKNOWN",
            cause="so nothing says which of its records are of that origin", hint="--source names what has them all",
        )  # fmt: skip
    return origin, _ordered(found)


def _named(gate: Gate, sources: Iterable[str], wanted: Wanted) -> tuple[Origin, list[Named]]:
    """Sources that somebody names, each with a tag of that origin."""
    spoken = _speaker(wanted)
    found: list[Named] = []
    origins: set[Origin] = set()
    for text in sources:
        artifact = gate.resolve(text)
        tags = (recorded.tag for recorded in gate.graph.tags(artifact))
        of = {tag.origin for tag in tags if tag.basis is not Basis.MATCHED and spoken(tag.origin)}
        if not of:
            raise UsageError(
                f"{text} is not declared to be of {wanted}", code="SOURCE_UNTAGGED",
                hint=f"lineagegate why {text}; lineagegate declare {text} --kind …",
            )  # fmt: skip
        origins |= of
        found.append(Named(artifact, gate.graph.key(artifact)))
    origin = _origin(wanted, origins)
    assert origin is not None
    return origin, _ordered(found)


def _ordered(found: Iterable[Named]) -> list[Named]:
    return sorted({source.key: source for source in found}.values(), key=lambda source: source.key)


def _speaker(wanted: Wanted) -> Callable[[Origin], bool]:
    names = catalogue()
    return lambda origin: wanted.speaks_of(origin, names) is True


def _origin(wanted: Wanted, origins: set[Origin]) -> Origin | None:
    """What is claimed to be gone: the kind of all of them, and what somebody named, as it was declared."""
    if not origins:
        return None
    asked = [field.name for field in fields(wanted) if field.name != "kind" and getattr(wanted, field.name)]
    stated: dict[str, str] = {}
    for name in ("kind", *asked):
        values = {str(getattr(value, "value", value)) for value in (getattr(origin, name) for origin in origins)}
        if len(values) > 1:
            raise UsageError(
                f"{wanted} stands for several origins", code="ORIGIN_AMBIGUOUS",
                cause=f"{name}: {', '.join(sorted(values))}", hint=f"--{name} names one",
            )  # fmt: skip
        stated[name] = values.pop()
    return Origin(Kind(stated.pop("kind")), **stated)


# -- the result --------------------------------------------------------------------------------------------------------


def _side(artifact: Artifact, side: Side) -> ComparedSide:
    return ComparedSide(reference(artifact), side.records, side.equal, side.similar, side.short, side.short_equal)


def _listed(places: Places) -> tuple[Place, ...]:
    return tuple(Place(*place) for place in places.listed)
