"""The observer in real Python processes: what it writes, that it disturbs nothing, and what its chain shows."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lineage.capture import hook, spool


class Stage(NamedTuple):
    """An execution in which Python processes are seen."""

    root: Path
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        """What its processes have in their environment."""
        before = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        made = hook.Hook(self.folder.parent, None, "/bin/sh")
        return hook.environment(made, {**before, **more}, mode="python", execution=self.folder)

    def python(self, code: str, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it."""
        return subprocess.run(
            [sys.executable, *options, "-c", code], env=self.environment(**more), cwd=self.root, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip

    def seen(self) -> spool.Seen:
        """What was written."""
        spool.seal(self.folder, 0)
        where = self.folder.parent
        return spool.executions(where, spool.journal(where))[0]

    def names(self, kind: str) -> set[str]:
        """Files of the project in what was written."""
        paths = (Path(path) for path in self.seen().things.get(kind, ()))
        return {path.relative_to(self.root).as_posix() for path in paths if path.is_relative_to(self.root)}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A fresh execution."""
    where = tmp_path / ".lineage" / "spool"
    where.mkdir(parents=True)
    return Stage(tmp_path, spool.begin(where, ["test"], mode="python"))


@pytest.fixture
def server() -> Iterator[int]:
    """A server on loopback: its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made.server_address[1]
        made.shutdown()


def test_files_that_are_read_and_written(stage: Stage) -> None:
    for name in ("a.txt", "b.txt", "c.txt", "d.txt", 'e " \\ \u202e\n.txt'):
        (stage.root / name).write_text("x")
    code = """
import os, pathlib
open("a.txt").read()
pathlib.Path("b.txt").read_bytes()
os.close(os.open("c.txt", os.O_RDONLY))
open("d.txt", "r+").close()
open("e \\" \\\\ \\u202e\\n.txt").close()
open("new.txt", "w").close()
open("a.txt").read()
try: open("missing.txt")
except OSError: pass
os.listdir(".")
"""
    assert stage.python(code).returncode == 0
    assert stage.names("read") == {"a.txt", "b.txt", "c.txt", "d.txt", 'e " \\ \u202e\n.txt'}
    assert stage.names("write") == {"d.txt", "new.txt"}
    assert stage.seen().faults == ()


def test_children_forks_and_threads(stage: Stage) -> None:
    for name in "abcd":
        (stage.root / name).write_text("x")
    code = """
import os, subprocess, sys, threading, multiprocessing
pid = os.fork()
if not pid:
    if not os.fork():
        open("a").close(); os._exit(0)
    os.wait(); os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "open('b')"])
thread = threading.Thread(target=lambda: open("c").close()); thread.start(); thread.join()
multiprocessing.get_context("spawn").Pool(1).map(open, ["d"]) if False else None
os.system("cat d; curl https://user:secret@api.openai.com/v1 >/dev/null 2>&1 || true")
"""
    assert stage.python(code).returncode == 0
    assert stage.names("read") == {"a", "b", "c"}  # `cat` is no Python process
    things = stage.seen().things
    assert set(things["argument"]) == {"api.openai.com"}
    assert "secret" not in str(things)


def test_what_it_is_blind_to_is_stated(stage: Stage) -> None:
    """docs/explanation/observation.md says so; a change here is a change there."""
    (stage.root / "a").write_text("x")
    assert stage.python("open('a')", "-I").returncode == 0
    assert stage.python("open('a')", "-E").returncode == 0
    assert stage.python("open('a')", "-S").returncode == 0
    assert subprocess.run([sys.executable, "-c", "open('a')"], env={}, cwd=stage.root, timeout=60).returncode == 0
    assert stage.names("read") == set()


@pytest.mark.parametrize(
    "client",
    [
        "import urllib.request\nfor _ in range(5): urllib.request.urlopen(f'http://localhost:{port}/').read()",
        "import http.client\nc = http.client.HTTPConnection('localhost', port)\n"
        "for _ in range(5): c.request('GET', '/'); c.getresponse().read()",
        "import requests\ns = requests.Session()\nfor _ in range(5): s.get(f'http://localhost:{port}/')",
        "import urllib3\np = urllib3.PoolManager()\nfor _ in range(5): p.request('GET', f'http://localhost:{port}/')",
        "import aiohttp, asyncio\n"
        "async def main():\n"
        "    async with aiohttp.ClientSession() as s:\n"
        "        for _ in range(5):\n"
        "            async with s.get(f'http://localhost:{port}/') as r: await r.read()\n"
        "asyncio.run(main())",
    ],
    ids=["urllib", "http.client", "requests", "urllib3", "aiohttp"],
)
def test_requests_are_counted(stage: Stage, server: int, client: str) -> None:
    done = stage.python(f"port = {server}\n{client}")
    assert done.returncode == 0, done.stderr
    assert stage.seen().things["request"] == {"localhost": 5}


def test_the_name_in_tls_is_seen_whatever_address_is_called(stage: Stage, server: int) -> None:
    code = f"""
import ssl, socket
context = ssl.create_default_context()
raw = socket.create_connection(("127.0.0.1", {server}))
try: context.wrap_socket(raw, server_hostname="api.anthropic.com")
except (ssl.SSLError, OSError): pass
context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="api.openai.com")
"""
    assert ssl.HAS_SNI
    assert stage.python(code).returncode == 0
    assert stage.seen().things["tls"] == {"api.anthropic.com": 1, "api.openai.com": 1}


def test_the_users_own_sitecustomize_runs_under_its_name(stage: Stage) -> None:
    own = stage.root / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys; here = 'mine'; print('ran', __name__)")
    done = stage.python("import sys, sitecustomize; print(sitecustomize.here, sys.path)", PYTHONPATH=str(own))
    assert done.stdout.startswith("ran sitecustomize\nmine ")
    assert "observer" not in done.stdout
    (own / "sitecustomize.py").write_text("import no_such_module")
    before = {**os.environ, "PYTHONPATH": str(own)}
    plain = subprocess.run([sys.executable, "-c", "print(1)"], env=before, capture_output=True, text=True, timeout=60)
    ours = stage.python("print(1)", PYTHONPATH=str(own))
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert ours.stderr.splitlines()[:1] == plain.stderr.splitlines()[:1]


def test_a_program_without_a_spool_runs_on(stage: Stage) -> None:
    (stage.root / "a").write_text("x")
    code = "import os, shutil; shutil.rmtree(os.environ['LINEAGE_EXECUTION']); print(open('a').read())"
    assert stage.python(code).stdout == "x\n"
    assert "its record was taken away while it ran" in stage.seen().faults


@pytest.mark.parametrize("forged", ["dropped", "changed", "added", "file"])
def test_false_and_missing_lines_are_noticed(stage: Stage, forged: str) -> None:
    for name in "abc":
        (stage.root / name).write_text("x")
    code = f"""
import os
folder = os.environ["LINEAGE_EXECUTION"]
open("a").close(); open("b").close()
path, = [folder + "/" + name for name in os.listdir(folder) if name.endswith("jsonl")]
lines = open(path).read().splitlines(True)
forged = {forged!r}
if forged == "dropped": lines = [line for line in lines if '/b"' not in line]
if forged == "changed": lines = [line.replace('/b"', '/z"') for line in lines]
if forged == "added": lines.insert(2, lines[2])
if forged == "file": os.unlink(path)
else: open(path, "w").writelines(lines)
open("c").close()
"""
    assert stage.python(code).returncode == 0
    assert stage.seen().faults


def test_inference_libraries(stage: Stage) -> None:
    (stage.root / "vllm.py").write_text("")
    assert stage.python("import vllm", PYTHONPATH=str(stage.root)).returncode == 0
    assert set(stage.seen().things["library"]) == {"vllm"}
