"""An output with ``persist: true`` is not deleted before its stage runs: what it held goes into what it holds next."""

from __future__ import annotations

import pytest

from tests.integrations.dvc.repository import GPT4, WEB, Repo, nothing

STAGE = "stages:\n  t:\n    cmd: cat more.txt >> all.txt\n    deps: [more.txt]\n    outs:\n    - all.txt:\n        persist: true\n"


def grow(repo: Repo, text: str) -> str:
    """Run the stage on other data; gives the content of its output."""
    repo.add("more.txt", text)
    repo.dvc("repro", "-q")
    artifact = repo.pipeline().locate("all.txt")
    assert artifact and artifact.content
    return artifact.content.hash


@pytest.fixture
def growing(empty: Repo) -> Repo:
    empty.write("dvc.yaml", STAGE)
    return empty


def test_in_history(growing: Repo) -> None:
    first = grow(growing, GPT4)
    growing.commit()
    grow(growing, WEB)
    growing.commit()
    reading = growing.read()
    kept = reading.run("dvc.yaml:t").inputs[-1]
    assert (kept.name, kept.artifact.content and kept.artifact.content.hash) == ("all.txt", first)
    assert reading.inputs("dvc.yaml:t") == ["more.txt", "all.txt"]
    assert len(reading.runs) == 2 and len(reading.runs[0].inputs) == 1
    assert growing.read(reading.cursor, known=reading.ids).raw == []


def test_going_back_is_no_run(growing: Repo) -> None:
    grow(growing, GPT4)
    early = growing.commit()
    grow(growing, WEB)
    growing.commit()
    growing.git("checkout", "-q", early, "--", ".")
    growing.commit()
    assert len(growing.read().runs) == 2


def test_the_option_taken_out_with_the_same_commit(growing: Repo) -> None:
    grow(growing, GPT4)
    growing.commit()
    grow(growing, WEB)
    growing.write("dvc.yaml", STAGE.replace("        persist: true\n", "        cache: true\n"))
    growing.commit()
    assert growing.read().inputs("dvc.yaml:t") == ["more.txt", "all.txt"]


def test_uncommitted_runs_one_after_the_other(growing: Repo) -> None:
    growing.commit()
    grow(growing, GPT4)
    first = growing.read()
    second_content = grow(growing, WEB)
    second = growing.read(first.cursor, known=first.ids)
    assert second.inputs("dvc.yaml:t") == ["more.txt", "all.txt"]
    third = grow(growing, GPT4 + WEB)
    last = growing.read(second.cursor, known=first.ids | second.ids)
    kept = last.run("dvc.yaml:t").inputs[-1].artifact.content
    assert kept and kept.hash == second_content != third
    inputs = growing.pipeline().stage("t", growing.root, nothing)
    assert inputs and [i.artifact.name for i in inputs] == ["more.txt", "all.txt"]
