"""A published figure on the page: paragraph, options, pictures, and our numbers beside the printed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from influence_core.settings import Options
from pages.components.lessons.parts.kinds import FigurePage
from pages.components.lessons.parts.shown import pictures, values_of, widget
from pages.components.lessons.parts.tuning import tune_text
from pages.components.session import cached, state
from pages.components.session.door import figures
from pages.components.session.words import plain_markdown
from pages.components.widgets import job_panel
from pages.components.widgets.chart_frame import twin
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.teaching.figures import Figure, FigureEntry, Number

NOTHING = 1e-12
LONG = 1.0  # estimated seconds from which a figure is a job with a bar


def draw(page: FigurePage) -> None:
    """The whole figure, its options bound to the link."""
    entry: FigureEntry = figures.FIGURES[page.figure]
    described = (*entry.options, *page.options)
    values = values_of(described)
    st.markdown(page.text)
    st.caption(f"Source: {entry.source}. Every number below is computed here, on this machine.")
    for column, item in zip(st.columns(max(len(described), 3)), described, strict=False):
        with column:
            widget(item, values[item.name], described)
    state.mirror()
    chosen = tuple((item.name, values[item.name]) for item in entry.options)
    figure, whole = computed(page, chosen)
    if figure is None:
        return
    if not whole:
        st.caption("Below: what is finished so far.")
    pictures(page.draw(figure, values))
    st.markdown(page.notice)
    if page.differs:
        st.caption(f"Where the source prints something else: {page.differs}")
    if figure.numbers:
        numbers(figure.numbers, f"figure-{page.figure.lower()}-numbers")
    same = entry.settings if entry.asked is None else entry.asked(values)
    if same is not None and st.button("Open this problem in Explore", icon=":material/my_location:"):
        state.take_along(same)
        st.switch_page("pages/3_Explore.py", query_params=state.link())


def computed(page: FigurePage, chosen: Options) -> tuple[Figure | None, bool]:
    """The figure: at once where it takes a moment, else as a job that is begun unasked and can be cancelled.

    Returns:
        The figure, or as much of it as there is, or None; and whether it is whole.
    """
    seconds = page.seconds(dict(chosen))
    if seconds <= LONG:
        with st.spinner("Computing the figure …"):
            return cached.figure(page.figure, chosen), True
    entry, key = figures.FIGURES[page.figure], f"figure:{page.figure}:{tune_text(dict(chosen), ())}{chosen}"
    compute = figures.compute
    work = job_panel.Work(
        key,
        entry.title,
        "parts",
        lambda task: compute(page.figure, chosen, task),
        seconds,
        button="Compute the figure",
        cancelled=job_panel.KEPT if page.keeps else "Cancelled. The next run starts anew.",
    )
    if jobs().get(key) is None:
        jobs().submit(key, work.start, owner=owner(), cost=seconds)
    found: Figure | None = job_panel.result(key)
    if found is None:
        job_panel.panel(work)
        return job_panel.partial(key), False
    return found, True


def numbers(found: Sequence[Number], key: str) -> None:
    """Our numbers beside the printed ones, the difference, and why."""
    table = pd.DataFrame([number_row(number) for number in found])
    table = table.loc[:, (table != "").any()]
    st.markdown("**The numbers**")
    st.table(table.map(lambda cell: plain_markdown(str(cell))), hide_index=True)
    twin(table, key)


def number_row(number: Number) -> dict[str, str]:
    """One number as cells: words, ours, printed, difference and the reason."""
    printed = math.isfinite(number.printed)
    return {
        "number": number.words,
        "ours": _written(number.ours, ".6g"),
        "printed": _written(number.printed, ".6g") if printed else "",
        "difference": _difference(number) if printed else "",
        "why": number.why,
    }


def _difference(number: Number) -> str:
    """Ours minus printed, where it is more than the print was rounded by."""
    digits = len(repr(number.printed).partition(".")[2])
    rounded = abs(number.difference) <= 0.51 * 10.0**-digits
    return "none beyond rounding" if rounded else _written(number.difference, "+.2g")


def _written(value: float, form: str) -> str:
    """A number for people: what is lost in rounding is said to be nothing, and a minus is one."""
    return "below 10⁻¹²" if 0 < abs(value) < NOTHING else format(value, form).replace("-", "−")
