"""The catalogue of providers: who makes a model, who resells it, under which host and which terms it is reached (S12).

The list is `providers.yaml` beside this file, with a version of its own. It knows names, not rules; what is allowed is
the policy's business. It is open to additions: `Catalogue.extended`.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from lineage import yaml12
from lineage.policy.pattern import Pattern, normal, wild
from lineage.vocabulary import Kind, Origin
from lineage.vocabulary.identity import seen
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
    copied: str = ""
    """ISO 8601 date of the copy that was read: the text as it stood that day. Empty when that is not known."""
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


PLACEHOLDERS = (
    "unknown", "not known", "unstated", "not stated", "unspecified", "not specified", "undisclosed", "undefined", "n/a",
    "none", "null", "nil", "nobody", "anonymous", "any", "other", "others", "various", "several", "misc", "mixed",
    "tbd", "tba", "todo",
)  # fmt: skip
"""What people write where they do not know a name."""

_HOST = re.compile(r"[a-z0-9_.-]{1,253}")
_DOTS = {0x3002: "."}
"""RFC 3490 section 3.1; the others become these by NFKC."""
MOST_NAMED = 10_000
"""Origins whose names are kept: judging many models asks for the same ones again and again."""


class Named(NamedTuple):
    """What the catalogue makes of an origin's words."""

    providers: tuple[str, ...]
    """Whoever stands behind it: as stated, and as the channel or the service gives away. Empty: not stated."""
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
        self._named: dict[tuple[str, str, str, Kind], Named] = {}
        # not who makes models and sells those of others beside them under the same roof: Google, Alibaba
        self._sellers = {*self.resellers, *(way.reseller for way in self.channels.values() if way.provider)} - {""}
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
            host: ``api.openai.com``; a port, a dot at the end and other letters for the same name (IDNA) do not matter.
        """
        host = host_name(host)
        if not _HOST.fullmatch(host):
            return None
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

    def named(self, origin: Origin) -> Named:
        """Who stands behind an origin.

        A channel that carries one provider's models gives that provider away whatever was stated (S2), and so does the
        name of a service that is one provider's alone. Who made the output of a model is not stated by a word that
        stands for nobody (``unknown``), nor by who sold it: ``microsoft`` sells OpenAI's models.
        """
        key = origin.provider, origin.service, origin.channel, origin.kind
        known = self._named.get(key)
        if known is None:
            if len(self._named) >= MOST_NAMED:
                self._named.clear()
            known = self._named[key] = self._who(*key)
        return known

    def owners(self, service: str) -> tuple[str, ...]:
        """The providers whose models alone have a name like this one."""
        return tuple(owner for pattern, owner in self._services if pattern.matches(normal(service)))

    def _who(self, provider: str, service: str, channel: str, kind: Kind) -> Named:
        made = kind is Kind.THIRD_PARTY_MODEL_OUTPUT
        stated = self.provider_name(provider) if normal(provider) else ""
        if placeholder(stated):
            stated = ""
        if made and stated and not self.provider(stated) and not normal(channel) and self.channel(stated):
            stated, channel = "", stated  # a channel in the place of the provider
        way = self.channels.get(self.channel_name(channel))
        known = [way.provider] if way and way.provider else []
        # an own model called claude-detector is not Anthropic's
        known += () if kind in (Kind.FIRST_PARTY, Kind.FIRST_PARTY_MODEL_OUTPUT) else self.owners(service)
        reseller = way.reseller if way else ""
        sold = stated in self.resellers or (stated in self._sellers and not (way and not way.reseller))
        if made and sold and stated not in known:
            stated, reseller = "", reseller or stated
        who = [stated, *known] if stated else known
        return Named(tuple(dict.fromkeys(who)), self.channel_name(channel), reseller)

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


def host_name(text: str) -> str:
    """A host in one spelling, as those see it who look it up.

    Args:
        text: as a program wrote it: with a port, a dot at the end, ``%2e``, letters that IDNA takes for others.
    """
    name = unicodedata.normalize("NFKC", unquote(text)).translate(_DOTS).strip().lower()
    return (name.partition(":")[0] if name.count(":") == 1 else name).rstrip(".")


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


@cache
def _nobody() -> frozenset[str]:
    return frozenset(_key(word) for word in PLACEHOLDERS)


def placeholder(text: str) -> bool:
    """Whether a word stands for nobody: ``unknown``, ``n/a``, ``-``."""
    return bool(text.strip()) and (not _key(text) or _key(text) in _nobody())


def _key(text: str) -> str:
    return seen(normal(text))
