"""How many different records there are: exact when few, close when many, the same in any parts and any order."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.content.distinct import Distinct


def counted(*parts: np.ndarray) -> Distinct:
    whole = Distinct()
    for part in parts:
        own = Distinct()
        own.add(part)
        whole.merge(own)
    return whole


@pytest.mark.parametrize("number", [0, 1, 4095, 4096, 50_000, 1_000_000])
def test_it_counts_what_differs(number: int) -> None:
    values = np.random.default_rng(number).integers(1, 2**64, number, dtype=np.uint64)
    found = counted(values).number
    assert found == number if number < 4096 else abs(found - number) < 0.06 * number
    copies = np.repeat(values, 3)
    assert counted(copies[::-1], values[: number // 2], values).number == found
