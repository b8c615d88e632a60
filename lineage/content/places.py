"""Where some records are: those of a file that follow one another as one place, and so many places at most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PLACES = 1000
"""Places that are given at most."""


class Place(NamedTuple):
    """Records of a file that follow one another."""

    file: str
    first: int
    """Counted from 1."""
    last: int


class Places:
    """Where some records are."""

    def __init__(self) -> None:
        self.records = 0
        self.listed: list[Place] = []

    @property
    def more(self) -> int:
        """Records that no place is given for."""
        return self.records - sum(place.last - place.first + 1 for place in self.listed)

    def add(self, file: str, numbers: NDArray[np.int64]) -> None:
        """Take records of a file, by their numbers, ascending, after all that were taken before."""
        self.records += len(numbers)
        if len(numbers):
            for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
                if not self._placed(Place(file, int(run[0]), int(run[-1]))):
                    return

    def merge(self, later: Places) -> None:
        """Take those that come after these."""
        self.records += later.records
        for place in later.listed:
            self._placed(place)

    def _placed(self, place: Place) -> bool:
        last = self.listed[-1] if self.listed else None
        if last and last.file == place.file and last.last == place.first - 1:
            self.listed[-1] = last._replace(last=place.last)
        elif len(self.listed) < PLACES:
            self.listed.append(place)
        else:
            return False
        return True
