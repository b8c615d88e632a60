"""Which records of a batch equal or resemble records of a source: each by itself, and short ones in a row.

A text that was cut into rows (a word, a clause, a line in each) has no record long enough to compare. Rows of few
letters are therefore looked up joined as well, a passage of them at a time; where it resembles a source's record, all
its rows do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineage.content.fingerprint import PASSAGE, Fingerprints, fingerprints
from lineage.content.index import Evidence, Index, Matches
from lineage.content.normalise import Letters

_ROW = 3 * PASSAGE
"""A record with fewer letters may be a part of one."""
_JOINED, _LEAST = 400, 3 * PASSAGE
"""Letters that are looked up together, and that are enough to be."""
_DIFFERENT = 8
"""Of more rows so many must differ."""


def search(index: Index, letters: Letters) -> tuple[Fingerprints, Matches]:
    """The fingerprints of some records, and which of them match.

    Args:
        index: of the sources.
        letters: of records in the order in which they lie in their file.
    """
    prints = fingerprints(letters, index.key)
    found = index.match(prints)
    alone = np.zeros(len(letters.records), np.bool_)
    alone[found.record] = True
    runs = _runs(letters, alone)
    if not runs:
        return prints, found
    joined = [b"".join(letters.records[first:end]) for first, end in runs]
    passages = index.match(fingerprints(Letters.of(b"\0".join(joined), joined), index.key))
    first, end = np.array(runs, np.int64)[passages.record].reshape(-1, 2).T
    counts = end - first
    rows = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
    some = letters.sizes[rows] > 0
    record = np.concatenate((found.record, rows[some]))
    source = np.concatenate((found.source, np.repeat(passages.source, counts)[some]))
    exact = np.concatenate((found.exact, np.zeros(int(some.sum()), np.bool_)))
    share = np.concatenate((found.share, np.repeat(passages.share, counts)[some]))
    order = np.lexsort((record, source))
    columns = (np.concatenate(pair) for pair in zip(found.evidence, passages.evidence, strict=True))
    return prints, Matches(record[order], source[order], exact[order], share[order], Evidence(*columns))


def _runs(letters: Letters, alone: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row, and the one after the last, of passages of short rows that do not match by themselves.

    A column of a few categories is no text, and its order says nothing.
    """
    rows = np.flatnonzero((letters.sizes < _ROW) & ~alone)
    found: list[tuple[int, int]] = []
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) > 1 else ():
        if len(run) < 2:
            continue
        passage = np.cumsum(letters.sizes[run]) // _JOINED
        for part in np.split(run, np.flatnonzero(np.diff(passage)) + 1):
            first, end = int(part[0]), int(part[-1]) + 1
            some = [record for record in letters.records[first:end] if record]
            if sum(map(len, some)) >= _LEAST and (len(some) < _DIFFERENT or len(set(some)) >= _DIFFERENT):
                found.append((first, end))
    return found
