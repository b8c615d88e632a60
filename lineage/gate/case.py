"""One model and one origin, examined: what the record says, part by part, and all of it as a `Case`.

What a part means is said beside the fields of `lineage.evidence.case`. What people said of the lineage (grants,
removals, corrections, decisions) is `lineage.gate.said`'s, what happened `lineage.gate.history`'s. No clock is read but
`Inquiry.moment`: the same question about the same record under the same policy is answered with the same bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lineage.errors import CannotDecide, UsageError
from lineage.events import naming
from lineage.events.event import Event, read
from lineage.evidence import case as c
from lineage.evidence.answer import answer
from lineage.evidence.document import artifact as reference
from lineage.evidence.happened import entry_text, stage
from lineage.evidence.layout import count
from lineage.evidence.observed import RunView
from lineage.gate import said, seen
from lineage.gate.history import of_case
from lineage.gate.life import Changed, Version, changes, versions
from lineage.gate.sealed import seal_over
from lineage.gate.wanted import Wanted
from lineage.graph import Labels
from lineage.graph.executions import Telling, evidence
from lineage.graph.origins import Contribution, Entered
from lineage.graph.said import counted
from lineage.ledger import happened, leaf_hash
from lineage.policy import Catalogue, Policy, cannot_decide, catalogue, decide
from lineage.policy.pattern import instant
from lineage.vocabulary import Artifact, Decision, Execution, Grant, Kind, Label, Origin, Step, Use
from lineage.vocabulary.identifier import short

if TYPE_CHECKING:
    from lineage.gate.inquiry import Inquiry

_JUST_AFTER = timedelta(microseconds=1)


class Examination:
    """One question and what the record says to it. Every part is worked out once, when first asked for.

    Args:
        inquiry: the record, up to date.
        subject: the model, anything `Inquiry.resolve` takes.
        wanted: what the question is about.
        whole_model: look at every version of the registered model that the subject names, where that is what happened
            to it; labels and paths are those of the newest.

    Raises:
        UsageError: ``ORIGIN_UNKNOWN``, a word of the question means nothing here.
        CannotDecide: nothing is recorded of the subject, or its lineage cannot be read.
    """

    def __init__(self, inquiry: Inquiry, subject: str, wanted: Wanted, *, whole_model: bool = False) -> None:
        self.inquiry = inquiry
        self.wanted = wanted
        wanted.known(inquiry.origins(), self.catalogue)
        self.artifact: Artifact = inquiry.resolve(subject, whole_model=whole_model)
        self.graph = inquiry.over(self.artifact)
        self.name = naming.display(self.artifact.namespace, self.artifact.name)
        parts = self.artifact.name.split("/")
        registered = len(parts) > 1 and parts[0] == "models"
        self.model = parts[1] if registered else ""
        self.version = parts[2] if registered and len(parts) > 2 else ""
        self.whole_model = whole_model and registered
        self._rows: dict[Artifact, int | None] = {}
        self._events: dict[int, tuple[Event, str]] = {}

    def event(self, position: int) -> tuple[Event, str]:
        """The event of an entry, and when it was recorded."""
        found = self._events.get(position)
        if found is None:
            data, recorded = self.graph.event(position)
            found = self._events[position] = read(data), recorded
        return found

    # what reaches it

    @cached_property
    def labels(self) -> Labels:
        """Everything that reaches it; no label and no source where its lineage leads to none."""
        try:
            return self.graph.labels(self.artifact)
        except CannotDecide as unknown:
            if unknown.code != "NO_SOURCE":
                raise
            return Labels(frozenset(), 0, self.graph.position())

    @cached_property
    def contributions(self) -> list[Contribution]:
        """Its sources."""
        return self.graph.contributions(self.artifact) if self.labels.sources else []

    @cached_property
    def chosen(self) -> list[Label]:
        """The labels that surely are what was asked for."""
        return sorted((x for x in self.labels.labels if self.speaks(x.origin)), key=label_key)

    @cached_property
    def doubtful(self) -> list[Label]:
        """The labels that may be: ``undeclared``, and third-party model output of which too little is stated."""
        said = [(x, self.speaks(x.origin)) for x in self.labels.labels]
        found = [x for x, fits in said if fits is None or (not fits and x.origin.kind is Kind.UNDECLARED)]
        return sorted(found, key=label_key)

    @property
    def shown(self) -> list[Label]:
        """The labels that surely are what was asked for; where none is, or anything was asked, the doubtful too."""
        return [*self.chosen, *self.doubtful] if self.wanted.anything else self.chosen or self.doubtful

    def speaks(self, origin: Origin) -> bool | None:
        """Whether an origin is one that was asked for; None: it may be."""
        if self.wanted.anything and origin.kind is Kind.UNDECLARED:
            return None  # the absence of an origin
        return self.wanted.speaks_of(origin, self.catalogue)

    def sources_of(self, labels: Iterable[Label]) -> list[Contribution]:
        """The sources that bring one of some labels."""
        wanted = set(labels)
        return [source for source in self.contributions if source.labels & wanted]

    # how it is judged

    @cached_property
    def policy(self) -> Policy | None:
        """The policy that holds at the time asked about; None where it is not known or cannot be read."""
        try:
            return self.inquiry.policy()
        except (UsageError, CannotDecide):
            return None

    @cached_property
    def catalogue(self) -> Catalogue:
        """Who stands behind which channel and service."""
        return self.policy.catalogue if self.policy else catalogue()

    @cached_property
    def grants(self) -> list[Grant]:
        """Every grant ever given."""
        return self.graph.grants()

    @cached_property
    def question(self) -> c.Question:
        """What was asked."""
        inquiry = self.inquiry
        last = self.labels.position - 1
        if inquiry.as_of or inquiry.known_at:  # of the past only what the answer rests on is read
            last = max(self.lineage, default=-1)
        return c.Question(
            self.name,
            str(self.wanted),
            *inquiry.times,
            self.event(last)[1] if last >= 0 else "",
            inquiry.user,
            inquiry.config.project,
        )

    @cached_property
    def at(self) -> datetime:
        """The time of the verdict. For a question about now, since when the same would be said: rules and grants have
        dates, and between two of them the clock changes nothing."""
        inquiry = self.inquiry
        if inquiry.as_of or inquiry.known_at:
            return inquiry.moment
        turns = [datetime.fromisoformat(self.question.asked)] if self.question.asked else []
        ends = []
        for rule in self.policy.rules if self.policy else ():
            turns += [rule.start] if rule.start else []
            ends += [rule.end] if rule.end else []
        for grant in self.grants:
            turns += [instant(grant.from_, end=False)] if grant.from_ else []
            ends += [instant(grant.until, end=True)] if grant.until else []
        turns += [end + _JUST_AFTER for end in ends if end < inquiry.moment]  # after 9999-12-31 there is nothing
        return max((turn for turn in turns if turn <= inquiry.moment), default=inquiry.moment)

    @cached_property
    def verdict(self) -> Decision:
        """What the gate says of it. Not recorded, and without paths: they are in the traces."""
        return self.judged(self.grants)

    def judged(self, grants: Iterable[Grant]) -> Decision:
        """What the gate would say of it if these were the grants."""
        question, policy, at = self.question, self.policy, self.at
        model, by, position = self.model or self.artifact.name, self.inquiry.user, self.labels.position
        said = (question.subject, question.origin, question.as_of, question.known_at, policy.digest if policy else "")
        name = _identity(at, str(position), *said)
        if policy is None or not self.labels.sources:
            missing = "the policy that held is not known" if policy is None else f"no source of {self.name} is known"
            hint = "--policy FILE judges under a file" if policy is None else "lineagegate sync"
            return cannot_decide(
                model=model, subject=self.name, action="check", reason=missing, hint=hint, policy=policy, at=at,
                position=position, id=name, by=by,
            )  # fmt: skip
        return decide(
            labels=self.labels.labels, sources=self.labels.sources, model=model, subject=self.name, action="check",
            attributes={}, policy=policy, grants=grants, at=at, position=position, id=name, by=by,
            evidence=counted(self.executions).evidence if policy.requirements else None,
        )  # fmt: skip

    # the parts of a case

    @cached_property
    def executions(self) -> list[list[Telling]]:
        """The executions of its lineage, each with the events that tell of it."""
        return self.graph.tellings(self.artifact)

    @cached_property
    def levels(self) -> dict[int, str]:
        """How the execution is known that an entry tells of."""
        return {telling.position: evidence(told) for told in self.executions for telling in told}

    @cached_property
    def runs(self) -> tuple[RunView, ...]:
        """The same, with what was seen of each."""
        return seen.runs(self.graph, self.executions, self.catalogue)

    @cached_property
    def coverage(self) -> c.Coverage:
        """Over which lineage the answer was established."""
        runs = counted(self.executions)
        open_ = [s for s in self.contributions if any(x.origin.kind is Kind.UNDECLARED for x in s.labels)]
        sources = self.labels.sources
        reason = "" if sources else f"no source of {self.name} is known"
        if open_ and sources == 1:
            reason = "its one source has no declared origin"
        elif open_:
            verb = "has" if len(open_) == 1 else "have"
            reason = f"{len(open_):,} of its {sources:,} sources {verb} no declared origin"
        return c.Coverage(
            not reason, reason, sources, runs.number, runs.first, runs.last, dict(runs.evidence),
            tuple(reference(s.artifact) for s in open_), self.labels.position,
        )  # fmt: skip

    @cached_property
    def answer(self) -> c.Answer:
        """The answer, in a sentence."""
        unstated = self.sources_of(x for x in self.doubtful if x.origin.kind is not Kind.UNDECLARED)
        traces = [t for t in self.traces if Label(t.origin, t.use, t.basis) in self.chosen]
        nobody = all(not self.catalogue.named(x.origin).providers
                     for x in self.doubtful)  # fmt: skip
        return answer(
            self.name, str(self.wanted), traces, self.coverage, self.verdict,
            sources=len(self.sources_of(self.chosen)), unstated=len(unstated),
            unstated_what="provider" if nobody else "provider, model or channel",
            taken=self.taken, removals=self.removals, understood=self.wanted.understood(self.catalogue),
        )  # fmt: skip

    @cached_property
    def taken(self) -> list[c.Taken]:
        """What was asked for, or may be, and was taken out by removals in force."""
        out = []
        for cut in self.graph.cuts(self.artifact) if self.labels.sources else ():
            fits = self.speaks(cut.label.origin)
            if fits is False:
                continue
            narrowed = [s for s in self.contributions if s.narrowed]
            tagged = [
                s for s in narrowed
                if any(t.tag.origin == cut.label.origin for t in s.tags) or (cut.path and _is(s, cut.path[0]))
            ]  # fmt: skip
            sources = tuple(reference(s.artifact) for s in tagged or narrowed)
            out.append(c.Taken(cut.label.origin, cut.label.use, sources, cut.removals, cut.path, fits is True))
        return out

    @cached_property
    def traces(self) -> tuple[c.Trace, ...]:
        """The labels that are what was asked for; where that cannot be told, those that may be."""
        labels = self.shown
        paths = self.graph.paths(self.artifact, labels)
        entries = self.graph.path_entries(self.artifact, labels)
        return tuple(self._trace(x, paths[x], entries[x], self.entered[x].runs) for x in labels)

    @cached_property
    def entered(self) -> dict[Label, Entered]:
        """By which runs what was asked for, or may be, came into the lineage: their entries."""
        return self.graph.entered(self.artifact, self.shown)

    def _trace(
        self, label: Label, path: Sequence[Step], entries: Sequence[Sequence[int]], runs: Sequence[int]
    ) -> c.Trace:
        sources = self.sources_of([label])
        source = next(s for s in sources if _is(s, path[0]))
        tag = next((t for t in source.tags if t.tag.origin == label.origin and t.tag.basis is label.basis), None)
        times = [self.event(entry)[0].time for entry in runs]
        return c.Trace(
            label.origin,
            label.use,
            label.basis,
            reference(source.artifact),
            tag.happened if tag else "",
            tag.tag.by if tag else "",
            tag.recorded if tag else "",
            tag.tag.reason if tag else "",
            tag.tag.evidence if tag else "",
            min(times, key=lambda time: happened(time).microseconds, default=""),
            tuple(self._step(label, step, said) for step, said in zip(path, entries, strict=True)),
            tuple(replace(f, path=()) for f in self.verdict.findings if f.label == label),
            len(sources),
            tuple(self.size(s) for s in sources),
            self._reseller(label.origin),
        )

    def _reseller(self, origin: Origin) -> str:
        sold = self.catalogue.named(origin).reseller
        known = self.catalogue.provider(sold) if sold else None
        return known.name if known else sold

    def _step(self, label: Label, step: Step, entries: Sequence[int]) -> c.CaseStep:
        basis = ""
        if not step.run:  # a tag may be said again in events of other lineages; what was said first is in this one
            entries = [entry for entry in entries if entry in self.lineage] or entries[:1]
        if step.run:
            basis = next((self.levels[entry] for entry in entries if entry in self.levels), "asserted")
        elif label.basis and step.by + step.time:
            basis = label.basis.value
        return c.CaseStep(
            step.artifact, step.run, step.use, step.content, step.commit, step.time, step.by, basis, tuple(entries)
        )

    def size(self, source: Contribution) -> c.SourceSize:
        """How large a source is, as far as it is known."""
        files, size = sized(source)
        rows = None if source.generated else self.records(source.artifact)
        return c.SourceSize(reference(source.artifact), files, size, rows)

    def records(self, source: Artifact) -> int | None:
        """The number of records of a source, where an event states one."""
        if source not in self._rows:
            self._rows[source] = self.graph.row_count(source)
        return self._rows[source]

    @cached_property
    def shares(self) -> tuple[c.Share, ...]:
        """Its sources by origin and use, the largest first; all of them, whatever was asked about."""
        found: dict[Label, list[c.SourceSize]] = {}
        for source in self.contributions:
            for label in source.labels:
                found.setdefault(label, []).append(self.size(source))
        shares = [
            c.Share(
                label.origin,
                label.use,
                label.basis,
                len(sizes),
                _sum(size.files for size in sizes),
                _sum(size.bytes for size in sizes),
                _sum(size.records for size in sizes),
                sum(size.bytes is None for size in sizes),
            )
            for label, sizes in sorted(found.items(), key=lambda item: label_key(item[0]))
        ]
        return tuple(sorted(shares, key=lambda share: (list(Use).index(share.use), -(share.bytes or 0))))

    # what was said and what happened

    @cached_property
    def names(self) -> list[str]:
        """The model's registered name, and those that it had before."""
        known = [item.change.model for item in self.changes]
        return list(dict.fromkeys([self.model, *known])) if self.model else []

    @cached_property
    def changes(self) -> list[Changed]:
        """What the registry did to the model."""
        return changes(self.graph, self.model) if self.model else []

    @cached_property
    def judgements(self) -> tuple[c.Judgement, ...]:
        """The recorded decisions."""
        return said.judgements(self)

    @cached_property
    def grant_uses(self) -> tuple[c.GrantUse, ...]:
        """The grants."""
        return said.grant_uses(self, self.judgements)

    @cached_property
    def removals(self) -> tuple[c.RemovalView, ...]:
        """The removals that speak of its lineage."""
        return said.removal_views(self)

    @cached_property
    def corrections(self) -> tuple[c.CorrectionView, ...]:
        """The corrections that speak of its lineage."""
        return said.correction_views(self)

    @cached_property
    def subject(self) -> c.Subject:
        """The model."""
        found = versions(self.changes)
        version = found.get((self.model, self.version)) or Version(self.model, self.version)
        outputs = ((e, o.artifact) for e in self.lineage for o in self.event(e)[0].outputs)
        makers = [entry for entry, output in outputs if self.is_version(output)]
        made = self.event(makers[0])[0] if makers else None
        how = execution(made) if made else None
        created, by = version.created, version.by
        if not created:  # before changes were recorded: when it was let in
            let = [j for j in self.judgements if j.decision.action == "register" and not j.decision.blocks]
            by = let[-1].decision.by if let else ""
        return c.Subject(
            reference(self.artifact), self.model, self.version, created, by, tuple(sorted(version.aliases)),
            version.stage, stage(made) if made else "", how.commit if how else "",
        )  # fmt: skip

    def is_version(self, other: Artifact) -> bool:
        """Whether something is what was asked about, by its content or its name; of a whole model, a version of it."""
        mine, content = self.artifact, self.artifact.content
        if self.whole_model and other.name.rpartition("/")[0] == f"models/{self.model}":
            return True
        if content and other.content:
            return other.content.hash == content.hash
        return (other.namespace, other.name) == (mine.namespace, mine.name)

    @cached_property
    def lineage(self) -> list[int]:
        """The entries that its lineage rests on."""
        return self.graph.entries(self.artifact)

    @cached_property
    def history(self) -> tuple[c.HistoryItem, ...]:
        """What happened to it; of a whole model, to each of its versions."""
        if not self.whole_model:
            return of_case(self, self.lineage)
        numbers = sorted({item.change.version for item in self.changes if item.change.version} | {self.version} - {""})
        made = [Artifact(self.artifact.namespace, f"models/{self.model}/{number}") for number in numbers]
        names = [self.artifact, *made]  # what was refused before there was a version has the model's name alone
        graph = self.inquiry.over(*names)
        found = [v for name in names if (v := graph.find(name.namespace, name.name)) is not None]
        graph = self.inquiry.over(*found)
        return of_case(self, sorted({entry for version in found for entry in graph.entries(version)}))

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """What is not known and would bear on the answer."""
        out = [f"Where {source.display} comes from: nobody has said." for source in self.coverage.undeclared]
        doubtful = [x for x in self.doubtful if x.origin.kind is not Kind.UNDECLARED]
        out += [
            f"Whose output {naming.display(s.artifact.namespace, s.artifact.name)} is: its provider is not stated."
            for s in self.sources_of(doubtful)
        ]
        sizes = [self.size(s) for s in self.contributions if s.labels]
        out += [f"How large {size.artifact.display} is: its share is left out." for size in sizes if size.bytes is None]
        for view in self.removals:
            if view.state != "in force":
                out.append(f"Whether removal {view.removal.id} holds: {view.void or view.state}.")
        if asserted := self.coverage.evidence.get("asserted", 0):
            out.append(f"What {count(asserted, 'execution')} really read: known from a record alone, nobody saw it.")
        if self.version and not self.subject.registered:
            out.append(f"When {self.name} was registered: no recorded change says so.")
        if self.policy is None:
            out.append("Which policy held: none was recorded by then, or it cannot be read.")
        return tuple(out)

    @cached_property
    def seal(self) -> c.Seal | None:
        """The newest checkpoint that covers what was taken into account."""
        return seal_over(self.inquiry.seals, self.labels.position)

    @cached_property
    def entries(self) -> tuple[c.EntryRef, ...]:
        """The entries that the case rests on: of a "yes" about one origin its evidence, else the whole lineage."""
        found = {item.entry for item in self.history}
        found.update(entry for entered in self.entered.values() for entry in (*entered.runs, *entered.listings))
        steps = {entry for trace in self.traces for step in trace.path for entry in step.entries}
        found.update(steps, *(run.entries for run in self.runs if steps.intersection(run.entries)))
        found.update(judgement.entry for judgement in self.judgements)
        for views in (self.grant_uses, self.removals, self.corrections):
            found.update(entry for view in views for entry in view.entries)
        void = any(view.void for view in self.removals)  # the match that says so is in the lineage
        if self.wanted.anything or self.answer.taken or void or self.answer.contains is not c.Contains.YES:
            found.update(self.lineage)
        return tuple(self._reference(position) for position in sorted(found))

    def _reference(self, position: int) -> c.EntryRef:
        data, recorded = self.graph.event(position)
        return c.EntryRef(position, leaf_hash(data).hex(), recorded, entry_text(self.event(position)[0]))

    def case(self) -> c.Case:
        """All of it."""
        return c.Case(
            c.FORMAT, self.question, self.answer, self.subject, self.coverage, self.verdict, self.traces, self.shares,
            self.judgements, self.grant_uses, self.removals, self.corrections, self.history, self.unknown, self.seal,
            self.entries, said.sources(self), self.runs, seen.contradictions(self.contributions),
        )  # fmt: skip


