"""What people read, held as golden files: `pytest tests/unit/evidence --update-golden` writes them anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lineage.errors import UsageError
from lineage.evidence import document, impact, text
from lineage.vocabulary import (
    UNDECLARED,
    Artifact,
    ArtifactType,
    Basis,
    Decision,
    Finding,
    Grant,
    Kind,
    Label,
    Origin,
    Outcome,
    Scope,
    Step,
    Use,
)

Golden = Callable[[str, str], None]

LIN = "Lin Seed <lin@seed.example>"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")
WEB = Label(UNDECLARED, Use.CONTENT, None)
DIALOGUES = Label(GPT, Use.CONTENT)
EXAM = Label(replace(GPT, channel="openai-api", terms="openai-business@2023-03-14"), Use.EVALUATION)

DIALOGUES_PATH = (
    Step("data/raw/gpt4_dialogues", time="2023-03-02T10:00:00+00:00", by=LIN),
    Step("data/clean.jsonl", "clean", commit="a1b2c3d4e5f6", time="2023-03-04T10:00:00+00:00", by="Lin Seed"),
    Step("data/mix.jsonl", "mix", commit="a1b2c3d4e5f6", time="2023-03-04T10:05:00+00:00", by="Lin Seed"),
    Step("data/tokens", "tokenize", commit="b2c3d4e5f6a1", time="2023-03-05T10:00:00+00:00", by="Jo Park"),
    Step("models:/seed-chat", "train", time="2023-03-06T10:00:00+00:00"),
)
WEB_PATH = (Step("data/raw/web"), Step("data/clean.jsonl", "clean"), Step("models:/seed-chat", "train"))
EXAM_PATH = (
    Step("data/exam.jsonl", time="2023-05-01T00:00:00Z", by="import"),
    Step("models:/seed-chat", "evaluate", "evaluation"),
)

DENIED = Finding(
    DIALOGUES,
    "deny",
    "no-competing-training-on-openai-output",
    "lineage.policy.yaml:12",
    "OpenAI's business terms forbid training models that compete with its own",
    "train without data/raw/gpt4_dialogues, or get a grant: lineagegate grant --provider openai --model seed-chat",
    path=DIALOGUES_PATH,
)
UNKNOWN = Finding(
    WEB,
    "deny",
    "undeclared",
    "lineage.policy.yaml:3",
    "nobody has said where this source comes from",
    "say where it comes from: lineagegate declare SOURCE --kind KIND",
    path=WEB_PATH,
)
WARNED = Finding(
    EXAM, "warn", "evaluation-only", "lineage.policy.yaml:20", "contact by evaluation is looked at", path=EXAM_PATH
)

REFUSED = Decision(
    "01HW0000000000000000000000",
    Outcome.DENY,
    "models:/seed-chat",
    "seed-chat",
    "register",
    (DENIED,),
    "a rule denies it",
    labels=(DIALOGUES,),
    sources=3,
)

DECISIONS = {
    "refused": REFUSED,
    "refused-for-several-reasons": replace(REFUSED, findings=(WARNED, UNKNOWN, DENIED), labels=(WEB, DIALOGUES, EXAM)),
    "refused-by-two-rules": replace(
        REFUSED,
        findings=(DENIED, UNKNOWN, replace(DENIED, effect="warn", rule="resold", reason="the reseller's terms")),
    ),
    "check-cannot-decide": replace(
        REFUSED,
        action="check",
        subject="a",
        outcome=Outcome.CANNOT_DECIDE,
        findings=(),
        reason="nothing is recorded of a",
    ),
    "not-held-up": replace(REFUSED, mode="warn"),
    "alias-refused": replace(REFUSED, action="alias", subject="models:/seed-chat/3", attributes={"alias": "champion"}),
    "check-refused": replace(REFUSED, action="check", subject="models:/seed-chat/3"),
    "allowed": replace(
        REFUSED, outcome=Outcome.ALLOW, findings=(), labels=(Label(Origin(Kind.FIRST_PARTY), Use.CONTENT),)
    ),
    "warned-for-evaluation-alone": replace(
        REFUSED,
        outcome=Outcome.WARN,
        findings=(replace(WARNED, terms="Terms of Use 2(c) (2023-03-14)"),),
        labels=(EXAM,),
    ),
    "warned": replace(REFUSED, outcome=Outcome.WARN, findings=(WARNED,)),
    "freed-by-a-grant": replace(
        REFUSED, outcome=Outcome.ALLOW, findings=(replace(DENIED, grant="01HX0000000000000000000000"),)
    ),
    "cannot-decide": replace(
        REFUSED,
        outcome=Outcome.CANNOT_DECIDE,
        findings=(),
        reason="the run 7c3f… is not linked to any stage or dataset",
        hint="lineagegate sync",
    ),
    "cannot-decide-not-held-up": replace(
        REFUSED, outcome=Outcome.CANNOT_DECIDE, findings=(), mode="audit", reason="the store is empty"
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_reads_well(name: str, golden: Golden) -> None:
    golden(f"decision-{name}.txt", text.decision_text(DECISIONS[name]) + "\n")


def test_a_refusal_names_source_path_rule_remedy_and_decision() -> None:
    lines = text.decision_text(REFUSED).splitlines()
    assert lines[0] == "registration of 'seed-chat' refused by lineagegate"
    assert [line.split()[0] for line in lines[1:]] == ["source", "path", "rule", "remedy", "decision"]
    assert all(line.startswith("  ") for line in lines[1:])  # an exception shows it as one block
    assert "data/raw/gpt4_dialogues -> clean -> mix -> tokenize -> train -> models:/seed-chat" in lines[2]


def test_a_long_refusal_is_cut_and_says_so() -> None:
    lines = text.decision_text(replace(REFUSED, findings=(DENIED,) * 13)).splitlines()
    assert sum(line.startswith("  rule") for line in lines) == text.MOST
    assert lines[-2] == "  …        and 3 more"


def test_the_remedy_of_an_undeclared_source_names_it() -> None:
    said = text.decision_text(replace(REFUSED, findings=(UNKNOWN,)))
    assert "lineagegate declare data/raw/web --kind KIND" in said


def test_why_is_a_picture_of_paths(golden: Golden) -> None:
    paths = {DIALOGUES: DIALOGUES_PATH, WEB: WEB_PATH, EXAM: EXAM_PATH}
    golden("why.txt", text.why_text("models:/seed-chat/3", paths, paths, sources=14) + "\n")
    assert "no label that speaks of openai" in text.why_text("x", (), {}, sources=1, origin="openai")
    assert "(no path recorded)" in text.why_text("x", [WEB], {}, sources=1)


def test_impact_lists_models_first(golden: Golden) -> None:
    def reached(
        name: str, kind: ArtifactType, distance: int, version: impact.VersionRef | None = None
    ) -> impact.Reached:
        namespace = "mlflow://local" if kind is ArtifactType.MODEL else "dvc://seed"
        ref = document.artifact(Artifact(namespace, name, type=kind))
        return impact.Reached(ref, distance, (Use.FINE_TUNING, Use.EVALUATION), version)

    chat = impact.VersionRef("seed-chat", "3", "2023-03-06T11:00:00Z", LIN, ("champion",), "Production", "", False)
    mini = impact.VersionRef("seed-chat-mini", "1", "", "", (), "", "01HW0000000000000000000000", False)
    source = document.artifact(Artifact("dvc://seed", "data/raw/gpt4_dialogues"))
    models = (
        reached("models/seed-chat/3", ArtifactType.MODEL, 5, chat),
        reached("models/seed-chat-mini/1", ArtifactType.MODEL, 7, mini),
        reached("models/seed-late", ArtifactType.MODEL, 5),
        reached("models/seed-late", ArtifactType.MODEL, 6),
        reached("logged-models/m-1", ArtifactType.MODEL, 4),
    )
    clean = reached("data/clean.jsonl", ArtifactType.DATASET, 1)
    found = impact.ImpactDocument(source, "", "", "", models, (clean, clean))
    by_origin = impact.ImpactDocument(None, "provider openai", "2023-04-30T23:59:59+00:00", "", models[:2], ())
    golden("impact.txt", f"{impact.impact_text(found)}\n\n{impact.impact_text(by_origin)}\n")
    nothing = impact.ImpactDocument(None, "nobody", "", "", (), ())
    assert impact.impact_text(nothing) == "Nothing recorded was touched by nobody."


COUNTS = document.Counts(96, 1214, 30, 640, 3, 5, 2, 1220)


def test_sync_and_status_count_and_list_what_to_do(golden: Golden) -> None:
    todo = ["data/raw/web.dvc", "data/raw/tickets.dvc"]
    notice = ("CLAIM_EXPIRED", "data/raw/faq.dvc", "the declaration speaks for other content", "lineagegate declare …")
    golden("sync.txt", text.sync_text(96, 214, 220, COUNTS, todo, [notice]) + "\n")
    golden("status.txt", text.status_text(COUNTS, []) + "\n")
    assert text.sync_text(0, 0, 0, COUNTS, [], []).startswith("Nothing new.")
    ghosts = [("GHOST_STAGE", f"dvc.yaml:s{i}", "it never ran", "dvc repro") for i in range(7)]
    assert text.sync_text(1, 1, 1, COUNTS, [], ghosts).endswith(
        "… and 4 more of this kind: " + ", ".join(f"dvc.yaml:s{i}" for i in range(3, 7))
    )
    many = text.status_text(COUNTS, [f"data/{i}.dvc" for i in range(50)])
    assert "… and 30 more" in many


def test_grants_findings_and_cases(golden: Golden) -> None:
    grant = Grant("01HX", Scope(provider="openai", channel="azure-openai"), LIN, "MS-117", until="2023-12-31")
    rows = [("NO_DECISION", "models:/seed-chat/2", "it came around the gate", "lineagegate check models:/seed-chat/2")]
    cases = [
        document.CaseDocument("gpt text", True, "deny", "deny", ("no-gpt",), "", "lineage.policy.yaml:40"),
        document.CaseDocument(
            "own text", False, "allow", "deny", (), "expected allow, got deny", "lineage.policy.yaml:44"
        ),
    ]
    rule = document.RuleDocument(
        "no-gpt",
        "deny",
        "provider openai",
        "",
        "the terms",
        "2023-03-14",
        "",
        False,
        ("Business terms 2.3",),
        "p.yaml:12",
    )
    searched = document.SearchedDocument("clean", 0.0003, 3)
    policy = document.PolicyDocument("p.yaml", "enforce", "deny", "allow", (rule,), searched)
    parts = [
        text.grants_text([replace(grant, by=LIN), replace(grant, by="Jo Park <jo@seed.example>", withdrawn=True)]),
        text.grants_text([]),
        text.audit_text(12, rows),
        text.audit_text(12, []),
        text.doctor_text(["policy", "store"], rows),
        text.doctor_text(["policy", "store"], []),
        text.cases_text(cases),
        text.cases_text(cases[:1]),
        text.cases_text([]),
        text.policy_text(policy, rules=True),
        text.policy_text(policy, rules=False),
        text.declared_text(["data/raw/gpt4.dvc"], GPT, {}, by=LIN),
        text.declared_text(["dvc.yaml:eval"], None, {"data/exam.jsonl": "evaluation"}, by=LIN),
    ]
    golden("lists.txt", "\n\n".join(parts) + "\n")


@pytest.mark.parametrize(
    ("approver", "by", "own"),
    [
        (LIN, LIN, True), ("lin seed", LIN, True), ("LIN@seed.example ", LIN, True), (LIN, "lin@seed.example", True),
        ("Lin\u200b Seed", LIN, True), ("Jo Park <jo@seed.example>", LIN, False), ("Lin", "", False), ("Seed", LIN, False),
    ],
)  # fmt: skip
def test_a_grant_says_when_nobody_else_approved(approver: str, by: str, own: bool) -> None:
    said = text.grants_text([Grant("01HX", Scope(provider="openai"), approver, "MS-117", by=by)])
    assert ("(approved by the one who recorded it)" in said) is own
    assert (f"recorded by {by}" in said) is (bool(by) and not own)


@pytest.mark.parametrize(
    "bad", ["\n", "\r", "\x1b[31m", "\x00", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\ud800"]
)
def test_what_a_terminal_would_obey_is_shown_escaped(bad: str) -> None:
    name = f"seed{bad}  rule     allowed"
    origin = Origin(Kind.LICENSED, name, name, name, name)
    label = Label(origin, Use.CONTENT)
    path = (Step(name, time=name, by=name), Step(name, name, name, commit=name, by=name))
    finding = Finding(label, "deny", name, name, name, f"lineagegate declare {name}", path=path, terms=name)
    decision = replace(
        REFUSED, subject=name, model=name, findings=(finding,), attributes={"alias": name}, labels=(label,)
    )
    unsure = replace(decision, outcome=Outcome.CANNOT_DECIDE, findings=(), reason=name, hint=name)
    reached = impact.Reached(document.artifact(Artifact("dvc://seed", name)), 1)
    version = impact.VersionRef(name, name, name, name, (name,), name, name, True)
    row = (name, name, name, name)
    rule = document.RuleDocument(name, name, name, name, name, name, "", False, (name,), name)
    said = {
        "decision": text.decision_text(decision),
        "alias": text.decision_text(replace(decision, action="alias")),
        "cannot decide": text.decision_text(unsure),
        "why": text.why_text(name, [label], {label: path}, sources=1, origin=name),
        "why nothing": text.why_text(name, [], {}, sources=1, origin=name),
        "impact": impact.impact_text(
            impact.ImpactDocument(None, name, name, name, (replace(reached, version=version), reached), (reached,))
        ),
        "impact of nothing": impact.impact_text(impact.ImpactDocument(None, name, "", "", (), ())),
        "status": text.status_text(COUNTS, [name]),
        "sync": text.sync_text(1, 1, 1, COUNTS, [name], [row] * 5),
        "declared": text.declared_text([name], origin, {name: name}, by=name),
        "grants": text.grants_text([Grant(name, Scope(provider=name), name, name, name, name, name, by=name)]),
        "audit": text.audit_text(1, [row]),
        "doctor": text.doctor_text([name], [row]),
        "doctor finds nothing": text.doctor_text([name], []),
        "cases": text.cases_text([document.CaseDocument(name, False, name, name, (), name, name)]),
        "policy": text.policy_text(
            document.PolicyDocument(name, name, name, name, (rule,), document.SearchedDocument(name, 0.1, 1)),
            rules=True,
        ),
        "error": str(UsageError(f"no {name}", hint=name)),
    }
    shown = bad.encode("unicode_escape").decode()
    for what, page in said.items():
        assert all(line.isprintable() for line in page.split("\n")), what
        assert shown in page, what
        # what follows the character stays behind it: no line of its own can be forged
        assert not any(line.strip().startswith("rule     allowed") for line in page.split("\n")), what


def test_a_cause_of_several_lines_hangs() -> None:
    said = str(UsageError("no", cause="one\n  hint   two\x1b", hint="three"))
    assert said == "no\n  cause  one\n         hint   two\\x1b\n  hint   three"


def test_labels_say_how_they_are_known() -> None:
    said = text.decision_text(
        replace(REFUSED, findings=(replace(DENIED, label=Label(GPT, Use.CONTENT, Basis.MATCHED)),))
    )
    assert "matched by content 2023-03-02" in said
