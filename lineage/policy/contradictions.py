"""Policies that contradict themselves are refused: which of the two was meant would be a guess.

Refused are ids that come twice or are reserved, periods that end before they begin, two rules of a file that say
different things of exactly the same, and allow rules that a stricter rule leaves nothing to allow.
"""

from __future__ import annotations

from collections.abc import Sequence

from lineage.errors import UsageError
from lineage.policy.policy import SEVERITY, Rule

RESERVED = ("undeclared", "default")
"""Rule ids under which findings of the settings of those names appear."""


def check_rules(rules: Sequence[Rule]) -> None:
    """Refuse rules that cannot all be meant.

    Args:
        rules: of the policy and all it extends; of two that contradict each other the later one is reported.

    Raises:
        UsageError: ``POLICY_INVALID``, naming the lines of both rules.
    """
    for index, rule in enumerate(rules):
        if rule.id in RESERVED:
            raise _invalid(rule, f"`{rule.id}` cannot be the id of a rule", "the setting has that name", "")
        if rule.start and rule.end and rule.end < rule.start:
            cause = f"it ends ({rule.until}) before it begins ({rule.from_}), so it never counts"
            raise _invalid(rule, f"rule `{rule.id}` can never match", cause, "exchange `from` and `until`")
        for other in rules[:index]:
            _check_pair(other, rule)


def _check_pair(first: Rule, second: Rule) -> None:
    if first.id == second.id:
        raise _invalid(
            second, f"rule id `{second.id}` is used twice", f"the other one is at {first.location}",
            "rename one of them; a rule of a pack cannot be replaced, only added to, or freed by a grant",
        )  # fmt: skip
    if not first.overlaps(second) or first.effect == second.effect:
        return
    # across files it is how one is stricter than a pack
    if first.file == second.file and first.match == second.match and first.unless == second.unless:
        raise _invalid(
            second, f"rule `{second.id}` ({second.effect}) contradicts `{first.id}` ({first.effect})",
            f"both match exactly the same at the same time; the other one is at {first.location}",
            "remove one, or give them different dates",
        )  # fmt: skip
    strict, lax = sorted((first, second), key=lambda rule: SEVERITY[rule.effect])
    if lax.match.names_undeclared:
        return  # it replaces the setting `undeclared`, whatever else counts
    spoken_of = strict.match.covers(lax.match) and strict.unless in (None, lax.unless)
    if lax.effect == "allow" and spoken_of and _always(strict, lax):
        raise _invalid(
            lax, f"rule `{lax.id}` never allows anything",
            f"all that it matches falls to the stricter `{strict.id}` ({strict.effect}) at {strict.location}",
            "except it there with `unless:`, or make a grant: lineagegate grant --help",
        )  # fmt: skip


def _always(outer: Rule, inner: Rule) -> bool:
    """Whether ``outer`` counts whenever ``inner`` does."""
    return (outer.start is None or (inner.start is not None and outer.start <= inner.start)) and (
        outer.end is None or (inner.end is not None and inner.end <= outer.end)
    )


def _invalid(rule: Rule, problem: str, cause: str, hint: str) -> UsageError:
    return UsageError(
        f"{rule.file}:{rule.line}:{rule.column}: {problem}", code="POLICY_INVALID", cause=cause, hint=hint
    )
