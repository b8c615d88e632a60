"""Running a command as if we were not there: the same input, terminal, files and signals, and it ends as it ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
_LEFT_TO_IT = ("SIGINT", "SIGQUIT")
"""What a terminal sends to both of us."""


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command and wait for it.

    Args:
        command: program and arguments.
        environment: the whole environment.

    Returns:
        Its exit status; negative: the number of the signal that ended it.

    Raises:
        OSError: it cannot be started.
    """
    child: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        if child:
            child[0].send_signal(number)

    def wait(_: int, __: FrameType | None) -> None:
        return

    before: dict[int, Any] = {}
    for names, ours in ((_PASSED_ON, pass_on), (_LEFT_TO_IT, wait)):
        for name in names:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` stays in force
                before[number] = signal.signal(number, ours)
    try:
        # a handler of ours is the default again in the child
        child.append(subprocess.Popen(list(command), env=dict(environment), close_fds=False))  # noqa: S603 - the point
        return child[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_as(status: int) -> int:
    """End this process as the command ended.

    Args:
        status: from `run`.

    Returns:
        The exit status; where a signal ended the command, it ends us and nothing is returned.
    """
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
        return 128 - status
    return status
