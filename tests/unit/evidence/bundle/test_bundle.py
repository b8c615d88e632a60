"""What is in a bundle, that a stranger can check it, and that whoever changes it is found out."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from lineage.errors import CannotDecide, UsageError
from lineage.evidence.bundle import Bundle
from lineage.evidence.bundle import verify as program
from lineage.gate import Gate
from lineage.gate.bundle import bundle, notes_of
from lineage.ledger.key import SigningKey
from lineage.ledger.note import sign
from tests.unit.evidence.bundle.conftest import JO, LIN, TIME, Verdict, data, list_anew, rezipped, unzipped

Made = Callable[..., Bundle]
Verify = Callable[..., Verdict]


def test_a_stranger_verifies_it(made: Made, verify: Verify, key: str) -> None:
    found = verify(made().data, "--key", key)
    assert found.status == 0, found.text
    assert found.last == "VERIFIED"
    assert "asked     does models:/seed-chat/1 contain openai?\n    answer    yes" in found.text
    assert "data/raw/gpt4_dialogues -> data/clean.jsonl -> models:/seed-chat/1" in found.text
    assert "who holds the key that you gave signed a record of" in found.text


def test_without_a_key_it_says_that_nobody_knows_whose_it_is(made: Made, verify: Verify) -> None:
    found = verify(made().data)
    assert found.status == 3
    assert found.last.startswith("VERIFIED within itself; whose record it is was not checked")
    assert "whose record this is. The key came inside the bundle" in found.text


@pytest.mark.parametrize(
    ("name", "origin", "answer"),
    [
        ("seed-own", "openai", "no"),
        ("seed-web", "openai", "cannot-tell"),
        ("seed-exam", "openai", "evaluation-only"),
        ("seed-chat", "", "yes"),
    ],
)
def test_every_answer_verifies(made: Made, verify: Verify, key: str, name: str, origin: str, answer: str) -> None:
    found = verify(made(name, origin).data, "--key", key)
    assert found.status == 0, found.text
    assert f"answer    {answer}" in found.text


def test_the_same_case_gives_the_same_bytes(gate: Gate, made: Made) -> None:
    again = bundle(gate, gate.case("models:/seed-chat/1", "openai"))
    assert again.data == made().data


def test_it_holds_the_exact_entries_and_no_byte_of_others(gate: Gate, made: Made) -> None:
    case = gate.case("models:/seed-chat/1", "openai")
    members = unzipped(made().data)
    lines = [json.loads(line) for line in members["entries.jsonl"].decode().splitlines()]
    assert [line["entry"] for line in lines] == [entry.position for entry in case.entries]
    for line in lines:
        assert line["event"].encode() == gate.graph.event(line["entry"]).data
    assert len(lines) < gate.graph.position()
    whole = b"".join(members.values()).lower()
    for word in (
        b"unrelated",
        b"zedediah",
        b"otherman",
        b"other.example",
        b"later_plan",
        b"data/secret",
        b"seed-web",
        b"data/raw/web",
    ):
        assert word not in whole


def test_outside_checkpoints_are_continued(gate: Gate, verify: Verify, key: str) -> None:
    first = gate.seals.over(1)
    assert first is not None
    for row in (first, *gate.seals.all()):
        case = gate.case("models:/seed-chat/1", "openai")
        made = bundle(gate, case, checkpoints={"kept.txt": row.note})
        found = verify(made.data, "--key", key, "--checkpoint", "kept.txt", **{"kept.txt": row.note})
        assert found.status == 0, found.text
        assert f"the record is the one that kept.txt fixed with {row.position} entries" in found.text


def test_an_outside_checkpoint_may_come_out_of_an_e_mail(gate: Gate, made: Made, verify: Verify, key: str) -> None:
    first = gate.seals.over(1)
    assert first is not None
    note = first.note.encode()
    for way in (
        note + b"\n",
        note.rstrip(),
        note.replace(b"\n", b"\r\n"),
        b"\r\n" + note.rstrip(),
        note + b"\n" + note,
    ):
        found = verify(made().data, "--key", key, "--checkpoint", "kept.txt", **{"kept.txt": way})
        assert found.status == 0, found.text
        assert f"the record is the one that kept.txt fixed with {first.position} entries" in found.text


@pytest.mark.parametrize("own", [True, False])
def test_an_outside_checkpoint_that_nobody_trusted_signed_neither_proves_nor_accuses(
    gate: Gate, made: Made, verify: Verify, key: str, own: bool
) -> None:
    """Somebody else's signature, over the true root or another: the bundle is not to blame, and nothing follows."""
    newest = gate.seals.newest()
    assert newest is not None
    text = newest.note.rpartition("\n\n")[0] + "\n"
    root = text.split("\n")[2]
    stranger = SigningKey(gate.seal.origin, bytes(32))
    damaged = newest.note[:-20] + ("A" if newest.note[-20] != "A" else "B") + newest.note[-19:]
    for note in (
        sign(text, [stranger]),
        sign(text.replace(root, base64.b64encode(bytes(32)).decode()), [stranger]),
        sign(text.replace(gate.seal.origin, "somebody/else"), [stranger]),
        damaged,
        text,
        "Dear colleague,\n\nthe file is attached.\n",
        "",
    ):
        found = verify(made().data, *(("--key", key) if own else ()), "--checkpoint", "kept.txt", **{"kept.txt": note})
        assert (found.status, found.last[:12]) == (2, "CANNOT CHECK"), found.text
        assert "the record is the one" not in found.text


