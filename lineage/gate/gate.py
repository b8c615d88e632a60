"""What adds to the ledger: record, sync, declare, grant, judge.

Every answer is computed from the ledger, every change is an event in it. Files that belong to a pipeline (`.dvc`,
`dvc.yaml`) are read and written by that pipeline (`lineage.pipeline`); registries of models are read by theirs.
Everything raises `LineageError`; nothing here decides that an unreadable thing is harmless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from lineage.config import Config, load
from lineage.errors import UsageError
from lineage.events import naming
from lineage.events.event import act_event, dataset_event
from lineage.gate.audit import AuditFinding, audit
from lineage.gate.inquiry import Inquiry, decided_here, marks, plugins
from lineage.gate.observed import take_in, unseen
from lineage.gate.seal import LedgerSettings, Seal
from lineage.graph import Act, Graph, Status
from lineage.pipeline import Notice, Progress, Registry, Running, Target
from lineage.store import Store, create_store, open_store
from lineage.vocabulary import Artifact, Change, Decision, Grant, Input, Kind, Origin, Scope, Tag
from lineage.vocabulary.identifier import from_short, new_uuid, short

if TYPE_CHECKING:
    from lineage.gate.past import Past

if TYPE_CHECKING:
    from lineage.gate.verification import VerifyReport
    from lineage.ledger.key import PublicKey


class SyncReport(NamedTuple):
    """What a sync read, and what the ledger holds now."""

    commits: int
    """Commits read now."""
    executions: int
    """Stage executions read now that were not known before."""
    events: int
    """Ledger entries added."""
    status: Status
    undeclared: Sequence[Artifact]
    """Sources with no declared origin."""
    notices: Sequence[Notice]


class Gate(Inquiry):
    """One project's ledger, graph, policy and pipelines: the questions, and everything that records."""

    proposed = False
    """Whether the policy is one that somebody tries out: then it is not recorded as the one in force, but with a
    decision that is made under it."""

    def __init__(self, config: Config, graph: Graph) -> None:
        super().__init__(config, graph)
        self.observed: list[Notice] = []
        """What a person should look at in what was seen of executions, since this was opened."""

    @classmethod
    def open(cls, config: Config | None = None, start: Path | None = None) -> Gate:
        """Open the store that the settings name.

        Args:
            config: the settings; by default those that hold at ``start``.
            start: directory to look for settings from; by default the current one.

        Raises:
            UsageError: no settings, no store, or one that cannot be used; nothing is created.
        """
        config = config or load(start)
        return cls(config, _graph(config, open_store(config.store_url)))

    @classmethod
    def init(cls, directory: Path, *, project: str = "", store: str = "") -> tuple[Gate, list[Path]]:
        """Create what is missing: ``lineage.toml``, the policy file and the store. What is there is kept.

        Returns:
            The gate, and the files that were written.
        """
        from lineage.policy import load_policy, starter_policy

        directory = directory.resolve()
        written: list[Path] = []
        file = directory / "lineage.toml"
        try:
            config = load(directory, store=store or None, project=project or None)
        except UsageError as error:
            if error.code != "CONFIG_MISSING":
                raise
            config = None
        if config is not None and config.file is not None:
            for key, said, wanted in (
                ("store", load(directory).store, store),
                ("project", load(directory).project, project),
            ):
                if wanted and wanted != said:
                    raise UsageError(
                        f"with {config.file} another {key} holds",
                        code="CONFIG_CONTRADICTS",
                        cause=f"{said!r} by the file, or because it names none; {wanted!r} is asked for",
                        hint=f"write {key} = {_quoted(wanted)} into the file; nothing was changed",
                    )
        policy = config.policy_path if config else directory / Config.policy
        if policy.exists():
            load_policy(policy)  # a broken one is refused before anything is written
        if config is None or (config.file is None):
            name = project or directory.name
            lines = [f"project = {_quoted(name)}  # the name in every record; the same in every clone"]
            if store:
                lines.append(f"store = {_quoted(store)}")
            _write(file, "\n".join(lines) + "\n")
            written.append(file)
            config = load(directory)
        if not config.policy_path.exists():
            _write(config.policy_path, starter_policy(config.project))
            written.append(config.policy_path)
        return cls(config, _graph(config, create_store(config.store_url))), written

    def close(self) -> None:
        """Release the store."""
        self.graph.close()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what happened ---------------------------------------------------------------------------------------------

    def record(self, events: Sequence[bytes]) -> int:
        """Append events to the ledger, all or none; durable when this returns.

        Returns:
            The number of entries then in the ledger.
        """
        return self.graph.record(events)

    @cached_property
    def seal(self) -> Seal:
        """What signs the ledger."""
        return Seal(self.config, self.graph)

    def checkpoint(self) -> str:
        """The newest checkpoint as a signed note, to be kept outside; empty when there is none yet."""
        newest = self.graph.seals.newest()
        return newest.note if newest else ""

    def verify(
        self,
        given: Sequence[tuple[str, str]] = (),
        keys: Sequence[PublicKey] = (),
        progress: Progress | None = None,
        *,
        tree_only: bool = False,
    ) -> VerifyReport:
        """Recompute everything and hold it against every checkpoint. See `lineage.gate.verification`.

        Args:
            given: checkpoints that somebody kept: (what they are called, signed notes).
            keys: that are trusted; without any, the first one that the ledger itself names.
            progress: told how far it is.
            tree_only: leave the graph out.
        """
        from lineage.gate.verification import Verification

        verification = Verification(self.seal, self.graph.seals, self.registries)
        return verification.run(given, keys, progress or (lambda *_: None), tree_only=tree_only)

    def changed(self, *changes: Change, events: Sequence[bytes] = ()) -> int:
        """Record what a registry did, once it has done it, in one transaction.

        Args:
            changes: what happened, in this order.
            events: what else is to be recorded with it.

        Returns:
            The number of entries then in the ledger.
        """
        time = _now().isoformat()
        said = [act_event(change, run_id=str(new_uuid()), time=time) for change in changes]
        return self.record([*events, *said])

    @cached_property
    def registries(self) -> tuple[Registry, ...]:
        """The installed registries of models."""
        return tuple(plugin(self.config) for plugin in plugins("lineagegate.registries"))

    def refresh(self, progress: Progress | None = None) -> tuple[int, int, int]:
        """Read what the pipelines have recorded since last time.

        Returns:
            Commits and executions read, events added.
        """
        commits = executions = 0
        before = self.graph.position()
        if not self.proposed:
            self._note_policy()
        for pipeline in self.pipelines:
            key = f"pipeline/{pipeline.name}/{self.config.project}"
            read = int(self.graph.state(f"{key}/commits") or 0)
            for batch in pipeline.read(
                self.graph.state(key), self.graph.known_runs, self.graph.known_content, progress
            ):
                read += batch.commits
                self.graph.record(batch.events, {key: batch.cursor, f"{key}/commits": str(read)})
                commits += batch.commits
                executions += batch.executions
        self.observed += take_in(self)
        return commits, executions, self.graph.position() - before

    def sync(self, progress: Progress | None = None) -> SyncReport:
        """`refresh`, and what a person should know afterwards."""
        commits, executions, events = self.refresh(progress)
        notices = (*self.notices(), *self.observed, *self.seal.scheduled())
        return SyncReport(commits, executions, events, self.graph.status(), tuple(self.undeclared()), notices)

    def notices(self) -> list[Notice]:
        """What the pipelines want a person to look at."""
        return [*(notice for pipeline in self.pipelines for notice in pipeline.notices()), *unseen(self)]

    def running(self, cwd: Path, environment: Mapping[str, str]) -> Running | None:
        """The stage going on around a process, with its data inputs as they are now."""
        known = self.graph.known_content
        return next((found for p in self.pipelines if (found := p.running(cwd, environment, known))), None)

    def underway(
        self,
        environment: Mapping[str, str],
        stage: Running | None,
        artifact: Artifact,
        run: tuple[str, tuple[str, str]] | None,
    ) -> Sequence[bytes]:
        """What was seen so far of the execution around this process, if it is seen. See `lineage.gate.underway`."""
        from lineage.gate.underway import underway

        said = underway(self, environment, stage, artifact, run)
        return (said,) if said else ()

    def runs_underway(self, environment: Mapping[str, str], stage: Running | None) -> Sequence[bytes]:
        """The same, said of the runs that began in it. See `lineage.gate.underway`."""
        from lineage.gate.underway import runs_underway

        return runs_underway(self, environment, stage)

    def stage_inputs(self, address: str, cwd: Path) -> tuple[Input, ...] | None:
        """Data inputs of a stage as recorded or as they lie now; None when there is no such stage."""
        known = self.graph.known_content
        return next((found for p in self.pipelines if (found := p.stage(address, cwd, known)) is not None), None)

    def locate(self, path: str, cwd: Path | None = None) -> Artifact | None:
        """The artifact at a path of the work tree, with the hash of what lies there now.

        Args:
            path: absolute, relative to ``cwd`` (by default to the root), or a URL.
            cwd: directory that a relative path starts from.
        """
        where = path if "://" in path else str((cwd or self.config.root) / path)
        return next((found for p in self.pipelines if (found := p.locate(where))), None)

    # -- what people say -------------------------------------------------------------------------------------------

    def declare(
        self,
        text: str | Artifact,
        origin: Origin | None,
        *,
        uses: Mapping[str, str] | None = None,
        reason: str = "",
        evidence: str = "",
    ) -> Sequence[Target]:
        """Put an origin on a source (and uses on a stage's inputs), in the pipeline's own files where it has any.

        Args:
            text: a `.dvc` file, an output, a stage address, a URI, ``models:/…``, a content key; or what the record
                holds, as it is there.
            origin: what to declare; None to declare uses alone.
            uses: role by input path, for a stage.
            reason: why the speaker knows.
            evidence: references (a contract number, a ticket, a URL).

        Returns:
            What was tagged.
        """
        if origin is not None and origin.kind is Kind.UNDECLARED:
            raise UsageError(
                "`undeclared` cannot be declared", code="ORIGIN_INVALID", cause="it is the absence of a declaration"
            )
        if origin is not None:
            _check_provider(origin)
        tag = Tag(origin, by=self.user, reason=reason, evidence=evidence) if origin else None
        for pipeline in self.pipelines:
            if isinstance(text, str) and pipeline.targets(text):
                targets = pipeline.declare(text, tag, uses or {})
                self.refresh()
                return targets
        if tag is None:
            raise UsageError(f"no stage called {text!r}", code="TARGET_UNKNOWN", hint="`dvc stage list` names them")
        artifact = self.resolve(text) if isinstance(text, str) else text
        self.record([dataset_event(replace(artifact, tags=(tag,)), time=_now().isoformat())])
        return (Target(artifact, naming.display(artifact.namespace, artifact.name)),)

    def grant(
        self, scope: Scope, *, reference: str, approver: str = "", from_: str = "", until: str = "", reason: str = ""
    ) -> Grant:
        """Record a permission. Outside its scope or dates it frees nothing.

        Raises:
            UsageError: the scope is empty, a date cannot be read, or there is no reference.
        """
        from lineage.policy import check_grant

        identity = new_uuid()
        grant = Grant(short(identity), scope, approver or self.user, reference, from_, until, reason, by=self.user)
        check_grant(grant)
        self.record([act_event(grant, run_id=str(identity), time=_now().isoformat())])
        return grant

    def withdraw(self, grant_id: str) -> Grant:
        """Take a grant back from now on; what it freed before stays as it was decided."""
        grant = next((g for g in self.graph.grants() if g.id == grant_id), None)
        if grant is None:
            raise UsageError(f"no grant {grant_id}", code="GRANT_UNKNOWN", hint="lineagegate grant --list")
        if grant.withdrawn:  # withdrawn again is withdrawn once
            return grant
        grant = replace(grant, withdrawn=True, by=self.user)
        self.record([act_event(grant, run_id=str(new_uuid()), time=_now().isoformat())])
        return grant

    # -- the question in the middle --------------------------------------------------------------------------------

    def judge(
        self,
        artifact: Artifact | None,
        *,
        model: str,
        subject: str,
        action: str,
        attributes: Mapping[str, str] | None = None,
        missing: str = "",
        hint: str = "",
        events: Sequence[bytes] = (),
        by: str = "",
    ) -> Decision:
        """Decide about one model, and record the decision before it is returned.

        Nothing else is recorded between what it rests on and the decision: they are one transaction.

        Args:
            artifact: what is to be registered or promoted, its lineage recorded or in ``events``; None when unknown.
            model: registered model name that rules match on.
            subject: what people call it (``models:/seed-chat/3``).
            action: ``register``, ``alias``, ``stage``, ``rename`` or ``copy``.
            attributes: what the action adds (``stage``, ``alias``). What the model is for comes from the policy alone.
            missing: what could not be established; then the answer is "cannot decide".
            hint: the command that helps with it.
            events: recorded with it, and before it.
            by: who asks, where it is not the user of this project.

        Returns:
            The recorded decision. `Decision.blocks` says whether the action may go on.
        """
        made: list[Decision] = []

        def decided() -> list[bytes]:
            decision = self.decide(artifact, model, subject, action, attributes or {}, missing, hint)
            made.append(replace(decision, by=by or decision.by))
            event = act_event(made[0], run_id=str(from_short(decision.id)), time=decision.time, subject=artifact)
            return [*self._policy_said(decision.time), event]

        check = self.policy().content  # read before anybody has to wait for the ledger
        if check.inputs != "never" and artifact is not None and not missing:
            from lineage.gate.matching import search_inputs

            missing, hint = search_inputs(self, check, artifact, events) or (missing, hint)
        self.seal.record(events, then=decided)
        return made[0]

    def decided(self, decisions: Sequence[tuple[Decision, Artifact]]) -> None:
        """Record decisions that were made already, each about an artifact, and the policy that they were made under.

        All or nothing, and sealed.
        """
        if decisions:
            events = [
                act_event(decision, run_id=str(from_short(decision.id)), time=decision.time, subject=artifact)
                for decision, artifact in decisions
            ]
            self.seal.record([*self._policy_said(decisions[0][0].time), *events])

    def _policy_said(self, time: str) -> list[bytes]:
        """The policy in force as an event, where it is not the one that was recorded last."""
        from lineage.policy import policy_record

        policy = self.policy()
        if self.graph.newest_key(Act.POLICY) == policy.digest:
            return []
        return [act_event(policy_record(policy, self.user), run_id=str(new_uuid()), time=time)]

    def _note_policy(self) -> None:
        """Record the policy in force when it changed. One that cannot be read is not in force, and stops no reading."""
        # loading takes longer than a sync with nothing new may: first a look at when the files were written
        key = f"policy/{hashlib.sha256(str(self.config.policy_path).encode()).hexdigest()[:16]}"
        seen = json.loads(self.graph.state(key) or "[]")
        if seen and seen == [seen[0], _marked(seen[0]), _release(), self.graph.newest_key(Act.POLICY)]:
            return
        try:
            policy = self.policy()
        except UsageError:
            return
        paths = [str(path) for path in policy.paths]
        now = [paths, _marked(paths), _release(), policy.digest]
        self.graph.record(self._policy_said(_now().isoformat()), {key: json.dumps(now)})

    def at(self, *, as_of: str = "", known_at: str = "", policy: Path | None = None) -> Past:
        """The record as it was. Close it when done (it is a context manager).

        Args:
            as_of: what was true then; `lineage.gate.past.time_of` says what may be written. Empty: now.
            known_at: what had been recorded by then. Empty: everything.
            policy: a policy file to judge under instead of the one that held then.

        Raises:
            UsageError: ``TIME_INVALID``.
            CannotDecide: ``TIME_UNKNOWN``, ``NOTHING_RECORDED``.
        """
        from lineage.gate.past import Past, time_of

        times = [
            time_of(self, text, known=known) if text else None for text, known in ((as_of, False), (known_at, True))
        ]
        return Past(self, times[0], times[1], policy)

    def audit(self) -> tuple[int, list[AuditFinding]]:
        """Compare every version in the registries with the recorded decisions. See `lineage.gate.audit`.

        Raises:
            CannotDecide: ``JUDGED_ELSEWHERE``, the decisions are a server's.
        """
        decided_here(self.config)
        self.refresh()
        return audit(self, self.registries)

    def commits(self) -> int:
        """How many commits of this project were ever read."""
        keys = (f"pipeline/{pipeline.name}/{self.config.project}/commits" for pipeline in self.pipelines)
        return sum(int(self.graph.state(key) or 0) for key in keys)


def _graph(config: Config, store: Store) -> Graph:
    try:
        return Graph(store, accept_clock=LedgerSettings.of(config).accept_clock)
    except BaseException:
        store.close()
        raise


@cache
def _release() -> str:
    """The version of this package, looked up once: its packs are part of a policy."""
    return version("lineagegate")


def _marked(paths: Sequence[str]) -> list[list[int] | None]:
    """When files were written last and how long they are, as JSON gives it back."""
    return [list(mark) if mark else None for mark in marks(map(Path, paths))]


def _quoted(text: str) -> str:
    """A TOML string; JSON's strings are a subset of them."""
    return json.dumps(text, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _check_provider(origin: Origin) -> None:
    from lineage.policy import catalogue

    if origin.kind is not Kind.THIRD_PARTY_MODEL_OUTPUT or not origin.provider.strip():
        return
    if not catalogue().named(origin).providers:
        raise UsageError(
            f"--provider {origin.provider} does not say whose model's output it is",
            code="PROVIDER_NOT_STATED",
            cause="it stands for nobody, or for somebody who sells models of others",
            hint="name the maker, or the model with --service; if nobody knows, leave --provider out",
        )


def _now() -> datetime:
    return datetime.now(timezone.utc)
