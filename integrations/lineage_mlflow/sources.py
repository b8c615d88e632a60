"""From the source of a model version to what stands behind it: a run, a logged model, a place where files are.

A server accepts a version with no run, with somebody else's run, or with one that does not exist (facts/mlflow.md). So
nothing the caller says is believed by itself: a run counts only when the files lie where that run keeps its own.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from lineage.errors import CannotDecide
from lineage_mlflow.files import local_path, occupied
from lineage_mlflow.reading import Reading

_CHAIN = 50
"""Versions made from versions made from versions: longer chains are not followed."""

_LINK = "log the model in a run and register it from there: `mlflow.register_model('runs:/<run>/<name>', …)`"


class Source(NamedTuple):
    """What stands behind a version."""

    location: str
    """Where the files are."""
    run: Any = None
    """The MLflow run that made it, or None."""
    model: Any = None
    """The logged model, or None."""


def resolve(tracking: Reading, registry: Any, source: str, run_id: str | None, model_id: str | None) -> Source:
    """Find what a version's source means.

    Args:
        tracking: where runs and logged models are.
        registry: MLflow model registry store.
        source: the version's source, any form MLflow knows.
        run_id: the run that the caller names, if any (a server passes an empty text).
        model_id: the logged model that the caller names, if any.

    Returns:
        A source without ``run`` when the files are linked to nothing.

    Raises:
        CannotDecide: something named does not exist, or does not belong together.
    """
    return _resolve(tracking, registry, source, run_id or "", model_id or "", _CHAIN)


def _resolve(tracking: Reading, registry: Any, source: str, run_id: str, model_id: str, left: int) -> Source:
    if not left:
        raise CannotDecide(f"{source} stands at the end of a chain of more than {_CHAIN} versions")
    scheme = urlsplit(source).scheme
    if scheme == "models":
        return _models(tracking, registry, source, run_id, model_id, left)
    if scheme == "runs":
        return _runs(tracking, source, run_id, model_id)
    if model_id:
        model = _model(tracking, model_id)
        if not inside(source, model.artifact_location):
            raise CannotDecide(f"{source} is not where logged model {model_id} keeps its files", hint=_LINK)
        return _of_model(tracking, model, run_id)._replace(location=source)
    if run_id:
        return _of_run(tracking, _run(tracking, run_id), source)
    return _guessed(tracking, source)


def _models(tracking: Reading, registry: Any, source: str, run_id: str, model_id: str, left: int) -> Source:
    from mlflow.store.artifact.utils.models import _parse_model_uri, get_model_name_and_version

    if urlsplit(source).netloc:
        raise CannotDecide(f"{source} points to another registry", hint=_LINK)
    parsed = _parse_model_uri(source)
    if parsed.model_id:
        if model_id and model_id != parsed.model_id:
            raise CannotDecide(f"{source} is not logged model {model_id}", hint=_LINK)
        return _of_model(tracking, _model(tracking, parsed.model_id), run_id)
    name, number = get_model_name_and_version(registry, source)
    version = _found(lambda: registry.get_model_version(name, number), source)
    if run_id and version.run_id and run_id != version.run_id:
        raise CannotDecide(f"{source} was not made by run {run_id}", hint=_LINK)
    return _resolve(
        tracking, registry, version.source, version.run_id or "", getattr(version, "model_id", "") or "", left - 1
    )


def _runs(tracking: Reading, source: str, run_id: str, model_id: str) -> Source:
    found = re.fullmatch(r"runs:/+(?:[^@/]*@)?(?P<run>[^/]+)/?(?P<path>.*)", source)
    if not found or (run_id and run_id != found["run"]):
        raise CannotDecide(
            f"{source} does not belong to run {run_id}" if found else f"{source} names no run", hint=_LINK
        )
    run, path = _run(tracking, found["run"]), found["path"].strip("/")
    location = f"{run.info.artifact_uri.rstrip('/')}/{path}" if path else run.info.artifact_uri
    if not inside(location, run.info.artifact_uri):
        raise CannotDecide(f"{source} leads out of the run's files", hint=_LINK)
    name, _, below = path.partition("/")
    ids = dict.fromkeys((*_outputs(run), *tracking.logged_models(run, name))) if path else ()
    models = [model for one in ids if (model := _model(tracking, one)).name == name]
    if model_id in ids and (named := _model(tracking, model_id)) not in models:
        models.append(named)
    if not models:
        return Source(location, run)
    # MLflow serves the files of the run and of a logged model together, and one of several models
    if len(models) > 1 or occupied(location):
        raise CannotDecide(
            f"{source} stands for two things: a logged model and "
            + ("another one" if len(models) > 1 else "files of the run"),
            hint=f"register the one that is meant: `models:/{models[0].model_id}`",
        )
    return Source(f"{models[0].artifact_location.rstrip('/')}/{below}".rstrip("/"), run, models[0])


def _of_model(tracking: Reading, model: Any, run_id: str) -> Source:
    made_by = model.source_run_id or ""
    if run_id and made_by and run_id != made_by:
        raise CannotDecide(f"logged model {model.model_id} was made by run {made_by}, not by {run_id}", hint=_LINK)
    return Source(model.artifact_location, _run(tracking, made_by) if made_by else None, model)


def _of_run(tracking: Reading, run: Any, source: str) -> Source:
    if inside(source, run.info.artifact_uri):
        return Source(source, run)
    for output in _outputs(run):
        model = _model(tracking, output)
        if inside(source, model.artifact_location):
            return Source(source, run, model)
    raise CannotDecide(f"{source} is not among the files of run {run.info.run_id}", hint=_LINK)


def _guessed(tracking: Reading, source: str) -> Source:
    """The logged model or run that a plain location names in its path, if the files are indeed theirs."""
    from mlflow.exceptions import MlflowException

    for name in re.findall(r"(?<=/)(m-[0-9a-f]{32}|[0-9a-f]{32})(?=/|$)", source):
        try:
            if name.startswith("m-"):
                model = tracking.get_logged_model(name)
                if inside(source, model.artifact_location):
                    return _of_model(tracking, model, "")._replace(location=source)
            else:
                run = tracking.get_run(name)
                if inside(source, run.info.artifact_uri):
                    return Source(source, run)
        except MlflowException:
            continue
    return Source(source)


def inside(location: str, root: str) -> bool:
    """Whether a location is the root or lies below it, however either is written."""
    here, there = local_path(location), local_path(root)
    if (here is None) != (there is None):
        return False
    if here is not None and there is not None:
        return _below(Path(here).resolve().as_posix(), Path(there).resolve().as_posix())
    one, two = urlsplit(location), urlsplit(root)
    if (one.scheme, one.netloc) != (two.scheme, two.netloc) or one.query != two.query:
        return False
    path = unquote(one.path)
    return ".." not in path.split("/") and _below(posixpath.normpath(path), posixpath.normpath(unquote(two.path)))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _outputs(run: Any) -> list[str]:
    """Logged models of a run, the latest step first: MLflow takes that one where a name stands for several."""
    outputs = getattr(run, "outputs", None)
    found = outputs.model_outputs if outputs else ()
    return [output.model_id for output in sorted(found, key=lambda output: output.step or 0, reverse=True)]


def _run(tracking: Reading, run_id: str) -> Any:
    return _found(lambda: tracking.get_run(run_id), f"run {run_id}")


def _model(tracking: Reading, model_id: str) -> Any:
    return _found(lambda: tracking.get_logged_model(model_id), f"logged model {model_id}")


def _found(read: Any, what: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return read()
    except MlflowException as error:
        raise CannotDecide(f"{what} cannot be found", cause=str(error), hint=_LINK) from error