def sized(source: Contribution) -> tuple[int | None, int | None]:
    """(files, bytes) of a source; None where it is not known. What a model generated has no size of its own."""
    content = source.artifact.content
    if content is None or source.generated:
        return None, None
    if not content.hash.endswith(".dir"):
        return content.files or 1, content.size
    files = content.files if content.files is not None else len(content.members) or None
    sizes = [member.size for member in content.members]
    size = content.size
    if size is None and sizes and None not in sizes:
        size = sum(number or 0 for number in sizes)
    return files, size


def execution(event: Event) -> Execution | None:
    """How the run of an event came about, where it says so."""
    facets = event.run.facets if event.run else None
    return facets.execution.execution if facets and facets.execution else None


def label_key(label: Label) -> tuple[int, str, str]:
    """A fixed order of labels: by use, then by what they say."""
    order = list(Use).index(label.use)
    return order, repr(label.origin), label.basis.value if label.basis else ""


def _is(source: Contribution, step: Step) -> bool:
    """Whether a path from this source begins with a step; one content may have many names."""
    content = source.artifact.content
    named = naming.display(source.artifact.namespace, source.artifact.name) == step.artifact
    if source.generated:  # a model generates under its name, whichever version it is
        return named
    if content is None:  # the path may spell the name otherwise
        space, name = source.artifact.namespace, source.artifact.name
        full = naming.canonical(f"{space}/{name}")
        named = named or full in (naming.canonical(step.artifact), naming.canonical(f"{space}/{step.artifact}"))
        return named and not step.content
    return content.hash == step.content and (named or not content.trivial)


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum of those that are known; None when none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _identity(at: datetime, *words: str) -> str:
    """An identifier like a decision's, made from a time and words instead of a clock and chance."""
    digest = int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:10], "big")
    ms = int(at.timestamp() * 1000)
    value = (ms & (1 << 48) - 1) << 80 | 0x7 << 76 | (digest >> 68 & 0xFFF) << 64 | 0b10 << 62 | digest & (1 << 62) - 1
    return short(uuid.UUID(int=value))
