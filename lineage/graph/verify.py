"""Recomputing everything from the bytes of the entries: leaves, tree, recording times, and the rows of the graph.

What it is held against (checkpoints, hashes that a witness kept) is given; signatures and timestamps are
`lineage.gate.verification`'s. Nothing here raises for what does not hold: every deviation is a `Deviation`, so that one
pass finds all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from lineage.errors import LineageError
from lineage.events.event import read
from lineage.graph.asof import replay, whole
from lineage.graph.compare import compare
from lineage.graph.rows import Act
from lineage.graph.write import head_of
from lineage.ledger import EMPTY_ROOT, Frontier, leaf_hash, unpack
from lineage.ledger.clock import moment_of
from lineage.store import Store

Told = Callable[[str, int, int], None]
_TOLD_EVERY = 10_000


class Expected(NamedTuple):
    """What somebody says of the tree."""

    where: str
    """Who says it, for people."""
    size: int
    root: bytes
    time: int
    """When it was said, microseconds UTC; 0: not known."""
    outside: bool
    """Whether it was kept outside of the store, out of reach of whoever owns that."""


class Deviation(NamedTuple):
    """Something that is not as it must be."""

    code: str
    message: str
    first: int | None = None
    """The first entry that differs, or may; counted from 0."""
    last: int | None = None
    """The last entry that the first difference may be at; equal to ``first`` when it is known exactly."""
    hint: str = ""


class Tree(NamedTuple):
    """What the entries' bytes give."""

    size: int
    root: bytes
    deviations: tuple[Deviation, ...]
    whole: bool
    """Whether every entry could be read, so that the graph can be recomputed."""
    failing: frozenset[Expected]
    """What was said of the tree and does not hold."""


class _Pass:
    """One reading of all entries."""

    def __init__(self, expected: Sequence[Expected], hashes: Sequence[tuple[str, Iterator[bytes]]]) -> None:
        self.frontier = Frontier()
        self.recorded = 0
        self.found: list[Deviation] = []
        self.whole = True
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}
        self.times: dict[int, int] = {}
        """When the entry was recorded, of those just before and after a checkpoint."""
        self._wanted = sorted({e.size for e in expected if e.size})
        self._near = {at for e in expected for at in (e.size - 1, e.size)}
        self._hashes = list(hashes)

    def row(self, start: int, count: int, recorded: int, body: bytes) -> None:
        """One row of entries."""
        at = self.frontier.size
        if start != at:
            # a gap, or two rows for one place: what follows is read as it lies, and no checkpoint will fit
            said = f"entries {at} to {start - 1} are missing" if start > at else f"entry {start} is there twice"
            self._deviates("ENTRY_MISSING" if start > at else "ENTRY_TWICE", said, min(start, at))
            self.whole = False
        try:
            events = unpack(body)
        except LineageError as error:
            self._deviates(
                "ENTRY_UNREADABLE", f"entry {start} and those beside it cannot be read: {error.cause}", start
            )
            self.whole = False
            return
        if len(events) != count:
            self._deviates("ENTRY_MISSING", f"the row of entry {start} holds {len(events)} entries, not {count}", start)
            self.whole = False
        if recorded < self.recorded:
            said = f"entry {at} was recorded {_iso(recorded)}, before the entry in front of it ({_iso(self.recorded)})"
            self._deviates("TIME_WENT_BACK", said, at)
        self.recorded = max(recorded, self.recorded)
        for data in events:
            self._entry(data, recorded)

    def _entry(self, data: bytes, recorded: int) -> None:
        frontier, leaf = self.frontier, leaf_hash(data)
        at = frontier.size
        frontier.append(leaf)
        if at in self._near:
            self.times[at] = recorded
        for where, kept in self._hashes:
            seen = next(kept, None)
            if seen is not None and seen != leaf:
                said = f"entry {at} is not the one that {where} has seen: it is now {describe(data, recorded)}"
                self._deviates("ENTRY_DIFFERS", said, at)
                self._hashes = [(w, k) for w, k in self._hashes if w != where]
        wanted = self._wanted
        if wanted and frontier.size == wanted[0]:
            self.roots[wanted.pop(0)] = frontier.root()

    def _deviates(self, code: str, message: str, at: int) -> None:
        self.found.append(Deviation(code, message, at, at))

    def ended(self, size: int) -> None:
        """Look for entries that witnesses have seen and that are not there any more."""
        for where, kept in self._hashes:
            if next(kept, None) is not None:
                self._deviates("ENTRY_MISSING", f"the ledger ends before entry {size}, which {where} has seen", size)


