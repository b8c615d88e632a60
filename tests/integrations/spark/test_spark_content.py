"""The content index made and searched by Spark is the one of a single machine, byte for byte (case S5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineage.content import ENOUGH, IndexWriter, fingerprints, normalise, records
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

        made = fingerprint_table(table, content.directory, "table", content.key)
        writer = IndexWriter(content.directory, content.key)
        for batch in records(parts):
            writer.add(fingerprints(normalise(batch.texts), content.key))
        assert writer.finish("table") == made


def test_a_dataset_is_never_too_large_to_be_found() -> None:
    """What is counted as different content is bounded; a share of very many records may not lie beyond the bound."""
    assert Threshold().reached(ENOUGH, 10**12)
    assert not Threshold().reached(ENOUGH - 1, 10**12)
