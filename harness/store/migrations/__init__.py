"""Alembic environment of the store; run by ``harness.store.migrate``, never by hand."""
