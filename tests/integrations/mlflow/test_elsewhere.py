"""A real ``mlflow server`` with PostgreSQL and several workers, judged by the team's server over HTTP, or by the store
that both share. Whatever is in the way refuses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx2
import mlflow
import pytest

from lineage.config import load
from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content, Input, Kind, Origin, Tag, Use
from lineage_mlflow.ancestry import STAGE, packed
from tests.conftest import _admin
from tests.e2e.test_server import Served, recorded, served
from tests.integrations.dvc.repository import ENVIRONMENT, Repo
from tests.integrations.mlflow.example_project import (
    POLICY,
    SETTINGS,
    Project,
    Server,
    clean_environment,
    configure,
    refused,
)

TEAM = '\n[mlflow]\nwait = 1\n\n[team]\nserver = {server}\ngate = "server"\npatience = 5\n'
DATA = Artifact("dvc://demo", "data/clean.jsonl", Content("md5:" + "c" * 32, 900))


def postgres(url: str) -> list[str]:
    """Arguments of ``mlflow server`` for a database, with two workers."""
    parts = urlsplit(url)
    uri = f"postgresql+pg8000://postgres@{parts.path}?unix_sock={parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
    return ["--workers", "2", "--backend-store-uri", uri, "--registry-store-uri", f"lineage+{uri}"]


@contextlib.contextmanager
def database(directory: str) -> Iterator[str]:
    """Another empty database of the tests' PostgreSQL."""
    name = f"t{uuid.uuid4().hex}"
    with contextlib.closing(_admin(directory)) as connection:
        connection.run(f"CREATE DATABASE {name}")
    yield f"postgresql://postgres@localhost/{name}?host={directory}"
    with contextlib.closing(_admin(directory)) as connection:
        connection.run(f"DROP DATABASE {name} WITH (FORCE)")


class Team(NamedTuple):
    """The team's server, an MLflow server that it judges, and the token that the latter has."""

    lineage: Served
    mlflow: Server
    token: str


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Team]:
    """One for all; the last test takes it apart."""
    root = tmp_path_factory.mktemp("team")
    (root / "lineage").mkdir()
    (root / "lineage" / "lineage.policy.yaml").write_text(POLICY)
    (root / "mlflow").mkdir()
    with served(root / "lineage") as lineage, database(postgres_server) as url:
        token = lineage.token("gate", "MLflow")
        settings = SETTINGS + TEAM.format(server=json.dumps(lineage.url))
        configure(root / "mlflow", settings, "mode: enforce\ndefault: allow\nrules: []\n")
        server = Server(root / "mlflow", arguments=postgres(url), environment={"LINEAGE_TOKEN": token})
        try:
            yield Team(lineage, server, token)
        finally:
            server.close()


class Client(Project):
    """An MLflow client as old as may be: it knows nothing of lineagegate."""

    def model(self, run: str, weights: str = "", name: str = "model", beside: Any = None) -> str:
        model = self.client.create_logged_model(self.experiment(), name=name, source_run_id=run)
        files = self.root / f"files-{run}"
        files.mkdir()
        (files / "weights.bin").write_text(weights or f"weights of {run} " * 4)
        self.client.log_model_artifacts(model.model_id, str(files))
        self.client.finalize_logged_model(model.model_id, mlflow.entities.LoggedModelStatus.READY)
        return str(model.model_id)


