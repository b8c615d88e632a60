"""Judging again: every registered version under today's policy, or every decision on record under another one (S9).

Labels decide; paths are looked up for what is to be recalled alone. What is recalled is decided and recorded first, in
one transaction; then each registry takes its versions out of use and records what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lineage.errors import CannotDecide, LineageError
from lineage.events.event import read
from lineage.evidence.recall import RecallDocument, Rejudged, ReplayDocument, Replayed
from lineage.gate.impact import version_ref
from lineage.gate.inquiry import decided_here
from lineage.gate.life import Version, changes, registered, versions
from lineage.gate.questions import moment
from lineage.graph import Graph
from lineage.graph.rows import Act
from lineage.ledger import happened
from lineage.policy import Policy, Rule, cannot_decide, decide
from lineage.policy.pattern import Pattern
from lineage.vocabulary import Artifact, Decision, Grant, Outcome
from lineage.vocabulary.identifier import new_uuid, short

if TYPE_CHECKING:
    from lineage.gate.gate import Gate
    from lineage.gate.inquiry import Inquiry

_STRICT = {Outcome.ALLOW: 0, Outcome.WARN: 1, Outcome.CANNOT_DECIDE: 2, Outcome.DENY: 3}
_NO_LABELS = ("NO_SOURCE", "ARTIFACT_UNKNOWN")


def rejudge(inquiry: Inquiry, since: str = "", *, paths: bool = True) -> tuple[RecallDocument, dict[str, Artifact]]:
    """Judge every registered version that is still there. Nothing is recorded.

    Args:
        inquiry: the record and the policy.
        since: only versions made from this day or time on.
        paths: whether to look up a path for each finding of what is to be recalled, which takes longest.

    Returns:
        What is to be recalled and what else changed, and the artifact of each by the id of its decision.

    Raises:
        UsageError: the policy is not valid, or ``TIME_INVALID``.
        CannotDecide: the graph is damaged.
    """
    decided_here(inquiry.config)
    graph, policy, first = inquiry.graph, inquiry.policy(), moment(since, end=False)
    life = versions(changes(graph))
    grants, before, at = graph.grants(), _Before(graph, life), inquiry.moment
    judged, found, artifacts = 0, list[Rejudged](), dict[str, Artifact]()
    recalled: list[Version] = []
    for artifact in registered(graph):
        model, number = artifact.name.split("/", 1)[1].rpartition("/")[::2]
        version = life.get((model, number)) or Version(model, number)
        if version.deleted or (first and not _made_since(graph, artifact, version, first)):
            continue
        judged += 1
        now = _judge(graph, artifact, version, policy, grants, at, inquiry.user)
        was = before.outcome(artifact, model, number)
        recall = now.blocks and not version.recalled
        if now.blocks and version.recalled:
            recalled.append(version)
        if recall or (was is not None and was is not now.outcome and not version.recalled):
            if recall and paths and now.findings:
                ways = graph.paths(artifact, {f.label for f in now.findings if not f.grant})
                now = replace(now, findings=tuple(replace(f, path=ways.get(f.label, ())) for f in now.findings))
            found.append(Rejudged(version_ref(version), was, now, recall))
            artifacts[now.id] = artifact
    found.sort(key=lambda item: (not item.recall, not (item.version.aliases or item.version.stage)))
    document = RecallDocument(
        policy.digest, policy.name, policy.mode, first.isoformat() if first else "", judged, tuple(found),
        False, (), graph.position(), *inquiry.times, tuple(map(version_ref, recalled)),
    )  # fmt: skip
    return document, artifacts


def apply(gate: Gate, document: RecallDocument, artifacts: Mapping[str, Artifact]) -> RecallDocument:
    """Recall what is to be recalled: record the decisions, then have the registries take the versions out of use.

    What one registry cannot do is said, and does not keep the others from being done.
    """
    wanted = [item for item in document.versions if item.recall]
    gate.decided([(item.decision, artifacts[item.decision.id]) for item in wanted])
    registries = {registry.namespace: registry for registry in gate.registries}
    done, failed = dict[str, Rejudged](), list[str]()
    for item in wanted:
        decision, version = item.decision, item.version
        name = f"models:/{version.model}/{version.number}"
        registry = registries.get(artifacts[decision.id].namespace)
        if registry is None:
            failed.append(f"{name}: no registry of this project holds it")
            continue
        try:
            made = registry.recall(version.model, version.number, decision)
        except LineageError as error:
            failed.append(f"{name}: {error.message}" + (f" ({error.cause})" if error.cause else ""))
            continue
        done[decision.id] = replace(item, changes=tuple(made))
    items = tuple(done.get(item.decision.id, item) for item in document.versions)
    return replace(document, versions=items, applied=True, failed=tuple(failed), position=gate.graph.position())


def _judge(
    graph: Graph, artifact: Artifact, version: Version, policy: Policy, grants: Iterable[Grant], at: datetime, by: str
) -> Decision:
    """The strictest of what is said of a version and of each alias and the stage that it has."""
    about = {
        "model": version.model, "subject": f"models:/{version.model}/{version.number}", "action": "recall",
        "policy": policy, "at": at, "id": short(new_uuid()), "by": by,
    }  # fmt: skip
    try:
        labels = graph.labels(artifact)
    except CannotDecide as unknown:
        if unknown.code not in _NO_LABELS:
            raise  # a record that cannot be read recalls nothing
        return cannot_decide(
            reason=unknown.message, hint=unknown.hint, position=graph.position(), **about,  # type: ignore[arg-type]
        )  # fmt: skip
    evidence = graph.executions(artifact).evidence if policy.requirements else None
    uses: list[dict[str, str]] = [{}, *({"alias": alias} for alias in sorted(version.aliases))]
    uses += [{"stage": version.stage}] if version.stage else []
    asked = [*(each.match.model for each in policy.requirements), *(_conditions(rule) for rule in policy.rules)]
    if not any(key in ("alias", "stage") for conditions in asked for key, _ in conditions):
        uses = uses[:1]
    said = [
        decide(
            labels=labels.labels, sources=labels.sources, attributes=attributes, grants=grants,
            position=labels.position, evidence=evidence, **about,  # type: ignore[arg-type]
        )
        for attributes in uses
    ]  # fmt: skip
    return max(said, key=lambda decision: _STRICT[decision.outcome])


def _conditions(rule: Rule) -> tuple[tuple[str, Pattern], ...]:
    """What a rule and its exception ask of a model."""
    return (*rule.match.model, *(rule.unless.model if rule.unless else ()))


def _made_since(graph: Graph, artifact: Artifact, version: Version, first: datetime) -> bool:
    time = version.created
    if not time:  # from before changes were recorded: when the ledger first heard of it
        named = graph.first_named(artifact.namespace, artifact.name)
        time = named[0][1] if named else ""
    return not time or happened(time).microseconds >= first.timestamp() * 1_000_000


class _Before:
    """What the last recorded decision about a version said.

    Args:
        graph: the record.
        life: the versions with the decisions that let them in.
    """

    def __init__(self, graph: Graph, life: Mapping[tuple[str, str], Version]) -> None:
        self._life = life
        self._decisions: dict[str, Outcome] = {}
        self._subjects: dict[str, Outcome] = {}
        self._contents: dict[tuple[str, str], Outcome] = {}
        for said in graph.acts((Act.DECISION,)):
            if not isinstance(said.act, Decision):
                continue
            decision = said.act
            self._decisions[decision.id] = self._subjects[decision.subject] = decision.outcome
            inputs = read(graph.event(said.position).data).inputs
            if inputs and (content := inputs[0].artifact.content):
                self._contents[decision.model, content.hash] = decision.outcome

    def outcome(self, artifact: Artifact, model: str, number: str) -> Outcome | None:
        """None where there is none."""
        version = self._life.get((model, number))
        content = artifact.content.hash if artifact.content else ""
        return (
            self._subjects.get(f"models:/{model}/{number}")
            or self._decisions.get(version.decision if version else "")
            or self._contents.get((model, content))
        )


def replay(inquiry: Inquiry, since: str = "") -> ReplayDocument:
    """What the policy would have made of the decisions on record: from their own labels, at their own time, with the
    grants that were on record then. Nothing is recorded.

    Args:
        inquiry: the record and the policy.
        since: only decisions made from this day or time on.

    Raises:
        UsageError: the policy is not valid, or ``TIME_INVALID``.
    """
    graph, policy, first = inquiry.graph, inquiry.policy(), moment(since, end=False)
    given = [(said.position, said.act) for said in graph.acts((Act.GRANT,)) if isinstance(said.act, Grant)]
    count = undecided = 0
    changed: list[Replayed] = []
    idle = {rule.id: rule for rule in policy.rules}
    for said in graph.acts((Act.DECISION,)):
        decision = said.act
        if not isinstance(decision, Decision) or decision.action == "recall":
            continue
        if first and happened(decision.time).microseconds < first.timestamp() * 1_000_000:
            continue
        count += 1
        if not decision.labels:
            undecided += 1
            continue
        at = datetime.fromisoformat(decision.time)
        idle = {id_: rule for id_, rule in idle.items() if not rule.in_force(at)}
        now = decide(
            labels=decision.labels, sources=decision.sources, model=decision.model, subject=decision.subject,
            action=decision.action, attributes=decision.attributes, policy=policy,
            grants=[grant for position, grant in given if position < said.position], at=at,
            position=decision.position, id=decision.id, by=decision.by, evidence=decision.evidence,
        )  # fmt: skip
        if now.outcome is not decision.outcome:
            rules = tuple(sorted({f.rule for f in now.findings if not f.grant}))
            changed.append(
                Replayed(
                    decision.id,
                    decision.time,
                    decision.subject,
                    decision.action,
                    decision.outcome,
                    now.outcome,
                    rules,
                    now.reason,
                )
            )
    return ReplayDocument(
        policy.digest, policy.name, first.isoformat() if first else "", count, tuple(changed), undecided,
        tuple(sorted(idle)), graph.position(), *inquiry.times,
    )  # fmt: skip
