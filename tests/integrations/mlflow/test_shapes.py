"""The shapes in which real projects combine DVC and MLflow, each on a real repository, with stages that import MLflow.

Every shape ends at the version's true sources, or nowhere: never in a clean answer that nobody established. The scripts
know nothing of lineagegate. Training on the web page is allowed, training on the dialogues is not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin
from tests.integrations.mlflow.example_project import POLICY, Project, clean_environment, refused

LIBRARY = '''
"""What the scripts of a project share: log a model of a file, cheaply."""
import json, sys, pathlib
import mlflow
from mlflow.entities import LoggedModelOutput, LoggedModelStatus

client = mlflow.MlflowClient()

def log(weights, name="model", register=""):
    run = mlflow.active_run().info
    model = mlflow.initialize_logged_model(name=name, source_run_id=run.run_id)
    place = pathlib.Path(model.artifact_location.removeprefix("file://"))
    place.mkdir(parents=True, exist_ok=True)
    (place / "MLmodel").write_text(model.model_id)
    (place / "weights.txt").write_text(weights)
    client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, 0)])
    mlflow.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    if register:
        mlflow.register_model(model.model_uri, register)
    return run.run_id
'''

SCRIPTS = {
    "library.py": LIBRARY,
    "fetch.py": "import sys, shutil; shutil.copy(*sys.argv[1:])\n",
    # train OUT IN…: the model is what was read, backwards
    "train.py": "import sys; open(sys.argv[1], 'w').write(''.join(open(p).read() for p in sys.argv[2:])[::-1])\n",
    "evaluate.py": (
        "import sys, json; from library import *\n"
        "model, out = sys.argv[1:3]\n"
        "with mlflow.start_run(): run = log('serialised again: ' + open(model).read())\n"
        "json.dump({'run_id': run}, open(out, 'w'))\n"
    ),
    "register.py": (
        "import sys, json; from library import *\n"
        "run = json.load(open(sys.argv[1]))['run_id']\n"
        "mlflow.register_model(f'runs:/{run}/model', sys.argv[2])\n"
    ),
    "train_and_register.py": (
        "import sys; from library import *\n"
        "name, *paths = sys.argv[1:]\n"
        "with mlflow.start_run():\n"
        "    text = ''.join(open(p).read() for p in paths)\n"
        "    mlflow.log_metric('size', len(text))\n"
        "    log('weights ' + text[::-1], register=name)\n"
    ),
    "train_and_log.py": (
        "import sys; from library import *\n"
        "with mlflow.start_run():\n"
        "    text = ''.join(open(p).read() for p in sys.argv[1:])\n"
        "    mlflow.log_metric('size', len(text))\n"
        "    log('weights ' + text[::-1])\n"
    ),
    "promote.py": (
        "import sys; from library import *\n"
        "best = mlflow.search_runs(order_by=['metrics.size DESC'], output_format='list')[0].info.run_id\n"
        "mlflow.register_model(f'runs:/{best}/model', sys.argv[1])\n"
    ),
}

WEB = "A page of our own, long enough to be something.\n" * 3
GPT = "A dialogue that a model of somebody else wrote.\n" * 5


class Pipeline(Project):
    """A git and DVC repository with declared raw data, settings, policy and ledger, and a registry in SQLite."""

    def __init__(self, root: Path, uri: str) -> None:
        super().__init__(root, uri)
        self.environment = clean_environment(MLFLOW_TRACKING_URI=uri, GIT_CONFIG_GLOBAL="/dev/null")

    def must(self, *command: str) -> str:
        done = self.call(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        return subprocess.run(
            [program, *command[1:]], cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip

    def repro(self, *targets: str) -> str:
        """Run stages. Returns what a refusal said, or nothing when all went well."""
        done = self.call("dvc", "repro", *targets)
        output = done.stdout + done.stderr
        if done.returncode == 0:
            return ""
        assert "refused by lineagegate" in output, output
        return output

    def stages(self, text: str, where: str = "dvc.yaml") -> None:
        path = self.root / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("stages:\n" + text)

    def commit(self) -> None:
        self.must("git", "add", "-A")
        self.must("git", "commit", "-qm", "next", "--no-verify")

    def declare(self, target: str, kind: Kind, provider: str = "") -> None:
        with Gate.open(start=self.root) as gate:
            gate.declare(target, Origin(kind, provider))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that every shape starts from, made once."""
    root = tmp_path_factory.mktemp("pipeline")
    pipeline = Pipeline(root, "")
    for name, text in SCRIPTS.items():
        (root / name).write_text(text)
    (root / "data").mkdir()
    (root / "data" / "web.txt").write_text(WEB)
    (root / "data" / "gpt.txt").write_text(GPT)
    pipeline.must("git", "init", "-q", "-b", "main")
    pipeline.must("git", "config", "user.name", "Ada Tester")
    pipeline.must("git", "config", "user.email", "ada@example.com")
    pipeline.must("dvc", "init", "-q")
    pipeline.must("dvc", "add", "-q", "data/web.txt", "data/gpt.txt")
    (root / ".gitignore").write_text("mlflow.db*\n/mlruns\n__pycache__/\n")
    (root / "lineage.toml").write_text('project = "shapes"\n')
    (root / "lineage.policy.yaml").write_text(POLICY)
    Gate.init(root)[0].close()
    pipeline.declare("data/web.txt.dvc", Kind.FIRST_PARTY)
    pipeline.declare("data/gpt.txt.dvc", Kind.THIRD_PARTY_MODEL_OUTPUT, "openai")
    pipeline.commit()
    return root


