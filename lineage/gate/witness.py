"""Where checkpoints are kept outside of the store, so that whoever owns the store cannot make it say something else.

``git``: a git note under ``refs/notes/lineage`` on HEAD. ``file:DIRECTORY``: two files that are only ever appended to:
``checkpoints``, and ``hashes``, 32 bytes for each entry, by which the very entry that differs is named. Registries keep
checkpoints as tags (`lineage.pipeline.Registry.checkpoints`).
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from lineage.errors import CannotDecide, UsageError
from lineage.graph.seals import Seals, StoredCheckpoint
from lineage.ledger import Frontier
from lineage.ledger.note import parse, read_checkpoint, split

NOTES = "refs/notes/lineage"
_LEAF = 32
_BLOCK = 1 << 16


class Witness(ABC):
    """A place outside of the store. ``name`` is what the settings call it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def keep(self, made: StoredCheckpoint, seals: Seals) -> None:
        """Add a checkpoint. Nothing that is there is changed; one that is there already is not added again.

        Raises:
            LineageError: it cannot be written, or what is there contradicts it.
        """

    @abstractmethod
    def notes(self) -> list[tuple[str, str]]:
        """Every checkpoint that is there: (where, the signed note).

        Raises:
            CannotDecide: ``WITNESS_UNREADABLE``.
        """

    def hashes(self) -> Iterator[bytes]:
        """Leaf hashes from the first entry on, as far as they are there."""
        return iter(())


def witness_of(name: str, root: Path) -> Witness:
    """A witness by its name in the settings: ``git`` or ``file:DIRECTORY``.

    Args:
        name: its name.
        root: where relative directories start.

    Raises:
        UsageError: ``WITNESS_UNKNOWN``.
    """
    kind, _, where = name.partition(":")
    if name == "git":
        return GitWitness(root)
    if kind == "file" and where:
        return FileWitness(name, root / where)
    raise UsageError(
        f"no witness is called {name!r}", code="WITNESS_UNKNOWN", hint="git, or file: and a directory; see ledger.md"
    )


class GitWitness(Witness):
    """Git notes of the repository at ``root``."""

    def __init__(self, root: Path) -> None:
        super().__init__("git")
        self._root = root

    def keep(self, made: StoredCheckpoint, seals: Seals) -> None:  # noqa: ARG002 - a git note holds no hashes
        if any(note == made.note for _, note in self.notes()):
            return
        self._git("notes", f"--ref={NOTES}", "append", "-F", "-", "HEAD", given=made.note)

    def notes(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for line in self._git("notes", f"--ref={NOTES}", "list").splitlines():
            blob, _, commit = line.partition(" ")
            texts = split(self._git("cat-file", "blob", blob))
            found += [(f"the git note on {commit[:12]}", text) for text in texts]
        return found

    def _git(self, *arguments: str, given: str = "") -> str:
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
                ["git", "-C", str(self._root), *arguments],  # noqa: S607 - git is found on PATH as everywhere
                input=given.encode(), capture_output=True, timeout=60, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise _unreadable("git", str(error)) from None
        if done.returncode:
            raise _unreadable("git", done.stderr.decode(errors="replace").strip())
        return done.stdout.decode(errors="replace")


class FileWitness(Witness):
    """Two files in a directory; on write-once storage when they are to hold against whoever owns this machine."""

    def __init__(self, name: str, directory: Path) -> None:
        super().__init__(name)
        self._checkpoints = directory / "checkpoints"
        self._hashes = directory / "hashes"

    def keep(self, made: StoredCheckpoint, seals: Seals) -> None:
        if any(note == made.note for _, note in self.notes()):
            return
        frontier = Frontier()
        for leaf in self.hashes():
            if frontier.size < made.position:
                frontier.append(leaf)
        # a write that was cut short may have left part of a hash: what is added begins in the middle of it
        size = self._hashes.stat().st_size if self._hashes.exists() else 0
        added = bytearray()
        if size < made.position * _LEAF:
            for leaf in seals.leaves(size // _LEAF, made.position):
                frontier.append(leaf)
                added += leaf
        if frontier.size != made.position or frontier.root() != read_checkpoint(parse(made.note).text).root:
            raise CannotDecide(
                f"the entries that {self.name} has seen are not those that are in the ledger now",
                code="WITNESS_CONTRADICTS",
                cause=f"its hashes and the checkpoint of {made.position} entries do not fit",
                hint="lineagegate ledger verify",
            )
        try:
            self._hashes.parent.mkdir(parents=True, exist_ok=True)
            _append(self._hashes, bytes(added[size % _LEAF :]))
            _append(self._checkpoints, made.note.encode() + b"\n")
        except OSError as error:
            raise UsageError(
                f"the witness {self.name} cannot be written", code="WITNESS_UNWRITABLE", cause=str(error)
            ) from None

    def notes(self) -> list[tuple[str, str]]:
        try:
            text = self._checkpoints.read_bytes().decode(errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(self.name, str(error)) from None
        return [(str(self._checkpoints), note) for note in split(text)]

    def hashes(self) -> Iterator[bytes]:
        try:
            with self._hashes.open("rb") as file:
                while block := file.read(_LEAF * _BLOCK):
                    for at in range(0, len(block) - _LEAF + 1, _LEAF):
                        yield block[at : at + _LEAF]
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(self.name, str(error)) from None


def _append(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unreadable(name: str, cause: str) -> CannotDecide:
    return CannotDecide(
        f"the witness {name} cannot be read or written",
        code="WITNESS_UNREADABLE",
        cause=cause,
        hint="`witness` under [ledger] in lineage.toml names the witnesses",
    )
