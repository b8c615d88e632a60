"""Running the command of a stage so that it can read only what the stage declares: ``python -m lineage.gate.confined``.

The shell around a stage starts it (`lineage.capture.hook`, ``exec --strict``), in the environment of the command. What
is system, environment of a program, or setting in the home directory stays readable, as it is left out of what is
observed. Everything else that the stage opens for reading fails with its name, in the program's own words.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lineage.capture.landlock import confine
from lineage.config import Config, load
from lineage.errors import LineageError, UsageError, printable
from lineage.gate.inquiry import plugins
from lineage.pipeline import Running

SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/dev", "/run", "/var/lib/dpkg", "/var/lib/sss",
    "/var/lib/ca-certificates",
)  # fmt: skip
_MOUNTED = (Path("/run/media"), Path("/run/user"))
"""Among them, folders in which people's files lie."""
_MODELS = (".cache", ".ollama", ".keras")
_CACHED = ("huggingface", "torch", "modelscope")
"""Hidden folders in the home directory, and in ``.cache``, that hold models and data."""

REFUSED = 126
"""Exit status where the command was not started."""


def readable(config: Config, stage: Running, command: Sequence[str]) -> Iterator[Path]:
    """What a stage may read.

    Args:
        config: settings; ``readable`` in ``[capture]`` lists more files and directories.
        stage: what it declares.
        command: what is to run.
    """
    kept = (config.root.resolve(), *_MOUNTED)
    for path in (*map(Path, SYSTEM), *_programs(config.root, command), *_settings(Path.home())):
        yield from _without(path, kept)
    declared = {Path(path) for path in stage.declared}
    for path in declared:
        yield path
        # an output that is made anew can be read back where its directory holds nothing else
        if path.parent != config.root and not path.exists() and path.parent.is_dir():
            others = {Path(folder, name) for folder, _, names in os.walk(path.parent) for name in names}
            if others <= declared | {path.parent / ".gitignore"}:
                yield path.parent
    more = config.extra.get("capture", {}).get("readable", [])
    yield from (config.root / Path(path).expanduser() for path in more)


def _without(path: Path, kept: Sequence[Path]) -> Iterator[Path]:
    """A path, or what lies below it, but for some folders: a project may lie in `/usr/src`, or in a hidden folder."""
    real = path.resolve()
    if not any(each.is_relative_to(real) for each in kept):
        yield path
    elif real not in kept:
        try:
            below = list(real.iterdir())
        except OSError:
            return
        for each in below:
            yield from _without(each, kept)


def _programs(root: Path, command: Sequence[str]) -> Iterator[Path]:
    """The environments of programs: of this Python, of those on PATH, and of those that the command names."""
    words = [word for part in command for word in part.split()]
    named = [Path(word) for word in words if word.startswith("/") and _program(Path(word))]
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    yield from (*on_path, *named)
    for folder in (*on_path, *(path.parent for path in named)):
        for python in (folder / "python3", folder / "python"):
            for found in (python, python.resolve()):
                if found.is_file() and not root.is_relative_to(found.parent.parent):
                    yield found.parent.parent
    for path in (sys.prefix, sys.base_prefix, *sys.path):
        if path and not root.is_relative_to(path):
            yield Path(path)


def _program(path: Path) -> bool:
    """Whether a file can be started, and is made for it: on some file systems every file may be."""
    try:
        with path.open("rb") as stream:
            return os.access(path, os.X_OK) and stream.read(4).startswith((b"#!", b"\x7fELF"))
    except OSError:
        return False


def _settings(home: Path) -> Iterator[Path]:
    try:
        hidden = [path for path in home.iterdir() if path.name.startswith(".")]
        cached = list((home / ".cache").iterdir()) if (home / ".cache").is_dir() else []
    except OSError:
        return
    yield from (path for path in hidden if path.name not in _MODELS)
    yield from (path for path in cached if path.name not in _CACHED)


def run(command: Sequence[str]) -> None:
    """Confine this process to what the stage around it declares, and become the command.

    Args:
        command: program and arguments.

    Raises:
        LineageError: what the stage declares is not known, or this kernel cannot confine.
        OSError: the command cannot be started.
    """
    config = load(Path(os.environ.get("DVC_ROOT") or Path.cwd()))
    found = (
        plugin(config).running(Path.cwd(), os.environ, lambda _: set()) for plugin in plugins("lineagegate.pipelines")
    )
    stage = next(filter(None, found), None)
    if stage is None:
        raise UsageError("no pipeline knows the stage that is to run", code="STAGE_UNKNOWN", hint="dvc stage list")
    environment = dict(os.environ)
    temporary = Path(environment["LINEAGE_EXECUTION"]) / "tmp"
    temporary.mkdir(exist_ok=True)
    environment["TMPDIR"] = str(temporary)
    allowed = [*readable(config, stage, command), temporary.parent]
    if not confine(allowed, network=bool(stage.uses)):
        print("lineagegate: Landlock of this kernel cannot confine the network", file=sys.stderr)  # noqa: T201 - no verb
    os.execvpe(command[0], list(command), environment)  # noqa: S606 - it was to run


if __name__ == "__main__":
    try:
        run(sys.argv[1:])
    except (LineageError, OSError) as error:
        print(f"lineagegate: not started, it cannot be confined: {printable(str(error))}", file=sys.stderr)  # noqa: T201
        sys.exit(REFUSED)
