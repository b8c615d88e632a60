"""The content of a model's files: one key for the whole, and the md5 of each, so that they meet DVC's outputs (law 7).

A directory is hashed as DVC does it (md5 of the JSON list of md5 and relpath), so that equal directories have equal
keys. Files that MLflow writes beside every model say nothing about where a model came from, and equal copies of them
would tie all models together: they count in the key, and as members only where their content is known as data. Files
that MLflow and Python write when the model is loaded do not count in the key: loading it makes no other model of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
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

_META_BYTES = 4 * 1024
_SETTLED = 2_000_000_000
"""Nanoseconds after a change in which another one may leave no trace in the times of a file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_memo: dict[tuple[str, int, int, int, int, int], str] = {}


def content(uri: str, known: Callable[[str], object] = lambda _: None) -> Content:
    """The content behind an artifact location.

    Args:
        uri: local path, ``file:`` URI or any location MLflow has an artifact repository for.
        known: whether the ledger holds a content key; a file beside the model counts as a member only then.

    Raises:
        CannotDecide: there is nothing, it cannot be read, or it is too large to be fetched.
    """
    local = local_path(uri)
    try:
        if local is not None:
            return _hashed(local, known)
        return _fetched(uri, known)
    except CannotDecide:
        raise
    except Exception as error:
        raise CannotDecide(f"the files at {uri} cannot be read", cause=str(error)) from error


def occupied(uri: str) -> bool:
    """Whether anything is at an artifact location.

    Raises:
        CannotDecide: the location cannot be read.
    """
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    local = local_path(uri)
    try:
        if local is not None:
            return os.path.lexists(local)
        # listing a file gives nothing, so look for it among its neighbours
        above, _, name = _destination(uri).rstrip("/").rpartition("/")
        return any(item.path == name for item in get_artifact_repository(above).list_artifacts())
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


def _hashed(path: Path, known: Callable[[str], object]) -> Content:
    if path.is_file():
        member = _member(path, str(path))
        return Content(member.hash, member.size)
    found = [_member(path, file) for file in _walk(str(path))]
    # loading the model writes these, and leaves it the model that it was
    later = {member.path for member in found if _written_later(path, member)}
    members = sorted((member for member in found if member.path not in later), key=lambda member: member.path)
    if not members:
        raise CannotDecide(f"there are no files at {path}")
    listing = json.dumps([{"md5": m.hash[4:], "relpath": m.path} for m in members], sort_keys=True)
    key = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest()
    beside = _BESIDE | _wrapper(path) | later
    kept = [m for m in found if not (m.path in beside or m.path.startswith(_CODE)) or known(m.hash)]
    return Content(
        f"md5:{key}.dir",
        sum(member.size or 0 for member in members),
        len(members),
        tuple(sorted(kept, key=lambda member: member.path)),
    )


def _walk(directory: str) -> Iterator[str]:
    """Every file of a directory.

    Raises:
        CannotDecide: a link leads to a directory, which is served but not part of it, or something is not a file.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file():
                yield entry.path
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            elif entry.is_dir():
                raise CannotDecide(f"{entry.path} links to another directory", hint="copy the files into the model")
            else:
                raise CannotDecide(f"{entry.path} is neither a file nor a directory")


def _written_later(root: Path, member: Member) -> bool:
    """Whether a file is what loading a model leaves behind: MLflow's note of its version, Python's compiled code."""
    file, size = root / member.path, member.size or 0
    if member.path == "registered_model_meta" and size <= _META_BYTES:
        try:
            note = yaml.load(file.read_text("utf-8"), Loader=_LOADER)  # noqa: S506
        except (UnicodeDecodeError, yaml.YAMLError):
            return False
        return isinstance(note, dict) and set(note) == {"model_name", "model_version"}
    if file.parent.name == "__pycache__" and file.suffix == ".pyc":
        source = file.parent.parent / (file.name.split(".")[0] + ".py")
        if not source.is_file():
            return False
        code = source.stat()
        with file.open("rb") as stream:  # magic number, flags, time and size of the source (PEP 552)
            head = stream.read(16)
        says = int(code.st_mtime).to_bytes(8, "little")[:4] + code.st_size.to_bytes(8, "little")[:4]
        return head[4:] == bytes(4) + says and size <= 8 * code.st_size + _WRAPPER_BYTES
    return False


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
    before = os.stat(file)  # noqa: PTH116 - a registration waits for this
    if not stat.S_ISREG(before.st_mode):
        raise CannotDecide(f"{file} is not a file")
    mark = _mark(file, before)
    known = _memo.get(mark)
    if known is None:
        with Path(file).open("rb") as stream:
            digest = hashlib.md5(usedforsecurity=False)
            while block := stream.read(1 << 20):
                digest.update(block)
            after = os.fstat(stream.fileno())
        known = f"md5:{digest.hexdigest()}"
        if mark != _mark(file, after):
            raise CannotDecide(f"{file} was changed while it was read")
        if time.time_ns() - before.st_ctime_ns > _SETTLED:
            if len(_memo) > 100_000:
                _memo.clear()
            _memo[mark] = known
    return Member(os.path.relpath(file, root).replace(os.sep, "/"), known, before.st_size)


def _mark(file: str, status: os.stat_result) -> tuple[str, int, int, int, int, int]:
    """What changes when a file does. The time of the last change of its status cannot be set back, as others can."""
    return file, status.st_dev, status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size


def _destination(uri: str) -> str:
    """Where the files that a server proxies really are, on that server."""
    root = os.environ.get("_MLFLOW_SERVER_ARTIFACT_DESTINATION")
    if root and uri.startswith("mlflow-artifacts:"):
        return root.rstrip("/") + "/" + urlsplit(uri).path.lstrip("/")
    return uri


def _fetched(uri: str, known: Callable[[str], object]) -> Content:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(_destination(uri))
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
        return _hashed(Path(repository.download_artifacts("", directory)), known)
