"""The records of executions: writing those of a command of ours, reading all, and whether each is whole.

A folder for each execution: ``start``, ``end``, and a file for each Python process that was seen. ``end`` names the
sha256 of every file and stands in ``journal`` again. What the checks find is a fault, in words; nothing is thrown away
for it. Who may write to the spool may write a false record that holds together; docs/explanation/observation.md says
what that means.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

VERSION = "1"
_FIELDS = 11


class Seen(NamedTuple):
    """What the spool holds of one execution."""

    folder: Path
    parent: str
    """Id of the execution that it ran in, or empty."""
    pid: int
    starter: int
    """Process that started it: of the stages of one ``dvc repro`` the same."""
    cwd: Path
    stage: str
    """``DVC_STAGE``; empty for a command of its own."""
    root: str
    """``DVC_ROOT``."""
    experiment: str
    baseline: str
    mode: str
    """What was looked at: ``python``, ``strace``, ``off``."""
    command: tuple[str, ...]
    """Arguments of the shell, or the command itself."""
    started: int
    """Nanoseconds since 1970, by the clock of the file system, as files' times are."""
    ended: int | None
    """None: nothing says that it ended."""
    status: int
    """Exit status; negative: number of the signal that ended it."""
    things: dict[str, dict[str, int]]
    """By kind, each thing and how often (0: not counted)."""
    faults: tuple[str, ...]
    """Why the record is not whole, one sentence each."""

    @property
    def id(self) -> str:
        """Name of its folder, and when it began: process numbers come again."""
        return f"{self.folder.name}@{self.started}"

    @property
    def running(self) -> bool:
        """Whether it may still go on. What says so of a process that DVC did not start is not believed."""
        if self.ended is not None or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except OSError:
            pass
        return not self.stage or _starter(self.pid) in (self.starter, None)


def begin(spool: Path, command: Sequence[str], *, mode: str, parent: str = "") -> Path:
    """Begin the record of a command.

    Args:
        spool: the folder of records.
        command: program and arguments.
        mode: what is looked at.
        parent: folder of the execution around it.

    Returns:
        The folder of the record.
    """
    folder = spool / f"{os.getppid()}-{os.getpid()}"
    while True:
        try:
            folder.mkdir()
            break
        except FileExistsError:
            folder = folder.with_name(folder.name + ".")
    fields = (
        VERSION, str(os.getppid()), str(os.getpid()), str(Path.cwd()), parent, "", "", "", "",
        "" if mode == "off" else mode, "", *command,
    )  # fmt: skip
    (folder / "start").write_bytes(b"".join(os.fsencode(field) + b"\0" for field in fields))
    _note(spool, f"start {folder.name}")
    return folder


def note(folder: Path, kind: str, value: str) -> None:
    """Add one thing to the record of an execution that goes on, in a file of its own.

    Args:
        folder: of the record.
        kind: as `Seen.things` has it.
        value: the thing.

    Raises:
        OSError: it cannot be written.
    """
    file = folder / f"{kind}-{os.getpid()}-{time.time_ns()}.jsonl"
    body = json.dumps({"n": 1, "k": kind, "v": value}, separators=(",", ":"))[:-1].encode()
    file.write_bytes(body + b',"h":"' + hashlib.sha256(body).hexdigest()[:16].encode() + b'"}\n')
    _note(folder.parent, f"process {folder.name} {file.name}")


def seal(folder: Path, status: int, began: bytes | None = None) -> None:
    """End the record of a command.

    Args:
        folder: from `begin`.
        status: of the command; negative: a signal.
        began: what ``start`` held when the command began, where it is known.
    """
    start = folder / "start"
    files = [file for file in (start, *sorted(folder.glob("*.jsonl"))) if _regular(file)]
    whole = "whole"
    if start not in files:
        whole = "gone"
    elif began is not None and start.read_bytes() != began:
        whole = "changed"
    folder.mkdir(exist_ok=True)
    sums = " ".join(f"{_digest(file)}={file.name}" for file in files)
    shown = str(status) if status >= 0 else f"{128 - status}:{-status}"
    line = f"end {folder.name} {shown} {whole} {sums}".rstrip()
    (folder / "end").write_text(line + "\n", encoding="ascii")
    _note(folder.parent, line)


