"""Reading a history, a work tree and a run cache that real DVC made: everything once, the second time only what is new."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from lineage.errors import LineageError
from lineage.events.naming import run_id
from tests.integrations.dvc.repository import GPT4, Repo, nothing


def cached_runs(repo: Repo) -> set[tuple[str, str]]:
    return {(path.parent.name, path.name) for path in (repo.root / ".dvc/cache/runs").glob("*/*/*")}


def identities(reading: object) -> set[tuple[str, str]]:
    return {
        tuple(event.run.facets.execution.execution.key.split("/"))
        for event in reading.runs  # type: ignore[attr-defined]
        if event.run and event.run.facets and event.run.facets.execution
    }


def test_a_chain_of_stages(chained: Repo) -> None:
    reading = chained.read()
    assert reading.addresses == ["dvc.yaml:clean", "dvc.yaml:train", "dvc.yaml:evaluate"]
    assert reading.inputs("dvc.yaml:clean") == ["data/raw/gpt4.txt", "data/raw/tickets.txt"]
    assert reading.inputs("dvc.yaml:train") == ["data/clean.txt"]  # code and params are not data
    assert reading.outputs("dvc.yaml:evaluate") == ["metrics.json"]
    assert reading.dataset("models/chat.pkl").is_model
    assert not reading.dataset("data/clean.txt").is_model
    assert {event.dataset.name for event in reading.sets if event.dataset} == {
        "data/raw/gpt4.txt",
        "data/raw/tickets.txt",
    }
    run = reading.run("dvc.yaml:train")
    assert run.job and run.job.namespace == "dvc://demo"
    assert run.time == "2023-02-01T10:00:00+00:00"
    assert run.run and run.run.facets and run.run.facets.execution
    execution = run.run.facets.execution.execution
    assert execution.commit == chained.git("rev-parse", "HEAD").strip()
    assert execution.author == "Jane Roe <jane@example.com>"
    assert execution.evidence == "asserted"
    assert reading.labels("models/chat.pkl") == {"undeclared"}


def test_identity_is_that_of_the_run_cache(chained: Repo) -> None:
    for lr in ("0.2", "1e-05", "7", "true"):
        chained.write("params.yaml", f"lr: {lr}\ndepth: 'no'\n")
        chained.dvc("repro", "-q")
        chained.commit(lr)
    reading = chained.clone(chained.root.parent / "clone").read()
    # `evaluate` keeps its metrics out of the cache, and DVC puts it into the run cache all the same
    assert identities(reading) == cached_runs(chained)
    assert len(cached_runs(chained)) == 3 + 4 * 2


def test_the_same_run_has_the_same_id_everywhere(chained: Repo) -> None:
    first = chained.read()
    clone = chained.clone(chained.root.parent / "clone").read()
    assert clone.ids == first.ids
    shutil.rmtree(chained.root / ".git")
    assert chained.read().ids == first.ids  # from the work tree alone
    for path in ("dvc.yaml", "dvc.lock"):
        (chained.root / path).unlink()
    from_cache = chained.read()
    assert len(from_cache.ids) == 3  # without a name for the stages
    key, value = sorted(cached_runs(chained))[0]
    assert run_id("dvc", "demo", "dvc.yaml:clean", key, value) not in from_cache.ids


def test_nothing_new_is_nothing_and_fast(chained: Repo) -> None:
    first = chained.read()
    pipeline = chained.pipeline()
    started = time.perf_counter()
    assert list(pipeline.read(first.cursor, lambda ids: set(), nothing, None)) == []
    assert time.perf_counter() - started < 0.2


def test_only_what_is_new(chained: Repo) -> None:
    first = chained.read()
    chained.write("params.yaml", "lr: 0.3\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.commit("second", "2023-03-01T00:00:00Z")
    second = chained.read(first.cursor, known=first.ids)
    assert second.commits == 1
    assert second.addresses == ["dvc.yaml:train", "dvc.yaml:evaluate"]
    assert not second.ids & first.ids
    again = chained.read(second.cursor, known=first.ids | second.ids)
    assert again.raw == []
    # whoever reads it all at once reads the same
    assert chained.read().ids == first.ids | second.ids


def test_uncommitted_then_committed(chained: Repo) -> None:
    first = chained.read()
    chained.write("params.yaml", "lr: 0.3\ndepth: 3\n")
    chained.dvc("repro", "-q")
    second = chained.read(first.cursor, known=first.ids)
    run = second.run("dvc.yaml:train")
    assert run.run and run.run.facets and run.run.facets.execution
    assert run.run.facets.execution.execution.commit == ""
    chained.commit("second")
    third = chained.read(second.cursor, known=first.ids | second.ids)
    run = third.run("dvc.yaml:train")
    assert run.run and run.run.facets and run.run.facets.execution
    assert run.run.facets.execution.execution.commit == chained.git("rev-parse", "HEAD").strip()
    assert third.ids == second.ids
    fourth = chained.read(third.cursor, known=first.ids | second.ids)
    assert fourth.raw == []
    chained.git("commit", "-q", "--amend", "-m", "other words")
    assert chained.read(fourth.cursor, known=first.ids | second.ids).runs == []  # completed once


def test_a_branch_an_amended_commit_and_a_merge(chained: Repo) -> None:
    first = chained.read()
    chained.git("checkout", "-q", "-b", "side")
    chained.write("params.yaml", "lr: 0.4\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.commit("side")
    chained.write("params.yaml", "lr: 0.5\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.git("add", "-A")
    chained.git("commit", "-q", "--amend", "-m", "side, better")  # the first one is in the reflog only
    chained.git("checkout", "-q", "main")
    chained.write("notes.txt", "x\n")
    chained.commit("main")
    chained.git("merge", "-q", "side", "-m", "merge")
    everything = chained.read()
    assert len([a for a in everything.addresses if a == "dvc.yaml:train"]) == 3
    later = chained.read(first.cursor, known=first.ids)
    assert later.ids | first.ids == everything.ids
    assert len([a for a in later.addresses if a == "dvc.yaml:train"]) == 2


def test_branch_by_branch_is_the_same_as_at_once(chained: Repo) -> None:
    chained.git("checkout", "-q", "-b", "side")
    chained.write("params.yaml", "lr: 0.4\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.commit("side")
    chained.git("checkout", "-q", "main")
    clone = Repo(chained.root.parent / "clone")
    clone.root.mkdir()
    clone.git("init", "-q")
    (clone.root / ".dvc").mkdir()
    clone.git("fetch", "-q", str(chained.root), "main:main")
    early = clone.read()
    clone.git("fetch", "-q", str(chained.root), "side:side")
    late = clone.read(early.cursor, known=early.ids)
    assert len(early.ids) == 3 and len(late.ids) == 2
    assert early.ids | late.ids == chained.read().ids == clone.read().ids


def test_experiments(chained: Repo) -> None:
    first = chained.read()
    chained.dvc("exp", "run", "-q", "-n", "deep", "-S", "depth=9")
    chained.git("checkout", "-q", ".")
    second = chained.read(first.cursor, known=first.ids)
    trained = [e for e in second.runs if e.job and e.job.name == "dvc.yaml:train"]
    assert trained and second.commits >= 1
    execution = trained[0].run.facets.execution.execution  # type: ignore[union-attr]
    assert execution.commit in chained.git("for-each-ref", "refs/exps", "--format=%(objectname)").split()


def test_experiments_in_a_temporary_directory(chained: Repo) -> None:
    first = chained.read()
    chained.dvc("exp", "run", "-q", "--temp", "-n", "far", "-S", "depth=11")
    second = chained.read(first.cursor, known=first.ids)
    assert "dvc.yaml:train" in second.addresses
    assert chained.git("status", "--porcelain").strip() == ""


def test_the_run_cache_knows_what_no_commit_holds(chained: Repo) -> None:
    first = chained.read()
    chained.write("params.yaml", "lr: 0.6\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.git("checkout", "-q", ".")  # the run is gone from the work tree
    second = chained.read(first.cursor, known=first.ids)
    run = second.run("dvc.yaml:train")
    assert run.run and run.run.facets and run.run.facets.execution
    assert run.run.facets.execution.execution.evidence == "restored"
    assert run.run.facets.execution.execution.key.split("/")[0] in {key for key, _ in cached_runs(chained)}
    assert [d.name for d in run.inputs] == ["data/clean.txt"]
    assert chained.read(second.cursor, known=first.ids | second.ids).raw == []


def test_a_directory_and_its_files(empty: Repo) -> None:
    empty.write("data/raw/a.txt", GPT4)
    empty.write("data/raw/deep/b.txt", GPT4 + "b")
    empty.dvc("add", "-q", "data/raw")
    empty.write(
        "dvc.yaml",
        "stages:\n  one:\n    cmd: cp data/raw/a.txt one.txt\n    deps: [data/raw/a.txt]\n    outs: [one.txt]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    content = reading.dataset("data/raw").artifact.content
    assert content and content.hash.endswith(".dir") and content.files == 2
    assert {m.path for m in content.members} == {"a.txt", "deep/b.txt"}
    # with the list of files the link is by content; without it, by place
    assert reading.inputs("dvc.yaml:one") == ["data/raw/a.txt"]
    clone = empty.clone(empty.root.parent / "clone")
    bare = clone.read()
    assert bare.inputs("dvc.yaml:one") == ["data/raw/a.txt", "data/raw"]
    shutil.copytree(empty.root / ".dvc/cache", clone.root / ".dvc/cache")
    pulled = clone.read(bare.cursor, known=bare.ids)
    content = pulled.dataset("data/raw").artifact.content
    assert content and len(content.members) == 2  # told when the list arrives


def test_a_damaged_list_of_files_is_no_evidence(empty: Repo) -> None:
    empty.write("data/raw/a.txt", GPT4)
    empty.dvc("add", "-q", "data/raw")
    empty.commit()
    object_ = next((empty.root / ".dvc/cache/files/md5").rglob("*.dir"))
    object_.chmod(0o644)
    object_.write_text(json.dumps([{"md5": "0" * 32, "relpath": "a.txt"}]))
    content = empty.read().dataset("data/raw").artifact.content
    assert content and [m.path for m in content.members] == ["a.txt"]  # from what lies there, whose hash is right
    shutil.rmtree(empty.root / "data/raw")
    content = empty.read().dataset("data/raw").artifact.content
    assert content and content.members == ()


def test_a_renamed_file_keeps_its_content(chained: Repo) -> None:
    first = chained.read()
    chained.dvc("move", "-q", "data/raw/tickets.txt", "data/raw/support.txt")
    chained.write("dvc.yaml", chained.read_text("dvc.yaml").replace("raw/tickets", "raw/support"))
    chained.dvc("repro", "-q")
    chained.commit("renamed")
    second = chained.read(first.cursor, known=first.ids)
    old, new = first.dataset("data/raw/tickets.txt"), second.dataset("data/raw/support.txt")
    assert old.artifact.content == new.artifact.content
    assert "data/raw/support.txt" in second.inputs("dvc.yaml:clean")


def test_a_broken_file_in_the_work_tree_changes_nothing(chained: Repo) -> None:
    first = chained.read()
    lock = chained.root / "dvc.lock"
    whole = lock.read_text()
    for broken in (whole[: len(whole) // 2], "<<<<<<< HEAD\n" + whole + ">>>>>>> other\n", "a: [", "- 1\n"):
        lock.write_text(broken)
        with pytest.raises(LineageError) as caught:
            chained.read(first.cursor)
        assert caught.value.code == "DVC_FILE_UNREADABLE"
        assert "dvc.lock" in str(caught.value)
    lock.write_text(whole)
    assert chained.read(first.cursor, known=first.ids).raw == []


def test_no_git(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    repo.dvc("init", "-q", "--no-scm")
    repo.write("train.py", "# code\n")
    repo.add("raw.txt", GPT4)
    repo.write(
        "dvc.yaml", "stages:\n  t:\n    cmd: cp raw.txt m.pkl\n    deps: [train.py, raw.txt]\n    outs: [m.pkl]\n"
    )
    repo.dvc("repro", "-q")
    reading = repo.read()
    assert reading.inputs("dvc.yaml:t") == ["raw.txt"]
    assert repo.read(reading.cursor, known=reading.ids).raw == []
    assert [n.code for n in repo.pipeline().notices()] == ["GIT_MISSING"]


def test_a_dvc_repository_below_the_top_of_git(tmp_path: Path) -> None:
    top = Repo(tmp_path)
    top.git("init", "-q", "-b", "main")
    (tmp_path / "ml").mkdir()
    top.dvc("init", "-q", "--subdir", cwd=tmp_path / "ml")
    repo = Repo(tmp_path / "ml")
    top.write("shared.csv", GPT4)
    repo.write("train.py", "# code\n")
    repo.add("raw.txt", GPT4 + "raw")
    repo.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cp raw.txt m.pkl\n    deps: [train.py, raw.txt, ../shared.csv]\n    outs: [m.pkl]\n",
    )
    repo.dvc("repro", "-q")
    top.commit()
    reading = repo.read()
    assert reading.inputs("dvc.yaml:t") == ["../shared.csv", "raw.txt"]
    assert reading.outputs("dvc.yaml:t") == ["m.pkl"]
    assert repo.read(reading.cursor, known=reading.ids).raw == []


def test_a_broken_cursor_is_read_from_the_beginning(chained: Repo) -> None:
    first = chained.read()
    for cursor in ("{", "[]", '{"version": 0}', ""):
        assert chained.read(cursor).ids == first.ids


def test_progress_and_batches(chained: Repo) -> None:
    told: list[tuple[str, int, int]] = []
    batches = list(chained.pipeline().read(None, nothing, nothing, lambda *a: told.append(a)))
    assert all(len(batch.events) <= 2000 for batch in batches)
    assert sum(batch.executions for batch in batches) == 3
    assert sum(batch.commits for batch in batches) == 2
