"""The verifier believes every case that the gate makes, over random worlds: it reads events as the ledger does."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from lineage.config import Config
from lineage.errors import LineageError, UsageError
from lineage.evidence.bundle.verify import Findings, Record
from lineage.evidence.document import encode
from lineage.gate import Inquiry
from lineage.graph import Graph
from lineage.store import scratch_store

sys.path.insert(0, str(Path(__file__).parents[3] / "laws"))

from worlds import DIRECTORIES, FILES, histories


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Settings with a policy that allows."""
    root = tmp_path_factory.mktemp("worlds")
    (root / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\n", encoding="utf-8")
    return Config(root=root, project="p")


@settings(max_examples=int(os.environ.get("LAWS", "25")), deadline=None, suppress_health_check=list(HealthCheck))
@given(histories)
def test_every_case_is_borne_out_by_its_entries(config: Config, events: list[bytes]) -> None:
    graph = Graph(scratch_store(), accept_clock=True)
    try:
        graph.record(events)
    except UsageError:
        return
    inquiry = Inquiry(config, graph)
    everything = Record({number: json.loads(data) for number, data in enumerate(events)})
    for content in (*FILES[:5], *DIRECTORIES):
        for origin in ("openai", "", "first-party"):
            try:
                case = inquiry.case(content, origin)
            except LineageError:
                continue
            record = Record({e.position: json.loads(graph.event(e.position).data) for e in case.entries})
            findings = Findings(json.loads(encode(case)), record)
            findings.check()
            missing = [claim for claim in findings.missing if not _beyond(claim, everything, events)]
            assert not missing, (missing, content, origin)


def test_a_directory_has_its_files_under_every_name() -> None:
    listed = {"hash": DIRECTORIES[0], "members": [{"path": "f0", "hash": FILES[0]}]}
    one = {"namespace": "dvc://p", "name": "a", "facets": {"lineage_content": listed}}
    other = {"namespace": "dvc://p", "name": "b", "facets": {"lineage_content": {"hash": DIRECTORIES[0]}}}
    record = Record({0: {"run": {"runId": "r"}, "inputs": [one], "outputs": [other]}})
    assert {("a/f0", FILES[0]), ("b/f0", FILES[0])} <= record.bound


def _beyond(claim: str, everything: Record, events: list[bytes]) -> bool:
    """What no pipeline does and a case leaves open: a run that reads what it makes, of which a path shows only one end;
    one directory hash with two lists of files, of which a path names one entry; a run told again with another time."""
    if "says since when" in claim:
        times = defaultdict(set)
        for data in events:
            event = json.loads(data)
            if "run" in event:
                times[event["run"]["runId"]].add(event["eventTime"])
        return any(len(stated) > 1 for stated in times.values())
    if "makes it" in claim:
        return any({e.node for e in r.inputs} & {e.node for e in r.outputs} for r in everything.runs.values())
    if "are a directory and its file" in claim:
        lists = defaultdict(set)
        for data in events:
            event = json.loads(data)
            for dataset in (*event.get("inputs", ()), *event.get("outputs", ()), event.get("dataset")):
                content = (
                    (dataset.get("facets") or {}).get("lineage_content") or {} if isinstance(dataset, dict) else {}
                )
                if content.get("hash") in DIRECTORIES:
                    lists[content["hash"]].add(json.dumps(content.get("members")))
        return any(len(known) > 1 for known in lists.values())
    return False
