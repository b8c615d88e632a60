"""What is before, what is after, what is of the origin: record by record, on files (S6)."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.content.places import PLACES
from lineage.content.removal import Comparison, compare, derived_key, read_source
from lineage.errors import CannotDecide

_PICK = random.Random(4)
_WORDS = ["".join(_PICK.choices("abcdefghijklmnopqrstuvwxyz", k=_PICK.randint(3, 10))) for _ in range(3000)]


def text(by: str, number: int, words: int = 60) -> str:
    """A record that no other one resembles."""
    return " ".join(random.Random(f"{by}{number}").choices(_WORDS, k=words)) + "."


OWN = [text("own", number) for number in range(200)]
GPT = [text("gpt", number) for number in range(30)]
MIXED = [*OWN[:100], *GPT, *OWN[100:]]


def lines(path: Path, records: Sequence[str], key: str = "text") -> Path:
    path.write_text("".join(json.dumps({key: record}) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Comparison]:
    """``compared(before, after, source…)``; records become JSON lines, a path is taken as it is."""
    files = iter(range(1000))

    def file(given: Sequence[str] | Path) -> Path:
        return given if isinstance(given, Path) else lines(tmp_path / f"{next(files)}.jsonl", given)

    def call(before: Sequence[str] | Path, after: Sequence[str] | Path, *sources: Sequence[str] | Path) -> Comparison:
        key = derived_key(["md5:" + "1" * 32])
        read = [read_source(file(s), f"s{next(files)}", key, tmp_path) for s in sources or (GPT,)]
        return compare(file(before), file(after), read, key, tmp_path)

    return call


Compared = Callable[..., Comparison]


def told(found: Comparison) -> tuple[int, int, int, int]:
    """(of the origin before, of the origin after, from before, new)."""
    return found.before.found, found.after.found, found.kept_equal + found.kept_similar, found.new.records


def test_all_of_it_is_gone(compared: Compared) -> None:
    found = compared(MIXED, OWN)
    assert told(found) == (30, 0, 200, 0)
    assert (found.before.equal, found.kept_equal, found.before.records, found.after.records) == (30, 200, 230, 200)


def test_three_are_left_and_where(compared: Compared) -> None:
    found = compared(MIXED, [*OWN[:50], GPT[3], *OWN[50:], GPT[7], GPT[8]])
    assert told(found) == (30, 3, 203, 0)
    assert [place[1:] for place in found.left.listed] == [(51, 51), (202, 203)]
    assert found.left.more == 0


@pytest.mark.parametrize(
    "left",
    [
        GPT[0].upper(),
        GPT[0].replace(" ", "  \n").replace(".", "!!"),
        GPT[0][: len(GPT[0]) // 2],
        "User: please write. Assistant: " + GPT[0] + " Is there anything else?",
        GPT[0] + " " + OWN[0],
        " ".join(word if i % 9 else "[NAME]" for i, word in enumerate(GPT[0].split())),
    ],
    ids=["case", "space", "half", "template", "joined", "masked"],
)
def test_what_is_left_in_another_form_is_left(left: str, compared: Compared) -> None:
    before = [*MIXED, left]
    assert compared(before, [*OWN, left]).left.records == 1


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        (list(reversed(OWN)), 200),
        (OWN[::7], 29),
        (sorted(OWN) + OWN[:10], 210),
        ([record.upper() for record in OWN], 200),
        ([f"### {record}\n" for record in OWN], 200),
    ],
    ids=["reversed", "sampled", "repeated", "case", "marked"],
)
def test_what_is_kept_may_be_moved_sampled_and_changed_in_form(after: list[str], kept: int, compared: Compared) -> None:
    assert told(compared(MIXED, after)) == (30, 0, kept, 0)


def test_of_texts_that_were_cut_a_few_are_taken_for_new(compared: Compared) -> None:
    """A refusal that is a mistake, never a pass: cutting belongs into a stage after the removal."""
    new = compared(MIXED, [record[: len(record) // 2] for record in OWN]).new.records
    assert 0 < new <= 0.05 * len(OWN)


def test_formats_and_columns_do_not_matter(compared: Compared, tmp_path: Path) -> None:
    pa.parquet.write_table(
        pa.table({"body": OWN, "n": list(range(200)), "by": ["a person of ours"] * 200}), tmp_path / "out.parquet"
    )
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([str(i), record] for i, record in enumerate(MIXED))])
    (tmp_path / "gpt").mkdir()
    lines(tmp_path / "gpt" / "a.jsonl", GPT[:20], key="response")
    (tmp_path / "gpt" / "b.txt").write_text("\n".join(GPT[20:]))
    found = compared(tmp_path / "in.csv", tmp_path / "out.parquet", tmp_path / "gpt")
    assert told(found) == (30, 0, 200, 0)
    assert found.kept_similar == 200


def test_what_was_not_there_is_new(compared: Compared) -> None:
    foreign = text("nobody", 1)
    half = OWN[0][: len(OWN[0]) // 4] + foreign
    found = compared(MIXED, [*OWN, foreign, half, "a few words", OWN[1] + text("nobody", 2, 300)])
    assert told(found) == (30, 0, 200, 4)
    assert [place[1:] for place in found.new.listed] == [(201, 204)]


def test_nothing_of_it_was_there(compared: Compared) -> None:
    assert told(compared(OWN, OWN)) == (0, 0, 200, 0)
    assert told(compared(MIXED, MIXED)) == (30, 30, 230, 0)


def test_sources_are_told_apart(compared: Compared) -> None:
    found = compared(MIXED, [*OWN, GPT[0]], GPT[:10], GPT[5:], [text("other", 1)])
    assert (found.before.by_source, found.after.by_source) == ((10, 25, 0), (1, 0, 0))
    assert (found.before.found, found.after.found) == (30, 1)


def test_short_records_of_a_source_of_long_ones_tell_nothing(compared: Compared) -> None:
    found = compared([*MIXED, "Yes.", "No.", "12"], [*OWN, "yes", "1"], [*GPT, "Yes!"])
    assert told(found) == (30, 0, 202, 0)
    assert (found.after.short, found.after.short_equal) == (2, 1)
    assert told(compared([*MIXED, "Yes."], [*OWN, "1"]))[3] == 1  # without a letter, and none such was there


def test_numbers_in_place_of_text_are_not_taken_for_what_was_there(compared: Compared) -> None:
    coded = [" ".join(str(ord(char)) for char in record) for record in GPT]
    assert told(compared([*MIXED, "", ""], [*OWN, *coded]))[3] == len(coded) - 2
    with pytest.raises(CannotDecide, match="no record of text"):
        compared([*MIXED, *[""] * 40], coded)


def test_short_records_of_a_source_of_short_ones_count(compared: Compared) -> None:
    gpt, own = ["good idea", "bad idea", "no idea"], ["dog", "cat", "bird"]
    assert told(compared([*gpt, *own], own, gpt)) == (3, 0, 3, 0)
    assert told(compared([*gpt, *own], [*own, "Bad idea!"], gpt)) == (3, 1, 4, 0)


def test_only_so_many_places_are_listed(compared: Compared) -> None:
    gpt = [text("gpt", i, 12) for i in range(PLACES + 20)]
    own = [text("own", i, 12) for i in range(PLACES + 20)]
    after = [record for pair in zip(gpt, own, strict=True) for record in pair]
    found = compared(after, after, gpt)
    assert (found.left.records, len(found.left.listed), found.left.more) == (PLACES + 20, PLACES, 20)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "CONTENT_EMPTY"), (b"\x00\x9f\x92" * 3000, "CONTENT_UNREADABLE")],
    ids=["empty", "binary"],
)
def test_what_holds_nothing_or_cannot_be_read_decides_nothing(
    which: int, content: bytes, code: str, compared: Compared, tmp_path: Path
) -> None:
    (tmp_path / "bad").write_bytes(content)
    given: list[list[str] | Path] = [MIXED, OWN, GPT]
    given[which] = tmp_path / "bad"
    with pytest.raises(CannotDecide) as refused:
        compared(*given)
    assert refused.value.code == code


def test_one_file_of_many_that_cannot_be_read_is_enough(compared: Compared, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    lines(tmp_path / "out" / "a.jsonl", OWN)
    (tmp_path / "out" / "b.parquet").write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(CannotDecide):
        compared(MIXED, tmp_path / "out")


def test_records_behind_a_link_are_not_passed_over(compared: Compared, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    lines(tmp_path / "out" / "a.jsonl", OWN)
    lines(tmp_path / "elsewhere" / "b.jsonl", GPT)
    (tmp_path / "out" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotDecide, match="more"):
        compared(MIXED, tmp_path / "out")


@pytest.mark.parametrize("above", ["files/md5", "cache"])
def test_a_directory_in_the_cache_of_any_dvc_is_its_files(above: str, compared: Compared, tmp_path: Path) -> None:
    data = "\n".join(GPT).encode()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    for name, content in (
        (md5, data),
        ("0" * 32 + ".dir", json.dumps([{"md5": md5, "relpath": "gpt.txt"}]).encode()),
    ):
        (tmp_path / above / name[:2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / above / name[:2] / name[2:]).write_bytes(content)
    assert told(compared(MIXED, OWN, tmp_path / above / "00" / ("0" * 30 + ".dir"))) == (30, 0, 200, 0)


def test_the_same_files_give_the_same_result(compared: Compared) -> None:
    first, second = compared(MIXED, OWN), compared(MIXED, OWN)
    assert first.digest == second.digest
    assert first[:2] == second[:2]


@given(
    after=st.lists(st.integers(0, 29), max_size=12),
    own=st.lists(st.integers(0, 39), max_size=20),
    known=st.integers(1, 29),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_law_it_counts_what_a_reader_would(after: list[int], own: list[int], known: int, compared: Compared) -> None:
    """Before: 30 of the origin and 20 own ones; after: any of them, and of 20 that were not there."""
    written = [GPT[i] for i in after] + [OWN[i] for i in own] + OWN[:1]
    found = compared([*GPT, *OWN[:20]], written, GPT[:known])
    assert found.before.found == known
    assert found.after.found == sum(i < known for i in after)
    assert found.new.records == sum(i >= 20 for i in own)
    assert found.kept_equal + found.kept_similar + found.new.records == len(written)
