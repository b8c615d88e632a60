"""`lineagegate exec --observe=strace` with real DVC: what programs in C and C++ read and call, and what it leaves alone."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

from tests.integrations.dvc.test_hook import OWN, SIDE, Project, _evidence, project  # noqa: F401 - a fixture

STRACE = ("lineagegate", "exec", "--observe=strace", "--")


def test_what_other_programs_read_and_call(project: Project, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "outside.csv").write_text(SIDE)
    script = f"cat {tmp_path}/outside.csv > /dev/null; curl -s -m 1 -x 127.0.0.1:9 https://api.$1.com/ || true\ncat data/own.txt"
    project.repo.write("src/mix.sh", script)
    yaml = "stages:\n  mix:\n    cmd: sh src/mix.sh anthropic > data/mix.txt\n    deps: [src/mix.sh, data/own.txt]\n    outs: [data/mix.txt]\n"
    project.repo.write("dvc.yaml", yaml)
    assert project.run(*STRACE, "dvc", "repro", "-q").stderr == ""
    found = project.kinds("data/mix.txt")
    assert found == {"human-annotation": "declared", "third-party-model-output": "observed", "undeclared": ""}
    with project.gate() as gate:
        assert {source.name for source in gate.undeclared()} == {str(tmp_path / "outside.csv")}
    assert _evidence(project, "data/mix.txt") == ["observed"]
    assert project.spooled == []


def test_status_signals_and_input_are_as_without(project: Project) -> None:  # noqa: F811
    project.run(*STRACE, "sh", "-c", "exit 9", status=9)
    project.run(*STRACE, "sh", "-c", "kill -9 $$", status=-9)
    assert "No such file" in project.run(*STRACE, "no-such-program", status=127).stderr
    assert project.run(*STRACE, "sh", "-c", 'printf "%s|" "$@"', "x", "a  b", "$HOME").stdout == "a  b|$HOME|"


def test_where_strace_is_missing_nothing_runs(project: Project, tmp_path: Path) -> None:  # noqa: F811
    only = tmp_path / "bin"
    only.mkdir()
    for name in ("lineagegate", "touch"):
        found = shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/bin:/bin")
        assert found
        (only / name).symlink_to(found)
    done = project.run(str(only / "lineagegate"), *STRACE[1:], "touch", "ran", status=2, PATH=str(only))
    assert "strace is not installed" in done.stderr
    (only / "strace").write_text("#!/bin/sh\necho 'strace: ptrace: Operation not permitted' >&2; exit 1\n")
    (only / "strace").chmod(stat.S_IRWXU)
    done = project.run(str(only / "lineagegate"), *STRACE[1:], "touch", "ran", status=2, PATH=f"{only}:/usr/bin:/bin")
    assert "strace cannot trace here" in done.stderr
    assert not (project.root / "ran").exists()
