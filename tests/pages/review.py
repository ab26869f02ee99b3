"""The Mislabels page without a browser: opened by a stranger, with a queue, and its cards answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.session import cached
from pages.components.session.view import View
from tests import waiting
from tests.waiting import PATIENCE

PAGE = str(Path(__file__).parents[2] / "pages" / "4_Mislabels.py")
DIGITS = Settings(
    DataSettings("digits", (("digits", "3,5,8"),), validation_fraction=0.15, test_fraction=0.2, flip_fraction=0.1),
    ModelSettings("softmax", 0.1),
)
ROWS = Settings(
    DataSettings("iris", (("classes", "3"),), validation_fraction=0.2, test_fraction=0.2, flip_fraction=0.1),
    ModelSettings("softmax", 0.1),
)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A database of its own for every test, and cards that are never too young."""
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 0.0)
    yield tmp_path
    cached.store().close()


def opened(settings: Settings = DIGITS, name: str = "Ada", **view: Any) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = settings, View(**view)
    app.run()
    if name:
        app.text_input(key="review.typed").set_value(name)
        press(app, "Review the current data")
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(label)).click().run()
    return app


def until(app: AppTest, ready: Callable[[AppTest], bool]) -> AppTest:
    waiting.until(lambda: ready(app) or ready(app.run()), lambda: words(app), pause=0.05)
    assert not app.exception
    return app


def with_queue(settings: Settings = DIGITS, name: str = "Ada", **view: Any) -> AppTest:
    """A page with a card on it and its evidence."""
    app = opened(settings, name, **view)
    if not has(app, "review-Q"):
        press(app, "Make the queue")
        until(app, lambda app: has(app, "review-Q"))
    return until(app, lambda app: any("relabel would do" in part.value for part in app.markdown))


def has(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.warning, *app.error, *app.info, *app.success]
    bars = [part.proto.text for part in app.get("progress")]
    return " ".join([*(part.value for part in parts), *bars]).replace("\\", "")


def key(app: AppTest, letter: str) -> AppTest:
    app.button(key=f"review-{letter}").click().run()
    assert not app.exception
    return app


def name_on_card(app: AppTest) -> str:
    return next(part.value for part in app.markdown if "given label of" in part.value).split("of ")[-1].rstrip("]")


def stored(app: AppTest) -> list[tuple[str, int | None]]:
    store = cached.store()
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT action, new_label FROM decision ORDER BY id").all()
    return [(row[0], row[1]) for row in rows]
