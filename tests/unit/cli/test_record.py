"""``lineagegate record``: events of others from files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("project")


def event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "eventTime": "2026-03-01T10:00:00Z",
        "eventType": "COMPLETE",
        "producer": "https://example.com/airflow",
        "run": {"runId": f"019a0000-0000-7000-8000-{number:012d}"},
        "job": {"namespace": "airflow", "name": "dag.task"},
        "outputs": [{"namespace": "s3://lake", "name": f"part-{number}"}],
        **more,
    }


def test_lines_one_document_and_a_list(cli: Cli, tmp_path: Path) -> None:
    lines, one, listed = (tmp_path / name for name in ("lines.ndjson", "one.json", "list.json"))
    lines.write_text("\n" + "".join(json.dumps(event(i)) + "\r\n" for i in range(3)) + "\n")
    one.write_text(json.dumps(event(3), indent=2))
    listed.write_text(json.dumps([event(0), event(4), event(5)]))
    told = cli("record", str(lines), str(one), str(listed))
    assert told.status == 0, told
    assert "lines.ndjson: 3 events, 3 recorded\n" in told.out
    assert "warning  `schemaURL` is missing (3 events, first 1)" in told.out
    assert "one.json: 1 event, 1 recorded\n" in told.out
    assert "list.json: 3 events, 2 recorded, 1 known before\n" in told.out
    again = cli("record", str(lines), "--format", "json")
    assert again.document["files"][0]["known"] == 3
    assert again.document["files"][0]["warnings"] == [{"text": "`schemaURL` is missing", "events": 3, "first": 1}]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ("{", "EVENT_INVALID"),
        (json.dumps(event(1, job={"namespace": "lineagegate", "name": "grant"})), "ACT_REFUSED"),
        (json.dumps(event(1, run={"runId": "\x1b[2J\u202e", "runID": 3}, inputs=4)), "EVENT_INVALID"),
    ],
)
def test_a_file_with_an_event_that_is_refused_is_refused_whole(cli: Cli, tmp_path: Path, bad: str, code: str) -> None:
    file = tmp_path / "x.ndjson"
    file.write_text(json.dumps(event(0)) + "\n" + bad + "\n" + json.dumps(event(2)))
    before = cli("status", "--format", "json").document
    told = cli("record", str(file), "--format", "json")
    assert told.status == 2
    assert told.document["error"]["code"] == code
    assert "event 2 of" in told.document["error"]["message"]
    assert cli("status", "--format", "json").document == before
    assert "\x1b" not in cli("record", str(file)).err


def test_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(json.dumps(event(i)) + "\n" for i in range(2))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert "-: 2 events, 2 recorded\n" in cli("record", "-").out


def test_a_file_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    told = cli("record", str(tmp_path / "nothing"), "--format", "json")
    assert (told.status, told.document["error"]["code"]) == (2, "FILE_UNREADABLE")


def test_an_empty_file_holds_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n\n")
    assert "empty: 0 events, 0 recorded\n" in cli("record", str(tmp_path / "empty")).out
