"""The verifier's tree against RFC 6962 written down naively, and against the ledger's own proofs."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.evidence.bundle.make import ranges
from lineage.evidence.bundle.verify import Wrong, check_consistency, leaf_hash, tree_root
from lineage.ledger.proof import consistency_path


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % i) for i in range(size)]


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 70), st.data())
def test_some_leaves_and_the_hashes_between_give_the_root(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    chosen = sorted(data.draw(st.sets(st.integers(0, size - 1), max_size=8)))
    hashes = ranges(leaves, size, chosen)
    known = {i: leaves[i] for i in chosen}
    assert tree_root(size, known, dict(hashes)) == mth(leaves)
    assert all(end - start <= size and not any(start <= i < end for i in chosen) for start, end in hashes)
    if chosen:
        i = data.draw(st.sampled_from(chosen))
        assert tree_root(size, {**known, i: leaf_hash(b"other")}, dict(hashes)) != mth(leaves)
    if hashes:
        at = data.draw(st.sampled_from(sorted(hashes)))
        assert tree_root(size, known, {**hashes, at: bytes(32)}) != mth(leaves)
        with pytest.raises(Wrong):
            tree_root(size, known, {k: v for k, v in hashes.items() if k != at})
    with pytest.raises(Wrong):
        tree_root(size, known, {**hashes, (size, size + 1): bytes(32)})
    with pytest.raises(Wrong):
        tree_root(size, {**known, size: bytes(32)}, dict(hashes))


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_consistency_holds_for_a_record_that_grew_and_for_no_other(one: int, other: int, data: st.DataObject) -> None:
    first, second = sorted((one, other))
    leaves = leaves_of(second)
    proof = consistency_path(leaves, first, second)
    old, new = mth(leaves[:first]), mth(leaves)
    check_consistency(first, old, second, new, proof)
    with pytest.raises(Wrong):
        check_consistency(first, bytes(32), second, new, proof)
    with pytest.raises(Wrong):
        check_consistency(first, old, second, bytes(32), proof)
    with pytest.raises(Wrong):
        check_consistency(first, old, second, new, (*proof, bytes(32)))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        with pytest.raises(Wrong):
            check_consistency(first, old, second, new, [bytes(32) if i == at else h for i, h in enumerate(proof)])
        with pytest.raises(Wrong):
            check_consistency(first, old, second, new, proof[:-1])


def test_published_roots() -> None:
    """The tree of the Certificate Transparency reference implementation (certificate-transparency, merkle_tree_test)."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    leaves = [leaf_hash(bytes.fromhex(text)) for text in inputs]
    for size, root in enumerate(roots, 1):
        assert tree_root(size, dict(enumerate(leaves[:size])), {}).hex() == root
