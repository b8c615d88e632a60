"""What DVC's records mean: runs with their data inputs and outputs, sources with their tags.

Here it is decided what is data and what is code, what things are called, and for which content a claim holds.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import posixpath
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from lineage.config import Config
from lineage.errors import CannotDecide, UsageError
from lineage.events import naming
from lineage.vocabulary import Artifact, ArtifactType, Content, Input, Kind, Member, Origin, Tag, Use
from lineage_dvc.cache import Cache
from lineage_dvc.claim import Claim, Writer
from lineage_dvc.definition import DvcFile, Meaning, resolve
from lineage_dvc.hashing import Hashes
from lineage_dvc.record import Entry, Record, Upstream
from lineage_dvc.tree import Tree, holds_data
from lineage_dvc.upstream import content_at, project_of, upstream_uri


class Ran(NamedTuple):
    """A run, as OpenLineage sees it."""

    run_id: str
    namespace: str
    address: str
    """``dvc.yaml:train@a`` or ``data/raw.dvc``."""
    key: str
    """DVC's own identity of the execution."""
    inputs: tuple[Input, ...]
    outputs: tuple[Artifact, ...]
    left: tuple[Left, ...] = ()
    """Dependencies and params that look like code: no inputs as long as their content is not known as data."""


class Left:
    """A dependency that was left out as code: the files that it consists of. Equal only to itself.

    Args:
        files: (path from the root, content key) of each.
    """

    __slots__ = ("files", "use")

    def __init__(self, files: tuple[tuple[str, str], ...], use: Use = Use.CONTENT) -> None:
        self.files = files
        self.use = use


class Known(NamedTuple):
    """A dataset version and its tags."""

    artifact: Artifact
    at: str = ""
    """When its claim was first committed, ISO 8601; empty: as when it is told."""


class Expired(NamedTuple):
    """A claim that no longer frees what lies at its path."""

    where: str
    """File or stage that carries it."""
    path: str
    claim: Claim


