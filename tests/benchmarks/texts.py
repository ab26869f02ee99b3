"""Speed and memory on texts, beside plain SciPy and scikit-learn in the same run; figures go into README.md.

Run: ``python tests/benchmarks/texts.py [--texts 6000] [--words 10000] [--uploaded 50000] [--painted 6000]``; 0 leaves
a part out.  ``--painted`` needs Chromium and the test requirements.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.analysis import Analysis, Problem, analyse, feature_shares
from influence_core.analysis.problem import Given
from influence_core.compute.sparse import stored
from influence_core.data import uploads
from influence_core.data.dataset import Dataset, Table
from influence_core.data.split import split
from influence_core.data.texts import no_words
from influence_core.data.words import WordFeatures
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import DataSettings, ModelSettings, Settings
from tests.benchmarks.painted import painted

T = TypeVar("T")
L2, SHOWN, LEFT, SEED = 1e-3, 20, 100, 0
DENSE = 3_000  # parameters from which scikit-learn's dense Hessian takes minutes


def timed(name: str, work: Callable[[], T]) -> tuple[T, float]:
    """The result of some work, and its seconds of wall clock, with those of the processor printed beside."""
    wall, processor = time.perf_counter(), time.process_time()
    found = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name:52s} {wall:8.3f} s  (processor {processor:8.3f} s)", flush=True)
    return found, wall


def written(n: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) texts of about 70 words with Zipf's frequencies, one word in 20 telling the class, and (n,) classes."""
    random = np.random.default_rng(SEED)
    chances = 1 / np.arange(1, vocabulary + 1) ** 0.9
    y = random.integers(0, 2, n)
    chosen = random.choice(vocabulary, (n, 70), p=chances / chances.sum())
    told = random.random((n, 70)) < 0.05
    chosen = np.where(told, 2 * (chosen // 2) % vocabulary + y[:, None], chosen)
    texts = np.empty(n, dtype=object)
    texts[:] = [" ".join(f"w{k}" for k in row) for row in chosen]
    return texts, y


def problem(n: int, words: int) -> Analysis:
    """One-step Newton on n texts, and 200 that are asked about."""
    texts, y = written(n + 200, 3 * words)
    ids = np.array([f"t{k}" for k in range(len(y))])
    data = Dataset(no_words(len(y)), y, ids, (), ("no", "yes"), texts=texts)
    table = Table(data, train=np.arange(n), test=np.arange(n, n + 200), words=WordFeatures(most=words, least=1))
    made = split(table, DataSettings(), SEED)
    settings = Settings(model=ModelSettings("logistic", L2), estimator="newton")
    return Analysis(settings, Problem(settings, given=Given(made)))


def peak() -> float:
    """MB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def asked(n: int, words: int) -> None:
    """Fit, click, leave-one-out and memory."""
    warm = problem(300, 200).problem  # both programs load parts of themselves at their first fit
    LogisticRegression().fit(warm.split.train.x, warm.split.train.y), warm.fitted
    analysis = problem(n, words)
    train = analysis.problem.split.train
    csr, p = sum(array.nbytes for array in stored(train.x)) / 2**20, train.x.shape[1] + 1
    print(f"{n:,} texts × {p - 1:,} words, {csr:.1f} MB as CSR; load {os.getloadavg()[0]:.1f}; seed {SEED}")
    _, ours = timed("fit", lambda: analysis.problem.fitted)
    norm = analysis.problem.fitted.fit.gradient_norm
    for solver in ("newton-cholesky", "lbfgs")[p > DENSE :]:
        plain = LogisticRegression(C=1 / (n * L2), tol=max(norm, 1e-10), max_iter=10_000, solver=solver)
        _, theirs = timed(f"scikit-learn {solver}", lambda plain=plain: plain.fit(train.x, train.y))
        print(f"{'':4s}ratio {ours / theirs:.2f}")
    before = peak()
    for estimator in ("influence", "newton"):
        there = Analysis(replace(analysis.settings, estimator=estimator), analysis.problem)
        timed(f"{estimator}: factor and first click", lambda there=there: there.scores([0]))
        for test in (1, 2):
            timed(
                f"{estimator}: click with shares of {SHOWN} texts", lambda there=there, test=test: clicked(there, test)
            )
    grown, allowed = peak() - before, 3 * csr + 8 * p**2 / 2**20
    print(
        f"scoring took {grown:.0f} MB at its peak, allowed 3 × CSR + p² = {allowed:.0f} MB: ratio {grown / allowed:.2f}"
    )
    strongest = np.argsort(-np.abs(analysis.scores([0])[:, 0]))[:LEFT]
    question = Question(analysis.problem.test.take(slice(0, 1)))
    refits, _ = timed(
        f"exact leave-one-out of the {LEFT} strongest",
        lambda: leave_one_out(analysis.problem.fitted, question, strongest),
    )
    print(f"{'':4s}certified {refits.certified.sum()} of {LEFT}")


def clicked(analysis: Analysis, test: int) -> None:
    """What the server does at a click: scores, and the shares of the strongest texts."""
    found = analysis.scores([test])[:, 0]
    feature_shares(analysis, test, np.argsort(-np.abs(found))[:SHOWN])


def uploaded(n: int) -> None:
    """From a CSV file to the numbers of the first picture."""
    texts, y = written(n, 30_000)
    content = pd.DataFrame({"text": texts, "label": np.where(y, "yes", "no")}).to_csv(index=False).encode()
    print(f"{n:,} texts, {len(content) / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}")
    start = time.perf_counter()
    raw, _ = timed("read", lambda: uploads.read_upload("texts.csv", content))
    columns, _ = timed("describe", lambda: uploads.describe_columns(raw))
    built, _ = timed("guess and build", lambda: uploads.build(raw, uploads.guess_mapping(raw, columns)))
    timed("warnings", lambda: uploads.warnings(built, columns))
    key, _ = timed("keep", lambda: uploads.upload_store().save(built))
    data = DataSettings("upload", (("id", key),))
    analysis = analyse(Settings(data, ModelSettings("logistic", L2), estimator="newton"))
    timed("words", lambda: analysis.problem.split)
    timed("fit", lambda: analysis.problem.fitted)
    timed("map", lambda: analysis.problem.positions)
    timed("scores", lambda: analysis.scores([analysis.problem.start]))
    print(f"{'upload to first picture':52s} {time.perf_counter() - start:8.3f} s")


def main() -> None:
    """All of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=6_000)
    parser.add_argument("--words", type=int, default=10_000)
    parser.add_argument("--uploaded", type=int, default=50_000)
    parser.add_argument("--painted", type=int, default=6_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["INFLUENCE_DATA_DIR"] = folder
        if chosen.texts:
            asked(chosen.texts, chosen.words)
        if chosen.uploaded:
            uploaded(chosen.uploaded)
        if chosen.painted:
            painted(*written(chosen.painted + 200, 30_000))


if __name__ == "__main__":
    main()
