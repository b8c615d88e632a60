"""The entries themselves: edit, delete, reorder, insert, back-date, truncate, make anew. Verified against checkpoints
that were kept outside before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lineage.errors import CannotDecide
from lineage.gate.verification import VerifyReport
from lineage.graph.verify import Deviation
from lineage.ledger.key import make_key
from lineage.ledger.note import parse, read_checkpoint
from tests.redteam.insider import Case, Kept, at, reseal, settle, stage

Change = Callable[[list[Kept]], None]


def sizes(case: Case) -> list[int]:
    return [read_checkpoint(parse(note).text).size for note in case.outside]


def only(report: VerifyReport, code: str) -> Deviation:
    found = [d for d in report.findings if d.code == code]
    assert found, report.findings
    return found[0]


def within(case: Case, entry: int) -> tuple[int, int]:
    """The entries between the two kept checkpoints around an entry."""
    return max([0, *(s for s in sizes(case) if s <= entry)]), min(s for s in sizes(case) if s > entry) - 1


def edit(case: Case) -> tuple[Change, int]:
    """Another provider in the declaration that everything hangs on."""
    place = at(case, '"openai"')

    def change(entries: list[Kept]) -> None:
        entries[place] = entries[place]._replace(data=entries[place].data.replace(b'"openai"', b'"ourown"'))

    return change, place


def delete(case: Case) -> tuple[Change, int]:
    place = at(case, "run-train")
    return lambda entries: entries.__delitem__(place), place


def reorder(case: Case) -> tuple[Change, int]:
    place = at(case, "run-collect")

    def change(entries: list[Kept]) -> None:
        a, b = entries[place], entries[place + 1]
        entries[place : place + 2] = [a._replace(data=b.data), b._replace(data=a.data)]

    return change, place


def insert(case: Case) -> tuple[Change, int]:
    place = at(case, "run-train")
    return (
        lambda entries: entries.insert(place, Kept(stage("never", [], []), entries[place].recorded)),
        place,
    )


FORGERIES = [edit, delete, reorder, insert]


def test_an_honest_ledger_is_verified(case: Case) -> None:
    report = case.verify()
    assert report.findings == ()
    assert report.sealed == sizes(case)[-1] == report.size - 1
    assert report.checkpoints >= 4
    assert report.graph
    assert report.keys == tuple(case.trusted)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_entries_changed_alone(case: Case, forgery: Callable[[Case], tuple[Change, int]]) -> None:
    """He changes rows of the ledger and nothing else: even the store's own checkpoints and graph tell."""
    change, place = forgery(case)
    case.forge(change, head=False)
    for given in (case.outside, []):
        report = case.verify(given=given)
        found = only(report, "ROOT_DIFFERS")
        assert found.first is not None
        assert found.last is not None
        assert found.first <= place <= found.last
        assert str(found.first) in found.message
    assert any(d.code == "GRAPH_DIFFERS" for d in case.verify().findings)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_entries_changed_with_tree_and_checkpoints(case: Case, forgery: Callable[[Case], tuple[Change, int]]) -> None:
    """He also sets the head row right and signs every checkpoint again, with the right key."""
    change, place = forgery(case)
    case.forge(change)
    reseal(case)
    report = case.verify()
    found = only(report, "ROOT_DIFFERS")
    assert (found.first, found.last) == within(case, place)
    assert f"one of {found.first} to {found.last}" in found.message
    assert f"entry {found.first} is now an event" in found.message
    assert any(d.code == "GRAPH_DIFFERS" for d in report.findings)


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("new_key", [False, True], ids=["with the key", "with a new key"])
def test_everything_made_anew(
    case: Case, tmp_path: Path, forgery: Callable[[Case], tuple[Change, int]], new_key: bool
) -> None:
    """He makes a whole ledger with another past: entries, graph, tree, checkpoints. Only what was kept outside tells."""
    change, place = forgery(case)
    key = make_key(tmp_path / "other.key", "seed/forged") if new_key else None
    case.anew(change, key=key)
    alone = case.verify(given=[], keys=[])
    assert alone.findings == ()
    assert "not that it was never made anew" in alone.unproven[0]
    report = case.verify()
    found = only(report, "ROOT_DIFFERS")
    assert (found.first, found.last) == within(case, place)
    if new_key:
        assert "seed/forged" in only(report, "KEY_NOT_INTRODUCED").message


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_file_witness_knows_the_very_entry(
    case: Case, tmp_path: Path, forgery: Callable[[Case], tuple[Change, int]]
) -> None:
    name = f"file:{tmp_path / 'worm'}"
    settle(case.root, case.url, f'witness = ["{name}"]')
    with case.gate() as gate:
        assert gate.seal.publish(gate.seal.checkpoint(), (name,)) == []
    assert case.verify(given=[]).findings == ()
    change, place = forgery(case)
    case.anew(change)
    report = case.verify(given=[])
    found = only(report, "ENTRY_DIFFERS")
    assert found.first == found.last == place
    assert found.message.startswith(f"entry {place} is not the one that the witness file:")
    if forgery is delete:  # one entry less than was sealed
        assert only(report, "LEDGER_CUT").first == report.size
    else:
        root = only(report, "ROOT_DIFFERS")
        assert root.first == root.last == place
    # and it does not let itself be fed with the new past
    case.add(stage("more", [], []), stage("even more", [], []))
    with case.gate() as gate:
        notices = gate.seal.publish(gate.seal.checkpoint(), (name,))
    assert [n.code for n in notices] == ["WITNESS_CONTRADICTS"]


