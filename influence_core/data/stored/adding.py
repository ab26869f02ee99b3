"""Adding a file to the shelf: read as a stream in two passes, written as it goes, taken up again where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from influence_core.compute import Task
from influence_core.data.dataset import DataError
from influence_core.data.stored.folder import FILES, FORMAT, MANIFEST, Stored, checked_name, chunks_of, opened, shelf
from influence_core.data.stored.growing import Growing, RunningMoments
from influence_core.data.stored.intake import ID_BYTES, File, Intake, Rows, file_of
from influence_core.files import write_whole

JOURNAL = "journal.npz"
EVERY = 20  # chunks between two entries of the journal


def add(path: Path, name: str, reading: Intake = Intake(), task: Task = Task()) -> Stored:  # noqa: B008 - frozen
    """Store a CSV, Parquet or NPZ file, or a zip of pictures, as a data set that is never loaded whole.

    Memory is bounded by a few chunks and, for arrays, by the targets.  Stopped half way, the same call goes on where
    the last one was.

    Raises:
        DataError: the file, a column or a cell cannot be used, the name is taken, or the disk is full.
    """
    folder = shelf() / checked_name(name)
    if folder.exists():
        raise DataError(f"There is a stored data set {name!r} already: choose another name, or remove it first.")
    if not path.is_file():
        raise DataError(f"{path.name}: there is no such file.")
    if not 0 < reading.test < 1:
        raise DataError(f"--test: expected a share between 0 and 1, got {reading.test}.")
    file = file_of(path, reading)
    part = folder.with_name(f"{name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
        needed = int(1.1 * file.rows * (len(file.features) * file.dtype.itemsize + ID_BYTES))
        needed -= sum(found.stat().st_size for found in part.glob("*.npy"))
        if (free := shutil.disk_usage(part).free) < needed:
            raise DataError(f"{name}: needs {needed / 1e9:.1f} GB more in the data folder, {free / 1e9:.1f} are free.")
        _write(file, part, _stamp(path, reading), task)
        _describe(file, part)
        part.rename(folder)
    except OSError as error:
        raise DataError(f"{name} could not be stored ({error.strerror or error}): make room, then go on.") from None
    return opened(name)


def _stamp(path: Path, reading: Intake) -> str:
    """Names the file and how it is read: only the same run is taken up again."""
    status, digest = path.stat(), hashlib.sha256(json.dumps(asdict(reading)).encode())
    digest.update(f"{path.name}:{status.st_size}:{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _write(file: File, part: Path, stamp: str, task: Task) -> None:
    done, train, test, moments = _resumed(part, stamp)
    with _files(file, part, (train, test)) as outputs:
        for chunk, rows in enumerate(file.stream(done), done + 1):
            for ends, some in (("", ~rows.test), ("_test", rows.test)):
                _append(outputs, ends, rows, some)
            moments.add(rows.x[~rows.test].astype(file.dtype))
            counts = (outputs["x"].rows, outputs["x_test"].rows)
            if chunk % EVERY == 0:
                for output in outputs.values():
                    output.settle()
                _keep(part, stamp, (chunk, *counts), moments)
            task.tick(sum(counts), file.rows)
    for what, count in (("training", moments.count), ("test", outputs["x_test"].rows)):
        if not count:
            raise DataError(f"No {what} rows are left: choose another --test.")
    np.save(part / "scaling.npy", moments.scaling)


def _append(outputs: dict[str, Growing], ends: str, rows: Rows, some: Any) -> None:
    outputs[f"x{ends}"].append(rows.x[some])
    outputs[f"y{ends}"].append(rows.y[some])
    outputs[f"ids{ends}"].append(rows.ids[some])


@contextmanager
def _files(file: File, part: Path, counts: tuple[int, int]) -> Generator[dict[str, Growing]]:
    outputs = {}
    for ends, rows in zip(("", "_test"), counts, strict=True):
        outputs[f"x{ends}"] = Growing(part / f"x{ends}.npy", file.dtype, (len(file.features),), rows)
        kind = np.dtype(np.int64 if file.classes else np.float64)
        outputs[f"y{ends}"] = Growing(part / f"y{ends}.npy", kind, (), rows)
        outputs[f"ids{ends}"] = Growing(part / f"ids{ends}.npy", np.dtype(f"S{ID_BYTES}"), (), rows)
    try:
        yield outputs
    finally:
        for output in outputs.values():
            output.close()


def _keep(part: Path, stamp: str, counts: tuple[int, int, int], moments: RunningMoments) -> None:
    journal = part / f"{JOURNAL}.new.npz"
    np.savez(
        journal, stamp=stamp, counts=np.array(counts), seen=moments.count, mean=moments.mean, squares=moments.squares
    )
    journal.replace(part / JOURNAL)


def _resumed(part: Path, stamp: str) -> tuple[int, int, int, RunningMoments]:
    """Chunks and rows that an interrupted run of the same file has finished."""
    try:
        with np.load(part / JOURNAL, allow_pickle=False) as kept:
            if str(kept["stamp"]) == stamp:
                chunks, train, test = kept["counts"].tolist()
                return chunks, train, test, RunningMoments(int(kept["seen"]), kept["mean"], kept["squares"])
    except (OSError, ValueError, KeyError, EOFError):
        pass
    for old in part.glob("*"):
        old.unlink()
    return 0, 0, 0, RunningMoments()


def _describe(file: File, part: Path) -> None:
    sums = {}
    for name in FILES:
        digest = hashlib.sha256()
        for chunk in chunks_of(part / f"{name}.npy"):
            digest.update(chunk)
        sums[f"{name}.npy"] = digest.hexdigest()
    said = {
        "format": FORMAT,
        "features": file.features,
        "classes": file.classes,
        "target": file.target,
        "notes": file.notes,
        "picture": file.picture,
        "files": sums,
    }
    (part / JOURNAL).unlink(missing_ok=True)
    write_whole(part / MANIFEST, json.dumps(said, ensure_ascii=False).encode())
