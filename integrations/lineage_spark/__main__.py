"""``python -m lineage_spark index|scan|labels|export``, or this file given to ``spark-submit`` (docs/how-to/spark.md).

Exit status as of ``lineagegate``: 0 done and nothing found, 1 found, 2 used wrongly, 3 cannot say. Whatever fails in
Spark is a 3: a part of an answer is none.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lineage.errors import CannotDecide, LineageError, UsageError, printable

OK, FOUND, UNKNOWN = 0, 1, 3
_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a job."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.job(options))
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except LineageError as error:
        sys.stderr.write(f"{error}\n")
        return UNKNOWN
    except Exception as error:  # Spark and Java have many; none of them may read as "nothing found"
        # the last line that is no detail of another: of a traceback, of Python or Java, what was raised
        said = [line for line in str(error).splitlines() if line[:1].strip()]
        cause = said[-1] if said else type(error).__name__
        failed = CannotDecide("the job failed, so nothing is said", code="SPARK_FAILED", cause=cause)
        sys.stderr.write(f"{failed}\n")
        return UNKNOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lineage_spark", description="The bulk jobs of lineagegate on Spark.")
    parser.add_argument("--master", help="such as spark://host:7077; by default what spark-submit says")
    jobs = parser.add_subparsers(required=True, metavar="JOB")

    index = jobs.add_parser("index", help="take the fingerprints of restricted sources")
    index.add_argument("sources", nargs="*", metavar="SOURCE", help="default: every restricted one")
    index.set_defaults(job=_index)
    scan = jobs.add_parser("scan", help="search corpora for content of restricted sources")
    scan.add_argument("paths", nargs="+", metavar="PATH", help="a file or directory that every worker sees")
    scan.add_argument("--tag", action="store_true", help="record what is found as tags of basis `matched`")
    scan.set_defaults(job=_scan)
    for job in (index, scan):
        job.add_argument("--directory", default=".", help="of the project")
        job.add_argument("--json", action="store_true", help="the document that `lineagegate content` gives")

    labels = jobs.add_parser("labels", help="recompute the labels of every artifact from the ledger's entries")
    given = labels.add_mutually_exclusive_group(required=True)
    given.add_argument("--store", type=_store, help="path or postgresql://… as the workers reach it")
    given.add_argument("--export", help="Parquet that `export` wrote, or lines of JSON")
    labels.add_argument("--out", help="write the labels there, as Parquet")
    labels.add_argument(
        "--check", type=_store, metavar="STORE", help="hold them against the labels that this store keeps"
    )
    labels.set_defaults(job=_labels)
    export = jobs.add_parser("export", help="write the ledger's entries as Parquet")
    export.add_argument("--store", type=_store, required=True, help="path or postgresql://… as the workers reach it")
    export.add_argument("--out", required=True)
    export.set_defaults(job=_export)
    return parser


def _store(text: str) -> str:
    """A store as workers find it, whatever directory they run in."""
    return text if "://" in text else str(Path(text).resolve())


def _index(options: argparse.Namespace) -> int:
    from lineage.evidence.content import index_text
    from lineage.evidence.document import encode
    from lineage.gate import Gate
    from lineage_spark.content import SparkContent
    from lineage_spark.session import session

    with Gate.open(start=Path(options.directory).resolve()) as gate:
        gate.refresh()
        found = SparkContent(gate, session(options.master)).index(options.sources)
    sys.stdout.write((encode(found) if options.json else index_text(found)).rstrip("\n") + "\n")
    return UNKNOWN if any(source.state in ("partial", "absent") for source in found.sources) else OK


def _scan(options: argparse.Namespace) -> int:
    from lineage.evidence.content import scan_text
    from lineage.evidence.document import encode
    from lineage.gate import Gate
    from lineage.gate.tally import Threshold
    from lineage_spark.content import SparkContent
    from lineage_spark.session import session

    paths = [Path(path).resolve() for path in options.paths]
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no {path}", code="PATH_MISSING")
    with Gate.open(start=Path(options.directory).resolve()) as gate:
        gate.refresh()
        policy = gate.policy().content
        threshold = Threshold(policy.share, policy.records)
        found = SparkContent(gate, session(options.master)).scan(paths, threshold, tag=options.tag)
    sys.stdout.write((encode(found) if options.json else scan_text(found)).rstrip("\n") + "\n")
    if any(item.enough for scanned in found.scanned for item in scanned.found):
        return FOUND
    return UNKNOWN if found.missing or any(scanned.unread for scanned in found.scanned) else OK


def _labels(options: argparse.Namespace) -> int:
    from lineage_spark.check import differences
    from lineage_spark.entries import entries, exported
    from lineage_spark.labels import labels
    from lineage_spark.session import session

    spark = session(options.master)
    read = entries(spark, options.store) if options.store else exported(spark, options.export)
    found = labels(read)
    if options.out:
        found.write.mode("errorifexists").parquet(options.out)
    sys.stdout.write(f"{found.count()} artifacts\n")
    if not options.check:
        return OK
    other = differences(found, read, options.check).persist()
    for row in other.limit(_SHOWN).collect():
        sys.stdout.write(f"{printable(row['artifact'])}\n")
        sys.stdout.write(f"  recomputed  {printable(row['recomputed'])}\n  kept        {printable(row['kept'])}\n")
    number = other.count()
    sys.stdout.write(f"{number} with other labels in the store\n")
    return FOUND if number else OK


def _export(options: argparse.Namespace) -> int:
    from lineage_spark.entries import entries
    from lineage_spark.session import session

    entries(session(options.master), options.store).write.mode("errorifexists").parquet(options.out)
    return OK


if __name__ == "__main__":
    sys.exit(main())
