"""The table of docs/explanation/observation.md: ways to read a file and to call a provider, and who sees each.

Every way is the real library or program. All that a process can do is done in one process, to a file or a host named
after the way; hosts are served on loopback through a proxy. The table and this file say the same, or a test fails.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lineage.capture import hook, landlock, spool
from tests.unit.capture.providers import providers

READS = {
    "open": "open(F).read()",
    "pathlib": "import pathlib; pathlib.Path(F).read_bytes()",
    "os.open": "os.read(os.open(F, os.O_RDONLY), 9)",
    "mmap": "import mmap; f = open(F, 'rb'); mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)[:2]",
    "shutil.copyfile": "import shutil; shutil.copyfile(F, 'copy')",
    "numpy.fromfile": "import numpy; numpy.fromfile(F, 'u1')",
    "pandas.read_csv": "import pandas; pandas.read_csv(F)",
    "pandas.read_parquet": "import pandas; pandas.read_parquet(F)",
    "pyarrow.parquet": "import pyarrow.parquet as q; q.read_table(F)",
    "pyarrow.memory_map": "import pyarrow; pyarrow.memory_map(F).read()",
    "polars.read_parquet": "import polars; polars.read_parquet(F)",
    "polars.scan_csv": "import polars; polars.scan_csv(F).collect()",
    "duckdb": "import duckdb; duckdb.sql(f\"select * from read_csv('{F}')\").fetchall()",
    "h5py": "import h5py; h5py.File(F).close()",
    "safetensors": "import safetensors; safetensors.safe_open(F, 'np').__enter__()",
    "onnxruntime": "import onnxruntime; onnxruntime.InferenceSession(F)",
    "sqlite3": "import sqlite3; sqlite3.connect(F).execute('select 1 from t')",
    "ctypes": "import ctypes; c = ctypes.CDLL(None); c.fopen.restype = ctypes.c_void_p; f = c.fopen(F.encode(), b'r'); assert f",
    "cat": "run(['cat', F])",
    "perl": "run(['perl', '-e', 'open(F, shift) or die; <F>', F])",
    "redirection": "run(['sh', '-c', 'read -r line < ' + F])",
    "python child": "run([sys.executable, '-c', 'open(%r)' % F])",
    "python -I": "run([sys.executable, '-I', '-c', 'open(%r)' % F])",
    "env -i": "run(['env', '-i', sys.executable, '-c', 'open(%r)' % F])",
    "fork": "forked(lambda: open(F).read(), 1)",
    "double fork": "forked(lambda: open(F).read(), 2)",
    "exec": "forked(lambda: os.execve('/bin/cat', ['cat', F], {}), 1)",
    "another name": "os.symlink(F, 'renamed'); open('renamed').read()",
}

NOT_IN_PYTHON = {
    "duckdb", "ctypes", "cat", "perl", "redirection", "python -I", "env -i", "exec"
}  # fmt: skip
"""Reads that the observer in Python does not see."""

NOT_IN_STRACE = {"another name"}

CALLS = {
    "urllib": "import urllib.request; urllib.request.urlopen(U).read()",
    "urllib without TLS": "import urllib.request; urllib.request.urlopen(U.replace('https', 'http')).read()",
    "requests": "import requests; requests.get(U)",
    "urllib3": "import urllib3; urllib3.ProxyManager(os.environ['https_proxy'], ca_certs=os.environ['SSL_CERT_FILE']).request('GET', U, retries=False)",
    "httpx": "import httpx; httpx.get(U)",
    "httpx2": "import httpx2; httpx2.get(U)",
    "aiohttp": "import aiohttp, asyncio; asyncio.run(fetch(aiohttp))",
    "aiohttp on uvloop": "import aiohttp, uvloop; uvloop.run(fetch(aiohttp))",
    "openai": "import openai; openai.OpenAI(base_url=U, max_retries=0).chat.completions.create(model='m', messages=[{'role': 'user', 'content': 'x'}])",
    "anthropic": "import anthropic; anthropic.Anthropic(base_url=U, max_retries=0).messages.create(model='m', max_tokens=1, messages=[{'role': 'user', 'content': 'x'}])",
    "google-genai": "from google import genai; c = genai.Client(api_key='x', http_options={'base_url': U}); c.models.generate_content(model='m', contents='x')",
    "ssl": "import socket, ssl; tunnel(ssl.create_default_context(), H)",
    "curl": "run(['curl', '-sf', U])",
    "wget": "run(['wget', '-q', '-t', '1', '-O', '/dev/null', '--ca-certificate', os.environ['SSL_CERT_FILE'], U])",
    "curl in a script": "run(['sh', 'call.sh', H.split('.')[0]])",
    "python -I (urllib)": "run([sys.executable, '-I', '-c', 'import sys, urllib.request; urllib.request.urlopen(\"https://\" + sys.argv[1]).read()', H])",
}

NOT_CALLED_IN_PYTHON = {"curl in a script", "python -I (urllib)"}
NOT_CALLED_IN_STRACE = {"aiohttp on uvloop"}

BEFORE = """
import os, sys, subprocess, json
def run(command): subprocess.run(command, check=True, capture_output=True, timeout=30)
def forked(act, times):
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
        return
    try:
        if times > 1: forked(act, times - 1)
        else: act()
        os._exit(0)
    except BaseException: os._exit(1)
