"""docs/reference/exports.md is made from what the modules say of themselves; ``--update-golden`` writes it anew."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from lineage.evidence.exports import STANDARDS, export
from lineage.ledger.key import SigningKey
from tests.unit.evidence.cases import YES

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "exports.md"
MARK = "<!-- from here on made from the modules' own words by `pytest --update-golden` -->\n\n"


def described() -> str:
    """A section for each standard."""
    sections = []
    for name, standard in STANDARDS.items():
        module = import_module(f"lineage.evidence.exports.{standard.function.partition(':')[0]}")
        sections.append(f"## `--as {name}`\n\n{markdown(inspect.cleandoc(module.__doc__ or ''))}")
    return "\n\n".join(sections) + "\n"


def markdown(text: str) -> str:
    """A docstring with one table in it."""
    before, table, after = re.split(r"(?s)\n(={5}.*={5})\n", text, maxsplit=1)
    _, head, _, *rows, _ = table.split("\n")
    width = table.index(" ") + 2
    cells: list[list[str]] = []
    for row in (head, *rows):
        first, second = row[:width].strip(), row[width:].strip()
        if cells and not (first and second):  # what did not fit goes on in the next line
            cells[-1] = [" ".join(filter(None, pair)) for pair in zip(cells[-1], (first, second), strict=True)]
        else:
            cells.append([first, second])
    lines = [f"| {first} | {second} |" for first, second in cells]
    joined = "\n".join([lines[0], "| --- | --- |", *lines[1:]])
    return f"{before.strip()}\n\n{joined}\n\n{after.strip()}".replace("``", "`")


def test_the_commands_that_check_a_statement_work(tmp_path: Path) -> None:
    (commands,) = re.findall(r"(?s)```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"))
    key = SigningKey("log.example/seed", b"\xff" * 32)
    (tmp_path / "decisions.jsonl").write_text(export(YES, "in-toto", key=key), encoding="utf-8")

    def check(vkey: str) -> int:
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", commands], cwd=tmp_path, env={**os.environ, "KEY": vkey},
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode

    assert check(str(key.public)) == 0
    assert check(str(SigningKey("log.example/seed", bytes(32)).public)) != 0


def test_the_reference_is_up_to_date(request: pytest.FixtureRequest) -> None:
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    expected = head + mark + described()
    if request.config.getoption("--update-golden"):
        PAGE.write_text(expected, encoding="utf-8")
    assert mark
    assert PAGE.read_text(encoding="utf-8") == expected
    for name, standard in STANDARDS.items():
        assert f"| `{name}` | {standard.title} |" in head
