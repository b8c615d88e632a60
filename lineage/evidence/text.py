"""What people read on a terminal, in an exception and in a log: decisions, paths, impact, counts, as plain text.

Pure functions over values; nothing is read and nothing is coloured here (the command line does that for terminals).
A sentence comes first, then the evidence, aligned. Lines are not wrapped, so that a command in them can be copied.
Names are other people's words: `page` escapes whatever a terminal would obey instead of show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from msgspec import structs

from lineage.errors import printable
from lineage.evidence.layout import MARK, count, fields, page, table, when
from lineage.vocabulary import (
    Basis,
    Decision,
    Finding,
    Grant,
    Kind,
    Label,
    Origin,
    Outcome,
    Step,
    Use,
    same_person,
)

if TYPE_CHECKING:
    from lineage.evidence.document import CaseDocument, Counts, PolicyDocument, SearchedDocument, WaitingDocument
    from lineage.graph import Cut

MOST = 10
"""How many findings a refusal spells out; the rest is counted. A wall of text is not read."""

ALIKE = 3
"""How many notices of one kind a sync spells out; the rest is named."""

_BASIS = {
    Basis.DECLARED: "declared",
    Basis.OBSERVED: "observed",
    Basis.MATCHED: "matched by content",
    Basis.IMPORTED: "imported",
}


def origin_text(origin: Origin) -> str:
    """``third-party-model-output, openai/gpt-4 via azure-openai, terms …``; what is not stated is left out."""
    owner = "/".join(part for part in (origin.provider, origin.service) if part)
    if origin.channel:
        owner = f"{owner} via {origin.channel}" if owner else f"via {origin.channel}"
    more = (
        owner,
        origin.terms and f"terms {origin.terms}",
        origin.licence and f"licence {origin.licence}",
        origin.jurisdiction and f"acquired in {origin.jurisdiction}",
        origin.acquired and f"acquired {origin.acquired}",
    )
    return printable(", ".join((origin.kind.value, *(part for part in more if part))))


def label_text(label: Label) -> str:
    """An origin, and the use in which it arrived unless that is plain content."""
    return (
        origin_text(label.origin) if label.use is Use.CONTENT else f"{origin_text(label.origin)}, as {label.use.value}"
    )


def path_text(path: Sequence[Step]) -> str:
    """``data/raw/gpt4 -> clean -> train -> models:/seed-chat``: the source, the runs, the artifact reached."""
    if not path:
        return ""
    hops = [path[0].artifact]
    for step in path[1:]:
        role = "" if step.use in ("", Use.CONTENT.value) else f" ({step.use})"
        hops.append(f"{step.run or step.artifact}{role}")
    if len(path) > 1 and path[-1].run:
        hops.append(path[-1].artifact)
    return printable(" -> ".join(hops))


def decision_text(decision: Decision, times: tuple[str, str] = ("", ""), page_at: str = "") -> str:
    """A verdict with the source, path, rule and remedy of everything that it rests on (issue 2, "What a user sees").

    The first line is a sentence that can stand alone, as the message of an exception does.

    Args:
        decision: the verdict.
        times: as of which time, and by what had been recorded when, where it is not about now.
        page_at: address of its page, where a server has one.
    """
    said: list[tuple[str, str]] = []
    ordered = _ordered(decision.findings)
    for label, findings in groupby(ordered[:MOST], key=lambda finding: finding.label):
        said += _label_fields(label, list(findings))
    if len(ordered) > MOST:
        said.append(("…", f"and {len(ordered) - MOST} more"))
    for short in decision.shortfalls:
        kind = "warning" if short.effect == "warn" else "rule"
        said.append((kind, f"{short.rule} ({short.location}): {short.missing}; {short.reason}"))
    said.append(("training", _evaluation_only(decision)))
    if decision.outcome is Outcome.CANNOT_DECIDE:
        said += [("cause", decision.reason), ("hint", decision.hint)]
    elif not ordered:
        said.append(("sources", count(decision.sources, "source") + _carried(decision.labels)))
    return page([_sentence(decision) + when(*times), *fields([*said, _reference(decision), ("page", page_at)])])


def why_text(
    name: str,
    labels: Iterable[Label],
    paths: Mapping[Label, Sequence[Step]],
    *,
    sources: int,
    origin: str = "",
    cuts: Sequence[Cut] = (),
    times: tuple[str, str] = ("", ""),
) -> str:
    """What an artifact carries, with one shortest path for each label as a picture.

    Args:
        name: the artifact, as people call it.
        labels: what is shown.
        paths: one path for each label, source first, the artifact last.
        sources: how many sources the whole closure holds.
        origin: what the labels were chosen by.
        cuts: what it would carry if no removal were in force.
        times: as of which time, and by what had been recorded when.
    """
    shown = sorted(labels, key=_weight)
    chosen = f" that {'speaks' if len(shown) == 1 else 'speak'} of {origin}" if origin else ""
    number = count(len(shown), "label") if shown or not origin else "no label"
    lines = [f"{name} carries {number}{chosen}; its lineage holds {count(sources, 'source')}{when(*times)}."]
    if not shown and origin:
        lines = [lines[0].replace(" that speak of ", " that speaks of ")]
    for label in shown:
        lines += ["", label_text(label)]
        lines += _picture(paths.get(label, ()), label)
    for cut in sorted(cuts, key=lambda cut: _weight(cut.label)):
        lines += ["", f"{label_text(cut.label)}: cut by removal {', '.join(cut.removals)}"]
        lines += _picture(cut.path, cut.label)
    return page(lines)


def status_text(
    counts: Counts, todo: Sequence[str], times: tuple[str, str] = ("", ""), waiting: WaitingDocument | None = None
) -> str:
    """What the ledger holds, the addresses of sources that wait for a declaration, and what waits for a server."""
    lines = [f"The ledger {'held' if any(times) else 'holds'}{when(*times)}:", *_numbers(counts), *_todo(todo)]
    return page([*lines, *_forwarded(waiting)])


def sync_text(
    commits: int, executions: int, events: int, counts: Counts, todo: Sequence[str], notices: Iterable[Sequence[str]],
    waiting: WaitingDocument | None = None,
) -> str:  # fmt: skip
    """What a sync read, what the ledger holds now, and what waits for a person.

    Args:
        commits: commits read now.
        executions: stage executions read now.
        events: ledger entries added.
        counts: what the ledger holds now.
        todo: addresses of sources with no declared origin, as `lineagegate declare` takes them.
        notices: (code, where, message, hint) of what a person should look at.
        waiting: what the team's server has not acknowledged.
    """
    read = f"{count(executions, 'stage execution')} read from {count(commits, 'commit')}"
    lines = [f"{read}; {count(events, 'event')} recorded." if events else "Nothing new."]
    lines += _numbers(counts)
    lines += _todo(todo)
    alike: dict[str, list[Sequence[str]]] = {}
    for notice in notices:
        alike.setdefault(notice[0], []).append(notice)
    for items in alike.values():
        for _, where, message, hint in items[:ALIKE]:
            lines += ["", f"{where}: {message}"]
            if hint:
                lines.append(f"{MARK}{hint}")
        if len(items) > ALIKE:
            lines.append(
                f"… and {len(items) - ALIKE} more of this kind: {', '.join(item[1] for item in items[ALIKE:])}"
            )
    return page([*lines, *_forwarded(waiting)])


def _forwarded(waiting: WaitingDocument | None) -> list[str]:
    if waiting is None:
        return []
    from lineage.evidence.forward import waiting_lines

    return ["", *(waiting_lines(waiting) or [f"Everything is acknowledged by {waiting.server}."])]


def declared_text(addresses: Sequence[str], origin: Origin | None, uses: Mapping[str, str], *, by: str) -> str:
    """What was declared, on what, by whom."""
    lines = [f"{address}: {origin_text(origin)}, declared by {by}" for address in addresses if origin]
    lines += [f"{address}: reads {path} as {role}" for address in addresses for path, role in uses.items()]
    return page(lines)


def grants_text(grants: Sequence[Grant], times: tuple[str, str] = ("", "")) -> str:
    """Grants with their scope, paper and dates."""
    if not grants:
        return f"No grant was ever made{when(*times)}."
    lines = [f"{count(len(grants), 'grant')}{when(*times)}:"] if any(times) else []
    for grant in grants:
        scope = " ".join(f"{name}={value}" for name, value in structs.asdict(grant.scope).items() if value)
        dates = (f"from {grant.from_} " if grant.from_ else "") + f"until {grant.until or 'withdrawn'}"
        dates = f"no more: withdrawn; it was given {dates}" if grant.withdrawn and grant.until else dates
        dates = "no more: withdrawn" if grant.withdrawn and not grant.until else dates
        lines.append(f"grant {grant.id}" + (" (withdrawn)" if grant.withdrawn else ""))
        lines += fields(
            [
                ("frees", scope),
                ("holds", dates),
                ("by", grant.approver + recorded_by(grant)),
                ("paper", grant.reference),
                ("reason", grant.reason),
            ]
        )
    return page(lines)


def audit_text(versions: int, findings: Sequence[Sequence[str]]) -> str:
    """How many versions were read, and which of them the recorded decisions do not account for."""
    read = f"{count(versions, 'registered version')} read; "
    if not findings:
        return read + "the recorded decisions account for every one."
    return findings_text(read + f"{count(len(findings), 'finding')}:", findings)


def doctor_text(checked: Sequence[str], findings: Sequence[Sequence[str]]) -> str:
    """What was looked at, and what is wrong."""
    if not findings:
        return page([f"Nothing found. Looked at: {', '.join(checked)}."])
    return findings_text(f"{count(len(findings), 'problem')} found. Looked at: {', '.join(checked)}.", findings)


def cases_text(cases: Sequence[CaseDocument]) -> str:
    """How each case of a policy ended."""
    failed = sum(not case.passed for case in cases)
    if not cases:
        return "The policy has no cases; write some under `tests:` (docs/reference/policy.md)."
    said = f"{count(failed, 'case')} of {len(cases)} failed:" if failed else f"{count(len(cases), 'case')} passed:"
    lines = [said]
    for case in cases:
        lines.append(f"{MARK}{'ok    ' if case.passed else 'FAILED'}  {case.name}")
        if not case.passed:
            lines.append(f"{MARK}        {case.message} ({case.location})")
    return page(lines)


_SEARCHED = {
    "never": "no source",
    "undeclared": "sources that nobody declared",
    "clean": "sources that nobody declared, and those declared clean",
    "always": "every source",
}


def _enough(searched: SearchedDocument) -> str:
    if searched.inputs == "never":
        return ""
    share = f"{100 * searched.share:g} %"
    return f"; {count(searched.records, 'record')} of a restricted one, and {share} of all, are enough"


def policy_text(policy: PolicyDocument, *, rules: bool) -> str:
    """That a policy is valid and what it does, with its rules or without."""
    lines = [
        f"{policy.file} is valid: mode {policy.mode}, {count(len(policy.rules), 'rule')}.",
        f"{MARK}no declared origin: {policy.undeclared}; what no rule speaks about: {policy.default}",
        f"{MARK}content searched of: {_SEARCHED.get(policy.content.inputs, policy.content.inputs)}"
        + _enough(policy.content),
    ]
    for rule in policy.rules if rules else ():
        dates = " ".join(f"{word} {day}" for word, day in (("from", rule.from_), ("until", rule.until)) if day)
        lines += [
            "",
            f"{rule.effect}  {rule.id}  {rule.location}" + ("" if rule.in_force else "  (not in force today)"),
        ]
        lines += fields(
            [
                ("match", rule.match),
                ("unless", rule.unless),
                ("dates", dates),
                ("reason", rule.reason),
                *(("" if index else "terms", terms) for index, terms in enumerate(rule.terms)),
            ]
        )
    return page(lines)


def findings_text(sentence: str, findings: Iterable[Sequence[str]]) -> str:
    """A sentence, then what was found, each with the command that helps.

    Args:
        sentence: what was looked at and how much was found.
        findings: (code, where, message, hint).
    """
    lines = [sentence]
    for code, where, message, hint in findings:
        lines += ["", f"{code}  {where}".rstrip()]
        lines.append(f"{MARK}{message}")
        if hint:
            lines.append(f"{MARK}-> {hint}")
    return page(lines)


def _sentence(decision: Decision) -> str:
    what = action_text(decision)
    asked = decision.action == "check"
    if decision.outcome is Outcome.CANNOT_DECIDE:
        if asked:
            return f"{what} cannot be decided; its registration would be refused by lineagegate"
        end = ", so it is refused by lineagegate" if decision.blocks else f" (mode {decision.mode}: it is not held up)"
        return f"{what} cannot be decided{end}"
    if decision.outcome is Outcome.DENY:
        if decision.blocks:
            return f"{what} would be refused by lineagegate" if asked else f"{what} refused by lineagegate"
        return f"{what} breaks the policy of lineagegate (mode {decision.mode}: it is not held up)"
    verb = "would be allowed" if asked else "allowed"
    return f"{what} {verb} by lineagegate" + (", with a warning" if decision.outcome is Outcome.WARN else "")


def action_text(decision: Decision) -> str:
    """What a decision was about: ``registration of 'seed-chat'``."""
    attributes = decision.attributes
    return {
        "register": f"registration of '{decision.model}'",
        "copy": f"copy to '{decision.model}'",
        "rename": f"renaming to '{decision.model}'",
        "alias": f"alias '{attributes.get('alias', '')}' for {decision.subject}",
        "stage": f"stage '{attributes.get('stage', '')}' for {decision.subject}",
        "recall": f"recall of {decision.subject}",
    }.get(decision.action, decision.subject)


def _label_fields(label: Label, findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """A source with its path, and under it everything that rules say about it."""
    path = findings[0].path
    source = f"{path[0].artifact} ({label_text(label)}), {_spoken(label, path[0])}" if path else label_text(label)
    said = [("source", source), ("path", path_text(path))]
    for finding in findings:
        rule = f"{finding.rule} ({finding.location})" if finding.location else finding.rule
        words = f"{rule}: {finding.reason}" if finding.reason else rule
        said.append(("warning" if finding.effect == "warn" else "rule", words))
        said.append(("terms", finding.terms))
        if finding.grant:
            said.append(("grant", f"{finding.grant} frees this"))
            continue
        # the policy decides without paths; here the source has a name
        remedy = finding.remedy.replace(" SOURCE ", f" {path[0].artifact} ") if path else finding.remedy
        if remedy and label.origin.kind is Kind.UNDECLARED:
            remedy += "; lineagegate status lists every such source"  # only one of them has its path here
        if ("remedy", remedy) not in said:
            said.append(("remedy", remedy))
    return said


def recorded_by(grant: Grant) -> str:
    """Whether a second person stands behind a grant. Names are compared as written, by name or address alone too."""
    if not grant.by:
        return ""
    same = same_person(grant.approver, grant.by)
    return " (approved by the one who recorded it)" if same else f" (recorded by {grant.by})"


def _evaluation_only(decision: Decision) -> str:
    """What can be said when everything that a rule spoke about was met in evaluation alone (SCENARIOS, S4)."""
    met = {finding.label for finding in decision.findings}
    who = sorted({label.origin.provider or label.origin.kind.value for label in met})
    touched = [label for label in decision.labels if (label.origin.provider or label.origin.kind.value) in who]
    if not met or any(label.use is not Use.EVALUATION for label in touched):
        return ""
    if any(label.origin.kind is Kind.UNDECLARED for label in decision.labels):
        return ""  # over an incomplete lineage nothing is said
    every = f"all {decision.sources} sources" if decision.sources > 1 else "the one source"
    return f"no path from {', '.join(who)} but evaluation; {every} of its lineage declared"


def _spoken(label: Label, source: Step) -> str:
    if label.basis is None:
        return "nobody has said where it comes from"
    if source.seen:
        return f"{source.seen}, {source.time[:10]}".rstrip(", ")
    words = [_BASIS[label.basis], source.time[:10]]
    if source.by:
        words += ["by", source.by]
    return " ".join(word for word in words if word)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Source by source; what refuses first, then what warns, then what a grant freed."""

    def weight(finding: Finding) -> tuple[bool, bool, bool]:
        return bool(finding.grant), finding.effect != "deny", finding.effect != "warn"

    heaviest: dict[Label, tuple[bool, bool, bool]] = {}
    for finding in findings:
        heaviest[finding.label] = min(weight(finding), heaviest.get(finding.label, weight(finding)))
    place = {label: index for index, label in enumerate(sorted(heaviest, key=lambda label: heaviest[label]))}
    return sorted(findings, key=lambda finding: (place[finding.label], weight(finding)))


