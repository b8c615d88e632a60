"""Writing claims into the files of a real DVC repository, which DVC must not notice."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from lineage.errors import UsageError
from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin, Tag, Use
from tests.integrations.dvc.repository import GPT4, WEB, Repo

OPENAI = Tag(
    Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, provider="openai", service="gpt-4", channel="azure-openai"),
    by="Jane Roe <jane@example.com>",
    reason="bought through Azure: 'see' #42",
)
OWN = Tag(Origin(Kind.FIRST_PARTY), by="Jane Roe <jane@example.com>")


def untouched(repo: Repo) -> tuple[str, dict[str, str], str]:
    """What a declaration must leave as it is: lock, run cache, DVC's opinion."""
    lock = repo.root / "dvc.lock"
    runs = {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in (repo.root / ".dvc/cache/runs").rglob("*")
        if p.is_file()
    }
    return (lock.read_text() if lock.exists() else "", runs, repo.dvc("status"))


def declare(repo: Repo, text: str, tag: Tag | None = OPENAI, **uses: str) -> list[str]:
    return [t.artifact.name for t in repo.pipeline().declare(text, tag, uses)]


@pytest.mark.parametrize(
    "name", ["data/raw/gpt4.txt.dvc", "data/raw/gpt4.txt", "./data/raw/gpt4.txt", "data\\raw\\gpt4.txt"]
)
def test_a_dvc_file(chained: Repo, name: str) -> None:
    before, state = chained.read_text("data/raw/gpt4.txt.dvc"), untouched(chained)
    assert declare(chained, name) == ["data/raw/gpt4.txt"]
    after = chained.read_text("data/raw/gpt4.txt.dvc")
    assert after.startswith(before)  # nothing else is touched
    assert untouched(chained) == state
    (tag,) = chained.read().tags("data/raw/gpt4.txt")
    assert (tag.origin, tag.by, tag.reason) == (OPENAI.origin, OPENAI.by, OPENAI.reason)
    chained.dvc("add", "-q", "data/raw/gpt4.txt")
    assert "azure-openai" in chained.read_text("data/raw/gpt4.txt.dvc")


def test_an_absolute_path(chained: Repo) -> None:
    assert declare(chained, str(chained.root / "data/raw/gpt4.txt")) == ["data/raw/gpt4.txt"]


PRETTY = """\
# the pipeline, with care for its looks
vars:
    - model: 'chat'   # quoted on purpose

stages:
    # first
    download:
        cmd: >-
            cat src/download.py
            > raw.txt
        deps:
            - src/download.py   # code
        outs:
            - raw.txt

    train:
        cmd: cp raw.txt "${model}.pkl"
        deps: [raw.txt, 'src/train.py']
        outs:
            - ${model}.pkl
        desc: "no: yes"
# the end
"""


def test_looks_are_kept(empty: Repo) -> None:
    empty.write("src/download.py", "# " + WEB)
    empty.write("src/train.py", "# code\n")
    empty.write("dvc.yaml", PRETTY)
    empty.dvc("repro", "-q")
    empty.commit()
    state = untouched(empty)
    assert declare(empty, "download") == ["raw.txt"]
    assert untouched(empty) == state
    added = [
        line[1:] for line in empty.git("diff", "-U0", "dvc.yaml").splitlines() if line[:1] == "+" and line[:3] != "+++"
    ]
    taken = [
        line[1:] for line in empty.git("diff", "-U0", "dvc.yaml").splitlines() if line[:1] == "-" and line[:3] != "---"
    ]
    assert taken == []
    assert added[:2] == ["        meta:", "            lineage:"]
    assert empty.read().kinds("raw.txt") == {"third-party-model-output"}


@pytest.mark.parametrize("address", ["train", "dvc.yaml:train", "./dvc.yaml:train"])
def test_a_stage_by_its_address(chained: Repo, address: str) -> None:
    state = untouched(chained)
    assert declare(chained, address) == ["models/chat.pkl"]
    assert untouched(chained) == state


def test_windows_line_ends_and_a_byte_order_mark_stay(chained: Repo) -> None:
    file = chained.root / "data/raw/gpt4.txt.dvc"
    before = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before)
    declare(chained, "data/raw/gpt4.txt")
    after = file.read_bytes()
    assert after.startswith(before) and after.count(b"\n") == after.count(b"\r\n")


