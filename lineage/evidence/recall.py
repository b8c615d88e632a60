"""Judging again, as documents and text: what a policy recalls (S9), and what it would have refused."""

from __future__ import annotations

from lineage.evidence.answer import listed
from lineage.evidence.document import Document
from lineage.evidence.impact import VersionRef
from lineage.evidence.layout import MARK, count, fields, page, table, when
from lineage.evidence.text import label_text, path_text
from lineage.vocabulary import Change, Decision, Outcome

MOST = 20
"""Versions or decisions that a text spells out; the rest is counted."""


class Rejudged(Document, frozen=True):
    """A registered version whose verdict is another than it was, or that is to be recalled."""

    version: VersionRef
    was: Outcome | None
    """What the last recorded decision about it said; None: no decision is recorded."""
    decision: Decision
    """What is said now, with a path for each finding. Recorded only where the version was recalled."""
    recall: bool
    """Whether it is to be recalled."""
    changes: tuple[Change, ...] = ()
    """What the registry did, with ``--apply``."""


class RecallDocument(Document, frozen=True):
    """``recall``."""

    policy: str
    """sha256 of the policy that was judged under."""
    policy_name: str
    mode: str
    since: str
    judged: int
    """Registered versions that were judged."""
    versions: tuple[Rejudged, ...]
    """Those with aliases or a stage first."""
    applied: bool
    failed: tuple[str, ...] = ()
    """With ``--apply``: what could not be recalled, and why, a sentence each."""
    position: int = 0
    as_of: str = ""
    known_at: str = ""
    recalled: tuple[VersionRef, ...] = ()
    """Versions that had been recalled before, and are refused still."""


class Replayed(Document, frozen=True):
    """A recorded decision that this policy would have made otherwise."""

    id: str
    time: str
    subject: str
    action: str
    was: Outcome
    would: Outcome
    rules: tuple[str, ...]
    reason: str


class ReplayDocument(Document, frozen=True):
    """``policy replay``."""

    policy: str
    policy_name: str
    since: str
    decisions: int
    """Recorded decisions that were judged again."""
    changed: tuple[Replayed, ...]
    """Oldest first."""
    undecided: int
    """Decisions that recorded no labels, since none could be established: they stay as they are."""
    never: tuple[str, ...]
    """Rules that were in force at the time of none of them."""
    position: int
    as_of: str
    known_at: str


def recall_text(document: RecallDocument) -> str:
    """Which versions are to be recalled, or were, each with aliases, rule and path; then what else changed."""
    recalled = [item for item in document.versions if item.recall]
    eased = [item for item in document.versions if not item.recall]
    judged = count(document.judged, "registered version")
    since = f" made since {document.since[:10]}" if document.since else ""
    head = f"{judged}{since} judged again under {document.policy_name}{when(document.as_of, document.known_at)}"
    if not recalled:
        lines = [f"{head}: none {'more ' if document.recalled else ''}is to be recalled."]
    elif document.applied:
        done = sum(bool(item.changes) for item in recalled)
        lines = [f"{head}: {count(done, 'version')} recalled, {len(recalled) - done} left as they were."]
    else:
        verb = "is" if len(recalled) == 1 else "are"
        lines = [f"{head}: {count(len(recalled), 'version')} {verb} to be recalled. Nothing was changed."]
    if document.recalled:
        names = [_name(version) for version in document.recalled[:MOST]]
        more = len(document.recalled) - MOST
        names += [f"{more:,} more"] if more > 0 else []
        verb = "was recalled before and is" if len(document.recalled) == 1 else "were recalled before and are"
        lines.append(f"{MARK}{listed(names)} {verb} still refused.")
    if document.mode != "enforce" and not recalled:
        lines.append(f"{MARK}The policy's mode is {document.mode}: it refuses nothing.")
    for item in recalled[:MOST]:
        lines += ["", *_recalled(item, document.applied)]
    if len(recalled) > MOST:
        lines += ["", f"… and {len(recalled) - MOST:,} more: --format json lists them all"]
    if document.failed:
        lines += ["", "not done", *(f"{MARK}{said}" for said in document.failed)]
    if eased:
        lines += ["", f"{count(len(eased), 'version')} judged otherwise, and stay:"]
        rows = [(_name(item.version), f"{_word(item.was)} -> {_word(item.decision.outcome)}") for item in eased[:MOST]]
        lines += table(rows)
        lines += [f"{MARK}… and {len(eased) - MOST:,} more"] if len(eased) > MOST else []
    if recalled and not document.applied:
        lines += ["", *fields([("apply", "lineagegate recall --apply takes aliases and stages off, and marks them")])]
    return page(lines)


def _recalled(item: Rejudged, applied: bool) -> list[str]:
    version, decision = item.version, item.decision
    state = [f"alias {alias}" for alias in version.aliases] + ([f"stage {version.stage}"] if version.stage else [])
    counted = [finding for finding in decision.findings if not finding.grant and finding.effect == "deny"]
    rules = sorted({finding.rule for finding in counted})
    said = [
        ("was", f"{_word(item.was)}, now {_word(decision.outcome)}"),
        ("in use", ", ".join(state) or "no alias, no stage"),
        ("by", version.by),
        ("rule", ", ".join(rules)),
    ]
    if counted:
        said += [("source", label_text(counted[0].label)), ("path", path_text(counted[0].path))]
        said += [("", f"and {count(len(counted) - 1, 'more finding')}")] if len(counted) > 1 else []
    else:
        said.append(("cause", decision.reason))
    done = ", ".join(f"{c.happening.value} {c.value}".rstrip() for c in item.changes)
    said += [("done", done), ("decision", decision.id)] if applied and item.changes else []
    return [_name(version), *fields(said)]


def replay_text(document: ReplayDocument) -> str:
    """What would have been refused, and what would have been let through."""
    refused = [item for item in document.changed if item.would in (Outcome.DENY, Outcome.CANNOT_DECIDE)]
    since = f" since {document.since[:10]}" if document.since else ""
    since += when(document.as_of, document.known_at)
    judged = count(document.decisions, "recorded decision")
    lines = [
        f"Of {judged}{since}, {document.policy_name} would have refused {len(refused):,} more"
        f" and judged {len(document.changed) - len(refused):,} others otherwise. Nothing was changed."
    ]
    for item in document.changed[:MOST]:
        rules = ", ".join(item.rules)
        lines += ["", f"{item.time[:10]}  {item.action} of {item.subject}: {_word(item.was)} -> {_word(item.would)}"]
        lines += fields([("rule", rules), ("reason", item.reason), ("decision", item.id)])
    if len(document.changed) > MOST:
        lines += ["", f"… and {len(document.changed) - MOST:,} more: --format json lists them all"]
    if document.undecided:
        what = count(document.undecided, "decision")
        lines += ["", f"{what} could not be made at the time for want of labels, and cannot be made again."]
    if document.never and document.decisions:
        lines += ["", "in force at the time of none of them: " + ", ".join(document.never)]
    return page(lines)


def _name(version: VersionRef) -> str:
    return f"models:/{version.model}/{version.number}"


def _word(outcome: Outcome | None) -> str:
    if outcome is None:
        return "never judged"
    return {
        Outcome.ALLOW: "allowed",
        Outcome.WARN: "warned of",
        Outcome.DENY: "refused",
        Outcome.CANNOT_DECIDE: "not decided",
    }[outcome]
