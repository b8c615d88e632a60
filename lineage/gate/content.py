"""Content of restricted sources found again: index them, search datasets for them, tag what is found (case S5).

What is searched for follows from the ledger and the policy at this moment: every source with a tag in force that some
rule denies or warns of. Fingerprints of a source lie in a file of the index directory; the store has a row for each,
with its hash, so that a file that is missing, damaged or exchanged is noticed. `lineage.content` does the work on
records; what was found is counted by `lineage.gate.tally`; when the gate asks is `lineage.gate.matching`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from lineage.errors import CannotDecide, UsageError
from lineage.events.event import dataset_event
from lineage.events.naming import display
from lineage.evidence.content import ContentIndexDocument, ContentScanDocument, IndexedSource, Scanned, UnreadRef
from lineage.evidence.document import artifact as reference
from lineage.gate.intact import check_intact
from lineage.gate.tally import Tallies, Threshold, scanned
from lineage.vocabulary import Artifact, Basis, Content, Kind, Label, Match, Origin, Tag, Use

if TYPE_CHECKING:
    from lineage.content import Index, IndexFile, Key, Unread
    from lineage.gate.gate import Gate
    from lineage.pipeline import Progress
    from lineage.policy import Policy


class Known(NamedTuple):
    """A source whose content is searched for."""

    artifact: Artifact
    origins: tuple[Origin, ...]
    """In force."""
    row: Mapping[str, Any] | None
    """What the store says of its fingerprints."""


class ContentIndex:
    """The index of one project.

    Args:
        gate: the record.

    Raises:
        UsageError: ``CONFIG_INVALID``.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        table = gate.config.extra.get("content", {})
        for key, value in table.items():
            if key not in ("index", "key") or not isinstance(value, str):
                raise UsageError(
                    f"{gate.config.file}: [content] {key} is not valid", code="CONFIG_INVALID",
                    cause="known keys: index (a directory), key (a file), both text",
                )  # fmt: skip
        self.directory = gate.config.root / table.get("index", ".lineage/content")
        self.key_file = gate.config.root / table.get("key", ".lineage/content.key")

    @property
    def key(self) -> Key:
        """The secret; made where there is none."""
        from lineage.content.secret import open_key

        return open_key(self.key_file)

    # -- what is known ---------------------------------------------------------------------------------------------

    def sources(self) -> list[Known]:
        """Every source that is searched for: those restricted, and those that somebody had indexed by name."""
        policy = self.gate.policy()
        found: list[Known] = []
        for source in self.gate.graph.tagged():
            origins = tuple(dict.fromkeys(r.tag.origin for r in source.tags if r.tag.basis is not Basis.MATCHED))
            row = self._row(source.artifact)
            restricting = tuple(origin for origin in origins if row is not None or restricted(policy, origin))
            if restricting:
                found.append(Known(source.artifact, restricting, row))
        return found

    def _row(self, artifact: Artifact) -> Mapping[str, Any] | None:
        text = self.gate.graph.state(f"content/index/{artifact.content.hash}") if artifact.content else None
        row: Mapping[str, Any] | None = json.loads(text) if text else None
        return row

    def digest(self, known: Iterable[Known]) -> str:
        """What a search for these sources rests on: their origins, their files, the method."""
        said = sorted(
            [k.artifact.content.hash if k.artifact.content else "", (k.row or {}).get("sha256", ""),
             *sorted(msgspec.json.encode(origin).decode() for origin in k.origins)]
            for k in known
        )  # fmt: skip
        return hashlib.sha256(json.dumps([_METHOD, said]).encode()).hexdigest()

    def open(self, known: Sequence[Known]) -> Index:
        """The index over those of some sources that have fingerprints."""
        from lineage.content import Index, IndexFile

        files = [
            (str(i), IndexFile(**{f: k.row[f] for f in IndexFile._fields}))
            for i, k in enumerate(known)
            if k.row is not None
        ]
        return Index.open(self.directory, files, self.key)

    def find(self, artifact: Artifact) -> Path | None:
        """Where the bytes of a dataset version lie here: a file, a directory, or a directory's list in the cache.

        Raises:
            CannotDecide: ``CONTENT_DAMAGED``, ``CONTENT_ABSENT``: what lies there is something else.
        """
        if artifact.content is None:
            return None
        found = next(
            (path for pipeline in self.gate.pipelines if (path := pipeline.content(artifact)) is not None), None
        )
        path = found or self.gate.config.root / artifact.name
        if found is None and not (artifact.namespace == "file" and path.exists()):
            return None
        located = identify(self.gate, path) if found is None or path.is_dir() else artifact
        if located is None or located.content is None or located.content.hash != artifact.content.hash:
            return None
        check_intact(path, located.content, name_of(artifact))
        return path

    # -- indexing --------------------------------------------------------------------------------------------------

    def index(
        self, named: Sequence[str] = (), progress: Progress | None = None, *, verify: bool = True
    ) -> ContentIndexDocument:
        """Make the fingerprints of sources that have none yet.

        Args:
            named: sources, anything `Gate.resolve` takes; by default every restricted one.
            progress: told how far it is.
            verify: make those again whose file is not what was recorded; else its size alone is looked at.

        Raises:
            UsageError: ``SOURCE_UNTAGGED``, one that is named has no origin.
        """
        known = self.sources()
        if named:
            known = [self._named(text) for text in named]
        done = [self._indexed(k, progress, verify) for k in known]
        return self._document(done)

    def show(self) -> ContentIndexDocument:
        """What is indexed."""
        return self._document([self._said(k, "kept") for k in self.sources()])

    def _document(self, done: Iterable[IndexedSource]) -> ContentIndexDocument:
        ordered = tuple(sorted(done, key=lambda source: (source.artifact.display, source.artifact.content or "")))
        return ContentIndexDocument(ordered, str(self.directory), self.key.id)

    def _named(self, text: str) -> Known:
        artifact = self.gate.resolve(text)
        tags = [recorded.tag for recorded in self.gate.graph.tags(artifact)]
        origins = tuple(dict.fromkeys(tag.origin for tag in tags if tag.basis is not Basis.MATCHED))
        if not origins:
            raise UsageError(
                f"{text} has no origin, so nothing would follow from finding it again", code="SOURCE_UNTAGGED",
                hint=f"lineagegate declare {text} --kind …",
            )  # fmt: skip
        return Known(artifact, origins, self._row(artifact))

    def _indexed(self, known: Known, progress: Progress | None, verify: bool) -> IndexedSource:
        key = self.key
        if known.row is not None and known.row["key"] == key.id and not known.row["unread"]:
            path = self.directory / known.row["name"]
            same = path.is_file() and path.stat().st_size == known.row["bytes"]
            if same and (not verify or digest_of(path, hashlib.sha256()) == known.row["sha256"]):
                return self._said(known, "kept")
        where, content = self.find(known.artifact), known.artifact.content
        if where is None or content is None:
            return self._said(known, "absent")
        self.directory.mkdir(parents=True, exist_ok=True)
        file, unread = self.made(where, f"{hashlib.sha256(content.hash.encode()).hexdigest()[:32]}.lgc", progress)
        row = {**file._asdict(), "unread": [list(item) for item in unread]}
        self.gate.graph.record([], {f"content/index/{content.hash}": json.dumps(row)})
        return self._said(known._replace(row=row), "indexed")

    def made(self, path: Path, name: str, progress: Progress | None = None) -> tuple[IndexFile, list[Unread]]:
        """Take the fingerprints of a file or directory.

        Args:
            path: what to read.
            name: of the file to make in the index's directory.
            progress: told how far it is.

        Returns:
            The file, and what could not be read.
        """
        from lineage.content import IndexWriter, Unread, fingerprints, normalise, records

        key = self.key
        writer, unread = IndexWriter(self.directory, key), list[Unread]()
        try:
            for batch in records(path, unread=unread, progress=progress):
                writer.add(fingerprints(normalise(batch.texts), key))
            return writer.finish(name), unread
        finally:
            writer.close()

    def _said(self, known: Known, state: str) -> IndexedSource:
        row = known.row or {}
        unread = tuple(UnreadRef(*item) for item in row.get("unread", ()))
        return IndexedSource(
            reference(known.artifact),
            known.origins,
            "absent" if not row else "partial" if unread else state,
            row.get("records", 0),
            row.get("distinct", 0),
            row.get("bytes", 0),
            row.get("sha256", ""),
            unread,
        )

    # -- searching -------------------------------------------------------------------------------------------------

    def scan(
        self, paths: Sequence[Path], threshold: Threshold, *, tag: bool = False, progress: Progress | None = None
    ) -> ContentScanDocument:
        """Search files and directories for content of the sources.

        Args:
            paths: what to search.
            threshold: what is enough.
            tag: record what is enough as tags of basis ``matched`` on the dataset's content.
            progress: told how far it is.

        Raises:
            UsageError: ``CONTENT_NOT_INDEXED``: nothing is.
            CannotDecide: the index is damaged, or with ``tag`` nothing identifies what was found.
        """
        from lineage.content import RULE

        known = self.sources()
        if not any(k.row for k in known):
            raise UsageError(
                "no restricted source is indexed, so nothing could be found", code="CONTENT_NOT_INDEXED",
                hint="`lineagegate content index` does it; `lineagegate declare` says which sources are restricted",
            )  # fmt: skip
        index, digest = self.open(known), self.digest(known)
        scanned = []
        for path in paths:
            artifact = identify(self.gate, path)
            result = self.search(index, known, path, artifact, threshold, progress)
            if tag and any(found.enough for found in result.found):
                if artifact is None:
                    raise CannotDecide(
                        f"{path} cannot be tagged", code="ARTIFACT_UNKNOWN", cause="nothing identifies its content",
                        hint="add it to the pipeline (`dvc add`), or scan its files one by one",
                    )  # fmt: skip
                if (now := identify(self.gate, path)) is None or now.content != artifact.content:
                    raise CannotDecide(
                        f"{path} changed while it was read", code="CONTENT_CHANGED",
                        hint="run it when nobody writes there",
                    )  # fmt: skip
                self.tag(artifact, result, digest, threshold)
                result = replace(result, tagged=True)
            scanned.append(result)
        missing = tuple(reference(k.artifact) for k in known if k.row is None or k.row["unread"])
        return ContentScanDocument(
            tuple(scanned), len(index.sources), missing, digest, *threshold, RULE.share, RULE.passages
        )

    def search(
        self,
        index: Index,
        known: Sequence[Known],
        path: Path,
        artifact: Artifact | None,
        threshold: Threshold,
        progress: Progress | None = None,
    ) -> Scanned:
        """Search one file or directory."""

        unread: list[Unread] = []
        origins = [known[int(name)].origins for name in index.sources]
        tallies = self.tally(index, origins, path, unread, progress)
        sources = [known[int(name)].artifact for name in index.sources]
        return scanned(str(path), artifact, sources, tallies, threshold, unread)

    def tally(
        self,
        index: Index,
        origins: Sequence[tuple[Origin, ...]],
        path: Path,
        unread: list[Unread],
        progress: Progress | None = None,
    ) -> Tallies:
        """Hold every record of a file or directory against the index.

        Args:
            index: of the sources.
            origins: of each source of the index.
            path: what to read.
            unread: takes what could not be read.
            progress: told how far it is.
        """
        from lineage.content import records

        tallies = Tallies()
        for batch in records(path, unread=unread, progress=progress):
            tallies.take(batch, index, origins)
        return tallies

    def tag(self, artifact: Artifact, scanned: Scanned, digest: str, threshold: Threshold) -> None:
        """Record what was found, as far as it is enough, as tags of basis ``matched``."""
        tags, matches = [], []
        for found in (found for found in scanned.found if found.enough):
            said = f"{found.records} of {scanned.records} records equal ({found.equal}) or resemble records of it"
            tags.append(Tag(found.origin, Basis.MATCHED, self.gate.user, said, f"content index {digest}"))
            keys = tuple(source.content for source in found.sources if source.content)
            matches.append(Match(found.origin, keys, found.records, found.equal, scanned.records, digest, *threshold))
        event = dataset_event(
            replace(artifact, tags=tuple(tags)),
            time=datetime.now(timezone.utc).isoformat(),
            matches=tuple(matches),
        )
        self.gate.record([event])


