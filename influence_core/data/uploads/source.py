"""Uploaded data as an entry of the registry: the link holds their fingerprint and nothing else."""

from __future__ import annotations

from dataclasses import replace

from influence_core.data.dataset import DataError, Table
from influence_core.data.embedding import offered, said
from influence_core.data.source import Chosen, Source, Task
from influence_core.data.uploads.store import upload_store
from influence_core.data.words import WORDS, WordFeatures
from influence_core.settings import Option


def _make(options: Chosen, _seed: int) -> Table:
    table = upload_store().load(str(options["id"]))
    return table if table.words is None else replace(table, words=WordFeatures.of(options))


def _task(options: Chosen) -> Task | None:
    try:
        return (
            "classification"
            if upload_store().manifest(str(options["id"]))["task"] == "classification"
            else "regression"
        )
    except (DataError, KeyError):
        return None


def _worded(options: Chosen) -> bool:
    try:
        return bool(upload_store().manifest(str(options["id"])).get("words"))
    except DataError:
        return True  # said where they are loaded


UPLOAD = Source(
    title="Your own data",
    summary="A file of yours: a table, arrays, pictures in class folders, or embeddings; kept on this server only.",
    task=None,
    make=_make,
    options=(Option("id", "", "Uploaded data", help="Fingerprint of file and mapping."), *WORDS),
    offer=offered,
    said=said,
    uploaded=True,
    find_task=_task,
    worded=_worded,
)