def test_both_stay(chained: Repo) -> None:
    """A claim that frees data never takes the place of one that restricts it."""
    declare(chained, "data/raw/gpt4.txt", OPENAI)
    declare(chained, "data/raw/gpt4.txt", OWN)
    assert chained.read().kinds("data/raw/gpt4.txt") == {"third-party-model-output", "first-party"}


def test_the_same_origin_is_renewed(chained: Repo) -> None:
    declare(chained, "data/raw/tickets.txt", OWN)
    chained.write("data/raw/tickets.txt", "quite other tickets, but ours as well\n")
    chained.dvc("add", "-q", "data/raw/tickets.txt")
    assert "CLAIM_EXPIRED" in [n.code for n in chained.pipeline().notices()]
    declare(chained, "data/raw/tickets.txt", OWN)
    assert "CLAIM_EXPIRED" not in [n.code for n in chained.pipeline().notices()]
    assert chained.read_text("data/raw/tickets.txt.dvc").count("kind: first-party") == 1
    artifact = chained.pipeline().locate("data/raw/tickets.txt")
    assert artifact and artifact.content
    assert chained.read().kinds("data/raw/tickets.txt", artifact.content.hash) == {"first-party"}


def test_groups(empty: Repo) -> None:
    empty.write("get.py", "# code\n")
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  get:\n    foreach: [a, b]\n    do:\n      cmd: echo a line of ${item} that is long enough > ${item}.txt\n"
        "      deps: [get.py]\n      outs: ['${item}.txt']\n"
        "  mix:\n    matrix:\n      n: [1, 2]\n    cmd: echo another line of ${item.n}, long enough > m${item.n}.txt\n"
        "    deps: [get.py]\n    outs: ['m${item.n}.txt']\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    state = untouched(empty)
    assert declare(empty, "get@a") == ["a.txt"]
    reading = empty.read()
    assert reading.kinds("a.txt") == {"third-party-model-output"} and reading.kinds("b.txt") == set()
    assert declare(empty, "mix") == ["m1.txt", "m2.txt"]
    reading = empty.read()
    assert reading.kinds("m1.txt") == reading.kinds("m2.txt") == {"third-party-model-output"}
    declare(empty, "get@b")
    assert empty.read().kinds("b.txt") == {"third-party-model-output"}
    assert empty.read_text("dvc.yaml").count("provider: openai") == 2
    assert untouched(empty) == state


def test_one_output_of_several(empty: Repo) -> None:
    empty.write("get.py", "# code\n")
    empty.write("sub/.gitkeep", "")
    empty.write(
        "dvc.yaml",
        "stages:\n  get:\n    wdir: sub\n    cmd: echo a line of text for a > a.txt && echo another line for b > b.txt\n"
        "    deps: [../get.py]\n    outs: [a.txt, b.txt]\n",
    )
    empty.dvc("repro", "-q")
    assert declare(empty, "sub/b.txt") == ["sub/b.txt"]
    reading = empty.read()
    assert reading.kinds("sub/b.txt") == {"third-party-model-output"} and reading.kinds("sub/a.txt") == set()
    assert sorted(declare(empty, "get", OWN)) == ["sub/a.txt", "sub/b.txt"]
    assert empty.read().kinds("sub/a.txt") == {"first-party"}


def test_a_stage_that_has_not_run(empty: Repo) -> None:
    empty.write("get.py", "# code\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  get:\n    cmd: echo a line of text, long > a.txt\n    deps: [get.py]\n    outs: [a.txt]\n",
    )
    assert declare(empty, "get") == ["a.txt"]
    empty.dvc("repro", "-q")
    assert empty.read().kinds("a.txt") == {"third-party-model-output"}


def test_a_source_that_has_no_file_of_its_own(empty: Repo) -> None:
    """A data file in git: the claim stands with the stage that reads it, bound to its content."""
    empty.write("words.csv", WEB)
    empty.write("dvc.yaml", "stages:\n  t:\n    cmd: cp words.csv m.pkl\n    deps: [words.csv]\n    outs: [m.pkl]\n")
    empty.dvc("repro", "-q")
    empty.commit()
    state = untouched(empty)
    assert declare(empty, "words.csv", OWN) == ["words.csv"]
    assert untouched(empty) == state
    assert empty.read().labels("words.csv") == {"first-party"}
    empty.write("words.csv", GPT4)
    empty.dvc("repro", "-q")
    assert empty.read().labels("words.csv", empty.pipeline().locate("words.csv").content.hash) == {"undeclared"}  # type: ignore[union-attr]
    assert [n.where for n in empty.pipeline().notices() if n.code == "CLAIM_EXPIRED"] == ["dvc.yaml:t"]


