"""Data on disk against plain NumPy loops over the same blocks, with the peak memory of each step.

    python tests/benchmarks/on_disk.py [steps] [clicks] [wide] [--rows 1000000] [--cluster local:2]

``steps`` fits, scores, ranks and refits; ``clicks`` asks as Explore does, at once and by a full pass; ``wide`` has more
parameters than a Hessian has room for (a hundredth of the rows × 13,000 columns of float32), which conjugate gradients
solve in passes.  Makes a set of uint8 pictures (784 bytes a row) in a temporary folder and removes it afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.compute import Task
from influence_core.compute.executor import executor
from influence_core.compute.task import Elsewhere
from influence_core.data.stored import Stored, add, opened
from influence_core.settings import DataSettings, ModelSettings, Settings
from influence_core.streamed import atlas, fit_cost, leave_out, streamed
from influence_core.streamed.fitting import at

WIDTH, BLOCK, TESTS, STRONGEST, CLICKS = 784, 10_000, 100, 64, 20
OFTEN = 0.02  # seconds between two looks at the memory


def made(folder: Path, rows: int) -> Path:
    """Bernoulli-like pixels whose mean moves with the class, written without ever holding all of them."""
    random, path = np.random.default_rng(0), folder / "made.npz"
    direction = random.normal(size=WIDTH)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (rows, WIDTH))
    y = np.zeros(rows, dtype=np.int64)
    for start in range(0, rows, BLOCK):
        block = random.integers(0, 256, (min(BLOCK, rows - start), WIDTH), dtype=np.uint8)
        x[start : start + len(block)] = block
        logits = (block / 255 - 0.5) @ direction
        y[start : start + len(block)] = random.random(len(block)) < 1 / (1 + np.exp(-logits))
    held = rows // 100
    np.savez(path, x_train=x[held:], y_train=y[held:], x_test=x[:held], y_test=y[:held])
    (folder / "x.npy").unlink()
    return path


@contextmanager
def watched_memory() -> Generator[list[float]]:
    """The most memory of the process meanwhile in GB, without what it maps of files (RssAnon and RssShmem of Linux)."""
    peak, ended, status = [0.0], threading.Event(), Path("/proc/self/status")

    def look() -> None:
        lines = [line.split() for line in status.read_text().splitlines() if line.startswith(("RssAnon", "RssShmem"))]
        peak[0] = max(peak[0], sum(int(line[1]) for line in lines) / 1e6)

    def watch() -> None:
        while not ended.wait(OFTEN):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        look()
        ended.set()
        watcher.join()


def timed(what: str, run: Callable[[], object], reference: Callable[[], object] | None = None) -> object:
    """Print seconds, the ratio to the reference, and the peak memory of the step itself, packages included."""
    start = time.perf_counter()
    with watched_memory() as peak:
        found = run()
    seconds = time.perf_counter() - start
    ratio = ""
    if reference is not None:
        start = time.perf_counter()
        reference()
        ratio = f", {seconds / (time.perf_counter() - start):.2f} × the loop"
    print(
        f"{what}: {seconds:.1f} s{ratio} (peak {peak[0]:.2f} GB above the mapped file, packages included)", flush=True
    )
    return found


def first_and_complete(rows: int, reference: Callable[[], object], workers: Elsewhere | None) -> None:
    """What Explore answers at once and after a full pass, and how many of the ten strongest the first one has."""
    settings = Settings(data=DataSettings("stored", (("set", "made"),)), model=ModelSettings("logistic", 0.001))
    found = timed("fit, strongest rows and index", lambda: atlas(settings, opened("made")))
    times, hits = [], []
    for k in range(CLICKS + 1):
        start = time.perf_counter()
        one = found.at.watched(np.array([k]))
        first = found.first(one, "influence")
        times.append(1000 * (time.perf_counter() - start))
        if 0 < k < 4:
            whole = found.complete(one, "influence", str(k))
            hits.append(int(np.isin(whole.rows[:10], first.rows).sum()))
    later = times[1:]
    print(f"first answer, {first.looked} of {rows} rows: median {np.median(later):.0f} ms, most {max(later):.0f} ms")
    print(f"the very first one of a server: {times[0]:.0f} ms")
    print(f"the ten strongest that it had: {hits}")
    timed("complete answer", lambda: found.complete(one, "influence", "last"), reference)
    there = Task(workers=workers)
    found.complete(one, "influence", "warm", there)
    timed("complete answer in other processes", lambda: found.complete(one, "influence", "there", there), reference)


def loop(stored: Stored, work: Callable[[np.ndarray], object]) -> None:
    """A plain pass over the same rows."""
    mean, scale, x = stored.scaling.mean, stored.scaling.scale, stored.train.x
    for start in range(0, len(x), BLOCK):
        block = np.ones((min(BLOCK, len(x) - start), x.shape[1] + 1))
        block[:, :-1] = (x[start : start + BLOCK] - mean) / scale
        work(block)


def steps(stored: Stored) -> None:
    """Each step beside its loop."""
    fitted = timed("fit", lambda: streamed(ModelSettings("logistic", 0.001), stored))
    theta = fitted.fit.theta
    theta_, square, columns = theta.numpy(), np.eye(WIDTH + 1), np.ones((WIDTH + 1, TESTS))

    def gram(block: np.ndarray) -> object:
        p = 1 / (1 + np.exp(-(block @ theta_)))
        return block.T @ ((p * (1 - p))[:, None] * block)

    timed("one Newton step", lambda: at(fitted.passes, theta), lambda: loop(stored, gram))
    watched = fitted.watched(np.arange(TESTS))
    _ = fitted.inverse
    timed(
        f"scores of {TESTS} test rows",
        lambda: [None for _ in fitted.scores(watched)],
        lambda: loop(stored, lambda block: (block @ theta_[:, None], block @ columns)),
    )
    timed(
        "self-influence, leverage and loss of all rows",
        lambda: [None for _ in fitted.signals()],
        lambda: loop(stored, lambda block: ((block @ square) * block).sum(1)),
    )
    one = fitted.watched(np.arange(1))
    kept, _ = timed(
        "strongest rows of one test row", lambda: fitted.strongest(one, STRONGEST), lambda: loop(stored, len)
    )
    found = timed(f"exact refits without the {STRONGEST} strongest", lambda: leave_out(fitted, one, kept[0]))
    print(f"{int(found.certified.sum())} of {STRONGEST} certified in {found.passes} passes", flush=True)


def wide(folder: Path, rows: int) -> None:
    """More parameters than H has room for."""
    random, width = np.random.default_rng(0), 13_000
    latent, turn = random.normal(size=(rows // 100, 60)), random.normal(size=(60, width))
    x = (latent @ turn / 8 + random.normal(size=(rows // 100, width))).astype(np.float32)
    y, held = (latent[:, 0] + random.normal(size=len(x)) > 0).astype(int), rows // 1000
    path = folder / "wide.npz"
    np.savez(path, x_train=x[held:], y_train=y[held:], x_test=x[:held], y_test=y[:held])
    del x
    stored, chosen, passes = add(path, "wide"), ModelSettings("logistic", 0.001), list[bool]()
    print(f"wide, {len(stored.train)} rows: the fit is said to take {fit_cost(chosen, stored)}")
    counted = Task(report=lambda done, total: passes.append(done >= total))
    fitted = timed("wide fit", lambda: streamed(chosen, stored, task=counted))
    print(f"{sum(passes)} passes, ‖∇J‖ {fitted.fit.gradient_norm:.1e} of {fitted.fit.goal:.1e}")
    for many in (1, 20):
        watched, before = fitted.watched(np.arange(many)), sum(passes)
        print(f"{many} test rows: said to take {fitted.cost(1, many)}")
        timed(f"wide scores of {many}", lambda watched=watched: [None for _ in fitted.scores(watched)])
        print(f"{sum(passes) - before} passes, residual {fitted.residual(watched):.1e}")


def main() -> None:
    """Store, fit, score, rank and refit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["steps", "clicks"])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cluster", default="local:2")
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder, rows = Path(name), arguments.rows
        os.environ["INFLUENCE_DATA_DIR"] = name
        if "wide" in arguments.what:
            wide(folder, rows)
        if {"steps", "clicks"} & {*arguments.what}:
            path = made(folder, rows)
            stored = timed("store", lambda: add(path, "made"))
            path.unlink()
        if "steps" in arguments.what:
            steps(stored)
        if "clicks" in arguments.what:
            theta = np.ones(WIDTH + 1)
            first_and_complete(rows, lambda: loop(stored, lambda block: block @ theta), executor(arguments.cluster))


if __name__ == "__main__":
    main()
