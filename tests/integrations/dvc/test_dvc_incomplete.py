"""A directory whose list of files is not in the cache is never clean by its own claim alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lineage.errors import CannotDecide
from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin
from tests.integrations.dvc.repository import GPT4, WEB, Repo

OPENAI = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai")


@pytest.fixture
def gate(empty: Repo) -> Gate:
    """A ledger beside a repository with a directory that was never put into the cache."""
    empty.write("lineage.toml", 'project = "demo"\nuser = "Jane Roe <jane@example.com>"\n')
    empty.write(".gitignore", ".lineage/\n")
    empty.add("gpt4.txt", GPT4)
    empty.write("data/dir/a.txt", GPT4)
    empty.write("data/dir/b.txt", WEB)
    empty.dvc("add", "-q", "--no-commit", "data/dir")
    empty.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cat data/dir/*.txt | rev > m.pkl\n    deps: [data/dir]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q", "--no-commit")
    empty.commit()
    return Gate.init(empty.root, project="demo")[0]


def kinds(gate: Gate, text: str) -> set[str]:
    return {label.origin.kind.value for label in gate.labels(gate.resolve(text)).labels}


def test_its_files_are_listed_where_they_lie(gate: Gate) -> None:
    gate.declare("gpt4.txt.dvc", OPENAI)
    gate.declare("data/dir.dvc", Origin(Kind.FIRST_PARTY))
    assert kinds(gate, "m.pkl") == {"first-party", "third-party-model-output"}
    member = gate.locate("data/dir/b.txt")
    assert member and member.content
    assert gate.graph.known_content([member.content.hash, "md5:" + "0" * 32]) == {member.content.hash}


def test_without_them_it_is_undeclared_until_the_list_is_there(gate: Gate, empty: Repo, tmp_path: Path) -> None:
    shutil.move(empty.root / "data/dir", tmp_path / "dir")
    gate.declare("gpt4.txt.dvc", OPENAI)
    gate.declare("data/dir.dvc", Origin(Kind.FIRST_PARTY))
    assert kinds(gate, "m.pkl") == {"first-party", "undeclared"}
    assert [n.where for n in gate.notices() if n.code == "DIRECTORY_UNKNOWN"] == ["data/dir.dvc"]
    shutil.move(tmp_path / "dir", empty.root / "data/dir")
    empty.dvc("commit", "-q", "-f", "data/dir.dvc")
    gate.refresh()
    assert kinds(gate, "m.pkl") == {"first-party", "third-party-model-output"}
    assert "DIRECTORY_UNKNOWN" not in [n.code for n in gate.notices()]
    assert gate.refresh()[2] == 0


def test_the_repository_itself_cannot_be_declared(gate: Gate) -> None:
    with pytest.raises(CannotDecide) as refused:
        gate.declare(".", Origin(Kind.FIRST_PARTY))
    assert refused.value.code == "ARTIFACT_UNKNOWN"
