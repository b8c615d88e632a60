"""How often somebody may ask, and which refusals are recorded. In memory, for one process; no I/O."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from lineage.errors import LineageError


class Rates:
    """Requests a second, in memory: a bucket for each identity, and one for each address that shows no valid token.

    Args:
        rate: requests a second of an identity, on average.
        burst: how many at once.
    """

    STRANGERS_RATE, STRANGERS_BURST = 5.0, 50.0
    """Failures to show who one is, of one address: guessing is slow and costs little."""
    MOST = 10_000
    """Buckets kept; the one that was used longest ago goes first."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._known: OrderedDict[str, _Bucket] = OrderedDict()
        self._strangers: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, key: str) -> None:
        """Count a request of an identity.

        Raises:
            LineageError: ``TOO_MANY_REQUESTS``.
        """
        self._spend(self._known, key, self._rate, self._burst)

    def strangers(self, address: str) -> None:
        """Count a request of somebody who did not show who they are; raises as `spend` does."""
        self._spend(self._strangers, address, self.STRANGERS_RATE, self.STRANGERS_BURST)

    def _spend(self, buckets: OrderedDict[str, _Bucket], key: str, rate: float, burst: float) -> None:
        now = self._clock()
        left, then = buckets.pop(key, _Bucket(burst, now))
        left = min(burst, left + (now - then) * rate)
        if len(buckets) >= self.MOST:
            buckets.popitem(last=False)
        buckets[key] = _Bucket(left - 1 if left >= 1 else left, now)
        if left < 1:
            raise LineageError(
                "too many requests", code="TOO_MANY_REQUESTS", cause=f"{rate:g} a second on average are taken",
                hint="send events in batches, or ask again in a second",
            )  # fmt: skip


class _Bucket(NamedTuple):
    left: float
    at: float


class Refusals:
    """Which refusals become entries of the ledger.

    The first of each (identity, route) in an hour does; those that follow are counted, and the next entry tells how
    many there were. Of all identities together at most `MOST` an hour do. Who shows no valid token writes nothing.
    """

    EVERY, MOST = 3600.0, 100

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._counted: dict[tuple[str, str], int] = {}
        self._hour = (clock(), 0)

    def note(self, who: str, route: str) -> int | None:
        """Count a refusal.

        Returns:
            How many like it went before without an entry, when this one becomes an entry; None when it does not.
        """
        now, key = self._clock(), (who, route)
        since, made = self._hour
        if now - since >= self.EVERY:
            since, made = now, 0
            self._last = {k: at for k, at in self._last.items() if now - at < self.EVERY}
        if now - self._last.get(key, float("-inf")) < self.EVERY or made >= self.MOST:
            self._hour = since, made
            if key in self._counted or len(self._counted) < 10 * self.MOST:
                self._counted[key] = self._counted.get(key, 0) + 1
            return None
        self._hour = since, made + 1
        self._last[key] = now
        return self._counted.pop(key, 0)
