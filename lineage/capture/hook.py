"""What the environment of a command must hold so that what it does is seen. Writes below ``.lineage/hook``.

The shell is ours under the name of the user's own: DVC adds options by that name (``bash --noprofile``). It stays there
after a command ended, as a worker of DVC's queue goes on with the environment it was started in.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lineage.capture.trace import CALLS
from lineage.errors import UsageError

OBSERVER = Path(__file__).parent / "observer"
"""The folder that goes first into PYTHONPATH."""

TRACE = Path(__file__).parent / "trace.py"
"""What strace hands its lines to."""


class Hook(NamedTuple):
    """Where things are, for one project."""

    spool: Path
    """Folder of the records."""
    shell: Path | None
    """What stands in for the shell; None where no program can be put there, or the user's own is none."""
    real: str
    """The user's own shell; empty where SHELL is not set."""


def spool_of(root: Path) -> Path:
    """The spool of a project.

    Args:
        root: of the project.
    """
    return root / ".lineage" / "spool"


def prepare(root: Path, environment: Mapping[str, str]) -> Hook:
    """Make the spool and the shell.

    Args:
        root: of the project.
        environment: of whoever starts the command; its SHELL may be ours already.

    Raises:
        OSError: the folder cannot be written.
    """
    spool = spool_of(root)
    spool.mkdir(parents=True, exist_ok=True)
    ours = environment.get("LINEAGE_HOOK", "")
    given = environment.get("SHELL", "")
    real = environment.get("LINEAGE_SHELL", "") if ours and given == ours else given
    folder = root / ".lineage" / "hook"
    (folder / "shell").mkdir(parents=True, exist_ok=True)
    script, shell = folder / "shell.sh", folder / "shell" / (Path(real).name or "sh")
    text = (Path(__file__).parent / "shell.sh").read_bytes()
    if not script.is_file() or script.read_bytes() != text or not os.access(script, os.X_OK):
        draft = script.with_name(f"{script.name}.{os.getpid()}")
        draft.write_bytes(text)
        draft.chmod(0o755)
        draft.replace(script)  # a stage that is running goes on with the old one
    with contextlib.suppress(FileExistsError):
        shell.symlink_to("../shell.sh")
    # on a file system mounted without execution the stage could not start; a shell that is none, DVC reports itself
    able = os.access(shell, os.X_OK) and (not real or shutil.which(real) is not None)
    return Hook(spool, shell if able else None, real)


def environment(
    hook: Hook, before: Mapping[str, str], *, mode: str, execution: Path, strict: bool = False
) -> dict[str, str]:
    """The environment for a command.

    Args:
        hook: from `prepare`.
        before: the environment without us.
        mode: what is looked at beside the start and end of stages: ``python`` (what Python processes do), ``strace``
            (what all do) or ``off``.
        execution: folder of the command's own record.
        strict: let stages read only what they declare (`lineage.gate.confined`).
    """
    after = dict(before)
    after["LINEAGE_SPOOL"] = str(hook.spool)
    after["LINEAGE_SHELL"] = hook.real
    after["LINEAGE_EXECUTION"] = str(execution)
    if hook.shell is not None:
        after["SHELL"] = after["LINEAGE_HOOK"] = str(hook.shell)
    after["LINEAGE_OBSERVER"] = str(OBSERVER) if mode != "off" else ""
    after |= {"LINEAGE_STRACE": strace() if mode == "strace" else "", "LINEAGE_TRACE": str(TRACE)}
    after |= {"LINEAGE_STRICT": "yes" if strict else "", "LINEAGE_PYTHON": sys.executable}
    if mode != "off":
        rest = [entry for entry in before.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(OBSERVER)]
        after["PYTHONPATH"] = os.pathsep.join([str(OBSERVER), *rest])
    return after


def strace() -> str:
    """Where strace is.

    Raises:
        UsageError: ``STRACE_MISSING``, ``STRACE_REFUSED``.
    """
    found = shutil.which("strace")
    if found is None:
        raise UsageError("strace is not installed", code="STRACE_MISSING", hint="install it, or take --observe=python")
    done = subprocess.run([found, *OPTIONS, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise UsageError(
            "strace cannot trace here", code="STRACE_REFUSED", cause=done.stderr.strip().partition("\n")[0],
            hint="allow ptrace, or take --observe=python",
        )  # fmt: skip
    return found


def is_dvc(command: Sequence[str]) -> bool:
    """Whether a command is DVC itself.

    Args:
        command: program and arguments.
    """
    tool = Path(command[0]).name
    return tool == "dvc" or (tool.startswith("python") and list(command[1:3]) == ["-m", "dvc"])


def traced(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """A command of its own with strace around it. DVC is left alone: its stages are traced, each by itself.

    Args:
        command: program and arguments.
        environment: from `environment`.
    """
    program = shutil.which(command[0], path=environment.get("PATH"))
    if not environment.get("LINEAGE_STRACE") or program is None or is_dvc(command):
        return list(command)
    return [environment["LINEAGE_STRACE"], *OPTIONS, "-o", _READER, *command]


def wait(folder: Path) -> None:
    """Wait until what a traced command did is written down, five seconds at most.

    Args:
        folder: of its record.
    """
    end = time.monotonic() + 5
    while not (folder / "traced").exists() and time.monotonic() < end:
        time.sleep(0.01)


OPTIONS = ("-D", "-f", "-q", "-y", "-s1024", "--seccomp-bpf", "-esignal=none", f"-etrace={CALLS}")
"""Of strace, as `shell.sh` has them too: the traced process stays a child of ours (``-D``)."""

_READER = '|exec "$LINEAGE_PYTHON" -I -S "$LINEAGE_TRACE" "$LINEAGE_EXECUTION"'
