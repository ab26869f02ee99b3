"""Larger or separately licensed sets: read from the data folder, into which OpenML's copy is fetched when asked."""

from __future__ import annotations

import io
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from influence_core.compute import Task, data_folder
from influence_core.data.dataset import DataError, Dataset, Table
from influence_core.data.encoding import encode
from influence_core.data.images import Bytes, balanced_rows, image_dataset, parse_digits, read_digits
from influence_core.data.openml import openml
from influence_core.data.source import HELD_OUT, Chosen, Source, hold_out
from influence_core.files import write_whole
from influence_core.settings import Option

MNIST_FILE, FIRES_FILE = "mnist_32k.npz", "forestfires.csv"
MNIST_TRAIN = 22_699
MNIST_MEGABYTES, FIRES_MEGABYTES = 15.4, 0.02  # of OpenML's compressed files, for the progress bar
MNIST_BY_HAND = "an npz file with uint8 arrays x_train (n, 784), y_train (n,), x_test and y_test of MNIST"
FIRES_BY_HAND = "the table of https://archive.ics.uci.edu/dataset/162/forest+fires"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRES_COLUMNS = {
    "X": "x of the park map, 1 to 9",
    "Y": "y of the park map, 2 to 9",
    "month": "month",
    "day": "day",
    "FFMC": "fine fuel moisture code",
    "DMC": "duff moisture code",
    "DC": "drought code",
    "ISI": "initial spread index",
    "temp": "temperature, °C",
    "RH": "relative humidity, %",
    "wind": "wind, km/h",
    "rain": "rain, mm/m²",
    "area": "burned area, ha",
}

Download = Callable[[Task], bytes]
T = TypeVar("T")


def fetch(path: Path, read: Callable[[Path], object], download: Download, manual: str, task: Task) -> None:
    """Bring a file into the data folder.

    A download is read before it gets its final name, so that a damaged one never stays.

    Args:
        path: where the file will lie.
        read: reads and checks a file; raises DataError.
        download: the content of the file, verified by a checksum; ticks in megabytes.
        manual: which file to put there by hand.
        task: progress and cancel.

    Raises:
        DataError: the file cannot be downloaded or stored, or is damaged.
    """
    if path.is_file():
        return
    try:
        write_whole(path, download(task), read)
    except (OSError, ValueError, RuntimeError, ImportError, HTTPException, KeyError) as error:
        raise DataError(f"{path.name} could not be fetched ({_reason(error)}): {_by_hand(path, manual)}") from None


def found(path: Path, read: Callable[[Path], T], manual: str) -> T:
    """What ``read`` makes of a file that must lie in the data folder already; nothing is fetched unasked.

    Returns:
        The result of ``read``.

    Raises:
        DataError: it is not there, or damaged.
    """
    if path.is_file():
        return read(path)
    raise DataError(
        f"{path.name} is not in the data folder: press Fetch it now on the Data page, or {_by_hand(path, manual)}"
    )


def _by_hand(path: Path, manual: str) -> str:
    return (
        f"put {manual} as {path.name} into the data folder of the server "
        "(INFLUENCE_DATA_DIR, by default .cache/influence-explorer in the home folder)."
    )


def _reason(error: Exception) -> str:
    """Why, in a few words and without a path of this machine."""
    inner = getattr(error, "reason", error)
    inner = getattr(inner, "strerror", None) or inner
    return str(inner)[:80] or type(error).__name__


def openml_mnist(task: Task) -> bytes:
    """MNIST from OpenML, whose checksum scikit-learn verifies; the first 22,699 training images and all test images."""
    bunch = openml("mnist_784", MNIST_MEGABYTES, as_frame=False, task=task)
    x, y = bunch.data.astype(np.uint8), bunch.target.astype(np.uint8)
    train, test = slice(MNIST_TRAIN), slice(60_000, None)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test])
    return buffer.getvalue()


def openml_fires(task: Task) -> bytes:
    """Forest fires from OpenML, whose checksum scikit-learn verifies.

    Returns:
        A CSV file with UCI's header.
    """
    frame = openml("forest_fires", FIRES_MEGABYTES, as_frame=True, task=task).frame
    spelled = {name.lower(): name for name in FIRES_COLUMNS}
    frame = frame.rename(columns=lambda name: spelled.get(str(name).lower(), name))
    return bytes(frame[list(FIRES_COLUMNS)].to_csv(index=False), "utf-8")


