"""Reads what strace says of every process of a stage, as it says it, and writes what matters to the spool.

strace starts it (``-o '|…'``) under a Python without ``site``: the standard library and the record beside the observer.
The trace itself is never kept: arguments and what is sent may hold secrets. One file for all processes of a stage.

It sees the files that any process opens, programs with the hosts among their arguments, and the hosts that are asked
for: names in DNS questions, ``CONNECT`` and ``Host`` lines, server names of TLS where they are sent with ``send``.
"""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Iterable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING or __name__ != "__main__":
    from lineage.capture.observer.lineage_record import LIBRARIES, WRITES, Spool, hosts
else:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "observer"))
    from lineage_record import LIBRARIES, WRITES, Spool, hosts

CALLS = "open,openat,openat2,creat,connect,sendto,sendmsg,sendmmsg,execve,execveat"
"""The system calls that are looked at; all others run at full speed (``--seccomp-bpf``)."""

_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$", re.S)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_AT = re.compile(r"(?:AT_FDCWD|\d+)<(.*?)>, ")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.S)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"f": b"\f"}
_IGNORED = ("/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/proc/", "/sys/", "/dev/", "/etc/", "/run/", "/var/lib/")
_PACKAGES = re.compile(r"/(?:site|dist)-packages/([^/.]+)")
_PYTHON = re.compile(r"/lib/python[0-9.]+/|/pyvenv\.cfg$|\.so(?:\.[0-9.]+)?$")
_HEADER = re.compile(rb"(?:^CONNECT ([\w.-]+):\d+ HTTP|\r\nHost: *([\w.-]+)|^[A-Z]+ https?://([\w.-]+))", re.I)
_UNFINISHED = " <unfinished ...>"


def read(lines: Iterable[str], spool: Spool) -> None:
    """Write down what the lines of a trace say.

    Args:
        lines: of ``strace -f -y``.
        spool: what is written to.
    """
    begun: dict[str, str] = {}
    first = ""
    seen: set[str] = set()
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/"
    kept_out = (*_IGNORED, package, spool.folder + "/")
    for line in lines:
        first = first or line.split(" ", 1)[0]
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            if "+++ " in line and line.split(" ", 1)[0] == first:
                with open(spool.folder + "/traced", "w"):  # the shell around the stage waits for it
                    pass
            continue
        pid, call, rest = found.groups()
        if "resumed>" in line[: found.start(3)]:
            rest = begun.pop(pid, "") + rest
        elif rest.endswith(_UNFINISHED):
            begun[pid] = rest[: -len(_UNFINISHED)]
            continue
        if call.startswith(("open", "creat")):
            _opened(rest, call, spool, seen, kept_out)
        elif call.startswith("exec"):
            if rest.rpartition(" = ")[2].strip() == "0":
                texts = [os.fsdecode(_bytes(text)) for text in _TEXT.findall(rest)]
                spool.once("child", os.path.basename(texts[0]) if texts else "")
                for host in hosts(texts[1:]):
                    spool.once("argument", host)
        elif call == "connect":
            if address := re.search(r'inet_addr\("([^"]+)"|inet_pton\(AF_INET6, "([^"]+)"', rest):
                spool.once("connect", address[1] or address[2])
        else:
            for text in _TEXT.findall(rest):
                for host in named(_bytes(text)):
                    spool.count("wire", host)


def named(data: bytes) -> Iterator[str]:
    """The hosts that some bytes name as they are sent: in HTTP, in a TLS ClientHello, in a DNS question.

    Args:
        data: the beginning of what one call sent.
    """
    for found in _HEADER.finditer(data[:1024]):
        yield os.fsdecode(next(filter(None, found.groups())))
        return
    name = _server_name(data) if data[:1] == b"\x16" and data[5:6] == b"\x01" else _question(data)
    if name and re.fullmatch(rb"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+", name):
        yield name.decode().lower()


def _server_name(data: bytes) -> bytes:
    """The server name of a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3)."""
    at = 43  # record header 5, handshake header 4, version 2, random 32
    at += 1 + int.from_bytes(data[at : at + 1], "big")
    at += 2 + int.from_bytes(data[at : at + 2], "big")
    at += 1 + int.from_bytes(data[at : at + 1], "big")
    at += 2
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0:
            return data[at + 9 : at + 4 + size]
        at += 4 + size
    return b""


def _question(data: bytes) -> bytes:
    """The name that a DNS message asks for (RFC 1035 section 4.1)."""
    if len(data) < 17 or data[2] & 0x80 or data[4:8] != b"\0\1\0\0":
        return b""
    labels, at = [], 12
    while at < len(data) and 0 < data[at] < 64:
        labels.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b".".join(labels) if at < len(data) and data[at] == 0 else b""


def _opened(rest: str, call: str, spool: Spool, seen: set[str], kept_out: tuple[str, ...]) -> None:
    given, _, result = rest.rpartition(" = ")
    text = _TEXT.search(given)
    if text is None or not result[:1].isdigit() or "O_DIRECTORY" in given:
        return
    path = os.fsdecode(_bytes(text[1]))
    if path[:1] != "/":
        folder = _AT.match(given)
        path = os.path.normpath(os.path.join(folder[1] if folder else "/", path))
    if library := _PACKAGES.search(path):
        if library[1] in LIBRARIES:
            spool.once("library", library[1])
        return
    if path.startswith(kept_out) or _PYTHON.search(path):
        return
    flags = 0
    for name in re.findall(r"O_[A-Z]+", given[text.end() :]):
        flags |= getattr(os, name, 0)
    if call == "creat":
        flags = os.O_WRONLY | os.O_TRUNC
    if flags & WRITES:
        if "w" + path not in seen:
            seen.add("w" + path)
            spool.say("write", path)
        if flags & os.O_TRUNC or not flags & (os.O_RDWR | os.O_APPEND):
            return
    if path not in seen:
        seen.add(path)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return
        except OSError:
            pass  # it is gone by now, and was read
        spool.say("read", path)


def _bytes(text: str) -> bytes:
    """What strace shows of a string, as it was."""

    def plain(found: re.Match[bytes]) -> bytes:
        one = found[1]
        return bytes([int(one, 8) & 255]) if one[:1].isdigit() else _PLAIN.get(one, one)

    return _ESCAPE.sub(plain, os.fsencode(text))


def _main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)  # it ends when the trace does
    spool = Spool(sys.argv[1])
    spool.say("strace", "")
    with open(0, encoding="utf-8", errors="surrogateescape", closefd=False) as lines:
        read(lines, spool)
    spool.end()


if __name__ == "__main__":
    _main()
