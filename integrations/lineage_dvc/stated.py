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
from lineage.vocabulary import CLEAN_KINDS, Artifact, ArtifactType, Basis, Content, Kind, Tag
from lineage_dvc.claim import NOBODY
from lineage_dvc.definition import resolve
from lineage_dvc.record import Unreadable as FileUnreadable
from lineage_dvc.statement import Interpreter, Known
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
                # not `Interpreter.artifact`, which gives out the files of a directory once
                kind = ArtifactType.MODEL if self.said.model(data.path) else ArtifactType.DATASET
                local = self.said.local(data.path) or data.path
                yield Spoken(Artifact(self.said.namespace, local, data.content, kind, tags), data)

    def data(self) -> Iterator[Data]:
        """Sources in the work tree: what a `.dvc` file tracks, and what stages read or make of nothing but code."""
        for path in self.tree.dvc_files():
            try:
                if path.endswith("dvc.lock"):
                    yield from self._of_stages(path)
                elif not path.endswith("dvc.yaml"):
                    yield from self._of_file(path)
            except FileUnreadable:  # said by others
                continue

    def _of_file(self, path: str) -> Iterator[Data]:
        file = self.tree.files.dvc_file(path, self.tree.held[path])
        urls = tuple(
            dep.upstream.url if dep.upstream else resolve(file.wdir, dep.path)
            for dep in file.record.deps
            if dep.upstream or "://" in dep.path
        )
        for out in file.record.outs:
            if out.content:
                yield Data(resolve(file.wdir, out.path), out.content, urls, path)

    def _of_stages(self, path: str) -> Iterator[Data]:
        tree = self.tree
        for name, text in tree.files.lock(tree.held[path]).items():
            record, meaning = tree.files.record(text), tree.meaning(posixpath.dirname(path), name)
            read = [(resolve(meaning.wdir, dep.path), dep) for dep in record.deps]
            given = [(where, dep) for where, dep in read if not self._code(where)]
            for out in () if given else record.outs:
                if out.content:
                    yield Data(resolve(meaning.wdir, out.path), out.content, (), f"{path[:-4]}yaml:{name}")
            for where, dep in given:
                local = self.said.local(where)
                if local and dep.content and local not in tree.outputs and not tree.enclosing(local):
                    yield Data(local, dep.content, (), local)

    def _code(self, path: str) -> bool:
        local = self.said.local(path)
        return local is not None and self.tree.is_code(local, self.said.code)

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
            yield from self._in_file(where, members.get(name, ""))

    def _in_file(self, path: str, key: str) -> tuple[Tag, ...]:
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
    told: dict[Data, list[Tag]] = {data: [] for data in beside.data()}
    places: dict[Data, str] = {}
    for spoken in beside.spoken():
        told[spoken.data] += spoken.artifact.tags
    for data in told:
        for url in data.urls:
            if (tag := tag_of_url(url)) is not None:
                told[data].append(tag)
            elif place := place_of(url):
                places[data] = place
    asked = [data for data in told if told[data] or data in places]
    declared = _declared(beside) if asked else {}
    for data in asked:
        kinds = declared.get((data.path, data.content.hash), set())
        words = "; ".join(dict.fromkeys(f"{_file(tag)}: {tag.reason}" for tag in told[data]))[:400]
        if not kinds and told[data]:
            yield Notice(
                "STATED_ONLY", data.path,
                f"others say where it comes from ({words}); nobody here has, so it stays undeclared",
                _command(data, told[data][0]),
            )  # fmt: skip
        elif not kinds:
            yield Notice(
                "PLACE_KNOWN", data.path,
                f"it was taken from {places[data]}, where anybody puts anything: it is undeclared",
                f"read its page there, then: lineagegate declare {shlex.quote(data.address)} --kind …",
            )  # fmt: skip
        elif kinds <= CLEAN_KINDS and any(tag.origin.kind not in CLEAN_KINDS for tag in told[data]):
            said = ", ".join(sorted(kind.value for kind in kinds))
            yield Notice(
                "STATED_OTHERWISE", data.path, f"it is declared {said}, but others say otherwise ({words})",
                "both count; if the statement is a mistake: lineagegate correction claim --help",
            )  # fmt: skip
    for path, why in sorted(beside.unreadable.items()):
        yield Notice("STATED_UNREADABLE", path, f"it lies beside data and cannot be read: {why[:300]}")


def _declared(beside: Beside) -> dict[tuple[str, str], set[Kind]]:
    """What people here declared, by path and content key."""
    found: defaultdict[tuple[str, str], set[Kind]] = defaultdict(set)
    tree, said = beside.tree, beside.said

    def take(known: Iterable[Known]) -> None:
        for artifact in (each.artifact for each in known):
            if artifact.content is not None:
                kinds = {tag.origin.kind for tag in artifact.tags if tag.basis is Basis.DECLARED}
                found[artifact.name, artifact.content.hash] |= kinds

    for path in tree.dvc_files():
        try:
            if path.endswith("dvc.lock"):
                for name, text in tree.files.lock(tree.held[path]).items():
                    meaning = tree.meaning(posixpath.dirname(path), name)
                    record = tree.files.record(text)
                    take(said.stage_tags(tree, f"{path[:-4]}yaml:{name}", record, meaning, NOBODY))
            elif not path.endswith("dvc.yaml"):
                take(said.dvc_tags(path, tree.files.dvc_file(path, tree.held[path]), NOBODY))
        except FileUnreadable:
            continue
    return found


def _file(tag: Tag) -> str:
    return tag.evidence.rpartition(" sha256:")[0] or tag.by


def _command(data: Data, tag: Tag) -> str:
    words = [f"lineagegate declare {shlex.quote(data.address or data.path)}"]
    for field in ("kind", "provider", "service", "licence"):
        value = tag.origin.kind.value if field == "kind" else str(getattr(tag.origin, field))
        if value:
            words.append(f"--{field} {shlex.quote(value)}")
    return " ".join([*words, f"--evidence {shlex.quote(_file(tag))}"])
