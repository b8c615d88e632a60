"""The ways in which people start a pipeline: make, experiments, `exec` in `exec`, DVC in another environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.integrations.dvc.test_hook import BIN, PIPELINE, Project, _evidence, project

__all__ = ["project"]

SEEN = {"human-annotation": "declared", "third-party-model-output": "observed"}


def test_under_make(project: Project) -> None:
    (project.root / "Makefile").write_text(
        f"all: data/mix.txt\n\t{sys.executable} -c 'open(\"data/own.txt\").read()'\n\n"
        "data/mix.txt:\n\tdvc repro -q generate\n\tdvc repro -q -s mix\n\nbad:\n\tfalse\n"
    )
    project.exec("make", "-s", "-j2")
    assert project.kinds("data/mix.txt") == SEEN
    assert _evidence(project, "data/mix.txt") == ["observed"]
    assert project.spooled == []
    assert "Error 1" in project.exec("make", "bad", status=2).stderr  # make's own status


def test_experiments_in_the_workspace(project: Project) -> None:
    project.exec("dvc", "exp", "run", "-q", "-n", "here")
    assert project.kinds("data/mix.txt") == SEEN
    assert _evidence(project, "data/mix.txt") == ["observed"]
    assert project.repo.git("for-each-ref", "refs/exps/*/*/here")


def test_exec_inside_exec(project: Project) -> None:
    """Around DVC, and in a stage around its own command: what is called counts once, and where it belongs."""
    inside = PIPELINE.replace(f"cmd: {sys.executable} src", f"cmd: lineagegate exec -- {sys.executable} src")
    project.repo.write("dvc.yaml", inside)
    project.exec("lineagegate", "exec", "--", "dvc", "repro", "-q")
    assert project.kinds("data/mix.txt") == SEEN
    assert _evidence(project, "data/mix.txt") == ["observed"]
    why = project.run("lineagegate", "why", "data/mix.txt").stdout
    assert "observed: 3 calls to api.openai.com while it was made" in why
    assert project.spooled == []


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An environment of its own, with DVC in it and without lineagegate."""
    venv.create(tmp_path / "elsewhere", with_pip=False)
    python = tmp_path / "elsewhere" / "bin" / "python"
    here = Path(sysconfig.get_path("purelib"))
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    there = Path(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())
    (there / "packages.pth").write_text(f"{here}\n")  # a line that only names a folder: no other .pth in it is read
    script = python.with_name("dvc")
    script.write_text(f"#!{python}\nfrom dvc.cli import main\nraise SystemExit(main())\n")
    script.chmod(0o755)
    return python.parent


def test_plain_dvc_repro_in_another_environment(project: Project, elsewhere: Path) -> None:
    lineagegate, path = str(BIN / "lineagegate"), f"{elsewhere}:/usr/bin:/bin"
    project.run("dvc", "repro", "-q", PATH=path)
    assert _evidence(project, "data/mix.txt") == ["asserted"]
    try:
        project.run(lineagegate, "init", "--hooks", PATH=path)
        assert list(elsewhere.parent.rglob("lineagegate_hook.pth"))  # where the DVC on PATH is
        project.run("dvc", "repro", "-q", "-f", PATH=path)
        assert project.kinds("data/mix.txt") == SEEN
        assert _evidence(project, "data/mix.txt") == ["observed"]
    finally:
        project.run(lineagegate, "init", "--no-hooks", PATH=path)
    assert not list(elsewhere.parent.rglob("lineagegate_hook*"))
    project.repo.write("data/own.txt", "Another text that a person wrote, long enough to mean something.\n")
    project.run("dvc", "repro", "-q", PATH=path)
    assert _evidence(project, "data/mix.txt") == ["asserted"]
