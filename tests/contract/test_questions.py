"""The lawyer's questions give the same answers on both databases, now and of the past, and the same bytes twice."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from lineage.config import load
from lineage.events.event import dataset_event
from lineage.evidence.case import Contains
from lineage.evidence.document import encode
from lineage.gate import Gate
from lineage.gate.impact import of_origin, of_source
from lineage.gate.questions import contains, history, share
from lineage.gate.recall import rejudge, replay
from lineage.gate.wanted import Wanted
from lineage.ledger import leaf_hash
from lineage.vocabulary import Change, Happening, Input, Scope, Use
from tests.unit.cli.conftest import GPT, OWN, POLICY, TIME, dataset, model, stage

OPENAI = Wanted(provider="openai")
CHAT = "models:/seed-chat/1"


def project(root: Path, store_url: str) -> Gate:
    """gpt4 and tickets -> clean -> seed-chat/1, registered with an alias; tickets and, to measure it, gpt4 -> seed-own/1."""
    (root / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    Gate.init(root, project="seed", store=store_url)[0].close()
    gate = Gate.open(load(root, store=store_url))
    gpt, tickets, clean = dataset("data/gpt4", "1", GPT), dataset("data/tickets", "2", OWN), dataset("data/clean", "4")
    chat, own = model("seed-chat", 1, "5"), model("seed-own", 1, "6")
    gate.record([
        dataset_event(gpt, time=TIME),
        dataset_event(tickets, time=TIME),
        stage("clean", [Input(gpt), Input(tickets)], [clean]),
        stage("train", [Input(clean)], [chat]),
        stage("train-own", [Input(tickets), Input(gpt, Use.EVALUATION)], [own]),
    ])  # fmt: skip
    decision = gate.judge(chat, model="seed-chat", subject="models:/seed-chat", action="register")
    gate.changed(Change("seed-chat", Happening.CREATED, "1", decision=decision.id, by="Jo", registry="mlflow://local"))
    gate.changed(Change("seed-chat", Happening.ALIAS, "1", "champion", by="Jo", registry="mlflow://local"))
    return gate


def test_questions(tmp_path: Path, store_url: str) -> None:
    with project(tmp_path, store_url) as gate:
        found = contains(gate, CHAT, OPENAI)
        assert found.answer.contains is Contains.YES
        assert [s.run for s in found.traces[0].path] == ["", "clean", "train"]
        assert contains(gate, CHAT, Wanted("anthropic")).answer.contains is Contains.NO
        assert [s.bytes for s in share(gate, CHAT, OPENAI).shares] == [1000, 1000]
        read = [item for item in history(gate, "", OPENAI).items if item.kind == "executed"]
        assert sorted(item.subject for item in read) == ["clean", "train", "train-own"]
        touched = of_origin(gate, OPENAI).models
        assert [(m.artifact.display, m.uses) for m in touched] == [
            (CHAT, (Use.CONTENT,)), ("models:/seed-own/1", (Use.EVALUATION,)),
        ]  # fmt: skip
        reached = of_source(gate, gate.resolve("data/gpt4"))
        assert [(m.artifact.display, m.version and m.version.aliases) for m in reached.models] == [
            (CHAT, ("champion",)), ("models:/seed-own/1", ()),
        ]  # fmt: skip
        assert [(v.version.model, v.was and v.was.value) for v in rejudge(gate)[0].versions] == [("seed-chat", "deny")]
        assert replay(gate).changed == ()


def test_a_case_is_the_same_bytes_twice_and_stays_so(tmp_path: Path, store_url: str) -> None:
    with project(tmp_path, store_url) as gate:
        case = gate.case(CHAT, "openai")
        assert encode(gate.case(CHAT, "openai")) == encode(case)
        for entry in case.entries:
            data, recorded = gate.graph.event(entry.position)
            assert (leaf_hash(data).hex(), recorded) == (entry.hash, entry.recorded)
        assert {e for t in case.traces for step in t.path for e in step.entries} <= {e.position for e in case.entries}
        assert case.seal is not None
        assert case.seal.keys
        then = datetime.now(timezone.utc).isoformat()
        with gate.at(known_at=then) as past:
            before = encode(past.case(CHAT, "openai"))
        gate.grant(Scope(provider="openai"), reference="C-1")
        gate.record([stage("again", [Input(dataset("data/gpt4", "1"))], [dataset("data/more", "7")])])
        with gate.at(known_at=then) as past:
            assert encode(past.case(CHAT, "openai")) == before
        assert gate.case(CHAT, "openai").grants
