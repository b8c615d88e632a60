"""A policy as it is applied: rules compiled to patterns and periods. Frozen, no input or output.

`lineage.policy.load` makes it from a file; `lineage.policy.decision` applies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lineage.policy.catalogue import Catalogue
from lineage.policy.pattern import Pattern, normal
from lineage.vocabulary import Grant, Kind, Label, Use

ORIGIN_FIELDS = ("provider", "service", "channel", "reseller", "terms", "licence", "jurisdiction", "basis")
"""What a rule can say about an origin, beside its kind. ``reseller`` comes from the catalogue, by channel."""

COUNTED_FIELDS = ("provider", "service", "channel", "reseller")
"""Who made third-party model output and how it was obtained: what nobody stated of these may be anything, so a
restricting rule counts it as matching. Otherwise leaving a word out would be the way around a rule."""

STATED_FIELDS = ("competes-with", "market", "purpose")
"""Model attributes that the policy file states, by name pattern, and nobody else."""

ACTION_FIELDS = ("stage", "alias")
"""Model attributes that an action brings along. Not given means "none", never "unknown"."""

SEVERITY = {"deny": 0, "warn": 1, "allow": 2}
"""Effects, the strictest first."""


class LabelFacts(NamedTuple):
    """A label in the words that rules match on."""

    label: Label
    fields: Mapping[str, tuple[str, ...]]
    """Values by origin field, in normal form; empty where nothing was stated, ``("",)`` where there surely is none."""


class ModelFacts(NamedTuple):
    """A model in the words that rules match on."""

    name: str
    """Normal form."""
    fields: Mapping[str, tuple[str, ...] | None]
    """Values by attribute; None where the policy states nothing, ``("",)`` where it states that there are none."""

    def stated(self) -> dict[str, str]:
        """The attributes as a decision records them: what is stated, values joined with a comma."""
        return {
            key: ", ".join(value for value in values if value) or "none"
            for key, values in sorted(self.fields.items())
            if values is not None and (key in STATED_FIELDS or any(values))
        }


@dataclass(frozen=True)
class Condition:
    """What a label and a model must be like. None means "anything"."""

    kinds: frozenset[Kind] | None
    uses: frozenset[Use] | None
    origin: tuple[tuple[str, Pattern], ...]
    """Patterns by field of `ORIGIN_FIELDS`."""
    model: tuple[tuple[str, Pattern], ...]
    """Patterns by ``name``, `STATED_FIELDS` and `ACTION_FIELDS`."""
    names_undeclared: bool = False
    """Whether the kind ``undeclared`` is written out; a wildcard does not name it."""

    def of_model(self, model: ModelFacts) -> tuple[str, ...] | None:
        """Whether a model fits.

        Returns:
            None: no. Else the attributes that nobody stated and that would have to be as the condition says.
        """
        open_: list[str] = []
        for key, pattern in self.model:
            values = (model.name,) if key == "name" else model.fields[key]
            if values is None:
                open_.append(key)
            elif not any(map(pattern.matches, values)):
                return None
        return tuple(open_)

    def of_label(self, facts: LabelFacts) -> tuple[str, ...] | None:
        """Whether a label fits; see `of_model`.

        `COUNTED_FIELDS` of third-party model output that nobody stated may be anything; everything else that is not
        stated is nothing.
        """
        label = facts.label
        if (self.kinds is not None and label.origin.kind not in self.kinds) or (
            self.uses is not None and label.use not in self.uses
        ):
            return None
        open_: list[str] = []
        for key, pattern in self.origin:
            values = facts.fields[key]
            if any(map(pattern.matches, values or ("",))):
                continue
            if values or key not in COUNTED_FIELDS or label.origin.kind is not Kind.THIRD_PARTY_MODEL_OUTPUT:
                return None
            open_.append(key)
        return tuple(open_)

    def covers(self, other: Condition) -> bool:
        """Whether everything that fits ``other`` surely fits here. False when in doubt."""
        theirs = dict(other.origin), dict(other.model)
        return (
            _subset(other.kinds, self.kinds)
            and _subset(other.uses, self.uses)
            and all(key in theirs[0] and pattern.covers(theirs[0][key]) for key, pattern in self.origin)
            and all(key in theirs[1] and pattern.covers(theirs[1][key]) for key, pattern in self.model)
        )


def _subset(inner: frozenset[Any] | None, outer: frozenset[Any] | None) -> bool:
    return outer is None or (inner is not None and inner <= outer)


class Citation(NamedTuple):
    """The text that a rule stands on."""

    id: str
    name: str = ""
    clause: str = ""
    url: str = ""
    dated: str = ""
    read: bool = False
    """Whether the one who wrote the rule read the text."""
    copied: str = ""
    """ISO 8601 date of the copy that was read, where it is known."""

    def __str__(self) -> str:
        said = f"{self.name or self.id} {self.clause}".rstrip()
        copy = f" in a copy of {self.copied}" if self.copied else ""
        read = f"read{copy}" if self.read else "not read" if self.name else ""
        notes = ", ".join(part for part in (self.dated, read) if part)
        return f"{said} ({notes})" if notes else said


@dataclass(frozen=True)
class Rule:
    """One rule of a policy."""

    id: str
    effect: str
    """``deny``, ``warn`` or ``allow``."""
    match: Condition
    unless: Condition | None
    reason: str
    remedy: str
    from_: str
    """As written; empty: since ever."""
    until: str
    start: datetime | None
    """First moment at which it counts."""
    end: datetime | None
    """Last moment at which it counts."""
    terms: tuple[Citation, ...]
    file: str
    line: int
    column: int

    @property
    def location(self) -> str:
        """``lineage.policy.yaml:12``."""
        return f"{self.file}:{self.line}"

    def in_force(self, at: datetime) -> bool:
        """Whether it counts for a decision at a time; both ends are included."""
        return (self.start is None or self.start <= at) and (self.end is None or at <= self.end)

    def overlaps(self, other: Rule) -> bool:
        """Whether there is a moment at which both count."""
        return not (self.end and other.start and self.end < other.start) and not (
            other.end and self.start and other.end < self.start
        )


LEVELS = ("asserted", "restored", "observed")
"""How an execution is known, the weakest first."""


@dataclass(frozen=True)
class Requirement:
    """What must be known of the runs that made a model."""

    id: str
    level: str
    """One of `LEVELS`; every execution must be known as well as that."""
    match: Condition
    """Of the model alone."""
    effect: str
    reason: str
    start: datetime | None
    location: str

    def below(self, evidence: Mapping[str, int]) -> int:
        """How many of some executions are known less well.

        Args:
            evidence: executions by level.
        """
        enough = LEVELS[LEVELS.index(self.level) :]
        return sum(number for level, number in evidence.items() if level not in enough)


@dataclass(frozen=True)
class ModelEntry:
    """What the policy states about the models of a name."""

    name: Pattern
    stated: Mapping[str, tuple[str, ...]]
    """Values by field of `STATED_FIELDS`; an empty tuple states that there are none."""
    location: str


@dataclass(frozen=True)
class Case:
    """A test written beside the policy."""

    name: str
    model: str
    labels: tuple[Label, ...]
    attributes: Mapping[str, str]
    grants: tuple[Grant, ...]
    evidence: str
    at: datetime | None
    expect: str
    rule: str
    """Id of a rule that must have fired; empty: any."""
    location: str


class ContentCheck(NamedTuple):
    """Which inputs the gate searches for content of restricted sources, and how much it takes."""

    inputs: str
    """``never``, ``undeclared``, ``clean`` (those declared clean, too) or ``always``."""
    share: float
    """Of a dataset's records."""
    records: int


