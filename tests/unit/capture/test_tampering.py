"""Records that a stage forges, swaps, replays or takes away: each is noticed, and none keeps the gate waiting.

docs/explanation/observation.md says what remains: who writes a whole record that holds together is believed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from lineage.capture import hook, spool
from tests.unit.capture.test_shell import Place, place  # noqa: F401 - a fixture

OWN = {
    "start is written anew": 'printf "1\\0001\\0001\\000/\\000\\000other\\000\\000\\000\\000\\000\\000" > "$LINEAGE_EXECUTION/start"',
    "start is added to": 'printf "x\\000" >> "$LINEAGE_EXECUTION/start"',
    "start is a link": 'cd "$LINEAGE_EXECUTION"; mv start /tmp/$$.start; ln -s /tmp/$$.start start; echo >> /tmp/$$.start',
    "the folder is a link": 'mv "$LINEAGE_EXECUTION" "$LINEAGE_EXECUTION-x"; ln -s "$LINEAGE_EXECUTION-x" "$LINEAGE_EXECUTION"',
    "a file that no process began": 'printf "{\\"n\\":1}\\n" > "$LINEAGE_EXECUTION/1-1.jsonl"',
    "a pipe that nobody writes to": 'mkfifo "$LINEAGE_EXECUTION/1-1.jsonl"',
    "a folder with the name of a file": 'mkdir "$LINEAGE_EXECUTION/1-1.jsonl"',
    "another file at the place of the journal": 'rm "$LINEAGE_SPOOL/journal"; : > "$LINEAGE_SPOOL/journal"',
}


@pytest.mark.parametrize("way", OWN)
def test_a_stage_that_writes_into_its_own_record(place: Place, way: str) -> None:  # noqa: F811
    before = time.monotonic()
    assert place.run("-c", OWN[way]).returncode == 0
    (seen,) = [each for each in place.seen() if not each.folder.name.endswith("-x")]
    assert seen.faults, seen
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    "way", ["mkdir $at/end", "mkfifo $at/end", "echo end $id 0 whole | tee $at/end >> $LINEAGE_SPOOL/journal"]
)
def test_an_end_that_the_stage_says_itself_is_not_the_end(place: Place, way: str) -> None:  # noqa: F811
    command = f"at=$LINEAGE_EXECUTION id=$(basename $LINEAGE_EXECUTION); {way}; exit 3"
    assert place.run("-c", command).returncode == 3
    (seen,) = place.seen()
    assert (seen.status, seen.ended is not None) == (3, True)


def test_a_shell_that_is_none_is_reported_by_dvc(tmp_path: Path) -> None:
    assert hook.prepare(tmp_path, {"SHELL": "/etc/passwd"}).shell is None
    assert hook.prepare(tmp_path, {"SHELL": "/nowhere/zsh"}).shell is None
    assert hook.prepare(tmp_path, {"SHELL": "sh"}).shell is not None


def _sealed(place: Place, command: str = "true") -> Path:  # noqa: F811
    known = set(hook.spool_of(place.root).glob("*-*"))
    assert place.run("-c", command).returncode == 0
    (folder,) = set(hook.spool_of(place.root).glob("*-*")) - known
    return folder


def test_a_record_that_was_taken_in_and_comes_back(place: Place, tmp_path: Path) -> None:  # noqa: F811
    folder = _sealed(place)
    shutil.copytree(folder, tmp_path / "kept", copy_function=shutil.copy2)
    spool.remove(folder)
    shutil.copytree(tmp_path / "kept", folder, copy_function=shutil.copy2)
    (seen,) = place.seen()
    assert "it was taken in before" in seen.faults


def test_a_record_of_which_the_journal_knows_nothing(place: Place) -> None:  # noqa: F811
    folder = _sealed(place)
    forged = folder.with_name("77-78")
    shutil.copytree(folder, forged)
    line = (folder / "end").read_text().replace(folder.name, forged.name)
    (forged / "end").write_text(line)
    with (folder.parent / "journal").open("a") as stream:
        stream.write(line)
    faults = {seen.folder.name: seen.faults for seen in place.seen()}
    assert faults == {folder.name: (), forged.name: ("the journal does not say that it began",)}


def test_records_that_change_places(place: Place) -> None:  # noqa: F811
    first, second = _sealed(place), _sealed(place, "true; true")
    first.rename(first.with_name("x"))
    second.rename(first)
    first.with_name("x").rename(second)
    assert all(seen.faults for seen in place.seen())


@pytest.mark.parametrize("name", ["start", "end"])
def test_times_that_are_set(place: Place, name: str) -> None:  # noqa: F811
    folder = _sealed(place)
    (seen,) = place.seen()
    assert seen.faults == ()
    os.utime(folder / name, (1, 1_000_000_000))
    (seen,) = place.seen()
    assert seen.faults == ("the times of its record were set",)


@pytest.mark.parametrize("pid", ["0", "-1", "1", "99999999999999999999", "x"])
def test_a_record_that_pretends_to_go_on(place: Place, pid: str) -> None:  # noqa: F811
    folder = _sealed(place)
    (folder / "end").unlink()
    data = (folder / "start").read_bytes().split(b"\0")
    data[2] = pid.encode()
    (folder / "start").write_bytes(b"\0".join(data))
    (seen,) = place.seen()
    assert not seen.running
    assert seen.faults


def test_a_record_without_start_and_end_is_over(place: Place) -> None:  # noqa: F811
    folder = _sealed(place)
    (folder / "start").unlink()
    (folder / "end").unlink()
    os.utime(folder, (1, 1))
    (seen,) = place.seen()
    assert not seen.running
    assert seen.faults


LINES = [
    b"[]", b"null", b'{"n":1,"k":"read","v":"/x","c":Infinity,"h":""}', b'{"n":1,"k":"read","v":"/x","c":NaN,"h":""}',
    b"[" * 200_000, b'{"n":1,"k":"tls","v":"\\ud800.openai.azure.com","h":""}', b'{"n":1e999,"k":"tls","v":1,"h":3}', b"\xff\xfe",
    b'{"n":1,"k":"read","v":"/x","c":' + b"9" * 5000 + b',"h":""}',
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:20].decode("latin-1"))
def test_lines_that_are_no_lines(place: Place, line: bytes) -> None:  # noqa: F811
    folder = _sealed(place)
    (folder / "1-1.jsonl").write_bytes(line + b"\n")
    (folder / "end").write_text(f"end {folder.name} x:y whole\n")
    (seen,) = place.seen()
    assert seen.faults


def test_a_journal_that_was_written_anew_is_noticed(place: Place) -> None:  # noqa: F811
    _sealed(place)
    journal = hook.spool_of(place.root) / "journal"
    before = spool.journal(journal.parent)
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b" 0 whole", b" 1 whole"))
    assert spool.journal(journal.parent, before.size, before.open, before.digest).cut
    journal.write_bytes(data + b"start 1-2\n")
    assert not spool.journal(journal.parent, before.size, before.open, before.digest).cut


def test_a_command_that_changes_its_own_start(tmp_path: Path) -> None:
    where = tmp_path / "spool"
    where.mkdir()
    folder = spool.begin(where, ["make"], mode="python")
    began = (folder / "start").read_bytes()
    subprocess.run(["sh", "-c", f"echo >> {folder}/start"], check=True)
    spool.seal(folder, 0, began)
    (seen,) = spool.executions(where, spool.journal(where))
    assert "what it says of its start was changed while it ran" in seen.faults
