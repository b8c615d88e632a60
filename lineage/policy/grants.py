"""Grants: what may be granted at all, and what a grant in force frees (S7).

A grant frees only what its scope names and was stated about the label; it never frees `undeclared` (law 8: declaring
does). Recording and withdrawing grants is the gate's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from lineage.errors import UsageError
from lineage.policy.catalogue import Catalogue
from lineage.policy.pattern import Pattern, instant, normal, wild
from lineage.policy.policy import LabelFacts, ModelFacts
from lineage.vocabulary import Grant, Kind, Scope, Use

_ORIGIN = ("kind", "provider", "service", "channel", "terms")
_EXAMPLE = (
    "lineagegate grant --provider openai --channel azure-openai --use evaluation --model 'seed-*' "
    "--reference CONTRACT-7 --from 2024-01-01 --until 2024-12-31"
)


def check_grant(grant: Grant) -> None:
    """Refuse a grant that must not be made.

    Args:
        grant: as somebody asks for it.

    Raises:
        UsageError: ``GRANT_INVALID``: no id, approver or reference; a scope that names no origin, or names it by
            wildcards alone, and would free whatever comes; an unknown kind or use; the kind ``undeclared``; a date that
            cannot be read, or a period that ends before it begins.
    """
    problem = _problem(grant)
    if problem:
        message, cause, hint = problem
        raise UsageError(f"this grant is refused: {message}", code="GRANT_INVALID", cause=cause, hint=hint or _EXAMPLE)


def _problem(grant: Grant) -> tuple[str, str, str] | None:
    for field, text in (("id", grant.id), ("approver", grant.approver), ("reference", grant.reference)):
        if not normal(text):
            return f"it has no {field}", "a grant stands on the paper it refers to and the person who approved it", ""
    scope = grant.scope
    if not any(_selective(getattr(scope, field)) for field in _ORIGIN):
        named = "no origin" if any(_selective(text) for text in (scope.use, scope.model, scope.market)) else "nothing"
        return (
            f"its scope names {named}",
            "it would free every restricted source, those nobody has heard of included",
            f"name a kind, provider, service, channel or terms, as in: {_EXAMPLE}",
        )
    for field, text, known in (
        ("kind", scope.kind, [kind.value for kind in Kind if kind is not Kind.UNDECLARED]),
        ("use", scope.use, [use.value for use in Use]),
    ):
        if field == "kind" and normal(text) == Kind.UNDECLARED.value:
            return (
                "nobody can grant `undeclared`",
                "an origin that nobody stated cannot be judged, so it cannot be permitted",
                "lineagegate declare SOURCE --kind KIND",
            )
        if text and not any(map(Pattern([text]).matches, known)):
            return f"no {field} is called {text!r}", f"known: {', '.join(known)}", ""
    try:
        start = instant(grant.from_, end=False) if grant.from_ else None
        end = instant(grant.until, end=True) if grant.until else None
    except ValueError as error:
        return "its dates cannot be read", str(error), ""
    if start and end and end < start:
        return f"it ends ({grant.until}) before it begins ({grant.from_})", "it would never free anything", ""
    return None


def _selective(text: str) -> bool:
    """Whether it names something: a word, or a pattern with two letters or digits in a row that are meant literally."""
    text = normal(text)
    return bool(re.search(r"[^\W_]{2}", _WILD.sub(" ", text))) if wild(text) else bool(text)


_WILD = re.compile(r"\[!?\]?[^\]]*\]|[*?]")
"""What stands for several characters in a shell pattern."""


class InForce(NamedTuple):
    """A grant that counts now, ready to be compared."""

    id: str
    kind: Pattern
    origin: tuple[tuple[str, Pattern], ...]
    use: Pattern

    def frees(self, facts: LabelFacts) -> bool:
        """Whether a label is inside the scope. What was not stated about the label is outside."""
        label = facts.label
        return (
            label.origin.kind is not Kind.UNDECLARED
            and self.kind.matches(label.origin.kind.value)
            and self.use.matches(label.use.value)
            and all(_inside(facts.fields[key], pattern) for key, pattern in self.origin)
        )


def _inside(values: Sequence[str], pattern: Pattern) -> bool:
    """All of the values: a provider that the channel gives away is not freed by naming another one."""
    return any(values) and all(map(pattern.matches, values))


def grants_in_force(
    grants: Iterable[Grant], *, at: datetime, model: ModelFacts, catalogue: Catalogue
) -> Sequence[InForce]:
    """The grants that count for a model at a time, by id.

    Withdrawn grants, also when an earlier record of the same id is not, grants outside their dates (both included), for
    other models or markets, and grants that `check_grant` would refuse do not count.
    """
    known = list(grants)
    withdrawn = {grant.id for grant in known if grant.withdrawn}
    found = [
        _compiled(grant, catalogue)
        for grant in known
        if grant.id not in withdrawn and _problem(grant) is None and _counts(grant, at, model)
    ]
    return sorted(found, key=lambda grant: (grant.id, repr(grant)))


def _counts(grant: Grant, at: datetime, model: ModelFacts) -> bool:
    scope = grant.scope
    if grant.from_ and at < instant(grant.from_, end=False):
        return False
    if grant.until and at > instant(grant.until, end=True):
        return False
    if scope.model and not Pattern([scope.model]).matches(model.name):
        return False
    return not scope.market or _inside(model.fields["market"] or (), Pattern([scope.market]))


def _compiled(grant: Grant, catalogue: Catalogue) -> InForce:
    scope = grant.scope
    fields = {
        "provider": scope.provider if wild(scope.provider) else catalogue.provider_name(scope.provider),
        "service": scope.service,
        "channel": scope.channel if wild(scope.channel) else catalogue.channel_name(scope.channel),
        "terms": scope.terms,
    }
    return InForce(
        grant.id,
        Pattern([scope.kind or "*"]),
        tuple((key, Pattern([text])) for key, text in fields.items() if normal(text) not in ("", "*")),
        Pattern([scope.use or "*"]),
    )


def scope_command(scope: Scope) -> str:
    """The command that asks for a grant of this scope."""
    named = [(field, getattr(scope, field)) for field in scope.__struct_fields__ if getattr(scope, field)]
    return " ".join(
        ["lineagegate grant", *(f"--{key} {_quoted(value)}" for key, value in named), "--reference REFERENCE"]
    )


def _quoted(text: str) -> str:
    safe = all(char.isalnum() or char in "-._:/@" for char in text)
    return text if safe else "'" + text.replace("'", "'\\''") + "'"
