"""Everything that wants a GPU, in one run of less than ten minutes; says so and ends well where there is none.

    .venv/bin/python tests/benchmarks/gpu.py [--minutes 9] [--size 5000] [--cpu] [--out gpu.json]

The tests of ``tests/core/test_cuda.py``, then networks on the GPU against the CPU: a training run, its unrolled
derivative at one and at a hundred test points, refits without single points, projection scores.  Single precision
stays single: TF32 is off, as torch has it unless somebody turns it on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from influence_core.analysis import Analysis, Task, analyse
from influence_core.influence.estimators import scores
from influence_core.influence.watched import Influence
from influence_core.retraining import Question, Repeated
from influence_core.settings import DataSettings, ModelSettings, Settings

ROOT = Path(__file__).parents[2]
OPTIONS = {"activation": "tanh", "width": 128, "epochs": 10, "learning_rate": 0.01, "batch_size": 100}
REFITS = 50


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds, kernels finished, and the result."""
    start = time.perf_counter()
    found = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, found


def works(analysis: Analysis) -> dict[str, Callable[[], np.ndarray]]:
    """What is timed, by name; all of it returns numbers that both devices must share."""
    fitted = analysis.problem.fitted
    assert fitted.program is not None
    program, test = replace(fitted.program, task=Task()), analysis.problem.test

    def estimated(name: str, columns: int) -> np.ndarray:
        influence = Influence(fitted, analysis.settings.solver)
        return scores(influence, analysis.watched(range(columns)), name)

    def without() -> np.ndarray:
        groups = [np.array([row]) for row in range(REFITS)]
        return Repeated(fitted).without(Question(test.take(slice(0, 20))), groups).change

    return {
        "one training run": lambda: program.run(fitted.start[None], None, fitted.fit.epochs)[0].cpu().numpy(),
        "unrolled, 1 test point": lambda: estimated("unrolled", 1),
        "unrolled, 100 test points": lambda: estimated("unrolled", 100),
        f"{REFITS} refits of the same run": without,
        "projection scores, 1 network": lambda: estimated("projection", 100),
    }


def tested(seconds: float) -> int:
    """Exit code of the tests that want a GPU; 1 where they are not through in time."""
    command = [sys.executable, "-m", "pytest", "tests/core/test_cuda.py", "-q", "-n", "0"]
    try:
        return subprocess.run(command, cwd=ROOT, timeout=seconds, check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"tests/core/test_cuda.py: not through after {seconds:.0f} s.")
        return 1


def main() -> None:
    """Run it all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--size", type=int, default=5_000, help="digits, 1,000 at least")
    parser.add_argument("--cpu", action="store_true", help="without a GPU measure the CPU alone, to try the script")
    arguments = parser.parse_args()
    has_gpu = torch.cuda.is_available()
    if not has_gpu and not arguments.cpu:
        print("No CUDA device here: nothing to measure. Run this where torch.cuda.is_available() is true.")
        return
    end = time.monotonic() + 60 * arguments.minutes
    tests = tested(30 * arguments.minutes)
    device = torch.cuda.get_device_name() if has_gpu else "no GPU"
    print(f"\n{device}, TF32 {torch.backends.cuda.matmul.allow_tf32}\n")
    model = ModelSettings("mlp", 0.0, options=tuple(sorted(OPTIONS.items())))
    data = DataSettings("mnist", (("digits", "all"), ("size", arguments.size)), standardise=False)
    both = [works(analyse(Settings(data, model), device)) for device in ("cuda" if has_gpu else "cpu", "cpu")]
    print(f"| work | {'GPU' if has_gpu else 'CPU'}, s | CPU, s | r between them |\n|---|---|---|---|")
    rows = {}
    for name in both[0]:
        if time.monotonic() > end:
            print(f"| {name} | out of time | | |")
            continue
        both[0][name]()  # the first call loads kernels
        (here, found), (there, expected) = timed(both[0][name]), timed(both[1][name])
        rows[name] = here, there, float(np.corrcoef(found.ravel(), expected.ravel())[0, 1])
        print("| {} | {:.2f} | {:.2f} | {:.5f} |".format(name, *rows[name]), flush=True)  # noqa: UP032
    if arguments.out:
        arguments.out.write_text(json.dumps({"tests": tests, "rows": rows}, indent=1), encoding="utf-8")
    sys.exit(tests)


if __name__ == "__main__":
    main()
