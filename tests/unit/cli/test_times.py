"""``--as-of`` and ``--known-at``: what was true then, what had been recorded by then (law 11)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lineage.events import dataset_event
from lineage.gate import Gate
from lineage.vocabulary import Change, Happening, Input, Tag, Use
from tests.unit.cli.conftest import GPT, OWN, Cli, dataset, model, stage


@pytest.fixture
def registered(project: Path) -> Path:
    """seed-web/2 was made and registered from undeclared text; after that the text was declared to be GPT's."""
    with Gate.open(start=project) as gate:
        second = model("seed-web", 2, "8")
        gate.record([stage("train-web-2", [Input(dataset("data/web", "3"))], [second])])
        gate.judge(
            gate.resolve("models:/seed-web/2"), model="seed-web", subject="models:/seed-web/2", action="register"
        )
        gate.changed(Change("seed-web", Happening.CREATED, "2", by="Lin"))
        gate.record([dataset_event(dataset("data/web", "3", GPT), time=datetime.now(timezone.utc).isoformat())])
    return project


def providers(document: dict) -> set[str]:  # type: ignore[type-arg]
    return {label["origin"].get("provider", label["origin"]["kind"]) for label in document["labels"]}


def test_what_was_known_when_it_was_registered(registered: Path, cli: Cli) -> None:
    now = cli("why", "models:/seed-web/2", verb="why").document
    assert (providers(now), now["asOf"], now["knownAt"]) == ({"openai"}, "", "")
    then = cli("why", "models:/seed-web/2", "--known-at", "models:/seed-web/2", verb="why").document
    assert providers(then) == {"undeclared"}
    assert then["knownAt"] and then["position"] < now["position"]
    text = cli("why", "models:/seed-web/2", "--known-at", "models:/seed-web/2").out
    assert text.splitlines()[0].endswith(f"(by what had been recorded at {then['knownAt']}).")
    with Gate.open(start=registered) as gate:
        (decision,) = gate.decisions("seed-web")
    by_decision = cli("why", "models:/seed-web/2", "--known-at", decision.id.lower(), verb="why").document
    assert providers(by_decision) == {"undeclared"}
    assert providers(cli("why", "models:/seed-web/2", "--as-of", decision.id, verb="why").document) == {"undeclared"}


def test_the_verdict_is_that_of_the_policy_of_then(registered: Path, cli: Cli) -> None:
    then = datetime.now(timezone.utc).isoformat()
    policy = registered / "lineage.policy.yaml"
    policy.write_text(
        policy.read_text().replace("effect: deny", "effect: warn").replace("expect: deny", "expect: warn")
    )
    assert cli("check", "models:/seed-web/2").status == 0
    for option in ("--as-of", "--known-at"):
        refused = cli("check", "models:/seed-web/2", option, then, verb="check")
        assert (refused.status, refused.document["findings"][0]["rule"]) == (1, "no-gpt")
        assert refused.document["time"] == then
        assert refused.document[{"--as-of": "asOf", "--known-at": "knownAt"}[option]] == then
    other = cli("check", "models:/seed-web/2", "--as-of", then, "--policy", "lineage.policy.yaml")
    assert other.status == 0
    assert f"(as of {then})" in other.out.splitlines()[0]


def test_before_a_policy_was_recorded_the_verdict_is_not_known(registered: Path, cli: Cli) -> None:
    unknown = cli("check", "models:/seed-chat/1", "--as-of", "2023-05-01", verb="error")
    assert (unknown.status, unknown.document["error"]["code"]) == (3, "POLICY_UNKNOWN")
    assert "--policy FILE" in unknown.document["error"]["hint"]
    assert cli("check", "models:/seed-chat/1", "--as-of", "2023-05-01", "--policy", "lineage.policy.yaml").status == 1


def test_grants_of_then(registered: Path, cli: Cli) -> None:
    before = datetime.now(timezone.utc).isoformat()
    scope = ["--provider", "openai", "--model", "seed-web"]
    cli("grant", *scope, "--reference", "MS-117")
    assert cli("check", "models:/seed-web/2").status == 0
    assert cli("check", "models:/seed-web/2", "--as-of", before).status == 1
    assert cli("grant", "--list", "--as-of", before, verb="grant").document["grants"] == []
    assert cli("grant", "--list", "--known-at", before).out.startswith("No grant was ever made (by what had been")
    assert cli("grant", *scope, "--reference", "x", "--as-of", before).status == 2


