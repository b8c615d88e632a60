"""The algebra that the laws rest on: one pair at a time, and its reverse."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lineage.graph.pairs import BITS, CONTENT, EVALUATION, NUMBER, USES, after, before, through
from lineage.vocabulary import Use

pairs = st.frozensets(st.integers(0, 20).flatmap(lambda s: st.integers(0, 11).map(lambda u: s << BITS | u)))
uses = st.integers(0, len(USES) - 1)


@given(pairs, pairs, uses, st.booleans())
def test_distributes_over_unions(one: frozenset[int], two: frozenset[int], use: int, model: bool) -> None:
    assert through(one | two, use, model) == through(one, use, model) | through(two, use, model)


@given(pairs, uses, st.booleans())
def test_keeps_sources(found: frozenset[int], use: int, model: bool) -> None:
    kept = {p >> BITS for p in found if not (model and p & 15 == EVALUATION)}
    assert {p >> BITS for p in through(found, use, model)} == kept


@given(uses, uses, st.booleans())
def test_before_is_the_reverse_of_after(was: int, use: int, model: bool) -> None:
    for out in range(len(USES)):
        assert (out in after(was, use, model)) == bool(before(1 << out, use, model) >> was & 1)


def test_by_example() -> None:
    source = 5 << BITS
    annotated, tuned = source | NUMBER[Use.ANNOTATION], source | NUMBER[Use.FINE_TUNING]
    assert through([source | CONTENT], NUMBER[Use.ANNOTATION], False) == {annotated}
    assert through([annotated], NUMBER[Use.FINE_TUNING], False) == {annotated, tuned}  # both show
    assert through([annotated], EVALUATION, False) == {source | EVALUATION}
    assert through([source | EVALUATION], NUMBER[Use.FINE_TUNING], False) == {tuned}  # results used as data are data
    assert through([source | EVALUATION, tuned], CONTENT, True) == {tuned}  # law 5


def test_the_numbers_of_uses_are_stored() -> None:
    """Their order may never change."""
    assert [u.value for u in USES] == [
        "content", "annotation", "pretraining", "fine-tuning", "distillation", "reward-modelling", "validation",
        "evaluation", "base-model", "teacher", "prompt", "retrieval",
    ]  # fmt: skip
