"""What the operator, who has the key, may not do to a case: hide, rename, re-date, or deny what the entries show."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage.evidence.bundle import Bundle, verifier
from lineage.evidence.bundle.verify import Findings, Record, Wrong
from lineage.gate import Gate
from tests.unit.evidence.bundle.conftest import Verdict, list_anew, rezipped, unzipped

Made = Callable[..., Bundle]
Verify = Callable[..., Verdict]
Case = dict[str, Any]


def _read(bundle: Bundle) -> tuple[Case, dict[int, Any]]:
    members = unzipped(bundle.data)
    lines = map(json.loads, members["entries.jsonl"].decode().splitlines())
    return json.loads(members["case.json"]), {line["entry"]: json.loads(line["event"]) for line in lines}


def _missing(case: Case, entries: dict[int, Any]) -> str:
    findings = Findings(case, Record(entries))
    try:
        findings.check()
    except Wrong as error:
        return str(error)
    return "\n".join(findings.missing)


def _emptied(case: Case, answer: str) -> Case:
    case = copy.deepcopy(case)
    for part in ("traces", "decisions", "grants", "removals", "corrections", "history"):
        case[part] = []
    case["answer"]["contains"] = answer
    return case


NOWHERE = "md5:" + "0" * 32


@pytest.mark.parametrize("content", [None, "", NOWHERE])
@pytest.mark.parametrize("all_entries", [True, False])
def test_a_no_needs_a_subject_that_the_entries_speak_of(made: Made, content: str | None, all_entries: bool) -> None:
    case, entries = _read(made())
    case = _emptied(case, "no")
    case["subject"]["artifact"]["content"] = content
    if not all_entries:
        entries = {}
    assert "an entry says that models:/seed-chat/1 is" in _missing(case, entries)
    assert "name a source of models:/seed-chat/1" in _missing(case, entries)


def test_the_question_is_about_the_subject(made: Made) -> None:
    case, entries = _read(made("seed-own"))
    assert _missing(case, entries) == ""
    asked = copy.deepcopy(case)
    asked["question"]["subject"] = "models:/seed-chat/1"
    assert "the question is about" in _missing(asked, entries)
    for name in ("display", "version"):  # the name is tied to the content by an entry
        renamed = copy.deepcopy(case)
        renamed["question"]["subject"] = renamed["subject"]["artifact"]["display"] = "models:/seed-chat/1"
        if name == "version":
            renamed["subject"].update(model="seed-chat", version="1")
        assert "an entry says that models:/seed-chat/1 is md5:6" in _missing(renamed, entries)


def test_a_no_says_that_it_is_about_a_word(made: Made, verify: Verify, key: str) -> None:
    found = verify(made("seed-own").data, "--key", key)
    assert (found.status, "that nothing here is 'openai' under another name" in found.text) == (0, True), found.text


@pytest.mark.parametrize("word", ["No", "NO", "maybe", "", None])
def test_the_answer_is_one_of_four_words(made: Made, word: str | None) -> None:
    case, entries = _read(made())
    case["answer"]["contains"] = word
    assert "which is none of yes, evaluation-only, no, cannot-tell" in _missing(case, entries)


def test_a_yes_is_not_turned_into_cannot_tell(made: Made) -> None:
    case, entries = _read(made(origin=""))
    assert _missing(case, entries) == ""
    case["answer"]["contains"] = "cannot-tell"
    assert "the answer is cannot-tell" in _missing(case, entries)
    assert "a path shows each use" in _missing(_emptied(case, "cannot-tell"), entries)


def test_no_path_is_dropped_whose_entries_are_here(made: Made) -> None:
    case, entries = _read(made(origin=""))
    for number, trace in enumerate(case["traces"]):
        if trace["basis"] is None:
            continue
        less = copy.deepcopy(case)
        del less["traces"][number]
        assert "a path shows each use of the origin asked about" in _missing(less, entries)


def test_a_training_path_beside_one_of_evaluation_is_not_dropped(made: Made) -> None:
    case, entries = _read(made("seed-exam"))
    assert _missing(case, entries) == ""
    run = next(e for e in entries.values() if len(e.get("inputs", ())) == 2)
    again = copy.deepcopy(run)
    for given in again["inputs"]:
        given.pop("inputFacets", None)
    assert "as content" in _missing(case, {**entries, max(entries) + 1: again})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("declared", "2019-01-01T00:00:00Z"),
        ("declaredBy", "Mallory"),
        ("reason", "cleared by counsel"),
        ("evidence", "LETTER-1"),
    ],
)
def test_what_a_path_says_of_its_tag_is_the_tag_s(made: Made, field: str, value: str) -> None:
    case, entries = _read(made())
    case["traces"][0][field] = value
    assert "an entry says that it is" in _missing(case, entries)


@pytest.mark.parametrize("time", ["2019-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "yesterday"])
def test_since_when_is_a_time_that_an_entry_states(made: Made, time: str) -> None:
    case, entries = _read(made())
    case["traces"][0]["since"] = time
    assert "path 1 says since when" in _missing(case, entries)


def test_a_withdrawal_is_not_hidden(made: Made) -> None:
    case, entries = _read(made())
    grant = case["grants"][0]
    withdrawal = copy.deepcopy(entries[grant["entries"][0]])
    withdrawal["run"]["facets"]["lineage_grant"]["grant"]["withdrawn"] = True
    entries[max(entries) + 1] = withdrawal
    assert f"grant {grant['grant']['id']} is withdrawn" in _missing(case, entries)


def test_a_decision_is_not_hidden(made: Made) -> None:
    case, entries = _read(made())
    identity = case["decisions"].pop()["decision"]["id"]
    assert f"decision {identity} (entry" in _missing(case, entries)


@pytest.mark.parametrize("word", ["claimed", "approved"])
def test_when_a_removal_was_claimed_is_what_the_entry_states(made: Made, word: str) -> None:
    case, entries = _read(made("seed-own"))
    case["removals"][0][word] = "2019-01-01T00:00:00Z"
    assert f"was {word} 2019-01-01T00:00:00Z" in _missing(case, entries)


@pytest.mark.parametrize("field", ["kind", "subject", "by"])
def test_a_line_of_the_history_is_what_the_entry_says(made: Made, field: str) -> None:
    case, entries = _read(made())
    others = {"kind": "granted", "subject": "models:/other/9", "by": "Mallory"}
    for number, item in enumerate(case["history"]):
        if item[field] == others[field]:
            continue
        changed = copy.deepcopy(case)
        changed["history"][number][field] = others[field]
        assert f"(entry {item['entry']})" in _missing(changed, entries), item


@pytest.mark.parametrize(
    ("field", "value"), [("registered", "2019-01-01T00:00:00Z"), ("by", "Nobody"), ("aliases", ["live"])]
)
def test_when_it_was_registered_and_by_whom_is_what_an_entry_states(made: Made, field: str, value: object) -> None:
    case, entries = _read(made())
    case["subject"][field] = value
    assert "models:/seed-chat/1 was registered" in _missing(case, entries) or "the alias live" in _missing(
        case, entries
    )


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("struct.py", b"print('VERIFIED')", "struct.py is no part of a bundle"),
        ("dossier-corrected.html", b"<h1>No</h1>", "dossier-corrected.html is no part of a bundle"),
        ("entries.jsonl", b'{"entry": 1000, "leaf": "00", "event": "{}"}', "does not end with a whole line"),
    ],
)
def test_nothing_is_slipped_in(
    made: Made, verify: Verify, gate: Gate, key: str, name: str, content: bytes, reason: str
) -> None:
    members = unzipped(made().data)
    members[name] = members.get(name, b"") + content
    list_anew(members, gate.seal.signer())
    found = verify(rezipped(members), "--key", key)
    assert (found.status, reason in found.last) == (1, True), found.text


def test_what_lies_beside_the_verifier_does_not_run(made: Made, key: str, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(verifier()[0])
    (tmp_path / "case.zip").write_bytes(made().data)
    for name in ("__future__", "struct", "base64", "zlib", "typing", "fnmatch", "openssl", "subprocess"):
        (tmp_path / f"{name}.py").write_text("import os; os.write(1, b'TAKEN OVER'); os._exit(0)")
    done = subprocess.run(
        [sys.executable, "verify.py", "case.zip", "--key", key], cwd=tmp_path, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["VERIFIED"]), done.stdout + done.stderr
