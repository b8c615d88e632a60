"""Two times: when something happened (the event says) and when it was recorded (our clock says). Law 11.

Times are microseconds since 1970 in UTC. The recording clock never runs backwards.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from typing import NamedTuple

from lineage.errors import UsageError

TOLERANCE = 5 * 60 * 1_000_000
"""How far a clock may be set back (microseconds) before recording stops: time services step by less."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d|[+-]\d\d)?$", re.I)


class Moment(NamedTuple):
    """A time as an event states it."""

    microseconds: int
    """Since 1970-01-01 in UTC."""
    zoned: bool
    """Whether the text named its zone; if not, it was read as UTC."""


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 in UTC; a time without zone is taken as UTC."""
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    delta = time - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment_of(value: int) -> datetime:
    """The UTC time of microseconds since 1970."""
    return datetime.fromtimestamp(value // 1_000_000, timezone.utc).replace(microsecond=value % 1_000_000)


def happened(text: str) -> Moment:
    """Read an ISO 8601 time (RFC 3339 and what producers make of it).

    Raises:
        ValueError: it is no time.
    """
    if sys.version_info >= (3, 11):
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = _lenient(text)
    else:
        time = _lenient(text)
    return Moment(microseconds(time), time.tzinfo is not None)


def _lenient(text: str) -> datetime:
    match = _ISO.match(text.strip())
    if not match:
        raise ValueError(f"not an ISO 8601 time: {text!r}")
    day, clock, fraction, zone = match.groups()
    clock = clock if len(clock) == 8 else clock + ":00"
    fraction = (fraction or "0")[:6].ljust(6, "0")
    if zone is None:
        zone = ""
    elif zone in "Zz":
        zone = "+00:00"
    elif len(zone) == 3:
        zone += ":00"
    elif len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    return datetime.fromisoformat(f"{day}T{clock}.{fraction}{zone}")


def recording_time(last: int, now: int, *, accept: bool = False) -> int:
    """The time to record under: never before the last one.

    Args:
        last: time of the last entry, 0 if there is none (microseconds).
        now: our clock (microseconds).
        accept: record although the clock went far back, under the last entry's time.

    Raises:
        UsageError: ``CLOCK_WENT_BACK``, more than `TOLERANCE` before the last entry.
    """
    if now >= last:
        return now
    if last - now > TOLERANCE and not accept:
        raise UsageError(
            "the clock went back, so nothing was recorded",
            code="CLOCK_WENT_BACK",
            cause=f"it is {moment_of(now).isoformat()} here, the last entry was recorded {moment_of(last).isoformat()}",
            hint="set the clock right; if the earlier entry's clock was the wrong one, set `accept_clock = true` under "
            "[ledger] in lineage.toml, or LINEAGE_ACCEPT_CLOCK=1",
        )
    return last
