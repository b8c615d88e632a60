"""The use cases in one place: record, sync, declare, judge, ask. What integrations and the command line call.

Every answer is computed from the ledger, every change is an event in it. Files that belong to a pipeline (`.dvc`,
`dvc.yaml`) are read and written by that pipeline (`lineage.pipeline`); registries of models are read by theirs.
Everything raises `LineageError`; nothing here decides that an unreadable thing is harmless.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from lineage.config import Config, load
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events import naming
from lineage.events.event import act_event, dataset_event
from lineage.evidence.text import decision_text
from lineage.graph import Graph, Impact, ImpactItem, Labels, Status
from lineage.pipeline import Notice, Pipeline, Progress, RegisteredVersion, Registry, Target
from lineage.store import Store, create_store, open_store
from lineage.vocabulary import Artifact, ArtifactType, Decision, Grant, Input, Kind, Label, Origin, Scope, Step, Tag
from lineage.vocabulary.identifier import from_short, new_uuid, short

if TYPE_CHECKING:
    from lineage.policy import Policy


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


class Answer(NamedTuple):
    """What an artifact carries and why."""

    artifact: Artifact
    labels: Labels
    paths: Mapping[Label, tuple[Step, ...]]
    """One shortest path for each label, source first."""


class AuditFinding(NamedTuple):
    """One registered version that the ledger does not account for."""

    registry: str
    model: str
    version: str
    code: str
    """``NO_DECISION``, ``NOT_ALLOWED``, ``OTHER_CONTENT``, ``NOW_REFUSED``, ``LATE_INPUT`` or ``TAG_EDITED``."""
    message: str
    hint: str = ""


class Gate:
    """One project's ledger, graph, policy and pipelines.

    Args:
        config: the settings.
        graph: the store's graph.
    """

    def __init__(self, config: Config, graph: Graph) -> None:
        self.config = config
        self.graph = graph
        self._policy: tuple[_Marks, Policy] | None = None

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
                        f"{config.file} names another {key}",
                        code="CONFIG_CONTRADICTS",
                        cause=f"{said!r} there, {wanted!r} here",
                        hint=f"change `{key}` in the file; nothing was changed",
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
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The installed pipelines that have something to read here."""
        found: Iterable[Pipeline] = (plugin(self.config) for plugin in _plugins("lineagegate.pipelines"))
        return tuple(pipeline for pipeline in found if pipeline.detect())

    @cached_property
    def registries(self) -> tuple[Registry, ...]:
        """The installed registries of models."""
        return tuple(plugin(self.config) for plugin in _plugins("lineagegate.registries"))

    def refresh(self, progress: Progress | None = None) -> tuple[int, int, int]:
        """Read what the pipelines have recorded since last time.

        Returns:
            Commits and executions read, events added.
        """
        commits = executions = 0
        before = self.graph.position()
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
        return commits, executions, self.graph.position() - before

    def sync(self, progress: Progress | None = None) -> SyncReport:
        """`refresh`, and what a person should know afterwards."""
        commits, executions, events = self.refresh(progress)
        return SyncReport(
            commits, executions, events, self.graph.status(), tuple(self.undeclared()), tuple(self.notices())
        )

    def notices(self) -> list[Notice]:
        """What the pipelines want a person to look at."""
        return [notice for pipeline in self.pipelines for notice in pipeline.notices()]

    def running(self, cwd: Path, environment: Mapping[str, str]) -> tuple[str, tuple[Input, ...]] | None:
        """The stage going on around a process: its address and its data inputs with the hashes they have now."""
        known = self.graph.known_content
        return next((found for p in self.pipelines if (found := p.running(cwd, environment, known))), None)

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

    @cached_property
    def user(self) -> str:
        """Who speaks: ``user`` of the settings, else git's name and address, else the login name."""
        if self.config.user:
            return self.config.user
        name, mail = _git(self.config.root, "user.name"), _git(self.config.root, "user.email")
        if name or mail:
            return f"{name} <{mail}>".strip()
        return os.environ.get("USER") or os.environ.get("USERNAME") or "unknown"

    def declare(
        self,
        text: str,
        origin: Origin | None,
        *,
        uses: Mapping[str, str] | None = None,
        reason: str = "",
        evidence: str = "",
    ) -> Sequence[Target]:
        """Put an origin on a source (and uses on a stage's inputs), in the pipeline's own files where it has any.

        Args:
            text: a `.dvc` file, an output, a stage address, a URI, ``models:/…``, a content key.
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
        tag = Tag(origin, by=self.user, reason=reason, evidence=evidence) if origin else None
        for pipeline in self.pipelines:
            if pipeline.targets(text):
                targets = pipeline.declare(text, tag, uses or {})
                self.refresh()
                return targets
        if tag is None:
            raise UsageError(f"no stage called {text!r}", code="TARGET_UNKNOWN", hint="`dvc stage list` names them")
        artifact = self.resolve(text)
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
        grant = replace(grant, withdrawn=True)
        self.record([act_event(grant, run_id=str(new_uuid()), time=_now().isoformat())])
        return grant

    # -- the question in the middle --------------------------------------------------------------------------------

    def policy(self) -> Policy:
        """The policy file, read again when it changed.

        Raises:
            UsageError: it is missing or not valid.
        """
        from lineage.policy import load_policy

        paths = self._policy[1].paths if self._policy else (self.config.policy_path,)
        marks = _marks(paths)  # before the files are read: a change in between is then seen next time
        if self._policy is None or self._policy[0] != marks:
            loaded = load_policy(self.config.policy_path)
            self._policy = (marks if loaded.paths == paths else (), loaded)
        return self._policy[1]

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
    ) -> Decision:
        """Decide about one model, and record the decision before it is returned.

        Args:
            artifact: what is to be registered or promoted, already recorded with its lineage; None when unknown.
            model: registered model name that rules match on.
            subject: what people call it (``models:/seed-chat/3``).
            action: ``register``, ``alias``, ``stage``, ``rename`` or ``copy``.
            attributes: what the action adds (``stage``, ``alias``). What the model is for comes from the policy alone.
            missing: what could not be established; then the answer is "cannot decide".
            hint: the command that helps with it.

        Returns:
            The recorded decision. `Decision.blocks` says whether the action may go on.
        """
        decision = self._decide(artifact, model, subject, action, attributes or {}, missing, hint)
        self.record([act_event(decision, run_id=str(from_short(decision.id)), time=decision.time, subject=artifact)])
        return decision

    def check(self, text: str, *, model: str = "", attributes: Mapping[str, str] | None = None) -> Decision:
        """What the gate would say of an artifact now. Nothing is recorded.

        Args:
            text: anything `resolve` takes.
            model: registered model name to judge it under; by default its own.
            attributes: as in `judge`.
        """
        artifact = self.resolve(text)
        subject = naming.display(artifact.namespace, artifact.name)
        name = model or (artifact.name.split("/")[1] if artifact.name.startswith("models/") else artifact.name)
        return self._decide(artifact, name, subject, "check", attributes or {}, "", "")

    def _decide(
        self,
        artifact: Artifact | None,
        model: str,
        subject: str,
        action: str,
        attributes: Mapping[str, str],
        missing: str,
        hint: str,
    ) -> Decision:
        from lineage.policy import cannot_decide, decide

        policy, at, identity = self.policy(), _now(), short(new_uuid())
        try:
            if artifact is None or missing:
                raise CannotDecide(missing or "nothing is known of it", hint=hint)
            labels = self.graph.labels(artifact)
        except CannotDecide as unknown:
            return cannot_decide(
                model=model, subject=subject, action=action, reason=unknown.message, hint=unknown.hint or hint,
                policy=policy, at=at, position=self.graph.position(), id=identity, by=self.user, attributes=attributes,
            )  # fmt: skip
        decision = decide(
            labels=labels.labels, sources=labels.sources, model=model, subject=subject, action=action,
            attributes=attributes, policy=policy, grants=self.graph.grants(), at=at, position=labels.position,
            id=identity, by=self.user,
        )  # fmt: skip
        if not decision.findings:
            return decision
        paths = self.graph.paths(artifact, {finding.label for finding in decision.findings})
        return replace(
            decision,
            findings=tuple(replace(f, path=paths.get(f.label, ())) for f in decision.findings),
        )

    def explain(self, decision: Decision) -> str:
        """A decision as people read it."""
        return decision_text(decision)

    # -- questions -------------------------------------------------------------------------------------------------

    def resolve(self, text: str) -> Artifact:
        """The artifact a person means.

        Args:
            text: a path, a `.dvc` file, a stage output, ``models:/name[/version]``, ``runs:/id/path``, a URI or a
                content key ``md5:…``.

        Raises:
            CannotDecide: nothing by that name is recorded.
        """
        for pipeline in self.pipelines:
            targets = pipeline.targets(text)
            if len(targets) > 1:
                names = ", ".join(naming.display(t.artifact.namespace, t.artifact.name) for t in targets)
                raise UsageError(
                    f"{text} stands for several artifacts: {names}", code="TARGET_AMBIGUOUS", hint="name one"
                )
            if targets and targets[0].artifact.content is not None:
                return targets[0].artifact
            # an output whose stage failed has a file and no lock entry: what lies there may be known by its content
            if (located := pipeline.locate(text)) is not None:
                return located
            if targets:
                return targets[0].artifact
        found = self._recorded(text)
        if found is None:
            raise CannotDecide(
                f"nothing is recorded of {text!r}",
                code="ARTIFACT_UNKNOWN",
                hint="`lineagegate sync` reads what the pipeline did; `lineagegate status` lists what is known",
            )
        return found

    def _recorded(self, text: str) -> Artifact | None:
        """What the ledger holds under a content key, a URI, or a name that `lineage.events.naming` makes."""
        if (found := self.graph.find_content(text)) is not None:
            return found
        scheme, _, rest = text.partition(":/")
        name = {"models": f"models/{rest}", "runs": f"runs/{rest}"}.get(scheme, text)
        name = f"logged-models/{rest}" if scheme == "models" and rest.startswith("m-") else name
        if "://" in text and (found := self.graph.find(*naming.from_uri(text))) is not None:
            return found
        if (found := self.graph.find(naming.dvc_namespace(self.config.project), name)) is not None:
            return found
        if (found := self.graph.find("file", str(self.config.root / text))) is not None:
            return found  # a file that no pipeline tracks is known by its absolute path
        exact = [row for row in self.graph.names(prefix=name) if row.name == name]
        if not exact and scheme == "models" and "/" not in rest:  # a model without a version: its newest
            numbered = [row for row in self.graph.names(prefix=f"{name}/") if row.name.rpartition("/")[2].isdigit()]
            exact = sorted(numbered, key=lambda row: int(row.name.rpartition("/")[2]))[-1:]
        if len(exact) > 1:
            names = ", ".join(f"{row.namespace}/{row.name}" for row in exact)
            raise UsageError(
                f"{text} stands for several artifacts", code="TARGET_AMBIGUOUS", cause=names, hint="name one"
            )
        return self.graph.find(exact[0].namespace, exact[0].name) if exact else None

    def labels(self, artifact: Artifact) -> Labels:
        """Every label an artifact carries. See `lineage.graph.Graph.labels`."""
        return self.graph.labels(artifact)

    def known_content(self, key: str) -> Artifact | None:
        """The artifact recorded with a content key, if any."""
        return self.graph.find_content(key)

    def why(self, text: str, *, origin: str = "") -> Answer:
        """What an artifact carries, and one shortest path for each label.

        Args:
            text: anything `resolve` takes.
            origin: only labels whose kind, provider, service or channel contains this text.
        """
        artifact = self.resolve(text)
        labels = self.graph.labels(artifact)
        chosen = {label for label in labels.labels if _speaks_of(label.origin, origin)}
        return Answer(artifact, labels, self.graph.paths(artifact, chosen))

    def impact(self, artifact: Artifact) -> Impact:
        """Everything downstream of an artifact: registered versions first, then other models, then datasets.

        A version is a name that was given to content after a run had made it, so no run leads to it; it is found by its
        content. What was judged under a model's name and became a version is listed as that version alone.
        """
        found = self.graph.impact(artifact)
        far = {i.artifact.content.hash: i.distance for i in found.items if i.artifact.content}
        versions: list[ImpactItem] = []
        for row in self.graph.names(prefix="models/", models=True):
            if row.name.rpartition("/")[2].isdigit():
                version = self.graph.find(row.namespace, row.name)
                if version is not None and version.content is not None and version.content.hash in far:
                    versions.append(ImpactItem(version, far[version.content.hash]))
        named = {v.artifact.content.hash for v in versions if v.artifact.content}
        shown = {(v.artifact.namespace, v.artifact.name) for v in versions}
        rest = [
            item
            for item in found.items
            if (item.artifact.namespace, item.artifact.name) not in shown
            and not (
                item.artifact.namespace.startswith("mlflow://")
                and (item.artifact.content and item.artifact.content.hash) in named
            )
        ]
        models = sum(item.artifact.type is ArtifactType.MODEL for item in rest)
        return Impact((*versions, *rest), len(versions) + models, len(rest) - models)

    def decisions(self, model: str | None = None) -> list[Decision]:
        """Recorded decisions, newest first."""
        return self.graph.decisions(model)

    def decision(self, identity: str) -> Decision | None:
        """A recorded decision by its id."""
        return self.graph.decision(identity)

    def audit(self) -> tuple[int, list[AuditFinding]]:
        """Compare every version in the registries with the recorded decisions.

        Returns:
            How many versions were read, and those that the ledger does not account for.
        """
        self.refresh()
        decisions = {decision.id: decision for decision in self.graph.decisions()}
        count, findings = 0, list[AuditFinding]()
        for registry in self.registries:
            for version in registry.versions():
                count += 1
                for code, message, hint in self._audit(version, decisions):
                    findings.append(AuditFinding(registry.name, version.model, version.version, code, message, hint))
        return count, findings

    def _audit(self, version: RegisteredVersion, decisions: Mapping[str, Decision]) -> Iterable[tuple[str, str, str]]:
        name = f"models:/{version.model}/{version.version}"
        if version.exempt:
            return
        decision = decisions.get(version.decision)
        if decision is None or decision.model != version.model:
            said = "names a decision that is not in the ledger" if version.decision else "has no recorded decision"
            yield "NO_DECISION", f"{name} {said}: it came around the gate", f"lineagegate check {name}"
        elif decision.blocks:
            yield "NOT_ALLOWED", f"{name} exists although decision {decision.id} refused it", f"lineagegate why {name}"
        for code, message in version.anomalies:
            yield code, f"{name}: {message}", f"lineagegate check {name}"
        artifact = version.artifact
        if artifact is None:
            return
        judged = self.graph.judged(decision.id) if decision else None
        known = self.graph.find(judged.namespace if judged else artifact.namespace, artifact.name)
        if decision is not None and known is None:
            # tags can be copied from another version, an entry of the ledger cannot
            yield (
                "NO_DECISION",
                f"{name} carries decision {decision.id} and is not in the ledger under its own number: it was made "
                "around the gate with the tags of another version, or the ledger failed as it was made",
                f"lineagegate check {name}",
            )
        if any(_differ(artifact, other) for other in (known, judged)):
            yield "OTHER_CONTENT", f"the files of {name} are not those that were judged", f"lineagegate why {name}"
        elif decision is not None and known is not None:
            now = self._decide(known, version.model, name, "check", {}, "", "")
            if now.blocks and not decision.blocks:
                yield (
                    "NOW_REFUSED",
                    f"{name} was let through and would be refused today: {now.reason}",
                    f"lineagegate check {name}",
                )

    def undeclared(self) -> list[Artifact]:
        """Sources with no declared origin, those that models rest on first."""
        return [source.artifact for source in self.graph.undeclared()]

    def status(self) -> Status:
        """Counts of what the ledger holds."""
        return self.graph.status()

    def commits(self) -> int:
        """How many commits of this project were ever read."""
        keys = (f"pipeline/{pipeline.name}/{self.config.project}/commits" for pipeline in self.pipelines)
        return sum(int(self.graph.state(key) or 0) for key in keys)


def _graph(config: Config, store: Store) -> Graph:
    accept = config.extra.get("ledger", {}).get("accept_clock", False)
    if not isinstance(accept, bool):
        raise UsageError(
            f"{config.file}: [ledger] accept_clock is true or false", code="CONFIG_INVALID", cause=repr(accept)
        )
    return Graph(store, accept_clock=accept)


def _differ(one: Artifact, other: Artifact | None) -> bool:
    """Whether two artifacts hold other bytes, as far as their keys can be compared."""
    if other is None or one.content is None or other.content is None:
        return False
    here, there = one.content.hash, other.content.hash
    return here != there and here.partition(":")[0] == there.partition(":")[0]


def _speaks_of(origin: Origin, text: str) -> bool:
    fields = (origin.kind.value, origin.provider, origin.service, origin.channel, origin.terms, origin.licence)
    return not text or any(text.lower() in field.lower() for field in fields)


def _plugins(group: str) -> list[Any]:
    found: list[Any] = []
    for entry in entry_points(group=group):
        try:
            found.append(entry.load())
        except ImportError as error:
            # dvc and mlflow are extras: their absence is no fault, anything else missing is
            if (error.name or "").split(".")[0] in ("dvc", "mlflow", "ruamel"):
                continue
            raise LineageError(
                f"the plugin {entry.name} does not load",
                code="PLUGIN_BROKEN",
                cause=str(error),
                hint="lineagegate doctor",
            ) from error
    return found


def _git(root: Path, key: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(root), "config", key],  # noqa: S607 - git is found on PATH as everywhere
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _quoted(text: str) -> str:
    """A TOML string; JSON's strings are a subset of them."""
    return json.dumps(text, ensure_ascii=False)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


_Marks = tuple[tuple[int, int] | None, ...]


def _marks(paths: Iterable[Path]) -> _Marks:
    """When files were written last and how long they are; None for one that is not there."""
    marks: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((stat.st_mtime_ns, stat.st_size))
    return tuple(marks)


def _now() -> datetime:
    return datetime.now(timezone.utc)
