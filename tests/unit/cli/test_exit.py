"""Exit status and messages when something goes wrong: nothing that fails may read as a verdict."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.cli import main as entry
from lineage.cli import status as status_verb
from lineage.cli.group import run
from lineage.cli.main import VERBS
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.gate import Gate
from tests.unit.cli.conftest import Cli

LINEAGEGATE = [sys.executable, "-c", "import sys; from lineage.cli.main import main; sys.exit(main())"]


def _raise(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("wrong"), 2),
        (CannotDecide("unknown"), 3),
        (LineageError("broken"), 3),
        (ValueError("a bug"), 3),
        (RecursionError("deep"), 3),
        (MemoryError(), 3),
        (AssertionError(), 3),
        (SystemExit(1), 3),
        (SystemExit(0), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_every_failure_has_its_status(
    error: BaseException, status: int, form: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "open", lambda *_: _raise(error))
    monkeypatch.setenv("LINEAGE_STORE", "x")
    ran = cli("status", verb="error") if form == "json" and status != 130 else cli("status")
    assert ran.status == status
    assert "Traceback" not in ran.out + ran.err
    if form == "text":
        assert ran.out == ""
        assert len(ran.err.strip().splitlines()) <= 3


def test_an_unforeseen_failure_says_where_the_report_is(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "open", lambda *_: _raise(ValueError("a bug")))
    monkeypatch.setenv("LINEAGE_STORE", "x")
    ran = cli("status")
    found = re.search(r"the report is (\S+)", ran.err)
    assert found
    report = Path(found[1])
    assert "ValueError: a bug" in report.read_text(encoding="utf-8")
    assert report.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("LINEAGE_DEBUG", "1")
    assert "Traceback" in cli("status").err


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["--bogus"], ["check"], ["check", "a", "b"], ["check", "--format", "xml", "a"], ["policy", "bogus"]],
    ids=" ".join,
)
def test_wrong_usage_is_2_with_the_page_that_helps(arguments: list[str], cli: Cli) -> None:
    ran = cli(*arguments)
    assert ran.status == 2
    assert "--help" in ran.err
    assert cli(*arguments, verb="error").status == 2


def test_no_settings_is_2(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in (["status"], ["sync"], ["check", "x"], ["why", "x"], ["impact", "x"], ["audit"], ["policy", "check"]):
        ran = cli(*verb)
        assert (ran.status, "lineagegate init" in ran.err) == (2, True), verb
    assert cli("-C", "nowhere", "status").status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_of_settings_is_2_and_changes_nothing(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lineage.toml").write_text("project = ")
    for verb in ("status", "init", "sync"):
        assert cli(verb, verb="error").document["error"]["code"] == "CONFIG_INVALID"
    assert [path.name for path in tmp_path.iterdir()] == ["lineage.toml"]


def test_help_and_version(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli("--version").out.startswith("lineagegate ")
    for arguments in ([], ["--help"], ["-h"]):
        assert entry.main(arguments) == 0
        assert "Verbs:" in capsys.readouterr().out
    assert cli("--format", "text", "--help").out.strip() == entry.usage()
    for verb in VERBS:
        ran = cli(verb, "--help")
        assert ran.status == 0
        assert ran.out.startswith(f"Usage: lineagegate {verb}")
        summary = VERBS[verb]
        assert summary in " ".join(ran.out.split()), "the list of verbs and the verb's own page say the same"


def test_colour_is_for_terminals(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\x1b[" not in cli("check", "models:/seed-chat/1").out
    monkeypatch.setattr("lineage.cli.settings.Settings._coloured", lambda *_: True)
    coloured = cli("check", "models:/seed-chat/1").out
    assert "\x1b[" in coloured
    monkeypatch.undo()
    monkeypatch.chdir(project)
    plain = cli("check", "models:/seed-chat/1").out
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_the_status_of_a_process(project: Path) -> None:
    def status(*arguments: str, **environment: str) -> int:
        done = subprocess.run(
            [*LINEAGEGATE, *arguments], cwd=project, env={**os.environ, **environment}, capture_output=True, timeout=60
        )
        assert b"Traceback" not in done.stderr
        return done.returncode

    assert status("--help") == 0
    assert status("check", "models:/seed-own/1") == 0
    assert status("check", "models:/seed-chat/1", PYTHONIOENCODING="ascii") == 1
    assert status("bogus") == 2
    assert status("check", "models:/nobody/1") == 3


def test_a_reader_that_goes_away_is_no_failure_of_ours(project: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*LINEAGEGATE, "policy", "show"], cwd=project, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == b""


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from lineage.cli.main import main; main(['--help']);"
        "print([m for m in ('click', 'msgspec', 'pydantic', 'sqlalchemy', 'rich', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_verb_imports_no_more_than_it_needs(project: Path) -> None:
    code = (
        "import sys; from lineage.cli.main import main; main(['status']);"
        "print([m for m in ('pydantic', 'sqlalchemy', 'alembic', 'rich', 'mlflow', 'dvc', 'openlineage') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_verbs_are_found_by_name() -> None:
    assert status_verb.status.name == "status"
    assert run(["status", "--help"]) == 0


def test_on_a_terminal_the_verdict_is_coloured(project: Path) -> None:
    master, terminal = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [*LINEAGEGATE, "check", "models:/seed-chat/1"],
        cwd=project, env=environment, stdin=terminal, stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(master, 4096):
            seen += chunk
    os.close(master)
    assert process.wait(60) == 1
    first = seen.decode().splitlines()[0]
    assert first == "\x1b[1;31mmodels:/seed-chat/1 would be refused by lineagegate\x1b[0m"
