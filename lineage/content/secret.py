"""The secret of an installation's index: a file that its owner alone can read. Without it the index tells nothing."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from lineage.content.fingerprint import Key
from lineage.errors import UsageError


def open_key(path: Path) -> Key:
    """The key at a path, made where there is none.

    Raises:
        UsageError: ``CONTENT_KEY_UNUSABLE``: it cannot be read or made, others can read it, or it is no key.
    """
    try:
        if not path.exists():
            _make(path)
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1000)
        if os.name == "posix" and mode & 0o077:
            raise _unusable(path, f"others can read it (mode {stat.S_IMODE(mode):03o})", f"chmod 600 {path}")
        return Key(bytes.fromhex(text.strip()))
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error), "restore it from a backup; the index is bound to it") from None


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ignore = path.parent / ".gitignore"
    if path.parent.name == ".lineage" and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(Key.new().secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # somebody was faster: that one counts
        os.link(draft, path)  # unlike a rename, it never replaces what is there
    draft.unlink()


def _unusable(path: Path, cause: str, hint: str) -> UsageError:
    return UsageError(
        f"the content index's key {path} cannot be used", code="CONTENT_KEY_UNUSABLE", cause=cause, hint=hint
    )
