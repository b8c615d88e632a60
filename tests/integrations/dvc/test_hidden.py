"""Stages that hide what they read or call, with real DVC: what can be seen of it is, and joins what they made."""

from __future__ import annotations

import http.server
import json
import os
import re
import sys
import threading
from pathlib import Path

import pytest

from lineage.vocabulary import Kind, Observation, Origin
from tests.integrations.dvc.test_hook import GENERATE, SIDE, Project, project  # noqa: F401 - a fixture

WAYS = {
    "added to before": "open(F, 'a').close(); open(F).read()",
    "for both": "open(F, 'r+').read()",
    "read, then written anew": "text = open(F).read(); open(F, 'w').write(text)",
    "through the root of a process": "open('/proc/self/root' + F).read()",
    "through the folder of a process": "os.chdir(os.path.dirname(F)); open('/proc/self/cwd/' + os.path.basename(F)).read(); os.chdir(HERE)",
    "through a descriptor": "os.read(os.open(f'/proc/self/fd/{os.open(F, os.O_PATH)}', os.O_RDONLY), 9)",
    "a link that is gone": "os.link(F, L); open(L).read(); os.unlink(L)",
    "a pointer that is gone": "os.symlink(F, L); open(L).read(); os.unlink(L)",
    "a pointer in the system": "os.symlink(F, '/dev/shm/' + N); open('/dev/shm/' + N).read(); os.unlink('/dev/shm/' + N)",
    "moved, and moved back": "os.rename(F, L); open(L).read(); os.rename(L, F)",
    "above a pointer": "os.symlink(os.path.dirname(F) + '/deep', 'data/way'); open('data/way/../' + os.path.basename(F)).read(); os.unlink('data/way')",
    "as notebooks' notes": "open(F).read()",
    "a thread": "import threading; t = threading.Thread(target=lambda: open(F).read()); t.start(); t.join()",
    "a pool that was spawned": "import concurrent.futures as c, multiprocessing as m\nwith c.ProcessPoolExecutor(1, m.get_context('spawn')) as p: p.submit(pathlib.Path.read_text, pathlib.Path(F)).result()",
    "a fork server": "import concurrent.futures as c, multiprocessing as m\nwith c.ProcessPoolExecutor(1, m.get_context('forkserver')) as p: p.submit(pathlib.Path.read_text, pathlib.Path(F)).result()",
    "a zip application": "import zipfile; z = zipfile.ZipFile('app.pyz', 'w'); z.writestr('__main__.py', 'open(%r).read()' % F); z.close(); subprocess.run([sys.executable, 'app.pyz'], check=True)",
    "with options": "subprocess.run([sys.executable, '-X', 'importtime', '-W', 'ignore', '-c', 'open(%r)' % F], check=True, stderr=-3)",
    "sendfile": "a = os.open(F, 0); b = os.open('copied', os.O_WRONLY | os.O_CREAT); os.sendfile(b, a, 0, 99)",
    "posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, '-c', 'open(%r)' % F], os.environ), 0)",
    "a database": "import sqlite3; sqlite3.connect(F).execute('select * from t').fetchall()",
    "a database by URL": "import sqlite3; sqlite3.connect('file:' + F + '?mode=ro', uri=True).execute('select * from t').fetchall()",
    "asyncio": "import asyncio; asyncio.run(asyncio.to_thread(open, F))",
    "pickle": "import pickle; pickle.loads(b'cbuiltins\\nopen\\n(V' + F.encode() + b'\\ntR.')",
}
ONLY_STRACE = {
    "a handle": "import ctypes; c = ctypes.CDLL(None, use_errno=True); h = (ctypes.c_char * 136)(128); m = ctypes.c_int(); assert not c.name_to_handle_at(-100, F.encode(), h, ctypes.byref(m), 0); f = c.open_by_handle_at(os.open('.', 0), h, 0); assert f > 0 or ctypes.get_errno() == 1",
    "another root": "p = os.fork()\nif p: os.waitpid(p, 0)\nelse:\n    try:\n        os.unshare if 0 else None; os.chroot(os.path.dirname(F)); c = ctypes.CDLL(None).open(('/' + os.path.basename(F)).encode(), 0)\n    finally: os._exit(0)",
    "relative to a folder": "os.read(os.open(os.path.basename(F), 0, dir_fd=os.open(os.path.dirname(F), 0)), 9)",
    "memory and exec": "m = os.memfd_create('x', 0); os.write(m, open('/bin/cat', 'rb').read()); subprocess.run([f'/proc/self/fd/{m}', F], pass_fds=[m], check=True, stdout=-3)",
}

