"""The head row bears the number of the schema. Frozen: what comes later is another revision."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """No table changes; the number is set by `lineage.store.migrate` after each revision, this one the first."""
