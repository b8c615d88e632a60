"""From what people write to what decides: rules, models and tests of one file, compiled.

Whether rules contradict each other is `lineage.policy.contradictions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lineage.policy.catalogue import Catalogue, Terms
from lineage.policy.pattern import Pattern, instant, normal, wild
from lineage.policy.policy import (
    ACTION_FIELDS,
    ORIGIN_FIELDS,
    STATED_FIELDS,
    Case,
    Citation,
    Condition,
    ModelEntry,
    Requirement,
    Rule,
)
from lineage.policy.source import Source, invalid, meant
from lineage.vocabulary import Basis, Grant, Kind, Label, Origin, Scope, Use
from lineage.yaml12 import Position

if TYPE_CHECKING:
    from lineage.policy.file import CaseBlock, Match, ModelMatch, RuleBlock, TermsReference


_PROVIDERS = ("provider", "reseller", "competes-with")
"""Fields whose values are providers or resellers."""


def names(sources: Iterable[Source], known: Catalogue) -> Catalogue:
    """The catalogue with the providers that files of a policy add; an entry that it has is not replaced."""
    stated = [text for source in sources for text in source.file.providers]
    own = {known.provider_name(text): text.strip() for text in stated if known.provider(text) is None}
    return known.extended({"providers": [{"id": key, "name": text} for key, text in own.items()]}) if own else known


def _check_provider(source: Source, path: tuple[str | int, ...], text: str, names: Catalogue) -> None:
    """Refuse a provider that nobody knows: a misspelt one would match nothing, and let through what was meant."""
    known = sorted({*names.providers, *names.resellers})
    if not normal(text) or (any(map(Pattern([text]).matches, known)) if wild(text) else names.provider(text)):
        return
    near = meant(text, known)
    raise invalid(
        source.name, source.at(*path), f"no provider is called `{text}`", f"known: {', '.join(known)}",
        f"{near + ' ' if near else ''}One that the catalogue does not know is named under `providers:`",
    )  # fmt: skip


def rules(source: Source, names: Catalogue) -> Iterator[Rule]:
    """The rules of a file, in its order."""
    for index, block in enumerate(source.file.rules):
        at = source.at("rules", index)
        for part, match in (("match", block.match), ("unless", block.unless)):
            for inside, field, texts in (
                ("origin", "provider", match.origin.provider),
                ("origin", "reseller", match.origin.reseller),
                ("model", "competes-with", match.model.competes_with),
            ):
                for place, text in enumerate(texts):
                    _check_provider(source, ("rules", index, part, inside, field, place), text, names)
        if not block.match.model_fields_set or _condition(block.match, names) == Condition(None, None, (), ()):
            raise invalid(
                source.name, source.at("rules", index, "match"), f"rule `{block.id}` matches everything",
                "an empty `match` is more often forgotten than meant", "for what no rule speaks of, set `default:`",
            )  # fmt: skip
        unless: Condition | None = _condition(block.unless, names)
        if unless == Condition(None, None, (), ()):
            if "unless" in block.model_fields_set:
                at = source.at("rules", index, "unless")
                raise invalid(source.name, at, f"`unless` of rule `{block.id}` is empty", "it would except everything")
            unless = None
        yield _rule(source, at, block, _condition(block.match, names), unless, names)


def _rule(
    source: Source, at: Position, block: RuleBlock, match: Condition, unless: Condition | None, names: Catalogue
) -> Rule:
    return Rule(
        block.id,
        block.effect,
        match,
        unless,
        " ".join(block.reason.split()),
        " ".join(block.remedy.split()),
        block.from_,
        block.until,
        instant(block.from_, end=False) if block.from_ else None,
        instant(block.until, end=True) if block.until else None,
        tuple(_citation(reference, names) for reference in block.terms),
        source.name,
        at.line,
        at.column,
    )


def _citation(reference: TermsReference, names: Catalogue) -> Citation:
    """What a rule stands on; of texts in the catalogue, what the rule itself does not say comes from there."""
    known = names.terms.get(reference.id) or Terms(reference.id, "", "")
    given = reference.model_fields_set
    return Citation(
        reference.id,
        reference.name or known.name,
        reference.clause,
        reference.url or known.url,
        reference.dated or known.dated,
        reference.read if "read" in given else known.read,
        "" if "read" in given else known.copied,
    )


def _condition(match: Match, names: Catalogue) -> Condition:
    origin, model = match.origin, match.model
    kind, use = Pattern(origin.kind), Pattern(match.use)
    kinds = frozenset(word for word in Kind if kind.matches(word.value)) if origin.kind else None
    uses = frozenset(word for word in Use if use.matches(word.value)) if match.use else None
    named = {field: getattr(origin, field) for field in ORIGIN_FIELDS}
    return Condition(
        kinds,
        uses,
        tuple((field, _pattern(field, texts, names)) for field, texts in named.items() if texts),
        _about(model, names),
        Kind.UNDECLARED.value in kind.texts,
    )


def _about(model: ModelMatch, names: Catalogue) -> tuple[tuple[str, Pattern], ...]:
    about = {field: getattr(model, field.replace("-", "_")) for field in ("name", *STATED_FIELDS, *ACTION_FIELDS)}
    return tuple((field, _pattern(field, texts, names)) for field, texts in about.items() if texts)


def _pattern(field: str, texts: Sequence[str], names: Catalogue) -> Pattern:
    """Patterns of a field; names that the catalogue knows are written as it writes them."""
    if field in _PROVIDERS:
        return Pattern(text if wild(text) else names.provider_name(text) for text in texts)
    if field == "channel":
        return Pattern(text if wild(text) else names.channel_name(text) for text in texts)
    return Pattern(texts)


def requirements(source: Source, names: Catalogue) -> Iterator[Requirement]:
    """What a file requires of the runs behind a model."""
    ids = {block.id for block in source.file.rules}
    for index, block in enumerate(source.file.require):
        if block.id in ids:
            raise invalid(
                source.name, source.at("require", index), f"`{block.id}` stands twice", "an id names one rule",
                "give it another id",
            )  # fmt: skip
        ids.add(block.id)
        for place, text in enumerate(block.model.competes_with):
            _check_provider(source, ("require", index, "model", "competes-with", place), text, names)
        yield Requirement(
            block.id,
            block.evidence,
            Condition(None, None, (), _about(block.model, names)),
            block.effect,
            " ".join(block.reason.split()),
            instant(block.from_, end=False) if block.from_ else None,
            source.location("require", index),
        )


def models(source: Source, names: Catalogue) -> Iterator[ModelEntry]:
    """What a file states about models."""
    for index, block in enumerate(source.file.models):
        for place, text in enumerate(block.competes_with):
            _check_provider(source, ("models", index, "competes-with", place), text, names)
        stated: dict[str, tuple[str, ...]] = {}
        for field in STATED_FIELDS:
            attribute = field.replace("-", "_")
            if attribute in block.model_fields_set:
                values = getattr(block, attribute)
                stated[field] = tuple(names.provider_name(v) if field == "competes-with" else normal(v) for v in values)
        if not stated:
            raise invalid(
                source.name, source.at("models", index), "this entry states nothing about its models",
                f"it may state: {', '.join(STATED_FIELDS)}", "competes-with: [] states that they compete with nobody",
            )  # fmt: skip
        yield ModelEntry(Pattern(block.name), stated, source.location("models", index))


def cases(source: Source) -> tuple[Case, ...]:
    """The tests of a file."""
    return tuple(_case(source, index, case) for index, case in enumerate(source.file.tests))


def _case(source: Source, index: int, case: CaseBlock) -> Case:
    return Case(
        case.name,
        case.model,
        tuple(
            Label(
                Origin(Kind(b.kind), b.provider, b.service, b.channel, b.terms, b.licence, b.jurisdiction, b.acquired),
                Use(b.use),
                None if b.kind == Kind.UNDECLARED.value else Basis(b.basis),
            )
            for b in case.labels
        ),
        {key: value for key, value in (("stage", case.stage), ("alias", case.alias)) if value},
        tuple(
            Grant(
                g.id,
                Scope(g.kind, g.provider, g.service, g.channel, g.terms, g.use, g.model, g.market),
                "the test",
                case.name,
                g.from_,
                g.until,
            )
            for g in case.grants
        ),
        case.evidence,
        instant(case.at, end=False) if case.at else None,
        case.expect,
        case.rule,
        source.location("tests", index),
    )
