"""What programs read: the JSON document of every verb, as values. `lineage.schemas` publishes them as JSON Schema.

The same facts as `lineage.evidence.text`, complete where the text counts or leaves out. Values of the vocabulary appear
as they do in events: camel case, fields at their default left out. A verb with ``--format json`` prints exactly one
document on standard output, an `ErrorDocument` when it fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from lineage.errors import LineageError
from lineage.events.naming import display
from lineage.vocabulary import Artifact, ArtifactType, Basis, Decision, Grant, Label, Origin, Step, Use

if TYPE_CHECKING:
    from lineage.graph import Cut, Status


class Document(msgspec.Struct, frozen=True, rename="camel"):
    """The base of every document: all its own fields are always there."""


class ArtifactRef(Document, frozen=True):
    """A dataset version by name."""

    namespace: str
    name: str
    display: str
    """What people call it."""
    type: ArtifactType
    content: str | None
    """Content key, where versions can be told apart."""


class NoticeRef(Document, frozen=True):
    """Something that a person should look at."""

    code: str
    """Stable, upper snake case."""
    where: str
    """File, stage, model version or setting."""
    message: str
    hint: str
    """The command that helps."""


class Counts(Document, frozen=True):
    """What the ledger holds."""

    commits: int | None
    """Read so far; None when another time is asked about: no event says it."""
    executions: int
    datasets: int
    versions: int
    models: int
    sources: int
    undeclared: int
    entries: int


class Todo(Document, frozen=True):
    """A source with no declared origin, and the command that gives it one."""

    artifact: ArtifactRef
    command: str


class RefusedEntry(Document, frozen=True):
    """An entry that the server refuses for good."""

    entry: int
    """Its position in the ledger here, counted from 0."""
    code: str
    reason: str


class WaitingDocument(Document, frozen=True):
    """What is recorded here and not acknowledged there."""

    server: str
    events: int
    """Of runs and datasets."""
    acts: int
    """What people said: grants, claims, approvals."""
    since: str
    """When the oldest of it was recorded, ISO 8601; empty: nothing waits."""
    refused: tuple[RefusedEntry, ...]
    tried: str
    """When the server was last asked; empty: never."""
    error: str
    """What went wrong then; empty: nothing."""
    hint: str


class SyncDocument(Document, frozen=True):
    """``sync`` and, after creating what was missing, ``init``."""

    commits: int
    """Commits read now."""
    executions: int
    """Stage executions read now."""
    events: int
    """Ledger entries added."""
    status: Counts
    undeclared: tuple[Todo, ...]
    notices: tuple[NoticeRef, ...]
    written: tuple[str, ...] = ()
    """Files that ``init`` wrote."""
    waiting: WaitingDocument | None = None
    """What the team's server has not acknowledged; None where there is none."""


class StatusDocument(Document, frozen=True):
    """``status``."""

    status: Counts
    undeclared: tuple[Todo, ...]
    as_of: str = ""
    known_at: str = ""
    waiting: WaitingDocument | None = None
    """What the team's server has not acknowledged; None where there is none."""


class DeclaredTarget(Document, frozen=True):
    """One thing that was tagged."""

    artifact: ArtifactRef
    address: str
    """How the pipeline calls it."""


class DeclareDocument(Document, frozen=True):
    """``declare``: what now carries the origin."""

    targets: tuple[DeclaredTarget, ...]
    origin: Origin | None
    uses: dict[str, str]


class LabelPath(Document, frozen=True):
    """A label, and one shortest path on which it arrived, source first."""

    origin: Origin
    use: Use
    basis: Basis | None
    """None for ``undeclared``, which is the absence of a declaration."""
    path: tuple[Step, ...]


class CutPath(Document, frozen=True):
    """A label that removals took out, and the path that they cut, source first."""

    origin: Origin
    use: Use
    basis: Basis | None
    removals: tuple[str, ...]
    """Ids; ``removal show`` tells of each."""
    path: tuple[Step, ...]


class CheckDocument(Decision, frozen=True):
    """``check``: a verdict that is not recorded."""

    as_of: str = ""
    """What was true then was asked for (ISO 8601)."""
    known_at: str = ""
    """What had been recorded by then."""


class WhyDocument(Document, frozen=True):
    """``why``."""

    artifact: ArtifactRef | None
    """None when a recorded decision is shown."""
    labels: tuple[LabelPath, ...]
    sources: int
    """How many sources the whole closure holds."""
    position: int
    """Number of ledger entries that this was computed from."""
    decision: Decision | None = None
    """The recorded decision, when that was asked for."""
    removed: tuple[CutPath, ...] = ()
    """What it would carry if no removal were in force."""
    as_of: str = ""
    """What was true then was asked for (ISO 8601); empty: now."""
    known_at: str = ""
    """What had been recorded by then; empty: everything."""


