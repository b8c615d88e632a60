"""The catalogue of providers: who makes a model, who resells it, under which host and which terms it is reached (S12).

The list is `providers.yaml` beside this file, with a version of its own. It knows names, not rules; what is allowed is
the policy's business. It is open to additions: `Catalogue.extended`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from lineage import yaml12
from lineage.policy.pattern import Pattern, normal, wild
from lineage.vocabulary.value import Value


class Terms(Value, frozen=True, forbid_unknown_fields=True):
    """A published text that content comes under."""

    id: str
    """``openai-services-agreement``; in an origin followed by ``@`` and the date."""
    name: str
    url: str
    dated: str = ""
    """ISO 8601 date that the text bears. Empty when it was not read."""
    read: bool = False
    """Whether the text itself was read for this catalogue. What was not read is not vouched for."""
    clauses: Mapping[str, str] = {}
    """Clause number to its gist in our own words, of the clauses that matter here."""
    note: str = ""


class Provider(Value, frozen=True, forbid_unknown_fields=True):
    """Who makes or owns models."""

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    """Shell patterns of model names that are this provider's alone (``gpt-4*``)."""
    terms: tuple[str, ...] = ()


class Channel(Value, frozen=True, forbid_unknown_fields=True):
    """A way in which a provider's models are obtained."""

    id: str
    name: str
    provider: str = ""
    """The one whose models come through it; empty when there are several."""
    reseller: str = ""
    """Who sells it, when that is somebody else than the provider."""
    aliases: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Shell patterns over the host names it is reached under."""
    terms: tuple[str, ...] = ()


class _File(Value, frozen=True, forbid_unknown_fields=True):
    version: str
    terms: tuple[Terms, ...]
    providers: tuple[Provider, ...]
    resellers: tuple[Provider, ...]
    channels: tuple[Channel, ...]


MOST_NAMED = 10_000
"""Origins whose names are kept: judging many models asks for the same ones again and again."""


class Named(NamedTuple):
    """What the catalogue makes of an origin's words."""

    providers: tuple[str, ...]
    """Whoever may stand behind it: as stated, and as the channel or the service gives away. Empty: not stated."""
    channel: str
    reseller: str


class Catalogue:
    """Providers, resellers, channels and terms, found by any of their names.

    Args:
        version: of the list.
        terms, providers, resellers, channels: the entries.
    """

    def __init__(
        self,
        version: str,
        terms: Iterable[Terms],
        providers: Iterable[Provider],
        resellers: Iterable[Provider],
        channels: Iterable[Channel],
    ) -> None:
        self.version = version
        self.terms = {entry.id: entry for entry in terms}
        self.providers = {entry.id: entry for entry in providers}
        self.resellers = {entry.id: entry for entry in resellers}
        self.channels = {entry.id: entry for entry in channels}
        self._named: dict[tuple[str, str, str], Named] = {}
        self._provider = _index((*self.providers.values(), *self.resellers.values()))
        self._channel = _index(self.channels.values())
        self._services = [(Pattern(p.services), p.id) for p in self.providers.values() if p.services]
        self._hosts = sorted(
            ((host.lower(), channel) for channel in self.channels.values() for host in channel.hosts),
            key=lambda pair: (wild(pair[0]), -len(pair[0])),
        )

    def provider(self, name: str) -> Provider | None:
        """A provider or reseller by its id or an alias, however it is written (``OpenAI``, ``open-ai``)."""
        found = self._provider.get(_key(name))
        return self.providers.get(found) or self.resellers.get(found) if found else None

    def channel(self, name: str) -> Channel | None:
        """A channel by its id or an alias."""
        found = self._channel.get(_key(name))
        return self.channels[found] if found else None

    def by_host(self, host: str) -> Channel | None:
        """The channel that a host name belongs to; the most exact entry wins.

        Args:
            host: ``api.openai.com``; a port and a dot at the end do not matter.
        """
        host = host.strip().lower().rsplit(":", 1)[0].rstrip(".")
        for pattern, channel in self._hosts:
            if fnmatch.fnmatchcase(host, pattern):
                return channel
        return None

    def provider_name(self, text: str) -> str:
        """The id of a provider, or the normal form of a name that is not in the catalogue."""
        return self._provider.get(_key(text)) or normal(text)

    def channel_name(self, text: str) -> str:
        """The id of a channel, or the normal form of a name that is not in the catalogue."""
        return self._channel.get(_key(text)) or normal(text)

    def named(self, provider: str, service: str, channel: str) -> Named:
        """Who stands behind an origin.

        A channel that carries one provider's models gives that provider away whatever was stated (S2), and so does the
        name of a service that is one provider's alone.
        """
        key = provider, service, channel
        known = self._named.get(key)
        if known is None:
            if len(self._named) >= MOST_NAMED:
                self._named.clear()
            known = self._named[key] = self._who(provider, service, channel)
        return known

    def _who(self, provider: str, service: str, channel: str) -> Named:
        stated = self.provider_name(provider) if normal(provider) else ""
        way = self.channels.get(self.channel_name(channel))
        who = [stated] if stated else []
        if way and way.provider:
            who.append(way.provider)
        who += [owner for pattern, owner in self._services if pattern.matches(normal(service))]
        return Named(tuple(dict.fromkeys(who)), self.channel_name(channel), way.reseller if way else "")

    def extended(self, table: Mapping[str, Any]) -> Catalogue:
        """This catalogue with more entries; an entry with a known id replaces it.

        Args:
            table: ``terms``, ``providers``, ``resellers``, ``channels``, each a list shaped as in ``providers.yaml``.

        Raises:
            ValueError: an entry is not shaped so.
        """
        more = _file({"terms": [], "providers": [], "resellers": [], "channels": [], **table, "version": self.version})
        return Catalogue(
            self.version,
            (*self.terms.values(), *more.terms),
            (*self.providers.values(), *more.providers),
            (*self.resellers.values(), *more.resellers),
            (*self.channels.values(), *more.channels),
        )


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = files("lineage.policy").joinpath("providers.yaml").read_text(encoding="utf-8")
    table = _file(yaml12.load(text))
    return Catalogue(table.version, table.terms, table.providers, table.resellers, table.channels)


def _file(value: Any) -> _File:
    try:
        return msgspec.convert(value, _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a catalogue: {error}") from None


def _index(entries: Iterable[Provider | Channel]) -> dict[str, str]:
    return {_key(name): entry.id for entry in entries for name in (entry.id, entry.name, *entry.aliases)}


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", normal(text))
