"""Wrong labels among the first fifty, by each signal and by cleanlab, on five kinds of data.

    python tests/benchmarks/first_fifty.py [--seeds 5] [--data NAME]

Every seed draws its own split and flips a tenth of the training labels.  All rows are reviewed as in the app: two fits,
each of which judges what the other holds out.  cleanlab ranks the same rows by five-fold cross-validated probabilities
of scikit-learn's logistic regression with the same penalty, by self-confidence.  Prints a Markdown table: mean ±
standard error over the seeds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from cleanlab.rank import get_label_quality_scores
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.analysis import Problem, Task  # noqa: E402
from influence_core.reviewing import Recipe, run, score  # noqa: E402
from influence_core.settings import DataSettings, ModelSettings, Settings  # noqa: E402

FIRST, FLIPS = 50, 0.1
SIGNALS = ("margin", "loss", "confident_learning", "self_influence", "gradient_norm", "random")
DATA = {
    "MNIST, 3, 5 and 8": (DataSettings("mnist", (("digits", "3,5,8"), ("size", 1000))), "softmax", 1.0),
    "digits 8×8": (DataSettings("digits", (("digits", "all"),)), "softmax", 0.1),
    "breast cancer": (DataSettings("breast_cancer"), "logistic", 0.1),
    "Gaussian blobs": (DataSettings("blobs"), "logistic", 0.01),
    "moons": (DataSettings("moons"), "logistic", 0.01),
}


def found(data: DataSettings, model: str, l2: float, seed: int) -> dict[str, int]:
    """Flips among the first fifty."""
    chosen = DataSettings(data.name, data.options, validation_fraction=0.1, test_fraction=0.1, flip_fraction=FLIPS)
    settings = Settings(chosen, ModelSettings(model, l2), seed=seed)
    recipe = Recipe(settings, None, SIGNALS)
    scored = score(recipe, Problem(settings), Task())
    rows, signals = scored.whole.split, run(scored, recipe).signals
    n = len(rows.train)
    counts = {name: int(rows.flipped[np.argsort(-signals[name], kind="stable")[:FIRST]].sum()) for name in SIGNALS}
    fit = LogisticRegression(C=1 / (l2 * n), max_iter=2_000)
    belief = cross_val_predict(fit, rows.train.x, rows.train.y, cv=5, method="predict_proba")
    quality = get_label_quality_scores(rows.train.y.astype(int), belief)
    return {**counts, "cleanlab": int(rows.flipped[np.argsort(quality, kind="stable")[:FIRST]].sum())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", choices=list(DATA))
    given = parser.parse_args()
    seeds = range(given.seeds)
    names = (*SIGNALS, "cleanlab")
    print(f"| wrong among the first {FIRST} | {' | '.join(names)} |")
    print("|---" * (len(names) + 1) + "|")
    for title, (data, model, l2) in DATA.items():
        if given.data not in {None, title}:
            continue
        runs = [found(data, model, l2, seed) for seed in seeds]
        counts = np.array([[one[name] for name in names] for one in runs])
        error = counts.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else np.full(len(names), np.nan)
        cells = [f"{mean:.1f} ± {half:.1f}" for mean, half in zip(counts.mean(axis=0), error, strict=True)]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
