"""A verdict on one model, what it rests on, and the grants that may free it."""

from __future__ import annotations

from enum import Enum

from msgspec import field

from lineage.vocabulary.origin import Label
from lineage.vocabulary.value import Value


class Outcome(str, Enum):
    """The four answers of the gate. The last one refuses like DENY but says something else: we do not know."""

    ALLOW = "allow"
    WARN = "warn"
    DENY = "deny"
    CANNOT_DECIDE = "cannot-decide"


class Scope(Value, frozen=True):
    """What a grant frees. Empty text matches anything; each field takes shell patterns (``seed-*``)."""

    kind: str = ""
    provider: str = ""
    service: str = ""
    channel: str = ""
    terms: str = ""
    use: str = ""
    model: str = ""
    market: str = ""


class Grant(Value, frozen=True):
    """A permission with a scope, an approver, a reference to its paper, and dates (both included, ISO 8601)."""

    id: str
    scope: Scope
    approver: str
    reference: str
    from_: str = field(default="", name="from")
    until: str = ""
    reason: str = ""
    withdrawn: bool = False
    by: str = ""
    """Who recorded it; the approver is who answers for it. Empty in records that do not say."""


class Step(Value, frozen=True):
    """One hop of a path: the artifact reached, and the run that made it (none for the source at the start)."""

    artifact: str
    """Short name for people (``data/raw/gpt4``, ``models:/seed-chat/3``)."""
    run: str = ""
    """Stage or run that made it (``clean``)."""
    use: str = "content"
    """Role in which the previous artifact entered that run."""
    content: str = ""
    """Content key."""
    commit: str = ""
    time: str = ""
    """When that run (for the source: its tag) happened, ISO 8601."""
    by: str = ""
    """Who (commit author; for the source, who declared it)."""
    seen: str = ""
    """Of a source, what was seen that tells its origin, beside what was declared of it (``declared as
    human-annotation; observed: 1,204 calls to api.openai.com while it was made``)."""


class Finding(Value, frozen=True):
    """One label that a rule of the policy spoke about."""

    label: Label
    effect: str
    """``deny``, ``warn`` or ``allow``; of what a grant freed, the effect that it would have had."""
    rule: str
    """Rule id."""
    location: str
    """``lineage.policy.yaml:12``."""
    reason: str
    """Why, from the policy, for people."""
    remedy: str = ""
    grant: str = ""
    """Id of the grant that freed it, if one did; then the effect does not count."""
    path: tuple[Step, ...] = ()
    """One shortest path from a source with this label to the model, filled by the gate."""
    terms: str = ""
    """The text that the rule stands on, with its clause and date; says so where it was not read."""


class Shortfall(Value, frozen=True):
    """A requirement of the policy on how runs are known that a model does not meet."""

    rule: str
    """Id of the requirement."""
    location: str
    effect: str
    """``deny`` or ``warn``."""
    level: str
    """What is required: ``observed`` or ``restored``."""
    below: int
    """Executions behind the model that are known less well."""
    executions: int
    """All executions behind it; 0: none is known."""
    reason: str
    """Why, from the policy, for people."""

    @property
    def missing(self) -> str:
        """What is missing, in words."""
        if not self.executions:
            return "no execution behind it is known"
        noun = "execution" if self.executions == 1 else "executions"
        seen = "seen while running" if self.level == "observed" else "in a run cache or seen while running"
        return f"{self.below:,} of {self.executions:,} {noun} behind it not {seen}"


class Decision(Value, frozen=True):
    """decide(labels, attributes, policy, grants, position): what the gate said, reproducible from its arguments."""

    id: str
    """26 characters, sorts by time (`lineage.vocabulary.identifier`)."""
    outcome: Outcome
    subject: str
    """What was judged, for people: ``models:/seed-chat/3``, or ``models:/seed-chat`` before a version number."""
    model: str
    """Registered model name that rules match on."""
    action: str
    """``register``, ``alias``, ``stage``, ``rename``, ``copy``, ``recall`` or ``check``."""
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """One sentence. For CANNOT_DECIDE, what is missing."""
    hint: str = ""
    labels: tuple[Label, ...] = ()
    sources: int = 0
    """How many sources the closure holds."""
    attributes: dict[str, str] = field(default_factory=dict)
    mode: str = "enforce"
    """``enforce``, ``warn`` or ``audit``: what the policy does with a refusal."""
    policy: str = ""
    """sha256 of the policy file's bytes."""
    position: int = 0
    """Number of ledger entries the labels were computed from."""
    time: str = ""
    by: str = ""
    shortfalls: tuple[Shortfall, ...] = ()
    """Requirements of the policy that it does not meet."""
    evidence: dict[str, int] = field(default_factory=dict)
    """Executions behind it by how they are known, where the policy requires something of that."""

    @property
    def blocks(self) -> bool:
        """Whether the action may not go on: a refusal under ``enforce``."""
        return self.mode == "enforce" and self.outcome in (Outcome.DENY, Outcome.CANNOT_DECIDE)
