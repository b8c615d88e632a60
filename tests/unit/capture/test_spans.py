"""Spans that a real program writes of its calls: OpenTelemetry's SDK with each convention, and MLflow's tracing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from lineage.capture import hook, spool
from lineage.capture.observer import lineage_record as record
from lineage.capture.spool import Seen
from tests.unit.capture.providers import providers

BEFORE = """
import json, sys
from opentelemetry.sdk.trace import TracerProvider
tracer = TracerProvider().get_tracer("test")
def span(**attributes):
    with tracer.start_as_current_span("s", attributes=attributes): pass
"""

CONVENTIONS = {
    "OpenTelemetry": (
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "prod",
         "gen_ai.response.model": "gpt-4o-2024-08-06", "server.address": "own.openai.azure.com", "server.port": 443,
         "gen_ai.usage.input_tokens": 3, "gen_ai.input.messages": "SECRET", "gen_ai.output.messages": "SECRET"},
        "azure.ai.openai\tgpt-4o-2024-08-06\town.openai.azure.com",
    ),
    "OpenTelemetry before 1.37": (
        {"gen_ai.operation.name": "text_completion", "gen_ai.system": "aws.bedrock", "gen_ai.request.model": "a.claude",
         "gen_ai.prompt": "SECRET"}, "aws.bedrock\ta.claude\t",
    ),
    "without an operation": ({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o"}, "openai\tgpt-4o\t"),
    "embeddings": (
        {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "cohere", "gen_ai.request.model": "embed-v4"},
        "cohere\tembed-v4\t",
    ),
    "OpenInference": (
        {"openinference.span.kind": "LLM", "llm.model_name": "claude-3", "llm.provider": "anthropic",
         "input.value": "SECRET", "llm.input_messages.0.message.content": "SECRET"}, "anthropic\tclaude-3\t",
    ),
    "OpenLLMetry": (
        {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
         "gen_ai.openai.api_base": "https://user:SECRET@llm.internal:8080/v1", "gen_ai.prompt.0.content": "SECRET"},
        "OpenAI\tgpt-4o\tllm.internal:8080",
    ),
    "MLflow": (
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"gpt-4o"', "mlflow.message.format": '"openai"',
         "mlflow.spanInputs": "SECRET"}, "openai\tgpt-4o\t",
    ),
    "a name with everything in it": (
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "a\tb\n\u202e\ud800", "gen_ai.request.model": "x" * 2000},
        "a b \u202e\\ud800\t" + "x" * 200 + "\t",
    ),
}  # fmt: skip

OTHERS: dict[str, dict[str, object]] = {
    "an agent": {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
    },
    "a tool": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
    "a chain": {"openinference.span.kind": "CHAIN", "llm.model_name": "m"},
    "a workflow": {"traceloop.span.kind": "workflow", "llm.request.model": "m"},
    "a retriever": {"mlflow.spanType": '"RETRIEVER"', "mlflow.llm.model": '"m"'},
    "a request": {"http.request.method": "POST", "server.address": "api.openai.com"},
    "values that are no text": {
        "gen_ai.operation.name": True,
        "gen_ai.request.model": 3.5,
        "gen_ai.system": ["openai"],
    },
}


def run(root: Path, code: str, **more: str) -> tuple[Seen, str]:
    """Run a program under the observer; what was seen, and all that was written of it."""
    where = root / ".lineage" / "spool"
    where.mkdir(parents=True)
    folder = spool.begin(where, ["test"], mode="python")
    # MLflow leaves the experiment of other tests in the variables
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("MLFLOW_")} | more
    environment = hook.environment(hook.Hook(where, None, "/bin/sh"), plain, mode="python", execution=folder)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, timeout=180)  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = "".join(file.read_text() for file in folder.glob("*.jsonl"))
    spool.seal(folder, 0)
    (seen,) = spool.executions(where, spool.journal(where))
    assert seen.faults == ()
    assert "broken" not in seen.things
    return seen, written


def test_each_convention(tmp_path: Path) -> None:
    every = [attributes for attributes, _ in CONVENTIONS.values()] + list(OTHERS.values())
    code = BEFORE + f"for one in json.loads({json.dumps(json.dumps(every))}): span(**one)\nspan(**json.loads({json.dumps(json.dumps(every[0]))}))"  # fmt: skip
    seen, written = run(tmp_path, code)
    said = [text for _, text in CONVENTIONS.values()]
    assert seen.things["span"] == Counter([*said, said[0]])
    assert "SECRET" not in written


def test_the_table_in_the_docs_names_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "observation.md").read_text()
    for name in "OpenTelemetry", "OpenTelemetry before 1.37", "OpenInference", "OpenLLMetry", "MLflow":
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} | ")]
        known = {*record._KINDS, *record._PROVIDERS, *record._MODELS, *record._ADDRESSES, "mlflow.message.format"}
        assert set(re.findall(r"`(.+?)`", row)) <= known
        assert name in CONVENTIONS


def test_spans_around_a_call_are_of_the_same_call(tmp_path: Path) -> None:
    code = """
