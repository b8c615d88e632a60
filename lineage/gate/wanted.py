"""What a question is about: origins that speak of a text, or that have exactly these fields.

What somebody wrote is compared in its normal form, and who stands behind a channel or the name of a service is known
from the catalogue (S2): who asks for ``openai`` finds what was bought as ``gpt-4`` through ``azure-openai``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches

from lineage.errors import UsageError
from lineage.policy.catalogue import Catalogue, Channel, catalogue
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
    """Contained in kind, provider, service, channel, reseller, terms or licence; a channel's name is looked for among
    channels alone."""
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
            None: it may be. What nobody stated about model output of others, or made by a tool, can be anything.
        """
        values = _values(origin, catalogue)
        open_ = False
        for field in fields(self):
            asked = getattr(self, field.name)
            if not asked:
                continue
            if field.name == "text":
                fits, unstated = _text(asked, values, catalogue)
            else:
                fits = any(map(_pattern(field.name, asked, catalogue).matches, values[field.name]))
                unstated = field.name in COUNTED_FIELDS and not values[field.name]
            if not fits:
                if not unstated or origin.kind not in (Kind.THIRD_PARTY_MODEL_OUTPUT, Kind.SYNTHETIC):
                    return False
                open_ = True
        return None if open_ else True

    def known(self, origins: Iterable[Origin], catalogue: Catalogue) -> None:
        """Refuse a word that means nothing here: "no" would be said of whatever is misspelt.

        Args:
            origins: every one on record.
            catalogue: who stands behind which name.

        Raises:
            UsageError: ``ORIGIN_UNKNOWN``, no origin on record and nothing in the catalogue speaks of a word.
        """
        values = [_values(origin, catalogue) for origin in origins]
        for field in fields(self):
            asked = getattr(self, field.name)
            if not asked:
                continue
            words = _words(field.name, catalogue)
            if field.name == "text":
                met = (_text(asked, said, catalogue)[0] for said in values)
                named = catalogue.provider(asked) or catalogue.channel(asked) or _owners(asked, catalogue)
                found = bool(named) or any(met) or any(normal(asked) in word for word in words)
            else:
                matches = _pattern(field.name, asked, catalogue).matches
                owned = field.name == "service" and _owners(asked, catalogue)
                stated = (word for said in values for word in said[field.name])
                found = bool(owned) or any(map(matches, (*words, *stated)))
            if not found:
                exact = "" if field.name == "text" else field.name
                stated = (v for said in values for key, some in said.items() if exact in ("", key) for v in some)
                near = get_close_matches(normal(asked), sorted({*words, *stated}), 3, 0.7)
                raise UsageError(
                    f"no origin is known by {exact} {asked!r}".replace("  ", " "),
                    code="ORIGIN_UNKNOWN",
                    cause="no origin on record and nothing in the catalogue speaks of it",
                    hint=f"did you mean {' or '.join(near)}?"
                    if near
                    else "lineagegate history shows what was declared",
                )

    def understood(self, catalogue: Catalogue) -> str:
        """What the words were taken to mean, in a sentence; empty where nothing is given."""
        said = []
        for field in fields(self):
            asked = getattr(self, field.name)
            if not asked:
                continue
            if field.name == "text":
                said.append(_meaning(asked, catalogue))
                continue
            named = {"provider": catalogue.provider, "channel": catalogue.channel}.get(field.name)
            entry = named(asked) if named and not wild(asked) else None
            said.append(f"{field.name} {entry.id} ({entry.name})" if entry else f"{field.name} {asked}, exactly")
        return f"What was asked was understood as {'; and '.join(said)}." if said else ""


def _values(origin: Origin, catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    named = catalogue.named(origin)
    single = {
        "kind": origin.kind.value,
        "service": normal(origin.service),
        "channel": named.channel,
        "reseller": named.reseller,
        "terms": normal(origin.terms),
        "licence": normal(origin.licence),
    }
    said = catalogue.provider_name(origin.provider) in named.providers
    stated = (*named.providers, normal(origin.provider)) if said else named.providers
    return {"provider": stated, **{key: (value,) if value else () for key, value in single.items()}}


def _text(asked: str, values: dict[str, tuple[str, ...]], catalogue: Catalogue) -> tuple[bool, bool]:
    """Whether an origin speaks of a text, and whether what it leaves unstated may be that."""
    channel = _channel(asked, catalogue)
    if channel:
        fits = any(value == channel.id or normal(asked) in value for value in values["channel"])
        others = values["provider"] and channel.provider and channel.provider not in values["provider"]
        return fits, not values["channel"] and not others
    words = {normal(asked), catalogue.provider_name(asked)} - {""}
    fits = any(word in value for found in values.values() for value in found for word in words)
    owners = _owners(asked, catalogue)
    unnamed = not values["service"] and any(owner in values["provider"] for owner in owners)
    return fits, not values["provider"] or unnamed


def _channel(asked: str, catalogue: Catalogue) -> Channel | None:
    """The channel that a word is the name of, unless a provider has that name, too."""
    return None if catalogue.provider(asked) else catalogue.channel(asked)


def _owners(asked: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Whose models alone have a name like this one."""
    return catalogue.owners(asked) if normal(asked) else ()


def _words(field: str, catalogue: Catalogue) -> list[str]:
    """What the catalogue has for a field; for a text, for any."""
    found = [kind.value for kind in Kind] if field in ("text", "kind") else []
    if field in ("text", "provider"):
        for entry in (*catalogue.providers.values(), *catalogue.resellers.values()):
            found += [entry.id, *entry.aliases]
    if field in ("text", "channel"):
        for way in catalogue.channels.values():
            found += [way.id, *way.aliases]
    if field in ("text", "terms"):
        found += catalogue.terms
    if field in ("text", "service"):
        found += [s for entry in catalogue.providers.values() for s in map(_stem, entry.services) if s]
    return [normal(word) for word in found]


def _stem(service: str) -> str:
    """``gpt-4`` of ``gpt-4*``."""
    return service.rstrip("*-")


def _meaning(asked: str, catalogue: Catalogue) -> str:
    channel = _channel(asked, catalogue)
    if channel:
        return f"the channel {channel.id} ({channel.name}), among channels alone"
    anywhere = f"the text “{normal(asked)}” in kind, provider, service, channel, reseller, terms or licence"
    provider = catalogue.provider(asked)
    if provider:
        return f"the provider or reseller {provider.id} ({provider.name}), by any service or channel, and as {anywhere}"
    owners = _owners(asked, catalogue)
    return f"a model of {' or '.join(owners)}, and as {anywhere}" if owners else anywhere


def _pattern(field: str, asked: str, catalogue: Catalogue) -> Pattern:
    if not wild(asked) and field == "provider":
        asked = catalogue.provider_name(asked)
    if not wild(asked) and field == "channel":
        asked = catalogue.channel_name(asked)
    return Pattern([asked])
