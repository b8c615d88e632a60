"""What a search by content found of each origin, and when that is enough.

Parts of a dataset are counted by themselves and merged, on one machine or on many. What is searched for, and what
becomes of it, is `lineage.gate.content`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lineage.evidence.content import ContentFound, Place, Scanned, UnreadRef
from lineage.evidence.document import artifact as reference
from lineage.vocabulary import Artifact, Origin

if TYPE_CHECKING:
    from lineage.content import Batch, Index, Unread


class Threshold(NamedTuple):
    """How much of a dataset has to be found before it is said to hold an origin; both must be reached.

    What counts is different content, in records: a phrase that stands in many records is no more than one phrase.
    """

    share: float = 0.0003
    """Of the different records that are long enough to compare: empty lines and copies thin nothing out."""
    records: int = 3
    """Of a dataset that has fewer: all of them."""

    def reached(self, different: float, records: int) -> bool:
        """Whether so much different content is enough.

        Args:
            different: what was found, in records.
            records: how many different ones there are.
        """
        from lineage.content import ENOUGH

        return different >= max(1, min(self.records, records)) and different >= min(self.share * records, ENOUGH)


class Tally:
    """What is found of one origin."""

    def __init__(self) -> None:
        from lineage.content import Different
        from lineage.content.places import Places

        self.equal = 0
        self.different = Different()
        self.sources: set[int] = set()
        self.places = Places()


class Tallies:
    """What is found in some records. Those of parts, merged in order, are those of the whole."""

    def __init__(self) -> None:
        from lineage.content.distinct import Distinct

        self.records = self.short = 0
        self.different = Distinct()
        """Of those that are long enough to compare."""
        self.found: dict[Origin, Tally] = {}

    def take(self, batch: Batch, index: Index, origins: Sequence[tuple[Origin, ...]]) -> None:
        """Hold the records of a batch against an index.

        Args:
            batch: the records.
            index: of the sources.
            origins: of each source of the index.
        """
        import numpy as np

        from lineage.content import RULE, normalise, search

        prints, matches = search(index, normalise(batch.texts))
        self.records += len(batch.texts)
        long = prints.letters >= RULE.letters
        self.short += int((~long).sum())
        self.different.add(prints.exact[long])
        for origin in {origin for i in np.unique(matches.source) for origin in origins[i]}:
            of = np.array([origin in some for some in origins])[matches.source]
            tally = self.found.setdefault(origin, Tally())
            tally.sources |= set(matches.source[of].tolist())
            tally.different.add(matches.evidence, [i for i, some in enumerate(origins) if origin in some])
            tally.equal += len(np.unique(matches.record[of & matches.exact]))
            tally.places.add(batch.file, np.unique(matches.record[of]) + batch.first)

    def merge(self, later: Tallies) -> None:
        """Take what was found in records that come after these."""
        self.records += later.records
        self.short += later.short
        self.different.merge(later.different)
        for origin, other in later.found.items():
            tally = self.found.setdefault(origin, Tally())
            tally.equal += other.equal
            tally.sources |= other.sources
            tally.different.merge(other.different)
            tally.places.merge(other.places)


def scanned(
    path: str,
    artifact: Artifact | None,
    sources: Sequence[Artifact],
    tallies: Tallies,
    threshold: Threshold,
    unread: Iterable[Unread],
) -> Scanned:
    """What was found, as it is told.

    Args:
        path: what was searched.
        artifact: what it is recorded as.
        sources: those of the index.
        tallies: of all its records.
        threshold: what is enough.
        unread: what could not be read.
    """
    number = tallies.records
    found = tuple(
        ContentFound(
            origin,
            tuple(reference(sources[i]) for i in sorted(tally.sources)),
            tally.places.records,
            tally.equal,
            tally.places.records / number,
            round(tally.different.records, 1),
            threshold.reached(tally.different.records, tallies.different.number),
            tuple(Place(*place) for place in tally.places.listed),
            tally.places.more,
        )
        for origin, tally in sorted(tallies.found.items(), key=lambda item: (-item[1].places.records, repr(item[0])))
    )
    refs = tuple(UnreadRef(*item) for item in unread)
    return Scanned(path, reference(artifact) if artifact else None, number, tallies.short, found, refs, False)
