"""Whether the ledger is what it was: everything recomputed, and held against every checkpoint that can be found.

The adversary owns the database, the repository and the clock, and perhaps the key. What the store says of itself is
worth little against him; what was kept outside, before, is worth everything. The report says which of it there was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lineage.errors import LineageError, UsageError
from lineage.gate.seal import INTRODUCED, Seal
from lineage.graph.seals import Seals, StoredCheckpoint
from lineage.graph.verify import Deviation, Expected
from lineage.ledger import note
from lineage.ledger.clock import happened, microseconds, moment_of
from lineage.pipeline import Registry

if TYPE_CHECKING:
    from lineage.ledger.key import PublicKey

SLACK = 3_600_000_000
"""How much later (microseconds) than it was made a checkpoint may have been stamped: it is stamped at once."""
SKEW = 300_000_000
"""How far the authority's clock and ours may be apart (microseconds)."""

Told = Callable[[str, int, int], None]


class VerifyReport(NamedTuple):
    """What was recomputed, what was found, and what all of it does not show."""

    origin: str
    size: int
    root: bytes
    checkpoints: int
    """Of the store, that hold."""
    outside: tuple[str, ...]
    """Where checkpoints from outside of the store were read, and how many there."""
    sealed: int
    """Number of entries that the largest checkpoint from outside seals which holds."""
    stamped: str
    """Until when the newest timestamp that holds shows the ledger to have been there; empty: none."""
    keys: tuple[str, ...]
    """The keys that signatures were checked with, as vkey texts."""
    graph: bool
    """Whether the graph was recomputed."""
    findings: tuple[Deviation, ...]
    unproven: tuple[str, ...]
    """What this does not show, in sentences without a full stop."""


class _Held(NamedTuple):
    """A checkpoint, and where it was."""

    where: str
    outside: bool
    given: bool
    note: note.Note
    checkpoint: note.Checkpoint


