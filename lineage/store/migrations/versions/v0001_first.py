"""The first schema."""

from alembic import op
from sqlalchemy import text

from lineage.store.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table, with the one row of `head` and the empty set."""
    bind = op.get_bind()
    metadata.create_all(bind)
    bind.execute(text("INSERT INTO head VALUES (0, 0, 0, :none, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)"), {"none": b""})
    bind.execute(text("INSERT INTO pairset VALUES (1, :none, :none, :none, 0)"), {"none": b""})