def tunnel(context, host):
    import socket
    port = int(os.environ["https_proxy"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(f"CONNECT {host}:443 HTTP/1.1\\r\\n\\r\\n".encode()); s.recv(99)
        context.wrap_socket(s, server_hostname=host).close()
async def fetch(aiohttp):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get(U) as answer: await answer.read()
failed = {}
for name, (F, code) in json.load(open(sys.argv[1])).items():
    U, H = "https://" + F, F
    try: exec(code)
    except BaseException as error: failed[name] = repr(error)
print(json.dumps(failed))
"""


class Found(NamedTuple):
    """What a run of many ways gave."""

    python: set[str]
    strace: set[str]
    failed: dict[str, str]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-")


def _files(root: Path) -> None:
    """A file for each way, in the format that it reads."""
    import h5py
    import numpy
    import pandas
    from safetensors.numpy import save_file

    for name in READS:
        path = root / _slug(name)
        path.write_text("a,b\n1,2\n")
        if "parquet" in name:
            pandas.DataFrame({"a": [1]}).to_parquet(path)
    save_file({"a": numpy.zeros(2)}, root / "safetensors")
    with h5py.File(root / "h5py", "w") as made:
        made["a"] = [1]
    (root / "sqlite3").unlink()
    import sqlite3

    with sqlite3.connect(root / "sqlite3") as database:
        database.execute("create table t (a)")
    (root / "onnxruntime").write_bytes(ONNX)


def _field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


_TENSOR = _field(1, _field(1, 1) + _field(2, _field(1, _field(1, 1))))
_GRAPH = (
    _field(1, _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity"))
    + _field(2, b"g")
    + _field(11, _field(1, b"x") + _field(2, _TENSOR))
    + _field(12, _field(1, b"y") + _field(2, _TENSOR))
)
ONNX = _field(1, 8) + _field(7, _GRAPH) + _field(8, _field(1, b"") + _field(2, 13))
"""A model of one operation, y = x."""


def _run(root: Path, ways: dict[str, str], what: dict[str, str], *, prefix: tuple[str, ...] = (), **more: str) -> Found:
    (root / "ways.json").write_text(json.dumps({name: (what[name], code) for name, code in ways.items()}))
    (root / "ways.py").write_text(BEFORE)
    (root / "call.sh").write_text('curl -sf "https://$1.example.com/"')
    where = root / ".lineage" / "spool"
    where.mkdir(parents=True, exist_ok=True)
    folder = spool.begin(where, ["ways"], mode="strace")
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more
    environment = hook.environment(hook.Hook(where, None, "/bin/sh"), plain, mode="strace", execution=folder)
    command = [sys.executable, *prefix, "ways.py", "ways.json"]
    if not prefix:
        command = hook.traced(command, environment)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    if not prefix:
        hook.wait(folder)
    spool.seal(folder, 0)
    (seen,) = spool.executions(where, spool.journal(where))
    assert seen.faults == ()
    columns: list[set[str]] = [set(), set()]
    kinds = ("read", "request", "tls", "wire", "argument")
    for file in folder.glob("*.jsonl"):
        said = [json.loads(line) for line in file.read_text().splitlines()]
        traced = any(each["k"] == "strace" for each in said)
        columns[traced] |= {each["v"] for each in said if each["k"] in kinds}
    spool.remove(folder)
    return Found(columns[0], columns[1], json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """All ways to read, seen."""
    root = tmp_path_factory.mktemp("reading")
    _files(root)
    return _run(root, READS, {name: str(root / _slug(name)) for name in READS})


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> Found | None:
    """All ways to read, under Landlock: the programs may be read, the data may not."""
    if not landlock.version():
        return None
    root, data = tmp_path_factory.mktemp("confined"), tmp_path_factory.mktemp("data")
    _files(data)
    start = (
        "import sys; from pathlib import Path; from lineage.capture.landlock import confine\n"
        "every = [p for p in Path('/').iterdir() if p.name not in ('tmp', 'work')]\n"
        f"every += [Path(p) for p in (sys.prefix, sys.base_prefix, {str(Path(hook.__file__).parents[1])!r}, {str(root)!r})]\n"
        "confine(every, network=True)\n"
        "sys.argv = sys.argv[1:]; exec(open(sys.argv[0]).read())"
    )
    return _run(root, READS, {name: str(data / _slug(name)) for name in READS}, prefix=("-c", start))


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """All ways to call, seen."""
    root = tmp_path_factory.mktemp("calling")
    with providers(root) as served:
        return _run(root, CALLS, {name: _slug(name) + ".example.com" for name in CALLS}, **served.environment())


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> Found | None:
    """All ways to call, under Landlock without network."""
    if landlock.version() < 4:
        return None
    root = tmp_path_factory.mktemp("cut-off")
    start = (
        "import sys; from pathlib import Path; from lineage.capture.landlock import confine\n"
        "confine([Path('/')], network=False)\nsys.argv = sys.argv[1:]; exec(open(sys.argv[0]).read())"
    )
    with providers(root) as served:
        what = {name: _slug(name) + ".example.com" for name in CALLS}
        return _run(root, CALLS, what, prefix=("-c", start), **served.environment())


@pytest.mark.parametrize("way", READS)
def test_a_way_to_read(reading: Found, confined: Found | None, way: str) -> None:
    assert way not in reading.failed, reading.failed[way]
    read = {Path(path).name for path in reading.python}, {Path(path).name for path in reading.strace}
    assert (_slug(way) in read[0], _slug(way) in read[1]) == (way not in NOT_IN_PYTHON, way not in NOT_IN_STRACE)
    if way == "another name":
        assert "renamed" in read[0] and "renamed" in read[1]
    assert confined is None or way in confined.failed


@pytest.mark.parametrize("way", CALLS)
def test_a_way_to_call(calling: Found, cut_off: Found | None, way: str) -> None:
    assert way not in calling.failed, calling.failed[way]
    host = _slug(way) + ".example.com"
    assert (host in calling.python, host in calling.strace) == (
        way not in NOT_CALLED_IN_PYTHON, way not in NOT_CALLED_IN_STRACE
    )  # fmt: skip
    assert cut_off is None or way in cut_off.failed


def test_the_table_in_the_docs_says_the_same() -> None:
    page = Path(__file__).parents[3] / "docs" / "explanation" / "observation.md"
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in page.read_text().splitlines()]
    said = {row[0]: row[1:] for row in rows if len(row) == 4}
    for way in READS:
        expected = ["no" if way in NOT_IN_PYTHON else "yes", "no" if way in NOT_IN_STRACE else "yes", "refused"]
        assert [cell.split(",")[0] for cell in said[way]] == expected, way
    for way in CALLS:
        expected = [
            "no" if way in NOT_CALLED_IN_PYTHON else "yes",
            "no" if way in NOT_CALLED_IN_STRACE else "yes",
            "refused",
        ]
        assert [cell.split(",")[0] for cell in said[way]] == expected, way