def client(bare: Project, server: Server, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", server.uri)
    return Client(bare.root, server.uri)


def claimed(one: Client, server: Server, *inputs: Artifact) -> str:
    """A run whose client says, as those with lineagegate do, that it ran in a stage and read data there."""
    tags = {STAGE: "dvc.yaml:train", **packed([Input(artifact, Use.CONTENT) for artifact in inputs])}
    said = [{"key": key, "value": value} for key, value in tags.items()]
    status, answer = server.post("/api/2.0/mlflow/runs/create", experiment_id=one.experiment(), start_time=1, tags=said)
    assert status == 200, answer
    return str(answer["run"]["info"]["run_id"])


def pipeline() -> bytes:
    """What the pipeline tells of the data, from another machine."""
    return run_event(
        run_id="6f0e6c0e-5d9c-5c65-9b8c-6f2f0b8f3d21", job=("dvc://demo", "dvc.yaml:clean"),
        time="2026-01-01T00:00:00Z", inputs=[Input(Artifact("s3://own", "raw"))], outputs=[DATA],
    )  # fmt: skip


def test_judged_over_http(team: Team, bare: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    one = client(bare, team.mlflow, monkeypatch)
    good, bad = one.run("s3://own/a.csv"), one.run("s3://gpt/a.csv")
    version = one.register("chat", f"models:/{one.model(good)}")
    found = one.client.get_model_version("chat", version.version)
    assert found.tags["lineage.outcome"] == "allow" and "— " in found.tags["lineage.checkpoint"]
    text = refused(lambda: one.register("bad", f"models:/{one.model(bad)}"))
    page = f"{team.lineage.url}/decision?id="  # where whoever reads it can look: nothing of it is on their machine
    for part in ("registration of 'bad' refused by lineagegate", "no-openai-in-training", "gpt/a.csv", page):
        assert part in text
    assert f"[explained]({page}{found.tags['lineage.decision']})" in found.description
    one.client.set_registered_model_alias("chat", "live", version.version)
    with Gate.open(load(team.lineage.directory)) as gate:
        decision = gate.decision(found.tags["lineage.decision"])
        assert decision is not None and decision.subject == "models:/chat" and decision.by == "MLflow"
        changes = [event for event in recorded(team.lineage.directory) if b"lineage_registry" in event]
        assert len(changes) == 2
    with Gate.open(load(team.mlflow.root)) as gate:  # nothing was decided there
        assert gate.decisions() == []

    with ThreadPoolExecutor(8) as pool:  # several workers, several threads
        models = [f"models:/{one.model(one.run('s3://own/a.csv'))}" for _ in range(8)]
        made = list(pool.map(lambda item: one.register(f"m{item[0]}", item[1]).version, enumerate(models)))
    assert len(made) == 8


def test_origins_are_shown_as_the_ledger_that_judges_knows_them(
    team: Team, bare: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = Artifact("s3://lake", "bought.csv", tags=(Tag(Origin(Kind.LICENSED, "example-press")),))
    headers = team.lineage.headers(team.lineage.token("producer", "Lake", "s3://lake"))
    said = dataset_event(bought, time="2026-01-01T00:00:00Z")
    assert httpx2.post(f"{team.lineage.url}/api/v1/lineage", content=said, headers=headers).status_code == 201
    one = client(bare, team.mlflow, monkeypatch)
    run = one.client.get_run(one.run("s3://lake/bought.csv"))
    assert run.data.tags["lineage.origins"] == "licensed example-press"


def test_lineage_that_is_under_way(team: Team, bare: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    one = client(bare, team.mlflow, monkeypatch)
    source = f"models:/{one.model(claimed(one, team.mlflow, DATA))}"
    text = refused(lambda: one.register("early", source))
    assert "waits for the lineage of data/clean.jsonl (md5:cccc" in text and "lineagegate sync" in text
    producer = team.lineage.token("producer", "CI", "dvc://demo", "s3://own")
    steward = team.lineage.token("steward", "Jane Roe <jane@example.com>")
    with ThreadPoolExecutor(1) as pool:  # it arrives while the gate waits
        later = pool.submit(lambda: one.register("early", source))
        time.sleep(0.3)
        sent = httpx2.post(
            f"{team.lineage.url}/api/v1/lineage", content=pipeline(), headers=team.lineage.headers(producer)
        )
        assert sent.status_code == 201
        answer = str(later.exception(60))
        assert "(undeclared)" in answer and "s3://own/raw" in answer  # it is known now, and nobody spoke for it
    body = {"target": "s3://own/raw", "origin": {"kind": "first-party"}}
    said = httpx2.post(f"{team.lineage.url}/api/v1/declare", json=body, headers=team.lineage.headers(steward))
    assert said.status_code == 201, said.text
    assert one.register("early", source).version == "1"


TRAIN = """\
import tempfile, urllib.request
import mlflow

client = mlflow.MlflowClient()
text = open("data/own.txt").read()
number = 0

def call():
    try:
        urllib.request.urlopen("http://api.openai.com:9/v1", timeout=0.01)  # no such port: nothing leaves the machine
    except OSError:
        pass

def register(step):
    global number
    number += 1
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        open(folder + "/weights.bin", "w").write(f"weights {number} of a model, " + text)
        mlflow.log_artifacts(folder, "model")
        open("model.txt", "w").write(run.info.run_id)
    try:
        client.create_model_version(MODEL, run.info.artifact_uri + "/model", run.info.run_id)
        print("STEP", step, "registered")
    except mlflow.exceptions.MlflowException as error:
        print("STEP", step, "refused", error)

"""


class Trainer:
    """A machine that trains in a DVC stage under `lineagegate exec`, and registers on the team's MLflow server.

    Args:
        root: a directory.
        team: the servers.
        name: of the project and of the model.
    """

    def __init__(self, root: Path, team: Team, name: str) -> None:
        root.mkdir()
        repo = Repo(root)
        repo.git("init", "-q", "-b", "main")
        repo.dvc("init", "-q")
        repo.add("data/own.txt", "A line that was written by a person of our own, long enough to mean something.\n")
        settings = f'project = "{name}"\n\n[team]\nserver = {json.dumps(team.lineage.url)}\npatience = 5\n'
        configure(root, settings, "mode: enforce\ndefault: allow\nrules: []\n")
        repo.write("dvc.yaml", f"""\
stages:
  train:
    cmd: {sys.executable} train.py
    deps: [train.py, data/own.txt]
    outs: [model.txt]
""")  # fmt: skip
        self.root, self.name, self.repo = root, name, repo
        self.environment = {"MLFLOW_TRACKING_URI": team.mlflow.uri, "MLFLOW_EXPERIMENT_NAME": name, "NO_PROXY": "*"}
        self.token(team.lineage.token("producer", name, f"dvc://{name}", f"exec://{name}"))
        with Gate.open(load(root)) as gate:
            gate.declare("data/own.txt.dvc", Origin(Kind.HUMAN_ANNOTATION))
        repo.commit("pipeline")
        assert self.run("lineagegate", "sync").returncode == 0

    def token(self, token: str) -> None:
        file = self.root / ".lineage" / "token"
        file.write_text(token)
        file.chmod(0o600)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(SHELL="/bin/bash", **self.environment)
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=180, check=False
        )

    def train(self, steps: str) -> dict[str, str]:
        """What became of each step."""
        self.repo.write("train.py", f"MODEL = {self.name!r}\n{TRAIN}{steps}")
        done = self.run("lineagegate", "exec", "--", "dvc", "repro", "-f")
        assert done.returncode == 0, done.stdout + done.stderr
        parts = (part.partition(" ") for part in done.stdout.split("STEP ")[1:])
        return {step: rest for step, _, rest in parts}


def test_registered_by_the_stage_that_makes_it_and_judged_elsewhere(
    team: Team, bare: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    trainer = Trainer(bare.root / "trainer", team, "seen")
    one = client(bare, team.mlflow, monkeypatch)
    one.client.create_registered_model("seen")
    said = trainer.train(
        """
register("before")
call()
register("called")
open(".lineage/token", "w").write("lgt_01M8TNDQJ3N4T3Y5JG4Q6V2X8K_none")
call()
register("away")
"""
    )
    assert said["before"].startswith("registered"), said["before"]
    assert "no-openai-in-training" in said["called"]
    assert "observed: 1 call to api.openai.com while it was made" in said["called"]
    assert "does not have what was recorded here" in said["away"]
    # the stage is over, and what was seen of it has not arrived: whoever registers it now waits
    run = one.client.get_run((trainer.root / "model.txt").read_text())
    source = f"{run.info.artifact_uri}/model"
    text = refused(lambda: one.register("seen", source, run_id=run.info.run_id))
    assert "waits for what was seen of stage dvc.yaml:train while it ran" in text and "lineagegate sync" in text
    trainer.token(team.lineage.token("producer", "seen", "dvc://seen", "exec://seen"))
    assert trainer.run("lineagegate", "sync").returncode == 0
    text = refused(lambda: one.register("seen", source, run_id=run.info.run_id))
    assert "no-openai-in-training" in text, text
    assert "2 calls to api.openai.com while it was made" in text, text
    assert len(one.versions("seen")) == 1


def test_judged_by_the_store_that_all_share(
    tmp_path: Path, postgres_url: str, postgres_server: str, bare: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "mlflow"
    root.mkdir()
    with contextlib.ExitStack() as held:
        store = held.enter_context(database(postgres_server))
        configure(root, f"store = {json.dumps(store)}\n" + SETTINGS + "\n[mlflow]\nwait = 1\n")
        server = Server(root, arguments=postgres(postgres_url))
        held.callback(server.close)
        one = client(bare, server, monkeypatch)
        assert one.register("chat", f"models:/{one.model(one.run('s3://own/a.csv'))}").version == "1"
        assert "no-openai" in refused(lambda: one.register("bad", f"models:/{one.model(one.run('s3://gpt/a.csv'))}"))
        source = f"models:/{one.model(claimed(one, server, DATA))}"
        assert "waits for the lineage of data/clean.jsonl" in refused(lambda: one.register("early", source))
        with Gate.open(load(root)) as gate:
            gate.record([pipeline()])
        assert "(undeclared)" in refused(lambda: one.register("early", source))


def test_whatever_is_in_the_way_refuses(team: Team, bare: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    one = client(bare, team.mlflow, monkeypatch)
    source = f"models:/{one.model(one.run('s3://own/a.csv'))}"
    one.register("last", source)
    identity = team.token.split("_")[1]
    done = httpx2.post(f"{team.lineage.url}/api/v1/tokens/{identity}/revoke", headers=team.lineage.headers())
    assert done.status_code == 200
    text = refused(lambda: one.register("last", source))
    assert "this token was revoked" in text and "ask an administrator for another" in text
    team.lineage.stop()
    text = refused(lambda: one.register("last", source))
    assert "does not answer" in text and f"curl {team.lineage.url}/health" in text
    refused(lambda: one.client.set_registered_model_alias("last", "live", 1))
    assert len(one.versions("last")) == 1
