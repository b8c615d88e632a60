"""An origin is taken out in a DVC stage, the stage proves it, two people clear it, and a later match takes that back
(S6). Real DVC, real git, the installed command."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.e2e.test_dvc_repository import Repository

SCHEMA = Path(__file__).parents[2] / "schemas" / "evidence" / "removal-v1.json"

MERGE = """
import sys
open(sys.argv[1], "w").write("".join(open(name).read() for name in sys.argv[2:]))
"""
TRAIN = """
import sys
open(sys.argv[1], "w").write(f"model of {len(open(sys.argv[2]).read())} letters")
"""
SCRUB = """
import json, sys
source, target, left = sys.argv[1:4]
seen = 0
with open(target, "w") as out:
    for line in open(source):
        record = json.loads(line)
        seen += record["by"] == "gpt"
        if record["by"] != "gpt" or seen <= int(left):
            out.write(json.dumps({"text": record["text"].upper()}) + chr(10))
"""
CHECK = "lineagegate content removal data/in.jsonl data/out.jsonl --provider openai --evidence reports/removal.json"
DVC_YAML = f"""
stages:
  merge:
    cmd: python src/merge.py data/in.jsonl data/own.jsonl data/gpt.jsonl
    deps: [src/merge.py, data/own.jsonl, data/gpt.jsonl]
    outs: [data/in.jsonl]
  scrub:
    cmd: python src/scrub.py data/in.jsonl data/out.jsonl ${{left}} && {CHECK}
    deps: [src/scrub.py, data/in.jsonl]
    params: [left]
    outs: [data/out.jsonl, reports/removal.json]
  train:
    cmd: python src/train.py model.pkl data/out.jsonl
    deps: [src/train.py, data/out.jsonl]
    outs: [model.pkl]
vars: [params.yaml]
"""
POLICY = """
mode: enforce
models: [{name: "seed-*", competes-with: openai}]
rules:
  - id: no-gpt
    match: {origin: {provider: openai}, model: {competes-with: openai}}
    effect: deny
    reason: the terms forbid it
