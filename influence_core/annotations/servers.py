"""Several servers that share a database keep uploads in one folder, else only one of them can show a card."""

from __future__ import annotations

import platform
import uuid

import sqlalchemy as sa

from influence_core.annotations.store import Store
from influence_core.annotations.tables import event
from influence_core.compute import data_folder
from influence_core.files import write_whole

MARK = "server-folder-id"
DAY = 86_400.0
WHO = "server"


def check_folder(store: Store) -> str:
    """Note with which data folder this server starts, and compare it with those of the others since yesterday.

    Returns:
        One sentence for leads where the folders differ, else "".
    """
    if store.engine.dialect.name != "postgresql":
        return ""  # a file serves one machine
    folder, host = _number(), platform.node() or "unnamed"
    with store.writing() as connection:
        now = store.now(connection)
        recent = sa.select(event.c.detail).where(event.c.kind == "server", event.c.at > now - DAY)
        others = {one["host"] for one in connection.execute(recent).scalars() if one["folder"] != folder}
        row = {"at": now, "annotator": WHO, "kind": "server", "detail": {"folder": folder, "host": host}}
        connection.execute(sa.insert(event).values(row))
    if not others:
        return ""
    return (
        f"Servers of this database keep uploads in several folders ({', '.join(sorted({host, *others}))}), so cards of "
        "uploaded data can be shown by one of them only: set INFLUENCE_DATA_DIR to one shared folder on all of them. "
        "This goes away a day after the last start with another folder."
    )


def _number() -> str:
    """What names the folder, whatever path leads to it."""
    file = data_folder() / MARK
    if not file.exists():
        write_whole(file, uuid.uuid4().hex.encode())
    return file.read_text(encoding="utf-8")
