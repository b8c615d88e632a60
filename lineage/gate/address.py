"""Where people read a decision: the address of its page, for everything that is written elsewhere and links to it."""

from __future__ import annotations

import re

from lineage.config import Config
from lineage.errors import UsageError

_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
"""A host, a port and a path: nothing that would end or bend a link in markdown."""


def url_of(config: Config) -> str:
    """Where people reach the server that has pages: ``url`` under ``[server]``, without a slash at the end.

    Returns:
        Empty: nowhere that is known.

    Raises:
        UsageError: ``CONFIG_INVALID``.
    """
    value = config.extra.get("server", {}).get("url", "")
    if not isinstance(value, str) or (value and not _URL.fullmatch(value)):
        raise UsageError(
            f"{config.file or 'the settings'}: [server] url is not valid", code="CONFIG_INVALID", cause=repr(value),
            hint='url = "https://lineage.example.com"',
        )  # fmt: skip
    return value.rstrip("/")


def page_of(url: str, identity: str) -> str:
    """The page of a recorded decision; empty where there is no server."""
    return f"{url}/decision?id={identity}" if url else ""
