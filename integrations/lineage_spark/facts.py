"""What the entries say, as rows: which runs read and made what, tags, files of directories, what people agreed on.

What an event names is `lineage.graph.project.prepare`'s answer, so both ways of computing labels read events alike.
Nodes and runs are named by the graph's own keys; no numbers are given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as f

from lineage.events import read
from lineage.events.event import act_of
from lineage.events.naming import display
from lineage.graph.keys import content_key, key_of_text, named_key
from lineage.graph.project import Reference, claim_of, prepare
from lineage.graph.rows import BASIS_NUMBER
from lineage.vocabulary import Content, Correction, Kind, Origin, Removal
from lineage_spark.session import on_workers

NODE, INPUT, OUTPUT, TAG, FILE, MODEL, FLOW, ACT = range(8)
"""What a row says."""
_SCHEMA = "kind int, run binary, node binary, other binary, role int, text string"
_ARROW = pa.schema([
    ("kind", pa.int32()), ("run", pa.binary()), ("node", pa.binary()), ("other", pa.binary()), ("role", pa.int32()),
    ("text", pa.string()),
])  # fmt: skip
_Fact = tuple[int, bytes, bytes, bytes, int, str]


class AgreedRemoval(NamedTuple):
    """What two people agreed to have been taken out."""

    node: bytes
    origin: Origin
    sources: tuple[bytes, ...]
    """Nodes."""


class AgreedCorrection(NamedTuple):
    """A tag that two people agreed to be a mistake."""

    node: bytes
    origin: Origin
    basis: int


class Facts(NamedTuple):
    """Frames; every row of each once."""

    alone: DataFrame
    """``node``: named by itself, not only as a file of a directory."""
    inputs: DataFrame
    """``run, node, role`` (use * 2 + model), and of a model ``source``, what it generates."""
    outputs: DataFrame
    """``run, node, model``."""
    files: DataFrame
    """``directory, file``."""
    flows: DataFrame
    """``node, other, same``: labels travel from one to the other; where ``same`` is 1 both are names of one thing."""
    tags: DataFrame
    """``node, origin`` (JSON), ``basis`` (number), taken back or not."""
    generated: DataFrame
    """``source, node`` (of the model's name), ``origin`` (JSON): what each model generates."""
    removals: tuple[AgreedRemoval, ...]
    corrections: tuple[AgreedCorrection, ...]
    whole: DataFrame
    """All of them; persisted until the caller is done."""


def facts(entries: DataFrame) -> Facts:
    """Read every entry.

    Args:
        entries: with a column ``event``.
    """
    whole = entries.select("event").mapInArrow(on_workers(_read), _SCHEMA).distinct().persist(StorageLevel.DISK_ONLY)

    def of(kind: int, *columns: str) -> DataFrame:
        chosen: DataFrame = whole.where(f.col("kind") == kind).selectExpr(*columns)
        return chosen

    acts = [bytes(row["other"]) for row in whole.where(f.col("kind") == ACT).select("other").collect()]
    removals, corrections = agreed(acts)
    return Facts(
        of(NODE, "node"),
        of(INPUT, "run", "node", "role", "other AS source"),
        of(OUTPUT, "run", "node", "role AS model"),
        of(FILE, "node AS directory", "other AS file"),
        of(FLOW, "node", "other", "role AS same"),
        of(TAG, "node", "text AS origin", "role AS basis"),
        of(MODEL, "other AS source", "node", "text AS origin"),
        removals,
        corrections,
        whole,
    )


def agreed(acts: Iterable[bytes]) -> tuple[tuple[AgreedRemoval, ...], tuple[AgreedCorrection, ...]]:
    """The removals and corrections in force: a claim, and the approval of the very same claim by a second person.

    Args:
        acts: events.
    """
    said: dict[tuple[type, str], list[Removal | Correction]] = {}
    for data in acts:
        act = act_of(read(data))
        if isinstance(act, (Removal, Correction)):
            said.setdefault((type(act), act.id), []).append(act)
    removals: dict[AgreedRemoval, None] = {}
    corrections: dict[AgreedCorrection, None] = {}
    for alike in said.values():
        for act in alike:
            same = [other for other in alike if claim_of(other) == claim_of(act)]
            if any(not other.approved_by for other in same) and any(other.in_force for other in same):
                node = key_of_text(act.content)
                if isinstance(act, Removal):
                    sources = tuple(sorted(map(key_of_text, act.sources)))
                    removals[AgreedRemoval(node, act.origin, sources)] = None
                else:
                    corrections[AgreedCorrection(node, act.origin, BASIS_NUMBER[act.basis])] = None
    return tuple(removals), tuple(corrections)


def _generated(namespace: str, name: str) -> tuple[bytes, bytes, str]:
    """(node of the name, source, origin as JSON) of what the model of a name generates (law 6)."""
    origin = Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service=display(namespace, name))
    node = named_key(f"{namespace}/{name}")
    # the length tells names apart that are one text together with their namespaces
    return node, b"g" + node + f"\0{len(namespace)}".encode(), msgspec.json.encode(origin).decode()


def _read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        rows: dict[_Fact, None] = {}
        for data in batch.column(0).to_pylist():
            rows.update(dict.fromkeys(_facts(data)))
        columns: Any = zip(*rows, strict=True) if rows else [()] * len(_ARROW)
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, _ARROW, strict=True)], schema=_ARROW
        )


def _facts(data: bytes) -> Iterator[_Fact]:
    item = prepare(0, read(data), 0)
    if item.act:
        if isinstance(act_of(item.event), (Removal, Correction)):
            yield ACT, b"", b"", data, 0, ""
        return
    for reference in (*item.alone, *item.inputs, *item.outputs):
        yield from _named(reference)
    if item.run:
        yield from _run(item.run, item.inputs, item.outputs)
    if item.said:
        yield from _run(item.said, item.inputs, item.alone)
    for link in item.links:
        yield from _named(link.one)
        yield from _named(link.other)
        yield FLOW, b"", link.one.key, link.other.key, int(link.both), ""
        if link.both:
            yield FLOW, b"", link.other.key, link.one.key, 1, ""


def _run(run: bytes, inputs: Iterable[Reference], outputs: Iterable[Reference]) -> Iterator[_Fact]:
    for reference in inputs:
        source = b""
        if reference.role & 1:
            named, source, origin = _generated(*reference.name)
            yield MODEL, b"", named, source, 0, origin
        yield INPUT, run, reference.key, source, reference.role, ""
    for reference in outputs:
        yield OUTPUT, run, reference.key, b"", reference.role & 1, ""


def _named(reference: Reference) -> Iterator[_Fact]:
    yield NODE, b"", reference.key, b"", 0, ""
    for member in reference.content.members if reference.content is not None else ():
        if not Content(member.hash, member.size).trivial and (file := content_key(member.hash)) != reference.key:
            yield FILE, b"", reference.key, file, 0, ""
    for tag in reference.tags:
        if tag.origin.kind is not Kind.UNDECLARED:  # the absence of a tag is not a tag (law 8)
            yield TAG, b"", reference.key, b"", BASIS_NUMBER[tag.basis], msgspec.json.encode(tag.origin).decode()
