"""A recorded history on a real store, bundles made from it, and the verifier run on them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from lineage.events import naming
from lineage.events.event import act_event, dataset_event, run_event
from lineage.evidence.bundle import Bundle, verifier
from lineage.evidence.bundle import verify as program
from lineage.evidence.bundle.archive import archive
from lineage.gate import Gate
from lineage.gate.bundle import bundle
from lineage.ledger.key import SigningKey
from lineage.ledger.note import sign
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Change,
    Content,
    Execution,
    Grant,
    Happening,
    Input,
    Kind,
    Member,
    Origin,
    Removal,
    Scope,
    Tag,
    Use,
)

LIN = "Lin Meiers <lin.meiers@seed.example>"
JO = "Jo Parkinson <jo.parkinson@seed.example>"
ZED = "Zedediah Otherman <zedediah@other.example>"
COMMIT = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
TIME = "2023-03-02T09:30:00+00:00"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")
OWN = Origin(Kind.FIRST_PARTY)
PEOPLE = (
    "lin meiers",
    "lin.meiers@seed.example",
    "meiers",
    "jo parkinson",
    "jo.parkinson",
    "parkinson",
    COMMIT,
    COMMIT[:8],
)
PATHS = (
    "data/raw/gpt4_dialogues",
    "gpt4_dialogues",
    "data/raw/forum-dump",
    "part-0.jsonl",
    "data/clean.jsonl",
    "flows/dvc.yaml",
)

POLICY = """
mode: enforce
default: allow
models:
  - {name: "seed-*", competes-with: openai}
rules:
  - id: no-gpt
    match: {origin: {provider: openai}, model: {competes-with: openai}}
    unless: {use: evaluation}
    effect: deny
    reason: the terms forbid it
"""


def data(name: str, digit: str, origin: Origin | None = None, by: str = LIN, **content: object) -> Artifact:
    """A version of a DVC output."""
    tags = (Tag(origin, by=by, reason=f"{by.partition(' ')[0]} bought it, see {name}"),) if origin else ()
    return Artifact(naming.dvc_namespace("seed"), name, Content("md5:" + digit * 32, 1000, **content), tags=tags)  # type: ignore[arg-type]


def model(name: str, version: int, digit: str) -> Artifact:
    """A registered version."""
    return Artifact(
        "mlflow://local", naming.model_name(name, version), Content("md5:" + digit * 32, 1000), ArtifactType.MODEL
    )


def stage(name: str, inputs: list[Input], outputs: list[Artifact], by: str = LIN) -> bytes:
    """An execution."""
    return run_event(
        run_id=naming.run_id(name), job=(naming.dvc_namespace("seed"), f"flows/dvc.yaml:{name}"), time=TIME, inputs=inputs,
        outputs=outputs, execution=Execution("dvc", f"flows/dvc.yaml:{name}", commit=COMMIT, author=by),
    )  # fmt: skip


def act(what: object, name: str, time: str) -> bytes:
    """What somebody says."""
    return act_event(what, run_id=naming.run_id("act", name), time=time)  # type: ignore[arg-type]


FORUM_DIR = "md5:" + "2" * 32 + ".dir"
GPT4 = data("data/raw/gpt4_dialogues", "1", GPT)
FORUM = Artifact(
    naming.dvc_namespace("seed"), "data/raw/forum-dump",
    Content(FORUM_DIR, 5000, 1, (Member("part-0.jsonl", "md5:" + "a" * 32, 5000),)),
    tags=(Tag(OWN, by=JO, reason="our own"),),
)  # fmt: skip
WEB, CLEAN = data("data/raw/web", "3"), data("data/clean.jsonl", "4")
CHAT, OWNED, WEBBED, EXAMINED = (
    model(*m) for m in (("seed-chat", 1, "5"), ("seed-own", 1, "6"), ("seed-web", 1, "7"), ("seed-exam", 1, "8"))
)
SCRUBBED, LITE = data("data/scrubbed.jsonl", "c"), model("seed-lite", 1, "d")
GRANT = Grant(
    "01GXA00000000000000000000G",
    Scope(provider="openai", model="seed-*"),
    JO,
    "Contract MS-117 of Jo Parkinson",
    by=LIN,
)
REMOVED = Removal(
    "01H1N00000000000000000000C", GPT, "md5:" + "6" * 32, ("md5:" + "1" * 32,), LIN, run="train-own",
    checked="records of data/raw/gpt4_dialogues", result="0 records left",
)  # fmt: skip
TAKEN_OUT = Removal(
    "01H1N00000000000000000000D", GPT, "md5:" + "c" * 32, ("md5:" + "1" * 32,), LIN, run="scrub",
    checked="records of data/raw/gpt4_dialogues", result="7 taken out, 0 left", evidence="reports/scrub.json",
    evidence_hash="sha256:" + "e" * 64,
)  # fmt: skip
EVENTS = [
    dataset_event(GPT4, time=TIME),
    dataset_event(FORUM, time=TIME),
    dataset_event(WEB, time=TIME),
    stage("clean", [Input(GPT4), Input(FORUM)], [CLEAN]),
    stage("train", [Input(CLEAN, Use.FINE_TUNING)], [CHAT], JO),
    stage("train-own", [Input(FORUM)], [OWNED]),
    stage("train-web", [Input(WEB)], [WEBBED]),
    stage("exam", [Input(FORUM), Input(GPT4, Use.EVALUATION)], [EXAMINED]),
    act(GRANT, "grant", "2023-04-01T08:00:00+00:00"),
    act(REMOVED, "claim", "2023-06-20T09:00:00+00:00"),
    stage("scrub", [Input(CLEAN)], [SCRUBBED]),
    stage("train-lite", [Input(SCRUBBED), Input(FORUM)], [LITE]),
    act(TAKEN_OUT, "claim-lite", "2023-06-20T09:00:00+00:00"),
    act(replace(TAKEN_OUT, approved_by=JO), "approve-lite", "2023-06-21T09:00:00+00:00"),
    act(Change("seed-chat", Happening.CREATED, "1", by=JO), "created", "2023-03-06T11:00:02+00:00"),
    dataset_event(data("data/secret/unrelated_plan", "9", Origin(Kind.CUSTOMER, "unrelated-customer"), ZED), time=TIME),
]


@pytest.fixture(scope="session")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """The record; tests do not add to it."""
    root = tmp_path_factory.mktemp("project")
    (root / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    before = {k: os.environ.pop(k) for k in list(os.environ) if k.startswith("LINEAGE_")}
    os.environ["LINEAGE_USER"] = JO
    made, _ = Gate.init(root, project="seed")
    made.close()
    with Gate.open(start=root) as opened:
        opened.record(EVENTS)
        opened.judge(CHAT, model="seed-chat", subject="models:/seed-chat/1", action="register")
        opened.judge(OWNED, model="seed-own", subject="models:/seed-own/1", action="register")
        opened.record([dataset_event(data("data/secret/later_plan", "b", OWN, ZED), time=TIME)])
        opened.seal.checkpoint()
        yield opened
    os.environ.pop("LINEAGE_USER")
    os.environ.update(before)


@pytest.fixture(scope="session")
def made(gate: Gate) -> Callable[..., Bundle]:
    """``made("seed-chat", "openai", redact=…)``: a bundle, made once."""
    known: dict[object, Bundle] = {}

    def make(name: str = "seed-chat", origin: str = "openai", **options: object) -> Bundle:
        key = (name, origin, *((k, str(v)) for k, v in sorted(options.items())))
        if key not in known:
            known[key] = bundle(gate, gate.case(f"models:/{name}/1", origin), **options)  # type: ignore[arg-type]
        return known[key]

    return make


@pytest.fixture(scope="session")
def key(gate: Gate) -> str:
    """The operator's verifier key, as its web page gives it."""
    return str(gate.seal.public())


