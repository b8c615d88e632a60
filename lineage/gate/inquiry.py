"""The questions, about the record as it stands: what an artifact carries, why, what follows from it, what the gate
would say. Reads only. `lineage.gate.Gate` adds everything that records; `lineage.gate.past` asks at another time.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from lineage.config import Config
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.events import naming
from lineage.evidence.layout import when
from lineage.evidence.text import decision_text
from lineage.gate.address import page_of, url_of
from lineage.gate.life import registered
from lineage.graph import Cut, Graph, Impact, ImpactItem, Labels, Status
from lineage.pipeline import Pipeline, Target
from lineage.vocabulary import Artifact, ArtifactType, Decision, Label, Origin, Step, Use
from lineage.vocabulary.identifier import new_uuid, short

if TYPE_CHECKING:
    from lineage.evidence.case import Case
    from lineage.graph.seals import Seals
    from lineage.policy import Policy


class Answer(NamedTuple):
    """What an artifact carries and why."""

    artifact: Artifact
    labels: Labels
    paths: Mapping[Label, tuple[Step, ...]]
    """One shortest path for each label, source first."""
    cuts: Sequence[Cut] = ()
    """What it would carry if no removal were in force."""


class Inquiry:
    """One project's record, to be asked.

    Args:
        config: the settings.
        graph: the store's graph.
    """

    as_of: datetime | None = None
    """What was true then is asked for; None: now."""
    known_at: datetime | None = None
    """What had been recorded by then is asked for; None: everything."""

    def __init__(self, config: Config, graph: Graph) -> None:
        self.config = config
        self._graph = graph
        self._policy: tuple[Marks, Policy] | None = None

    @property
    def graph(self) -> Graph:
        """The whole record. `over` is enough, and fast at any time, where it is known what will be asked about."""
        return self._graph

    def over(self, *artifacts: Artifact, downstream: bool = False) -> Graph:  # noqa: ARG002 - the present needs no telling
        """The record, to be asked about these artifacts and about what people said. See `lineage.graph.Graph.as_of`.

        Args:
            artifacts: whose labels, paths and versions are asked for; one without content stands for its name.
            downstream: what follows from them is asked for, too.
        """
        return self._graph

    @property
    def times(self) -> tuple[str, str]:
        """The times that are asked about (as of, known at), ISO 8601; empty where it is now, or everything."""
        return (
            self.as_of.isoformat() if self.as_of else "",
            self.known_at.isoformat() if self.known_at else "",
        )

    @property
    def moment(self) -> datetime:
        """The time that is judged at: rules and grants have dates. UTC."""
        return datetime.now(timezone.utc)

    @property
    def seals(self) -> Seals:
        """The checkpoints of the record."""
        return self.graph.seals

    @cached_property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """The installed pipelines that have something to read here."""
        found: Iterable[Pipeline] = (plugin(self.config) for plugin in plugins("lineagegate.pipelines"))
        return tuple(pipeline for pipeline in found if pipeline.detect())

    @cached_property
    def user(self) -> str:
        """Who speaks: ``user`` of the settings, else git's name and address, else the login name."""
        if self.config.user:
            return self.config.user
        name, mail = _git(self.config.root, "user.name"), _git(self.config.root, "user.email")
        if name or mail:
            return f"{name} <{mail}>".strip()
        return os.environ.get("USER") or os.environ.get("USERNAME") or "unknown"

    def policy(self) -> Policy:
        """The policy file, read again when it changed.

        Raises:
            UsageError: it is missing or not valid.
        """
        from lineage.policy import load_policy

        paths = self._policy[1].paths if self._policy else (self.config.policy_path,)
        now = marks(paths)  # before the files are read: a change in between is then seen next time
        if self._policy is None or self._policy[0] != now:
            loaded = load_policy(self.config.policy_path)
            self._policy = (now if loaded.paths == paths else (), loaded)
        return self._policy[1]

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
        return self.decide(artifact, name, subject, "check", attributes or {}, "", "")

    def decide(
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

        policy, at, identity = self.policy(), self.moment, short(new_uuid())
        graph = self.over(artifact) if artifact else self.over()
        try:
            if artifact is None or missing:
                raise CannotDecide(missing or "nothing is known of it", hint=hint)
            labels = graph.labels(artifact)
        except CannotDecide as unknown:
            return cannot_decide(
                model=model, subject=subject, action=action, reason=unknown.message, hint=unknown.hint or hint,
                policy=policy, at=at, position=graph.position(), id=identity, by=self.user, attributes=attributes,
            )  # fmt: skip
        decision = decide(
            labels=labels.labels, sources=labels.sources, model=model, subject=subject, action=action,
            attributes=attributes, policy=policy, grants=graph.grants(), at=at, position=labels.position,
            id=identity, by=self.user, evidence=graph.executions(artifact).evidence if policy.requirements else None,
        )  # fmt: skip
        if not decision.findings:
            return decision
        paths = graph.paths(artifact, {finding.label for finding in decision.findings})
        return replace(
            decision,
            findings=tuple(replace(f, path=paths.get(f.label, ())) for f in decision.findings),
        )

    def explain(self, decision: Decision) -> str:
        """A decision as people read it, with the address of its page."""
        return decision_text(decision, page_at=self.page(decision))

    def page(self, decision: Decision) -> str:
        """Where people read a recorded decision; empty where no server is named."""
        return page_of(self.pages, decision.id)

    @property
    def pages(self) -> str:
        """Where people reach the server that has this record's pages; empty: nowhere."""
        return url_of(self.config)

    def resolve(self, text: str, *, whole_model: bool = False) -> Artifact:
        """The artifact a person means.

        Args:
            text: a path, a `.dvc` file, a stage output, ``models:/name[/version]``, ``runs:/id/path``, a URI or a
                content key ``md5:…``.
            whole_model: a registered model without a version is meant as a whole: what was recorded of it last stands
                for it.

        Raises:
            UsageError: ``MODEL_AMBIGUOUS``, a model without a version has several; ``TARGET_AMBIGUOUS``.
            CannotDecide: nothing by that name is recorded.
        """
        for pipeline in self.pipelines:
            target = target_of(pipeline, text)
            if target and target.artifact.content is not None:
                return target.artifact
            # an output whose stage failed has a file and no lock entry: what lies there may be known by its content
            if (located := pipeline.locate(text)) is not None:
                return located
            if target:
                return target.artifact
        found = self._recorded(text, whole_model=whole_model)
        if found is None:
            raise self._unknown(text)
        return found

    def _unknown(self, text: str) -> CannotDecide:
        return CannotDecide(
            f"nothing is recorded of {text!r}{when(*self.times)}",
            code="ARTIFACT_UNKNOWN",
            hint="`lineagegate sync` reads what the pipeline did; `lineagegate status` lists what is known",
        )

    def _recorded(self, text: str, *, whole_model: bool) -> Artifact | None:
        """What the ledger holds under a content key, a URI, or a name that `lineage.events.naming` makes."""
        graph = self.over(*self._meant(text))
        if (found := graph.find_content(text)) is not None:
            return found
        for namespace, name in self._places(text):
            if (found := graph.find(namespace, name)) is not None:
                return found
        name = recorded_name(text)
        exact = [row for row in graph.names(prefix=name) if row.name == name]
        if model_without_version(text) and not (whole_model and exact):
            numbered = [row for row in graph.names(prefix=f"{name}/") if row.name.rpartition("/")[2].isdigit()]
            numbered.sort(key=lambda row: int(row.name.rpartition("/")[2]))
            if len(numbered) > 1 and not whole_model:  # what is true of one need not be true of another
                raise UsageError(
                    f"{text} has {len(numbered)} versions",
                    code="MODEL_AMBIGUOUS",
                    cause=", ".join(dict.fromkeys(naming.display(row.namespace, row.name) for row in numbered)),
                    hint=f"name one; `lineagegate history {text}` tells of all",
                )
            exact = numbered[-1:] or exact  # what was refused before there was a version has the model's name alone
        if len(exact) > 1:
            names = ", ".join(f"{row.namespace}/{row.name}" for row in exact)
            raise UsageError(
                f"{text} stands for several artifacts", code="TARGET_AMBIGUOUS", cause=names, hint="name one"
            )
        return graph.find(exact[0].namespace, exact[0].name) if exact else None

    def _meant(self, text: str) -> Iterable[Artifact]:  # noqa: ARG002 - the present needs no telling
        """Everything that `_recorded` asks about."""
        return ()

    def _places(self, text: str) -> list[tuple[str, str]]:
        """The names that a text stands for, the likeliest first."""
        places = [naming.from_uri(text)] if "://" in text else []
        # a file that no pipeline tracks is known by its absolute path
        return [
            *places,
            (naming.dvc_namespace(self.config.project), recorded_name(text)),
            ("file", str(self.config.root / text)),
        ]

    def labels(self, artifact: Artifact) -> Labels:
        """Every label an artifact carries. See `lineage.graph.Graph.labels`."""
        return self.over(artifact).labels(artifact)

    def known_content(self, key: str) -> Artifact | None:
        """The artifact recorded with a content key, if any."""
        return self.graph.find_content(key)

    def told(self, artifact: Artifact) -> bool:
        """Whether a pipeline or a person told of an artifact: more than that a registry's run read it."""
        return self.graph.told(artifact)

    def watched(self, run_ids: Sequence[str]) -> list[frozenset[str]]:
        """Of each run the executions around it of which it is recorded what was seen (`Observation.executions`)."""
        return self.graph.watched(run_ids)

    def why(self, text: str, *, origin: str = "") -> Answer:
        """What an artifact carries, and one shortest path for each label.

        Args:
            text: anything `resolve` takes.
            origin: only labels whose kind, provider, service or channel contains this text.
        """
        artifact = self.resolve(text)
        graph = self.over(artifact)
        labels = graph.labels(artifact)
        speaks = _speaker(origin)
        chosen = {label for label in labels.labels if speaks(label.origin)}
        cuts = [cut for cut in graph.cuts(artifact) if speaks(cut.label.origin)]
        return Answer(artifact, labels, graph.paths(artifact, chosen), cuts)

    def case(self, text: str, origin: str = "") -> Case:
        """What the record says of a model and an origin, with everything that it rests on. Nothing is recorded.

        Args:
            text: anything `resolve` takes.
            origin: text in kind, provider, service, channel, reseller, terms or licence; empty: every origin.

        Raises:
            CannotDecide: nothing is recorded of the model, or its lineage cannot be read.
        """
        from lineage.gate.case import Examination
        from lineage.gate.wanted import Wanted

        return Examination(self, text, Wanted(origin)).case()

    def origins(self) -> list[Origin]:
        """Every origin ever recorded, whatever time is asked about: what words can mean."""
        return self._graph.origins()

    def impact(self, artifact: Artifact) -> Impact:
        """Everything downstream of an artifact: registered versions first, then other models, then datasets.

        A version is a name that was given to content after a run had made it, so no run leads to it; it is found by its
        content. What was judged under a model's name and became a version is listed as that version alone.
        """
        graph = self.over(artifact, downstream=True)
        found = graph.impact(artifact)
        far: dict[str, ImpactItem] = {}
        for item in found.items:  # content may have several names: all of them are reached as any of them is
            if item.artifact.content:
                other = far.get(item.artifact.content.hash, item)
                uses = {*other.uses, *item.uses}
                nearest = min(other.distance, item.distance)
                far[item.artifact.content.hash] = ImpactItem(item.artifact, nearest, tuple(u for u in Use if u in uses))
        versions = [
            ImpactItem(version, *far[version.content.hash][1:])
            for version in registered(graph, far)
            if version.content is not None and version.content.hash in far
        ]
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
        about = () if model is None else (Artifact("", naming.model_name(model)),)
        return self.over(*about).decisions(model)

    def decision(self, identity: str) -> Decision | None:
        """A recorded decision by its id."""
        return self.over().decision(identity)

    def undeclared(self) -> list[Artifact]:
        """Sources with no declared origin, those that models rest on first."""
        return [source.artifact for source in self.graph.undeclared()]

    def status(self) -> Status:
        """Counts of what the ledger holds."""
        return self.graph.status()


def judged_elsewhere(config: Config) -> bool:
    """Whether the settings say that the team's server judges registrations."""
    return bool(config.extra.get("team", {}).get("gate", "here") != "here")


def decided_here(config: Config) -> None:
    """Refuse to answer from this ledger where another one has the decisions.

    Raises:
        CannotDecide: ``JUDGED_ELSEWHERE``.
    """
    if judged_elsewhere(config):
        raise CannotDecide(
            "registrations here are judged by the team's server, and their decisions are in its ledger",
            code="JUDGED_ELSEWHERE", hint="run it in the server's directory, with registry_uri under [mlflow] there",
        )  # fmt: skip


def recorded_name(text: str) -> str:
    """The name that `lineage.events.naming` gives to what a person calls so."""
    scheme, _, rest = text.partition(":/")
    if scheme == "models" and rest.startswith("m-"):
        return f"logged-models/{rest}"
    return {"models": f"models/{rest}", "runs": f"runs/{rest}"}.get(scheme, text)


def model_without_version(text: str) -> bool:
    """Whether a text names a registered model without a version."""
    scheme, _, rest = text.partition(":/")
    return scheme == "models" and "/" not in rest


def _speaker(text: str) -> Callable[[Origin], bool]:
    """Whether an origin speaks of a text (`lineage.gate.wanted`)."""
    if not text:
        return lambda _: True
    from lineage.gate.wanted import Wanted
    from lineage.policy import catalogue

    wanted, names = Wanted(text), catalogue()
    return lambda origin: wanted.speaks_of(origin, names) is True


def target_of(pipeline: Pipeline, text: str) -> Target | None:
    """What a pipeline knows under a name that a person typed.

    Raises:
        UsageError: ``TARGET_AMBIGUOUS``, it is more than one thing.
    """
    targets = pipeline.targets(text)
    if len(targets) > 1:
        names = ", ".join(naming.display(t.artifact.namespace, t.artifact.name) for t in targets)
        raise UsageError(f"{text} stands for several artifacts: {names}", code="TARGET_AMBIGUOUS", hint="name one")
    return targets[0] if targets else None


def plugins(group: str) -> list[Any]:
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


Marks = tuple[tuple[int, int] | None, ...]


def marks(paths: Iterable[Path]) -> Marks:
    """When files were written last and how long they are; None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size))
    return tuple(found)
