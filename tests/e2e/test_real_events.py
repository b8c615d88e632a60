"""What producers really send, through a real server on both databases: kept byte for byte, in whatever order, singly, in
batches and twice; and nothing that is sent again, emptied or marked as deleted takes a label away.

`LINEAGE_EVENTS=DIRECTORY` tries more of them (tests/e2e/events/README.md).
"""

from __future__ import annotations

import json
import os
import random
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from lineage.config import load
from lineage.events import dataset_event
from lineage.events.event import read
from lineage.events.foreign import receive
from lineage.gate import Gate
from lineage.graph import Graph
from lineage.store import scratch_store
from lineage.vocabulary import UNDECLARED, Artifact, Kind, Label, Origin, Tag
from tests.e2e.test_server import directory, recorded, served  # noqa: F401 - a fixture among them

HERE = Path(__file__).parent / "events"
MORE = os.environ.get("LINEAGE_EVENTS", "")
TIME = "2024-01-01T00:00:00Z"
Labels = dict[Artifact, frozenset[Label]]


def _events() -> list[bytes]:
    files = [HERE / "real.ndjson", *(sorted(Path(MORE).glob("*.ndjson")) if MORE else [])]
    return list(dict.fromkeys(line for file in files for line in file.read_bytes().splitlines()))


def _named(events: list[bytes]) -> list[Artifact]:
    """Every name of a dataset in some events."""
    names: dict[tuple[str, str], None] = {}
    for data in events:
        event = read(data)
        for dataset in (*event.inputs, *event.outputs, *([event.dataset] if event.dataset else [])):
            names |= {(name.namespace, name.name): None for name in (dataset, *dataset.other_names)}
        names |= {(name.namespace, name.name): None for name in (*event.read_too, *event.made_too)}
    return [Artifact(*name) for name in names]


def _labels(graph: Graph, artifacts: list[Artifact]) -> Labels:
    return {artifact: graph.labels(artifact).labels for artifact in artifacts}


def _taken_back(events: list[bytes]) -> list[bytes]:
    """The same once more, as if none of it had been meant: every facet deleted, nothing read, nothing made."""
    out = []
    for data in events:
        whole: dict[str, Any] = json.loads(data)
        for part in (whole, *(whole.get("inputs") or ()), *(whole.get("outputs") or ())):
            for dataset in (part, part.get("dataset") or {}, part.get("job") or {}):
                if dataset.get("facets"):
                    dataset["facets"] = {
                        name: {"_producer": "p", "_schemaURL": "s", "_deleted": True} for name in dataset["facets"]
                    }
        out.append(json.dumps(whole).encode())
        if "run" in whole:
            out.append(json.dumps({**whole, "inputs": []}).encode())
            out.append(json.dumps({**whole, "inputs": [], "outputs": []}).encode())
    return list(dict.fromkeys(out))


def test_real_events(directory: Path) -> None:  # noqa: F811
    events = _events()
    assert len(events) >= 74
    with closing(Graph(scratch_store())) as one:
        one.receive([(data, receive(data).event) for data in events])
        # each source gets an origin of its own, so that the labels of a dataset say which sources it rests on
        events += [
            dataset_event(Artifact(a.namespace, a.name, tags=(Tag(Origin(Kind.LICENSED, f"p{i}")),)), time=TIME)
            for i, a in enumerate(source.artifact for source in one.undeclared())
        ]
        one.receive([(data, receive(data).event) for data in events])
        artifacts = _named(events)
        expected = _labels(one, artifacts)
    assert sum(len(labels) for labels in expected.values()) > len(artifacts)  # some rest on several

    rnd = random.Random(5)
    sent = [*events, *rnd.sample(events, len(events) // 3)]
    rnd.shuffle(sent)
    singly, batches = sent[: len(sent) // 2], sent[len(sent) // 2 :]
    with served(directory) as server:
        producer = server.headers(server.token("producer", "Everybody", "*"))
        reader = server.headers(server.token("reader", "Lee <lee@example.com>"))
        with httpx2.Client(base_url=f"{server.url}/api/v1", headers=producer, timeout=60) as client:
            for data in singly:
                answer = client.post("/lineage", content=data)
                assert answer.status_code == 201, (data[:300], answer.text)
            while batches:
                size = rnd.randint(1, 40)
                answer = client.post("/lineage/batch", content=b"[" + b" ,\n".join(batches[:size]) + b"]")
                assert answer.status_code == 200 and not answer.json()["failed_events"], answer.text
                batches = batches[size:]
        entries = recorded(directory)
        assert [entries.count(data) for data in events] == [1] * len(events)  # each once, as it came
        with Gate.open(load(directory)) as gate:
            assert _labels(gate.graph, artifacts) == expected

        with httpx2.Client(base_url=f"{server.url}/api/v1", headers=reader, timeout=60) as client:
            told = client.get("/events/lineage", params={"limit": 1_000})
            runs = [data for data in events if read(data).run]
            assert told.json()["totalCount"] == len(runs) and all(data in told.content for data in runs[:1_000])
            for artifact in artifacts if MORE else rnd.sample(artifacts, 25):
                path = f"/namespaces/{quote(artifact.namespace, safe='')}/datasets/{quote(artifact.name, safe='')}"
                for answer in (
                    client.get(path),
                    client.get(f"{path}/versions"),
                    client.get(
                        "/lineage", params={"nodeId": f"dataset:{artifact.namespace}:{artifact.name}", "depth": 1}
                    ),
                    client.get("/column-lineage", params={"nodeId": f"dataset:{artifact.namespace}:{artifact.name}"}),
                ):
                    assert answer.status_code == 200, (artifact, answer.text)

        back = _taken_back(_events())
        answer = httpx2.post(
            f"{server.url}/api/v1/lineage/batch", content=b"[" + b",".join(back[:1_000]) + b"]", headers=producer
        )
        assert answer.status_code == 200, answer.text
        with Gate.open(load(directory)) as gate:
            after = _labels(gate.graph, artifacts)
        for artifact, labels in expected.items():
            assert {label for label in labels if label.origin != UNDECLARED} <= after[artifact]
        server.stop()
