"""How far the changes a forest foretells lie from those of trees that grow again: mean r and slope over test points.

python -m tests.benchmarks.forest
"""

from __future__ import annotations

import numpy as np

from influence_core.agreement import agreement
from influence_core.analysis import Task, forest, load
from influence_core.settings import DataSettings

DATA = {"breast_cancer": (), "iris": (("classes", "3"),), "diabetes": (), "forest_fires": ()}
POINTS, SEED = 20, 0


def main(trees: int = 100, leaf: int = 5) -> None:
    """One line for each data set and change."""
    for name, options in DATA.items():
        split = load(DataSettings(name, options, test_fraction=0.2), SEED)
        made = forest.grown(split.train, trees, leaf, SEED, Task())
        found = made.leanings(split.test, range(POINTS))
        truth = [made.regrown(split.test, one, Task()) for one in found]
        for change in forest.CHANGES:
            each = [agreement(getattr(b, change), getattr(a, change)) for a, b in zip(found, truth, strict=True)]
            r = [one.r.value for one in each if one.r.value is not None]
            slope = [one.slope.value for one in each if one.slope.value is not None]
            sign = [one.sign.value for one in each if one.sign.value is not None]
            print(
                f"| {name}, {change} | {np.mean(r):.2f} | {np.median(slope):.2f} | {np.mean(sign):.0%} | "
                f"{len(r)} of {POINTS} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
