"""What others state of tracked data: the registry of addresses, cards, Croissant and licences beside it. Real DVC."""

from __future__ import annotations

import json

import pytest

from lineage.gate import Gate
from lineage.vocabulary import Basis, Kind, Origin, Tag
from tests.integrations.dvc.repository import GPT4, WEB, Repo

CARD = "---\nlicense: cc-by-sa-4.0\ntags: [synthetic, gpt-4]\nsource_datasets: [tatsu-lab/alpaca]\n---\n# A dataset\n"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4")
ALPACA = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "text-davinci-003")
CC = Origin(Kind.OPEN_LICENCE, licence="CC-BY-SA-4.0")


def origins(tags: set[Tag]) -> set[Origin]:
    assert all(tag.basis is Basis.IMPORTED for tag in tags)
    return {tag.origin for tag in tags}


@pytest.fixture
def gate(empty: Repo) -> Gate:
    (empty.root / "lineage.toml").write_text('project = "demo"\nuser = "Jane Roe <jane@example.com>"\n')
    return Gate.init(empty.root)[0]


def kinds(gate: Gate, path: str) -> dict[Kind, Basis | None]:
    located = gate.locate(str(gate.config.root / path))
    assert located is not None
    return {label.origin.kind: label.basis for label in gate.graph.labels(located).labels}


def test_a_card_beside_a_file_and_in_a_directory(empty: Repo) -> None:
    empty.add("data/answers/a.txt", GPT4)
    empty.write("data/answers/README.md", CARD)
    empty.write("data/set/part.txt", WEB)
    empty.write("data/set/README.md", CARD)
    empty.dvc("add", "-q", "data/set")
    empty.write("README.md", CARD)  # about the project
    empty.add("top.txt", WEB + "more")
    empty.commit()
    reading = empty.read()
    assert origins(reading.tags("data/answers/a.txt")) == origins(reading.tags("data/set")) == {GPT, ALPACA, CC}
    assert not reading.tags("top.txt")
    (tag,) = [tag for tag in reading.tags("data/set") if tag.origin == CC]
    assert tag.evidence.startswith("data/set/README.md sha256:") and tag.reason == "license: cc-by-sa-4.0"
    assert not empty.read(reading.cursor).raw  # nothing new, nothing told again


def test_a_card_that_comes_or_changes_later_is_told_once(empty: Repo) -> None:
    empty.add("data/a/a.txt", GPT4)
    empty.commit()
    first = empty.read()
    assert not first.tags("data/a/a.txt")
    empty.write("data/a/README.md", "---\nlicense: mit\n---\n")
    second = empty.read(first.cursor)
    assert origins(second.tags("data/a/a.txt")) == {Origin(Kind.OPEN_LICENCE, licence="MIT")}
    empty.write("data/a/README.md", "---\nlicense: cc-by-nc-4.0\n---\n")
    third = empty.read(second.cursor)
    assert origins(third.tags("data/a/a.txt")) == {Origin(Kind.LICENSED, licence="CC-BY-NC-4.0")}
    (empty.root / "data/a/README.md").unlink()
    assert not empty.read(third.cursor).tags("data/a/a.txt")  # what was said stays said (law 2)


def test_a_file_that_is_not_the_recorded_one_says_nothing_of_a_directory(empty: Repo) -> None:
    empty.write("data/set/part.txt", WEB)
    empty.write("data/set/README.md", CARD)
    empty.dvc("add", "-q", "data/set")
    empty.write("data/set/README.md", "---\nlicense: mit\n---\n")
    empty.write("data/set/LICENSE", "MIT License\n")
    assert origins(empty.read().tags("data/set")) == {GPT, ALPACA, CC}  # the recorded one, from the cache


