"""A zip of pictures: classes from its folders or from a table of labels beside them, and paths of files as ids."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import unpack
from influence_core.data.uploads.beside import Beside, joined
from influence_core.data.uploads.columns import describe_columns
from influence_core.data.uploads.folders import Layout, harmless, layout_of, with_classes_by_name
from influence_core.data.uploads.guessing import guess_mapping
from influence_core.data.uploads.limits import PICTURE_BYTES, quoted
from influence_core.data.uploads.pictures import ENDINGS, FORMATS, decode
from influence_core.data.uploads.pixels import pixel_block
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.typed import TEXT
from influence_core.data.uploads.understanding import understood

TABLES = {".csv", ".tsv", ".txt", ".xlsx", ".ods", ".json", ".jsonl", ".ndjson", ".parquet"}
LABELS = {"label", "labels", "class", "class_name", "target", "category", "y", "diagnosis", "dx", "species", "breed"}
Members = Sequence[zipfile.ZipInfo]


def read_pictures(archive: zipfile.ZipFile, members: Members, read_table: Callable[[str, bytes], Raw]) -> Raw:
    """Pictures with classes from folders or from a table beside them, train and test from folders.

    Args:
        archive: of the pictures.
        members: its files.
        read_table: reads a file of labels by name and content.

    Returns:
        Pixels as features, the class as the target, paths of files as ids.

    Raises:
        DataError: a picture is too large; damaged ones, or fewer than two classes, are refused, too.
    """
    chosen = [m for m in members if is_picture(m.filename)]
    others = [m for m in members if not is_picture(m.filename)]
    for member in chosen:
        if member.file_size > PICTURE_BYTES:
            raise DataError(f"Expected pictures of at most 30 MB, got {quoted(member.filename)}: make it smaller.")
    paths = [PurePosixPath(m.filename) for m in chosen]
    layout = layout_of(paths)
    tables, broken = _tables(archive, others, read_table)
    told = len(set(layout.classes)) > 1
    found, trouble = _beside(paths, tables, told)
    if found is None and not told:
        layout = with_classes_by_name(layout, paths)
        told = len(set(layout.classes)) > 1
    _check_classes(paths, others, broken if found is None and not told else None)
    kept = layout.kept if told or found is None else found.kept
    frame = _frame(paths, layout, found, kept)
    target, choice = _target(frame, found)
    pictures = decode([(chosen[k].filename, lambda m=chosen[k]: unpack(archive, m)) for k in kept])  # type: ignore[misc]
    left_out = [m.filename for m in others if found is None or m.filename != found.name]
    notes = (
        *pictures.notes,
        *((layout.lost, layout.choice) if told else ()),
        layout.split if "split" in frame else "",
        *(found.notes if found is not None else ()),
        choice,
        trouble,
        f"Files that are no readable pictures were left out: {_some(left_out)}." if left_out else "",
    )
    aside = tuple(str(name) for name in frame.columns if name not in {target, "file", "split"})
    return Raw(
        frame, {"pixels": pixel_block(pictures.images)}, pictures.images, tuple(note for note in notes if note),
        index="file", target=target, aside=aside,
        readings={name: TEXT for name in ("class", "file", "split", *aside) if name in frame and _told(name, found)},
    )  # fmt: skip


def _told(name: str, found: Beside | None) -> bool:
    """Whether a column comes from folders, whose names are texts, and not from a table."""
    return found is None or name not in found.table.columns


def _beside(
    paths: Sequence[PurePosixPath], tables: Sequence[tuple[str, pd.DataFrame]], told: bool
) -> tuple[Beside | None, str]:
    # Where folders tell the classes, a table that cannot be joined is no reason to refuse the pictures.
    try:
        return joined(paths, tables), ""
    except DataError as error:
        if not told:
            raise
        return None, f"A table beside the pictures was not used: {str(error)[0].lower()}{str(error)[1:]}"


def _target(frame: pd.DataFrame, found: Beside | None) -> tuple[str, str]:
    # A table with a column called label is made for it, and then folders are only a way to store many files.
    named = [name for name in found.table.columns if str(name).lower() in LABELS] if found is not None else []
    if "class" not in frame:
        return str(named[0]) if named or found is None else _likely(found.table), ""
    if not named or (frame["class"] == frame[named[0]].astype(str)).all():
        return "class", ""
    note = f"The target is {quoted(named[0])} of the table, not the folder of a picture (class)"
    return str(named[0]), f"{note}: choose the other if that is wrong."


def _likely(table: pd.DataFrame) -> str:
    raw = understood(Raw(table))
    return guess_mapping(raw, describe_columns(raw)).target


def is_picture(name: str) -> bool:
    """Whether the ending of a name says that a file is a picture that can be read."""
    return PurePosixPath(name).suffix.lower() in ENDINGS


def _tables(
    archive: zipfile.ZipFile, members: Members, read_table: Callable[[str, bytes], Raw]
) -> tuple[list[tuple[str, pd.DataFrame]], str]:
    # Tables that can be read, and why one of the others could not.
    found, broken = [], ""
    for member in members:
        if PurePosixPath(member.filename).suffix.lower() in TABLES:
            try:
                found.append((member.filename, read_table(member.filename, unpack(archive, member)).frame))
            except DataError as error:
                broken = str(error)
    return found, broken


def _frame(paths: Sequence[PurePosixPath], layout: Layout, found: Beside | None, kept: Sequence[int]) -> pd.DataFrame:
    place = {k: row for row, k in enumerate(layout.kept)}
    columns: dict[str, Any] = {}
    if len(set(layout.classes)) > 1:
        columns["class"] = [harmless(layout.classes[place[k]]) for k in kept]
    for level, groups in enumerate(layout.groups, 1):
        name = "group" if len(layout.groups) == 1 else f"group {level}"
        columns[name] = [harmless(groups[place[k]]) if k in place else "" for k in kept]
    columns["file"] = _ids([paths[k] for k in kept])
    parts = [layout.parts[place[k]] for k in kept if layout.parts and k in place]
    if len(parts) == len(kept) and {"train", "test"} <= {*parts}:
        columns["split"] = parts
    frame = pd.DataFrame(columns)
    if found is None:
        return frame
    row_of = {k: row for row, k in enumerate(found.kept)}
    table = found.table.reindex([row_of.get(k, -1) for k in kept]).reset_index(drop=True)
    return pd.concat(
        [frame, table.rename(columns={name: f"{name} (table)" for name in table if name in frame})], axis=1
    )


def _ids(paths: Sequence[PurePosixPath]) -> list[str]:
    # As many folders before the name as make all of them different.
    for depth in range(2, 1 + max(len(path.parts) for path in paths)):
        names = [harmless("/".join(path.parts[-depth:])) for path in paths]
        if len({*names}) == len(names):
            return names
    return [f"{k} {harmless(str(path))}" for k, path in enumerate(paths, 1)]


def _check_classes(paths: Sequence[PurePosixPath], others: Members, broken: str | None) -> None:
    # ``broken`` is None where classes were found, else why a table beside the pictures could not be read.
    if broken is None:
        return
    if not paths:
        found = f"got {_some([m.filename for m in others])}" if others else "got an empty archive"
    elif broken:
        found = f"got {len(paths):,} pictures, and a table that cannot be read ({broken.rstrip('.')})"
    else:
        folders = {str(path.parent) for path in paths}
        found = f"got {len(paths):,} pictures in folders: {len(folders):,}, and no table that names them"
    kinds = ", ".join(kind.lower() for kind in FORMATS)
    raise DataError(
        f"Expected at least 2 folders, one per class, with pictures ({kinds}), or a table beside them with file names "
        f"and labels, {found}: put the pictures of each class into a folder of its name."
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(quoted(name) for name in names[:3]) + more
