"""Content found again in a real repository: index, scan, tags, and the gate that searches by itself (S5)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from lineage.cli.group import run
from lineage.events.event import read
from lineage.gate import Gate
from lineage.vocabulary import Basis, Decision, Kind, Origin, Outcome
from tests.integrations.dvc.repository import Repo
from tests.redteam.corpus import Corpus

POLICY = """
default: allow
undeclared: warn
content: {check: clean}
rules:
  - id: no-openai
    match: {origin: {provider: openai}}
    effect: deny
    reason: the terms forbid it
"""
OPENAI = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai")
TRAIN = "import sys; open(sys.argv[2], 'w').write('weights of ' + str(len(open(sys.argv[1], 'rb').read())))"
SCHEMAS = Path(__file__).parents[3] / "schemas" / "cli"

GPT, OWN = Corpus(1).records(1500), Corpus(2).records(1500)

Cli = Callable[..., tuple[int, str]]


@pytest.fixture
def repo(empty: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A restricted source, a clean one, and one declared clean that holds 30 restricted records in capitals."""
    monkeypatch.chdir(empty.root)
    monkeypatch.setenv("LINEAGE_USER", "Ann <ann@seed.example>")
    mixed = [*OWN[:1000], *(text.upper() for text in GPT[:30])]
    empty.add("data/gpt.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in GPT))
    empty.add("data/own.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in OWN))
    empty.add("data/notes.txt", "".join(" ".join(text.split()) + "\n" for text in mixed))
    empty.write("train.py", TRAIN)
    empty.write(
        "dvc.yaml",
        "stages:\n"
        "  chat:\n    cmd: python train.py data/notes.txt chat.pkl\n    deps: [train.py, data/notes.txt]\n"
        "    outs: [chat.pkl]\n"
        "  mail:\n    cmd: python train.py data/own.jsonl mail.pkl\n    deps: [train.py, data/own.jsonl]\n"
        "    outs: [mail.pkl]\n",
    )
    empty.write("lineage.policy.yaml", POLICY)
    empty.dvc("repro", "-q")
    empty.commit("work")
    assert run(["init", "--project", "seed"]) == 0
    for path, kind, options in (
        ("gpt.jsonl", "third-party-model-output", ["--provider", "openai"]),
        ("own.jsonl", "first-party", []),
        ("notes.txt", "first-party", []),
    ):
        assert run(["declare", f"data/{path}.dvc", "--kind", kind, *options]) == 0
    return empty


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = run(list(arguments))
        out, err = capsys.readouterr()
        if "--format=json" in arguments:
            schema = json.loads((SCHEMAS / f"content-{arguments[1]}.json").read_text())
            jsonschema.Draft202012Validator(schema).validate(json.loads(out))
        return status, out + err

    return call


def judged(model: str, subject: str) -> Decision:
    with Gate.open() as gate:
        gate.refresh()
        return gate.judge(gate.resolve(model), model=subject, subject=f"models:/{subject}/1", action="register")


def test_index_scan_and_tag(repo: Repo, cli: Cli) -> None:
    status, said = cli("content", "scan", "data/notes.txt")
    assert (status, "CONTENT_NOT_INDEXED" in said or "no restricted source is indexed" in said) == (2, True)
    status, said = cli("content", "index")
    assert status == 0 and "data/gpt.jsonl" in said and "1,500 records" in said and "own" not in said
    (file,) = (repo.root / ".lineage" / "content").iterdir()
    before = file.stat().st_mtime_ns
    assert "kept" in cli("content", "index")[1]
    assert file.stat().st_mtime_ns == before
    assert json.loads(cli("content", "show", "--format=json")[1])["sources"][0]["state"] == "kept"

    assert cli("content", "scan", "data/own.jsonl")[0] == 0
    status, said = cli("content", "scan", "data/notes.txt", "data/own.jsonl", "--format=json")
    assert status == 1
    notes, own = json.loads(said)["scanned"]
    (found,) = notes["found"]
    assert (notes["records"], found["equal"], found["records"] >= 29) == (1030, found["equal"], True)
    assert found["origin"] == {"kind": "third-party-model-output", "provider": "openai"}
    assert found["sources"][0]["display"] == "data/gpt.jsonl"
    assert {"file": "notes.txt", "first": 1001, "last": 1030} in found["places"]
    assert not any(item["enough"] for item in own["found"])
    assert not any(text[:25] in said for text in GPT)

    with Gate.open() as gate:
        assert {tag.tag.basis for tag in gate.graph.tags(gate.resolve("data/notes.txt"))} == {Basis.DECLARED}
    status, said = cli("content", "scan", "--tag", "data/notes.txt")
    assert status == 1 and "recorded as tags" in said
    with Gate.open() as gate:
        artifact = gate.resolve("data/notes.txt")
        (tag,) = (r.tag for r in gate.graph.tags(artifact) if r.tag.basis is Basis.MATCHED)
        assert tag.origin == OPENAI and tag.by.startswith("Ann")
        events = [read(gate.graph.event(i).data) for i in range(gate.graph.position())]
        (match,) = [e.dataset.facets.match for e in events if e.dataset and e.dataset.facets and e.dataset.facets.match]
        assert match.matches[0].found >= 29 and match.matches[0].records == 1030
        assert match.matches[0].index in tag.evidence
        assert OPENAI in {label.origin for label in gate.labels(gate.resolve("chat.pkl")).labels}


def test_doctor_names_what_is_not_searched_for(repo: Repo, cli: Cli) -> None:
    assert "SOURCE_NOT_INDEXED" in cli("doctor")[1]
    assert cli("content", "index")[0] == 0
    assert "SOURCE_NOT_INDEXED" not in cli("doctor")[1]


def test_a_source_that_was_exchanged_where_it_lies(repo: Repo, cli: Cli) -> None:
    """An emptied one would find nothing anywhere, and be called indexed."""
    with Gate.open() as gate:
        content = gate.resolve("data/gpt.jsonl").content
        assert content is not None
    md5 = content.hash.removeprefix("md5:")
    held = repo.root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    held.chmod(0o644)
    held.write_text('{"text": "nothing of what it was, and long enough to be compared"}\n' * 9)
    assert cli("content", "index")[0] == 3
    decision = judged("chat.pkl", "seed-chat")
    assert decision.outcome is Outcome.CANNOT_DECIDE and "damaged" in decision.reason
    held.unlink()
    place = repo.root / "data" / "gpt.jsonl"  # the same by size and time, which DVC goes by
    before = place.stat()
    place.chmod(0o644)
    place.write_bytes(b"x" * before.st_size)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cli("content", "index")[0] == 3


def test_empty_lines_thin_nothing_out(repo: Repo, cli: Cli) -> None:
    assert cli("content", "index")[0] == 0
    repo.write("thin.txt", "\n".join(" ".join(text.split()) for text in GPT[:20]) + "\n" * 400_000)
    repo.write("copies.txt", "".join(" ".join(t.split()) + "\n" for t in (*GPT[:20], *OWN[:3] * 40_000)))
    assert cli("content", "scan", "thin.txt")[0] == 1
    assert cli("content", "scan", "copies.txt")[0] == 1


def test_the_gate_searches_what_is_declared_clean(repo: Repo) -> None:
    decision = judged("chat.pkl", "seed-chat")
    assert decision.outcome is Outcome.DENY
    assert [finding.rule for finding in decision.findings] == ["no-openai"]
    assert decision.findings[0].label.basis is Basis.MATCHED
    assert judged("mail.pkl", "seed-mail").outcome is Outcome.ALLOW
    # nothing new: nothing is searched again
    with Gate.open() as gate:
        position = gate.graph.position()
    assert judged("chat.pkl", "seed-chat").outcome is Outcome.DENY
    with Gate.open() as gate:
        assert gate.graph.position() == position + 1


def test_a_new_source_is_searched_for_at_once(repo: Repo) -> None:
    assert judged("mail.pkl", "seed-mail").outcome is Outcome.ALLOW
    repo.add("data/late.csv", "id,body\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(OWN[:200])))
    assert run(["declare", "data/late.csv.dvc", "--kind", "third-party-model-output", "--provider", "openai"]) == 0
    assert judged("mail.pkl", "seed-mail").outcome is Outcome.DENY


def test_without_the_check_nothing_is_searched(repo: Repo) -> None:
    repo.write("lineage.policy.yaml", POLICY.replace("check: clean", "check: undeclared"))
    assert judged("chat.pkl", "seed-chat").outcome is Outcome.ALLOW
    repo.write("lineage.policy.yaml", POLICY.replace("content: {check: clean}\n", ""))
    assert judged("chat.pkl", "seed-chat").outcome is Outcome.ALLOW
    assert not (repo.root / ".lineage" / "content").exists()


def test_what_cannot_be_read_cannot_be_decided(repo: Repo, cli: Cli) -> None:
    (repo.root / "data" / "own.jsonl").unlink()
    (repo.root / "data" / "own.jsonl").write_bytes(b"\0\1\2binary" * 100)
    repo.dvc("add", "-q", "data/own.jsonl")
    assert run(["declare", "data/own.jsonl.dvc", "--kind", "first-party"]) == 0
    repo.dvc("repro", "-q", "mail")
    decision = judged("mail.pkl", "seed-mail")
    assert decision.outcome is Outcome.CANNOT_DECIDE and "own.jsonl" in decision.reason
    assert cli("content", "index")[0] == 0
    status, said = cli("content", "scan", "data/own.jsonl")
    assert status == 3 and "could not be read whole" in said


def test_content_that_is_gone_and_an_index_that_was_changed(repo: Repo, cli: Cli) -> None:
    assert cli("content", "index")[0] == 0
    (file,) = (repo.root / ".lineage" / "content").iterdir()
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.write_bytes(data)
    assert cli("content", "scan", "data/notes.txt")[0] == 3
    decision = judged("chat.pkl", "seed-chat")
    assert decision.outcome is Outcome.CANNOT_DECIDE and "damaged" in decision.reason
    assert "indexed" in cli("content", "index")[1]
    assert cli("content", "scan", "data/notes.txt")[0] == 1
    file.unlink()
    assert judged("chat.pkl", "seed-chat").outcome is Outcome.DENY  # made again from the cache
    # another key: everything is made again
    (repo.root / ".lineage" / "content.key").unlink()
    assert "indexed" in cli("content", "index")[1]
    assert cli("content", "scan", "data/notes.txt")[0] == 1


def test_completions_and_directories(repo: Repo, cli: Cli) -> None:
    answers = Corpus(9).records(300)
    repo.write(
        "logs/azure.jsonl", "".join(json.dumps({"choices": [{"message": {"content": t}}]}) + "\n" for t in answers)
    )
    options = ["--provider", "openai", "--channel", "azure-openai"]
    status, said = cli("content", "index", "--completions", "logs/azure.jsonl", *options)
    assert status == 0 and "300 records" in said
    assert cli("content", "index", "--completions", "logs/none.jsonl", *options)[0] == 2
    assert cli("content", "index", "--provider", "openai")[0] == 2
    for part in range(3):
        repo.write(
            f"data/parts/{part}.txt", "".join(" ".join(t.split()) + "\n" for t in [*OWN[:100], *answers[part::3]])
        )
    repo.dvc("add", "-q", "data/parts")
    status, said = cli("content", "scan", "data/parts", "--tag", "--format=json")
    assert status == 1
    (scanned,) = json.loads(said)["scanned"]
    assert scanned["artifact"]["content"].endswith(".dir")
    (found,) = (item for item in scanned["found"] if item["enough"])
    assert found["origin"]["channel"] == "azure-openai" and found["records"] >= 295
    assert {place["file"] for place in found["places"]} == {"0.txt", "1.txt", "2.txt"}
