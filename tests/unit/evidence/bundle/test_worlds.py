"""The verifier believes every case that the gate makes, over random worlds: it reads events as the ledger does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from lineage.config import Config
from lineage.errors import LineageError, UsageError
from lineage.events.event import act_event
from lineage.evidence.bundle.verify import Findings, Record
from lineage.evidence.document import encode
from lineage.gate import Inquiry
from lineage.graph import Graph
from lineage.store import scratch_store
from lineage.vocabulary import Kind, Origin, Removal

sys.path.insert(0, str(Path(__file__).parents[3] / "laws"))

from worlds import DIRECTORIES, FILES, SPACE, histories


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """Settings with a policy that allows."""
    root = tmp_path_factory.mktemp("worlds")
    (root / "lineage.policy.yaml").write_text("mode: enforce\ndefault: allow\n", encoding="utf-8")
    return Config(root=root, project="p")


def _missing(config: Config, events: Sequence[bytes], content: str, origin: str) -> list[str]:
    """What the verifier does not believe of the case that the gate makes of these events; of no case, nothing."""
    graph = Graph(scratch_store(), accept_clock=True)
    try:
        graph.record(events)
    except UsageError:
        return []
    return _unbelieved(Inquiry(config, graph), graph, content, origin)


def _unbelieved(inquiry: Inquiry, graph: Graph, content: str, origin: str) -> list[str]:
    try:
        case = inquiry.case(content, origin)
    except LineageError:
        return []
    findings = Findings(
        json.loads(encode(case)), Record({e.position: json.loads(graph.event(e.position).data) for e in case.entries})
    )
    findings.check()
    return findings.missing


@settings(max_examples=int(os.environ.get("LAWS", "40")), deadline=None, suppress_health_check=list(HealthCheck))
@given(histories)
def test_every_case_is_borne_out_by_its_entries(config: Config, events: list[bytes]) -> None:
    graph = Graph(scratch_store(), accept_clock=True)
    try:
        graph.record(events)
    except UsageError:
        return
    inquiry = Inquiry(config, graph)
    for content in (*FILES[:5], *DIRECTORIES):
        for origin in ("openai", "", "first-party"):
            assert not _unbelieved(inquiry, graph, content, origin), (content, origin)


def test_a_directory_has_its_files_under_every_name() -> None:
    listed = {"hash": DIRECTORIES[0], "members": [{"path": "f0", "hash": FILES[0]}]}
    one = {"namespace": "dvc://p", "name": "a", "facets": {"lineage_content": listed}}
    other = {"namespace": "dvc://p", "name": "b", "facets": {"lineage_content": {"hash": DIRECTORIES[0]}}}
    record = Record({0: {"run": {"runId": "r"}, "inputs": [one], "outputs": [other]}})
    assert {("a/f0", FILES[0]), ("b/f0", FILES[0])} <= record.bound


# -- worlds that were found to be read in two ways ---------------------------------------------------------------------

GPT = {"kind": "third-party-model-output", "provider": "openai", "service": "gpt-4"}
A, B, C, D = FILES[:4]
DIR, OTHER = DIRECTORIES


def _data(name: str, hash_: str = "", use: str = "", *, files: Sequence[str] = (), tag: Any = None) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if hash_:
        facets["lineage_content"] = {"hash": hash_}
    if files:
        facets["lineage_content"]["members"] = [{"path": f"f{i}", "hash": file} for i, file in enumerate(files)]
    if tag:
        facets["lineage_origin"] = {"tags": [tag]}
    used = {"inputFacets": {"lineage_use": {"use": use}}} if use else {}
    return {"namespace": SPACE, "name": name, "facets": facets, **used}


def _told(run: str, month: int, inputs: Sequence[Any] = (), outputs: Sequence[Any] = ()) -> bytes:
    about = {"run": {"runId": run}, "job": {"namespace": SPACE, "name": "stage"}}
    event = {**_event(month), **about, "eventType": "COMPLETE", "inputs": inputs, "outputs": outputs}
    return json.dumps(event).encode()


def _declared(month: int, dataset: Any) -> bytes:
    return json.dumps({**_event(month), "dataset": dataset}).encode()


def _event(month: int) -> dict[str, Any]:
    return {"eventTime": f"2023-0{month}-01T00:00:00Z", "producer": "other", "schemaURL": "z"}


DECLARED = {"origin": GPT, "basis": "declared", "by": "x"}
WORLDS = {
    "the files of a directory are listed by another event than the one that declares it": (
        [_declared(9, _data("m", DIR, tag=DECLARED)), _told("r0", 7, [_data("c", DIR, files=[A])], [_data("n", B)])],
        A,
    ),
    "they are listed later under the very same name": (
        [_declared(3, _data("m", DIR, tag=DECLARED)), _told("r0", 4, [_data("m", DIR, files=[A])], [_data("n", B)])],
        A,
    ),
    "two directories hold each other": (
        [
            _told("r1", 1, [_data("a", DIR, files=[OTHER])]),
            _told("r2", 2, [_data("b", OTHER, files=[DIR, A])]),
            _told("r3", 3, [_data("m", B, "base-model", tag=DECLARED)], [_data("d", A)]),
        ],
        DIR,
    ),
    "a run is told again with an earlier time": (
        [
            _told("r0", 8, [_data("g", B, tag=DECLARED)], [_data("c", C)]),
            _told("r0", 3, [], [_data("d", A)]),
            _told("r1", 2, [_data("c", C)], [_data("d", A)]),
        ],
        A,
    ),
    "the source was read first on another way than the shortest, as a file of a directory": (
        [
            _told("r5", 5, [_data("d", D)]),
            _told("r1", 9, [_data("b", DIR, files=[D])], [_data("dir", D, tag=DECLARED)]),
            _told("r5", 3, [], [_data("c", DIR)]),
        ],
        DIR,
    ),
    "a run reads what it makes, in another use": (
        [
            _declared(1, _data("b", B, tag=DECLARED)),
            _told("r2", 2, [_data("b", B)], [_data("d", A)]),
            _told("r5", 5, [_data("m", A, "base-model")], [_data("d", A)]),
        ],
        A,
    ),
    "one name has versions with and without content": (
        [_told("r3", 5, [_data("b")]), _told("r3", 2, [_data("b", B, "annotation")], [_data("b", C), _data("b", B)])],
        C,
    ),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("origin", ["openai", ""])
def test_a_world_is_read_in_one_way(config: Config, world: str, origin: str) -> None:
    events, content = WORLDS[world]
    assert not _missing(config, events, content, origin)


def _removed(id_: str, content: str, by: str = "") -> bytes:
    origin = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4")
    return act_event(Removal(id_, origin, content, (A,), "Al <a@x.org>", by), run_id="x", time="2023-05-01T00:00:00Z")


def test_two_removals_that_only_together_cut_every_way(config: Config) -> None:
    events = [
        _declared(1, _data("g", A, tag=DECLARED)),
        _told("r1", 2, [_data("g", A)], [_data("b", B)]),
        _told("r2", 3, [_data("g", A)], [_data("c", C)]),
        _told("r3", 4, [_data("b", B), _data("c", C)], [_data("m", D)]),
        _removed("1", B),
        _removed("1", B, "bob"),
        _removed("2", C),
        _removed("2", C, "bob"),
    ]
    assert not _missing(config, events, D, "openai")
    assert not _missing(config, events[:-1], D, "openai")
    graph = Graph(scratch_store(), accept_clock=True)
    graph.record(events)
    answer = Inquiry(config, graph).case(D, "openai").answer
    assert (answer.contains.value, [taken.removals for taken in answer.taken]) == ("no", [("1", "2")])
