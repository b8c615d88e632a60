"""One local Spark session for all tests of a process: starting one takes as long as most of them."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin
from tests.redteam.corpus import Corpus

QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Java that does not compile what runs for a minute."""

SETTINGS = {
    "spark.driver.extraJavaOptions": QUICK,
    "spark.ui.enabled": "false",
    "spark.driver.memory": "512m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than running on so little
}


def local() -> Iterator[Any]:
    """A session of this process, stopped in the end."""
    from lineage_spark.session import session

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    opened = session("local[2]", SETTINGS)
    yield opened
    opened.stop()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A local session."""
    yield from local()


GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai", service="gpt-4")
CLAUDE = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="anthropic")
POLICY = """
mode: enforce
undeclared: deny
default: allow
rules:
  - {id: no-openai, match: {origin: {kind: third-party-model-output}}, effect: deny, reason: terms}
"""
RESTRICTED, CLEAN = Corpus(1).records(600), Corpus(2).records(600)


def lines(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in enumerate(texts)).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two sources that a rule denies, and a corpus in several files that holds a part of them."""
    root = tmp_path
    Gate.init(root, project="demo")[0].close()
    (root / "lineage.policy.yaml").write_text(POLICY)
    lines(root / "gpt.jsonl", [str(t) for t in RESTRICTED[:400]])
    lines(root / "claude.jsonl", [str(t) for t in RESTRICTED[300:]])
    corpus = root / "corpus"
    lines(corpus / "a.jsonl", [*CLEAN[:150], *RESTRICTED[:40], *CLEAN[150:200]])
    lines(corpus / "b" / "c.jsonl.gz", [t.upper() for t in RESTRICTED[250:360]])
    (corpus / "d.txt").write_text("\n".join(t.replace("\n", " ") for t in CLEAN[200:300]))
    (corpus / "empty").touch()
    (corpus / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    from lineage.gate.content import declare_completions

    with Gate.open(start=root) as gate:
        declare_completions(gate, root / "gpt.jsonl", GPT)
        declare_completions(gate, root / "claude.jsonl", CLAUDE)
    return root
