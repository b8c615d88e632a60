"""Stored forms of the graph's rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.graph.rows import Run, pack_edges, unpack_edges
from lineage.graph.working import pack_pairs, unpack_pairs

edges = st.lists(st.tuples(st.integers(1, 2**40), st.integers(1, 2**40), st.integers(0, 31)), max_size=6)


@given(edges, edges)
def test_edges_again(inputs: list[tuple[int, int, int]], outputs: list[tuple[int, int, int]]) -> None:
    assert unpack_edges(pack_edges(Run(1, 0, inputs, outputs))) == (inputs, outputs)


@pytest.mark.parametrize("data", [b"", b"\x90", b"\x92\x01\x02", b"\x91\x05", b"\xc0"])
def test_edges_that_cannot_be_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack_edges(data)


@given(st.frozensets(st.integers(0, 2**32 - 1), max_size=50))
def test_pairs_again(pairs: frozenset[int]) -> None:
    assert unpack_pairs(pack_pairs(pairs)) == pairs
    assert len(pack_pairs(pairs)) == 4 * len(pairs)
