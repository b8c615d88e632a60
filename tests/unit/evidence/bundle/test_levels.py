"""How executions are known, what was seen of them, and what the policy requires of that: recomputed by the verifier."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lineage.events import naming
from lineage.events.event import dataset_event, run_event
from lineage.evidence.bundle import Bundle
from lineage.evidence.bundle.redact import Redact
from lineage.evidence.bundle.verify import LEVELS, Requirement, asked_of, requirements
from lineage.gate import Gate
from lineage.gate.bundle import bundle
from lineage.policy import load_policy
from lineage.vocabulary import Artifact, Basis, Call, Execution, Input, Kind, Observation, Origin, Tag
from tests.unit.evidence.bundle.conftest import FORUM, GPT, TIME, Verdict, data, list_anew, model, rezipped, unzipped
from tests.unit.evidence.bundle.test_forged import Case, Entries, Forge, _again, _missing, _read, _set

POLICY = """
mode: enforce
default: allow
require:
  - id: seen          # what is released
    evidence: observed
    effect: warn
    reason: "nobody else can check it: # really"
  - {id: cached, evidence: restored, model: {name: "seed-*"}, reason: at least that}
  - id: others
    evidence: observed
    model:
      name: [other-*, "more"]
    reason: >
      not for these
  - {id: later, evidence: observed, from: 2999-01-01, reason: not yet}
  - {id: released, evidence: observed, model: {stage: Production}, reason: when it is released}
"""
MADE, MIXED, CHAT = data("data/made.txt", "4"), data("data/mixed.txt", "c"), model("seed-chat", 1, "5")
SEEN = Observation(
    ("1-2@3",), TIME, TIME, 0, "python", calls=(Call("api.openai.com", 1204, "requests", "openai"),),
    hosts=("files.example.com",), undeclared=("side.csv",), notes=("data/own.txt, a dependency, was replaced",),
)  # fmt: skip
BY = Tag(GPT, Basis.OBSERVED, "lineagegate exec", reason="1,204 calls to api.openai.com while it was made")


def ran(name: str, inputs: list[Artifact], output: Artifact, level: str, seen: Observation | None = None) -> bytes:
    """A stage that DVC tells of."""
    space, address = naming.dvc_namespace("seed"), f"dvc.yaml:{name}"
    return run_event(
        run_id=naming.run_id(name), job=(space, address), time=TIME, inputs=list(map(Input, inputs)), outputs=[output],
        execution=Execution("dvc", address, level), observation=seen,
    )  # fmt: skip


EVENTS = [
    dataset_event(FORUM, time=TIME),
    ran("make", [FORUM], replace(MADE, tags=(BY,)), "observed", SEEN),
    dataset_event(replace(MADE, tags=(Tag(Origin(Kind.HUMAN_ANNOTATION), by="Lin"),)), time=TIME),
    ran("mix", [MADE], MIXED, "asserted"),
    # MLflow tells of the training, and says itself that it saw it; DVC tells of the same, and restored it
    run_event(
        run_id=naming.run_id("run"), job=("mlflow://local", "experiments/1"), time=TIME, inputs=[Input(MIXED)],
        outputs=[CHAT], execution=Execution("mlflow", "dvc.yaml:train", "observed"),
    ),
    ran("train", [MIXED], data("model.txt", "e"), "restored"),
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bundle, Gate]]:
    """A bundle about a model of which one stage was seen, one is asserted, and one run is MLflow's word alone."""
    root = tmp_path_factory.mktemp("levels")
    (root / "lineage.policy.yaml").write_text(POLICY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("LINEAGE_")]:
            patch.delenv(key)
        patch.setenv("LINEAGE_USER", "Jo")
        gate, _ = Gate.init(root, project="seed")
        gate.record(EVENTS)
        gate.judge(CHAT, model="seed-chat", subject="models:/seed-chat/1", action="register")
        gate.seal.checkpoint()
        yield bundle(gate, gate.case("models:/seed-chat/1")), gate
        gate.close()


def test_the_case_and_its_bundle(made: tuple[Bundle, Gate], verify: Callable[..., Verdict]) -> None:
    case, entries = _read(made[0])
    assert _missing(case, entries) == ""
    assert case["coverage"]["evidence"] == {"observed": 1, "asserted": 2}
    assert [(run["run"], run["level"]) for run in case["runs"]] == [
        ("make", "observed"), ("mix", "asserted"), ("train", "asserted"),
    ]  # fmt: skip
    path = next(trace for trace in case["traces"] if trace["origin"]["kind"] == "human-annotation")["path"]
    assert [step["basis"] for step in path] == ["declared", "asserted", "asserted"]
    assert {each["rule"]: each["below"] for each in case["verdict"]["shortfalls"]} == {"cached": 2, "seen": 2}
    assert case["contradictions"][0]["sentence"] == (
        "declared as human-annotation; observed: 1,204 calls to api.openai.com while it was made"
    )
    said = verify(made[0].data, "--key", str(made[1].seal.public()))
    assert said.last == "VERIFIED", said.text
    assert "what the policy requires of how" not in said.text
    redacted = bundle(made[1], made[1].case("models:/seed-chat/1"), redact=frozenset({Redact.PATHS}))
    assert verify(redacted.data, "--key", str(made[1].seal.public())).last == "VERIFIED"
    assert b"side.csv" not in b"".join(unzipped(redacted.data).values())


