"""What git holds: every commit with what it changed, the text of files, the state of refs. Reads only, with git itself.

What the files mean is left to `lineage_dvc.tree`. Git is run as a process (facts/dvc.md: the fastest of three ways);
paths that come out are relative to the DVC root, POSIX, also when that root lies below the top of the git work tree.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import subprocess
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from lineage.errors import CannotDecide, UsageError

_FORMAT = "--format=%x01%H%x02%P%x02%at%x02%an <%ae>"


class Commit(NamedTuple):
    """One commit and what it changed against its first parent."""

    sha: str
    parents: tuple[str, ...]
    time: int
    """Author time, seconds since 1970: it survives a rebase."""
    author: str
    changes: tuple[tuple[str, str], ...]
    """(path, blob); an empty blob means that the file is gone."""


@lru_cache(maxsize=1 << 16)
def is_dvc_file(path: str) -> bool:
    """Whether DVC keeps what it knows in a file of this name."""
    name = posixpath.basename(path)
    return name in ("dvc.yaml", "dvc.lock", "Dvcfile") or (name.endswith(".dvc") and name != ".dvc")


def blob_id(data: bytes) -> str:
    """The name git gives to content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def find_top(start: Path) -> Path | None:
    """The top of the git work tree around a directory."""
    return next((d for d in (start, *start.parents) if (d / ".git").exists()), None)


