"""The work tree now: the stage that is running, the data inputs of any stage, what lies at a path. With live hashes.

For a model that is registered inside a stage whose lock entry is not yet written (facts/pipelines-in-the-wild.md,
shape 3).
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lineage.config import Config
from lineage.errors import CannotDecide
from lineage.pipeline import Known, Running
from lineage.vocabulary import Artifact, Content, Input, Use
from lineage_dvc.cache import Cache
from lineage_dvc.definition import Meaning, Stage, resolve
from lineage_dvc.git import Repository, find_top
from lineage_dvc.hashing import Hashes
from lineage_dvc.record import Entry, Record, Unreadable
from lineage_dvc.statement import Interpreter, Left
from lineage_dvc.tree import Tree
from lineage_dvc.worktree import WorkTree


def work_root(cwd: Path, dvc_root: Path) -> Path:
    """The DVC root whose files a stage sees: of an experiment in a temporary directory not ``DVC_ROOT`` but its copy.

    Args:
        cwd: working directory of the stage.
        dvc_root: ``DVC_ROOT`` of its environment.
    """
    here, there = find_top(cwd), find_top(dvc_root)
    if here is None or there is None or here == there:
        return dvc_root
    return here / dvc_root.relative_to(there)


class Now:
    """One work tree at this moment.

    Args:
        config: settings of the project.
        root: the DVC root.
    """

    def __init__(self, config: Config, root: Path) -> None:
        self.root = root
        top = find_top(root)
        self.git = Repository(top, root) if top else None
        self.work = WorkTree(root, self.git)
        self.said = Interpreter(config, root, Cache(root))
        self.hashes = Hashes(root)
        self._signs = self.work.signs({})

    def fresh(self) -> bool:
        """Whether DVC's files and the list of files are still those that were read."""
        return self.work.signs(self._signs) == self._signs

    def close(self) -> None:
        """End git's processes."""
        if self.git:
            self.git.close()

    @cached_property
    def tree(self) -> Tree:
        """The state of the files of DVC; every one of them readable.

        Raises:
            UsageError: one is broken.
        """
        tree = self.work.tree()
        for path in tree.dvc_files():
            self.work.check(path)
        return tree

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Every stage that a dvc.yaml defines: (address, stage)."""
        for path in self.tree.dvc_files():
            definitions = self.tree.definitions(posixpath.dirname(path)) if path.endswith("dvc.yaml") else None
            for name in definitions.names() if definitions else ():
                stage = definitions.stage(name) if definitions else None
                if stage is not None:
                    yield f"{path}:{name}", stage

    def recorded(self, address: str) -> Record | None:
        """The lock entry of a stage."""
        path, _, name = address.rpartition(":")
        text = self.tree.files.lock(self.tree.held.get(path[:-4] + "lock")).get(name)
        return self.tree.files.record(text) if text is not None else None

    # -- stages ----------------------------------------------------------------------------------------------------

    def canonical(self, address: str, cwd: Path) -> str | None:
        """The address of a stage from the DVC root.

        ``DVC_STAGE`` is relative to the directory in which dvc was called, which the stage cannot see; but the stage
        runs in its own working directory (facts/dvc.md).

        Args:
            address: ``train``, ``dvc.yaml:train``, ``../sub/dvc.yaml:train@a``.
            cwd: where the stage runs, or the person stands.

        Raises:
            CannotDecide: several stages fit.
        """
        file, _, name = address.replace("\\", "/").rpartition(":")
        known = dict(self.stages())
        fitting = [a for a in known if a.rpartition(":")[2] == name]
        tail = file.lstrip("./") if file.startswith(".") else file
        try:
            here = cwd.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            here = "."
        exact = [resolve(here, file or "dvc.yaml"), posixpath.normpath(file or "dvc.yaml")]
        narrowed = (
            [a for a in fitting if file and a.rpartition(":")[0].endswith(tail)] or fitting,
            [a for a in fitting if known[a].meaning.wdir == here],
        )
        both = [a for a in narrowed[0] if a in narrowed[1]]
        for candidates in (both, narrowed[1], [a for a in fitting if a.rpartition(":")[0] in exact], narrowed[0]):
            if len(candidates) == 1:
                return candidates[0]
        if not fitting:
            return None
        raise CannotDecide(
            f"{address!r} may be one of several stages", code="STAGE_AMBIGUOUS", cause=", ".join(sorted(fitting)),
            hint="name the stage with its dvc.yaml, as `dvc stage list` shows it from the root",
        )  # fmt: skip

    def live_inputs(self, address: str, known_content: Known, *, running: bool = False) -> tuple[Input, ...]:
        """Data inputs of a stage with the hashes of what lies there now.

        Args:
            address: of the stage.
            known_content: which of some content keys are recorded as data.
            running: whether it runs now, so that every dependency must be there.

        Raises:
            CannotDecide: a dependency is missing or cannot be read.
        """
        stage = dict(self.stages())[address]
        record = self.recorded(address)
        before = {dep.path: dep for dep in record.deps} if record else {}
        deps = tuple(
            self._now(dep, stage, before.get(dep), bool(record and record.legacy), running) for dep in stage.deps
        )
        made = record.outs if record else ()
        kept = ((resolve(stage.meaning.wdir, out.path), out.content) for out in made)
        persisting = tuple(
            Input(self.said.artifact(path, content, model=self.said.is_model(path, stage.meaning)))
            for path, content in kept
            if path in stage.meaning.persists
        )
        meaning = self.said.tested(self.tree, stage.deps, stage.outs, stage.meaning)
        return (*self._inputs(deps, meaning, known_content), *persisting)

    def _inputs(self, deps: tuple[Entry, ...], meaning: Meaning, known_content: Known) -> tuple[Input, ...]:
        left: list[Left] = []
        inputs = tuple(self.said.inputs(self.tree, deps, meaning, left))
        keys = {key for each in left for _, key in each.files}
        made = {content.hash for said in self.tree.outputs.values() for content in said.values() if content}
        return (*inputs, *self.said.given(left, known_content(keys) | (keys & made) if keys else keys))

    def inputs_of(self, read: tuple[Entry, ...], known_content: Known) -> tuple[Input, ...]:
        """The data among files that a command read, whatever it declared; paths from the root, or absolute ones."""
        return self._inputs(read, Meaning("."), known_content)

    def recorded_inputs(self, address: str, known_content: Known) -> tuple[Input, ...]:
        """Data inputs of a stage as its lock entry says; empty when it never ran."""
        record = self.recorded(address)
        if record is None:
            return ()
        path, _, name = address.rpartition(":")
        meaning = self.tree.meaning(posixpath.dirname(path), name)
        deps = (dep.path for dep in record.deps)
        outs = (resolve(meaning.wdir, out.path) for out in record.outs)
        return self._inputs(record.deps, self.said.tested(self.tree, deps, outs, meaning), known_content)

    def _now(self, path: str, stage: Stage, before: Entry | None, legacy: bool, running: bool) -> Entry:
        where = resolve(stage.meaning.wdir, path)
        if "://" in where:
            return before or Entry(path, None)
        local = self.said.local(where)
        if local is not None and self.tree.is_code(local, self.said.code):
            return Entry(path, self.content(local))  # it will be left out, unless its content is known as data
        content = self.content(where)
        if content is None and before is not None and not running:
            return before  # not checked out; the lock says what it was
        if content is None:
            raise CannotDecide(
                f"{path}, a dependency of the stage, does not exist now", code="DEPENDENCY_MISSING",
                hint=f"dvc checkout {path}",
            )  # fmt: skip
        if legacy and before and before.content and before.content.hash != content.hash and content.files is None:
            key = self.hashes.legacy(self.root / where)
            if key == before.content.hash:
                content = before.content
        return Entry(path, content)

    # -- paths -----------------------------------------------------------------------------------------------------

    def content(self, path: str) -> Content | None:
        """What lies at a path from the root, or an absolute one."""
        return self.hashes.content(self.root / path)

    def locate(self, text: str) -> Artifact | None:
        """See `lineage.pipeline.Pipeline.locate`."""
        if "://" in text and not text.startswith("file://"):
            return self._url(text)
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        path = Path(text.replace("\\", "/") if "\\" in text and not Path(text).exists() else text)
        absolute = Path(posixpath.normpath((path if path.is_absolute() else self.root / path).as_posix()))
        local = self.said.local(absolute.as_posix())
        if local is None:
            try:
                local = absolute.resolve().relative_to(self.root.resolve()).as_posix()
            except ValueError:
                return self._outside(absolute)
        if local == "." or local.split("/", 1)[0] in (".git", ".dvc"):
            return None
        if local.endswith(".dvc") and local in self.tree.held:
            outs = self.tree.owned(local)
            if len(outs) == 1:
                local = outs[0]
        content = self.content(local)
        if content is None and local in self.tree.outputs:
            content = self.tree.content(local)
        if content is None:
            return self._member(local)
        return self.said.artifact(local, content, model=self.is_model(local))

    def _outside(self, path: Path) -> Artifact | None:
        """A file outside the repository; a directory only when a stage reads or makes it: there is no end to others."""
        if path.parts[1:2] and path.parts[1] in ("proc", "sys", "dev"):
            return None
        if path.is_dir() and str(path) not in self.tree.outputs:
            read = {resolve(stage.meaning.wdir, dep) for _, stage in self.stages() for dep in stage.deps}
            if str(path) not in {str((self.root / dep).resolve()) for dep in read if "://" not in dep}:
                return None
        content = self.content(str(path))
        return self.said.artifact(str(path), content) if content else None

    def is_model(self, path: str) -> bool:
        """Whether what lies at a path is a model."""
        makers = self.tree.outputs.get(path, {})
        for owner, name in makers:
            if name:
                meaning = self.tree.meaning(posixpath.dirname(owner), name)
                if path in meaning.models or path in meaning.measures:
                    return path in meaning.models
        return bool(makers) and self.said.model(path)

    def _member(self, local: str) -> Artifact | None:
        """A file of a tracked directory that is not checked out."""
        outer = self.tree.enclosing(local)
        whole = self.tree.content(outer) if outer else None
        for member in (self.said.cache.members(whole.hash) if whole else None) or ():
            if posixpath.join(outer or "", member.path) == local:
                return self.said.artifact(local, Content(member.hash, member.size))
        return None

    def _url(self, url: str) -> Artifact | None:
        """Something outside that a `.dvc` file or stage reads."""
        for path in self.tree.dvc_files():
            try:
                if path.endswith("dvc.lock"):
                    records = [self.tree.files.record(t) for t in self.tree.files.lock(self.tree.held[path]).values()]
                elif path.endswith("dvc.yaml"):
                    continue
                else:
                    records = [self.tree.files.dvc_file(path, self.tree.held[path]).record]
            except Unreadable:
                continue
            for record in records:
                for entry in (*record.deps, *record.outs):
                    if entry.path == url:
                        return self.said.artifact(url, entry.content)
        return None


_last: dict[Path, Now] = {}


@contextmanager
def look(config: Config, root: Path) -> Iterator[Now]:
    """The work tree as it is, read again only when one of DVC's files changed since the last look.

    Args:
        config: settings of the project.
        root: the DVC root.
    """
    now = _last.get(root)
    if now is None or now.said.config != config or not now.fresh():
        now = Now(config, root)
        _last.clear()  # one work tree at a time
        _last[root] = now
    try:
        yield now
    finally:
        now.close()


def merged(*groups: tuple[Input, ...]) -> tuple[Input, ...]:
    """Inputs of several groups, each dataset version once."""
    found: dict[tuple[str, str, str, str], Input] = {}
    for group in groups:
        for each in group:
            a = each.artifact
            found.setdefault((a.namespace, a.name, a.content.hash if a.content else "", each.use.value), each)
    return tuple(found.values())


def running(
    config: Config, root: Path, cwd: Path, environment: Mapping[str, str], known_content: Known
) -> Running | None:
    """See `lineage.pipeline.Pipeline.running`."""
    address, dvc_root = environment.get("DVC_STAGE"), environment.get("DVC_ROOT")
    if not address or not dvc_root:
        return None
    cwd = cwd.resolve()
    there = work_root(cwd, Path(dvc_root).resolve())
    if root.resolve() not in (there, Path(dvc_root).resolve()):
        return None  # a stage of another project
    with look(config, there) as now:
        found = now.canonical(address, cwd)
        if found is None:
            raise CannotDecide(
                f"the running stage {address!r} is in no dvc.yaml", code="STAGE_UNKNOWN", hint="dvc stage list"
            )
        stage = dict(now.stages())[found]
        told = map(json.loads, stage.params)
        params = [file for each in told for file in (each if isinstance(each, dict) else ["params.yaml"])]
        read = (resolve(stage.meaning.wdir, path) for path in (*stage.deps, *params))
        declared = (str(there / path) for path in (*read, *stage.outs))  # of outputs the path from the root is known
        inputs = now.live_inputs(found, known_content, running=True)
        return Running(found, inputs, tuple(declared), called(stage.meaning))


def called(meaning: Meaning) -> tuple[tuple[str, Use], ...]:
    """Roles that a stage declares for what it calls: pattern of a host, role."""
    return tuple((urlsplit(pattern).hostname or "", use) for pattern, use in meaning.uses if "://" in pattern)
