"""What a commit, or the work tree, holds: DVC's files, everything git has, and every output with its content.

A tree is changed from one commit to the next instead of being read anew: that is what makes a long history fast.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Mapping

from lineage.vocabulary import Content, Member
from lineage_dvc import definition
from lineage_dvc.cache import directory_key
from lineage_dvc.definition import Definitions, DvcFile, Meaning
from lineage_dvc.git import is_dvc_file
from lineage_dvc.record import Record, Unreadable, decoded, record_of, stages_of_lock

DATA_FORMATS = frozenset(
    (
        "csv", "tsv", "jsonl", "ndjson", "parquet", "arrow", "feather", "avro", "orc", "npy", "npz", "pkl", "pickle",
        "h5", "hdf5", "tfrecord", "sqlite", "db", "xls", "xlsx", "txt", "gz", "bz2", "xz", "zst", "zip", "tar", "tgz",
    )
)  # fmt: skip
"""Endings of files that hold data: a folder of code does not make code of them."""


def holds_data(path: str) -> bool:
    """Whether a file has the name of one that holds data."""
    name = posixpath.basename(path)
    return name.rpartition(".")[2].lower() in DATA_FORMATS and not (
        name.startswith("requirements") and name.endswith(".txt")
    )


class _Owned:
    """The outputs that one of DVC's files names, and what that was read from."""

    __slots__ = ("definitions", "lock", "stages")

    def __init__(self) -> None:
        self.definitions: Definitions | None = None
        self.lock: Mapping[str, str] = {}
        self.stages: dict[str, tuple[str, ...]] = {}
        """Paths by stage; of a `.dvc` file by the empty name."""

    def copy(self) -> _Owned:
        other = _Owned()
        other.definitions, other.lock, other.stages = self.definitions, self.lock, dict(self.stages)
        return other


class Files:
    """DVC's files by the git name of their content, each read once.

    Args:
        blob: content by name.
        side: content of another file of a tree by its path; by default what git has there.
    """

    def __init__(
        self, blob: Callable[[str], bytes], side: Callable[[str, Mapping[str, str]], bytes | None] | None = None
    ) -> None:
        self._blob = blob
        self._side = side or self._held_side
        self._fetched: dict[str, bytes] = {}
        self._locks: dict[str, dict[str, str] | Unreadable] = {}
        self._texts: dict[str, str] = {}
        self._records: dict[str, Record | Unreadable] = {}
        self._definitions: dict[tuple[str, str], list[Definitions | Unreadable]] = {}
        self._dvc: dict[tuple[str, str], DvcFile | Unreadable] = {}
        self._md5s: dict[str, str] = {}

    def put(self, blob: str, data: bytes) -> None:
        """Take content that is at hand, to be used soon."""
        self._fetched[blob] = data

    def data(self, blob: str) -> bytes:
        """Content by name."""
        found = self._fetched.get(blob)
        return self._blob(blob) if found is None else found

    def lock(self, blob: str | None) -> Mapping[str, str]:
        """Stages of a dvc.lock: name to text.

        Raises:
            Unreadable: see `record.stages_of_lock`.
        """
        if blob is None:
            return {}
        found = self._locks.get(blob)
        if found is None:
            try:
                stages = stages_of_lock(decoded(self.data(blob)))
                found = {name: self._texts.setdefault(text, text) for name, text in stages.items()}
            except Unreadable as error:
                found = error
            self._fetched.pop(blob, None)
            self._locks[blob] = found
        if isinstance(found, Unreadable):
            raise found
        return found

    def record(self, text: str) -> Record:
        """The execution a stage text describes.

        Raises:
            Unreadable: see `record.record_of`.
        """
        found = self._records.get(text)
        if found is None:
            try:
                found = record_of(text)
            except Unreadable as error:
                found = error
            self._records[text] = found
        if isinstance(found, Unreadable):
            raise found
        return found

    def definitions(self, directory: str, blob: str | None, held: Mapping[str, str]) -> Definitions | None:
        """The dvc.yaml of a directory.

        Raises:
            Unreadable: it is broken.
        """
        if blob is None:
            return None
        memo = self._definitions.setdefault((directory, blob), [])
        for found in memo:
            if isinstance(found, Unreadable):
                raise found
            if all(self._side(path, held) == data for path, data in found.reads.items()):
                return found
        try:
            fresh = Definitions(self.data(blob), directory, lambda path: self._side(path, held))
        except Unreadable as error:
            memo.append(error)
            raise
        memo.append(fresh)
        return fresh

    def md5(self, path: str, held: Mapping[str, str]) -> str | None:
        """The content key of a file in git."""
        blob = held[path]
        found = self._md5s.get(blob)
        if found is None:
            kept = blob in self._fetched
            data = self._side(path, held)
            if not kept:
                self._fetched.pop(blob, None)  # data may be large
            if data is None:
                return None
            found = f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"
            if len(blob) > 1:
                self._md5s[blob] = found
        return found

    def _held_side(self, path: str, held: Mapping[str, str]) -> bytes | None:
        blob = held.get(path)
        if blob is None:
            return None
        if blob not in self._fetched:
            self._fetched[blob] = self._blob(blob)
        return self._fetched[blob]

    def dvc_file(self, path: str, blob: str) -> DvcFile:
        """A `.dvc` file.

        Raises:
            Unreadable: it is broken.
        """
        key = (posixpath.dirname(path), blob)
        found = self._dvc.get(key)
        if found is None:
            try:
                found = definition.dvc_file(self.data(blob), key[0])
            except Unreadable as error:
                found = error
            self._dvc[key] = found
        if isinstance(found, Unreadable):
            raise found
        return found


