"""The shell that stands in for DVC's: what it runs behaves as without it, whatever happens to our part."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.capture import hook, install, spool

BASH = shutil.which("bash") or "/bin/bash"
SHELLS = [path for name in ("bash", "dash", "zsh", "fish", "ksh") if (path := shutil.which(name))]


class Place(NamedTuple):
    """A project with the shell in place."""

    root: Path

    def environment(self, real: str = BASH, **more: str) -> dict[str, str]:
        """What DVC's environment holds under `lineagegate exec`."""
        made = hook.prepare(self.root, {"SHELL": real})
        return {
            **os.environ, "LINEAGE_SHELL": real, "LINEAGE_SPOOL": str(made.spool), "SHELL": str(made.shell),
            "LINEAGE_OBSERVER": "", "DVC_STAGE": "train", "DVC_ROOT": str(self.root), **more,
        }  # fmt: skip

    def run(self, *arguments: str, real: str = BASH, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the shell as DVC does."""
        environment = self.environment(real, **more)
        return subprocess.run(
            [environment["SHELL"], *arguments], env=environment, cwd=self.root, capture_output=True, text=True,
            timeout=30,
        )  # fmt: skip

    def seen(self) -> list[spool.Seen]:
        """What the spool holds."""
        where = hook.spool_of(self.root)
        return spool.executions(where, spool.journal(where))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty project."""
    return Place(tmp_path)


COMMANDS = [
    "true", "false", "exit 7", "exit 137", "exit 255", "set -e; false; echo never", "echo out; echo err >&2",
    "kill -9 $$", "kill -TERM $$", "kill -SEGV $$", 'sh -c "kill -9 \\$\\$"; exit 3', "no-such-program",
    "echo 'a  b' \"$0\" '$HOME' \\\\ `echo x`", "cat <<X\nline\nX", "( exit 4 )", "printf '%s' \"$SHELL\"",
]  # fmt: skip


def _words(text: str) -> list[str]:
    """What a shell says, without its own name and process numbers."""
    return [re.sub(r"\d+", "", line.split(":")[-1]) for line in text.splitlines()]


@pytest.mark.parametrize("real", SHELLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_ends_and_says_what_it_would_without_us(place: Place, real: str, command: str) -> None:
    environment = {**os.environ, "SHELL": real, "DVC_STAGE": "train"}
    plain = subprocess.run([real, "-c", command], capture_output=True, text=True, env=environment, timeout=30)
    ours = place.run("-c", command, real=real)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert _words(ours.stderr) == _words(plain.stderr)
    (seen,) = place.seen()
    assert seen.status == plain.returncode
    assert seen.command == ("-c", command)
    assert seen.faults == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")), max_size=4))
def test_arguments_arrive_as_they_are(place: Place, words: list[str]) -> None:
    shutil.rmtree(hook.spool_of(place.root), ignore_errors=True)
    script = 'import sys; sys.stdout.buffer.write(b"\\0".join(map(__import__("os").fsencode, sys.argv[1:])))'
    environment = place.environment(LC_ALL="C.UTF-8")
    done = subprocess.run(
        [environment["SHELL"], "-c", 'exec "$0" -IS -c "$@"', sys.executable, script, *words],
        env=environment, capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == b"\0".join(word.encode() for word in words)
    assert place.seen()[0].command[4:] == tuple(words)


def test_input_environment_and_options_reach_the_command(place: Place) -> None:
    environment = place.environment()
    done = subprocess.run(
        [environment["SHELL"], "--noprofile", "--norc", "-c", "cat; echo $SHELL $DVC_STAGE"],
        env=environment, input="from outside\n", capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == f"from outside\n{BASH} train\n"


def test_a_terminal_is_a_terminal_and_ctrl_c_ends_the_command(place: Place) -> None:
    environment = place.environment()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(environment["SHELL"], ["sh", "-c", "test -t 0 && test -t 1 && echo ready; sleep 60"], environment)
    read = b""
    while b"ready" not in read:
        read += os.read(terminal, 100)
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGINT
    assert place.seen()[0].status == -signal.SIGINT


def test_without_a_stage_it_is_the_shell_itself(place: Place) -> None:
    assert place.run("-c", "echo $PPID; echo $SHELL", DVC_STAGE="").stdout.split() == [str(os.getpid()), BASH]
    assert place.seen() == []


@pytest.mark.parametrize("broken", ["file", "gone", "start"])
def test_the_command_runs_when_our_part_cannot(place: Place, broken: str) -> None:
    environment = place.environment()
    where = Path(environment["LINEAGE_SPOOL"])
    where.rmdir()
    if broken == "file":
        where.write_text("")
    environment["LINEAGE_SPOOL"] = "/proc/nothing" if broken == "start" else str(where)
    done = subprocess.run(
        [environment["SHELL"], "-c", "echo ran; exit 5"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (5, "ran\n", "")


def test_a_record_that_its_own_command_takes_away_is_noticed(place: Place) -> None:
    place.run("-c", 'rm -rf "$LINEAGE_EXECUTION"')
    (seen,) = place.seen()
    assert seen.faults == ("its record was taken away while it ran",)
    assert seen.stage == "train"


def test_what_is_changed_after_the_end_is_noticed(place: Place) -> None:
    place.run("-c", "true")
    (folder,) = [path for path in hook.spool_of(place.root).iterdir() if path.is_dir()]
    data = (folder / "start").read_bytes()
    (folder / "start").write_bytes(data.replace(b"true", b"else"))
    assert place.seen()[0].faults == ("start was changed after the end",)
    (folder / "start").write_bytes(data)
    (folder / "end").write_text((folder / "end").read_text().replace(" 0 ", " 1 "))
    assert place.seen()[0].faults == ("what it says of its end is not what the journal says",)
    (folder / "end").unlink()
    assert place.seen()[0].faults == ("what it says of its end is gone",)


def test_a_record_that_is_gone_is_missed(place: Place) -> None:
    place.run("-c", "true")
    where = hook.spool_of(place.root)
    (folder,) = [path for path in where.iterdir() if path.is_dir()]
    assert spool.journal(where).open == {folder.name}
    spool.remove(folder)
    assert spool.journal(where).open == frozenset()


def test_stages_at_the_same_time_have_records_of_their_own(place: Place) -> None:
    environment = place.environment()
    running = [
        subprocess.Popen(
            [environment["SHELL"], "-c", f"sleep 0.1; exit {n}"], env={**environment, "DVC_STAGE": f"s{n}"}
        )
        for n in range(8)
    ]
    assert [each.wait(30) for each in running] == list(range(8))
    assert sorted((seen.stage, seen.status) for seen in place.seen()) == [(f"s{n}", n) for n in range(8)]


def test_a_shell_with_a_strange_name(tmp_path: Path) -> None:
    real = tmp_path / "my shell é"
    real.symlink_to(BASH)
    place = Place(tmp_path / "proj ect")
    place.root.mkdir()
    assert place.run("-c", "echo $SHELL", real=str(real)).stdout == f"{real}\n"
    assert place.seen()[0].status == 0


def test_an_environment_that_talks_when_its_python_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"))
    assert install._packages() == Path(sysconfig.get_path("purelib"))
