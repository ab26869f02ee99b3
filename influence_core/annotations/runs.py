"""What made the scores of a queue, read back so that the same model can be fitted again."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from influence_core.annotations.errors import AnnotationError
from influence_core.annotations.store import Store
from influence_core.annotations.tables import run


def run_settings(store: Store, number: int) -> dict[str, Any]:
    """The settings of a run, as they were given to :func:`create_queue`.

    Args:
        store: where.
        number: of the run, ``Queue.run``.

    Returns:
        JSON values.

    Raises:
        AnnotationError: there is no such run.
    """
    with store.reading() as connection:
        found = connection.execute(sa.select(run.c.settings).where(run.c.id == number)).scalar_one_or_none()
    if found is None:
        raise AnnotationError(f"There is no run number {number} in this database: choose a queue from the list.")
    return dict(found)