class Verification:
    """One verification.

    Args:
        seal: the ledger's.
        seals: its checkpoints and entries.
        registries: that may carry checkpoints.
    """

    def __init__(self, seal: Seal, seals: Seals, registries: Iterable[Registry]) -> None:
        self._seal = seal
        self._seals = seals
        self._registries = registries
        self._found: list[Deviation] = []
        self._unproven: list[str] = []
        self._outside: dict[str, int] = {}
        self._hashes: list[tuple[str, Iterator[bytes]]] = []

    def run(
        self, given: Sequence[tuple[str, str]], keys: Sequence[PublicKey], told: Told, *, tree_only: bool = False
    ) -> VerifyReport:
        """Verify everything.

        Args:
            given: checkpoints that somebody kept: (where, signed notes).
            keys: that are trusted; without any, the first one that the ledger itself names.
            told: progress.
            tree_only: leave the graph out.

        Raises:
            UsageError: ``CHECKPOINT_UNREADABLE``, what is given is no checkpoint.
        """
        stored = self._seals.all()
        held = [x for row in stored for x in self._read(f"the store's checkpoint of {row.position} entries", row.note)]
        self._rows(stored, held)
        for text in self._seals.kept(INTRODUCED).values():
            held += self._read("a checkpoint that introduced a key", text)
        outside = [x for where, text in given for x in self._read(where, text, given=True)]
        outside += self._witnessed()
        origin = self._own(held, outside)
        held, outside = ([x for x in some if x.checkpoint.origin == origin] for some in (held, outside))
        sizes = {row.position for row in stored}
        lost = sorted((x.checkpoint.size, x.where) for x in outside if not x.given and x.checkpoint.size not in sizes)
        if lost:
            size, where = lost[0]
            self._deviates(
                "CHECKPOINT_MISSING",
                f"{where} is a checkpoint of {size} entries, and the store has it no more{_also(len(lost) - 1)}",
            )
        trusted = self._signatures([*held, *outside], keys)
        stamped = self._timestamps(stored)
        expected = [
            Expected(x.where, x.checkpoint.size, x.checkpoint.root, _time(x.checkpoint), x.outside)
            for x in (*held, *outside)
        ]
        tree = self._seals.check(expected, self._hashes, told, tree_only=tree_only)
        self._found += tree.deviations
        sound = [e for e in expected if e not in tree.failing]
        sealed = max((e.size for e in sound if e.outside), default=0)
        self._not_shown(tree.size, sealed, stored, keys)
        return VerifyReport(
            origin,
            tree.size,
            tree.root,
            sum(not e.outside for e in sound),
            tuple(f"{where}: {count}" for where, count in self._outside.items()),
            sealed,
            stamped,
            tuple(str(key) for key in trusted),
            tree.whole and not tree_only,
            tuple(_ordered(self._found)),
            tuple(self._unproven),
        )

    # what there is

    def _read(self, where: str, text: str, *, outside: bool = False, given: bool = False) -> Iterator[_Held]:
        notes = note.split(text)
        if given and not notes:
            raise _unreadable(where, "it is empty")
        for one in notes:
            try:
                parsed = note.parse(one)
                yield _Held(where, outside or given, given, parsed, note.read_checkpoint(parsed.text))
            except LineageError as error:
                if given:  # the asker's own file says nothing about the ledger
                    raise _unreadable(where, error.cause) from None
                self._deviates("NOTE_MALFORMED", f"{where} cannot be read: {error.cause}")

    def _rows(self, stored: Sequence[StoredCheckpoint], held: Sequence[_Held]) -> None:
        by_where = {x.where: x.checkpoint for x in held}
        for row in stored:
            where = f"the store's checkpoint of {row.position} entries"
            said = by_where.get(where)
            if said is not None and (said.size != row.position or _time(said) != row.recorded):
                self._deviates("CHECKPOINT_DIFFERS", f"{where}: its row and its note do not say the same")

    def _witnessed(self) -> list[_Held]:
        found: list[_Held] = []
        kept = self._seals.kept("ledger/witness/")
        for name in dict.fromkeys((*self._seal.settings.witnesses, *kept)):
            try:
                witness = self._seal.witness(name)
                here = [x for where, text in witness.notes() for x in self._read(where, text, outside=True)]
            except LineageError as error:
                self._deviates(error.code, f"{error.message}: {error.cause}", hint=error.hint)
                continue
            self._outside[name] = len(here)
            self._hashes.append((f"the witness {name}", witness.hashes()))
            most = int(kept.get(name, "0")) if kept.get(name, "0").isdigit() else 0
            if not any(x.checkpoint.size >= most for x in here) and most:
                self._deviates(
                    "WITNESS_LACKS",
                    f"the witness {name} was given a checkpoint of {most} entries, and it is not there any more",
                )
            found += here
        for registry in self._registries:
            try:
                here = [x for where, text in registry.checkpoints() for x in self._read(where, text, outside=True)]
            except LineageError as error:
                self._deviates(error.code, f"{error.message}: {error.cause}", hint=error.hint)
                continue
            if here:
                self._outside[registry.name] = len(here)
            found += here
        return found

    def _own(self, held: Sequence[_Held], outside: Sequence[_Held]) -> str:
        """The log's name; checkpoints of another one that bears the project's name are told."""
        origin = self._seal.origin
        project = origin.rpartition("/")[0]
        others: dict[str, list[_Held]] = {}
        for x in (*held, *outside):
            other = x.checkpoint.origin
            if other != origin and (not x.outside or x.given or other.rpartition("/")[0] == project):
                others.setdefault(other, []).append(x)
        for other, (first, *more) in others.items():
            self._deviates(
                "OTHER_LEDGER",
                f"{first.where} seals another ledger, {other}; this one is {origin}{_also(len(more))}",
                hint="either this project has two ledgers, or this one was made anew",
            )
        strange = {x.checkpoint.origin for x in outside} - {origin}
        if strange and not any(x.checkpoint.origin == origin for x in outside):
            self._unproven.append(
                f"every checkpoint found outside seals another ledger ({', '.join(sorted(strange)[:5])}), none this "
                f"one, {origin}: if it once had one of those names, it was made anew"
            )
        return origin

    # who signed

    def _signatures(self, held: Sequence[_Held], keys: Sequence[PublicKey]) -> list[PublicKey]:
        """Check every signature, following the keys that trusted signers introduced. Returns the trusted keys."""
        trusted = list(keys) or self._first_key(held)
        introducing = [x for x in held if x.checkpoint.keys]
        while True:
            fresh = [key for x in introducing if _by(x, trusted) for key in _keys(x.checkpoint) if key not in trusted]
            if not fresh:
                break
            trusted += dict.fromkeys(fresh)
        unknown: dict[str, list[_Held]] = {}
        for x in sorted(held, key=lambda x: x.checkpoint.size):
            try:
                note.verified(x.note, trusted)
            except LineageError as error:
                if error.code == "SIGNATURE_UNKNOWN":
                    unknown.setdefault(error.cause, []).append(x)
                else:
                    self._deviates(error.code, f"{x.where} ({x.checkpoint.size} entries): {error.cause}")
        for cause, (first, *more) in unknown.items():
            self._deviates(
                "KEY_NOT_INTRODUCED",
                f"{first.where} ({first.checkpoint.size} entries): {cause}, which no trusted key introduced"
                + _also(len(more)),
                hint="if it is right: `lineagegate ledger key --introduce VKEY`, where a trusted key lies",
            )
        return trusted

    def _first_key(self, held: Sequence[_Held]) -> list[PublicKey]:
        """The key that the ledger itself names first, when nobody says whom to trust."""
        for x in held:
            own = [key for key in _keys(x.checkpoint) if _by(x, [key])]
            if not x.outside and own:
                return own[:1]
        local = self._seal.public()
        return [local] if local else []

    # when

    def _timestamps(self, stored: Sequence[StoredCheckpoint]) -> str:
        from lineage.ledger.timestamp import verify

        stamped = [row for row in stored if row.timestamp]
        settings = self._seal.settings
        if not stamped or settings.certificate is None:
            if stamped:
                self._unproven.append(
                    f"{len(stamped)} timestamps are there and were not checked: `timestamp_certificate` under [ledger] "
                    "names the authority's root certificate"
                )
            return ""
        newest = ""
        for row in stamped:
            where = f"the timestamp of the checkpoint of {row.position} entries"
            try:
                seen = microseconds(verify(row.timestamp, row.note.encode(), settings.certificate.read_bytes()))
            except LineageError as error:
                if error.code != "TIMESTAMP_INVALID":
                    raise
                self._deviates(error.code, f"{where} does not hold: {error.cause}")
                continue
            except OSError as error:
                self._deviates("TIMESTAMP_CERTIFICATE", f"{where} cannot be checked: {error}")
                continue
            said, real = _iso(row.recorded), _iso(seen)
            if seen > row.recorded + SLACK:
                self._deviates(
                    "TIMESTAMP_LATE",
                    f"the checkpoint of {row.position} entries says it was made {said}; the authority saw it first "
                    f"{real}: that it is older is not shown",
                )
            elif seen < row.recorded - SKEW:
                self._deviates("TIMESTAMP_EARLY", f"{where} is of {real}, the checkpoint says it was made {said}")
            newest = max(newest, real)
        return newest

    # what it does not show

    def _not_shown(self, size: int, sealed: int, stored: Sequence[StoredCheckpoint], keys: Sequence[PublicKey]) -> None:
        if not sealed:
            self._unproven.insert(
                0,
                "no checkpoint from outside of the store was there to compare with: this shows that the ledger agrees "
                "with itself, not that it was never made anew by somebody who holds its key",
            )
        elif sealed < size:
            self._unproven.insert(
                0,
                f"nothing outside of the store has seen the entries from {sealed} to {size - 1}: whoever owns the "
                "store and its key could have changed them",
            )
        if not keys:
            self._unproven.append(
                "signatures were checked with the key that the ledger itself names first; `--key` with a key that you "
                "were given elsewhere shows who signed"
            )
        if self._seal.settings.authority and not any(row.timestamp for row in stored):
            self._unproven.append("no checkpoint has a timestamp, though the settings name an authority")

    def _deviates(self, code: str, message: str, *, hint: str = "") -> None:
        self._found.append(Deviation(code, message, None, None, hint))


