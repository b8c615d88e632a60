"""``lineagegate report``: what it prints, what it writes, and that a failure writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli


def files(directory: Path) -> list[str]:
    """What lies in a directory, besides the project's own."""
    return sorted(p.name for p in directory.iterdir() if p.suffix in (".html", ".pdf", ".json") or "dossier" in p.name)


def test_the_answer_and_the_paths_are_printed(project: Path, cli: Cli) -> None:
    ran = cli("report", "models:/seed-chat/1", "--origin", "openai")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert "models:/seed-chat/1" in lines[0]
    assert "  answer   yes" in lines
    assert "  policy   refused" in lines
    assert any(line.startswith("path 1: third-party-model-output, openai/gpt-4 via azure-openai") for line in lines)
    assert any(line.split()[:2] == ["data/clean", "clean"] for line in lines)
    assert lines[-1].endswith("lineagegate report models:/seed-chat/1 --origin openai -o dossier.html")
    assert files(project) == []


def test_json_is_the_case(project: Path, cli: Cli) -> None:
    case = cli("report", "models:/seed-own/1", "--origin", "openai", verb="report").document
    assert case["format"] == "lineagegate-case/1"
    assert case["question"]["origin"] == "openai"
    assert [trace["use"] for trace in case["traces"]] == ["evaluation"]


def test_a_dossier_in_every_form_is_the_same_twice(project: Path, cli: Cli) -> None:
    for name in ("dossier.html", "dossier.pdf", "DOSSIER.JSON"):
        ran = cli("report", "models:/seed-chat/1", "--origin", "openai", "-o", name)
        assert ran.status == 0, ran.err
        assert ran.out.splitlines()[-1] == f"The dossier is in {name}."
        first = (project / name).read_bytes()
        cli("report", "models:/seed-chat/1", "--origin", "openai", "-o", name)
        second = (project / name).read_bytes()
        assert first == second
        assert first.startswith({".html": b"<!DOCTYPE html>", ".pdf": b"%PDF-1.7"}.get(Path(name).suffix, b"{"))
    assert files(project) == ["dossier.html", "dossier.pdf"]  # and no file that was half written
    printed = cli("report", "models:/seed-chat/1", "--origin", "openai", verb="report").document
    assert json.loads((project / "DOSSIER.JSON").read_text(encoding="utf-8")) == printed


def test_a_question_without_an_origin_is_about_all(project: Path, cli: Cli) -> None:
    ran = cli("report", "models:/seed-web/1")
    assert ran.status == 0
    assert "undeclared" in ran.out
    assert "not complete" in ran.out


def test_a_dossier_about_another_time_says_so(project: Path, cli: Cli) -> None:
    ran = cli("report", "models:/seed-chat/1", "--origin", "openai", "--as-of", "2023-03-03", "-o", "dossier.html")
    assert ran.status == 0, ran.err
    page = (project / "dossier.html").read_text(encoding="utf-8")
    assert "as things stood at the end of 3 March 2023" in page
    assert "--as-of 2023-03-03T23:59:59.999999+00:00" in page  # the commands ask the same
    again = cli("report", "models:/seed-chat/1", "--origin", "openai", "--as-of", "2023-03-03T23:59:59.999999+00:00")
    assert again.status == 0
    before = cli("report", "models:/seed-chat/1", "--as-of", "2020-01-01", "-o", "none.html", verb="error")
    assert before.status == 3
    assert files(project) == ["dossier.html"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["models:/seed-chat/1", "-o", "dossier.docx"], 2, "OUTPUT_INVALID"),
        (["models:/seed-chat/1", "-o", "dossier"], 2, "OUTPUT_INVALID"),
        (["models:/seed-chat/1", "-o", "nowhere/dossier.html"], 2, "OUTPUT_UNWRITABLE"),
        (["models:/none/1", "-o", "dossier.html"], 3, "ARTIFACT_UNKNOWN"),
    ],
)
def test_a_failure_writes_nothing(arguments: list[str], status: int, code: str, project: Path, cli: Cli) -> None:
    ran = cli("report", *arguments, verb="error")
    assert (ran.status, ran.document["error"]["code"]) == (status, code)
    assert files(project) == []


def test_what_was_there_stays_when_the_dossier_cannot_be_made(project: Path, cli: Cli) -> None:
    (project / "dossier.html").write_text("yesterday's", encoding="utf-8")
    assert cli("report", "models:/none/1", "-o", "dossier.html").status == 3
    assert (project / "dossier.html").read_text(encoding="utf-8") == "yesterday's"


def test_a_file_stands_where_the_verb_runs(project: Path, cli: Cli, tmp_path: Path) -> None:
    inner = project / "inner"
    inner.mkdir()
    assert cli("report", "models:/seed-chat/1", "-o", "dossier.html", "-C", str(inner)).status == 0
    assert (inner / "dossier.html").is_file()
