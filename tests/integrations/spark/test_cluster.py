"""A standalone cluster of two workers on this machine, and jobs given to it with spark-submit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from lineage.evidence.document import encode
from lineage.gate import Gate
from lineage.gate.content import ContentIndex
from lineage.gate.tally import Threshold
from tests.integrations.spark.conftest import QUICK, SETTINGS

HOME = Path(pyspark.__file__).parent
ENVIRONMENT = {
    "SPARK_HOME": str(HOME),
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "192m",
    "SPARK_DAEMON_JAVA_OPTS": QUICK,
    "PYSPARK_PYTHON": sys.executable,
    "PYSPARK_DRIVER_PYTHON": sys.executable,
}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a master with two workers of one core each."""
    root = tmp_path_factory.mktemp("cluster")
    processes: list[subprocess.Popen[bytes]] = []

    def start(name: str, kind: str, *arguments: str) -> Path:
        log = root / f"{name}.log"
        main = f"org.apache.spark.deploy.{kind}"
        # the script becomes the process of Java
        command = [str(HOME / "bin" / "spark-class"), main, "--host", "127.0.0.1", "--webui-port", "0"]
        with log.open("wb") as output:
            processes.append(
                subprocess.Popen(
                    [*command, *arguments], stdout=output, stderr=output, env=os.environ | ENVIRONMENT, cwd=root
                )
            )
        return log

    def said(log: Path, pattern: str) -> re.Match[str]:
        for _ in range(600):
            if found := re.search(pattern, log.read_text()):
                return found
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    try:
        address = said(start("master", "master.Master", "--port", "0"), r"spark://127\.0\.0\.1:\d+")[0]
        logs = [
            start(f"worker{i}", "worker.Worker", "--cores", "1", "--memory", "700m", "--work-dir", str(root), address)
            for i in range(2)
        ]
        for log in logs:
            said(log, "Successfully registered with master")
        yield address
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(20)


JOBS = """
import sys
from lineage_spark.__main__ import main
_, project, corpus, store, out = sys.argv
print("scan", main(["scan", "--directory", project, "--json", corpus]))
print("labels", main(["labels", "--store", store, "--check", store, "--out", out]))
"""


def test_two_workers_say_what_one_machine_says(master: str, project: Path, tmp_path: Path) -> None:
    with Gate.open(start=project) as gate:
        content, store = ContentIndex(gate), gate.config.store_url
        content.index()
        alone = content.scan([project / "corpus"], Threshold())
    (tmp_path / "jobs.py").write_text(JOBS)
    settings = SETTINGS | {"spark.executor.memory": "512m", "spark.executor.extraJavaOptions": QUICK}
    configured = [part for item in settings.items() for part in ("--conf", "=".join(item))]
    command = [str(HOME / "bin" / "spark-submit"), "--master", master, *configured, str(tmp_path / "jobs.py")]
    done = subprocess.run(
        [*command, str(project), str(project / "corpus"), store, str(tmp_path / "labels")],
        capture_output=True,
        text=True,
        env=os.environ | ENVIRONMENT,
        timeout=280,
    )
    document, found, labels = done.stdout.partition("\nscan 1\n")
    assert found, done.stderr
    assert json.loads(document) == json.loads(encode(alone))
    assert labels.splitlines()[1:] == ["0 with other labels in the store", "labels 0"], done.stderr


def test_without_java_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lineage_spark", "labels", "--store", str(tmp_path / "none.db")],
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | ENVIRONMENT | {"JAVA_HOME": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "no Spark session can be had" in done.stderr
    assert "default-jre-headless" in done.stderr
    assert "Traceback" not in done.stderr
