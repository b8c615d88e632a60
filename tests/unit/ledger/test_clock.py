"""Times as producers write them, and a recording clock that never runs backwards."""

from __future__ import annotations

import pytest

from lineage.errors import UsageError
from lineage.ledger.clock import TOLERANCE, happened, microseconds, moment_of, recording_time
from lineage.vocabulary import moment

SECOND = 1_000_000
FIRST_OF_MARCH = 1_677_628_800 * SECOND


@pytest.mark.parametrize("read", [happened, lambda text: moment.Moment(microseconds(moment._lenient(text)), True)])
@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2023-03-01T00:00:00Z", 0),
        ("2023-03-01T00:00:00+00:00", 0),
        ("2023-03-01T02:00:00+02:00", 0),
        ("2023-03-01T02:00:00+0200", 0),
        ("2023-03-01T00:00:00.5Z", SECOND // 2),
        ("2023-03-01T00:00:00.123456789Z", 123456),
        ("2023-03-01 00:00:01", SECOND),
        ("2023-02-28T19:00:00.000-05:00", 0),
    ],
)
def test_times_of_producers(read: object, text: str, offset: int) -> None:
    assert read(text).microseconds == FIRST_OF_MARCH + offset  # type: ignore[operator]


def test_a_zone_is_named_or_not() -> None:
    assert happened("2023-03-01T00:00:00Z").zoned
    assert not happened("2023-03-01T00:00:00").zoned


@pytest.mark.parametrize("text", ["", "yesterday", "2023-13-01T00:00:00Z", "1677628800"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        happened(text)


def test_never_backwards() -> None:
    last = FIRST_OF_MARCH
    assert recording_time(last, last + 5) == last + 5
    assert recording_time(last, last - TOLERANCE) == last
    with pytest.raises(UsageError) as caught:
        recording_time(last, last - TOLERANCE - 1)
    assert caught.value.code == "CLOCK_WENT_BACK"
    assert "LINEAGE_ACCEPT_CLOCK" in caught.value.hint
    assert recording_time(last, 0, accept=True) == last


def test_microseconds_and_back() -> None:
    value = FIRST_OF_MARCH + 123_456
    assert microseconds(moment_of(value)) == value