def test_a_checkpoint_that_it_says_nothing_about_cannot_be_checked(
    gate: Gate, made: Made, verify: Verify, key: str
) -> None:
    signer, size = gate.seal.signer(), 3
    leaves = list(gate.seals.leaves(0, size))
    root = base64.b64encode(program.tree_root(size, dict(enumerate(leaves)), {})).decode()
    note = sign(f"{gate.seal.origin}\n{size}\n{root}\n", [signer])
    found = verify(made().data, "--key", key, "--checkpoint", "kept.txt", **{"kept.txt": note})
    assert (found.status, found.last[:12]) == (2, "CANNOT CHECK")
    assert "--checkpoint kept.txt" in found.last
    with_proof = bundle(gate, gate.case("models:/seed-chat/1", "openai"), checkpoints={"kept.txt": note})
    assert verify(with_proof.data, "--key", key, "--checkpoint", "kept.txt", **{"kept.txt": note}).status == 0


def test_another_record_of_the_same_name_is_found_by_an_outside_checkpoint(
    gate: Gate, made: Made, verify: Verify, key: str
) -> None:
    signer, size = gate.seal.signer(), json.loads(unzipped(made().data)["bundle.json"])["size"]
    other = sign(f"{gate.seal.origin}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n", [signer])
    found = verify(made().data, "--key", key, "--checkpoint", "kept.txt", **{"kept.txt": other})
    assert (found.status, "the record was rewritten" in found.last) == (1, True)
    with pytest.raises(CannotDecide) as refused:
        bundle(gate, gate.case("models:/seed-chat/1", "openai"), checkpoints={"kept.txt": other})
    assert refused.value.code == "RECORD_REWRITTEN"
    foreign = other.replace(gate.seal.origin, "somebody/else")
    with pytest.raises(UsageError) as wrong:
        bundle(gate, gate.case("models:/seed-chat/1", "openai"), checkpoints={"kept.txt": foreign})
    assert wrong.value.code == "CHECKPOINT_FOREIGN"


def test_several_checkpoints_in_one_file(gate: Gate) -> None:
    notes = [row.note for row in gate.seals.all()]
    assert list(notes_of([("all.txt", "\n".join(notes))]).values()) == notes
    assert notes_of([("one.txt", notes[0])]) == {"one.txt": notes[0]}


def test_the_wrong_key_is_told(made: Made, verify: Verify, gate: Gate) -> None:
    other = SigningKey(gate.seal.origin, bytes(32)).public
    found = verify(made().data, "--key", str(other))
    assert (found.status, "not signed by the key that you gave" in found.last) == (1, True)