def _all(*changes: Callable[[Case, Entries], object]) -> Callable[[Case, Entries], object]:
    return lambda case, entries: [change(case, entries) for change in changes]


def _facet(entries: Entries, stage: str, name: str) -> Any:
    entry = next(e for e in entries.values() if (e.get("job") or {}).get("name") == f"dvc.yaml:{stage}")
    return entry["run"]["facets"][f"lineage_{name}"][name]


def _mlflow_claims(_: Case, entries: Entries) -> None:
    """A second event of MLflow's run, again in MLflow's own word."""
    run = next(p for p, e in entries.items() if (e.get("job") or {}).get("name") == "experiments/1")
    _again(entries, run)


def _hidden_run(_: Case, entries: Entries) -> None:
    """Another run that made the model's data, which the case does not list."""
    mix = next(p for p, e in entries.items() if (e.get("job") or {}).get("name") == "dvc.yaml:mix")
    _again(entries, mix)["run"]["runId"] = "00000000-0000-4000-8000-000000000000"


def _seen_by(view: int, key: str, to: Any) -> Callable[[Case, Entries], object]:
    return _set("runs", view, "seen", 0, key, to=to)


FORGED: dict[str, tuple[Forge, str]] = {
    "a step said to be seen": (
        lambda case, _: [
            step.update(basis="observed") for trace in case["traces"] for step in trace["path"] if step["run"] == "mix"
        ],
        "mix is asserted",
    ),
    "MLflow's word taken for sight": (_set("runs", 2, "level", to="observed"), "train (entry"),
    "levels in sum": (_set("coverage", "evidence", to={"observed": 3}), "are known so: 2 asserted, 1 observed"),
    "a run said to be seen": (_set("runs", 1, "level", to="observed"), "mix (entry"),
    "a run left out": (
        _all(lambda case, _: case["runs"].pop(1), _set("coverage", "evidence", to={"observed": 1, "asserted": 1})),
        "each execution in these entries is in the case",
    ),
    "two runs as one": (
        lambda case, _: case["runs"][1]["entries"].extend(case["runs"].pop(2)["entries"]), "is an execution",
    ),
    "an entry of a run left out of it": (_hidden_run, "each execution in these entries is in the case"),
    "another event of the same run": (_mlflow_claims, "train (entry"),
    "the shortfall left out": (_set("verdict", "shortfalls", to=[]), "requirement cached is not met: 2 of 3"),
    "a shortfall made small": (_set("verdict", "shortfalls", 0, "below", to=1), "requirement cached is not met: 2 of 3"),
    "a shortfall of nothing": (
        lambda case, _: case["verdict"]["shortfalls"].append({**case["verdict"]["shortfalls"][0], "rule": "others"}),
        "requirement others asks nothing of it",
    ),
    "an outcome that the requirement refuses": (_set("verdict", "outcome", to="allow"), "as strict as the requirements"),
    "a verdict on other levels": (_set("verdict", "evidence", to={"observed": 3}), "the verdict rests on executions"),
    "everything at once, but the entries": (
        _all(
            _set("coverage", "evidence", to={"observed": 3}), _set("verdict", "evidence", to={"observed": 3}),
            _set("verdict", "shortfalls", to=[]), _set("verdict", "outcome", to="allow"),
            lambda case, _: [run.update(level="observed") for run in case["runs"]],
        ),
        "mix (entry",
    ),
    "fewer calls": (
        _all(
            lambda case, _: case["runs"][0]["seen"][0]["calls"][0].update(count=1),
            lambda case, _: case["runs"][0]["seen"][0]["calls"][0].update(sentence="1 call to api.openai.com"),
        ),
        "what was seen of make",
    ),
    "fewer calls in words": (
        lambda case, _: case["runs"][0]["seen"][0]["calls"][0].update(sentence="4 calls to api.openai.com"),
        "what was seen of make",
    ),
    "no calls": (_seen_by(0, "calls", []), "what was seen of make"),
    "no undeclared reads": (_seen_by(0, "reads", []), "what was seen of make"),
    "nothing that does not fit": (_seen_by(0, "notes", []), "what was seen of make"),
    "another strength": (_seen_by(0, "mode", "strace"), "what was seen of make"),
    "nothing seen": (_set("runs", 0, "seen", to=[]), "the case says all that was seen of make"),
    "a contradiction in other words": (
        _set("contradictions", 0, "sentence", to="declared as open-licence; observed: a call"), "as tags here say",
    ),
    "a contradiction left out": (_set("contradictions", to=[]), "declared as one thing and seen to be another"),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_level_is_found_out(made: tuple[Bundle, Gate], what: str) -> None:

    forge, reason = FORGED[what]
    case, entries = _read(made[0])
    forge(case, entries)
    found = _missing(case, entries)
    assert reason in found, found or "VERIFIED"


def test_a_forged_bundle_is_found_out(made: tuple[Bundle, Gate], verify: Callable[..., Verdict]) -> None:
    """By whoever has the key: entries that stand in the record say otherwise."""
    members = unzipped(made[0].data)
    members["case.json"] = members["case.json"].replace(b'"level": "asserted"', b'"level": "observed"')
    assert members["case.json"] != unzipped(made[0].data)["case.json"]
    list_anew(members, made[1].seal.signer())
    said = verify(rezipped(members), "--key", str(made[1].seal.public()))
    assert said.last.startswith("NOT VERIFIED") and "do not bear out" in said.last


READ = {
    POLICY: ["seen", "cached", "others", "later", "released"],
    "default: allow\n": [],
    "require: []\ndefault: allow\n": [],
    "default: allow\nrequire:\n- id: seen\n  evidence: observed\n  reason: 'it''s so'\n": ["seen"],
    'default: allow\n# require: nothing\nrequire:\n  - {"id": "a", evidence: restored, reason: "a: b, {c}"}\n': ["a"],
    "default: allow\nrequire:\n  - id: a\n    evidence: observed\n    reason:\n      of two lines\n      - and more\n": [
        "a"
    ],
    # what is not read is never taken for nothing
    "default: allow\nrequire: [{id: seen, evidence: observed, reason: x}]\n": None,
    "{default: allow, require: [{id: seen, evidence: observed, reason: x}]}\n": None,
    "default: allow\n'require':\n  - {id: seen, evidence: observed, reason: x}\n": None,
    "default: allow\nrequire: &all\n  - {id: seen, evidence: observed, reason: x}\n": None,
    "default: allow\nrequire:\n  - &one {id: seen, evidence: observed, reason: x}\n": None,
    'default: allow\nrequire:\n  - id: "s\\x65en"\n    evidence: observed\n    reason: x\n': None,
    "default: allow\nrequire:\n  -\n    id: seen\n    evidence: observed\n    reason: x\n": None,
}
"""Ids of what a policy requires as the verifier reads it; None: it says that it cannot."""


@pytest.mark.parametrize("text", READ)
def test_requirements_are_read_as_the_policy_reads_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "lineage.policy.yaml").write_text(text, encoding="utf-8")
    policy = load_policy(tmp_path / "lineage.policy.yaml")  # each is a policy, whether the verifier reads it or not
    found = requirements(text)
    assert found is None if READ[text] is None else [each.id for each in found or ()] == READ[text]
    for read, known in zip(found or (), policy.requirements, strict=found is not None):
        assert (read.id, read.level, read.effect) == (known.id, known.level, known.effect)
        assert {key for key, _ in known.match.model} == set(read.model)
    assert set(LEVELS) >= {known.level for known in policy.requirements}


@pytest.mark.parametrize(
    ("model", "start", "attributes", "holds"),
    [
        ({}, "", {}, True),
        ({"name": ["Seed_*"]}, "", {}, True),
        ({"name": ["other"]}, "", {}, False),
        ({"stage": ["Production"]}, "", {}, False),
        ({"stage": ["Production"]}, "", {"stage": "production"}, True),
        ({"competes-with": ["openai"]}, "", {}, True),
        ({"competes-with": ["openai"]}, "", {"competes-with": "none"}, None),
        ({"competes-with": ["openai"]}, "", {"competes-with": "openai, mistral"}, True),
        ({}, "2023-03-03", {}, False),
        ({}, "2023-03-02", {}, True),
        ({}, "some day", {}, None),
    ],
)
def test_of_which_models_a_requirement_speaks(
    model: dict[str, list[str]], start: str, attributes: dict[str, str], holds: bool | None
) -> None:
    verdict = {"model": "seed-chat", "attributes": attributes, "time": TIME}
    assert asked_of(Requirement("a", "observed", "deny", start, model), verdict) is holds
