"""Tokens of a server: made by an administrator, shown once, kept as a hash, expiring, revocable.

A token reads ``lgt_<id>_<secret>``: the id is no secret, it names the token in lists and logs; the secret is 256 random
bits, of which the store holds the SHA-256. That a token was made or revoked, for whom and by whom, is in the ledger.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from lineage.errors import LineageError, UsageError
from lineage.events.event import act_event
from lineage.graph import Graph
from lineage.graph.tokens import TokenRow
from lineage.ledger.clock import microseconds
from lineage.vocabulary import Access, Passage, Role
from lineage.vocabulary.identifier import new_uuid, short
from lineage.vocabulary.identity import spellings

PREFIX = "lgt"
MOST_NAME = 200
"""Characters of the name that a token stands for."""
_NOBODY = bytes(32)


class Unauthenticated(LineageError):  # noqa: N818 - what it says of whoever asks
    """Nobody is known by what was shown: no token, or one that does not hold."""

    code = "UNAUTHENTICATED"


def make_token(
    graph: Graph,
    *,
    name: str,
    role: Role,
    by: str,
    namespaces: Sequence[str] = (),
    expires: datetime | None = None,
) -> tuple[TokenRow, str]:
    """Make a token.

    Args:
        graph: the record.
        name: whom it stands for; of a steward the name that claims and approvals are recorded under.
        role: what it may do.
        by: who makes it.
        namespaces: of a producer, what it may speak of (see `covers`); of others nothing.
        expires: when it ends; None: when it is revoked.

    Returns:
        The token as it is kept, and its text, which is nowhere else.

    Raises:
        UsageError: ``TOKEN_INVALID``.
    """
    now = datetime.now(timezone.utc)
    if not name.strip() or len(name) > MOST_NAME or not name.isprintable() or not spellings(name):
        raise _invalid(
            "it needs the name of somebody", f"{name[:MOST_NAME]!r} names nobody", "--name 'Jane Roe <jane@…>'"
        )
    if role is Role.PRODUCER and not namespaces:
        raise _invalid(
            "a producer needs the namespaces that it speaks of", "", "--namespace airflow-prod, or 's3://lake/*'"
        )
    if role is not Role.PRODUCER and namespaces:
        raise _invalid("only a producer has namespaces", f"{role.value} is no producer", "leave --namespace out")
    if any(not space.strip() or len(space) > MOST_NAME for space in namespaces):
        raise _invalid("a namespace is empty or too long", "", "--namespace '*' stands for all")
    if expires is not None and expires <= now:
        raise _invalid("it would be over before it begins", f"{expires.isoformat()} is past", "--expires 2027-01-31")
    identity, secret = new_uuid(), secrets.token_hex(32)
    row = TokenRow(
        short(identity), name.strip(), hashlib.sha256(secret.encode()).digest(), role, tuple(namespaces),
        microseconds(now), by, microseconds(expires) if expires else 0, 0,
    )  # fmt: skip
    _record(graph, row, Passage.TOKEN_MADE, by, now)
    return row, f"{PREFIX}_{row.id}_{secret}"


def revoke_token(graph: Graph, identity: str, *, by: str) -> TokenRow:
    """End a token now. Doing it twice ends it once.

    Raises:
        UsageError: ``TOKEN_UNKNOWN``.
    """
    row = graph.tokens.find(identity.upper())
    if row is None:
        raise UsageError(f"no token {identity}", code="TOKEN_UNKNOWN", hint="lineagegate token list")
    if row.revoked:
        return row
    now = datetime.now(timezone.utc)
    row = row._replace(revoked=microseconds(now))
    _record(graph, row, Passage.TOKEN_REVOKED, by, now)
    return row


def holder(graph: Graph, text: str) -> TokenRow:
    """The token that a text is, if it holds now.

    Raises:
        Unauthenticated: ``TOKEN_INVALID``, ``TOKEN_EXPIRED``, ``TOKEN_REVOKED``.
    """
    parts = text.split("_")
    shaped = len(parts) == 3 and parts[0] == PREFIX and len(parts[1]) == 26 and text.isascii()
    row = graph.tokens.find(parts[1]) if shaped else None
    shown = hashlib.sha256(parts[2].encode()).digest() if shaped else _NOBODY
    if row is None or not hmac.compare_digest(shown, row.secret):
        raise Unauthenticated("this token is not known", code="TOKEN_INVALID", hint="ask an administrator for one")
    if row.revoked:
        raise Unauthenticated("this token was revoked", code="TOKEN_REVOKED", hint="ask an administrator for another")
    if row.expires and row.expires <= microseconds(datetime.now(timezone.utc)):
        raise Unauthenticated("this token has expired", code="TOKEN_EXPIRED", hint="ask an administrator for another")
    return row


def covers(namespaces: Iterable[str], namespace: str) -> bool:
    """Whether a producer may speak of a namespace: it is one of its own, or begins as one that ends in ``*``."""
    return any(namespace.startswith(own[:-1]) if own.endswith("*") else namespace == own for own in namespaces)


def _record(graph: Graph, row: TokenRow, passage: Passage, by: str, now: datetime) -> None:
    act = Access(passage, by, row.id, role=row.role.value, name=row.name, detail=" ".join(row.namespaces))

    def then() -> Sequence[bytes]:  # in the transaction of the entry
        graph.tokens.put(row)
        return ()

    graph.record([act_event(act, run_id=str(new_uuid()), time=now.isoformat())], then=then)


def _invalid(problem: str, cause: str, hint: str) -> UsageError:
    return UsageError(f"this token cannot be made: {problem}", code="TOKEN_INVALID", cause=cause, hint=hint)
