"""Readers: the same records from every format, told from the bytes; what cannot be read whole is said."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import textwrap
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
import zstandard

from lineage.content import Unread, normalise, records
from lineage.errors import CannotDecide

TEXTS = [
    f"Record {chr(97 + n % 26) * 3}, said “Ann”;\nit's the {word} of them & <b>bold</b>, 12:30 | \u00e9t\u00e9 \U0001f600"
    for n, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth") * 40
    )
]
ROWS = [{"id": n, "text": text} for n, text in enumerate(TEXTS)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
TABLE = pa.table({"id": [row["id"] for row in ROWS], "text": TEXTS})


def separated(separator: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(("id", "text"))
    writer.writerows((row["id"], row["text"]) for row in ROWS)
    return out.getvalue().encode()


def arrow(write: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    write(out)
    return out.getvalue()


def stream(out: io.BytesIO) -> None:
    with pa.ipc.new_stream(out, TABLE.schema) as writer:
        writer.write_table(TABLE)


PARQUET = arrow(lambda out: pyarrow.parquet.write_table(TABLE, out))
FORMATS = {
    "JSON lines": LINES,
    "JSON lines, escaped": "".join(json.dumps(row) + "\n" for row in ROWS).encode(),
    "JSON lines, CRLF": LINES.replace(b"\n", b"\r\n"),
    "JSON list": json.dumps(ROWS).encode(),
    "JSON list, indented": json.dumps(ROWS, indent=2).encode(),
    "JSON below a name": json.dumps({"version": 1, "data": ROWS}).encode(),
    "JSON columns": json.dumps({"id": [r["id"] for r in ROWS], "text": TEXTS}).encode(),
    "JSON columns of pandas": json.dumps({"text": {str(n): text for n, text in enumerate(TEXTS)}}).encode(),
    "JSON values without line breaks": "".join(json.dumps(row) for row in ROWS).encode(),
    "JSON in JSON": "".join(json.dumps({"body": json.dumps({"text": text})}) + "\n" for text in TEXTS).encode(),
    "CSV": separated(","),
    "TSV": separated("\t"),
    "CSV, semicolons": separated(";"),
    "Parquet": PARQUET,
    "Feather": arrow(lambda out: pyarrow.feather.write_feather(TABLE, out)),
    "Arrow stream": arrow(stream),
    "gzip": gzip.compress(LINES),
    "bzip2": bz2.compress(LINES),
    "xz": lzma.compress(LINES),
    "zstd": zstandard.compress(LINES),
    "gzip twice": gzip.compress(gzip.compress(LINES)),
    "gzip, two members": gzip.compress(LINES[:5000]) + gzip.compress(LINES[5000:]),
    "Parquet in zstd": zstandard.compress(PARQUET),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + LINES,
    "UTF-16": LINES.decode().encode("utf-16"),
    "UTF-16 without a mark": LINES.decode().encode("utf-16-be"),
    "UTF-32": LINES.decode().encode("utf-32"),
    "text": "".join(" ".join(text.split()) + "\n" for text in TEXTS).encode(),
}


def read(path: Path) -> list[bytes]:
    return [record for batch in records(path) for record in normalise(batch.texts).records if record]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_records_from_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(FORMATS[name])
    assert read(path) == normalise([text.encode() for text in TEXTS]).records


def test_code_pages_lists_and_messages(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes("".join(f"Le café numéro {n} était fermé, dit-elle.\n" for n in range(50)).encode("latin-1"))
    assert read(path) == normalise(["Le café numéro était fermé, dit-elle.".encode()] * 50).records
    messages = [{"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": t}]} for t in TEXTS]
    path.write_text("".join(json.dumps(row) + "\n" for row in messages))
    assert len(read(path)) == len(TEXTS)
    assert read(path)[0].startswith(b"userwhyassistantrecordaaa")
    pyarrow.parquet.write_table(pa.table({"messages": [row["messages"] for row in messages]}), path)
    assert read(path)[0].startswith(b"userwhyassistantrecordaaa")


def test_positions_are_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(LINES * 30)
    batches = list(records(path))
    assert len(batches) > 1
    assert [batch.first for batch in batches] == [
        1 + sum(len(b.texts) for b in batches[:i]) for i in range(len(batches))
    ]
    assert sum(len(batch.texts) for batch in batches) == 30 * len(TEXTS)
    path.write_bytes(b'\n{"text": "one"}\n\n{"text": "two"}\n')
    (batch,) = records(path)
    assert batch.texts[3] == b"two" or batch.texts == [b"one", b"", b"two"] or batch.first == 1


def test_lines_broken_at_a_width_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "data"
    said = [f"{text} " * 4 for text in TEXTS[:60]]
    path.write_text("\n\n".join(textwrap.fill(text, 72) for text in said), encoding="utf-8")
    assert read(path) == normalise([text.encode() for text in said]).records


def test_a_broken_line_hides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data"
    broken = LINES[:-40] + b'\n{"text": "caf\\u00e9 never closed\n' + LINES[:200]
    path.write_bytes(broken)
    assert b"cafeneverclosed" in b" ".join(read(path))
    path.write_bytes(json.dumps(ROWS).encode()[:-30] + b" and then some words that are no JSON")
    assert read(path)[-1].endswith(b"andthensomewordsthatarenojson")


def test_directories_and_the_cache(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a.jsonl").write_bytes(LINES)
    (data / "deep" / "b.csv").write_bytes(separated(","))
    assert {(batch.file, batch.first) for batch in records(data)} == {("a.jsonl", 1), ("deep/b.csv", 1)}
    cache, listed = tmp_path / "files" / "md5", []
    for name, content in (("x.jsonl", LINES), ("y", PARQUET), ("z", b"not in the cache")):
        md5 = hashlib.md5(content).hexdigest()
        listed.append({"md5": md5, "relpath": name})
        if name != "z":
            (cache / md5[:2]).mkdir(parents=True)
            (cache / md5[:2] / md5[2:]).write_bytes(content)
    whole = json.dumps(listed).encode()
    md5 = hashlib.md5(whole).hexdigest()
    (cache / md5[:2]).mkdir(parents=True, exist_ok=True)
    path = cache / md5[:2] / f"{md5[2:]}.dir"
    path.write_bytes(whole)
    unread: list[Unread] = []
    found = [batch.file for batch in records(path, unread=unread)]
    assert set(found) == {"x.jsonl", "y"}
    assert [item.file for item in unread] == ["z"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "binary"),
        (b"some text first\n" * 9000 + b"\0\0\0", "binary after some text"),
        (gzip.compress(LINES)[:-200], "it ends within"),
        (zstandard.compress(LINES)[:-200], "it ends within"),
        (b"\x1f\x8b" + b"no gzip at all" * 9, ""),
        (PARQUET[:-50], "damaged"),
        (PARQUET[:100] + b"\xff" * 200 + PARQUET[300:], ""),
        (("Пример текста на русском языке, ещё одна строка\n" * 50).encode("koi8-r"), "encoding"),
        (arrow(lambda out: pyarrow.parquet.write_table(pa.table({"image": [b"\xff\xd8\xff\0"] * 3}), out)), "no text"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(data)
    unread: list[Unread] = []
    list(records(path, unread=unread))
    assert [item.file for item in unread] == ["data"]
    assert reason in unread[0].reason
    with pytest.raises(CannotDecide) as refused:
        list(records(path))
    assert refused.value.code == "CONTENT_UNREADABLE"


def test_nothing_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("nowhere")
    unread: list[Unread] = []
    assert list(records(tmp_path, unread=unread)) == []
    assert [item.file for item in unread] == ["link"]
    assert list(records(tmp_path / "gone", unread=unread)) == []
    assert unread[1].file == "gone"
