"""Writing what changed in memory: entries, rows, the head. In the transaction, all together.

What the changes are is `project` and `propagate`; `graph` decides when.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage.graph import rows
from lineage.graph.resolve import label_codes, pack_labels
from lineage.graph.rows import Head
from lineage.graph.working import Working, digest_of, pack_pairs
from lineage.ledger import pack
from lineage.store import Store
from lineage.store.store import headless


def head_of(store: Store) -> Head:
    """The head row."""
    row = store.one(rows.HEAD)
    if row is None:
        raise headless(store)
    return Head(*row)


def put_chunk(working: Working, chunk: Sequence[bytes]) -> None:
    """Have entries written that end at the head's position, all recorded at the head's time."""
    head = working.head
    row = (head.position - len(chunk), len(chunk), head.recorded, pack(chunk))
    working.pending[rows.PUT_ENTRY].append(row)


def flush(working: Working) -> None:
    """Write everything that changed. In the transaction."""
    store, head, pending = working.store, working.head, working.pending
    for set_id in working.new_sets:
        pairs = working.sets[set_id]
        packed = pack_pairs(pairs)
        labels = pack_labels(*label_codes(working, pairs))
        pending[rows.PUT_SET].append((set_id, digest_of(packed), packed, labels, head.epoch))
    for run in working.dirty_runs:
        run.dirty = False
        into = rows.NEW_RUN if run.id in working.new_runs else rows.PUT_RUN
        pending[into].append((run.id, run.entry, rows.pack_edges(run)))
    for source in working.dirty_sources:
        source.dirty = False
        origins = ",".join(map(str, source.origins))
        pending[rows.PUT_SOURCE].append(
            (source.id, int(source.kind), source.node, source.dataset, source.base, origins, source.tags)
        )
    for dataset in working.dirty_datasets:
        dataset.dirty = False
        into = rows.NEW_DATASET if dataset.id in working.new_datasets else rows.PUT_DATASET
        pending[into].append(
            (dataset.id, dataset.namespace, dataset.name, dataset.node, dataset.entry, dataset.last, dataset.model)
        )
    for node in working.dirty_nodes:
        node.dirty = False
        into = rows.NEW_NODE if node.id in working.new_nodes else rows.PUT_NODE
        pending[into].append((node.id, node.pairset, node.made, node.run, node.source, node.flags))
    for table, new in pending.items():
        if new:
            store.insert(table, new)
    store.execute(rows.PUT_HEAD, msgspec.structs.astuple(head))
