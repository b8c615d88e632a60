"""A case: one question about one model, its answer, and everything that the answer rests on, as values.

`lineage.gate` fills it from the record; `lineage.evidence` renders it (dossier), packs it (bundle) and says it in the
words of other standards (exports). All of these are pure functions of a `Case`: what is not in it cannot be shown.
Unknown is told apart from none everywhere: a number that is not known is None, a text that is not known is empty.
"""

from __future__ import annotations

from enum import Enum

from lineage.evidence.document import ArtifactRef, Document
from lineage.evidence.observed import Contradiction, RunView
from lineage.vocabulary import Basis, Correction, Decision, Finding, Grant, Origin, Outcome, Removal, Step, Use

FORMAT = "lineagegate-case/1"


class Contains(str, Enum):
    """Whether a model's lineage holds what was asked for."""

    YES = "yes"
    EVALUATION_ONLY = "evaluation-only"
    """Met in evaluation, and no training path is on record, over a lineage whose sources are all declared (S4)."""
    NO = "no"
    CANNOT_TELL = "cannot-tell"


class Question(Document, frozen=True):
    """What was asked, by whom, about which moment."""

    subject: str
    """As people call it: ``models:/seed-chat/7``."""
    origin: str
    """What the question is about: text found in kind, provider, service, channel, terms or licence; empty: anything."""
    as_of: str
    """What was true then (ISO 8601, UTC); empty: now."""
    known_at: str
    """What had been recorded by then; empty: everything."""
    asked: str
    """When the question was put: the time of the newest entry that the answer takes into account, not of a clock, so
    that the same question about the same record is answered with the same bytes."""
    by: str
    project: str


class Taken(Document, frozen=True):
    """Sources of what was asked for that reach the model no more, since a removal in force says they were taken out.

    The records do not test that claim: an answer that rests on it names it.
    """

    origin: Origin
    use: Use
    """In which it would have arrived."""
    sources: tuple[ArtifactRef, ...]
    """Those that the removal took out."""
    removals: tuple[str, ...]
    """Ids; who claimed and approved, when and on which evidence is said by `Case.removals`."""
    path: tuple[Step, ...]
    """The way that the removal cut, the source first: where the text really went."""
    sure: bool = True
    """Whether it is what was asked for; else it may be, since too little of it is stated."""


class Answer(Document, frozen=True):
    """The answer in one sentence, and as one word."""

    contains: Contains
    sentence: str
    more: tuple[str, ...] = ()
    """Further sentences: per use, evaluation only, freed by which grant."""
    taken: tuple[Taken, ...] = ()
    """What the answer would hold, too, if no removal were in force. A "no" with one of these is a "no, after a
    removal"."""


class Subject(Document, frozen=True):
    """The model that was asked about."""

    artifact: ArtifactRef
    model: str
    """Registered name; empty for what is not registered."""
    version: str
    registered: str
    """When its version was made, ISO 8601; empty when it is not known."""
    by: str
    aliases: tuple[str, ...]
    stage: str
    run: str
    """The run or stage that made it."""
    commit: str


class Coverage(Document, frozen=True):
    """Over which lineage the answer was established, and whether that is whole (law 10)."""

    complete: bool
    reason: str
    """Why it is not; empty when it is."""
    sources: int
    executions: int
    first: str
    """When the earliest execution happened."""
    last: str
    evidence: dict[str, int]
    """Executions by how they are known: ``observed``, ``restored``, ``asserted``."""
    undeclared: tuple[ArtifactRef, ...]
    position: int
    """Number of ledger entries that were taken into account."""


class CaseStep(Document, frozen=True):
    """One hop of a path."""

    artifact: str
    """Short name of what was reached."""
    run: str
    """Stage or run that made it; empty for the source at the start."""
    use: str
    """Role in which the artifact before entered that run."""
    content: str
    """Content key of what was reached."""
    commit: str
    time: str
    by: str
    basis: str
    """How it is known: of the source its tag's basis, of a run its evidence level."""
    entries: tuple[int, ...]
    """Ledger entries that say so, counted from 0."""


class SourceSize(Document, frozen=True):
    """A source and how large it is; None: not known."""

    artifact: ArtifactRef
    files: int | None
    bytes: int | None
    records: int | None


class Trace(Document, frozen=True):
    """One label of the model: what reached it, from where, since when, and what the policy says of it."""

    origin: Origin
    use: Use
    basis: Basis | None
    source: ArtifactRef
    declared: str
    """When the source's tag was given; empty for ``undeclared``."""
    declared_by: str
    recorded: str
    """When the ledger learnt of it."""
    reason: str
    evidence: str
    since: str
    """When it was first read in this lineage: the earliest run that read the source, on any recorded path. Not when the
    model was made; empty when not known."""
    path: tuple[CaseStep, ...]
    """One shortest path, the source first, the model last."""
    findings: tuple[Finding, ...]
    """What the policy that holds says about it (without paths: they are above)."""
    tags: int = 1
    """Sources with this very label; the path is from one of them."""
    sources: tuple[SourceSize, ...] = ()
    """Each of them with its size; empty where only the path's own was looked up."""
    reseller: str = ""
    """Who sold it, when the channel gives that away and it is somebody else than the provider."""


