"""A model that is registered by the stage that makes it, seen while it runs: what it did until then counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin
from tests.integrations.dvc.repository import Repo
from tests.integrations.dvc.test_hook import OWN, SIDE, Project
from tests.unit.capture.providers import Providers, providers

TRAIN = """\
import os, shutil, subprocess, sys, tempfile, urllib.request
import mlflow
mlflow.set_tracking_uri("file://" + os.getcwd() + "/mlruns")
client = mlflow.MlflowClient()
if not client.search_registered_models():
    client.create_registered_model("seed")
text = open("data/own.txt").read()
number = 0

def register(step, data=()):
    global number
    number += 1
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
        open(folder + "/weights.bin", "w").write(f"weights {number} of a model, " + text)
        mlflow.log_artifacts(folder, "model")
        client.log_inputs(run.info.run_id, list(data))
        open("model.txt", "w").write(run.info.run_id)
    try:
        client.create_model_version("seed", run.info.artifact_uri + "/model", run.info.run_id)
        print("STEP", step, "registered")
    except mlflow.exceptions.MlflowException as error:
        print("STEP", step, "refused", str(error))

def policy(text):
    open("lineage.policy.yaml", "w").write(text)

def call(times):
    for _ in range(times):
        urllib.request.urlopen("https://api.openai.com/v1/chat/completions", b"{}").read()

"""

PIPELINE = f"""\
stages:
  train:
    cmd: {sys.executable} src/train.py
    deps: [src/train.py, data/own.txt]
    outs: [model.txt]
  other:
    cmd: echo other > other.txt
    outs: [other.txt]
"""

POLICY = """\
default: allow
rules:
  - id: no-gpt
    match: {origin: {provider: openai}}
    effect: deny
    reason: the terms forbid it
"""

UNDECLARED = "default: allow\nundeclared: deny\n"

SEEN = "default: allow\nrequire:\n  - {id: seen, evidence: observed, reason: nobody else can check it}\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    """Providers on loopback."""
    with providers(tmp_path_factory.mktemp("providers")) as made:
        yield made


@pytest.fixture
def train(empty: Repo, served: Providers) -> Callable[..., dict[str, str]]:
    """Run a pipeline whose stage trains and registers; what became of each step."""
    empty.add("data/own.txt", OWN)
    empty.write("lineage.toml", 'project = "demo"\n')
    empty.write("lineage.policy.yaml", POLICY)
    empty.write("dvc.yaml", PIPELINE)
    Gate.init(empty.root)[0].close()
    project = Project(empty)
    with project.gate() as gate:
        gate.declare("data/own.txt.dvc", Origin(Kind.HUMAN_ANNOTATION))
    empty.commit("pipeline")

    def run(steps: str, *, seen: bool = True) -> dict[str, str]:
        empty.write("src/train.py", TRAIN + steps)
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true", "PYTHONWARNINGS": "ignore"}
        more = served.environment() | quiet
        said = (project.exec if seen else project.run)("dvc", "repro", "-f", **more).stdout
        parts = (part.partition(" ") for part in said.split("STEP ")[1:])
        return {step: rest for step, _, rest in parts}

    return run


def test_what_a_stage_did_until_then_counts(train: Callable[..., dict[str, str]], empty: Repo, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text(SIDE)
    said = train(
        f"""
register("before")
policy({UNDECLARED!r})
register("declared")
policy({SEEN!r})
register("seen")
open({str(tmp_path / "outside.csv")!r}).read()
policy({UNDECLARED!r})
register("undeclared")
policy({POLICY!r})
child = "import urllib.request; urllib.request.urlopen('https://api.openai.com/v1/x').read()"
subprocess.run([sys.executable, "-c", child])
register("child")
call(5)
register("calls")
kept = {{name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LINEAGE_")}}
register("unset")
os.environ.update(kept)
folder = os.environ["LINEAGE_EXECUTION"]
with tempfile.TemporaryDirectory() as false:
    os.mkdir(false + "/1-2")
    shutil.copy(folder + "/start", false + "/1-2")
    open(false + "/journal", "w").write("start 1-2\\n")
    os.environ["LINEAGE_EXECUTION"] = false + "/1-2"
    register("elsewhere")
os.environ["LINEAGE_EXECUTION"] = folder
os.environ["DVC_STAGE"] = "other"
register("another-stage")
del os.environ["DVC_STAGE"]
from mlflow.entities import Dataset, DatasetInput
own = Dataset("own", "1", "local", '{{"uri": "data/own.txt"}}')
register("no-stage", [DatasetInput(own)])
os.environ["DVC_STAGE"] = "train"
name, = [name for name in os.listdir(folder) if name.startswith(str(os.getpid()))]
lines = open(folder + "/" + name).read().splitlines(True)
open(folder + "/" + name, "w").writelines(line for line in lines if "openai" not in line)
register("forged")
shutil.rmtree(folder)
register("gone")
"""
    )
    assert said["before"].startswith("registered")
    assert said["declared"].startswith("registered"), said["declared"]
    assert said["seen"].startswith("registered"), said["seen"]
    assert "undeclared" in said["undeclared"] and "outside.csv" in said["undeclared"]
    assert "observed: 1 call to api.openai.com while it was made" in said["child"]
    assert "observed: 6 calls to api.openai.com while it was made" in said["calls"]
    assert "no-gpt" in said["unset"]
    assert "cannot be decided" in said["elsewhere"] and "another record" in said["elsewhere"]
    assert "cannot be decided" in said["another-stage"]
    assert "cannot be decided" in said["no-stage"] and "not the stage that runs" in said["no-stage"]
    assert "cannot be decided" in said["forged"] and "does not follow from those before" in said["forged"]
    assert "cannot be decided" in said["gone"] and "is gone" in said["gone"]


def test_a_model_of_a_stage_that_nobody_saw(train: Callable[..., dict[str, str]]) -> None:
    said = train(f"policy({SEEN!r})\nregister('unseen')\ncall(1)\npolicy({POLICY!r})\nregister('calls')\n", seen=False)
    assert "not seen while running" in said["unseen"]
    assert said["calls"].startswith("registered")  # what nobody looks at is not known


LATER = """\
import os, mlflow
mlflow.set_tracking_uri("file://" + os.getcwd() + "/mlruns")
client = mlflow.MlflowClient()
run = client.get_run(open("model.txt").read())
try:
    client.create_model_version("seed", run.info.artifact_uri + "/model", run.info.run_id)
    print("registered")
except mlflow.exceptions.MlflowException as error:
    print("refused", error)
"""

LOG = """\
with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
    open(folder + "/weights.bin", "w").write("weights of a model, " + text)
    mlflow.log_artifacts(folder, "model")
    open("model.txt", "w").write(run.info.run_id)
"""


def test_a_model_that_is_registered_when_its_stage_is_over(
    train: Callable[..., dict[str, str]], empty: Repo, served: Providers
) -> None:
    project, quiet = Project(empty), {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
    train(f"policy({SEEN!r})\n" + LOG)
    assert project.run(sys.executable, "-c", LATER, **quiet).stdout == "registered\n"  # its run was seen
    train(f"call(2)\npolicy({POLICY!r})\n" + LOG)
    said = project.run(sys.executable, "-c", LATER, **quiet).stdout
    assert "no-gpt" in said and "observed: 2 calls to api.openai.com" in said
