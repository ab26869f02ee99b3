"""What a registry entry of the data says about itself, and the words that several sources share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from influence_core import compute
from influence_core.compute import data_folder
from influence_core.data.dataset import Dataset, Table
from influence_core.settings import Option, Options, SettingsError, Value

Task = Literal["classification", "regression"]
Chosen = Mapping[str, Value]

HELD_OUT = Option(
    "held_out", -1, "Held-out row", -1, 10**6, help="This row alone is the test set.", empty="random split"
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One entry of ``DATASETS``.

    Attributes:
        title: the name a person reads.
        summary: one sentence, with where the data come from.
        task: what y is; None where the data decide.
        make: (options, seed) to a table; deterministic.
        options: what can be chosen, beside the name of the source.
        image: whether examples can be shown as pictures.
        standardise: False where the features are used as they are, whatever the settings say.
        file: name of the file it needs in the data folder; empty where nothing is needed.
        fetch: brings that file there; ticks in megabytes.
        uploaded: whether a person has to bring the data, so that there is nothing to load by default.
        estimator: one that suits these data better than the usual one of the model; empty where none does.
        find_task: what y is for the chosen options, where ``task`` is None; None where it cannot be told.
        ready: whether what it needs beside a file is there.
        missing: where it is not: how to bring it, for people.
        offer: an option as it can be chosen now.
        said: what a person should know of the chosen options; empty for nothing.
        worded: whether the chosen options may hold texts that take a while to become features, by a quick look.
        content: what the chosen options name now, where it may change under the same name.
    """

    title: str
    summary: str
    task: Task | None
    make: Callable[[Chosen, int], Table]
    options: tuple[Option, ...] = ()
    image: bool = False
    standardise: bool = True
    file: str = ""
    fetch: Callable[[compute.Task], None] | None = None
    uploaded: bool = False
    estimator: str = ""
    find_task: Callable[[Chosen], Task | None] = lambda _options: None
    ready: Callable[[], bool] = lambda: True
    missing: str = ""
    offer: Callable[[Option], Option] = lambda option: option
    said: Callable[[Chosen], str] = lambda _options: ""
    worded: Callable[[Chosen], bool] = lambda _options: True
    content: Callable[[Options], str] | None = None

    @property
    def present(self) -> bool:
        """Whether it loads as it is, without fetching or uploading anything."""
        return not self.uploaded and self.ready() and (not self.file or (data_folder() / self.file).is_file())


def row_ids(name: str, rows: NDArray[np.integer]) -> NDArray[np.str_]:
    """Names such as ``iris-00042``, 42 being the row in the source: the same whatever subset is chosen, (n,) texts."""
    return np.array([f"{name}-{row:05d}" for row in rows])


def hold_out(dataset: Dataset, row: int) -> Table:
    """One example asked about and all others fitted on; with row -1 the split is left to chance.

    Raises:
        SettingsError: there is no such row.
    """
    if row < 0:
        return Table(dataset)
    n = len(dataset)
    if row >= n:
        raise SettingsError(f"Held-out row: expected -1 or a row from 0 to {n - 1}, got {row}.")
    rows = np.arange(n)
    return Table(dataset, train=np.delete(rows, row), test=rows[row : row + 1])
