"""A kind of example is one lens: every kind answers everything, and a new one is used wherever examples are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from influence_core.data import DATASETS, Dataset, Source, Table, load
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lenses import LENSES, lens_of
from pages.components.lenses.row import ROW
from pages.components.problem.scene import scene
from pages.components.session import cached
from pages.components.session.view import View
from tests.pages.test_mislabels_page import with_queue

PAGES = Path(__file__).parents[2] / "pages"
KINDS = {"picture": DataSettings("digits"), "row": DataSettings("iris"), "text": DataSettings("spam_assassin")}
NOTES = Settings(
    DataSettings("notes", validation_fraction=0.2, test_fraction=0.2, flip_fraction=0.1), ModelSettings("logistic", 0.1)
)
WORDS = ("good", "bad", "film", "plot", "long")


def notes(_options: object, seed: int) -> Table:
    """Reviews as counts of a few words."""
    counts = np.random.default_rng(seed).integers(0, 3, size=(90, len(WORDS))).astype(float)
    said = [" ".join(word for word, k in zip(WORDS, row, strict=True) for _ in range(int(k))) for row in counts]
    y = (counts[:, 0] > counts[:, 1]).astype(np.int64)
    ids = np.array([f"note-{k}" for k in range(len(y))])
    return Table(Dataset(counts, y, ids, WORDS, ("no", "yes"), hover=np.array(said), kind="note"))


TEXT = replace(
    ROW,
    hover=lambda data, _original: [f"{name} says: {said}" for name, said in zip(data.ids, data.hover, strict=True)],
    cells=lambda data, _scaling, _most: pd.DataFrame({"text": data.hover}),
    tabular=False,
    full=lambda split, row, name, _label: st.text(f"{name} in full: {split.train.hover[row]}"),
)


@pytest.fixture
def third(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A source of texts and a lens for them, in a house that is told nothing else."""
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)
    monkeypatch.setitem(
        DATASETS, "notes", Source(title="Notes", summary="Short texts.", task="classification", make=notes)
    )
    monkeypatch.setitem(LENSES, "note", TEXT)
    yield
    cached.store().close()


def page(name: str, settings: Settings, **view: str) -> AppTest:
    app = AppTest.from_file(str(PAGES / name), default_timeout=60)
    app.session_state.settings, app.session_state.view = settings, View(**view)
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize("name", KINDS)
def test_the_data_name_their_kind_and_the_lens_answers_for_it(name: str) -> None:
    split = load(replace(KINDS[name], flip_fraction=0.1), 0)
    lens, train = lens_of(split), split.train
    assert split.kind == train.kind == split.test.take(np.arange(3)).kind == name
    assert lens is LENSES[name]
    lines = lens.hover(train, split.original_y)
    assert [line.split(":")[0] for line in lines] == train.ids.tolist()
    assert sum("flipped on purpose" in line for line in lines) == split.flipped.sum() > 0
    change = np.arange(train.x.shape[1], dtype=float)
    assert len(lens.perturbation(change, train, 0, "nats").figure.data) == (2 if name == "picture" else 1)
    sheet = lens.sheet(train, split.test)
    assert (sheet.count if sheet else 0) == (len(train) + len(split.test) if name == "picture" else 0)
    assert ("<img" in lens.small(train, 0, "words", 64)) == (name == "picture")
    drawn = lens.weights(np.stack([change, -change]), ["a", "b"], train, "per unit")
    assert (drawn is not None) == (name == "picture")
    assert 0 <= lens.first(train) < train.x.shape[1]


def test_pictures_that_are_no_features_are_shown_and_their_features_are_bars() -> None:
    images = np.zeros((2, 3, 4, 3), np.uint8)
    data = Dataset(np.eye(2), np.array([0, 1]), np.array(["p", "q"]), ("a", "b"), ("x", "y"), images=images)
    lens = lens_of(data)
    assert lens.sheet(data) is not None
    assert lens.weights(np.eye(2), ["x", "y"], data, "per unit") is None
    assert lens.perturbation(np.ones(2), data, 0, "nats").figure.data[0].type == "bar"


def test_cells_stand_beside_a_table_whose_own_columns_keep_their_names() -> None:
    split = load(KINDS["row"], 0)
    data = split.train.take(np.array([4, 2]))
    first, second = data.feature_names[:2]
    frame = lens_of(data).beside(pd.DataFrame({first: ["mine", "too"]}, index=[4, 2]), data, split.scaling, 2)
    assert list(frame) == [first, second] and list(frame.index) == [4, 2]
    assert frame[first].tolist() == ["mine", "too"]
    np.testing.assert_allclose(frame[second], split.scaling.invert(data.x)[:, 1])


def test_data_of_a_kind_that_no_lens_knows_are_rows() -> None:
    data = Dataset(np.eye(2), np.arange(2), np.array(["p", "q"]), ("a", "b"), ("x", "y"), kind="sound")
    assert lens_of(data) is ROW


@pytest.mark.usefixtures("third")
def test_a_third_kind_is_shown_on_the_map_in_lists_and_in_tables() -> None:
    lines = scene(NOTES).train_labels
    assert lines[0].startswith("note-") and " says: " in lines[0]
    app = page("3_Explore.py", NOTES)
    assert "Gallery of test images" not in [tab.label for tab in app.tabs]
    listed = [table.value for table in app.dataframe if "text" in table.value]
    assert len(listed) == 1 and len(listed[0]) == 13  # the asked note, and those that matter most to it
    assert not {*WORDS} & {*listed[0]}  # texts in place of features
    assert any("text" in table.value for table in page("1_Data.py", NOTES).dataframe)


@pytest.mark.usefixtures("third")
def test_a_third_kind_is_read_on_its_review_card_and_named_by_its_witnesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("influence_core.annotations.serving.EARLY", 0.0)
    app = with_queue(NOTES)
    assert any(" in full: " in part.value for part in app.text)
    tables = [part.proto.body for part in app.get("html") if "this one" in part.proto.body]
    assert len(tables) == 1 and "<th>text</th>" in tables[0] and " says: " not in tables[0]
