"""Our expectations and the action on Spark: what is right, and every false pass that frames of Spark would allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import great_expectations as gx
import pytest

from lineage_gx import ExpectColumnOriginToBeDeclared, ExpectDatasetLabelsWithin, ExpectNoRecordsOfRestrictedOrigin
from tests.integrations.gx.team import CLEAN, RESTRICTED, Team, not_null, problems

NONE = ExpectNoRecordsOfRestrictedOrigin(column="text")
DECLARED = ExpectColumnOriginToBeDeclared(column="origin", origins=["first-party"])


@pytest.fixture
def batch(spark: Any) -> Callable[[list[Any], str], Any]:
    """A batch of a frame of Spark with one column."""
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_spark("s").add_dataframe_asset("a")
    whole = asset.add_batch_definition_whole_dataframe("w")

    def made(values: list[Any], column: str) -> Any:
        return whole.get_batch({"dataframe": spark.createDataFrame([(v,) for v in values], f"{column} string")})

    return made


def test_restricted_records(indexed: Team, batch: Callable[[list[Any], str], Any]) -> None:
    assert batch(CLEAN, "text").validate(NONE).success
    found = batch([CLEAN[0], RESTRICTED[0].upper(), RESTRICTED[1].replace("roses", "[FLOWER]")], "text").validate(NONE)
    assert not found.success
    assert found.result["details"]["matched"] == 2
    assert "positions" not in found.result["details"]  # rows of Spark have no order
    assert RESTRICTED[0][:30] not in str(found)
    for values in ([], [None], [CLEAN[0], None], ["ok", "yes"]):
        assert not batch(values, "text").validate(NONE).success, values


def test_structures_hold_text(indexed: Team, spark: Any) -> None:
    """A record inside of an array or a structure is found."""
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_spark("s").add_dataframe_asset("a")
    whole = asset.add_batch_definition_whole_dataframe("w")
    for kind, value in (
        ("array<struct<role: string, content: string>>", [("user", "hello"), ("assistant", RESTRICTED[2])]),
        ("struct<a: string, b: string>", ("x", RESTRICTED[2])),
        ("map<string, string>", {"answer": RESTRICTED[2]}),
    ):
        frame = spark.createDataFrame([(value,)], f"text {kind}")
        assert not whole.get_batch({"dataframe": frame}).validate(NONE).success, kind


def test_declared_origins(indexed: Team, batch: Callable[[list[Any], str], Any]) -> None:
    assert batch(["first-party", " First_Party"], "origin").validate(DECLARED).success
    for values in (["first-party", "x"], [None], ["first-party", None], []):
        assert not batch(values, "origin").validate(DECLARED).success, values


def test_files_read_by_spark_are_tied_to_their_content(indexed: Team, spark: Any) -> None:
    files = indexed.context.data_sources.add_spark_filesystem("sp", base_directory=indexed.root / "data")
    one = files.add_csv_asset("one", header=True).add_batch_definition_path("t", path="tickets.csv")
    within = ExpectDatasetLabelsWithin(origins=["first-party"])
    assert one.get_batch().validate(within).success
    assert not one.get_batch().validate(ExpectDatasetLabelsWithin(origins=["licensed"])).success
    other = files.add_csv_asset("other", header=True).add_batch_definition_path("g", path="gpt4.csv")
    assert not other.get_batch().validate(within).success
    months = files.add_directory_csv_asset("dir", data_directory="months", header=True)
    whole = months.add_batch_definition_whole_directory("all")
    assert whole.get_batch().validate(within).success
    result = indexed.checkpoint(whole, not_null(), evidence="q.json").run()
    assert (result.success, problems(result)) == (True, [])
    assert indexed.events()[0]["inputs"][0]["name"] == "data/months"
    result = indexed.checkpoint(one, not_null(), name="second").run()
    assert (result.success, problems(result)) == (True, [])
    assert {event["inputs"][0]["name"] for event in indexed.events()} == {"data/months", "data/tickets.csv"}
