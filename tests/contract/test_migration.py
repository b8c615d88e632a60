"""The schema changes while processes have the store open: they stop, and nobody writes or reads by an old one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lineage.store.migrate as migrate
from lineage.errors import LineageError, UsageError
from lineage.events import dataset_event
from lineage.gate.intake import Intake
from lineage.graph import Graph
from lineage.store import create_store, open_store
from lineage.store.store import HEAD_ID, KNOWN, SCHEMA
from lineage.vocabulary import Artifact, Content, Kind, Origin, Tag

NEXT = f"{HEAD_ID + 1:04d}"
REVISION = f'''
from alembic import op
from sqlalchemy import Column, Text

revision = "{NEXT}"
down_revision = "{SCHEMA}"


def upgrade():
    op.create_table("further", Column("key", Text, primary_key=True))
'''
UPGRADE = """
import sys
from pathlib import Path
import lineage.store.migrate as migrate
migrate._SCRIPTS = Path(sys.argv[2])
migrate.migrate(sys.argv[1])
"""


def thing(n: int, *tags: Tag) -> Artifact:
    return Artifact("dvc://p", f"d/{n}", Content(f"sha256:{n:064x}"), tags=tags)


def event(n: int) -> bytes:
    return dataset_event(thing(n, Tag(Origin(Kind.LICENSED, "acme"))), time="2024-01-01T00:00:00Z")


def upgraded(url: str, tmp_path: Path) -> None:
    """What `lineagegate init` of a later version does, in a process of its own."""
    scripts = tmp_path / "migrations"
    shutil.copytree(Path(migrate.__file__).parent / "migrations", scripts)
    (scripts / "versions" / "v_next.py").write_text(REVISION)
    subprocess.run([sys.executable, "-c", UPGRADE, url, str(scripts)], check=True, timeout=60)


def test_who_has_it_open_stops(store_url: str, tmp_path: Path) -> None:
    graph = Graph(create_store(store_url))
    graph.record([event(1)])
    reader = Graph(open_store(store_url))
    assert reader.labels(thing(1)).labels
    intake = Intake(lambda: Graph(open_store(store_url)))
    intake.start()
    assert intake.submit([event(2)], trusted=True).result(30).recorded == 1
    upgraded(store_url, tmp_path)
    asked = (
        lambda: graph.record([event(3)]),
        lambda: intake.submit([event(3)], trusted=True).result(30),
        lambda: intake.do(lambda working: working.record([event(3)])).result(30),
        lambda: reader.labels(thing(1)),
        reader.position,
        reader.status,
        lambda: reader.paths(thing(1)),
        lambda: reader.impact(thing(1)),
        lambda: open_store(store_url),
    )
    for ask in asked:
        with pytest.raises(UsageError) as caught:
            ask()
        assert caught.value.code == "STORE_SCHEMA_NEW"
    intake.stop(10)
    assert graph._store.one("SELECT position FROM head") in ([2], (2,))  # nothing was written by an old one
    graph.close()
    reader.close()


@pytest.mark.parametrize("before", KNOWN[:-1])
def test_a_store_of_each_earlier_schema_while_it_is_open(store_url: str, before: str) -> None:
    """Its entries stay, and who opened it before is not let on by what the migration made."""
    graph = Graph(create_store(store_url))
    graph.record([event(1)])
    store = graph._store
    made = {
        "0002": "again spoken checkpoint", "0003": "token job job_run", "0004": "received same", "0005": "",
        "0006": "run_event",
    }  # fmt: skip
    for revision in KNOWN:
        if revision > before:
            for table in made[revision].split():
                store.execute(f"DROP TABLE {table}")
    store.execute(f"UPDATE lineage_schema SET version_num = '{before}'")
    store.execute("UPDATE head SET id = 0")
    with pytest.raises(UsageError) as caught:
        graph.position()
    assert caught.value.code == "STORE_SCHEMA_OLD"
    create_store(store_url).close()
    assert graph.position() == 1  # the same code as has brought it up to date
    assert graph.labels(thing(1)).labels and graph.record([event(2)]) == 2
    graph.close()


def test_a_head_that_is_gone_is_damage(store_url: str) -> None:
    graph = Graph(create_store(store_url))
    graph.record([event(1)])
    graph._store.execute("DELETE FROM head")
    with pytest.raises(LineageError) as caught:
        graph.labels(thing(1))
    assert caught.value.code == "GRAPH_DAMAGED"
    graph.close()