def test_a_bundle_without_a_checkpoint_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lineage.events.event import dataset_event

    opened, _ = Gate.init(tmp_path, project="bare")
    with opened:
        opened.record([dataset_event(data("data/x", "1"), time=TIME)])
        case = opened.case("md5:" + "1" * 32)
        with pytest.raises(UsageError) as refused:
            bundle(opened, case)
        assert refused.value.code == "NO_CHECKPOINT"


# -- an adversary --------------------------------------------------------------------------------------------------------


def test_one_changed_byte_in_any_member_is_found(made: Made, gate: Gate) -> None:
    members = unzipped(made().data)
    for name, content in members.items():
        for at in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[at] ^= 1
            assert _status({**members, name: bytes(changed)}) == 1, (name, at)


def test_dropped_added_and_renamed_members_are_found(made: Made) -> None:
    members = unzipped(made().data)
    for name in members:
        assert _status({n: c for n, c in members.items() if n != name}) == 1, name
        assert _status({("x-" + n if n == name else n): c for n, c in members.items()}) == 1, name
    assert _status({**members, "more.txt": b"x"}) == 1
    names = [n for n in members if n not in ("bundle.json", "bundle.note")]
    swapped = {**members, names[0]: members[names[1]], names[1]: members[names[0]]}
    assert _status(swapped) == 1


Edit = Callable[[dict[str, bytes]], None]


