"""What is kept outside, and what becomes of it: keys, checkpoints, git notes, registries, timestamps, old copies."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lineage.errors import CannotDecide, UsageError
from lineage.gate.verification import VerifyReport
from lineage.graph.verify import Deviation
from lineage.ledger import note
from lineage.ledger.clock import microseconds
from lineage.ledger.key import load_key, make_key
from lineage.ledger.timestamp import ask, verify
from tests.redteam.insider import Case, Kept, at, reseal, settle, stage


def only(report: VerifyReport, code: str) -> Deviation:
    found = [d for d in report.findings if d.code == code]
    assert found, report.findings
    return found[0]


def key_file(case: Case) -> Path:
    with case.gate() as gate:
        return gate.seal.settings.key


# keys


def test_a_new_key_that_nobody_introduced(case: Case) -> None:
    """He takes another key and goes on: whoever holds the old one sees from where."""
    key_file(case).unlink()
    size = case.judge(7) + 1
    found = only(case.verify(), "KEY_NOT_INTRODUCED")
    assert f"the store's checkpoint of {size} entries ({size} entries)" in found.message
    # without a key of one's own, the first one that the ledger names counts, and the other is still told
    assert only(case.verify(keys=[]), "KEY_NOT_INTRODUCED").message == found.message


def test_a_key_that_was_changed_as_it_should_be(case: Case) -> None:
    for _ in range(2):
        with case.gate() as gate:
            old = gate.seal.public()
            gate.seal.rotate()
            assert gate.seal.public() != old
        case.judge(7)
    report = case.verify()
    assert report.findings == ()
    assert len(report.keys) == 3
    assert report.keys[0] == case.trusted[0]


def test_a_key_of_another_machine_is_introduced(case: Case, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other.key", "seed/other")
    kept = key_file(case).read_bytes()
    key_file(case).write_bytes(other.text().encode())
    case.judge(7)
    key_file(case).write_bytes(kept)
    assert only(case.verify(), "KEY_NOT_INTRODUCED")
    with case.gate() as gate:
        gate.seal.checkpoint([other.public])
    assert case.verify().findings == ()


def test_a_change_of_key_that_was_interrupted_is_made_good(case: Case) -> None:
    """The new key lies there, the checkpoint that introduces it was not made: the next one does it."""
    path = key_file(case)
    coming = path.with_name("ledger.key.next")
    make_key(coming, "seed/coming")
    new = load_key(coming).public
    case.judge(7)
    assert not coming.exists()
    assert load_key(path).public == new
    assert case.verify().findings == ()


def test_a_key_that_cannot_be_used_refuses_the_decision(case: Case) -> None:
    path = key_file(case)
    path.chmod(0o644)
    before = case.entries()
    with pytest.raises(UsageError) as refused:
        case.judge(7)
    assert refused.value.code == "LEDGER_KEY_UNUSABLE"
    assert case.entries() == before
    path.chmod(0o600)
    path.write_text("rubbish")
    with pytest.raises(UsageError):
        case.judge(7)
    assert case.entries() == before


def test_checkpoints_signed_by_him_are_told(case: Case) -> None:
    """He signs one of the stored checkpoints anew, with a key that bears the name of the right one."""
    position, text = case.rows("SELECT position, note FROM checkpoint ORDER BY position")[1]
    forged = make_key(case.root / "forged.key", load_key(key_file(case)).name)
    case.sql(
        ("UPDATE checkpoint SET note = ? WHERE position = ?", (note.sign(note.parse(text).text, [forged]), position))
    )
    assert f"checkpoint of {position} entries" in only(case.verify(), "KEY_NOT_INTRODUCED").message
    mangled = text.replace("time 2", "time 1")
    case.sql(("UPDATE checkpoint SET note = ? WHERE position = ?", (mangled, position)))
    assert f"checkpoint of {position} entries" in only(case.verify(), "SIGNATURE_INVALID").message
    case.sql(("UPDATE checkpoint SET note = 'rubbish' WHERE position = ?", (position,)))
    assert f"checkpoint of {position} entries" in only(case.verify(), "NOTE_MALFORMED").message


def test_the_stored_checkpoints_deleted(case: Case) -> None:
    case.sql("DELETE FROM checkpoint")
    place = at(case, "models:/seed/1")
    for given in (case.outside, []):
        found = only(case.verify(given=given), "CHECKPOINT_MISSING")
        assert found.first == place
        assert f"the first is entry {place}" in found.message


def test_one_stored_checkpoint_deleted(case: Case) -> None:
    place = at(case, "models:/seed/1")
    case.sql(("DELETE FROM checkpoint WHERE position = ?", (place + 1,)))
    found = only(case.verify(), "CHECKPOINT_MISSING")
    assert found.first == place


def test_another_ledger_in_its_place(case: Case) -> None:
    """He makes a ledger with another name, so that nothing kept of the old one seems to belong to it."""
    case.sql("UPDATE state SET value = 'seed/00000000' WHERE key = 'ledger/origin'")
    reseal(case)
    found = only(case.verify(), "OTHER_LEDGER")
    assert "this one is seed/00000000" in found.message


# git


def git(case: Case, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(case.root), "-c", "user.name=Ann", "-c", "user.email=ann@example.com", *arguments],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def witnessed(case: Case) -> Case:
    """A ledger whose checkpoints lie in git notes."""
    git(case, "init", "-q")
    git(case, "config", "user.name", "Ann")
    git(case, "config", "user.email", "ann@example.com")
    git(case, "add", "lineage.toml")
    git(case, "commit", "-qm", "settings")
    with case.gate() as gate:
        assert gate.seal.publish(gate.seal.checkpoint(), ("git",)) == []
        assert gate.seal.publish(gate.seal.checkpoint(), ("git",)) == []  # not twice
    return case


def test_a_git_note_is_a_witness(witnessed: Case) -> None:
    report = witnessed.verify(given=[])
    assert report.findings == ()
    assert report.outside == ("git: 1",)
    assert report.sealed == report.size
    place = at(witnessed, '"openai"')
    witnessed.anew(
        lambda e: e.__setitem__(place, e[place]._replace(data=e[place].data.replace(b'"openai"', b'"ourown"')))
    )
    found = only(witnessed.verify(given=[]), "ROOT_DIFFERS")
    assert found.message.startswith("the git note on ")
    assert found.first is not None
    assert found.last is not None
    assert found.first <= place <= found.last


def test_git_history_rewritten_after_a_sync(witnessed: Case) -> None:
    """The commit that bears the note is gone; the note is not, and still holds the ledger to what it was."""
    git(witnessed, "checkout", "-q", "--orphan", "other")
    git(witnessed, "commit", "-qm", "another history")
    git(witnessed, "reflog", "expire", "--expire=now", "--all")
    git(witnessed, "gc", "-q", "--prune=now")
    report = witnessed.verify(given=[])
    assert report.findings == ()
    assert report.outside == ("git: 1",)
    place = at(witnessed, "run-train")
    witnessed.anew(lambda e: e.__delitem__(place))
    report = witnessed.verify(given=[])
    assert only(report, "LEDGER_CUT").message.startswith("the git note on ")


def test_git_notes_deleted(witnessed: Case) -> None:
    """Without them only what others kept shows a change; that they were there is still known."""
    git(witnessed, "update-ref", "-d", "refs/notes/lineage")
    report = witnessed.verify(given=[])
    found = only(report, "WITNESS_LACKS")
    assert "the witness git was given a checkpoint of" in found.message
    assert "not there any more" in found.message
    # what is still provable: against the checkpoints that others kept, everything up to the last of them
    assert witnessed.verify().sealed > 0


def test_git_notes_of_another_past(witnessed: Case) -> None:
    """He replaces the note by one of a shorter ledger, signed with the right key."""
    blob, _, commit = git(witnessed, "notes", "--ref=lineage", "list").partition(" ")
    assert blob
    git(witnessed, "notes", "--ref=lineage", "add", "-f", "-m", witnessed.outside[0], commit)
    assert only(witnessed.verify(given=[]), "WITNESS_LACKS")


# registries


class Tags:
    """Checkpoints as a registry's versions carry them."""

    name = "mlflow"

    def __init__(self, *notes: str) -> None:
        self.notes = notes

    def checkpoints(self) -> Iterator[tuple[str, str]]:
        for number, text in enumerate(self.notes, 1):
            yield f"models:/seed/{number}", text


