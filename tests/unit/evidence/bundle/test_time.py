"""Timestamps by a real authority, keys that changed, and bundles about another time."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lineage.evidence.bundle import Redact
from lineage.evidence.bundle import verify as program
from lineage.gate import Gate
from lineage.gate.bundle import bundle
from tests.unit.evidence.bundle.conftest import CHAT, EVENTS, POLICY, Verdict, list_anew, rezipped, unzipped

Verify = Callable[..., Verdict]

CONFIG = """
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
crypto_device = builtin
[req]
distinguished_name = dn
[dn]
[tsa_ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
[ca_ext]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
"""


class Authority(NamedTuple):
    """A timestamp authority that answers."""

    address: str
    certificate: bytes
    """Of its root, PEM."""


def _openssl(directory: Path, *arguments: str) -> bytes:
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _certify(directory: Path, name: str, *signer: str, extension: str) -> None:
    _openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
             "-out", f"{name}.csr", "-subj", f"/CN={name}", "-config", "ts.cnf")  # fmt: skip
    _openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2", "-extfile", "ts.cnf",
             "-extensions", extension, "-set_serial", "7", *(signer or ("-signkey", f"{name}.key")))  # fmt: skip


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    """openssl behind HTTP on loopback, with a root of its own."""
    directory = tmp_path_factory.mktemp("authority")
    (directory / "ts.cnf").write_text(CONFIG)
    (directory / "serial").write_text("01\n")
    _certify(directory, "root", extension="ca_ext")
    _certify(directory, "tsa", "-CA", "root.pem", "-CAkey", "root.key", extension="tsa_ext")

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (directory / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            said = _openssl(directory, "ts", "-reply", "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key",
                            "-config", "ts.cnf", "-section", "tsa_config")  # fmt: skip
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Authority(f"http://127.0.0.1:{server.server_port}", (directory / "root.pem").read_bytes())
        server.shutdown()
        thread.join(10)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., contextlib.AbstractContextManager[Gate]]:
    """``with project(authority) as gate``: a record of its own."""
    for name in ("ROOT", "STORE", "POLICY", "PROJECT", "LEDGER_KEY"):
        monkeypatch.delenv(f"LINEAGE_{name}", raising=False)
    monkeypatch.setenv("LINEAGE_USER", "Jane Roe <jane@seed.example>")
    root = tmp_path / "project"
    root.mkdir()

    @contextlib.contextmanager
    def make(authority: Authority | None = None) -> Iterator[Gate]:
        (root / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
        made, _ = Gate.init(root, project="seed")
        made.close()
        if authority:
            (root / "root.pem").write_bytes(authority.certificate)
            with (root / "lineage.toml").open("a") as file:
                file.write(
                    f'[ledger]\ntimestamp_authority = "{authority.address}"\ntimestamp_certificate = "root.pem"\n'
                )
        with Gate.open(start=root) as gate:
            gate.record(EVENTS)
            yield gate

    return make


def test_a_timestamp_by_an_authority_is_checked(
    project: Callable[..., contextlib.AbstractContextManager[Gate]], authority: Authority, verify: Verify
) -> None:
    with project(authority) as gate:
        gate.seal.publish(gate.seal.checkpoint(), ())
        case = gate.case("models:/seed-chat/1", "openai")
        assert case.seal is not None
        assert case.seal.timestamp
        made = bundle(gate, case)
        again = bundle(gate, case, redact=frozenset(Redact))
        signer = gate.seal.signer()
    key = str(signer.public)
    for data in (made.data, again.data):
        found = verify(data, "--key", key, "--authority", "root.pem", **{"root.pem": authority.certificate})
        assert (found.status, found.last) == (0, "VERIFIED"), found.text
        assert "the record was there, as it is, on 2" in found.text
        assert "its certificate came inside the bundle" not in found.text
    assert "its certificate came inside the bundle" in verify(made.data, "--key", key).text

    members = unzipped(made.data)
    bare = members["timestamp.tsr"][
        members["timestamp.tsr"].index(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02") - 4 :
    ]
    assert program.check_timestamp(bare, members["checkpoint.txt"], authority.certificate).tzinfo
    for other in (members["checkpoint.txt"] + b"x", b""):
        with pytest.raises(program.Wrong):
            program.check_timestamp(members["timestamp.tsr"], other, authority.certificate)
    token = members["timestamp.tsr"]
    imprint = token.index(hashlib.sha512(members["checkpoint.txt"]).digest())
    for at in (imprint, imprint + 31, len(token) - 1, len(token) - 20):  # what is stamped; the signature
        changed = bytearray(token)
        changed[at] ^= 1
        with pytest.raises(program.Wrong):
            program.check_timestamp(bytes(changed), members["checkpoint.txt"], authority.certificate)
    for edit, reason in (
        (lambda case: case["seal"].update(timestamp=""), "another timestamp"),
        (lambda case: case["seal"].update(timestamped="2020-01-01T00:00:00Z"), "another time than the timestamp"),
    ):
        edited = dict(members)
        case = json.loads(edited["case.json"])
        edit(case)
        edited["case.json"] = json.dumps(case).encode()
        list_anew(edited, signer)
        said: list[str] = []
        assert program.Check(rezipped(edited), program.Given(), said.append).run() == 1
        assert reason in said[-1], said[-1]


def test_a_timestamp_by_somebody_else_is_refused(
    project: Callable[..., contextlib.AbstractContextManager[Gate]],
    authority: Authority,
    verify: Verify,
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "ts.cnf").write_text(CONFIG)
    _certify(other, "root", extension="ca_ext")
    with project(authority) as gate:
        gate.seal.publish(gate.seal.checkpoint(), ())
        made = bundle(gate, gate.case("models:/seed-chat/1", "openai"))
    found = verify(made.data, "--authority", "other.pem", **{"other.pem": (other / "root.pem").read_bytes()})
    assert (found.status, "not by this authority" in found.last) == (1, True), found.text


def test_a_key_that_changed_is_followed(
    project: Callable[..., contextlib.AbstractContextManager[Gate]], verify: Verify
) -> None:
    with project() as gate:
        gate.judge(CHAT, model="seed-chat", subject="models:/seed-chat/1", action="register")
        old = str(gate.seal.public())
        before = gate.case("models:/seed-chat/1", "openai")
        gate.seal.rotate()
        new = str(gate.seal.public())
        assert old != new
        gate.record([EVENTS[0]])
        gate.seal.checkpoint()
        after = gate.case("models:/seed-chat/1", "openai")
        for case in (before, after):
            made = bundle(gate, case)
            for key in (old, new):
                found = verify(made.data, "--key", key)
                assert (found.status, found.last) == (0, "VERIFIED"), found.text
            assert verify(made.data).status == 3


def test_a_signature_added_by_somebody_else_introduces_nobody(
    project: Callable[..., contextlib.AbstractContextManager[Gate]], verify: Verify
) -> None:
    from lineage.ledger.key import SigningKey
    from lineage.ledger.note import sign

    with project() as gate:
        gate.judge(CHAT, model="seed-chat", subject="models:/seed-chat/1", action="register")
        key, made = str(gate.seal.public()), bundle(gate, gate.case("models:/seed-chat/1", "openai"))
        mallory = SigningKey(gate.seal.origin, bytes(32))
    members = unzipped(made.data)
    text = members["checkpoint.txt"].decode().rpartition("\n\n")[0] + "\n"
    members["checkpoint.txt"] += sign(text, [mallory]).rpartition("\n\n")[2].encode()
    members["keys.txt"] += f"{mallory.public}\n".encode()
    list_anew(members, mallory)
    found = verify(rezipped(members), "--key", key)
    assert (found.status, "somebody else put this bundle together" in found.last) == (1, True), found.text


def test_a_bundle_about_another_time(
    project: Callable[..., contextlib.AbstractContextManager[Gate]], verify: Verify
) -> None:
    with project() as gate:
        decision = gate.judge(CHAT, model="seed-chat", subject="models:/seed-chat/1", action="register")
        gate.record([EVENTS[-1]])
        gate.seal.checkpoint()
        with gate.at(known_at=decision.id) as past:
            case = past.case("models:/seed-chat/1", "openai")
        made = bundle(gate, case)
        with gate.at(as_of="2023-03-31") as past:
            earlier = past.case("models:/seed-chat/1", "openai")
        then = bundle(gate, earlier)
        key = str(gate.seal.public())
    assert not earlier.grants
    for data in (made.data, then.data):
        found = verify(data, "--key", key)
        assert (found.status, found.last) == (0, "VERIFIED"), found.text
