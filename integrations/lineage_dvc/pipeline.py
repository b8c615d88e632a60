"""DVC as a pipeline that lineagegate reads (`lineage.pipeline.Pipeline`). The parts are in the modules beside this one.

DVC itself is not imported: it is read after the fact, from its files, git and its run cache (facts/dvc.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lineage.config import Config
from lineage.pipeline import Batch, Executed, Known, Notice, Progress, Running, Target, Times
from lineage.vocabulary import Artifact, Input, Tag
from lineage_dvc import live
from lineage_dvc.worktree import find_root


class DvcPipeline:
    """See `lineage.pipeline.Pipeline`.

    Args:
        config: settings of the project; the DVC root is its root, or the nearest directory above that has ``.dvc``.
    """

    name = "dvc"

    def __init__(self, config: Config) -> None:
        self.config = config
        self.root = find_root(config.root) or config.root

    def detect(self) -> bool:
        """Whether there is a DVC repository."""
        return (self.root / ".dvc").is_dir()

    def read(
        self, cursor: str | None, known_runs: Known, known_content: Known, progress: Progress | None
    ) -> Iterator[Batch]:
        """Executions and sources of the work tree, of every commit, and of the run cache."""
        from lineage_dvc.reader import Reader

        return Reader(self.config, self.root, cursor, known_runs, known_content, progress).read()

    def running(self, cwd: Path, environment: Mapping[str, str], known_content: Known) -> Running | None:
        """The stage that DVC is running around a process.

        Raises:
            CannotDecide: the stage is not known, or one of its dependencies cannot be read.
        """
        return live.running(self.config, self.root, cwd, environment, known_content)

    def stage(self, address: str, cwd: Path, known_content: Known) -> tuple[Input, ...] | None:
        """Data inputs of a stage: those its lock entry names and those that lie there now, where they differ."""
        with live.look(self.config, self.root) as now:
            found = now.canonical(address, cwd)
            if found is None:
                return None
            return live.merged(now.recorded_inputs(found, known_content), now.live_inputs(found, known_content))

    def executed(
        self, stage: str, cwd: Path, environment: Mapping[str, str], commands: Sequence[str], times: Times
    ) -> Executed | None:
        """The lock entry, or the entry of the run cache, that commands which were seen belong to."""
        from lineage_dvc.observed import executed

        root = Path(environment.get("DVC_ROOT") or self.root)
        return executed(self.config, self.root, stage, cwd, root, commands, times)

    def executions(self) -> Sequence[tuple[str, str]]:
        """The lock entries of the work tree."""
        from lineage_dvc.observed import executions

        return executions(self.config, self.root)

    def reads(self, paths: Sequence[str], cwd: Path, known_content: Known) -> tuple[Input, ...]:
        """The data among files that were read, with the content they have now."""
        from lineage_dvc.observed import reads

        return reads(self.config, self.root, paths, cwd, known_content)

    def locate(self, path: str) -> Artifact | None:
        """The artifact at a path or URL, with the hash of what lies there now."""
        with live.look(self.config, self.root) as now:
            return now.locate(path)

    def content(self, artifact: Artifact) -> Path | None:
        """The object in DVC's cache, or the file or directory of the work tree that has this content now."""
        from lineage_dvc.cache import Cache

        if artifact.content is None:
            return None
        if (found := Cache(self.root).object(artifact.content.hash)) is not None:
            return found
        path = self.root / artifact.name
        if "://" in artifact.name or not path.exists():
            return None
        located = self.locate(str(path))
        same = located is not None and located.content is not None and located.content.hash == artifact.content.hash
        return path if same else None

    def targets(self, text: str) -> Sequence[Target]:
        """What is meant by a `.dvc` file, an output path, a stage address, or a source that a stage reads."""
        from lineage_dvc.target import targets

        return [found.target for found in targets(self.config, self.root, text)]

    def declare(self, text: str, tag: Tag | None, uses: Mapping[str, str]) -> Sequence[Target]:
        """Write ``meta.lineage`` into the `.dvc` file or dvc.yaml that ``text`` means.

        Raises:
            UsageError: no such target, a use that is none, or a file that cannot be changed; nothing was changed.
        """
        from lineage_dvc.declare import declare

        return declare(self.config, self.root, text, tag, uses)

    def hooks(self, wanted: bool) -> Sequence[Path]:
        """Put the git hooks in, or take them out; the files that were changed."""
        from lineage_dvc.hooks import install_hooks, remove_hooks

        return install_hooks(self.root) if wanted else remove_hooks(self.root)

    def notices(self) -> Sequence[Notice]:
        """What a person should look at."""
        from lineage_dvc.notices import notices

        return notices(self.config, self.root)
