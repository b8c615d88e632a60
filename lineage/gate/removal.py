"""What two people do together: claim and approve that an origin was taken out of some content, or that a tag was wrong.

Nobody approves alone (law 2): the approver is another person than the one who claims. What narrows labels, and what
voids it, is the graph's business; here a claim is checked against the record before it is made, so that it speaks of
what is really there. Everything said stays in the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from lineage.errors import UsageError
from lineage.events import naming
from lineage.events.event import act_event
from lineage.evidence.removed import RemovalEvidence, checked_words, read_evidence, result_words
from lineage.evidence.text import origin_text
from lineage.evidence.validation import SEARCHED, ValidationEvidence, read_validation
from lineage.evidence.validation import checked_words as validated_words
from lineage.evidence.validation import result_words as outcome_words
from lineage.graph import ClaimState, CorrectionRecord, Graph, Maker, RemovalRecord
from lineage.vocabulary import Artifact, ArtifactType, Basis, Correction, Origin, Removal, same_person
from lineage.vocabulary.identifier import new_uuid, short

if TYPE_CHECKING:
    from lineage.gate.gate import Gate

_Record = TypeVar("_Record", RemovalRecord, CorrectionRecord)


def claim_removal(
    gate: Gate,
    output: str,
    origin: Origin | None,
    *,
    checked: str = "",
    result: str = "",
    evidence: str,
    run: str = "",
    sources: Sequence[str] = (),
    reason: str = "",
) -> RemovalRecord:
    """Claim that a run took an origin out of its output. It narrows nothing until somebody else approves it.

    Args:
        gate: the record.
        output: what the origin was taken out of, anything `Gate.resolve` takes.
        origin: what was taken out; what it does not state is any. None: what the evidence of ``content removal`` says.
        checked: what was checked, and how; that evidence says it itself.
        result: what the check found; likewise.
        evidence: a file (its sha256 is recorded), or a reference. A file that ``content removal`` wrote is held
            against the claim: it must speak of this very content, and of what the run read. So is one of a validation
            (`lineage.evidence.validation`): of this very content, a success, and one that looked for such records.
        run: stage or run id that took it out; where one run alone made the output, that one.
        sources: the sources that were checked; by default every source of that origin in the output's lineage.
        reason: for people.

    Raises:
        UsageError: ``REMOVAL_INVALID``: nothing in the output's lineage has that origin, a source is not one of those,
            no run or several may be meant, something that a claim needs is missing, the evidence does not bear it out.
            ``EVIDENCE_INVALID``.
        CannotDecide: nothing is recorded of the output.
    """
    file = gate.config.root / evidence
    digest, data = _read(file) if evidence and _lies(file) else ("", b"")
    found = _meant(data, evidence)
    compared = found if isinstance(found, RemovalEvidence) else None
    if isinstance(found, ValidationEvidence):
        checked, result = checked.strip() or validated_words(found), result.strip() or outcome_words(found)
    if compared is not None:
        if checked.strip() or result.strip():
            raise _invalid("its evidence says what was checked and found", "", "say more with --reason")
        if origin not in (None, compared.origin):
            raise _invalid("its evidence speaks of another origin", origin_text(compared.origin), "leave --kind … out")
        origin, checked, result = compared.origin, checked_words(compared), result_words(compared)
    if origin is None:
        raise _invalid("it does not say which origin was taken out", "", "--kind …")
    for name, said in (("checked", checked), ("result", result), ("evidence", evidence)):
        if not said.strip():
            raise _invalid(f"it does not say {_ASKED[name]}", "", f"--{name} TEXT")
    artifact = gate.resolve(output)
    shown = naming.display(artifact.namespace, artifact.name)
    known = gate.graph.removable(artifact, origin)
    if not known:
        raise _invalid(
            f"nothing of {origin_text(origin)} reaches {shown}",
            "a removal speaks of what is inherited; a tag on the output itself is taken back by a correction",
            f"lineagegate why {output}",
        )
    chosen = [gate.graph.key(gate.resolve(source)) for source in sources] or known
    for source, key in zip(sources, chosen, strict=False):
        if key not in known:
            raise _invalid(
                f"{source} is no source of {origin_text(origin)} in {shown}", f"those are: {', '.join(known)}", ""
            )
    makers = gate.graph.makers(artifact)
    if isinstance(found, ValidationEvidence):
        _validated(found, gate.graph.key(artifact), shown)
    if compared is not None:  # several runs may have made this content: the evidence knows which is meant
        makers = [m for m in makers if compared.before.artifact.content in m.inputs] or makers
    maker = _maker(makers, run, shown)
    if compared is not None:
        chosen = _borne_out(
            compared, gate.graph.key(artifact), shown, maker, chosen if sources else known, bool(sources)
        )
    removal = Removal(
        short(new_uuid()), origin, gate.graph.key(artifact), tuple(chosen), gate.user, evidence=evidence,
        run=maker.stage or maker.run, inputs=maker.inputs, checked=checked, result=result, evidence_hash=digest,
        reason=reason,
    )  # fmt: skip
    return _removal(_say(gate, removal, artifact), removal.id)


def approve_removal(gate: Gate, identity: str) -> RemovalRecord:
    """Approve somebody else's claim.

    Raises:
        UsageError: ``REMOVAL_UNKNOWN``, ``REMOVAL_AMBIGUOUS``, ``APPROVER_IS_CLAIMANT``, ``ALREADY_APPROVED``,
            ``REMOVAL_VOID``: a match says that the origin is still there, or ``EVIDENCE_CHANGED``: the evidence that
            lies here is not the one that was claimed on.
    """
    record = _removal(gate.graph.removals(), identity)
    _approvable(gate, record.state, record.removal, "removal")
    if record.void:
        raise UsageError(
            f"removal {record.removal.id} is void",
            code="REMOVAL_VOID",
            cause=record.void,
            hint="a match that is a mistake is taken back: lineagegate correction claim --basis matched …",
        )
    _unchanged(gate, record.removal)
    said = replace(record.removal, approved_by=gate.user)
    return _removal(_say(gate, said, None), record.removal.id)


def removal_notices(graph: Graph, records: Iterable[RemovalRecord]) -> list[tuple[str, str, str, str]]:
    """What whoever reads or approves a removal should look at first: (code, removal, message, hint).

    Args:
        graph: as it stands now; what was recorded before a claim does not depend on when one asks.
        records: the removals.
    """
    found = []
    for record in records:
        removal, where = record.removal, f"removal {record.removal.id}"
        if not removal.evidence_hash:
            found.append((
                "EVIDENCE_NOT_KEPT", where,
                f"its evidence ({removal.evidence or 'none'}) is no file with a recorded hash: "
                "what it said then cannot be shown",
                "lineagegate removal claim … --evidence FILE",
            ))  # fmt: skip
        made = _made_before(graph, removal.content, min(record.positions))
        if made:
            more = f" and {len(made) - _NAMED} more" if len(made) > _NAMED else ""
            changes = {ClaimState.IN_FORCE: "it changes", ClaimState.WAITING: "approving it changes"}.get(
                record.state, ""
            )
            found.append((
                "REMOVAL_AFTER_MODELS", where,
                f"it was claimed after models were made of that content: {', '.join(made[:_NAMED])}{more}"
                + (f"; {changes} what is answered about them, too" if changes else ""),
                f"lineagegate impact {removal.content}",
            ))  # fmt: skip
    return found


_NAMED = 5
"""Models that a notice names; the rest is counted."""


def _made_before(graph: Graph, content: str, position: int) -> list[str]:
    """Models made of some content by runs that were recorded before an entry."""
    artifact = graph.find_content(content)
    if artifact is None:
        return []
    models = [item.artifact for item in graph.impact(artifact).items if item.artifact.type is ArtifactType.MODEL]
    made = [model for model in models if any(maker.entry < position for maker in graph.makers(model))]
    return list(dict.fromkeys(naming.display(model.namespace, model.name) for model in made))


def claim_correction(
    gate: Gate, source: str, stated: Origin, *, basis: Basis | None = None, reason: str
) -> CorrectionRecord:
    """Claim that a tag was a mistake. It takes nothing back until somebody else approves it.

    Args:
        gate: the record.
        source: what carries the tag, anything `Gate.resolve` takes.
        stated: the tag's origin; what it does not state is any, as long as one tag alone is meant.
        basis: the tag's basis; None: any, likewise.
        reason: why it was a mistake.

    Raises:
        UsageError: ``CORRECTION_INVALID``: no tag or several may be meant, or there is no reason.
    """
    if not reason.strip():
        raise _invalid("it does not say why the tag was a mistake", "", "--reason TEXT", "correction")
    artifact = gate.resolve(source)
    shown = naming.display(artifact.namespace, artifact.name)
    recorded = {(r.tag.origin, r.tag.basis) for r in gate.graph.tags(artifact)}
    meant = [(o, b) for o, b in recorded if _states(stated, o) and basis in (None, b)]
    if len(meant) != 1:
        tags = "; ".join(sorted(f"{origin_text(o)} ({b.value})" for o, b in recorded)) or "none"
        problem = "several tags of {} are meant" if meant else "no such tag is on {}"
        raise _invalid(problem.format(shown), f"its tags: {tags}", "name kind, provider … and --basis", "correction")
    correction = Correction(short(new_uuid()), *meant[0], gate.graph.key(artifact), gate.user, reason=reason)
    return _correction(_say(gate, correction, artifact), correction.id)


def approve_correction(gate: Gate, identity: str) -> CorrectionRecord:
    """Approve somebody else's claim; see `approve_removal`."""
    record = _correction(gate.graph.corrections(), identity)
    _approvable(gate, record.state, record.correction, "correction")
    said = replace(record.correction, approved_by=gate.user)
    return _correction(_say(gate, said, None), record.correction.id)


