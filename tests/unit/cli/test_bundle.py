"""``lineagegate bundle`` on a real store: what it writes, what it keeps private, and that a failure writes nothing."""

from __future__ import annotations

import hashlib
import json
import stat
import subprocess
import sys
from pathlib import Path

from lineage.gate import Gate
from tests.unit.cli.conftest import Cli

MODEL = "models:/seed-chat/1"


def judge(project: Path) -> None:
    """Have the model judged, so that a decision and a checkpoint are recorded."""
    with Gate.open(start=project) as gate:
        gate.judge(gate.resolve(MODEL), model="seed-chat", subject=MODEL, action="register")


def verify(project: Path, *arguments: str) -> tuple[int, str]:
    """The verifier that the verb wrote, in a bare interpreter."""
    command = [sys.executable, "-I", "-S", "verify.py", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_a_bundle_and_its_verifier(project: Path, cli: Cli) -> None:
    judge(project)
    said = cli("bundle", MODEL, "--origin", "openai", "-o", "case.zip")
    assert said.status == 0, said.err
    assert said.out.startswith("Wrote case.zip.\n  holds    5 ledger entries of ")
    assert f"sha256   {hashlib.sha256((project / 'case.zip').read_bytes()).hexdigest()}" in said.out
    found = cli("bundle", MODEL, "--origin", "openai", "-o", "again.zip", verb="bundle").document
    assert (project / "again.zip").read_bytes() == (project / "case.zip").read_bytes()
    assert f"--key {found['keys'][0]}" in said.out

    shown = cli("bundle", "--verifier", verb="bundle").document["verifier"]
    assert cli("bundle", "--verifier").out == f"{shown}  verify.py\n"
    assert cli("bundle", "--verifier", "-o", "verify.py").status == 0
    assert hashlib.sha256((project / "verify.py").read_bytes()).hexdigest() == shown == found["verifier"]
    status, text = verify(project, "case.zip", "--key", found["keys"][0])
    assert (status, text.split("\n")[-2]) == (0, "VERIFIED")


def test_openings_are_for_the_operator_alone(project: Path, cli: Cli) -> None:
    judge(project)
    options = ("-o", "case.zip", "--redact", "people,paths", "--openings", "kept.json")
    found = cli("bundle", MODEL, *options, verb="bundle").document
    assert found["redacted"] == ["paths", "people"]
    assert found["withheld"] > 0
    assert stat.S_IMODE((project / "kept.json").stat().st_mode) == 0o600
    assert "kept.json: keep it" in cli("bundle", MODEL, *options).out
    assert b"lin@seed.example" not in (project / "case.zip").read_bytes().lower()
    cli("bundle", "--verifier", "-o", "verify.py")
    status, text = verify(project, "case.zip", "--open", "kept.json", "--key", found["keys"][0])
    assert status == 0
    assert "Lin <lin@seed.example>" in text


def test_at_another_time(project: Path, cli: Cli) -> None:
    judge(project)
    assert cli("bundle", MODEL, "--as-of", "2023-03-03", "-o", "then.zip").status == 0
    assert cli("bundle", MODEL, "--as-of", "2020-01-01", "-o", "before.zip").status == 3
    assert not (project / "before.zip").exists()


def test_a_checkpoint_that_the_other_side_holds(project: Path, cli: Cli) -> None:
    with Gate.open(start=project) as gate:
        (project / "held.txt").write_text(gate.seal.checkpoint().note)
    judge(project)
    assert cli("bundle", MODEL, "-o", "case.zip", "--checkpoint", "held.txt").status == 0
    cli("bundle", "--verifier", "-o", "verify.py")
    status, text = verify(project, "case.zip", "--checkpoint", "held.txt")
    assert status == 3  # within itself: no key was given
    assert "the record is the one that held.txt fixed" in text
    for content, code in (("nonsense", "NOTE_MALFORMED"), (None, "CHECKPOINT_INVALID")):
        file = project / "other.txt"
        if content is not None:
            file.write_text(content)
        failed = cli(
            "bundle", MODEL, "-o", "no.zip", "--checkpoint", "other.txt" if content else "missing.txt", verb="error"
        )
        assert (failed.status in (2, 3), failed.document["error"]["code"]) == (True, code)
        assert not (project / "no.zip").exists()


def test_wrong_usage_writes_nothing(project: Path, cli: Cli) -> None:
    judge(project)
    before = sorted(project.iterdir())
    for arguments, status in (
        ((MODEL,), 2),
        (("-o", "case.zip"), 2),
        ((MODEL, "-o", "case.zip", "--redact", "people"), 2),
        ((MODEL, "-o", "case.zip", "--redact", "faces", "--openings", "o.json"), 2),
        ((MODEL, "-o", "case.zip", "--openings", "o.json"), 2),
        ((MODEL, "-o", "nowhere/case.zip"), 2),
        (("models:/unknown/1", "-o", "case.zip"), 3),
    ):
        failed = cli("bundle", *arguments, verb="error")
        assert failed.status == status, failed.out
        assert json.loads(failed.out)["error"]["code"]
    assert sorted(project.iterdir()) == before


def test_without_a_checkpoint_it_says_what_to_do(project: Path, cli: Cli) -> None:
    with Gate.open(start=project) as gate:
        gate.graph._store.execute("DELETE FROM checkpoint")
    failed = cli("bundle", MODEL, "-o", "case.zip")
    assert failed.status in (2, 3)
    assert "lineagegate ledger checkpoint" in failed.err
