"""The Merkle tree of RFC 6962 section 2.1: leaves, inner nodes, and the root at every size.

A `Frontier` (compact range) holds the roots of the perfect subtrees that make up a tree, largest first: at most
log2(n) hashes, enough to append and to know the root. Proofs come on top of this; entries lie elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from lineage.errors import CannotDecide

EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 section 2.1)."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf: SHA-256 over ``0x00`` and the entry's exact bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 over ``0x01`` and its two children."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes, computed by appending one after the other."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


class Frontier:
    """The compact range of a tree of ``size`` leaves.

    Args:
        size: number of leaves.
        packed: the hashes of the perfect subtrees, largest first, 32 bytes each, as `pack` gives them.

    Raises:
        CannotDecide: ``LEDGER_DAMAGED``, size and hashes do not belong together.
    """

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, packed: bytes = b"") -> None:
        if len(packed) != 32 * size.bit_count():
            raise CannotDecide(
                "the ledger's tree does not fit its number of entries",
                code="LEDGER_DAMAGED",
                cause=f"{size} entries need {size.bit_count()} subtree hashes, {len(packed)} bytes are there",
                hint="restore the store from a backup",
            )
        self.size = size
        self._hashes = [packed[i : i + 32] for i in range(0, len(packed), 32)]

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash: as many merges as the size has trailing one bits."""
        size, hashes = self.size, self._hashes
        while size & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            size >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Root hash of the tree as it is now."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root

    def pack(self) -> bytes:
        """The subtree hashes, largest first, for keeping."""
        return b"".join(self._hashes)