@lru_cache(maxsize=32)
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What whole paths match, and what names match. Kept: a long-lived process reads often."""
    whole, names = [], []
    for pattern in patterns:
        whole.append(fnmatch.translate(pattern))
        if pattern.endswith("/**"):
            whole.append(fnmatch.translate(pattern[:-3]))
        if "/" not in pattern:
            names.append(fnmatch.translate(pattern))
    return re.compile("|".join(whole) or r"(?!)"), re.compile("|".join(names) or r"(?!)")


class Matcher:
    """Shell patterns over paths: over the whole path, without a slash also over the name; ``dir/**`` is ``dir`` too.

    Args:
        patterns: as in lineage.toml.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._whole, self._names = _compiled(tuple(patterns))
        self._memo: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        found = self._memo.get(path)
        if found is None:
            found = bool(self._whole.match(path) or self._names.match(posixpath.basename(path)))
            self._memo[path] = found
        return found


class Code(Matcher):
    """The patterns of code. One that names no ending (``src/**``) does not cover files of data formats.

    Args:
        patterns: as in lineage.toml.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        every = tuple(patterns)
        super().__init__(every)
        self._named = Matcher(p for p in every if posixpath.basename(p).strip("*?"))

    def __call__(self, path: str) -> bool:
        return self._named(path) or (super().__call__(path) and not holds_data(path))


class Interpreter:
    """Makes runs and sources of DVC's records, for one project.

    Args:
        config: the project's settings.
        root: its DVC root.
        cache: its cache.
    """

    def __init__(self, config: Config, root: Path, cache: Cache) -> None:
        self.config = config
        self.root = root
        self.cache = cache
        self.namespace = naming.dvc_namespace(config.project)
        self.code = Code(config.code)
        self.model = Matcher(config.models)
        self.rules = tuple(
            (rule.pattern, _rule_tag(rule.pattern, rule.origin, rule.location)) for rule in config.origins
        )
        self.bound: dict[str, str] = {}
        """Claims that name no content, and the content beside which they were first seen."""
        self.writers: dict[str, Writer] = {}
        """Who first committed each claim."""
        self.upstreams: dict[tuple[str, str], None] = {}
        """(path of a local upstream repository, commit) that something was imported from."""
        self.absent: dict[str, str] = {}
        """Directories whose list of files is not in the cache: content key to path."""
        self.described: dict[str, Content] = {}
        """Directories whose list of files was told, by content key."""
        self._lies: dict[str, Content | None] = {}
        self._left: dict[tuple[str, str, Use], Left] = {}
        self._projects: dict[str, tuple[str, Path | None]] = {}

    # -- names -----------------------------------------------------------------------------------------------------

    def local(self, path: str) -> str | None:
        """The path from the DVC root of something in the work tree; None for the rest of the world."""
        if "://" in path:
            return None
        if path.startswith("/"):
            try:
                return Path(path).relative_to(self.root).as_posix()
            except ValueError:
                return None
        return path

    def artifact(
        self, path: str, content: Content | None, *, model: bool = False, tags: tuple[Tag, ...] = ()
    ) -> Artifact:
        """The dataset version at a resolved path, with the files of a directory where the cache lists them."""
        local = self.local(path)
        if local is None:
            namespace, name = self._elsewhere(path)
        else:
            namespace, name = self.namespace, local
        if content and content.hash.endswith(".dir") and not content.members:
            content = self._described_content(content, local or path)
        return Artifact(namespace, name, content, ArtifactType.MODEL if model else ArtifactType.DATASET, tags)

    def _elsewhere(self, path: str) -> tuple[str, str]:
        return naming.from_uri(self._url(path))

    def _url(self, path: str) -> str:
        """The address that is meant where one of DVC's remotes is named."""
        if path.startswith("remote://"):
            remote, _, rest = path[len("remote://") :].partition("/")
            return posixpath.join(self.cache.remote(remote), rest) if self.cache.remote(remote) else path
        return path

    def _described_content(self, content: Content, path: str) -> Content:
        if content.hash in self.described:
            return content  # each list of files is told once
        members = self.cache.members(content.hash) or self._lying(content, path)
        if members is None:
            self.absent[content.hash] = path
            return content
        self.absent.pop(content.hash, None)
        whole = self.described[content.hash] = msgspec.structs.replace(content, members=members)
        return whole

    def _lying(self, content: Content, path: str) -> tuple[Member, ...] | None:
        """The files of a directory as they lie in the work tree, where its hash shows that they are the ones meant."""
        if path not in self._lies:
            try:
                here = self.root / path
                self._lies[path] = Hashes(self.root).content(here) if "://" not in path and here.is_dir() else None
            except CannotDecide:
                self._lies[path] = None
        found = self._lies[path]
        return found.members if found and found.hash == content.hash else None

    def unknown(self, artifact: Artifact) -> Ran:
        """Says that a directory holds files that nobody listed: whatever its own tags say, it is undeclared.

        Args:
            artifact: the directory.
        """
        assert artifact.content
        key = artifact.content.hash
        bare = msgspec.structs.replace(artifact, tags=())
        return self._of_files(f"{artifact.name}: files unknown", key, (Input(self._files(key)),), bare)

    def listed(self, path: str, content: Content) -> Ran:
        """Says what the files are of a directory that was `unknown` before.

        Args:
            path: where it lies.
            content: its content, with the files.
        """
        files = tuple(Input(self.artifact(f"{path}/{m.path}", Content(m.hash, m.size))) for m in content.members)
        return self._of_files(f"{path}: files listed", content.hash, files, self._files(content.hash))

    def _files(self, key: str) -> Artifact:
        return Artifact(self.namespace, f"files of {key}, not in the cache")

    def _of_files(self, address: str, key: str, inputs: tuple[Input, ...], output: Artifact) -> Ran:
        identity = naming.run_id("dvc", self.config.project, address, key)
        return Ran(identity, self.namespace, address, key, inputs, (output,))

    # -- runs ------------------------------------------------------------------------------------------------------

    def stage(self, tree: Tree, address: str, record: Record, meaning: Meaning, *, key: str = "") -> Ran:
        """The run of a stage.

        Args:
            tree: the state of the repository that holds the record.
            address: ``dvc.yaml:train``.
            record: the execution.
            meaning: what dvc.yaml says of the stage.
            key: DVC's identity, where it is known from elsewhere.
        """
        outputs: list[Artifact] = []
        made = [resolve(meaning.wdir, out.path) for out in record.outs]
        meaning = self.tested(tree, (dep.path for dep in record.deps), made, meaning)
        for out, path in zip(record.outs, made, strict=True):
            outputs.append(self.artifact(path, out.content, model=self.is_model(path, meaning)))
        key = key or f"{record.key}/{record.value}"
        left: list[Left] = []
        inputs = tuple(self.inputs(tree, record.deps, meaning, left))
        left += self._params(tree, record, meaning)
        return Ran(
            naming.run_id("dvc", self.config.project, address, *key.split("/")),
            self.namespace,
            address,
            key,
            inputs,
            tuple(outputs),
            tuple(left),
        )

    def continued(self, run: Ran, kept: Iterable[tuple[str, str]]) -> Ran:
        """A run that began with what its outputs held before.

        Args:
            run: the run.
            kept: path and content key of each.
        """
        made = {out.name: out for out in run.outputs}
        more = tuple(
            Input(self.artifact(path, Content(key), model=path in made and made[path].type is ArtifactType.MODEL))
            for path, key in kept
            if not any(out.content and out.content.hash == key for out in run.outputs)
        )
        return run._replace(inputs=run.inputs + more)

    def is_model(self, path: str, meaning: Meaning) -> bool:
        """Whether an output is a model: dvc.yaml says so, or it matches the project's patterns and measures nothing."""
        return path in meaning.models or (path not in meaning.measures and self.model(path))

    def tested(self, tree: Tree, deps: Iterable[str], outs: Iterable[str], meaning: Meaning) -> Meaning:
        """What dvc.yaml says of a stage, without uses for evaluation where there is no model to evaluate.

        Args:
            tree: the state of the repository.
            deps: dependencies as written.
            outs: outputs, from the root.
            meaning: what dvc.yaml says.
        """
        if not any(use is Use.EVALUATION for _, use in meaning.uses):
            return meaning
        if any(self.is_model(out, meaning) for out in outs) or self.model_read(tree, deps, meaning):
            return meaning
        return meaning._replace(uses=tuple(u for u in meaning.uses if u[1] is not Use.EVALUATION))

    def model_read(self, tree: Tree, deps: Iterable[str], meaning: Meaning) -> bool:
        """Whether a stage reads a model, other than as what it evaluates with.

        Args:
            tree: the state of the repository.
            deps: dependencies as written.
            meaning: what dvc.yaml says.
        """
        for dep in deps:
            path = resolve(meaning.wdir, dep)
            makers = [
                tree.meaning(posixpath.dirname(owner), name) for owner, name in tree.outputs.get(path, ()) if name
            ]
            named = any(path in maker.models for maker in (meaning, *makers))
            measure = any(path in maker.measures for maker in makers)
            if (named or (self.model(path) and not measure)) and _use(meaning, dep, path) is not Use.EVALUATION:
                return True
        return False

    def inputs(
        self, tree: Tree, deps: Iterable[Entry], meaning: Meaning, left: list[Left] | None = None
    ) -> Iterator[Input]:
        """The data among the dependencies of a stage, each with its role.

        Args:
            tree: the state of the repository.
            deps: dependencies.
            meaning: what dvc.yaml says of the stage.
            left: takes what is left out as code.
        """
        seen: set[tuple[str, str, Content | None]] = set()
        for dep in deps:
            path = resolve(meaning.wdir, dep.path)
            local = self.local(path)
            if local is not None and tree.is_code(local, self.code):
                if left is not None and dep.content is not None and not dep.content.trivial:
                    left.append(self._code(tree, local, dep.content, _use(meaning, dep.path, path)))
                continue
            use = _use(meaning, dep.path, path)
            for artifact in self._read(tree, path, local, dep):
                mark = (artifact.namespace, artifact.name, artifact.content)
                if mark not in seen:
                    seen.add(mark)
                    yield Input(artifact, use)

    def _code(self, tree: Tree, path: str, content: Content, use: Use) -> Left:
        mark = (path, content.hash, use)
        found = self._left.get(mark)
        if found is None:
            files = [path] if path in tree.held else tree.beneath(path)
            keys = [(path, content.hash)]
            if content.hash.endswith(".dir"):
                keys += [(file, key) for file in files if (key := tree.files.md5(file, tree.held))]
            found = self._left[mark] = Left(tuple(keys), use)
        return found

    def _params(self, tree: Tree, record: Record, meaning: Meaning) -> Iterator[Left]:
        """The files that parameters come from: configuration, unless they are a copy of data or what a stage made."""
        for file in record.params:
            path = resolve(meaning.wdir, file)
            made = tree.content(path)
            key = made.hash if made else tree.files.md5(path, tree.held) if path in tree.held else None
            if key is not None:
                mark = (path, key, Use.CONTENT)
                found = self._left.get(mark)
                if found is None:
                    found = self._left[mark] = Left(((path, key),))
                yield found

    def given(self, left: Iterable[Left], known: Container[str]) -> Iterator[Input]:
        """The inputs among what was left out as code, by the content keys that are known as data."""
        for each in left:
            for path, key in each.files:
                if key in known:
                    yield Input(self.artifact(path, Content(key), model=self.model(path)), each.use)

    def _read(self, tree: Tree, path: str, local: str | None, dep: Entry) -> Iterator[Artifact]:
        if dep.upstream is not None:
            yield self.upstream(dep.upstream, dep.content)
            return
        content = dep.content
        if content and local is not None and content.hash.endswith(".dir") and local not in tree.outputs:
            content = msgspec.structs.replace(content, members=content.members or tree.members(local, content.hash))
        yield self.artifact(path, content, model=bool(local in tree.outputs and self.model(path)))
        if local is None or local in tree.outputs:
            return
        # A file of a tracked directory, or a directory that holds what other stages make: DVC links them by path.
        outer = tree.enclosing(local)
        if outer is not None:
            whole = tree.content(outer)
            members = self.cache.members(whole.hash) if whole else None
            if dep.content is None or not any(m.hash == dep.content.hash for m in members or ()):
                yield self.artifact(outer, whole)
        for inner in tree.within(local):
            yield self.artifact(inner, tree.content(inner), model=self.model(inner))

    def dvc_run(self, tree: Tree, path: str, file: DvcFile) -> Ran | None:
        """The run behind a `.dvc` file that was imported, or made by a command (before DVC 1.0); None when added."""
        if not file.record.deps:
            return None
        meaning = Meaning(file.wdir, models=file.models)
        first = file.record.outs[0].content if file.record.outs else None
        # an import is an exact copy: what was imported has the content of what lies here
        deps = [dep._replace(content=dep.content or (first if dep.upstream else None)) for dep in file.record.deps]
        return self.stage(tree, path, file.record._replace(deps=tuple(deps)), meaning)

    def upstream(self, upstream: Upstream, content: Content | None) -> Artifact:
        """What ``dvc import`` took, under the name that its own project gives it where that is known."""
        path = posixpath.normpath(upstream.path.replace("\\", "/")) if upstream.path else ""
        project, where = self._elsewhere_project(upstream.url)
        if not project:
            namespace, name = naming.from_uri(upstream_uri(upstream.url))
            return Artifact(namespace, f"{name}/{path}@{upstream.rev}", content)
        if where is not None:
            self.upstreams[str(where), upstream.rev] = None
            content = content or content_at(where, upstream.rev, path)
        return Artifact(naming.dvc_namespace(project), path, content)

    def _elsewhere_project(self, url: str) -> tuple[str, Path | None]:
        found = self._projects.get(url)
        if found is None:
            found = self._projects[url] = project_of(self.config, self.root, url)
        return found

    # -- sources and tags ------------------------------------------------------------------------------------------

    def stage_tags(self, tree: Tree, address: str, record: Record, meaning: Meaning, author: Writer) -> Iterator[Known]:
        """The tags that are on what a stage makes and on the sources it reads."""
        elsewhere = any("://" in dep.path for dep in record.deps)
        if not (self.rules or meaning.claims or meaning.outs or meaning.inputs or elsewhere):
            return
        several = len(record.outs) > 1
        own = dict(meaning.outs)
        root = not any(True for _ in self.inputs(tree, record.deps, meaning))
        for out in record.outs:
            path = resolve(meaning.wdir, out.path)
            model = self.is_model(path, meaning)
            yield from self._claimed(address, path, out.content, meaning.claims, author, model=model, exact=several)
            yield from self._claimed(address, path, out.content, own.get(path, ()), author, model=model)
            if root:
                yield from self.ruled(path, out.content, model=model)
        said = dict(meaning.inputs)
        for dep in record.deps:
            path = resolve(meaning.wdir, dep.path)
            local = self.local(path)
            if dep.upstream is not None or (local is not None and tree.is_code(local, self.code)):
                continue
            yield from self._claimed(address, path, dep.content, said.get(path, ()), author)
            if local is None or not (local in tree.outputs or tree.enclosing(local)):
                yield from self.ruled(path, dep.content)

    def dvc_tags(self, path: str, file: DvcFile, author: Writer) -> Iterator[Known]:
        """What a `.dvc` file tracks, as dataset versions with their tags."""
        for out, claims in file.outs:
            where = resolve(file.wdir, out.path)
            model = where in file.models or self.model(where)
            tags = list(self._claimed(path, where, out.content, (*file.claims, *claims), author, model=model))
            tags += self.ruled(where, out.content, model=model)
            if not any(known.artifact.content == out.content for known in tags):
                yield Known(self.artifact(where, out.content, model=model))
            yield from tags
            for dep in file.record.deps:
                # Where it came from is what the claim speaks of: the source carries the tag as well.
                outside = (
                    self.upstream(dep.upstream, dep.content or out.content)
                    if dep.upstream
                    else self.artifact(resolve(file.wdir, dep.path), dep.content)
                )
                now = [
                    k
                    for k in tags
                    if k.artifact.content and out.content and k.artifact.content.hash == out.content.hash
                ]
                for known in now:
                    yield Known(msgspec.structs.replace(outside, tags=known.artifact.tags), known.at)
                if dep.upstream:
                    if (tag := _known(dep.upstream.url)) is not None:
                        yield Known(msgspec.structs.replace(outside, tags=(tag,)))
                else:
                    yield from self.ruled(resolve(file.wdir, dep.path), dep.content)

    def ruled(self, path: str, content: Content | None, *, model: bool = False) -> Iterator[Known]:
        """What settings, and the list of known places, say of a path or URL."""
        names = {path, self.local(path) or path}
        tags = tuple(tag for pattern, tag in self.rules if any(fnmatch.fnmatchcase(name, pattern) for name in names))
        if "://" in path and (tag := _known(self._url(path))) is not None:
            tags += (tag,)
        if tags:
            yield Known(self.artifact(path, content, model=model, tags=tags))

    def _claimed(
        self,
        where: str,
        path: str,
        content: Content | None,
        claims: Sequence[Claim],
        author: Writer,
        *,
        model: bool = False,
        exact: bool = False,
    ) -> Iterator[Known]:
        for claim in claims:
            if not claim.speaks_of(path):
                continue
            spoken = claim.keys(path) or self._first(where, path, claim, content)
            writer = self._writer(where, path, claim, author)
            for key in sorted(spoken):
                if (claim.paths or not exact) and (content is None or key != content.hash):
                    yield Known(self.artifact(path, Content(key), model=model, tags=(claim.tag(writer),)), writer.time)
            if content is not None and content.hash in spoken:
                yield Known(self.artifact(path, content, model=model, tags=(claim.tag(writer),)), writer.time)
            elif not claim.clean:
                carried = ", ".join(sorted(spoken))
                yield Known(
                    self.artifact(path, content, model=model, tags=(claim.tag(writer, spoken_for=carried),)),
                    writer.time,
                )

    def _first(self, where: str, path: str, claim: Claim, content: Content | None) -> frozenset[str]:
        mark = hashlib.sha256(json.dumps([where, path, repr(claim)]).encode()).hexdigest()[:16]
        if mark not in self.bound and content is not None:
            self.bound[mark] = content.hash
        return frozenset({self.bound[mark]} if mark in self.bound else ())

    def _writer(self, where: str, path: str, claim: Claim, author: Writer) -> Writer:
        bound = bool(claim.content or claim.paths)  # then it is one claim, wherever the file is moved to
        place = [] if bound else [where, path]
        mark = hashlib.sha256(json.dumps([*place, repr(claim)]).encode()).hexdigest()[:16]
        if author.name and mark not in self.writers:
            self.writers[mark] = author
        return self.writers.get(mark, author)

    def expired(self, where: str, path: str, content: Content | None, claims: Sequence[Claim]) -> Iterator[Expired]:
        """The claims on a path that free other content than what lies there."""
        for claim in claims:
            if claim.clean and content is not None and claim.speaks_of(path):
                spoken = claim.keys(path) or self._first(where, path, claim, content)
                if content.hash not in spoken:
                    yield Expired(where, path, claim)


def _known(url: str) -> Tag | None:
    """What the registry of sources says of an address."""
    from lineage.gate.stated import tag_of_url  # only where there are addresses

    return tag_of_url(url)


def _use(meaning: Meaning, written: str, path: str) -> Use:
    for pattern, use in meaning.uses:
        if pattern in (written, path) or resolve(meaning.wdir, pattern) == path:
            return use
    for pattern, use in meaning.uses:
        if fnmatch.fnmatchcase(written, pattern) or fnmatch.fnmatchcase(path, pattern):
            return use
    return Use.CONTENT


def _rule_tag(pattern: str, fields: Mapping[str, str], location: str) -> Tag:
    values = dict(fields)
    try:
        kind = Kind(values.pop("kind"))
    except ValueError:
        kinds = ", ".join(k.value for k in Kind if k is not Kind.UNDECLARED)
        raise UsageError(
            f"{location}: unknown kind of origin for {pattern!r}", code="CONFIG_INVALID", cause=f"known: {kinds}"
        ) from None
    if kind is Kind.UNDECLARED:
        raise UsageError(f"{location}: `undeclared` cannot be declared", code="CONFIG_INVALID")
    return Tag(Origin(kind, **values), by=location, reason=f"pattern {pattern}")
