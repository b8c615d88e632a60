"""The files behind a batch: which there are, what they hold now, and which of them no batch validated.

A batch definition that selects several files validates the last of them and reports success for it alone
(facts/openlineage-and-gx.md); what the definition selects is therefore held against what was loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.validation_definition import ValidationDefinition
from great_expectations.datasource.fluent.data_asset.path.path_data_asset import PathDataAsset
from msgspec.structs import replace

from lineage.errors import CannotDecide
from lineage.events import naming
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content

Parameters = Mapping[str, Any]

_READERS = ("path", "filepath_or_buffer", "path_or_buf", "path_or_buffer", "io")
"""What pandas' readers call the file."""


class Place(NamedTuple):
    """What a batch was read from."""

    path: Path | None
    """A file or directory here; None for anything else."""
    namespace: str
    """OpenLineage name of anything else."""
    name: str

    def __str__(self) -> str:
        return str(self.path) if self.path else f"{self.namespace}/{self.name}"


def place(asset: Any, spec: Mapping[str, Any]) -> Place:
    """Where a batch comes from.

    Args:
        asset: the data asset.
        spec: the batch's specification, as a validation result keeps it: ``path`` of a file, ``table_name`` of a table.
    """
    options = spec.get("reader_options") or {}
    for path in (spec.get("path"), *(options.get(name) for name in _READERS)):
        if isinstance(path, (str, Path)) and str(path):
            return _file(str(path))
    engine = getattr(asset.datasource, "get_engine", None)
    if engine is None:  # a frame in memory: it has a name for its asset and nothing else
        return Place(None, "", f"{asset.datasource.name}/{asset.name}")
    url = engine().url
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return Place(Path(url.database).resolve(), "", "")
    schema, table = spec.get("schema_name") or getattr(asset, "schema_name", None), getattr(asset, "table_name", "")
    name = ".".join(part for part in (url.database, schema, table or asset.name) if part)
    # OpenLineage's naming of PostgreSQL and others: scheme, host and port; database.schema.table
    scheme = {"postgresql": "postgres"}.get(url.get_backend_name(), url.get_backend_name())
    host = f"{url.host or 'localhost'}{f':{url.port}' if url.port else ''}"
    return Place(None, f"{scheme}://{host}", name)


def selected(definition: BatchDefinition[Any], parameters: Parameters) -> list[tuple[Place, str]]:
    """Everything that a batch definition selects: the place, and which part of it. One batch is loaded, the last.

    Args:
        definition: the batch definition.
        parameters: of the run; they choose among its batches.
    """
    asset = definition.data_asset
    chosen = {key: value for key, value in parameters.items() if key != "dataframe"}
    if not isinstance(asset, PathDataAsset):
        found = definition.get_batch_identifiers_list(chosen or None) if definition.partitioner else [{}]
        return [(place(asset, {}), _part(identifiers)) for identifiers in found]
    locate = asset._data_connector._get_full_file_path  # noqa: SLF001 - the one way from a name to a path, on any storage
    whole = asset.get_whole_directory_path_override()
    if whole is not None:
        return [(_file(locate(str(whole))), "")]
    return [(_file(locate(found["path"])), "") for found in definition.get_batch_identifiers_list(chosen or None)]


def part(definition: ValidationDefinition, active: Any) -> str:
    """Which part of its place a batch is, as `selected` writes it.

    Args:
        definition: the validation definition.
        active: the batch's own definition, as a validation result keeps it.
    """
    if isinstance(definition.asset, PathDataAsset) or not definition.data.partitioner:
        return ""
    return _part((active or {}).get("batch_identifiers") or {})


def _part(identifiers: Mapping[str, Any]) -> str:
    return f" {json.dumps(identifiers, sort_keys=True, default=str)}" if identifiers else ""


def tie(gate: Gate, where: Place) -> tuple[Artifact, ...]:
    """The artifacts at a place, with the hash of what lies there now: outputs of a pipeline where one tracks them.

    A directory that no pipeline knows is each of its files.

    Raises:
        CannotDecide: ``FILE_UNREADABLE``: something there cannot be hashed.
    """
    if where.path is None:
        return (Artifact(where.namespace or naming.gx_namespace(gate.config.project), where.name),)
    if not where.path.exists():
        raise _unreadable(where.path, "it is not there")
    for pipeline in gate.pipelines:
        artifact = pipeline.locate(str(where.path))
        if artifact is not None and artifact.content is not None:
            return (replace(artifact, content=_read(where.path, artifact.content)),)
    files = [where.path] if where.path.is_file() else sorted(file for file in where.path.rglob("*") if file.is_file())
    if not files:
        raise _unreadable(where.path, "there is no file in it")
    return tuple(Artifact("file", str(file), _content(file)) for file in files)


def _read(path: Path, known: Content) -> Content:
    """What really lies there. A pipeline remembers hashes by a file's size and time, and both can be set."""
    if path.is_file():
        found = _content(path)
        return known if found.hash == known.hash else found
    for member in known.members:
        if _content(path / member.path).hash != member.hash:
            raise _unreadable(path, f"{member.path} is not what its size and time say")
    return known


def _content(file: Path) -> Content:
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return Content(f"md5:{digest.hexdigest()}", file.stat().st_size)
    except OSError as error:
        raise _unreadable(file, str(error)) from None


def _unreadable(path: Path, cause: str) -> CannotDecide:
    return CannotDecide(f"{path} cannot be tied to its content", code="FILE_UNREADABLE", cause=cause)


def _file(text: str) -> Place:
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Place(Path(unquote(parts.path)).resolve(), "", "")
    if "://" in text:
        return Place(None, *naming.from_uri(text))
    return Place(Path(text).resolve(), "", "")
