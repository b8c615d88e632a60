"""What was seen of the executions behind an artifact, as values: for the dossier, the pages and programs."""

from __future__ import annotations

from lineage.evidence.document import ArtifactRef, Document
from lineage.vocabulary import Label


class CallView(Document, frozen=True):
    """Calls to one host that serves models, or to one model of it."""

    host: str
    """Empty where only the program's own traces tell of it."""
    provider: str
    """Whose models they are; empty where nobody knows."""
    channel: str
    """Id in the catalogue; empty where the host is in none."""
    model: str
    """Empty where nothing named it."""
    count: int
    """At least so many."""
    counted: str
    """What was counted: ``requests``, ``connections``, ``spans`` or ``mentions``."""
    use: str
    """Role that somebody declared for them; empty: what was answered is content."""
    sentence: str
    """``1,204 calls to api.openai.com``."""


class ReadView(Document, frozen=True):
    """A file that was read and that no stage declares."""

    path: str
    labels: tuple[Label, ...] | None
    """What it carries; None where that is not known."""


class SeenView(Document, frozen=True):
    """What was seen of one execution while it ran."""

    started: str
    """ISO 8601."""
    ended: str
    """ISO 8601; empty: it was registered from while it ran."""
    mode: str
    """What was looked at: ``python``, ``strace``, ``off`` (only that it ran)."""
    status: int
    calls: tuple[CallView, ...]
    hosts: tuple[str, ...]
    """All others that were called."""
    libraries: tuple[str, ...]
    """That run models on this machine."""
    reads: tuple[ReadView, ...]
    notes: tuple[str, ...]
    """What does not fit the pipeline's own record: a dependency that changed, an output that nothing made."""
    faults: tuple[str, ...]
    """Why the record is not whole."""
    entry: int


class RunView(Document, frozen=True):
    """An execution of the lineage: how it is known, and what was seen of it."""

    run: str
    """Stage or run."""
    made: tuple[ArtifactRef, ...]
    level: str
    """``observed``, ``restored`` or ``asserted``."""
    time: str
    """When it happened, ISO 8601."""
    seen: tuple[SeenView, ...]
    """Empty: nobody looked, and that says nothing of what it did."""
    entries: tuple[int, ...]
    """Ledger entries that tell of it."""

    @property
    def remarkable(self) -> bool:
        """Whether something was seen that somebody should look at."""
        return any(seen.calls or seen.reads or seen.notes or seen.faults for seen in self.seen)


class Contradiction(Document, frozen=True):
    """What was seen of something, and what somebody declared of it."""

    artifact: ArtifactRef
    sentence: str
    """``declared as human-annotation; observed: 1,204 calls to api.openai.com while it was made``."""


class ObservedDocument(Document, frozen=True):
    """The page of what was seen of the executions behind an artifact; a page of them."""

    artifact: ArtifactRef
    as_of: str
    known_at: str
    evidence: dict[str, int]
    """Executions by level."""
    contradictions: tuple[Contradiction, ...]
    total: int
    """Executions behind it."""
    page: int
    runs: tuple[RunView, ...]
    """Those with something to look at first, then the latest first."""