class Tree:
    """Everything that lies in one state of the repository. Paths are from the DVC root.

    Args:
        files: reader of DVC's files.
        held: what git has: path to blob.
    """

    def __init__(self, files: Files, held: dict[str, str] | None = None) -> None:
        self.files = files
        self.held: dict[str, str] = {}
        self.outputs: dict[str, dict[tuple[str, str], Content | None]] = {}
        """Path of an output to its content, by the (file, stage) that says so; of a `.dvc` file without a stage."""
        self._owned: dict[str, _Owned] = {}
        self._all_code: dict[str, bool] = {}
        if held:
            self.change(held.items())

    def copy(self) -> Tree:
        """One that can be changed without changing this one."""
        other = Tree(self.files)
        other.held = dict(self.held)
        other.outputs = {path: dict(said) for path, said in self.outputs.items()}
        other._owned = {owner: owned.copy() for owner, owned in self._owned.items()}
        return other

    def change(self, changes: Iterable[tuple[str, str]]) -> dict[str, str | None]:
        """Put files in, or take them out (empty blob).

        Returns:
            DVC's files among them, with the blob they had before.
        """
        before: dict[str, str | None] = {}
        for path, blob in changes:
            if is_dvc_file(path) and not path.startswith("../"):
                before[path] = self.held.get(path)
            if (path in self.held) != bool(blob):
                self._all_code.clear()
            if blob:
                self.held[path] = blob
            else:
                self.held.pop(path, None)
        owners = dict.fromkeys(path for path in before if not path.endswith("dvc.yaml"))
        for path in before:
            if path.endswith("dvc.yaml"):
                owners[path[:-4] + "lock"] = None
        for owner in owners:
            self._own(owner)
        return before

    def _own(self, owner: str) -> None:
        """Put the outputs that a file names in the place of those it named before; only what changed is looked at."""
        owned = self._owned.setdefault(owner, _Owned())
        lock: Mapping[str, str] = {}
        definitions = None
        blob = self.held.get(owner)
        try:
            if blob is not None and owner.endswith("dvc.lock"):
                lock = self.files.lock(blob)
                definitions = self.definitions(posixpath.dirname(owner))
            elif blob is not None:
                lock = {"": blob}
        except Unreadable:
            pass
        old = owned.lock if definitions is owned.definitions else {}
        fresh = [(name, text) for name, text in lock.items() if old.get(name) is not text]
        for name in [name for name in owned.stages if name not in lock] + [name for name, _ in fresh]:
            for path in owned.stages.pop(name, ()):
                said = self.outputs.get(path)
                if said is None:
                    continue
                said.pop((owner, name), None)
                if not said:
                    del self.outputs[path]
        for name, text in fresh:
            outputs = self._outputs(owner, name, text, definitions)
            owned.stages[name] = tuple(outputs)
            for path, content in outputs.items():
                self.outputs.setdefault(path, {})[owner, name] = content
        owned.definitions, owned.lock = definitions, lock

    def _outputs(self, owner: str, name: str, text: str, definitions: Definitions | None) -> dict[str, Content | None]:
        try:
            if not name:
                file = self.files.dvc_file(owner, text)
                return {definition.resolve(file.wdir, out.path): out.content for out in file.record.outs}
            meaning = definitions.meaning(name) if definitions else None
            wdir = meaning.wdir if meaning else posixpath.dirname(owner) or "."
            return {definition.resolve(wdir, out.path): out.content for out in self.files.record(text).outs}
        except Unreadable:
            return {}

    def definitions(self, directory: str) -> Definitions | None:
        """The dvc.yaml of a directory, None when there is none or it is broken."""
        try:
            return self.files.definitions(directory, self.held.get(posixpath.join(directory, "dvc.yaml")), self.held)
        except Unreadable:
            return None

    def meaning(self, directory: str, name: str) -> Meaning:
        """What the dvc.yaml of a directory says of a stage; of a ghost there is only its lock entry."""
        definitions = self.definitions(directory)
        found = definitions.meaning(name) if definitions else None
        return found or Meaning(directory or ".")

    def dvc_files(self) -> list[str]:
        """DVC's files here, in order."""
        return sorted(path for path in self.held if is_dvc_file(path) and not path.startswith("../"))

    def owned(self, owner: str) -> list[str]:
        """The outputs that one of DVC's files names."""
        return [path for paths in self._owned[owner].stages.values() for path in paths] if owner in self._owned else []

    # -- questions -------------------------------------------------------------------------------------------------

    def content(self, path: str) -> Content | None:
        """The content of an output, as recorded."""
        return next((content for content in self.outputs.get(path, {}).values() if content), None)

    def enclosing(self, path: str) -> str | None:
        """The output directory that a path lies in."""
        while "/" in path:
            path = posixpath.dirname(path)
            if path in self.outputs:
                return path
        return None

    def within(self, path: str) -> list[str]:
        """The outputs inside a directory."""
        prefix = "" if path == "." else path + "/"
        return sorted(out for out in self.outputs if out.startswith(prefix) and out != path)

    def beneath(self, path: str) -> list[str]:
        """The files of a directory that git holds."""
        prefix = "" if path == "." else path + "/"
        return [file for file in self.held if file.startswith(prefix)]

    def members(self, path: str, key: str) -> tuple[Member, ...]:
        """The files of a directory in git, where DVC's hash of it shows that these are all of them; else none."""
        found = []
        for file in self.beneath(path):
            md5 = self.files.md5(file, self.held)
            if md5 is None:
                return ()
            found.append(Member(posixpath.relpath(file, path), md5))
        return tuple(found) if directory_key(found) == key else ()

    def is_code(self, path: str, code: Callable[[str], bool]) -> bool:
        """Whether a dependency is code: git holds it, it matches the project's patterns, and no stage makes it.

        A directory is code when everything that git holds in it is, or when it matches and holds no data formats.
        """
        if path in self.outputs or self.enclosing(path):
            return False
        if path in self.held:
            return code(path)
        found = self._all_code.get(path)
        if found is None:
            files = self.beneath(path)
            found = self._all_code[path] = bool(files) and all(
                code(file) or (code(path) and not holds_data(file)) for file in files
            )
        return found and not self.within(path)
