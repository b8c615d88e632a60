"""What a format holds: the texts of each record of JSON, CSV, plain text, Parquet, Feather and Arrow.

The format is told from the bytes. What does not hold to its format is read as lines of text, so that a broken line
hides nothing. Records come out as UTF-8, in lists of any length. What is in a file (compression, archives) is the
business of `lineage.content.containers`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from lineage.content.encoding import Unreadable, blocks, encoding_of, lines
from lineage.content.values import LONGEST, document, json_lines, parsed, record

HEAD = 1 << 16
"""Bytes that a format is told from."""

_PIECE = 1 << 20
"""A line of text longer than this is cut into pieces."""
_PARAGRAPH, _PASSAGE = 8192, 600
"""Broken lines are joined up to a blank line, at most to so many bytes; less where there are no blank lines."""


def text(stream: IO[bytes], head: bytes) -> Iterator[list[bytes]]:
    """The records of JSON, JSON lines, CSV or plain text.

    Args:
        stream: from the beginning.
        head: its first bytes, up to `HEAD`.

    Raises:
        Unreadable: it is no text, or its encoding is not known.
    """
    encoding = encoding_of(head)
    whole = blocks(stream, encoding)
    start = next(blocks(io.BytesIO(head[: len(head) // 4 * 4]), encoding, final=False), b"")
    begin = start.lstrip()[:1]
    if begin and begin in b"[{":
        line, ended, after = start.lstrip().partition(b"\n")
        if begin == b"{" and ended and after.strip() and parsed(line) is not None:
            return json_lines(lines(whole, LONGEST))
        return document(whole)
    if dialect := _dialect(start):
        return _csv(lines(whole, LONGEST), dialect)
    pieces = lines(whole, _PIECE)
    return _passages(pieces, _PARAGRAPH if b"\n\n" in start else _PASSAGE) if _wrapped(start) else pieces


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
    rows = (line for piece in pieces for line in piece)
    since: list[bytes] = []

    def noted() -> Iterator[str]:
        for line in rows:
            since.append(line)
            yield line.decode(errors="replace") + "\n"

    found: list[bytes] = []
    try:
        for number, row in enumerate(csv.reader(noted(), delimiter=separator)):
            since.clear()
            if number or not all(_NAME.fullmatch(cell) for cell in row):
                found.append(record(row))
            if len(found) == 1024:
                yield found
                found = []
    except csv.Error:
        found += since
        yield found
        while found := list(islice(rows, 1024)):
            yield found
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
    for piece in pieces:
        found: list[bytes] = []
        for line in piece:
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
            batches = _streams(stream)
        for batch in batches:
            yield arrow_texts(batch)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"it is damaged or of another kind: {error}") from None


def _streams(stream: IO[bytes]) -> Iterator[Any]:
    """The batches of Arrow streams, one after the other."""
    import pyarrow.ipc

    while stream.read(1):
        stream.seek(-1, io.SEEK_CUR)
        yield from pyarrow.ipc.open_stream(stream)


def arrow_texts(batch: Any) -> list[bytes]:
    """The texts of each row of an Arrow record batch, as a table read from a file gives them.

    Raises:
        Unreadable: a column holds bytes that are no text, or long lists of whole numbers.
    """
    columns = [
        column.to_pylist()
        for field, column in zip(batch.schema, batch.columns, strict=True)
        if _may_hold_text(field.type)
    ]
    return [record(row) for row in zip(*columns, strict=True)] if columns else [b""] * batch.num_rows


def _may_hold_text(kind: Any) -> bool:
    import pyarrow as pa

    t = pa.types
    return not (
        t.is_primitive(kind) or t.is_null(kind) or t.is_decimal(kind) or t.is_boolean(kind) or t.is_temporal(kind)
    )
