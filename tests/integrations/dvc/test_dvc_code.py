"""What is code and what is data: by name, and by content that is known to be data."""

from __future__ import annotations

import hashlib

import pytest

from tests.integrations.dvc.repository import CHAIN, GPT4, WEB, Repo, nothing


def key_of(text: str) -> str:
    return f"md5:{hashlib.md5(text.encode()).hexdigest()}"


def stage(repo: Repo, dep: str, *, params: str = "") -> None:
    """A stage that reads what git holds at a path."""
    source = f"{dep}/*" if "." not in dep else dep
    repo.write(
        "dvc.yaml",
        f"stages:\n  t:\n    cmd: cat {params or source} | rev > m.pkl\n    deps: [{dep}]\n    outs: [m.pkl]\n"
        + (f"    params:\n    - {params}:\n" if params else ""),
    )
    repo.dvc("repro", "-q")
    repo.commit()


@pytest.mark.parametrize("name", ["corpus.yaml", "words.cfg", "src/gpt.py"])
def test_a_copy_of_data_is_data_whatever_its_name(chained: Repo, name: str) -> None:
    chained.write(name, GPT4)
    chained.write(
        "dvc.yaml", CHAIN + f"  copy:\n    cmd: cat {name} | rev > copy.pkl\n    deps: [{name}]\n    outs: [copy.pkl]\n"
    )
    chained.dvc("repro", "-q", "copy")
    chained.commit()
    reading = chained.read()
    assert reading.inputs("dvc.yaml:copy") == [name]
    content = reading.run("dvc.yaml:copy").inputs[0].artifact.content
    assert content and content.hash == key_of(GPT4)
    assert reading.inputs("dvc.yaml:clean") == ["data/raw/gpt4.txt", "data/raw/tickets.txt"]  # code stays code


@pytest.mark.parametrize("incremental", [False, True])
def test_in_whichever_order_they_come(empty: Repo, incremental: bool) -> None:
    empty.write("corpus.yaml", GPT4)
    stage(empty, "corpus.yaml")
    first = empty.read()
    assert first.inputs("dvc.yaml:t") == []
    empty.add("gpt4.txt", GPT4)
    empty.commit()
    reading = empty.read(first.cursor, known=first.ids) if incremental else empty.read()
    assert reading.inputs("dvc.yaml:t") == ["corpus.yaml"]
    assert reading.ids == first.ids
    again = empty.read(reading.cursor, known=first.ids)
    assert again.raw == []


def test_what_the_ledger_knows_from_elsewhere_is_data(empty: Repo) -> None:
    empty.write("corpus.yaml", GPT4)
    stage(empty, "corpus.yaml")
    assert empty.read(data={key_of(GPT4)}).inputs("dvc.yaml:t") == ["corpus.yaml"]
    pipeline = empty.pipeline()
    assert pipeline.stage("t", empty.root, nothing) == ()
    found = pipeline.stage("t", empty.root, lambda keys: {key_of(GPT4)} & set(keys))
    assert found and [i.artifact.name for i in found] == ["corpus.yaml"]


@pytest.mark.parametrize("name", ["src/vocab.csv", "scripts/a/b.jsonl.gz", "code/words.txt"])
def test_a_folder_of_code_does_not_make_code_of_data_formats(empty: Repo, name: str) -> None:
    empty.write(name, WEB)
    empty.write("src/requirements-dev.txt", WEB)
    stage(empty, name)
    assert empty.read().inputs("dvc.yaml:t") == [name]
    assert empty.read(code=(name,)).inputs("dvc.yaml:t") == []


def test_a_folder_of_code_with_data_in_it(empty: Repo) -> None:
    empty.write("src/a.py", "# code that is long enough\n")
    empty.write("src/README.md", "what it does, at some length\n")
    stage(empty, "src")
    plain = empty.read()
    assert plain.inputs("dvc.yaml:t") == []
    # content that is known as data: the file itself is the input
    assert empty.read(data={key_of("# code that is long enough\n")}).inputs("dvc.yaml:t") == ["src/a.py"]
    empty.write("src/vocab.csv", WEB)
    stage(empty, "src")
    assert empty.read().inputs("dvc.yaml:t") == ["src"]


def test_a_file_of_params_that_is_a_copy_of_data(empty: Repo) -> None:
    text = "words: [one, two, three]\nmore: [four, five]\n"
    empty.add("raw.yaml", text)
    empty.write("corpus.yaml", text)
    empty.write("train.py", "# code\n")
    stage(empty, "train.py", params="corpus.yaml")
    assert empty.read().inputs("dvc.yaml:t") == ["corpus.yaml"]


def test_notices(empty: Repo) -> None:
    empty.write("big.py", "# " + "x" * (1 << 20) + "\n")
    stage(empty, "big.py")
    found = {n.code: n for n in empty.pipeline(code=("**",)).notices()}
    assert found["CODE_LARGE"].where == "dvc.yaml:t" and "big.py" in found["CODE_LARGE"].message
    assert "**" in found["CODE_EVERYTHING"].message
    assert "CODE_EVERYTHING" not in [n.code for n in empty.pipeline().notices()]


@pytest.mark.parametrize("incremental", [False, True])
def test_a_configuration_that_is_copied_to_an_output_stays_one(empty: Repo, incremental: bool) -> None:
    empty.write("conf.yaml", GPT4)
    empty.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: mkdir -p out && cp conf.yaml out && rev conf.yaml > m.pkl\n"
        "    deps: [conf.yaml]\n    outs: [m.pkl, out]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    first = empty.read()
    assert first.inputs("dvc.yaml:t") == []
    empty.write("note.md", "x")
    empty.commit()
    second = empty.read(first.cursor, known=first.ids, data={key_of(GPT4)})
    assert second.runs == []
    # and yet it is data when a source has that content
    empty.add("gpt4.txt", GPT4)
    empty.commit()
    last = empty.read(second.cursor, known=first.ids, data={key_of(GPT4)}) if incremental else empty.read()
    assert last.inputs("dvc.yaml:t") == ["conf.yaml"]
    if incremental:
        fresh = Repo(empty.root).read(data={key_of(GPT4)})
        assert fresh.inputs("dvc.yaml:t") == ["conf.yaml"]
