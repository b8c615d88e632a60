"""Proofs against the recursive definitions of RFC 6962 section 2.1, and against published vectors.

The vectors are those of Certificate Transparency's reference implementation (transparency-dev/merkle): the tree over
eight given leaves, its nodes, audit paths and consistency proofs.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import CannotDecide
from lineage.ledger import leaf_hash, node_hash, root_of
from lineage.ledger.proof import (
    consistency_path,
    inclusion_path,
    inclusion_paths,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger.test_tree import LEAVES, ROOTS

HASHES = [leaf_hash(leaf) for leaf in LEAVES]
INCLUSION = [
    (0, 1, []),
    (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip
CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(mth(leaves[:k]), mth(leaves[k:]))


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), mth(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), mth(leaves[:k])]


def naive_subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b), RFC 6962 section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def some(size: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(size)]


sizes = st.integers(1, 70)


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_published_audit_paths(index: int, size: int, path: list[str]) -> None:
    found = inclusion_path(HASHES, index, size)
    assert [step.hex() for step in found] == path
    verify_inclusion(HASHES[index], index, size, found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_published_consistency_proofs(old: int, new: int, path: list[str]) -> None:
    found = consistency_path(HASHES, old, new)
    assert [step.hex() for step in found] == path
    verify_consistency(old, new, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]), found)


@given(sizes, st.data())
def test_paths_are_those_of_the_recursive_definition(size: int, data: st.DataObject) -> None:
    leaves = some(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    assert list(inclusion_path(leaves, index, size)) == naive_path(index, leaves)
    assert list(consistency_path(leaves, old, size)) == naive_subproof(old, leaves, True)
    verify_inclusion(leaves[index], index, size, inclusion_path(leaves, index, size), mth(leaves))
    verify_consistency(old, size, mth(leaves[:old]), mth(leaves), consistency_path(leaves, old, size))


@given(sizes, st.data())
def test_many_paths_at_once_are_those_of_one_at_a_time(size: int, data: st.DataObject) -> None:
    leaves = some(size)
    indexes = data.draw(st.lists(st.integers(0, size - 1), max_size=10))
    found = inclusion_paths(iter(leaves), indexes, size)
    assert found == {index: inclusion_path(leaves, index, size) for index in indexes}


@given(sizes, st.data())
def test_nothing_but_the_right_proof_holds(size: int, data: st.DataObject) -> None:
    leaves = some(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path, root = list(inclusion_path(leaves, index, size)), root_of(leaves)
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index)) if size > 1 else index + 1
    wrong: list[tuple[bytes, int, int, list[bytes], bytes]] = [
        (leaf_hash(b"other"), index, size, path, root),
        (leaves[index], other, size, path, root),
        (leaves[index], index, size, [*path, root], root),
        (leaves[index], index, size, path, leaf_hash(b"x")),
        (leaves[index], -1, size, path, root),
        (leaves[index], index, index, path, root),
        (b"", index, size, path, root),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong += [
            (leaves[index], index, size, path[:at] + path[at + 1 :], root),
            (leaves[index], index, size, [*path[:at], leaf_hash(b"x"), *path[at + 1 :]], root),
        ]
    for case in wrong:
        with pytest.raises(CannotDecide, match="does not hold"):
            verify_inclusion(*case)
    proof, before = list(consistency_path(leaves, old, size)), root_of(leaves[:old])
    bad: list[tuple[int, int, bytes, bytes, list[bytes]]] = [
        (old, size, leaf_hash(b"x"), root, proof),
        (old, size, before, leaf_hash(b"x"), proof),
        (old, size, before, root, [*proof, root]),
        (0, size, before, root, proof),
        (size + 1, size, before, root, proof),
        (old, size, before, root, [p[:31] for p in proof] or [b""]),
    ]
    bad += [(old, size, before, root, proof[:-1])] if proof else []
    for change in bad:
        with pytest.raises(CannotDecide, match="does not hold"):
            verify_consistency(*change)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3), (0, 9)])
def test_what_cannot_be_proven_is_refused(index: int, size: int) -> None:
    with pytest.raises(CannotDecide, match="no such proof"):
        inclusion_path(HASHES, index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (1, 9), (-1, 3)])
def test_what_did_not_grow_is_refused(old: int, new: int) -> None:
    with pytest.raises(CannotDecide, match="no such proof"):
        consistency_path(HASHES, old, new)
