"""Reading logs of providers: every format, every shape of file, hostile input, bounded memory."""

from __future__ import annotations

import csv
import gzip
import json
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.capture import usage
from lineage.capture.usage import Logged, Tally, logged
from lineage.errors import UsageError
from tests.unit.capture.logs import azure, bucket, diagnostics, gateway, models, otlp, span

T = "2023-03-02T09:30:00.1234567Z"
AT = 1677749400


def read(path: Path) -> tuple[list[Logged], Tally]:
    tally = Tally()
    return list(logged(path, tally)), tally


def lines(path: Path, entries: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(e) + "\n" for e in entries), encoding="utf-8")
    return path


def table(path: Path, entries: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(entries[0]))
        writer.writeheader()
        writer.writerows(entries)
    return path


def test_azure_openai(tmp_path: Path) -> None:
    found, tally = read(lines(tmp_path / "PT1H.json", [
        azure(T), azure(T, resultSignature="429"), azure(T, operationName="ListDeployments"), azure(T, category="Audit"),
    ]))  # fmt: skip
    call, failed = found
    assert call == Logged("azure-openai", AT, AT, 1, 0, "azure-openai", "openai", "gpt-4", "seed-east", "gpt4-prod", ())
    assert (failed.requests, failed.failed) == (0, 1)
    assert tally.entries == 4
    assert tally.left == {"it manages files or deployments": 1, "its category is Audit": 1}


def test_spans_of_opentelemetry(tmp_path: Path) -> None:
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4o"}
    said = json.dumps([
        {"role": "user", "parts": [{"type": "text", "content": "a question"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "an answer"}]},
    ])  # fmt: skip
    azure_ = {**chat, "gen_ai__provider__name": "azure.ai.openai", "server__address": "own.openai.azure.com"}
    found, tally = read(lines(tmp_path / "traces.jsonl", [
        otlp(span(AT, "a", "b", **azure_, gen_ai__output__messages=said), span(AT, "b", **chat)),
        otlp(span(AT, status=2, **azure_), span(AT, **{"http.request.method": "POST"}), name="other"),
        otlp(span(AT, gen_ai__system="openai", gen_ai__request__model="gpt-4", gen_ai__completion__0__content="{no message}",
                  gen_ai__request__max_tokens=3, gen_ai__response__finish_reasons=["stop"])),
        otlp(span(AT, llm__model_name="m", openinference__span__kind="LLM")),
        {"resourceSpans": []},
    ]))  # fmt: skip
    assert found == [
        Logged("otlp", AT, AT, 1, 0, "azure-openai", "openai", "gpt-4o", "generator", "", ("an answer",)),
        Logged("otlp", AT, AT, 0, 1, "azure-openai", "openai", "gpt-4o", "other", "", ()),
        Logged("otlp", AT, AT, 1, 0, "", "openai", "gpt-4", "generator", "", ("{no message}",)),
    ]
    assert tally.entries == 6
    assert tally.left == {
        "it is no span of a call to a model, or one around such a span": 2,
        "it names no provider": 1,
    }


def test_the_same_in_every_shape(tmp_path: Path) -> None:
    one = [azure(T)]
    rows = [diagnostics("2023-03-02T09:30:00.123Z")]
    query = {"tables": [{"name": "PrimaryResult", "columns": [{"name": n.replace(" [UTC]", ""), "type": "string"} for n in rows[0]],
                         "rows": [list(rows[0].values())]}]}  # fmt: skip
    shapes = {
        "lines": json.dumps(one[0]) + "\n",
        "bom": "\ufeff" + json.dumps(one[0]),
        "blank": "\n\n" + json.dumps(one[0]) + "\n\n",
        "list": json.dumps(one, indent=2),
        "hub": json.dumps({"records": one}, indent=1),
        "hub-lines": json.dumps({"records": one}) + "\n",
        "query": json.dumps(query, indent=2),
    }
    for name, text in shapes.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "packed").write_bytes(gzip.compress(shapes["lines"].encode()))
    table(tmp_path / "table", rows)
    table(tmp_path / "portal", [{**rows[0], "TimeGenerated [UTC]": "3/2/2023, 9:30:00.123 AM"}])
    for file in tmp_path.iterdir():
        found, tally = read(file)
        assert [(c.start, c.channel, c.deployment, c.account, c.requests) for c in found] == [
            (AT, "azure-openai", "gpt4-prod", "seed-east", 1)
        ], file.name
        assert not tally.left
        assert tally.zoneless == (file.name == "portal")


