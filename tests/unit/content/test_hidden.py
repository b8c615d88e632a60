"""Ways past the search: restricted records in codes, archives, odd structures and dress are found, or the file is unread.

Each case writes 60 restricted records; what comes back must be found whole. What cannot be read must be said: a file of
which nothing is found and nothing is said would be taken for clean.
"""

from __future__ import annotations

import base64
import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import struct
import tarfile
import tempfile
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from lineage.content import Index, IndexWriter, Key, Unread, fingerprints, normalise, records, search
from tests.redteam.corpus import Corpus

KEY = Key(bytes(range(32)))
RESTRICTED = Corpus(1).records(60)
HARMLESS = b'{"text": "a line that says nothing of interest to anybody"}\n' * 20


def lines(change: Callable[[str], object], **options: bool) -> bytes:
    return "".join(json.dumps({"text": change(text)}, **options) + "\n" for text in RESTRICTED).encode()  # type: ignore[arg-type]


PLAIN = lines(str)


def coded(prefix: str, digits: int) -> Callable[[str], str]:
    return lambda text: "".join(f"{prefix}{ord(char):0{digits}x}" for char in text)


def shifted(first: str) -> Callable[[str], str]:
    """Latin letters as those of another alphabet, from its first on."""
    return lambda text: "".join(chr(ord(first) + ord(c) - 97) if "a" <= c <= "z" else c for c in text.lower())


def looks(latin: str, other: str) -> Callable[[str], str]:
    return lambda text: text.translate(str.maketrans(latin, other))


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def packed(mode: str = "w", **members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def parquet(values: object, kind: pa.DataType | None = None) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"n": range(60), "t": pa.array(values, kind)}), out)
    return out.getvalue()


def streams(*tables: list[str]) -> bytes:
    out = io.BytesIO()
    for rows in tables:
        table = pa.table({"t": rows})
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


def dictionary(values: list[bytes]) -> bytes:
    out = io.BytesIO()
    table = pa.table({"t": pa.array(values).dictionary_encode()})
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def arrow(column: pa.Array, *, stream: bool = False) -> bytes:
    """A file of Arrow; a stream is what Hugging Face ``datasets`` writes."""
    out = io.BytesIO()
    table = pa.table({"n": range(len(column)), "t": column})
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=16)
    return out.getvalue()


CHATS = [[{"role": "user", "content": "go on"}, {"role": "assistant", "content": text}] for text in RESTRICTED]
SHARD = {f"{n:06}.json": json.dumps({"caption": text}).encode() for n, text in enumerate(RESTRICTED)}


def notebook() -> bytes:
    cells = [{"cell_type": "markdown", "metadata": {}, "source": text.splitlines(True)} for text in RESTRICTED[:30]] + [
        {"cell_type": "code", "source": [], "outputs": [{"output_type": "stream", "text": [text]}]}
        for text in RESTRICTED[30:]
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1).encode()


def table_of_json() -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows((n, json.dumps({"a": {"b": coded("\\u", 4)(text)}})) for n, text in enumerate(RESTRICTED))
    return out.getvalue().encode()


