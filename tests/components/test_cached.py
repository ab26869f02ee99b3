"""Large data are prepared for one page after the other; small ones, and those that have answered, wait for nobody."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from influence_core.analysis import Problem
from influence_core.settings import DataSettings, Settings
from pages.components.session import cached
from tests.waiting import PATIENCE, until

LARGE, SMALL, ANSWERED = (Settings(seed=seed) for seed in range(3))


@pytest.fixture
def entered(monkeypatch):
    """A thread that enters with some settings, and whether it is inside."""
    answered = SimpleNamespace(ground=1)
    monkeypatch.setattr(cached, "analysis", lambda one: answered if one is ANSWERED else SimpleNamespace())
    monkeypatch.setattr(cached, "_numbers", lambda one: 0 if one is SMALL else 10**9)
    monkeypatch.setattr(cached, "_TURN", threading.Lock())
    go, threads = threading.Event(), []

    def enter(settings):
        inside = threading.Event()

        def visit():
            with cached.in_turn(settings):
                inside.set()
                go.wait(PATIENCE)

        threads.append(threading.Thread(target=visit))
        threads[-1].start()
        return inside

    yield enter
    go.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_who_waits_and_who_does_not(entered):
    assert entered(LARGE).wait(PATIENCE)
    second = entered(LARGE)
    assert entered(SMALL).wait(PATIENCE) and entered(ANSWERED).wait(PATIENCE)
    assert not second.wait(0.3)


def test_a_page_that_fails_lets_the_next_begin_and_nobody_waits_for_ever(entered, monkeypatch):
    with pytest.raises(ZeroDivisionError), cached.in_turn(LARGE):
        raise ZeroDivisionError
    assert entered(LARGE).wait(PATIENCE)
    monkeypatch.setattr(cached, "LONGEST", 0.1)
    assert entered(LARGE).wait(PATIENCE)
    until(cached._TURN.locked)  # the first one's, which the second has left to it


def test_only_uploads_are_looked_up():
    assert cached._numbers(Settings(DataSettings("mnist"))) == 0
    assert cached._numbers(Settings(DataSettings("upload", (("id", "f" * 32),)))) == 0  # not on this server


def test_large_data_are_loaded_by_another_process_and_are_the_same(monkeypatch):
    settings = Settings(DataSettings("mnist"))
    monkeypatch.setattr(cached, "_numbers", lambda _: 10**9)
    monkeypatch.setenv("INFLUENCE_SCHEDULER", "")
    found, here = cached._problem.__wrapped__("key", settings), Problem(settings)
    assert isinstance(found.split.train.x.base, np.memmap)  # as it came from a worker
    assert found.split.fingerprint == here.split.fingerprint and found.key("data") == here.key("data")
    np.testing.assert_array_equal(found.split.train.ids, here.split.train.ids)
    for one in (found.split.train, found.split.test):
        assert not any(array.flags.writeable for array in (one.x, one.y, one.ids))
    monkeypatch.setenv("INFLUENCE_SCHEDULER", "threads")
    assert cached._problem.__wrapped__("key", settings).given is None
