"""From bytes to lines of UTF-8: the encoding of a text is told from its bytes.

UTF-8, UTF-16 and UTF-32 with or without a mark; a line that is no UTF-8 is taken for Windows-1252, which Latin-1 is a
part of. What is binary, or of letters that no encoding here explains, is said to be no text.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import IO

_BLOCK = 1 << 20


class Unreadable(Exception):  # noqa: N818 - it says what the file is
    """A file that holds no records that can be read; the message says why."""


MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def encoding_of(head: bytes) -> str:
    """What Python calls the encoding that a text begins with; empty for UTF-8 and its parts.

    Raises:
        Unreadable: it is no text.
    """
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    sample = head[: 1 << 12]
    if b"\0" in sample:
        # UTF-16 and UTF-32 of Latin text without a mark: the zeros stand in every other place, or in three of four
        zeros = [sample[place::4].count(0) * 4 / len(sample) for place in range(4)]
        for name, most, least in (
            ("utf-32-le", (1, 2, 3), (0,)), ("utf-32-be", (0, 1, 2), (3,)),
            ("utf-16-le", (1, 3), (0, 2)), ("utf-16-be", (0, 2), (1, 3)),
        ):  # fmt: skip
            if all(zeros[i] > 0.5 for i in most) and all(zeros[i] < 0.1 for i in least):
                return name
    if b"\0" in head:
        raise Unreadable("it is binary, of no format that is known")
    return ""


def blocks(stream: IO[bytes], encoding: str, *, final: bool = True) -> Iterator[bytes]:
    """The stream as UTF-8, in blocks that may end anywhere."""
    if not encoding:
        while block := stream.read(_BLOCK):
            if b"\0" in block:
                raise Unreadable("it is binary after some text")
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    try:
        while block := stream.read(_BLOCK):
            yield decoder.decode(block).encode(errors="replace")
        if final:
            yield decoder.decode(b"", final=True).encode(errors="replace")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it begins as {encoding} and is not: {error.reason}") from None


def lines(parts: Iterator[bytes], longest: int) -> Iterator[list[bytes]]:
    """Lines without their ends, as UTF-8; a longer one than ``longest`` is cut."""
    held: list[bytes] = []
    size = 0
    for block in parts:
        cut = block.rfind(b"\n") + 1 or block.rfind(b"\r") + 1
        if not cut and size + len(block) < longest:
            held.append(block)
            size += len(block)
            continue
        cut = cut or block.rfind(b" ") + 1 or len(block)
        whole = b"".join((*held, block[:cut]))
        held, size = [block[cut:]], len(block) - cut
        yield _split(whole)
    if rest := b"".join(held):
        yield _split(rest)


def _split(whole: bytes) -> list[bytes]:
    if b"\r" in whole:
        whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = whole.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if whole.isascii():
        return lines
    try:
        whole.decode()
    except UnicodeDecodeError:
        return _of_code_page(lines)
    return lines


def _of_code_page(lines: list[bytes]) -> list[bytes]:
    """Lines of which some are no UTF-8: those are taken for Windows-1252, which Latin-1 is a part of."""
    found: list[bytes] = []
    for line in lines:
        try:
            line.decode()
            found.append(line)
        except UnicodeDecodeError:
            high = sum(byte >= 128 for byte in line)
            if high > 8 and high > len(line) / 3:  # no language of Latin letters has so many
                raise Unreadable("its encoding is not known; convert it to UTF-8") from None
            found.append(line.decode("cp1252", "replace").encode())
    return found