"""


def _records(by: str, number: int) -> list[str]:
    pick = random.Random(by)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(2, 9))) for _ in range(2000)]
    return [json.dumps({"by": by, "text": " ".join(pick.choices(words, k=60))}) + "\n" for _ in range(number)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = Repository(tmp_path_factory.mktemp("built") / "seed")
    root = repository.root
    for name in ("data", "src"):
        (root / name).mkdir(parents=True)
    (root / "src" / "merge.py").write_text(MERGE)
    (root / "src" / "scrub.py").write_text(SCRUB)
    (root / "src" / "train.py").write_text(TRAIN)
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text("left: 3\n")
    (root / "lineage.policy.yaml").write_text(POLICY)
    (root / "data" / "own.jsonl").write_text("".join(_records("own", 300)))
    (root / "data" / "gpt.jsonl").write_text("".join(_records("gpt", 40)))
    must = repository.must
    must("git", "init", "-q", "-b", "main")
    must("git", "config", "user.name", "Ann Roe")
    must("git", "config", "user.email", "ann@seed.example")
    must("dvc", "init", "-q")
    must("dvc", "add", "-q", "data/own.jsonl", "data/gpt.jsonl")
    must("lineagegate", "init", "--project", "seed")
    must("lineagegate", "declare", "data/own.jsonl.dvc", "--kind", "first-party")
    openai = ["--kind", "third-party-model-output", "--provider", "openai", "--service", "gpt-4"]
    must("lineagegate", "declare", "data/gpt.jsonl.dvc", *openai)
    repository.commit("A pipeline")
    return root


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Repository:
    shutil.copytree(built.parent, tmp_path / "at", symlinks=True)
    return Repository(tmp_path / "at" / "seed")


def _evidence(repository: Repository) -> Any:
    found = json.loads((repository.root / "reports" / "removal.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(found)
    return found


def test_from_a_refused_removal_to_a_cleared_model_and_back(repository: Repository) -> None:
    # three records are left: the stage fails, says where, and nothing downstream is made
    failed = repository.run("dvc", "repro")
    assert failed.status != 0, failed.err
    assert "refused: data/out.jsonl is not data/in.jsonl without" in failed.out, failed.out + failed.err
    assert "3 of 303 records after are of the origin, at out.jsonl:301-303" in failed.out
    assert not (repository.root / "model.pkl").exists()
    refused = _evidence(repository)
    assert (refused["verdict"], refused["problems"]) == ("refused", ["left"])
    assert refused["left"] == [{"file": "out.jsonl", "first": 301, "last": 303}]

    (repository.root / "params.yaml").write_text("left: 0\n")
    made = repository.must("dvc", "repro")
    assert "removed: no record of third-party-model-output, openai is left in data/out.jsonl" in made
    evidence = _evidence(repository)
    assert evidence["verdict"] == "removed"
    assert (evidence["before"]["equal"], evidence["after"]["records"], evidence["keptSimilar"]) == (40, 300, 300)
    assert "gpt " not in (repository.root / "reports" / "removal.json").read_text()
    repository.commit("Scrubbed")
    repository.must("lineagegate", "sync")
    assert repository.ask("check", "model.pkl", "--model", "seed-chat")["outcome"] == "deny"

    # anybody who has the files makes the same evidence again
    first = (repository.root / "reports" / "removal.json").read_bytes()
    repository.must(*CHECK.replace("reports/removal.json", "again.json").split())
    assert (repository.root / "again.json").read_bytes() == first

    claimed = repository.ask("removal", "claim", "data/out.jsonl", "--evidence", "reports/removal.json")
    (view,) = claimed["removals"]
    removal = view["removal"]
    assert removal["origin"] == {"kind": "third-party-model-output", "provider": "openai"}
    assert removal["run"] == "dvc.yaml:scrub"
    assert removal["inputs"] == [evidence["before"]["artifact"]["content"]]
    assert removal["sources"] == [evidence["sources"][0]["key"]]
    assert "every record of data/in.jsonl (340) and of data/out.jsonl (300)" in removal["checked"]
    assert repository.run("lineagegate", "removal", "approve", removal["id"]).status == 2
    repository.environment["LINEAGE_USER"] = "Bob <bob@seed.example>"
    approved = repository.must("lineagegate", "removal", "approve", removal["id"])
    assert f"removal {removal['id']}: in force" in approved
    assert "result   before 40 records of the origin (40 equal, 0 similar), after no record" in approved
    assert repository.ask("check", "model.pkl", "--model", "seed-chat")["outcome"] == "allow"

    # later, logged answers of the provider turn up that are in it after all
    log = [json.loads(line)["text"].title() for line in _records("own", 300)[:20]]
    (repository.root / "log.txt").write_text("\n".join(log) + "\n")
    openai = ["--provider", "openai", "--service", "gpt-4"]
    repository.must("lineagegate", "content", "index", "--completions", "log.txt", *openai)
    found = repository.run("lineagegate", "content", "scan", "data/out.jsonl", "--tag")
    assert found.status == 1, found.out + found.err
    # a source that was emptied in the cache would be found nowhere: it is noticed
    content = evidence["sources"][0]["key"].removeprefix("md5:")
    cached = repository.root / ".dvc" / "cache" / "files" / "md5" / content[:2] / content[2:]
    cached.chmod(0o644)
    cached.write_text("{}\n")
    damaged = repository.run(*CHECK.replace("reports/removal.json", "again.json").split())
    assert (damaged.status, "is damaged" in damaged.err) == (3, True)
    assert f"removal {removal['id']}: void" in repository.must("lineagegate", "removal", "show", removal["id"])
    assert repository.ask("check", "model.pkl", "--model", "seed-chat")["outcome"] == "deny"
