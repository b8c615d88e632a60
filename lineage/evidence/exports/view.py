"""What every export says about a case, each thing once: artifacts, runs, sources, people; and how it is written safely.

The standards differ in words, not in facts. Here a case's paths become a graph (a dataset version that two paths share
is one node), and names that somebody else chose become text, URIs and identifiers that a standard accepts. Which words
a standard has for them is the business of the module named after it.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime, timezone
from typing import Any, NamedTuple
from urllib.parse import quote

from lineage.errors import CannotDecide, printable
from lineage.events.facets import PRODUCER, SCHEMA_BASE
from lineage.evidence.case import Case, SourceSize, Trace
from lineage.evidence.document import ArtifactRef
from lineage.evidence.layout import count
from lineage.vocabulary import ArtifactType, Basis, Origin, Use

TOOL = "lineagegate"
HOME = PRODUCER
VOCABULARY = SCHEMA_BASE.rpartition("/facets/")[0] + "/exports/"
"""Where the words of ours are described that a standard has none for."""

TRAINED = frozenset(set(Use) - {Use.EVALUATION, Use.BASE_MODEL, Use.TEACHER, Use.PROMPT, Use.RETRIEVAL})
"""Uses in which content shapes the weights (law 5: validation chose them)."""

_NAMESPACE = uuid.UUID("5c1a2a0e-7d0b-5b1e-9a55-0d1d0c6f6a11")
_HEX = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_BASE = re.compile(r"(?!dvc:)[a-z][a-z0-9+.-]*://(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)
_LICENCE = re.compile(
    r"\(*[A-Za-z0-9.-]+\+?\)*(?: (?:AND|OR|WITH) \(*(?:DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9.-]+\+?\)*)*"
)


class Node(NamedTuple):
    """A dataset or model version."""

    id: str
    """UUID made from name and content: the same thing has the same one in every export."""
    name: str
    """For people, one printable line."""
    content: str
    """Content key; empty where versions cannot be told apart."""
    type: ArtifactType | None
    """None for what lies between source and model: a path does not say."""
    uri: str
    """Reference to where it lies, percent-encoded; relative for a path of the project."""


class Hop(NamedTuple):
    """One run that read one thing and made another."""

    run: Run
    read: Node
    made: Node
    use: Use
    makes: bool
    """False where the run measured what was there already: evaluation by another run than the one that made it."""


class Run(NamedTuple):
    """A stage or run that somebody executed."""

    id: str
    name: str
    commit: str
    time: str
    """UTC to the second; empty when not known."""
    by: str
    evidence: str
    """``observed``, ``restored`` or ``asserted``."""
    entries: tuple[int, ...]


class Source(NamedTuple):
    """A source of the model, with all that was said of it."""

    node: Node
    ref: ArtifactRef
    traces: tuple[Trace, ...]
    """One for each label that starts here; of a label with several sources the path is another one's."""
    files: int | None
    bytes: int | None
    records: int | None


class View(NamedTuple):
    """A case as a graph."""

    case: Case
    model: Node
    sources: tuple[Source, ...]
    nodes: tuple[Node, ...]
    """The model, the sources, and what lies between on the paths."""
    hops: tuple[Hop, ...]
    created: str
    """When the newest thing in it was recorded: UTC to the second."""
    whole: bool
    """Whether every source of the model is in it, over a lineage that was read whole."""

    def runs(self) -> dict[Run, list[Hop]]:
        """The runs, each with what it read and made."""
        found: dict[Run, list[Hop]] = {}
        for hop in self.hops:
            found.setdefault(hop.run, []).append(hop)
        return found


def view(case: Case) -> View:
    """The graph of a case.

    Raises:
        CannotDecide: the case states no time, which every standard needs.
    """
    created = utc(case.question.asked) or utc(case.subject.registered)
    if not created:
        raise CannotDecide(
            "the case states no time",
            code="EXPORT_NO_TIME",
            hint="lineagegate status tells whether anything is recorded",
        )
    model = node_of(case.subject.artifact)
    nodes: dict[str, Node] = {model.id: model}
    sources: dict[str, Source] = {}
    hops: dict[tuple[str, str, str, Use], Hop] = {}
    for trace in case.traces:
        for size in trace.sources or (_size(case, trace),):
            node = node_of(size.artifact)
            node = nodes.setdefault(node.id, node)
            known = sources.get(node.id)
            traces = (*known.traces, trace) if known else (trace,)
            sources[node.id] = Source(node, size.artifact, traces, size.files, size.bytes, size.records)
    for trace in case.traces:  # after all sources: one may lie on the path from another, where its type is not said
        for hop in _hops(trace, model, printable(case.subject.run), nodes):
            hops[hop.run.id, hop.read.id, hop.made.id, hop.use] = hop
    listed = all(trace.tags <= max(1, len(trace.sources)) for trace in case.traces)
    whole = case.coverage.complete and listed and len(sources) >= case.coverage.sources and not case.question.origin
    return View(case, model, tuple(sources.values()), tuple(nodes.values()), tuple(hops.values()), created, whole)


def node_of(ref: ArtifactRef) -> Node:
    """The node of an artifact that is known by its full name."""
    content = ref.content or ""
    uri = reference(ref.namespace, ref.name)
    return Node(identifier("artifact", ref.display, content), printable(ref.display), content, ref.type, uri)


