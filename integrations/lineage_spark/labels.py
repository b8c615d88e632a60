"""Labels of every artifact, recomputed from the ledger's entries on Spark (laws 1 to 9).

A second way to the answer that `lineage.graph` keeps up to date event by event, for graphs of any size: sources travel
along edges, all at once, round after round, until nothing new arrives. What one step does to a pair is the graph's own
algebra (`lineage.graph.pairs`); names and acts are read by its own code. A round costs a join, and there is about one
for each stage on the longest path.

Places that pairs travel between:

==========  ==========================================================================================================
``F`` node  what its readers see
``M`` node  of a directory with known files: what its makers and its own tags give, which its files inherit
``R`` run   what its inputs give, of a run with many inputs and outputs; else edges lead from input to output
``T`` run   what its inputs used for evaluation give the model under test (law 5)
==========  ==========================================================================================================

A pair is (source, what removals took out of it, use). A source is a node (``s`` and its key) or what the model of a
name generates (``g`` …).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from lineage.graph.keys import key_text
from lineage.graph.pairs import BASE_MODEL, CONTENT, EVALUATION, USES, after
from lineage.graph.rows import BASES, BASIS_NUMBER
from lineage.graph.working import contradicts, matches, read_origin
from lineage.vocabulary import UNDECLARED, Basis, Label, Origin
from lineage_spark.facts import AgreedRemoval, Facts, facts
from lineage_spark.session import on_workers

SCHEMA = "artifact string, sources long, labels array<struct<origin: string, use: string, basis: string>>"
"""``artifact`` as `Graph.key` names it; how many sources it has, 0 meaning that none is known (law 10); its labels,
``origin`` as JSON, ``basis`` null where it is undeclared."""

_UNCHANGED = -1
"""Role of an edge that is no input of a run."""
_PAIR = ("at", "source", "gone", "use")
_PIECES = 16
"""Frames that what is known lies in before they are joined to one."""
_ALL_KEYS = "spark.sql.requireAllClusterKeysForCoPartition"
_PARTS = "spark.sql.shuffle.partitions"
_FEWEST, _ROWS = 4, 50_000
"""Partitions of the smallest graph, and facts for which there is one more, up to what the session says."""
_DIRECT = 64
"""A run with at most so many pairs of an input and an output needs no place of its own."""


def labels(entries: DataFrame) -> DataFrame:
    """The labels of everything that is recorded, as `SCHEMA` says.

    Args:
        entries: the ledger's, whole: a column ``event`` with the exact bytes (`lineage_spark.entries`).
    """
    spark, read = entries.sparkSession, facts(entries)
    before = {name: spark.conf.get(name, usual) or usual for name, usual in ((_ALL_KEYS, "true"), (_PARTS, "200"))}
    try:
        # pairs lie where their place's edges lie: a round then moves each new pair once
        spark.conf.set(_ALL_KEYS, "false")
        # a round has this many tasks at least, however little it moves
        spark.conf.set(_PARTS, min(int(before[_PARTS]), _FEWEST + read.whole.count() // _ROWS))
        return _labels(spark, read)
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)
        read.whole.unpersist()


def read_label(row: Any) -> Label:
    """A label from an element of the column ``labels``."""
    basis = None if row["basis"] is None else Basis(row["basis"])
    return Label(read_origin(row["origin"]), USES[_USE[row["use"]]], basis)


_USE = {use.value: number for number, use in enumerate(USES)}


def _labels(spark: SparkSession, read: Facts) -> DataFrame:
    tags = _standing(spark, read).localCheckpoint()
    directories = read.files.select(f.col("directory").alias("node")).distinct()
    tagged = tags.select("node").distinct()
    # what others outside say of it is not enough (law 8)
    spoken = tags.where(f.col("basis") != BASIS_NUMBER[Basis.IMPORTED]).select("node").distinct()
    explained = _explained(read, directories, spoken)
    silent = read.alone.join(explained, "node", "left_anti").join(spoken, "node", "left_anti")
    silent = silent.localCheckpoint()

    removals = _in_force(spark, read, tags)
    made = _made(directories)
    seeds, edges = _seeds(read, tagged.union(silent).distinct(), made), _edges(read, directories, made)
    pairs = _travelled(spark, seeds, edges, _narrowing(spark, read, removals))

    none = spark.createDataFrame([(msgspec.json.encode(UNDECLARED).decode(),)], "origin string")
    says = (
        tags.select(_source("node"), "origin", "basis")
        .union(silent.crossJoin(none).select(_source("node"), "origin", f.lit(0)))
        .union(read.generated.select("source", "origin", f.lit(BASIS_NUMBER[Basis.OBSERVED])))
    )
    seen = pairs.where(f.col("at").startswith(f.lit(b"F"))).withColumn("node", f.expr("substring(at, 2)"))
    counted = seen.groupBy("node").agg(f.count_distinct("source").alias("sources"))
    told = seen.join(_taking(says, _origins(removals)), "source")
    told = told.where(~f.arrays_overlap("gone", "taken_by")).select("node", "origin", "use", "basis").distinct()
    gathered = told.groupBy("node").agg(f.collect_list(f.struct("origin", "use", "basis")).alias("labels"))
    known = read.alone.union(read.files.select("file")).distinct()
    found = known.join(counted, "node", "left").join(gathered, "node", "left").select("node", "sources", "labels")
    return found.mapInArrow(on_workers(_written), SCHEMA).localCheckpoint()


# -- what holds --------------------------------------------------------------------------------------------------------


def _standing(spark: SparkSession, read: Facts) -> DataFrame:
    """Tags that nobody took back."""
    taken = [(node, msgspec.json.encode(origin).decode(), basis) for node, origin, basis in read.corrections]
    if not taken:
        return read.tags
    frame = spark.createDataFrame(taken, "node binary, origin string, basis int")
    return read.tags.join(f.broadcast(frame), ["node", "origin", "basis"], "left_anti")


def _explained(read: Facts, directories: DataFrame, spoken: DataFrame) -> DataFrame:
    """Nodes that some run made from data; files of a directory that stands for them; other names of what was made or
    spoken for (law 8)."""
    substantial = read.inputs.where(f.shiftright("role", 1) != EVALUATION).select("run").distinct()
    reads = read.inputs.select("run", "node").distinct()
    made = read.outputs.select("run", "node").distinct()
    explaining = made.join(substantial, "run").join(reads, ["run", "node"], "left_anti")
    holders = explaining.withColumnRenamed("node", "directory")
    alone = read.files.join(holders, "directory", "left_anti").select(f.col("file").alias("node"))
    through = read.files.join(holders, "directory").select("run", f.col("file").alias("node"))
    through = through.join(reads, ["run", "node"], "left_anti").select("node")
    # never through another directory: two that list each other would explain each other
    inside = alone.union(through).join(directories, "node", "left_anti")
    made_from_data = explaining.select("node").union(inside).distinct().localCheckpoint()
    same = read.flows.where("same = 1").select("node", "other").localCheckpoint()
    found, fresh = made_from_data, made_from_data.union(spoken).distinct()
    while not same.isEmpty() and not fresh.isEmpty():
        named = fresh.join(same, "node").select(f.col("other").alias("node")).distinct()
        fresh = named.join(found, "node", "left_anti").localCheckpoint()
        found = found.union(fresh)
    return found


def _in_force(spark: SparkSession, read: Facts, tags: DataFrame) -> list[AgreedRemoval]:
    """The agreed removals that no match on their content, or on a file of it, contradicts."""
    if not read.removals:
        return []
    nodes = [(node, node) for node in {node for node, _, _ in read.removals}]
    fresh = inside = spark.createDataFrame(nodes, "root binary, node binary")
    while not fresh.isEmpty():
        below = fresh.join(read.files, f.col("node") == f.col("directory")).select("root", f.col("file").alias("node"))
        fresh = below.distinct().join(inside, ["root", "node"], "left_anti").localCheckpoint()
        inside = inside.union(fresh)
    matched = tags.where(f.col("basis") == BASIS_NUMBER[Basis.MATCHED]).join(inside, "node")
    found: dict[bytes, list[Origin]] = {}
    for row in matched.select("root", "origin").distinct().collect():
        found.setdefault(bytes(row["root"]), []).append(read_origin(row["origin"]))
    return [r for r in read.removals if not any(contradicts(r[1], origin) for origin in found.get(r[0], ()))]


def _origins(removals: list[AgreedRemoval]) -> list[Origin]:
    """The origins that removals take out; their places are their numbers."""
    return list(dict.fromkeys(origin for _, origin, _ in removals))


def _narrowing(spark: SparkSession, read: Facts, removals: list[AgreedRemoval]) -> DataFrame | None:
    """``into, source, taken``: numbers of the origins that removals take out of a source on its way into a node."""
    if not removals:
        return None
    number = {origin: i for i, origin in enumerate(_origins(removals))}
    rows = [(node, source, number[origin]) for node, origin, sources in removals for source in sources]
    frame = spark.createDataFrame(rows, "into binary, node binary, number int")
    itself = frame.select("into", _source("node"), "number")
    by_name = frame.join(read.generated.select("source", "node").distinct(), "node").select("into", "source", "number")
    gathered = itself.union(by_name).groupBy("into", "source").agg(f.collect_set("number").alias("taken"))
    return gathered.localCheckpoint()


def _taking(says: DataFrame, removed: list[Origin]) -> DataFrame:
    """What sources say, each with the numbers of the removed origins that take it out."""
    if not removed:
        return says.withColumn("taken_by", f.expr("CAST(array() AS array<int>)"))

    def test(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values = batch.column(0).to_pylist()
            origins = [read_origin(text) for text in values]
            taken = [[i for i, gone in enumerate(removed) if matches(gone, origin)] for origin in origins]
            yield pa.RecordBatch.from_arrays(
                [pa.array(values, pa.string()), pa.array(taken, pa.list_(pa.int32()))], names=["origin", "taken_by"]
            )

    tested = says.select("origin").distinct().mapInArrow(on_workers(test), "origin string, taken_by array<int>")
    return says.join(tested, "origin")


# -- how it travels ----------------------------------------------------------------------------------------------------


def _source(node: str) -> Column:
    return f.concat(f.lit(b"s"), f.col(node)).alias("source")


def _at(kind: bytes, column: str) -> Column:
    return f.concat(f.lit(kind), f.col(column))


def _made(directories: DataFrame) -> DataFrame:
    """``node, place``: where what a directory is given arrives; of any other node it is `_at`."""
    return directories.select("node", _at(b"M", "node").alias("place"))


def _arriving(frame: DataFrame, made: DataFrame, node: str) -> DataFrame:
    """A frame with the place ``to`` where what is given to a node arrives."""
    places = made.withColumnRenamed("node", node)
    return frame.join(places, node, "left").withColumn("to", f.coalesce("place", _at(b"F", node))).drop("place")


def _seeds(read: Facts, sources: DataFrame, made: DataFrame) -> DataFrame:
    """Each source at its own node, and what models generate at what they generated, where no removal was asked yet."""
    empty = f.expr("CAST(array() AS array<int>)").alias("gone")
    own = _arriving(sources, made, "node").select(
        "to", _source("node"), empty, f.lit(CONTENT).alias("use"), f.lit(None).cast("binary").alias("into")
    )
    models = read.inputs.where((f.col("role").bitwiseAND(1) == 1) & (f.shiftright("role", 1) != EVALUATION))
    texts = read.outputs.where("model = 0").select("run", "node").join(models.select("run", "source").distinct(), "run")
    given = _arriving(texts.select("node", "source").distinct(), made, "node").select(
        "to", "source", empty, f.lit(CONTENT).alias("use"), f.col("node").alias("into")
    )
    return own.union(given)


def _edges(read: Facts, directories: DataFrame, made: DataFrame) -> DataFrame:
    """``at, to, role, into``: where pairs go, by which role, and the node whose removals they pass."""
    nobody = f.lit(None).cast("binary").alias("into")
    unchanged = f.lit(_UNCHANGED).alias("role")
    use, model = f.shiftright("role", 1), f.col("role").bitwiseAND(1) == 1
    inputs = read.inputs.select("run", "node", "role").distinct()
    measured = inputs.where(use == EVALUATION)
    tested = inputs.where(model & use.isin(CONTENT, BASE_MODEL)).select("run", "node").distinct()
    tested = tested.join(measured.select("run").distinct(), "run", "left_semi")
    outputs = read.outputs.select("run", f.col("node").alias("output")).distinct()
    many = inputs.groupBy("run").agg(f.count("*").alias("read"))
    many = many.join(outputs.groupBy("run").agg(f.count("*").alias("made")), "run")
    wide = many.where(f.col("read") * f.col("made") > _DIRECT).select("run")
    direct = inputs.join(wide, "run", "left_anti").join(outputs, "run").select("node", "role", "output")
    outputs = outputs.join(wide, "run", "left_semi")
    inputs = inputs.join(wide, "run", "left_semi")
    frames = [
        _arriving(direct.distinct(), made, "output").select(_at(b"F", "node").alias("at"), "to", "role", "output"),
        inputs.select(_at(b"F", "node").alias("at"), _at(b"R", "run").alias("to"), "role", nobody),
        measured.select(_at(b"F", "node").alias("at"), _at(b"T", "run").alias("to"), "role", nobody),
        _arriving(outputs, made, "output").select(_at(b"R", "run").alias("at"), "to", unchanged, "output"),
        _arriving(tested, made, "node").select(_at(b"T", "run").alias("at"), "to", unchanged, f.col("node")),
        _arriving(read.flows, made, "other").select(_at(b"F", "node").alias("at"), "to", unchanged, "other"),
        directories.select(_at(b"M", "node").alias("at"), _at(b"F", "node"), unchanged, nobody),
        _arriving(read.files, made, "file").select(_at(b"M", "directory").alias("at"), "to", unchanged, f.col("file")),
        read.files.select(_at(b"F", "file").alias("at"), _at(b"F", "directory"), unchanged, f.col("directory")),
    ]
    # of all these columns, the first frame names them
    return reduce(DataFrame.union, frames).toDF("at", "to", "role", "into")


def _travelled(spark: SparkSession, seeds: DataFrame, edges: DataFrame, narrowing: DataFrame | None) -> DataFrame:
    """Every pair everywhere: what is new goes one step further, until nothing is."""
    parts = int(spark.conf.get(_PARTS) or 200)
    edges = edges.repartition(parts, "at").sortWithinPartitions("at").localCheckpoint()
    fresh, some = _checked(_passed(seeds, narrowing).repartition(parts, "at").distinct())
    known = [fresh]
    while some:
        moved = fresh.join(edges, "at").withColumn("use", f.explode(_becoming()))
        arrived = _passed(moved, narrowing).repartition(parts, "at").distinct()
        fresh, some = _checked(arrived.join(reduce(DataFrame.union, known), list(_PAIR), "left_anti"))
        known.append(fresh)
        if len(known) > _PIECES:
            known = [reduce(DataFrame.union, known).localCheckpoint()]
    return reduce(DataFrame.union, known)


def _becoming() -> Column:
    """The uses with which a pair of ``use`` leaves an input of ``role``."""
    roles = [_UNCHANGED, *range(2 * len(USES))]
    steps = [
        (was,) if role == _UNCHANGED else after(was, role >> 1, bool(role & 1))
        for role in roles
        for was in range(len(USES))
    ]
    table = ", ".join(f"array({', '.join(map(str, uses))})" for uses in steps)
    return f.expr(f"array({table})")[(f.col("role") - _UNCHANGED) * len(USES) + f.col("use")]


def _checked(frame: DataFrame) -> tuple[DataFrame, bool]:
    """A frame that is not computed again, and whether it has rows, in one job."""
    kept = frame.localCheckpoint(eager=False)
    return kept, kept.count() > 0


def _passed(moved: DataFrame, narrowing: DataFrame | None) -> DataFrame:
    """Pairs where they arrive, less what removals take out on the way into a node (law 2)."""
    if narrowing is not None:
        moved = moved.join(f.broadcast(narrowing), ["into", "source"], "left")
        taken = f.array_sort(f.array_union("gone", "taken"))
        moved = moved.withColumn("gone", f.when(f.col("taken").isNull(), f.col("gone")).otherwise(taken))
    return moved.select(f.col("to").alias("at"), "source", "gone", "use")


# -- what is told ------------------------------------------------------------------------------------------------------


def _written(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    kind = pa.list_(pa.struct([("origin", pa.string()), ("use", pa.string()), ("basis", pa.string())]))
    for batch in batches:
        nodes, sources, found = (column.to_pylist() for column in batch.columns)
        told = []
        for some in found:
            rows = sorted((row["origin"], row["use"], row["basis"]) for row in some or ())
            told.append([
                {"origin": origin, "use": USES[use].value, "basis": basis.value if (basis := BASES[number]) else None}
                for origin, use, number in rows
            ])  # fmt: skip
        yield pa.RecordBatch.from_arrays(
            [
                pa.array([key_text(node) for node in nodes], pa.string()),
                pa.array([count or 0 for count in sources], pa.int64()),
                pa.array(told, kind),
            ],
            names=["artifact", "sources", "labels"],
        )
