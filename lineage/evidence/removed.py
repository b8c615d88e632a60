"""The evidence that an origin was taken out, by content: what was compared with what, and what was found. Never text.

The file that ``content removal`` writes and ``removal claim`` reads. It names no person and no time, so that whoever
has the same files makes the same file again, byte for byte (`lineage.content.removal.derived_key`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from lineage.errors import UsageError
from lineage.evidence.content import Place
from lineage.evidence.document import ArtifactRef, Document, encode
from lineage.evidence.layout import count, fields, page
from lineage.evidence.text import origin_text
from lineage.vocabulary import Origin

SCHEMA: Literal["https://lineagegate.github.io/schemas/evidence/removal-v1.json"] = (
    "https://lineagegate.github.io/schemas/evidence/removal-v1.json"
)
Verdict = Literal["removed", "nothing-to-remove", "refused"]
Problem = Literal["left", "new"]

_SHOWN = 5


class ComparedSide(Document, frozen=True):
    """The records before, or after."""

    artifact: ArtifactRef
    """With the content that was read."""
    records: int
    equal: int
    """Records of the origin: those with all letters of one of a source's …"""
    similar: int
    """… and those that resemble one."""
    short: int
    """Records with fewer letters than `shortest`: compared as a whole only."""
    short_equal: int
    """Of them, those that a source has, too, and that tell nothing: that source has mostly longer ones."""

    @property
    def found(self) -> int:
        """Records of the origin."""
        return self.equal + self.similar


class ComparedSource(Document, frozen=True):
    """A source of the origin."""

    artifact: ArtifactRef
    """With the content that was read."""
    key: str
    """What removals call it."""
    records: int
    short: int
    before: int
    """Records before that equal or resemble one of its."""
    after: int
    """Records after that do."""
    index: str
    """sha256 of its fingerprints."""


class RemovalEvidence(Document, frozen=True):
    """``content removal``, and the file that it writes."""

    schema: Literal["https://lineagegate.github.io/schemas/evidence/removal-v1.json"] = msgspec.field(name="$schema")
    tool: str
    """What compared, with its version."""
    method: str
    """Version of the fingerprints."""
    origin: Origin
    """What was to be taken out; what it does not state is any."""
    verdict: Verdict
    """``removed``; ``nothing-to-remove``: no record before is of the origin; ``refused``: see ``problems``."""
    problems: tuple[Problem, ...]
    """``left``: records of the origin are there after it. ``new``: records are there that were not before."""
    before: ComparedSide
    after: ComparedSide
    sources: tuple[ComparedSource, ...]
    left: tuple[Place, ...]
    """Where records of the origin are left."""
    left_more: int
    """Such records that no place is given for."""
    kept_equal: int
    """Records after with all letters of one before."""
    kept_similar: int
    """Records after of which at least ``kept_share`` of the passages were before."""
    new: tuple[Place, ...]
    """Where records are that were not before."""
    new_more: int
    new_records: int
    shortest: int
    """Letters of a record that passages are compared of."""
    similar_share: float
    """A record resembles one of a source when at least this share of its passages is the source's …"""
    similar_passages: int
    """… or so many of them."""
    kept_share: float
    index: str
    """Digest of the fingerprints of all sources."""


def judged(before: ComparedSide, after: ComparedSide, new_records: int) -> tuple[Verdict, tuple[Problem, ...]]:
    """What follows from the counts."""
    problems: list[Problem] = []
    if after.found:
        problems.append("left")
    if new_records:
        problems.append("new")
    if problems:
        return "refused", tuple(problems)
    return ("removed" if before.found else "nothing-to-remove"), ()


def evidence_bytes(evidence: RemovalEvidence) -> bytes:
    """The evidence file."""
    return encode(evidence).encode() + b"\n"


def read_evidence(data: bytes, name: str) -> RemovalEvidence | None:
    """An evidence file as `evidence_bytes` made it; None when it is something else.

    Raises:
        UsageError: ``EVIDENCE_INVALID``: it says that it is one and is none.
    """
    if SCHEMA.encode() not in data[:1024]:
        return None
    try:
        found = msgspec.json.decode(data, type=RemovalEvidence)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _invalid(name, str(error)) from None
    after = sum(place.last - place.first + 1 for place in found.left) + found.left_more
    counted = found.kept_equal + found.kept_similar + found.new_records
    if evidence_bytes(found) != data:
        raise _invalid(name, "it was written by something else, or changed")
    if (found.verdict, found.problems) != judged(found.before, found.after, found.new_records):
        raise _invalid(name, "its verdict does not follow from its counts")
    if (after, counted) != (found.after.found, found.after.records):
        raise _invalid(name, "its counts contradict each other")
    return found


def _invalid(name: str, cause: str) -> UsageError:
    return UsageError(
        f"{name} is not the evidence that it says it is", code="EVIDENCE_INVALID", cause=cause,
        hint="lineagegate content removal BEFORE AFTER … --evidence FILE writes it",
    )  # fmt: skip


