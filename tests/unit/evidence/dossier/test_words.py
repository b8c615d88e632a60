"""Dates, sizes and parts as people read them: never rounded into something else."""

from __future__ import annotations

import pytest

from lineage.evidence.dossier import words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2023-04-20T10:00:05+00:00", "20 April 2023, 10:00 UTC"),
        ("2023-04-20T01:30:00+02:00", "19 April 2023, 23:30 UTC"),
        ("2023-04-20T10:00:05.123456Z", "20 April 2023, 10:00 UTC"),
        ("2023-04-20", "20 April 2023"),
        ("2023-09-30T23:59:59.999999+00:00", "the end of 30 September 2023"),
        ("yesterday", "yesterday"),
        ("", "not known"),
    ],
)
def test_a_time_is_spelled_in_utc(text: str, said: str) -> None:
    assert words.when(text) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "not known"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (48_200_000, "48.2 MB"),
        (731_000_000, "731 MB"),
        (5 * 10**18, "5,000 PB"),
    ],
)
def test_a_size(value: int | None, said: str) -> None:
    assert words.size(value) == said


@pytest.mark.parametrize(
    ("part", "said"),
    [(0, "0.0 %"), (1e-9, "under 0.1 %"), (0.062, "6.2 %"), (0.99999, "over 99.9 %"), (1, "100.0 %")],
)
def test_little_is_not_none_and_most_is_not_all(part: float, said: str) -> None:
    assert words.percent(part) == said


def test_entries_that_follow_each_other_are_joined() -> None:
    assert words.positions((19, 18, 3, 4, 5, 5, 12)) == "3–5, 12, 18, 19"
    assert words.positions(()) == ""


def test_what_was_recorded_late_says_so() -> None:
    assert words.late("2023-03-06T11:00:00+00:00", "2023-03-06T11:59:00+00:00") == ""
    assert words.late("2023-03-06T11:00:00+00:00", "2023-05-06T11:00:00+00:00") == "recorded 6 May 2023, 11:00 UTC"
    assert words.late("", "2023-05-06T11:00:00+00:00") == ""