def _also(more: int) -> str:
    return f" (and {more} more)" if more else ""


def _by(x: _Held, keys: Iterable[PublicKey]) -> bool:
    """Whether one of the keys signed it."""
    try:
        note.verified(x.note, keys)
    except LineageError:
        return False
    return True


def _keys(checkpoint: note.Checkpoint) -> list[PublicKey]:
    from lineage.ledger.key import PublicKey

    found = []
    for text in checkpoint.keys:
        try:
            found.append(PublicKey.read(text))
        except LineageError:
            continue  # it introduces nobody
    return found


def _time(checkpoint: note.Checkpoint) -> int:
    try:
        return happened(checkpoint.time).microseconds
    except ValueError:
        return 0


def _iso(time: int) -> str:
    return moment_of(time).isoformat(timespec="seconds").replace("+00:00", "Z")


def _ordered(found: Sequence[Deviation]) -> list[Deviation]:
    """Exact places first, then ranges, then what has no place; the earliest entry first."""
    return sorted(found, key=lambda d: (d.first is None, d.first != d.last, d.first or 0))


def _unreadable(where: str, cause: str) -> UsageError:
    return UsageError(
        f"{where} cannot be read, so nothing was verified",
        code="CHECKPOINT_UNREADABLE",
        cause=cause,
        hint="a checkpoint is kept as `lineagegate ledger checkpoint` prints it",
    )
