"""The strongest rows in pages that the server reads one by one, as pictures, and test pictures in windows."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.components.browser.gallery import Gallery, gallery, park_tiles
from pages.components.browser.strips import Strip
from pages.components.explore.stored.answer import StoredAnswer
from pages.components.lenses import Strongest, lens_of
from pages.components.session import state
from pages.components.session.door import core
from pages.components.session.words import counted, plain_markdown
from pages.components.widgets.linked_table import linked_table

ROWS, COLUMNS = 100, 6  # of a page of the table; features beside a row
WINDOW, EACH = 200, 6  # pictures of a window; strongest ones on either side


def strongest(answered: StoredAnswer) -> None:
    """One page of the table, and what is known of the selected row."""
    count = len(answered.best.rows)
    pages, (title, box) = max(1, -(-count // ROWS)), st.columns([3, 1.3], vertical_alignment="center")
    title.markdown(f"**The {count:,} strongest training rows** · {counted(pages, 'page')}")
    chosen = box.number_input("Page", 1, pages, key="stored-page", label_visibility="collapsed")
    start = (min(int(chosen), pages) - 1) * ROWS
    _selected(answered)
    part = slice(start, start + ROWS)
    rows, change = answered.best.rows[part], answered.best.change[part]
    heading = f"change, {answered.form.scaled_unit}"
    frame = _frame(answered, rows)
    frame.insert(0, "rank", np.arange(start + 1, start + 1 + len(rows)))
    frame.insert(2, heading, answered.form.scale(change))
    linked_table(frame, state.view().train, state.choose_train, "stored-table", [heading])
    st.download_button(
        f"The {count:,} rows as CSV", lambda: _written(answered), f"strongest-{answered.test}.csv", "text/csv",
        key="stored-csv", on_click="ignore", icon=":material/download:",
    )  # fmt: skip


def _frame(answered: StoredAnswer, rows: NDArray[np.int64]) -> pd.DataFrame:
    data = answered.train(rows)
    names = np.array(data.class_names, dtype=object)
    columns = {"id": data.ids.astype(object)}
    columns |= {"label": names[data.y.astype(int)]} if data.classes else {data.target_name: data.y}
    frame, lens = pd.DataFrame(columns, index=rows), lens_of(data)
    return lens.beside(frame, data, answered.stored.scaling, COLUMNS) if lens.tabular else frame


def _written(answered: StoredAnswer) -> bytes:
    best = answered.best
    frame = _frame(answered, best.rows)
    frame.insert(0, "row", best.rows)
    frame[f"change of the {answered.quantity} without it, {answered.form.unit}"] = best.change
    frame["made of"] = answered.about
    return bytes(core.cells.to_csv(frame))


def _selected(answered: StoredAnswer) -> None:
    row = state.view().train
    if row is None:
        return
    name = plain_markdown(str(answered.train(np.array([row])).ids[0]))
    change = answered.form.text(float(answered.changes[answered.rows == row][0]))
    found = np.flatnonzero(answered.best.rows == row)
    place = f"place {int(found[0]) + 1:,} by size" if len(found) else f"not among the {len(answered.best.rows):,}"
    st.markdown(f"Row **{row:,}**, {name} · {change} {answered.form.scaled_unit}, {place}")


def pictures(answered: StoredAnswer) -> None:
    """The strongest on either side as pictures, where the rows are some."""
    best = answered.best
    helpful = best.rows[answered.sign * best.change > 0][:EACH]
    harmful = best.rows[answered.sign * best.change < 0][:EACH]
    rows = np.concatenate([helpful, harmful])
    data, asked = answered.train(rows), answered.stored.dataset(np.array([answered.test]))
    lens = lens_of(data)
    if lens.pictures(data) is None or not len(rows):
        return
    changes = dict(zip(best.rows.tolist(), best.change.tolist(), strict=True))
    content = Strip(
        lens.hover(asked, None)[0],
        range(len(helpful)),
        range(len(helpful), len(rows)),
        np.array([changes[row] for row in rows.tolist()]),
        answered.form,
        titles=_titles(answered),
        about=answered.about,
    )
    pick = lambda place: state.choose_train(int(rows[place]))  # noqa: E731
    lens.strongest(Strongest(data, asked, lens.hover(data, None), content, pick, "stored-strips", lambda: None))


def _titles(answered: StoredAnswer) -> tuple[str, str]:
    up, down = (f"removing one of these would {verb} the {answered.quantity}" for verb in ("raise", "lower"))
    if not answered.orientation:
        return f"Up: {up}", f"Down: {down}"
    good, bad = (up, down) if answered.orientation > 0 else (down, up)
    return f"Helpful: {good}", f"Harmful: {bad}"


def windows(answered: StoredAnswer) -> None:
    """Test pictures, so many at a time; a click asks about one."""
    if not answered.stored.picture:
        return
    m = len(answered.stored.test)
    count, here = -(-m // WINDOW), answered.test // WINDOW
    with st.expander("Test pictures"):
        window = st.number_input("Window", 1, count, here + 1, key=f"stored-window-{here}", width=130) - 1
        tiles = _tiles(answered, slice(window * WINDOW, min(m, (window + 1) * WINDOW)))
        park_tiles(tiles, "gallery-tiles")
        inside = answered.test - window * WINDOW
        chosen = inside if 0 <= inside < tiles.sprite.count else None
        gallery(tiles, chosen, lambda k: state.choose_test(window * WINDOW + k), "gallery", answered.about)


def _tiles(answered: StoredAnswer, rows: slice) -> Gallery:
    test, model = answered.stored.dataset(rows), answered.atlas.at.model
    batch = model.batch(test, answered.watched.batch.x.device)
    margins = model.loss.margins(model.outputs(answered.atlas.at.fit.theta, batch.x), batch.y)
    wrong = np.zeros(len(test), dtype=bool) if margins is None else margins.numpy() <= 0
    sheet = lens_of(test).sheet(test)
    assert sheet is not None
    name = hashlib.blake2b(answered.atlas.key.encode(), digest_size=8).hexdigest()
    return Gallery(f"{name} {rows.start}", sheet, lens_of(test).hover(test, None), wrong)