def _entry(number: int, change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(members: dict[str, bytes]) -> None:
        lines = [json.loads(line) for line in members["entries.jsonl"].decode().splitlines()]
        change(lines[number])
        members["entries.jsonl"] = "".join(json.dumps(line) + "\n" for line in lines).encode()

    return edit


def _forged_entry(line: dict[str, Any]) -> None:
    """An edited event with a leaf hash that fits it."""
    line["event"] = line["event"].replace("gpt-4", "gpt-3")
    line["leaf"] = hashlib.sha256(b"\0" + line["event"].encode()).hexdigest()


def _json(name: str, change: Callable[[Any], None]) -> Edit:
    def edit(members: dict[str, bytes]) -> None:
        value = json.loads(members[name])
        change(value)
        members[name] = json.dumps(value).encode()

    return edit


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for part in path[:-1]:
            value = value[part]
        assert value[path[-1]] != to
        value[path[-1]] = to

    return change


def _text(name: str, old: str, new: str) -> Edit:
    def edit(members: dict[str, bytes]) -> None:
        assert old.encode() in members[name]
        members[name] = members[name].replace(old.encode(), new.encode())

    return edit


OUTSIDER: dict[str, tuple[Edit, str]] = {
    "dossier": (
        _text("dossier.html", "contains openai", "does not contain openai"),
        "somebody else put this bundle together|bundle.json was changed",
    ),
    "verifier": (_text("verify.py", "VERIFIED", "verified"), "bundle.json was changed"),
    "keys": (lambda m: m.update({"keys.txt": f"{SigningKey('seed', bytes(32)).public}\n".encode()}), "signed by"),
}
"""What somebody can edit who has the bundle and no key: the list is made anew each time."""

INSIDER: dict[str, tuple[Edit, str]] = {
    "entry": (_entry(0, lambda line: line.update(event=line["event"].replace("gpt-4", "gpt-3"))), "was changed: its bytes do not have its hash"),
    "entry with its hash": (_entry(0, _forged_entry), "do not lead to the root hash"),
    "entry's place": (_entry(-1, lambda line: line.update(entry=line["entry"] + 1)), "do not lead to the root hash|proof|not among"),
    "entry dropped": (lambda m: m.update({"entries.jsonl": m["entries.jsonl"].split(b"\n", 1)[1]}), "proof lacks|belong nowhere|root hash"),
    "entry twice": (lambda m: m.update({"entries.jsonl": m["entries.jsonl"].split(b"\n")[0] + b"\n" + m["entries.jsonl"]}), "out of order"),
    "entry made a redacted one": (_entry(0, lambda line: line.update(redacted=line.pop("event").replace("gpt-4", "gpt-3"))), "not redacted"),
    "proof": (_json("tree.json", lambda t: t["hashes"].update({next(iter(t["hashes"])): "00" * 32})), "do not lead to the root hash"),
    "proof with more": (_json("tree.json", lambda t: t["hashes"].update({"90-91": "00" * 32})), "belong nowhere"),
    "consistency": (_json("tree.json", lambda t: t["consistency"][0]["proof"].__setitem__(0, "00" * 32)), "was rewritten"),
    "checkpoint": (_text("checkpoint.txt", "\ntime 2", "\ntime 3"), "does not hold"),
    "checkpoint's name": (_text("checkpoint.txt", "seed/", "sled/"), "another checkpoint"),
    "answer": (_json("case.json", _set("answer", "contains", to="no")), "the answer is no"),
    "answer's path": (_json("case.json", _set("traces", to=[])), "the answer is yes, and a path shows it"),
    "path: source's origin": (_json("case.json", _set("traces", 0, "origin", "provider", to="anthropic")), "an entry says that it is"),
    "path: who declared": (_json("case.json", _set("traces", 0, "declaredBy", to="Mallory")), "an entry says that it is"),
    "path: step's content": (_json("case.json", _set("traces", 0, "path", 1, "content", to="md5:" + "d" * 32)), "from the step before"),
    "path: step left out": (_json("case.json", lambda c: c["traces"][0]["path"].pop(1)), "from the step before"),
    "path: use of a step": (_json("case.json", _set("traces", 0, "path", 2, "use", to="evaluation")), "from the step before"),
    "path: use": (_json("case.json", _set("traces", 0, "use", to="evaluation")), "from the step before"),
    "path: date": (_json("case.json", _set("traces", 0, "path", 1, "time", to="2021-01-01T00:00:00+00:00")), "from the step before"),
    "path: commit": (_json("case.json", _set("traces", 0, "path", 1, "commit", to="f" * 40)), "from the step before"),
    "path: person": (_json("case.json", _set("traces", 0, "path", 1, "by", to="Mallory")), "from the step before"),
    "path: entries": (_json("case.json", _set("traces", 0, "path", 1, "entries", to=[])), "from the step before"),
    "subject": (_json("case.json", _set("subject", "artifact", "content", to="md5:" + "d" * 32)), "ends at"),
    "decision": (_json("case.json", _set("decisions", 0, "decision", "outcome", to="deny")), "is as entry"),
    "decision's entry": (_json("case.json", _set("decisions", 0, "entry", to=3)), "is as entry"),
    "grant": (_json("case.json", _set("grants", 0, "grant", "reference", to="Contract 1")), "is as entry"),
    "grant withdrawn": (_json("case.json", lambda c: c["grants"][0]["grant"].update(withdrawn=True)), "withdrawn"),
    "history: date": (_json("case.json", _set("history", 0, "time", to="2020-01-01T00:00:00+00:00")), "2020-01-01"),
    "history: person": (_json("case.json", _set("history", 0, "by", to="Mallory")), "entry"),
    "seal": (_json("case.json", _set("seal", to=None)), "another checkpoint"),
    "list of entries": (_json("case.json", lambda c: c["entries"].pop()), "other entries"),
    "format": (_json("case.json", _set("format", to="lineagegate-case/9")), "this verifier knows"),
    "not JSON": (lambda m: m.update({"case.json": b"{"}), "cannot be read as JSON"),
    "JSON that says two things": (lambda m: m.update({"case.json": m["case.json"].replace(b"{", b'{"answer": 1,', 1)}), "says something twice"),
}  # fmt: skip
"""What the operator can edit, who signs the list anew afterwards: only recomputing finds it."""


@pytest.mark.parametrize("what", OUTSIDER)
def test_an_outsider_who_makes_thelist_anew_is_found_out(made: Made, verify: Verify, key: str, what: str) -> None:
    edit, reason = OUTSIDER[what]
    members = unzipped(made().data)
    edit(members)
    list_anew(members)
    for options in ((), ("--key", key)):
        found = verify(rezipped(members), *options)
        assert found.status == 1, found.text
        assert any(word in found.last for word in (*reason.split("|"), "bundle.json was changed")), found.last


def test_an_outsider_who_signs_with_a_key_of_their_own_is_found_out(
    made: Made, verify: Verify, key: str, gate: Gate
) -> None:
    mallory = SigningKey(gate.seal.origin, bytes(32))
    members = unzipped(made().data)
    _text("dossier.html", "contains openai", "does not contain openai")(members)
    members["keys.txt"] += f"{mallory.public}\n".encode()
    list_anew(members, mallory)
    for options in ((), ("--key", key)):
        found = verify(rezipped(members), *options)
        assert (found.status, "somebody else put this bundle together" in found.last) == (1, True), found.text


@pytest.mark.parametrize("what", INSIDER)
def test_an_insider_who_signs_thelist_anew_is_found_out(made: Made, gate: Gate, what: str) -> None:
    edit, reason = INSIDER[what]
    members = unzipped(made().data)
    edit(members)
    list_anew(members, gate.seal.signer())
    said: list[str] = []
    status = program.Check(rezipped(members), program.Given(), said.append).run()
    assert status == (2 if what == "format" else 1), "\n".join(said)
    assert any(word in said[-1] for word in reason.split("|")), said[-1]


NO: dict[str, tuple[Edit, str]] = {
    "a tag of the origin": (_json("case.json", _set("question", "origin", to="first-party")), "nothing that"),
    "a yes made a no": (_json("case.json", _set("answer", "contains", to="yes")), "a path shows it"),
}


@pytest.mark.parametrize("what", NO)
def test_a_no_is_recomputed(made: Made, gate: Gate, what: str) -> None:
    edit, reason = NO[what]
    members = unzipped(made("seed-own", "openai").data)
    edit(members)
    list_anew(members, gate.seal.signer())
    said: list[str] = []
    assert program.Check(rezipped(members), program.Given(), said.append).run() == 1
    assert reason in said[-1]


def test_a_no_that_rests_on_a_removal_says_so(made: Made, verify: Verify, key: str) -> None:
    found = verify(made("seed-lite").data, "--key", key)
    assert (found.status, found.last) == (0, "VERIFIED"), found.text
    told = "\n".join(
        line for line in found.text.split("\n") if "answer" in line or "removal" in line or " " * 14 in line
    )
    assert "answer    no, and that rests on a removal: of that origin is what entry 0, 3 names" in told
    assert "removal   01H1N00000000000000000000D, in force" in told
    assert "of third-party-model-output, openai/gpt-4, via azure-openai, what entry 0, 3 names; by scrub" in told
    assert f"claimed by {LIN} on 2023-06-20T09:00:00+00:00, approved by {JO} on 2023-06-21T09:00:00+00:00" in told
    assert "result: 7 taken out, 0 left\n              evidence: reports/scrub.json (sha256:eeee" in told
    assert (
        "that what removal 01H1N00000000000000000000D speaks of was taken out" in found.text.partition("Not proven")[2]
    )
    assert "nobody authenticated them" in found.text.partition("Not proven")[2]


def test_a_removal_does_not_speak_for_another_way(made: Made, gate: Gate) -> None:
    """The source is gone from what was scrubbed; what also came in beside that is not."""
    members = unzipped(made("seed-lite").data)
    lines = [json.loads(line) for line in members["entries.jsonl"].decode().splitlines()]
    entries = {line["entry"]: json.loads(line["event"]) for line in lines}
    training = next(e for e in entries.values() if e.get("job", {}).get("name", "").endswith(":train-lite"))
    case = json.loads(members["case.json"])
    for name, holds in (("data/scrubbed.jsonl", True), ("data/clean.jsonl", False)):
        read = [d for e in entries.values() for d in e.get("outputs", ()) if d["name"] == name]
        training["inputs"] = [*training["inputs"], *read]
        findings = program.Findings(case, program.Record(entries))
        findings.check()
        assert bool(findings.missing) is not holds, findings.missing


def test_the_bundle_of_a_no_holds_all_that_the_lineage_rests_on(made: Made, gate: Gate) -> None:
    everything = program.Record({i: json.loads(gate.graph.event(i).data) for i in range(gate.graph.position())})
    for name, origin in (("seed-own", "openai"), ("seed-lite", "openai"), ("seed-chat", "unrelated-customer")):
        members = unzipped(made(name, origin).data)
        case = json.loads(members["case.json"])
        assert case["answer"]["contains"] == "no"
        here = {entry["position"] for entry in case["entries"]}
        ends = program._subject(everything, case["subject"]["artifact"])
        held = program.Record({position: everything.events[position] for position in here})
        (end,) = ends
        all_, mine = everything.arrived(end), held.arrived(end)
        assert (mine.labels, mine.undeclared) == (all_.labels, all_.undeclared)
        assert {str(tag[1:]) for tag in mine.tags} == {str(tag[1:]) for tag in all_.tags}


def test_a_no_over_an_undeclared_source_is_not_borne_out(made: Made, gate: Gate) -> None:
    members = unzipped(made("seed-web", "openai").data)
    _json("case.json", _set("answer", "contains", to="no"))(members)
    list_anew(members, gate.seal.signer())
    said: list[str] = []
    assert program.Check(rezipped(members), program.Given(), said.append).run() == 1
    assert "every source of models:/seed-web/1 has a declared origin (not: data/raw/web)" in said[-1]


# -- the command ---------------------------------------------------------------------------------------------------------


def test_openssl_that_cannot_check_signatures_does_not_pass(made: Made, tmp_path: Any) -> None:
    import subprocess

    (tmp_path / "case.zip").write_bytes(made().data)
    (tmp_path / "verify.py").write_bytes(unzipped(made().data)["verify.py"])
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin" / "openssl"

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", "case.zip"], cwd=tmp_path, env={"PATH": str(tmp_path / "bin")},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.rstrip("\n").split("\n")[-1]

    assert run() == (2, "CANNOT CHECK: the command `openssl` is not there; install OpenSSL 3.0 or newer")
    for script in ("echo 'OpenSSL 1.1.1w'; exit 1", "echo 'Signature Verified Successfully'; exit 0"):
        old.write_text(f"#!/bin/sh\n{script}\n")
        old.chmod(0o755)
        status, last = run()
        assert (status, "cannot check Ed25519 signatures" in last) == (2, True)


def test_wrong_usage_cannot_check(made: Made, verify: Verify) -> None:
    for options in (
        ("--key",),
        ("--key", ""),
        ("--key", "case.txt"),
        ("--nothing", "x"),
        ("other.zip",),
        ("--key", "x"),
        ("--authority", "missing.pem"),
    ):
        found = verify(made().data, *options, **{"case.txt": "\n"})
        assert (found.status, found.last[:12]) == (2, "CANNOT CHECK"), options


def test_one_entry_can_be_shown(made: Made, verify: Verify) -> None:
    entry = json.loads(unzipped(made().data)["entries.jsonl"].split(b"\n")[0])["entry"]
    found = verify(made().data, "--show", str(entry))
    assert found.status == 0
    assert '"eventTime"' in found.text
    assert verify(made().data, "--show", "9999").status == 2


def test_names_cannot_write_to_the_terminal(made: Made, gate: Gate, verify: Verify) -> None:
    members = unzipped(made().data)
    _json("case.json", _set("question", "subject", to="\x1b[2J\u202eVERIFIED\nVERIFIED"))(members)
    list_anew(members, gate.seal.signer())
    found = verify(rezipped(members))
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text
    assert "\nVERIFIED\n" not in found.text.replace(found.last, "")


def test_it_runs_on_python_3_8() -> None:
    import ast
    from pathlib import Path

    ast.parse(Path(program.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))
    names = {
        node.module or ""
        for node in ast.walk(ast.parse(Path(program.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    names |= {
        a.name
        for node in ast.walk(ast.parse(Path(program.__file__).read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for a in node.names
    }
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


# -- how ------------------------------------------------------------------------------------------------------------------


def _status(members: dict[str, bytes]) -> int:
    return program.Check(rezipped(members), program.Given(), lambda _: None).run()