_ROOT = {"a handle", "another root"}
"""What needs rights that a container, or a user, may not have."""

BEFORE = """\
import ctypes, json, os, pathlib, subprocess, sys
if __name__ == "__main__":
    HERE = os.getcwd()
    for N, (F, code) in json.load(open("src/ways.json")).items():
        L = "/tmp/hidden-" + N + str(os.getpid())
        exec(code)
    open("data/made.txt", "w").write("What was made of it, long enough to mean something. " * 3)
"""


def _hide(project: Project, ways: dict[str, str], place: Path) -> dict[str, str]:  # noqa: F811
    """Files, each for one way, and a stage that reads all of them; gives their names."""
    names, said = {}, {}
    for number, (way, code) in enumerate(ways.items()):
        folder = place / (".ipynb_checkpoints" if way.startswith("as notebooks") else f'{number} = "<q>"')
        (folder / "deep").mkdir(parents=True)
        file = folder / f"{number}.csv"
        file.write_text(f"{way}\n{SIDE}")
        if "database" in way:
            import sqlite3

            file.unlink()
            with sqlite3.connect(file) as made:
                made.execute(f"create table t (a{number})")
            made.close()
        names[way] = str(file)
        said[str(number)] = (str(file), code)
    project.repo.write("src/ways.json", json.dumps(said))
    project.repo.write("src/generate.py", BEFORE)
    project.repo.write(
        "dvc.yaml",
        f"stages:\n  generate:\n    cmd: {sys.executable} src/generate.py\n"
        "    deps: [src/generate.py, data/own.txt]\n    outs: [data/made.txt]\n",
    )
    return names


def _observations(project: Project) -> list[Observation]:  # noqa: F811
    with project.gate() as gate:
        gate.refresh()
        facets = [event.run.facets for _, _, event in gate.graph.events() if event.run and event.run.facets]
    return [each.observation.observation for each in facets if each.observation]


@pytest.mark.parametrize("mode", ["python", "strace"])
def test_a_read_that_a_stage_hides(project: Project, tmp_path: Path, mode: str) -> None:  # noqa: F811
    ways = WAYS if mode == "python" else {**WAYS, **ONLY_STRACE}
    names = _hide(project, ways, tmp_path / "elsewhere")
    project.run("lineagegate", "exec", f"--observe={mode}", "--", "dvc", "repro", "-q")
    seen = max(_observations(project), key=lambda each: len(each.undeclared))
    with project.gate() as gate:
        sources = {source.name for source in gate.undeclared()}
    for known in (set(seen.undeclared), sources):
        assert {way for way, name in names.items() if name not in known} <= (_ROOT if os.geteuid() else {"a handle"})


CALLS = {
    "an address with a name in a header": (
        "import http.client; c = http.client.HTTPConnection('127.0.0.1', PORT); c.request('GET', '/', headers={'Host': 'api.x.ai'}); c.getresponse().read()",
        "1 call to api.x.ai",
    ),
    "httpx with a name in a header": (
        "import httpx; httpx.get(f'http://127.0.0.1:{PORT}/', headers={'Host': 'api.groq.com'})", "1 call to api.groq.com",
    ),
    "requests with a name in a header": (
        "import requests; requests.get(f'http://127.0.0.1:{PORT}/', headers={'host': 'api.cohere.com:443'})", "1 call to api.cohere.com",
    ),
    "a gateway that nobody knows": (
        "import openai; o = openai.OpenAI(api_key='x', base_url=f'http://127.0.0.1:{PORT}/v1', max_retries=0)\n"
        "for _ in range(3):\n    try: o.chat.completions.create(model='m', messages=[])\n    except openai.OpenAIError: pass",
        "4 calls to 127.0.0.1",
    ),
    "a server of models on this machine": (
        "import urllib.request as u; u.urlopen(u.Request(f'http://127.0.0.1:{PORT}/api/generate', b'{}')).read()", "4 calls to 127.0.0.1",
    ),
    "a name in other letters": (
        "import socket\ntry: socket.getaddrinfo('ＡＰＩ。ｍｉｓｔｒａｌ．ａｉ', 9)\nexcept OSError: pass", "1 connection to api.mistral.ai",
    ),
    "a program without https": (
        "subprocess.run(['curl', '-s', '-m', '1', '-x', '127.0.0.1:9', 'API.deepseek.com./v1'])", "a program was started with api.deepseek.com",
    ),
    "a URL with a user": (
        "subprocess.run(['curl', '-s', '-m', '1', '-x', '127.0.0.1:9', 'https://x:y@api.perplexity.ai:443/v1'])", "a program was started with api.perplexity.ai",
    ),
}  # fmt: skip


