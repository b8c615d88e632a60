"""Every verb on a real store: what it prints, its JSON against the published schema, its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineage.events import dataset_event
from lineage.gate import Gate
from lineage.vocabulary import Artifact, Content
from tests.unit.cli.conftest import GPT, Cli


def test_init_writes_what_is_missing_and_keeps_what_is_there(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = cli("init", verb="init")
    assert first.status == 0
    assert first.document["written"] == ["lineage.toml", "lineage.policy.yaml"]
    kept = (tmp_path / "lineage.policy.yaml").read_text()
    again = cli("init", verb="init")
    assert again.document["written"] == []
    assert (tmp_path / "lineage.policy.yaml").read_text() == kept
    assert "Nothing new." in cli("init").out
    assert cli("policy", "test").status == 0  # the policy that init writes passes its own cases


def test_init_refuses_a_broken_policy_before_it_writes(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lineage.policy.yaml").write_text("mode: perhaps\n")
    assert cli("init", verb="error").document["error"]["code"] == "POLICY_INVALID"
    assert [path.name for path in tmp_path.iterdir()] == ["lineage.policy.yaml"]


def test_init_does_not_contradict_the_file_that_is_there(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("init", "--project", "seed").status == 0
    assert cli("init", "--project", "other", verb="error").document["error"]["code"] == "CONFIG_CONTRADICTS"
    assert cli("init", "--store", "elsewhere.db", verb="error").document["error"]["code"] == "CONFIG_CONTRADICTS"
    assert not (tmp_path / "elsewhere.db").exists()


def test_init_in_a_directory_with_an_odd_name(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / 'a "b" \\ ü'
    odd.mkdir()
    monkeypatch.chdir(odd)
    assert cli("init").status == 0
    assert cli("status").status == 0


def test_init_uses_the_repository_around(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert cli("init").status == 0
    assert (tmp_path / "lineage.toml").is_file()


def test_check_refuses_and_says_why(project: Path, cli: Cli) -> None:
    refused = cli("check", "models:/seed-chat/1")
    assert refused.status == 1
    lines = refused.out.splitlines()
    assert lines[0] == "models:/seed-chat/1 would be refused by lineagegate"
    assert "data/gpt4 (third-party-model-output, openai/gpt-4 via azure-openai)" in lines[1]
    assert "data/gpt4 -> clean -> train -> models:/seed-chat/1" in lines[2]
    assert "no-gpt (lineage.policy.yaml:" in lines[3]
    document = cli("check", "models:/seed-chat/1", verb="check")
    assert document.status == 1
    assert document.document["outcome"] == "deny"
    assert document.document["findings"][0]["rule"] == "no-gpt"


def test_check_records_nothing(project: Path, cli: Cli) -> None:
    before = cli("status", verb="status").document["status"]["entries"]
    cli("check", "models:/seed-chat/1")
    assert cli("status", verb="status").document["status"]["entries"] == before


def test_check_allows_under_another_name_and_by_evaluation_alone(project: Path, cli: Cli) -> None:
    assert cli("check", "models:/seed-own/1").status == 0
    assert cli("check", "models:/seed-chat/1", "--model", "summariser", verb="check").status in (0, 1)


def test_an_undeclared_source_is_refused_with_the_command_that_helps(project: Path, cli: Cli) -> None:
    refused = cli("check", "models:/seed-web/1")
    assert refused.status == 1
    assert "lineagegate declare data/web --kind" in refused.out


def test_nothing_known_is_cannot_decide_not_allow(project: Path, cli: Cli) -> None:
    unknown = cli("check", "models:/nobody/1")
    assert (unknown.status, unknown.out) == (3, "")
    assert "lineagegate sync" in unknown.err
    assert cli("check", "models:/nobody/1", verb="error").document["error"]["code"] == "ARTIFACT_UNKNOWN"


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_mode_that_holds_nothing_up_exits_0_unless_strict(mode: str, project: Path, cli: Cli) -> None:
    policy = project / "lineage.policy.yaml"
    policy.write_text(policy.read_text().replace("mode: enforce", f"mode: {mode}"))
    lenient = cli("check", "models:/seed-chat/1")
    assert lenient.status == 0
    assert f"mode {mode}: it is not held up" in lenient.out
    assert cli("check", "models:/seed-chat/1", "--strict").status == 1
    assert "NOT_ENFORCED" in cli("doctor").out


def test_why_shows_one_path_for_each_label(project: Path, cli: Cli) -> None:
    shown = cli("why", "models:/seed-chat/1")
    assert shown.status == 0
    assert "models:/seed-chat/1 carries 2 labels; its lineage holds 2 sources." in shown.out
    assert "├─ clean  data/clean" in shown.out
    assert "└─ train  models:/seed-chat/1" in shown.out
    only = cli("why", "models:/seed-chat/1", "--origin", "openai", verb="why").document
    (label,) = only["labels"]
    assert label["origin"]["provider"] == "openai"
    assert [step["artifact"] for step in label["path"]] == ["data/gpt4", "data/clean", "models:/seed-chat/1"]
    assert "no label that speaks of nobody" in cli("why", "models:/seed-chat/1", "--origin", "nobody").out


def test_why_keeps_uses_apart(project: Path, cli: Cli) -> None:
    labels = cli("why", "models:/seed-own/1", verb="why").document["labels"]
    assert {(x["origin"].get("provider", ""), x["use"]) for x in labels} == {
        ("openai", "evaluation"),
        ("", "content"),
    }


def test_why_shows_a_recorded_decision_by_its_id_and_by_a_refused_model(project: Path, cli: Cli) -> None:
    with Gate.open(start=project) as gate:
        artifact = gate.resolve("models:/seed-chat/1")
        gate.judge(artifact, model="seed-late", subject="models:/seed-late", action="register")
        decision = gate.judge(artifact, model="seed-late", subject="models:/seed-late", action="register")
    for name in (decision.id, "models:/seed-late"):
        assert f"decision {decision.id}" in cli("why", name).out
    document = cli("why", decision.id, verb="why").document
    assert document["artifact"] is None
    assert document["decision"]["id"] == decision.id
    assert document["labels"][0]["path"] or document["labels"][1]["path"]


def test_impact_lists_models_first(project: Path, cli: Cli) -> None:
    found = cli("impact", "data/gpt4", verb="impact").document
    assert [x["artifact"]["display"] for x in found["models"]] == ["models:/seed-chat/1", "models:/seed-own/1"]
    assert [x["artifact"]["display"] for x in found["datasets"]] == ["data/clean"]
    assert "models:/seed-chat/1" in cli("impact", "data/gpt4").out


def test_status_counts_and_lists_what_to_do(project: Path, cli: Cli) -> None:
    document = cli("status", verb="status").document
    assert document["status"]["models"] == 3
    assert document["status"]["undeclared"] == 1
    assert [x["command"] for x in document["undeclared"]] == ["lineagegate declare data/web"]
    assert "lineagegate declare data/web --kind" in cli("status").out


def test_sync_of_nothing_new(project: Path, cli: Cli) -> None:
    document = cli("sync", verb="sync").document
    assert (document["events"], document["executions"]) == (0, 0)
    assert document["status"]["sources"] == 3


def test_declaring_ends_undeclared_and_what_is_downstream_passes(project: Path, cli: Cli) -> None:
    said = cli("declare", "data/web", "--kind", "first-party", "--reason", "we wrote it")
    assert said.status == 0
    assert "data/web: first-party, declared by" in said.out
    assert cli("check", "models:/seed-web/1").status == 0
    assert cli("status", verb="status").document["undeclared"] == []
    gpt = cli("declare", "data/web", "--kind", "third-party-model-output", "--provider", "openai", verb="declare")
    assert gpt.document["origin"]["provider"] == "openai"
    assert cli("check", "models:/seed-web/1").status == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["data/web"], "ORIGIN_INVALID"),
        (["data/web", "--provider", "openai"], "ORIGIN_INVALID"),
        (["data/web", "--kind", "undeclared"], "USAGE"),
        (["data/web", "--kind", "licensed", "--acquired", "soon"], "DATE_INVALID"),
        (["data/web", "--kind", "licensed", "--acquired", "2023-03-02 or so"], "DATE_INVALID"),
        (["data/web", "--use", "x"], "USE_INVALID"),
        (["data/web", "--use", "x=trainign"], "USE_INVALID"),
        (["data/web", "--use", "x=evaluation"], "TARGET_UNKNOWN"),
        ([], "USAGE"),
    ],
)
def test_a_wrong_declaration_is_refused_and_changes_nothing(
    arguments: list[str], code: str, project: Path, cli: Cli
) -> None:
    before = cli("status", verb="status").document
    refused = cli("declare", *arguments, verb="error")
    assert (refused.status, refused.document["error"]["code"]) == (2, code)
    assert cli("status", verb="status").document == before


def test_a_grant_frees_inside_its_scope_until_withdrawn(project: Path, cli: Cli) -> None:
    scope = ["--provider", "openai", "--channel", "azure-openai", "--model", "seed-chat"]
    (grant,) = cli("grant", *scope, "--reference", "MS-117", verb="grant").document["grants"]
    passed = cli("check", "models:/seed-chat/1")
    assert passed.status == 0
    assert f"{grant['id']} frees this" in passed.out
    assert cli("check", "models:/seed-chat/1", "--model", "seed-other").status == 1
    listed = cli("grant", "--list").out
    assert grant["id"] in listed and "(approved by the one who recorded it)" in listed
    other = cli("grant", *scope, "--reference", "MS-118", "--approver", "Jo Park", verb="grant").document["grants"][0]
    assert "(recorded by " in cli("grant", "--list").out
    assert cli("grant", "--withdraw", other["id"]).status == 0
    withdrawn = cli("grant", "--withdraw", grant["id"], verb="grant").document["grants"]
    assert withdrawn[0]["withdrawn"] is True
    assert cli("check", "models:/seed-chat/1").status == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--provider", "openai"],
        ["--reference", "MS-117"],
        ["--provider", "openai", "--reference", "MS-117", "--until", "soon"],
        ["--list", "--provider", "openai"],
        ["--withdraw", "01HW0000000000000000000000"],
    ],
)
def test_a_wrong_grant_is_refused_and_changes_nothing(arguments: list[str], project: Path, cli: Cli) -> None:
    refused = cli("grant", *arguments, verb="error")
    assert refused.status == 2
    assert cli("grant", "--list", verb="grant").document["grants"] == []


def test_audit_of_nothing_registered(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "registries", ())
    assert cli("audit", verb="audit").document == {"versions": 0, "findings": []}


def test_policy_verbs(project: Path, cli: Cli) -> None:
    assert cli("policy", "test", verb="policy-test").document["failed"] == 0
    assert cli("policy", "check", verb="policy-check").document["mode"] == "enforce"
    (rule,) = cli("policy", "show", verb="policy-show").document["rules"]
    assert (rule["id"], rule["effect"]) == ("no-gpt", "deny")
    policy = project / "lineage.policy.yaml"
    policy.write_text(policy.read_text().replace("expect: deny", "expect: allow"))
    failed = cli("policy", "test")
    assert failed.status == 1
    assert "FAILED  gpt text is refused" in failed.out
    policy.write_text("mode: enforce\nruls: []\n")
    broken = cli("policy", "check")
    assert broken.status == 2
    assert "lineage.policy.yaml" in broken.err


def test_a_path_starts_from_where_one_stands(project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "data").mkdir()
    (project / "data" / "gpt4").write_text("x")
    monkeypatch.chdir(project / "data")
    assert cli("impact", "gpt4").status == 0
    assert cli("-C", str(project), "impact", "data/gpt4").status == 0


def test_the_shared_options_stand_before_or_after_the_verb(project: Path, cli: Cli, tmp_path: Path) -> None:
    before = cli("--format", "json", "status")
    assert before.document == cli("status", "--format", "json").document
    assert cli("status", "--store", "nowhere.db").status == 2
    (tmp_path / "other.yaml").write_text("mode: audit\ndefault: allow\n")
    assert "mode audit" in cli("policy", "check", "--policy", "other.yaml").out
    assert "mode audit" in cli("--policy", "other.yaml", "policy", "check").out


def test_labels_know_their_origin(project: Path) -> None:
    with Gate.open(start=project) as gate:
        labels = gate.labels(gate.resolve("models:/seed-chat/1")).labels
    assert GPT in {label.origin for label in labels}


def test_a_file_outside_of_pipelines_is_found_from_the_project(project: Path, cli: Cli) -> None:
    artifact = Artifact("file", str(project / "loose.csv"), Content("md5:" + "e" * 32, 400))
    with Gate.open(start=project) as gate:
        gate.record([dataset_event(artifact, time="2024-01-01T00:00:00Z")])
    assert cli("declare", "loose.csv", "--kind", "first-party").status == 0
    for name in ("loose.csv", str(project / "loose.csv")):
        assert "first-party" in cli("why", name).out


def test_the_clock_setting_is_read(project: Path, cli: Cli) -> None:
    settings = project / "lineage.toml"
    settings.write_text(settings.read_text() + "[ledger]\naccept_clock = 'yes'\n")
    assert cli("status", verb="error").document["error"]["code"] == "CONFIG_INVALID"
    settings.write_text(settings.read_text().replace("'yes'", "true"))
    assert cli("status").status == 0
