"""Traces that MLflow keeps of a run: what they tell of counts at a registration, and that there are none says nothing."""

from __future__ import annotations

import http.server
import json
import sqlite3
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow.store.tracking.rest_store import RestStore
from mlflow.tracing.client import TracingClient
from mlflow.utils.rest_utils import MlflowHostCreds

from lineage.errors import CannotDecide
from lineage_mlflow.reading import Reading
from tests.integrations.mlflow.example_project import Project, refused
from tests.integrations.mlflow.test_ancestry import labels

GPT = {"mlflow.llm.model": "gpt-4o", "mlflow.llm.provider": "openai"}
OPENAI = ("third-party-model-output", "content")


@pytest.fixture(autouse=True)
def _in_this_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    mlflow.tracing.reset()


def trace(project: Project, run: str, kind: str = "CHAT_MODEL", **attributes: str) -> str:
    """A trace of one call in a run; it is kept when MLflow finds the time."""
    with mlflow.start_run(run_id=run), mlflow.start_span("call", span_type=kind) as span:
        span.set_inputs("SECRET")
        span.set_attributes({key.replace("__", "."): value for key, value in attributes.items()})
    return str(span.trace_id)


def test_a_restricted_call_sticks_and_others_do_not(project: Project) -> None:
    run, other = project.run("s3://own/a.csv"), project.run("s3://own/b.csv")
    with mlflow.start_run(run_id=run), mlflow.start_span("framework", span_type="CHAT_MODEL") as around:
        around.set_attributes(GPT)
        for _ in range(2):
            with mlflow.start_span("client", span_type="CHAT_MODEL") as span:
                span.set_attributes(GPT)
    trace(project, other, kind="AGENT", mlflow__llm__model="gpt-4o")
    text = refused(lambda: project.register("chat", f"models:/{project.model(run)}"))  # not flushed before
    assert "observed: 2 calls to gpt-4o at a host of openai by its own traces in its run" in text
    assert labels(project, "chat") == {("first-party", "content"), OPENAI}
    assert "SECRET" not in text
    assert project.register("other", f"models:/{project.model(other)}").version == 1


@pytest.mark.parametrize(
    "attributes",
    [
        {"mlflow.message.format": "openai"},
        {"mlflow.llm.model": "our-deployment", "mlflow.message.format": "openai"},
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "azure.ai.openai", "gen_ai.request.model": "prod"},
    ],
)
def test_what_a_span_says_of_whose_model_it_was(project: Project, attributes: dict[str, str]) -> None:
    """A client that says no provider, and spans of OpenTelemetry's conventions."""
    kind = "UNKNOWN" if "gen_ai.operation.name" in attributes else "CHAT_MODEL"
    run = project.run("s3://own/a.csv")
    trace(project, run, kind, **attributes)
    assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))


def test_traces_of_nested_runs_count_and_say_nothing_of_what_was_read(project: Project) -> None:
    run = project.run("s3://own/a.csv")
    trace(project, project.run(parent=run), **GPT)
    assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
    bare = project.run()
    trace(project, bare, mlflow__llm__model="a model of our own", mlflow__llm__provider="vllm")
    assert "says nothing of what it read" in refused(lambda: project.register("bare", f"models:/{project.model(bare)}"))


def test_a_use_is_what_the_stage_declares_and_nobody_else(project: Project) -> None:
    from mlflow.entities import RunTag
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    declared = '[["api.openai.com", "evaluation"]]'
    claimed, run = (project.run("s3://own/a.csv", tags={"lineage.dvc.uses": declared}) for _ in "ab")
    for one in claimed, run:
        trace(project, one, **GPT)
    assert "no-openai-in-training" in refused(lambda: project.register("a", f"models:/{project.model(claimed)}"))
    ungated = SqlAlchemyStore(project.uri, str(project.root / "artifacts"))
    ungated.set_tag(run, RunTag("lineage.dvc.uses", declared))  # as `lineage_mlflow.tracking` does in a stage
    assert project.register("b", f"models:/{project.model(run)}").version == 1
    assert labels(project, "b") == {("first-party", "content"), ("third-party-model-output", "evaluation")}


def test_traces_whose_spans_lie_with_the_artifacts(project: Project) -> None:
    run = project.run("s3://own/a.csv")
    named = trace(project, run, **GPT)
    mlflow.flush_trace_async_logging()
    client = TracingClient(project.uri)
    whole = client.get_trace(named)
    client._upload_trace_data(whole.info, whole.data)
    with sqlite3.connect(project.root / "mlflow.db") as database:
        database.execute("delete from spans")
        database.execute("delete from trace_tags where key = 'mlflow.trace.spansLocation'")
    model = project.model(run)
    assert "no-openai-in-training" in refused(lambda: project.register("chat", f"models:/{model}"))
    (place,) = Path(project.root).rglob("traces.json")
    place.unlink()
    assert f"trace {named} of the run cannot be read" in refused(lambda: project.register("chat", f"models:/{model}"))


@pytest.mark.parametrize(("status", "code"), [(404, "ENDPOINT_NOT_FOUND"), (403, "PERMISSION_DENIED")])
def test_a_server_without_traces_and_one_that_does_not_show_them(project: Project, status: int, code: str) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"error_code": code, "message": "no"}).encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    run = project.client.get_run(project.run())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        remote = RestStore(lambda: MlflowHostCreds(f"http://127.0.0.1:{server.server_address[1]}"))
        try:
            if status == 404:
                assert not Reading(remote).calls(run)
            else:
                with pytest.raises(CannotDecide, match="the traces of run"):
                    Reading(remote).calls(run)
        finally:
            server.shutdown()


def test_a_store_that_is_no_database(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Project(project.root, f"file://{project.root}/mlruns")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", files.uri)
    run, clean = files.run("s3://own/a.csv"), files.run("s3://own/b.csv")
    trace(files, run, **GPT)
    assert "no-openai-in-training" in refused(lambda: files.register("chat", f"models:/{files.model(run)}"))
    assert files.register("other", f"models:/{files.model(clean)}").version == 1