import threading
def llm(model): return tracer.start_as_current_span("s", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": model})
with llm("framework"):
    with tracer.start_as_current_span("something between"):
        with llm("client"): pass
        with llm("client"): pass
with llm("alone"): pass
late = tracer.start_span("s", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "twice"})
late.end(); late.end()
threads = [threading.Thread(target=lambda: [span(**{"gen_ai.request.model": "threads"}) for _ in range(100)]) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
"""
    seen, _ = run(tmp_path, BEFORE + code)
    assert seen.things["span"] == {"\tclient\t": 2, "\talone\t": 1, "\ttwice\t": 1, "\tthreads\t": 800}


def test_the_program_is_left_alone(tmp_path: Path) -> None:
    """What it exports is what it would export; a provider that somebody shut down, and spans that are not kept."""
    code = """
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider(); provider.add_span_processor(SimpleSpanProcessor(kept))
with provider.get_tracer("t").start_as_current_span("s", attributes={"gen_ai.request.model": "m"}) as one: pass
assert [s.name for s in kept.get_finished_spans()] == ["s"] and dict(one.attributes) == {"gen_ai.request.model": "m"}
provider.shutdown()
with provider.get_tracer("t").start_as_current_span("s", attributes={"gen_ai.request.model": "m"}): pass
off = TracerProvider(sampler=sampling.ALWAYS_OFF).get_tracer("t")
with off.start_as_current_span("s", attributes={"gen_ai.request.model": "not sampled"}): pass
"""
    seen, _ = run(tmp_path, BEFORE + code)
    assert seen.things["span"] == {"\tm\t": 2}


def test_mlflow_traces_what_its_clients_call(tmp_path: Path) -> None:
    """Its own instruments of the real clients, and a decorator around one of the calls."""
    code = f"""
import mlflow, openai, anthropic
mlflow.set_tracking_uri("file://{tmp_path}/mlruns")
mlflow.openai.autolog(); mlflow.anthropic.autolog()
client = openai.OpenAI(max_retries=0)
ask = lambda: client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "SECRET"}}])
ask(); ask()
mlflow.trace(ask, span_type="CHAT_MODEL")()
anthropic.Anthropic(max_retries=0).messages.create(model="claude-4", max_tokens=1, messages=[{{"role": "user", "content": "SECRET"}}])
"""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    with providers(tmp_path) as served:
        seen, written = run(tmp_path, code, **served.environment(), **quiet)
    spans = {tuple(text.split("\t")[:1]): number for text, number in seen.things["span"].items()}
    assert spans == {("openai",): 3, ("anthropic",): 1}
    requests = seen.things["request"]
    assert (requests["api.openai.com"], requests["api.anthropic.com"]) == (3, 1)
    assert "SECRET" not in written