class Share(Document, frozen=True):
    """What part of the sources an origin is, in one use. Of what went in, not of what survived the transforms."""

    origin: Origin
    use: Use
    basis: Basis | None
    sources: int
    files: int | None
    bytes: int | None
    records: int | None
    unsized: int
    """Sources among them whose size is not known: the numbers above leave them out."""


class HistoryItem(Document, frozen=True):
    """One thing that happened."""

    time: str
    recorded: str
    kind: str
    """``executed``, ``declared``, ``decided``, ``registered``, ``alias``, ``alias-removed``, ``stage``, ``renamed``,
    ``deleted``, ``recalled``, ``granted``, ``withdrawn``, ``removal-claimed``, ``removal-approved``,
    ``correction-claimed``, ``correction-approved``, ``policy``."""
    subject: str
    text: str
    """One sentence without a full stop."""
    by: str
    entry: int


class Judgement(Document, frozen=True):
    """A recorded decision and the entry that holds it."""

    decision: Decision
    entry: int
    content: str = ""
    """Content key of what was judged; empty where the record names none."""


class GrantUse(Document, frozen=True):
    """A grant, what it freed, and what would be said without it."""

    grant: Grant
    recorded: str
    frees: tuple[str, ...]
    """Labels of this model that it frees now, as people read them; empty: it frees nothing here."""
    without: Outcome
    """The verdict if it had not been given."""
    sentence: str
    entries: tuple[int, ...]
    withdrawn: str = ""
    """When it was withdrawn first, ISO 8601; empty while it was not."""
    withdrawn_by: str = ""


class RemovalView(Document, frozen=True):
    """A removal that speaks of something in this lineage."""

    removal: Removal
    state: str
    """``in force``, ``waiting for approval``, ``approved by the one who claimed it``, ``void``."""
    claimed: str
    """When, ISO 8601."""
    approved: str
    void: str
    """Why it no longer counts: the match that contradicts it; empty when it does."""
    entries: tuple[int, ...]


class SourceView(Document, frozen=True):
    """A source and one origin that it has: what an answer over the whole lineage rests on."""

    artifact: ArtifactRef
    origin: Origin
    """``undeclared`` where nobody spoke for it."""
    basis: Basis | None
    declared: str
    """When, ISO 8601; empty where nobody spoke for it."""
    declared_by: str
    reason: str
    evidence: str
    narrowed: bool
    """Whether a removal in force says that an origin of it was taken out on some way to the model."""
    entries: tuple[int, ...]
    """Entries that say so."""


class CorrectionView(Document, frozen=True):
    """A tag that was taken back as a mistake, or is claimed to be one."""

    correction: Correction
    state: str
    claimed: str
    approved: str
    entries: tuple[int, ...]


class Seal(Document, frozen=True):
    """The checkpoint that fixes the record, and who signed it."""

    origin: str
    """Name of the log."""
    size: int
    root: str
    """Base64, as in the note."""
    note: str
    """The signed note (C2SP), whole."""
    time: str
    """When the checkpoint was made, by the operator's clock."""
    keys: tuple[str, ...]
    """Verifier keys (C2SP ``name+id+key``) of the signatures."""
    timestamp: str
    """RFC 3161 token over the note, base64; empty where there is none."""
    timestamped: str
    """The time that the token states."""


class EntryRef(Document, frozen=True):
    """A ledger entry that the case rests on."""

    position: int
    hash: str
    """RFC 6962 leaf hash, hex."""
    recorded: str
    text: str
    """What it says, in a line."""


class Case(Document, frozen=True):
    """``report --format json``: question, answer, evidence."""

    format: str
    question: Question
    answer: Answer
    subject: Subject
    coverage: Coverage
    verdict: Decision
    """What the gate says under the policy that holds at the time asked about; not recorded."""
    traces: tuple[Trace, ...]
    shares: tuple[Share, ...]
    decisions: tuple[Judgement, ...]
    """Oldest first."""
    grants: tuple[GrantUse, ...]
    removals: tuple[RemovalView, ...]
    corrections: tuple[CorrectionView, ...]
    history: tuple[HistoryItem, ...]
    """Oldest first."""
    unknown: tuple[str, ...]
    """What is not known and would bear on the answer, a sentence each."""
    seal: Seal | None
    """None where the store has no checkpoint."""
    entries: tuple[EntryRef, ...]
    sources: tuple[SourceView, ...] = ()
    """Every source of the lineage, once for each origin that it has, whatever was asked."""
    runs: tuple[RunView, ...] = ()
    """Every execution of the lineage, with what was seen of it, the earliest first."""
    contradictions: tuple[Contradiction, ...] = ()
    """Where something was seen to be of another origin than it was declared to be."""
