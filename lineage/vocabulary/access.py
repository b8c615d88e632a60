"""Who was let in, who was turned away and who read what is handed over, as records (issue 5: people and rights)."""

from __future__ import annotations

from enum import Enum

from lineage.vocabulary.value import Value


class Role(str, Enum):
    """What a token or an identity may do; `lineage.server.access` says which route is for whom."""

    PRODUCER = "producer"  # records events of its namespaces
    GATE = "gate"  # asks for decisions
    READER = "reader"  # asks questions
    STEWARD = "steward"  # declares, grants, claims and approves; reads
    ADMINISTRATOR = "administrator"  # hands out tokens; reads


class Passage(str, Enum):
    """What happened at the door."""

    READ = "read"  # a dossier or a bundle left the house
    DENIED = "denied"  # somebody known asked for what is not for them
    TOKEN_MADE = "token-made"  # noqa: S105 - a word, no secret
    TOKEN_REVOKED = "token-revoked"  # noqa: S105


class Access(Value, frozen=True):
    """One thing that happened at the door of a server."""

    passage: Passage
    by: str
    """Who: the identity that was established, never one that was merely claimed."""
    subject: str
    """What was read, the route that was refused, or the id of the token."""
    role: str = ""
    """Of the token that was made or revoked; of a refusal, the roles of whoever was refused."""
    name: str = ""
    """Whom the token that was made or revoked stands for."""
    detail: str = ""
    """Form of what was read (``html``), or why it was refused."""
    again: int = 0
    """Refusals like this one since the last entry that told of one."""