def checked_words(evidence: RemovalEvidence) -> str:
    """What was checked and how, in one sentence."""
    short = max(evidence.before.short, evidence.after.short)
    words = (
        f"every record of {evidence.before.artifact.display} ({evidence.before.records:,}) and of "
        f"{evidence.after.artifact.display} ({evidence.after.records:,}) against {_sources(evidence.sources)}: "
        f"all letters equal, or {evidence.similar_share:.0%} or {evidence.similar_passages} of the passages"
    )
    return words + (f"; up to {count(short, 'short record')} compared as a whole only" if short else "")


def result_words(evidence: RemovalEvidence) -> str:
    """What was found, in one sentence."""
    before, after = evidence.before, evidence.after
    words = [
        f"before {_found(before)}, after {_found(after)}",
        f"{before.records - after.records:,} records fewer" if before.records >= after.records
        else f"{after.records - before.records:,} records more",
        f"of those after {evidence.kept_equal:,} equal and {evidence.kept_similar:,} resemble records before, "
        f"{evidence.new_records or 'none'} {'are' if evidence.new_records > 1 else 'is'} new",
    ]  # fmt: skip
    if _fewer(evidence):
        words.append(f"fewer are gone than were of the origin: {_FEWER}")
    if after.short_equal:
        words.append(f"{count(after.short_equal, 'short record')} after stand in a source, too, and tell nothing")
    return "; ".join(words)


def removed_text(evidence: RemovalEvidence) -> str:
    """The comparison as people read it."""
    origin, before, after = origin_text(evidence.origin), evidence.before.artifact, evidence.after.artifact
    said = {
        "removed": f"removed: no record of {origin} is left in {after.display}",
        "nothing-to-remove": f"nothing to remove: no record of {origin} was found in {before.display}",
        "refused": f"refused: {after.display} is not {before.display} without {origin}",
    }[evidence.verdict]
    rows = [("", "")]
    for problem in evidence.problems:
        text = {
            "left": f"{evidence.after.found:,} of {count(evidence.after.records, 'record')} after are of the origin, "
            f"at {_places(evidence.left, evidence.after.found)}",
            "new": f"{count(evidence.new_records, 'record')} after were not before, "
            f"at {_places(evidence.new, evidence.new_records)}",
        }[problem]
        rows.append((problem, text))
    for name, side in (("before", evidence.before), ("after", evidence.after)):
        rows.append((name, f"{side.artifact.display} ({side.artifact.content}): {_side(side)}"))
    rows.append(
        ("kept", f"{evidence.kept_equal:,} records after equal records before, {evidence.kept_similar:,} resemble some")
    )
    for number, source in enumerate(evidence.sources):
        text = (
            f"{source.artifact.display} ({source.artifact.content}): {count(source.records, 'record')}, "
            f"{source.before:,} found before, {source.after:,} after"
        )
        rows.append(("" if number else "sources", text))
    if evidence.after.short_equal:
        rows.append(
            ("short", f"{evidence.after.short_equal:,} records after stand in a source and are too short to tell")
        )
    lines = [said, *fields(rows)]
    if evidence.verdict == "removed" and _fewer(evidence):
        lines.append(f"Fewer records are gone than were of the origin: {_FEWER}.")
    if evidence.verdict == "nothing-to-remove":
        lines.append("What content does not show, it cannot show to be gone: no removal can be claimed on this.")
    missed = [source.artifact.display for source in evidence.sources if not source.before]
    if evidence.verdict == "removed" and missed:
        lines.append(f"Nothing of {', '.join(missed)} was found before: a removal on this does not speak of it.")
    return page(lines)


_FEWER = "others were repeated or divided, or what was of it was cut out of records that stayed"


def _fewer(evidence: RemovalEvidence) -> bool:
    return evidence.before.found > evidence.before.records - evidence.after.records


def _found(side: ComparedSide) -> str:
    if not side.found:
        return "no record of the origin"
    return f"{count(side.found, 'record')} of the origin ({side.equal:,} equal, {side.similar:,} similar)"


def _side(side: ComparedSide) -> str:
    found = f"{side.found:,} of the origin ({side.equal:,} equal, {side.similar:,} similar)"
    return f"{count(side.records, 'record')}, {found if side.found else 'none of the origin'}"


def _sources(sources: Sequence[ComparedSource]) -> str:
    shown = [f"{source.artifact.display} ({count(source.records, 'record')})" for source in sources[:_SHOWN]]
    if len(sources) > _SHOWN:
        shown.append(f"{count(len(sources) - _SHOWN, 'more source')}")
    return ", ".join(shown)


def _places(places: Sequence[Place], number: int) -> str:
    shown = [f"{p.file}:{p.first}" + (f"-{p.last}" if p.last > p.first else "") for p in places[:_SHOWN]]
    told = sum(place.last - place.first + 1 for place in places[:_SHOWN])
    return ", ".join(shown) + (f" and {number - told:,} more" if told < number else "")
