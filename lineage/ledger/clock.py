"""Two times: when something happened (the event says) and when it was recorded (our clock says). Law 11.

How a time that an event states is read is `lineage.vocabulary.moment`'s. The recording clock never runs backwards.
"""

from __future__ import annotations

from lineage.errors import UsageError
from lineage.vocabulary.moment import Moment, happened, microseconds, moment_of

__all__ = ["TOLERANCE", "Moment", "happened", "microseconds", "moment_of", "recording_time"]

TOLERANCE = 5 * 60 * 1_000_000
"""How far a clock may be set back (microseconds) before recording stops: time services step by less."""


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
