"""A registration with MLflow whose pipeline's sources are searched by content first, the ledger in either database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import mlflow
import pytest

from lineage.cli.group import run
from lineage.vocabulary import Basis, Kind, Origin
from tests.integrations.dvc.repository import ENVIRONMENT, Repo
from tests.integrations.mlflow.example_project import POLICY, QUIET, SETTINGS, Project, configure, refused
from tests.redteam.corpus import Corpus

OPENAI = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai")
CHECKED = POLICY.replace("default: allow\n", "default: allow\ncontent: {check: clean}\n")
GPT, OWN = Corpus(1).records(400), Corpus(2).records(400)
TRAIN = (
    "import hashlib, sys; open(sys.argv[2], 'w').write(hashlib.sha512(open(sys.argv[1], 'rb').read()).hexdigest() * 9)"
)
STAGE = "  {0}:\n    cmd: python train.py {0}.txt {0}.bin\n    deps: [train.py, {0}.txt]\n    outs: [{0}.bin]\n"


def text(records: list[str]) -> str:
    return "".join(" ".join(record.split()) + "\n" for record in records)


@pytest.fixture
def searching(store_url: str, tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Models of a DVC pipeline, trained on a file of our own, on one that is declared ours and holds 20 restricted
    records in capitals, and on one that is no text."""
    for key in list(os.environ):
        if key.startswith(("LINEAGE_", "DVC_", "GIT_", "MLFLOW_", "_MLFLOW_")):
            monkeypatch.delenv(key)
    for key, value in {**ENVIRONMENT, **QUIET}.items():
        monkeypatch.setenv(key, value)
    shutil.copy(database, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", uri)
    monkeypatch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", None)
    repo = Repo(tmp_path)
    repo.git("init", "-q", "-b", "main")
    repo.dvc("init", "-q")
    repo.add("gpt.txt", text(GPT))
    repo.add("own.txt", text(OWN))
    repo.add("mixed.txt", text([*OWN[:100], *(record.upper() for record in GPT[:20])]))
    repo.add("picture.txt", "\0\1\2 no text" * 99)
    repo.write("train.py", TRAIN)
    repo.write("dvc.yaml", "stages:\n" + "".join(map(STAGE.format, ("own", "mixed", "picture"))))
    repo.dvc("repro", "-q")
    repo.commit("work")
    configure(tmp_path, f'store = "{store_url}"\n{SETTINGS}', CHECKED)
    assert run(["declare", "gpt.txt.dvc", "--kind", "third-party-model-output", "--provider", "openai"]) == 0
    for name in ("own", "mixed", "picture"):
        assert run(["declare", f"{name}.txt.dvc", "--kind", "first-party"]) == 0
    return Project(tmp_path, uri)


def trained(project: Project, name: str) -> str:
    """A logged model with the weights that the pipeline made."""
    return f"models:/{project.model(project.run(), (project.root / f'{name}.bin').read_text())}"


def test_what_is_declared_clean_is_searched_before_it_is_registered(searching: Project) -> None:
    said = refused(lambda: searching.register("chat", trained(searching, "mixed")))
    assert "no-openai-in-training" in said and "mixed.txt" in said
    said = refused(lambda: searching.register("chat", trained(searching, "picture")))
    assert "cannot be decided" in said and "picture.txt cannot be read as records" in said
    assert searching.versions("chat") == []
    assert searching.register("chat", trained(searching, "own")).version == 1
    with searching.gate as gate:
        (tag,) = [r.tag for r in gate.graph.tags(gate.resolve("mixed.txt")) if r.tag.basis is Basis.MATCHED]
    assert tag.origin == OPENAI and "of 120 records" in tag.reason
