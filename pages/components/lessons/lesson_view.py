"""A lesson on the page: one step at a time; predict, then reveal."""

from __future__ import annotations

import streamlit as st

from pages.components.browser.done import finished
from pages.components.lessons import LESSONS, following, number_of
from pages.components.lessons.parts import shown
from pages.components.lessons.parts.kinds import AnswerKey, Lesson, Setting, Step
from pages.components.lessons.parts.prose import TERMS, StepText, explained, filled
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown

REVEALED, PREDICTED = "lessons.revealed", "lessons.predicted"


def begin(name: str, step: int = 1) -> None:
    """Open a lesson with its own problem, or a figure; what one was looking at is kept for the way back."""
    entry = LESSONS[name]
    state.set_aside()
    if isinstance(entry, Lesson):
        state.put(entry.own)
        state.look(test=entry.test)
        st.session_state.plain = False
    state.look(lesson=name, step=step, tune="" if name != state.view().lesson else state.view().tune)


@st.fragment
def draw(name: str, lesson: Lesson) -> None:
    """The step that the link names; Back, Next, sliders and answers rerun this part only."""
    with guarded(), core.interactive():
        if state.view().lesson != name:
            st.rerun()
        state.mirror()
        values = shown.values_of(lesson.options)
        at = min(state.view().step, len(lesson.steps)) - 1
        _head(name, lesson, at)
        setting = Setting(state.settings(), state.test(), values)
        if refused := _refusal(lesson, setting):
            st.warning(refused, icon=":material/warning:")
            st.button("Use the lesson's own problem", type="primary", on_click=safely(own), args=(lesson,))
            return
        _step(name, lesson, at, setting)
        last = len(lesson.steps) - 1
        if at == last and (name, last) in st.session_state[REVEALED]:
            finished(LESSONS, name)


def own(lesson: Lesson) -> None:
    """The lesson's own data, model and test point."""
    state.put(lesson.own)
    state.look(test=lesson.test)


def _refusal(lesson: Lesson, setting: Setting) -> str:
    """Why the chosen problem cannot be used here; the lesson's own always can."""
    if setting.settings.key() == lesson.own.key():
        return ""
    problem = setting.analysis.problem
    try:
        cached.fit(setting.settings)
    except cached.expected_errors() as error:  # a model that does not suit the data, say
        return plain_markdown(str(error))
    if setting.test >= len(problem.split.test):
        return f"Test point {setting.test} does not exist: expected 0 to {len(problem.split.test) - 1}."
    if not problem.truth.instant:
        return "This lesson refits the model without each training point, and the chosen problem is too large for that."
    return lesson.fits(setting)


def _head(name: str, lesson: Lesson, at: int) -> None:
    """Where one is, Back and Next; after the last step the next lesson."""
    last = at == len(lesson.steps) - 1
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-head"):
        st.button("All lessons", icon=":material/arrow_back:", on_click=safely(state.leave_lesson), type="tertiary")
        st.markdown(f"**{number_of(name)}. {lesson.title}** · step {at + 1} of {len(lesson.steps)}")
        st.button("Back", icon=":material/chevron_left:", on_click=safely(_to), args=(at,), disabled=at == 0)
        if last:
            st.button("Explore it", icon=":material/my_location:", on_click=safely(_explore))
            if st.session_state.pop("lessons.leave", False):
                state.take_along(state.settings())
                st.switch_page("pages/3_Explore.py", query_params=state.link())
            if then := following(name):
                st.button(
                    "Next lesson", icon=":material/chevron_right:", on_click=safely(begin), args=(then,), type="primary"
                )
        else:
            st.button("Next", icon=":material/chevron_right:", on_click=safely(_to), args=(at + 2,), type="primary")


def _to(step: int) -> None:
    state.look(step=step)


def _explore() -> None:
    st.session_state["lessons.leave"] = True


def _step(name: str, lesson: Lesson, at: int, setting: Setting) -> None:
    words, step, place = lesson.text.steps[at], lesson.steps[at], (name, at)
    with st.container(key="lesson-step", gap="small"):
        st.header(words.title, anchor=False)
        text, picture = st.columns([4, 5], gap="medium")
        with text:
            st.markdown(words.text)
            if words.formula:
                st.latex(words.formula)
            if not step.answers_first:
                _sliders(lesson, step, setting)
            revealed = _ask(words, step, place, setting)
            if step.answers_first and revealed:
                _sliders(lesson, step, setting)
        with picture:
            for drawn in step.draw(setting, revealed):
                shown.one(drawn)


def _sliders(lesson: Lesson, step: Step, setting: Setting) -> None:
    for item in lesson.options:
        if item.name not in step.sliders:
            continue
        now = setting.tuned[item.name]
        if item.name not in lesson.stops:
            shown.widget(item, now, lesson.options)
            continue
        key = shown.key_of(item)
        st.session_state[key] = now
        st.select_slider(
            item.label,
            sorted({*lesson.stops[item.name], now}),
            key=key,
            format_func=lambda value: f"{value:g}".replace("-", "−"),
            on_change=safely(lambda name=item.name, key=key: shown.put({name: st.session_state[key]}, lesson.options)),
        )


def _ask(words: StepText, step: Step, place: tuple[str, int], setting: Setting) -> bool:
    """The question, or its answer once it is asked for, which is returned; below it what can be done next."""
    predicted: dict[tuple[str, int], int | None] = st.session_state.setdefault(PREDICTED, {})
    opened: set[tuple[str, int]] = st.session_state.setdefault(REVEALED, set())
    revealed = place in opened
    if revealed:
        _answer(words, step.answer(setting), predicted.get(place))
    else:
        key = f"predict.{place[0]}.{place[1]}"
        st.session_state[key] = predicted.get(place)
        st.radio(
            words.ask,
            range(len(words.choices)),
            key=key,
            index=None,
            format_func=lambda k: words.choices[k],
            on_change=safely(lambda: predicted.update({place: st.session_state[key]})),
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if revealed:
            st.button(
                "Predict again", icon=":material/undo:", type="tertiary", on_click=safely(opened.discard), args=(place,)
            )
        else:
            st.button(
                "Reveal", type="primary", icon=":material/visibility:", on_click=safely(opened.add), args=(place,)
            )
        with st.popover("What the words mean", icon=":material/help:", type="tertiary"):
            st.markdown(explained((*words.symbols, *TERMS)))
    return revealed


def _answer(words: StepText, answer: AnswerKey, guess: int | None) -> None:
    verdict = "" if guess is None else "**Right.** " if guess == answer.choice else "**Not so.** "
    said = filled(words.reveal, answer.numbers)
    with st.container(border=True):
        st.markdown(f"*{words.ask}*  \n{verdict}**{words.choices[answer.choice]}.** {said}")
