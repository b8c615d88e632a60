"""How many different records there are, in bounded memory.

Fingerprints are spread evenly over all numbers, so where the 4,096th smallest stands says how many there are
(Bar-Yossef and others, "Counting distinct elements in a data stream", 2002); the error is 1.6 %. The smallest of
parts, merged, are those of the whole.
"""

from __future__ import annotations

import numpy as np

from lineage.content.fingerprint import Words

_KEPT = 4096


class Distinct:
    """Counts different fingerprints."""

    def __init__(self) -> None:
        self._smallest = np.empty(0, np.uint64)

    def add(self, fingerprints: Words) -> None:
        """Take fingerprints of whole records."""
        if len(self._smallest) == _KEPT:
            fingerprints = fingerprints[fingerprints < self._smallest[-1]]
        if len(fingerprints):
            self._smallest = np.union1d(self._smallest, fingerprints)[:_KEPT]

    def merge(self, other: Distinct) -> None:
        """Take what another one took."""
        self.add(other._smallest)

    @property
    def number(self) -> int:
        """How many there are, exact below 4,096."""
        if len(self._smallest) < _KEPT:
            return len(self._smallest)
        return round((_KEPT - 1) / (float(self._smallest[-1]) / 2.0**64))
