"""Every benchmark is a ratio: ours and a plain reference take turns in one run, because the machine is noisy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

TABLE: list[tuple[str, float, float, float, str]] = []


@pytest.fixture
def versus(benchmark: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., float]]:
    """``versus(ours, reference, target, rounds)`` times both in turns and notes the ratio of their medians."""

    def run(ours: Callable[[], Any], reference: Callable[[], Any], target: str, rounds: int = 7) -> float:
        ours(), reference()
        theirs: list[float] = []

        def setup() -> None:
            start = time.perf_counter()
            reference()
            theirs.append(time.perf_counter() - start)

        benchmark.pedantic(ours, setup=setup, rounds=rounds)
        mine, other = benchmark.stats.stats.median, statistics.median(theirs)
        benchmark.extra_info.update(reference_s=other, ratio=mine / other, target=target)
        TABLE.append((request.node.name, mine, other, mine / other, target))
        return mine / other

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not TABLE:
        return
    terminalreporter.write_line("\n| work | ours, s | reference, s | ratio | must reach |\n|---|---|---|---|---|")
    for name, mine, other, ratio, target in TABLE:
        terminalreporter.write_line(f"| {name} | {mine:.3f} | {other:.3f} | {ratio:.2f} | {target} |")


def softened(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax, plain NumPy."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
