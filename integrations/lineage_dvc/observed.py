"""Which of DVC's records an observed command belongs to, and whether what lies there bears the record out.

DVC takes the hashes of dependencies after the command (facts/dvc.md), and `dvc commit -f` takes whatever lies there. So
the times of the files are held against the time of the run: by the clock of the file system, which wrote them all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from lineage.config import Config
from lineage.errors import CannotDecide
from lineage.pipeline import Executed, Known, Times
from lineage.vocabulary import Input
from lineage_dvc.cache import CachedRun
from lineage_dvc.definition import Meaning, resolve
from lineage_dvc.live import Now, called, look, work_root
from lineage_dvc.record import Entry, Record, Unreadable, decoded, parsed, record, record_of

_OWN = (".git", ".dvc", ".lineage")
_CACHED = re.compile(r"/\.dvc/cache/(?:files/md5/)?([0-9a-f]{2})/([0-9a-f]{30})(\.dir)?$")
"""What DVC tracks, under the name of its content; wherever else a cache lies, its files have names as any others."""
_HUB = re.compile(
    r"/(?P<kind>models|datasets|spaces)--(?P<owner>[^/]+?)--(?P<name>[^/]+)"
    r"/(?:snapshots/(?P<revision>[^/]+)/(?P<file>.+)|refs/.+|\.no_exist/.+)$"
)
"""Files of a repository in the cache of Hugging Face; others in it say which revision a name means."""
_PROGRAMS = (".py", ".pyc", ".pyi", ".so", ".pth")
"""Of files outside: code."""


def executed(
    config: Config,
    root: Path,
    stage: str,
    cwd: Path,
    dvc_root: Path,
    commands: Sequence[str],
    times: Times,
) -> Executed | None:
    """See `lineage.pipeline.Pipeline.executed`."""
    there = work_root(cwd, dvc_root) if cwd.is_dir() else dvc_root
    if root.resolve() not in (there.resolve(), dvc_root.resolve()):
        return None
    with look(config, there) as now:
        address = now.canonical(stage, cwd if cwd.is_dir() else there)
        if address is None:
            return None
        if cwd.is_dir():
            held = _in_lock(now, address, commands)
            if held is not None:
                return _of_lock(now, address, held, times)
        return _of_cache(now, address, commands, times)


def executions(config: Config, root: Path) -> list[tuple[str, str]]:
    """See `lineage.pipeline.Pipeline.executions`."""
    found = []
    with look(config, root) as now:
        for address, _ in now.stages():
            try:
                held = now.recorded(address)
            except Unreadable:
                continue  # a notice of its own
            if held is not None:
                found.append((address, _executed(now, address, held, _meaning(now, address), _key(held), ()).run_id))
    return found


def reads(config: Config, root: Path, paths: Sequence[str], cwd: Path, known_content: Known) -> tuple[Input, ...]:
    """See `lineage.pipeline.Pipeline.reads`."""
    there = work_root(cwd, root) if cwd.is_dir() else root
    with look(config, there) as now:
        entries: list[Entry] = []
        for path in paths:
            local = now.said.local(path)
            if (cached := _CACHED.search(path)) is not None:
                entries += _of_cache_object(now, cached, path)
                continue
            hub = _HUB.search(path) if local is None else None
            if _of_dvc(local) if local is not None else path.endswith(_PROGRAMS) or (hub and not hub["file"]):
                continue
            try:
                content = now.content(path)
            except CannotDecide:  # it was read then and cannot be now: it stays an input, of unknown content
                content = None
            entries.append(Entry(local if local is not None else _named(hub) if hub else path, content))
        outside = [entry for entry in entries if now.said.local(entry.path) is None]
        said = {known.artifact for entry in outside for known in now.said.ruled(entry.path, entry.content)}
        tags = {(artifact.namespace, artifact.name): artifact.tags for artifact in said}
        return tuple(
            replace(one, artifact=replace(one.artifact, tags=(*one.artifact.tags, *tags.get(named, ()))))
            for one in now.inputs_of(tuple(entries), known_content)
            for named in [(one.artifact.namespace, one.artifact.name)]
        )


def _named(hub: re.Match[str]) -> str:
    """The address of a file in the cache of Hugging Face: the repository, its revision, the file in it."""
    kind = "" if hub["kind"] == "models" else f"{hub['kind']}/"
    return f"hf://{kind}{hub['owner']}/{hub['name']}@{hub['revision']}/{hub['file']}"


def _of_cache_object(now: Now, found: re.Match[str], path: str) -> Iterator[Entry]:
    """An object of DVC's cache under the name that it is tracked by, where there is one."""
    content = now.content(path)
    key = f"md5:{found[1]}{found[2]}"
    names = sorted(p for p, said in now.tree.outputs.items() if key in {c.hash for c in said.values() if c})
    if not found[3]:  # else the list of a directory, not what is in it
        yield Entry(names[0] if names else path, content)


def _of_dvc(path: str) -> bool:
    """Whether a file is git's or DVC's own, or tells them what to do: nothing of it goes into a model."""
    parts = Path(path).parts
    if any(part in _OWN for part in parts):
        return True
    if path.endswith((".pyc", ".ipynb")) and any(part in ("__pycache__", ".ipynb_checkpoints") for part in parts):
        return True
    return path.endswith(".dvc") or os.path.basename(path) in ("dvc.lock", "dvc.yaml", ".dvcignore", ".gitignore")  # noqa: PTH119


