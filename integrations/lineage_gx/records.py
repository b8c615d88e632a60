"""``ExpectNoRecordsOfRestrictedOrigin``: no text of a column equals or resembles a record of a restricted source.

Compared is with the content index of the project (``lineagegate content index``), so nothing of a restricted source has
to be here, and no name or column that says where a record comes from is believed. The same code reads a frame of
pandas, a table through SQL and a frame of Spark; the rows come to this process in blocks and are not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

import pandas
import sqlalchemy
from great_expectations.compatibility import pydantic
from great_expectations.compatibility.pydantic import StrictStr
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

from lineage.content import RULE, normalise, search
from lineage.content.encoding import Unreadable
from lineage.content.values import record
from lineage.errors import CannotDecide
from lineage.events.naming import display
from lineage.gate.content import ContentIndex
from lineage_gx.expectation import LineageExpectation, Refusal, shown
from lineage_gx.project import project

_BLOCK = 4096
"""Rows that are held at once."""


class ExpectNoRecordsOfRestrictedOrigin(LineageExpectation):
    """Expect no text of a column to equal or resemble a record of a source that the policy restricts.

    Fails on an empty batch, on nulls, where no text is long enough to be compared, and where a restricted source has no
    fingerprints. A result has counts, and of pandas row numbers counted from 1; never a text.

    Args:
        column: the column that holds the texts. Other columns are not searched: each has an expectation of its own.
    """

    column: StrictStr = pydantic.Field(min_length=1, description="The column that holds the texts.")

    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column")

    def _found(self, metrics: dict[str, Any], execution_engine: Any) -> tuple[str, dict[str, Any]]:
        rows = int(metrics["table.row_count"])
        read = nulls = short = 0
        by_source: Counter[str] = Counter()
        matched: list[int] = []
        with project() as gate:
            content = ContentIndex(gate)
            known = content.sources()
            missing = [display(k.artifact.namespace, k.artifact.name) for k in known if not k.row or k.row["unread"]]
            if missing or not known:
                raise CannotDecide(
                    f"{len(missing)} restricted sources have no fingerprints" if known else "no source is restricted",
                    code="CONTENT_NOT_INDEXED",
                    cause=", ".join(shown(missing)) or "nothing could be found, whatever the texts are",
                    hint="lineagegate content index",
                )
            index, digest = content.open(known), content.digest(known)
            sources = [known[int(name)].artifact for name in index.sources]
            for texts in _texts(execution_engine, self.column):
                prints, found = search(index, normalise([_text(text) for text in texts]))
                nulls += sum(map(_absent, texts))
                short += int((prints.letters < RULE.letters).sum())
                for source in found.source.tolist():
                    by_source[display(sources[source].namespace, sources[source].name)] += 1
                matched += [read + number + 1 for number in sorted(set(found.record.tolist()))]
                read += len(texts)
        details = {"rows": read, "nulls": nulls, "short": short, "matched": len(matched), "index": digest}
        if read != rows:
            raise Refusal(f"{rows} rows were counted and {read} were read", **details)
        if matched:
            details["sources"] = shown(f"{source}: {count}" for source, count in by_source.most_common())
            if isinstance(execution_engine, PandasExecutionEngine):  # elsewhere rows have no order
                details["positions"] = shown(matched)
            said = f"{len(matched)} of {read} records equal or resemble a record of a restricted source"
            raise Refusal(said, **details)
        if nulls:
            raise Refusal(f"{nulls} of {read} rows hold no text", **details)
        if short == read:
            raise Refusal(f"none of {read} texts is long enough to be compared", **details)
        return f"none of {read} records equals or resembles a record of {len(sources)} restricted sources", details

    @classmethod
    def _sentence(cls, kwargs: dict[str, Any]) -> tuple[str, dict[str, str]]:
        return (
            "no text of $column equals or resembles a record of a restricted source.",
            {"column": str(kwargs.get("column", ""))},
        )


def _texts(engine: ExecutionEngine[Any], column: str) -> Iterator[list[Any]]:
    """The values of a column, in blocks."""
    data, _, _ = engine.get_compute_domain({"column": column}, MetricDomainTypes.COLUMN)
    if isinstance(engine, PandasExecutionEngine):
        for first in range(0, len(data), _BLOCK):
            yield data[column].iloc[first : first + _BLOCK].tolist()
    elif isinstance(engine, SqlAlchemyExecutionEngine):
        wanted: sqlalchemy.Select[Any] = sqlalchemy.select(sqlalchemy.column(column))
        query = wanted.select_from(data).execution_options(yield_per=_BLOCK)
        with engine.get_connection() as connection:
            for rows in connection.execute(query).partitions(_BLOCK):
                yield [row[0] for row in rows]
    elif isinstance(engine, SparkDFExecutionEngine):
        rows = iter(data.select(column).toLocalIterator())
        while block := [row[0] for row in islice(rows, _BLOCK)]:
            yield block
    else:
        raise CannotDecide(f"{type(engine).__name__} is no engine whose rows can be read", code="ENGINE_UNKNOWN")


def _absent(value: Any) -> bool:
    return pandas.isna(value) is True  # of a list it is an array


def _text(value: Any) -> bytes:
    """The text of a value; of a list or a structure every text in it, as from a file.

    Raises:
        CannotDecide: ``CONTENT_UNREADABLE``: bytes that are no text, tokens.
    """
    try:
        return record(_plain(value)) or (b"" if _absent(value) else str(value).encode(errors="replace"))
    except Unreadable as error:
        raise CannotDecide(
            "a value of the column cannot be read", code="CONTENT_UNREADABLE", cause=str(error)
        ) from None


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(held) for held in value]
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value
