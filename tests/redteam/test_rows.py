"""The graph's rows alone: the ledger says one thing, and what is answered from says another. Each change is told, with
the entry that the row rests on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lineage.graph.compare import NOT_ROWS_OF_THE_GRAPH, compared_tables
from lineage.graph.keys import content_key, run_key
from lineage.graph.rows import Act, Run, pack_edges, unpack_edges
from lineage.graph.working import digest_of, pack_pairs, unpack_pairs
from lineage.store.tables import metadata
from lineage.vocabulary import Artifact
from tests.redteam.insider import CLEAN, FILE, GPT_TEXT, MADE, MIXED, MODEL, OWNED, RAW, Case, at


def node(case: Case, artifact: Artifact) -> int:
    assert artifact.content
    key = content_key(artifact.content.hash)
    return int(case.rows("SELECT node FROM content WHERE key = ?", (key,))[0][0])


def run(case: Case, name: str) -> int:
    return int(case.rows("SELECT run FROM run_key WHERE key = ?", (run_key(name),))[0][0])


def empty_labels(case: Case) -> Any:
    """The labels of the model's set are gone: it looks clean."""
    labels = msgspec.msgpack.encode([1])
    sets = "(SELECT pairset FROM node WHERE id = ?)"
    return (
        f"UPDATE pairset SET labels = ?, epoch = (SELECT epoch FROM head) WHERE id = {sets}",
        (labels, node(case, MODEL)),
    )


def other_labels(case: Case) -> Any:
    """The model's labels are those of another set."""
    return (
        "UPDATE pairset SET epoch = (SELECT epoch FROM head), labels = (SELECT p.labels FROM pairset p JOIN node n ON n.pairset = p.id WHERE n.id = ?) "
        "WHERE id = (SELECT pairset FROM node WHERE id = ?)",
        (node(case, RAW), node(case, MODEL)),
    )


def other_set(case: Case) -> Any:
    """The model points to the set of clean data."""
    return (
        "UPDATE node SET pairset = (SELECT pairset FROM node WHERE id = ?) WHERE id = ?",
        (node(case, RAW), node(case, MODEL)),
    )


def smaller_set(case: Case) -> Any:
    """A source is taken out of the model's set."""
    set_id, packed = case.rows(
        "SELECT p.id, p.pairs FROM pairset p JOIN node n ON n.pairset = p.id WHERE n.id = ?", (node(case, MODEL),)
    )[0]
    pairs = pack_pairs(frozenset(sorted(unpack_pairs(bytes(packed)))[1:]))
    return ("UPDATE pairset SET pairs = ?, digest = ? WHERE id = ?", (pairs, digest_of(pairs), set_id))


def no_edge(case: Case) -> Any:
    """A run's row no longer says that it read the data."""
    id_ = run(case, "run-train")
    _, outputs = unpack_edges(bytes(case.rows("SELECT edges FROM run WHERE id = ?", (id_,))[0][0]))
    return ("UPDATE run SET edges = ? WHERE id = ?", (pack_edges(Run(id_, 0, [], outputs)), id_))


def other_use(case: Case) -> Any:
    """The run only evaluated on it, it says now."""
    id_ = run(case, "run-train")
    inputs, outputs = unpack_edges(bytes(case.rows("SELECT edges FROM run WHERE id = ?", (id_,))[0][0]))
    inputs = [(n, d, 7 << 1) for n, d, _ in inputs]
    return ("UPDATE run SET edges = ? WHERE id = ?", (pack_edges(Run(id_, 0, inputs, outputs)), id_))


def broken_edges(case: Case) -> Any:
    return ("UPDATE run SET edges = ? WHERE id = ?", (b"\x01", run(case, "run-train")))


