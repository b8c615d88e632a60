"""The bulk jobs on Spark: growth with the data, and with workers.

    python -m benchmarks.spark [--records 50000 200000] [--executions 2000 20000] [--workers 1 2]

A local session for each number of workers; ``alone`` is the same work without Spark in one process. Every result is
held against that of one machine. Times include neither the start of Spark nor a first job that warms it up.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import workload as w
from lineage.content import IndexWriter, Key, fingerprints, normalise, records
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.vocabulary import Artifact, Content

FILES = 16
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.adaptive.enabled": "false",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
}


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """(seconds by the clock, result)."""
    began = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - began, result


def corpus(directory: Path, number: int) -> int:
    """Write records into files; how many bytes."""
    from tests.redteam.corpus import Corpus

    texts = Corpus(1).records(min(number, 20_000))
    size = 0
    for part in range(FILES):
        chosen = (f"{i} {texts[i % len(texts)]} {w.key(i)}" for i in range(part, number, FILES))
        data = "".join(json.dumps({"text": text}) + "\n" for text in chosen)
        size += (directory / f"{part:02}.jsonl").write_text(data)
    return size


def alone(directory: Path, where: Path, key: Key) -> Any:
    """Fingerprint a corpus in this process."""
    writer = IndexWriter(where, key)
    for batch in records(directory):
        writer.add(fingerprints(normalise(batch.texts), key))
    return writer.finish("alone")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, nargs="*", default=[50_000, 200_000])
    parser.add_argument("--executions", type=int, nargs="*", default=[2_000, 20_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args()
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    from lineage_spark.content import Index, SparkContent
    from lineage_spark.entries import entries
    from lineage_spark.labels import labels
    from lineage_spark.session import session

    class Bare(SparkContent):
        """The two ways of reading, of no project."""

        def __init__(self, spark: Any, directory: Path, key: Key) -> None:
            self.spark, self.directory, self._key = spark, directory, key

        @property
        def key(self) -> Key:
            return self._key

    key = Key.new()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        sizes = {}
        for number in options.records:
            (root / f"c{number}").mkdir()
            sizes[number] = corpus(root / f"c{number}", number)
        for number in options.executions:
            graph = Graph(create_store(str(root / f"g{number}.db")))
            batch: list[bytes] = []
            spent = 0.0
            for event in w.events(w.make("layered", number)):
                batch.append(event)
                if len(batch) == 1000:
                    spent += timed(graph.record, batch)[0]
                    batch = []
            spent += timed(graph.record, batch)[0]
            print(f"labels   {number:>9} executions  recorded   {spent:6.1f} s", flush=True)
            graph.close()
        expected = {}
        for number in options.records:
            seconds, expected[number] = timed(alone, root / f"c{number}", root, key)
            print(f"index    {number:>9} records     alone      {seconds:6.1f} s", flush=True)
        for workers in options.workers:
            spark = session(f"local[{workers}]", SETTINGS | {"spark.sql.shuffle.partitions": str(2 * workers)})
            content = Bare(spark, root, key)
            (root / "warm").mkdir(exist_ok=True)
            corpus(root / "warm", 2000)
            content.made(root / "warm", "spark")
            for number in options.records:
                seconds, (file, _) = timed(content.made, root / f"c{number}", "spark")
                assert file.sha256 == expected[number].sha256
                print(f"index    {number:>9} records     {workers} workers  {seconds:6.1f} s", flush=True)
                index = Index.open(root, [("0", file)], key)
                seconds, tallies = timed(content.tally, index, [()], root / f"c{number}", [])
                assert tallies.records == number
                print(f"scan     {number:>9} records     {workers} workers  {seconds:6.1f} s", flush=True)
            for number in options.executions:
                path = str(root / f"g{number}.db")
                seconds, found = timed(labels, entries(spark, path))
                work = w.make("layered", number)
                with open_store(path) as store:
                    kept = Graph(store)
                    rows = {row["artifact"]: row for row in found.where("sources > 0").collect()}
                    for target in work.tops[:200]:
                        asked = kept.labels(Artifact("", "", Content(w.key(target))))
                        assert len(rows[w.key(target)]["labels"]) == len(asked.labels)
                print(f"labels   {number:>9} executions  {workers} workers  {seconds:6.1f} s", flush=True)
            spark.stop()
        print({number: f"{size / 1e6:.0f} MB" for number, size in sizes.items()})


if __name__ == "__main__":
    main()
