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
        """Whether it may still go on."""
        if self.ended is not None:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


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


def seal(folder: Path, status: int) -> None:
    """End the record of a command.

    Args:
        folder: from `begin`.
        status: of the command; negative: a signal.
    """
    files = [folder / "start", *sorted(folder.glob("*.jsonl"))]
    whole = "whole" if files[0].is_file() else "gone"
    folder.mkdir(exist_ok=True)
    sums = " ".join(f"{_digest(file)}={file.name}" for file in files if file.is_file())
    shown = str(status) if status >= 0 else f"{128 - status}:{-status}"
    line = f"end {folder.name} {shown} {whole} {sums}".rstrip()
    (folder / "end").write_text(line + "\n", encoding="ascii")
    _note(folder.parent, line)


def remove(folder: Path) -> None:
    """Take a record away that is in the ledger now."""
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
    broken: tuple[str, ...]
    """Stages that could not be recorded."""
    size: int
    """Bytes read so far."""
    cut: bool
    """It is shorter than it was."""


def journal(spool: Path, size: int = 0, before: Iterable[str] = ()) -> Journal:
    """Read the journal on.

    Args:
        spool: the folder of records.
        size: what was read before, bytes.
        before: executions that were open then.
    """
    try:
        data = (spool / "journal").read_bytes()
    except FileNotFoundError:
        data = b""
    whole = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace")
    cut = len(data) < size
    ends = {line.split(" ", 2)[1]: line for line in whole.splitlines() if line.startswith("end ")}
    processes: dict[str, list[str]] = {}
    for words in (line.split() for line in whole.splitlines() if line.startswith("process ")):
        processes.setdefault("".join(words[1:2]), []).append("".join(words[2:3]))
    over: dict[int, list[int]] = {}
    for words in (line.split() for line in whole.splitlines() if line.startswith("over ")):
        if len(words) == 3 and words[1].isdigit() and words[2].isdigit():
            over.setdefault(int(words[1]), []).append(int(words[2]))
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
    return Journal(ends, processes, over, frozenset(waiting), tuple(broken), data.rfind(b"\n") + 1, cut)


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
    try:
        data = (folder / "start").read_bytes()
        started = (folder / "start").stat().st_mtime_ns
    except OSError:
        if not (folder / "end").exists() and time.time_ns() - folder.stat().st_mtime_ns < 60_000_000_000:
            return None  # it begins this moment
        data, started = b"", folder.stat().st_mtime_ns
    fields = [os.fsdecode(field) for field in data.split(b"\0")[:-1]]
    if len(fields) < _FIELDS or fields[0] != VERSION:
        faults.append("what it says of its start is gone")
        fields = [VERSION, "0", "0", "/", "", "", "", "", "", "", ""]
    ended, status, listed = _end(folder, said.ends, faults)
    things: dict[str, dict[str, int]] = {}
    files = sorted(folder.glob("*.jsonl"))
    own = {file.name for file in files}
    faults += (f"{name}, of a process, is gone" for name in said.processes.get(folder.name, ()) if name not in own)
    for file in files:
        _process(file, things, faults)
    if ended is not None:
        for file in files:
            if file.name not in listed:
                faults.append(f"{file.name} was added after the end: a process went on")
        for name, digest in listed.items():
            if not (folder / name).is_file():
                faults.append(f"{name} is gone")
            elif _digest(folder / name) != digest:
                faults.append(f"{name} was changed after the end")
    return Seen(
        folder, Path(fields[4]).name if fields[4] else "", int(fields[2] or 0), int(fields[1] or 0), Path(fields[3]),
        fields[5], fields[6], fields[7], fields[8], fields[9] or "off", tuple(fields[_FIELDS:]), started, ended, status,
        things, tuple(faults),
    )  # fmt: skip


def _end(folder: Path, ends: dict[str, str], faults: list[str]) -> tuple[int | None, int, dict[str, str]]:
    try:
        line = (folder / "end").read_text(encoding="utf-8", errors="replace")
        ended = (folder / "end").stat().st_mtime_ns
    except OSError:
        if folder.name in ends:
            faults.append("what it says of its end is gone")
        return None, 0, {}
    words = line.split()
    if not line.endswith("\n") or len(words) < 4 or words[:2] != ["end", folder.name]:
        faults.append("what it says of its end cannot be read")
        return ended, 1, {}
    if ends.get(folder.name) != line.rstrip("\n"):
        faults.append("what it says of its end is not what the journal says")
    if words[3] != "whole":
        faults.append("its record was taken away while it ran")
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
        except (ValueError, KeyError, TypeError, AttributeError):
            faults.append(f"{file.name}: line {number} cannot be read")
            continue
        if not mark or rest != chain.encode() + b'"}' or said.get("n") != number:
            faults.append(f"{file.name}: line {number} does not follow from those before")
            chain = str(said.get("h", ""))
        own[kind, value] = max(count, own.get((kind, value), 0))
    for (kind, value), count in own.items():
        held = things.setdefault(kind, {})
        held[value] = held.get(value, 0) + (0 if kind == "process" else count)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _note(spool: Path, line: str) -> None:
    with (spool / "journal").open("ab", buffering=0) as stream:
        stream.write(line.encode() + b"\n")
