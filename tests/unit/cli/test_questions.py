"""The lawyer's questions on a real store: sentences, evidence, exit status, other times."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lineage.events.event import dataset_event, run_event
from lineage.gate import Gate
from lineage.vocabulary import Change, Execution, Happening, Input, Kind, Origin, Scope, Use
from tests.unit.cli.conftest import GPT, OWN, POLICY, Cli, dataset, model, stage

CHAT = "models:/seed-chat/1"


@pytest.fixture
def life(project: Path) -> Path:
    """The project, with a decision, two versions that the registry told of, an alias and a stage."""
    with Gate.open(start=project) as gate:
        for name in ("seed-chat", "seed-own"):
            artifact = gate.resolve(f"models:/{name}/1")
            decision = gate.judge(artifact, model=name, subject=f"models:/{name}", action="register")
            gate.changed(
                Change(name, Happening.CREATED, "1", decision=decision.id, by="Jo Park", registry="mlflow://local")
            )
        gate.changed(Change("seed-chat", Happening.ALIAS, "1", "champion", by="Jo Park", registry="mlflow://local"))
        gate.changed(Change("seed-chat", Happening.STAGE, "1", "Production", by="Jo Park", registry="mlflow://local"))
    return project


def test_contains_yes_says_uses_paths_since_when_and_who_said_so(life: Path, cli: Cli) -> None:
    found = cli("contains", CHAT, "openai", verb="contains")
    assert found.status == 1
    answer, (trace,) = found.document["answer"], found.document["traces"]
    assert answer["contains"] == "yes"
    assert answer["sentence"] == f"{CHAT} contains openai: 1 of its 2 sources is of that origin, used as content."
    assert [(step["artifact"], step["run"]) for step in trace["path"]] == [
        ("data/gpt4", ""), ("data/clean", "clean"), (CHAT, "train"),
    ]  # fmt: skip
    assert all(step["entries"] for step in trace["path"])
    assert (trace["declaredBy"], trace["since"][:10]) == ("Lin <lin@seed.example>", "2023-03-02")
    assert [f["rule"] for f in trace["findings"]] == ["no-gpt"]
    assert [j["decision"]["outcome"] for j in found.document["decisions"]] == ["deny"]
    subject = found.document["subject"]
    assert (subject["aliases"], subject["stage"], subject["by"]) == (["champion"], "Production", "Jo Park")
    said = cli("contains", CHAT, "openai").out
    assert said.startswith(answer["sentence"])
    assert "├─ clean  data/clean" in said


@pytest.mark.parametrize(
    "asked",
    [
        ["OpenAI"], ["gpt-4"], ["microsoft"], ["--provider", "Open AI"], ["--channel", "azure-*"], ["--service", "gpt*"],
        ["--kind", "third-party-model-output"], ["openai", "--channel", "azure-openai"],
    ],
)  # fmt: skip
def test_contains_finds_an_origin_by_any_of_its_names(project: Path, cli: Cli, asked: list[str]) -> None:
    assert cli("contains", CHAT, *asked).status == 1


@pytest.mark.parametrize("asked", [["anthropic"], ["--channel", "openai-api"], ["--provider", "microsoft"]])
def test_contains_no_says_over_which_lineage(project: Path, cli: Cli, asked: list[str]) -> None:
    found = cli("contains", CHAT, *asked, verb="contains")
    assert found.status == 0
    coverage = found.document["coverage"]
    assert (coverage["complete"], coverage["sources"], coverage["executions"]) == (True, 2, 2)
    sentence = found.document["answer"]["sentence"]
    assert sentence.endswith("none of its 2 sources is of that origin, and each of them is declared.")
    assert "established over 2 executions" in cli("contains", CHAT, *asked).out


def test_contact_by_evaluation_alone_has_its_own_sentence(project: Path, cli: Cli) -> None:
    found = cli("contains", "models:/seed-own/1", "openai", verb="contains")
    assert found.status == 1
    assert found.document["answer"]["sentence"] == (
        "models:/seed-own/1 met openai in evaluation only: no training path from it is on record; each source on record "
        "has a declared origin; 1 of 1 execution is known from a record alone."
    )
    assert found.document["answer"]["contains"] == "evaluation-only"


def test_what_nobody_spoke_for_cannot_be_told(project: Path, cli: Cli) -> None:
    found = cli("contains", "models:/seed-web/1", "openai", verb="contains")
    assert found.status == 3
    assert found.document["answer"]["contains"] == "cannot-tell"
    assert "its one source has no declared origin" in found.document["answer"]["sentence"]
    assert [s["display"] for s in found.document["coverage"]["undeclared"]] == ["data/web"]
    assert cli("contains", "models:/seed-web/1", "--kind", "undeclared").status == 1
    with Gate.open(start=project) as gate:  # met in evaluation, and something else nobody spoke for
        inputs = [Input(dataset("data/gpt4", "1"), Use.EVALUATION), Input(dataset("data/web", "3"))]
        gate.record([stage("train-mixed", inputs, [model("seed-mixed", 1, "8")])])
    mixed = cli("contains", "models:/seed-mixed/1", "openai", verb="contains").document["answer"]
    assert (mixed["contains"], "whether it was also trained on it cannot be told" in mixed["sentence"]) == ("yes", True)


def test_model_output_of_an_unstated_provider_may_be_anybodys(project: Path, cli: Cli) -> None:
    output = dataset("data/some-llm", "9", Origin(Kind.THIRD_PARTY_MODEL_OUTPUT))
    with Gate.open(start=project) as gate:
        gate.record([dataset_event(output, time="2023-03-02T09:30:00Z")])
        gate.record([stage("train-some", [Input(output)], [model("seed-some", 1, "a")])])
    found = cli("contains", "models:/seed-some/1", "openai", verb="contains")
    assert found.status == 3
    assert "third-party model output whose provider nobody stated" in found.document["answer"]["sentence"]
    assert cli("contains", "models:/seed-some/1", "--kind", "licensed").status == 0


def test_what_is_not_asked_clearly_is_refused(project: Path, cli: Cli) -> None:
    assert cli("contains", CHAT, verb="error").document["error"]["code"] == "ORIGIN_MISSING"
    assert cli("impact", verb="error").document["error"]["code"] == "QUESTION_UNCLEAR"
    assert cli("impact", "data/gpt4", "--kind", "x", verb="error").document["error"]["code"] == "QUESTION_UNCLEAR"
    assert cli("history", "--since", "April", verb="error").document["error"]["code"] == "TIME_INVALID"
    assert (
        cli("recall", "--apply", "--as-of", "2024-01-01", verb="error").document["error"]["code"] == "QUESTION_UNCLEAR"
    )
    assert cli("contains", "models:/nobody/1", "openai").status == 3


def test_grants_say_what_they_free_and_what_would_be_without_them(project: Path, cli: Cli) -> None:
    with Gate.open(start=project) as gate:
        market = gate.grant(Scope(provider="openai", market="eu"), reference="C-1")  # no market is stated: outside
        freeing = gate.grant(Scope(provider="openai", model="seed-*"), reference="C-2")
        ended = gate.grant(Scope(provider="openai", model="seed-*"), reference="C-3", until="2024-01-01")
        gate.grant(Scope(provider="anthropic"), reference="C-4")
    grants = {g["grant"]["id"]: g for g in cli("contains", CHAT, "openai", verb="contains").document["grants"]}
    assert set(grants) == {freeing.id, ended.id}
    assert grants[freeing.id]["without"] == "deny"
    assert grants[freeing.id]["sentence"] == "Without it the model would be refused by no-gpt."
    assert grants[ended.id]["sentence"] == "It ended on 2024-01-01 and frees nothing now."
    policy = (project / "lineage.policy.yaml").read_text()
    (project / "lineage.policy.yaml").write_text(
        policy.replace("competes-with: openai\nrules", "competes-with: openai\n    market: eu\nrules")
    )
    found = {g["grant"]["id"]: g for g in cli("contains", CHAT, "openai", verb="contains").document["grants"]}
    assert market.id in found
    assert "another grant" in found[freeing.id]["sentence"] + found[market.id]["sentence"]
    with Gate.open(start=project) as gate:
        gate.withdraw(freeing.id)
    found = {g["grant"]["id"]: g for g in cli("contains", CHAT, "openai", verb="contains").document["grants"]}
    assert found[freeing.id]["sentence"] == "It was withdrawn and frees nothing now."
    assert found[market.id]["without"] == "deny"


def test_share_is_per_origin_and_use_with_unknown_sizes_told_apart(project: Path, cli: Cli) -> None:
    found = cli("share", CHAT, "--origin", "openai", verb="share").document
    assert (
        found["sentence"]
        == f"Of {CHAT}, openai is 50.0 % of the bytes and 50.0 % of the files that went in as content."
    )
    assert [(s["bytes"], s["files"], s["records"]) for s in found["shares"]] == [(1000, 1, None), (1000, 1, None)]
    own = cli("share", "models:/seed-own/1", verb="share").document
    assert [(t["use"], t["sources"], t["bytes"]) for t in own["totals"]] == [
        ("content", 1, 1000),
        ("evaluation", 1, 1000),
    ]
    assert "############" in cli("share", CHAT).out
    bare = dataset("data/bare", "b", OWN)
    bare = type(bare)(bare.namespace, bare.name, None, tags=bare.tags)
    with Gate.open(start=project) as gate:
        gate.record(
            [stage("train-bare", [Input(bare), Input(dataset("data/gpt4", "1"))], [model("seed-bare", 1, "c")])]
        )
    said = cli("share", "models:/seed-bare/1").out
    assert "The size of 1 source is not known and left out." in said
    assert "shares are of what went in" in said.lower()


def test_records_are_those_that_openlineage_states(project: Path, cli: Cli) -> None:
    said = dataset_event(dataset("data/gpt4", "1"), time="2023-03-03T00:00:00Z")
    facet = b'"dataQualityMetrics":{"_producer":"x","_schemaURL":"y","rowCount":3100},'
    with Gate.open(start=project) as gate:
        gate.record([said.replace(b'"facets":{', b'"facets":{' + facet, 1)])
    shares = cli("share", CHAT, verb="share").document["shares"]
    assert {s["origin"].get("provider", ""): s["records"] for s in shares} == {"openai": 3100, "": None}


def test_history_of_a_model_over_its_life(life: Path, cli: Cli) -> None:
    found = cli("history", "models:/seed-chat", verb="history").document
    kinds = [item["kind"] for item in found["items"]]
    assert kinds == [
        "declared",
        "declared",
        "executed",
        "executed",
        "policy",
        "decided",
        "registered",
        "alias",
        "stage",
    ]
    assert found["subject"] == "models:/seed-chat"
    said = cli("history", "models:/seed-chat").out
    assert "alias 'champion' points at it" in said
    assert f"recorded {datetime.now(timezone.utc).date()}" in said  # the executions are of 2023
    only = cli("history", "models:/seed-chat", "--since", "2024-01-01", verb="history").document
    assert {item["kind"] for item in only["items"]} == {"policy", "decided", "registered", "alias", "stage"}


def test_history_after_a_date_says_what_still_read_an_origin(project: Path, cli: Cli) -> None:
    found = cli("history", "--since", "2023-03-01", "--origin", "openai", verb="history").document
    read = [(item["subject"], item["text"]) for item in found["items"] if item["kind"] == "executed"]
    assert sorted(read) == [
        ("clean", "read data/gpt4"), ("train", "read data/clean, made from it"), ("train-own", "read data/gpt4"),
    ]  # fmt: skip
    said = cli("history", "--since", "2023-03-01", "--origin", "openai").out
    assert "3 executions from 2023-03-01 on read data of openai, 2 of them the source itself." in said
    assert cli("history", "--until", "1999-01-01").out.strip() == "Nothing is on record until 1999-01-01."


def test_what_was_recorded_after_a_date_is_never_left_out_of_it(project: Path, cli: Cli) -> None:
    """Who sets the date of a commit (GIT_AUTHOR_DATE) sets when DVC says a stage ran."""
    asked = ["history", "--since", "2023-04-30", "--origin", "openai"]
    found = cli(*asked, verb="history").document
    assert [item["kind"] for item in found["items"]] == ["policy"]
    late = {item["subject"]: item["text"] for item in found["recordedAfter"] if item["kind"] == "executed"}
    assert late == {"clean": "read data/gpt4", "train": "read data/clean, made from it", "train-own": "read data/gpt4"}
    said = cli(*asked).out
    assert "recorded after 2023-04-30, said to have happened before: " in said
    assert "3 executions read data of openai, 2 of them the source itself." in said
    assert "That they happened before 2023-04-30 is not proven" in said


def test_an_execution_is_one_however_often_and_by_whomever_it_is_told(project: Path, cli: Cli) -> None:
    gpt, own = dataset("data/gpt4", "1", GPT), model("seed-exam", 1, "e")
    run = run_event(
        run_id="5e63b878-c626-46f3-bd75-3fe8af795855",
        job=("mlflow://local", "experiments/1"),
        time="2023-03-04T09:00:00.5Z",
        inputs=[Input(gpt, Use.EVALUATION), Input(dataset("data/tickets", "2", OWN))],
        outputs=[own],
        execution=Execution("mlflow", "dvc.yaml:exam", "observed", author="root"),
    )
    lock = stage("exam", [Input(gpt, Use.EVALUATION), Input(dataset("data/tickets", "2"))], [dataset("metrics", "d")])
    with Gate.open(start=project) as gate:
        gate.record([run])
        gate.record([lock.replace(b"2023-03-02", b"2023-03-04")])
        gate.record([run.replace(b"models/seed-exam/1", b"models/seed-exam/2")])
        gate.record([lock.replace(b"2023-03-02", b"2023-06-01")])
    coverage = cli("contains", "models:/seed-exam/1", "openai", verb="contains").document["coverage"]
    assert (coverage["executions"], coverage["evidence"]) == (1, {"asserted": 1})
    assert (coverage["first"][:10], coverage["last"][:10]) == ("2023-03-04", "2023-03-04")
    for asked in (["models:/seed-exam"], ["models:/seed-exam/1"], ["--origin", "openai"], []):
        items = cli("history", *asked, verb="history").document["items"]
        told = [item for item in items if (item["kind"], item["subject"]) == ("executed", "exam")]
        assert [item["time"][:10] for item in told] == ["2023-03-04"], asked


def test_impact_of_an_origin_names_versions_with_uses_and_state(life: Path, cli: Cli) -> None:
    found = cli("impact", "--provider", "openai", verb="impact").document
    assert [(m["artifact"]["display"], m["uses"]) for m in found["models"]] == [
        (CHAT, ["content"]), ("models:/seed-own/1", ["evaluation"]),
    ]  # fmt: skip
    version = found["models"][0]["version"]
    assert (version["aliases"], version["stage"], version["by"]) == (["champion"], "Production", "Jo Park")
    by_source = cli("impact", "data/gpt4", verb="impact").document
    assert [(m["artifact"]["display"], m["uses"], m["version"]["by"]) for m in by_source["models"]] == [
        (CHAT, ["content"], "Jo Park"), ("models:/seed-own/1", ["evaluation"], "Jo Park"),
    ]  # fmt: skip
    assert "alias champion, stage Production  by Jo Park" in cli("impact", "data/gpt4").out
    assert "Nothing recorded is known to have been touched by anthropic." in cli("impact", "--origin", "anthropic").out


def test_every_question_is_asked_of_the_past(life: Path, cli: Cli) -> None:
    before = datetime.now(timezone.utc).isoformat()
    with Gate.open(start=life) as gate:
        gate.record([dataset_event(dataset("data/web", "3", GPT), time=before)])
        gate.grant(Scope(provider="openai", model="seed-*"), reference="C-9")
    web = "models:/seed-web/1"
    assert cli("contains", web, "openai").status == 1
    assert cli("contains", web, "openai", "--known-at", before).status == 3
    then = cli("contains", CHAT, "openai", "--known-at", before, verb="contains").document
    assert (then["grants"], then["question"]["knownAt"], then["subject"]["aliases"]) == ([], before, ["champion"])
    assert cli("contains", CHAT, "openai", verb="contains").document["grants"]
    assert f"recorded at {before}" in cli("share", web, "--known-at", before).out.splitlines()[0]
    assert "undeclared" in cli("share", web, "--known-at", before).out
    assert "granted" not in cli("history", "models:/seed-chat", "--known-at", before).out
    assert "granted" in cli("history", "models:/seed-chat").out
    assert len(cli("impact", "--provider", "openai", "--known-at", before, verb="impact").document["models"]) == 2
    assert len(cli("impact", "--provider", "openai", verb="impact").document["models"]) == 3
    past = cli("impact", "data/gpt4", "--as-of", "2024-01-01", verb="impact").document
    assert [m["version"]["aliases"] for m in past["models"]] == [[], []]  # the alias came later


def test_recall_lists_what_is_refused_now_and_changes_nothing(life: Path, cli: Cli) -> None:
    stricter = POLICY.replace("    unless: {use: evaluation}\n", "")
    (life / "stricter.yaml").write_text(stricter, encoding="utf-8")
    with Gate.open(start=life) as gate:
        position = gate.graph.position()
    found = cli("recall", "--policy", "stricter.yaml", verb="recall")
    assert found.status == 1
    listed = {f"{v['version']['model']}": (v["was"], v["decision"]["outcome"]) for v in found.document["versions"]}
    assert listed == {"seed-chat": ("deny", "deny"), "seed-own": ("allow", "deny"), "seed-web": (None, "deny")}
    assert found.document["versions"][0]["version"]["aliases"] == ["champion"]  # those in use first
    assert all(f["path"] for v in found.document["versions"] for f in v["decision"]["findings"])
    assert "models:/seed-own/1" not in cli("recall").out
    assert cli("recall", "--since", "2999-01-01").status == 0
    with Gate.open(start=life) as gate:
        assert gate.graph.position() == position


def test_a_rule_on_an_alias_recalls_the_version_that_has_it(life: Path, cli: Cli) -> None:
    rules = "mode: enforce\ndefault: allow\nundeclared: allow\nrules:\n  - id: no-champion\n    match: {origin: {provider: openai}, model: {alias: champion}}\n    effect: deny\n    reason: not in use\n"
    (life / "alias.yaml").write_text(rules, encoding="utf-8")
    found = cli("recall", "--policy", "alias.yaml", verb="recall").document
    assert [v["version"]["model"] for v in found["versions"] if v["recall"]] == ["seed-chat"]
    assert [v["version"]["model"] for v in found["versions"] if not v["recall"]] == []
    (life / "audit.yaml").write_text(rules.replace("enforce", "audit"), encoding="utf-8")
    audit = cli("recall", "--policy", "audit.yaml")
    assert audit.status == 0
    assert "mode is audit" in audit.out


def test_replay_judges_decisions_again_at_their_own_time(life: Path, cli: Cli) -> None:
    stricter = POLICY.replace("    unless: {use: evaluation}\n", "")
    (life / "stricter.yaml").write_text(stricter, encoding="utf-8")
    (life / "later.yaml").write_text(stricter.replace("    effect: deny\n", "    effect: deny\n    from: 2999-01-01\n"))
    found = cli("policy", "replay", "--policy", "stricter.yaml", verb="policy-replay")
    assert (found.status, found.document["decisions"]) == (1, 2)
    assert [(c["subject"], c["was"], c["would"], c["rules"]) for c in found.document["changed"]] == [
        ("models:/seed-own", "allow", "deny", ["no-gpt"])
    ]
    later = cli("policy", "replay", "--policy", "later.yaml", verb="policy-replay").document
    assert ([c["subject"] for c in later["changed"]], later["never"]) == (["models:/seed-chat"], ["no-gpt"])
    assert cli("policy", "replay").status == 0
    assert "would have refused 1 more" in cli("policy", "replay", "--policy", "stricter.yaml").out
    assert cli("policy", "replay", "--since", "2999-01-01", verb="policy-replay").document["decisions"] == 0


def test_a_proposed_policy_is_not_recorded_as_the_one_in_force(life: Path, cli: Cli) -> None:
    (life / "other.yaml").write_text(POLICY.replace("no-gpt", "another"), encoding="utf-8")
    for asked in (["recall"], ["policy", "replay"], ["check", CHAT], ["contains", CHAT, "openai"]):
        cli(*asked, "--policy", "other.yaml")
    assert "other.yaml" not in cli("history").out


def test_hostile_names_forge_no_line(project: Path, cli: Cli) -> None:
    bad = "data/x\n  rule     allowed \u202e\x1b[31m"
    origin = Origin(Kind.LICENSED, bad, bad, terms=bad)
    with Gate.open(start=project) as gate:
        source = dataset(bad, "d", origin)
        gate.record([dataset_event(source, time="2023-03-02T09:30:00Z")])
        gate.record([stage(f"train\n{bad}", [Input(source)], [model("seed-bad", 1, "e")])])
    ways: list[Callable[[], str]] = [
        lambda: cli("contains", "models:/seed-bad/1", "--kind", "licensed").out,
        lambda: cli("share", "models:/seed-bad/1", "--origin", "licensed").out,
        lambda: cli("history", "models:/seed-bad/1").out,
        lambda: cli("history", "--kind", "licensed").out,
        lambda: cli("impact", "--kind", "licensed").out,
        lambda: cli("impact", bad).out,
    ]
    for way in ways:
        said = way()
        assert said
        assert all(line.isprintable() for line in said.rstrip("\n").split("\n")), said
        assert not any(line.strip().startswith("rule     allowed") for line in said.split("\n"))


def remove(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    """openai is taken out of data/clean: claimed by one, approved by another."""
    (project / "check.csv").write_text("record,match\n")
    monkeypatch.setenv("LINEAGE_USER", "Ann Roe <ann@seed.example>")
    claim = ["--kind", "third-party-model-output", "--provider", "openai", "--run", "clean", "--evidence", "check.csv"]
    asked = ["--checked", "exact match of 1,000 records", "--result", "0 left"]
    (view,) = cli("removal", "claim", "data/clean", *claim, *asked, verb="removal").document["removals"]
    monkeypatch.setenv("LINEAGE_USER", "Bob <bob@seed.example>")
    assert cli("removal", "approve", view["removal"]["id"]).status == 0
    return str(view["removal"]["id"])


def test_a_no_that_rests_on_a_removal_says_so_first(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = cli("contains", "models:/seed-own/1", "anthropic", verb="contains").document["answer"]
    assert plain["taken"] == []
    removal = remove(project, cli, monkeypatch)
    found = cli("contains", CHAT, "openai", verb="contains")
    assert found.status == 0
    answer, today = found.document["answer"], datetime.now(timezone.utc).date()
    digest = hashlib.sha256(b"record,match\n").hexdigest()
    assert answer["sentence"] == (
        f"{CHAT} does not contain openai, after a removal: 1 of its 2 sources is of openai; Ann Roe <ann@seed.example> "
        f"claimed on {today} and Bob <bob@seed.example> approved on {today} that it was taken out at `clean` (checked: "
        f"exact match of 1,000 records; result: 0 left; evidence check.csv, sha256 {digest}); the records do not test "
        "that claim."
    )
    (taken,) = answer["taken"]
    assert (taken["removals"], [s["display"] for s in taken["sources"]], taken["sure"]) == (
        [removal], ["data/gpt4"], True,
    )  # fmt: skip
    assert [step["artifact"] for step in taken["path"]] == ["data/gpt4", "data/clean", CHAT]
    said = cli("contains", CHAT, "openai").out
    assert "checked  exact match of 1,000 records" in said
    assert f"evidence check.csv sha256:{digest}" in said
    share = cli("share", CHAT, "--origin", "openai", verb="share").document["sentence"]
    assert share.startswith(f"Nothing that is known to be of openai is left in {CHAT}. After a removal: 1 of its 2")
    other = cli("contains", CHAT, "anthropic", verb="contains").document["answer"]
    assert (other["taken"], "removal" in other["sentence"]) == ([], False)


def test_impact_names_what_stands_after_a_removal(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    removal = remove(project, cli, monkeypatch)
    for asked in (["--provider", "openai"], ["data/gpt4"]):
        models = cli("impact", *asked, verb="impact").document["models"]
        assert {m["artifact"]["display"]: (m["removed"], m["removals"]) for m in models} == {
            CHAT: (True, [removal]), "models:/seed-own/1": (False, []),
        }  # fmt: skip
        said = cli("impact", *asked).out
        assert said.startswith("1 registered version")
        assert "of which an approved removal says that" in said
        assert f"taken out by removal {removal}" in said


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        (["openia"], "openai"), (["gpt4"], "gpt-4"), (["--channel", "azure-openia"], "azure-openai"),
        (["--provider", "openai", "--service", "gpd-4"], "gpt-4"), (["zzqx"], ""),
    ],
)  # fmt: skip
def test_a_word_that_nobody_knows_is_no_no(project: Path, cli: Cli, asked: list[str], near: str) -> None:
    for verb in ("contains", "share", "history", "impact"):
        words = ["--origin", *asked] if len(asked) == 1 and verb != "contains" else asked
        subject = [] if verb == "impact" else [CHAT]
        found = cli(verb, *subject, *words, verb="error")
        error = found.document["error"]
        assert (found.status, error["code"]) == (2, "ORIGIN_UNKNOWN")
        assert f"did you mean {near}" in error["hint"] if near else "did you mean" not in error["hint"]
    assert cli("history", "--origin", "zzqx").status == 2
    assert cli("report", CHAT, "--origin", "zzqx").status == 2


def test_a_channel_is_looked_for_among_channels_alone(project: Path, cli: Cli) -> None:
    assert cli("contains", CHAT, "azure-openai").status == 1
    found = cli("contains", CHAT, "openai-api", verb="contains")
    assert found.status == 0
    assert (
        "What was asked was understood as the channel openai (OpenAI API), among channels alone."
        in (found.document["answer"]["more"])
    )
    said = cli("contains", CHAT, "openai", verb="contains").document
    assert said["traces"][0]["reseller"] == "Microsoft"
    assert "via azure-openai, sold by Microsoft, terms: not stated, from data/gpt4" in said["answer"]["more"][0]
    output = dataset("data/direct", "9", Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai"))
    with Gate.open(start=project) as gate:  # it may have come by any channel, and may be of any model of openai
        gate.record([dataset_event(output, time="2023-03-02T09:30:00Z")])
        gate.record([stage("train-direct", [Input(output)], [model("seed-direct", 1, "a")])])
    for word in ("azure-openai", "gpt-4"):
        assert cli("contains", "models:/seed-direct/1", word).status == 3
    assert cli("contains", "models:/seed-direct/1", "bedrock").status == 3
    assert cli("contains", "models:/seed-direct/1", "claude-3").status == 0


def test_recall_says_what_was_recalled_before(life: Path, cli: Cli) -> None:
    with Gate.open(start=life) as gate:
        decision = gate.judge(gate.resolve(CHAT), model="seed-chat", subject=CHAT, action="recall")
        gate.changed(
            Change("seed-chat", Happening.RECALLED, "1", decision=decision.id, by="Jo Park", registry="mlflow://local")
        )
    assert [v["model"] for v in cli("recall", verb="recall").document["recalled"]] == ["seed-chat"]
    said = cli("recall").out
    assert f"{CHAT} was recalled before and is still refused." in said
