"""A Spark session for these jobs, and what their workers need of it.

Who submits a job with ``spark-submit`` has a session with everything that was given there; only what jobs rest on is
set here. On the workers the package has to be installed, the same version, with the extra ``spark``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

import pyarrow as pa
from pyspark.sql import SparkSession

from lineage.content.fingerprint import VERSION
from lineage.errors import CannotDecide, UsageError

_JAVA = "Spark needs Java 17 or newer: install a runtime (such as Debian's default-jre-headless) or set JAVA_HOME"

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""What ``mapInArrow`` takes."""


def session(master: str | None = None, settings: dict[str, str] | None = None) -> SparkSession:
    """The running session, or a new one.

    Args:
        master: such as ``local[4]`` or ``spark://host:7077``; None: what ``spark-submit`` says.
        settings: of Spark, for a new session.

    Raises:
        UsageError: ``SPARK_UNAVAILABLE``, with the reason.
    """
    # workers find another Python by themselves, without what is installed here
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("lineagegate")
    if master:
        builder = builder.master(master)
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except Exception as error:  # of py4j, Java or Spark, each with a class of its own
        first = str(error).strip().partition("\n")[0]
        raise UsageError(
            "no Spark session can be had", code="SPARK_UNAVAILABLE", cause=first or type(error).__name__, hint=_JAVA
        ) from None


def installed() -> str:
    """Which version of the package, and of the method of its fingerprints, is installed here."""
    return f"{version('lineagegate')}, fingerprints {VERSION}"


def on_workers(work: Work) -> Work:
    """Work that a worker refuses with another version of the package: it would read or fingerprint otherwise."""
    here = installed()

    def checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if (there := installed()) != here:
            raise CannotDecide(
                f"a worker has lineagegate {there}", code="WORKER_DIFFERENT", cause=f"the job was given by {here}",
                hint="install the same version on every worker",
            )  # fmt: skip
        yield from work(batches)

    return checked
