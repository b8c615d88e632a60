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
import struct
import sys
import time
from collections.abc import Iterable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING or __name__ != "__main__":
    from lineage.capture.observer.lineage_record import LIBRARIES, WRITES, Place, Spool, asks_model, bare, hosts
else:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "observer"))
    from lineage_record import LIBRARIES, WRITES, Place, Spool, asks_model, bare, hosts

CALLS = "open,openat,openat2,creat,open_by_handle_at,io_uring_setup,connect,sendto,sendmsg,sendmmsg,execve,execveat"
"""The system calls that are looked at; all others run at full speed (``--seccomp-bpf``)."""

_LINE = re.compile(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$", re.S)
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_OPEN = re.compile(
    r'(?:(?:AT_FDCWD|\d+)<([^<>]*)>, )?(?:"((?:[^"\\]|\\.)*)"(?:\.\.\.)?)?((?:[^"<>]|<[^<>]*>)*)\) += \d+<([^<>]*)>'
)
"""Folder, name, flags, and the file that it turned out to be; of names, strace shows ``<``, ``>``, ``"`` as codes."""
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.S)
_PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"f": b"\f"}
_IGNORED = ("/var/lib/dpkg/", "/var/lib/sss/", "/var/lib/ca-certificates/")
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
    place = Place(spool.folder, (*_IGNORED, package))
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
            _opened(rest, call, spool, seen, place)
        elif call.startswith("exec"):
            if rest.rpartition(" = ")[2].strip() == "0":
                texts = [os.fsdecode(_bytes(text)) for text in _TEXT.findall(rest)]
                name = os.path.basename(texts[0]) if texts else ""
                spool.once("child", name)
                for word in bare(name, texts[1:]):
                    spool.once("word", word)
                for host in hosts(texts[1:]):
                    spool.once("argument", host)
        elif call == "connect":
            if address := re.search(r'inet_addr\("([^"]+)"|inet_pton\(AF_INET6, "([^"]+)"', rest):
                spool.once("connect", address[1] or address[2])
        elif call == "io_uring_setup":
            spool.once("broken", "io_uring, through which files are opened unseen")
        else:
            for text in _TEXT.findall(rest):
                data = _bytes(text)
                for host in named(data):
                    spool.count("wire", host)
                    asked = data.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
                    if len(asked) == 3 and asks_model(asked[0], asked[1]):
                        spool.count("api", host)


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


def _opened(rest: str, call: str, spool: Spool, seen: set[str], place: Place) -> None:
    found = _OPEN.match(rest)
    if found is None or "O_DIRECTORY" in found[3]:
        return
    real = os.fsdecode(_bytes(found[4])).removesuffix(" (deleted)")
    path = real if found[2] is None else os.fsdecode(_bytes(found[2]))
    if path[:1] != "/":
        path = os.path.normpath(os.path.join(os.fsdecode(_bytes(found[1] or "/")), path))
    if (library := _PACKAGES.search(path)) and library[1] in LIBRARIES:
        spool.once("library", library[1])
    mark = f"{path}\0{real}\0{found[3]}"
    if mark in seen:
        return
    seen.add(mark)
    # of a link into the system, of `/proc/self/root/` and of what is seen from another root, the file itself counts
    if place.out(path) or _PYTHON.search(path) or os.path.realpath(path) != real:
        path = real
    if place.out(path) or _PYTHON.search(path) or _PACKAGES.search(path):
        return
    flags = os.O_WRONLY | os.O_TRUNC if call == "creat" else 0
    for name in re.findall(r"O_[A-Z]+", found[3]):
        flags |= getattr(os, name, 0)
    if flags & WRITES:
        whole = bool(flags & (os.O_TRUNC | os.O_EXCL) or (flags & os.O_CREAT and _born(path) >= _BEGUN))
        mark = ("W" if whole else "w") + path
        if mark not in seen:
            seen.add(mark)
            spool.say("write", path, int(whole))
        if whole or not flags & os.O_RDWR:
            return
    if "r" + path not in seen:
        seen.add("r" + path)
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                return
        except OSError:
            pass  # it is gone by now, and was read
        spool.say("read", path)


_BEGUN = time.time()


def _born(path: str) -> float:
    """When a file was made, in seconds since 1970; 0 where nothing says so (statx(2): not in Python's library)."""
    import ctypes

    about = ctypes.create_string_buffer(256)
    try:
        failed = ctypes.CDLL(None).statx(-100, os.fsencode(path), 0, 0x800, about)
    except AttributeError:
        return 0.0
    known, seconds, rest = (struct.unpack_from(shape, about, at)[0] for shape, at in (("I", 0), ("q", 80), ("I", 88)))
    return float(seconds + rest / 1e9) if not failed and known & 0x800 else 0.0


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
