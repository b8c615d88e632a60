"""A provider's log against the record: importing it, and what of it nothing that was declared or observed accounts for.

`lineage.capture.usage` reads. What is kept is counts by time and fingerprints of answers, never text. The origin of the
answers is declared by whoever imports the log.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from lineage.capture.usage import Logged, Tally, logged
from lineage.errors import CannotDecide, UsageError
from lineage.events import naming, run_event
from lineage.evidence import usage as e
from lineage.evidence.document import artifact as reference
from lineage.gate.content import ContentIndex, digest_of
from lineage.gate.tally import Threshold
from lineage.policy import catalogue
from lineage.policy.pattern import normal
from lineage.vocabulary import (
    CLEAN_KINDS,
    Artifact,
    Basis,
    Content,
    Kind,
    Left,
    LoggedCalls,
    Origin,
    Tag,
    UsageLog,
)  # fmt: skip

if TYPE_CHECKING:
    from lineage.gate.gate import Gate
    from lineage.graph import Source
    from lineage.pipeline import Progress

MOST_GROUPS = 1000
"""Channels, models, accounts and deployments of one log, taken together."""
MOST_TIMES = 50_000
"""Times of one log that are kept apart; of more, longer ones are counted together."""
SKEW = 60
"""Seconds by which two clocks may differ."""
_STEPS = (60, 3600, 86_400)
_BATCH = 1024
_WHOLE, _COUNTED = "whole", "counted"
"""What was taken of a log: all, or without the fingerprints of its answers."""


def import_logs(gate: Gate, paths: Sequence[Path], progress: Progress | None = None) -> e.UsageImportDocument:
    """Record what logs say. A log that is known already adds nothing.

    Args:
        gate: of the project.
        paths: of the files.
        progress: told how many files are done.

    Raises:
        UsageError: ``PATH_MISSING`` or ``LOG_UNREADABLE``; logs named before it are recorded, of this one nothing is.
    """
    for path in paths:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", code="PATH_MISSING")
    done = []
    for index, path in enumerate(paths):
        done.append(_imported(gate, path))
        if progress:
            progress("logs", index + 1, len(paths))
    return e.UsageImportDocument(tuple(done))


def _imported(gate: Gate, path: Path) -> e.ImportedLog:
    digest = digest_of(path, hashlib.sha256())
    key = f"usage/{digest}"
    able = find_spec("numpy") is not None
    known = gate.graph.state(key)
    if known is not None and (known == _WHOLE or not able):
        return _said(next(log for log in _logs(gate) if log.sha256 == digest), "known", indexed=known == _WHOLE)
    groups, tally, formats = Groups(), Tally(), dict[str, None]()
    with ExitStack() as stack:
        answers = stack.enter_context(Answers(gate, digest, able))
        for entry in logged(path, tally):
            formats[entry.format] = None
            groups.take(entry)
            answers.take(entry.answers)
        calls = groups.calls()
        content, state = answers.finish()
    log = UsageLog(
        path.name,
        digest,
        tally.entries,
        tuple(formats),
        calls,
        tuple(Left(why, number) for why, number in tally.left.most_common()),
        tally.zoneless,
        content,
    )
    by = Tag(Origin(Kind.THIRD_PARTY_MODEL_OUTPUT), Basis.DECLARED, gate.user, "answers in a provider's log")
    origins = dict.fromkeys(_origin(group) for group in calls if group.answers)
    tags = tuple(replace(by, origin=origin, evidence=f"{path.name} sha256:{digest}") for origin in origins)
    namespace = f"usage://{gate.config.project}"
    made = [Artifact(namespace, f"answers in {path.name[:200]}", Content(content), tags=tags)] if content else []
    event = run_event(
        run_id=naming.run_id("usage", gate.config.project, digest),
        job=(namespace, "import"),
        time=max((group.last for group in calls), default=datetime.now(timezone.utc).isoformat()),
        outputs=made,
        log=log,
    )
    gate.graph.record([event] if known is None else [], {**state, key: _WHOLE if state or not content else _COUNTED})
    return _said(log, "imported", indexed=bool(state))


def _origin(calls: LoggedCalls) -> Origin:
    return Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, calls.provider, calls.service, calls.channel)


def _said(log: UsageLog, state: str, *, indexed: bool) -> e.ImportedLog:
    return e.ImportedLog(
        log.file,
        log.sha256,
        state,
        log.formats,
        log.entries,
        sum(group.requests for group in log.calls),
        sum(group.failed for group in log.calls),
        min((group.first for group in log.calls), default=""),
        max((group.last for group in log.calls), default=""),
        tuple(e.LeftEntries(left.why, left.entries) for left in log.left),
        log.zoneless,
        sum(group.answers for group in log.calls),
        indexed and bool(log.answers),
    )


class Groups:
    """Calls by channel, model, account and deployment, counted by time; bounded."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, ...], dict[int, int]] = {}
        self._found: dict[tuple[str, ...], list[int]] = {}  # failed, first, last, answers, requests
        self._step = _STEPS[0]
        self._held = 0

    def take(self, entry: Logged) -> None:
        """Count an entry.

        Raises:
            UsageError: ``LOG_UNREADABLE``: more groups than a log of one organisation has.
        """
        key = (entry.channel, entry.provider, entry.service, entry.account, entry.deployment)
        found = self._found.get(key)
        if found is None:
            if len(self._found) == MOST_GROUPS:
                raise UsageError(
                    f"the log names more than {MOST_GROUPS:,} models, accounts and deployments", code="LOG_UNREADABLE",
                    hint="split it by account; nothing was recorded of it",
                )  # fmt: skip
            found = self._found[key] = [0, entry.start, entry.end, 0, 0]
            self._times[key] = {}
        found[0] += entry.failed
        found[1], found[2] = min(found[1], entry.start), max(found[2], entry.end)
        found[3] += len(entry.answers)
        found[4] += entry.requests
        while entry.end - entry.start > self._step and self._step < _STEPS[-1]:
            self._coarsen()
        if entry.requests:
            times, at = self._times[key], entry.start // self._step * self._step
            self._held += at not in times
            times[at] = times.get(at, 0) + entry.requests
            while self._held > MOST_TIMES and self._step < _STEPS[-1]:
                self._coarsen()
            if self._held > MOST_TIMES:
                raise UsageError(
                    "the log spreads over more days than can be kept apart", code="LOG_UNREADABLE",
                    hint="split it by year; nothing was recorded of it",
                )  # fmt: skip

    def _coarsen(self) -> None:
        self._step = _STEPS[_STEPS.index(self._step) + 1]
        self._held = 0
        for key, times in self._times.items():
            merged: dict[int, int] = defaultdict(int)
            for at, number in times.items():
                merged[at // self._step * self._step] += number
            self._times[key] = dict(merged)
            self._held += len(merged)

    def calls(self) -> tuple[LoggedCalls, ...]:
        """What was counted."""
        return tuple(
            LoggedCalls(
                *(key[0], key[1], key[2], key[3], key[4]),
                found[4],
                found[0],
                _iso(found[1]),
                _iso(found[2]),
                self._step,
                tuple(sorted(self._times[key].items())),
                found[3],
            )
            for key, found in sorted(self._found.items())
        )


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


class Answers:
    """Fingerprints of the answers of one log, as they come; the text is not kept.

    Args:
        gate: of the project.
        digest: of the log.
        able: whether fingerprints can be taken here.
    """

    def __init__(self, gate: Gate, digest: str, able: bool) -> None:
        self._contents = ContentIndex(gate)
        self._name = f"{digest[:32]}.lgc"
        self._able = able
        self._digest = hashlib.sha256()
        self._texts: list[bytes] = []
        self._any = False
        self._stack = ExitStack()

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def take(self, texts: Iterable[str]) -> None:
        """Take answers."""
        for text in texts:
            data = text.encode("utf-8", "replace")
            self._digest.update(len(data).to_bytes(8, "big") + data)
            self._any = True
            if self._able:
                self._texts.append(data)
        if len(self._texts) >= _BATCH or sum(map(len, self._texts)) > 1 << 20:
            self._flush()

    def _flush(self) -> None:
        from lineage.content import IndexWriter, fingerprints, normalise

        if not hasattr(self, "_writer"):
            self._contents.directory.mkdir(parents=True, exist_ok=True)
            self._writer = IndexWriter(self._contents.directory, self._contents.key)
            self._stack.callback(self._writer.close)
        if self._texts:
            self._writer.add(fingerprints(normalise(self._texts), self._contents.key))
            self._texts = []

    def finish(self) -> tuple[str, dict[str, str]]:
        """(content key of the answers, what the store keeps of their fingerprints); empty where there are none."""
        if not self._any:
            return "", {}
        content = f"sha256:{self._digest.hexdigest()}"
        if not self._able:
            return content, {}
        self._flush()
        row = {**self._writer.finish(self._name)._asdict(), "unread": []}
        return content, {f"content/index/{content}": json.dumps(row)}


# -- against the record ------------------------------------------------------------------------------------------------


class Window(NamedTuple):
    """An observed execution that called a channel."""

    start: int
    end: int
    channel: str
    calls: int
    exact: bool
    """Whether requests were counted."""
    stage: str


def _logs(gate: Gate) -> list[UsageLog]:
    """The logs on record, each once."""
    return list(_recorded(gate)[0].values())


def _recorded(gate: Gate) -> tuple[dict[str, UsageLog], list[Window]]:
    logs: dict[str, UsageLog] = {}
    windows: dict[tuple[str, ...], list[Window]] = {}
    for _, _, event in gate.graph.events():
        facets = event.run.facets if event.run else None
        if facets is not None and facets.usage is not None:
            logs[facets.usage.log.sha256] = facets.usage.log
        if facets is not None and facets.observation is not None:
            seen = facets.observation.observation
            name = event.job.name if event.job else ""
            start, end = _unix(seen.started), _unix(seen.ended or seen.started)
            found = [
                Window(start, end, c.channel, c.count, c.counted == "requests", name) for c in seen.calls if c.channel
            ]
            if found:
                windows[seen.executions or (event.time, name)] = found  # what is told twice is one
    return logs, [window for found in windows.values() for window in found]


def _unix(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp())


def reconcile(
    gate: Gate, threshold: Threshold, *, tag: bool = False, progress: Progress | None = None
) -> e.UsageReconcileDocument:
    """Hold every imported log against what was declared and observed.

    Args:
        gate: of the project; its pipelines were read just now.
        threshold: how much of a source has to be answers.
        tag: record what is enough as tags of basis ``matched``.
        progress: told how far it is.
    """
    logs, windows = _recorded(gate)
    declared = _declared(gate, {log.answers for log in logs.values()})
    found, searched, missing = _answers(gate, list(logs.values()), threshold, tag, progress)
    rows = _rows(logs.values(), windows, declared)
    return e.UsageReconcileDocument(
        tuple(log.file for log in logs.values()),
        sum(row.requests for row in rows),
        sum(row.unseen for row in rows),
        len({(window.start, window.stage) for window in windows}),
        tuple(rows),
        tuple(_not_logged(logs.values(), windows)),
        tuple(found),
        searched,
        tuple(missing),
    )


def _declared(gate: Gate, answers: set[str]) -> list[tuple[tuple[str, ...], str, str]]:
    """(providers, channel, service) of what people here declared third-party model output, logs aside."""
    names = catalogue()
    out = []
    for source in gate.graph.tagged():
        if source.artifact.content is not None and source.artifact.content.hash in answers:
            continue
        for recorded in source.tags:
            origin = recorded.tag.origin
            if origin.kind is Kind.THIRD_PARTY_MODEL_OUTPUT and recorded.tag.basis is Basis.DECLARED:
                named = names.named(origin)
                out.append((named.providers, named.channel, normal(origin.service)))
    return out


def _rows(
    logs: Iterable[UsageLog], windows: Sequence[Window], declared: Sequence[tuple[tuple[str, ...], str, str]]
) -> list[e.Logged]:
    by_channel: dict[str, list[Window]] = defaultdict(list)
    by_provider: dict[str, list[Window]] = defaultdict(list)  # for spans that name no way
    for window in sorted(windows):
        by_channel[window.channel].append(window)
        way = catalogue().channels.get(window.channel)
        by_provider[way.provider if way else ""].append(window)
    out = []
    for log in logs:
        around = [by_channel.get(c.channel, []) if c.channel else by_provider.get(c.provider, []) for c in log.calls]
        open_ = _open(log.calls, around)
        for calls, unseen in zip(log.calls, open_, strict=True):
            mine = [each for each in declared if calls.provider and calls.provider in each[0]]
            channels = sorted({channel for _, channel, _ in mine if channel})
            services = {service for _, _, service in mine}
            service = normal(calls.service)
            findings = ["NOT_OBSERVED"] if unseen else []
            if calls.requests and not mine:
                findings.append("PROVIDER_NOT_DECLARED")
            elif calls.requests:
                if calls.channel and calls.channel not in channels and all(channel for _, channel, _ in mine):
                    findings.append("CHANNEL_NOT_DECLARED")
                if service and all(s and not s.startswith(service) and not service.startswith(s) for s in services):
                    findings.append("MODEL_NOT_DECLARED")
            out.append(
                e.Logged(
                    (log.file,),
                    calls.channel,
                    calls.provider,
                    calls.service,
                    calls.account,
                    calls.deployment,
                    calls.requests,
                    sum(number for _, number in unseen),
                    _iso(unseen[0][0]) if unseen else "",
                    _iso(unseen[-1][0] + calls.seconds) if unseen else "",
                    calls.seconds,
                    tuple(channels),
                    tuple(findings),
                )
            )
    return sorted(out, key=lambda row: (-row.unseen, -row.requests, row.channel, row.service))


def _open(logged: Sequence[LoggedCalls], around: Sequence[Sequence[Window]]) -> list[list[tuple[int, int]]]:
    """Of each group of calls of one log, the times and numbers that no observed execution can have made.

    An execution accounts for as many requests as were counted of it, for whichever group; those that end first first.

    Args:
        logged: the groups.
        around: for each, the executions that called the same channel, in order.
    """
    left: dict[int, int] = {}
    found: list[list[tuple[int, int]]] = [[] for _ in logged]
    longest = [max((window.end - window.start for window in windows), default=0) for windows in around]
    for at, group, number in sorted((at, g, number) for g, calls in enumerate(logged) for at, number in calls.times):
        windows = around[group]
        first = bisect_left(windows, (at - SKEW - longest[group],))
        last = bisect_left(windows, (at + logged[group].seconds + SKEW,))
        over = [window for window in windows[first:last] if window.end >= at - SKEW]
        if any(not window.exact for window in over):
            continue  # of a connection nobody knows how many requests it carried
        rest = number
        for window in sorted(over, key=lambda window: window.end):
            taken = min(rest, left.setdefault(id(window), window.calls))
            left[id(window)] -= taken
            rest -= taken
        if rest:
            found[group].append((at, rest))
    return found


def _not_logged(logs: Iterable[UsageLog], windows: Sequence[Window]) -> Iterator[e.NotLogged]:
    """Observed calls in the time of a log of their channel that it does not show."""
    spans: dict[str, list[LoggedCalls]] = defaultdict(list)
    for log in logs:
        for calls in log.calls:
            spans[calls.channel].append(calls)
    for window in sorted(windows):
        mine = spans.get(window.channel, [])
        within = any(_unix(c.first) <= window.start and window.end <= _unix(c.last) for c in mine)
        if within and not any(_shows(calls, window) for calls in mine):
            yield e.NotLogged(window.stage, window.channel, _iso(window.start), _iso(window.end), window.calls)


def _shows(calls: LoggedCalls, window: Window) -> bool:
    at = bisect_left(calls.times, (window.start - SKEW - calls.seconds,))
    return at < len(calls.times) and calls.times[at][0] <= window.end + SKEW


def _answers(
    gate: Gate, logs: Sequence[UsageLog], threshold: Threshold, tag: bool, progress: Progress | None
) -> tuple[list[e.AnswersFound], int, list[e.NotSearched]]:
    """Answers of the logs in sources that nobody says to be model output."""
    wanted = {log.answers for log in logs if log.answers}
    if not wanted or find_spec("numpy") is None:
        return [], 0, []
    contents = ContentIndex(gate)
    known = [k for k in contents.sources() if k.row and k.artifact.content and k.artifact.content.hash in wanted]
    if not known:
        return [], 0, []
    index, digest = contents.open(known), contents.digest(known)
    found: list[e.AnswersFound] = []
    missing: list[e.NotSearched] = []
    searched = 0
    for source in _sources(gate, wanted):
        try:
            path = contents.find(source.artifact)
            if path is None:
                missing.append(e.NotSearched(reference(source.artifact), "its content is not here"))
                continue
            scanned = contents.search(index, known, path, source.artifact, threshold, progress)
        except CannotDecide as error:
            missing.append(e.NotSearched(reference(source.artifact), f"{error.message}: {error.cause}"))
            continue
        searched += 1
        if scanned.unread:
            missing.append(e.NotSearched(reference(source.artifact), scanned.unread[0].reason))
        enough = tag and any(item.enough for item in scanned.found)
        if enough:
            contents.tag(source.artifact, scanned, digest, threshold)
        said = tuple(dict.fromkeys(r.tag.origin for r in source.tags if r.tag.basis is Basis.DECLARED))
        found += (
            e.AnswersFound(
                reference(source.artifact), said, item.origin, item.records, item.equal, scanned.records, item.enough,
                enough and item.enough,
            )
            for item in scanned.found
        )  # fmt: skip
    return sorted(found, key=lambda item: (-item.found, item.source.display)), searched, missing


def _sources(gate: Gate, answers: set[str]) -> list[Source]:
    """Sources with a content that nobody spoke for, or that are declared clean."""
    every = {(s.artifact.namespace, s.artifact.name, s.artifact.content): s for s in gate.graph.undeclared()}
    every |= {(s.artifact.namespace, s.artifact.name, s.artifact.content): s for s in gate.graph.tagged()}
    return [
        source
        for source in every.values()
        if source.artifact.content is not None
        and source.artifact.content.hash not in answers
        and all(r.tag.origin.kind in CLEAN_KINDS for r in source.tags if r.tag.basis is Basis.DECLARED)
    ]