def test_through_the_gateway(tmp_path: Path) -> None:
    found, tally = read(lines(tmp_path / "log", [
        gateway(T, "seed.openai.azure.com", "an answer"),
        gateway(T, "api.openai.com", "another answer"),
        gateway(T, "api.openai.com", "another answer"),  # the same request once more
        gateway(T, "intern.example.com"),
        gateway(T, "10.0.0.1", BackendUrl="https://10.0.0.1/openai/deployments/gpt4-prod/chat/completions?api-version=1"),
        gateway(T, "api.anthropic.com", "refused", BackendResponseCode=500),
    ]))  # fmt: skip
    assert [(c.channel, c.provider, c.service, c.deployment, c.answers) for c in found] == [
        ("azure-openai", "openai", "gpt-4", "", ("an answer",)),
        ("openai", "openai", "gpt-4", "", ("another answer",)),
        ("azure-openai", "openai", "gpt-4", "gpt4-prod", ()),
        ("anthropic", "anthropic", "gpt-4", "", ()),
    ]
    assert [c.failed for c in found] == [0, 0, 0, 1]
    assert tally.left == {"it was sent to no host of the catalogue": 1}
    inner = {"method": "POST", "backendUrl": "https://api.openai.com/v1", "backendResponseCode": 200}
    nested = {"time": T, "category": "GatewayLogs", "resourceId": "/x/seed-gate", "properties": inner}
    ((call,), _) = read(lines(tmp_path / "nested", [nested]))
    assert (call.channel, call.account) == ("openai", "seed-gate")


def test_large_answers_are_split_and_counted_once(tmp_path: Path) -> None:
    found, _ = read(lines(tmp_path / "log", [models(T, "first part"), models(T, "second part", number=1)]))
    assert [(c.requests, c.answers) for c in found] == [(1, ("first part",)), (0, ("second part",))]
    assert found[0].channel == "azure-openai"


@pytest.mark.parametrize(
    ("response", "answers"),
    [
        ('data: {"choices":[{"delta":{"role":"assistant","content":"one "}}]}\n\ndata: {"choices":[{"delta":{"content":"two"}}]}\n\ndata: [DONE]', ("one two",)),
        ('{"choices":[{"text":"an old completion"}]}', ("an old completion",)),
        ('{"output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a response"}]}]}', ("a response",)),
        ('{"role":"assistant","content":[{"type":"text","text":"a claude"}],"model":"claude-3"}', ("a claude",)),
        ('{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"a text that is cut sho', ("a text that is cut sho",)),
        ('{"choices":[{"message":{"content":"an escape that is cut \\u00', ("an escape that is cut ",)),
        ('{"error":{"code":"429"}}', ()), ("not json", ()), ("", ()), ("[" * 5000, ()),
    ],
)  # fmt: skip
def test_answers(tmp_path: Path, response: str, answers: tuple[str, ...]) -> None:
    ((call,), _) = read(lines(tmp_path / "log", [gateway(T, "api.openai.com", BackendResponseBody=response)]))
    assert call.answers == answers


def test_usage_of_openai(tmp_path: Path) -> None:
    page = {"object": "page", "data": [bucket(AT, 5), bucket(AT + 3600, 7, None)], "has_more": False}
    (tmp_path / "page").write_text(json.dumps(page, indent=2))
    lines(tmp_path / "lines", [bucket(AT, 5), bucket(AT + 3600, 7, None)])
    rows = [
        {"start_time": b["start_time"], "end_time": b["end_time"], "start_time_iso": "2023-03-02T09:30:00+00:00",
         **{k: "" if v is None else v for k, v in b["results"][0].items()}}
        for b in page["data"]
    ]  # fmt: skip
    table(tmp_path / "table", rows)
    for name in ("page", "lines", "table"):
        found, tally = read(tmp_path / name)
        assert [(c.start, c.end - c.start, c.requests, c.service, c.account) for c in found] == [
            (AT, 3600, 5, "gpt-4-0613", "proj_1"), (AT + 3600, 3600, 7, "", "proj_1"),
        ]  # fmt: skip
        assert {c.provider for c in found} == {"openai"} and not tally.left
    early = {"aggregation_timestamp": AT, "n_requests": 3, "operation": "completion", "snapshot_id": "gpt-4-0314"}
    ((call,), _) = read(lines(tmp_path / "early", [early]))
    assert (call.requests, call.end - call.start, call.service) == (3, 86_400, "gpt-4-0314")


