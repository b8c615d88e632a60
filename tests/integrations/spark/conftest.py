"""One local Spark session for all tests of a process: starting one takes as long as most of them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "512m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.warehouse.dir": "/nonexistent",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than running on so little
}


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    from lineage_spark.session import session

    opened = session("local[2]", SETTINGS)
    yield opened
    opened.stop()
