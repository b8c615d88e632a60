"""Policies that contradict themselves are refused: which of the two was meant would be a guess.

Refused are ids that come twice or are reserved, periods that end before they begin, two rules that say different things
of exactly the same, and allow rules that a stricter rule leaves nothing to allow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lineage.errors import UsageError
from lineage.policy.policy import SEVERITY, Rule
from lineage.yaml12 import Position

RESERVED = ("undeclared", "default")
"""Rule ids under which findings of the settings of those names appear."""


def check_rules(rules: Sequence[Rule], positions: Mapping[str, Position]) -> None:
    """Refuse rules that cannot all be meant.

    Args:
        rules: of the policy and all it extends.
        positions: of each rule, by its location.

    Raises:
        UsageError: ``POLICY_INVALID``, naming the lines of both rules.
    """
    for index, rule in enumerate(rules):
        if rule.id in RESERVED:
            raise _invalid(rule, positions, f"`{rule.id}` cannot be the id of a rule", "the setting has that name", "")
        if rule.start and rule.end and rule.end < rule.start:
            cause = f"it ends ({rule.until}) before it begins ({rule.from_}), so it never counts"
            raise _invalid(rule, positions, f"rule `{rule.id}` can never match", cause, "exchange `from` and `until`")
        for other in rules[:index]:
            _check_pair(other, rule, positions)


def _check_pair(first: Rule, second: Rule, positions: Mapping[str, Position]) -> None:
    if first.id == second.id:
        raise _invalid(
            second, positions, f"rule id `{second.id}` is used twice", f"the other one is at {first.location}",
            "rename one of them; a rule of a pack cannot be replaced, only added to, or freed by a grant",
        )  # fmt: skip
    if not first.overlaps(second) or first.effect == second.effect:
        return
    if first.match == second.match and first.unless == second.unless:
        raise _invalid(
            second, positions, f"rule `{second.id}` ({second.effect}) contradicts `{first.id}` ({first.effect})",
            f"both match exactly the same at the same time; the other one is at {first.location}",
            "remove one, or give them different dates",
        )  # fmt: skip
    strict, lax = sorted((first, second), key=lambda rule: SEVERITY[rule.effect])
    if lax.effect == "allow" and strict.unless is None and _always(strict, lax) and strict.match.covers(lax.match):
        raise _invalid(
            lax, positions, f"rule `{lax.id}` never allows anything",
            f"all that it matches falls to the stricter `{strict.id}` ({strict.effect}) at {strict.location}",
            "except it there with `unless:`, or make a grant: lineagegate grant --help",
        )  # fmt: skip


def _always(outer: Rule, inner: Rule) -> bool:
    """Whether ``outer`` counts whenever ``inner`` does."""
    return (outer.start is None or (inner.start is not None and outer.start <= inner.start)) and (
        outer.end is None or (inner.end is not None and inner.end <= outer.end)
    )


def _invalid(rule: Rule, positions: Mapping[str, Position], problem: str, cause: str, hint: str) -> UsageError:
    at = positions[rule.location]
    return UsageError(f"{rule.file}:{at.line}:{at.column}: {problem}", code="POLICY_INVALID", cause=cause, hint=hint)
