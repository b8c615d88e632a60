"""What the verbs that ask about an origin share: the exact fields, and what a person means by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from lineage.errors import UsageError

if TYPE_CHECKING:
    from lineage.gate.wanted import Wanted

FIELDS = {
    "kind": "Kind of source, exactly; shell patterns match.",
    "provider": "Who made it, whatever way it came.",
    "service": "The model or feed.",
    "channel": "How it was obtained.",
    "terms": "Terms it came under.",
    "licence": "Licence (SPDX).",
}


def origin_fields(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each field of an origin."""
    for name, text in reversed(FIELDS.items()):
        function = click.option(f"--{name}", default="", metavar="NAME", help=text)(function)
    return function


def wanted(text: str, fields: Mapping[str, str], *, required: bool = False) -> Wanted:
    """The origins that are asked about.

    Raises:
        UsageError: ``ORIGIN_MISSING``, none is named and one is needed.
    """
    from lineage.gate.wanted import Wanted

    found = Wanted(text, **fields)
    if required and found.anything:
        raise UsageError(
            "no origin is named",
            code="ORIGIN_MISSING",
            hint="lineagegate why shows every origin; --help the ways to ask",
        )
    return found