@pytest.fixture
def pipeline(template: Path, bare: Project) -> Pipeline:
    """A copy of the repository, with an empty registry."""
    root = bare.root / "repository"
    shutil.copytree(template, root, symlinks=True)
    return Pipeline(root, bare.uri)


def sources(pipeline: Pipeline, name: str) -> set[str]:
    """Kinds that the last decision about a model saw."""
    with Gate.open(start=pipeline.root) as gate:
        last = max(gate.decisions(name), key=lambda decision: decision.id)  # they sort by time
        return {label.origin.kind.value for label in last.labels}


def test_1_download_in_code_evaluate_logs_register_reads_the_run_id(pipeline: Pipeline) -> None:
    (pipeline.root / "far").mkdir()
    (pipeline.root / "far" / "web.txt").write_text(WEB * 2)
    (pipeline.root / "far" / "gpt.txt").write_text(GPT * 2)
    (pipeline.root / ".gitignore").open("a").write("/far\n")
    pipeline.stages(
        "  download:\n    foreach: [web, gpt]\n    do:\n      cmd: python fetch.py far/${item}.txt raw-${item}.txt\n"
        '      deps: [fetch.py]\n      outs: ["raw-${item}.txt"]\n'
        "  train:\n    foreach: [web, gpt]\n    do:\n      cmd: python train.py ${item}.model raw-${item}.txt\n"
        '      deps: [train.py, "raw-${item}.txt"]\n      outs: ["${item}.model"]\n'
        "  evaluate:\n    foreach: [web, gpt]\n    do:\n      cmd: python evaluate.py ${item}.model ${item}.json\n"
        '      deps: [evaluate.py, "${item}.model"]\n      outs: ["${item}.json"]\n'
        "  register:\n    foreach: [web, gpt]\n    do:\n      cmd: python register.py ${item}.json ${item}\n"
        '      deps: [register.py, "${item}.json"]\n'
    )
    text = pipeline.repro("register@web")
    assert "raw-web.txt (undeclared)" in text  # a stage that reads only code is a source that nobody spoke for
    pipeline.declare("download@web", Kind.FIRST_PARTY)
    pipeline.declare("data/web.txt.dvc", Kind.FIRST_PARTY)
    assert pipeline.repro("register@web") == ""
    assert sources(pipeline, "web") == {"first-party"}
    pipeline.must("dvc", "repro", "-q", "download@gpt")
    pipeline.declare("download@gpt", Kind.THIRD_PARTY_MODEL_OUTPUT, "openai")
    assert "raw-gpt.txt (third-party-model-output, openai)" in pipeline.repro("register@gpt")


def test_2_evaluate_registers_and_loads_pretrained_weights(pipeline: Pipeline) -> None:
    pipeline.stages(
        "  train:\n    cmd: python train.py web.model data/web.txt\n    deps: [train.py, data/web.txt]\n"
        "    outs: [web.model]\n"
        "  alone:\n    cmd: python train_and_register.py alone web.model\n"
        "    deps: [train_and_register.py, web.model]\n"
        "  pretrained:\n    cmd: python train_and_register.py tuned web.model data/gpt.txt\n"
        "    deps: [train_and_register.py, web.model, data/gpt.txt]\n"
    )
    assert pipeline.repro("alone") == ""
    text = pipeline.repro("pretrained")
    assert "data/gpt.txt -> pretrained -> models:/tuned" in text.replace("dvc.yaml:", "")
    assert sources(pipeline, "tuned") == {"first-party", "third-party-model-output"}


