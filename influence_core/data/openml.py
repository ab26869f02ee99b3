"""Downloads from OpenML by scikit-learn, which verifies the checksum; with progress, Cancel and an end of patience.

scikit-learn says nothing while it works, so it works in a thread and the growth of its files is what is reported.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

from sklearn.datasets import fetch_openml

from influence_core.compute import Task

PATIENCE = 45.0  # seconds without a first byte
POLL = 0.2  # seconds


def openml(name: str, megabytes: float, as_frame: bool, task: Task) -> Any:
    """Version 1 of a data set of OpenML.

    Args:
        name: of the data set.
        megabytes: about what will be downloaded.
        as_frame: a table instead of arrays.
        task: told megabytes; Cancel is seen within a fraction of a second.

    Returns:
        scikit-learn's bunch.

    Raises:
        TimeoutError: nothing arrived.
    """
    folder, answer = Path(tempfile.mkdtemp(prefix="influence-fetch-")), Future[Any]()
    threading.Thread(target=_fetch, args=(name, as_frame, folder, answer), name="influence-fetch", daemon=True).start()
    started, size = time.monotonic(), 0.0
    try:
        while not answer.done():
            wait([answer], POLL)
            size = max(size, _megabytes(folder))
            task.tick(min(size, megabytes), megabytes)
            if not size and time.monotonic() - started > PATIENCE:
                raise TimeoutError(f"no answer from OpenML within {PATIENCE:.0f} s")
        return answer.result()
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a thread that still writes fails, and removes the rest itself


def _fetch(name: str, as_frame: bool, folder: Path, answer: Future[Any]) -> None:
    try:
        answer.set_result(fetch_openml(name, version=1, as_frame=as_frame, data_home=folder, n_retries=1))
    except Exception as error:  # noqa: BLE001 - raised where the answer is awaited
        answer.set_exception(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _megabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # moved or removed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total / 1e6
