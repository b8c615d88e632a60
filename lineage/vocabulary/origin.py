"""Where content came from (origin), in which role it was used (use), and what reaches an artifact (label)."""

from __future__ import annotations

from enum import Enum

from lineage.vocabulary.identity import same_person
from lineage.vocabulary.value import Value


class Kind(str, Enum):
    """What sort of source content came from."""

    FIRST_PARTY = "first-party"
    CUSTOMER = "customer"
    LICENSED = "licensed"
    PUBLIC_DOMAIN = "public-domain"
    OPEN_LICENCE = "open-licence"
    WEB_CRAWL = "web-crawl"
    HUMAN_ANNOTATION = "human-annotation"
    THIRD_PARTY_MODEL_OUTPUT = "third-party-model-output"
    FIRST_PARTY_MODEL_OUTPUT = "first-party-model-output"
    SYNTHETIC = "synthetic"
    UNDECLARED = "undeclared"


CLEAN_KINDS = frozenset(
    {Kind.FIRST_PARTY, Kind.PUBLIC_DOMAIN, Kind.OPEN_LICENCE, Kind.HUMAN_ANNOTATION, Kind.SYNTHETIC}
)
"""Kinds whose claim mostly frees data. On other content than it speaks for such a claim expires to ``undeclared``,
while a claim of any other kind sticks (facts/dvc.md: ``meta`` is a claim about a path, not content)."""


class Use(str, Enum):
    """The role of an input in a run. ``content``: the input's content goes into the outputs."""

    CONTENT = "content"
    ANNOTATION = "annotation"
    PRETRAINING = "pretraining"
    FINE_TUNING = "fine-tuning"
    DISTILLATION = "distillation"
    REWARD_MODELLING = "reward-modelling"
    VALIDATION = "validation"
    EVALUATION = "evaluation"
    BASE_MODEL = "base-model"
    TEACHER = "teacher"
    PROMPT = "prompt"
    RETRIEVAL = "retrieval"


class Basis(str, Enum):
    """How we know an origin."""

    DECLARED = "declared"  # someone said so
    OBSERVED = "observed"  # seen while a run ran
    MATCHED = "matched"  # content equals or resembles content of that origin
    IMPORTED = "imported"  # another system said so


class Origin(Value, frozen=True):
    """Where content came from. Empty text means "not stated", never "none"."""

    kind: Kind
    provider: str = ""
    """Who made or owns it (``openai``)."""
    service: str = ""
    """The model or feed (``gpt-4``)."""
    channel: str = ""
    """How it was obtained (``azure-openai``); the catalogue tells the reseller of a channel."""
    terms: str = ""
    """Identifier and version of the terms it came under (``openai-business-terms@2023-03-14``)."""
    licence: str = ""
    """SPDX licence identifier (``CC-BY-4.0``)."""
    jurisdiction: str = ""
    """ISO 3166 code of where it was acquired (``DE``)."""
    acquired: str = ""
    """ISO 8601 date when it was acquired."""


UNDECLARED = Origin(Kind.UNDECLARED)
"""The origin of a source nobody spoke for (law 8). Computed, never stored as a tag."""


class Tag(Value, frozen=True):
    """An origin put on a dataset version, with how we know and who says so.

    ``by`` is an identity (``Jane Roe <jane@example.com>``), ``reason`` free text, ``evidence`` references to it.
    """

    origin: Origin
    basis: Basis = Basis.DECLARED
    by: str = ""
    reason: str = ""
    evidence: str = ""


class Label(Value, frozen=True):
    """(origin, use) as it reaches an artifact through its lineage, with the basis of the tag it stems from.

    ``basis`` is None for ``undeclared``, which is the absence of a tag (law 8).
    """

    origin: Origin
    use: Use
    basis: Basis | None = Basis.DECLARED


class Match(Value, frozen=True):
    """Records of a dataset version that equal or resemble records of sources of one origin; never their text."""

    origin: Origin
    sources: tuple[str, ...]
    """Content keys of the sources that they were found in."""
    found: int
    """Records that equal or resemble one of theirs."""
    equal: int
    """Of them, those with all the same letters."""
    records: int
    """That were read."""
    index: str
    """Digest of what was searched for: sources, origins, fingerprints, method."""
    threshold_share: float
    """This share of the records had to be found …"""
    threshold_records: int
    """… and so many."""


class Removal(Value, frozen=True):
    """A claim that an origin was taken out of one content, and its approval (law 2).

    The claim covers exactly the sources it lists: content keys (``md5:…``) that were checked. A source tagged with
    the same origin later was not part of the check and still shows. It narrows only when ``approved_by`` is set and
    names another identity than ``claimed_by``, and while no tag of basis ``matched`` on the output, or on a file of it,
    says that the origin is still there.
    """

    id: str
    origin: Origin
    content: str
    """Content key of the output the claim speaks for."""
    sources: tuple[str, ...]
    """Content keys of the sources of that origin that were checked."""
    claimed_by: str
    approved_by: str = ""
    evidence: str = ""
    """Reference to it: a file, a ticket, a URL."""
    run: str = ""
    """The run that took it out: a stage (``clean``) or a run id."""
    inputs: tuple[str, ...] = ()
    """Content keys of what that run read."""
    checked: str = ""
    """What was checked and how (``exact and near match of 41,200 records against 3,100 of the origin``)."""
    result: str = ""
    """What the check found (``0 records left``)."""
    evidence_hash: str = ""
    """``sha256:…`` of the evidence file, where there is one."""
    reason: str = ""

    @property
    def in_force(self) -> bool:
        """Whether a second person approved it."""
        return bool(self.approved_by) and not same_person(self.approved_by, self.claimed_by)


class Correction(Value, frozen=True):
    """A claim that a tag was a mistake, and its approval (law 2). Same two-person rule as `Removal`.

    ``content`` is the content key (or ``namespace/name`` of a version without content) that carries the tag;
    it takes back every tag of exactly ``origin`` and ``basis`` on it.
    """

    id: str
    origin: Origin
    basis: Basis
    content: str
    claimed_by: str
    approved_by: str = ""
    reason: str = ""

    @property
    def in_force(self) -> bool:
        """Whether a second person approved it."""
        return bool(self.approved_by) and not same_person(self.approved_by, self.claimed_by)
