"""Texts that take a while to become features: a bar with Cancel on every page, and then the page."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data import embedding
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.problem import reading_panel
from pages.components.session import cached
from pages.components.widgets.job_panel import jobs
from tests.components.test_lenses import page
from tests.waiting import PATIENCE, until

MAILS = Settings(DataSettings("spam_assassin", (("words", 50),)), ModelSettings("logistic", 0.01))


def job(settings: Settings) -> object:
    return jobs().get(f"read:{settings.key('data', 'model', 'seed')}")


def buttons(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


@pytest.mark.parametrize("name", ["1_Data.py", "2_Model.py", "3_Explore.py", "5_Solvers.py"])
def test_words_are_counted_by_a_job_and_then_the_page_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_panel, "AT_ONCE", 0.0)
    settings = replace(MAILS, seed=70 + int(name[0]))
    app = page(name, settings)
    until(lambda: not job(settings).active)
    assert job(settings).state == "done" and job(settings).total == 1198
    app.run()
    assert not app.exception and not app.error
    assert "Read the texts" not in buttons(app) and "Cancel" not in buttons(app)
    assert cached.problem(settings).split.train.x.shape[1] == 50


def test_embeddings_are_made_with_a_bar_cancelled_and_taken_up_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    go_on, asked = threading.Event(), []

    class Encoder:
        def encode(self, texts: list[str]) -> np.ndarray:
            asked.append(texts)
            if len(asked) > 10:
                go_on.wait(PATIENCE)
            return np.random.default_rng(len(asked)).normal(size=(len(texts), 512))

    monkeypatch.setattr(embedding, "_encoder", Encoder)
    monkeypatch.setattr(embedding, "optional", lambda *_: None)
    settings = replace(MAILS, data=DataSettings("spam_assassin", (("features", "embedding"),)), seed=80)
    app = page("2_Model.py", settings)
    until(lambda: len(asked) > 10)
    app.run()
    assert "Cancel" in buttons(app)
    assert not app.metric
    next(button for button in app.button if button.label == "Cancel").click().run()
    go_on.set()
    until(lambda: not job(settings).active)
    assert job(settings).state == "cancelled" and 64 <= job(settings).done < 1198
    app.run()
    assert "Embeddings that are made are kept" in " ".join(part.value for part in app.info)
    next(button for button in app.button if button.label == "Read the texts").click().run()
    until(lambda: not job(settings).active)
    assert job(settings).state == "done"
    assert asked.count(asked[0]) == 1  # the first block was kept
    app.run()
    assert not app.exception and not app.error
    assert cached.problem(settings).split.train.x.shape[1] == 512