_ASKED = {
    "checked": "what was checked",
    "result": "what the check found",
    "evidence": "where the evidence is",
}


def _maker(makers: Sequence[Maker], run: str, shown: str) -> Maker:
    meant = [m for m in makers if not run or run in (m.run, m.stage, m.stage.rpartition(":")[2])]
    # the same stage may have made this content in many runs: the last one is meant
    if len({m.stage or m.run for m in meant}) == 1:
        return meant[-1]
    known = ", ".join(dict.fromkeys(m.stage or m.run for m in makers)) or "none is recorded"
    problem = f"{run} did not make {shown}" if run and not meant else f"it is not clear which run made {shown}"
    raise _invalid(problem, f"runs that made it: {known}", "--run STAGE")


def _approvable(gate: Gate, state: ClaimState, claim: Removal | Correction, what: str) -> None:
    if state is ClaimState.IN_FORCE:
        raise UsageError(
            f"{what} {claim.id} is approved already",
            code="ALREADY_APPROVED",
            cause=f"by {claim.approved_by}",
            hint=f"lineagegate {what} list",
        )
    if same_person(gate.user, claim.claimed_by):
        raise UsageError(
            f"{what} {claim.id} cannot be approved by the one who claimed it",
            code="APPROVER_IS_CLAIMANT",
            cause=f"{claim.claimed_by} claimed it, and you are {gate.user}",
            hint="have a second person approve it under their own name",
        )


