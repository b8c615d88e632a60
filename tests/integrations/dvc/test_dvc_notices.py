"""What a person is told to look at, and git hooks. On real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineage.errors import UsageError
from lineage_dvc.hooks import install_hooks, remove_hooks
from tests.integrations.dvc.repository import GPT4, TICKETS, WEB, Repo

OPENAI = "meta:\n  lineage:\n    origin: {kind: third-party-model-output, provider: openai}\n"
OWN = "meta:\n  lineage:\n    origin: {kind: first-party}\n"


def notices(repo: Repo) -> dict[tuple[str, str], tuple[str, str]]:
    """(code, where) to (message, hint)."""
    return {(n.code, n.where): (n.message, n.hint) for n in repo.pipeline().notices()}


def codes(repo: Repo) -> list[str]:
    return [n.code for n in repo.pipeline().notices()]


def test_nothing_to_say_of_a_repository_in_order(chained: Repo) -> None:
    chained.read()
    assert codes(chained) == []


def test_a_restricted_file_that_no_stage_depends_on(chained: Repo) -> None:
    """Trap 3, 12 of 38 projects: the code reads it all the same."""
    chained.add("data/raw/dialogues.txt", GPT4 + "more\n")
    chained.write("data/raw/dialogues.txt.dvc", chained.read_text("data/raw/dialogues.txt.dvc") + OPENAI)
    chained.write("src/train.py", "open('data/raw/dialogues.txt')\n")
    message, hint = notices(chained)["RESTRICTED_UNUSED", "data/raw/dialogues.txt.dvc"]
    assert "dvc.yaml:train" in message and "third-party-model-output" in message
    assert "data/raw/dialogues.txt" in hint
    chained.write("src/train.py", "# nothing\n")
    message, _ = notices(chained)["RESTRICTED_UNUSED", "data/raw/dialogues.txt.dvc"]
    assert "likely" not in message


def test_an_undeclared_file_that_the_code_reads(chained: Repo) -> None:
    chained.add("data/raw/other.txt", WEB)
    assert "UNDECLARED_UNUSED" not in codes(chained)
    chained.write(
        "dvc.yaml",
        chained.read_text("dvc.yaml").replace("cat data/clean.txt ", "cat data/clean.txt data/raw/other.txt "),
    )
    message, _ = notices(chained)["UNDECLARED_UNUSED", "data/raw/other.txt.dvc"]
    assert "dvc.yaml:train" in message
    chained.write("data/raw/other.txt.dvc", chained.read_text("data/raw/other.txt.dvc") + OWN)
    assert "UNDECLARED_UNUSED" not in codes(chained)


def test_what_is_imported_from_is_used(chained: Repo) -> None:
    chained.write("data/raw/gpt4.txt.dvc", chained.read_text("data/raw/gpt4.txt.dvc") + OPENAI)
    assert "RESTRICTED_UNUSED" not in codes(chained)


def test_a_graph_that_is_broken(empty: Repo) -> None:
    """Shape 8: stages chained by scripts, first stage without outputs."""
    empty.write("get.py", "open('raw.txt', 'w')\n")
    empty.write("train.py", "open('clean.txt')\n")
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  get:\n    cmd: python get.py\n    deps: [get.py]\n"
        "  clean:\n    cmd: echo words that are long enough > clean.txt\n    deps: [get.py]\n    outs: [clean.txt]\n"
        "  train:\n    cmd: cat train.py clean.txt > m.pkl\n    deps: [train.py]\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    found = notices(empty)
    assert "neither" in found["GRAPH_BROKEN", "dvc.yaml:get"][0]
    assert "clean.txt" in found["GRAPH_BROKEN", "dvc.yaml:train"][0]
    assert ("GRAPH_BROKEN", "dvc.yaml:clean") not in found


def test_parameters_that_name_a_source(chained: Repo) -> None:
    """Trap 9."""
    chained.write("params.yaml", "lr: 0.1\ndepth: 3\nteacher:\n  model_name: gpt-4\n  url: https://api.openai.com/v1\n")
    chained.write("dvc.yaml", chained.read_text("dvc.yaml").replace("[lr, depth]", "[lr, teacher]"))
    chained.dvc("repro", "-q")
    message, hint = notices(chained)["PARAMS_NAME_SOURCE", "dvc.yaml:train"]
    assert "gpt-4" in message and "api.openai.com" in message and "lineagegate declare" in hint


def test_code_that_changed_since(chained: Repo) -> None:
    chained.write("src/train.py", "# other\n")
    message, hint = notices(chained)["LOCK_STALE", "dvc.yaml:train"]
    assert "src/train.py" in message and hint == "dvc repro dvc.yaml:train"


def test_a_template_that_cannot_be_resolved(chained: Repo) -> None:
    chained.write("dvc.yaml", chained.read_text("dvc.yaml") + "  odd:\n    cmd: echo ${nowhere}\n    outs: [x]\n")
    assert any(code == "TEMPLATE_UNRESOLVED" and where.startswith("dvc.yaml:") for code, where in notices(chained))


def test_a_broken_file_is_a_notice_not_a_failure(chained: Repo) -> None:
    chained.write("dvc.yaml", "stages: [\n")
    assert codes(chained) == ["DVC_FILE_UNREADABLE"]


# -- hooks -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command called lineagegate that writes down how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "said.txt"
    (folder / "lineagegate").write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexit 1\n')
    (folder / "lineagegate").chmod(0o755)
    own = Path(sys.executable).parent  # dvc's own hooks call dvc
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{own}{os.pathsep}{os.environ['PATH']}")
    return log


def test_hooks_are_installed_and_taken_out(chained: Repo, said: Path) -> None:
    hooks = chained.root / ".git/hooks"
    before = sorted(p.name for p in hooks.iterdir())
    assert [p.name for p in install_hooks(chained.root)] == ["post-commit", "post-merge"]
    assert install_hooks(chained.root) == []
    chained.write("notes.txt", TICKETS)
    chained.commit()
    assert said.read_text() == "sync --forward-later\n"
    assert [p.name for p in remove_hooks(chained.root)] == ["post-commit", "post-merge"]
    assert remove_hooks(chained.root) == []
    assert sorted(p.name for p in hooks.iterdir()) == before


def test_an_existing_hook_keeps_working(chained: Repo, said: Path) -> None:
    hook = chained.root / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    text = "#!/bin/bash\necho mine > mine.txt\nexit 0\n"
    hook.write_text(text)
    hook.chmod(0o755)
    install_hooks(chained.root)
    chained.write("notes.txt", TICKETS)
    chained.commit()
    assert said.exists() and chained.read_text("mine.txt") == "mine\n"
    remove_hooks(chained.root)
    assert hook.read_text() == text


def test_before_and_after_dvc_install(chained: Repo, said: Path) -> None:
    install_hooks(chained.root)
    chained.dvc("install")  # does not fail
    assert [p.name for p in install_hooks(chained.root)] == ["post-checkout"]
    hook = (chained.root / ".git/hooks/post-checkout").read_text()
    assert "dvc git-hook post-checkout" in hook and hook.index("lineagegate") < hook.index("dvc git-hook")
    chained.git("checkout", "-q", "-b", "other")
    assert said.read_text().count("sync") == 1
    remove_hooks(chained.root)
    assert "lineagegate" not in (chained.root / ".git/hooks/post-checkout").read_text()


def test_a_hook_that_is_no_shell_script(chained: Repo) -> None:
    hook = chained.root / ".git/hooks/post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/usr/bin/env python3\nprint('x')\n")
    with pytest.raises(UsageError) as caught:
        install_hooks(chained.root)
    assert caught.value.code == "HOOK_FOREIGN"
    assert not (chained.root / ".git/hooks/post-commit").exists()


def test_hooks_outside_git(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        install_hooks(tmp_path)
    assert caught.value.code == "GIT_MISSING"


def test_reading_inside_a_hook(chained: Repo) -> None:
    """git points its own variables at the hook's repository; we read the one we were asked for."""
    hook = chained.root / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    script = (
        "from pathlib import Path; from lineage.config import Config; from lineage_dvc.pipeline import DvcPipeline;"
        "b = list(DvcPipeline(Config(root=Path.cwd(), project='demo')).read(None, lambda i: set(), lambda k: set(), None));"
        "Path('read.txt').write_text(str(sum(x.executions for x in b)))"
    )
    hook.write_text(f'#!/bin/sh\n"{sys.executable}" -c "{script}"\n')
    hook.chmod(0o755)
    chained.write("notes.txt", TICKETS)
    subprocess.run(["git", "add", "notes.txt"], cwd=chained.root, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "x"], cwd=chained.root, check=True)
    assert chained.read_text("read.txt") == "3"