def test_3_train_registers_before_its_own_lock_entry_is_written(pipeline: Pipeline) -> None:
    pipeline.stages(
        "  mix:\n    cmd: python train.py mix.txt data/web.txt data/gpt.txt\n"
        "    deps: [train.py, data/web.txt, data/gpt.txt]\n    outs: [mix.txt]\n"
        "  train:\n    cmd: python train_and_register.py chat mix.txt\n    deps: [train_and_register.py, mix.txt]\n"
    )
    text = pipeline.repro("train")
    assert "data/gpt.txt -> mix -> train -> models:/chat" in text.replace("dvc.yaml:", "")
    assert "declared" in text
    assert pipeline.versions("chat") == []
    run = pipeline.client.search_runs(["0"])[0].data.tags
    assert run["lineage.dvc.stage"] == "dvc.yaml:train"
    assert [row[1] for row in json.loads(run["lineage.dvc.inputs"])] == ["mix.txt"]


def test_4_the_model_exists_only_in_mlflow_and_a_script_promotes_the_best_of_any_commit(pipeline: Pipeline) -> None:
    pipeline.stages(
        "  train:\n    cmd: python train_and_log.py data/web.txt data/gpt.txt\n"
        "    deps: [train_and_log.py, data/web.txt, data/gpt.txt]\n"
    )
    assert pipeline.repro("train") == ""
    pipeline.commit()
    pipeline.stages(
        "  train:\n    cmd: python train_and_log.py data/web.txt\n    deps: [train_and_log.py, data/web.txt]\n"
    )
    assert pipeline.repro("train") == ""
    pipeline.commit()
    done = pipeline.call(sys.executable, "promote.py", "chat")  # the larger one, of the commit before
    assert "data/gpt.txt" in done.stderr
    assert pipeline.versions("chat") == []
    best = pipeline.client.search_runs(["0"], order_by=["metrics.size DESC"])[0].info.run_id
    pipeline.client.delete_run(best)
    pipeline.must(sys.executable, "promote.py", "chat")
    assert sources(pipeline, "chat") == {"first-party"}


def test_5_a_new_run_in_the_register_stage(pipeline: Pipeline) -> None:
    pipeline.stages(
        "  train:\n    foreach: [web, gpt]\n    do:\n      cmd: python train.py ${item}.model data/${item}.txt\n"
        '      deps: [train.py, "data/${item}.txt"]\n      outs: ["${item}.model"]\n'
        "  register:\n    foreach: [web, gpt]\n    do:\n      cmd: python train_and_register.py ${item} ${item}.model\n"
        '      deps: [train_and_register.py, "${item}.model"]\n'
    )
    assert pipeline.repro("register@web") == ""
    assert sources(pipeline, "web") == {"first-party"}
    assert "data/gpt.txt" in pipeline.repro("register@gpt")


def test_6_runs_in_git_and_an_old_run_id_that_comes_back(pipeline: Pipeline) -> None:
    pipeline.environment["MLFLOW_TRACKING_URI"] = uri = f"file://{pipeline.root}/runs"
    text = (
        "  evaluate:\n    cmd: python evaluate.py data/{0}.txt run.json\n    deps: [evaluate.py, data/{0}.txt]\n"
        "    outs: [run.json]\n"
    )
    pipeline.stages(text.format("gpt"))
    assert pipeline.repro("evaluate") == ""
    pipeline.commit()
    old = json.loads((pipeline.root / "run.json").read_text())["run_id"]
    pipeline.stages(text.format("web"))
    assert pipeline.repro("evaluate") == ""
    pipeline.commit()
    assert json.loads((pipeline.root / "run.json").read_text())["run_id"] != old
    # back to the restricted data: DVC restores run.json from its run cache and starts no run
    pipeline.stages(text.format("gpt"))
    assert pipeline.repro("evaluate") == ""
    assert json.loads((pipeline.root / "run.json").read_text())["run_id"] == old
    status = pipeline.must("git", "status", "--porcelain", "runs")
    done = pipeline.call(sys.executable, "register.py", "run.json", "chat")
    assert "data/gpt.txt" in done.stderr
    assert "no-openai-in-training" in done.stderr
    # judging leaves the runs as they are: what git holds stays clean
    assert pipeline.must("git", "status", "--porcelain", "runs/0") == status == ""
    assert mlflow.MlflowClient(uri, uri).search_model_versions("name = 'chat'") == []