def test_status_of_then(registered: Path, cli: Cli) -> None:
    now = cli("status", verb="status").document["status"]
    then = cli("status", "--known-at", "models:/seed-web/2", verb="status").document
    assert then["status"]["undeclared"] == now["undeclared"] + 1
    assert then["status"]["commits"] is None
    assert "The ledger held (by what had been recorded" in cli("status", "--known-at", "models:/seed-web/2").out


def test_names_are_those_of_then(registered: Path, cli: Cli) -> None:
    then = datetime.now(timezone.utc).isoformat()
    with Gate.open(start=registered) as gate:
        gate.record(
            [
                dataset_event(dataset("data/clean", "b", OWN), time=datetime.now(timezone.utc).isoformat()),
                stage("train-3", [Input(dataset("data/gpt4", "1"), Use.FINE_TUNING)], [model("seed-chat", 3, "c")]),
            ]
        )
    assert cli("why", "data/clean", verb="why").document["artifact"]["content"] == "md5:" + "b" * 32
    past = cli("why", "data/clean", "--known-at", then, verb="why").document
    assert past["artifact"]["content"] == "md5:" + "4" * 32
    several = cli("why", "models:/seed-chat", verb="error").document["error"]
    assert (several["code"], several["cause"]) == ("MODEL_AMBIGUOUS", "models:/seed-chat/1, models:/seed-chat/3")
    newest = cli("why", "models:/seed-chat", "--known-at", then, verb="why").document
    assert newest["artifact"]["display"] == "models:/seed-chat/1"
    gone = cli("why", "models:/seed-chat/3", "--known-at", then, verb="error").document["error"]
    assert gone["code"] == "ARTIFACT_UNKNOWN"
    assert then in gone["message"]
    assert cli("why", "md5:" + "4" * 32, "--known-at", then).status == 0
    with Gate.open(start=registered) as gate, gate.at(known_at=then) as past_gate:
        found = past_gate.impact(past_gate.resolve("data/gpt4"))
        assert [i.artifact.name for i in found.items][:2] == ["models/seed-chat/1", "models/seed-own/1"]
        assert past_gate.graph.status().models == 4


@pytest.mark.parametrize("option", ["--as-of", "--known-at"])
@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("tomorrow", "TIME_INVALID"),
        ("2024-05-01T12:00:00", "TIME_INVALID"),
        ("2024-13-01", "TIME_INVALID"),
        ("9999-01-01", "TIME_INVALID"),
        ("models:/nobody/1", "TIME_UNKNOWN"),
        ("01HW0000000000000000000000", "TIME_UNKNOWN"),
    ],
)
def test_a_wrong_time_is_refused(option: str, when: str, code: str, project: Path, cli: Cli) -> None:
    refused = cli("why", "models:/seed-chat/1", option, when, verb="error")
    assert refused.document["error"]["code"] == code
    assert refused.status == (3 if code == "TIME_UNKNOWN" else 2)


def test_before_the_first_entry(project: Path, cli: Cli) -> None:
    early = cli("why", "models:/seed-chat/1", "--known-at", "2020-01-01", verb="error").document["error"]
    assert early["code"] == "NOTHING_RECORDED"
    assert cli("why", "models:/seed-chat/1", "--as-of", "2020-01-01", verb="error").document["error"]["code"] == (
        "ARTIFACT_UNKNOWN"
    )


def test_today_is_a_day_that_is_not_over(project: Path, cli: Cli) -> None:
    today = datetime.now(timezone.utc)
    if (today + timedelta(minutes=2)).date() == today.date():
        assert cli("why", "models:/seed-chat/1", "--as-of", today.date().isoformat()).status == 0


def test_a_tag_that_happened_before_and_was_recorded_later(project: Path, cli: Cli) -> None:
    """Both times at once: true in March, recorded today."""
    before = datetime.now(timezone.utc).isoformat()
    tagged = dataset("data/web", "3")
    with Gate.open(start=project) as gate:
        said = type(tagged)(tagged.namespace, tagged.name, tagged.content, tags=(Tag(GPT, by="Lin"),))
        gate.record([dataset_event(said, time="2023-03-05T00:00:00Z")])
    for times, expected in (
        ((), {"openai"}),
        (("--as-of", "2023-03-31"), {"openai"}),
        (("--as-of", "2023-03-04"), {"undeclared"}),
        (("--as-of", "2023-03-31", "--known-at", before), {"undeclared"}),
    ):
        assert providers(cli("why", "models:/seed-web/1", *times, verb="why").document) == expected
