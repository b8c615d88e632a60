"""One event of every kind that we make, with every field set: what schemas and readers are tried on."""

from __future__ import annotations

from collections.abc import Iterator

from lineage.events import naming
from lineage.events.event import act_event, dataset_event, run_event
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Basis,
    Call,
    Content,
    Correction,
    Decision,
    Execution,
    Finding,
    Grant,
    Input,
    Kind,
    Label,
    Left,
    LoggedCalls,
    Member,
    Observation,
    Origin,
    Outcome,
    Removal,
    Scope,
    Step,
    Tag,
    UsageLog,
    Use,
)

TIME = "2023-03-02T09:30:00.123456+00:00"
GPT = Origin(
    Kind.THIRD_PARTY_MODEL_OUTPUT,
    "openai",
    "gpt-4",
    "azure-openai",
    "openai-business@2023-03-14",
    "",
    "US",
    "2023-03-02",
)
LABEL = Label(GPT, Use.DISTILLATION)
SOURCE = Artifact(
    naming.dvc_namespace("seed"),
    "data/raw/gpt4",
    Content("md5:0123456789abcdef0123456789abcdef.dir", 4096, 1, (Member("a b/ü.jsonl", "md5:" + "1" * 32, 4096),)),
    tags=(Tag(GPT, Basis.DECLARED, "Lin Seed <lin@seed.example>", "bought", "MS-117"),),
)
MODEL = Artifact(naming.mlflow_namespace("http://mlflow.seed.example:5000"), "models/seed/3", None, ArtifactType.MODEL)
DECISION = Decision(
    "01HW0000000000000000000000",
    Outcome.DENY,
    "models:/seed/3",
    "seed",
    "register",
    (
        Finding(
            LABEL, "deny", "no-gpt", "lineage.policy.yaml:12", "the terms forbid it", "take it out", "01HW0000",
            (Step("data/raw/gpt4"), Step("models:/seed/3", "train", "distillation", "md5:22", "abc", TIME, "Lin")),
        ),
    ),
    "denied", "ask counsel", (LABEL,), 4, {"market": "cn"}, "enforce", "0" * 64, 12, TIME, "Lin <lin@seed.example>",
)  # fmt: skip
GRANT = Grant(
    "01HW0000000000000000000001", Scope(provider="openai"), "Jo", "MS-117", "2023-01-01", "2023-12-31", "paid"
)
REMOVAL = Removal("01HW0000000000000000000002", GPT, "md5:" + "3" * 32, ("md5:" + "4" * 32,), "Lin", "Jo", "diff.html")
CORRECTION = Correction("01HW0000000000000000000003", GPT, Basis.MATCHED, "md5:" + "3" * 32, "Lin", "Jo", "a mistake")
EXECUTION = Execution("dvc", "sub/dvc.yaml:train@a", "restored", "abc", "k/v", "Lin Seed")


def events() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every kind of event."""
    run = naming.run_id("dvc", "seed", "dvc.yaml:train", "k", "v")
    job = (naming.dvc_namespace("seed"), "dvc.yaml:train")
    yield (
        "run",
        run_event(
            run_id=run,
            job=job,
            time=TIME,
            inputs=[Input(SOURCE, Use.DISTILLATION)],
            outputs=[MODEL],
            execution=EXECUTION,
        ),
    )
    seen = Observation(
        ("1-2@3",), TIME, TIME, 0, "python", ("gen.py", "curl"), (Call("api.openai.com", 1204, "requests", "openai"),),
        ("example.com",), ("vllm",), ("side.csv",), ("x, a dependency, was written",), ("start was changed",),
    )  # fmt: skip
    yield "observed run", run_event(run_id=run, job=job, time=TIME, execution=EXECUTION, observation=seen)
    calls = LoggedCalls(
        "azure-openai", "openai", "gpt-4", "seed-east", "gpt4-prod", 3, 1, TIME, TIME, 60, ((1677749400, 3),), 2
    )
    log = UsageLog(
        "log.jsonl", "0" * 64, 5, ("azure-openai",), (calls,), (Left("cut short", 1),), 1, "sha256:" + "1" * 64
    )
    yield "log", run_event(run_id=run, job=job, time=TIME, log=log)
    yield "bare run", run_event(run_id=run, job=job, time="2023-03-02T09:30:00Z")
    yield "dataset", dataset_event(SOURCE, time=TIME)
    yield "bare dataset", dataset_event(Artifact("s3://bucket", "key"), time=TIME)
    for act in (DECISION, GRANT, REMOVAL, CORRECTION):
        yield type(act).__name__.lower(), act_event(act, run_id=run, time=TIME, subject=MODEL)
