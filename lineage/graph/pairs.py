"""How a source travels: the pair (source, use) through one input of a run. Pure integer algebra.

A pair is packed as ``source * 16 + use``. Every function here maps pairs one by one, so it distributes over unions:
that is what makes the labels independent of order and the incremental result equal to the recomputed one (laws 3, 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from lineage.vocabulary import Use

USES = tuple(Use)
"""Uses by number. Their order is part of the stored format: new ones go to the end."""
NUMBER = {use: i for i, use in enumerate(USES)}
CONTENT = NUMBER[Use.CONTENT]
EVALUATION = NUMBER[Use.EVALUATION]
BASE_MODEL = NUMBER[Use.BASE_MODEL]
BITS = 4
MASK = (1 << BITS) - 1
MOST_SOURCES = 1 << (32 - BITS)
"""Pairs are kept in four bytes."""


def through(pairs: Iterable[int], use: int, model: bool) -> frozenset[int]:
    """What an output inherits of an input's pairs.

    Args:
        pairs: the input's.
        use: role of the input in the run.
        model: whether the input is a model; then ``evaluation`` pairs stop there (law 5).
    """
    if use == CONTENT:
        if not model:
            return frozenset(pairs)
        return frozenset(p for p in pairs if p & MASK != EVALUATION)
    out = set()
    for pair in pairs:
        was = pair & MASK
        if model and was == EVALUATION:
            continue
        out.add(pair - was + use)
        # uses are kept apart all the way down: annotations that are then fine-tuned on show as both. `evaluation` as
        # a role covers what the input was before, and evaluation results used as data are data.
        if use != EVALUATION and was not in (CONTENT, EVALUATION):
            out.add(pair)
    return frozenset(out)


def _uses_through(was: int, use: int, model: bool) -> list[int]:
    return [pair & MASK for pair in through((was,), use, model)]


@cache
def before(wanted: int, use: int, model: bool) -> int:
    """The reverse, on masks of uses: with which use a pair must enter this input to leave it with a wanted one.

    Args:
        wanted: bit ``1 << use`` set for each use that will do.
    """
    mask = 0
    for was in range(len(USES)):
        if any(wanted >> out & 1 for out in _uses_through(was, use, model)):
            mask |= 1 << was
    return mask


@cache
def after(was: int, use: int, model: bool) -> tuple[int, ...]:
    """The uses with which a pair of use ``was`` leaves this input."""
    return tuple(_uses_through(was, use, model))
