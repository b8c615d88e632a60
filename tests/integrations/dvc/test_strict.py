"""`lineagegate exec --strict` with real DVC: a stage reads what it declares and fails at anything else."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

import pytest

from lineage.capture import landlock
from lineage.config import Config
from lineage.gate import confined
from lineage.pipeline import Running
from tests.integrations.dvc.test_hook import SIDE, Project, _evidence, project  # noqa: F401 - a fixture

STRICT = ("lineagegate", "exec", "--strict", "--")

READING = {
    "open": "open({0!r}).read()",
    "child": "import subprocess; subprocess.run(['cat', {0!r}], check=True)",
    "pyarrow": "import pyarrow.csv; pyarrow.csv.read_csv({0!r})",
    "no environment": "import subprocess; subprocess.run(['cat', {0!r}], env={{}}, check=True)",
}


def _stage(project: Project, code: str, more: str = "") -> None:  # noqa: F811
    project.repo.write("src/make.py", code)
    project.repo.write(
        "dvc.yaml",
        f"stages:\n  make:\n    cmd: {sys.executable} src/make.py\n    deps: [src/make.py, data/own.txt]\n    outs: [out/made.txt]\n{more}",
    )


MAKE = "import os; os.makedirs('out', exist_ok=True); open('out/made.txt', 'w').write(open('data/own.txt').read())\n"


def test_where_the_kernel_cannot_it_is_refused(project: Project) -> None:  # noqa: F811
    _stage(project, MAKE)
    if landlock.version():
        project.run(*STRICT, "dvc", "repro", "-q")
        assert _evidence(project, "out/made.txt") == ["observed"]
    else:
        assert "no Landlock" in project.run(*STRICT, "dvc", "repro", "-q", status=2).stderr
        assert not (project.root / "out").exists()


@pytest.mark.parametrize("way", READING)
def test_a_file_that_is_not_declared_cannot_be_read(project: Project, tmp_path: Path, way: str) -> None:  # noqa: F811
    place = tmp_path / "outside.csv" if way == "open" else project.root / "side.csv"
    place.write_text(SIDE)
    _stage(project, READING[way].format(str(place)) + "\n" + MAKE)
    if not landlock.version():
        project.run(*STRICT, "dvc", "repro", "-q", status=2)
        return
    done = project.run(*STRICT, "dvc", "repro", "-q", status=255)
    assert place.name in done.stderr and "Permission denied" in done.stderr
    assert not (project.root / "out" / "made.txt").exists()
    if way == "open":
        (project.root / "lineage.toml").write_text(f'project = "demo"\n[capture]\nreadable = ["{place}"]\n')
        project.run(*STRICT, "dvc", "repro", "-q")


def test_nobody_is_called_who_is_not_declared(project: Project) -> None:  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=server.accept, daemon=True).start()
        port = server.getsockname()[1]
        _stage(project, f"import socket; socket.create_connection(('127.0.0.1', {port})).close()\n" + MAKE)
        if landlock.version() < 4:
            done = project.run(*STRICT, "dvc", "repro", "-q", status=0 if landlock.version() else 2)
            assert "cannot confine" in done.stderr
            return
        assert "PermissionError" in project.run(*STRICT, "dvc", "repro", "-q", status=255).stderr
        _stage(
            project,
            (project.root / "src/make.py").read_text(),
            "    meta: {lineage: {uses: {'https://api.openai.com': prompt}}}\n",
        )
        project.run(*STRICT, "dvc", "repro", "-q")


def test_a_stage_that_nobody_can_confine_does_not_start(project: Project) -> None:  # noqa: F811
    _stage(project, MAKE)
    if not landlock.version():
        return
    script = "rm -r .lineage/spool; touch .lineage/spool; dvc repro -q"
    done = project.run(*STRICT, "sh", "-c", script, status=255)
    assert "it cannot be confined" in done.stderr
    assert not (project.root / "out").exists()


def test_a_project_that_lies_in_the_system_or_in_a_hidden_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".work/project", ".ssh", "data", "usr/src/app", "usr/src/other", "usr/bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("data/table.csv", "data/run.sh"):
        (tmp_path / name).write_text("#!/bin/sh" if name.endswith("sh") else "a,b")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(confined, "SYSTEM", (str(tmp_path / "usr"),))
    command = ["sh", "-c", f"run {tmp_path}/data {tmp_path}/data/table.csv; {tmp_path}/data/run.sh"]

    def may_read(root: str) -> set[str]:
        config = Config(root=tmp_path / root, project="p")
        found = confined.readable(config, Running("s", (), (), ()), command)
        return {path.relative_to(tmp_path).as_posix() for path in found if path.is_relative_to(tmp_path)}

    assert may_read(".work/project") == {".ssh", "usr", "data/run.sh"}
    assert may_read("usr/src/app") == {".ssh", ".work", "usr/bin", "usr/src/other", "data/run.sh"}
