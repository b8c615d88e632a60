"""Three cases made by hand, for tests of everything that renders, packs or exports a `Case`.

`YES` holds what it was asked about, with a grant, removals, a correction and a history; `NO` does not, over a complete
lineage; `CANNOT_TELL` has a source that nobody spoke for and a store without checkpoints. Signatures are real, by a key
of the tests; roots and leaf hashes are made up, so no inclusion proof leads to them.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lineage.evidence.case import (
    FORMAT,
    Answer,
    Case,
    CaseStep,
    Contains,
    CorrectionView,
    Coverage,
    EntryRef,
    GrantUse,
    HistoryItem,
    Judgement,
    Question,
    RemovalView,
    Seal,
    Share,
    Subject,
    Trace,
)
from lineage.evidence.document import ArtifactRef
from lineage.evidence.observed import CallView, Contradiction, ReadView, RunView, SeenView
from lineage.vocabulary import (
    UNDECLARED,
    ArtifactType,
    Basis,
    Correction,
    Decision,
    Finding,
    Grant,
    Kind,
    Label,
    Origin,
    Outcome,
    Removal,
    Scope,
    Use,
)

LIN = "Lin Seed <lin@seed.example>"
JO = "Jo Park <jo@seed.example>"
MAYA = "Maya Ortiz <maya@seed.example>"
GPT = Origin(
    Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai", terms="openai-business@2023-03-14",
    acquired="2023-03-01",
)  # fmt: skip
EXAM = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "openai-api")
FORUM = Origin(Kind.CUSTOMER, "seed-forum", licence="LicenseRef-forum-2022", jurisdiction="DE")
WIKI = Origin(Kind.OPEN_LICENCE, "wikimedia", licence="CC-BY-SA-4.0")


def content(name: str) -> str:
    """A content key made up from a name."""
    return "md5:" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def leaf(position: int) -> str:
    """A leaf hash made up from a position."""
    return hashlib.sha256(b"entry %d" % position).hexdigest()


def data(name: str) -> ArtifactRef:
    """A dataset of the project."""
    return ArtifactRef("dvc://seed", name, name, ArtifactType.DATASET, content(name))


def model(version: int) -> ArtifactRef:
    """A version of the model."""
    name = f"models/seed-chat/{version}"
    return ArtifactRef(
        "mlflow://mlflow.seed.example", name, f"models:/seed-chat/{version}", ArtifactType.MODEL, content(name)
    )


def entries(said: dict[int, tuple[str, str]]) -> tuple[EntryRef, ...]:
    """References to entries, from (recorded, text) by position."""
    return tuple(EntryRef(position, leaf(position), *said[position]) for position in sorted(said))


def seal(size: int, time: str) -> Seal:
    """A checkpoint, signed with a key made from nothing but zeros."""
    name, key = "lineagegate.seed.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = b"\x01" + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    identity = hashlib.sha256(f"{name}\n".encode() + public).digest()[:4]
    root = base64.b64encode(hashlib.sha256(b"root %d" % size).digest()).decode()
    text = f"{name}\n{size}\n{root}\n"
    signature = base64.b64encode(identity + key.sign(text.encode())).decode()
    return Seal(
        name, size, root, f"{text}\n— {name} {signature}\n", time,
        (f"{name}+{identity.hex()}+{base64.b64encode(public).decode()}",), "", "",
    )  # fmt: skip


def path(source: str, *, basis: str, time: str, by: str, entry: int, end: str, last: int) -> tuple[CaseStep, ...]:
    """A source, cleaned, mixed and trained on."""
    return (
        CaseStep(source, "", "content", content(source), "", time, by, basis, (entry,)),
        CaseStep(
            "data/clean.jsonl", "clean", "content", content("data/clean.jsonl"), "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
            "2023-03-04T10:00:00+00:00", LIN, "observed", (6,),
        ),
        CaseStep(
            "data/mix.jsonl", "mix", "content", content("data/mix.jsonl"), "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
            "2023-03-04T10:05:00+00:00", LIN, "restored", (7,),
        ),
        CaseStep(
            end, "train", "fine-tuning", content(end.replace(":/", "/")), "b2c3d4e5f60718293a4b5c6d7e8f9001122334a1",
            "2023-03-06T10:00:00+00:00", JO, "observed", (last,),
        ),
    )  # fmt: skip


DIALOGUES = Label(GPT, Use.FINE_TUNING, Basis.DECLARED)
EXAMINED = Label(EXAM, Use.EVALUATION, Basis.OBSERVED)
DENIED = Finding(
    DIALOGUES,
    "deny",
    "no-competing-training-on-openai-output",
    "lineage.policy.yaml:12",
    "OpenAI's business terms forbid training models that compete with its own",
    "train without the source; or have it permitted: lineagegate grant --provider openai --channel azure-openai "
    "--use fine-tuning --model seed-chat --reference REFERENCE",
    terms="OpenAI Business Terms 2(e) (2023-03-14)",
)
FREED = Finding(
    EXAMINED,
    "warn",
    "evaluation-on-openai-output",
    "lineage.policy.yaml:20",
    "contact by evaluation is looked at",
    grant="01GXA00000000000000000000G",
)
GRANT = Grant(
    "01GXA00000000000000000000G",
    Scope(provider="openai", use="evaluation", model="seed-*"),
    MAYA,
    "Contract MS-117, annex 2",
    "2023-04-01",
    "2024-03-31",
    "measuring is permitted by the reseller's contract",
    by=JO,
)
REGISTERED = Decision(
    "01GTVG0000000000000000000R",
    Outcome.ALLOW,
    "models:/seed-chat",
    "seed-chat",
    "register",
    reason="3 labels from 3 sources: nothing in lineage.policy.yaml forbids them",
    labels=(Label(FORUM, Use.FINE_TUNING), Label(WIKI, Use.FINE_TUNING)),
    sources=3,
    policy=hashlib.sha256(b"policy of march").hexdigest(),
    position=9,
    time="2023-03-06T11:00:00+00:00",
    by=JO,
)
PROMOTION = Decision(
    "01H0A00000000000000000000P",
    Outcome.DENY,
    "models:/seed-chat/7",
    "seed-chat",
    "alias",
    (DENIED,),
    reason="no-competing-training-on-openai-output refuses third-party-model-output, openai/gpt-4 via azure-openai, "
    "used as fine-tuning: OpenAI's business terms forbid training models that compete with its own",
    labels=(DIALOGUES, EXAMINED, Label(FORUM, Use.FINE_TUNING), Label(WIKI, Use.FINE_TUNING)),
    sources=4,
    attributes={"alias": "champion", "competes-with": "openai"},
    policy=hashlib.sha256(b"policy of may").hexdigest(),
    position=20,
    time="2023-05-02T09:00:00+00:00",
    by=JO,
)
VERDICT = Decision(
    "01H2ZZ0000000000000000000V",
    Outcome.DENY,
    "models:/seed-chat/7",
    "seed-chat",
    "check",
    (DENIED, FREED),
    reason=PROMOTION.reason,
    hint=DENIED.remedy,
    labels=PROMOTION.labels,
    sources=4,
    attributes={"competes-with": "openai"},
    policy=PROMOTION.policy,
    position=26,
    time="2023-06-30T16:00:00+00:00",
    by=MAYA,
)
REMOVED = Removal(
    "01H1N00000000000000000000C",
    GPT,
    content("data/clean-v2.jsonl"),
    (content("data/raw/gpt4_dialogues"),),
    LIN,
    evidence="reports/removal-2023-06.pdf",
    run="clean",
    inputs=(content("data/raw/gpt4_dialogues"), content("data/raw/forum")),
    checked="exact and near match of 41,200 records against 3,100 of the origin",
    result="0 records left",
    evidence_hash="sha256:" + hashlib.sha256(b"report").hexdigest(),
    reason="legal asked for it",
)
MISTAKE = Correction(
    "01H1P00000000000000000000D",
    WIKI,
    Basis.DECLARED,
    content("data/raw/forum"),
    LIN,
    reason="the wrong file was named",
)

YES = Case(
    FORMAT,
    Question("models:/seed-chat/7", "openai", "", "", "2023-06-30T16:00:00+00:00", MAYA, "seed"),
    Answer(
        Contains.YES,
        "models:/seed-chat/7 contains openai: one source was used for fine-tuning, one for evaluation.",
        (
            "Fine-tuning: from data/raw/gpt4_dialogues, since 2023-03-04.",
            "Evaluation: from data/exam.jsonl, since 2023-05-01; freed by grant 01GXA00000000000000000000G.",
            "The policy that holds refuses it: no-competing-training-on-openai-output.",
        ),
    ),
    Subject(
        model(7),
        "seed-chat",
        "7",
        "2023-03-06T11:00:02+00:00",
        JO,
        ("trial",),
        "Staging",
        "train",
        "b2c3d4e5f60718293a4b5c6d7e8f9001122334a1",
    ),
    Coverage(
        True,
        "",
        4,
        4,
        "2023-03-04T10:00:00+00:00",
        "2023-05-01T12:00:00+00:00",
        {"observed": 3, "restored": 1},
        (),
        26,
    ),
    VERDICT,
    (
        Trace(
            GPT,
            Use.FINE_TUNING,
            Basis.DECLARED,
            data("data/raw/gpt4_dialogues"),
            "2023-04-20T10:00:00+00:00",
            LIN,
            "2023-04-20T10:00:05+00:00",
            "downloaded by the batch of February",
            "ticket SEED-311",
            "2023-03-04T10:00:00+00:00",
            path(
                "data/raw/gpt4_dialogues",
                basis="declared",
                time="2023-04-20T10:00:00+00:00",
                by=LIN,
                entry=12,
                end="models:/seed-chat/7",
                last=8,
            ),
            (DENIED,),
            2,
        ),
        Trace(
            EXAM,
            Use.EVALUATION,
            Basis.OBSERVED,
            data("data/exam.jsonl"),
            "2023-05-01T12:00:00+00:00",
            "lineagegate run",
            "2023-05-01T12:00:03+00:00",
            "calls to api.openai.com",
            "",
            "2023-05-01T12:00:00+00:00",
            (
                CaseStep(
                    "data/exam.jsonl",
                    "",
                    "content",
                    content("data/exam.jsonl"),
                    "",
                    "2023-05-01T12:00:00+00:00",
                    "lineagegate run",
                    "observed",
                    (17,),
                ),
                CaseStep(
                    "models:/seed-chat/7",
                    "evaluate",
                    "evaluation",
                    content("models/seed-chat/7"),
                    "c3d4e5f60718293a4b5c6d7e8f9001122334a1b2",
                    "2023-05-01T12:00:00+00:00",
                    JO,
                    "observed",
                    (18, 19),
                ),
            ),
            (FREED,),
        ),
    ),
    (
        Share(GPT, Use.FINE_TUNING, Basis.DECLARED, 1, 12, 48_200_000, 3_100, 0),
        Share(EXAM, Use.EVALUATION, Basis.OBSERVED, 1, 1, 310_000, 120, 0),
        Share(FORUM, Use.FINE_TUNING, Basis.DECLARED, 1, 1, 731_000_000, 41_200, 0),
        Share(WIKI, Use.FINE_TUNING, Basis.DECLARED, 1, None, None, None, 1),
    ),
    (Judgement(REGISTERED, 9), Judgement(PROMOTION, 20)),
    (
        GrantUse(
            GRANT,
            "2023-04-01T08:00:00+00:00",
            ("third-party-model-output, openai/gpt-4 via openai-api, as evaluation",),
            Outcome.DENY,
            "Without it the verdict would stay: refused; the warning about evaluation would come back.",
            (11,),
        ),
    ),
    (RemovalView(REMOVED, "waiting for approval", "2023-06-20T09:00:00+00:00", "", "", (23,)),),
    (CorrectionView(MISTAKE, "waiting for approval", "2023-06-21T09:00:00+00:00", "", (24,)),),
    (
        HistoryItem(
            "2023-03-06T11:00:00+00:00",
            "2023-03-06T11:00:00+00:00",
            "decided",
            "models:/seed-chat",
            "registration allowed",
            JO,
            9,
        ),
        HistoryItem(
            "2023-03-06T11:00:02+00:00",
            "2023-03-06T11:00:03+00:00",
            "registered",
            "models:/seed-chat/7",
            "version 7 exists",
            JO,
            10,
        ),
        HistoryItem(
            "2023-04-01T08:00:00+00:00",
            "2023-04-01T08:00:00+00:00",
            "granted",
            "01GXA00000000000000000000G",
            "provider=openai use=evaluation model=seed-* on Contract MS-117, annex 2",
            MAYA,
            11,
        ),
        HistoryItem(
            "2023-04-20T10:00:00+00:00",
            "2023-04-20T10:00:05+00:00",
            "declared",
            "data/raw/gpt4_dialogues",
            "third-party-model-output, openai/gpt-4 via azure-openai",
            LIN,
            12,
        ),
        HistoryItem(
            "2023-05-01T12:00:00+00:00",
            "2023-05-01T12:00:03+00:00",
            "executed",
            "evaluate",
            "evaluate read data/exam.jsonl as evaluation",
            JO,
            18,
        ),
        HistoryItem(
            "2023-05-02T09:00:00+00:00",
            "2023-05-02T09:00:00+00:00",
            "decided",
            "models:/seed-chat/7",
            "alias 'champion' refused",
            JO,
            20,
        ),
        HistoryItem(
            "2023-05-03T09:00:00+00:00",
            "2023-05-03T09:00:00+00:00",
            "alias",
            "models:/seed-chat/7",
            "alias 'trial' points at it",
            JO,
            21,
        ),
        HistoryItem(
            "2023-06-20T09:00:00+00:00",
            "2023-06-20T09:00:00+00:00",
            "removal-claimed",
            "data/clean-v2.jsonl",
            "third-party-model-output, openai/gpt-4 taken out: 0 records left",
            LIN,
            23,
        ),
    ),
    (
        "How large data/raw/wiki is: its share is left out.",
        "Whether removal 01H1N00000000000000000000C holds: nobody has approved it.",
    ),
    seal(26, "2023-06-30T16:00:01+00:00"),
    entries(
        {
            6: ("2023-03-04T10:00:10+00:00", "execution of clean"),
            7: ("2023-03-04T10:05:10+00:00", "execution of mix"),
            8: ("2023-03-06T10:00:10+00:00", "execution of train"),
            9: ("2023-03-06T11:00:00+00:00", "decision 01GTVG0000000000000000000R"),
            10: ("2023-03-06T11:00:03+00:00", "change of seed-chat: created"),
            11: ("2023-04-01T08:00:00+00:00", "grant 01GXA00000000000000000000G"),
            12: ("2023-04-20T10:00:05+00:00", "declaration of data/raw/gpt4_dialogues"),
            17: ("2023-05-01T12:00:03+00:00", "tags of data/exam.jsonl"),
            18: ("2023-05-01T12:00:03+00:00", "execution of evaluate"),
            19: ("2023-05-01T12:00:04+00:00", "execution of evaluate"),
            20: ("2023-05-02T09:00:00+00:00", "decision 01H0A00000000000000000000P"),
            21: ("2023-05-03T09:00:00+00:00", "change of seed-chat: alias"),
            23: ("2023-06-20T09:00:00+00:00", "removal 01H1N00000000000000000000C"),
            24: ("2023-06-21T09:00:00+00:00", "correction 01H1P00000000000000000000D"),
        }
    ),
    runs=(
        RunView(
            "clean",
            (data("data/clean.jsonl"),),
            "observed",
            "2023-03-04T10:00:00+00:00",
            (
                SeenView(
                    "2023-03-04T09:58:00+00:00",
                    "2023-03-04T10:00:00+00:00",
                    "python",
                    0,
                    (
                        CallView(
                            "api.openai.com",
                            "openai",
                            "openai",
                            "",
                            1204,
                            "requests",
                            "",
                            "1,204 calls to api.openai.com",
                        ),
                        CallView(
                            "own.openai.azure.com",
                            "openai",
                            "azure-openai",
                            "gpt-4",
                            1,
                            "spans",
                            "evaluation",
                            "1 call to gpt-4 at own.openai.azure.com by its own traces",
                        ),
                    ),
                    ("files.seed.example",),
                    ("transformers",),
                    (
                        ReadView("data/side.csv", (Label(UNDECLARED, Use.CONTENT, None),)),
                        ReadView("/mnt/shared/words.txt", None),
                    ),
                    (
                        "data/raw/forum, a dependency, was written after the command had begun: it may have read other content",
                    ),
                    (),
                    6,
                ),
            ),
            (6,),
        ),
        RunView("mix", (data("data/mix.jsonl"),), "restored", "2023-03-04T10:05:00+00:00", (), (7,)),
        RunView(
            "train",
            (model(7),),
            "observed",
            "2023-03-06T10:00:00+00:00",
            (SeenView("2023-03-06T09:00:00+00:00", "", "strace", 0, (), (), (), (), (), (), 8),),
            (8,),
        ),
        RunView(
            "evaluate",
            (),
            "observed",
            "2023-05-01T12:00:00+00:00",
            (
                SeenView(
                    "2023-05-01T11:00:00+00:00",
                    "2023-05-01T12:00:00+00:00",
                    "off",
                    0,
                    (),
                    (),
                    (),
                    (),
                    (),
                    ("2092-17.jsonl is gone",),
                    18,
                ),
            ),
            (18, 19),
        ),
    ),
    contradictions=(
        Contradiction(
            data("data/clean.jsonl"),
            "declared as human-annotation; observed: 1,204 calls to api.openai.com while it was made",
        ),
    ),
)
"""The model holds what was asked about: trained on it, and examined with it under a grant."""

CLEAN = (Label(FORUM, Use.FINE_TUNING), Label(WIKI, Use.FINE_TUNING))
NO = Case(
    FORMAT,
    Question("models:/seed-chat/9", "openai", "2023-09-30T23:59:59.999999+00:00", "", "2023-09-28T16:00:00+00:00", MAYA, "seed"),
    Answer(
        Contains.NO,
        "models:/seed-chat/9 does not contain openai: none of its 2 sources is of that origin, each of them declared.",
        ("That was established over 3 executions from 2023-09-01 to 2023-09-20 and 31 ledger entries.",),
    ),
    Subject(model(9), "seed-chat", "9", "2023-09-21T11:00:02+00:00", JO, ("champion",), "Production", "train",
            "d4e5f60718293a4b5c6d7e8f9001122334a1b2c3"),
    Coverage(True, "", 2, 3, "2023-09-01T10:00:00+00:00", "2023-09-20T10:00:00+00:00", {"observed": 3}, (), 31),
    Decision(
        "01HBZZ0000000000000000000V", Outcome.ALLOW, "models:/seed-chat/9", "seed-chat", "check",
        reason="2 labels from 2 sources: nothing in lineage.policy.yaml forbids them", labels=CLEAN, sources=2,
        attributes={"competes-with": "openai"}, policy=PROMOTION.policy, position=31, time="2023-09-28T16:00:00+00:00",
        by=MAYA,
    ),
    (),
    (
        Share(FORUM, Use.FINE_TUNING, Basis.DECLARED, 1, 1, 731_000_000, 41_200, 0),
        Share(WIKI, Use.FINE_TUNING, Basis.DECLARED, 1, 3, 96_000_000, None, 0),
    ),
    (
        Judgement(
            Decision("01HAVG0000000000000000000R", Outcome.ALLOW, "models:/seed-chat", "seed-chat", "register",
                     reason="2 labels from 2 sources: nothing in lineage.policy.yaml forbids them", labels=CLEAN, sources=2,
                     policy=PROMOTION.policy, position=29, time="2023-09-21T11:00:00+00:00", by=JO),
            29,
        ),
    ),
    (),
    (
        RemovalView(
            Removal(REMOVED.id, GPT, REMOVED.content, REMOVED.sources, LIN, MAYA, REMOVED.evidence, REMOVED.run,
                    REMOVED.inputs, REMOVED.checked, REMOVED.result, REMOVED.evidence_hash, REMOVED.reason),
            "in force", "2023-06-20T09:00:00+00:00", "2023-07-03T09:00:00+00:00", "", (23, 27),
        ),
    ),
    (),
    (
        HistoryItem("2023-09-20T10:00:00+00:00", "2023-09-20T10:00:10+00:00", "executed", "train", "train made models:/seed-chat/9", JO, 28),
        HistoryItem("2023-09-21T11:00:00+00:00", "2023-09-21T11:00:00+00:00", "decided", "models:/seed-chat", "registration allowed", JO, 29),
        HistoryItem("2023-09-21T11:00:02+00:00", "2023-09-21T11:00:03+00:00", "registered", "models:/seed-chat/9", "version 9 exists", JO, 30),
    ),
    (),
    seal(31, "2023-09-28T16:00:01+00:00"),
    entries({
        13: ("2023-04-20T10:00:05+00:00", "declaration of data/raw/forum"),
        14: ("2023-04-20T10:00:05+00:00", "declaration of data/raw/wiki"),
        23: ("2023-06-20T09:00:00+00:00", "removal 01H1N00000000000000000000C"),
        25: ("2023-09-01T10:00:10+00:00", "execution of clean"),
        26: ("2023-09-01T10:05:10+00:00", "execution of mix"),
        27: ("2023-07-03T09:00:00+00:00", "removal 01H1N00000000000000000000C"),
        28: ("2023-09-20T10:00:10+00:00", "execution of train"),
        29: ("2023-09-21T11:00:00+00:00", "decision 01HAVG0000000000000000000R"),
        30: ("2023-09-21T11:00:03+00:00", "change of seed-chat: created"),
    }),
)  # fmt: skip
"""The model does not hold it, asked as of a date, and a removal in force is why."""

UNKNOWN = Label(UNDECLARED, Use.FINE_TUNING, None)
OPEN = Finding(
    UNKNOWN,
    "deny",
    "undeclared",
    "lineage.policy.yaml:3",
    "nobody has said where this source comes from",
    "say where it comes from: lineagegate declare SOURCE --kind KIND",
)
CANNOT_TELL = Case(
    FORMAT,
    Question("models:/seed-trial/1", "openai", "", "2023-04-30T23:59:59.999999+00:00", "2023-04-12T10:00:00+00:00", MAYA, "seed"),
    Answer(
        Contains.CANNOT_TELL,
        "It cannot be told whether models:/seed-trial/1 contains openai: 1 of its 2 sources has no declared origin.",
        ("Among what is declared nothing is of that origin.",),
    ),
    Subject(
        ArtifactRef("mlflow://mlflow.seed.example", "models/seed-trial/1", "models:/seed-trial/1", ArtifactType.MODEL,
                    content("models/seed-trial/1")),
        "seed-trial", "1", "", "", (), "", "train", "",
    ),
    Coverage(False, "1 source has no declared origin", 2, 2, "2023-04-10T10:00:00+00:00", "2023-04-12T10:00:00+00:00",
             {"asserted": 2}, (data("data/raw/scraped"),), 9),
    Decision(
        "01GXZZ0000000000000000000V", Outcome.DENY, "models:/seed-trial/1", "seed-trial", "check", (OPEN,),
        reason="undeclared refuses undeclared, used as fine-tuning: nobody has said where this source comes from",
        hint=OPEN.remedy, labels=(Label(FORUM, Use.FINE_TUNING), UNKNOWN), sources=2, policy=REGISTERED.policy,
        position=9, time="2023-04-12T10:00:00+00:00", by=MAYA,
    ),
    (
        Trace(
            UNDECLARED, Use.FINE_TUNING, None, data("data/raw/scraped"), "", "", "", "", "", "2023-04-10T10:00:00+00:00",
            path("data/raw/scraped", basis="", time="", by="", entry=5, end="models:/seed-trial/1", last=8), (OPEN,),
        ),
    ),
    (
        Share(FORUM, Use.FINE_TUNING, Basis.DECLARED, 1, 1, 731_000_000, None, 0),
        Share(UNDECLARED, Use.FINE_TUNING, None, 1, None, None, None, 1),
    ),
    (),
    (),
    (),
    (),
    (),
    (
        "Where data/raw/scraped comes from: nobody has said.",
        "How large data/raw/scraped is: its share is left out.",
        "When models:/seed-trial/1 was registered and by whom.",
    ),
    None,
    entries({
        4: ("2023-04-08T10:00:05+00:00", "declaration of data/raw/forum"),
        5: ("2023-04-10T10:00:10+00:00", "execution of clean"),
        6: ("2023-04-10T10:05:10+00:00", "execution of mix"),
        7: ("2023-04-10T10:06:10+00:00", "execution of mix"),
        8: ("2023-04-12T10:00:00+00:00", "execution of train"),
    }),
)  # fmt: skip
"""One source has no declared origin, so nothing can be said; asked as known at a date."""

CASES = {"yes": YES, "no": NO, "cannot-tell": CANNOT_TELL}
"""The three by name, as golden files are called."""
