"""Dates, sizes, people and outcomes as people read them.

Dates are in UTC and spelled, so that no country misreads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version

from lineage.evidence.dossier.blocks import NOT_KNOWN
from lineage.vocabulary import Basis, Decision, Finding, Outcome, Scope, Use

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

OUTCOMES = {
    Outcome.ALLOW: "allowed",
    Outcome.WARN: "allowed with a warning",
    Outcome.DENY: "refused",
    Outcome.CANNOT_DECIDE: "cannot be decided",
}

EVIDENCE = {
    "observed": "seen while it ran",
    "restored": "restored from a run cache",
    "asserted": "stated by a record",
}
"""How a run is known."""

BASIS = {
    "declared": "declared",
    "observed": "seen while a step ran",
    "matched": "matched by content",
    "imported": "told by another system",
    "": "nobody said",
}
"""How the origin of a source is known."""


def known(basis: str, *, source: bool) -> str:
    """How a step of a path is known (`CaseStep.basis`)."""
    return (BASIS if source else EVIDENCE).get(basis, basis)


def moment(text: str) -> datetime | None:
    """The instant of an ISO 8601 text, in UTC; None when it is empty or no instant."""
    try:
        value = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def day(text: str) -> str:
    """``20 April 2023``; what is no date stays as it is."""
    value = moment(text)
    return f"{value.day} {MONTHS[value.month - 1]} {value.year}" if value else text or NOT_KNOWN


def when(text: str) -> str:
    """``20 April 2023, 10:00 UTC``; a date alone, and the last moment of a day, are that day."""
    value = moment(text)
    if value is None or len(text) <= 10:
        return day(text)
    if (value.hour, value.minute, value.second, value.microsecond) == (23, 59, 59, 999999):
        return f"the end of {day(text)}"
    return f"{day(text)}, {value:%H:%M} UTC"


def late(time: str, recorded: str) -> str:
    """``recorded 3 May 2023, 09:12 UTC`` where that is more than an hour after it happened; else empty."""
    happened, known = moment(time), moment(recorded)
    if happened is None or known is None or (known - happened).total_seconds() <= 3600:
        return ""
    return f"recorded {when(recorded)}"


def running(position: int, asked: str) -> str:
    """The foot of every page."""
    return f"{position:,} ledger {'entry' if position == 1 else 'entries'} · {when(asked)}"


def number(value: int | None) -> str:
    """``41,200``."""
    return NOT_KNOWN if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """``48.2 MB``: decimal units, three figures."""
    if value is None:
        return NOT_KNOWN
    if value < 1000:
        return f"{value} bytes"
    amount, units = value / 1000, ["kB", "MB", "GB", "TB", "PB"]
    while amount >= 999.5 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.3g} {units[0]}" if amount < 999.5 else f"{amount:,.0f} {units[0]}"


def percent(part: float) -> str:
    """``6.2 %``; what is there but small is ``under 0.1 %``, what is nearly all is not called all."""
    if 0 < part < 0.001:
        return "under 0.1 %"
    if 0.999 < part < 1:
        return "over 99.9 %"
    return f"{part * 100:.1f} %"


def used(use: Use) -> str:
    """In which role: ``as training content``, ``for fine-tuning``."""
    return {
        Use.CONTENT: "as content",
        Use.BASE_MODEL: "as base model",
        Use.TEACHER: "as teacher",
        Use.PROMPT: "in prompts",
    }.get(use, f"for {use.value}")


def spoken(basis: Basis | None, time: str, by: str) -> str:
    """Who said where a source comes from, and when."""
    if basis is None:
        return "nobody has said where it comes from"
    words = [BASIS[basis.value], f"on {when(time)}" if time else "", f"by {by}" if by else ""]
    return " ".join(word for word in words if word)


def finding(value: Finding) -> str:
    """What a rule says of a label."""
    rule = f"rule {value.rule}" + (f" ({value.location})" if value.location else "")
    effect = {"deny": "refused", "warn": "warned of", "allow": "allowed"}.get(value.effect, value.effect)
    said = (
        f"{effect} by {rule}" if not value.grant else f"would be {effect} by {rule}, but grant {value.grant} frees it"
    )
    return ": ".join(part for part in (said[:1].upper() + said[1:], value.reason) if part)


def outcome(decision: Decision) -> str:
    """The verdict in words; says when a refusal was not enforced."""
    said = OUTCOMES[decision.outcome]
    refuses = decision.outcome in (Outcome.DENY, Outcome.CANNOT_DECIDE)
    return f"{said}, but not held up (mode {decision.mode})" if refuses and not decision.blocks else said


def scope(value: Scope) -> str:
    """What a grant frees: ``provider openai, use evaluation, model seed-*``."""
    fields = ("kind", "provider", "service", "channel", "terms", "use", "model", "market")
    said = [f"{field} {getattr(value, field)}" for field in fields if getattr(value, field)]
    return ", ".join(said) or "everything"


def program() -> str:
    """What makes a dossier: another version may say the same in other words."""
    return f"lineagegate {version('lineagegate')}"


def positions(entries: Sequence[int]) -> str:
    """Ledger entries by number: ``12``, ``18, 19``; long runs are joined (``3–7``)."""
    spans: list[list[int]] = []
    for entry in sorted(set(entries)):
        if spans and entry == spans[-1][1] + 1:
            spans[-1][1] = entry
        else:
            spans.append([entry, entry])
    return ", ".join(str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a}–{b}" for a, b in spans)
