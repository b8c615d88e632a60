"""What our expectations share: they cannot be weakened, they fail on an empty batch, and Data Docs shows them.

An expectation of Great Expectations passes by default where there is nothing to look at: no rows, nulls, a condition
that leaves every row out, a `mostly` below one (facts/openlineage-and-gx.md). Ours have neither of the last two, and
count the rows themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation import BatchExpectation, render_suite_parameter_string
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.components import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.render.renderer_configuration import RendererConfiguration, RendererValueType

from lineage.errors import LineageError, printable
from lineage.gate.wanted import origin_words
from lineage.vocabulary import Kind, Origin

SHOWN = 20
"""Most values, labels or positions that a result lists; the rest is counted."""
_LONG = 80


class Refusal(Exception):  # noqa: N818 - not an error of the program: the answer is no
    """Why an expectation fails, one sentence, and what it saw."""

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(reason)
        self.details = details


class LineageExpectation(BatchExpectation, ABC):
    """Base of our expectations."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.row_count",)

    @abstractmethod
    def _found(self, metrics: dict[str, Any], execution_engine: Any) -> tuple[str, dict[str, Any]]:
        """What is well, in one sentence, and details. Anything else raises `Refusal` or `LineageError`."""

    @classmethod
    @abstractmethod
    def _sentence(cls, kwargs: dict[str, Any]) -> tuple[str, dict[str, str]]:
        """What is expected: a template with ``$name`` and its values."""

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        del runtime_configuration  # a result shows the same in every format: counts and reasons, never a record
        try:
            rows = metrics["table.row_count"]
            if not rows:
                raise Refusal("the batch is empty", rows=0)
            said, details = self._found(metrics, execution_engine)
        except Refusal as refusal:
            return _answer(False, str(refusal), refusal.details)
        except LineageError as failure:
            return _answer(False, failure.message, {"code": failure.code, "cause": failure.cause, "hint": failure.hint})
        return _answer(True, said, {"rows": rows, **details})

    # Data Docs: the first is for what shows an expectation by itself, the second for the pages of a site

    @classmethod
    def _prescriptive_template(cls, renderer_configuration: RendererConfiguration[Any]) -> RendererConfiguration[Any]:
        template, values = cls._sentence(dict(renderer_configuration.kwargs))
        for name, value in values.items():
            renderer_configuration.add_param(name=name, param_type=RendererValueType.STRING, value=value)
        renderer_configuration.template_str = template
        return renderer_configuration

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    @render_suite_parameter_string
    def _prescriptive_renderer(
        cls,
        configuration: ExpectationConfiguration | None = None,
        result: ExpectationValidationResult | None = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> list[RenderedStringTemplateContent]:
        configuration = configuration or (result.expectation_config if result else None)
        template, values = cls._sentence(dict(configuration.kwargs) if configuration else {})
        content = {
            "template": template,
            "params": values,
            "styling": (runtime_configuration or {}).get("styling"),
        }
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template=content)]


def origins_field(what: str) -> Any:
    """A field with the origins that are allowed."""
    return pydantic.Field(min_items=1, description=f"{what}: kinds, providers, or kind/provider.")


def checked_origins(origins: list[str]) -> list[str]:
    """Origins as a person wrote them, refused where they say nothing or are no origin.

    Raises:
        ValueError: pydantic's way of being told.
    """
    kinds = {kind.value for kind in Kind}
    for text in origins:
        kind, slash, provider = origin_words(text).partition("/")
        if not kind or (slash and (not provider or kind not in kinds)):
            raise ValueError(f"{text!r} is no origin: write a kind, a provider, or kind/provider")
        if kind == Kind.UNDECLARED.value:
            raise ValueError("`undeclared` is the absence of an origin and cannot be allowed")
    return origins


def allowing(origins: Iterable[str]) -> Callable[[Origin], bool]:
    """Whether an origin is among those that were written: by its kind, its provider, or both."""
    words = {origin_words(text) for text in origins}

    def allows(origin: Origin) -> bool:
        provider = origin_words(f"{origin.kind.value}/{origin.provider}") if origin.provider else ""
        return bool(words & {origin.kind.value, provider, provider.partition("/")[2]} - {""})

    return allows


def shown(texts: Iterable[object]) -> list[str]:
    """Some of many texts, short and fit to be read: no control characters, nothing endless."""
    lines: list[str] = []
    for text in texts:
        if len(lines) == SHOWN:
            lines.append("…")
            break
        line = printable(str(text))
        lines.append(line if len(line) <= _LONG else line[: _LONG - 1] + "…")
    return lines


def _answer(success: bool, said: str, details: dict[str, Any]) -> dict[str, Any]:
    details = {key: value for key, value in details.items() if value not in ("", None, [])}
    return {"success": success, "result": {"observed_value": printable(said), "details": details}}
