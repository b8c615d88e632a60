"""The work tree now: stages that run, stages that do not, and what lies at a path. Hashes are compared with DVC's own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from lineage.errors import CannotDecide
from tests.integrations.dvc.repository import CHAIN, GPT4, TICKETS, WEB, Repo, nothing

ASK = """\
import json, os, sys
from pathlib import Path
from lineage.config import Config
from lineage_dvc.pipeline import DvcPipeline

start = Path(os.environ.get("LINEAGE_ROOT") or Path.cwd())
found = DvcPipeline(Config(root=start, project="demo")).running(Path.cwd(), os.environ, lambda keys: set())
out = Path(sys.argv[1])
if found:
    content = lambda a: a.content.hash if a.content else None
    found = [found[0], [[i.artifact.name, content(i.artifact), i.use.value] for i in found[1]]]
out.write_text(json.dumps({"found": found, "extra": sys.argv[2:]}))
"""


def asking(repo: Repo) -> None:
    """`train` asks which stage it runs in."""
    repo.write("src/ask.py", ASK)
    yaml = CHAIN.replace(
        "cmd: cat data/clean.txt params.yaml > models/chat.pkl",
        f"cmd: {sys.executable} src/ask.py models/chat.pkl ${{lr}}",
    ).replace("deps: [src/train.py, data/clean.txt]", "deps: [src/ask.py, data/clean.txt]")
    assert "ask.py" in yaml
    repo.write("dvc.yaml", yaml)


def test_inside_a_stage_whose_lock_entry_is_not_yet_written(chained: Repo) -> None:
    """Shape 3: train registers. Its inputs are what lies there, not what the lock says of the last time."""
    asking(chained)
    old = chained.pipeline().locate("data/clean.txt")
    chained.write("data/raw/gpt4.txt", GPT4 + "changed\n")
    chained.dvc("add", "-q", "data/raw/gpt4.txt")
    chained.dvc("repro", "-q")
    answer = json.loads(chained.read_text("models/chat.pkl"))
    address, inputs = answer["found"]
    new = chained.pipeline().locate("data/clean.txt")
    assert address == "dvc.yaml:train"
    assert new and new.content and old and old.content and new.content != old.content
    assert inputs == [["data/clean.txt", new.content.hash, "content"]]
    # and the lock says the same afterwards
    assert [d.artifact.content.hash for d in chained.read().run("dvc.yaml:train").inputs if d.artifact.content] == [
        new.content.hash
    ]


def test_inside_an_experiment_in_a_temporary_directory(chained: Repo) -> None:
    """DVC_ROOT is the repository, the files are those of the copy."""
    asking(chained)
    chained.commit("asks")
    chained.write("data/clean.txt", "not what the experiment will see\n")
    chained.dvc("exp", "run", "-q", "--temp", "-n", "far", "-S", "lr=0.9")
    ref = chained.git("for-each-ref", "refs/exps", "--format=%(objectname)").split()[0]
    lock = chained.git("show", f"{ref}:dvc.lock")
    md5 = next(
        line.split()[-1]
        for line in lock.split("  train:")[1].split("models/chat.pkl\n")[-1].splitlines()
        if "md5: " in line
    )
    answer = json.loads((chained.root / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").read_text())
    assert answer["found"][0] == "dvc.yaml:train"
    seen = answer["found"][1][0][1]
    assert seen[4:] in lock
    wrong = chained.pipeline().locate("data/clean.txt")
    assert wrong and wrong.content and wrong.content.hash != seen


def test_dvc_called_from_another_directory(empty: Repo) -> None:
    """DVC_STAGE is relative to where dvc was called."""
    empty.add("data/raw.txt", WEB)
    empty.write("src/ask.py", ASK)
    for name in ("a", "b"):
        empty.write(
            f"pipelines/{name}/dvc.yaml",
            f"stages:\n  train:\n    cmd: LINEAGE_ROOT={empty.root} {sys.executable} ../../src/ask.py {name}.json\n"
            "    deps: [../../data/raw.txt, ../../src/ask.py]\n    outs: [" + name + ".json]\n",
        )
    empty.commit()
    empty.dvc("repro", "-q", "train", cwd=empty.root / "pipelines/a")
    empty.dvc("repro", "-q", "../pipelines/b/dvc.yaml:train", cwd=empty.root / "data")
    for name in ("a", "b"):
        found = json.loads(empty.read_text(f"pipelines/{name}/{name}.json"))["found"]
        assert found[0] == f"pipelines/{name}/dvc.yaml:train"
        assert [i[0] for i in found[1]] == ["data/raw.txt"]


def test_outside_a_stage_and_in_a_stage_of_another_project(chained: Repo, tmp_path: Path) -> None:
    pipeline = chained.pipeline()
    assert pipeline.running(chained.root, {}, nothing) is None
    assert pipeline.running(chained.root, {"DVC_STAGE": "train", "DVC_ROOT": str(tmp_path)}, nothing) is None


def test_a_stage_that_nobody_defined_or_that_may_be_two(chained: Repo) -> None:
    environment = {"DVC_STAGE": "nope", "DVC_ROOT": str(chained.root)}
    with pytest.raises(CannotDecide) as caught:
        chained.pipeline().running(chained.root, environment, nothing)
    assert caught.value.code == "STAGE_UNKNOWN"
    for name in ("a", "b"):
        chained.write(f"{name}/dvc.yaml", "stages:\n  same:\n    cmd: 'true'\n    wdir: ../data\n")
    with pytest.raises(CannotDecide) as caught:
        chained.pipeline().running(chained.root / "data", {**environment, "DVC_STAGE": "same"}, nothing)
    assert caught.value.code == "STAGE_AMBIGUOUS"


def test_a_dependency_that_is_gone(chained: Repo) -> None:
    (chained.root / "data/clean.txt").unlink()
    environment = {"DVC_STAGE": "train", "DVC_ROOT": str(chained.root)}
    with pytest.raises(CannotDecide) as caught:
        chained.pipeline().running(chained.root, environment, nothing)
    assert caught.value.code == "DEPENDENCY_MISSING"
    # a stage that does not run now: the lock says what it read
    inputs = chained.pipeline().stage("train", chained.root, nothing)
    assert inputs is not None and [i.artifact.name for i in inputs] == ["data/clean.txt"]


def test_a_stage_as_recorded_and_as_it_lies_now(chained: Repo) -> None:
    chained.write("data/clean.txt", "changed by hand\n")
    inputs = chained.pipeline().stage("dvc.yaml:train", chained.root, nothing)
    assert inputs is not None and len({i.artifact.content.hash for i in inputs if i.artifact.content}) == 2
    assert chained.pipeline().stage("nope", chained.root, nothing) is None


def test_locate(chained: Repo) -> None:
    pipeline = chained.pipeline()
    by_dvc = pipeline.locate("data/raw/gpt4.txt.dvc")
    assert by_dvc and by_dvc.name == "data/raw/gpt4.txt" and by_dvc.namespace == "dvc://demo"
    for text in (
        "data/raw/gpt4.txt",
        str(chained.root / "data/raw/gpt4.txt"),
        f"file://{chained.root}/data/raw/gpt4.txt",
        "./data/../data/raw/gpt4.txt",
    ):
        assert pipeline.locate(text) == by_dvc
    model = pipeline.locate("models/chat.pkl")
    assert model and model.type.value == "MODEL"
    code = pipeline.locate("src/train.py")
    assert code and code.content
    assert pipeline.locate("nothing/here") is None
    outside = chained.root.parent / "outside.csv"
    outside.write_text(WEB)
    found = pipeline.locate(str(outside))
    assert found and (found.namespace, found.name) == ("file", str(outside))
    # not checked out: what is recorded
    (chained.root / "models/chat.pkl").unlink()
    recorded = pipeline.locate("models/chat.pkl")
    assert recorded and recorded.content and model.content and recorded.content.hash == model.content.hash
    # what lies there counts, not what was recorded
    chained.write("data/raw/gpt4.txt", TICKETS)
    changed = pipeline.locate("data/raw/gpt4.txt")
    tickets = pipeline.locate("data/raw/tickets.txt")
    assert changed and tickets and changed.content and tickets.content and changed.content.hash == tickets.content.hash


def test_hashes_are_those_of_dvc(empty: Repo) -> None:
    empty.write("d/a.txt", GPT4)
    empty.write("d/ü ñ/b.txt", "")
    empty.write("d/z/deep/c.bin", "\r\n" * 9)
    (empty.root / "d/empty").mkdir()
    (empty.root / "d/link.txt").symlink_to("a.txt")
    empty.dvc("add", "-q", "d")
    recorded = empty.read().dataset("d").artifact.content
    live = empty.pipeline().locate("d")
    assert recorded and live and live.content
    assert (live.content.hash, live.content.files, live.content.size) == (recorded.hash, recorded.files, recorded.size)
    assert {m.path: m.hash for m in live.content.members} == {m.path: m.hash for m in recorded.members}
    inside = empty.pipeline().locate("d/z/deep/c.bin")
    assert inside and inside.name == "d/z/deep/c.bin"
    (empty.root / "d/z/deep/c.bin").unlink()
    listed = empty.pipeline().locate("d/z/deep/c.bin")
    assert listed and listed.content and inside.content and listed.content.hash == inside.content.hash


def test_hashes_leave_out_what_dvc_ignores(empty: Repo) -> None:
    empty.write(".dvcignore", "# what DVC leaves out\n*.tmp\n")
    empty.write("d/a.txt", GPT4)
    empty.write("d/b.tmp", GPT4)
    empty.dvc("add", "-q", "d")
    recorded = empty.read().dataset("d").artifact.content
    live = empty.pipeline().locate("d")
    assert recorded and live and live.content and live.content.hash == recorded.hash


def test_a_change_that_keeps_size_and_name_is_noticed(empty: Repo) -> None:
    empty.add("a.txt", "aaaa" * 10)
    old = empty.root / "a.txt"
    os.utime(old, (1_600_000_000, 1_600_000_000))
    first = empty.pipeline().locate("a.txt")
    second = empty.pipeline().locate("a.txt")  # remembered
    assert first == second
    old.unlink()
    old.write_text("bbbb" * 10)
    third = empty.pipeline().locate("a.txt")
    assert third and first and third.content != first.content


def test_targets(chained: Repo) -> None:
    pipeline = chained.pipeline()
    for text in ("data/raw/gpt4.txt", "data/raw/gpt4.txt.dvc"):
        (target,) = pipeline.targets(text)
        assert (target.artifact.name, target.address) == ("data/raw/gpt4.txt", "data/raw/gpt4.txt.dvc")
        assert target.artifact.content
    (target,) = pipeline.targets("train")
    assert (target.artifact.name, target.address) == ("models/chat.pkl", "dvc.yaml:train")
    assert pipeline.targets("models:/chat/1") == pipeline.targets("nope") == []


def test_legacy_hashes_of_text_with_windows_line_ends(empty: Repo) -> None:
    (empty.root / "raw.csv").write_bytes(b"a;b\r\n1;2\r\n" * 5)
    import hashlib

    dos = hashlib.md5(b"a;b\n1;2\n" * 5).hexdigest()
    empty.write("dvc.yaml", "stages:\n  t:\n    cmd: cp raw.csv m.pkl\n    deps: [raw.csv]\n    outs: [m.pkl]\n")
    empty.write(
        "dvc.lock",
        f"schema: '2.0'\nstages:\n  t:\n    cmd: cp raw.csv m.pkl\n    deps:\n    - path: raw.csv\n      md5: {dos}\n      size: 50\n"
        f"    outs:\n    - path: m.pkl\n      md5: {dos}\n      size: 50\n",
    )
    inputs = empty.pipeline().stage("t", empty.root, nothing)
    assert inputs is not None and [i.artifact.content.hash for i in inputs if i.artifact.content] == [f"md5:{dos}"]


@pytest.mark.parametrize(
    "where", ["pipe", "linked", "/dev/zero", "/dev/null", "/", "..", ".", ".git", ".dvc/tmp", "/proc/self/mem"]
)
def test_what_is_no_data_is_not_hashed(chained: Repo, where: str) -> None:
    os.mkfifo(chained.root / "pipe")
    (chained.root / "linked").symlink_to("/dev/zero")
    assert chained.pipeline().locate(where) is None
    assert chained.pipeline().targets(where) == []


def test_a_directory_with_a_pipe_in_it_cannot_be_hashed(chained: Repo) -> None:
    (chained.root / "folder").mkdir()
    os.mkfifo(chained.root / "folder/pipe")
    with pytest.raises(CannotDecide) as refused:
        chained.pipeline().locate("folder")
    assert refused.value.code == "FILE_UNREADABLE"


def test_a_directory_outside_only_when_a_stage_reads_it(chained: Repo) -> None:
    outside = chained.root.parent / "shared"
    outside.mkdir()
    (outside / "a.txt").write_text(WEB)
    assert chained.pipeline().locate(str(outside)) is None
    chained.write(
        "dvc.yaml", CHAIN + "  out:\n    cmd: cat ../shared/a.txt > x\n    deps: [../shared]\n    outs: [x]\n"
    )
    found = chained.pipeline().locate(str(outside))
    assert found and found.content and found.content.files == 1
