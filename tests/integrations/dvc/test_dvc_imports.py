"""Data that comes from elsewhere: ``dvc import``, ``dvc import-url``, URLs and ``ds://`` as dependencies."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from lineage.vocabulary import Kind, Origin, Tag
from tests.integrations.dvc.repository import WEB, Repo, rule

OPENAI = "meta:\n  lineage:\n    origin: {kind: third-party-model-output, provider: openai}\n"


@pytest.fixture
def upstream(tmp_path: Path, _chained: Path) -> Repo:
    """Another project, with a claim of its own."""
    shutil.copytree(_chained, tmp_path / "upstream", symlinks=True)
    repo = Repo(tmp_path / "upstream")
    repo.write("data/raw/gpt4.txt.dvc", repo.read_text("data/raw/gpt4.txt.dvc") + OPENAI)
    repo.write("words.csv", WEB)
    repo.commit("claims")
    return repo


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("ETag", '"v1-of-it"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine."""
    folder = tmp_path / "web"
    folder.mkdir()
    (folder / "page.txt").write_text(WEB)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder))) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_import_is_followed_into_a_repository_on_this_machine(empty: Repo, upstream: Repo) -> None:
    empty.dvc("import", "-q", str(upstream.root), "data/clean.txt")
    empty.commit()
    reading = empty.read()
    source = reading.run("clean.txt.dvc").inputs[0]
    assert (source.namespace, source.name) == ("dvc://upstream", "data/clean.txt")
    assert reading.run("dvc.yaml:clean").job.namespace == "dvc://upstream"  # type: ignore[union-attr]
    assert reading.labels("clean.txt") == {"third-party-model-output", "undeclared"}
    assert empty.read(reading.cursor, known=reading.ids).raw == []


def test_import_takes_the_upstream_project_name(empty: Repo, upstream: Repo) -> None:
    upstream.write("lineage.toml", 'project = "text"\n')
    upstream.commit()
    empty.dvc("import", "-q", str(upstream.root), "data/raw/gpt4.txt")
    reading = empty.read()
    assert reading.run("gpt4.txt.dvc").inputs[0].namespace == "dvc://text"
    assert reading.labels("gpt4.txt") == {"third-party-model-output"}


def test_import_of_a_file_in_git_is_undeclared(empty: Repo, upstream: Repo) -> None:
    empty.dvc("import", "-q", str(upstream.root), "words.csv")
    empty.commit()
    assert empty.read().labels("words.csv") == {"undeclared"}


def test_import_from_a_repository_that_is_not_here(empty: Repo, upstream: Repo) -> None:
    empty.dvc("import", "-q", str(upstream.root), "data/clean.txt")
    rev = upstream.git("rev-parse", "HEAD").strip()
    for url, name in (
        ("https://git.example.com/org/text.git", "org/text.git"),
        ("git@git.example.com:org/text.git", "org/text.git"),
    ):
        document = yaml.safe_load(empty.read_text("clean.txt.dvc"))
        document["deps"][0]["repo"]["url"] = url
        empty.write("clean.txt.dvc", yaml.safe_dump(document))
        empty.commit(url)
        reading = empty.read()
        source = reading.run("clean.txt.dvc").inputs[0]
        assert source.name == f"{name}/data/clean.txt@{rev}"
        assert source.artifact.content == reading.run("clean.txt.dvc").outputs[0].artifact.content
    gone = Repo(empty.root)
    shutil.move(upstream.root, upstream.root.parent / "moved")
    assert gone.read().labels("clean.txt") == {"undeclared"}
    # a project can say what another repository is called in the same store
    named = gone.read(extra={"dvc": {"projects": {"git@git.example.com:org/text.git": "text"}}})
    assert named.run("clean.txt.dvc").inputs[0].namespace == "dvc://text"


