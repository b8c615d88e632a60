"""From an ordinary git + DVC repository to a verdict, with the installed command and nothing replaced."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

SCHEMAS = Path(__file__).parents[2] / "schemas" / "cli"

MAKE = r"""
import pathlib, sys
text = "".join(pathlib.Path(name).read_text() for name in sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(f"{sys.argv[1]}\n{text.upper()}")
"""
DVC_YAML = """
stages:
  clean:
    cmd: python src/make.py data/clean.txt data/raw/web.txt data/raw/gpt4.txt
    deps: [src/make.py, data/raw/web.txt, data/raw/gpt4.txt]
    outs: [data/clean.txt]
  train:
    cmd: python src/make.py model.pkl data/clean.txt
    deps: [src/make.py, data/clean.txt]
    outs: [model.pkl]
  train-own:
    cmd: python src/make.py own.pkl data/raw/web.txt
    deps: [src/make.py, data/raw/web.txt]
    outs: [own.pkl]
"""
POLICY = """
mode: enforce
models:
  - {name: "seed-*", competes-with: openai}
  - {name: summariser, competes-with: []}
rules:
  - id: no-gpt
    match: {origin: {provider: openai}, model: {competes-with: openai}}
    effect: deny
    reason: the terms forbid it
"""


class Ran(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class Repository:
    """A work tree and the commands of a person in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        binaries = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
        # DVC and git keep to the test's own directory, and DVC does not call home
        self.environment = {
            **kept,
            "PATH": binaries,
            "HOME": str(root.parent),
            "DVC_NO_ANALYTICS": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }

    def run(self, *command: str) -> Ran:
        """Run a command."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def must(self, *command: str) -> str:
        """Run a command that has to succeed."""
        ran = self.run(*command)
        assert ran.status == 0, f"{command}\n{ran.out}{ran.err}"
        return ran.out

    def ask(self, verb: str, *arguments: str) -> Any:
        """A verb's JSON, held against its published schema."""
        ran = self.run("lineagegate", verb, *arguments, "--format", "json")
        assert ran.status in (0, 1), ran.out + ran.err
        document = json.loads(ran.out)
        schema = json.loads((SCHEMAS / f"{verb}.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(document)
        return document

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.must("git", "add", "-A")
        self.must("git", "commit", "-qm", message)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one run of its pipeline, before lineagegate came."""
    repository = Repository(tmp_path_factory.mktemp("built") / "seed")
    root = repository.root
    (root / "data" / "raw").mkdir(parents=True)
    (root / "src").mkdir()
    (root / "src" / "make.py").write_text(MAKE)
    (root / "dvc.yaml").write_text(DVC_YAML)
    for name in ("web", "gpt4"):
        (root / "data" / "raw" / f"{name}.txt").write_text("".join(f"{name} line {i}\n" for i in range(50)))
    repository.must("git", "init", "-q", "-b", "main")
    repository.must("git", "config", "user.name", "Lin Seed")
    repository.must("git", "config", "user.email", "lin@seed.example")
    repository.must("dvc", "init", "-q")
    repository.must("dvc", "add", "-q", "data/raw/web.txt", "data/raw/gpt4.txt")
    repository.must("dvc", "repro", "-q")
    repository.commit("A pipeline")
    return root


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Repository:
    """A copy of it, with lineagegate set up."""
    shutil.copytree(built, tmp_path / "seed", symlinks=True)
    copy = Repository(tmp_path / "seed")
    (copy.root / "lineage.policy.yaml").write_text(POLICY)
    copy.must("lineagegate", "init")
    copy.commit("Add lineagegate")
    return copy


def test_one_command_reads_the_history_and_lists_what_to_do(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "seed", symlinks=True)
    repository = Repository(tmp_path / "seed")
    said = repository.must("lineagegate", "init")
    assert "Wrote lineage.toml and lineage.policy.yaml" in said
    assert "3 stage executions read from 1 commit" in said
    assert "2 sources have no declared origin:" in said
    assert "lineagegate declare data/raw/web.txt.dvc --kind" in said
    # the store is no part of the repository, and nothing of the pipeline was touched
    assert repository.must("git", "status", "--short").split() == ["??", "lineage.policy.yaml", "??", "lineage.toml"]
    assert repository.must("lineagegate", "policy", "test")
    assert repository.must("lineagegate", "doctor").startswith("Nothing found.")


def test_from_undeclared_to_declared_to_a_verdict(repository: Repository) -> None:
    refused = repository.run("lineagegate", "check", "model.pkl", "--model", "seed-chat")
    assert refused.status == 1
    assert "(undeclared), nobody has said where it comes from" in refused.out

    repository.must("lineagegate", "declare", "data/raw/web.txt.dvc", "--kind", "first-party")
    repository.must(
        "lineagegate", "declare", "data/raw/gpt4.txt", "--kind", "third-party-model-output",
        "--provider", "openai", "--service", "gpt-4", "--channel", "azure-openai",
    )  # fmt: skip
    assert "openai" in (repository.root / "data" / "raw" / "gpt4.txt.dvc").read_text()

    refused = repository.run("lineagegate", "check", "model.pkl", "--model", "seed-chat")
    assert refused.status == 1
    assert "data/raw/gpt4.txt (third-party-model-output, openai/gpt-4 via azure-openai), declared" in refused.out
    assert "data/raw/gpt4.txt -> clean -> train -> model.pkl" in refused.out
    assert "no-gpt (lineage.policy.yaml:" in refused.out
    assert repository.run("lineagegate", "check", "model.pkl", "--model", "summariser").status == 0
    assert repository.run("lineagegate", "check", "own.pkl", "--model", "seed-own").status == 0

    labels = repository.ask("why", "model.pkl", "--origin", "openai")["labels"]
    assert [step.get("run", "") for step in labels[0]["path"]] == ["", "clean", "train"]
    reached = repository.ask("impact", "data/raw/gpt4.txt.dvc")
    assert [item["artifact"]["name"] for item in reached["models"]] == ["model.pkl"]

    repository.commit("Declare origins")
    assert repository.ask("sync")["undeclared"] == []
    status = repository.ask("status")["status"]
    assert (status["executions"], status["models"], status["sources"], status["undeclared"]) == (3, 2, 2, 0)


def test_a_later_change_of_the_pipeline_is_seen_without_being_told(repository: Repository) -> None:
    repository.must("lineagegate", "declare", "data/raw/web.txt.dvc", "--kind", "first-party")
    assert repository.run("lineagegate", "check", "own.pkl").status == 0
    changed = (
        (repository.root / "dvc.yaml").read_text().replace("own.pkl data/raw/web.txt", "own.pkl data/raw/gpt4.txt")
    )
    changed = changed.replace("deps: [src/make.py, data/raw/web.txt]", "deps: [src/make.py, data/raw/gpt4.txt]")
    (repository.root / "dvc.yaml").write_text(changed)
    repository.must("dvc", "repro", "-q")
    assert repository.run("lineagegate", "check", "own.pkl").status == 1


def test_the_role_of_an_input_is_declared_on_the_stage(repository: Repository) -> None:
    repository.must("lineagegate", "declare", "data/raw/web.txt.dvc", "--kind", "first-party")
    repository.must("lineagegate", "declare", "dvc.yaml:train-own", "--use", "data/raw/web.txt=fine-tuning")
    uses = {label["use"] for label in repository.ask("why", "own.pkl")["labels"]}
    assert "fine-tuning" in uses


def test_nothing_that_is_not_known_passes(repository: Repository) -> None:
    (repository.root / "stray.pkl").write_text("trained elsewhere, on who knows what\n" * 10)
    for name in ("stray.pkl", "nowhere.pkl", "models:/nobody/1"):
        assert repository.run("lineagegate", "check", name).status == 3, name


@pytest.mark.parametrize("broken", ["lineage.toml", "lineage.policy.yaml"])
def test_a_broken_file_refuses_and_changes_nothing(broken: str, repository: Repository) -> None:
    (repository.root / broken).write_text("]: broken\n")
    for verb in (["check", "model.pkl"], ["policy", "check"]):
        ran = repository.run("lineagegate", *verb)
        assert ran.status == 2, verb
        assert broken in ran.err
    doctor = repository.run("lineagegate", "doctor")
    assert doctor.status == 1
    assert broken in doctor.out


def test_doctor_finds_what_stands_in_the_way(repository: Repository) -> None:
    (repository.root / "lineage.py").write_text("")
    (repository.root / ".lineage" / "lineage.db").unlink()
    found = repository.run("lineagegate", "doctor", "--format", "json")
    assert found.status == 1
    codes = {finding["code"] for finding in json.loads(found.out)["findings"]}
    assert {"PACKAGE_SHADOWED", "STORE_MISSING"} <= codes


def test_git_hooks_sync_after_a_commit(repository: Repository) -> None:
    repository.must("lineagegate", "init", "--git-hooks")
    before = repository.ask("status")["status"]["commits"]
    repository.must("git", "commit", "--allow-empty", "-qm", "Nothing")
    assert repository.ask("status")["status"]["commits"] == before + 1
    repository.must("lineagegate", "init", "--no-git-hooks")
    repository.must("git", "commit", "--allow-empty", "-qm", "Nothing more")
    assert repository.ask("status")["status"]["commits"] == before + 1
