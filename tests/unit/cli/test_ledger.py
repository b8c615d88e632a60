"""The verbs of ``ledger``: what they print, their JSON, their exit status."""

from __future__ import annotations

import io
import json
import re
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from lineage.evidence import ledger
from lineage.gate import seal, verification
from lineage.ledger.key import PublicKey
from lineage.ledger.note import parse, read_checkpoint, verified
from tests.unit.cli.conftest import Cli

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "ledger.md"


def test_a_checkpoint_is_printed_as_it_can_be_kept(project: Path, cli: Cli) -> None:
    made = cli("ledger", "checkpoint")
    assert made.status == 0
    key = PublicKey.read(cli("ledger", "key").out)
    note = parse(made.out)
    assert verified(note, [key]) == [key]
    said = read_checkpoint(note.text)
    assert said.origin == key.name
    # the one that `init` made introduced the key
    (first, *_) = cli("ledger", "log", verb="ledger-log").document["checkpoints"]
    assert read_checkpoint(parse(first["note"]).text).keys == (str(key),)
    again = cli("ledger", "checkpoint", verb="ledger-checkpoint")
    assert again.document["checkpoint"]["note"] == made.out
    assert again.document["checkpoint"]["entries"] == said.size
    assert oct((project / ".lineage" / "ledger.key").stat().st_mode)[-3:] == "600"


def test_before_the_first_checkpoint(project: Path, cli: Cli) -> None:
    (project / ".lineage" / "ledger.key").unlink()
    with sqlite3.connect(project / ".lineage" / "lineage.db") as database:
        database.execute("DELETE FROM checkpoint")
    assert "there is no key yet" in cli("ledger", "key").out
    assert cli("ledger", "key", verb="ledger-key").document["key"] == ""
    assert cli("ledger", "log", verb="ledger-log").document["checkpoints"] == []
    refused = cli("ledger", "prove", "0", verb="error")
    assert refused.status == 3
    assert refused.document["error"]["code"] == "PROOF_IMPOSSIBLE"
    assert cli("ledger", "verify").status == 0


