"""Events of others from files: what OpenLineage's file transport writes. A file is taken whole or not at all.

First every event is read as it will be when it is recorded; if one is refused, nothing of its file is recorded. Then
they go into the ledger, a thousand in a transaction. If that stops half way, the file is loaded again: an event is
known by its bytes and counted once.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from lineage.errors import LineageError, UsageError
from lineage.events.foreign import MOST_BYTES, Received, receive
from lineage.graph import Graph
from lineage.pipeline import Progress

TOGETHER = 1_000
"""Events in a transaction."""
_BYTES_TOGETHER = 16_000_000
MOST_DIFFERENT = 100
"""Different warnings that are kept; of the others how many there were."""


class Noted(NamedTuple):
    """A warning, as often as it came."""

    text: str
    events: int
    first: int
    """Number of the first event with it, counted from 1."""


class Loaded(NamedTuple):
    """What became of a file."""

    file: str
    events: int
    recorded: int
    known: int
    """Those that had been received before, byte for byte."""
    warnings: tuple[Noted, ...]
    more: int
    """Warnings that are not listed."""


def load(graph: Graph, file: str, start: Path, progress: Progress | None = None) -> Loaded:
    """Record the events of a file: one JSON document a line, one document, or a list of them.

    Args:
        graph: to record in.
        file: a path, ``-`` for standard input.
        start: directory that a path starts from.
        progress: told how many events are read and recorded.

    Raises:
        UsageError: ``FILE_UNREADABLE``; ``EVENT_INVALID`` or ``ACT_REFUSED`` with the event's number: then nothing of
            the file is recorded. What the ledger raises: then the events before are recorded.
    """
    told = progress or (lambda *_: None)
    found: dict[str, list[int]] = {}
    more = total = 0
    with _opened(file, start) as stream:
        for total, received in enumerate(_received(file, stream), 1):
            for text in received.warnings:
                if text in found:
                    found[text][0] += 1
                elif len(found) < MOST_DIFFERENT:
                    found[text] = [1, total]
                else:
                    more += 1
            if total % TOGETHER == 0:
                told("reading", total, 0)
        stream.seek(0)
        recorded = done = 0
        for batch in _batches(_received(file, stream)):
            recorded += sum(graph.receive([(r.data, r.event) for r in batch])[1])
            done += len(batch)
            told("recording", done, total)
    noted = tuple(Noted(text, count, first) for text, (count, first) in found.items())
    return Loaded(file, total, recorded, total - recorded, noted, more)


@contextmanager
def _opened(file: str, start: Path) -> Iterator[IO[bytes]]:
    """A file that can be read twice."""
    try:
        with sys.stdin.buffer if file == "-" else (start / file).open("rb") as stream:
            if stream.seekable() and file != "-":
                yield stream
                return
            with tempfile.TemporaryFile() as kept:
                shutil.copyfileobj(stream, kept)
                kept.seek(0)
                yield kept
    except OSError as error:
        raise UsageError(f"{file} cannot be read", code="FILE_UNREADABLE", cause=str(error)) from None


def _received(file: str, stream: IO[bytes]) -> Iterator[Received]:
    for number, data in enumerate(_events(file, stream), 1):
        try:
            yield receive(data)
        except LineageError as error:
            error.message = f"event {number} of {file} cannot be recorded, so nothing of the file was"
            raise


def _events(file: str, stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of each event as they stand there."""
    first = stream.readline(MOST_BYTES + 1)
    while first and not first.strip():
        first = stream.readline(MOST_BYTES + 1)
    opening = first.lstrip()[:1]
    if opening == b"[" or (opening == b"{" and not _is_json(first)):
        yield from _document(file, first + stream.read())
        return
    while first:
        if first.strip():
            yield first.strip()
        first = stream.readline(MOST_BYTES + 1)


def _document(file: str, data: bytes) -> list[bytes]:
    """One event over several lines, or a list of events."""
    if data.lstrip()[:1] == b"{":
        return [data.strip()]
    try:
        return [bytes(event) for event in msgspec.json.decode(data, type=list[msgspec.Raw])]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no list of events", code="EVENT_INVALID", cause=str(error)) from None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _batches(received: Iterator[Received]) -> Iterator[list[Received]]:
    batch: list[Received] = []
    size = 0
    for item in received:
        batch.append(item)
        size += len(item.data)
        if len(batch) == TOGETHER or size > _BYTES_TOGETHER:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
