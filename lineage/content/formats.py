"""What a format holds: the texts of each record of JSON, CSV, plain text, Parquet, Feather and Arrow.

Every string is text, however deep it stands (chat messages; JSON kept in a string); numbers and dates are not. What
does not hold to its format is read as lines of text, so that a broken line hides nothing. Records come out as UTF-8, in
lists of any length. Files and compression are the business of `lineage.content.records`.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

HEAD = 1 << 16
"""Bytes that a format is told from."""

_BLOCK = 1 << 20
_LONGEST = 1 << 26
"""Bytes of one line or JSON value at most."""
_PIECE = 1 << 20
"""A line of text longer than this is cut into pieces."""
_PARAGRAPH, _PASSAGE = 8192, 600
"""Broken lines are joined up to a blank line, at most to so many bytes; less where there are no blank lines."""
_KEY = 32
"""A key of an object longer than this is text, too."""


class Unreadable(Exception):  # noqa: N818 - it says what the file is
    """A file that holds no records that can be read; the message says why."""


def text(stream: io.RawIOBase, head: bytes) -> Iterator[list[bytes]]:
    """The records of JSON, JSON lines, CSV or plain text.

    Args:
        stream: from the beginning.
        head: its first bytes, up to `HEAD`.

    Raises:
        Unreadable: it is no text, or its encoding is not known.
    """
    encoding = _encoding(head)
    blocks = _blocks(stream, encoding)
    start = next(_blocks(io.BytesIO(head[: len(head) // 4 * 4]), encoding, final=False), b"")
    begin = start.lstrip()[:1]
    if begin and begin in b"[{":
        line, ended, after = start.lstrip().partition(b"\n")
        if begin == b"{" and ended and after.strip() and _parsed(line) is not None:
            return _json_lines(_lines(blocks, _LONGEST))
        return _json(blocks)
    if dialect := _dialect(start):
        return _csv(_lines(blocks, _LONGEST), dialect)
    lines = _lines(blocks, _PIECE)
    return _passages(lines, _PARAGRAPH if b"\n\n" in start else _PASSAGE) if _wrapped(start) else lines


# -- encodings ---------------------------------------------------------------------------------------------------------

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)


def _encoding(head: bytes) -> str:
    for mark, name in _MARKS:
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


def _blocks(stream: io.RawIOBase | IO[bytes], encoding: str, *, final: bool = True) -> Iterator[bytes]:
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


def _lines(blocks: Iterator[bytes], longest: int) -> Iterator[list[bytes]]:
    """Lines without their ends, as UTF-8; a longer one than ``longest`` is cut."""
    held: list[bytes] = []
    size = 0
    for block in blocks:
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


# -- JSON --------------------------------------------------------------------------------------------------------------


def _parsed(data: bytes | str) -> Any:
    """The object or list that a text is, or None."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:  # what Python writes and the standard forbids (NaN), half of a surrogate pair
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> list[str]:
    """Every text in a value, in order."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if item[:1] in ("{", "[") and len(item) > 1 and isinstance(inner := _parsed(item), dict | list):
                waiting.append(inner)
            else:
                found.append(item)
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, dict):
            for key, held in reversed(item.items()):
                waiting.append(held)
                if len(key) > _KEY:
                    waiting.append(key)
    return found


def record(value: Any) -> bytes:
    """A record of any structure as its texts, a line break between them."""
    return "\n".join(_texts(value)).encode(errors="replace")


def _json_lines(pieces: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    decode = msgspec.json.Decoder().decode
    for lines in pieces:
        found: list[bytes] = []
        for line in lines:
            try:
                value = decode(line)
            except (msgspec.DecodeError, RecursionError):
                value = _parsed(line) if line.strip() else ""
                if value is None:  # a broken line is a line of text
                    value = re.sub(r"\\u([0-9A-Fa-f]{4})|\\[nrt]", _escape, line.decode(errors="replace"))
            found.append(record(value))
        yield found


def _escape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else " "


def _json(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """One value, or several after another: of a list its elements are records."""
    decoder, utf8 = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8")("replace")
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
                value, end = decoder.raw_decode(held, place)
                if not ended and end == len(held):  # a number may go on
                    raise ValueError
            except (ValueError, RecursionError):
                if ended:  # it is not JSON to its end: the rest is text
                    found += held[place:].encode(errors="replace").split(b"\n")
                    place = len(held)
                    break
                wanted = 2 * (len(held) - place)
                if wanted > 2 * _LONGEST:
                    raise Unreadable(f"one JSON value in it is longer than {_LONGEST >> 20} MiB") from None
                break
            found += [record(row) for row in (_rows(value) if first and _last(held, end, ended) else [value])]
            place, first = end, False
        yield found
        if ended and place >= len(held):
            return


def _last(held: str, end: int, ended: bool) -> bool:
    return ended and not held[end:].strip()


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


# -- tables and text ---------------------------------------------------------------------------------------------------


def _dialect(start: bytes) -> str:
    """What separates the columns of a table, or empty when the text is none."""
    sample = start.decode(errors="replace")
    if len(start) >= HEAD // 4 * 4:
        sample = sample[: sample.rfind("\n") + 1]  # the last line may be cut
    for separator in ("\t", ",", ";", "|"):
        first = sample.partition("\n")[0]
        if separator not in first:
            continue
        rows: list[list[str]] = []
        try:
            rows += (row for row in csv.reader(io.StringIO(sample), delimiter=separator, strict=True) if row)
        except csv.Error as error:
            if "unexpected end" not in str(error):  # where the sample ends a cell may be open
                continue
        widths = {len(row) for row in rows}
        if len(widths) == 1 and len(rows) > 1 and widths != {1}:
            return separator
    return ""


def _csv(pieces: Iterator[list[bytes]], separator: str) -> Iterator[list[bytes]]:
    """The rows of a table. From where it breaks its rules on, lines are records."""
    csv.field_size_limit(_PIECE)
    lines = (line for piece in pieces for line in piece)
    since: list[bytes] = []

    def noted() -> Iterator[str]:
        for line in lines:
            since.append(line)
            yield line.decode(errors="replace") + "\n"

    found: list[bytes] = []
    try:
        for number, row in enumerate(csv.reader(noted(), delimiter=separator)):
            since.clear()
            if number or not all(_NAME.fullmatch(cell) for cell in row):
                found.append("\n".join(row).encode(errors="replace"))
            if len(found) == 1024:
                yield found
                found = []
    except csv.Error:
        found += since
        yield found
        found = list(lines)
    yield found


_NAME = re.compile(r"(?=.{1,32}$)[A-Za-z_][\w.:/-]*( [\w.:/-]+){0,2}")
"""A title of a column: three words at most."""


def _wrapped(start: bytes) -> bool:
    """Whether lines look broken at a width: then a line is no record."""
    sizes = sorted(len(line) for line in start.decode(errors="replace").split("\n")[:-1] if line.strip())
    if len(sizes) < 8:
        return False
    usual, longest = sizes[len(sizes) // 2], sizes[-1]
    return usual >= 30 and longest <= min(132, 3 * usual)


def _passages(pieces: Iterator[list[bytes]], most: int) -> Iterator[list[bytes]]:
    held: list[bytes] = []
    size = 0
    for lines in pieces:
        found: list[bytes] = []
        for line in lines:
            blank = not line.strip()
            if not blank:
                held.append(line)
                size += len(line)
            if held and (blank or size >= most):
                found.append(b"\n".join(held))
                held, size = [], 0
        yield found
    if held:
        yield [b"\n".join(held)]


# -- Parquet, Feather, Arrow -------------------------------------------------------------------------------------------


def table(stream: IO[bytes], head: bytes) -> Iterator[list[bytes]]:
    """The rows of Parquet, of an Arrow file (Feather) or of an Arrow stream.

    Raises:
        Unreadable: it is damaged, or a column holds bytes that are no text.
    """
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet

    try:
        if head.startswith(b"PAR1"):
            batches = pyarrow.parquet.ParquetFile(stream).iter_batches(batch_size=4096)
        elif head.startswith(b"ARROW1"):
            file = pyarrow.ipc.open_file(stream)
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
        else:
            batches = iter(pyarrow.ipc.open_stream(stream))
        for batch in batches:
            yield arrow_texts(batch)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"it is damaged or of another kind: {error}") from None


def arrow_texts(batch: Any) -> list[bytes]:
    """The texts of each row of an Arrow record batch, as a table read from a file gives them.

    Raises:
        Unreadable: a column holds bytes that are no text.
    """
    import pyarrow as pa

    columns: list[list[Any]] = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not _may_hold_text(field.type):
            continue
        values = column.to_pylist()
        if _holds_bytes(field.type):
            values = [_plain(value, field.name) for value in values]
        columns.append(values)
    if not columns:
        return [b""] * batch.num_rows
    if len(columns) == 1 and (pa.types.is_string(batch.schema[0].type) and len(batch.schema) == 1):
        return [(value or "").encode(errors="replace") for value in columns[0]]
    return [record(list(row)) for row in zip(*columns, strict=True)]


def _may_hold_text(kind: Any) -> bool:
    import pyarrow as pa

    t = pa.types
    return not (
        t.is_primitive(kind) or t.is_null(kind) or t.is_decimal(kind) or t.is_boolean(kind) or t.is_temporal(kind)
    )


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    t = pa.types
    if t.is_binary(kind) or t.is_large_binary(kind) or t.is_fixed_size_binary(kind) or t.is_binary_view(kind):
        return True
    return any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Unreadable(f"its column {name!r} holds bytes that are no text") from None
    if isinstance(value, list):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, name) for key, item in value.items()}
    return value