def check_tree(
    store: Store, expected: Sequence[Expected], hashes: Sequence[tuple[str, Iterator[bytes]]], told: Told
) -> Tree:
    """Recompute the tree and hold it against what was said of it.

    Args:
        store: in a read transaction.
        expected: checkpoints.
        hashes: leaf hashes from the first entry on that witnesses kept, and what they are called.
        told: progress.
    """
    head = head_of(store)
    reading = _Pass(expected, hashes)
    next_told = 0
    for start, count, recorded, body in store.entries():
        reading.row(start, count, recorded, bytes(body))
        if reading.frontier.size >= next_told:
            told("hashing entries", reading.frontier.size, head.position)
            next_told = reading.frontier.size + _TOLD_EVERY
    size, root = reading.frontier.size, reading.frontier.root()
    told("hashing entries", size, size)
    reading.ended(size)
    found = reading.found
    exact = min((d.first for d in found if d.first is not None), default=None)
    own = Expected("the head row", head.position, _head_root(head.position, head.frontier), 0, False)
    if size == head.position:
        reading.roots[size] = root
    said = [*expected, own]
    failing = frozenset(e for e in said if reading.roots.get(e.size) != e.root)
    found += _failing(store, said, failing, reading, exact)
    found += [d for e in expected if e not in failing and e.time for d in _times(e, reading)]
    if size == head.position and head.recorded < reading.recorded:
        found.append(Deviation("HEAD_DIFFERS", "the head row states an earlier time than that of the last entry"))
    return Tree(size, root, tuple(found), reading.whole, failing)


def _head_root(size: int, packed: bytes) -> bytes:
    try:
        return Frontier(size, bytes(packed)).root()
    except LineageError:
        return b""


def _failing(
    store: Store, said: Sequence[Expected], failing: frozenset[Expected], reading: _Pass, exact: int | None
) -> Iterator[Deviation]:
    """Of what does not hold, the first from each place outside, and the first of the store's own."""
    size = reading.frontier.size
    groups: dict[str, list[Expected]] = {}
    for e in sorted(failing, key=lambda e: (not e.outside, e.size)):
        groups.setdefault(e.where if e.outside else "", []).append(e)
    for e, *more in groups.values():
        also = f" ({len(more)} later ones there do not hold either)" if more else ""
        if e.size > size:
            yield Deviation(
                "LEDGER_CUT",
                f"{e.where} seals {e.size} entries, the ledger holds {size}: entry {size} and what follows is "
                f"missing{also}",
                size,
                size,
            )
            continue
        # only what was kept outside says surely up to where all is well: whoever owns the store can sign anew
        sure = (o.size for o in said if o not in failing and o.size < e.size and o.outside >= e.outside)
        holds = max(sure, default=0)
        first = exact if exact is not None and holds <= exact < e.size else holds
        last = first if first == exact else e.size - 1
        span = f"entry {first} differs" if first == last else f"the first that differs is one of {first} to {last}"
        yield Deviation(
            "ROOT_DIFFERS",
            f"{e.where} seals {e.size} entries that are not those in the ledger: {span}; entry {first} is now "
            f"{describe_at(store, first)}{also}",
            first,
            last,
        )


def _times(e: Expected, reading: _Pass) -> Iterator[Deviation]:
    """A checkpoint lies in time between the entries it seals and those that follow it."""
    before, after = reading.times.get(e.size - 1, 0), reading.times.get(e.size)
    if before > e.time:
        yield Deviation(
            "TIME_DIFFERS",
            f"{e.where} was made {_iso(e.time)} and seals entry {e.size - 1}, which says it was recorded later, "
            f"{_iso(before)}",
            e.size - 1,
            e.size - 1,
        )
    if after is not None and after < e.time:
        yield Deviation(
            "BACKDATED",
            f"entry {e.size} says it was recorded {_iso(after)}, but {e.where} did not seal it {_iso(e.time)}: it was "
            "recorded later than it says",
            e.size,
            e.size,
        )