class Repository:
    """A git repository, seen from a DVC root inside it.

    Args:
        top: top of the work tree.
        root: the DVC root, ``top`` or a directory below.
    """

    def __init__(self, top: Path, root: Path) -> None:
        self.top = top
        relative = root.relative_to(top).as_posix()
        self.prefix = "" if relative == "." else relative
        self._reader: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the git process that reads blobs."""
        if self._reader is not None:
            assert self._reader.stdin and self._reader.stdout
            self._reader.stdin.close()
            self._reader.stdout.close()
            self._reader.wait()
            self._reader = None

    # -- refs and commits ------------------------------------------------------------------------------------------

    def fingerprint(self) -> str:
        """Changes whenever a ref or a reflog does. Git is not run, its files are looked at: gitrepository-layout(5)."""
        digest = hashlib.sha256()
        for directory in self._directories():
            head = directory / "HEAD"
            if head.is_file():
                digest.update(head.read_bytes())
            for part in ("refs", "logs", "reftable", "packed-refs", "shallow"):
                for file in _files(directory / part):
                    stat = file.stat()
                    digest.update(f"{file.name} {stat.st_mtime_ns} {stat.st_size} {stat.st_ino}\n".encode())
        return digest.hexdigest()

    def _directories(self) -> list[Path]:
        """The git directory, and of a linked work tree the common one too."""
        private = self.top / ".git"
        if private.is_file():
            private = self.top / private.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
        common = private / "commondir"
        if common.is_file():
            return [private, private / common.read_text(encoding="utf-8").strip()]
        return [private]

    def shallow(self) -> bool:
        """Whether part of the history is missing from this clone."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def commits(self, known: Iterable[str] = ()) -> list[Commit]:
        """Every commit reachable from any ref or reflog, parents first, else oldest first.

        Args:
            known: commits to leave out, with everything reachable from them.
        """
        output = self._run(
            "log", "--all", "--reflog", "--ignore-missing", "--stdin", "--date-order", "--reverse", "--root", "--raw",
            "-z", "--no-abbrev", "--no-renames", "--no-show-signature", "--diff-merges=first-parent", _FORMAT,
            stdin="".join(f"^{sha}\n" for sha in known).encode(),
        )  # fmt: skip
        found: list[Commit] = []
        changes: list[tuple[str, str]] = []
        head: list[str] | None = None
        paths: dict[bytes, str] = {}
        tokens = iter(output.split(b"\0"))
        for token in tokens:
            if token[:1] == b"\x01":
                if head is not None:
                    found.append(_commit(head, changes))
                    changes = []
                head = token[1:].decode("utf-8", "replace").split("\x02")
            elif b":" in token[:2]:
                fields = token.lstrip(b"\n").split(b" ")
                raw = next(tokens)
                path = paths.get(raw)
                if path is None:  # most paths come again and again
                    path = paths[raw] = self._inside(raw.decode("utf-8", "surrogateescape"))
                if fields[1] != b"160000":  # a submodule holds no files of this repository
                    changes.append((path, "" if fields[4] == b"D" else fields[3].decode()))
        if head is not None:
            found.append(_commit(head, changes))
        return found

    def commit(self, rev: str) -> Commit:
        """One commit, without its changes.

        Raises:
            CannotDecide: this clone does not have it.
        """
        output = self._run("log", "-1", "--no-show-signature", "--no-patch", _FORMAT, rev, "--")
        return _commit(output.rstrip(b"\n").decode("utf-8", "replace").lstrip("\x01").split("\x02"), [])

    def tree(self, commit: str) -> dict[str, str]:
        """Every file of a commit: path to blob. Empty when there is no such commit."""
        done = self._process("ls-tree", "-r", "-z", "--full-tree", commit)
        if done.returncode:
            return {}
        found: dict[str, str] = {}
        for token in done.stdout.split(b"\0"):
            fields, _, path = token.partition(b"\t")
            parts = fields.split(b" ")
            if len(parts) == 3 and parts[1] == b"blob":
                found[self._inside(path.decode("utf-8", "surrogateescape"))] = parts[2].decode()
        return found

    def work_tree(self) -> list[str]:
        """Files of the work tree that git holds, or would with the next ``git add``: not those that it ignores."""
        output = self._run("ls-files", "-z", "-c", "-o", "--exclude-standard", "--full-name", ":/")
        return [self._inside(token.decode("utf-8", "surrogateescape")) for token in output.split(b"\0") if token]

    def ignored_folders(self) -> set[str]:
        """Folders of the work tree that git ignores as a whole."""
        output = self._run("ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory", "--full-name", ":/")
        paths = (token.decode("utf-8", "surrogateescape") for token in output.split(b"\0") if token.endswith(b"/"))
        return {self._inside(path.rstrip("/")) for path in paths}

    def dvc_files(self) -> list[str]:
        """DVC's files among them, below the root."""
        below = f":(top,glob){self.prefix}/**/" if self.prefix else ":(top,glob)**/"
        patterns = [below + name for name in ("*.dvc", "dvc.yaml", "dvc.lock", "Dvcfile")]
        output = self._run("ls-files", "-z", "-c", "-o", "--exclude-standard", "--full-name", "--", *patterns)
        paths = {self._inside(token.decode("utf-8", "surrogateescape")) for token in output.split(b"\0") if token}
        return sorted(path for path in paths if is_dvc_file(path) and not path.startswith("../"))

    # -- content ---------------------------------------------------------------------------------------------------

    def blobs(self, ids: list[str]) -> Iterator[bytes]:
        """Content of many blobs in the order asked for, from one process."""
        if not ids:
            return
        process = self._batch("--buffer")  # all are asked for at once: git need not hand over one by one
        assert process.stdin and process.stdout
        feeder = threading.Thread(target=_feed, args=(process.stdin, ids), daemon=True)
        feeder.start()
        try:
            for _ in ids:
                yield _next(process.stdout) or b""
        finally:
            process.stdout.close()
            process.wait()
            feeder.join()

    def blob(self, identity: str) -> bytes:
        """Content of one blob.

        Raises:
            CannotDecide: ``GIT_FAILED``, this clone does not have it.
        """
        if self._reader is None:
            self._reader = self._batch()
        assert self._reader.stdin and self._reader.stdout
        self._reader.stdin.write(identity.encode() + b"\n")
        self._reader.stdin.flush()
        data = _next(self._reader.stdout)
        if data is None:
            raise CannotDecide(
                f"git has no object {identity}", code="GIT_FAILED", hint="git fsck; git fetch --unshallow"
            )
        return data

    def writer(self, path: str, line: int) -> str:
        """Who wrote a line of a file, by the last commit that changed more than its spaces; empty: not committed."""
        done = self._process("blame", "--porcelain", "-w", f"-L{line},{line}", "--", posixpath.join(self.prefix, path))
        fields = dict(
            text.split(" ", 1)
            for text in done.stdout.decode("utf-8", "replace").splitlines()
            if text.startswith("author") and " " in text
        )
        if done.returncode or fields.get("author-mail") == "<not.committed.yet>":
            return ""
        return f"{fields.get('author', '')} {fields.get('author-mail', '')}".strip()

    # -- processes -------------------------------------------------------------------------------------------------

    def _inside(self, path: str) -> str:
        if not self.prefix:
            return path
        if path.startswith(self.prefix + "/"):
            return path[len(self.prefix) + 1 :]
        return posixpath.relpath(path, self.prefix)

    def _command(self, *arguments: str) -> list[str]:
        return ["git", "-C", str(self.top), "-c", "core.quotePath=false", "-c", "log.showSignature=false", *arguments]

    def _batch(self, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - fixed command
            self._command("cat-file", "--batch", *more),
            bufsize=1 << 16,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        )

    def _process(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603 - fixed command
                self._command(*arguments), input=stdin, capture_output=True, check=False, env=environment()
            )
        except OSError as error:
            raise UsageError("git cannot be run", code="GIT_MISSING", cause=str(error), hint="install git") from None

    def _run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        done = self._process(*arguments, stdin=stdin)
        if done.returncode:
            raise CannotDecide(
                f"git cannot read the repository {self.top}",
                code="GIT_FAILED",
                cause=done.stderr.decode("utf-8", "replace").strip(),
                hint="git 2.31 or later is needed; `git fsck` checks the repository",
            )
        return done.stdout


def environment() -> dict[str, str]:
    """The environment for git: inside a hook, git's own variables would point it at another index or repository."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, folders, files in os.walk(path):
        folders.sort()
        for file in sorted(files):
            yield Path(folder, file)


def _commit(head: list[str], changes: list[tuple[str, str]]) -> Commit:
    return Commit(head[0], tuple(head[1].split()), int(head[2] or 0), head[3], tuple(changes))


def _feed(stdin: IO[bytes], ids: list[str]) -> None:
    try:
        stdin.write("".join(f"{identity}\n" for identity in ids).encode())
        stdin.close()
    except BrokenPipeError:
        pass  # the reader stopped early


def _next(stdout: IO[bytes]) -> bytes | None:
    head = stdout.readline().split()
    if len(head) != 3:
        return None
    data = stdout.read(int(head[2]) + 1)
    return data[:-1]
