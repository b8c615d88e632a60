"""The use cases in one place: record, sync, tag, judge, ask. What integrations and the command line call.

CONTRACT (signatures are settled; bodies follow).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lineage.config import Config
from lineage.vocabulary import Artifact, Decision, Grant, Input, Label, Origin, Step, Tag

Progress = Callable[[str, int, int], None]
"""(what, done, total); total 0 when unknown."""


class Batch(NamedTuple):
    """Events of a pipeline, and the cursor that is kept in the same transaction."""

    events: Sequence[bytes]
    cursor: str
    commits: int = 0
    """How many commits this batch read."""
    executions: int = 0
    """How many stage executions are in it."""


class Target(NamedTuple):
    """Something a pipeline found under a name that a person typed."""

    artifact: Artifact
    address: str
    """How the pipeline calls it (``data/raw/gpt4.dvc``, ``dvc.yaml:download``)."""


class Warning_(NamedTuple):
    """Something in a pipeline a person should look at: ``code``, the file or stage, a sentence, the command that helps."""

    code: str
    where: str
    message: str
    hint: str = ""


class Pipeline(Protocol):
    """A tool whose records are read after the fact. Entry point group ``lineagegate.pipelines``: a class, called with
    the `Config`; ``detect`` says whether it has anything to read there."""

    name: str

    def __init__(self, config: Config) -> None: ...

    def detect(self) -> bool:
        """Whether this tool is used at the root."""

    def read(self, cursor: str | None, known_runs: Callable[[Iterable[str]], set[str]], progress: Progress | None) -> Iterator[Batch]:
        """Everything not yet read since ``cursor`` (None: from the beginning). Cheap when nothing changed."""

    def running(self, cwd: Path, environment: Mapping[str, str]) -> "tuple[str, tuple[Input, ...]] | None":
        """The stage execution going on around this process: (stage address, its data inputs with live hashes), or None."""

    def stage(self, address: str, cwd: Path) -> "tuple[Input, ...] | None":
        """Data inputs of a stage as they are recorded or lie in the work tree now, or None when there is no such stage."""

    def locate(self, path: str) -> Artifact | None:
        """The artifact at a path of the work tree (an output, a `.dvc` file, a file inside a tracked directory), with
        the hash of what lies there now; None when the tool does not track it and no file is there."""

    def targets(self, text: str) -> Sequence[Target]:
        """What a person means by ``text``: a `.dvc` file, an output path, a stage address."""

    def declare(self, text: str, tag: Tag, uses: Mapping[str, str]) -> Sequence[Target]:
        """Write an origin (or uses of inputs) natively into the pipeline's own files, bound to the content they hold
        now, and say what was tagged. Does not record; the gate does."""

    def warnings(self) -> Sequence[Warning_]:
        """Expired claims, restricted files that no stage depends on, stale locks, ghost stages …"""