def test_a_call_that_a_stage_hides(project: Project) -> None:  # noqa: F811
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        code = "\n".join(code for code, _ in CALLS.values())
        project.repo.write(
            "src/generate.py", f"import subprocess\nPORT = {served.server_address[1]}\n{code}\n" + GENERATE
        )
        project.exec("dvc", "repro", "-q", "generate")
        served.shutdown()
    why = project.run("lineagegate", "why", "data/made.txt").stdout
    assert {way for way, (_, said) in CALLS.items() if said not in why} == set(), why
    with project.gate() as gate:
        gate.refresh()
        channels = {label.origin.channel for label in gate.labels(gate.resolve("data/made.txt")).labels}
    assert {"unlisted", "openai"} <= channels


IN_A_FOLDER = f"""\
stages:
  generate:
    wdir: sub
    cmd: {sys.executable} ../src/generate.py
    deps: [../src/generate.py, own.txt]
    params: [seed]
    outs: [made.txt]
"""


def test_a_stage_that_works_in_a_folder_of_its_own(project: Project) -> None:  # noqa: F811
    project.repo.write("sub/own.txt", SIDE)
    project.repo.write("sub/params.yaml", "seed: 1\n")
    project.repo.write("src/generate.py", GENERATE.replace("data/", ""))
    project.repo.write("dvc.yaml", IN_A_FOLDER)
    project.repo.commit("in a folder")
    with project.gate() as gate:
        environment = {"DVC_STAGE": "generate", "DVC_ROOT": str(project.root)}
        (stage,) = [p.running(project.root / "sub", environment, lambda _: set()) for p in gate.pipelines]
    assert stage is not None
    names = ("own.txt", "params.yaml", "made.txt")
    assert set(stage.declared) == {
        str(project.root / "src/generate.py"),
        *(str(project.root / "sub" / n) for n in names),
    }
    said = project.exec("dvc", "exp", "run", "-q", "--temp", "-n", "far").stderr
    assert "no record of the pipeline fits it" not in said
    (name,) = project.repo.git("for-each-ref", "refs/exps", "--format=%(refname)").split()
    project.repo.git("checkout", "-q", name)
    project.run("dvc", "checkout", "-q")
    assert project.kinds("sub/made.txt")["third-party-model-output"] == "observed"


def test_content_of_the_cache_is_what_it_is_of(project: Project) -> None:  # noqa: F811
    """Read without its name, as `dvc.api` does too; MLflow's own notes are nobody's data; what is ignored is counted."""
    project.repo.write("ignored.csv", SIDE)
    project.repo.write("lineage.toml", 'project = "demo"\n[capture]\nignore = ["*/ignored.csv"]\n')
    project.repo.add("data/asked.txt", "What a model of somebody else answered, long enough to mean something.\n" * 3)
    with project.gate() as gate:
        gate.declare("data/asked.txt.dvc", Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "anthropic"))
    key = re.search(r"md5: (\w+)", project.repo.read_text("data/asked.txt.dvc"))
    assert key
    code = (
        "open('ignored.csv').read()\n"
        f"open('.dvc/cache/files/md5/{key[1][:2]}/{key[1][2:]}').read()\n"
        "import sqlite3; sqlite3.connect('mlflow.db').execute('create table t (a)').connection.close()\n"
        "sqlite3.connect('mlflow.db').execute('select * from t').fetchall()\n"
    )
    made = "open('data/made.txt', 'w').write('Made of it, long enough to mean something. ' * 3)\n"
    project.repo.write("src/generate.py", code + made)
    project.exec("dvc", "repro", "-q", "generate")
    labels = {(label.origin.kind.value, label.origin.provider) for label in project.labels("data/made.txt")}
    assert labels == {("human-annotation", ""), ("third-party-model-output", "anthropic")}
    (seen,) = [each for each in _observations(project) if each.undeclared]
    assert [Path(path).parts[:2] for path in seen.undeclared] == [(".dvc", "cache")]
    assert seen.notes == ("1 file was read that `ignore` in the settings leaves out",)
