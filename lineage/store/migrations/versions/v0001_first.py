"""The first schema. Frozen: what comes later is another revision."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text, text

revision = "0001"
down_revision = None


def number(name: str) -> Column[int]:
    """An integer column; SQLite's row ids want its own INTEGER."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, kind, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Make every table, with the one row of `head` and the empty set."""
    op.create_table(
        "act",
        number("kind"),
        Column("key", Text, nullable=False),
        number("entry"),
        PrimaryKeyConstraint("kind", "key", "entry"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "content",
        Column("key", LargeBinary, nullable=False),
        number("node"),
        PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dataset",
        number("id"),
        number("namespace"),
        Column("name", Text, nullable=False),
        number("node"),
        number("entry"),
        number("last"),
        number("model"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("dataset_name", "dataset", ["name", "namespace"], unique=True)
    op.create_table(
        "entry",
        number("position"),
        number("count"),
        number("recorded"),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "head",
        number("id"),
        number("position"),
        number("recorded"),
        Column("frontier", LargeBinary, nullable=False),
        number("epoch"),
        number("nodes"),
        number("runs"),
        number("datasets"),
        number("versions"),
        number("models"),
        number("pairsets"),
        number("sources"),
        number("origins"),
        number("namespaces"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table("made", number("node"), number("run"), PrimaryKeyConstraint("node", "run"), sqlite_with_rowid=False)
    op.create_table(
        "member",
        number("directory"),
        number("node"),
        PrimaryKeyConstraint("directory", "node"),
        sqlite_with_rowid=False,
    )
    op.create_index("member_node", "member", ["node", "directory"], unique=False)
    op.create_table("namespace", number("id"), Column("name", Text, nullable=False), PrimaryKeyConstraint("id"))
    op.create_table(
        "node",
        number("id"),
        number("pairset"),
        number("made"),
        number("run"),
        number("source"),
        number("flags"),
        PrimaryKeyConstraint("id"),
    )
    op.create_table("origin", number("id"), Column("value", Text, nullable=False), PrimaryKeyConstraint("id"))
    op.create_table(
        "pairset",
        number("id"),
        Column("digest", LargeBinary, nullable=False),
        Column("pairs", LargeBinary, nullable=False),
        Column("labels", LargeBinary, nullable=False),
        number("epoch"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index("pairset_digest", "pairset", ["digest"], unique=True)
    op.create_table(
        "reads", number("node"), number("run"), PrimaryKeyConstraint("node", "run"), sqlite_with_rowid=False
    )
    op.create_table(
        "removal",
        number("node"),
        number("origin"),
        number("source"),
        PrimaryKeyConstraint("node", "origin", "source"),
        sqlite_with_rowid=False,
    )
    op.create_table("retag", number("epoch"), number("source"), PrimaryKeyConstraint("epoch"))
    op.create_table(
        "run", number("id"), number("entry"), Column("edges", LargeBinary, nullable=False), PrimaryKeyConstraint("id")
    )
    op.create_table(
        "run_key",
        Column("key", LargeBinary, nullable=False),
        number("run"),
        PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source",
        number("id"),
        number("kind"),
        number("node"),
        number("dataset"),
        number("base"),
        Column("origins", Text, nullable=False),
        number("tags"),
        PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "source_base",
        "source",
        ["base"],
        unique=False,
        sqlite_where=text("base > 0"),
        postgresql_where=text("base > 0"),
    )
    op.create_index(
        "source_generated",
        "source",
        ["dataset"],
        unique=False,
        sqlite_where=text("kind = 1"),
        postgresql_where=text("kind = 1"),
    )
    op.create_table(
        "state",
        Column("key", Text, nullable=False),
        Column("value", Text, nullable=False),
        PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tag",
        number("source"),
        number("origin"),
        number("basis"),
        number("entry"),
        PrimaryKeyConstraint("source", "origin", "basis", "entry"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "taken",
        number("node"),
        number("origin"),
        number("basis"),
        PrimaryKeyConstraint("node", "origin", "basis"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "version",
        number("dataset"),
        number("node"),
        number("entry"),
        PrimaryKeyConstraint("dataset", "node"),
        sqlite_with_rowid=False,
    )
    bind = op.get_bind()
    nothing = {"none": b""}
    bind.execute(text("INSERT INTO head VALUES (0, 0, 0, :none, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)"), nothing)
    bind.execute(text("INSERT INTO pairset VALUES (1, :none, :none, :none, 0)"), nothing)
