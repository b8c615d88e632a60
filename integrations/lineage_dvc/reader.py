"""Reading everything DVC recorded: every commit, the work tree, the run cache; the second time only what is new.

Gives OpenLineage events in batches. What the records mean is `lineage_dvc.statement`'s; nothing is written here but the
list of files that could not be read, for `lineage_dvc.notices`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from lineage.config import Config
from lineage.errors import CannotDecide
from lineage.events import dataset_event, run_event
from lineage.pipeline import Batch, Progress
from lineage.pipeline import Known as KnownKeys
from lineage.vocabulary import Artifact, Content, Execution
from lineage_dvc.cache import Cache
from lineage_dvc.claim import NOBODY, Writer
from lineage_dvc.definition import Meaning, resolve
from lineage_dvc.git import Commit, Repository, find_top, is_dvc_file
from lineage_dvc.record import Record, Unreadable, decoded, parsed, record
from lineage_dvc.stated import Beside, marks
from lineage_dvc.statement import Interpreter, Known, Left, Ran
from lineage_dvc.tree import Files, Tree
from lineage_dvc.upstream import settings_of
from lineage_dvc.worktree import WorkTree

BATCH = 1000
VERSION = 3
"""Of the cursor; another version is read from the beginning."""


class Moment(NamedTuple):
    """When something was first seen, and who brought it."""

    time: str
    """ISO 8601."""
    commit: str = ""
    author: str = ""
    evidence: str = "asserted"

    @property
    def writer(self) -> Writer:
        """Who speaks in what is found there."""
        return Writer(self.author, self.time) if self.commit else NOBODY


class _Pending(NamedTuple):
    statement: Ran | Known
    moment: Moment
    force: bool


class Reader:
    """One reading.

    Args:
        config: settings of the project.
        root: its DVC root.
        cursor: what the last reading left, or None.
        known_runs: which of some run ids are recorded already.
        known_content: which of some content keys are recorded as data.
        progress: told how far it is.
    """

    def __init__(
        self,
        config: Config,
        root: Path,
        cursor: str | None,
        known_runs: KnownKeys,
        known_content: KnownKeys,
        progress: Progress | None,
    ) -> None:
        self.config = config
        self.root = root
        self.known_runs = known_runs
        self.known_content = known_content
        self.progress = progress
        self.cache = Cache(root)
        self.said = Interpreter(config, root, self.cache)
        top = find_top(root)
        self.git = Repository(top, root) if top else None
        self.work = WorkTree(root, self.git)
        self.files = Files(self._blob)
        self.unreadable: dict[tuple[str, str], str] = {}
        """(path, commit or empty) to why."""
        self._told = cursor or ""
        self._old = _old_cursor(cursor, config)
        self.said.bound.update(self._old.get("bound", {}))
        self.said.writers.update((mark, Writer(*writer)) for mark, writer in self._old.get("writers", {}).items())
        self._open: dict[str, None] = dict.fromkeys(self._old.get("open", []))
        self._listed: set[str] = set(self._old.get("listed", []))
        """Directories whose files the ledger knows from earlier readings."""
        self._unknown: dict[str, str] = dict(self._old.get("unknown", {}))
        """Directories of which was told that their files are not known: content key to path."""
        self._persisted: dict[str, str] = dict(self._old.get("persisted", {}))
        """What outputs that persist held when the work tree was read last: path to content key."""
        self._known: set[Known] = set()
        self._runs: set[str] = set()
        self._seen: set[tuple[str, str, Meaning]] = set()
        self._executions: list[tuple[str, Record, Meaning]] = []
        self._pending: list[_Pending] = []
        self._data: set[str] = set()
        """Content keys of everything told."""
        self._code: dict[Left, list[tuple[Ran, Moment]]] = {}
        """What was left out of runs that were told, as code."""
        self._copies: set[str] = set(self._old.get("copies", []))
        """Content keys that the ledger knows because a run copied its code to its outputs."""

    def read(self) -> Iterator[Batch]:
        """Events of everything that is new, and after them the new cursor. Nothing when nothing is new.

        Raises:
            UsageError: a file of DVC in the work tree is broken; nothing was given out.
            CannotDecide: git cannot be read.
        """
        try:
            now = self._signs()
            if all(self._old.get(key) == value for key, value in now.items()) and not self._found():
                return
            new = dict(now)
            yield from self._read(new)
            self._stated(new)
            events, executions = self._events()
            events += self._late()
            if self._was_code():
                yield from self._anew().read()
                return
            new |= {
                "code": sorted({*self._old.get("code", []), *(key for each in self._code for _, key in each.files)}),
                "copies": sorted(self._copies),
                "listed": sorted(self._listed | self.said.described.keys()),
                "persisted": self._persisted,
                "unknown": self._unknown,
                "absent": self.said.absent,
                "bound": self.said.bound,
                "writers": self.said.writers,
                "open": sorted(self._open),
                "version": VERSION,
            }
            yield Batch(events, json.dumps(new, sort_keys=True), 0, executions)
            self.work.note(self.unreadable, self.said.bound, fresh=not self._old)
        finally:
            if self.git:
                self.git.close()

    def _late(self) -> list[bytes]:
        """Runs of which something was left out that turned out to be data, with it."""
        keys = {key for each in self._code for _, key in each.files}
        known = ((self.known_content(keys) - self._copies) | (keys & self._data)) if keys else keys
        runs: dict[Ran, Moment] = {}
        for left, told in self._code.items():
            if any(key in known for _, key in left.files):
                runs |= dict(told)
        return [_event(self._whole(run, known), moment) for run, moment in runs.items()]

    def _whole(self, run: Ran, known: set[str]) -> Ran:
        more = tuple(self.said.given(run.left, known))
        return run._replace(inputs=run.inputs + more) if more else run

    def _was_code(self) -> bool:
        """Whether what earlier readings left out as code is data now."""
        keys = set(self._old.get("code", []))
        return bool(keys) and bool(keys & self._data or self.known_content(keys - self._copies))

    def _anew(self) -> Reader:
        """One that reads everything again, with what only this one knows."""
        if self.git:
            self.git.close()
        kept: dict[str, Any] = {
            key: self._old[key]
            for key in ("absent", "config", "copies", "listed", "persisted", "stated", "unknown", "version")
            if key in self._old
        }
        kept |= {"bound": self.said.bound, "writers": self.said.writers, "open": sorted(self._open)}
        again = Reader(self.config, self.root, json.dumps(kept), self.known_runs, self.known_content, self.progress)
        again._told = self._told
        return again

    def _signs(self) -> dict[str, Any]:
        """Small things that change whenever there may be something new."""
        return {
            "config": _config_digest(self.config),
            "refs": self.git.fingerprint() if self.git else "",
            **self.work.signs(self._old),
            "runs": self.cache.folders(),
            "cards": marks(self.root, self._old.get("places", [])),
        }

    def _found(self) -> dict[str, str]:
        return {key: path for key, path in self._old.get("absent", {}).items() if self.cache.object(key)}

    def _read(self, new: dict[str, Any]) -> Iterator[Batch]:
        changed = self._changed_files(new)
        new["heads"] = self._old.get("heads", [])
        if self.git and self._old.get("refs") != new["refs"]:
            yield from self._history(new)
        self._work_tree(changed)
        yield from self._run_cache(new)
        found = self._found()
        kept = {key: path for key, path in self._old.get("absent", {}).items() if key not in found}
        self.said.absent = {**kept, **self.said.absent}
        for key, path in found.items():
            artifact = self.said.artifact(path, Content(key))
            if artifact.content and artifact.content.members:
                self._data.update(key for key in _keys(artifact) if key not in self._copies)
                self._tell(Known(artifact), Moment(_iso(time.time())))
        for key in sorted(self._unknown.keys() & self.said.described.keys()):
            listed = self.said.listed(self._unknown.pop(key), self.said.described[key])
            self._tell(listed, Moment(_iso(time.time())))
        self._upstream()

    # -- history ---------------------------------------------------------------------------------------------------

    def _history(self, new: dict[str, Any]) -> Iterator[Batch]:
        assert self.git
        commits = self.git.commits(self._old.get("heads", []))
        children: dict[str, int] = {}
        for commit in commits:
            for parent in commit.parents[:1]:
                children[parent] = children.get(parent, 0) + 1
        parents = {parent for commit in commits for parent in commit.parents}
        heads = [sha for sha in self._old.get("heads", []) if sha not in parents]
        new["heads"] = sorted({*heads, *(commit.sha for commit in commits if commit.sha not in parents)})
        wanted = list(dict.fromkeys(b for c in commits for p, b in c.changes if b and is_dvc_file(p)))
        stream = zip(wanted, self.git.blobs(wanted), strict=True)
        ready: set[str] = set()
        trees: dict[str, Tree] = {}
        read = 0
        for index, commit in enumerate(commits):
            for path, blob in commit.changes:
                while blob and is_dvc_file(path) and blob not in ready:
                    fetched, data = next(stream)
                    self.files.put(fetched, data)
                    ready.add(fetched)
            tree = self._tree_before(commit, trees, children)
            self._visit(tree, tree.change(commit.changes), _moment_of(commit))
            if children.get(commit.sha):
                trees[commit.sha] = tree
            read += 1
            if self.progress and index % 100 == 99:
                self.progress("commits", index + 1, len(commits))
            if len(self._pending) >= BATCH:
                yield from self._flush(read)
                read = 0
        if read:
            yield from self._flush(read)

    def _tree_before(self, commit: Commit, trees: dict[str, Tree], children: dict[str, int]) -> Tree:
        if not commit.parents:
            return Tree(self.files)
        parent = commit.parents[0]
        assert self.git
        if parent not in trees:
            trees[parent] = Tree(self.files, self.git.tree(parent))
        children[parent] -= 1
        return trees[parent].copy() if children[parent] > 0 else trees.pop(parent)

    # -- one state -------------------------------------------------------------------------------------------------

    def _visit(self, tree: Tree, changed: Mapping[str, str | None], moment: Moment) -> None:
        """Tell what the changed files of one state say that they did not say before."""
        folders: dict[str, None] = {}
        for path in changed:
            if path.endswith(("dvc.yaml", "dvc.lock")):
                folders[posixpath.dirname(path)] = None
            elif path in tree.held:
                self._dvc_file(tree, path, moment)
        for folder in folders:
            self._folder(tree, folder, changed, moment)

    def _dvc_file(self, tree: Tree, path: str, moment: Moment) -> None:
        try:
            file = tree.files.dvc_file(path, tree.held[path])
        except Unreadable as error:
            self._cannot_read(path, moment, error)
            return
        run = self.said.dvc_run(tree, path, file)
        if run is not None:
            self._tell(run, moment)
        for known in self.said.dvc_tags(path, file, moment.writer):
            self._data.update(_keys(known.artifact))
            self._tell(known, moment)

    def _folder(self, tree: Tree, folder: str, changed: Mapping[str, str | None], moment: Moment) -> None:
        lock_path, yaml_path = posixpath.join(folder, "dvc.lock"), posixpath.join(folder, "dvc.yaml")
        try:
            lock = tree.files.lock(tree.held.get(lock_path))
        except Unreadable as error:
            self._cannot_read(lock_path, moment, error)
            return
        try:
            definitions = tree.files.definitions(folder, tree.held.get(yaml_path), tree.held)
        except Unreadable as error:
            definitions = None
            self._cannot_read(yaml_path, moment, error)
        before: Mapping[str, str] = lock
        if lock_path in changed:
            try:
                before = tree.files.lock(changed[lock_path])
            except Unreadable:
                before = {}
        earlier = definitions
        if yaml_path in changed:
            try:
                earlier = tree.files.definitions(folder, changed[yaml_path], tree.held)
            except Unreadable:
                earlier = None
        bare = Meaning(folder or ".")
        for name, text in lock.items():
            same = before.get(name) == text
            if same and earlier is definitions:
                continue
            defined = definitions.meaning(name) if definitions else None
            meaning = defined or bare
            was = (earlier.meaning(name) if earlier else None) or bare
            if same and (was == meaning or defined is None):
                continue
            kept: tuple[tuple[str, str], ...] = ()
            if not same and (persists := meaning.persists | was.persists):
                kept = self._kept(tree, persists, was.wdir, before.get(name), moment)
            self._execution(tree, f"{yaml_path}:{name}", text, meaning, moment, was if same else None, kept)

    def _kept(
        self, tree: Tree, persists: frozenset[str], wdir: str, before: str | None, moment: Moment
    ) -> tuple[tuple[str, str], ...]:
        """What outputs that persist held before a run: path and content key."""
        found: dict[tuple[str, str], None] = {}
        try:
            outs = tree.files.record(before).outs if before else ()
        except Unreadable:
            outs = ()
        for out in outs:
            path = resolve(wdir, out.path)
            if path in persists and out.content:
                found[path, out.content.hash] = None
        if not moment.commit:  # runs one after the other, not committed in between
            found |= {(path, self._persisted[path]): None for path in sorted(persists) if path in self._persisted}
        return tuple(found)

    def _execution(
        self,
        tree: Tree,
        address: str,
        text: str,
        meaning: Meaning,
        moment: Moment,
        was: Meaning | None,
        kept: tuple[tuple[str, str], ...],
    ) -> None:
        mark = (address, text, meaning)
        if mark in self._seen:
            return
        self._seen.add(mark)
        try:
            execution = tree.files.record(text)
        except Unreadable as error:
            path, _, name = address.rpartition(":")
            self._cannot_read(f"{path[:-4]}lock:{name}", moment, error)
            return
        run = self.said.stage(tree, address, execution, meaning)
        if kept:
            run = self.said.continued(run, kept)
        if meaning.persists and not moment.commit:
            for out in execution.outs:
                path = resolve(meaning.wdir, out.path)
                if path in meaning.persists and out.content:
                    self._persisted[path] = out.content.hash
        # the same execution under a dvc.yaml that says something else of it now
        self._tell(run, moment, force=was is not None and self.said.stage(tree, address, execution, was) != run)
        self._executions.append((address, execution, meaning))
        for known in self.said.stage_tags(tree, address, execution, meaning, moment.writer):
            self._tell(known, moment)

    def _cannot_read(self, path: str, moment: Moment, error: Unreadable) -> None:
        self.unreadable[path, moment.commit] = str(error)

    # -- work tree -------------------------------------------------------------------------------------------------

    def _changed_files(self, new: Mapping[str, Any]) -> list[str]:
        """DVC's files in the work tree that changed since last time, checked before anything is given out."""
        old = self._old.get("files", {})
        changed = [path for path, sign in new["files"].items() if path not in old or old[path][2] != sign[2]]
        for path in changed:
            self.work.check(path)
        return changed

    def _work_tree(self, changed: list[str]) -> None:
        head = self.git.tree("HEAD") if self.git and changed else {}
        tree = self.work.tree() if changed else None
        fresh = [path for path in changed if tree and head.get(path) != tree.held.get(path)]
        if tree is None or not fresh:
            return
        groups: dict[str, dict[str, str | None]] = {}
        for path in fresh:
            groups.setdefault(posixpath.dirname(path) if path.endswith(("dvc.yaml", "dvc.lock")) else path, {})[
                path
            ] = head.get(path)
        for group in groups.values():
            # the lock sorts before the dvc.yaml: it says when the stages ran
            self._visit(tree, group, Moment(self.work.mtime(min(group))))

    # -- run cache -------------------------------------------------------------------------------------------------

    def _run_cache(self, new: Mapping[str, Any]) -> Iterator[Batch]:
        old = self._old.get("runs", {})
        folders = [folder for folder, sign in new["runs"].items() if old.get(folder) != sign]
        if not folders:
            return
        tree = self.work.tree()
        for address, execution, meaning in self.work.executions(tree):
            self._executions.append((address, execution, meaning))
        shapes: dict[tuple[frozenset[str], frozenset[str]], dict[tuple[str, Meaning], None]] = {}
        for address, execution, meaning in self._executions:
            shapes.setdefault(_shape(execution), {})[address, meaning] = None
        for folder in folders:
            for cached in self.cache.runs(folder):
                try:
                    execution = record(parsed(decoded(cached.path.read_bytes())))
                except (OSError, Unreadable) as error:
                    self.unreadable[cached.path.name, ""] = str(error)
                    continue
                moment = Moment(_iso(cached.mtime), evidence="restored")
                stages = shapes.get(_shape(execution))
                if stages is None and self.cache.shared:
                    continue  # another project's: the cache does not say whose
                for address, meaning in stages or {(f"dvc.yaml:{cached.key[:12]}", Meaning(".")): None}:
                    run = self.said.stage(tree, address, execution, meaning, key=f"{cached.key}/{cached.value}")
                    self._tell(run, moment)
            if len(self._pending) >= BATCH:
                yield from self._flush()

    # -- what others state -----------------------------------------------------------------------------------------

    def _stated(self, new: dict[str, Any]) -> None:
        """Tell what files beside the data say of it, each statement once."""
        beside = Beside(self.root, self.said, self.work.tree())
        told = set(self._old.get("stated", []))
        for spoken in beside.spoken():
            mark = hashlib.sha256(repr((spoken.data.path, spoken.data.content.hash, spoken.artifact.tags)).encode())
            if (digest := mark.hexdigest()[:16]) not in told:
                told.add(digest)
                self._tell(Known(spoken.artifact), Moment(_iso(time.time())))
        new["stated"] = sorted(told)
        new["places"] = beside.folders()
        new["cards"] = marks(self.root, new["places"])

    # -- upstream repositories -------------------------------------------------------------------------------------

    def _upstream(self) -> None:
        """What repositories on this machine know of what was imported from them, and of what they imported."""
        waiting = list(self.said.upstreams)
        done: set[tuple[str, str]] = set()
        while waiting:
            where, rev = waiting.pop()
            if (where, rev) in done:
                continue
            done.add((where, rev))
            inner = Reader(settings_of(Path(where)), Path(where), None, self.known_runs, self.known_content, None)
            try:
                inner._snapshot(rev)
            except CannotDecide as error:
                self.unreadable[f"{where}@{rev}", ""] = error.cause or error.message
            finally:
                if inner.git:
                    inner.git.close()
            self._pending += inner._pending
            waiting += inner.said.upstreams

    def _snapshot(self, rev: str) -> None:
        """Tell everything that one commit says."""
        assert self.git
        tree = Tree(self.files)
        changed = tree.change(self.git.tree(rev).items())
        self._visit(tree, dict.fromkeys(changed), _moment_of(self.git.commit(rev)))

    # -- giving out ------------------------------------------------------------------------------------------------

    def _tell(self, statement: Ran | Known, moment: Moment, *, force: bool = False) -> None:
        if isinstance(statement, Ran):
            if statement.run_id in self._open and moment.commit:
                del self._open[statement.run_id]  # seen before it was committed; now its commit is known
                force = True
            elif statement.run_id in self._runs and not force:
                return
            self._runs.add(statement.run_id)
        elif statement in self._known:
            return
        else:
            self._known.add(statement)
            self._incomplete(statement.artifact, moment)
        self._pending.append(_Pending(statement, moment, force))

    def _incomplete(self, artifact: Artifact, moment: Moment) -> None:
        """Tell of a tagged directory that its files are not known: then its tags do not speak for them."""
        key = artifact.content.hash if artifact.content else ""
        if artifact.tags and key in self.said.absent and key not in self._listed and key not in self._unknown:
            self._unknown[key] = artifact.name
            self._tell(self.said.unknown(artifact), moment)

    def _flush(self, commits: int = 0) -> Iterator[Batch]:
        """Give out what is told so far. The cursor stays the old one: an interrupted reading begins again."""
        events, executions = self._events()
        if events or commits:
            yield Batch(events, self._told, commits, executions)

    def _events(self) -> tuple[list[bytes], int]:
        asked = [p.statement.run_id for p in self._pending if isinstance(p.statement, Ran)]
        known = self.known_runs(asked) if asked else set()
        events: list[bytes] = []
        executions = 0
        data = self._collect(known) if asked else set[str]()
        for statement, moment, force in self._pending:
            if isinstance(statement, Known):
                events.append(dataset_event(statement.artifact, time=statement.at or moment.time))
                continue
            run = self._whole(statement, data)
            for left in statement.left:
                if not any(key in data for _, key in left.files):
                    self._code.setdefault(left, []).append((statement, moment))
            if force or run is not statement or statement.run_id not in known:
                executions += force or statement.run_id not in known
                if not moment.commit and self.git:
                    self._open[statement.run_id] = None
                events.append(_event(run, moment))
        self._pending.clear()
        return events, executions

    def _collect(self, known: set[str]) -> set[str]:
        """Content keys that are data: of what was told and is to be told, and those that the ledger knows.

        What a run copies from its code to its outputs (its configuration) does not become data by that.
        """
        runs = [p.statement for p in self._pending if isinstance(p.statement, Ran)]
        ledger = self.known_content({key for run in runs for left in run.left for _, key in left.files})
        for run in runs:
            made = {key for out in run.outputs for key in _keys(out)}
            own = made & {key for left in run.left for _, key in left.files}
            self._data |= made - own
            if run.run_id not in known:  # so the ledger does not have it from this run
                self._data |= (own - self._copies) & ledger
            self._copies |= own
        for run in runs:
            self._data.update(k for each in run.inputs for k in _keys(each.artifact) if k not in self._copies)
        return self._data | (ledger - self._copies)

    def _blob(self, blob: str) -> bytes:
        if self.git is None:
            raise CannotDecide(f"no content for {blob}", code="GIT_FAILED")
        return self.git.blob(blob)


