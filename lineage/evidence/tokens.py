"""Tokens as people and programs read them: never the secret, except once, when it is made."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.evidence.document import Document
from lineage.evidence.layout import count, page, table
from lineage.graph.tokens import TokenRow
from lineage.ledger.clock import moment_of
from lineage.vocabulary import Role


class TokenDocument(Document, frozen=True):
    """A token without its secret."""

    id: str
    name: str
    """Whom it stands for."""
    role: Role
    namespaces: tuple[str, ...]
    """What a producer may speak of."""
    made: str
    """ISO 8601, UTC."""
    made_by: str
    expires: str
    """Empty: never."""
    revoked: str
    """Empty: it was not."""


class TokenMadeDocument(Document, frozen=True):
    """``token create``."""

    token: TokenDocument
    secret: str
    """What to send as a bearer token. It is shown this once and kept nowhere."""


class TokensDocument(Document, frozen=True):
    """``token list``, and ``token revoke``: the one revoked."""

    tokens: tuple[TokenDocument, ...]


def token(row: TokenRow) -> TokenDocument:
    """A token as it is kept, without the hash."""
    return TokenDocument(
        row.id, row.name, row.role, row.namespaces, _when(row.made), row.made_by, _when(row.expires), _when(row.revoked)
    )


def made_text(made: TokenDocument, secret: str) -> str:
    """The one showing of a secret."""
    return page([
        f"Token {made.id} for {made.name}, {made.role.value}. Shown this once, kept nowhere:", secret,
        f"lineagegate token revoke {made.id} ends it.",
    ])  # fmt: skip


def tokens_text(tokens: Sequence[TokenDocument]) -> str:
    """Tokens, one a line."""
    rows = [(t.id, t.role.value, state(t), t.name, " ".join(t.namespaces)) for t in tokens]
    return page([f"{count(len(rows), 'token')}.", *table(rows)])


def state(found: TokenDocument) -> str:
    """Whether a token holds."""
    if found.revoked:
        return f"revoked {found.revoked[:10]}"
    return f"until {found.expires[:10]}" if found.expires else "in force"


def _when(time: int) -> str:
    return moment_of(time).isoformat() if time else ""