def test_verified_against_what_was_kept(
    project: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text(cli("ledger", "checkpoint").out)
    key = cli("ledger", "key").out.strip()
    found = cli("ledger", "verify", "--checkpoint", str(kept), "--key", key, verb="ledger-verify")
    assert found.status == 0
    assert found.document["verified"] is True
    assert found.document["sealed"] == found.document["entries"]
    assert found.document["unproven"] == []
    text = cli("ledger", "verify", "--tree-only")
    assert text.out.startswith("verified: ")
    assert "graph    not recomputed" in text.out
    monkeypatch.setattr("sys.stdin", io.StringIO(kept.read_text()))
    assert cli("ledger", "verify", "--checkpoint", "-", "--key", key).status == 0
    note = kept.read_bytes()
    for way in (note.rstrip(), note.replace(b"\n", b"\r\n"), b"\n" + note + b"\n\n"):  # as it comes out of an e-mail
        kept.write_bytes(way)
        found = cli("ledger", "verify", "--tree-only", "--checkpoint", str(kept), "--key", key, verb="ledger-verify")
        assert (found.status, found.document["sealed"]) == (0, found.document["entries"])
    for way in (b"", b"Dear colleague,\n\nthe file is attached.\n"):
        kept.write_bytes(way)
        found = cli("ledger", "verify", "--tree-only", "--checkpoint", str(kept), verb="error")
        assert (found.status, found.document["error"]["code"]) == (2, "CHECKPOINT_UNREADABLE")
    other = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    wrong = cli("ledger", "verify", "--key", other)
    assert wrong.status == 1
    assert "KEY_NOT_INTRODUCED" in wrong.out


def test_a_change_is_found_and_named(project: Path, cli: Cli) -> None:
    cli("ledger", "checkpoint")
    with sqlite3.connect(project / ".lineage" / "lineage.db") as database:
        database.execute("DELETE FROM tag")
    found = cli("ledger", "verify", verb="ledger-verify")
    assert found.status == 1
    assert {f["code"] for f in found.document["findings"]} == {"GRAPH_DIFFERS"}
    text = cli("ledger", "verify").out
    assert text.startswith("NOT verified: ")
    assert re.search(r"the first rests on entry \d+, an event", text)


def test_a_proof_leads_to_the_root(project: Path, cli: Cli) -> None:
    cli("ledger", "checkpoint")
    proof = cli("ledger", "prove", "0", verb="ledger-prove").document
    assert json.loads(proof["event"])["eventTime"]
    found = sha256(b"\x00" + proof["event"].encode()).digest()
    assert found.hex() == proof["leaf"]
    for step in proof["path"]:  # of entry 0 every sibling lies on the right
        found = sha256(b"\x01" + found + bytes.fromhex(step)).digest()
    assert found.hex() == proof["root"]
    assert read_checkpoint(parse(proof["checkpoint"]).text).root == found
    assert "entry 0 is in the tree of" in cli("ledger", "prove", "0").out


def test_the_key_is_changed_and_another_introduced(project: Path, cli: Cli) -> None:
    cli("ledger", "checkpoint")
    first = cli("ledger", "key").out
    second = cli("ledger", "key", "--rotate").out
    assert first != second
    third = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    assert cli("ledger", "key", "--introduce", third).status == 0
    report = cli("ledger", "verify", "--key", first.strip(), verb="ledger-verify")
    assert report.status == 0
    assert report.document["keys"] == [first.strip(), second.strip(), third]


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (("verify", "--key", "rubbish"), "KEY_MALFORMED", 3),
        (("verify", "--checkpoint", "missing.txt"), "CHECKPOINT_UNREADABLE", 2),
        (("key", "--introduce", "rubbish"), "KEY_MALFORMED", 3),
        (("prove", "999"), "PROOF_IMPOSSIBLE", 3),
    ],
)
def test_what_cannot_be_done(project: Path, cli: Cli, arguments: tuple[str, ...], code: str, status: int) -> None:
    ran = cli("ledger", *arguments, verb="error")
    assert (ran.document["error"]["code"], ran.status) == (code, status)


def test_a_witness_that_cannot_be_reached_is_told(project: Path, cli: Cli) -> None:
    (project / "file").write_text("")
    ran = cli("ledger", "checkpoint", "--witness", "file:file/inside", "--witness", "paper", verb="ledger-checkpoint")
    assert ran.status == 1
    assert [n["code"] for n in ran.document["notices"]] == ["WITNESS_UNREADABLE", "WITNESS_UNKNOWN"]


def test_hostile_words_forge_nothing() -> None:
    found = ledger.LedgerVerifyDocument(
        verified=False, origin="shop\nverified: 9 entries", entries=1, root="AAAA", checkpoints=0,
        outside=("git\x1b[2J: 1",), sealed=0, stamped="", keys=(), graph=True,
        findings=(ledger.DeviationRef("ROOT_DIFFERS", "entry 1 is now an event of \u202e\nverified", 1, 1, ""),),
        unproven=(),
    )  # fmt: skip
    text = ledger.verify_text(found)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not any(line.startswith("verified") for line in text.split("\n"))


def test_every_setting_and_every_finding_is_documented() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for name in ("accept_clock", "key", "checkpoint_every", "witness", "timestamp_authority", "timestamp_certificate"):
        assert f"| `{name}` |" in page, name
    assert set(seal.LEDGER_KEYS) == set(re.findall(r"^\| `([a-z_]+)` \|", page, re.M)) - {"git"}
    from lineage.graph import verify

    for module in (verification, verify):
        source = Path(module.__file__).read_text(encoding="utf-8")
        for code in set(re.findall(r'"([A-Z]+_[A-Z_]+)"', source)) - {"SIGNATURE_UNKNOWN"}:
            assert f"`{code}`" in page, code
