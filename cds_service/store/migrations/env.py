"""What Alembic runs: the migrations, on the connection and in the transaction of `schema.migrate`."""

from alembic import context

from cds_service.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