def _reference(decision: Decision) -> tuple[str, str]:
    """The recorded decision, and the command that shows the whole picture; a check is not recorded."""
    command = f"lineagegate why {decision.subject}"
    origins = {f.label.origin.provider or f.label.origin.kind.value for f in decision.findings if not f.grant}
    if len(origins) == 1:
        command += f" --origin {origins.pop()}"
    return ("more", command) if decision.action == "check" else ("decision", f"{decision.id} · {command}")


def _carried(labels: Sequence[Label]) -> str:
    kinds = sorted({label.origin.kind.value for label in labels})
    return f": {', '.join(kinds)}" if kinds else ""


def _picture(path: Sequence[Step], label: Label) -> list[str]:
    if not path:
        return [f"{MARK}(no path recorded)"]
    lines = [f"{MARK}{path[0].artifact}  {_spoken(label, path[0])}".rstrip()]
    rows = []
    for index, step in enumerate(path[1:], start=2):
        role = "" if step.use in ("", Use.CONTENT.value) else f" ({step.use})"
        branch = "└─ " if index == len(path) else "├─ "
        who = "  ".join(part for part in (step.time[:10], step.commit[:7], step.by) if part)
        rows.append((f"{branch}{step.run or '(same content)'}{role}", step.artifact, who))
    return lines + table(rows)


def _weight(label: Label) -> tuple[bool, str, str]:
    return label.origin.kind is not Kind.UNDECLARED, label.origin.kind.value, label_text(label)


def _todo(addresses: Sequence[str]) -> list[str]:
    if not addresses:
        return []
    one = len(addresses) == 1
    lines = ["", f"{count(len(addresses), 'source')} {'has' if one else 'have'} no declared origin:"]
    lines += [f"{MARK}lineagegate declare {address} --kind …" for address in addresses[: 2 * MOST]]
    if len(addresses) > 2 * MOST:
        lines.append(f"{MARK}… and {len(addresses) - 2 * MOST} more: lineagegate status --undeclared")
    return lines


def _numbers(counts: Counts) -> list[str]:
    rows = [
        (counts.commits, "commits"),
        (counts.executions, "executions"),
        (counts.datasets, "datasets"),
        (counts.models, "models"),
        (counts.sources, "sources"),
        (counts.undeclared, "sources with no declared origin"),
        (counts.entries, "ledger entries"),
    ]
    known = [(number, what) for number, what in rows if number is not None]
    width = max(len(f"{number:,}") for number, _ in known)
    return [f"{MARK}{number:>{width},}  {what}" for number, what in known]
