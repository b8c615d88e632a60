"""The same content elsewhere: what records are, their fingerprints, and where else they are found.

Names lie, content does not (case S5). A record's text is brought down to its letters (`normalise`), of these come
keyed fingerprints of the whole and of passages (`fingerprints`), an index keeps those of restricted sources, and
`search` says which records of anything else equal or resemble them. Text is never kept. `records` reads files;
everything else works on bytes in memory, so that other readers (Spark's Arrow batches, columns of Great Expectations)
use the same code.

Needs the extra ``content`` (numpy, pyarrow); nothing on a start-up path imports this package. What becomes of a match
is the gate's business (`lineage.gate.content`).
"""

from __future__ import annotations

from lineage.content.fingerprint import Fingerprints, Key, anchors, exact, fingerprints
from lineage.content.formats import arrow_texts
from lineage.content.index import (
    ENOUGH,
    RULE,
    Different,
    Evidence,
    Index,
    IndexFile,
    IndexWriter,
    Matches,
    Rule,
    Sorted,
    assemble,
    passages,
    whole_records,
)
from lineage.content.normalise import Letters, normalise
from lineage.content.records import Batch, Unread, batched, files, records, records_of
from lineage.content.search import search

__all__ = [
    "ENOUGH",
    "RULE",
    "Batch",
    "Different",
    "Evidence",
    "Fingerprints",
    "Index",
    "IndexFile",
    "IndexWriter",
    "Key",
    "Letters",
    "Matches",
    "Rule",
    "Sorted",
    "Unread",
    "anchors",
    "arrow_texts",
    "assemble",
    "batched",
    "exact",
    "files",
    "fingerprints",
    "normalise",
    "passages",
    "records",
    "records_of",
    "search",
    "whole_records",
]
