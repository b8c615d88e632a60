"""The same for plain ``dvc repro``: loaded by a ``.pth`` file when a Python of DVC's environment starts.

`lineage.capture.install` puts a copy beside it. Standard library alone, and nothing at all unless the process is DVC in
a repository that wants it (``.lineage/hook/on``).
"""

from __future__ import annotations

import os
import sys


def _is_dvc(arguments: list[str]) -> bool:
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "-m":
            return next(rest, "").split(".")[0] == "dvc"
        if not argument.startswith("-"):
            return os.path.basename(argument) == "dvc"
        if argument == "-c":
            return False
    return False


def _start(arguments: list[str]) -> str:
    """The directory that DVC works in: it has an option for it."""
    for index, argument in enumerate(arguments):
        if argument == "--cd" and index + 1 < len(arguments):
            return os.path.abspath(arguments[index + 1])
        if argument.startswith("--cd="):
            return os.path.abspath(argument[5:])
    return os.getcwd()


def _begin() -> None:
    arguments = list(getattr(sys, "orig_argv", ()))
    environment = os.environ
    if not _is_dvc(arguments) or "LINEAGE_SPOOL" in environment:
        return
    folder = _start(arguments)
    while not os.path.isfile(folder + "/.lineage/hook/on"):
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above
    hook = folder + "/.lineage/hook"
    with open(hook + "/on", encoding="utf-8") as file:
        observer = file.readline().rstrip("\n")
    real = environment.get("SHELL", "")
    shell = hook + "/shell/" + (os.path.basename(real) or "sh")
    if not os.path.lexists(shell):
        os.symlink("../shell.sh", shell)
    if not os.access(shell, os.X_OK) or ("/" in real and not os.access(real, os.X_OK)):
        return
    spool = folder + "/.lineage/spool"
    environment.update(
        SHELL=shell, LINEAGE_SHELL=real, LINEAGE_HOOK=shell, LINEAGE_SPOOL=spool,
        LINEAGE_OBSERVER=observer if os.path.isdir(observer) else "",
    )  # fmt: skip
    import atexit
    import time

    process = os.getpid()

    def over() -> None:
        if os.getpid() != process:
            return
        try:
            file = os.open(spool + "/journal", os.O_WRONLY | os.O_APPEND)
            os.write(file, f"over {process} {time.time_ns()}\n".encode())
            os.close(file)
        except OSError:
            return

    atexit.register(over)


try:
    _begin()
except Exception:  # DVC comes first
    pass