def _unchanged(gate: Gate, removal: Removal) -> None:
    """See that an approver who looks at the evidence sees what the claim rests on."""
    file = gate.config.root / removal.evidence
    if not removal.evidence_hash or not _lies(file):
        return
    if (now := _read(file)[0]) != removal.evidence_hash:
        raise UsageError(
            f"{removal.evidence} is not what removal {removal.id} was claimed on", code="EVIDENCE_CHANGED",
            cause=f"{removal.evidence_hash} then, {now} now", hint="check out the evidence of then, or claim it again",
        )  # fmt: skip


def _say(gate: Gate, act: Removal | Correction, subject: Artifact | None) -> Graph:
    time = datetime.now(timezone.utc).isoformat()
    gate.record([act_event(act, run_id=str(new_uuid()), time=time, subject=subject)])
    return gate.graph


def _removal(found: Graph | Iterable[RemovalRecord], identity: str) -> RemovalRecord:
    records = found.removals() if isinstance(found, Graph) else found
    return _one([r for r in records if r.removal.id == identity.upper()], "removal", identity)


def _correction(found: Graph | Iterable[CorrectionRecord], identity: str) -> CorrectionRecord:
    records = found.corrections() if isinstance(found, Graph) else found
    return _one([r for r in records if r.correction.id == identity.upper()], "correction", identity)


