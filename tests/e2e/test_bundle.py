"""A bundle of a model from a real git and DVC repository, checked by a stranger with Python, openssl and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.test_dvc_repository import POLICY, Repository, built

__all__ = ["built"]


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Repository:
    """A pipeline with a declared source, and a checkpoint over it."""
    shutil.copytree(built, tmp_path / "seed", symlinks=True)
    copy = Repository(tmp_path / "seed")
    (copy.root / "lineage.policy.yaml").write_text(POLICY)
    copy.must("lineagegate", "init")
    for name, kind in (("gpt4", "third-party-model-output"), ("web", "web-crawl")):
        provider = ("--provider", "openai") if name == "gpt4" else ()
        copy.must("lineagegate", "declare", f"data/raw/{name}.txt.dvc", "--kind", kind, *provider)
    copy.commit("Declare")
    copy.must("lineagegate", "sync")
    copy.must("lineagegate", "ledger", "checkpoint")
    return copy


def stranger(tmp_path: Path, bundle: Path, verifier: Path, *options: str) -> tuple[int, str]:
    """Another machine, as far as a test can have one: an empty directory, an empty environment, no site-packages."""
    room, commands = tmp_path / "room", tmp_path / "commands"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    commands.mkdir(exist_ok=True)
    openssl = shutil.which("openssl")
    assert openssl
    if not (commands / "openssl").exists():
        (commands / "openssl").symlink_to(openssl)
    shutil.copy(bundle, room / "case.zip")
    shutil.copy(verifier, room / "verify.py")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "case.zip", *options], cwd=room, env={"PATH": str(commands)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert not done.stderr
    return done.returncode, done.stdout


def test_a_stranger_checks_a_yes_and_a_no(repository: Repository, tmp_path: Path) -> None:
    repository.must("lineagegate", "bundle", "--verifier", "-o", "verify.py")
    verifier = repository.root / "verify.py"
    key = repository.ask("bundle", "model.pkl", "--origin", "openai", "-o", "yes.zip")["keys"][0]
    repository.must("lineagegate", "bundle", "own.pkl", "--origin", "openai", "-o", "no.zip")
    for name, answer in (("yes.zip", "yes"), ("no.zip", "no")):
        status, text = stranger(tmp_path, repository.root / name, verifier, "--key", key)
        assert (status, text.split("\n")[-2]) == (0, "VERIFIED"), text
        assert f"    answer    {answer}\n" in text
    assert (
        "data/raw/gpt4.txt -> data/clean.txt -> model.pkl"
        in stranger(tmp_path, repository.root / "yes.zip", verifier)[1]
    )
    with zipfile.ZipFile(repository.root / "no.zip") as file:
        held = b"".join(file.read(name) for name in file.namelist())
    assert b"gpt4" not in held
    assert b"model.pkl" not in held


def test_a_redacted_one_names_nobody(repository: Repository, tmp_path: Path) -> None:
    repository.must("lineagegate", "bundle", "--verifier", "-o", "verify.py")
    made = repository.ask(
        "bundle", "model.pkl", "-o", "case.zip", "--redact", "people,paths", "--openings", "openings.json"
    )
    status, text = stranger(
        tmp_path, repository.root / "case.zip", repository.root / "verify.py", "--key", made["keys"][0]
    )
    assert (status, text.split("\n")[-2]) == (0, "VERIFIED"), text
    with zipfile.ZipFile(repository.root / "case.zip") as file:
        held = b"".join(file.read(name) for name in file.namelist()).lower()
    commit = repository.must("git", "rev-parse", "HEAD~1").strip().encode()
    for value in (
        b"lin seed",
        b"lin@seed.example",
        b"gpt4.txt",
        b"data/clean",
        b"dvc.yaml",
        b"model.pkl",
        commit,
        commit[:7],
    ):
        assert value not in held, value
    openings = json.loads((repository.root / "openings.json").read_text())["openings"]
    assert "data/raw/gpt4.txt" in {item["value"] for item in openings.values()}


def test_what_somebody_changed_in_the_repository_s_record_is_found(repository: Repository, tmp_path: Path) -> None:
    """A checkpoint that was given away earlier shows that the record behind a bundle is another one."""
    (repository.root / "held.txt").write_text(
        repository.must("lineagegate", "ledger", "checkpoint", "--format", "json")
    )
    note = json.loads((repository.root / "held.txt").read_text())["checkpoint"]["note"]
    (repository.root / "held.txt").write_text(note)
    shutil.rmtree(repository.root / ".lineage")
    repository.must("lineagegate", "init")
    repository.must("lineagegate", "ledger", "checkpoint")
    repository.must("lineagegate", "bundle", "model.pkl", "--origin", "openai", "-o", "case.zip")
    refused = repository.run("lineagegate", "bundle", "model.pkl", "-o", "no.zip", "--checkpoint", "held.txt")
    assert refused.status in (2, 3)
    assert not (repository.root / "no.zip").exists()
    key = next(line for line in note.split("\n") if line.startswith("key ")) if "\nkey " in note else ""
    repository.must("lineagegate", "bundle", "--verifier", "-o", "verify.py")
    (tmp_path / "held.txt").write_text(note)
    status, text = stranger(
        tmp_path,
        repository.root / "case.zip",
        repository.root / "verify.py",
        "--checkpoint",
        str(tmp_path / "held.txt"),
    )
    assert (status, "another record" in text, "give it with --key" in text) == (2, True, True), text
    if key:
        status, text = stranger(
            tmp_path, repository.root / "case.zip", repository.root / "verify.py", "--key", key.removeprefix("key ")
        )
        assert status == 1, text