def test_uses(chained: Repo) -> None:
    state = untouched(chained)
    pipeline = chained.pipeline()
    pipeline.declare("evaluate", None, {"models/chat.pkl": "teacher"})
    pipeline.declare("clean", OPENAI, {"data/raw/gpt4.txt": "annotation"})
    pipeline.declare("clean", None, {"data/raw/tickets.txt": "validation"})
    assert untouched(chained) == state
    reading = chained.read()
    assert [d.use for d in reading.run("dvc.yaml:evaluate").inputs] == [Use.TEACHER]
    assert [d.use for d in reading.run("dvc.yaml:clean").inputs] == [Use.ANNOTATION, Use.VALIDATION]
    assert reading.kinds("data/clean.txt") == {"third-party-model-output"}


@pytest.mark.parametrize(
    ("target", "tag", "uses", "code", "word"),
    [
        ("data/raw/gpt5.txt", OPENAI, {}, "TARGET_UNKNOWN", "data/raw/gpt4.txt"),
        ("trainn", OPENAI, {}, "TARGET_UNKNOWN", "train"),
        ("train", None, {"data/clean.txt": "evaluating"}, "USE_INVALID", "evaluation"),
        ("train", None, {"data/cleann.txt": "evaluation"}, "USE_INVALID", "data/clean.txt"),
        ("data/raw/gpt4.txt", None, {"x": "evaluation"}, "USE_INVALID", "stage"),
        ("train", None, {}, "USAGE", "nothing"),
    ],
)
def test_what_cannot_be_declared_changes_nothing(
    chained: Repo, target: str, tag: Tag | None, uses: dict[str, str], code: str, word: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chained.pipeline().declare(target, tag, uses)
    assert caught.value.code == code and word in str(caught.value)
    assert chained.git("status", "--porcelain").strip() == ""


def test_a_malformed_claim_is_not_written_over(chained: Repo) -> None:
    file = chained.root / "data/raw/gpt4.txt.dvc"
    file.write_text(file.read_text() + "meta:\n  lineage:\n    orgin: {kind: first-party}\n")
    before = file.read_bytes()
    with pytest.raises(UsageError) as caught:
        declare(chained, "data/raw/gpt4.txt")
    assert caught.value.code == "CLAIM_MALFORMED"
    assert file.read_bytes() == before


def test_other_meta_stays(chained: Repo) -> None:
    file = chained.root / "data/raw/gpt4.txt.dvc"
    file.write_text(file.read_text() + "meta:\n  owner: me   # mine\n  lineage_of: x\n")
    declare(chained, "data/raw/gpt4.txt")
    text = file.read_text()
    assert "  owner: me   # mine\n  lineage_of: x\n  lineage:\n" in text


RACE = """\
import sys
from pathlib import Path
from lineage.gate import Gate
from lineage.vocabulary import Kind, Origin
with Gate.open(start=Path.cwd()) as gate:
    sys.stdin.readline()
    for path in sys.argv[2:]:
        gate.declare(path, Origin(Kind(sys.argv[1])))
        kinds = {label.origin.kind.value for label in gate.labels(gate.resolve(path[:-4])).labels}
        assert sys.argv[1] in kinds, (path, kinds)  # in the ledger before it is called done
"""


def test_at_the_same_time(empty: Repo) -> None:
    empty.write("lineage.toml", 'project = "demo"\nuser = "Jane"\n')
    for number in range(5):
        empty.write(f"data/{number}.txt", f"{number} " + GPT4)
    empty.dvc("add", "-q", *(f"data/{number}.txt" for number in range(5)))
    paths = [f"data/{number}.txt.dvc" for number in range(5)]
    Gate.init(empty.root, project="demo")[0].close()
    kinds = ("first-party", "third-party-model-output", "web-crawl")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, kind, *paths], cwd=empty.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for kind in kinds
    ]
    for process in running:
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    for path in paths:
        assert all(f"kind: {kind}" in empty.read_text(path) for kind in kinds), empty.read_text(path)
    assert not list((empty.root / "data").glob("*lineage-new*"))