def _one(found: list[_Record], what: str, identity: str) -> _Record:
    if not found:
        raise UsageError(f"no {what} {identity}", code=f"{what.upper()}_UNKNOWN", hint=f"lineagegate {what} list")
    if len(found) > 1:
        raise UsageError(
            f"{identity} stands for {len(found)} claims",
            code=f"{what.upper()}_AMBIGUOUS",
            cause="claims that differ were recorded under the same id",
            hint="claim it again: a new claim has an id of its own",
        )
    return found[0]


def _states(stated: Origin, origin: Origin) -> bool:
    fields = [field for field in stated.__struct_fields__ if field != "kind"]
    return stated.kind is origin.kind and all(getattr(stated, f) in ("", getattr(origin, f)) for f in fields)


def _lies(file: Path) -> bool:
    """Whether a file lies there; what can be no file's name is a reference."""
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def _read(file: Path) -> tuple[str, bytes]:
    """(sha256 of an evidence file, its bytes; none of one that is larger than any that a check of ours writes)."""
    with file.open("rb") as stream:
        data = stream.read(_LARGEST)
        digest = hashlib.sha256(data)
        while block := stream.read(1 << 20):
            digest.update(block)
            data = b""
    return f"sha256:{digest.hexdigest()}", data


def _meant(data: bytes, name: str) -> RemovalEvidence | ValidationEvidence | None:
    return read_evidence(data, name) or read_validation(data, name)


_LARGEST = 1 << 24
"""Bytes of what a check of ours writes at most."""


def _validated(found: ValidationEvidence, content: str, shown: str) -> None:
    """Refuse a claim that a validation does not bear out.

    Raises:
        UsageError: ``REMOVAL_INVALID``.
    """
    if not found.success:
        raise _invalid("its evidence says otherwise", outcome_words(found), f"run {found.checkpoint} again")
    if not (of := found.of(content)):
        raise _invalid("its evidence speaks of other content", f"{shown} is {content}", f"run {found.checkpoint} again")
    if not any(assertion.type == SEARCHED for validation in of for assertion in validation.assertions):
        raise _invalid("its evidence looked for no origin", f"{SEARCHED} is not among what it checked", "")


def _borne_out(
    found: RemovalEvidence, content: str, shown: str, maker: Maker, meant: Sequence[str], named: bool
) -> list[str]:
    """The sources that evidence shows to be gone.

    Args:
        found: the evidence.
        content: key of what the claim speaks for.
        shown: what people call it.
        maker: the run that made it.
        meant: the sources of that origin that the claim may speak of.
        named: whether somebody named them.

    Raises:
        UsageError: ``REMOVAL_INVALID``.
    """
    again = f"lineagegate content removal {found.before.artifact.display} {found.after.artifact.display} …"
    if found.verdict != "removed":
        raise _invalid("its evidence says otherwise", f"{found.verdict}: {result_words(found)}", again)
    if found.after.artifact.content != content:
        raise _invalid(
            "its evidence speaks of other content",
            f"{shown} is {content}; compared was {found.after.artifact.display}, {found.after.artifact.content}", again,
        )  # fmt: skip
    if found.before.artifact.content not in maker.inputs:
        raise _invalid(
            f"its evidence compares with what {maker.stage or maker.run} did not read",
            f"compared was {found.before.artifact.display}, {found.before.artifact.content}; it read "
            f"{', '.join(maker.inputs) or 'nothing'}", again,
        )  # fmt: skip
    seen = {source.key for source in found.sources if source.before}
    chosen = [key for key in meant if key in seen]
    if not chosen or (named and len(chosen) < len(meant)):
        lacking = [key for key in meant if key not in seen]
        raise _invalid(
            "its evidence does not show that sources were taken out",
            f"nothing of {', '.join(lacking)} was found before", "claim those apart, with evidence of another kind",
        )  # fmt: skip
    return chosen


def _invalid(problem: str, cause: str, hint: str, what: str = "removal") -> UsageError:
    return UsageError(f"this {what} is refused: {problem}", code=f"{what.upper()}_INVALID", cause=cause, hint=hint)
