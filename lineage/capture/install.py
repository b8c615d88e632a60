"""Having plain ``dvc repro`` seen in a repository: a ``.pth`` in DVC's environment, put in and taken out.

The environment is shared by repositories: a list beside the ``.pth`` says which of them want it, and with the last one
everything goes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from lineage.capture.hook import OBSERVER, prepare
from lineage.errors import UsageError

NAME = "lineagegate_hook"


def install(root: Path) -> list[Path]:
    """Have DVC's stages in a repository seen.

    Args:
        root: of the project.

    Returns:
        The files that were written.

    Raises:
        UsageError: ``DVC_MISSING``, ``HOOK_FAILED``; nothing was changed.
    """
    where = _packages()
    try:
        module, pth, roots = _files(where)
        changed = [file for file, text in ((module, _module()), (pth, f"import {NAME}\n")) if _write(file, text)]
        known = _roots(roots)
        if str(root) not in known:
            _write(roots, "".join(f"{each}\n" for each in (*known, str(root))))
            changed.append(roots)
        prepare(root, os.environ)
        mark = root / ".lineage" / "hook" / "on"
        if _write(mark, f"{OBSERVER}\n"):
            changed.append(mark)
    except OSError as error:
        raise UsageError(
            "DVC's environment cannot be written", code="HOOK_FAILED", cause=str(error),
            hint="run the pipeline as `lineagegate exec -- dvc repro`",
        ) from None  # fmt: skip
    return changed


def remove(root: Path) -> list[Path]:
    """Leave a repository alone again, and DVC's environment with the last one.

    Args:
        root: of the project.

    Returns:
        The files that were changed or deleted.
    """
    changed = []
    mark = root / ".lineage" / "hook" / "on"
    if mark.exists():
        mark.unlink()
        changed.append(mark)
    try:
        files = _files(_packages())
        roots = files[2]
        left = [each for each in _roots(roots) if each != str(root)]
        if left and left != _roots(roots):
            _write(roots, "".join(f"{each}\n" for each in left))
            changed.append(roots)
        elif not left:
            for file in files:
                if file.exists():
                    file.unlink()
                    changed.append(file)
    except UsageError:
        return changed  # no DVC any more
    except OSError as error:
        raise UsageError("DVC's environment cannot be written", code="HOOK_FAILED", cause=str(error)) from None
    return changed


def _files(where: Path) -> tuple[Path, Path, Path]:
    return where / f"{NAME}.py", where / f"{NAME}.pth", where / f"{NAME}.roots"


def _module() -> str:
    return (Path(__file__).parent / "dvc_hook.py").read_text(encoding="utf-8")


def _roots(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if (Path(line) / ".lineage" / "hook").is_dir()]


def _write(file: Path, text: str) -> bool:
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return False
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)
    return True


def _packages() -> Path:
    """Where the environment of the ``dvc`` on PATH keeps its packages."""
    program = shutil.which("dvc")
    python = _interpreter(Path(program)) if program else None
    if python is not None:
        done = subprocess.run(  # noqa: S603 - DVC's own interpreter
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        said = done.stdout.splitlines()[-1:]  # a `sitecustomize` may talk before
        if done.returncode == 0 and said and Path(said[0]).is_dir():
            return Path(said[0])
    if program is None and find_spec("dvc") is not None:
        return Path(sysconfig.get_path("purelib"))
    raise UsageError(
        "no DVC in a Python environment is found", code="DVC_MISSING",
        cause="a DVC that is no Python script cannot be hooked" if program else "there is no `dvc` on PATH",
        hint="run the pipeline as `lineagegate exec -- dvc repro`",
    )  # fmt: skip


def _interpreter(script: Path) -> str | None:
    """The Python that a console script names, also where its path is too long for the first line."""
    with script.open("rb") as stream:
        head = stream.read(4096)
    if not head.startswith(b"#!"):
        return None
    lines = head.decode("utf-8", "replace").splitlines()
    words = lines[0][2:].split()
    if words[:1] == ["/bin/sh"] and len(lines) > 1 and "exec" in lines[1]:
        words = shlex.split(lines[1])[1:]
    if words[:1] == ["/usr/bin/env"]:
        words = [shutil.which(words[1]) or ""]
    return words[0] if words and "python" in Path(words[0]).name and Path(words[0]).exists() else None
