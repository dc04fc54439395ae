"""What Alembic runs: the migrations, in the transaction of the connection it is handed.

That transaction is the caller's: one that fails leaves the schema it found, on SQLite too.
"""

from alembic import context

from harness.store.schema import VERSION_TABLE, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters a table by rebuilding it
)
with context.begin_transaction():
    context.run_migrations()
