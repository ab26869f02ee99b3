"""Widgets for settings: one Option becomes one widget, and every change goes through ``state``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st

from influence_core.settings import Option, SettingsError, Value
from pages.components.browser.bridge import is_index
from pages.components.session import state
from pages.components.session.errors import safely
from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Problem


def option(part: str, described: Option) -> None:
    """A widget for one option of the chosen dataset, model or solver."""
    try:
        current = described.parse(dict(getattr(state.settings(), part).options).get(described.name, described.default))
    except SettingsError as error:
        st.caption(f":orange[{plain_markdown(str(error))} The default is shown.]")
        current = described.default
    key = f"{part}.{getattr(state.settings(), part).name}.{described.name}"
    value(described, current, key, lambda new: state.change_option(part, described.name, new))


def value(described: Option, current: Value, key: str, put: Callable[[Value], None]) -> None:
    """A widget whose change calls ``put``: select box, check box, number or text by the type of the default."""
    st.session_state[key] = None if described.empty and current == described.low else current

    def changed() -> None:
        chosen = st.session_state[key]
        with suppress(SettingsError):  # a widget keeps to its range; another sender need not
            put(described.parse(described.low if chosen is None and described.low is not None else chosen))

    common = dict[str, Any](label=described.label, key=key, help=described.help or None, on_change=safely(changed))
    if described.choices:
        st.selectbox(options=described.choices, **common)
    elif isinstance(described.default, bool):
        st.checkbox(**common)
    elif isinstance(described.default, str):
        st.text_input(**common)
    else:
        if described.empty:
            common |= {"value": None, "placeholder": described.empty}
        if isinstance(described.default, int):
            low, high = _bound(described.low, int), _bound(described.high, int)
            st.number_input(min_value=low, max_value=high, step=1, **common)
        else:
            low, high = _bound(described.low, float), _bound(described.high, float)
            st.number_input(min_value=low, max_value=high, step=_step(float(current)), format="%g", **common)


def place(name: str, count: int, default: int) -> int:
    """A number of the view that names one of ``count`` things here; another one gives a sentence and the default."""
    chosen = getattr(state.view(), name)
    if chosen is None or chosen < count:
        return default if chosen is None else int(chosen)
    st.warning(
        f"{name} {chosen} does not exist: expected 0 to {count - 1}. {default} is shown.", icon=":material/link_off:"
    )
    state.look(**{name: None})
    return default


def exist(problem: Problem) -> None:
    """Before anything is drawn: the selected points are points of these data, else a sentence says what is shown."""
    for sentence in state.fit_in(len(problem.split.train), len(problem.split.test)):
        st.warning(plain_markdown(sentence), icon=":material/link_off:")
    if state.view().test is None:
        state.start_at(problem.start)


def pick(name: str, chosen: object, count: int) -> None:
    """Put a number into the view where it names one of ``count`` things."""
    if is_index(chosen, count):
        state.look(**{name: chosen})


def _bound(limit: float | None, kind: type) -> int | float | None:
    return None if limit is None else kind(limit)


def _step(current: float) -> float:
    """A tenth of the leading digit's unit: the stepper moves 0.1 to 0.11, 0.003 to 0.0031 and 1000 to 1100."""
    return 10.0 ** (math.floor(math.log10(abs(current))) - 1) if current else 0.01


def choice(label: str, names: Sequence[str], current: str, key: str, put: Callable[[str], None], **more: Any) -> None:
    """A select box over registry names whose change calls ``put``; ``titles`` maps names to words."""
    titles: Mapping[str, str] = more.pop("titles", {})
    st.session_state[key] = current if current in names else names[0]

    def changed() -> None:
        if st.session_state[key] in names:  # a select box offers these only; another sender need not
            put(st.session_state[key])

    st.selectbox(
        label, names, key=key, on_change=safely(changed), format_func=lambda name: titles.get(name, name), **more
    )