def test_an_upstream_commit_that_is_gone_is_reported(empty: Repo, upstream: Repo) -> None:
    empty.dvc("import", "-q", str(upstream.root), "data/raw/gpt4.txt")
    text = empty.read_text("gpt4.txt.dvc")
    rev = upstream.git("rev-parse", "HEAD").strip()
    empty.write("gpt4.txt.dvc", text.replace(rev, "dead" * 10))
    assert empty.read().labels("gpt4.txt") == {"undeclared"}
    assert any(n.code == "FILE_UNREADABLE" and "dead" * 10 in n.where for n in empty.pipeline().notices())


def test_a_claim_on_an_import(empty: Repo, upstream: Repo) -> None:
    empty.dvc("import", "-q", str(upstream.root), "words.csv")
    empty.write("words.csv.dvc", empty.read_text("words.csv.dvc") + OPENAI)
    reading = empty.read()
    assert reading.labels("words.csv") == {"third-party-model-output"}


def test_import_url_over_http(empty: Repo, server: str) -> None:
    empty.dvc("import-url", "-q", f"{server}/page.txt")
    empty.commit()
    reading = empty.read()
    source = reading.run("page.txt.dvc").inputs[0]
    assert (source.namespace, source.name) == (server, "page.txt")
    assert source.artifact.content and source.artifact.content.hash in ("checksum:v1-of-it", "etag:v1-of-it")
    assert reading.labels("page.txt") == {"undeclared"}
    ruled = empty.read(origins=(rule(f"{server}/*", kind="web-crawl"),))
    assert ruled.labels("page.txt") == {"web-crawl"}
    # what is said of the import is said of where it came from
    empty.write("page.txt.dvc", empty.read_text("page.txt.dvc") + OPENAI)
    assert empty.read().labels("page.txt") == {"third-party-model-output"}


def test_import_url_of_a_local_file(empty: Repo, tmp_path: Path) -> None:
    (tmp_path / "store.csv").write_text(WEB)
    empty.dvc("import-url", "-q", str(tmp_path / "store.csv"), "store.csv")
    source = empty.read().run("store.csv.dvc").inputs[0]
    assert (source.namespace, source.name) == ("file", str(tmp_path / "store.csv"))


def test_a_url_as_dependency_of_a_stage(empty: Repo, server: str) -> None:
    empty.write(
        "dvc.yaml",
        f"stages:\n  t:\n    cmd: echo a model, for instance > m.pkl\n    deps: ['{server}/page.txt']\n    outs: [m.pkl]\n",
    )
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    assert reading.labels("m.pkl") == {"undeclared"}
    assert empty.read(origins=(rule(f"{server}/*", kind="web-crawl"),)).labels("m.pkl") == {"web-crawl"}
    located = empty.pipeline().locate(f"{server}/page.txt")
    assert located == reading.run("dvc.yaml:t").inputs[0].artifact
    tag = Tag(Origin(Kind.WEB_CRAWL, provider="example.com"))
    (target,) = empty.pipeline().declare(f"{server}/page.txt", tag, {})
    assert target.artifact == located
    assert empty.dvc("status").strip().endswith("up to date.")
    assert empty.read().labels("m.pkl") == {"web-crawl"}


def test_a_dataset_of_dvc_as_dependency(empty: Repo, upstream: Repo) -> None:
    empty.write(
        "dvc.yaml",
        f"datasets:\n- name: text\n  type: dvc\n  url: {upstream.root}\n  path: data/raw/gpt4.txt\n"
        "stages:\n  t:\n    cmd: echo a model, for instance > m.pkl\n    deps: ['ds://text']\n    outs: [m.pkl]\n",
    )
    empty.dvc("dataset", "update", "text")
    empty.dvc("repro", "-q")
    empty.commit()
    reading = empty.read()
    source = reading.run("dvc.yaml:t").inputs[0]
    assert (source.namespace, source.name) == ("dvc://upstream", "data/raw/gpt4.txt")
    assert reading.labels("m.pkl") == {"third-party-model-output"}
