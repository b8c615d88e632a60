"""A real git and DVC repository, and what `DvcPipeline` reads from it. DVC runs in this process: a new one costs a second."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lineage.config import Config, OriginRule
from lineage.events import Event, read
from lineage.events.event import Dataset
from lineage.vocabulary import Tag
from lineage_dvc.pipeline import DvcPipeline

ENVIRONMENT = {
    "DVC_NO_ANALYTICS": "1",
    "DVC_TEST": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Jane Roe",
    "GIT_AUTHOR_EMAIL": "jane@example.com",
    "GIT_COMMITTER_NAME": "Jane Roe",
    "GIT_COMMITTER_EMAIL": "jane@example.com",
}


class Reading:
    """What one reading gave: events, decoded, and the cursor after it."""

    def __init__(self, batches: Iterable[Any], before: str | None = None) -> None:
        self.raw: list[bytes] = []
        self.cursor = before
        self.commits = self.executions = self.batches = 0
        for batch in batches:
            self.raw += batch.events
            self.cursor = batch.cursor
            self.commits += batch.commits
            self.executions += batch.executions
            self.batches += 1
        self.events: list[Event] = [read(event) for event in self.raw]
        self.runs = [event for event in self.events if event.run]
        self.sets = [event for event in self.events if event.dataset]

    @property
    def ids(self) -> set[str]:
        """Run ids."""
        return {event.run.run_id for event in self.runs if event.run}

    @property
    def addresses(self) -> list[str]:
        """Job names in order."""
        return [event.job.name for event in self.runs if event.job]

    def run(self, address: str) -> Event:
        """The last run of a stage."""
        return [event for event in self.runs if event.job and event.job.name == address][-1]

    def inputs(self, address: str) -> list[str]:
        """Names of the inputs of the last run of a stage."""
        return [dataset.name for dataset in self.run(address).inputs]

    def outputs(self, address: str) -> list[str]:
        """Names of the outputs of the last run of a stage."""
        return [dataset.name for dataset in self.run(address).outputs]

    def dataset(self, name: str, namespace: str = "") -> Dataset:
        """The last thing said of a dataset, in a run or on its own."""
        found = [
            d
            for e in self.events
            for d in (*e.inputs, *e.outputs, *([e.dataset] if e.dataset else []))
            if d.name == name and namespace in ("", d.namespace)
        ]
        return found[-1]

    def tags(self, name: str, content: str | None = None) -> set[Tag]:
        """Every tag on a dataset, of one content or of all."""
        return {
            tag
            for event in self.sets
            if event.dataset and event.dataset.name == name
            for artifact in [event.dataset.artifact]
            if content is None or (artifact.content and artifact.content.hash == content)
            for tag in artifact.tags
        }

    def kinds(self, name: str, content: str | None = None) -> set[str]:
        """Kinds of the origins on a dataset."""
        return {tag.origin.kind.value for tag in self.tags(name, content)}

    def labels(self, name: str, md5: str = "") -> set[str]:
        """Kinds that reach a dataset by name and content, and ``undeclared`` for every source without a tag.

        A naive closure, to see that what was read connects.
        """
        made: dict[tuple[str, str], list[Event]] = {}
        tags: dict[str, set[str]] = {}
        members: dict[str, set[str]] = {}
        for event in self.events:
            for dataset in (*event.inputs, *event.outputs, *([event.dataset] if event.dataset else [])):
                content = dataset.artifact.content
                if content and content.members:
                    members.setdefault(content.hash, set()).update(m.hash for m in content.members)
                for tag in dataset.artifact.tags:
                    tags.setdefault(content.hash if content else _key(dataset)[0], set()).add(tag.origin.kind.value)
            for dataset in event.outputs:
                made.setdefault(_key(dataset), []).append(event)
        found: set[str] = set()
        seen: set[tuple[str, str]] = set()
        last = self.dataset(name, "dvc://demo")
        waiting = [(f"{last.namespace}/{name}", md5) if md5 else _key(last)]
        while waiting:
            key = waiting.pop()
            if key in seen:
                continue
            seen.add(key)
            found |= tags.get(key[1] or key[0], set())
            makers = [e for k, events in made.items() for e in events if k == key or (key[1] and k[1] == key[1])]
            inputs = [dataset for event in makers for dataset in event.inputs]
            inner = [("", member) for member in members.get(key[1], ())]
            made_from_data = any(event.inputs for event in made.get(key, ()))
            if key[0] and not made_from_data and not tags.get(key[1] or key[0]):
                found.add("undeclared")
            waiting += [*map(_key, inputs), *inner]
        return found


def _key(dataset: Dataset) -> tuple[str, str]:
    content = dataset.artifact.content
    return (f"{dataset.namespace}/{dataset.name}", content.hash if content else "")


def nothing(keys: Iterable[str]) -> set[str]:
    """What an empty ledger knows."""
    del keys
    return set()


class Repo:
    """A repository on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: set[str] = set()

    def git(self, *arguments: str, date: str = "") -> str:
        """Run git."""
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date} if date else {}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env={**os.environ, **dates}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def dvc(self, *arguments: str, cwd: Path | None = None, fails: bool = False) -> str:
        """Run dvc."""
        from dvc.cli import main

        output = io.StringIO()
        before = Path.cwd()
        os.chdir(cwd or self.root)
        try:
            with contextlib.redirect_stdout(output):
                code = main(list(arguments))
        finally:
            os.chdir(before)
        assert (code != 0) is fails, output.getvalue()
        return output.getvalue()

    def write(self, path: str, text: str) -> Path:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def read_text(self, path: str) -> str:
        """Read a file."""
        return (self.root / path).read_text(encoding="utf-8")

    def commit(self, message: str = "work", date: str = "") -> str:
        """Commit everything; gives the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, date=date)
        return self.git("rev-parse", "HEAD").strip()

    def add(self, path: str, text: str) -> None:
        """``dvc add`` a file."""
        self.write(path, text)
        self.dvc("add", "-q", path)

    def pipeline(self, **settings: Any) -> DvcPipeline:
        """The pipeline under test."""
        settings.setdefault("project", "demo")
        return DvcPipeline(Config(root=self.root, **settings))

    def read(
        self, cursor: str | None = None, *, known: set[str] | None = None, data: set[str] | None = None, **settings: Any
    ) -> Reading:
        """Read everything, or what is new since a cursor, with the runs and the content that a ledger knows."""
        runs, content = known or set(), data or set()
        batches = self.pipeline(**settings).read(
            cursor, lambda ids: runs & set(ids), lambda keys: content & set(keys), None
        )
        return Reading(batches, cursor)

    def clone(self, where: Path) -> Repo:
        """A clone by git alone: no cache, no run cache."""
        subprocess.run(["git", "clone", "-q", str(self.root), str(where)], check=True, timeout=60)
        return Repo(where)


def rule(pattern: str, **origin: str) -> OriginRule:
    """An origin by pattern, as in lineage.toml."""
    return OriginRule(pattern, origin, "lineage.toml: origins[0]")


@contextlib.contextmanager
def inside(path: Path) -> Iterator[None]:
    """Work in a directory."""
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


GPT4 = "A line that a model of another company wrote, long enough to mean something.\n" * 3
WEB = "A line that was found somewhere on the web, long enough to mean something too.\n" * 3
TICKETS = "A ticket of a customer who cannot log in, written by that customer.\n" * 3

CHAIN = """\
stages:
  clean:
    cmd: cat data/raw/gpt4.txt data/raw/tickets.txt > data/clean.txt
    deps: [src/clean.py, data/raw/gpt4.txt, data/raw/tickets.txt]
    outs: [data/clean.txt]
  train:
    cmd: cat data/clean.txt params.yaml > models/chat.pkl
    deps: [src/train.py, data/clean.txt]
    params: [lr, depth]
    outs: [models/chat.pkl]
  evaluate:
    cmd: wc -c < models/chat.pkl > metrics.json
    deps: [src/train.py, models/chat.pkl]
    metrics:
      - metrics.json:
          cache: false
"""


def chain(repo: Repo) -> None:
    """Two `.dvc` files, three stages, run."""
    repo.add("data/raw/gpt4.txt", GPT4)
    repo.add("data/raw/tickets.txt", TICKETS)
    repo.write("src/clean.py", "# clean\n")
    repo.write("src/train.py", "# train\n")
    repo.write("params.yaml", "lr: 0.1\ndepth: 3\n")
    repo.write("dvc.yaml", CHAIN)
    (repo.root / "models").mkdir()
    repo.write("models/.gitkeep", "")
    repo.dvc("repro", "-q")
