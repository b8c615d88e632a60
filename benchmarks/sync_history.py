"""Reading a long DVC history, as a ratio to what git alone needs to hand the same history over.

    python -m benchmarks.sync_history [COMMITS] [STAGES]        # default 10000 10

A history is made with ``git fast-import``: each commit runs two or three of the stages again. Measured side by side:
``git log --raw`` and ``git cat-file --batch`` alone; a first reading with `DvcPipeline`; a second with nothing new.
"""

from __future__ import annotations

import hashlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from lineage.config import Config
from lineage_dvc.pipeline import DvcPipeline


def make_history(root: Path, commits: int, stages: int, seed: int = 7) -> int:
    """Fill an empty repository. Gives the number of distinct executions."""
    chance = random.Random(seed)
    git(root, "init", "-q", "-b", "main")
    (root / ".dvc").mkdir()
    md5 = [hashlib.md5(f"{s}".encode()).hexdigest() for s in range(stages + 1)]
    params = [0.1] * stages
    yaml = "stages:\n" + "".join(
        f"  stage_{s}:\n    cmd: python src/stage_{s}.py data/{s} data/{s + 1}\n    deps:\n    - data/{s}\n"
        f"    - src/stage_{s}.py\n    params:\n    - stage_{s}.rate\n    outs:\n    - data/{s + 1}\n"
        for s in range(stages)
    )
    executions = stages
    feed = subprocess.Popen(
        ["git", "-C", str(root), "fast-import", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert feed.stdin
    write = feed.stdin.write
    for number in range(commits):
        if number:
            # what changed, and everything after it
            for stage in range(stages - chance.choice((1, 2, 3, 3)), stages):
                params[stage] = round(chance.random(), 6)
                md5[stage + 1] = hashlib.md5(f"{number} {stage}".encode()).hexdigest()
                executions += 1
        lock = lock_text(stages, md5, params).encode()
        write(b"commit refs/heads/main\n")
        write(f"committer Jane Roe <jane@example.com> {1_600_000_000 + number * 60} +0000\n".encode())
        write(b"data 4\nwork\n")
        if number == 0:
            for other in range(60):
                write(f"M 100644 inline lib/part_{other % 6}/module_{other}.py\ndata 7\n# code\n\n".encode())
            for stage in range(stages):
                write(f"M 100644 inline src/stage_{stage}.py\ndata 7\n# code\n\n".encode())
            write(f"M 100644 inline dvc.yaml\ndata {len(yaml)}\n{yaml}\n".encode())
            raw = f"outs:\n- md5: {md5[0]}\n  size: 12000\n  hash: md5\n  path: '0'\n"
            write(f"M 100644 inline data/0.dvc\ndata {len(raw)}\n{raw}\n".encode())
        write(b"M 100644 inline dvc.lock\ndata %d\n%b\n" % (len(lock), lock))
    feed.stdin.close()
    assert feed.wait() == 0
    git(root, "reset", "-q", "--hard", "main")
    git(root, "gc", "-q")  # as git does by itself
    return executions


def lock_text(stages: int, md5: list[str], params: list[float]) -> str:
    """A lock as DVC writes it."""
    entries = "".join(
        f"  stage_{s}:\n    cmd: python src/stage_{s}.py data/{s} data/{s + 1}\n    deps:\n    - path: data/{s}\n"
        f"      hash: md5\n      md5: {md5[s]}\n      size: 12000\n    - path: src/stage_{s}.py\n      hash: md5\n"
        f"      md5: {'5' * 31}a\n      size: 7\n    params:\n      params.yaml:\n        stage_{s}.rate: {params[s]}\n"
        f"    outs:\n    - path: data/{s + 1}\n      hash: md5\n      md5: {md5[s + 1]}\n      size: 12000\n"
        for s in range(stages)
    )
    return "schema: '2.0'\nstages:\n" + entries


def git(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git."""
    return subprocess.run(["git", "-C", str(root), *arguments], input=stdin, capture_output=True, check=True).stdout


def git_alone(root: Path) -> None:
    """The least that any reader of this history needs."""
    log = git(root, "log", "--all", "--reflog", "-m", "--root", "--raw", "-z", "--no-abbrev", "--format=%H")
    fields = [token.split(b" ") for token in log.split(b"\0") if b" " in token]
    blobs = dict.fromkeys(f[3] for f in fields if len(f) == 5)
    git(root, "cat-file", "--batch", stdin=b"\n".join(blobs) + b"\n")


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def nothing(keys: Iterable[str]) -> set[str]:
    """What an empty ledger knows."""
    del keys
    return set()


def main() -> None:
    """Measure and print."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    stages = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        executions = make_history(root, commits, stages)
        pipeline = DvcPipeline(Config(root=root, project="bench"))
        base = statistics.median(seconds(lambda: git_alone(root)) for _ in range(3))
        known: set[str] = set()
        read, size, cursor = 0, 0, ""

        def first() -> None:
            nonlocal read, size, cursor
            for batch in pipeline.read(None, lambda ids: known & set(ids), nothing, None):
                read += batch.executions
                size += sum(map(len, batch.events))
                cursor = batch.cursor

        whole = seconds(first)
        again = statistics.median(
            seconds(lambda: list(pipeline.read(cursor, lambda ids: set(ids), nothing, None))) for _ in range(5)
        )
        each = max(read, 1)
        print(f"{commits} commits, {stages} stages, {executions} executions, {read} read, {size / each:.0f} bytes each")
        print(f"git alone      {base:8.3f} s")
        print(f"first reading  {whole:8.3f} s   {whole / base:.2f} times, {whole / each * 1e6:.0f} µs an execution")
        print(f"second reading {again:8.4f} s   nothing new, cursor of {len(cursor)} bytes")


if __name__ == "__main__":
    main()