def _keys(artifact: Artifact) -> Iterator[str]:
    """The content keys of a dataset version and of its files, without those that mean nothing."""
    content = artifact.content
    if content is not None:
        if not content.trivial:
            yield content.hash
        for member in content.members:
            if not Content(member.hash, member.size).trivial:
                yield member.hash


def _event(run: Ran, moment: Moment) -> bytes:
    return run_event(
        run_id=run.run_id,
        job=(run.namespace, run.address),
        time=moment.time,
        inputs=run.inputs,
        outputs=run.outputs,
        execution=Execution("dvc", run.address, moment.evidence, moment.commit, run.key, moment.author),
    )


def _shape(execution: Record) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(dep.path for dep in execution.deps), frozenset(out.path for out in execution.outs)


def _iso(stamp: float) -> str:
    return datetime.fromtimestamp(int(stamp), tz=timezone.utc).isoformat()


def _moment_of(commit: Commit) -> Moment:
    return Moment(_iso(commit.time), commit.sha, commit.author)


def _config_digest(config: Config) -> str:
    """Of the settings that decide what records mean: when they change, everything is read again."""
    parts = [config.project, config.code, config.models, [(r.pattern, dict(r.origin)) for r in config.origins]]
    return hashlib.sha256(json.dumps([*parts, config.extra.get("dvc", {})], default=str).encode()).hexdigest()


def _old_cursor(cursor: str | None, config: Config) -> dict[str, Any]:
    if not cursor:
        return {}
    try:
        old = json.loads(cursor)
    except ValueError:
        return {}
    if not isinstance(old, dict) or old.get("version") != VERSION or old.get("config") != _config_digest(config):
        return {}
    return old
