"""MLflow's dataset sources as artifacts of ours.

MLflow keeps one row for each (experiment, name, digest), with the source of whoever logged it first, so a source read
back proves nothing about this run (facts/mlflow.md). `lineage_mlflow.tracking` therefore writes what a source meant, as
it is logged, into tags of that run's input; they are read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lineage.config import Config
from lineage.events.naming import from_uri
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag, Use

NAMESPACE, NAME, CONTENT = "lineage.namespace", "lineage.name", "lineage.content"
"""Input tags: the artifact that a dataset was when it was logged."""

LIMIT = 500
"""Characters that MLflow allows in the value of an input tag."""

_USES = {
    "eval": Use.EVALUATION,
    "evaluation": Use.EVALUATION,
    "test": Use.EVALUATION,
    "testing": Use.EVALUATION,
    "validation": Use.VALIDATION,
    "val": Use.VALIDATION,
}


def use(tags: Mapping[str, str]) -> Use:
    """The role of a dataset input, from the context that it was logged with."""
    return _USES.get(tags.get("mlflow.data.context", "").lower(), Use.CONTENT)


def tags_of(dataset_input: Any) -> dict[str, str]:
    """The tags of a dataset input."""
    return {tag.key: tag.value for tag in dataset_input.tags or ()}


def logged(dataset_input: Any, namespace: str, experiment: str, config: Config) -> Iterator[Artifact]:
    """What a dataset input of a run was, from the run's own tags, else from the shared row.

    Args:
        dataset_input: MLflow's entity.
        namespace: OpenLineage namespace of the MLflow server.
        experiment: experiment id.
        config: the project's settings, for origins by URL.

    Yields:
        Nothing for a dataset that code made and nothing else explains; see `unexplained`.
    """
    tags = tags_of(dataset_input)
    if tags.get(NAME):
        content = Content(tags[CONTENT]) if tags.get(CONTENT) else None
        yield spoken_for(Artifact(tags.get(NAMESPACE, "file"), tags[NAME], content), config)
        return
    uri = source_uri(dataset_input.dataset)
    if uri:
        yield spoken_for(Artifact(*from_uri(uri)), config)
        # the row may be another run's: what this run read is known by MLflow's digest alone
        yield unexplained(dataset_input.dataset, namespace, experiment)


def unexplained(dataset: Any, namespace: str, experiment: str) -> Artifact:
    """A dataset that nothing but MLflow's own name and digest stands for: a source that nobody spoke for."""
    return Artifact(namespace, f"datasets/{experiment}/{dataset.name}", Content(f"mlflow:{dataset.digest.lower()}"))


def spoken_for(artifact: Artifact, config: Config) -> Artifact:
    """The artifact with the origins that the settings give to its URL (``[[origins]]`` with ``url``)."""
    if not config.origins or artifact.namespace == "file" or artifact.namespace.startswith("dvc:"):
        return artifact
    url = f"{artifact.namespace}/{artifact.name}"
    tags = tuple(
        Tag(_origin(rule.origin), by=rule.location) for rule in config.origins if fnmatchcase(url, rule.pattern)
    )
    return Artifact(artifact.namespace, artifact.name, artifact.content, artifact.type, tags) if tags else artifact


def _origin(fields: Mapping[str, str]) -> Origin:
    return Origin(**{**fields, "kind": Kind(fields["kind"])})  # type: ignore[arg-type]


def source_uri(dataset: Any) -> str:
    """The URI of a dataset's source, or empty for one made in code."""
    try:
        source = json.loads(dataset.source)
    except (TypeError, ValueError):
        return str(dataset.source or "")
    if not isinstance(source, dict):
        return ""
    kind = dataset.source_type
    if kind == "hugging_face" and source.get("path"):
        return f"https://huggingface.co/datasets/{source['path']}"
    if kind == "dvc":
        return f"dvc:{source.get('path', '')}"
    for key in ("uri", "url", "path", "table_name", "delta_table_name"):
        if isinstance(source.get(key), str) and source[key]:
            return str(source[key]) if key != "table_name" else f"table:{source[key]}"
    return ""


def located(gate: Gate, dataset: Any, cwd: Path) -> Artifact | None:
    """The artifact that a dataset's source means, here and now.

    Args:
        gate: the project's gate, which knows the pipeline's outputs.
        dataset: MLflow's dataset entity.
        cwd: directory that a relative path starts from.

    Returns:
        None for a dataset made in code.
    """
    uri = source_uri(dataset)
    if not uri:
        return None
    path = uri
    parts = urlsplit(uri)
    if parts.scheme == "dvc":
        path = str(gate.config.root / unquote(parts.path).lstrip("/"))
    elif parts.scheme == "file":
        path = unquote(parts.path)
    elif parts.scheme and len(parts.scheme) > 1:
        return spoken_for(Artifact(*from_uri(uri)), gate.config)
    found = gate.locate(path, cwd)
    return found or Artifact("file", str((cwd / path).resolve()))
