"""The content index made and searched by Spark is the one of a single machine, byte for byte (case S5)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

import lineage_spark.content
from lineage.content import ENOUGH, IndexWriter, Unread, files, fingerprints, normalise, records
from lineage.gate import Gate
from lineage.gate.content import ContentIndex
from lineage.gate.tally import Threshold
from lineage_spark.content import SparkContent, fingerprint_table
from tests.integrations.spark.conftest import CLAUDE, CLEAN, GPT, RESTRICTED

CHATS = "id int, turns array<struct<role: string, content: string>>"


def test_the_index_and_what_is_found_are_the_same(spark: Any, project: Path) -> None:
    with Gate.open(start=project) as gate:
        ours = SparkContent(gate, spark)
        made = ours.index()
        assert {source.state for source in made.sources} == {"indexed"}
        by_spark = {path.name: path.read_bytes() for path in ours.directory.glob("*.lgc")}
        rows = [known.row for known in ours.sources()]
        found = ours.scan([project / "corpus"], Threshold())
        for path in ours.directory.glob("*.lgc"):
            path.unlink()
        alone = ContentIndex(gate)
        assert alone.index() == made
        assert {path.name: path.read_bytes() for path in alone.directory.glob("*.lgc")} == by_spark
        assert [known.row for known in alone.sources()] == rows
        assert alone.scan([project / "corpus"], Threshold()) == found
    (scanned,) = found.scanned
    assert {f.origin: f.enough for f in scanned.found} == {GPT: True, CLAUDE: True}
    assert [u.file for u in scanned.unread] == ["image.png"]


def test_a_table_is_read_as_a_file_of_it_is(spark: Any, project: Path, tmp_path: Path) -> None:
    texts = [*CLEAN[:60], *RESTRICTED[:30]]
    table = spark.createDataFrame([(i, [("user", text)]) for i, text in enumerate(texts)], CHATS)
    table.write.parquet(str(tmp_path / "chats"))
    with Gate.open(start=project) as gate:
        content = SparkContent(gate, spark)
        ContentIndex(gate).index()
        of_table = content.search_table(table, "chats", Threshold())
        (parts,) = (tmp_path / "chats",)
        for other in (*parts.glob("_*"), *parts.glob(".*")):
            other.unlink()
        (of_files,) = ContentIndex(gate).scan([parts], Threshold()).scanned
        told = [(f.origin, f.records, f.equal, f.different, f.enough) for f in of_files.found]
        assert told == [(f.origin, f.records, f.equal, f.different, f.enough) for f in of_table.found]
        assert [(f.places, f.more) for f in of_table.found] == [((), f.records) for f in of_files.found]
        assert (of_files.records, of_files.short) == (of_table.records, of_table.short)

        made, unread = fingerprint_table(table, content.directory, "table", content.key)
        assert not unread
        writer = IndexWriter(content.directory, content.key)
        for batch in records(parts):
            writer.add(fingerprints(normalise(batch.texts), content.key))
        assert writer.finish("table") == made


def test_archives_and_what_looks_like_a_list_of_dvc_are_read_alike(spark: Any, project: Path) -> None:
    corpus = project / "corpus"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, texts in (("one.jsonl", RESTRICTED[:20]), ("two.jsonl", RESTRICTED[20:40])):
            archive.writestr(name, "".join(json.dumps({"text": text}) + "\n" for text in texts))
        archive.writestr("cut.gz", gzip.compress(b"text " * 1000)[:-9])
    (corpus / "b [1]*?{x,y} %20\n.zip").write_bytes(inner.getvalue())
    data = "\n".join(RESTRICTED[40:60]).encode()
    md5 = hashlib.md5(data).hexdigest()
    cache = corpus / "cache"
    listed = cache / "0a" / f"{'0' * 30}.dir"
    for path, held in (
        (cache / md5[:2] / md5[2:], data),
        (listed, json.dumps([{"relpath": "x", "md5": md5}]).encode()),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(held)
    with Gate.open(start=project) as gate:
        ours, alone = SparkContent(gate, spark), ContentIndex(gate)
        alone.index()
        found = ours.scan([corpus, listed], Threshold())
        assert found == alone.scan([corpus, listed], Threshold())
        assert "b [1]*?{x,y} %20\n.zip/cut.gz" in [unread.file for unread in found.scanned[0].unread]
        assert ours.made(corpus, "x") == alone.made(corpus, "x")


def test_a_worker_that_sees_another_file_says_so(spark: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines may have a path each, with something else in it."""

    def elsewhere(path: Path) -> tuple[list[tuple[str, Path, int]], list[Unread]]:
        listed, failed = files(path)
        return [(name, file, size + 1) for name, file, size in listed], failed

    with Gate.open(start=project) as gate:
        ContentIndex(gate).index()
        monkeypatch.setattr(lineage_spark.content, "files", elsewhere)
        (scanned,) = SparkContent(gate, spark).scan([project / "gpt.jsonl"], Threshold()).scanned
    assert not scanned.records
    assert [u.reason.startswith("a worker sees") for u in scanned.unread] == [True]


def test_rows_are_the_same_however_they_arrive(spark: Any, project: Path, tmp_path: Path) -> None:
    """Texts that were cut into rows are found joined; in which batches Spark hands rows over does not count."""
    words = [word for text in RESTRICTED[:120] for word in text.split()]
    pa.parquet.write_table(pa.table({"word": words, "n": range(len(words))}), tmp_path / "words.parquet")
    table = spark.read.parquet(str(tmp_path / "words.parquet"))
    pa.parquet.write_table(pa.table({"text": RESTRICTED[:9], "image": [b"\xff\xd8"] * 9}), tmp_path / "images.parquet")
    images = spark.read.parquet(str(tmp_path / "images.parquet"))
    with Gate.open(start=project) as gate:
        content = SparkContent(gate, spark)
        ContentIndex(gate).index()
        (alone, other) = (
            ContentIndex(gate).scan([tmp_path / "words.parquet", tmp_path / "images.parquet"], Threshold()).scanned
        )
        assert alone.found
        for rows in ("1", "1000000"):
            spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows)
            try:
                found = content.search_table(table, alone.path, Threshold())
            finally:
                spark.conf.unset("spark.sql.execution.arrow.maxRecordsPerBatch")
            assert [(f.records, f.equal, f.different) for f in found.found] == [
                (f.records, f.equal, f.different) for f in alone.found
            ]
        assert content.search_table(images, "images.parquet", Threshold()).unread == other.unread
        assert [item.reason for item in fingerprint_table(images, content.directory, "i", content.key)[1]] == [
            item.reason for item in other.unread
        ]


def test_a_dataset_is_never_too_large_to_be_found() -> None:
    """What is counted as different content is bounded; a share of very many records may not lie beyond the bound."""
    assert Threshold().reached(ENOUGH, 10**12)
    assert not Threshold().reached(ENOUGH - 1, 10**12)
