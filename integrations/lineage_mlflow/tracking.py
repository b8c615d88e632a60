"""Facts of a run as they are logged: the stage it runs in, and what each dataset input was at that moment.

What a run reads is recorded in the ledger at once, so that a tag edited or an input deleted later takes nothing away,
and shown in MLflow as input tags and a run tag. ``lineage.*`` tags are written here and by nobody else. Tracking is
not the gate: where our side fails, MLflow goes on and the log says so; the registration has to know from elsewhere.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lineage.errors import LineageError
from lineage.events.naming import mlflow_namespace
from lineage.gate import Gate
from lineage.gate.begun import begun, execution
from lineage.vocabulary import Artifact, Input, Kind, Origin
from lineage_mlflow import datasets
from lineage_mlflow.ancestry import CWD, EXECUTION, ROOT, STAGE, USES, event_of, packed, run_uuid
from lineage_mlflow.reading import KEPT, PARENT, parents
from lineage_mlflow.session import is_server, running, session
from lineage_mlflow.swap import Act, guard, nested

_log = logging.getLogger("lineagegate")

RESERVED = "lineage."
ORIGIN, ORIGINS = "lineage.origin", "lineage.origins"
"""Tag of an input, and of a run: the origins known when a dataset was logged, for people who look at MLflow's pages."""


