"""The cache that is bounded in bytes: what things weigh, what goes first, and that each is made once."""

import sys
import threading
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

from influence_core.analysis import Problem
from influence_core.compute import keeping
from influence_core.compute.keeping import Kept, weight
from influence_core.settings import Settings
from tests.waiting import PATIENCE

MEGABYTE = 2**20


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def block(megabytes):
    return np.zeros(megabytes * MEGABYTE, dtype=np.uint8)


@dataclass
class Holder:
    array: object
    __module__ = "influence_core.made_up"


def test_weight_is_that_of_the_memory_which_stays():
    array, table = block(2), pd.DataFrame({"a": np.zeros(MEGABYTE // 8)})
    assert weight(array) == weight([array, array]) == weight({"x": (array, array[::2])}) == 2 * MEGABYTE
    assert weight(array[:10]) == 2 * MEGABYTE  # a view keeps the whole
    assert weight(Holder(array), array) == 2 * MEGABYTE
    tensor = torch.zeros(MEGABYTE // 4)
    assert weight(tensor) == weight(tensor[:3], tensor.view(4, -1)) == MEGABYTE
    shared = torch.from_numpy(array)
    assert weight(array, shared) == 2 * MEGABYTE
    thin = torch.eye(1000).to_sparse_csr()  # of a million numbers a thousand are there
    assert 4000 <= weight(thin) <= 40_000
    inside = []
    torch.func.grad(lambda x: (inside.append(weight(x)), x.sum())[1])(torch.zeros(100))  # no memory of its own
    assert inside == [400]
    names = [f"row {k:06d} of the table" for k in range(10_000)]
    assert sum(map(sys.getsizeof, names)) <= weight(names) <= 1.5 * sum(map(sys.getsizeof, names))
    assert MEGABYTE <= weight(table) <= 1.01 * MEGABYTE
    assert weight("text", 3, None, lambda: array, b"1234") == 4
    loop = [array]
    loop.append(loop)
    assert weight(loop) == 2 * MEGABYTE


def test_a_problem_weighs_more_once_it_is_fitted_and_at_least_its_features():
    problem = Problem(Settings())
    x = problem.split.train.x
    before = weight(problem)
    assert before >= x.nbytes
    _ = problem.fitted
    assert weight(problem) > before


def test_the_least_recently_used_go_beyond_the_bound_in_bytes_and_however_few_they_are():
    kept = Kept(10 * MEGABYTE, 0, Clock())
    for name in "abc":
        kept.get(name, lambda: block(3))
    again = kept.get("a", lambda: block(3))
    kept.get("d", lambda: block(3))  # b was used last of all
    assert kept.get("a", lambda: None) is again
    assert kept.get("b", lambda: "made again") == "made again"
    kept.get("huge", lambda: block(50))
    assert len(kept) == 1  # the newest stays whatever it takes
    kept.get("small", lambda: block(1))
    assert kept.bytes == MEGABYTE


def test_what_grows_after_it_was_made_is_weighed_again():
    kept = Kept(10 * MEGABYTE, 0, Clock())
    grows = kept.get("a", list)
    grows.append(block(20))
    kept.get("b", lambda: block(1))
    assert kept.bytes == MEGABYTE


def test_nothing_that_was_used_just_now_goes_and_everything_may():
    clock = Clock()
    kept = Kept(10 * MEGABYTE, 0, clock)
    kept.get("a", lambda: block(3))
    clock.now = 100.0
    kept.get("b", lambda: block(3))
    assert kept.fit(0, unused=50.0) == 1
    assert kept.bytes == 3 * MEGABYTE
    assert kept.fit(0) == 1
    assert kept.bytes == len(kept) == 0


def test_many_who_ask_at_once_get_the_one_that_was_made():
    kept, made, go = Kept(MEGABYTE, 0), [], threading.Event()

    def make():
        go.wait(PATIENCE)
        made.append(object())
        return made[-1]

    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("x", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(made) == 1 and all(one is made[0] for one in found) and len(found) == 8


def test_nobody_waits_while_what_somebody_else_made_is_weighed(monkeypatch: pytest.MonkeyPatch):
    kept, weighing, go = Kept(10 * MEGABYTE, 0), threading.Event(), threading.Event()
    kept.get("a", lambda: "here")

    def slowly(*roots: object) -> int:
        weighing.set()
        go.wait(PATIENCE)
        return weight(*roots)

    monkeypatch.setattr(keeping, "weight", slowly)
    maker = threading.Thread(target=kept.get, args=("b", lambda: block(20)))
    maker.start()
    assert weighing.wait(PATIENCE)
    found = list[object]()
    asks = threading.Thread(target=lambda: found.append(kept.get("a", lambda: "made again")))
    asks.start()
    asks.join(PATIENCE)
    assert found == ["here"]
    go.set()
    maker.join(PATIENCE)
    assert kept.get("a", lambda: "made again") == "here"  # used while others were weighed; the large one went


def test_an_error_is_raised_to_who_asked_and_the_next_one_tries_again():
    kept = Kept(MEGABYTE, 0)
    for _ in range(2):
        try:
            kept.get("x", lambda: 1 / 0)
        except ZeroDivisionError:
            continue
        raise AssertionError("expected the error")
    assert kept.get("x", lambda: 3) == 3