def check_decisions(store: Store) -> Iterator[Deviation]:
    """Decisions that no checkpoint of the same transaction seals: each had one, so somebody deleted it.

    Args:
        store: in a read transaction.
    """
    sizes = [size for (size,) in store.rows("SELECT position FROM checkpoint ORDER BY position")]
    found = store.rows("SELECT DISTINCT entry FROM act WHERE kind = ? ORDER BY entry", (int(Act.DECISION),))
    unsealed = []
    for (entry,) in found:
        at = bisect_right(sizes, entry)
        times = {row[2] for row in store.entries(entry, sizes[at])} if at < len(sizes) else set()
        if len(times) != 1:
            unsealed.append(entry)
    if unsealed:
        yield Deviation(
            "CHECKPOINT_MISSING",
            f"{len(unsealed)} decision{'s have' if len(unsealed) > 1 else ' has'} no checkpoint, and each was recorded "
            f"with one; the first is entry {unsealed[0]}, {describe_at(store, unsealed[0])}",
            unsealed[0],
            unsealed[0],
        )


def check_graph(store: Store, size: int, told: Told) -> Iterator[Deviation]:
    """Replay the entries and compare every row of the graph with what they lead to.

    Args:
        store: in a read transaction; its entries can all be read.
        size: number of entries.
        told: progress.
    """

    def counted(entries: Iterable[tuple[int, bytes, object, int]]) -> Iterator[tuple[int, bytes, object, int]]:
        for entry in entries:
            if entry[0] % _TOLD_EVERY == 0:
                told("replaying entries", entry[0], size)
            yield entry

    try:
        scratch = replay(counted(whole(store, size, None)), size)  # type: ignore[arg-type]
    except (LineageError, ValueError) as error:
        cause = (error.cause or error.message) if isinstance(error, LineageError) else str(error)
        yield Deviation("ENTRY_UNREADABLE", f"the entries cannot be replayed: {cause}", *_unreadable(store))
        return
    with scratch:
        try:
            for found in compare(store, scratch, told):
                rows = f"{found.rows:,} row{'s' if found.rows > 1 else ''}"
                said = (
                    f"{rows} that follow from the ledger are missing" if found.missing
                    else f"{rows} do not follow from the ledger"
                )  # fmt: skip
                at = "" if found.entry is None else f"; the first rests on entry {found.entry}, "
                at += "" if found.entry is None else describe_at(store, found.entry)
                yield Deviation(
                    "GRAPH_DIFFERS", f"the graph does not say what the ledger says ({found.what}): {said}{at}",
                    found.entry, found.entry,
                )  # fmt: skip
        except LineageError as error:
            yield Deviation("GRAPH_DAMAGED", f"the rows of the graph cannot be read: {error.cause or error.message}")


def _unreadable(store: Store) -> tuple[int, int] | tuple[None, None]:
    """The first entry that is no event."""
    for start, _, _, body in store.entries():
        for at, data in enumerate(unpack(bytes(body)), start):
            try:
                read(data)
            except (LineageError, ValueError):
                return at, at
    return None, None


def describe_at(store: Store, position: int) -> str:
    """What an entry says of itself, in a few words."""
    for start, _, recorded, body in store.entries(position, position + 1):
        try:
            return describe(unpack(bytes(body))[position - start], recorded)
        except (LineageError, IndexError):
            break
    return "not there"


def describe(data: bytes, recorded: int) -> str:
    """What an event is about, in a few words: job, run, dataset, when."""
    try:
        event = read(data)
    except (LineageError, ValueError):
        return f"{len(data)} bytes that are no event, recorded {_iso(recorded)}"
    if event.job is not None:
        what = f"an event of {event.job.name}"
    elif event.dataset is not None:
        what = f"an event about {event.dataset.name}"
    else:
        what = "an event"
    run = f", run {event.run.run_id}" if event.run is not None else ""
    return f"{what}{run}, of {event.time}, recorded {_iso(recorded)}"


def _iso(time: int) -> str:
    try:
        return moment_of(time).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"at no possible time ({time})"
