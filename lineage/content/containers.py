"""What is in a file: compression undone, archives opened, and the format told from the first bytes.

gzip, bzip2, xz, zstandard; zip and tar, each member by its own; one in the other up to three times. Streaming: held at
once is what a few kilobytes of a compressed file become. A compressed file that ends too early, or goes on as something
else, is not read whole.
"""

from __future__ import annotations

import bz2
import io
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, NamedTuple, cast

import zstandard

from lineage.content import formats
from lineage.content.encoding import Unreadable

_NESTED = 3
"""How often one may stand in another."""
_FED = 1024
"""Compressed bytes that are undone at once: of what expands most they become some megabytes."""

FAILURES = (
    Unreadable, OSError, EOFError, ValueError, RuntimeError, MemoryError,
    lzma.LZMAError, zlib.error, tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip
"""What reading a file may raise."""


class Part(NamedTuple):
    """A file, or a member of an archive."""

    name: str
    """Of a member with the archive's before it."""
    texts: Iterator[list[bytes]]
    """Its records; reading them raises one of `FAILURES`."""


def parts(name: str, stream: IO[bytes], depth: int = 0) -> Iterator[Part]:
    """What is in a file; each part is to be read before the next.

    Args:
        name: of the file.
        stream: from its beginning; it can be sought in where ``depth`` is 0.
        depth: how many others it stands in.

    Raises:
        Exception: one of `FAILURES`: it is compressed or an archive, and not a whole one.
    """
    head = stream.read(formats.HEAD)
    while len(head) < formats.HEAD and (more := stream.read(formats.HEAD - len(head))):
        head += more  # a decompressor gives out what it has
    reader: Any = io.BufferedReader(_Ahead(head, stream))
    opened = next((opened for magic, opened in _COMPRESSED if head.startswith(magic)), None)
    archive = head.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\b")) or _tar(head)
    if (opened or archive) and depth == _NESTED:
        raise Unreadable(f"it is compressed or packed more than {_NESTED} times")
    if opened:
        yield from parts(name, cast("IO[bytes]", _Frames(reader, opened)), depth + 1)
    elif head.startswith((b"PK\3\4", b"PK\5\6", b"PK\7\b")):
        with _sought(stream, reader, depth) as whole:
            yield from _zipped(name, whole, depth)
    elif archive:
        yield from _packed(name, reader, depth)
    elif head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        with _sought(stream, reader, depth) as whole:
            yield Part(name, formats.table(whole, head))
    else:
        yield Part(name, formats.text(reader, head))


@contextmanager
def _sought(stream: IO[bytes], reader: IO[bytes], depth: int) -> Iterator[IO[bytes]]:
    """A stream that can be sought in: what was compressed goes to a temporary file."""
    if depth == 0:
        stream.seek(0)
        yield stream
        return
    with tempfile.TemporaryFile() as whole:
        shutil.copyfileobj(reader, whole)
        whole.seek(0)
        yield whole


# -- archives ----------------------------------------------------------------------------------------------------------


def _tar(head: bytes) -> bool:
    if b"\0" not in head[:512]:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "replace")
    except tarfile.TarError:
        return False
    return True


def _packed(name: str, reader: IO[bytes], depth: int) -> Iterator[Part]:
    """Files of a tar archive; links in it stand for files of it, or for nothing."""
    with tarfile.open(fileobj=reader, mode="r|", errors="replace") as archive:
        for member in archive:
            if member.isfile():
                yield from _member(f"{name}/{member.name}", partial(archive.extractfile, member), depth)
        rest: Any = archive.fileobj
        while block := rest.read(1 << 16):
            if block.strip(b"\0"):
                raise Unreadable("it goes on after its end")


def _zipped(name: str, stream: IO[bytes], depth: int) -> Iterator[Part]:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                yield from _member(f"{name}/{member.filename}", partial(archive.open, member), depth)


def _member(name: str, opened: Callable[[], Any], depth: int) -> Iterator[Part]:
    """One member; what is wrong with it is no obstacle to the next."""
    try:
        with opened() as stream:
            yield from parts(name, stream, depth + 1)
    except FAILURES as error:
        yield Part(name, map(_raised, [error]))


def _raised(error: Exception) -> list[bytes]:
    raise error


# -- compression -------------------------------------------------------------------------------------------------------

_COMPRESSED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    (b"\x28\xb5\x2f\xfd", lambda: zstandard.ZstdDecompressor().decompressobj()),
)


class _Frames:
    """Compressed frames, one after the other, zeros between them aside.

    The libraries' own readers take what follows a whole frame for nothing, and some take a frame that was cut off for a
    whole one.
    """

    def __init__(self, stream: IO[bytes], opened: Callable[[], Any]) -> None:
        self._stream, self._opened = stream, opened
        self._held = bytearray()
        self._frame: Any = None

    def read(self, size: int) -> bytes:
        """Up to so many bytes."""
        while len(self._held) < size:
            data = self._stream.read(_FED)
            if not data:
                if self._frame is not None:
                    raise EOFError("it ends within a compressed frame")
                break
            while data:
                if self._frame is None:
                    if not (data := data.lstrip(b"\0")):
                        break
                    self._frame = self._opened()
                try:
                    self._held += self._frame.decompress(data)
                except (zstandard.ZstdError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
                    raise Unreadable(f"it does not decompress: {error}") from None
                data = b""
                if self._frame.eof:
                    data, self._frame = self._frame.unused_data, None
        given = bytes(self._held[:size])
        del self._held[:size]
        return given


class _Ahead(io.RawIOBase):
    """What was read ahead, then the rest of a stream."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from what comes next."""
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)
