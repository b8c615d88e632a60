"""Stages that are seen while the real DVC runs them: through `lineagegate exec`, and through DVC's own environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest

from lineage.config import load
from lineage.gate import Gate
from lineage.vocabulary import Basis, Kind, Label, Use
from tests.integrations.dvc.repository import Repo

BIN = Path(sysconfig.get_path("scripts"))
OWN = "A line that was written by a person of our own, long enough to mean something.\n" * 3
SIDE = "A line of a file that nobody declared, long enough to mean something as well.\n" * 3

GENERATE = """\
import urllib.request
for _ in range(3):
    try:
        urllib.request.urlopen("http://api.openai.com:9/v1", timeout=0.01)  # no such port: nothing leaves the machine
    except OSError:
        pass
text = open("data/own.txt").read()
open("data/made.txt", "w").write("What a model answered, long enough to mean something. " + text)
"""

PIPELINE = f"""\
stages:
  generate:
    cmd: {sys.executable} src/generate.py
    deps: [src/generate.py, data/own.txt]
    outs: [data/made.txt]
  mix:
    cmd:
      - cat data/made.txt > data/mix.txt
      - 'echo "and  more" >> data/mix.txt'
    deps: [data/made.txt]
    outs: [data/mix.txt]
"""


class Project:
    """A repository with the gate in it."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.root = repo.root

    def run(self, *command: str, status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it, with an environment as a user's."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
        environment |= {"SHELL": "/bin/bash", "PATH": f"{BIN}:{environment['PATH']}", "NO_PROXY": "*", **more}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def exec(self, *command: str, status: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        """``lineagegate exec -- …``."""
        return self.run("lineagegate", "exec", "--", *command, status=status, **more)

    def gate(self) -> Gate:
        """The gate; close it."""
        return Gate.open(load(self.root))

    def labels(self, path: str) -> set[Label]:
        """What a file carries."""
        with self.gate() as gate:
            gate.refresh()
            return set(gate.labels(gate.resolve(path)).labels)

    def kinds(self, path: str) -> dict[str, str]:
        """Kinds of the origins of a file, and how each is known."""
        return {x.origin.kind.value: x.basis.value if x.basis else "" for x in self.labels(path)}

    @property
    def spooled(self) -> list[str]:
        """Records that are not in the ledger yet."""
        return [path.name for path in (self.root / ".lineage" / "spool").iterdir() if path.is_dir()]


@pytest.fixture
def project(empty: Repo) -> Project:
    """A stage that calls a provider, and one that goes on from there."""
    empty.add("data/own.txt", OWN)
    empty.write("src/generate.py", GENERATE)
    empty.write("dvc.yaml", PIPELINE)
    empty.write("lineage.toml", 'project = "demo"\n')
    gate, _ = Gate.init(empty.root)
    gate.close()
    made = Project(empty)
    with made.gate() as gate:
        from lineage.vocabulary import Origin

        gate.declare("data/own.txt.dvc", Origin(Kind.HUMAN_ANNOTATION))
    empty.commit("pipeline")
    return made


def test_a_call_that_nobody_declared_is_on_everything_made_from_it(project: Project) -> None:
    project.exec("dvc", "repro", "-q")
    assert project.kinds("data/mix.txt") == {"human-annotation": "declared", "third-party-model-output": "observed"}
    why = project.run("lineagegate", "why", "data/mix.txt").stdout
    assert "data/made.txt  observed: 3 calls to api.openai.com while it was made" in why
    assert project.spooled == []


def test_declared_as_one_thing_and_observed_to_be_another(project: Project) -> None:
    from lineage.vocabulary import Origin

    project.exec("dvc", "repro", "-q")
    with project.gate() as gate:
        gate.declare("dvc.yaml:generate", Origin(Kind.HUMAN_ANNOTATION))
    said = "declared as human-annotation; observed: 3 calls to api.openai.com while it was made"
    assert said in project.run("lineagegate", "why", "data/mix.txt").stdout
    policy = (
        "default: allow\nrules:\n  - id: no-gpt\n    match: {origin: {provider: openai}}\n    effect: deny\n"
        "    reason: the terms forbid it\n"
    )
    (project.root / "lineage.policy.yaml").write_text(policy)
    refused = project.run("lineagegate", "check", "data/mix.txt", "--model", "seed", status=1).stdout
    assert said in refused


def test_what_the_program_traces_is_told_with_what_was_seen(project: Project) -> None:
    """Two of three calls with their model, and those through a gateway that nobody knows."""
    spans = """
from opentelemetry.sdk.trace import TracerProvider
tracer = TracerProvider().get_tracer("t")
for number, model, more in ((2, "gpt-4o", {"gen_ai.system": "openai"}), (4, "claude-4", {"server.address": "llm.internal"})):
    for _ in range(number):
        tracer.start_span("s", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": model, **more}).end()
"""
    project.repo.write("src/generate.py", spans + GENERATE)
    project.exec("dvc", "repro", "-q")
    why = project.run("lineagegate", "why", "data/made.txt").stdout
    for said in (
        "observed: 2 calls to gpt-4o at api.openai.com while it was made",
        "observed: 1 call to api.openai.com while it was made",
        "observed: 4 calls to claude-4 at llm.internal by its own traces while it was made",
    ):
        assert said in why
    found = {(x.origin.provider, x.origin.channel, x.origin.service) for x in project.labels("data/mix.txt")}
    assert found > {("openai", "openai", "gpt-4o"), ("openai", "openai", ""), ("", "", "claude-4")}


def test_a_model_of_a_hub_is_an_input_by_its_address(project: Project, tmp_path: Path) -> None:
    """Loaded by the real libraries from the hub's own cache, and spoken for by a rule."""
    from safetensors.numpy import save_file

    revision, home = "a" * 40, tmp_path / "hub"
    folder = home / "models--seed--Tiny"
    for name in "blobs", "refs", f"snapshots/{revision}":
        (folder / name).mkdir(parents=True)
    save_file({"a": numpy.ones(99)}, folder / "blobs" / "b1")
    (folder / "snapshots" / revision / "model.safetensors").symlink_to("../../blobs/b1")
    (folder / "refs" / "main").write_text(revision)
    load = f"""
from huggingface_hub import hf_hub_download
from safetensors.numpy import load_file
load_file(hf_hub_download("seed/Tiny", "model.safetensors", cache_dir={str(home)!r}, local_files_only=True))
"""
    project.repo.write("src/generate.py", load + 'open("data/made.txt", "w").write("made by a model, long enough")')
    project.exec("dvc", "repro", "-q")
    address = f"hf://seed/Tiny@{revision}/model.safetensors"
    assert address in project.run("lineagegate", "why", "data/mix.txt").stdout
    assert project.kinds("data/mix.txt") == {"human-annotation": "declared", "undeclared": ""}
    rule = '[[origins]]\nurl = "hf://seed/Tiny@*"\nkind = "open-licence"\nlicence = "MIT"\n'
    (project.root / "lineage.toml").write_text('project = "demo"\n' + rule)
    project.exec("dvc", "repro", "-q", "-f", "generate")
    assert project.kinds("data/made.txt") == {"human-annotation": "declared", "open-licence": "declared"}


def test_nothing_in_the_pipeline_changes(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.root, tmp_path / "plain", symlinks=True)
    plain = Project(Repo(tmp_path / "plain"))
    plain.run("dvc", "repro")
    project.exec("dvc", "repro")
    assert project.repo.read_text("dvc.lock") == plain.repo.read_text("dvc.lock")
    runs = [
        sorted(p.name for p in (r / ".dvc/cache/runs").rglob("*") if p.is_file()) for r in (project.root, plain.root)
    ]
    assert runs[0] == runs[1]
    assert "up to date" in project.exec("dvc", "repro").stdout
    assert "up to date" in project.run("dvc", "repro").stdout


def test_what_was_declared_for_a_call_is_its_use(project: Project) -> None:
    yaml = PIPELINE.replace(
        "outs: [data/made.txt]",
        "outs: [data/made.txt]\n    meta: {lineage: {uses: {'https://api.openai.com': prompt}}}",
        1,
    )
    project.repo.write("dvc.yaml", yaml)
    project.exec("dvc", "repro", "-q")
    (found,) = [x for x in project.labels("data/mix.txt") if x.origin.kind is Kind.THIRD_PARTY_MODEL_OUTPUT]
    assert (found.use, found.basis, found.origin.provider) == (Use.PROMPT, Basis.OBSERVED, "openai")


def test_a_file_that_was_read_and_not_declared_is_an_input(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text(SIDE)
    project.repo.write("side.csv", SIDE * 2)
    project.repo.write("src/notes.py", "# code, which carries nothing\n")
    reading = f"open({str(tmp_path / 'outside.csv')!r}); open('side.csv'); open('src/notes.py'); open('dvc.yaml')\n"
    project.repo.write("src/generate.py", reading + GENERATE)
    project.exec("dvc", "repro", "-q")
    assert project.kinds("data/mix.txt")["undeclared"] == ""
    why = project.run("lineagegate", "why", "data/mix.txt", "--format=json").stdout
    with project.gate() as gate:
        names = {source.name for source in gate.undeclared()}
    assert names == {"side.csv", str(tmp_path / "outside.csv")}
    assert "notes.py" not in why


def test_exit_status_quoting_and_a_stage_that_fails(project: Project) -> None:
    yaml = PIPELINE.replace("cat data/made.txt > data/mix.txt", "'exit 7'")
    project.repo.write("dvc.yaml", yaml)
    done = project.exec("dvc", "repro", status=255)
    assert "exited with 7" in done.stderr
    assert project.spooled == []
    assert project.exec("sh", "-c", 'printf "%s|" "$@"', "x", "a  b", "$HOME", "'").stdout == "a  b|$HOME|'|"
    project.exec("sh", "-c", "exit 9", status=9)
    project.exec("sh", "-c", "kill -9 $$", status=-9)
    assert "No such file" in project.exec("no-such-program", status=127).stderr


def _unseen(project: Project) -> list[str]:
    with project.gate() as gate:
        return [notice.where for notice in gate.sync().notices if notice.code == "NOT_SEEN_RUNNING"]


def test_an_output_changed_by_hand_and_committed_is_no_observed_run(project: Project) -> None:
    project.run("dvc", "repro", "-q")
    assert _unseen(project) == []  # nobody looks in this project
    project.exec("dvc", "repro", "-q", "-f", "generate")
    assert _unseen(project) == []  # mix ran before anybody looked
    project.exec("dvc", "repro", "-q", "-f")
    project.repo.write("data/mix.txt", OWN * 2)
    project.run("dvc", "commit", "-q", "-f")
    assert _evidence(project, "data/mix.txt") == ["asserted"]
    assert _evidence(project, "data/made.txt") == ["observed"]
    assert _unseen(project) == ["dvc.yaml:mix"]
    said = project.run("lineagegate", "sync").stdout
    assert "nobody saw it run" in said and "lineagegate exec -- dvc repro -f -s dvc.yaml:mix" in said


def test_an_edit_between_the_command_and_the_commit(project: Project) -> None:
    script = "dvc repro -q --no-commit && echo edited >> data/mix.txt && dvc commit -q -f"
    done = project.exec("bash", "-c", script)
    assert "it was recorded by another process than the one that ran it" in done.stderr
    assert _evidence(project, "data/mix.txt") == ["asserted"]


def test_a_dependency_that_changes_while_the_stage_runs(project: Project) -> None:
    yaml = PIPELINE.replace("cat data/made.txt > data/mix.txt", "cat data/made.txt > data/mix.txt; touch data/made.txt")
    project.repo.write("dvc.yaml", yaml)
    done = project.exec("dvc", "repro", "-q")
    assert "data/made.txt, a dependency, was written while the command ran" in done.stderr
    assert _evidence(project, "data/mix.txt") == ["asserted"]


def test_what_the_run_cache_restores_is_observed_when_the_run_was(project: Project) -> None:
    project.exec("dvc", "repro", "-q")
    for name in ("data/made.txt", "data/mix.txt", "dvc.lock"):
        (project.root / name).unlink()
    project.run("dvc", "repro", "-q")  # not seen, and nothing runs
    assert _evidence(project, "data/mix.txt") == ["observed"]


def test_experiments_in_temporary_directories(project: Project) -> None:
    project.exec("dvc", "exp", "run", "-q", "--temp", "-n", "far")
    project.repo.git("checkout", "-q", "refs/exps/" + _experiment(project))
    project.run("dvc", "checkout", "-q")
    assert project.kinds("data/mix.txt")["third-party-model-output"] == "observed"


def test_nested_and_parallel_stages(project: Project) -> None:
    inner = project.root / "sub"
    inner.mkdir()
    (inner / "dvc.yaml").write_text("stages:\n  inner:\n    cmd: echo inner > inner.txt\n    outs: [inner.txt]\n")
    yaml = f"{PIPELINE}  outer:\n    cmd: dvc repro -q sub/dvc.yaml && sleep 0.2 && echo done > outer.txt\n    outs: [outer.txt]\n"
    project.repo.write("dvc.yaml", yaml)
    project.run("dvc", "config", "core.autostage", "false")
    first = "lineagegate exec -- dvc repro -q -s outer & lineagegate exec -- dvc repro -q generate; wait"
    project.run("bash", "-c", first)
    journal = (project.root / ".lineage" / "spool" / "journal").read_text()
    lines = [line.split(" ", 1)[0] for line in journal.splitlines()]
    assert [lines.count(word) for word in ("start", "end", "taken")] == [5, 5, 5]


@pytest.fixture
def hooked(project: Project) -> Iterator[Project]:
    """DVC's environment sees to it; a copy of the environment's list is put back whatever happens."""
    try:
        project.run("lineagegate", "init", "--hooks")
        yield project
    finally:
        project.run("lineagegate", "init", "--no-hooks")
        left = [path.name for path in Path(sysconfig.get_path("purelib")).glob("lineagegate_hook*")]
    assert left == []
    assert not (project.root / ".lineage" / "hook" / "on").exists()


def test_plain_dvc_repro_is_seen_where_it_is_wanted(hooked: Project, tmp_path: Path) -> None:
    hooked.run("dvc", "repro", "-q")
    assert hooked.kinds("data/mix.txt")["third-party-model-output"] == "observed"
    other = tmp_path / "other"
    other.mkdir()
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    for command in ("git init -q", "dvc init -q", "dvc stage add -q -n a -O a.txt 'env > a.txt'", "dvc repro -q"):
        subprocess.run(command, shell=True, cwd=other, env=environment, check=True, timeout=60, capture_output=True)
    assert "LINEAGE_" not in (other / "a.txt").read_text()


def test_the_queue_of_experiments(hooked: Project) -> None:
    hooked.run("dvc", "exp", "run", "-q", "--queue", "-n", "near")
    hooked.run("dvc", "queue", "start", "-q")
    end = time.monotonic() + 60
    while not hooked.repo.git("for-each-ref", "refs/exps/*/*/near") and time.monotonic() < end:
        time.sleep(0.2)
    hooked.run("dvc", "queue", "stop", "-q")
    journal = (hooked.root / ".lineage" / "spool" / "journal").read_text()
    assert journal.count("\nend ") == 3
    hooked.repo.git("checkout", "-q", "refs/exps/" + _experiment(hooked))
    hooked.run("dvc", "checkout", "-q")
    assert hooked.kinds("data/mix.txt")["third-party-model-output"] == "observed"


def test_a_record_that_is_taken_away_is_missed(hooked: Project) -> None:
    hooked.run("dvc", "repro", "-q")
    for name in hooked.spooled:
        shutil.rmtree(hooked.root / ".lineage" / "spool" / name)
    with hooked.gate() as gate:
        codes = [notice.code for notice in gate.sync().notices]
    assert codes.count("RECORD_GONE") == 3


def test_a_command_that_is_no_stage(project: Project) -> None:
    project.exec(sys.executable, "src/generate.py")
    assert project.kinds("data/made.txt") == {"human-annotation": "declared", "third-party-model-output": "observed"}


def test_names_that_are_no_text_and_names_that_are_long(project: Project) -> None:
    folder = os.fsencode(project.root)
    names = [b"bad\xff\n\x1b[2J.csv", b"l" * 250 + b".csv", "\u202e<script>.csv".encode()]
    for name in names:
        Path(os.fsdecode(folder + b"/" + name)).write_text(SIDE + name.hex())
    project.repo.write("src/generate.py", f"for n in {names!r}: open(n).read()\n" + GENERATE)
    project.exec("dvc", "repro", "-q")
    assert "undeclared" in project.kinds("data/mix.txt")
    assert "\x1b" not in project.run("lineagegate", "sync").stdout
    assert "\u202e" not in project.run("lineagegate", "why", "data/mix.txt").stdout


def test_the_journal_that_is_taken_away_is_missed(project: Project) -> None:
    project.exec("dvc", "repro", "-q")
    (project.root / ".lineage" / "spool" / "journal").unlink()
    with project.gate() as gate:
        assert [notice.code for notice in gate.sync().notices if notice.code == "JOURNAL_CUT"] == ["JOURNAL_CUT"]
        gate.observed.clear()
        assert "JOURNAL_CUT" not in [notice.code for notice in gate.sync().notices]


def test_without_settings_nothing_runs(tmp_path: Path) -> None:
    alone = Project(Repo(tmp_path))
    assert "lineagegate init" in alone.exec("touch", "ran", status=2).stderr
    assert not (tmp_path / "ran").exists()


def _experiment(project: Project) -> str:
    (line,) = project.repo.git("for-each-ref", "refs/exps", "--format=%(refname)").split()
    return line.removeprefix("refs/exps/")


def _evidence(project: Project, path: str) -> list[str]:
    """How the runs that made what lies at a path are known."""
    with project.gate() as gate:
        gate.refresh()
        case = gate.case(path)
    return [level for level, number in case.coverage.evidence.items() for _ in range(number)][-1:] if case else []


def test_a_policy_can_ask_for_runs_that_were_seen(project: Project) -> None:
    (project.root / "lineage.policy.yaml").write_text(
        "default: allow\nrequire:\n  - id: seen\n    evidence: observed\n    reason: nobody else can check it\n"
    )
    project.run("dvc", "repro", "-q")
    refused = project.run("lineagegate", "check", "data/mix.txt", "--model", "seed", status=1).stdout
    assert "2 of 2 executions behind it not seen while running; nobody else can check it" in refused
    project.exec("dvc", "repro", "-q", "-f")
    project.run("lineagegate", "check", "data/mix.txt", "--model", "seed", status=0)
