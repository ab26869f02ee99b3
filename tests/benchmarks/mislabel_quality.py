"""How well each signal finds flipped labels: MNIST, ten digits, softmax, or bundled texts; 10 % flips, many seeds.

    python tests/benchmarks/mislabel_quality.py [--data mnist_large] [--size N] [--seeds 10] [--l2 0.03] [--out FILE]

``mnist`` is the bundled subset, ``mnist_large`` the file of the data folder.  Of the texts (``spam_assassin``,
``state_of_the_union``; logistic) SIZE is the number of words; l2 = 0.001.  Every seed draws its own images, split
and flips; a tenth of the images is a trusted validation split, a tenth (of the large set: a hundredth) is for testing.
l2 has the smallest validation loss of 0.03, 0.1, 0.3, 1 on the bundled subset with seed 0; it is not tuned to find
flips.  Finished seeds are kept in FILE, one JSON object a line, and not run again.  Prints a Markdown table, mean ±
standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.analysis import SIGNALS, Review, analyse, detection, mean_and_error  # noqa: E402
from influence_core.settings import DataSettings, ModelSettings, Settings  # noqa: E402

CHECKED = (0.1, 0.2)
PUBLISHED = 0.981  # AUC of self-influence
REQUIRED = 0.97
FLIPS = 0.1
TEXTS = ("spam_assassin", "state_of_the_union")


def settings(data: str, size: int, l2: float, seed: int) -> Settings:
    """One run."""
    if data in TEXTS:
        parts = {"validation_fraction": 0.1, "test_fraction": 0.1, "flip_fraction": FLIPS}
        return Settings(DataSettings(data, (("words", size),), **parts), ModelSettings("logistic", l2), seed=seed)
    chosen = DataSettings(
        data,
        (("digits", "all"), ("size", size)),
        validation_fraction=0.1 if data == "mnist" else 0.09,
        test_fraction=0.1 if data == "mnist" else 0.01,
        flip_fraction=FLIPS,
    )
    return Settings(chosen, ModelSettings("softmax", l2), seed=seed)


def run(chosen: Settings) -> dict[str, object]:
    """AUC and recall of every signal for one seed."""
    begun = time.perf_counter()
    review = Review(analyse(chosen))
    flipped, result = review.analysis.problem.split.flipped, {}
    for name, suspicion in review.suspicions().items():
        found = detection(suspicion, flipped, review.ties, CHECKED)
        result[name] = [found.auc.value, *found.recall.tolist()]
    return {
        "seed": chosen.seed,
        "n": len(flipped),
        "seconds": time.perf_counter() - begun,
        "signals": result,
    }


def table(runs: list[dict]) -> str:
    """Markdown."""
    lines = ["| signal | AUC | recall at 10 % | recall at 20 % |", "|---|---|---|---|"]
    for name, entry in SIGNALS.items():
        if name not in runs[0]["signals"]:
            continue  # not defined for this model
        mean, error = mean_and_error(np.array([run["signals"][name] for run in runs]))
        cells = [f"{value:.3f} ± {spread:.3f}" for value, spread in zip(mean, error, strict=True)]
        lines.append(f"| {entry.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def finished(out: Path | None) -> dict[str, dict]:
    """Runs of an earlier call."""
    if out is None or not out.exists():
        return {}
    return {run["key"]: run for run in map(json.loads, out.read_text(encoding="utf-8").splitlines())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=["mnist", "mnist_large", *TEXTS], default="mnist")
    parser.add_argument(
        "--size", type=int, help="images, default 5,000 bundled, 11,111 (10,000 to train) large; words, 2,000"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--l2", type=float, help="default 0.03; 0.001 for texts")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    usual = {"mnist": 5_000, "mnist_large": 11_111}.get(given.data, 2_000)
    l2 = given.l2 or (0.001 if given.data in TEXTS else 0.03)
    size, kept, runs = given.size or usual, finished(given.out), []
    for seed in range(given.seeds):
        key = f"{given.data}:{size}:{l2:g}:{seed}"
        if key not in kept:
            kept[key] = found = {"key": key, **run(settings(given.data, size, l2, seed))}
            print(f"seed {seed}: {found['seconds']:.0f} s, {found['signals']['self_influence']}", file=sys.stderr)
            if given.out is not None:
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(found) + "\n")
        runs.append(kept[key])
    model = "logistic" if given.data in TEXTS else "softmax"
    print(f"{given.data}, n = {runs[0]['n']:,}, {model}, l2 = {l2:g}, {FLIPS:.0%} flips, {len(runs)} seeds\n")
    print(table(runs))
    if given.data in TEXTS:
        return  # nothing is published to compare with
    reached = float(np.mean([run["signals"]["self_influence"][0] for run in runs]))
    verdict = "reached" if reached >= REQUIRED else "MISSED"
    print(f"\nSelf-influence AUC {reached:.4f}: required {REQUIRED} {verdict}, published {PUBLISHED}.")


if __name__ == "__main__":
    main()
