"""Expectations that a stored suite has and a loaded one has not.

Great Expectations drops an expectation whose class was not imported, or whose configuration it does not accept, with a
line in its log; the suite that is left passes (facts/openlineage-and-gx.md). What is stored is held against what was
loaded, by number and by kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from great_expectations.core.expectation_suite import ExpectationSuite

from lineage.errors import printable
from lineage.pipeline import Notice


def stored(context: Any, name: str) -> list[str]:
    """Types of the expectations that a suite has where it is stored, whatever this process knows of them.

    Args:
        context: the Data Context.
        name: the suite's.

    Raises:
        KeyError: nothing is stored under this name.
    """
    store = context.expectations_store
    try:
        raw = store.get(store.get_key(name=name))
    except Exception as error:  # stores have their own exceptions, and each means that it is not there
        raise KeyError(name) from error
    return [str(_type(expectation)) for expectation in raw["expectations"]]


def lost(context: Any, suite: ExpectationSuite, evaluated: Iterable[str]) -> list[str]:
    """What is missing of a suite that was evaluated, one sentence for each sort of expectation.

    Args:
        context: the Data Context.
        suite: as it was loaded.
        evaluated: types of the expectations that there are results of.
    """
    try:
        wanted = stored(context, suite.name)
    except KeyError:
        return [f"the suite {suite.name} is not stored, so nothing says what was to be evaluated"]
    if not wanted:
        return [f"the suite {suite.name} expects nothing"]
    missing = Counter(wanted) - Counter(evaluated)
    return [f"the suite {suite.name} holds {n} of {kind} that was not evaluated" for kind, n in sorted(missing.items())]


def check(context: Any) -> list[Notice]:
    """Every stored suite of a Data Context that this process cannot load whole.

    Args:
        context: the Data Context, as ``great_expectations.get_context()`` gives it.
    """
    found: list[Notice] = []
    for name in sorted(_names(context)):
        try:
            suite = context.suites.get(name)
            missing = lost(context, suite, [expectation.expectation_type for expectation in suite.expectations])
        except Exception as error:  # a suite that does not load at all is worse than one that loads in part
            missing = [f"the suite {name} cannot be loaded: {type(error).__name__}: {error}"]
        hint = "import the package that defines it before the suite is loaded"
        found += [Notice("SUITE_INCOMPLETE", name, printable(text), hint) for text in missing]
    return found


def _names(context: Any) -> set[str]:
    return {key.name for key in context.expectations_store.list_keys()}


def _type(expectation: Any) -> Any:
    if isinstance(expectation, dict):
        return expectation.get("type") or expectation.get("expectation_type")
    return getattr(expectation, "type", None) or getattr(expectation, "expectation_type", None)
