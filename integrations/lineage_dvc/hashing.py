"""The hash of what lies on disk now, as DVC computes it, remembered by size and time of change.

A file is its md5; a directory is the md5 of a JSON list of its files (dvc_data/hashfile/tree.py). The memory is a file
below DVC's ignored ``.dvc/tmp``; what was changed in the last two seconds is not remembered, as a second change could
hide in the same time stamp.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

from lineage.errors import CannotDecide
from lineage.vocabulary import Content, Member
from lineage_dvc.cache import directory_key

_RACY_NS = 2_000_000_000
_CHUNK = 1 << 20


class Hashes:
    """Hashes of files below a DVC root.

    Args:
        root: the DVC root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root / ".dvc" / "tmp" / "lineage" / "hashes.json"
        self._memory: dict[str, list[object]] | None = None
        self._fresh = False

    def content(self, path: Path) -> Content | None:
        """What identifies the bytes at a path: a regular file, or a directory with its members. None for all else.

        Raises:
            CannotDecide: ``FILE_UNREADABLE``.
        """
        try:
            if path.is_dir():
                return self._directory(path)
            if path.is_file():  # not a pipe or a device, which may never end
                return Content(f"md5:{self._md5(path)}", path.stat().st_size)
            return None
        except OSError as error:
            raise CannotDecide(f"{path} cannot be read", code="FILE_UNREADABLE", cause=str(error)) from None
        finally:
            self._save()

    def legacy(self, path: Path) -> str:
        """The content key that DVC before 3.0 gave to a text file: line ends normalised (``md5-dos2unix``)."""
        data = path.read_bytes()
        return f"md5:{hashlib.md5(data.replace(bytes([13, 10]), bytes([10])), usedforsecurity=False).hexdigest()}"

    def _directory(self, path: Path) -> Content:
        members: list[Member] = []
        for file in self._files(path):
            members.append(Member(file.relative_to(path).as_posix(), f"md5:{self._md5(file)}", file.stat().st_size))
        members.sort(key=lambda m: m.path)
        return Content(directory_key(members), sum(m.size or 0 for m in members), len(members), tuple(members))

    def _files(self, path: Path) -> Iterator[Path]:
        if self._has_ignore(path):
            # gitignore's rules in nested files: DVC's own reading of them is the only right one
            from dvc.repo import Repo

            repo = Repo(str(self.root))
            for file in repo.dvcignore.find(repo.fs, str(path)):
                yield Path(file)
            return
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if name not in (".git", ".hg", ".dvc")]
            for file in files:
                if file != ".git":
                    yield Path(folder) / file

    def _has_ignore(self, path: Path) -> bool:
        above = [d for d in (path, *path.parents) if d == self.root or self.root in d.parents]
        return any((d / ".dvcignore").is_file() and _says_something(d / ".dvcignore") for d in above) or any(
            ".dvcignore" in files for _, _, files in os.walk(path)
        )

    def _md5(self, path: Path) -> str:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):
            raise OSError(f"{path.name} is no regular file")
        mark: list[object] = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
        memory = self._load()
        known = memory.get(str(path))
        if known and known[:3] == mark:
            return str(known[3])
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        if time.time_ns() - stat.st_mtime_ns > _RACY_NS:
            memory[str(path)] = [*mark, digest.hexdigest()]
            self._fresh = True
        return digest.hexdigest()

    def _load(self) -> dict[str, list[object]]:
        if self._memory is None:
            try:
                found = json.loads(self._file.read_text(encoding="utf-8"))
                self._memory = found if isinstance(found, dict) else {}
            except (OSError, ValueError):
                self._memory = {}
        return self._memory

    def _save(self) -> None:
        if not self._fresh:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}.new")
            draft.write_text(json.dumps(self._memory), encoding="utf-8")
            draft.replace(self._file)
        except OSError:
            return  # a read-only work tree: the memory only saves time
        self._fresh = False


def _says_something(file: Path) -> bool:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)