def test_huggingface_and_croissant(empty: Repo) -> None:
    info = {
        "homepage": "https://example.com",
        "license": "",
        "download_checksums": {"hf://datasets/tatsu-lab/alpaca@dce01c9b/data/train.parquet": {"num_bytes": 1}},
    }
    empty.add("data/hf/a.txt", GPT4)
    empty.write("data/hf/dataset_info.json", json.dumps(info))
    croissant = {
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "distribution": [{"@type": "cr:FileObject", "contentUrl": "https://data.commoncrawl.org/x.warc"}],
        "rai:machineAnnotationTools": ["gpt-4"],
    }
    empty.add("data/cr/a.txt", WEB)
    empty.write("data/cr/croissant.json", json.dumps(croissant))
    reading = empty.read()
    assert origins(reading.tags("data/hf/a.txt")) == {ALPACA}
    assert origins(reading.tags("data/cr/a.txt")) == {
        Origin(Kind.OPEN_LICENCE, licence="CC-BY-4.0"), Origin(Kind.WEB_CRAWL, "commoncrawl"), GPT,
    }  # fmt: skip


def test_what_is_broken_frees_nothing_and_is_said(empty: Repo) -> None:
    empty.add("data/a/a.txt", GPT4)
    empty.write("data/a/README.md", "---\nlicense: [mit\n---\n")
    empty.write("data/a/croissant.json", "[" * 100_000)
    empty.write("data/a/dataset_info.json", '{"license": "mit"')
    (empty.root / "data/a/LICENSE").write_bytes(b"\xff\xfe")
    assert not empty.read().tags("data/a/a.txt")
    said = {n.where for n in empty.pipeline().notices() if n.code == "STATED_UNREADABLE"}
    assert said == {f"data/a/{name}" for name in ("README.md", "croissant.json", "dataset_info.json", "LICENSE")}


def test_an_address_of_the_registry(empty: Repo) -> None:
    empty.add("words.txt", WEB)
    text = empty.read_text("words.txt.dvc")
    dep = "deps:\n- path: https://data.commoncrawl.org/x.warc\n  etag: abc\n"
    empty.write("words.txt.dvc", dep + text)
    empty.commit()
    reading = empty.read()
    (tag,) = reading.tags("x.warc")
    assert tag.origin == Origin(Kind.WEB_CRAWL, "commoncrawl") and tag.basis is Basis.IMPORTED
    (notice,) = [n for n in empty.pipeline().notices() if n.code == "STATED_ONLY"]
    assert notice.hint.startswith("lineagegate declare words.txt.dvc --kind web-crawl --provider commoncrawl")
    empty.write("words.txt.dvc", dep.replace("data.commoncrawl.org", "github.com/o/n") + text)
    assert any(n.code == "PLACE_KNOWN" and "GitHub" in n.message for n in empty.pipeline().notices())


def test_others_end_no_undeclared_and_a_strict_statement_sticks(empty: Repo, gate: Gate) -> None:
    empty.add("data/a/a.txt", GPT4)
    empty.write("data/a/README.md", CARD)
    empty.commit()
    with gate:
        gate.refresh()
        assert kinds(gate, "data/a/a.txt") == {
            Kind.UNDECLARED: None, Kind.OPEN_LICENCE: Basis.IMPORTED, Kind.THIRD_PARTY_MODEL_OUTPUT: Basis.IMPORTED,
        }  # fmt: skip
        assert [source.artifact.name for source in gate.graph.undeclared()] == ["data/a/a.txt"]
        assert any(n.code == "STATED_ONLY" and "gpt-4" in n.message for n in gate.notices())
        gate.declare("data/a/a.txt.dvc", Origin(Kind.FIRST_PARTY))
        found = kinds(gate, "data/a/a.txt")
        assert Kind.UNDECLARED not in found and found[Kind.THIRD_PARTY_MODEL_OUTPUT] is Basis.IMPORTED
        assert not gate.graph.undeclared()
        assert any(n.code == "STATED_OTHERWISE" for n in gate.notices())


def test_a_source_without_a_file_of_its_own(empty: Repo) -> None:
    empty.write("get.py", "")
    empty.write("data/down/README.md", CARD)
    empty.write(
        "dvc.yaml",
        "stages:\n  get:\n    cmd: echo 'an answer of a model, long enough' > data/down/a.txt\n"
        "    deps: [get.py]\n    outs: [data/down/a.txt]\n"
        "  use:\n    cmd: cp data/down/a.txt b.txt\n    deps: [data/down/a.txt]\n    outs: [b.txt]\n",
    )
    empty.dvc("repro", "-q")
    reading = empty.read()
    assert origins(reading.tags("data/down/a.txt")) == {GPT, ALPACA, CC}
    assert not reading.tags("b.txt")
