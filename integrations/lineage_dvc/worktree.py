"""The work tree: DVC's files as they lie there now, committed or not.

Hashes of the data itself are `lineage_dvc.hashing`'s.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lineage.errors import UsageError
from lineage_dvc.definition import Meaning
from lineage_dvc.git import Repository, blob_id, is_dvc_file
from lineage_dvc.record import Record, Unreadable
from lineage_dvc.tree import Files, Tree

Sign = list[Any]
"""[mtime in ns, bytes, git name of the content] of a file."""

_RACY_NS = 50_000_000
_BESIDE_DATABASE = ("-journal", "-wal", "-shm")


def find_root(start: Path) -> Path | None:
    """The DVC root around a directory."""
    return next((d for d in (start, *start.parents) if (d / ".dvc").is_dir()), None)


class WorkTree:
    """The files below a DVC root.

    Args:
        root: the DVC root.
        git: the repository around it, if any.
    """

    def __init__(self, root: Path, git: Repository | None) -> None:
        self.root = root
        self.git = git
        self._data: dict[str, bytes] = {}
        self.files = Files(self._blob, self._side)
        self._notes = root / ".dvc" / "tmp" / "lineage" / "reading.json"

    def signs(self, old: Mapping[str, Any]) -> dict[str, Any]:
        """What changes whenever one of DVC's files, or the list of files, does: ``files``, ``folders``.

        As long as no folder changed there are no other files than before, and git need not be asked.

        Args:
            old: the signs of before, or nothing.
        """
        files, folders = old.get("files", {}), old.get("folders", {})
        if folders and all(self._same(folder, sign) for folder, sign in folders.items()):
            paths = list(files)
        else:
            paths, folders = self.paths(), self._folders()
        found: dict[str, Sign] = {}
        for path in paths:
            try:
                stat = (self.root / path).stat()
            except OSError:
                continue  # in the index, not on disk
            before = files.get(path)
            mark = [stat.st_mtime_ns, stat.st_size]
            found[path] = before if before and before[:2] == mark else [*mark, self._put(path)]
        return {"files": found, "folders": folders}

    def paths(self) -> list[str]:
        """DVC's files."""
        return self.git.dvc_files() if self.git else [path for path in self._walk() if is_dvc_file(path)]

    def _folders(self) -> dict[str, list[Any]]:
        """Every folder that git does not ignore, and every list of what it ignores.

        Returns:
            Path to [time of last change in ns, digest of the names in it].
        """
        ignored = self.git.ignored_folders() if self.git else set()
        found = [".git/info/exclude"] if self.git else []
        for folder, folders, files in os.walk(self.root):
            inside = Path(folder).relative_to(self.root).as_posix()
            own = [name for name in folders if name not in (".git", ".dvc")]
            folders[:] = [name for name in own if posixpath.normpath(f"{inside}/{name}") not in ignored]
            found.append(inside)
            if ".gitignore" in files:
                found.append(f"{inside}/.gitignore")
        fresh = time.time_ns() - _RACY_NS
        # what changed just now may change again within the same time stamp: it is looked at again
        signs = ((path, self._mtime(path), self._names(path)) for path in found)
        return {path: [mtime if mtime < fresh else -2, names] for path, mtime, names in signs}

    def _same(self, path: str, sign: list[Any]) -> bool:
        """Whether a folder holds the names it held. A database in it (mlflow.db) changes its time at every write."""
        mtime = self._mtime(path)
        return mtime == sign[0] or (mtime != -1 and sign[1] != "" and self._names(path) == sign[1])

    def _names(self, path: str) -> str:
        """Digest of the names in a folder, without the files that SQLite keeps beside a database; empty for a file."""
        try:
            names = sorted(n for n in os.listdir(self.root / path) if not n.endswith(_BESIDE_DATABASE))  # noqa: PTH208
        except OSError:
            return ""
        return hashlib.md5("\0".join(names).encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()

    def _mtime(self, path: str) -> int:
        try:
            return (self.root / path).stat().st_mtime_ns
        except OSError:
            return -1

    def tree(self) -> Tree:
        """The state of the work tree.

        Raises:
            UsageError: a file cannot be read.
        """
        everything = self.git.work_tree() if self.git else self._walk()
        held = {path: "?" for path in everything if not is_dvc_file(path)}
        for path in self.paths():
            if (self.root / path).is_file():
                held[path] = self._put(path)
        return Tree(self.files, held)

    def check(self, path: str) -> None:
        """Make sure that a file of DVC can be understood.

        Raises:
            UsageError: ``DVC_FILE_UNREADABLE``.
        """
        blob = self._put(path)
        try:
            if path.endswith("dvc.lock"):
                for text in self.files.lock(blob).values():
                    self.files.record(text)
            elif path.endswith("dvc.yaml"):
                self.files.definitions(posixpath.dirname(path), blob, {})
            else:
                self.files.dvc_file(path, blob)
        except Unreadable as error:
            raise UsageError(
                f"{path} cannot be read", code="DVC_FILE_UNREADABLE", cause=str(error),
                hint=f"mend it, or take the committed one: git checkout -- {path}",
            ) from None  # fmt: skip

    def executions(self, tree: Tree) -> Iterator[tuple[str, Record, Meaning]]:
        """What the locks of a state say: address, execution, meaning."""
        for path in [path for path in tree.held if posixpath.basename(path) == "dvc.lock"]:
            folder = posixpath.dirname(path)
            try:
                lock = self.files.lock(tree.held[path])
                for name, text in lock.items():
                    address = f"{posixpath.join(folder, 'dvc.yaml')}:{name}"
                    yield address, self.files.record(text), tree.meaning(folder, name)
            except Unreadable:
                continue

    def mtime(self, path: str) -> str:
        """When a file was written, ISO 8601."""
        stamp = (self.root / path).stat().st_mtime
        return datetime.fromtimestamp(int(stamp), tz=timezone.utc).isoformat()

    # -- what a reading found out, kept for `lineage_dvc.notices` ----------------------------------------------------

    def note(self, unreadable: Mapping[tuple[str, str], str], bound: Mapping[str, str], *, fresh: bool) -> None:
        """Keep what could not be read, and what claims were first seen with, below DVC's own ignored directory.

        Args:
            unreadable: (path, commit or empty) to why.
            bound: see `lineage_dvc.statement.Interpreter.bound`.
            fresh: everything was read, so that earlier notes are out of date.
        """
        before = [] if fresh else self.noted()
        merged = {(path, commit): why for path, commit, why in before} | dict(unreadable)
        text = json.dumps({"unreadable": [[*key, why] for key, why in sorted(merged.items())], "bound": dict(bound)})
        if not merged and not bound and not self._notes.exists():
            return
        try:
            self._notes.parent.mkdir(parents=True, exist_ok=True)
            draft = self._notes.with_suffix(".new")
            draft.write_text(text, encoding="utf-8")
            draft.replace(self._notes)
        except OSError:
            return  # a read-only work tree: notices then know less

    def noted(self) -> list[tuple[str, str, str]]:
        """(path, commit, why) of the files that the last readings could not read."""
        return [(str(path), str(commit), str(why)) for path, commit, why in self._noted().get("unreadable", [])]

    def noted_bindings(self) -> dict[str, str]:
        """The content beside which claims without any were first seen."""
        return dict(self._noted().get("bound", {}))

    def _noted(self) -> dict[str, Any]:
        try:
            found = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    # -- disk ------------------------------------------------------------------------------------------------------

    def _put(self, path: str) -> str:
        try:
            data = (self.root / path).read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read", code="DVC_FILE_UNREADABLE", cause=str(error)) from None
        blob = blob_id(data)
        self._data[blob] = data
        return blob

    def _blob(self, blob: str) -> bytes:
        if blob in self._data:
            return self._data[blob]
        assert self.git
        return self.git.blob(blob)

    def _side(self, path: str, held: Mapping[str, str]) -> bytes | None:
        del held  # the file on disk counts, added to git or not
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return None

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
            inside = Path(folder).relative_to(self.root)
            for file in files:
                yield (inside / file).as_posix()
