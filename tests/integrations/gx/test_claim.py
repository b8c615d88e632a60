"""A validation as evidence that an origin was taken out: two people narrow a label, the validation alone does not."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from lineage.errors import UsageError
from lineage.gate import Gate
from lineage.gate.removal import approve_removal, claim_removal
from lineage_gx import ExpectNoRecordsOfRestrictedOrigin
from tests.integrations.gx.team import CLEAN, GPT, RESTRICTED, Team, not_null

STAGES = """\
stages:
  scrub:
    cmd: python src/scrub.py
    deps: [src/scrub.py, data/answers.jsonl, data/mine.csv]
    outs: [data/scrubbed.csv]
"""


def table(texts: list[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([["text"], *([text] for text in texts)])
    return stream.getvalue()


def scrub(team: Team, more: str) -> None:
    """Run the stage; without anything more its output would have its source's content."""
    data = table([*CLEAN, more])
    team.repo.write("src/scrub.py", f"open('data/scrubbed.csv', 'w').write({data!r})\n")
    team.repo.dvc("repro", "-q")


@pytest.fixture
def scrubbed(indexed: Team) -> Team:
    """A stage that reads the answers and what is clean, and is said to write the clean alone."""
    indexed.repo.add("data/mine.csv", table(CLEAN))
    indexed.repo.write("dvc.yaml", STAGES)
    scrub(indexed, "the end")
    asset = indexed.context.data_sources.get("files").get_asset("tables")
    asset.add_batch_definition_path("scrubbed", path="scrubbed.csv")
    return indexed


def validate(team: Team, *expectations: Any) -> bool:
    result = team.checkpoint(team.data("scrubbed"), *expectations, evidence="reports/quality.json").run()
    return bool(result.success)


def claim(gate: Gate, output: str = "data/scrubbed.csv") -> Any:
    return claim_removal(gate, output, GPT, evidence="reports/quality.json", reason="scrubbed")


def test_two_people_and_a_validation(scrubbed: Team) -> None:
    gpt = ("third-party-model-output", "content")
    assert validate(scrubbed, ExpectNoRecordsOfRestrictedOrigin(column="text"), not_null())
    assert gpt in scrubbed.labels("data/scrubbed.csv")  # it passed, and that alone clears nothing
    with scrubbed.gate() as gate:
        found = claim(gate).removal
        assert "expect_no_records_of_restricted_origin" in found.checked and found.evidence_hash.startswith("sha256:")
        assert found.result == "2 of 2 expectations held"
    assert gpt in scrubbed.labels("data/scrubbed.csv")
    with scrubbed.gate() as gate:
        gate.user = "Somebody Else <else@example.com>"
        approve_removal(gate, found.id)
    assert gpt not in scrubbed.labels("data/scrubbed.csv")


def test_a_validation_that_found_some(scrubbed: Team) -> None:
    scrub(scrubbed, RESTRICTED[0])
    assert not validate(scrubbed, ExpectNoRecordsOfRestrictedOrigin(column="text"))
    with scrubbed.gate() as gate, pytest.raises(UsageError, match="says otherwise"):
        claim(gate)


def test_a_validation_that_looked_for_something_else(scrubbed: Team) -> None:
    assert validate(scrubbed, not_null())
    with scrubbed.gate() as gate, pytest.raises(UsageError, match="looked for no origin"):
        claim(gate)


def test_a_validation_of_something_else(scrubbed: Team) -> None:
    assert validate(scrubbed, ExpectNoRecordsOfRestrictedOrigin(column="text"))
    scrub(scrubbed, "another end")
    with scrubbed.gate() as gate, pytest.raises(UsageError, match="speaks of other content"):
        claim(gate)


def test_evidence_that_somebody_changed(scrubbed: Team) -> None:
    assert validate(scrubbed, not_null())
    file = scrubbed.root / "reports/quality.json"
    file.write_text(
        file.read_text()
        .replace("expect_column_values_to_not_be_null", "expect_no_records_of_restricted_origin")
        .replace('"success": true', '"success" : true', 1)
    )
    with scrubbed.gate() as gate, pytest.raises(UsageError, match="not the evidence that it says"):
        claim(gate)
    file.write_text(file.read_text().replace('"success" : true', '"success": false', 1))
    with scrubbed.gate() as gate, pytest.raises(UsageError, match="not the evidence that it says"):
        claim(gate)
