"""The checkpoint action on a real project: what was validated, by content, and what makes a success none."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import great_expectations as gx
import pytest

import lineage_gx
from lineage.cli.group import run
from lineage_gx import ExpectColumnOriginToBeDeclared, ExpectDatasetLabelsWithin
from lineage_gx.__main__ import main
from tests.integrations.gx.team import TICKETS, Team, not_null, problems


def test_a_success_is_tied_to_the_dvc_output(team: Team) -> None:
    result = team.checkpoint(team.data("tickets"), not_null(), evidence="reports/quality.json").run()
    assert result.success and problems(result) == []
    (event,) = team.events()
    (dataset,) = event["inputs"]
    assert (dataset["namespace"], dataset["name"]) == ("dvc://demo", "data/tickets.csv")
    assert (
        event["eventType"] == "COMPLETE"
        and event["job"]["name"] == "nightly/nightly-tickets"
        and "outputs" not in event
    )
    facets = dataset["inputFacets"]
    assert facets["dataQualityAssertions"]["assertions"] == [
        {"assertion": "expect_column_values_to_not_be_null", "success": True, "column": "text", "severity": "critical"}
    ]
    assert facets["dataQualityMetrics"]["rowCount"] == 2
    assert facets["dataQualityMetrics"]["bytes"] == len(TICKETS)
    evidence = json.loads((team.root / "reports/quality.json").read_text())
    (validation,) = evidence["validations"]
    assert evidence["success"] and validation["inputs"][0]["content"] == dataset["facets"]["lineage_content"]["hash"]
    assert validation["inputs"][0]["recorded"]


def test_a_part_of_a_file(team: Team) -> None:
    files = team.context.data_sources.get("files")
    asset = files.add_csv_asset("some", nrows=1)
    result = team.checkpoint(asset.add_batch_definition_path("first", path="tickets.csv"), not_null()).run()
    assert not result.success and "was not read as it is: nrows" in problems(result)[0]
    assert "rowCount" not in team.events()[0]["inputs"][0]["inputFacets"]["dataQualityMetrics"]


@pytest.mark.parametrize("options", [{"names": ["a", "text"], "header": 0}, {"quotechar": "a"}])
def test_a_file_under_other_names(team: Team, options: dict[str, Any]) -> None:
    """What is called `text` is another column then."""
    asset = team.context.data_sources.get("files").add_csv_asset("other", **options)
    result = team.checkpoint(asset.add_batch_definition_path("first", path="tickets.csv"), not_null()).run()
    assert not result.success and "was not read as it is" in problems(result)[0]


def test_a_query_is_not_its_database(team: Team) -> None:
    with closing(sqlite3.connect(team.root / "data.db")) as connection:
        connection.execute("CREATE TABLE answers (text TEXT)")
        connection.commit()
    source = team.context.data_sources.add_sqlite("lite", connection_string=f"sqlite:///{team.root}/data.db")
    asset = source.add_query_asset("nothing", query="SELECT 'a harmless word' AS text")
    result = team.checkpoint(asset.add_batch_definition_whole_table("all"), not_null()).run()
    assert not result.success and "was not read as it is: query" in problems(result)[0]


def test_a_failure_is_recorded_as_one(team: Team) -> None:
    team.repo.write("data/tickets.csv", "text,origin\n,first-party\na,\n")
    result = team.checkpoint(team.data("tickets"), not_null(), evidence="quality.json").run()
    assert not result.success
    assert team.events()[0]["eventType"] == "FAIL"
    assert not json.loads((team.root / "quality.json").read_text())["success"]


def test_success_never_clears_a_label(team: Team) -> None:
    before = team.labels("data/gpt4.csv")
    assert team.checkpoint(team.data("gpt4"), not_null()).run().success
    assert team.labels("data/gpt4.csv") == before == {("third-party-model-output", "content")}
    with team.gate() as gate:
        assert gate.check("data/gpt4.csv").outcome.value != "allow"


def test_only_the_last_of_several_files_was_validated(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("months"), not_null())
    result = checkpoint.run()
    assert not result.success
    assert "2024-01.csv" in problems(result)[0] and "2024-02.csv" not in problems(result)[0]
    assert team.events()[0]["eventType"] == "FAIL"


def test_the_file_that_was_asked_for_is_all_there_is(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("months"), not_null())
    assert checkpoint.run(batch_parameters={"year": 2024, "month": 1}).success
    (event,) = team.events()
    assert event["inputs"][0]["name"] == "data/months/2024-01.csv"


class Rewriting(ExpectColumnOriginToBeDeclared):
    """Changes the file while it is validated, and gives it back its size and time of change."""

    def _found(self, metrics: dict[str, Any], execution_engine: Any) -> tuple[str, dict[str, Any]]:
        path = Path("data/tickets.csv")
        stat = path.stat()
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b"bill", b"BILL"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return super()._found(metrics, execution_engine)


def test_a_file_that_changes_meanwhile(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("tickets"), Rewriting(column="origin", origins=["first-party"]))
    result = checkpoint.run()
    assert not result.success and "changed while it was validated" in problems(result)[0]


def test_a_suite_that_lost_an_expectation(team: Team) -> None:
    team.checkpoint(team.data("tickets"), not_null(), not_null().copy(update={"column": "origin"}))
    file = team.root / "gx/expectations/nightly-suite.json"
    suite = json.loads(file.read_text())
    suite["expectations"][1]["type"] = "expect_what_nobody_imported"
    file.write_text(json.dumps(suite))
    again = Team(team.root)
    checkpoint = again.context.checkpoints.get("nightly")
    assert len(checkpoint.validation_definitions[0].suite.expectations) == 1  # what Great Expectations leaves of it
    result = checkpoint.run()
    assert not result.success and "expect_what_nobody_imported" in problems(result)[0]
    (notice,) = lineage_gx.check(again.context)
    assert notice.code == "SUITE_INCOMPLETE" and "expect_what_nobody_imported" in notice.message


def test_an_expectation_that_somebody_took_out(team: Team) -> None:
    kept = ["expect_dataset_labels_within"]
    checkpoint = team.checkpoint(
        team.data("tickets"), not_null(), ExpectDatasetLabelsWithin(origins=["first-party"]), requires=kept
    )
    assert checkpoint.run().success
    suite = team.context.suites.get("nightly-suite")
    suite.delete_expectation(suite.expectations[1])
    result = Team(team.root).context.checkpoints.get("nightly").run()
    assert not result.success and "expect_dataset_labels_within was not evaluated" in problems(result)[0]


def test_a_suite_without_expectations(team: Team) -> None:
    result = team.checkpoint(team.data("tickets")).run()
    assert not result.success and "expects nothing" in problems(result)[0]


def test_no_ledger_loses_no_result_and_is_no_success(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("tickets"), not_null(), evidence="quality.json")
    (team.root / "lineage.toml").unlink()
    result = checkpoint.run()
    (held,) = result.run_results.values()
    assert not result.success and held.statistics["evaluated_expectations"] == 1
    assert any("lineage.toml" in problem for problem in problems(result))
    assert not (team.root / "quality.json").exists()
    stored = team.context.validation_results_store.get(next(iter(result.run_results)))
    assert not stored.success and stored.meta["lineage"]["problems"]


def test_evidence_that_cannot_be_written(team: Team) -> None:
    team.repo.write("reports", "a file where a directory is wanted")
    result = team.checkpoint(team.data("tickets"), not_null(), evidence="reports/quality.json").run()
    assert not result.success and "cannot be written" in problems(result)[0]


def test_data_docs_show_the_refusal(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("months"), not_null())
    checkpoint.actions = [gx.checkpoint.UpdateDataDocsAction(name="docs"), *checkpoint.actions]
    checkpoint.save()
    assert not checkpoint.run().success
    pages = [p.read_text() for p in (team.root / "gx/uncommitted/data_docs").rglob("validations/**/*.html")]
    assert pages and all("Failed" in page for page in pages)


def test_a_file_that_nobody_tracks(team: Team) -> None:
    team.repo.write("data/loose.csv", "text,origin\nNobody tracks this line,first-party\n")
    asset = team.context.data_sources.get("files").get_asset("tables")
    result = team.checkpoint(
        asset.add_batch_definition_path("loose", path="loose.csv"), not_null(), evidence="quality.json"
    ).run()
    assert result.success  # it says what it says: of a content that nobody declared
    (checked,) = json.loads((team.root / "quality.json").read_text())["validations"][0]["inputs"]
    assert not checked["recorded"] and checked["content"].startswith("md5:")
    with team.gate() as gate:
        assert {label.origin.kind.value for label in gate.labels(gate.known_content(checked["content"])).labels} == {
            "undeclared"
        }


def test_the_checkpoint_is_read_from_disk(team: Team) -> None:
    team.checkpoint(team.data("tickets"), not_null(), evidence="quality.json", requires=["expect_column_to_exist"])
    (action,) = Team(team.root).context.checkpoints.get("nightly").actions
    assert isinstance(action, lineage_gx.LineageAction)
    assert action.evidence == "quality.json" and action.requires == ["expect_column_to_exist"]


def test_not_run_by_its_checkpoint(team: Team) -> None:
    checkpoint = team.checkpoint(team.data("tickets"), not_null())
    result = checkpoint.run()
    said = checkpoint.actions[0].run(result)
    assert not said["success"] and not result.success and "nothing was hashed before" in said["problems"][0]


def test_hostile_names(team: Team) -> None:
    hostile = "<script>alert(1)</script>\u202e\n" + "x" * 2000
    checkpoint = team.checkpoint(team.data("tickets"), not_null(), requires=[hostile])
    checkpoint.actions = [gx.checkpoint.UpdateDataDocsAction(name="docs"), *checkpoint.actions]
    checkpoint.save()
    assert "\\u202e\\n" in problems(checkpoint.run())[0]
    for page in (team.root / "gx/uncommitted/data_docs").rglob("*.html"):
        assert "<script>alert(1)" not in page.read_text()


def test_the_check_for_ci(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team.checkpoint(team.data("tickets"), not_null())
    assert main(["."]) == 0
    file = team.root / "gx/expectations/nightly-suite.json"
    file.write_text(file.read_text().replace("expect_column_values_to_not_be_null", "expect_\\u202e_nothing"))
    assert main([".", "json"]) == 1
    assert "SUITE_INCOMPLETE  nightly-suite" in capsys.readouterr().out
    assert run(["doctor"]) == 1
    assert "SUITE_INCOMPLETE" in capsys.readouterr().out
    assert main([".", "no_such_module"]) == 2
    assert main(["nowhere"]) == 2 and not (team.root / "nowhere").exists()
