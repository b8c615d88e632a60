"""Git hooks that read what DVC recorded after each commit, checkout and merge. A convenience: `sync` finds it anyway.

Ours is a block of lines in the hook's file. What was there stays and decides the exit status; DVC's own hooks
(``dvc install``) too. Called again it changes nothing, and taken out it leaves the file as it was.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from lineage.errors import UsageError
from lineage_dvc.git import environment

HOOKS = ("post-commit", "post-merge", "post-checkout")
_BEGIN = "# >>> lineagegate"
_END = "# <<< lineagegate"
_BLOCK = f"""{_BEGIN} (lineagegate reads what DVC recorded; it never stops git)
if command -v lineagegate >/dev/null 2>&1; then lineagegate sync --forward-later </dev/null >/dev/null 2>&1 || true; fi
{_END}
"""
_SHELL = "#!/bin/sh\n"


def install_hooks(root: Path) -> list[Path]:
    """Put the block into the hooks of a repository, after DVC's shell line and before everything else.

    Args:
        root: a directory in the git work tree.

    Returns:
        The files that were changed.

    Raises:
        UsageError: ``GIT_MISSING``, or ``HOOK_FOREIGN``: a hook is no shell script; nothing was changed.
    """
    folder = _folder(root)
    files = {folder / name: _read(folder / name) for name in HOOKS}
    for file, text in files.items():
        if text and not _is_shell(text):
            raise UsageError(
                f"{file} is no shell script", code="HOOK_FOREIGN", cause=text.splitlines()[0][:80],
                hint="call `lineagegate sync || true` from it; nothing was changed",
            )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for file, text in files.items():
        if _BEGIN in text or (file.name == "post-checkout" and not text):
            continue  # `dvc install` refuses when a post-checkout hook exists: ours joins one, it never makes one
        first, rest = ([*text.split("\n", 1), ""])[:2] if text.startswith("#!") else ("", text)
        shell = first + "\n" if first else _SHELL
        # first, because hooks often end in `exec` (DVC's do) or `exit`; it cannot fail, so it stops nothing
        _write(file, shell + _BLOCK + rest)
        changed.append(file)
    return changed


def remove_hooks(root: Path) -> list[Path]:
    """Take the block out again; a hook that held nothing else is deleted.

    Args:
        root: a directory in the git work tree.

    Returns:
        The files that were changed.
    """
    folder = _folder(root)
    changed = []
    for name in HOOKS:
        file = folder / name
        text = _read(file)
        begin, end = text.find(_BEGIN), text.find(_END)
        if begin < 0 or end < begin:
            continue
        rest = text[:begin] + text[end + len(_END) + 1 :]
        if rest.strip() in ("", _SHELL.strip()):
            file.unlink()
        else:
            _write(file, rest)
        changed.append(file)
    return changed


def _folder(root: Path) -> Path:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        ["git", "-C", str(root), "rev-parse", "--git-path", "hooks"],  # noqa: S607 - git is found on PATH
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    if done.returncode:
        raise UsageError("this is no git repository", code="GIT_MISSING", cause=done.stderr.strip(), hint="git init")
    return (root / done.stdout.strip()).resolve()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _is_shell(text: str) -> bool:
    first = text.split("\n", 1)[0]
    return not first.startswith("#!") or any(f"{name}" in first for name in ("sh", "bash", "dash", "zsh", "ksh"))


def _write(file: Path, text: str) -> None:
    draft = file.with_name(file.name + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(file)
