"""When something happened, as an event states it. Times are microseconds since 1970 in UTC."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timezone
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(
    # java.time's ZonedDateTime names its region behind the offset: 2026-01-01T00:00:00+01:00[Europe/Paris]
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|[+-]\d\d:?\d\d|[+-]\d\d)?(?:\[[\w/+-]+\])?$",
    re.I | re.A,
)


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
        ValueError: it is no time, or one that no calendar in UTC holds.
    """
    # only what every Python reads alike: 3.11 also takes weeks, days without a time, and digits without dashes
    if sys.version_info >= (3, 11) and text[4:5] == "-" and text[10:11] in ("T", " ") and text[13:14] == ":":
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = _lenient(text)
    else:
        time = _lenient(text)
    if time.tzinfo is not None and not 2 <= time.year <= 9998:
        try:
            time = time.astimezone(timezone.utc)
        except OverflowError:
            raise ValueError(f"not a time in UTC: {text!r}") from None
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
