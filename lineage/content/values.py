"""The texts of a record of any structure, and JSON as such records.

Every string is text, however deep it stands (chat messages; JSON kept in a string); numbers and dates are not. Of a key
that an object has twice both values are: readers differ in which they take. What is not JSON to its end is read as
lines of text, so that a broken line hides nothing.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from lineage.content.encoding import MARKS, Unreadable

LONGEST = 1 << 26
"""Bytes of one line or JSON value at most."""
_KEY, _TITLE = 32, 2
"""A key of an object that is longer than this, or has more spaces, is text, too."""
_CODES = 24
"""So many whole numbers in a row are taken for a text in numbers: tokens, or codes of characters."""


def record(value: Any) -> bytes:
    """A record of any structure as its texts, a line break between them.

    Args:
        value: of dictionaries, lists, tuples, strings, bytes and anything that is no text.

    Raises:
        Unreadable: it holds bytes that are no text, or a long list of whole numbers.
    """
    return _joined(_strings(value)[0])


def _joined(strings: list[str]) -> bytes:
    return "\n".join(_unfolded(strings)).encode(errors="replace")


def _strings(value: Any) -> tuple[list[str], int]:
    """Every text in a value, in order, and the number of keys in it."""
    found: list[str] = []
    keys, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            if len(item) >= _CODES and type(item[0]) is int and all(type(number) is int for number in item):
                raise Unreadable("it holds lists of whole numbers: tokens or characters, which cannot be compared")
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            keys += len(item)
            for key, held in reversed(item.items()):
                waiting.append(held)
                if isinstance(key, str) and (len(key) > _KEY or key.count(" ") > _TITLE):
                    waiting.append(key)
        elif isinstance(item, bytes):
            found.append(_of_bytes(item))
    return found, keys


def _of_bytes(data: bytes) -> str:
    try:
        return data.decode(next((name for mark, name in MARKS if data.startswith(mark)), "utf-8"))
    except UnicodeDecodeError:
        raise Unreadable("it holds bytes that are no text") from None


def _unfolded(strings: list[str]) -> Iterator[str]:
    """Texts, each that is JSON itself as its own."""
    for string in strings:
        first = string[:1]
        if first.isspace():
            first = string.lstrip()[:1]
        inner = parsed(string.encode(errors="replace")) if first in ("{", "[") and len(string) > 1 else None
        if inner is None:
            yield string
        else:
            yield from _unfolded(inner)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    held = dict(pairs)
    return held if len(held) == len(pairs) else [value for _, value in pairs]


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs)
_decode = msgspec.json.Decoder().decode


def parsed(data: bytes) -> list[str] | None:
    """The texts of one JSON value, in order, or None when it is none.

    Args:
        data: UTF-8.
    """
    try:
        strings, keys = _strings(_decode(data))
    except (msgspec.DecodeError, RecursionError):
        pass
    else:
        # each string and each key has two quotes: where there are others a key stands twice, and one value is lost
        inside = sum(string.count('"') for string in strings) if b'\\"' in data else 0
        if data.count(b'"') == 2 * (len(strings) + keys) + inside and b"\\u0022" not in data:
            return strings
    try:  # and what Python writes and the standard forbids: NaN, half of a surrogate pair
        return _strings(_DECODER.decode(data.decode(errors="replace")))[0]
    except (ValueError, RecursionError):
        return None


def json_lines(pieces: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    """Lines that are JSON values; a broken one is a line of text."""
    for lines in pieces:
        found: list[bytes] = []
        for line in lines:
            strings = parsed(line)
            found.append(line if strings is None else _joined(strings))
        yield found


def document(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """One value, or several after another: of a list its elements are records.

    Raises:
        Unreadable: one value is too long.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    held, place, inside, ended, wanted, first = "", 0, False, False, 0, True
    while True:
        while not ended and len(held) - place <= wanted:
            block = next(blocks, None)
            ended = block is None
            held, place = held[place:] + utf8.decode(block or b"", final=ended), 0
        found: list[bytes] = []
        while True:
            begin = re.compile(r"[\s,]*" if inside else r"\s*").match(held, place)
            place = begin.end() if begin else place
            if first and held[place : place + 1] == "[":
                inside, first, place = True, False, place + 1
                continue
            if inside and held[place : place + 1] == "]":
                inside, place = False, place + 1
                continue
            if place >= len(held):
                wanted = 0
                break
            try:
                value, end = _DECODER.raw_decode(held, place)
                if not ended and end == len(held):  # a number may go on
                    raise ValueError
            except (ValueError, RecursionError):
                if ended:  # it is not JSON to its end: the rest is text
                    found += held[place:].encode(errors="replace").split(b"\n")
                    place = len(held)
                    break
                wanted = 2 * (len(held) - place)
                if wanted > 2 * LONGEST:
                    raise Unreadable(f"one JSON value in it is longer than {LONGEST >> 20} MiB") from None
                break
            found += map(record, _rows(value) if first and ended and not held[end:].strip() else [value])
            place, first = end, False
        yield found
        if ended and place >= len(held):
            return


def _rows(value: Any) -> list[Any]:
    """The records of a document that is one value: a table by columns, lists of objects below names, or itself."""
    if not isinstance(value, dict) or not value:
        return [value]
    columns = list(value.values())
    even = all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1
    if even and len(columns) > 1 and not any(isinstance(item, dict) for column in columns for item in column[:1]):
        return [list(row) for row in zip(*columns, strict=True)]
    if all(isinstance(column, dict) and column for column in columns) and len({tuple(c) for c in columns}) == 1:
        return [list(row) for row in zip(*(column.values() for column in columns), strict=True)]
    rows: list[Any] = []
    rest: dict[str, Any] = {}
    for key, column in value.items():
        if isinstance(column, list) and len(column) > 1 and isinstance(column[0], dict | list | str):
            rows += column
        else:
            rest[key] = column
    return [*rows, rest] if rest else rows
