"""What the verbs of ``usage`` say: what a provider's log holds, and what of it nothing on record accounts for."""

from __future__ import annotations

from lineage.evidence.document import ArtifactRef, Document
from lineage.evidence.layout import MARK, count, page, table
from lineage.evidence.text import origin_text
from lineage.vocabulary import Origin

SHOWN = 20
"""Rows that the text shows of each sort; the JSON has all."""


class LeftEntries(Document, frozen=True):
    """Entries that are no calls of models, or cannot be read."""

    why: str
    entries: int


class ImportedLog(Document, frozen=True):
    """One file."""

    file: str
    sha256: str
    state: str
    """``imported`` now, or ``known`` from before."""
    formats: tuple[str, ...]
    entries: int
    requests: int
    """That were answered."""
    failed: int
    first: str
    """ISO 8601, UTC; empty when there are no calls."""
    last: str
    left: tuple[LeftEntries, ...]
    zoneless: int
    """Entries whose time has no zone, taken for UTC as the formats' documentation says."""
    answers: int
    """Texts of answers in it."""
    indexed: bool
    """Whether their fingerprints were taken."""


class UsageImportDocument(Document, frozen=True):
    """``usage import``."""

    logs: tuple[ImportedLog, ...]


class Logged(Document, frozen=True):
    """Calls of one model through one channel on one account, and what is recorded of them."""

    files: tuple[str, ...]
    channel: str
    provider: str
    service: str
    account: str
    deployment: str
    requests: int
    unseen: int
    """Requests at times when no observed execution called this channel."""
    unseen_first: str
    """ISO 8601, UTC; empty when there are none."""
    unseen_last: str
    seconds: int
    """How exactly the log tells the time."""
    declared_channels: tuple[str, ...]
    """Channels through which sources of this provider are declared to have come."""
    findings: tuple[str, ...]
    """``NOT_OBSERVED``, ``PROVIDER_NOT_DECLARED``, ``CHANNEL_NOT_DECLARED``, ``MODEL_NOT_DECLARED``."""


class NotLogged(Document, frozen=True):
    """Calls that were observed in the time of a log and are not in it."""

    stage: str
    channel: str
    started: str
    ended: str
    calls: int
    """At least."""


class AnswersFound(Document, frozen=True):
    """Answers of a log, found in a source."""

    source: ArtifactRef
    declared: tuple[Origin, ...]
    """As somebody declared it; none: nobody did."""
    origin: Origin
    """Of the answers."""
    found: int
    """Records that equal or resemble answers."""
    equal: int
    records: int
    """That were read."""
    enough: bool
    """Whether the threshold of `content` is reached."""
    tagged: bool


class NotSearched(Document, frozen=True):
    """A source that could not be searched for answers."""

    source: ArtifactRef
    why: str


class UsageReconcileDocument(Document, frozen=True):
    """``usage reconcile``."""

    logs: tuple[str, ...]
    """Files that were imported."""
    requests: int
    unseen: int
    executions: int
    """Observed executions that called a provider."""
    calls: tuple[Logged, ...]
    not_logged: tuple[NotLogged, ...]
    found: tuple[AnswersFound, ...]
    searched: int
    """Sources that were searched for answers."""
    not_searched: tuple[NotSearched, ...]

    @property
    def open(self) -> bool:
        """Whether anything is left that nothing recorded accounts for."""
        return any(row.findings for row in self.calls) or any(found.enough for found in self.found)


_WORDS = {
    "NOT_OBSERVED": "by no observed execution: none called it then, or not so often",
    "PROVIDER_NOT_DECLARED": "nothing of this provider is declared",
    "CHANNEL_NOT_DECLARED": "its sources are declared to have come another way",
    "MODEL_NOT_DECLARED": "no source of this model is declared",
}


def import_text(document: UsageImportDocument) -> str:
    """What was read as people read it."""
    lines = []
    for log in document.logs:
        said = f"{count(log.requests, 'call')} from {log.first} to {log.last}" if log.first else "no calls of models"
        lines.append(f"{log.file}: {said}" + (" (imported before)" if log.state == "known" else ""))
        lines.append(f"{MARK}{count(log.entries, 'entry')}, {', '.join(log.formats) or 'of no format that is read'}")
        if log.failed:
            lines.append(f"{MARK}{count(log.failed, 'call')} that failed")
        if log.answers:
            what = "indexed" if log.indexed else "not indexed: pip install 'lineagegate[content]', then import again"
            lines.append(f"{MARK}{count(log.answers, 'answer')}, {what}")
        if log.zoneless:
            lines.append(f"{MARK}{count(log.zoneless, 'time')} without a zone, taken for UTC")
        lines += [f"{MARK}{count(left.entries, 'entry')} left out: {left.why}" for left in log.left[:SHOWN]]
    return page(lines)


def reconcile_text(document: UsageReconcileDocument) -> str:
    """What is left as people read it."""
    if not document.logs:
        return page(["No log was imported: lineagegate usage import FILE"])
    within = f"in {count(len(document.logs), 'imported log')}"
    if not document.open:
        first = f"Nothing {within} is left open: observed executions may have made {count(document.requests, 'call')}."
    else:
        first = (
            f"{document.unseen:,} of {count(document.requests, 'call')} {within} cannot be those of an observed "
            "execution."
        )
    lines = [first]
    open_ = [row for row in document.calls if row.findings]
    for row in open_[:SHOWN]:
        model = " ".join(filter(None, (row.service or "model not stated", row.deployment and f"({row.deployment})")))
        on = f" on {row.account}" if row.account else ""
        lines.append(f"{row.provider or 'provider unknown'} via {row.channel}, {model}{on}: {row.requests:,}")
        for finding in row.findings:
            said = _WORDS[finding]
            if finding == "NOT_OBSERVED":
                said = f"{row.unseen:,} {said}, {row.unseen_first} to {row.unseen_last}"
            elif finding == "CHANNEL_NOT_DECLARED":
                said += f" ({', '.join(row.declared_channels)})"
            lines.append(f"{MARK}{said}")
    lines += _more(len(open_))
    good = [found for found in document.found if found.enough]
    for found in good[:SHOWN]:
        declared = ", ".join(map(origin_text, found.declared)) or "undeclared"
        lines.append(
            f"{found.source.display} ({declared}) holds answers: {found.found:,} of {count(found.records, 'record')}, "
            f"{found.equal:,} of them equal, of {origin_text(found.origin)}"
            + ("; recorded as a tag" if found.tagged else "")
        )
    lines += _more(len(good))
    if document.not_logged:
        lines.append(f"{count(len(document.not_logged), 'observed execution')} called a provider and no log shows it:")
        rows = [(n.stage, n.channel, n.started, f"{n.calls:,}") for n in document.not_logged[:SHOWN]]
        lines += [*table(rows), *_more(len(document.not_logged))]
    lines.append(
        f"{count(document.executions, 'observed execution')} called a provider; "
        f"{count(document.searched, 'source')} searched for answers."
    )
    lines += [f"{item.source.display} was not searched: {item.why}" for item in document.not_searched[:SHOWN]]
    return page([*lines, *_more(len(document.not_searched))])


def _more(number: int) -> list[str]:
    return [f"{MARK}… and {number - SHOWN:,} more (--format json)"] if number > SHOWN else []
