"""The linked table: which rows travel, and which example a pick names."""

import cProfile

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.widgets.linked_table import ROWS_SENT, formats, picked_row, top_rows
from tests.waiting import PATIENCE

ORDER = np.random.default_rng(0).permutation(10_000)
FRAME = pd.DataFrame({"change": np.linspace(1, -1, 10_000)}, index=ORDER)


def test_the_first_rows_travel_and_the_selected_one_lies_above_them() -> None:
    near, far = int(ORDER[5]), int(ORDER[7_000])
    for selected in (None, near, 10_000):
        pd.testing.assert_frame_equal(top_rows(FRAME, selected), FRAME.iloc[:ROWS_SENT])
    rows = top_rows(FRAME, far)
    assert len(rows) == ROWS_SENT + 1 and rows.index[0] == far and rows.index[1] == ORDER[0]


def test_a_pick_names_the_example_and_not_the_place() -> None:
    rows = top_rows(FRAME, int(ORDER[7_000]))
    assert picked_row(rows, {"selection": {"rows": [0]}}) == ORDER[7_000]
    assert picked_row(rows, {"selection": {"rows": [3]}}) == ORDER[2]


@pytest.mark.parametrize("rows", [[], [201], [-1], [True], [0, 1], ["0"], [0.0], None, {"0": 0}, [2**70]])
def test_hostile_picks_are_ignored(rows) -> None:
    shown = top_rows(FRAME, int(ORDER[7_000]))
    assert picked_row(shown, {"selection": {"rows": rows}}) is None
    assert picked_row(shown, {"selection": rows}) is None
    assert picked_row(shown, rows) is None


def test_the_work_does_not_grow_with_the_rows_that_stay() -> None:
    """Counted in calls: the clock of a busy machine says nothing."""

    def calls(rows: int) -> int:
        profile, frame = cProfile.Profile(), pd.DataFrame({"change": np.zeros(rows)}, index=np.arange(rows)[::-1])
        profile.runcall(top_rows, frame, 3)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(100_000) == calls(1_000)


def test_the_table_follows_the_state() -> None:
    def page() -> None:
        import pandas as pd
        import streamlit as st

        from pages.components.widgets.linked_table import linked_table

        frame = pd.DataFrame({"change": range(1_000)}, index=range(1_000, 2_000))
        linked_table(frame, st.session_state.get("chosen"), print, "table")

    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    assert not app.exception and len(app.dataframe[0].value) == ROWS_SENT
    app.session_state["chosen"] = 1_900
    app.run()
    assert not app.exception and app.dataframe[0].value.index[0] == 1_900
    assert app.session_state["table"]["selection"]["rows"] == [0]


def test_fractions_keep_the_digits_that_count_and_changes_their_sign() -> None:
    frame = pd.DataFrame({"id": ["a"], "count": [3], "change": [-4.1e-9], "x1": [0.123456]})
    shown = formats(frame, ["change"])
    assert {name: column["type_config"]["format"] for name, column in shown.items()} == {
        "change": "%+.4f",
        "x1": "%.4g",
    }