def test_a_row_taken_out_leaves_a_gap(case: Case) -> None:
    start, count = case.rows("SELECT position, count FROM entry ORDER BY position")[2]
    case.sql(("DELETE FROM entry WHERE position = ?", (start,)))
    found = only(case.verify(), "ENTRY_MISSING")
    assert found.first == start
    assert f"entries {start} to {start + count - 1} are missing" in found.message
    # nor is anything said of the past, in which the tags of these entries would be gone
    with case.gate() as gate, pytest.raises(CannotDecide, match="damaged") as refused:
        gate.graph.as_of(happened=datetime.now(timezone.utc))
    assert refused.value.cause == f"entry {start} of the ledger is missing"


def test_a_row_that_cannot_be_read(case: Case) -> None:
    start = case.rows("SELECT position FROM entry ORDER BY position")[2][0]
    case.sql(("UPDATE entry SET body = ? WHERE position = ?", (b"\x01rubbish", start)))
    report = case.verify()
    assert only(report, "ENTRY_UNREADABLE").first == start
    assert not report.graph


@pytest.mark.parametrize("keep", [3, 0])
def test_truncated(case: Case, keep: int) -> None:
    case.anew(lambda entries: entries.__delitem__(slice(keep, None)))
    found = only(case.verify(), "LEDGER_CUT")
    assert found.first == keep
    assert f"the ledger holds {keep}: entry {keep} and what follows is missing" in found.message


def test_truncated_at_the_end_only(case: Case) -> None:
    """The last decision and what followed never happened, he says."""
    last = sizes(case)[-1]
    case.anew(lambda entries: entries.__delitem__(slice(last - 1, None)))
    found = only(case.verify(), "LEDGER_CUT")
    assert found.first == last - 1


def test_an_entry_dated_back(case: Case) -> None:
    """A row's time is set back by a day."""
    start, recorded = case.rows("SELECT position, recorded FROM entry ORDER BY position")[3]
    case.sql(("UPDATE entry SET recorded = ? WHERE position = ?", (recorded - 86_400_000_000, start)))
    found = only(case.verify(), "TIME_WENT_BACK")
    assert found.first == start
    assert f"entry {start} was recorded" in found.message


def test_a_new_entry_dated_before_a_checkpoint(case: Case) -> None:
    """He adds an approval and sets its time between the last entry and the checkpoint that did not hold it."""
    with case.gate() as gate:
        sealed = gate.seal.checkpoint()
    case.outside.append(sealed.note)
    place = sealed.position
    before = max(entry.recorded for entry in case.entries())
    case.forge(lambda entries: entries.append(Kept(stage("approval", [], []), before)))
    report = case.verify()
    found = only(report, "BACKDATED")
    assert found.first == place
    assert f"entry {place} says it was recorded" in found.message
    assert "later than it says" in found.message


def test_an_old_copy_of_the_database(case: Case, tmp_path: Path) -> None:
    """He keeps a copy, lets a decision be made, and puts the copy back."""
    tables = [t for (t,) in _tables(case)]
    copy = {t: case.rows(f"SELECT * FROM {t}") for t in tables}
    files = tmp_path / "copy"
    if "://" not in case.url:
        shutil.copytree(case.root / ".lineage", files)
    place = case.judge(3)
    case.keep()
    if "://" not in case.url:
        shutil.rmtree(case.root / ".lineage")
        shutil.copytree(files, case.root / ".lineage")
    else:
        for table in tables:
            case.sql(f"DELETE FROM {table}")
            for row in copy[table]:
                marks = ", ".join("?" * len(row))
                case.sql((f"INSERT INTO {table} VALUES ({marks})", row))
    assert case.verify(given=case.outside[:-1]).findings == ()
    found = only(case.verify(), "LEDGER_CUT")
    assert found.first == place
    assert f"entry {place} and what follows is missing" in found.message


def _tables(case: Case) -> list[tuple[str]]:
    from lineage.store.tables import metadata

    return [(name,) for name in metadata.tables]


def test_what_nobody_has_seen_can_be_changed_and_the_report_says_so(case: Case) -> None:
    """The limit of all this: entries after the last checkpoint that anybody outside holds."""
    last = sizes(case)[-1]
    case.anew(lambda entries: entries.__setitem__(last, entries[last]._replace(data=stage("harmless", [], []))))
    report = case.verify()
    assert report.findings == ()
    assert report.sealed == last
    assert report.unproven[0].startswith(f"nothing outside of the store has seen the entries from {last} to {last}")
    assert "could have changed them" in report.unproven[0]
