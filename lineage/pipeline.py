"""What an integration offers to the core: a pipeline whose records are read, a registry whose versions are compared.

The core finds them by entry point and never imports the tools behind them. Contracts only; no code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from lineage.config import Config
from lineage.vocabulary import Artifact, Change, Decision, Input, Tag, Use

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much is done, and the total (0 when unknown)."""

Known = Callable[[Iterable[str]], set[str]]
"""Those of some keys that the ledger holds."""


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


class Notice(NamedTuple):
    """Something a person should look at."""

    code: str
    """Stable, upper snake case (``CLAIM_EXPIRED``)."""
    where: str
    """File or stage."""
    message: str
    hint: str = ""
    """The command that helps."""


class Times(NamedTuple):
    """Of commands that were seen: nanoseconds since 1970, by the clock of the file system."""

    started: int
    ended: int
    over: int
    """When the process that started them had ended; 0: not known."""


class Running(NamedTuple):
    """A stage that goes on around a process."""

    address: str
    inputs: tuple[Input, ...]
    """Its data, with the hashes that it has now."""
    declared: tuple[str, ...] = ()
    """Absolute paths of the files and directories that it declares to read or make."""
    uses: tuple[tuple[str, Use], ...] = ()
    """Roles that somebody declared for calls: pattern of a host, role."""


class Executed(NamedTuple):
    """What a pipeline recorded of commands that were seen while they ran."""

    run_id: str
    namespace: str
    address: str
    key: str
    """The tool's own identity of the execution."""
    outputs: tuple[Artifact, ...]
    declared: tuple[str, ...]
    """Absolute paths of the files and directories that it declares to read or make."""
    uses: tuple[tuple[str, Use], ...]
    """Roles that somebody declared for calls: pattern of a host, role."""
    notes: tuple[str, ...]
    """What does not fit: dependencies that changed, outputs that the commands did not make. With any of them the
    record is no more than an assertion."""


class Pipeline(Protocol):
    """A tool whose records are read after the fact. Entry point group ``lineagegate.pipelines``."""

    name: str

    def __init__(self, config: Config) -> None: ...

    def detect(self) -> bool:
        """Whether this tool is used at the root."""
        ...

    def read(
        self, cursor: str | None, known_runs: Known, known_content: Known, progress: Progress | None
    ) -> Iterator[Batch]:
        """Everything not yet read since ``cursor`` (None: from the beginning). Cheap when nothing changed.

        Args:
            cursor: what the last reading left.
            known_runs: which of some run ids are recorded.
            known_content: which of some content keys are recorded as data: what has one of them is no code.
            progress: told how far it is.
        """
        ...

    def running(self, cwd: Path, environment: Mapping[str, str], known_content: Known) -> Running | None:
        """The stage execution around a process, or None."""
        ...

    def stage(self, address: str, cwd: Path, known_content: Known) -> tuple[Input, ...] | None:
        """Data inputs of a stage as recorded or as they lie now, or None when there is no such stage."""
        ...

    def executed(
        self, stage: str, cwd: Path, environment: Mapping[str, str], commands: Sequence[str], times: Times
    ) -> Executed | None:
        """What it recorded of a stage whose commands were seen, or None when there is no such record (yet).

        Args:
            stage: as the environment of the commands named it.
            cwd: working directory of the commands.
            environment: what the pipeline's tool put into theirs.
            commands: what ran, in order.
            times: when that was.
        """
        ...

    def executions(self) -> Sequence[tuple[str, str]]:
        """What its records say was executed, as they are now: (address, run id) of each."""
        ...

    def reads(self, paths: Sequence[str], cwd: Path, known_content: Known) -> tuple[Input, ...]:
        """The data among files that a command read, code left out. Without content where it cannot be read now.

        Args:
            paths: absolute.
            cwd: working directory of the command.
            known_content: which of some content keys are recorded as data.
        """
        ...

    def locate(self, path: str) -> Artifact | None:
        """The artifact at a path of the work tree with the hash of what lies there now.

        None when the tool does not track it and no file is there.
        """
        ...

    def content(self, artifact: Artifact) -> Path | None:
        """Where the bytes of a dataset version lie on this machine: a file, a directory, or the list of a directory
        in a cache (``….dir``). None when nowhere; what lies elsewhere under its name is not it."""
        ...

    def targets(self, text: str) -> Sequence[Target]:
        """What a person means by ``text``: a `.dvc` file, an output path, a stage address. Empty when nothing."""
        ...

    def declare(self, text: str, tag: Tag | None, uses: Mapping[str, str]) -> Sequence[Target]:
        """Write an origin, or uses of inputs, into the pipeline's own files, bound to the content they hold now.

        Records nothing: the next `read` finds it there, as it would find what a person wrote by hand.
        """
        ...

    def hooks(self, wanted: bool) -> Sequence[Path]:
        """Have the repository sync after each commit and merge, or no longer. Returns the files that were changed."""
        ...

    def notices(self) -> Sequence[Notice]:
        """Expired claims, restricted files that no stage depends on, stale locks, ghost stages …"""
        ...


class RegisteredVersion(NamedTuple):
    """One model version as a registry holds it."""

    model: str
    version: str
    decision: str
    """The decision id it carries, or empty."""
    artifact: Artifact | None
    """Its files, hashed now; None when they cannot be read."""
    exempt: bool = False
    """A prompt, not a model."""
    anomalies: tuple[tuple[str, str], ...] = ()
    """What the registry itself shows: (``LATE_INPUT`` or ``TAG_EDITED`` …, a sentence)."""
    aliases: tuple[str, ...] = ()
    """The aliases that point at it, sorted."""
    stage: str = ""
    """Its stage; empty for none."""
    created: str = ""
    """When it was made, ISO 8601, by the registry's clock."""
    by: str = ""
    """Who runs it: the user of the run that made it, or who registered it, as far as the registry knows."""
    recalled: str = ""
    """Id of the decision by which it was recalled, or empty."""


class Registry(Protocol):
    """A registry of models. Entry point group ``lineagegate.registries``."""

    name: str

    namespace: str
    """OpenLineage namespace that changes of its versions are recorded under (`Change.registry`)."""

    def __init__(self, config: Config) -> None: ...

    def versions(self) -> Iterator[RegisteredVersion]:
        """Every version, those hidden from searches too."""
        ...

    def faults(self) -> Sequence[Notice]:
        """Why it is not gated or not reachable; empty when all is well (``lineagegate doctor``)."""
        ...

    def checkpoints(self) -> Iterable[tuple[str, str]]:
        """The ledger's checkpoints that versions carry (tag ``lineage.checkpoint``), for ``ledger verify`` to hold the
        ledger against: (where it was found, ``models:/seed-chat/7``; the signed note as it stands there)."""
        ...

    def recall(self, model: str, version: str, decision: Decision) -> Sequence[Change]:
        """Take a version out of use: off with its aliases and its stage, and a mark on it that says why.

        The registry records each change in the ledger as it makes it; nobody has to record them again. Doing it twice
        changes nothing more. Until a later decision allows it, the version gets no alias and no stage.

        Args:
            model: registered name.
            version: its number.
            decision: why, recorded already: action ``recall``, about ``models:/<model>/<version>``, a refusal.

        Returns:
            What changed.

        Raises:
            LineageError: the registry, or the gate on its server, did not do it.
        """
        ...
