"""A published figure on the page: paragraph, options, pictures, and our numbers beside the printed ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from influence_core.settings import Option, Options, Value
from pages.components.lessons.kinds import FigurePage, Picture
from pages.components.lessons.tuning import tune_text, tuned
from pages.components.session import cached, state
from pages.components.session.door import figures
from pages.components.widgets import controls, job_panel
from pages.components.widgets.chart_frame import show, twin
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.teaching.figures import Figure, FigureEntry, Number

LONG = 1.0  # estimated seconds from which a figure is a job with a bar


def draw(page: FigurePage) -> None:
    """The whole figure, its options bound to the link."""
    entry: FigureEntry = figures.FIGURES[page.figure]
    described = (*entry.options, *page.options)
    values, problems = tuned(state.view().tune, described)
    for sentence in problems:
        st.warning(controls.plain_markdown(sentence), icon=":material/link_off:")
    st.markdown(page.text)
    st.caption(f"Source: {entry.source}. Every number below is computed here, on this machine.")
    sliders(described, values, described)
    state.mirror()
    chosen = tuple((item.name, values[item.name]) for item in entry.options)
    figure, whole = computed(page, chosen)
    if figure is None:
        return
    if not whole:
        st.caption("Below: what is finished so far.")
    pictures(page.draw(figure, values))
    if figure.numbers:
        numbers(figure.numbers, f"figure-{page.figure.lower()}-numbers")
    if entry.settings is not None and st.button("Open this problem in Explore", icon=":material/my_location:"):
        state.put(entry.settings)
        st.switch_page("pages/3_Explore.py", query_params=state.link())


def sliders(shown: Sequence[Option], values: dict[str, Value], described: Sequence[Option]) -> None:
    """Widgets next to each other whose values live in the link.

    Args:
        shown: options that get a widget here.
        values: of all options.
        described: all options.
    """
    if not shown:
        return
    for column, item in zip(st.columns(max(len(shown), 3)), shown, strict=False):
        with column:
            key = f"tune.{state.view().lesson}.{item.name}"
            controls.value(item, values[item.name], key, lambda value, name=item.name: put({name: value}, described))


def put(chosen: Mapping[str, Value], described: Sequence[Option]) -> None:
    """Write some values into the link; the others stay."""
    values, _ = tuned(state.view().tune, described)
    state.look(tune=tune_text(values | chosen, described))


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


def pictures(found: Sequence[Picture]) -> None:
    """Pictures below each other where they are wide, else in pairs."""
    waiting: list[Picture] = []
    for picture in found:
        waiting.append(picture)
        if picture.wide or len(waiting) == 2:
            _row(waiting)
            waiting = []
    if waiting:
        _row(waiting)


def _row(row: Sequence[Picture]) -> None:
    if len(row) == 1:
        one(row[0])
        return
    for column, picture in zip(st.columns(len(row), gap="medium"), row, strict=True):
        with column:
            one(picture)


def one(picture: Picture) -> None:
    """A single picture in its frame."""
    show(picture.figure, picture.caption, picture.table, picture.name)


def numbers(found: Sequence[Number], key: str) -> None:
    """Our numbers beside the printed ones, the difference, and why."""
    table = pd.DataFrame([number_row(number) for number in found])
    if all(cell == "" for cell in table["printed"]):
        table = table[["number", "ours"]]
    st.markdown("**The numbers**")
    st.table(table.map(lambda cell: controls.plain_markdown(str(cell))), hide_index=True)
    twin(table, key)


def number_row(number: Number) -> dict[str, str]:
    """One number as cells.

    Returns:
        Words, ours, printed, difference and the reason.
    """
    printed = math.isfinite(number.printed)
    return {
        "number": number.words,
        "ours": f"{number.ours:.6g}",
        "printed": f"{number.printed:.6g}" if printed else "",
        "difference": f"{number.difference:+.2g}" if printed else "",
        "why": number.why or ("rounding of the print" if printed else ""),
    }