def remove(folder: Path) -> None:
    """Take a record away that is in the ledger now."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    _note(folder.parent, f"taken {folder.name}")


class Journal(NamedTuple):
    """What the journal says, from a place on."""

    ends: dict[str, str]
    """The last line about the end of an execution, by the name of its folder."""
    processes: dict[str, list[str]]
    """Names of the files of Python processes, by the name of the folder."""
    over: dict[int, list[int]]
    """When processes of DVC ended, nanoseconds since 1970, by their number."""
    open: frozenset[str]
    """Executions that began and were not taken in."""
    taken: dict[str, bool]
    """Of every execution that it says began: whether it was taken in since."""
    broken: tuple[str, ...]
    """Stages that could not be recorded."""
    size: int
    """Bytes read so far."""
    digest: str
    """sha256 of these bytes."""
    cut: bool
    """It is shorter than it was, or what was read of it before is another text now."""


def journal(spool: Path, size: int = 0, before: Iterable[str] = (), digest: str = "") -> Journal:
    """Read the journal on.

    Args:
        spool: the folder of records.
        size: what was read before, bytes.
        before: executions that were open then.
        digest: of what was read then; empty where it is not known.
    """
    try:
        data = (spool / "journal").read_bytes()
    except FileNotFoundError:
        data = b""
    whole = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace")
    cut = len(data) < size or bool(digest and hashlib.sha256(data[:size]).hexdigest() != digest)
    ends = {line.split(" ", 2)[1]: line for line in whole.splitlines() if line.startswith("end ")}
    processes: dict[str, list[str]] = {}
    for words in (line.split() for line in whole.splitlines() if line.startswith("process ")):
        processes.setdefault("".join(words[1:2]), []).append("".join(words[2:3]))
    over: dict[int, list[int]] = {}
    for words in (line.split() for line in whole.splitlines() if line.startswith("over ")):
        if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
            over.setdefault(int(words[1]), []).append(int(words[2]))
    taken: dict[str, bool] = {}
    for word, _, rest in (line.partition(" ") for line in whole.splitlines()):
        if word in ("start", "taken"):
            taken[rest] = word == "taken"
    waiting = dict.fromkeys(before)
    broken: list[str] = []
    for line in data[0 if cut else size : data.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if word == "start":
            waiting[rest] = None
        elif word == "taken":
            waiting.pop(rest, None)
        elif word == "broken":
            broken.append(rest)
    end = data.rfind(b"\n") + 1
    read = hashlib.sha256(data[:end]).hexdigest()
    return Journal(ends, processes, over, frozenset(waiting), taken, tuple(broken), end, read, cut)


def executions(spool: Path, said: Journal) -> list[Seen]:
    """Every execution in the spool, in the order in which they began.

    Args:
        spool: the folder of records.
        said: its whole journal.
    """
    try:
        folders = [Path(entry.path) for entry in os.scandir(spool) if entry.is_dir()]
    except FileNotFoundError:
        return []
    found = [_seen(folder, said) for folder in folders]
    return sorted((seen for seen in found if seen), key=lambda seen: (seen.started, seen.folder.name))


def _seen(folder: Path, said: Journal) -> Seen | None:
    faults: list[str] = []
    if folder.is_symlink():
        faults.append("its folder was replaced by a link")
    try:
        data, started = _read(folder / "start", faults)
    except OSError:
        if not (folder / "end").exists() and time.time_ns() - folder.stat().st_mtime_ns < 60_000_000_000:
            return None  # it begins this moment
        data, started = b"", folder.stat().st_mtime_ns
    fields = [os.fsdecode(field) for field in data.split(b"\0")[:-1]]
    if len(fields) < _FIELDS or fields[0] != VERSION or not all(map(_number, fields[1:3])):
        faults.append("what it says of its start is gone")
        fields = [VERSION, "0", "0", "/", "", "", "", "", "", "", ""]
    ended, status, listed = _end(folder, said.ends, faults)
    things: dict[str, dict[str, int]] = {}
    every = sorted(folder.glob("*.jsonl"))
    files = [file for file in every if _regular(file)]
    faults += (f"{file.name} is no file" for file in every if file not in files)
    own = {file.name for file in files}
    begun = said.processes.get(folder.name, [])
    faults += (f"{name}, of a process, is gone" for name in begun if name not in own)
    faults += (f"{name} was added: no process says that it began it" for name in sorted(own.difference(begun)))
    for file in files:
        _process(file, things, faults)
    if ended is not None:
        for file in files:
            if file.name not in listed:
                faults.append(f"{file.name} was added after the end: a process went on")
        if folder.name not in said.taken:
            faults.append("the journal does not say that it began")
        elif said.taken[folder.name]:
            faults.append("it was taken in before")
        for name, digest in listed.items():
            if not _regular(folder / name):
                faults.append(f"{name} is gone")
            elif _digest(folder / name) != digest:
                faults.append(f"{name} was changed after the end")
    return Seen(
        folder, Path(fields[4]).name if fields[4] else "", int(fields[2]), int(fields[1]), Path(fields[3]),
        fields[5], fields[6], fields[7], fields[8], fields[9] or "off", tuple(fields[_FIELDS:]), started, ended, status,
        things, tuple(faults),
    )  # fmt: skip


def _end(folder: Path, ends: dict[str, str], faults: list[str]) -> tuple[int | None, int, dict[str, str]]:
    try:
        data, ended = _read(folder / "end", faults)
        line = data.decode("utf-8", "replace")
    except OSError:
        if folder.name in ends:
            faults.append("what it says of its end is gone")
        return None, 0, {}
    words = line.split()
    told = len(words) > 3 and words[:2] == ["end", folder.name] and all(map(_number, words[2].split(":", 1)))
    if not line.endswith("\n") or not told:
        faults.append("what it says of its end cannot be read")
        return ended, 1, {}
    if ends.get(folder.name) != line.rstrip("\n"):
        faults.append("what it says of its end is not what the journal says")
    if words[3] != "whole":
        faults.append(_UNTRUE.get(words[3], _UNTRUE["gone"]))
    code, _, signal = words[2].partition(":")
    listed = {name: digest for digest, _, name in (word.partition("=") for word in words[4:])}
    return ended, -int(signal) if signal else int(code), listed


def _process(file: Path, things: dict[str, dict[str, int]], faults: list[str]) -> None:
    """Add what one process was seen to do."""
    chain = ""
    own: dict[tuple[str, str], int] = {}
    for number, raw in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        body, mark, rest = raw.rpartition(b',"h":"')
        chain = hashlib.sha256(chain.encode() + body).hexdigest()[:16]
        try:
            said = json.loads(raw)
            kind, value, count = str(said["k"]), str(said["v"]), int(said.get("c", 0))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            faults.append(f"{file.name}: line {number} cannot be read")
            continue
        if not mark or rest != chain.encode() + b'"}' or said.get("n") != number:
            faults.append(f"{file.name}: line {number} does not follow from those before")
            chain = str(said.get("h", ""))
        if kind == "write" and ("read", value) in own:
            count = 0  # what was read of it was not its own
        own[kind, value] = max(count, own.get((kind, value), 0))
    for (kind, value), count in own.items():
        held = things.setdefault(kind, {})
        held[value] = held.get(value, 0) + (0 if kind == "process" else count)


_UNTRUE = {
    "gone": "its record was taken away while it ran",
    "changed": "what it says of its start was changed while it ran",
}
"""What an end that is not ``whole`` means."""
_LATER = 1_000_000_000
"""Nanoseconds; the times that a file system keeps of one writing differ by less."""


def _read(file: Path, faults: list[str]) -> tuple[bytes, int]:
    """What a file holds and when it was written, if it is one: a pipe would keep us waiting."""
    if not _regular(file):
        raise FileNotFoundError(file)
    about = file.stat()
    if abs(about.st_ctime_ns - about.st_mtime_ns) > _LATER:
        faults.append("the times of its record were set")
    return file.read_bytes(), about.st_mtime_ns


def _regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _starter(pid: int) -> int | None:
    """The process that started another one; None where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _note(spool: Path, line: str) -> None:
    with (spool / "journal").open("ab", buffering=0) as stream:
        stream.write(line.encode() + b"\n")
