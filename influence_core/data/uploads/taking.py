"""What is done to an uploaded file in one go, so that another process can do it: read, look at, and build."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from influence_core.compute import Task
from influence_core.data.dataset import DataError
from influence_core.data.uploads.building import Upload, build
from influence_core.data.uploads.checks import warnings
from influence_core.data.uploads.columns import Column, ColumnMapping, describe_columns
from influence_core.data.uploads.guessing import guess_mapping
from influence_core.data.uploads.raw import Raw, TableForm
from influence_core.data.uploads.reading import read_upload

AT_ONCE = 2**20  # bytes of a file that takes a fraction of a second
STEPS = 4


@dataclass(frozen=True, eq=False)
class FileRead:
    """A file that was read.

    Attributes:
        raw: what it held.
        columns: what can be said about its columns.
        mapping: what they are for, by guess.
        built: the data set of that guess with its warnings; None where something is to be chosen first.
    """

    raw: Raw
    columns: tuple[Column, ...]
    mapping: ColumnMapping
    built: tuple[Upload, tuple[str, ...]] | None = None


def take(name: str, content: bytes, asked: TableForm, task: Task) -> FileRead:
    """Read a file, guess what its columns are for, and build what that makes of it.

    Returns:
        All of it; a file that cannot be read is a ``DataError``.
    """
    task.tick(0, STEPS)
    raw = read_upload(name, content, asked)
    task.tick(1, STEPS)
    columns = describe_columns(raw)
    task.tick(2, STEPS)
    mapping = guess_mapping(raw, columns)
    task.tick(3, STEPS)
    built = None
    with suppress(DataError):  # said where the mapping is chosen
        built = made(raw, mapping, columns, task)
    return FileRead(raw, columns, mapping, built)


def made(raw: Raw, mapping: ColumnMapping, columns: tuple[Column, ...], task: Task) -> tuple[Upload, tuple[str, ...]]:
    """The data set that a mapping makes of a file, or a ``DataError``; and what a person should know about it."""
    task.tick(STEPS - 1, STEPS)
    built = build(raw, mapping)
    found = built, warnings(built, columns)
    task.tick(STEPS, STEPS)
    return found
