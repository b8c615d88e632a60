"""Confining this process and all that it starts, by the kernel's own means: Landlock, without privileges.

https://docs.kernel.org/userspace-api/landlock.html. Only the reading of files and TCP connections are handled: what a
process writes, lists and starts is as without. It cannot be taken back, also not by a child.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from lineage.errors import UsageError

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System calls; their numbers are the same on every architecture."""
_READ_FILE = 1 << 2
_CONNECT_TCP = 1 << 1
_NETWORK = 4
"""The first version of Landlock that knows of the network."""


def version() -> int:
    """Version of Landlock that this kernel has; 0: none, or it is switched off."""
    try:
        return max(_call(_CREATE, None, 0, 1), 0)
    except (OSError, AttributeError):
        return 0


def require() -> None:
    """See that there is Landlock.

    Raises:
        UsageError: ``LANDLOCK_MISSING``.
    """
    if not version():
        raise UsageError(
            "this kernel cannot confine programs: it has no Landlock",
            code="LANDLOCK_MISSING",
            cause="Landlock came with Linux 5.13, and can be switched off (`lsm=` of the kernel's command line)",
            hint="run without --strict; --observe=strace says what was read",
        )


def confine(readable: Iterable[Path], *, network: bool) -> bool:
    """Let this process, and all it starts, read only what lies at or below some paths.

    Args:
        readable: files and directories; those that do not exist are left out.
        network: whether it may connect by TCP.

    Returns:
        Whether the network is as asked for: a kernel with Landlock below version 4 cannot keep it from anybody.

    Raises:
        UsageError: ``LANDLOCK_MISSING``.
        OSError: the kernel refuses.
    """
    require()
    known = version() >= _NETWORK
    net = 0 if network or not known else _CONNECT_TCP
    attributes = struct.pack("QQ", _READ_FILE, net) if known else struct.pack("Q", _READ_FILE)
    rules = _call(_CREATE, attributes, len(attributes), 0)
    try:
        for path in readable:
            try:
                file = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            try:
                _call(_ADD, rules, 1, struct.pack("=Qi", _READ_FILE, file), 0)
            finally:
                os.close(file)
        _prctl_no_new_privileges()
        _call(_RESTRICT, rules, 0)
    finally:
        os.close(rules)
    return network or known


def _prctl_no_new_privileges() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(38, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _call(number: int, *arguments: int | bytes | None) -> int:
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    done = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *given)
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(done)
