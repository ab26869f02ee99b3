"""An archive with a table for training and one for testing: one table, whose split they fix."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import pandas as pd

from influence_core.data.dataset import DataError
from influence_core.data.uploads.archive import unpack
from influence_core.data.uploads.columns import PART_OF
from influence_core.data.uploads.folders import part_of
from influence_core.data.uploads.limits import ROWS, at_most, counted, quoted
from influence_core.data.uploads.numerals import Mark
from influence_core.data.uploads.raw import Raw
from influence_core.data.uploads.typed import TEXT
from influence_core.data.uploads.understanding import spoken, understood

SPLIT = "split"
Parts = dict[str, zipfile.ZipInfo]


def parts_of(tables: Sequence[zipfile.ZipInfo]) -> Parts:
    """Train, test and perhaps validation by the names of tables; empty where they do not say that."""
    found: Parts = {}
    for table in tables:
        part = PART_OF.get(PurePosixPath(table.filename).stem.lower()) or part_of(PurePosixPath(table.filename).stem)
        if part and part in found:
            return {}
        if part:
            found[part] = table
    return found if {"train", "test"} <= {*found} else {}


def read_parts(
    archive: zipfile.ZipFile, parts: Parts, members: Sequence[str], read: Callable[[str, bytes], Raw]
) -> Raw:
    """The rows of all parts as one table, each column understood over all of them.

    Raises:
        DataError: a column of the training table is not in the others, or the tables hold lists or pictures.
    """
    raws = {part: read(PurePosixPath(m.filename).name, unpack(archive, m)) for part, m in parts.items()}
    train, names = raws["train"], {part: quoted(m.filename) for part, m in parts.items()}
    tables = {part: raw.frame if raw.written is None else raw.written for part, raw in raws.items()}
    columns = [str(name) for name in tables["train"]]
    if any(raw.blocks for raw in raws.values()) or SPLIT in columns:
        told = ", ".join(names.values())
        raise DataError(f"Expected one table, or plain ones for training and testing, got {told}: pack only one.")
    for part, table in tables.items():
        lost = [name for name in columns if name not in table]
        if lost:
            raise DataError(
                f"Expected the columns of {names['train']} in {names[part]}, too, got none called {quoted(lost[0])}: "
                "add it (a model can only be asked about rows whose target is known), or pack one of the tables."
            )
    at_most("rows", ROWS, sum(map(len, raws.values())), "take a random part of the rows")
    frame = pd.concat([table[columns] for table in tables.values()])
    frame = frame.reset_index(drop=True)
    frame[SPLIT] = [part for part, raw in raws.items() for _ in range(len(raw))]
    rows = ", ".join(f"{counted(len(raw), 'row')} {part}" for part, raw in raws.items())
    more = [
        f"{quoted(name)} of {names[part]}" for part, table in tables.items() for name in table if name not in columns
    ]
    notes = (
        f"The tables {', '.join(names.values())} in the archive were read, and fix the split: {rows}.",
        f"Columns that the table for training lacks were left out: {', '.join(more[:5])}." if more else "",
        *others_left_out([name for name in members if name not in {m.filename for m in parts.values()}]),
        *dict.fromkeys(note for raw in raws.values() for note in raw.notes if note not in spoken(raw.readings)),
    )
    named = bool(train.index) and frame[train.index].is_unique
    joined = Raw(
        frame, notes=tuple(note for note in notes if note), index=train.index if named else "",
        aside=() if named or not train.index else (train.index,),
        readings={SPLIT: TEXT} | ({} if train.written is not None else dict(train.readings)),
        asked=train.asked, form=train.form, sheets=train.sheets,
    )  # fmt: skip
    hint: Mark = "," if train.form is not None and train.form.separator == ";" else ""
    return understood(joined, hint, train.asked.decimal)


def others_left_out(names: Sequence[str]) -> tuple[str, ...]:
    """What is said of further files of an archive."""
    return (f"Other files in the archive were left out: {files_listed(names)}.",) if names else ()


def files_listed(names: Sequence[str]) -> str:
    """At most five names of files."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(quoted(name) for name in names[:5]) + more if names else "nothing"