_METHOD = "2"


def restricted(policy: Policy, origin: Origin) -> bool:
    """Whether some rule denies or warns of an origin, in some use, for some model, at some time."""
    if origin.kind is Kind.UNDECLARED:
        return False
    facts = [policy.label_facts(Label(origin, use, Basis.DECLARED)) for use in Use]
    return any(
        rule.effect != "allow" and rule.match.of_label(each) is not None for rule in policy.rules for each in facts
    )


def declare_completions(gate: Gate, path: Path, origin: Origin) -> str:
    """Put an origin on a file of logged completions, and return the content key that it is then known by.

    Raises:
        UsageError: ``PATH_MISSING``.
    """
    artifact = identify(gate, path) if path.exists() else None
    if artifact is None or artifact.content is None:
        raise UsageError(f"there is no file {path}", code="PATH_MISSING")
    tag = Tag(origin, by=gate.user, reason="logged completions of the provider's API")
    if all(recorded.tag.origin != origin for recorded in gate.graph.tags(artifact)):
        gate.record([dataset_event(replace(artifact, tags=(tag,)), time=datetime.now(timezone.utc).isoformat())])
    return artifact.content.hash


def identify(gate: Gate, path: Path) -> Artifact | None:
    """The artifact at a path: as a pipeline knows it, else a file by its own hash; None for a directory of none's."""
    if (located := gate.locate(str(path))) is not None and located.content is not None:
        return located
    if not path.is_file():
        return None
    digest = digest_of(path, hashlib.md5(usedforsecurity=False))  # as pipelines do: equal content, equal keys (law 7)
    return Artifact("file", str(path), Content(f"md5:{digest}", path.stat().st_size))


def digest_of(path: Path, digest: hashlib._Hash) -> str:
    """Hash of a file, lower-case hex."""
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def name_of(artifact: Artifact) -> str:
    """What people call it."""
    return display(artifact.namespace, artifact.name)
