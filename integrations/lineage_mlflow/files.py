"""The content of a model's files: one key for the whole, and the md5 of each, so that they meet DVC's outputs (law 7).

A directory is hashed as DVC does it (md5 of the JSON list of md5 and relpath), so that equal directories have equal
keys. Files that MLflow writes beside every model say nothing about where a model came from, and equal copies of them
would tie all models together: they count in the key, not as members.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from lineage.errors import CannotDecide
from lineage.vocabulary import Content, Member

REMOTE_BYTES = 512 * 1024 * 1024
"""Files that are not on this machine are fetched to be hashed up to this size in total."""

_BESIDE = frozenset(
    {
        "MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "constraints.txt", "registered_model_meta",
        "input_example.json", "serving_input_example.json",
    }
)  # fmt: skip
_CODE = ("code/", "metadata/")
_WRAPPER_BYTES = 64 * 1024

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_memo: dict[tuple[str, int, int, int], str] = {}


def content(uri: str) -> Content:
    """The content behind an artifact location.

    Args:
        uri: local path, ``file:`` URI or any location MLflow has an artifact repository for.

    Raises:
        CannotDecide: there is nothing, it cannot be read, or it is too large to be fetched.
    """
    local = local_path(uri)
    try:
        if local is not None:
            return _hashed(local)
        return _fetched(uri)
    except CannotDecide:
        raise
    except Exception as error:
        raise CannotDecide(f"the files at {uri} cannot be read", cause=str(error)) from error


def local_path(uri: str) -> Path | None:
    """The path on this machine that a location means, if it means one."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "" or len(parts.scheme) == 1:  # one letter: a Windows drive
        return Path(uri)
    if parts.scheme == "mlflow-artifacts":
        # the server that proxies them knows where they really are; from outside they are fetched
        root = os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION")
        below = None if root is None else local_path(root)
        return below and below / unquote(parts.path).lstrip("/")
    return None


def _hashed(path: Path) -> Content:
    if path.is_file():
        member = _member(path, str(path))
        return Content(member.hash, member.size)
    members = []
    for folder, folders, files in os.walk(path):
        for name in folders:
            if Path(folder, name).is_symlink():
                raise CannotDecide(f"{Path(folder, name)} links to another directory, whose files may change")
        members += [_member(path, str(Path(folder, name))) for name in files]
    members.sort(key=lambda member: member.path)
    if not members:
        raise CannotDecide(f"there are no files at {path}")
    listing = json.dumps([{"md5": m.hash[4:], "relpath": m.path} for m in members], sort_keys=True)
    key = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()
    beside = _wrapper(path)
    return Content(
        f"md5:{key}.dir",
        sum(member.size or 0 for member in members),
        len(members),
        tuple(m for m in members if m.path not in _BESIDE | beside and not m.path.startswith(_CODE)),
    )


def _wrapper(path: Path) -> frozenset[str]:
    """The model's code: a script, or the pickled class around weights that are files beside it."""
    try:
        flavors: Any = yaml.load((path / "MLmodel").read_text("utf-8"), Loader=_LOADER).get("flavors", {})  # noqa: S506
    except (OSError, AttributeError, UnicodeDecodeError, yaml.YAMLError):
        return frozenset()
    function = flavors.get("python_function", {}) if isinstance(flavors, dict) else {}
    if not isinstance(function, dict):
        return frozenset()
    # MLmodel is written by whoever logs the model: it may name as code only what can be code
    script = Path(str(function.get("model_code_path"))).name
    code = {script} if script.endswith(".py") else set()
    pickle = path / "python_model.pkl"
    if function.get("artifacts") and pickle.is_file() and pickle.stat().st_size <= _WRAPPER_BYTES:
        code.add(pickle.name)
    return frozenset(code)


def _member(root: Path, file: str) -> Member:
    stat = os.stat(file)  # noqa: PTH116 - a registration waits for this
    mark = (file, stat.st_ino, stat.st_mtime_ns, stat.st_size)
    known = _memo.get(mark)
    if known is None:
        with Path(file).open("rb") as stream:
            digest = hashlib.md5(usedforsecurity=False)
            while block := stream.read(1 << 20):
                digest.update(block)
        known = f"md5:{digest.hexdigest()}"
        if len(_memo) > 100_000:
            _memo.clear()
        _memo[mark] = known
    return Member(os.path.relpath(file, root).replace(os.sep, "/"), known, stat.st_size)


def _fetched(uri: str) -> Content:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    root = os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION")
    if root and uri.startswith("mlflow-artifacts:"):
        uri = root.rstrip("/") + "/" + urlsplit(uri).path.lstrip("/")
    repository = get_artifact_repository(uri)
    total, pending = 0, [""]
    while pending:
        for item in repository.list_artifacts(pending.pop() or None):
            if item.is_dir:
                pending.append(item.path)
            else:
                total += item.file_size or 0
            if total > REMOTE_BYTES:
                raise CannotDecide(
                    f"the files at {uri} are larger than {REMOTE_BYTES >> 20} MiB and not on this machine",
                    code="TOO_LARGE",
                    hint="register where the files are, or on a server that holds them",
                )
    with tempfile.TemporaryDirectory(prefix="lineagegate-") as directory:
        return _hashed(Path(repository.download_artifacts("", directory)))
