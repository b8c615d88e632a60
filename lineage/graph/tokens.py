"""Rows of the table `token`: who may ask a server. What a secret is and who may make one is `lineage.gate.tokens`'s.

Beside the entries, because a hash of a secret has no place in a record that is handed over; what was made and revoked,
by whom and when, is an entry (`lineage.vocabulary.Access`), written in the same transaction.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lineage.store import Insert, Store
from lineage.store.store import damaged
from lineage.vocabulary import Role


class TokenRow(NamedTuple):
    """A row of the table `token`. Times are microseconds since 1970 in UTC; 0: never."""

    id: str
    name: str
    """Whom it stands for."""
    secret: bytes
    """SHA-256 of the secret."""
    role: Role
    namespaces: tuple[str, ...]
    """What a producer may speak of; see `lineage.gate.tokens.covers`."""
    made: int
    made_by: str
    expires: int
    revoked: int


_COLUMNS = ("id", "name", "secret", "role", "namespaces", "made", "made_by", "expires", "revoked")
_PUT = Insert(
    "token",
    _COLUMNS,
    ("text", "text", "bytea", "text", "text", "bigint", "text", "bigint", "bigint"),
    "ON CONFLICT (id) DO UPDATE SET revoked = excluded.revoked",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM token"  # noqa: S608 - fixed names


class Tokens:
    """See the module.

    Args:
        store: an open store, outside of any transaction or in one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, identity: str) -> TokenRow | None:
        """A token by its id."""
        with self._store.lock:
            self._store.check()
            row = self._store.one(f"{_SELECT} WHERE id = ?", (identity,))
        return None if row is None else _row(*row)

    def all(self) -> list[TokenRow]:
        """Every token ever made, in the order of making."""
        with self._store.lock:
            self._store.check()
            found = self._store.rows(f"{_SELECT} ORDER BY id")
        return [_row(*row) for row in found]

    def put(self, row: TokenRow) -> None:
        """Add a token, or mark one as revoked. In a write transaction."""
        namespaces = msgspec.json.encode(row.namespaces).decode()
        self._store.insert(_PUT, [(*row[:3], row.role.value, namespaces, *row[5:])])


def _row(
    identity: str, name: str, secret: bytes, role: str, namespaces: str, made: int, by: str, expires: int, revoked: int
) -> TokenRow:
    try:
        spaces = msgspec.json.decode(namespaces, type=tuple[str, ...])
        return TokenRow(identity, name, bytes(secret), Role(role), spaces, made, by, expires, revoked)
    except (msgspec.DecodeError, ValueError) as error:
        raise damaged(f"token {identity} cannot be read: {error}") from None
