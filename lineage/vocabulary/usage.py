"""What a provider's log says of calls to its models (issue 6): counts by time, never what was asked or answered."""

from __future__ import annotations

from lineage.vocabulary.value import Value


class LoggedCalls(Value, frozen=True):
    """Calls of one model, through one channel, on one account."""

    channel: str
    """How the catalogue calls it (``azure-openai``); else the host."""
    provider: str = ""
    """Whose model it is; empty where neither the channel nor the model's name tells."""
    service: str = ""
    """The model (``gpt-4``)."""
    account: str = ""
    """Whose account was charged: the resource, gateway or project of the log."""
    deployment: str = ""
    """Name under which the account runs the model."""
    requests: int = 0
    """That were answered."""
    failed: int = 0
    """That were refused or failed; they gave no content."""
    first: str = ""
    """ISO 8601, UTC."""
    last: str = ""
    seconds: int = 60
    """How long each of the times is."""
    times: tuple[tuple[int, int], ...] = ()
    """(beginning in seconds since 1970, requests), ascending."""
    answers: int = 0
    """Texts of answers that the log holds."""


class Left(Value, frozen=True):
    """Entries of a log that are no calls of models, or that cannot be read."""

    why: str
    entries: int


class UsageLog(Value, frozen=True):
    """One file of a log."""

    file: str
    """Its name."""
    sha256: str
    """Of its bytes, lower-case hex."""
    entries: int
    formats: tuple[str, ...]
    """As `lineage.capture.usage` names them."""
    calls: tuple[LoggedCalls, ...]
    left: tuple[Left, ...] = ()
    zoneless: int = 0
    """Entries whose time has no zone; the formats' documentation says UTC."""
    answers: str = ""
    """Content key of the texts of answers; empty where there are none."""
