"""Alembic configured here, so that nothing lies at the top level."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

KEY = 5_702_187_311  # of the advisory lock; any number that nobody else uses


def upgrade(engine: Engine, version: str = "head") -> None:
    """Bring the schema up to the newest version, or to another, one process at a time; a current one is only read."""
    script = ScriptDirectory(str(Path(__file__).parent))
    with engine.connect() as connection, connection.begin():
        if _version(connection) == script.get_current_head():
            return
    with engine.connect() as connection, connection.execution_options(immediate=True).begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(KEY)))
        with EnvironmentContext(Config(), script, fn=lambda now, _: script._upgrade_revs(version, now)) as step:
            step.configure(connection=connection, transactional_ddl=True)
            step.run_migrations()


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
