"""Calls that the spans of a program tell of, and those that were seen on the network, as one: no call counts twice.

A span knows the model, and sees calls through a gateway that no catalogue names; the network knows the host, whatever
the program says. So a span is held for one of the calls to its host. Where it names no host, it is held for one of the
calls to the same channel, else the same provider, else a channel that carries anybody's models: a span says `openai` of
Azure too, as its client is the same. What is left is a call that only the span tells of. Nothing that was seen goes
away for a span: requests that no span tells of stay, without a model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from lineage.capture.observer.lineage_record import LIBRARIES
from lineage.policy.catalogue import Catalogue
from lineage.policy.pattern import normal
from lineage.vocabulary import Call

_HERE = frozenset(normal(name) for name in LIBRARIES)
"""What programs are called that run models on this machine: they are nobody's name."""


class Told(NamedTuple):
    """What spans say."""

    provider: str
    """Id of the catalogue, or what the span says in its normal form; empty: it does not say."""
    model: str
    host: str
    channel: str
    """Id of the catalogue; empty where neither host nor provider give it."""


def told(provider: str, model: str, host: str, catalogue: Catalogue) -> Told:
    """What the catalogue makes of the words of a span.

    Args:
        provider: as conventions write it: ``aws.bedrock``, ``azure.ai.openai``, ``openai``.
        model: ``gpt-4o-2024-08-06``.
        host: that it was sent to, if the span says so.
        catalogue: of providers, with those of the project.
    """
    host = host.strip().lower().rpartition("@")[2]
    host = (host.partition(":")[0] if host.count(":") == 1 else host).rstrip(".")
    name = "" if normal(provider) in _HERE else catalogue.provider_name(provider)
    channel = catalogue.by_host(host) if host else None
    if channel is None:
        way = catalogue.channel(provider) if name else None
        # `openai` is a provider, and may be reached through anybody; `azure.ai.openai` and `aws.bedrock` are ways
        if way and not (way.provider and name in catalogue.providers):
            channel, name = way, ""
    return Told(channel.provider if channel and channel.provider else name, model, host, channel.id if channel else "")


def joined(
    seen: Sequence[Call], spans: Mapping[str, int], catalogue: Catalogue, use: Callable[[str], str]
) -> list[Call]:
    """Calls that were seen, with the models that spans name, and those that only spans tell of.

    Args:
        seen: one for each host.
        spans: provider, model and host, with tabs between them, and how often.
        catalogue: of providers.
        use: role that somebody declared for a host; empty: none.
    """
    on_wire = {call.host: call for call in seen if call.counted != "mentions"}
    counts: dict[Told, int] = defaultdict(int)
    for text, number in spans.items():
        words = [*text.split("\t"), "", "", ""][:3]
        counts[_held(told(words[0], words[1], words[2], catalogue), on_wire, catalogue)] += max(number, 1)
    left = {call.host: call.count for call in on_wire.values() if call.counted == "requests"}
    out = []
    for one, number in counts.items():
        call = on_wire.get(one.host)
        if call is None:
            role = next(filter(None, map(use, _hosts(one, catalogue))), "")
            out.append(Call(one.host, number, "spans", one.channel, role, one.model, one.provider))
            continue
        counted = "requests" if one.host in left else "spans"
        if counted == "requests":
            left[one.host] -= number
        provider = "" if catalogue.channels[call.channel].provider else one.provider
        out.append(replace(call, count=number, counted=counted, model=one.model, provider=provider))
    named = {one.host for one in counts}
    for call in seen:
        if call.counted == "mentions" or call.host not in named:
            out.append(call)
        elif left.get(call.host, 0) > 0:
            out.append(replace(call, count=left[call.host]))
    return sorted(out, key=lambda call: (call.host, call.channel, call.provider, call.model, call.counted))


def _held(one: Told, seen: Mapping[str, Call], catalogue: Catalogue) -> Told:
    """The call that a span tells of, among those that were seen."""
    if one.host:
        return one
    carried = {host: catalogue.channels[call.channel].provider for host, call in seen.items()}
    same = [host for host, call in seen.items() if one.channel == call.channel]
    same = same or [host for host, provider in carried.items() if provider and provider == one.provider]
    if one.provider or not one.channel:
        same = same or [host for host, provider in carried.items() if not provider]
    if not same:
        return one
    host = min(same)
    return Told(carried[host] or one.provider, one.model, host, seen[host].channel)


def _hosts(one: Told, catalogue: Catalogue) -> Iterable[str]:
    """The hosts that a call may have gone to, as patterns."""
    if one.host:
        return (one.host,)
    if one.channel:
        return catalogue.channels[one.channel].hosts
    ways = catalogue.channels.values()
    return [host for way in ways if one.provider and way.provider == one.provider for host in way.hosts]