@dataclass(frozen=True)
class Policy:
    """Everything that decides, beside the labels and the grants."""

    name: str
    """Of the file, for people."""
    digest: str
    """sha256, lower-case hex: of the file's bytes, or of the digests of all its files when it extends others."""
    files: tuple[tuple[str, str], ...]
    """Name and sha256 of each file and pack read, the policy itself first."""
    texts: tuple[str, ...]
    """What each of them says."""
    paths: tuple[Path, ...]
    """Of the files among them: when one of them changes, the policy is to be loaded again."""
    mode: str
    """``enforce``, ``warn`` or ``audit``."""
    undeclared: str
    """Effect for undeclared origins that no rule names."""
    undeclared_location: str
    default: str
    """Effect for labels that no rule speaks of."""
    default_location: str
    content: ContentCheck
    rules: tuple[Rule, ...]
    requirements: tuple[Requirement, ...]
    models: tuple[ModelEntry, ...]
    cases: tuple[Case, ...]
    catalogue: Catalogue

    def label_facts(self, label: Label) -> LabelFacts:
        """A label in the words that rules match on."""
        origin = label.origin
        named = self.catalogue.named(origin)
        single = {
            "service": normal(origin.service),
            "channel": named.channel,
            "reseller": named.reseller,
            "terms": normal(origin.terms),
            "licence": normal(origin.licence),
            "jurisdiction": normal(origin.jurisdiction),
            "basis": label.basis.value if label.basis else "",
        }
        fields = {key: (value,) if value else () for key, value in single.items()}
        if named.channel in self.catalogue.channels and not named.reseller:
            fields["reseller"] = ("",)
        return LabelFacts(label, {"provider": named.providers, **fields})

    def model_facts(self, model: str, attributes: Mapping[str, str]) -> ModelFacts:
        """A model in the words that rules match on.

        Args:
            model: registered name.
            attributes: of these only `ACTION_FIELDS` count: what a model is for is never taken from the registry.
        """
        name = normal(model)
        fields: dict[str, tuple[str, ...] | None] = {key: (normal(attributes.get(key, "")),) for key in ACTION_FIELDS}
        entries = [entry for entry in self.models if entry.name.matches(name)]
        for key in STATED_FIELDS:
            stated = [entry.stated[key] for entry in entries if key in entry.stated]
            values = sorted({value for values in stated for value in values})
            fields[key] = (tuple(values) or ("",)) if stated else None
        return ModelFacts(name, fields)
