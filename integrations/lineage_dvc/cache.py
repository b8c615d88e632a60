"""DVC's cache: the files of a tracked directory, and the run cache. Reads only.

The run cache knows executions that no commit holds, but not the name of their stage (facts/dvc.md).
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lineage.vocabulary import Member


def directory_key(members: Iterable[Member]) -> str:
    """The content key that DVC gives to a directory with these files (dvc_data/hashfile/tree.py)."""
    listed = [{"md5": m.hash[4:], "relpath": m.path} for m in sorted(members, key=lambda m: m.path)]
    return f"md5:{hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest()}.dir"


class CachedRun(NamedTuple):
    """One file of the run cache."""

    key: str
    value: str
    path: Path
    mtime: float


class Cache:
    """The cache of one DVC repository.

    Args:
        root: the DVC root. In a temporary work tree of an experiment the configuration names the real cache.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = _settings(root)
        directory = self.settings.get("cache", {}).get("dir", "")
        self.directory = Path(directory) if directory else root / ".dvc" / "cache"
        self.shared = root not in self.directory.parents
        self._members: dict[str, tuple[Member, ...] | None] = {}

    def remote(self, name: str) -> str:
        """The URL of a DVC remote, or empty."""
        return self.settings.get(f'remote "{name}"', {}).get("url", "")

    def object(self, key: str) -> Path | None:
        """The file in the cache that holds a content ``md5:…``, if it is there."""
        scheme, _, md5 = key.partition(":")
        if scheme != "md5":
            return None
        for folder in (self.directory / "files" / "md5", self.directory):  # DVC 3, and before
            path = folder / md5[:2] / md5[2:]
            if path.is_file():
                return path
        return None

    def members(self, key: str) -> tuple[Member, ...] | None:
        """The files of a directory, None when the cache does not hold the list."""
        if self._members.get(key) is None:
            self._members[key] = self._read(key)
        return self._members[key]

    def _read(self, key: str) -> tuple[Member, ...] | None:
        path = self.object(key)
        if path is None:
            return None
        data = path.read_bytes()
        if f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}.dir" != key:
            return None  # a damaged object is no evidence
        try:
            return tuple(
                Member(str(item["relpath"]), f"md5:{item['md5']}", item.get("size"))
                for item in json.loads(data)
                if item.get("md5")
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    # -- run cache -------------------------------------------------------------------------------------------------

    def folders(self) -> dict[str, str]:
        """The folders of the run cache, each with a text that changes when something is added to it."""
        found: dict[str, str] = {}
        try:
            folders = sorted(os.scandir(self.directory / "runs"), key=lambda e: e.name)
        except OSError:
            return found
        for folder in folders:
            if folder.is_dir():
                keys = sorted(f"{e.name}{e.stat().st_mtime_ns}" for e in os.scandir(folder.path) if e.is_dir())
                found[folder.name] = hashlib.sha256("".join(keys).encode()).hexdigest()[:12]
        return found

    def runs(self, folder: str) -> Iterator[CachedRun]:
        """The executions in one folder of the run cache, oldest first."""
        found: list[CachedRun] = []
        for key in os.scandir(self.directory / "runs" / folder):
            if key.is_dir():
                for value in os.scandir(key.path):
                    if len(value.name) == 64:  # others are being written
                        found.append(CachedRun(key.name, value.name, Path(value.path), value.stat().st_mtime))
        yield from sorted(found, key=lambda run: (run.mtime, run.key, run.value))


def _settings(root: Path) -> dict[str, dict[str, str]]:
    """DVC's configuration, later files over earlier ones. Relative cache directories start from the file."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    merged: dict[str, dict[str, str]] = {}
    for file in (home / "dvc" / "config", root / ".dvc" / "config", root / ".dvc" / "config.local"):
        parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
        try:
            parser.read_string(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, configparser.Error):
            continue
        for section in parser.sections():
            values = {k: (v or "").strip("'\"") for k, v in parser.items(section)}
            if "url" in values and "://" not in values["url"]:
                values["url"] = str((file.parent / values["url"]).resolve())
            if section == "cache" and values.get("dir"):
                values["dir"] = str((file.parent / os.path.expanduser(values["dir"])).resolve())  # noqa: PTH111
            merged.setdefault(section.strip("'"), {}).update(values)
    return merged
