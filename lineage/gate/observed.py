"""From the spool into the ledger: what was seen of each execution becomes an event of the run that it belongs to.

A call to a host of the catalogue puts the provider's origin on what the run made, basis ``observed``; where somebody
declared what the call was for, the call is an input of the run in that role instead, and the laws do the rest. A file
that was read and not declared is an input. What does not hold together is said, never dropped.

Taken in twice, it says the same (law 3). A record leaves the spool once the ledger has it.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from lineage.capture import spool
from lineage.capture.hook import spool_of
from lineage.capture.observer.lineage_record import bare
from lineage.capture.spans import joined
from lineage.capture.spool import Seen
from lineage.errors import CannotDecide, UsageError
from lineage.events import naming, run_event
from lineage.evidence.layout import count
from lineage.gate.begun import said_of_runs
from lineage.pipeline import Executed, Notice, Times
from lineage.policy.catalogue import host_name
from lineage.vocabulary import Artifact, Basis, Call, Execution, Input, Kind, Observation, Origin, Tag, Use

if TYPE_CHECKING:
    from lineage.gate.gate import Gate
    from lineage.policy.catalogue import Catalogue

MOST_READS = 1000
"""Files that are inputs of a run each by itself; of more, the folders they lie in are."""

MOST_CHARACTERS = 400
"""Of a name; what is longer could not be found by (`lineage.events.naming.MOST_NAME`, in bytes)."""

BY = "lineagegate exec"
"""Who says what was seen."""

_COUNTED = (
    ("request", "requests"), ("tls", "connections"), ("wire", "connections"), ("host", "connections"),
    ("argument", "mentions"),
)  # fmt: skip
"""What the observer writes of calls, the best count first."""
_MODEL_CACHES = (".cache/huggingface", ".cache/torch", ".cache/modelscope", ".ollama/models", ".keras/models")
"""Folders in the home directory that hold models and data; what else is hidden there is settings and caches."""
_TRACKING = ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm", "mlflow.db-journal")
"""Where MLflow keeps its notes unless told otherwise."""
_KEY = "capture/journal"
_BETWEEN = re.compile(r"[\s;|&()<>\"'`$=]+")
"""What stands between the words of a command."""
UNLISTED = "unlisted"
"""Channel of requests that have the shape in which models are asked, to a host that nobody knows."""
_BEGAN = "capture/began"
"""Position of the ledger from which on executions here were seen."""
_URL_HOST = re.compile(r"://(?:[^/@\s\"']*@)?([\w.-]+)")


def take_in(gate: Gate) -> list[Notice]:
    """Record what is whole and over.

    Args:
        gate: of the project; its pipelines were read just now.

    Returns:
        What a person should look at.
    """
    where = spool_of(gate.config.root)
    state = gate.graph.state(_KEY)
    if not state and not (where / "journal").exists():
        return []
    said = spool.journal(where, *json.loads(state or "[]"))
    seen = spool.executions(where, said)
    notices, events, done = [], [], []
    for group in groups(seen):
        found = Watched(gate, group, said).event()
        if found is None:
            continue
        event, noticed = found
        events += event
        notices += noticed
        done += group
    held = {each.folder.name for each in seen}
    missing = sorted(said.open - held)
    for name in missing:
        if (where / name).is_dir():  # it begins this moment
            continue
        notices.append(Notice("RECORD_GONE", name, "the record of an execution was taken away before it was read"))
    if said.cut:
        notices.append(Notice("JOURNAL_CUT", str(where / "journal"), "lines of the spool's journal are gone"))
    notices += (Notice("NOT_OBSERVED", stage, "a stage ran and could not be recorded") for stage in said.broken)
    if notices:
        faults = [f"{notice.where}: {notice.message}" for notice in notices if notice.code in _GRAVE]
        if faults:
            events.append(_fault(gate, faults))
    after = json.dumps([said.size, sorted(said.open & held - {each.folder.name for each in done}), said.digest])
    if events or after != state:
        began = {} if gate.graph.state(_BEGAN) or not events else {_BEGAN: str(gate.graph.position())}
        gate.graph.record(events, {_KEY: after, **began})
    for each in done:
        spool.remove(each.folder)
    return notices


def unseen(gate: Gate) -> list[Notice]:
    """Executions that came on record after others had been seen here, and that nobody saw: they may never have run.

    Where nothing was ever seen, nobody looked, and there is nothing to say.

    Args:
        gate: of the project; its pipelines were read just now.
    """
    began = gate.graph.state(_BEGAN)
    if not began:
        return []
    told = [each for pipeline in gate.pipelines for each in pipeline.executions()]
    runs = [run for _, run in told]
    found = zip(told, gate.graph.first_entries(runs), gate.graph.watched(runs), strict=True)
    return [
        Notice(
            "NOT_SEEN_RUNNING", address,
            "its record came after stages here had been seen, and nobody saw it run: it was committed by hand, "
            "restored from the run cache, or run without the hook",
            f"lineagegate exec -- dvc repro -f -s {address}",
        )
        for (address, _), first, watched in found
        if first is not None and first >= int(began) and not watched
    ]  # fmt: skip


_GRAVE = ("RECORD_GONE", "JOURNAL_CUT", "NOT_OBSERVED")


def _fault(gate: Gate, faults: Sequence[str]) -> bytes:
    now = datetime.now(timezone.utc).isoformat()
    observation = Observation((), now, now, 0, "off", faults=tuple(faults))
    identity = naming.run_id("exec", gate.config.project, "faults", *faults)
    job = (naming.exec_namespace(gate.config.project), "spool")
    return run_event(run_id=identity, job=job, time=now, observation=observation)


def groups(seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    """The commands of one run of a stage: DVC starts one shell for each, one after the other.

    Args:
        seen: from `lineage.capture.spool.executions`.
    """
    ordered = sorted(seen, key=lambda s: (s.starter, s.stage, s.root, str(s.cwd), s.started))
    for (_, stage, _, _), together in groupby(ordered, key=lambda s: (s.starter, s.stage, s.root, s.cwd)):
        group: list[Seen] = []
        for each in together:
            again = any(each.command == other.command for other in group)
            if group and (not stage or again or group[-1].status != 0):
                yield group
                group = []
            group.append(each)
        yield group


class Watched:
    """One run that was seen: a stage with its commands, or a command of its own.

    Args:
        gate: of the project.
        group: its commands, in order.
        journal: of the spool.
    """

    def __init__(self, gate: Gate, group: list[Seen], journal: spool.Journal) -> None:
        self.gate = gate
        self.journal = journal
        self.group = group
        self.first, self.last = group[0], group[-1]
        self.ignored = 0
        self.things: dict[str, dict[str, int]] = {}
        for seen in group:
            for kind, values in seen.things.items():
                held = self.things.setdefault(kind, {})
                for value, number in values.items():
                    held[value] = held.get(value, 0) + number

    def event(self) -> tuple[list[bytes], list[Notice]] | None:
        """Its event, if there is anything to say, and what a person should look at. None: not yet."""
        if any(seen.running for seen in self.group):
            return None
        if not self.first.stage:
            return self._command()
        recorded, failed = None, any(seen.status or seen.ended is None for seen in self.group)
        if not failed:
            recorded, why = self._recorded()
            if recorded is None and _alive(self.last.starter):
                return None  # DVC writes its lock when the command is over
            return self._stage(recorded, why)
        return self._stage(None, "")

    def _recorded(self) -> tuple[Executed | None, str]:
        environment = {"DVC_ROOT": self.first.root, "DVC_STAGE": self.first.stage}
        commands = [seen.command[-1] for seen in self.group if seen.command]
        ended = self.last.ended or 0
        over = [time for time in self.journal.over.get(self.last.starter, ()) if time >= ended]
        times = Times(self.first.started, ended, min(over, default=0))
        for pipeline in self.gate.pipelines:
            try:
                found = pipeline.executed(self.first.stage, self.first.cwd, environment, commands, times)
            except (CannotDecide, UsageError) as error:
                return None, error.message
            if found is not None:
                return found, ""
        return None, "no record of the pipeline fits it"

    def _stage(self, recorded: Executed | None, why: str) -> tuple[list[bytes], list[Notice]]:
        calls = self.calls(recorded.uses if recorded else ())
        declared = recorded.declared if recorded else ()
        undeclared = self.undeclared(declared)
        notes = [*(recorded.notes if recorded else ()), *([why] if why else ())]
        observation = self.observation(calls, undeclared, notes)
        notices = [Notice("OBSERVED_OTHERWISE", self.first.stage, note) for note in notes]
        notices += (Notice("RECORD_NOT_WHOLE", self.first.stage, fault) for fault in observation.faults)
        # a record of which something does not hold is no more than an assertion, whatever was seen
        level = "asserted" if notes or observation.faults else "observed"
        runs = said_of_runs(self, calls, undeclared, observation, level)
        if recorded is None and not why and not (calls or undeclared or observation.faults):
            return runs, notices  # it failed, and did nothing that matters
        inputs = [*self.inputs(undeclared), *self.used(calls, observation)]
        if recorded is None:
            # no outputs are known: what it called is said, and stands for nothing
            job = (naming.dvc_namespace(self.gate.config.project), self.first.stage)
            identity = naming.run_id("exec", self.gate.config.project, *observation.executions)
            event = run_event(
                run_id=identity, job=job, time=observation.started, inputs=inputs,
                execution=Execution("exec", self.first.stage, level), observation=observation,
            )  # fmt: skip
            return [event, *runs], notices
        event = run_event(
            run_id=recorded.run_id,
            job=(recorded.namespace, recorded.address),
            time=observation.ended,
            inputs=inputs,
            outputs=[self.tagged(output, calls) for output in recorded.outputs],
            execution=Execution("dvc", recorded.address, level, key=recorded.key),
            observation=observation,
        )
        return [event, *runs], notices

    def _command(self) -> tuple[list[bytes], list[Notice]]:
        """A command of its own: what it read and wrote is its inputs and outputs."""
        made = [path for path in self._paths("write") if _kept(path)]
        calls, read = self.calls(()), self.undeclared(made)
        observation = self.observation(calls, (), ())
        notices = [Notice("RECORD_NOT_WHOLE", self.program, fault) for fault in observation.faults]
        level = "asserted" if observation.faults else "observed"
        runs = said_of_runs(self, calls, read, observation, level)
        if not (calls or observation.faults or (read and made)):
            return runs, notices
        outputs = [self.tagged(item.artifact, calls) for item in self._reads(made)]
        identity = naming.run_id("exec", self.gate.config.project, *observation.executions)
        event = run_event(
            run_id=identity,
            job=(naming.exec_namespace(self.gate.config.project), self.program),
            time=observation.ended or observation.started,
            inputs=[*self.inputs(read), *self.used(calls, observation)],
            outputs=outputs,
            execution=Execution("exec", self.program, level),
            observation=observation,
        )
        return [event, *runs], notices

    # -- what was seen ---------------------------------------------------------------------------------------------

    def observation(
        self, calls: Sequence[Call], undeclared: Sequence[str], notes: Sequence[str], *, over: bool = True
    ) -> Observation:
        """What the record says of it.

        Args:
            calls: from `calls`.
            undeclared: from `undeclared`.
            notes: what does not fit the pipeline's own record.
            over: False: it goes on, and has no end yet.
        """
        faults = [fault for seen in self.group for fault in seen.faults]
        faults += ("nothing says how it ended" for seen in self.group if over and seen.ended is None)
        if any(seen.mode == "strace" and "strace" not in seen.things for seen in self.group):
            faults.append("strace did not begin, or could not write")
        if "broken" in self.things:
            faults.append(f"the observer failed at {', '.join(sorted(self.things['broken']))}")
        named = {call.host for call in calls}
        hosts = {_bare(host) for kind, _ in _COUNTED for host in self.things.get(kind, ())} - named
        root = self.gate.config.root
        more = [f"{len(undeclared):,} files were read that are no dependency"] if len(undeclared) > MOST_READS else []
        if self.ignored:
            verb = "was" if self.ignored == 1 else "were"
            more.append(f"{count(self.ignored, 'file')} {verb} read that `ignore` in the settings leaves out")
        return Observation(
            tuple(seen.id for seen in self.group),
            _iso(self.first.started),
            _iso(self.last.ended) if self.last.ended is not None else "",
            self.last.status,
            self.first.mode,
            tuple(sorted({_safe(_name(n)) for kind in ("process", "child") for n in self.things.get(kind, ())})),
            tuple(calls),
            tuple(sorted(map(_safe, hosts))),
            tuple(sorted(map(_safe, self.things.get("library", ())))),
            tuple(_safe(_short(path, root)) for path in undeclared[:MOST_READS]),
            tuple(map(_safe, (*notes, *more))),
            tuple(map(_safe, dict.fromkeys(faults))),
        )

    def calls(self, uses: Sequence[tuple[str, Use]]) -> list[Call]:
        """To hosts of the catalogue, and those that only the program's own spans tell of.

        Args:
            uses: roles that somebody declared: pattern of a host, role.
        """
        catalogue = _catalogue(self.gate)
        best: dict[str, Call] = {}
        mentioned = [*self.things.get("word", ())]
        for word in (word for seen in self.group for word in seen.command):
            parts = _BETWEEN.split(word)
            mentioned += _URL_HOST.findall(word)
            mentioned += (host for part in parts for host in bare(_name(part), parts))
        for kind, counted in _COUNTED:
            found: Mapping[str, int] = self.things.get(kind, {})
            if kind == "argument":
                found = {**found, **dict.fromkeys(mentioned, 1)}
            for text, number in found.items():
                host = _bare(text)
                channel = catalogue.by_host(host)
                if channel is None:
                    continue
                before = best.get(host)
                if before is None:
                    best[host] = Call(host, max(number, 1), counted, channel.id, _use(uses, host))
                elif before.counted == counted:
                    best[host] = replace(before, count=before.count + max(number, 1))
        for text, number in self.things.get("api", {}).items():
            host = _bare(text)
            if catalogue.by_host(host) is None:
                number += best[host].count if host in best else 0
                best[host] = Call(host, max(number, 1), "requests", UNLISTED, _use(uses, host))
        calls = [best[host] for host in sorted(best)]
        spans = self.things.get("span")
        return joined(calls, spans, catalogue, lambda host: _use(uses, host)) if spans else calls

    def tagged(self, output: Artifact, calls: Sequence[Call]) -> Artifact:
        """What the run made, with the origins of the calls that nobody declared a role for."""
        tags = tuple(tag for call in calls if not call.use and (tag := _tag(self.gate, call)))
        return replace(output, tags=tags) if tags else output

    def used(self, calls: Sequence[Call], observation: Observation) -> list[Input]:
        """The calls that somebody declared a role for, each a source of its own."""
        space, mark = naming.exec_namespace(self.gate.config.project), observation.executions[0]
        tags: dict[tuple[str, str], list[Tag]] = {}
        for call in calls:
            if call.use and (tag := _tag(self.gate, call)):
                tags.setdefault((call.host or call.channel or call.provider, call.use), []).append(tag)
        return [
            Input(Artifact(space, f"calls/{mark}/{place}", tags=tuple(said)), Use(use))
            for (place, use), said in tags.items()
        ]

    # -- files -----------------------------------------------------------------------------------------------------

    def _paths(self, kind: str) -> list[str]:
        return sorted({os.path.normpath(path) for path in self.things.get(kind, ())})

    def undeclared(self, declared: Sequence[str]) -> list[str]:
        """Files that were read, not declared, not written by itself, and are neither settings nor caches.

        Args:
            declared: absolute paths of files and directories.
        """
        # what is only added to, or opened for both, held something before
        own = {os.path.normpath(path) for path, whole in self.things.get("write", {}).items() if whole}
        inside = tuple(os.path.join(os.path.normpath(path), "") for path in declared)  # noqa: PTH118 - ends in a slash
        exact = {os.path.normpath(path) for path in declared}
        ignored = _settings(self.gate).get("ignore", [])
        found = [
            path
            for path in self._paths("read")
            if path not in own and path not in exact and not path.startswith(inside) and not _setting(path)
        ]
        read = [path for path in found if not any(fnmatch.fnmatchcase(path, pattern) for pattern in ignored)]
        self.ignored = len(found) - len(read)
        return read

    def inputs(self, paths: Sequence[str]) -> list[Input]:
        """The data among files that were read; of very many, the folders they lie in."""
        if len(paths) > MOST_READS:
            paths = sorted({str(Path(path).parent) for path in paths})
        return self._reads(paths)

    def _reads(self, paths: Sequence[str]) -> list[Input]:
        known = self.gate.graph.known_content
        found = [i for p in self.gate.pipelines for i in p.reads(paths, self.first.cwd, known)] if paths else []
        return list(dict.fromkeys(replace(i, artifact=replace(i.artifact, name=_safe(i.artifact.name))) for i in found))

    @property
    def program(self) -> str:
        """What was started, by name."""
        return _name(" ".join(self.first.command[:1]) or "command")


def _tag(gate: Gate, call: Call, when: str = "while it was made") -> Tag | None:
    """None where nobody knows whose model it is."""
    catalogue = _catalogue(gate)
    channel = catalogue.channels.get(call.channel)
    provider = (channel.provider if channel else "") or call.provider
    if channel is None and not provider and not catalogue.owners(call.model):
        return None
    origin = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider=provider, service=call.model, channel=call.channel)
    return Tag(origin, Basis.OBSERVED, BY, reason=f"{words(call)} {when}")


def traced(
    gate: Gate, spans: Mapping[str, int], uses: Sequence[tuple[str, Use]], namespace: str, name: str
) -> list[Input]:
    """Calls that the traces of a run tell of, kept by another tool: each a source of its own.

    Args:
        gate: of the project.
        spans: provider, model and host, with tabs between them, and how often.
        uses: roles that somebody declared: pattern of a host, role.
        namespace: OpenLineage namespace of the tool.
        name: of the traces.
    """
    tags: dict[tuple[str, str], list[Tag]] = {}
    for call in joined((), spans, _catalogue(gate), lambda host: _use(uses, host)):
        if tag := _tag(gate, call, "in its run"):
            place = call.host or call.channel or call.provider or call.model
            tags.setdefault((place, call.use or Use.CONTENT.value), []).append(tag)
    return [
        Input(Artifact(namespace, f"{name}/{place}", tags=tuple(said)), Use(use)) for (place, use), said in tags.items()
    ]


def words(call: Call) -> str:
    """``1,204 calls to api.openai.com``; with a model ``3 calls to gpt-4o at api.openai.com``."""
    if call.counted == "mentions":
        return f"a program was started with {call.host} among its arguments"
    noun = "connection" if call.counted == "connections" else "call"
    place = call.host or (f"a host of {call.channel or call.provider}" if call.channel or call.provider else "")
    text = f"{count(call.count, noun)} to {' at '.join(filter(None, (call.model, place))) or 'a model'}"
    return f"{text} by its own traces" if call.counted == "spans" else text


def _use(uses: Sequence[tuple[str, Use]], host: str) -> str:
    return next((use.value for pattern, use in uses if fnmatch.fnmatchcase(host, pattern)), "")


def _settings(gate: Gate) -> Mapping[str, Any]:
    table: Mapping[str, Any] = gate.config.extra.get("capture", {})
    unknown = set(table) - {"channels", "ignore", "readable"}
    lists = [table.get(key, []) for key in ("ignore", "readable")]
    if unknown or not all(isinstance(each, list) and all(isinstance(one, str) for one in each) for each in lists):
        raise UsageError(
            "[capture] in the settings is not valid", code="CONFIG_INVALID",
            cause=f"unknown key `{min(unknown)}`" if unknown else "`ignore` and `readable` are lists of text",
            hint="see docs/how-to/hooks.md",
        )  # fmt: skip
    return table


def _catalogue(gate: Gate) -> Catalogue:
    from lineage.policy.catalogue import catalogue

    more = _settings(gate).get("channels")
    if not more:
        return catalogue()
    try:
        return catalogue().extended({"channels": more})
    except ValueError as error:
        raise UsageError(
            "[capture] in the settings is not valid", code="CONFIG_INVALID", cause=str(error),
            hint="see docs/how-to/hooks.md",
        ) from None  # fmt: skip


def _setting(path: str) -> bool:
    """Whether a path is a setting or a cache of the user's, MLflow's own notes, or a temporary file that is gone."""
    if "/mlruns/" in path and "artifacts" not in Path(path.partition("/mlruns/")[2]).parts:
        return True
    if os.path.basename(path) in _TRACKING:  # noqa: PTH119
        return True
    home = str(Path.home())
    if path.startswith(home + "/."):
        inside = path[len(home) + 1 :]
        return not inside.startswith(_MODEL_CACHES)
    places = (tempfile.gettempdir() + "/", "/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108
    return path.startswith(places) and not os.path.exists(path)  # noqa: PTH110


def _kept(path: str) -> bool:
    parts = Path(path).parts
    return Path(path).is_file() and not any(part in (".git", ".dvc", ".lineage", "__pycache__") for part in parts)


def _safe(text: str) -> str:
    """Text that an event can hold, of names that need not be text."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[:MOST_CHARACTERS]}…"


def _short(path: str, root: Path) -> str:
    return os.path.relpath(path, root) if Path(path).is_relative_to(root) else path


def _bare(host: str) -> str:
    return _safe(host_name(host))


def _name(program: str) -> str:
    return program if program.startswith("-") else os.path.basename(program)  # noqa: PTH119


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _iso(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=timezone.utc).isoformat()