def test_a_registry_is_a_witness(case: Case) -> None:
    registry = Tags(case.outside[1])
    assert case.verify(given=[], registries=[registry]).outside == ("mlflow: 1",)  # type: ignore[list-item]
    place = at(case, "run-train")
    case.forge(lambda e: e.__setitem__(place, e[place]._replace(data=stage("train", [], []))))
    reseal(case)
    found = only(case.verify(given=[], registries=[registry]), "ROOT_DIFFERS")  # type: ignore[list-item]
    assert found.message.startswith("models:/seed/1 seals ")


# timestamps


@contextmanager
def authority(directory: Path) -> Iterator[tuple[str, Path]]:
    """A real timestamp authority: OpenSSL's, with a root of its own, behind HTTP on loopback."""

    def openssl(*arguments: str, given: bytes = b"") -> bytes:
        return subprocess.run(
            ["openssl", *arguments], input=given, capture_output=True, check=True, cwd=directory, timeout=60
        ).stdout

    directory.mkdir()
    (directory / "ca.cnf").write_text(
        "[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n"
        "[tsa]\nbasicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=critical,timeStamping\n"
        "[ts]\ndefault_tsa=t\n[t]\nserial=serial\nsigner_cert=tsa.pem\nsigner_key=tsa.key\n"
        "signer_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256,sha384,sha512\naccuracy=secs:1\n"
        "ordering=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"
    )
    (directory / "serial").write_text("01\n")
    for name in ("ca", "tsa"):
        openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-subj", f"/CN=test {name}", "-config", "ca.cnf")  # fmt: skip
    openssl("x509", "-req", "-in", "ca.csr", "-signkey", "ca.key", "-days", "3650", "-out", "ca.pem", "-extfile", "ca.cnf",
            "-extensions", "ca")  # fmt: skip
    openssl("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650",
            "-out", "tsa.pem", "-extfile", "ca.cnf", "-extensions", "tsa")  # fmt: skip

    class Reply(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = directory / "query.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            body = openssl("ts", "-reply", "-config", "ca.cnf", "-section", "t", "-queryfile", str(query))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reply)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", directory / "ca.pem"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with authority(tmp_path_factory.mktemp("tsa") / "authority") as found:
        yield found


@pytest.fixture
def stamped(case: Case, tsa: tuple[str, Path]) -> Case:
    """A ledger whose newest checkpoint an authority has stamped."""
    settle(case.root, case.url, f'timestamp_authority = "{tsa[0]}"\ntimestamp_certificate = "{tsa[1]}"')
    with case.gate() as gate:
        assert gate.seal.publish(gate.seal.checkpoint(), ()) == []
    return case


def test_a_timestamp_is_of_the_bytes_and_by_the_authority(tsa: tuple[str, Path], tmp_path: Path) -> None:
    answer = ask(tsa[0], b"the bytes")
    seen = verify(answer, b"the bytes", tsa[1].read_bytes())
    assert abs(seen - datetime.now(timezone.utc)) < timedelta(minutes=1)
    with pytest.raises(CannotDecide) as other:
        verify(answer, b"other bytes", tsa[1].read_bytes())
    assert other.value.code == "TIMESTAMP_INVALID"
    with authority(tmp_path / "another") as (_, root), pytest.raises(CannotDecide):
        verify(answer, b"the bytes", root.read_bytes())
    with pytest.raises(UsageError):
        verify(answer, b"the bytes", b"rubbish")
    with pytest.raises(CannotDecide):
        verify(b"rubbish", b"the bytes", tsa[1].read_bytes())
    # openssl reads what is kept
    (tmp_path / "reply").write_bytes(answer)
    (tmp_path / "data").write_bytes(b"the bytes")
    done = subprocess.run(
        ["openssl", "ts", "-verify", "-in", "reply", "-data", "data", "-CAfile", str(tsa[1])],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "OK" in done.stdout + done.stderr


def test_timestamps_are_verified(stamped: Case) -> None:
    report = stamped.verify()
    assert report.findings == ()
    assert report.stamped.startswith(str(datetime.now(timezone.utc).year))
    position, token = stamped.rows("SELECT position, timestamp FROM checkpoint ORDER BY position DESC LIMIT 1")[0]
    stamped.sql(("UPDATE checkpoint SET timestamp = ? WHERE position = ?", (bytes(token)[:-1] + b"\x00", position)))
    assert f"checkpoint of {position} entries" in only(stamped.verify(), "TIMESTAMP_INVALID").message


def test_dated_back_although_there_is_a_timestamp(stamped: Case, tsa: tuple[str, Path]) -> None:
    """He owns key, clock and database, makes everything anew with an approval a month earlier, and has it stamped."""
    place = at(stamped, "run-train")
    month = 30 * 86_400_000_000

    def change(entries: list[Kept]) -> None:
        entries[:] = [e._replace(recorded=e.recorded - month) for e in entries]
        entries.insert(place, Kept(stage("approval", [], []), entries[place].recorded))

    stamped.anew(change)
    stamped.sql("UPDATE checkpoint SET timestamp = timestamp")
    newest, text = stamped.rows("SELECT position, note FROM checkpoint ORDER BY position DESC LIMIT 1")[0]
    stamped.sql(("UPDATE checkpoint SET timestamp = ? WHERE position = ?", (ask(tsa[0], text.encode()), newest)))
    found = only(stamped.verify(given=[]), "TIMESTAMP_LATE")
    assert f"the checkpoint of {newest} entries says it was made" in found.message
    assert "that it is older is not shown" in found.message


def test_the_authority_is_down(case: Case) -> None:
    settle(case.root, case.url, 'timestamp_authority = "http://127.0.0.1:9/"')
    with case.gate() as gate:
        made = gate.seal.checkpoint()
        (failed,) = gate.seal.publish(made, ())
    assert failed.code == "TIMESTAMP_FAILED"
    assert "lineagegate ledger checkpoint" in failed.hint
    report = case.verify()
    assert report.findings == ()
    assert "no checkpoint has a timestamp, though the settings name an authority" in report.unproven


def test_a_checkpoint_is_made_when_one_is_due(case: Case) -> None:
    settle(case.root, case.url, 'checkpoint_every = "1h"')
    with case.gate() as gate:
        assert not gate.seal.due()
        assert gate.seal.scheduled() == []
    long_ago = microseconds(datetime.now(timezone.utc)) - 2 * 3_600_000_000
    case.sql(("UPDATE checkpoint SET recorded = ?", (long_ago,)))
    with case.gate() as gate:
        assert gate.seal.due()
        assert gate.seal.scheduled() == []
        newest = gate.graph.seals.newest()
        assert newest is not None
        assert newest.position == gate.graph.position()
        assert not gate.seal.due()


@pytest.mark.parametrize(
    "wrong",
    ['witness = "git"', 'witness = ["paper"]', 'checkpoint_every = "soon"', "checkpoint_every = 24", "key = 1",
     'timestamp_authority = "ftp://x"', "accept_clock = 1", "unknown = 1", "timestamp_certificate = 1"],
)  # fmt: skip
def test_settings_that_are_wrong_are_refused(case: Case, wrong: str) -> None:
    settle(case.root, case.url, wrong)
    with pytest.raises(UsageError) as refused, case.gate():
        pass
    assert refused.value.code in ("CONFIG_INVALID", "WITNESS_UNKNOWN")


def test_a_ledger_under_a_name_that_nothing_kept_bears(case: Case) -> None:
    """Even the project is called otherwise now: no witness speaks of it, and the report says what that may mean."""
    registry = Tags(*case.outside)
    case.sql("UPDATE state SET value = 'toy/00000000' WHERE key = 'ledger/origin'")
    reseal(case)
    report = case.verify(given=[], keys=[], registries=[registry])  # type: ignore[list-item]
    assert report.sealed == 0
    assert any("every checkpoint found outside seals another ledger (seed/" in said for said in report.unproven)
