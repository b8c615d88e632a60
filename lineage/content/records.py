"""From files to records: what is in a file is told from its bytes, never from its name.

Reads files, directories and DVC's cached directories (``….dir``), and hands what is inside to
`lineage.content.containers`. Streaming: held at once is one batch, of Parquet one row group, of a JSON document that is
a single value the value. What cannot be read whole is said, never passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lineage.content.containers import FAILURES, parts
from lineage.errors import CannotDecide

Progress = Callable[[str, int, int], None]
"""As in `lineage.pipeline`."""

_RECORDS, _BYTES = 4096, 1 << 20
"""What a batch holds at most, one record more at the end aside."""


class Batch(NamedTuple):
    """Some records of a file, in order."""

    file: str
    """From the directory that was asked for, POSIX; the file's own name when a file was. Of an archive's member the
    archive's, a slash, and the member's."""
    first: int
    """Number of the first one in its file, counted from 1: of JSON lines and plain text the number of the line, of a
    table that of the row."""
    texts: list[bytes]
    """UTF-8; every text of a record, in order, a line break between them."""


class Unread(NamedTuple):
    """A file that could not be read whole."""

    file: str
    reason: str


def records(path: Path, *, unread: list[Unread] | None = None, progress: Progress | None = None) -> Iterator[Batch]:
    """The records of a file, of every file below a directory, or of a directory in DVC's cache.

    Args:
        path: what to read.
        unread: takes what could not be read; None: that raises.
        progress: told how many bytes of the files are done.

    Raises:
        CannotDecide: ``CONTENT_UNREADABLE``, with ``unread`` None. Batches before it may have been given out.
    """
    listed, failed = files(path)
    total, done = sum(size for _, _, size in listed), 0
    for problem in failed:
        _say(problem, unread)

    def told(read: int) -> None:
        if progress:
            progress(f"reading {path.name}", done + min(read, size), total)

    for name, file, size in listed:
        yield from records_of(name, file, unread=unread, progress=told)
        told(size)
        done += size


def records_of(
    name: str,
    file: Path,
    *,
    unread: list[Unread] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Batch]:
    """The records of one file, as `records` gives them.

    Args:
        name: what to call it.
        file: where it is, as `files` says.
        unread: as there.
        progress: told how many bytes of the file are done.

    Raises:
        CannotDecide: as there.
    """
    try:
        with file.open("rb") as stream:
            for part in parts(name, stream):
                try:
                    for batch in batched(*part):
                        if progress:
                            progress(stream.tell())
                        yield batch
                except FAILURES as error:  # of a member of an archive; the others can be read all the same
                    _say(Unread(part.name, str(error) or type(error).__name__), unread)
    except FAILURES as error:
        _say(Unread(name, str(error) or type(error).__name__), unread)


def _say(problem: Unread, unread: list[Unread] | None) -> None:
    if unread is None:
        raise CannotDecide(
            f"{problem.file} cannot be read as records",
            code="CONTENT_UNREADABLE",
            cause=problem.reason,
            hint="convert it to JSON lines, CSV, Parquet or text; what cannot be read is never taken for clean",
        )
    unread.append(problem)


def files(path: Path) -> tuple[list[tuple[str, Path, int]], list[Unread]]:
    """The files that `records` reads, in its order (name, place, bytes), and what cannot be read."""
    found: list[tuple[str, Path]] = []
    failed: list[Unread] = []
    if path.is_dir():
        for below in sorted(path.rglob("*")):
            name = below.relative_to(path).as_posix()
            if below.is_file():
                found.append((name, below))
            elif below.is_dir() and below.is_symlink():
                failed.append(Unread(name, "a link to a directory is not followed"))
            elif not below.is_dir():
                failed.append(Unread(name, "no file is there" if below.is_symlink() else "it is not a file"))
    elif _LISTED.search(path.as_posix()):
        return _cached(path)
    else:
        found.append((path.name, path))
    listed: list[tuple[str, Path, int]] = []
    for name, file in found:
        try:
            listed.append((name, file, file.stat().st_size))
        except OSError as error:
            failed.append(Unread(name, str(error)))
    return listed, failed


_LISTED = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}\.dir$")
"""The list of a directory in DVC's cache, ``files/md5/<xx>/<rest>.dir``; before DVC 3 ``<xx>/<rest>.dir``."""


def _cached(path: Path) -> tuple[list[tuple[str, Path, int]], list[Unread]]:
    listed: list[tuple[str, Path, int]] = []
    failed: list[Unread] = []
    try:
        members = [(str(item["relpath"]), str(item["md5"])) for item in json.loads(path.read_bytes())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [], [Unread(path.name, f"it is no list of DVC: {error}")]
    for name, md5 in members:
        file = path.parent.parent / md5[:2] / md5[2:]
        try:
            listed.append((name, file, file.stat().st_size))
        except OSError:
            failed.append(Unread(name, "it is not in the cache; `dvc pull` brings it"))
    return listed, failed


def batched(name: str, pieces: Iterable[list[bytes]]) -> Iterator[Batch]:
    """Records of one file, in order, as batches.

    Args:
        name: of the file.
        pieces: its records, in lists of any length.
    """
    held: list[bytes] = []
    size, first = 0, 1
    for piece in pieces:
        for text in piece:
            held.append(text)
            size += len(text)
            if len(held) == _RECORDS or size >= _BYTES:
                yield Batch(name, first, held)
                first += len(held)
                held, size = [], 0
    if held:
        yield Batch(name, first, held)
