"""What alembic runs: always on a connection that is given, in a transaction of its owner."""

from alembic import context

from libra.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
