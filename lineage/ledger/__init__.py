"""How facts are kept: the Merkle tree over the entries (RFC 6962), their bytes at rest, the recording clock.

Pure: no database, no files but the compression dictionary. `lineage.store` holds the rows, `lineage.graph` writes them.
"""

from lineage.ledger.body import CHUNK, pack, unpack
from lineage.ledger.clock import Moment, happened, recording_time
from lineage.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of

__all__ = [
    "CHUNK",
    "EMPTY_ROOT",
    "Frontier",
    "Moment",
    "happened",
    "leaf_hash",
    "node_hash",
    "pack",
    "recording_time",
    "root_of",
    "unpack",
]
