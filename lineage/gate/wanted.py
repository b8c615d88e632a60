"""What a question is about: origins that speak of a text, or that have exactly these fields.

What somebody wrote is compared in its normal form, and who stands behind a channel or the name of a service is known
from the catalogue (S2): who asks for ``openai`` finds what was bought as ``gpt-4`` through ``azure-openai``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lineage.policy.catalogue import Catalogue, catalogue
from lineage.policy.pattern import Pattern, normal, wild
from lineage.policy.policy import COUNTED_FIELDS
from lineage.vocabulary import Kind, Origin


def origin_words(text: str) -> str:
    """``kind``, ``provider`` or ``kind/provider`` in the form in which two of them are compared.

    ``" Licensed / Open AI"`` is ``licensed/openai``: case, spaces and underscores do not count, and the catalogue knows
    a provider's other names.
    """
    kind, slash, provider = text.partition("/")
    if not slash:
        word = normal(text)
        return word if word in _KINDS else catalogue().provider_name(text)
    return f"{normal(kind)}/{catalogue().provider_name(provider)}"


_KINDS = frozenset(kind.value for kind in Kind)


@dataclass(frozen=True)
class Wanted:
    """Fields that are given must all fit; each takes shell patterns. Nothing given: every origin."""

    text: str = ""
    """Contained in kind, provider, service, channel, reseller, terms or licence."""
    kind: str = ""
    provider: str = ""
    service: str = ""
    channel: str = ""
    terms: str = ""
    licence: str = ""

    @property
    def anything(self) -> bool:
        """Whether nothing is given."""
        return not any(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        """``openai``, ``provider openai and channel azure-openai``."""
        exact = [f"{field.name} {value}" for field in fields(self)[1:] if (value := getattr(self, field.name))]
        return " and ".join([*([self.text] if self.text else []), *exact])

    def speaks_of(self, origin: Origin, catalogue: Catalogue) -> bool | None:
        """Whether an origin is one of those asked for.

        Returns:
            None: it may be. What nobody stated about third-party model output can be anything (`Policy` counts it so).
        """
        values = _values(origin, catalogue)
        open_ = False
        for field in fields(self):
            asked = getattr(self, field.name)
            if not asked:
                continue
            if field.name == "text":
                fits = _text(asked, values, catalogue)
                unstated = not values["provider"]
            else:
                fits = any(map(_pattern(field.name, asked, catalogue).matches, values[field.name]))
                unstated = field.name in COUNTED_FIELDS and not values[field.name]
            if not fits:
                if not unstated or origin.kind is not Kind.THIRD_PARTY_MODEL_OUTPUT:
                    return False
                open_ = True
        return None if open_ else True


def _values(origin: Origin, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    # an own model called claude-detector is not Anthropic's
    ours = origin.kind in (Kind.FIRST_PARTY, Kind.FIRST_PARTY_MODEL_OUTPUT)
    named = catalogue.named(origin.provider, "" if ours else origin.service, origin.channel)
    single = {
        "kind": origin.kind.value,
        "service": normal(origin.service),
        "channel": named.channel,
        "reseller": named.reseller,
        "terms": normal(origin.terms),
        "licence": normal(origin.licence),
    }
    stated = (*named.providers, normal(origin.provider)) if normal(origin.provider) else named.providers
    return {"provider": stated, **{key: (value,) if value else () for key, value in single.items()}}


def _text(asked: str, values: dict[str, tuple[str, ...]], catalogue: Catalogue) -> bool:
    words = {normal(asked), catalogue.provider_name(asked), catalogue.channel_name(asked)} - {""}
    return any(word in value for found in values.values() for value in found for word in words)


def _pattern(field: str, asked: str, catalogue: Catalogue) -> Pattern:
    if not wild(asked) and field == "provider":
        asked = catalogue.provider_name(asked)
    if not wild(asked) and field == "channel":
        asked = catalogue.channel_name(asked)
    return Pattern([asked])
