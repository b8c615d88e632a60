"""The expectations on real batches: every false pass of Great Expectations that is known, and what is right."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy
import pandas
import pytest
import sqlalchemy
from great_expectations.compatibility import pydantic

from lineage_gx import ExpectColumnOriginToBeDeclared, ExpectDatasetLabelsWithin, ExpectNoRecordsOfRestrictedOrigin
from tests.integrations.gx.team import CLEAN, FEBRUARY, GPT, RESTRICTED, TICKETS, Team, not_null

Validate = Callable[[dict[str, list[Any]], Any], Any]
Table = dict[str, list[Any]]


def frame(values: Table) -> Any:
    """A batch of a frame of pandas, in no project at all."""
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": pandas.DataFrame(values)})


def table(connection: str, values: Table, **options: Any) -> Any:
    """A batch of a table in a database."""
    engine = sqlalchemy.create_engine(connection, **options)
    with engine.begin() as open_:
        columns = ", ".join(f"{name} TEXT" for name in values)
        open_.exec_driver_sql(f"CREATE TABLE records ({columns})")
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        if rows:
            named = ", ".join(f":{name}" for name in values)
            open_.execute(sqlalchemy.text(f"INSERT INTO records VALUES ({named})"), rows)
    engine.dispose()
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_sql("base", connection_string=connection, kwargs=options)
    return asset.add_table_asset("records", table_name="records").add_batch_definition_whole_table("all").get_batch()


@pytest.fixture(params=["pandas", "sqlite", "postgresql"])
def batch(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Table], Any]:
    """Makes a batch, on each engine."""
    if request.param == "pandas":
        return frame
    if request.param == "sqlite":
        return lambda values: table(f"sqlite:///{tmp_path}/records.db", values)
    url = sqlalchemy.make_url(request.getfixturevalue("postgres_url"))
    socket = f"{url.query['host']}/.s.PGSQL.5432"
    connection = f"postgresql+pg8000://postgres@localhost/{url.database}"
    return lambda values: table(connection, values, connect_args={"unix_sock": socket})


DECLARED = ExpectColumnOriginToBeDeclared(column="origin", origins=["first-party", "licensed/Acme", "openai"])


def test_declared_origins(batch: Callable[[Table], Any]) -> None:
    result = batch({"origin": ["first-party", " First_Party ", "LICENSED / acme", "Open AI", "OpenAI"]}).validate(
        DECLARED
    )
    assert result.success, result
    assert result.result["details"]["origins"] == ["first-party", "licensed/acme", "openai"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "the batch is empty"),
        ([None, None], "2 of 2 rows say nothing"),
        (["first-party", None], "1 of 2 rows say nothing"),
        (["first-party", "  "], "1 of 2 rows say nothing"),
        (["first-party", "Third-Party-Model "], "1 say something that is not declared"),
        (["first-party", "licensed/other"], "1 say something that is not declared"),
        (["first-party", "undeclared"], "1 say something that is not declared"),
        (["first-party/", "first-party"], "1 say something that is not declared"),
    ],
)
def test_what_is_not_declared(batch: Callable[[Table], Any], values: list[Any], said: str) -> None:
    result = batch({"origin": values}).validate(DECLARED)
    assert not result.success and said in result.result["observed_value"]


def test_great_expectations_own_passes_what_ours_does_not(batch: Callable[[Table], Any]) -> None:
    theirs = gxe.ExpectColumnValuesToNotBeInSet(column="origin", value_set=["third-party-model-output"])
    made = batch({"origin": [None, "Third-Party-Model-Output "]})
    assert made.validate(theirs).success and not made.validate(DECLARED).success


def test_a_column_that_is_not_there() -> None:
    result = frame({"text": ["a"]}).validate(DECLARED)
    assert not result.success and result.exception_info


def test_categories_and_numbers() -> None:
    some = pandas.Series(["first-party"], dtype=pandas.CategoricalDtype(["first-party", "openai", "x"]))
    assert frame({"origin": some}).validate(DECLARED).success
    assert not frame({"origin": [1, 2]}).validate(DECLARED).success
    assert not frame({"origin": ["first-party", 3]}).validate(DECLARED).success


@pytest.mark.parametrize(
    "weaker",
    [
        {"mostly": 0.5},
        {"row_condition": 'col("origin") == "first-party"', "condition_parser": "great_expectations"},
        {"origins": []},
        {"origins": ["undeclared"]},
        {"origins": ["what-ever/acme"]},
        {"origins": ["licensed/"]},
        {"origins": [" "]},
        {"column": ""},
    ],
)
def test_it_cannot_be_weakened(weaker: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        ExpectColumnOriginToBeDeclared(**{"column": "origin", "origins": ["first-party"], **weaker})


def test_a_suite_that_was_weakened_on_disk_does_not_run(team: Team) -> None:
    team.checkpoint(team.data("tickets"), DECLARED.copy())
    file = team.root / "gx/expectations/nightly-suite.json"
    suite = json.loads(file.read_text())
    suite["expectations"][0]["kwargs"]["mostly"] = 0.1
    file.write_text(json.dumps(suite))
    with pytest.raises(Exception, match="mostly"):
        Team(team.root).context.checkpoints.get("nightly").run()


def test_suites_survive_the_disk_with_their_defaults(team: Team) -> None:
    every = [
        DECLARED.copy(),
        ExpectDatasetLabelsWithin(origins=["first-party"]),
        ExpectDatasetLabelsWithin(origins=["first-party"], uses=["content", "annotation"]),
        ExpectNoRecordsOfRestrictedOrigin(column="text"),
    ]
    team.checkpoint(team.data("tickets"), *every)
    loaded = Team(team.root).context.suites.get("nightly-suite").expectations
    assert [type(e) for e in loaded] == [type(e) for e in every]
    assert [e.configuration.kwargs for e in loaded] == [e.configuration.kwargs for e in every]
    assert loaded[2].uses == ["content", "annotation"]


def test_uses_are_uses() -> None:
    with pytest.raises(pydantic.ValidationError):
        ExpectDatasetLabelsWithin(origins=["first-party"], uses=["fun"])
    with pytest.raises(pydantic.ValidationError):
        ExpectDatasetLabelsWithin(origins=["first-party"], uses=[])


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "within", "success", "said"),
    [
        ("tickets", {"origins": ["first-party"]}, True, "all within"),
        ("tickets", {"origins": ["first-party"], "uses": ["content"]}, True, "all within"),
        ("tickets", {"origins": ["licensed"]}, False, "lie outside"),
        ("tickets", {"origins": ["first-party"], "uses": ["evaluation"]}, False, "lie outside"),
        ("gpt4", {"origins": ["first-party"]}, False, "1 of 1 labels lie outside"),
        ("gpt4", {"origins": ["OpenAI"]}, True, "all within"),
        ("gpt4", {"origins": ["third-party-model-output/anthropic"]}, False, "lie outside"),
        ("nobody", {"origins": ["first-party", "openai"]}, False, "lie outside"),
    ],
)
def test_labels(team: Team, name: str, within: dict[str, Any], success: bool, said: str) -> None:
    result = team.data(name).get_batch().validate(ExpectDatasetLabelsWithin(**within))
    assert result.success is success and said in result.result["observed_value"], result


def test_a_file_of_a_tracked_directory_and_a_copy(team: Team) -> None:
    within = ExpectDatasetLabelsWithin(origins=["first-party"])
    assert team.data("months").get_batch({"year": 2024, "month": 2}).validate(within).success
    team.repo.write("elsewhere/copy.csv", FEBRUARY)
    files = team.context.data_sources.add_pandas_filesystem("other", base_directory=Path("elsewhere"))
    copy = files.add_csv_asset("copies").add_batch_definition_path("copy", path="copy.csv")
    assert copy.get_batch().validate(within).success
    team.repo.write("elsewhere/copy.csv", FEBRUARY + "and a line that nobody knows of,first-party\n")
    result = copy.get_batch().validate(within)
    assert not result.success and result.result["details"]["code"] == "ARTIFACT_UNKNOWN"


def test_a_file_that_pandas_reads_by_itself(team: Team) -> None:
    asset = team.context.data_sources.add_pandas("by-hand").add_csv_asset("one", filepath_or_buffer="data/gpt4.csv")
    data = asset.add_batch_definition("whole")
    assert not data.get_batch().validate(ExpectDatasetLabelsWithin(origins=["first-party"])).success
    assert data.get_batch().validate(ExpectDatasetLabelsWithin(origins=["openai"])).success


def test_what_has_no_content_cannot_be_looked_up(team: Team) -> None:
    result = frame({"text": ["a"]}).validate(ExpectDatasetLabelsWithin(origins=["first-party"]))
    assert not result.success and result.result["details"]["code"] == "CONTENT_UNKNOWN"


def test_a_database_file_is_content(team: Team) -> None:
    batch = table(f"sqlite:///{team.root}/data/base.db", {"text": ["a"]})
    team.repo.dvc("add", "-q", "data/base.db")
    within = ExpectDatasetLabelsWithin(origins=["first-party"])
    assert "undeclared" in str(batch.validate(within).result["details"]["labels"])
    with team.gate() as gate:
        gate.declare("data/base.db.dvc", origin=GPT, reason="known")
    assert "openai" in str(batch.validate(within).result["details"]["labels"])


def test_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = frame({"text": ["a"]}).validate(ExpectDatasetLabelsWithin(origins=["first-party"]))
    assert not result.success and result.result["details"]["code"] == "CONFIG_MISSING"


# -- records -----------------------------------------------------------------------------------------------------------

NONE = ExpectNoRecordsOfRestrictedOrigin(column="text")


def test_records_of_a_restricted_origin(indexed: Team, batch: Callable[[Table], Any]) -> None:
    assert batch({"text": CLEAN}).validate(NONE).success


def test_records_that_are_there(indexed: Team, batch: Callable[[Table], Any]) -> None:
    masked = RESTRICTED[0].upper().replace(" ", "  ").replace(",", ";")
    result = batch({"text": [CLEAN[0], masked, *CLEAN[1:], f"<|user|> {RESTRICTED[1]} <|end|>"]}).validate(NONE)
    assert not result.success
    details = result.result["details"]
    assert details["matched"] == 2 and details["sources"] == ["data/answers.jsonl: 2"]
    assert details.get("positions", ["2", "5"]) == ["2", "5"]
    assert "garden" not in json.dumps(result.to_json_dict()).lower()  # never the text


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "the batch is empty"),
        ([None, None], "2 of 2 rows hold no text"),
        ([CLEAN[0], None], "1 of 2 rows hold no text"),
        (["ok", "yes"], "none of 2 texts is long enough"),
    ],
)
def test_records_that_say_nothing(indexed: Team, batch: Callable[[Table], Any], texts: list[Any], said: str) -> None:
    result = batch({"text": texts}).validate(NONE)
    assert not result.success and said in result.result["observed_value"]


def test_texts_in_structures(indexed: Team) -> None:
    chat = [{"role": "user", "content": CLEAN[0]}, {"role": "assistant", "content": RESTRICTED[2]}]
    assert not frame({"text": [chat, CLEAN[1]]}).validate(NONE).success
    assert not frame({"text": [CLEAN[1], RESTRICTED[2].encode()]}).validate(NONE).success
    assert frame({"text": [[{"content": CLEAN[0]}], CLEAN[1]]}).validate(NONE).success


def test_texts_in_disguise(indexed: Team) -> None:
    coded = base64.b64encode(RESTRICTED[2].encode()).decode()
    arrays = numpy.array([{"content": numpy.array([RESTRICTED[2]])}], dtype=object)
    words = [word for text in RESTRICTED for word in text.split()]
    for texts in (
        [CLEAN[0], coded],
        [CLEAN[0], arrays],
        [CLEAN[0], json.dumps({"a": RESTRICTED[2]})],
        [*CLEAN, *words],
    ):
        assert not frame({"text": texts}).validate(NONE).success
    for unread in (list(RESTRICTED[2].encode()), gzip.compress(RESTRICTED[2].encode())):
        result = frame({"text": [CLEAN[0], unread]}).validate(NONE)
        assert not result.success and result.result["details"]["code"] == "CONTENT_UNREADABLE"


@pytest.mark.parametrize("form", ["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"])
def test_no_form_of_result_passes_or_tells_the_text(indexed: Team, form: str) -> None:
    result = frame({"text": [CLEAN[0], RESTRICTED[2]]}).validate(NONE, result_format=form)
    assert not result.success and "garden" not in json.dumps(result.to_json_dict()).lower()


def test_an_index_that_is_not_whole(indexed: Team) -> None:
    indexed.repo.add("data/more.jsonl", "".join(json.dumps({"text": text + " again"}) + "\n" for text in RESTRICTED))
    with indexed.gate() as gate:
        gate.declare("data/more.jsonl.dvc", origin=GPT, reason="known")
    result = frame({"text": CLEAN}).validate(NONE)
    assert not result.success and result.result["details"]["code"] == "CONTENT_NOT_INDEXED"
    assert "data/more.jsonl" in result.result["details"]["cause"]


def test_a_damaged_index(indexed: Team) -> None:
    for file in (indexed.root / ".lineage/content").glob("*.lgc"):
        file.chmod(0o644)
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert not frame({"text": CLEAN}).validate(NONE).success


# -- Data Docs ---------------------------------------------------------------------------------------------------------


def test_data_docs(team: Team) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    team.repo.write("data/tickets.csv", TICKETS + f"some text,{hostile}\n")
    expectations = [
        DECLARED.copy(),
        ExpectDatasetLabelsWithin(origins=["first-party", hostile], uses=["content"]),
        ExpectNoRecordsOfRestrictedOrigin(column="text"),
    ]
    checkpoint = team.checkpoint(team.data("tickets"), *expectations, not_null())
    checkpoint.actions = [gx.checkpoint.UpdateDataDocsAction(name="docs"), *checkpoint.actions]
    checkpoint.save()
    checkpoint.run()
    site = team.root / "gx/uncommitted/data_docs/local_site"
    (validation,) = [p.read_text() for p in site.rglob("validations/**/*.html")]
    (suite,) = [p.read_text() for p in site.rglob("expectations/*.html")]
    for page in (validation, suite):
        assert "declares an origin in every row, one of:" in page
        assert "stems from nothing but" in page and "equals or resembles a record of a restricted source" in page
        assert hostile not in page
    assert "0 of 3 rows say nothing, 1 say something that is not declared" in validation