def test_7_matrix_working_directory_and_several_files(pipeline: Pipeline) -> None:
    pipeline.stages(
        "  make:\n    cmd: python ../train.py ../data/made.txt ../data/gpt.txt\n"
        "    deps: [../train.py, ../data/gpt.txt]\n    outs: [../data/made.txt]\n",
        "sub/dvc.yaml",
    )
    pipeline.stages(
        "  train:\n    matrix:\n      data: [web, made]\n      size: [s]\n    wdir: sub\n"
        "    cmd: python ../train_and_register.py m-${item.data} ../data/${item.data}.txt\n"
        '    deps: [../train_and_register.py, "../data/${item.data}.txt"]\n'
    )
    assert pipeline.repro("train@web-s") == ""
    text = pipeline.repro("train@made-s")
    assert "data/gpt.txt -> " in text
    assert "make" in text
    assert {v.name for v in pipeline.client.search_model_versions()} == {"m-web"}


def test_8_a_broken_graph_is_unknown_never_clean(pipeline: Pipeline) -> None:
    (pipeline.root / "loose.txt").write_text(GPT)
    (pipeline.root / ".gitignore").open("a").write("/loose*\n")
    pipeline.stages(
        # chained by their scripts: the first has no outputs, the second no dependencies but code
        "  first:\n    cmd: python fetch.py loose.txt loose-2.txt\n    deps: [fetch.py]\n"
        "  second:\n    cmd: python train_and_register.py chat loose-2.txt\n    deps: [train_and_register.py]\n"
    )
    pipeline.must("dvc", "repro", "-q", "first")
    text = pipeline.repro("second")
    assert "cannot be decided" in text, text
    assert "dvc.yaml:second" in text
    assert pipeline.versions("chat") == []


def test_outside_of_dvc(pipeline: Pipeline) -> None:
    """13 of 31 projects promote by a script of their own; a run that logged a tracked file is traced to it."""
    script = (
        "import sys, pandas; from library import *\n"
        "frame = pandas.DataFrame({'a': [1]})\n"
        "with mlflow.start_run():\n"
        "    mlflow.log_input(mlflow.data.from_pandas(frame, source=sys.argv[2]), context='training')\n"
        "    log('weights of ' + sys.argv[1], register=sys.argv[1])\n"
    )
    (pipeline.root / "script.py").write_text(script)
    pipeline.must(sys.executable, "script.py", "web", "data/web.txt")
    assert sources(pipeline, "web") == {"first-party"}
    tags = pipeline.client.search_runs(["0"])[0].inputs.dataset_inputs[0].tags
    assert {tag.key: tag.value for tag in tags}["lineage.namespace"] == "dvc://shapes"
    done = pipeline.call(sys.executable, "script.py", "gpt", "dvc:data/gpt.txt")
    assert "data/gpt.txt" in done.stderr
    assert pipeline.versions("gpt") == []


def test_in_a_temporary_experiment(pipeline: Pipeline) -> None:
    """The work tree is a copy below ``.dvc/tmp``; its ledger would be empty."""
    pipeline.stages(
        "  train:\n    cmd: python train_and_register.py chat data/gpt.txt\n"
        "    deps: [train_and_register.py, data/gpt.txt]\n"
    )
    pipeline.commit()
    done = pipeline.call("dvc", "exp", "run", "--temp")
    assert "no-openai-in-training" in done.stdout + done.stderr
    assert pipeline.versions("chat") == []


def test_a_run_made_by_hand_cannot_borrow_a_stage(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that claims to have run in a stage is not believed."""
    monkeypatch.chdir(pipeline.root)
    project = Project(pipeline.root, pipeline.uri)
    run = project.run(tags={"lineage.dvc.stage": "dvc.yaml:clean", "lineage.dvc.inputs": "[]"})
    assert "cannot be decided" in refused(lambda: project.register("chat", f"models:/{project.model(run)}"))