@pytest.mark.parametrize("wdir", ["", "data"])
def test_a_command_that_names_a_source(chained: Repo, wdir: str) -> None:
    """The file is a dependency of another stage, and so not unused."""
    tail = "    wdir: data\n" if wdir else ""
    cmd = "rev < raw/gpt4.txt > {0}" if wdir else "cat ./data/raw/gpt4.txt>{0}"
    chained.write(
        "dvc.yaml",
        chained.read_text("dvc.yaml") + f"  more:\n    cmd: {cmd.format('x.txt')}\n{tail}    outs: [x.txt]\n",
    )
    chained.dvc("repro", "-q", "more")
    message, hint = notices(chained)["CMD_NAMES_SOURCE", "dvc.yaml:more"]
    assert "data/raw/gpt4.txt (undeclared)" in message and "deps of stage more" in hint
    chained.write("data/raw/gpt4.txt.dvc", chained.read_text("data/raw/gpt4.txt.dvc") + OPENAI)
    message, _ = notices(chained)["CMD_NAMES_SOURCE", "dvc.yaml:more"]
    assert "third-party-model-output" in message
    chained.write("data/raw/gpt4.txt.dvc", chained.read_text("data/raw/gpt4.txt.dvc").replace(OPENAI, OWN))
    assert "CMD_NAMES_SOURCE" not in codes(chained)


def test_a_path_inside_another_is_not_named(chained: Repo) -> None:
    text = chained.read_text("dvc.yaml")
    chained.write(
        "dvc.yaml", text + "  more:\n    cmd: echo other/data/raw/gpt4.txt data/raw/gpt4.txt.bak > x\n    outs: [x]\n"
    )
    assert "CMD_NAMES_SOURCE" not in codes(chained)
