"""The content index made and searched by Spark is the one of a single machine, byte for byte (case S5)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lineage.gate import Gate
from lineage.gate.content import ContentIndex, Threshold
from lineage.vocabulary import Kind, Origin
from lineage_spark.content import SparkContent
from tests.redteam.corpus import Corpus

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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two sources that a rule denies, and a corpus in several files that holds a part of them."""
    root = tmp_path_factory.mktemp("project")
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
