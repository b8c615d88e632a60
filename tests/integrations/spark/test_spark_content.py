"""The content index made and searched by Spark is the one of a single machine, byte for byte (case S5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lineage.gate import Gate
from lineage.gate.content import ContentIndex, Threshold
from lineage_spark.content import SparkContent
from tests.integrations.spark.conftest import CLAUDE, GPT


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
