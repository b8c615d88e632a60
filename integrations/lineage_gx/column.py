"""``ExpectColumnOriginToBeDeclared``: a column that says where each record comes from says something that is allowed.

Values are compared as the gate compares words: case, spaces, underscores and invisible characters do not count, and the
catalogue knows a provider's other names. It looks at what is written in the column; what the records are, and what the
dataset inherits, are the business of the other expectations.
"""

from __future__ import annotations

from typing import Any, ClassVar, List  # noqa: UP035 - pydantic v1 reads the annotations of fields as they stand

from great_expectations.compatibility import pydantic
from great_expectations.compatibility.pydantic import StrictStr

from lineage.gate.wanted import origin_words
from lineage_gx.expectation import LineageExpectation, Refusal, checked_origins, origins_field, shown


class ExpectColumnOriginToBeDeclared(LineageExpectation):
    """Expect every value of an origin column to be one of the declared origins.

    Fails on an empty batch, on nulls and blanks, and on any value that is not among ``origins``.

    Args:
        column: the column.
        origins: what may stand in it: kinds (``first-party``), providers (``acme``) or both (``licensed/acme``).
    """

    column: StrictStr = pydantic.Field(min_length=1, description="The column that says where a record comes from.")
    origins: List[StrictStr] = origins_field("What may stand in the column")  # noqa: UP006

    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "column")
    success_keys: ClassVar[tuple[str, ...]] = ("origins",)
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count", "column.value_counts")

    @pydantic.validator("origins")
    def _origins(cls, value: list[str]) -> list[str]:  # noqa: N805 - a validator of pydantic v1 gets the class
        return checked_origins(value)

    def _found(self, metrics: dict[str, Any], execution_engine: Any) -> tuple[str, dict[str, Any]]:
        del execution_engine
        allowed = set(map(origin_words, self.origins))
        # a category that no row has is no value of the column
        counted = [(str(value), int(count)) for value, count in metrics["column.value_counts"].items() if count]
        rows = int(metrics["table.row_count"])
        silent = rows - sum(count for _, count in counted)  # nulls are in no group
        wrong = {value: count for value, count in counted if origin_words(value) not in allowed}
        blank = sum(wrong.pop(value) for value in [v for v in wrong if not v.strip()])
        if silent or blank or wrong:
            others = sum(wrong.values())
            raise Refusal(
                f"{silent + blank} of {rows} rows say nothing, {others} say something that is not declared",
                rows=rows,
                nulls=silent,
                blanks=blank,
                undeclared=others,
                values=shown(sorted(wrong)),
            )
        return f"{rows} rows, every one declared", {"origins": sorted({origin_words(value) for value, _ in counted})}

    @classmethod
    def _sentence(cls, kwargs: dict[str, Any]) -> tuple[str, dict[str, str]]:
        origins = ", ".join(shown(kwargs.get("origins") or ()))
        return (
            "$column declares an origin in every row, one of: $origins.",
            {"column": str(kwargs.get("column", "")), "origins": origins},
        )
