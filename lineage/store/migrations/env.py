"""Alembic asks for this file; the migrations run in process instead (`lineage.store.migrate`)."""