# (what is changed, a text in the entry that the message must name)
CHANGES: list[tuple[str, Callable[[Case], Any], str | None]] = [
    ("labels emptied", empty_labels, "run-train"),
    ("labels of another set", other_labels, "run-train"),
    ("another set", other_set, "run-train"),
    ("a smaller set", smaller_set, "run-train"),
    ("an edge less", no_edge, "run-train"),
    ("another use", other_use, "run-train"),
    ("edges that cannot be read", broken_edges, "run-train"),
    ("a reader less", lambda c: ("DELETE FROM reads WHERE run = ?", (run(c, "run-train"),)), "run-train"),
    ("a maker less", lambda c: ("UPDATE node SET run = 0 WHERE id = ?", (node(c, MADE),)), "run-generate"),
    ("a further maker less", lambda c: ("DELETE FROM made WHERE node = ?", (node(c, MIXED),)), "run-mix again"),
    ("another maker", lambda c: ("UPDATE node SET run = ? WHERE id = ?", (run(c, "run-late"), node(c, MADE))), "run-generate"),
    ("a file less", lambda c: ("DELETE FROM member WHERE node = ?", (node(c, FILE),)), "run-collect"),
    ("a tag less", lambda c: ("DELETE FROM tag WHERE source = (SELECT source FROM node WHERE id = ?)", (node(c, GPT_TEXT),)), '"openai"'),
    ("another tag", lambda c: ("UPDATE origin SET value = ? WHERE value LIKE '%azure-openai%'", ('{"kind":"first-party"}',)), '"openai"'),
    ("a tag's entry", lambda c: ("UPDATE tag SET entry = entry + 100 WHERE source = (SELECT source FROM node WHERE id = ?)", (node(c, GPT_TEXT),)), '"openai"'),
    ("fewer tags counted", lambda c: ("UPDATE source SET tags = 0 WHERE node = ?", (node(c, GPT_TEXT),)), '"openai"'),
    ("a source less", lambda c: ("DELETE FROM source WHERE node = ?", (node(c, GPT_TEXT),)), '"openai"'),
    ("another source", lambda c: ("UPDATE node SET source = ? WHERE id = ?", (1, node(c, OWNED))), None),
    ("explained", lambda c: ("UPDATE node SET flags = 3 WHERE id = ?", (node(c, OWNED),)), "first-party"),
    ("taken back, who never was", lambda c: ("INSERT INTO taken SELECT ?, id, 1 FROM origin WHERE value LIKE '%azure-openai%'", (node(c, GPT_TEXT),)), '"openai"'),
    ("not taken back", lambda _: "DELETE FROM taken", None),
    ("a removal of everything", lambda c: ("INSERT INTO removal SELECT ?, id, ? FROM origin WHERE value LIKE '%azure-openai%'", (node(c, CLEAN), node(c, GPT_TEXT))), "run-clean"),
    ("a removal less", lambda _: "DELETE FROM removal", None),
    ("a decision less", lambda _: ("DELETE FROM act WHERE kind IN (?, ?)", (int(Act.DECISION), int(Act.MODEL))), "models:/seed/1"),
    ("a decision of another model", lambda _: ("UPDATE act SET key = 'toy' WHERE kind = ?", (int(Act.MODEL),)), "models:/seed/1"),
    ("a grant found elsewhere", lambda _: ("UPDATE act SET entry = 0 WHERE kind = ?", (int(Act.GRANT),)), None),
    ("another run", lambda c: ("UPDATE run_key SET key = ? WHERE run = ?", (b"rother", run(c, "run-train"))), "run-train"),
    ("a run's entry", lambda c: ("UPDATE run SET entry = 0 WHERE id = ?", (run(c, "run-train"),)), None),
    ("another name", lambda _: "UPDATE dataset SET name = 'innocent.jsonl' WHERE name = 'gpt.jsonl'", '"openai"'),
    ("another namespace", lambda _: "UPDATE namespace SET name = 'dvc://other' WHERE name = 'dvc://seed'", None),
    ("not a model", lambda _: "UPDATE dataset SET model = 0 WHERE name = 'seed.pt'", "run-train"),
    ("another last version", lambda c: ("UPDATE dataset SET last = ? WHERE name = 'seed.pt'", (node(c, RAW),)), "run-train"),
    ("a version less", lambda _: "DELETE FROM version", None),
    ("another content", lambda c: ("UPDATE content SET key = ? WHERE node = ?", (content_key("md5:" + "ab" * 16), node(c, GPT_TEXT))), '"openai"'),
    ("contents swapped", lambda c: ("UPDATE content SET node = CASE node WHEN ? THEN CAST(? AS bigint) ELSE CAST(? AS bigint) END WHERE node IN (?, ?)",
        (node(c, RAW), node(c, MODEL), node(c, RAW), node(c, RAW), node(c, MODEL))), None),
    ("a further event less", lambda _: "DELETE FROM again", None),
    ("events outside of runs", lambda _: "DELETE FROM spoken", '"openai"'),
    ("an epoch less", lambda _: "DELETE FROM retag", None),
    ("a later epoch", lambda _: "UPDATE head SET epoch = epoch + 1", None),
    ("counters", lambda _: "UPDATE head SET nodes = nodes - 1", None),
    ("ids given out again", lambda _: "UPDATE head SET sources = 1, pairsets = 1, origins = 0", None),
    ("the tree", lambda _: ("UPDATE head SET frontier = ?", (bytes(32),)), None),
]  # fmt: skip


@pytest.mark.parametrize(("change", "place"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_a_changed_row_is_told(case: Case, change: Callable[[Case], Any], place: str | None) -> None:
    case.sql(change(case))
    report = case.verify()
    assert report.findings
    assert {d.code for d in report.findings} <= {"GRAPH_DIFFERS", "GRAPH_DAMAGED", "ROOT_DIFFERS", "CHECKPOINT_MISSING"}
    if place is not None:
        entry = at(case, place)
        named = [d for d in report.findings if d.first == entry]
        assert named, (entry, report.findings)
        assert f"entry {entry}" in named[0].message


def test_every_table_is_compared_or_verified_otherwise() -> None:
    """A table that somebody adds must be compared too."""
    from lineage.graph import compare

    text = Path(compare.__file__).read_text()
    for table in compared_tables():
        assert f"there_{table}" in text, table
    assert frozenset(metadata.tables) >= NOT_ROWS_OF_THE_GRAPH
