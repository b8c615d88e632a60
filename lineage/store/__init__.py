"""The database: tables, SQLite and PostgreSQL behind one small interface, migrations.

Ledger entry and graph rows go in ONE transaction. SQLAlchemy and Alembic make and migrate the schema
(`lineage.store.tables`, ``migrations/``) and are not imported to use it: hot statements are plain SQL on the driver
(facts: 5 against 33 µs a point select). What the rows mean is `lineage.graph`'s business.
"""

from lineage.store.store import Insert, Lookup, Store, create_store, open_store, scratch_store

__all__ = ["Insert", "Lookup", "Store", "create_store", "open_store", "scratch_store"]
