"""Versions of the schema, applied by Alembic."""

from influence_core.annotations.migrations.upgrading import upgrade

__all__ = ["upgrade"]