def reference(namespace: str, name: str) -> str:
    """A URI reference (RFC 3986 section 4.1) to where something lies; relative for what is a path of the project."""
    path = quote(name, safe="/", errors="surrogatepass")
    if _BASE.fullmatch(namespace):
        return f"{namespace}/{path}"
    if namespace != "file" and not namespace.startswith(("dvc://", "lineagegate")):
        return quote(namespace, safe="", errors="surrogatepass") + f"/{path}"
    return path


def _hops(trace: Trace, model: Node, maker: str, nodes: dict[str, Node]) -> list[Hop]:
    steps = trace.path
    passed = [
        Node(
            identifier("artifact", s.artifact, s.content),
            printable(s.artifact),
            s.content,
            None,
            reference("file", s.artifact),
        )
        for s in steps
    ]
    if passed:
        # the ends are known by their full names, the steps between by the short one
        passed[0], passed[-1] = node_of(trace.source), model if len(passed) > 1 else node_of(trace.source)
    passed = [nodes.setdefault(node.id, node) for node in passed]
    found = []
    for index, step in enumerate(steps[1:], 1):
        run = Run(
            identifier("run", step.run, step.commit, step.time, step.by), printable(step.run), printable(step.commit),
            utc(step.time), printable(step.by), printable(step.basis), step.entries,
        )  # fmt: skip
        use, read, made = Use(step.use), passed[index - 1], passed[index]
        if read != made:  # what a run left as it was, nobody made
            found.append(Hop(run, read, made, use, use is not Use.EVALUATION or run.name == maker))
    return found


def _size(case: Case, trace: Trace) -> SourceSize:
    """The size of a path's own source: of a label with that one source, the label's share."""
    for share in case.shares:
        same = (share.origin, share.use, share.basis) == (trace.origin, trace.use, trace.basis)
        if same and share.sources == 1 and trace.tags == 1:
            return SourceSize(trace.source, share.files, share.bytes, share.records)
    return SourceSize(trace.source, None, None, None)


def identifier(*parts: str) -> str:
    """A UUID made from what it names, so that the same case gives the same bytes."""
    # a lone surrogate is no UTF-8 but may come in a file name
    return str(uuid.uuid5(_NAMESPACE, "\0".join(parts).encode("utf-8", "surrogatepass").hex()))


def urn(identity: str) -> str:
    """The URI of an identifier (RFC 9562 section 4)."""
    return f"urn:uuid:{identity}"


def digest(content: str) -> tuple[str, str] | None:
    """(algorithm, hex) of a content key that is the hash of the bytes themselves; None for a directory's.

    A DVC directory's key is the hash of its list of files: nobody who hashes the files finds it.
    """
    algorithm, _, value = content.partition(":")
    return (algorithm, value) if len(value) == _HEX.get(algorithm) and re.fullmatch("[0-9a-f]+", value) else None


def utc(text: str) -> str:
    """A time as ``2023-03-04T10:00:00Z``; empty when it is none or has no zone (a date alone is not a time)."""
    try:
        time = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except ValueError:
        return ""
    if time.tzinfo is None or "T" not in text.replace(" ", "T"):
        return ""
    try:
        return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except OverflowError:
        return ""


def licence(text: str) -> str:
    """A licence as SPDX licence expression (SPDX 2.3 annex D); empty when the text is none."""
    balanced = text.count("(") == text.count(")")
    return text if balanced and _LICENCE.fullmatch(text) and len(text) < 256 else ""


def basis(value: Basis | None) -> str:
    """How an origin is known; ``undeclared`` is the absence of a declaration."""
    return value.value if value else "undeclared"


def stated(origin: Origin) -> list[tuple[str, str]]:
    """What is stated of an origin, field by field; what is empty is not stated and left out."""
    fields = [
        ("kind", origin.kind.value), ("provider", origin.provider), ("service", origin.service),
        ("channel", origin.channel), ("terms", origin.terms), ("licence", origin.licence),
        ("jurisdiction", origin.jurisdiction), ("acquired", origin.acquired),
    ]  # fmt: skip
    return [(name, printable(value)) for name, value in fields if value]


def phrase(trace: Trace) -> str:
    """A label in words: what is stated of its origin, its use, how and by whom it is known."""
    text = "; ".join(f"{name}: {value}" for name, value in stated(trace.origin))
    known = f"{text}; use: {trace.use.value}; basis: {basis(trace.basis)}"
    by = f"; declared by: {printable(trace.declared_by)}" if trace.declared_by else ""
    return known + by + (f"; declared: {printable(trace.declared)}" if trace.declared else "")


def gaps(found: View) -> list[str]:
    """Why this is not the whole lineage, a sentence each; empty when it is."""
    case = found.case
    said = []
    if case.question.origin:
        said.append(f"Only sources of {printable(case.question.origin)} are listed: that was the question.")
    if not case.coverage.complete:
        said.append(f"The lineage is not complete: {printable(case.coverage.reason)}.")
    missing = sum(max(0, trace.tags - max(1, len(trace.sources))) for trace in case.traces)
    if missing:
        said.append(f"{missing} more with the same labels as sources listed here are not listed one by one.")
    elif not case.question.origin and len(found.sources) < case.coverage.sources:
        removed = any(shown.state == "in force" for shown in case.removals)
        why = "a removal in force leaves nothing of the others" if removed else "the others carry no label of their own"
        said.append(f"Of its {count(case.coverage.sources, 'source')} {len(found.sources):,} are listed: {why}.")
    return said + [printable(text) for text in case.unknown]


def encode(document: Any) -> str:
    """The text of a JSON document: two spaces, UTF-8, the order in which it was made."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
