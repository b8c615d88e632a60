"""``usage import`` and ``usage reconcile``: what is recorded, what is left open, and what is never kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.capture.usage import Logged
from lineage.errors import UsageError
from lineage.events import naming, run_event
from lineage.events.event import dataset_event
from lineage.gate import Gate
from lineage.gate import usage as reconciling
from lineage.gate.content import identify
from lineage.gate.usage import Groups
from lineage.vocabulary import Basis, Call, Execution, Kind, Observation, Origin, Tag
from tests.unit.capture.logs import azure, bucket, gateway, models, otlp, span
from tests.unit.cli.conftest import Cli

WORDS = "the quick harbour of seven lanterns keeps {} its ledgers in a drawer beside the window number {} of the hall"
ANSWERS = [
    WORDS.format(i * 7919, f"{'abcdefghij'[i % 10]}{'klmnopqrst'[i // 10]}" * 3) + f" {i} evening" for i in range(60)
]


def at(minute: int, hour: int = 9) -> str:
    return f"2023-03-02T{hour:02d}:{minute:02d}:10Z"


def lines(path: Path, entries: Iterable[Any]) -> str:
    path.write_text("".join(json.dumps(e) + "\n" for e in entries), encoding="utf-8")
    return path.name


def seen(name: str, start: str, end: str, channel: str, number: int = 10, counted: str = "requests") -> bytes:
    """An observed execution."""
    observation = Observation((name,), start, end, 0, "python", calls=(Call("host", number, counted, channel),))
    job = (naming.dvc_namespace("seed"), f"dvc.yaml:{name}")
    how = Execution("dvc", f"dvc.yaml:{name}", "observed")
    return run_event(run_id=naming.run_id("seen", name), job=job, time=end, execution=how, observation=observation)


def rows(cli: Cli) -> dict[str, Any]:
    return {row["channel"]: row for row in cli("usage", "reconcile", verb="usage-reconcile").document["calls"]}


def test_calls_that_nobody_saw_and_a_way_that_nobody_declared(project: Path, cli: Cli) -> None:
    with Gate.open() as gate:
        gate.record([seen("ask", at(10), at(20), "azure-openai")])
    lines(project / "azure.jsonl", [azure(at(i)) for i in range(30)])
    lines(project / "gate.jsonl", [gateway(at(i), "api.openai.com") for i in range(5)])
    imported = cli("usage", "import", "azure.jsonl", "gate.jsonl", verb="usage-import").document["logs"]
    assert [(log["requests"], log["state"]) for log in imported] == [(30, "imported"), (5, "imported")]

    ran = cli("usage", "reconcile")
    assert ran.status == 1
    first, *rest = ran.out.splitlines()
    assert first == "25 of 35 calls in 2 imported logs cannot be those of an observed execution."
    assert any("its sources are declared to have come another way (azure-openai)" in line for line in rest)
    found = rows(cli)
    assert found["azure-openai"]["findings"] == ["NOT_OBSERVED"]
    assert found["azure-openai"]["unseen"] == 20  # one made ten, whenever they were
    assert found["openai"]["findings"] == ["NOT_OBSERVED", "CHANNEL_NOT_DECLARED"]


def test_spans_of_a_program_are_held_against_what_was_seen(project: Path, cli: Cli) -> None:
    """With and without the host: a client says `openai` of Azure as well."""
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4o"}
    start = 1677747600  # 09:00
    lines(project / "traces.jsonl", [
        otlp(span(start + 600, gen_ai__provider__name="azure.ai.openai", server__address="own.openai.azure.com", **chat)),
        otlp(span(start + 610, gen_ai__system="openai", **chat), span(start + 1800, gen_ai__system="openai", **chat)),
    ])  # fmt: skip
    assert cli("usage", "import", "traces.jsonl", verb="usage-import").document["logs"][0]["formats"] == ["otlp"]
    with Gate.open() as gate:
        gate.record([seen("ask", at(9), at(11), "azure-openai")])
    assert {channel: row["unseen"] for channel, row in rows(cli).items()} == {"azure-openai": 0, "": 1}


def test_all_is_accounted_for(project: Path, cli: Cli) -> None:
    with Gate.open() as gate:
        gate.record([seen("ask", at(0), at(59), "azure-openai", 30)])
    lines(project / "azure.jsonl", [azure(at(i)) for i in range(30)])
    cli("usage", "import", "azure.jsonl")
    ran = cli("usage", "reconcile")
    assert ran.status == 0
    first = "Nothing in 1 imported log is left open: observed executions may have made 30 calls."
    assert ran.out.splitlines()[0] == first


def test_many_calls_are_not_those_of_an_execution_that_made_few(project: Path, cli: Cli) -> None:
    with Gate.open() as gate:
        gate.record([seen("ask", at(10), at(12), "azure-openai", 2), seen("more", at(11), at(13), "azure-openai", 1)])
    others = [azure(at(12), properties={"modelDeploymentName": "o", "modelName": "o3-mini"})] * 2
    lines(project / "azure.jsonl", [azure(at(m)) for m in (10, 11, 11, 11, 12)] + others)
    cli("usage", "import", "azure.jsonl")
    document = cli("usage", "reconcile", verb="usage-reconcile").document
    assert sum(row["requests"] for row in document["calls"]) == 7
    assert document["unseen"] == 4
    with Gate.open() as gate:  # nobody knows how many requests a connection carried
        gate.record([seen("other", at(10), at(12), "azure-openai", 1, "connections")])
    assert cli("usage", "reconcile", verb="usage-reconcile").document["unseen"] == 0


def test_logs_are_compared_in_one_zone_whatever_theirs_is(project: Path, cli: Cli) -> None:
    with Gate.open() as gate:
        gate.record([seen("ask", "2023-03-02T09:10:00+00:00", "2023-03-02T14:42:00+05:30", "azure-openai", 2)])
    lines(
        project / "zones", [azure("2023-03-02T14:41:00+05:30"), azure("2023-03-02T01:11:00-08:00"), azure(at(11, 14))]
    )
    cli("usage", "import", "zones")
    assert rows(cli)["azure-openai"]["unseen"] == 1


def test_a_provider_and_a_model_that_nobody_declared(project: Path, cli: Cli) -> None:
    lines(project / "a", [gateway(at(1), "api.anthropic.com", BackendResponseBody='{"model": "claude-3-opus"}')])
    lines(project / "b", [azure(at(1), properties={"modelDeploymentName": "o", "modelName": "o3-mini"})])
    cli("usage", "import", "a", "b")
    found = rows(cli)
    assert "PROVIDER_NOT_DECLARED" in found["anthropic"]["findings"]
    assert "MODEL_NOT_DECLARED" in found["azure-openai"]["findings"]
    assert found["azure-openai"]["service"] == "o3-mini"


def test_counts_by_the_hour_are_held_against_what_was_counted(project: Path, cli: Cli) -> None:
    start = 1677747600  # 09:00
    lines(project / "usage", [bucket(start, 25)])
    cli("usage", "import", "usage")
    with Gate.open() as gate:
        gate.record([seen("ask", at(10), at(20), "openai", 10)])
    assert rows(cli)["openai"]["unseen"] == 15
    with Gate.open() as gate:
        gate.record([seen("more", at(30), at(40), "openai", 1, "connections")])  # one may carry many requests
    assert rows(cli)["openai"]["unseen"] == 0


def test_what_was_observed_and_is_in_no_log(project: Path, cli: Cli) -> None:
    lines(project / "azure.jsonl", [azure(at(0)), azure(at(59))])
    cli("usage", "import", "azure.jsonl")
    with Gate.open() as gate:
        gate.record([seen("ask", at(20), at(25), "azure-openai"), seen("direct", at(20), at(25), "openai")])
    (gap,) = cli("usage", "reconcile", verb="usage-reconcile").document["notLogged"]
    assert (gap["stage"], gap["calls"]) == ("dvc.yaml:ask", 10)


def test_answers_are_found_in_what_is_declared_clean(project: Path, cli: Cli) -> None:
    lines(project / "log.jsonl", [models(at(i % 60, 9 + i // 60), text) for i, text in enumerate(ANSWERS)])
    own = project / "tickets.jsonl"
    own.write_text("".join(json.dumps({"text": text.upper()}) + "\n" for text in ANSWERS[:40]))
    other = project / "other.jsonl"
    other.write_text(
        "".join(json.dumps({"text": f"a question that is nobody's answer at all {i}"}) + "\n" for i in range(40))
    )
    with Gate.open() as gate:
        for path in (own, other):
            artifact = identify(gate, path)
            assert artifact is not None
            tags = (Tag(Origin(Kind.FIRST_PARTY), by="Lin"),)
            gate.record(
                [
                    dataset_event(
                        type(artifact)(artifact.namespace, artifact.name, artifact.content, artifact.type, tags),
                        time=at(1),
                    )
                ]
            )
    (log,) = cli("usage", "import", "log.jsonl", verb="usage-import").document["logs"]
    assert (log["answers"], log["indexed"]) == (60, True)
    ran = cli("usage", "reconcile", verb="usage-reconcile")
    assert ran.status == 1
    (found,) = ran.document["found"]
    assert found["source"]["name"].endswith("tickets.jsonl")
    assert (found["found"], found["enough"], found["declared"]) == (40, True, [{"kind": "first-party"}])
    assert found["origin"] == {
        "kind": "third-party-model-output",
        "provider": "openai",
        "service": "gpt-4",
        "channel": "azure-openai",
    }
    assert "recorded as a tag" in cli("usage", "reconcile", "--tag").out
    with Gate.open() as gate:
        artifact = identify(gate, own)
        assert artifact is not None
        assert {r.tag.basis for r in gate.graph.tags(artifact)} == {Basis.DECLARED, Basis.MATCHED}


def test_no_text_is_kept(project: Path, cli: Cli) -> None:
    lines(project / "log.jsonl", [models(at(1), ANSWERS[0]), gateway(at(2), "api.openai.com", ANSWERS[1])])
    cli("usage", "import", "log.jsonl")
    for path in (project / ".lineage").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"lanterns" not in data and b"nobody's answer" not in data, path


def test_a_log_is_recorded_once(project: Path, cli: Cli) -> None:
    lines(project / "log.jsonl", [azure(at(1)), {"a": 1}])
    first = cli("usage", "import", "log.jsonl", verb="usage-import").document["logs"][0]
    entries = cli("status", verb="status").document["status"]["entries"]
    (project / "copy.jsonl").write_bytes((project / "log.jsonl").read_bytes())
    again = cli("usage", "import", "copy.jsonl", verb="usage-import").document["logs"][0]
    assert again == {**first, "state": "known"}
    assert cli("status", verb="status").document["status"]["entries"] == entries
    assert cli("usage", "reconcile", verb="usage-reconcile").document["requests"] == 1
    assert cli("ledger", "verify").status == 0


def test_what_cannot_be_read_changes_nothing(project: Path, cli: Cli) -> None:
    (project / "bad").write_text("just words")
    before = cli("status", verb="status").document["status"]["entries"]
    assert cli("usage", "import", "bad", verb="error").document["error"]["code"] == "LOG_UNREADABLE"
    assert cli("usage", "import", "none", verb="error").document["error"]["code"] == "PATH_MISSING"
    assert cli("usage", "reconcile", verb="error").document["error"]["code"] == "LOG_MISSING"
    assert cli("status", verb="status").document["status"]["entries"] == before
    assert not list((project / ".lineage").glob("content/.building-*"))


def test_hostile_names_are_shown_and_not_obeyed(project: Path, cli: Cli) -> None:
    name = "\x1b[2J\u202e<script>\n" + "x" * 2000
    lines(
        project / "log",
        [azure(at(1), properties={"modelDeploymentName": name, "modelName": name}, resourceId=f"/{name}")],
    )
    cli("usage", "import", "log")
    out = cli("usage", "reconcile").out
    assert "\x1b" not in out and "\u202e" not in out and "x" * 300 not in out
    assert cli("usage", "reconcile", verb="usage-reconcile").status == 1


def test_a_log_of_too_many_names_is_refused(project: Path, cli: Cli) -> None:
    lines(project / "log", [azure(at(1), properties={"modelDeploymentName": str(i)}) for i in range(1100)])
    assert cli("usage", "import", "log", verb="error").document["error"]["code"] == "LOG_UNREADABLE"


calls = st.builds(
    lambda start, length, number: Logged("openai", start, start + length, number, 0, "openai", "openai", "gpt-4", "", "", ()),
    st.integers(1, 10**7), st.sampled_from([0, 0, 60, 3600, 86_400]), st.integers(0, 9),
)  # fmt: skip


@given(st.lists(calls, max_size=60))
def test_no_request_is_lost_when_times_are_taken_together(entries: list[Logged]) -> None:
    groups = Groups()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciling, "MOST_TIMES", 20)
        try:
            for entry in entries:
                groups.take(entry)
        except UsageError as error:
            assert error.code == "LOG_UNREADABLE"
            return
    found = groups.calls()
    assert sum(group.requests for group in found) == sum(entry.requests for entry in entries)
    for group in found:
        assert sum(number for _, number in group.times) == group.requests
        assert len(group.times) <= 20 and list(group.times) == sorted(group.times)
