"""What a person means by a name: a `.dvc` file, an output, a stage, a source that a stage reads.

Each with the place where ``meta.lineage`` about it stands.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lineage.config import Config
from lineage.pipeline import Target
from lineage.vocabulary import Content
from lineage_dvc.definition import resolve
from lineage_dvc.live import Now, look
from lineage_dvc.record import Record


class Place(NamedTuple):
    """Where ``meta.lineage`` about something stands."""

    target: Target
    file: str
    """The `.dvc` file or dvc.yaml, from the DVC root."""
    stage: str = ""
    """The stage, in a dvc.yaml."""
    out: str = ""
    """The output as written, when the claim stands on it alone."""
    dep: str = ""
    """The dependency as written, when the claim is about a source that has no file of its own."""

    @property
    def content(self) -> str:
        """The content key it speaks for; empty when there is none yet."""
        content = self.target.artifact.content
        return content.hash if content else ""


def targets(config: Config, root: Path, text: str) -> list[Place]:
    """Everything that ``text`` may mean, the most direct reading only. Empty when nothing."""
    with look(config, root) as now:
        places = list(_all(now))
    return matching(places, text, root)


def names(config: Config, root: Path) -> list[str]:
    """Everything that could be typed, for suggestions."""
    with look(config, root) as now:
        places = list(_all(now))
    return sorted({name for place in places for name in (place.file, place.target.artifact.name, place.stage) if name})


def matching(places: list[Place], text: str, root: Path) -> list[Place]:
    """The places that a text means, by the first reading that finds any."""
    text = text.strip().rstrip("/")
    path = text.replace("\\", "/")
    if Path(path).is_absolute():
        with suppress(ValueError):  # outside: it may still be a dependency
            path = Path(path).resolve().relative_to(root.resolve()).as_posix()
    path = posixpath.normpath(path) if "://" not in path else path
    address = path if ":" in path else f"dvc.yaml:{path}"
    group = f"{address}@"

    def of_stage(place: Place) -> str:
        return f"{place.file}:{place.stage}" if place.stage and not place.dep else ""

    readings = (
        [p for p in places if p.file == path and not p.stage],
        [p for p in places if p.target.artifact.name == path and not p.dep],
        [p for p in places if of_stage(p) == address],
        [p for p in places if of_stage(p).startswith(group)],
        [p for p in places if p.dep and path in (p.dep, p.target.artifact.name)][:1],
    )
    return next((found for found in readings if found), [])


def _all(now: Now) -> Iterator[Place]:
    tree = now.tree
    for path in tree.dvc_files():
        if path.endswith(("dvc.yaml", "dvc.lock")):
            continue
        file = tree.files.dvc_file(path, tree.held[path])
        for out in file.record.outs:
            where = resolve(file.wdir, out.path)
            artifact = now.said.artifact(where, out.content, model=where in file.models or now.said.model(where))
            yield Place(Target(artifact, path), path)
    for address, stage in now.stages():
        file_path, _, name = address.rpartition(":")
        record = now.recorded(address) or Record((), (), "", "")
        contents = {resolve(stage.meaning.wdir, out.path): out.content for out in record.outs}
        for where in stage.outs:
            artifact = now.said.artifact(where, contents.get(where), model=now.said.is_model(where, stage.meaning))
            yield Place(Target(artifact, address), file_path, name)
        read = {dep.path: dep.content for dep in record.deps}
        for dep in stage.deps:
            yield from _source(now, address, stage.meaning.wdir, dep, read.get(dep))


def _source(now: Now, address: str, wdir: str, dep: str, content: Content | None) -> Iterator[Place]:
    """A dependency that nothing in DVC makes or tracks: a URL, a data file in git, an untracked file."""
    where = resolve(wdir, dep)
    local = now.said.local(where)
    if local is not None:
        if local in now.tree.outputs or now.tree.enclosing(local) or now.tree.is_code(local, now.said.code):
            return
        if content is None:
            content = now.content(local)
    file, _, name = address.rpartition(":")
    yield Place(Target(now.said.artifact(where, content), address), file, name, dep=dep)
