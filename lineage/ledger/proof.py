"""Merkle proofs: that an entry is in a tree, and that a tree only grew (RFC 6962 section 2.1, RFC 9162 section 2.1).

Pure. Paths are made in one pass over the leaf hashes, holding a handful of hashes at a time. Checking one raises when
it does not hold; nothing here returns False.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from lineage.errors import CannotDecide
from lineage.ledger.tree import Frontier, node_hash

HASH_BYTES = 32
Path = tuple[bytes, ...]
"""Hashes of a proof, 32 bytes each, in the order in which they are used (the RFCs' order)."""


def inclusion_paths(leaves: Iterable[bytes], indexes: Iterable[int], size: int) -> Mapping[int, Path]:
    """The audit path of each of some leaves (RFC 9162 section 2.1.3.1), in one pass.

    Args:
        leaves: leaf hashes (`lineage.ledger.leaf_hash`) from the first on; at least ``size``.
        indexes: which leaves, counted from 0.
        size: number of leaves of the tree.

    Raises:
        CannotDecide: ``PROOF_IMPOSSIBLE``, an index is outside of the tree, or the leaves end early.
    """
    wanted = sorted(set(indexes))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < size:
        raise _impossible(f"a tree of {size} entries has no entry {wanted[-1] if wanted[0] >= 0 else wanted[0]}")
    paths: dict[int, list[bytes]] = {index: [] for index in wanted}
    _subtree(iter(leaves), 0, size, wanted, paths)
    return {index: tuple(path) for index, path in paths.items()}


def _subtree(leaves: Iterator[bytes], start: int, end: int, wanted: list[int], paths: dict[int, list[bytes]]) -> bytes:
    """MTH(D[start:end]); on the way back from the leaves each path gets its next hash."""
    if not wanted or end - start == 1:
        return _root(leaves, end - start)
    middle = start + _split(end - start)
    on_left, on_right = [i for i in wanted if i < middle], [i for i in wanted if i >= middle]
    left = _subtree(leaves, start, middle, on_left, paths)
    right = _subtree(leaves, middle, end, on_right, paths)
    for index in on_left:
        paths[index].append(right)
    for index in on_right:
        paths[index].append(left)
    return node_hash(left, right)


def inclusion_path(leaves: Iterable[bytes], index: int, size: int) -> Path:
    """The audit path of one leaf; see `inclusion_paths`."""
    return inclusion_paths(leaves, (index,), size)[index]


def consistency_path(leaves: Iterable[bytes], old: int, new: int) -> Path:
    """The proof that the tree of ``old`` leaves is the beginning of that of ``new`` (RFC 9162 section 2.1.4.1).

    Args:
        leaves: leaf hashes from the first on; at least ``new``.
        old: number of leaves of the earlier tree, at least 1: every tree begins with the empty one.
        new: number of leaves of the later one.

    Raises:
        CannotDecide: ``PROOF_IMPOSSIBLE``, the earlier tree is the larger one, or the leaves end early.
    """
    if not 0 < old <= new:
        raise _impossible(f"a tree of {new} entries does not begin with one of {old}")
    if old == new:
        return ()
    path: list[bytes] = []
    _subproof(iter(leaves), 0, new, old, True, path)
    return tuple(path)


def _subproof(leaves: Iterator[bytes], start: int, end: int, old: int, whole: bool, path: list[bytes]) -> None:
    """SUBPROOF(old - start, D[start:end], whole)."""
    if end == old:
        root = _root(leaves, end - start)
        if not whole:
            path.append(root)
        return
    middle = start + _split(end - start)
    if old <= middle:
        _subproof(leaves, start, middle, old, whole, path)
        path.append(_root(leaves, end - middle))
    else:
        left = _root(leaves, middle - start)
        _subproof(leaves, middle, end, old, False, path)
        path.append(left)


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check an audit path (RFC 9162 section 2.1.3.2).

    Args:
        leaf: the entry's leaf hash.
        index: its position, counted from 0.
        size: number of leaves of the tree that ``root`` is of.
        path: the audit path.
        root: the root that it must lead to.

    Raises:
        CannotDecide: ``PROOF_INVALID``.
    """
    if not 0 <= index < size:
        raise _invalid(f"a tree of {size} entries has no entry {index}")
    _are_hashes(leaf, root, *path)
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise _invalid("the path is longer than the tree is deep")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise _invalid("the path ends before the root")
    if found != root:
        raise _invalid(f"entry {index} leads to the root {found.hex()}, not to {root.hex()}")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that a tree only grew (RFC 9162 section 2.1.4.2).

    Args:
        old: number of leaves of the earlier tree.
        new: number of leaves of the later one.
        old_root: root of the earlier tree.
        new_root: root of the later one.
        path: the consistency proof.

    Raises:
        CannotDecide: ``PROOF_INVALID``.
    """
    if not 0 < old <= new:
        raise _invalid(f"a tree of {new} entries does not begin with one of {old}")
    _are_hashes(old_root, new_root, *path)
    if old == new:
        if path:
            raise _invalid("there is nothing to prove, and yet a path")
        if old_root != new_root:
            raise _invalid(f"two roots for the tree of {old} entries")
        return
    steps = list(path)
    if not old & (old - 1):  # a power of two: its root is a node of the later tree, and is left out of the path
        steps.insert(0, old_root)
    if not steps:
        raise _invalid("the path is empty")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_found = new_found = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            raise _invalid("the path is longer than the tree is deep")
        if at & 1 or at == last:
            old_found, new_found = node_hash(sibling, old_found), node_hash(sibling, new_found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise _invalid("the path ends before the root")
    if old_found != old_root:
        raise _invalid(f"the first {old} entries lead to the root {old_found.hex()}, not to {old_root.hex()}")
    if new_found != new_root:
        raise _invalid(f"the {new} entries lead to the root {new_found.hex()}, not to {new_root.hex()}")


def _are_hashes(*values: bytes) -> None:
    if any(len(value) != HASH_BYTES for value in values):
        raise _invalid(f"a hash has {HASH_BYTES} bytes")


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (RFC 6962 section 2.1)."""
    return 1 << (size - 1).bit_length() - 1


def _root(leaves: Iterator[bytes], count: int) -> bytes:
    """Root over the next ``count`` leaf hashes."""
    frontier = Frontier()
    for leaf in islice(leaves, count):
        frontier.append(leaf)
    if frontier.size != count:
        raise _impossible("the ledger ends before that")
    return frontier.root()


def _impossible(cause: str) -> CannotDecide:
    return CannotDecide(
        "there is no such proof", code="PROOF_IMPOSSIBLE", cause=cause, hint="lineagegate ledger verify"
    )


def _invalid(cause: str) -> CannotDecide:
    return CannotDecide("the proof does not hold", code="PROOF_INVALID", cause=cause)