class Verdict(NamedTuple):
    """What the verifier said."""

    status: int
    text: str

    @property
    def last(self) -> str:
        """Its last line."""
        return self.text.rstrip("\n").split("\n")[-1]


@pytest.fixture
def verify(tmp_path: Path) -> Callable[..., Verdict]:
    """Run the verifier as a stranger does: a bare interpreter, an empty directory, openssl and nothing else on PATH."""
    directory, commands = tmp_path / "stranger", tmp_path / "commands"
    directory.mkdir()
    commands.mkdir()
    openssl = shutil.which("openssl")
    assert openssl, "the verifier needs openssl; every machine that runs these tests has it"
    (commands / "openssl").symlink_to(openssl)
    (directory / "verify.py").write_bytes(verifier()[0])

    def run(zipped: bytes, *options: str, **files: str | bytes) -> Verdict:
        (directory / "case.zip").write_bytes(zipped)
        for name, content in files.items():
            (directory / name).write_bytes(content.encode() if isinstance(content, str) else content)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "verify.py", "case.zip", *options], cwd=directory, env={"PATH": str(commands)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert not done.stderr, done.stderr
        return Verdict(done.returncode, done.stdout)

    return run


def unzipped(data: bytes) -> dict[str, bytes]:
    """Members by name, by a reader that is not ours."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def rezipped(members: Mapping[str, bytes]) -> bytes:
    """A well-made zip file of these members."""
    return archive(members)


def list_anew(members: dict[str, bytes], signer: SigningKey | None = None) -> None:
    """Make the list fit the members, and sign it."""
    listed = json.loads(members["bundle.json"])
    names = [n for n in members if n not in ("bundle.json", "bundle.note")]
    listed["files"] = {name: hashlib.sha256(members[name]).hexdigest() for name in names}
    members["bundle.json"] = json.dumps(listed).encode()
    if signer is not None:
        digest = hashlib.sha256(members["bundle.json"]).hexdigest()
        members["bundle.note"] = sign(f"{program.BUNDLE_FORMAT}\n{listed['log']}\nsha256:{digest}\n", [signer]).encode()
