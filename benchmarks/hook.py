"""What a stage costs more when it is seen: the shell alone, with a Python process in it, and for each file opened.

    python -m benchmarks.hook

Goals (issue 6): at most 15 ms for a stage without a Python process, 25 ms with one, 0.25 s for 10,000 distinct files.
Bytecode is compiled first, as an installation does.
"""

from __future__ import annotations

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lineage.capture import hook, landlock
from lineage.errors import UsageError

ROUNDS = 31


def main() -> None:
    """Print medians, in milliseconds."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(hook.OBSERVER, quiet=1)
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "dvc.yaml").write_text("stages:\n  s:\n    cmd: 'true'\n    deps: [dep.txt]\n    outs: [out.txt]\n")
        (root / "dep.txt").write_text("a dependency\n")
        (root / "lineage.toml").write_text('project = "benchmark"\n')
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=root, check=True)
        many = root / "many"
        many.mkdir()
        for number in range(10_000):
            (many / str(number)).touch()
        reading = f"for n in range(10000): open('{many}/%d' % n).close()"
        print(f"{'one stage':<44}{'without':>10}{'with':>10}{'more':>10}  ms, median of {ROUNDS}")
        _row("no Python process (`true`)", root, "true", ROUNDS)
        _row("a Python process (`python -c pass`)", root, f"{sys.executable} -c pass", ROUNDS)
        _row("10,000 distinct files opened", root, f'{sys.executable} -c "{reading}"', 7)
        for mode, rounds in (("strace", 11), ("strict", 7)):
            if not _possible(mode):
                print(f"{mode}: not on this machine")
                continue
            _row(f"{mode}: no Python process", root, "true", rounds, mode)
            _row(f"{mode}: a Python process", root, f"{sys.executable} -c pass", rounds, mode)
            if mode == "strace":
                _row(f"{mode}: 10,000 distinct files opened", root, f'{sys.executable} -c "{reading}"', 3, mode)


def _possible(mode: str) -> bool:
    try:
        landlock.require() if mode == "strict" else hook.strace()
    except UsageError:
        return False
    return True


def _row(name: str, root: Path, command: str, rounds: int, mode: str = "python") -> None:
    real = shutil.which("bash") or "/bin/sh"
    made = hook.prepare(root, {"SHELL": real})
    plain = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "SHELL": real,
        "DVC_STAGE": "s",
        "DVC_ROOT": str(root),
    }
    looked = "python" if mode == "strict" else mode
    ours = hook.environment(made, plain, mode=looked, execution=root, strict=mode == "strict")
    os.chdir(root)
    before, after = [], []
    for _ in range(rounds):  # in turn: the machine's speed drifts
        before.append(_time([real, "-c", command], plain))
        after.append(_time([str(made.shell), "-c", command], ours))
        for folder in made.spool.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
    without, with_ = statistics.median(before), statistics.median(after)
    more = statistics.median(b - a for a, b in zip(before, after, strict=True))
    print(f"{name:<44}{without:>10.1f}{with_:>10.1f}{more:>10.1f}")


def _time(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
