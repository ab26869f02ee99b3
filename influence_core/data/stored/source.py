"""A stored data set as an entry of the registry: a stated random sample of its rows, in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from influence_core.data.dataset import DataError, Dataset, Table
from influence_core.data.source import Chosen, Source, Task
from influence_core.data.stored.folder import Part, Stored, content_of, opened, stored_names
from influence_core.settings import Option, Options, resolve

EVERY = "all rows"
NONE = (
    "Nothing is stored on this server yet. In a terminal: python -m influence_core data add FILE --name NAME, with a "
    "CSV, Parquet, NPZ or zip of pictures, of any size."
)


def _chosen(options: Chosen) -> Stored:
    name = str(options["set"]) or next(iter(stored_names()), "")
    if not name:
        raise DataError(NONE)
    return opened(name)


def stored_of(options: Options) -> Stored:
    """The stored set that the options of the data name; a name that stands for nothing is a ``DataError``."""
    return _chosen(resolve(options, SAMPLE.options))


def drawn(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """Some of so many rows, at random, ascending."""
    return np.sort(np.random.default_rng([seed, 17]).choice(count, min(count, most), replace=False))


def _make(options: Chosen, seed: int) -> Table:
    """Training rows and test rows drawn at random, in the unit of the file."""
    stored = _chosen(options)
    train = drawn(len(stored.train), int(options["rows"]), seed)
    test = drawn(len(stored.test), int(options["tests"]), seed + 1)
    raw = np.concatenate([stored.train.x[train], stored.test.x[test]])
    y = np.concatenate([stored.train.y[train], stored.test.y[test]])
    ids = np.concatenate([_names(stored.train, train, "row"), _names(stored.test, test, "test row")])
    about = stored.feature_names, stored.class_names, stored.target_name
    dataset = Dataset(raw.astype(np.float64), y, ids, *about, stored.images(raw))
    rows = np.arange(len(raw))
    return Table(dataset, train=rows[: len(train)], test=rows[len(train) :])


def _names(part: Part, rows: NDArray[np.int64], word: str) -> NDArray[np.str_]:
    """Names that differ even where equal rows share one."""
    return np.array([f"{name.decode()} ({word} {row})" for name, row in zip(part.ids[rows], rows, strict=True)])


def _said(options: Chosen) -> str:
    stored = _chosen(options)
    rows, n = min(int(options["rows"]), len(stored.train)), len(stored.train)
    explored = "Explore asks all of them; on other pages" if options["explore"] == EVERY else ""
    return (
        f"A random sample of {rows:,} of {n:,} training rows of {stored.name}: {explored} the model is fitted on the "
        f"sample. A file of all rows: python -m influence_core data scores {stored.name} --out scores.parquet."
    ).replace(":  ", ": ")


def _named(option: Option) -> Option:
    names = stored_names()
    return replace(option, choices=names, default=next(iter(names), ""))


def _content(options: Options) -> str:
    name = str(dict(options).get("set", "")) or next(iter(stored_names()), "")
    return content_of(name)


def _task(options: Chosen) -> Task | None:
    try:
        return "classification" if _chosen(options).class_names else "regression"
    except DataError:
        return None


SAMPLE = Source(
    title="A stored data set",
    summary="Data larger than memory, stored on this server by the command line; some rows of it, drawn by the seed.",
    task=None,
    make=_make,
    options=(
        Option("set", "", "Stored data set"),
        Option("rows", 2_000, "Training rows drawn", 20, 20_000),
        Option("tests", 200, "Test rows drawn", 1, 2_000),
        Option("explore", EVERY, "Explore asks", choices=(EVERY, "the sample")),
    ),
    find_task=_task,
    ready=lambda: bool(stored_names()),
    missing=NONE,
    offer=lambda option: _named(option) if option.name == "set" else option,
    said=_said,
    content=_content,
)