def noting(store: Any, store_uri: str) -> Any:
    """Change a tracking store so that it notes what is logged.

    Args:
        store: what MLflow's builder returned.
        store_uri: tracking URI.
    """
    namespace = mlflow_namespace(store_uri)
    remote = store_uri.startswith(("http:", "https:"))

    def with_namespace(act: Callable[[Any, Any, Any, str], Any]) -> Act:
        def run(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
            call.apply_defaults()
            return act(store, original, call, mlflow_namespace("") if is_server(store) else namespace)

        return run

    acts: dict[str, Act] = {
        "create_run": with_namespace(_create_run),
        "create_logged_model": _create_logged_model,
        "log_inputs": with_namespace(_log_inputs),
    }
    if not remote:
        # a server keeps its own tags; from outside, the client's own writes go through here as well
        acts |= dict.fromkeys(
            ("set_tag", "delete_tag", "log_batch", "set_logged_model_tags", "delete_logged_model_tag"), _reserved
        )
    return guard(store, acts)


def stage_tags() -> dict[str, str]:
    """Tags for a run that starts now: the stage around this process and what it reads.

    Returns:
        Nothing outside of a stage, or where nothing is configured.
    """
    if not os.environ.get("DVC_STAGE"):
        return {}
    with session() as gate:
        found = running(gate)
        if found is None:
            return {}
        return {
            STAGE: found.address,
            ROOT: os.environ.get("DVC_ROOT", str(gate.config.root)),
            CWD: str(Path.cwd()),
            **packed(found.inputs),
            **({USES: json.dumps([(host, use.value) for host, use in found.uses])} if found.uses else {}),
        }


def _create_run(store: Any, original: Callable[..., Any], call: inspect.BoundArguments, namespace: str) -> Any:
    if is_server(store):
        call.arguments["tags"] = _with_parent(call.arguments["tags"])
        return _recorded_run(original(*call.args, **call.kwargs), (), namespace)
    # the context provider does not run for MlflowClient.create_run, and a person may have set tags of ours
    from mlflow.entities import RunTag

    kept = [tag for tag in call.arguments["tags"] or () if not tag.key.startswith(RESERVED)]
    seen = execution(os.environ)
    kept += [RunTag(EXECUTION, seen)] if seen else []
    inputs: Sequence[Input] = ()
    try:
        kept += [RunTag(key, value) for key, value in stage_tags().items()]
        with session() as gate:
            found = running(gate)
            inputs = found.inputs if found else ()
    except LineageError as error:
        _tell(error)
        kept += [tag for tag in call.arguments["tags"] or () if tag.key in (STAGE, ROOT, CWD)]
    call.arguments["tags"] = _with_parent(kept)
    run = original(*call.args, **call.kwargs)
    try:
        begun(os.environ, run_uuid(run.info.run_id))
    except OSError as error:
        _log.warning("lineagegate: what is seen here will not be known of run %s: %s", run.info.run_id, error)
    return _recorded_run(run, inputs, namespace)


def _create_logged_model(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
    if not is_server(store):
        from mlflow.entities import LoggedModelTag

        kept = [tag for tag in call.arguments.get("tags") or () if not tag.key.startswith(RESERVED)]
        with contextlib.suppress(LineageError):  # told when the run was created
            kept += [LoggedModelTag(key, value) for key, value in stage_tags().items()]
        call.arguments["tags"] = kept
    return original(*call.args, **call.kwargs)


def _with_parent(tags: Sequence[Any] | None) -> list[Any]:
    """Tags of a new run, with ours for the run that it is nested in."""
    from mlflow.entities import RunTag

    given = list(tags or ())
    said = {tag.key: tag.value for tag in given}
    return given + [RunTag(KEPT + one, "true") for one in parents(said) if KEPT + one not in said]


def _keep_parent(store: Any, run_id: str, named: Sequence[str]) -> None:
    """Keep what a run is nested in now, and what it will be, before anybody changes the tag.

    Args:
        store: the tracking store, ours.
        run_id: the run.
        named: what the tag is to say.
    """
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    tags = store.get_run(run_id).data.tags
    own: Any = super(type(store), store)
    for parent in (*parents(tags), *filter(None, named)):
        if KEPT + parent in tags:
            continue
        with contextlib.suppress(MlflowException):  # no such run: nothing comes from it
            store.get_run(parent)
            own.set_tag(run_id, RunTag(KEPT + parent, "true"))


def _recorded_run(run: Any, inputs: Sequence[Input], namespace: str) -> Any:
    from lineage_mlflow.ancestry import unpacked

    try:
        known = inputs or unpacked(run.data.tags) or ()
        if known:
            with session() as gate:
                gate.record([event_of(run.info, run.data.tags, namespace, known)])
    except LineageError as error:
        _tell(error)
    return run


def _log_inputs(store: Any, original: Callable[..., Any], call: inspect.BoundArguments, namespace: str) -> Any:
    from mlflow.entities import RunTag

    run_id, logged = call.arguments["run_id"], call.arguments.get("datasets") or []
    origins: set[str] = set()
    inputs: list[Input] = []
    try:
        with session() as gate:
            for one in logged:
                artifact = _tagged(gate, one, trusted=is_server(store))
                if artifact is not None:
                    inputs.append(Input(artifact, datasets.use(datasets.tags_of(one))))
                    origins.update(_origins(gate, artifact, asked=is_server(store)))
    except LineageError as error:
        _tell(error)
    done = original(*call.args, **call.kwargs)
    if not inputs:
        return done
    try:
        run = store.get_run(run_id)
        with session() as gate:
            gate.record([event_of(run.info, run.data.tags, namespace, inputs)])
        shown = set(filter(None, run.data.tags.get(ORIGINS, "").split("; ")))
        if origins - shown and "set_tag" in type(store).__dict__:  # a remote server writes it by itself
            own: Any = super(type(store), store)
            own.set_tag(run_id, RunTag(ORIGINS, "; ".join(sorted(origins | shown))[:5000]))
    except LineageError as error:
        _tell(error)
    return done


def _tagged(gate: Gate, logged: Any, *, trusted: bool) -> Artifact | None:
    """Write what a dataset is now into the tags of its input.

    Args:
        gate: the project's gate.
        logged: MLflow's dataset input; its tags are changed.
        trusted: keep what a client wrote: on a server, whose clients have the files.
    """
    from mlflow.entities import InputTag

    said = datasets.tags_of(logged)
    kept = [tag for tag in logged.tags if not tag.key.startswith(RESERVED)]
    artifact = None
    if trusted and said.get(datasets.NAME):
        kept = list(logged.tags)
        artifact = next(datasets.logged(logged, "", "", gate.config), None)
    else:
        artifact = datasets.located(gate, logged.dataset, Path.cwd())
        if artifact is not None:
            fields = {
                datasets.NAMESPACE: artifact.namespace,
                datasets.NAME: artifact.name,
                datasets.CONTENT: artifact.content.hash if artifact.content else "",
                ORIGIN: "; ".join(_origins(gate, artifact, asked=trusted)),
            }
            if len(artifact.name) <= datasets.LIMIT:
                kept += [InputTag(key, value[: datasets.LIMIT]) for key, value in fields.items() if value]
    logged.tags[:] = kept
    return artifact


def _origins(gate: Gate, artifact: Artifact, *, asked: bool) -> list[str]:
    """The origins an artifact is known to carry, as people read them.

    Args:
        gate: the project's gate.
        artifact: what was read.
        asked: whether to ask the ledger that judges, wherever it is; else the one of this machine.
    """
    said = {_text(tag.origin) for tag in artifact.tags}
    with contextlib.suppress(LineageError):  # never recorded yet
        # a stage waits for no network: what another ledger knows is shown by the MLflow server that it judges for
        labels = gate.labels(artifact) if asked else gate.graph.labels(artifact)
        said |= {_text(label.origin) for label in labels.labels}
    if artifact.tags:
        said.discard(Kind.UNDECLARED.value)
    return sorted(said) or [Kind.UNDECLARED.value]


def _text(origin: Origin) -> str:
    owner = "/".join(filter(None, (origin.provider, origin.service)))
    via = f"via {origin.channel}" if origin.channel else ""
    return " ".join(filter(None, (origin.kind.value, owner, via)))


def _reserved(store: Any, original: Callable[..., Any], call: inspect.BoundArguments) -> Any:
    """Refuse writes to our tags, whatever the method calls them."""
    from lineage_mlflow.verdict import reserved

    given = {} if nested() else call.arguments
    written = [tag for tag in (given.get("tag"), *(given.get("tags") or ())) if tag is not None]
    for tag in written:
        reserved(tag.key)
    if "key" in given:
        reserved(given["key"])
    if given.get("run_id") and (given.get("key") == PARENT or any(tag.key == PARENT for tag in written)):
        _keep_parent(store, given["run_id"], [tag.value for tag in written if tag.key == PARENT])
    return original(*call.args, **call.kwargs)


def _tell(error: LineageError) -> None:
    if error.code == "CONFIG_MISSING":
        return  # a project without lineagegate: nothing to note, and its registrations say so
    _log.warning("lineagegate: what this run reads was not noted: %s", error)
