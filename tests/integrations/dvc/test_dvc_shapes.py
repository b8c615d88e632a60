"""Every shape of a pipeline that was seen in the wild (facts/pipelines-in-the-wild.md), on a real DVC repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integrations.dvc.repository import GPT4, TICKETS, WEB, Repo, nothing, rule


def commit_file(repo: Repo, path: str, data: bytes, message: str = "by hand") -> str:
    """Put bytes into history as they are, as another version of DVC or another system did."""
    file = repo.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return repo.commit(message)


# -- code is not data --------------------------------------------------------------------------------------------------


def test_a_stage_that_only_depends_on_code_is_a_source(empty: Repo) -> None:
    """Shape 1 and trap 1: 56 % of pipelines begin by downloading in code."""
    empty.write("src/download.py", "# downloads\n")
    empty.write("src/train.py", "# trains\n")
    empty.write(
        "dvc.yaml",
        "stages:\n"
        f"  download:\n    cmd: printf '{GPT4.splitlines()[0]}' > raw.txt\n    deps: [src/download.py]\n    outs: [raw.txt]\n"
        "  train:\n    cmd: cp raw.txt model.pkl\n    deps: [src/train.py, raw.txt]\n    outs: [model.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("dvc.yaml:download") == []
    assert reading.outputs("dvc.yaml:download") == ["raw.txt"]
    assert reading.labels("model.pkl") == {"undeclared"}


def test_a_directory_of_code(empty: Repo) -> None:
    empty.write("pkg/__init__.py", "")
    empty.write("pkg/deep/model.py", "# code\n")
    empty.write("assets/words.csv", "word\n" + WEB)
    empty.write("assets/read.py", "# code among data\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cp assets/words.csv m.pkl\n    deps: [pkg, assets, src]\n    outs: [m.pkl]\n",
    )
    empty.write("src/x.py", "# code\n")
    empty.dvc("repro", "-q")
    empty.commit()
    assert empty.read().inputs("dvc.yaml:t") == ["assets"]


def test_a_data_file_in_git_is_data(empty: Repo) -> None:
    empty.write("data/words.csv", WEB)
    empty.write("train.py", "# code\n")
    empty.write("conf/settings.yaml", "a: 1\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cp data/words.csv m.pkl\n"
        "    deps: [train.py, conf/settings.yaml, data/words.csv]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("dvc.yaml:t") == ["data/words.csv"]
    assert reading.dataset("data/words.csv").artifact.content is not None
    # what the project calls code is code
    assert empty.read(code=("*.py", "conf/**", "data/*.csv")).inputs("dvc.yaml:t") == []


def test_neither_in_git_nor_tracked(empty: Repo) -> None:
    """17 of 81 projects: an untracked file is an undeclared source, whatever its name."""
    empty.write(".gitignore", "/outside.csv\n/tool.py\n")
    empty.write("outside.csv", WEB)
    empty.write("tool.py", "# not in git: nobody can see what it is\n")
    empty.write(
        "dvc.yaml",
        "stages:\n  t:\n    cmd: cp outside.csv m.pkl\n    deps: [outside.csv, tool.py]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("dvc.yaml:t") == ["outside.csv", "tool.py"]
    assert reading.labels("m.pkl") == {"undeclared"}


def test_what_a_stage_makes_is_data_whatever_its_name(empty: Repo) -> None:
    """Trap 12: training data that reaches the model through HTML and YAML, or through generated code."""
    empty.add("raw.txt", GPT4)
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  make:\n    cmd: cp raw.txt prompts.yaml\n    deps: [raw.txt]\n    outs:\n      - prompts.yaml:\n          cache: false\n"
        "  train:\n    cmd: cp prompts.yaml m.pkl\n    deps: [prompts.yaml]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()  # prompts.yaml is held by git and matches *.yaml
    assert empty.read().inputs("dvc.yaml:train") == ["prompts.yaml"]


# -- stages ------------------------------------------------------------------------------------------------------------


def test_a_stage_without_outputs(chained: Repo) -> None:
    text = chained.read_text("dvc.yaml")
    chained.write("dvc.yaml", text + "  register:\n    cmd: 'true'\n    deps: [models/chat.pkl]\n")
    chained.dvc("repro", "-q")
    chained.commit()
    reading = chained.read()
    assert reading.inputs("dvc.yaml:register") == ["models/chat.pkl"]
    assert reading.outputs("dvc.yaml:register") == []


def test_a_ghost_in_the_lock(chained: Repo) -> None:
    text = chained.read_text("dvc.yaml")
    chained.write("dvc.yaml", text.replace("  evaluate:\n", "  judge:\n"))
    chained.dvc("repro", "-q", "judge")
    chained.commit()
    clone = chained.clone(chained.root.parent / "clone")
    reading = clone.read()
    assert {"dvc.yaml:evaluate", "dvc.yaml:judge"} <= set(reading.addresses)
    assert ("LOCK_GHOST", "dvc.yaml:evaluate") in [(n.code, n.where) for n in chained.pipeline().notices()]


def test_a_stage_that_never_ran(chained: Repo) -> None:
    text = chained.read_text("dvc.yaml")
    chained.write(
        "dvc.yaml", text + "  later:\n    cmd: cp models/chat.pkl x\n    deps: [models/chat.pkl]\n    outs: [x]\n"
    )
    chained.commit()
    assert "dvc.yaml:later" not in chained.read().addresses
    assert ("STAGE_NEVER_RUN", "dvc.yaml:later") in [(n.code, n.where) for n in chained.pipeline().notices()]
    inputs = chained.pipeline().stage("later", chained.root, nothing)
    assert inputs is not None and [i.artifact.name for i in inputs] == ["models/chat.pkl"]
    assert inputs[0].artifact.content is not None


def test_a_frozen_stage(chained: Repo) -> None:
    chained.dvc("freeze", "train")
    chained.commit()
    assert "dvc.yaml:train" in chained.read().addresses


def test_a_stale_lock(chained: Repo) -> None:
    """25 of 66 projects: the lock is not what lies there. The history knows what the recorded content came from."""
    chained.write("data/raw/gpt4.txt", GPT4 + "more\n")
    chained.dvc("add", "-q", "data/raw/gpt4.txt")
    chained.commit()
    notices = [(n.code, n.where) for n in chained.pipeline().notices()]
    assert ("LOCK_STALE", "dvc.yaml:clean") in notices
    assert ("LOCK_STALE", "dvc.yaml:train") not in notices
    clone = chained.clone(chained.root.parent / "clone")
    reading = clone.read()
    both = {
        e.dataset.artifact.content.hash
        for e in reading.sets
        if e.dataset and e.dataset.name == "data/raw/gpt4.txt" and e.dataset.artifact.content
    }
    used = reading.run("dvc.yaml:clean").inputs[0].artifact.content
    assert used and used.hash in both and len(both) == 2


def test_working_directories_several_files_and_paths_upwards(empty: Repo) -> None:
    empty.add("data/raw.txt", WEB)
    empty.write("lib/tool.py", "# code\n")
    empty.write(
        "pipelines/a/dvc.yaml",
        "stages:\n  prep:\n    wdir: ../..\n    cmd: cp data/raw.txt data/prep.txt\n"
        "    deps: [data/raw.txt, lib/tool.py]\n    outs: [data/prep.txt]\n",
    )
    empty.write(
        "pipelines/b/dvc.yaml",
        "stages:\n  prep:\n    cmd: cp ../../data/prep.txt model.pkl\n"
        "    deps: [../../data/prep.txt, ../../lib/tool.py]\n    outs: [model.pkl]\n",
    )
    empty.dvc("repro", "-q", "-R", "pipelines")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("pipelines/a/dvc.yaml:prep") == ["data/raw.txt"]
    assert reading.outputs("pipelines/a/dvc.yaml:prep") == ["data/prep.txt"]
    assert reading.inputs("pipelines/b/dvc.yaml:prep") == ["data/prep.txt"]
    assert reading.outputs("pipelines/b/dvc.yaml:prep") == ["pipelines/b/model.pkl"]
    # the lock knows only what is relative to the working directory: the dvc.yaml of the same commit tells where that is
    empty.git("mv", "pipelines/a", "pipelines/c")
    empty.write("pipelines/c/dvc.yaml", empty.read_text("pipelines/c/dvc.yaml").replace("wdir: ../..", "wdir: ."))
    empty.commit()
    assert empty.read().inputs("pipelines/a/dvc.yaml:prep") == ["data/raw.txt"]


def test_foreach_matrix_and_templates(empty: Repo) -> None:
    for name in ("web", "gpt4"):
        empty.add(f"data/{name}.txt", f"{name}: {WEB}")
    empty.write(
        "params.yaml",
        "out: made\nnames:\n  - web\n  - gpt4\nsizes: [1, 2]\nsets:\n  big: {dir: b}\n  small: {dir: s}\n",
    )
    empty.write(
        "dvc.yaml",
        "vars:\n  - suffix: txt\n"
        "stages:\n"
        "  clean:\n    foreach: ${names}\n    do:\n      cmd: mkdir -p ${out} && cp data/${item}.txt ${out}/${item}.txt\n"
        "      deps: ['data/${item}.txt']\n      outs: ['${out}/${item}.${suffix}']\n"
        "  train:\n    matrix:\n      name: ${names}\n      size: [1, 2]\n"
        "    cmd: cat ${out}/${item.name}.txt > m-${key}.pkl\n"
        "    deps: ['${out}/${item.name}.txt']\n    outs: ['m-${key}.pkl']\n"
        "  spread:\n    foreach: ${sets}\n    do:\n      wdir: ${item.dir}\n      cmd: cp ../data/web.txt ${key}.txt\n"
        "      deps: [../data/web.txt]\n      outs: ['${key}.txt']\n",
    )
    for folder in ("b", "s"):
        empty.write(f"{folder}/.gitkeep", "")
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("dvc.yaml:clean@gpt4") == ["data/gpt4.txt"]
    assert reading.inputs("dvc.yaml:train@gpt4-2") == ["made/gpt4.txt"]
    assert reading.outputs("dvc.yaml:train@gpt4-2") == ["m-gpt4-2.pkl"]
    assert reading.outputs("dvc.yaml:spread@big") == ["b/big.txt"]
    assert reading.inputs("dvc.yaml:spread@small") == ["data/web.txt"]
    from lineage_dvc.live import Now

    now = Now(empty.pipeline().config, empty.root)
    ours = {address.partition(":")[2] for address, _ in now.stages()}
    now.close()
    assert ours == {line.split()[0] for line in empty.dvc("stage", "list").splitlines() if "@" in line}


def test_directories_made_of_what_other_stages_make(empty: Repo) -> None:
    """A dependency on a directory that holds outputs: DVC links them by place."""
    empty.add("raw.txt", GPT4)
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  a:\n    cmd: cp raw.txt parts/a.txt\n    deps: [raw.txt]\n    outs: [parts/a.txt]\n"
        "  join:\n    cmd: cat parts/*.txt > all.txt\n    deps: [parts]\n    outs: [all.txt]\n",
    )
    empty.write("parts/b.txt", WEB)
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.inputs("dvc.yaml:join") == ["parts", "parts/a.txt"]


def test_a_directory_as_output_and_dependency(empty: Repo) -> None:
    empty.add("raw.txt", GPT4)
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  split:\n    cmd: mkdir -p parts && cp raw.txt parts/a && cp raw.txt parts/b\n    deps: [raw.txt]\n    outs: [parts]\n"
        "  train:\n    cmd: cat parts/a > m.pkl\n    deps: [parts]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read(origins=(rule("raw.txt", kind="web-crawl"),))
    assert reading.labels("m.pkl") == {"web-crawl"}


def test_models_by_name_by_artifact_and_by_type(empty: Repo) -> None:
    empty.add("raw.txt", GPT4)
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  a:\n    cmd: cp raw.txt weights.bin\n    deps: [raw.txt]\n    outs: [weights.bin]\n"
        "  b:\n    cmd: cp raw.txt net\n    deps: [raw.txt]\n    outs:\n      - net:\n          type: model\n"
        "  c:\n    cmd: cp raw.txt model/score.json\n    deps: [raw.txt]\n    metrics: [model/score.json]\n"
        "artifacts:\n  chat:\n    path: weights.bin\n    type: model\n",
    )
    (empty.root / "model").mkdir()
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.dataset("weights.bin").is_model
    assert reading.dataset("net").is_model
    assert not reading.dataset("model/score.json").is_model
    empty.add("base.safetensors", GPT4 + "weights")
    assert empty.read().dataset("base.safetensors").is_model


# -- files of other times and systems ----------------------------------------------------------------------------------

MD5 = "d3b07384d113edec49eaa6238ad5ff00"


def lock_1_0() -> bytes:
    return (
        f"prepare:\n  cmd: python prepare.py\n  deps:\n  - path: prepare.py\n    md5: {MD5}\n"
        f"  - path: data\\raw.csv\n    md5: {MD5[::-1]}\n    size: 120\n  outs:\n  - path: data\\out.csv\n    md5: {'a' * 32}\n    size: 90\n"
    ).encode()


def test_lock_schema_1_with_backslashes_and_legacy_hashes(empty: Repo) -> None:
    empty.write("prepare.py", "# code\n")
    yaml = "stages:\n  prepare:\n    cmd: python prepare.py\n    deps: [prepare.py, 'data\\raw.csv']\n    outs: ['data\\out.csv']\n"
    empty.write("dvc.yaml", yaml)
    commit_file(empty, "dvc.lock", lock_1_0())
    reading = empty.read()
    assert reading.inputs("dvc.yaml:prepare") == ["data/raw.csv"]
    assert reading.outputs("dvc.yaml:prepare") == ["data/out.csv"]
    content = reading.dataset("data/out.csv").artifact.content
    assert content and content.hash == "md5:" + "a" * 32 and content.size == 90
    assert "HASH_LEGACY" in [n.code for n in empty.pipeline().notices()]


def test_a_byte_order_mark_and_windows_line_ends(chained: Repo) -> None:
    before = chained.read()
    lock = (chained.root / "dvc.lock").read_bytes()
    yaml = (chained.root / "dvc.yaml").read_bytes()
    commit_file(chained, "dvc.yaml", b"\xef\xbb\xbf" + yaml.replace(b"\n", b"\r\n"))
    commit_file(chained, "dvc.lock", b"\xef\xbb\xbf" + lock.replace(b"\n", b"\r\n"))
    assert chained.read().ids == before.ids


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda lock: b"<<<<<<< HEAD\n" + lock + b"=======\n" + lock + b">>>>>>> side\n", id="around"),
        pytest.param(
            lambda lock: lock.replace(b"  train:\n", b"<<<<<<< HEAD\n  train:\n=======\n  train:\n>>>>>>> side\n"),
            id="inside",
        ),
        pytest.param(lambda lock: lock[: len(lock) * 2 // 3], id="cut short"),
        pytest.param(lambda lock: lock.replace(b"md5: ", b"md5: zz", 1), id="no md5"),
        pytest.param(lambda lock: b"\xff\xfe" + lock, id="not UTF-8"),
        pytest.param(lambda lock: b"stages: [1, 2\n", id="no YAML"),
    ],
)
def test_unreadable_locks_in_history(chained: Repo, broken: object) -> None:
    """Reported and counted, never fatal; what the readable ones say stays."""
    good = chained.read().ids
    lock = (chained.root / "dvc.lock").read_bytes()
    commit = commit_file(chained, "dvc.lock", broken(lock))  # type: ignore[operator]
    commit_file(chained, "dvc.lock", lock)
    reading = chained.read()
    assert good <= reading.ids
    notice = next(n for n in chained.pipeline().notices() if n.code == "FILE_UNREADABLE")
    assert notice.where.startswith("dvc.lock") and commit[:10] in notice.message
    assert "missing from the lineage" in notice.message
    # and it is remembered when nothing new is read
    chained.read(reading.cursor, known=reading.ids)
    assert "FILE_UNREADABLE" in [n.code for n in chained.pipeline().notices()]


def test_an_unreadable_dvc_yaml_and_dvc_file_in_history(chained: Repo) -> None:
    good = chained.read().ids
    yaml, dvc = chained.read_text("dvc.yaml"), chained.read_text("data/raw/gpt4.txt.dvc")
    commit_file(chained, "dvc.yaml", b"stages: [\n")
    commit_file(chained, "data/raw/gpt4.txt.dvc", b"outs:\n- md5: 12\n")
    chained.write("dvc.yaml", yaml)
    chained.write("data/raw/gpt4.txt.dvc", dvc)
    chained.commit()
    assert chained.read().ids == good
    assert {n.where for n in chained.pipeline().notices() if n.code == "FILE_UNREADABLE"} == {
        "dvc.yaml",
        "data/raw/gpt4.txt.dvc",
    }


def test_a_stage_in_a_dvc_file_of_before_1_0(empty: Repo) -> None:
    empty.write("train.py", "# code\n")
    commit_file(
        empty, "train.dvc",
        f"md5: {MD5}\ncmd: python train.py\ndeps:\n- md5: {MD5}\n  path: train.py\n- md5: {'b' * 32}\n  path: raw.csv\n"
        f"outs:\n- md5: {'c' * 32}\n  path: m.pkl\n  cache: true\n  metric: false\n  persist: false\n".encode(),
    )  # fmt: skip
    reading = empty.read()
    assert reading.inputs("train.dvc") == ["raw.csv"]
    assert reading.outputs("train.dvc") == ["m.pkl"]


def test_an_environment_file_as_dependency(empty: Repo) -> None:
    empty.write(".env", "KEY=1\n")
    empty.add("raw.txt", GPT4)
    empty.write("dvc.yaml", "stages:\n  t:\n    cmd: cp raw.txt m.pkl\n    deps: [.env, raw.txt]\n    outs: [m.pkl]\n")
    empty.dvc("repro", "-q")
    empty.commit()
    assert empty.read().inputs("dvc.yaml:t") == ["raw.txt"]


def test_a_dependency_outside_the_repository(empty: Repo, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(WEB)
    empty.write("dvc.yaml", f"stages:\n  t:\n    cmd: cp {outside} m.pkl\n    deps: ['{outside}']\n    outs: [m.pkl]\n")
    empty.dvc("repro", "-q")
    empty.commit()
    source = empty.read().run("dvc.yaml:t").inputs[0]
    assert (source.namespace, source.name) == ("file", str(outside))


def test_a_shallow_clone_says_so(chained: Repo) -> None:
    chained.write("params.yaml", "lr: 0.7\ndepth: 3\n")
    chained.dvc("repro", "-q")
    chained.commit()
    where = chained.root.parent / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{chained.root}", str(where)], check=True, timeout=60)
    shallow = Repo(where)
    assert shallow.read().addresses
    assert "HISTORY_SHALLOW" in [n.code for n in shallow.pipeline().notices()]


def test_the_same_content_under_another_name(empty: Repo) -> None:
    """S5: renaming and adding again does not lose an origin, for content is what carries it."""
    empty.add("raw/gpt4.txt", GPT4)
    empty.add("raw/own_notes.txt", GPT4)
    empty.add("raw/tickets.txt", TICKETS)
    empty.commit()
    reading = empty.read(origins=(rule("raw/gpt4*", kind="third-party-model-output", provider="openai"),))
    assert reading.labels("raw/own_notes.txt") == {"third-party-model-output"}
    assert reading.labels("raw/tickets.txt") == {"undeclared"}


def test_a_copy_in_a_directory_that_git_holds(empty: Repo) -> None:
    """S5: restricted text copied into a data directory in git is found among its files."""
    empty.add("raw/gpt4.txt", GPT4)
    empty.write("corpus/own.txt", TICKETS)
    empty.write("corpus/notes.txt", GPT4)
    empty.write("dvc.yaml", "stages:\n  t:\n    cmd: cat corpus/*.txt > m.pkl\n    deps: [corpus]\n    outs: [m.pkl]\n")
    empty.dvc("repro", "-q")
    rules = (rule("raw/gpt4*", kind="third-party-model-output", provider="openai"), rule("corpus", kind="first-party"))
    assert empty.read(origins=rules).labels("m.pkl") == {"first-party", "third-party-model-output"}
    empty.commit()
    empty.write("corpus/own.txt", TICKETS + "changed\n")
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.clone(empty.root.parent / "clone").read(origins=rules)
    members = reading.run("dvc.yaml:t").inputs[0].artifact.content
    assert members and {m.path for m in members.members} == {"own.txt", "notes.txt"}
    assert reading.labels("m.pkl") == {"first-party", "third-party-model-output"}
