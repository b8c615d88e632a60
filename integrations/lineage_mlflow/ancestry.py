"""What went into a model according to MLflow, as OpenLineage events that the ledger keeps.

One event for each run that made a model: its inputs are the data of the pipeline stage it ran in, the datasets it
logged, those of its parent and child runs, and the models it used. A model input may be evaluation or ancestry, and
MLflow does not say which: it counts as ancestry, because a label too many is asked about and one too few is not.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from lineage.errors import CannotDecide
from lineage.events.event import read, run_event
from lineage.events.naming import run_id as identified_run
from lineage.gate import Gate
from lineage.vocabulary import Artifact, ArtifactType, Content, Execution, Input, Use
from lineage_mlflow import datasets
from lineage_mlflow.files import content
from lineage_mlflow.reading import Reading, parents
from lineage_mlflow.sources import Source

STAGE, ROOT, CWD, INPUTS = "lineage.dvc.stage", "lineage.dvc.root", "lineage.dvc.cwd", "lineage.dvc.inputs"
"""Run tags; ``lineage.dvc.inputs.1`` and so on continue the list where it is long."""

USES = "lineage.dvc.uses"
"""Run tag: the roles that somebody declared for calls of that stage."""

EXECUTION = "lineage.execution"
"""Run tag: the execution around the process that began the run, where somebody looked at it (`lineage.gate.begun`)."""

_RUNS = 1_000
"""Runs of one family, and models of one chain, that are followed. More is not judged."""


class Ancestry(NamedTuple):
    """A model as MLflow knows it."""

    artifact: Artifact
    """Its files."""
    events: tuple[bytes, ...]
    """What to record before it is judged."""
    missing: str = ""
    """What could not be established; then the answer is "cannot decide"."""
    hint: str = ""
    inputs: frozenset[str] = frozenset()
    """A short digest of each thing that MLflow says was read; what is added later shows (`lineage_mlflow.audit`)."""
    user: str = ""
    """Who ran the run that made it."""
    run: tuple[str, tuple[str, str]] | None = None
    """Run id and job of that run in the ledger, where there is one."""


class Reader:
    """Reads ancestries from one MLflow server.

    Args:
        gate: the project's gate.
        tracking: where its runs are.
        namespace: OpenLineage namespace of the server.
        claimed: whether clients wrote the stage tags of the runs, as on a server: they may claim more than they did.
    """

    def __init__(self, gate: Gate, tracking: Reading, namespace: str, *, claimed: bool = False) -> None:
        self.claimed = claimed
        self.awaited: list[tuple[Artifact, str]] = []
        """What clients say that stages read, and of which nobody else told so far; with the stage."""
        self.executions: dict[str, tuple[str, str]] = {}
        """Of runs the execution that each began in, and its stage."""
        self.gate = gate
        self.tracking = tracking
        self.namespace = namespace

    def of(self, source: Source, name: str, around: Sequence[Input] = ()) -> Ancestry:
        """The ancestry of what a model version points to.

        Args:
            source: what stands behind it.
            name: OpenLineage name under which it is judged (``models/seed-chat``).
            around: data inputs of the stage in which somebody registers it now.

        Raises:
            CannotDecide: the files, or a run of the family, cannot be read.
        """
        held = self._content(source)
        artifact = Artifact(self.namespace, name, held, ArtifactType.MODEL)
        if source.run is None:
            return self._unlinked(source, artifact)
        logged = self._logged(source, held)
        seen = {source.model.model_id: logged} if source.model is not None else {}
        inputs, traced, digests, events = self._read(source, seen)
        inputs = inputs or self._by_content(held)
        if not inputs:
            stage = source.run.data.tags.get(STAGE)
            if stage:
                return Ancestry(
                    artifact,
                    (),
                    f"stage {stage}, in which the run was made, declares no data that it reads",
                    "declare its data under `deps`; a download goes into a stage of its own, whose output is the data",
                )
            return Ancestry(
                artifact,
                (),
                f"run {source.run.info.run_id} says nothing of what it read",
                "run it in a stage of the pipeline, or log its data with `mlflow.log_input`",
            )
        event = self._event(source, (*inputs, *traced, *around), (logged, artifact))
        made_by = _identity(source.run.info, self.namespace)
        return Ancestry(artifact, (*events, event), inputs=frozenset(digests), user=user_of(source.run), run=made_by)

    def unseen(self, events: Sequence[bytes]) -> list[tuple[str, str]]:
        """The runs that began in an execution of which nothing is recorded yet, each with the stage.

        Args:
            events: what is going to be recorded with the judgement.
        """
        told = {each for event in events for each in _watched(event)}
        asked = [run for run, (execution, _) in self.executions.items() if execution not in told]
        found = self.gate.watched([run_uuid(run) for run in asked]) if asked else []
        return [
            (run, self.executions[run][1])
            for run, known in zip(asked, found, strict=True)
            if self.executions[run][0] not in known
        ]

    def _unlinked(self, source: Source, artifact: Artifact) -> Ancestry:
        known = self.gate.known_content(artifact.content.hash) if artifact.content else None
        if known is not None and artifact.content is not None and not artifact.content.trivial:
            return Ancestry(artifact, ())
        return Ancestry(
            artifact,
            (),
            f"{source.location} is linked to no run, and content like it was never recorded",
            "log the model in a run and register it from there: `mlflow.register_model('runs:/<run>/<name>', …)`",
        )

    def _by_content(self, held: Content) -> list[Input]:
        """Where a run says nothing: what the ledger knows each of the files to be, or nothing when one is unknown."""
        if (whole := self._known(held)) is not None:
            return [Input(whole)]
        files = [content for m in held.members if not (content := Content(m.hash, m.size)).trivial]
        found = [known for content in files if (known := self._known(content)) is not None]
        return [Input(artifact) for artifact in found] if len(found) == len(files) else []

    def _known(self, content: Content) -> Artifact | None:
        return None if content.trivial else self.gate.known_content(content.hash)

    # -- inputs ----------------------------------------------------------------------------------------------------

    def _read(
        self, source: Source, seen: dict[str, Artifact]
    ) -> tuple[list[Input], list[Input], set[str], list[bytes]]:
        """What a run and its family read; the calls that their traces tell of, which say nothing of what was read."""
        run, model = source.run, source.model
        inputs: list[Input] = []
        digests: set[str] = set()
        events: list[bytes] = []
        staged: set[tuple[str, ...]] = set()
        family = family_of(self.tracking, run)
        own = {output for member in family for output in _outputs(member)}
        tagged = [dict(member.data.tags) for member in family]
        for member, tags in zip(family, tagged, strict=True):
            if EXECUTION in tags:
                self.executions[member.info.run_id] = tags[EXECUTION], tags.get(STAGE, "")
        if model is not None:
            own.add(model.model_id)
            tagged.append(dict(model.tags))
        for tags in tagged:
            key = tuple(tags.get(k, "") for k in (STAGE, CWD, INPUTS))
            if key not in staged:
                staged.add(key)
                inputs += self._stage(tags)
        in_stage = bool(inputs)
        for member in family:
            digests.update(_digests(member))
            for logged in _datasets(member):
                inputs += self._dataset(logged, member, in_stage)
            for used in _models(member):
                if used not in own:
                    artifact, more = self._used(used, seen)
                    inputs.append(Input(artifact, Use.BASE_MODEL))
                    events += more
        if inputs and model is not None:
            inputs += self._evaluations(model, {member.info.run_id for member in family})
        traced = [one for member in family for one in self._traced(member)]
        return _distinct(inputs), traced, digests, events

    def _traced(self, run: Any) -> Sequence[Input]:
        if not (calls := self.tracking.calls(run)):
            return ()
        from lineage.gate.observed import traced

        said = "" if self.claimed else run.data.tags.get(USES, "")
        try:
            uses = [(str(pattern), Use(use)) for pattern, use in json.loads(said or "[]")]
        except (ValueError, TypeError) as error:
            raise CannotDecide(f"the tag {USES} of the run cannot be read", cause=str(error)) from error
        return traced(self.gate, calls, uses, self.namespace, f"runs/{run.info.run_id}/traces")

    def _stage(self, tags: Mapping[str, str]) -> list[Input]:
        if STAGE not in tags:
            return []
        kept = unpacked(tags)
        if kept is not None and not self.claimed:
            return kept
        self.awaited += [(one.artifact, tags[STAGE]) for one in kept or () if not self.gate.told(one.artifact)]
        # the run could not say at its start what it reads, or may have said anything: take what the stage reads now;
        # a client's directory means nothing on a server
        root = self.gate.config.root
        found = self.gate.stage_inputs(tags[STAGE], root if self.claimed else Path(tags.get(CWD) or root))
        if kept is not None:
            return [*kept, *(one for one in found or () if not self._borne_out(one, kept))]
        if found is None:
            raise CannotDecide(
                f"the run says it ran in stage {tags[STAGE]}, and no such stage is known", hint="lineagegate sync"
            )
        return list(found)

    def _borne_out(self, declared: Input, claims: Sequence[Input]) -> bool:
        """Whether a client claims an input of a stage in its role, with a content that is recorded under its name."""
        one = declared.artifact
        said = {
            claim.artifact.content.hash
            for claim in claims
            if (claim.artifact.namespace, claim.artifact.name, claim.use) == (one.namespace, one.name, declared.use)
            and claim.artifact.content
        }
        recorded = self.gate.graph.versions(one.namespace, one.name) if said else ()
        return any(version.content is not None and version.content.hash in said for version in recorded)

    def _dataset(self, logged: Any, run: Any, in_stage: bool) -> Iterator[Input]:
        role = datasets.use(datasets.tags_of(logged))
        experiment = run.info.experiment_id
        found = list(datasets.logged(logged, self.namespace, experiment, self.gate.config))
        if not found and not in_stage:
            # made in code: the data of the stage explains it, and outside a stage nothing does
            found = [datasets.unexplained(logged.dataset, self.namespace, experiment)]
        return (Input(artifact, role) for artifact in found)

    def _used(self, model_id: str, seen: dict[str, Artifact]) -> tuple[Artifact, list[bytes]]:
        from mlflow.exceptions import MlflowException

        if model_id in seen:
            return seen[model_id], []
        if len(seen) > _RUNS:
            raise CannotDecide(f"the chain of models behind {model_id} is longer than {_RUNS}")
        try:
            model = self.tracking.get_logged_model(model_id)
        except MlflowException:
            # deleted: a source that nobody speaks for, unless the ledger knows it
            return Artifact(self.namespace, f"logged-models/{model_id}", None, ArtifactType.MODEL), []
        run = _get(self.tracking, model.source_run_id) if model.source_run_id else None
        source = Source(model.artifact_location, run, model)
        artifact = seen[model_id] = self._logged(source, self._content(source))
        if run is None:
            return artifact, []
        inputs, traced, _, events = self._read(source, seen)
        return artifact, [*events, self._event(source, (*inputs, *traced), (artifact,))]

    def _evaluations(self, model: Any, family: set[str]) -> Iterator[Input]:
        """Datasets that other runs measured this model on: contact, but nothing of them is in the model (law 5)."""
        for other in {metric.run_id for metric in model.metrics or () if metric.run_id} - family:
            run = _get(self.tracking, other)
            for logged in _datasets(run) if run is not None else ():
                for artifact in datasets.logged(logged, self.namespace, run.info.experiment_id, self.gate.config):
                    yield Input(artifact, Use.EVALUATION)

    # -- outputs ---------------------------------------------------------------------------------------------------

    def _content(self, source: Source) -> Content:
        try:
            return content(source.location, self.gate.known_content)
        except CannotDecide as error:
            if error.code == "TOO_LARGE" and source.model is not None:
                # MLflow never changes a logged model: its id stands for its bytes
                return Content(f"mlflow:{source.model.model_id.removeprefix('m-')}")
            raise

    def _logged(self, source: Source, held: Content) -> Artifact:
        if source.model is not None:
            name = f"logged-models/{source.model.model_id}"
        else:
            below = source.location[len(source.run.info.artifact_uri) :].strip("/")
            name = f"runs/{source.run.info.run_id}/{below}".rstrip("/")
        return Artifact(self.namespace, name, held, ArtifactType.MODEL)

    def _event(self, source: Source, inputs: Sequence[Input], outputs: Sequence[Artifact]) -> bytes:
        return event_of(source.run.info, source.run.data.tags, self.namespace, inputs, outputs)


def user_of(run: Any) -> str:
    """Who ran a run, as MLflow knows it; empty when it does not."""
    user = str(run.data.tags.get("mlflow.user") or run.info.user_id or "")
    return "" if user == "unknown" else user  # what its client says when it was not told


def family_of(tracking: Reading, run: Any) -> list[Any]:
    """A run, those above it and those below it. Siblings made other models.

    Args:
        tracking: where runs are.
        run: MLflow's run entity.

    Raises:
        CannotDecide: one of them is gone or cannot be read, or there are too many.
    """
    family, seen, above = [run], {run.info.run_id}, parents(run.data.tags)
    while above:
        _bounded(run, family)
        one = above.pop()
        if one in seen:
            continue
        seen.add(one)
        parent = _get(tracking, one)
        if parent is None:
            raise CannotDecide(f"run {one}, in which run {run.info.run_id} is nested, is gone")
        family.append(parent)
        above += parents(parent.data.tags)
    pending = [run]
    while pending:
        for child in tracking.children(pending.pop()):
            if child.info.run_id not in seen:
                seen.add(child.info.run_id)
                family.append(child)
                pending.append(child)
        _bounded(run, family)
    return family


def _bounded(run: Any, family: list[Any]) -> None:
    if len(family) > _RUNS:
        raise CannotDecide(f"more than {_RUNS} runs are nested around run {run.info.run_id}")


def digests_of(tracking: Reading, run: Any) -> frozenset[str]:
    """What a run and its family say now that they read. See `Ancestry.inputs`."""
    return frozenset(digest for member in family_of(tracking, run) for digest in _digests(member))


def event_of(
    info: Any, tags: Mapping[str, str], namespace: str, inputs: Sequence[Input], outputs: Sequence[Artifact] = ()
) -> bytes:
    """The event of an MLflow run.

    Args:
        info: MLflow's RunInfo.
        tags: the run's tags.
        namespace: OpenLineage namespace of the server.
        inputs: what it read, as far as it is known now; later events add.
        outputs: models it made.
    """
    started = datetime.fromtimestamp((info.start_time or 0) / 1000, timezone.utc)
    run_id, job = _identity(info, namespace)
    return run_event(
        run_id=run_id,
        job=job,
        time=started.isoformat(),
        inputs=_distinct(inputs),
        outputs=outputs,
        execution=Execution(
            tool="mlflow",
            stage=tags.get(STAGE) or info.run_name or info.run_id,
            evidence="observed",
            commit=tags.get("mlflow.source.git.commit", ""),
            key=info.run_id,
            author=info.user_id or "",
        ),
    )


def _identity(info: Any, namespace: str) -> tuple[str, tuple[str, str]]:
    return run_uuid(info.run_id), (namespace, f"experiments/{info.experiment_id}")


def packed(inputs: Sequence[Input]) -> dict[str, str]:
    """Inputs as run tags: the names, content keys and roles, without the members of directories."""
    rows = [
        [i.artifact.namespace, i.artifact.name, i.artifact.content.hash if i.artifact.content else "", i.use.value]
        for i in inputs
    ]
    pages: list[list[list[str]]] = [[]]
    for row in rows:
        if len(json.dumps([*pages[-1], row])) > 5_000:  # MLflow cuts a tag at 5,000 or 8,000 characters, by store
            pages.append([])
        pages[-1].append(row)
    return {INPUTS if n == 0 else f"{INPUTS}.{n}": json.dumps(page) for n, page in enumerate(pages)}


def unpacked(tags: Mapping[str, str]) -> list[Input] | None:
    """The inverse of `packed`; None when the tags say nothing.

    Raises:
        CannotDecide: the tags cannot be read.
    """
    if INPUTS not in tags:
        return None
    found, number, text = list[Input](), 0, tags.get(INPUTS)
    try:
        while text is not None:
            for namespace, name, key, role in json.loads(text):
                found.append(Input(Artifact(namespace, name, Content(key) if key else None), Use(role)))
            number += 1
            text = tags.get(f"{INPUTS}.{number}")
    except (ValueError, TypeError) as error:
        raise CannotDecide(f"the tag {INPUTS} of the run cannot be read", cause=str(error)) from error
    return found


def _watched(data: bytes) -> tuple[str, ...]:
    run = read(data).run
    facet = run.facets.observation if run and run.facets else None
    return facet.observation.executions if facet else ()


def run_uuid(run: str) -> str:
    """What events call a run of MLflow."""
    try:
        return str(uuid.UUID(hex=run))
    except ValueError:
        return identified_run("mlflow", run)


def _get(tracking: Reading, run_id: str) -> Any:
    """A run, or None when there is no such run. That it cannot be read is another matter (law 10)."""
    from mlflow.exceptions import MlflowException

    try:
        return tracking.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise CannotDecide(f"run {run_id} cannot be read", cause=str(error)) from error


def _datasets(run: Any) -> Sequence[Any]:
    return run.inputs.dataset_inputs if run.inputs else ()


def _models(run: Any) -> list[str]:
    return [used.model_id for used in (run.inputs.model_inputs if run.inputs else ())]


def _outputs(run: Any) -> list[str]:
    return [made.model_id for made in (run.outputs.model_outputs if run.outputs else ())]


def _digests(run: Any) -> Iterator[str]:
    """One short digest for each input and each tag of ours that a run shows."""
    made = set(_outputs(run))
    said = [(k, v) for k, v in run.data.tags.items() if k.startswith("lineage.dvc.")]
    for logged in _datasets(run):
        tags = sorted((k, v) for k, v in datasets.tags_of(logged).items() if k != "lineage.origin")
        said.append((f"{logged.dataset.name} {logged.dataset.digest}", json.dumps(tags)))
    said += [("model", used) for used in _models(run) if used not in made]
    for key, value in said:
        text = f"{run.info.run_id}\0{key}\0{value}"
        yield hashlib.sha256(text.encode()).hexdigest()[:16]


def _distinct(inputs: Sequence[Input]) -> list[Input]:
    """Inputs once each, in order."""
    kept: dict[tuple[str, str, str, Use], Input] = {}
    for one in inputs:
        artifact = one.artifact
        key = (artifact.namespace, artifact.name, artifact.content.hash if artifact.content else "", one.use)
        if key not in kept or (artifact.content and artifact.content.members):
            kept[key] = one
    return list(kept.values())