class GrantsDocument(Document, frozen=True):
    """``grant``: the one made or withdrawn, or with ``--list`` all of them."""

    grants: tuple[Grant, ...]
    as_of: str = ""
    known_at: str = ""


class AuditDocument(Document, frozen=True):
    """``audit``: every registered version that the recorded decisions do not account for."""

    versions: int
    """How many were read."""
    findings: tuple[NoticeRef, ...]


class DoctorDocument(Document, frozen=True):
    """``doctor``."""

    checked: tuple[str, ...]
    """What was looked at."""
    findings: tuple[NoticeRef, ...]


class CaseDocument(Document, frozen=True):
    """One case written beside the policy."""

    name: str
    passed: bool
    expected: str
    outcome: str
    rules: tuple[str, ...]
    """Ids of the rules that fired."""
    message: str
    """What was expected and what came; empty when it passed."""
    location: str


class PolicyTestDocument(Document, frozen=True):
    """``policy test``."""

    cases: tuple[CaseDocument, ...]
    failed: int


class RuleDocument(Document, frozen=True):
    """One rule, the strictest first."""

    id: str
    effect: str
    match: str
    """What it speaks of, in words."""
    unless: str
    reason: str
    from_: str = msgspec.field(name="from")
    until: str
    in_force: bool
    """Today."""
    terms: tuple[str, ...]
    """The texts that it stands on."""
    location: str


class SearchedDocument(Document, frozen=True):
    """What the gate searches by content before it decides."""

    inputs: str
    """``never``, ``undeclared``, ``clean`` or ``always``."""
    share: float
    """Of a dataset's records, and …"""
    records: int
    """… records that are enough."""


class PolicyDocument(Document, frozen=True):
    """``policy check`` and ``policy show``."""

    file: str
    mode: str
    undeclared: str
    """Effect on sources with no declared origin."""
    default: str
    """Effect on labels that no rule speaks about."""
    rules: tuple[RuleDocument, ...]
    content: SearchedDocument


class Fault(Document, frozen=True):
    """Why a verb failed."""

    code: str
    message: str
    cause: str
    hint: str


class ErrorDocument(Document, frozen=True):
    """Printed instead of a verb's own document when it fails; the exit status is 2 or 3."""

    error: Fault


def encode(document: Any) -> str:
    """The JSON of a document, indented by two for people who look."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def artifact(value: Artifact) -> ArtifactRef:
    """A reference to an artifact."""
    return ArtifactRef(
        value.namespace,
        value.name,
        display(value.namespace, value.name),
        value.type,
        value.content.hash if value.content else None,
    )


def counts(status: Status, commits: int | None) -> Counts:
    """The counts of a status, and how many commits were ever read."""
    return Counts(
        commits,
        status.runs,
        status.datasets,
        status.versions,
        status.models,
        status.sources,
        status.undeclared,
        status.entries,
    )


def notices(items: Iterable[Sequence[str]]) -> tuple[NoticeRef, ...]:
    """Notices from (code, where, message, hint)."""
    return tuple(NoticeRef(*item) for item in items)


def todo(items: Iterable[tuple[Artifact, str]]) -> tuple[Todo, ...]:
    """What waits for a declaration, from artifacts and the addresses that ``declare`` takes."""
    return tuple(Todo(artifact(value), f"lineagegate declare {address}") for value, address in items)


def why(
    value: Artifact,
    labels: Iterable[Label],
    paths: Mapping[Label, Sequence[Step]],
    *,
    sources: int,
    position: int,
    cuts: Iterable[Cut] = (),
    times: tuple[str, str] = ("", ""),
) -> WhyDocument:
    """Labels with their paths, in a stable order."""
    rows = [LabelPath(x.origin, x.use, x.basis, tuple(paths.get(x, ()))) for x in labels]
    removed = [CutPath(cut.label.origin, cut.label.use, cut.label.basis, cut.removals, cut.path) for cut in cuts]
    ordered = tuple(sorted(rows, key=msgspec.json.encode))
    return WhyDocument(artifact(value), ordered, sources, position, None, tuple(removed), *times)


def check(decision: Decision, times: tuple[str, str]) -> CheckDocument:
    """A verdict at some times."""
    return CheckDocument(**msgspec.structs.asdict(decision), as_of=times[0], known_at=times[1])


def recorded(decision: Decision) -> WhyDocument:
    """A decision as it was recorded, with the paths that were found then."""
    paths = {finding.label: finding.path for finding in decision.findings}
    rows = tuple(LabelPath(x.origin, x.use, x.basis, paths.get(x, ())) for x in decision.labels)
    return WhyDocument(None, rows, decision.sources, decision.position, decision)


def error(failure: LineageError) -> ErrorDocument:
    """A failure."""
    return ErrorDocument(Fault(failure.code, failure.message, failure.cause, failure.hint))