FOUND = {
    "base64": lines(lambda text: base64.b64encode(text.encode()).decode()),
    "base64 for addresses": lines(lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")),
    "base64 of UTF-16": lines(lambda text: base64.b64encode(text.encode("utf-16-le")).decode()),
    "base64 in lines": lines(lambda text: base64.encodebytes(text.encode()).decode()),
    "base64 of bytes in Parquet": parquet([base64.b64encode(text.encode()) for text in RESTRICTED]),
    "base64 beside text": lines(lambda text: f"an answer {base64.b64encode(text.encode()).decode()} as it was given"),
    "hexadecimal": lines(lambda text: text.encode().hex()),
    "percent": lines(lambda text: "".join(f"%{byte:02X}" for byte in text.encode())),
    "an address": lines(urllib.parse.quote_plus),
    "quoted-printable": lines(lambda text: "".join(f"={byte:02X}" for byte in text.encode())),
    "backslash u": lines(coded("\\u", 4)),
    "backslash x": lines(coded("\\x", 2)),
    "backslashes in plain text": "\n".join(map(coded("\\u", 4), RESTRICTED)).encode(),
    "entities without an end": lines(lambda text: "".join(f"&#{ord(char)}" for char in text)),
    "entities with zeros": lines(lambda text: "".join(f"&#{ord(char):09};" for char in text)),
    "entities, escaped four times": lines(lambda text: "".join(f"&amp;amp;amp;amp;#{ord(c)};" for c in text)),
    "JSON string in JSON": lines(json.dumps),
    "JSON after a space": lines(lambda text: "\n " + json.dumps({"said": text})),
    "JSON in CSV": table_of_json(),
    "keys": "".join(
        json.dumps({text[i : i + 30]: i for i in range(0, len(text), 30)}) + "\n" for text in RESTRICTED
    ).encode(),
    "a key twice": "".join(f'{{"t": {json.dumps(t)}, "t": "\\u0022\\u0022 nothing"}}\n' for t in RESTRICTED).encode(),
    "a key twice, list": b"[%s]" % b",".join(b'{"t": %s, "t": 1}' % json.dumps(t).encode() for t in RESTRICTED),
    "in tags": lines(lambda text: "".join(f"<{word}>" for word in text.split())),
    "in pieces in tags": lines(lambda text: "".join(f"<{text[i : i + 36]}>" for i in range(0, len(text), 36))),
    "in braces": lines(lambda text: "".join(f"{{{{{text[i : i + 30]}}}}}" for i in range(0, len(text), 30))),
    "in masks": lines(lambda text: "".join(f"[{word.upper()}]" for word in "".join(filter(str.isalpha, text)).split())),
    "between long tags": lines(
        lambda text: " ".join(f'<span class="{"some words in a name " * 4}">{word}</span>' for word in text.split())
    ),
    "between comments": lines(lambda text: " ".join(f"{w}<!-- a remark that goes on and on -->" for w in text.split())),
    "negative circles": lines(shifted("\U0001f150"), ensure_ascii=False),
    "flags": lines(shifted("\U0001f1e6"), ensure_ascii=False),
    "tag characters": lines(shifted("\U000e0061"), ensure_ascii=False),
    "strokes": lines(looks("lodht", "łøđħŧ"), ensure_ascii=False),
    "Armenian": lines(looks("nuhogq", "ոսհօցզ"), ensure_ascii=False),
    "Cherokee": lines(lambda text: looks("ADEHIJKLMPRSTWZ", "ᎪᎠᎬᎻᏆᎫᏦᏞᎷᏢᏒᏚᎢᏔᏃ")(text.upper()), ensure_ascii=False),
    "fillers": lines(lambda text: text.replace("e", "e\u3164"), ensure_ascii=False),
    "a map": parquet([[("k", text)] for text in RESTRICTED], pa.map_(pa.string(), pa.string())),
    "keys of a map": parquet([[(text, "k")] for text in RESTRICTED], pa.map_(pa.string(), pa.string())),
    "a dictionary of bytes": dictionary([text.encode() for text in RESTRICTED]),
    "bytes of UTF-16": parquet([text.encode("utf-16") for text in RESTRICTED]),
    "the second of two streams": streams(["nothing"], RESTRICTED),
    "zip": zipped(a=HARMLESS, b=PLAIN),
    "tar": packed(a=HARMLESS, b=PLAIN),
    "tar.xz": packed("w:xz", a=PLAIN),
    "Parquet in zip in gzip": gzip.compress(zipped(a=parquet(RESTRICTED))),
    "a word in each row": "".join(
        json.dumps({"token": w}) + "\n" for text in RESTRICTED for w in text.split()
    ).encode(),
    "a word in each line": "\n".join(word for text in RESTRICTED for word in text.split()).encode(),
    "a few words in each row": "".join(
        json.dumps({"text": text[i : i + 28]}) + "\n" for text in RESTRICTED for i in range(0, len(text), 28)
    ).encode(),
    "messages in Parquet": parquet(CHATS),
    "datasets of Hugging Face": arrow(pa.array(RESTRICTED), stream=True),
    "messages in Arrow": arrow(pa.array(CHATS)),
    "views in Arrow": arrow(pa.array(RESTRICTED, pa.string_view())),
    "lists as views in Arrow": arrow(pa.array([[text] for text in RESTRICTED], pa.list_view(pa.string()))),
    "runs in Arrow": arrow(pa.RunEndEncodedArray.from_arrays(pa.array(range(1, 61), pa.int32()), RESTRICTED)),
    "a shard of WebDataset": packed(**SHARD),
    "a notebook": notebook(),
    "after zeros": bz2.compress(HARMLESS) + bytes(16) + bz2.compress(PLAIN),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    where = tmp_path_factory.mktemp("index")
    writer = IndexWriter(where, KEY)
    writer.add(fingerprints(normalise([text.encode() for text in RESTRICTED]), KEY))
    return Index.open(where, [("source", writer.finish("source.lgc"))], KEY)


def found(index: Index, path: Path) -> tuple[int, list[Unread]]:
    unread: list[Unread] = []
    count = 0
    for batch in records(path, unread=unread):
        _, matches = search(index, normalise(batch.texts))
        count += len(set(matches.record.tolist()))
    return count, unread


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found(name: str, index: Index, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(FOUND[name])
    count, unread = found(index, path)
    assert count >= 0.95 * len(RESTRICTED)  # of those in rows, at least so many rows
    assert unread == []


def database() -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        with contextlib.closing(sqlite3.connect(file.name)) as connection, connection:
            connection.execute("CREATE TABLE answers (text)")
            connection.executemany("INSERT INTO answers VALUES (?)", [(text,) for text in RESTRICTED])
        return Path(file.name).read_bytes()


def saved(write: Callable[..., None]) -> bytes:
    out = io.BytesIO()
    write(out, numpy.array(RESTRICTED))
    return out.getvalue()


UNREAD = {
    "after bzip2": bz2.compress(HARMLESS) + PLAIN,
    "after xz": lzma.compress(HARMLESS) + PLAIN,
    "after gzip": gzip.compress(HARMLESS) + PLAIN,
    "after zstandard": zstandard.compress(HARMLESS) + PLAIN,
    "after a tar archive": packed(a=HARMLESS) + PLAIN,
    "tokens": "".join(json.dumps({"input_ids": list(text.encode())}) + "\n" for text in RESTRICTED).encode(),
    "tokens in Parquet": parquet([list(text.encode()) for text in RESTRICTED]),
    "bytes that are compressed": parquet([gzip.compress(text.encode()) for text in RESTRICTED]),
    "zip in zip in zip in zip": zipped(a=zipped(a=zipped(a=zipped(a=PLAIN)))),
    "an archive that was cut off": packed(a=HARMLESS * 100)[:9000],
    "zip that was cut off": zipped(a=PLAIN)[:-30],
    "damage within gzip": (lambda data: data[:2000] + bytes(50) + data[2050:])(gzip.compress(PLAIN)),
    "UTF-16 after a line": b"\n" + PLAIN.decode().encode("utf-16-le"),
    "SQLite": database(),
    "pickle": pickle.dumps(RESTRICTED),
    "numpy": saved(numpy.save),
    "several of numpy": saved(numpy.savez),
    "TFRecord": b"".join(struct.pack("<QI", len(text), 0) + text.encode() + bytes(4) for text in RESTRICTED),
    "MessagePack": msgspec.msgpack.encode([{"text": text, "n": 0} for text in RESTRICTED]),
    "pictures beside their texts in Parquet": parquet(
        [{"bytes": b"\xff\xd8\xff", "said": text} for text in RESTRICTED]
    ),
    "a shard with pictures": packed(**SHARD, picture=b"\xff\xd8\xff\xe0" + bytes(99)),
    "a picture in an archive": packed(a=b"\x89PNG\r\n\x1a\n\0\0\0", b=HARMLESS),
}


@pytest.mark.parametrize("name", UNREAD)
def test_it_is_unread(name: str, index: Index, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(UNREAD[name])
    assert found(index, path)[1]


def test_one_member_that_cannot_be_read_hides_no_other(index: Index, tmp_path: Path) -> None:
    for data in (packed(a=b"\x89PNG\0", b=PLAIN, c=b"\0"), zipped(a=b"\x89PNG\0", b=PLAIN, c=b"\0")):
        (tmp_path / "data").write_bytes(data)
        count, unread = found(index, tmp_path / "data")
        assert count == len(RESTRICTED)
        assert [item.file for item in unread] == ["data/a", "data/c"]
        assert {batch.file for batch in records(tmp_path / "data", unread=[])} == {"data/b"}


def test_what_expands_much_takes_little_memory(tmp_path: Path) -> None:
    """A hundred million bytes from a few thousand."""
    import resource

    for compress in (gzip.compress, zstandard.compress):
        path = tmp_path / "data"
        path.write_bytes(compress((b"a" * 99 + b"\n") * 1_000_000))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(len(b"".join(b"".join(batch.texts).split())) for batch in records(path)) == 99_000_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_sparse_and_pipes(index: Index, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(5_000_000)
        file.seek(0, os.SEEK_END)
        file.write(PLAIN)
    os.mkfifo(tmp_path / "pipe")
    count, unread = found(index, tmp_path)
    assert (count, sorted(item.file for item in unread)) == (0, ["pipe", "sparse"])
