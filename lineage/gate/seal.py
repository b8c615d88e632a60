"""Who signs the ledger, and when: the key, the log's name, checkpoints with each decision and on a schedule.

A decision and the checkpoint that seals it are one transaction (`lineage.graph.Graph.record`). Where checkpoints are
kept outside is `lineage.gate.witness`'s, whether all of it still holds `lineage.gate.verification`'s.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lineage.config import Config
from lineage.errors import CannotDecide, LineageError, UsageError
from lineage.gate.witness import Witness, witness_of
from lineage.graph import Graph
from lineage.graph.seals import StoredCheckpoint
from lineage.ledger import leaf_hash, note
from lineage.ledger.clock import microseconds, moment_of
from lineage.pipeline import Notice
from lineage.vocabulary.identifier import new_uuid

if TYPE_CHECKING:
    from lineage.ledger.key import PublicKey, SigningKey

ORIGIN = "ledger/origin"
"""Key in the table `state` of the log's name."""
INTRODUCED = "ledger/introduced/"
"""Beginning of the keys in the table `state` of checkpoints that introduced a key and were replaced."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LEDGER_KEYS = ("accept_clock", "key", "checkpoint_every", "witness", "timestamp_authority", "timestamp_certificate")


class LedgerSettings(NamedTuple):
    """The table ``[ledger]`` of the settings."""

    accept_clock: bool
    key: Path
    """File with the key that signs."""
    every: int
    """How old (microseconds) the newest checkpoint may be before `sync` makes another."""
    witnesses: tuple[str, ...]
    authority: str
    """Address of the timestamp authority; empty: none is asked."""
    certificate: Path | None

    @classmethod
    def of(cls, config: Config) -> LedgerSettings:
        """Read and check them.

        Raises:
            UsageError: ``CONFIG_INVALID``.
        """
        table: Mapping[str, Any] = config.extra.get("ledger", {})

        def invalid(key: str, wanted: str) -> UsageError:
            return UsageError(
                f"{config.file}: [ledger] {key} is {wanted}", code="CONFIG_INVALID", cause=repr(table.get(key))
            )

        if unknown := sorted(set(table) - set(LEDGER_KEYS)):
            raise invalid(unknown[0], f"not known; known are {', '.join(LEDGER_KEYS)}")
        accept, every = table.get("accept_clock", False), table.get("checkpoint_every", "24h")
        names, authority = table.get("witness", []), table.get("timestamp_authority", "")
        if not isinstance(accept, bool):
            raise invalid("accept_clock", "true or false")
        period = re.fullmatch(r"([1-9]\d{0,5})([smhd])", every) if isinstance(every, str) else None
        if period is None:
            raise invalid("checkpoint_every", 'a time like "24h", "30m" or "7d"')
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise invalid("witness", 'a list like ["git", "file:/mnt/worm/seed"]')
        for name in names:
            witness_of(name, config.root)
        if not isinstance(authority, str) or not re.fullmatch(r"(https?://\S+)?", authority):
            raise invalid("timestamp_authority", "an http:// or https:// address")
        for key in ("key", "timestamp_certificate"):
            if not isinstance(table.get(key, ""), str):
                raise invalid(key, "a path")
        named = os.environ.get("LINEAGE_LEDGER_KEY") or table.get("key", "")
        certificate = table.get("timestamp_certificate", "")
        return cls(
            accept,
            config.root / named if named else _beside(config),
            int(period[1]) * _UNITS[period[2]] * 1_000_000,
            tuple(names),
            authority,
            config.root / certificate if certificate else None,
        )


def _beside(config: Config) -> Path:
    """Where the key lies when nobody says: in the directory ``.lineage`` at the store, which git ignores."""
    if "://" in config.store:
        return config.root / ".lineage" / "ledger.key"
    directory = Path(config.store_url).parent
    return (directory if directory.name == ".lineage" else directory / ".lineage") / "ledger.key"


class Seal:
    """Signs what is recorded.

    Args:
        config: the settings.
        graph: the store's graph.
    """

    def __init__(self, config: Config, graph: Graph) -> None:
        self.settings = LedgerSettings.of(config)
        self._config = config
        self._graph = graph
        self._keys: tuple[_Marks, SigningKey | None, SigningKey | None] | None = None
        self._introduced: tuple[PublicKey, ...] = ()
        self._name = ""

    @property
    def origin(self) -> str:
        """The log's name, one for each store, made when it is first asked for."""
        if not self._name:
            known = self._graph.state(ORIGIN)
            project = re.sub(r"[^\w.-]+", "-", self._config.project).strip("-") or "ledger"
            self._name = known or self._graph.seals.settle(ORIGIN, f"{project}/{new_uuid().hex[-8:]}")
        return self._name

    def record(self, events: Sequence[bytes], then: Callable[[], Sequence[bytes]] | None = None) -> int:
        """Record events and a checkpoint over everything up to them, all or nothing; ``then`` as in `Graph.record`.

        The first use makes the key. A key that changes, or is new here, is named in the checkpoint, which the one
        before signs too.

        Raises:
            UsageError: ``LEDGER_KEY_UNUSABLE``, and whatever `Graph.record` raises; then nothing changed.
        """
        _, coming = self._ready()
        position = self._graph.record(events, seal=self._sign, then=then)
        if coming is not None:
            self._graph.once_durable(self._arrived)
        return position

    def checkpoint(self, introduce: Sequence[PublicKey] = ()) -> StoredCheckpoint:
        """A checkpoint over everything there is: the newest one if that does, else a new one.

        Args:
            introduce: keys that this one's signers vouch for; then it is a new one.
        """
        _, coming = self._ready()
        newest = self._graph.seals.newest()
        stale = newest is None or newest.position != self._graph.position()
        unstamped = bool(self.settings.authority) and newest is not None and not newest.timestamp
        if stale or unstamped or coming is not None or introduce:
            if newest is not None and not stale and note.read_checkpoint(note.parse(newest.note).text).keys:
                # it makes room for another one over the same entries: what it introduced must stay known
                digest = sha256(newest.note.encode()).hexdigest()
                self._graph.seals.keep(f"{INTRODUCED}{digest}", newest.note)
            self._introduced = tuple(introduce)
            try:
                self.record(())
            finally:
                self._introduced = ()
            newest = self._graph.seals.newest()
        assert newest is not None
        return newest

    def due(self) -> bool:
        """Whether something was added since the newest checkpoint, and that is old."""
        newest, position = self._graph.seals.newest(), self._graph.position()
        if newest is None:
            return position > 0
        now = microseconds(datetime.now(timezone.utc))
        return position > newest.position and now - newest.recorded >= self.settings.every

    def scheduled(self) -> list[Notice]:
        """What is done when a checkpoint is due: make it, stamp it, show it to the witnesses. Failures are notices."""
        try:
            if not self.due():
                return []
            made = self.checkpoint()
        except LineageError as error:
            return [Notice(error.code, "ledger", f"no checkpoint was made: {error.message}", error.hint)]
        return self.publish(made, self.settings.witnesses)

    def publish(self, made: StoredCheckpoint, witnesses: Sequence[str]) -> list[Notice]:
        """Have a checkpoint stamped by the authority and kept by witnesses.

        Returns:
            What failed: the checkpoint itself is kept all the same.
        """
        failed: list[Notice] = []
        if self.settings.authority and not made.timestamp:
            from lineage.ledger.timestamp import ask

            try:
                self._graph.seals.stamp(made.position, made.note, ask(self.settings.authority, made.note.encode()))
            except LineageError as error:
                failed.append(Notice(error.code, self.settings.authority, _said(error), error.hint))
        for name in witnesses:
            try:
                self.witness(name).keep(made, self._graph.seals)
                self._graph.seals.keep(f"ledger/witness/{name}", str(made.position))
            except LineageError as error:
                failed.append(Notice(error.code, name, _said(error), error.hint))
        return failed

    def witness(self, name: str) -> Witness:
        """A witness by what the settings call it."""
        return witness_of(name, self._config.root)

    def rotate(self) -> StoredCheckpoint:
        """Change the key: the checkpoint made now is signed by the old one and the new one, and names the new one."""
        from lineage.ledger.key import make_key

        current, coming = self._ready()
        if current is not None and coming is None:
            make_key(self._coming, self.origin)
        return self.checkpoint()

    def public(self) -> PublicKey | None:
        """What verifies this machine's signatures; None before the first checkpoint."""
        if _mark(self.settings.key) is None and _mark(self._coming) is None:
            return None
        current, coming = self._ready()
        key = coming or current
        return key.public if key else None

    def signer(self) -> SigningKey:
        """The key that signed the newest checkpoint, for statements beside it.

        Raises:
            CannotDecide: ``LEDGER_KEY_MISSING``, no checkpoint was ever signed here.
        """
        key = self._ready()[0] if _mark(self.settings.key) is not None else None
        if key is None:
            raise CannotDecide(
                "there is no key here that a checkpoint names",
                code="LEDGER_KEY_MISSING",
                hint="lineagegate ledger checkpoint",
            )
        return key

    def prove(self, entry: int) -> Proof:
        """That an entry is in the tree of the newest checkpoint.

        Args:
            entry: its position, counted from 0.

        Raises:
            CannotDecide: ``PROOF_IMPOSSIBLE``, no checkpoint seals it; ``PROOF_INVALID``, the ledger is not what was
                sealed.
        """
        from lineage.ledger.proof import inclusion_path, verify_inclusion

        newest = self._graph.seals.newest()
        if newest is None or entry >= newest.position:
            raise CannotDecide(
                f"no checkpoint seals entry {entry}",
                code="PROOF_IMPOSSIBLE",
                cause=f"the newest one seals {newest.position if newest else 0} entries; they are counted from 0",
                hint="lineagegate ledger checkpoint",
            )
        root = note.read_checkpoint(note.parse(newest.note).text).root
        data, recorded = self._graph.seals.entry(entry)
        with contextlib.closing(self._graph.seals.leaves(0, newest.position)) as leaves:
            path = inclusion_path(leaves, entry, newest.position)
        verify_inclusion(leaf_hash(data), entry, newest.position, path, root)
        return Proof(data, recorded, leaf_hash(data), path, newest.position, root, newest.note)

    @property
    def _coming(self) -> Path:
        """Where a key lies until a checkpoint that introduces it is kept."""
        return self.settings.key.with_name(self.settings.key.name + ".next")

    def _ready(self) -> tuple[SigningKey | None, SigningKey | None]:
        """The key, and the one that the next checkpoint introduces; one of them is there."""
        from lineage.ledger.key import load_key, make_key

        marks = _mark(self.settings.key), _mark(self._coming)
        if self._keys is None or self._keys[0] != marks:
            if marks == (None, None):
                make_key(self._coming, self.origin)
                marks = _mark(self.settings.key), _mark(self._coming)
            current, coming = (
                load_key(path) if mark else None
                for path, mark in zip((self.settings.key, self._coming), marks, strict=True)
            )
            self._keys = marks, current, coming
        return self._keys[1], self._keys[2]

    def _arrived(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # another process was first
            self._coming.replace(self.settings.key)

    def _sign(self, size: int, root: bytes, time: int) -> str:
        assert self._keys is not None
        _, current, coming = self._keys
        stated = moment_of(time).isoformat().replace("+00:00", "Z")
        # the one before is named with the new one: this may take the place of the checkpoint that named it first
        named = [key.public for key in (current, coming) if key] if coming else []
        vouched = (*named, *self._introduced)
        text = note.checkpoint_text(
            note.Checkpoint(self.origin, size, root, (f"time {stated}", *(f"key {key}" for key in vouched)))
        )
        return note.sign(text, [key for key in (current, coming) if key])


class Proof(NamedTuple):
    """An entry, and how its leaf leads to the root that a checkpoint seals."""

    event: bytes
    recorded: int
    leaf: bytes
    path: tuple[bytes, ...]
    size: int
    root: bytes
    note: str


_Marks = tuple[tuple[int, int, int] | None, tuple[int, int, int] | None]


def _mark(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does; None for one that is not there."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        from lineage.ledger.key import unusable

        raise unusable(path, str(error), "give this account the right to read it") from None
    return stat.st_mtime_ns, stat.st_ino, stat.st_mode


def _said(error: LineageError) -> str:
    return f"{error.message}: {error.cause}" if error.cause else error.message