def read_mnist(path: Path) -> tuple[Bytes, Bytes]:
    """All images of the file, training images first.

    Returns:
        (N, 28, 28) pixels and (N,) digits.
    """
    return read_digits(path, ("x_train", "y_train"), ("x_test", "y_test"))


def read_fires(path: Path) -> pd.DataFrame:
    """The table with UCI's columns; month and day are texts such as ``aug`` and ``fri``.

    Raises:
        DataError: the file is not this table.
    """
    try:
        frame = pd.read_csv(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} is no readable CSV file ({str(error)[:80]}): replace or delete it.") from None
    if list(frame.columns) != list(FIRES_COLUMNS):
        found = ", ".join(map(str, frame.columns))[:80]
        raise DataError(f"{path.name}: expected the columns {', '.join(FIRES_COLUMNS)}, got {found}: replace it.")
    numbers = frame.drop(columns=["month", "day"])
    if not frame["month"].isin(MONTHS).all() or not frame["day"].isin(DAYS).all():
        raise DataError(f"{path.name}: expected months jan to dec and days mon to sun, got other texts: replace it.")
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in numbers.dtypes) or not np.isfinite(numbers).all(
        axis=None
    ):
        raise DataError(f"{path.name}: expected numbers in all columns but month and day: replace or delete it.")
    return frame


def _mnist_large(options: Chosen, seed: int) -> Table:
    images, labels = found(data_folder() / MNIST_FILE, read_mnist, MNIST_BY_HAND)
    digits = parse_digits(str(options["digits"]))
    rows = balanced_rows(labels, digits, int(options["size"]), seed)
    return hold_out(image_dataset("mnist-large", images, labels, rows, digits), int(options["held_out"]))


def fetch_mnist(task: Task) -> None:
    """Bring MNIST into the data folder."""
    fetch(data_folder() / MNIST_FILE, read_mnist, openml_mnist, MNIST_BY_HAND, task)


def fetch_fires(task: Task) -> None:
    """Bring the forest fires into the data folder."""
    fetch(data_folder() / FIRES_FILE, read_fires, openml_fires, FIRES_BY_HAND, task)


def _forest_fires(options: Chosen, _seed: int) -> Table:
    frame = found(data_folder() / FIRES_FILE, read_fires, FIRES_BY_HAND)
    return hold_out(fires_dataset(frame, str(options["encoding"])), int(options["held_out"]))


def fires_dataset(frame: pd.DataFrame, encoding: str) -> Dataset:
    """The fires with month and day as numbers (month 1 to 12, Monday = 1), or with one column for each.

    Returns:
        517 examples with 12 features (ordinal) or 27 (one-hot).
    """
    if encoding == "ordinal":
        month = frame["month"].map({name: number for number, name in enumerate(MONTHS, 1)})
        day = frame["day"].map({name: number for number, name in enumerate(DAYS, 1)})
        frame = frame.assign(month=month, day=day)
    return encode(frame.rename(columns=FIRES_COLUMNS), FIRES_COLUMNS["area"], "fire", "regression")


MNIST_LARGE = Source(
    title="MNIST, 32,699 images",
    summary="Handwritten digits of 28 x 28 pixels (LeCun, Cortes, Burges), from the data folder or OpenML.",
    task="classification",
    make=_mnist_large,
    options=(
        Option("digits", "1,7", "Digits", help="'all', or digits with commas."),
        Option("size", 7100, "Images at most", 20, 32_699),
        HELD_OUT,
    ),
    image=True,
    file=MNIST_FILE,
    fetch=fetch_mnist,
)
FOREST_FIRES = Source(
    title="Forest fires",
    summary="Burned area of 517 fires in a Portuguese park (Cortez and Morais 2007), from the data folder or OpenML.",
    task="regression",
    make=_forest_fires,
    options=(Option("encoding", "ordinal", "Month and day as", choices=("ordinal", "one-hot")), HELD_OUT),
    file=FIRES_FILE,
    fetch=fetch_fires,
)
