"""A server whose store was upgraded by a later version: it says so, takes nothing and answers nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lineage.gate import Gate
from lineage.store import open_store
from lineage.store.store import HEAD_ID
from tests.unit.server.conftest import House, event


def test_an_upgrade_under_a_running_server(house: House) -> None:
    assert house("GET", "/ready", None).status_code == 200
    url = house.config.store_url
    with open_store(url) as store:  # what a migration sets (lineage.store.migrate)
        store.execute(f"UPDATE lineage_schema SET version_num = '{HEAD_ID + 1:04d}'")
        store.execute(f"UPDATE head SET id = {HEAD_ID + 1}")
        before = store.rows("SELECT count(*) FROM entry")
        ready = house("GET", "/ready", None)
        assert (ready.status_code, ready.json()["store"]) == (503, "failed")
        sent = house("POST", "/api/v1/lineage", "producer", json=event())
        batch = house("POST", "/api/v1/lineage/batch", "producer", json=[event(), event()])
        asked = house("GET", "/api/v1/contains?model=models:/seed-chat/1&origin=openai")
        decided = house("POST", "/api/v1/decide", "gate", content=json.dumps({
            "model": "seed-chat", "subject": "models:/seed-chat/2", "action": "register", "missing": "x",
        }))  # fmt: skip
        for answer in (sent, asked, decided):
            assert (answer.status_code, answer.json()["code"]) == (503, "STORE_SCHEMA_NEW"), answer.text
            assert answer.headers["retry-after"]
        assert batch.status_code == 503 and {item["retriable"] for item in batch.json()["failed_events"]} == {True}
        assert house("GET", "/health", None).status_code == 200
        assert store.rows("SELECT count(*) FROM entry") == before


def test_the_file_of_the_store_is_deleted_or_replaced(house: House, tmp_path: Path) -> None:
    """What went on being written to the old file would be acknowledged, and gone with the server."""
    file, kept = Path(house.config.store_url), tmp_path / "kept.db"
    house("POST", "/api/v1/lineage", "producer", json=event())
    shutil.copy(file, kept)  # what it holds is older: the write-ahead log stays behind
    file.rename(tmp_path / "moved.db")
    assert house("GET", "/ready", None).json()["store"] == "failed"
    for answer in (house("POST", "/api/v1/lineage", "producer", json=event()), house("GET", "/api/v1/me")):
        assert (answer.status_code, str(tmp_path) in answer.text) == (503, False), answer.text
    (tmp_path / "moved.db").rename(file)
    assert house("GET", "/ready", None).status_code == 200
    assert house("POST", "/api/v1/lineage", "producer", json=event()).status_code == 201
    file.rename(tmp_path / "moved.db")
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").rename(tmp_path / f"moved.db{end}")
    shutil.copy(kept, file)  # as somebody restores a copy without stopping the server
    sent = event()
    answers = [house("POST", "/api/v1/lineage", "producer", json=sent).status_code for _ in range(2)]
    assert answers == [503, 201]
    with Gate.open(house.config) as gate:
        assert sent["run"]["runId"].encode() in gate.graph.event(gate.graph.position() - 1).data
