"""From a key to the next card on the server, on the queue that a visitor tries first; `pytest tests/benchmarks`."""

from __future__ import annotations

import statistics
import time

import influence_core.annotations as annotations
from pages.components.review import opening
from pages.components.session import cached
from tests.pages.test_mislabels_page import key, with_queue

ROUNDS, LOOKED = 25, 0.4  # decisions, and seconds between them, in which the next cards are made ahead


def test_a_decision_to_the_next_card_on_the_server(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 0.0)
    app, stored = with_queue(opening.DEMO), []
    decide = annotations.decide

    def timed(*args, **more):
        begun = time.perf_counter()
        found = decide(*args, **more)
        stored.append(time.perf_counter() - begun)
        return found

    monkeypatch.setattr(annotations, "decide", timed)
    whole = []
    for index in range(ROUNDS):
        time.sleep(LOOKED)
        begun = time.perf_counter()
        key(app, "QW"[index % 2])
        whole.append(time.perf_counter() - begun)
    cached.store().close()
    median, of_it = (1000 * statistics.median(times) for times in (whole, stored))
    with capsys.disabled():
        print(f"\ndecision to next card, the page's whole script: {median:.0f} ms (<= 150), decision {of_it:.0f} ms")
    assert len(stored) == ROUNDS
    assert median <= 150
