"""What files beside tracked data say of it: which are read, for which data, and what a person should know of it.

A card or a licence speaks for data that it lies beside, or in whose directory it lies, as the work tree is now. At the
root of the repository such files are about the project. What they say is `lineage.gate.stated`'s business.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from lineage.gate.stated import LARGEST, NAMES, Unreadable, place_of, tag_of_url, tags_of_file
from lineage.pipeline import Notice
from lineage.vocabulary import CLEAN_KINDS, Artifact, Basis, Content, Tag
from lineage_dvc.claim import NOBODY
from lineage_dvc.definition import resolve
from lineage_dvc.record import Unreadable as FileUnreadable
from lineage_dvc.statement import Interpreter
from lineage_dvc.tree import Tree

Marks = dict[str, list[int]]
"""Path of a file to [mtime in ns, bytes]."""


class Data(NamedTuple):
    """Data that somebody may speak of."""

    path: str
    """From the DVC root."""
    content: Content
    urls: tuple[str, ...] = ()
    """Where DVC took it from."""
    address: str = ""
    """What `lineagegate declare` knows it by."""
    said: frozenset[Tag] = frozenset()
    """What somebody declared of it."""


class Spoken(NamedTuple):
    """What others state of data."""

    artifact: Artifact
    """With the tags."""
    data: Data


class Beside:
    """The files beside the data of one state of the work tree.

    Args:
        root: the DVC root.
        said: interpreter of the project.
        tree: the state.
    """

    def __init__(self, root: Path, said: Interpreter, tree: Tree) -> None:
        self.root = root
        self.said = said
        self.tree = tree
        self.unreadable: dict[str, str] = {}
        """Files that could not be understood, and why."""
        self._read: dict[str, tuple[Tag, ...]] = {}

    def folders(self) -> list[str]:
        """The folders in which such a file would speak for data."""
        return sorted({folder for data in self.data() for folder in self._folders(data)})

    def spoken(self) -> Iterator[Spoken]:
        """What the files state, by data."""
        for data in self.data():
            tags = tuple(dict.fromkeys(tag for folder in self._folders(data) for tag in self._tags(folder, data)))
            if tags:
                model = self.said.model(data.path)
                yield Spoken(self.said.artifact(data.path, data.content, model=model, tags=tags), data)

    def data(self) -> Iterator[Data]:
        """Sources in the work tree: what a `.dvc` file tracks, and what stages read or make of nothing but code."""
        tree, said = self.tree, self.said
        for path in tree.dvc_files():
            if path.endswith(("dvc.yaml", "dvc.lock")):
                continue
            try:
                file = tree.files.dvc_file(path, tree.held[path])
            except FileUnreadable:
                continue
            urls = tuple(
                dep.upstream.url if dep.upstream else resolve(file.wdir, dep.path)
                for dep in file.record.deps
                if dep.upstream or "://" in dep.path
            )
            told: defaultdict[str, set[Tag]] = defaultdict(set)
            for known in said.dvc_tags(path, file, NOBODY):
                told[known.artifact.name] |= {tag for tag in known.artifact.tags if tag.basis is Basis.DECLARED}
            for out in file.record.outs:
                if out.content:
                    where = resolve(file.wdir, out.path)
                    yield Data(where, out.content, urls, path, frozenset(told[where]))
        for path in tree.dvc_files():
            if posixpath.basename(path) == "dvc.lock":
                yield from self._of_stages(path)

    def _of_stages(self, path: str) -> Iterator[Data]:
        tree, said = self.tree, self.said
        folder = posixpath.dirname(path)
        try:
            lock = tree.files.lock(tree.held[path])
            for name, text in lock.items():
                record, meaning = tree.files.record(text), tree.meaning(folder, name)
                address = f"{path[:-4]}yaml:{name}"
                told: defaultdict[str, set[Tag]] = defaultdict(set)
                for known in said.stage_tags(tree, address, record, meaning, NOBODY):
                    told[known.artifact.name] |= {tag for tag in known.artifact.tags if tag.basis is Basis.DECLARED}
                if not any(True for _ in said.inputs(tree, record.deps, meaning)):
                    for out in record.outs:
                        where = resolve(meaning.wdir, out.path)
                        if out.content:
                            yield Data(where, out.content, (), address, frozenset(told[where]))
                for dep in record.deps:
                    where = resolve(meaning.wdir, dep.path)
                    local = said.local(where)
                    if local is None or dep.content is None or local in tree.outputs or tree.enclosing(local):
                        continue
                    if not tree.is_code(local, said.code):
                        yield Data(local, dep.content, (), local, frozenset(told[local]))
        except FileUnreadable:
            return

    def _folders(self, data: Data) -> list[str]:
        if self.said.local(data.path) is None or data.path.startswith("../"):
            return []
        found = [data.path] if data.content.hash.endswith(".dir") else []
        beside = posixpath.dirname(data.path)
        return found + ([beside] if beside else [])

    def _tags(self, folder: str, data: Data) -> Iterator[Tag]:
        members: Mapping[str, str] = {}
        if folder == data.path:
            members = {m.path: m.hash for m in self.said.cache.members(data.content.hash) or ()}
        for name in NAMES:
            where = f"{folder}/{name}"
            if members and name not in members:
                continue  # it lies there now, and is none of the files that were recorded
            yield from self._of_file(where, members.get(name, ""))

    def _of_file(self, path: str, key: str) -> tuple[Tag, ...]:
        mark = f"{path} {key}"
        if mark not in self._read:
            data = self._bytes(path, key)
            try:
                self._read[mark] = tags_of_file(path, data) if data is not None else ()
            except Unreadable as error:
                self.unreadable[path] = str(error)
                self._read[mark] = ()
        return self._read[mark]

    def _bytes(self, path: str, key: str) -> bytes | None:
        """What lies at a path; with a content key that content, from there or from the cache."""
        for place in (self.root / path, self.said.cache.object(key) if key else None):
            try:
                if place is None or not place.is_file():
                    continue
                with place.open("rb") as stream:
                    data = stream.read(LARGEST + 1)
            except OSError as error:
                self.unreadable[path] = str(error)
                continue
            if not key or len(data) > LARGEST or f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}" == key:
                return data
        return None


def marks(root: Path, folders: Iterable[str]) -> Marks:
    """When the files in some folders that would be read were written last, and how long they are."""
    found: Marks = {}
    for folder in folders:
        for name in NAMES:
            try:
                stat = (root / folder / name).stat()
            except (OSError, ValueError):
                continue
            found[f"{folder}/{name}"] = [stat.st_mtime_ns, stat.st_size]
    return found


def notices(beside: Beside) -> Iterator[Notice]:
    """What others state and nobody here has said, or has said otherwise."""
    by_data: dict[Data, list[Tag]] = defaultdict(list)
    for spoken in beside.spoken():
        by_data[spoken.data] += spoken.artifact.tags
    places: dict[Data, str] = {}
    for data in beside.data():
        for url in data.urls:
            if (tag := tag_of_url(url)) is not None:
                by_data[data].append(tag)
            elif place := place_of(url):
                places[data] = place
    for data, tags in by_data.items():
        words = "; ".join(dict.fromkeys(f"{_file(tag)}: {tag.reason}" for tag in tags))
        declared = {tag.origin.kind for tag in data.said}
        strict = [tag for tag in tags if tag.origin.kind not in CLEAN_KINDS and tag.origin.kind not in declared]
        if not declared:
            yield Notice(
                "STATED_ONLY", data.path,
                f"others say where it comes from ({words[:400]}); nobody here has, so it stays undeclared",
                _command(data, tags[0]),
            )  # fmt: skip
        elif declared <= CLEAN_KINDS and strict:
            kinds = ", ".join(sorted(kind.value for kind in declared))
            yield Notice(
                "STATED_OTHERWISE", data.path, f"it is declared {kinds}, but others say otherwise ({words[:400]})",
                "both count; if the statement is a mistake: lineagegate correction claim --help",
            )  # fmt: skip
    for data, place in places.items():
        if not data.said and data not in by_data:
            yield Notice(
                "PLACE_KNOWN", data.path, f"it was taken from {place}, where anybody puts anything: it is undeclared",
                f"read its page there, then: lineagegate declare {shlex.quote(data.address)} --kind …",
            )  # fmt: skip
    for path, why in sorted(beside.unreadable.items()):
        yield Notice("STATED_UNREADABLE", path, f"it lies beside data and cannot be read: {why[:300]}")


def _file(tag: Tag) -> str:
    return tag.evidence.rpartition(" sha256:")[0] or tag.by


def _command(data: Data, tag: Tag) -> str:
    words = [f"lineagegate declare {shlex.quote(data.address or data.path)}"]
    for field in ("kind", "provider", "service", "licence"):
        value = tag.origin.kind.value if field == "kind" else str(getattr(tag.origin, field))
        if value:
            words.append(f"--{field} {shlex.quote(value)}")
    return " ".join([*words, f"--evidence {shlex.quote(_file(tag))}"])
