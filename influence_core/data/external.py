"""Larger or separately licensed sets: read from the data folder, into which OpenML's copy is fetched when asked."""

from __future__ import annotations

import io
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import numpy as np

from influence_core.compute import Task, data_folder
from influence_core.data.dataset import DataError, Table
from influence_core.data.images import Bytes, balanced_rows, image_dataset, parse_digits, read_digits
from influence_core.data.openml import openml
from influence_core.data.source import HELD_OUT, Chosen, Source, hold_out
from influence_core.files import write_whole
from influence_core.settings import Option

MNIST_FILE = "mnist_32k.npz"
MNIST_TRAIN = 22_699
MNIST_MEGABYTES = 15.4  # of OpenML's compressed file, for the progress bar
MNIST_BY_HAND = "an npz file with uint8 arrays x_train (n, 784), y_train (n,), x_test and y_test of MNIST"
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


def read_mnist(path: Path) -> tuple[Bytes, Bytes]:
    """All images of the file, training images first.

    Returns:
        (N, 28, 28) pixels and (N,) digits.
    """
    return read_digits(path, ("x_train", "y_train"), ("x_test", "y_test"))


def _mnist_large(options: Chosen, seed: int) -> Table:
    images, labels = found(data_folder() / MNIST_FILE, read_mnist, MNIST_BY_HAND)
    digits = parse_digits(str(options["digits"]))
    rows = balanced_rows(labels, digits, int(options["size"]), seed)
    return hold_out(image_dataset("mnist-large", images, labels, rows, digits), int(options["held_out"]))


def fetch_mnist(task: Task) -> None:
    """Bring MNIST into the data folder."""
    fetch(data_folder() / MNIST_FILE, read_mnist, openml_mnist, MNIST_BY_HAND, task)


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