def test_times(tmp_path: Path) -> None:
    def start(time: str) -> tuple[int | None, Tally]:
        found, tally = read(lines(tmp_path / "log", [azure(time)]))
        return (found[0].start if found else None), tally

    assert start("2023-03-02T11:30:00+02:00")[0] == AT
    assert start("2023-03-02T09:30:00.1Z")[0] == AT
    assert start("2023-03-02 09:30:00")[0] == AT and start("2023-03-02 09:30:00")[1].zoneless == 1
    for broken in ("yesterday", "0001-01-01T00:00:00Z", "", "99999999999999999999"):
        moment, tally = start(broken)
        assert moment is None and sum(tally.left.values()) == 1
    local = [{"TimeGenerated [Local Time]" if "UTC" in k else k: v for k, v in diagnostics(T).items()}]
    found, tally = read(table(tmp_path / "local", local))
    assert not found and tally.left == {"its times are local; export them in UTC": 1}


def test_broken_entries_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "LONGEST", 100_000)
    text = "\n".join(
        [json.dumps(azure(T)), '{"time": "2023', "null", '"text"', "[1, null]", json.dumps(azure(T, properties="{")),
         json.dumps(azure(T, padding="x" * 200_000)), json.dumps({"a": 1}),
         json.dumps(bucket(AT, 1) | {"results": 5}), json.dumps(bucket(AT, -1)), "[" * 50_000, json.dumps(azure(T))]
    )  # fmt: skip
    (tmp_path / "log").write_text(text)
    found, tally = read(tmp_path / "log")
    assert len(found) == 2
    assert sum(tally.left.values()) == tally.entries - 2 == 11
    (tmp_path / "first").write_text('{"time": "2023\n' + json.dumps(azure(T)) + "\n" + json.dumps(azure(T)))
    assert len(read(tmp_path / "first")[0]) == 2


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe{\0}\0", b"just words\n", b"a,a\n1,2\n", b"one\n1\n", b"{\n  broken", b'a,b\n"1,2\n', b"a,b\n\xff,2\n",
     b"\x1f\x8b\x08\x00 not gzip"],
)  # fmt: skip
def test_what_is_no_log_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log").write_bytes(data)
    with pytest.raises(UsageError, match="cannot be read as a log"):
        read(tmp_path / "log")


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    assert read(tmp_path / "log")[0] == []


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        for i in range(5_000):
            stream.write(
                json.dumps(models(f"2023-03-02T09:{i // 60 % 60:02d}:{i % 60:02d}.{i}Z", "an answer " * 20)) + "\n"
            )
    tracemalloc.start()
    assert sum(call.requests for call in logged(tmp_path / "log", Tally())) == 5_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


texts = st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda t: t.encode("utf-8", "replace")))
fields = st.sampled_from(
    ["time", "TimeGenerated", "category", "properties", "results", "start_time", "end_time", "num_model_requests", "records",
     "data", "tables", "BackendUrl", "ResponseMessages", "ModelName", "CorrelationId", "n_requests", "BackendResponseBody",
     "resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "stringValue", "startTimeUnixNano", "spanId"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([T, "RequestResponse", "https://api.openai.com"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=5),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(texts, st.lists(values, max_size=4).map(lambda vs: "\n".join(map(json.dumps, vs)).encode())))
def test_any_file_is_read_or_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "log").write_bytes(data)
    try:
        for call in logged(tmp_path / "log", Tally()):
            assert call.requests >= 0 and call.end >= call.start > 0
    except UsageError as error:
        assert error.code == "LOG_UNREADABLE"