def _in_lock(now: Now, address: str, commands: Sequence[str]) -> Record | None:
    path, _, name = address.rpartition(":")
    try:
        text = now.tree.files.lock(now.tree.held.get(path[:-4] + "lock")).get(name)
        return record_of(text) if text is not None and _commands(parsed(text)) == list(commands) else None
    except Unreadable:
        return None


def _commands(entry: Any) -> list[str]:
    """The commands of a stage as DVC runs them: the items of a list, or the lines of a text."""
    cmd = entry.get("cmd") if isinstance(entry, dict) else None
    return [str(item) for item in cmd] if isinstance(cmd, list) else str(cmd).splitlines()


def _meaning(now: Now, address: str) -> Meaning:
    path, _, name = address.rpartition(":")
    return now.tree.meaning(os.path.dirname(path), name)  # noqa: PTH120 - a path of git, always with slashes


def _of_lock(now: Now, address: str, held: Record, times: Times) -> Executed:
    meaning = _meaning(now, address)
    notes = [*_changed(now, held, meaning, times), *_not_made(now, address, held, meaning, times)]
    return _executed(now, address, held, meaning, _key(held), notes)


def _of_cache(now: Now, address: str, commands: Sequence[str], times: Times) -> Executed | None:
    """By the run cache, where the work tree is gone or its lock says something else by now."""
    meaning = _meaning(now, address)
    stage = dict(now.stages()).get(address)
    cache = now.said.cache
    found: list[tuple[CachedRun, Record]] = []
    for folder in cache.folders():
        for cached in cache.runs(folder):
            try:
                entry = parsed(decoded(cached.path.read_bytes()))
                held = record(entry)
            except (OSError, Unreadable):
                continue
            paths = {resolve(meaning.wdir, out.path) for out in held.outs}
            if _commands(entry) == list(commands) and (stage is None or paths & set(stage.outs) or not stage.outs):
                found.append((cached, held))
    fresh = [each for each in found if times.ended <= _written(each[0]) <= (times.over or _written(each[0]))]
    # DVC writes what it does not have yet: when nothing new came, the run gave what an earlier one had given
    chosen = min(fresh, key=lambda each: each[0].mtime) if fresh else found[0] if len(found) == 1 else None
    if chosen is None:
        return None
    return _executed(now, address, chosen[1], meaning, f"{chosen[0].key}/{chosen[0].value}", [])


def _written(cached: CachedRun) -> int:
    return cached.path.stat().st_mtime_ns


def _key(held: Record) -> str:
    return f"{held.key}/{held.value}"


def _executed(now: Now, address: str, held: Record, meaning: Meaning, key: str, notes: Sequence[str]) -> Executed:
    run = now.said.stage(now.tree, address, held, meaning, key=key)
    declared = [str(now.root / resolve(meaning.wdir, entry.path)) for entry in (*held.deps, *held.outs)]
    declared += [str(now.root / resolve(meaning.wdir, file)) for file in held.params]
    calls = called(meaning)
    return Executed(run.run_id, run.namespace, address, key, run.outputs, tuple(declared), calls, tuple(notes))


# -- before and after --------------------------------------------------------------------------------------------------


def _changed(now: Now, held: Record, meaning: Meaning, times: Times) -> Iterator[str]:
    """Dependencies of which nobody can say what the command read: they were written after it began."""
    for dep in held.deps:
        where = resolve(meaning.wdir, dep.path)
        local = now.said.local(where)
        if "://" in where:
            continue
        written, touched = _newest(now.root / where)
        if written > times.started:
            while_ = "while the command ran" if written <= times.ended else "after the command had begun"
            yield f"{dep.path}, a dependency, was written {while_}: it may have read other content"
        elif touched > times.started and local is not None:
            said = now.tree.content(local)
            key = said.hash if said else now.tree.files.md5(local, now.tree.held) if local in now.tree.held else None
            if key is not None and dep.content is not None and key != dep.content.hash:
                yield f"{dep.path}, a dependency, was replaced after the command had begun"


def _not_made(now: Now, address: str, held: Record, meaning: Meaning, times: Times) -> Iterator[str]:
    """Outputs that the command cannot have made as recorded."""
    recorded = _recorded(now, address, held)
    if times.over and recorded > times.over:
        yield "it was recorded by another process than the one that ran it, which takes whatever lies there"
    for out in held.outs:
        where = resolve(meaning.wdir, out.path)
        path = now.root / where
        if "://" in where or not path.exists():
            continue
        content = now.content(where)
        written, _ = _newest(path)
        if content is None or out.content is None or content.hash != out.content.hash:
            yield f"{out.path}, an output, was changed since DVC recorded it"
        elif written < times.started and path.is_file() and where not in meaning.persists:
            yield f"{out.path}, an output, was not written while the command ran"


def _recorded(now: Now, address: str, held: Record) -> int:
    """When DVC recorded an execution, in nanoseconds: its run cache says so, else the lock file."""
    cached = now.said.cache.directory / "runs" / held.key[:2] / held.key / held.value
    lock = now.root / (address.rpartition(":")[0][:-4] + "lock")
    times = [path.stat().st_mtime_ns for path in (cached, lock) if path.is_file()]
    return min(times, default=0)


def _newest(path: Path) -> tuple[int, int]:
    """When a file, or any file of a directory, was written and touched last, in nanoseconds; 0 where there is none."""
    files = [path]
    if path.is_dir():
        files = [Path(folder) / name for folder, _, names in os.walk(path) for name in names]
    written = touched = 0
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        written, touched = max(written, stat.st_mtime_ns), max(touched, stat.st_ctime_ns)
    return written, touched
