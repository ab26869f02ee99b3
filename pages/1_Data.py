"""Data: what are the examples, and are their labels right?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Option
from pages.components.charts import examples
from pages.components.data.examples import draw_gallery, draw_table, named
from pages.components.data.fetch_panel import offer_to_fetch
from pages.components.data.representation import options_of
from pages.components.data.upload_wizard import fresh, go_on, own_data
from pages.components.frame.bootstrap import bootstrap
from pages.components.lenses import lens_of
from pages.components.problem import draw_panel, reading_panel
from pages.components.problem.suit import RARE_WORDS, say_once, suit_model
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.errors import safely
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown
from pages.components.widgets import controls
from pages.components.widgets.chart_frame import show

if TYPE_CHECKING:
    from influence_core.analysis import Problem
    from influence_core.data import Dataset, Source, Split

SEED = Option("seed", 0, "Seed", 0, 2**31 - 1, help="Decides every random choice: draw, split and flips.")


def choose_source() -> Source | None:
    """Which data set, and its own options."""
    current = state.settings().data
    titles = {
        name: source.title + (" (not fetched yet)" if source.file and not source.present else "")
        for name, source in core.DATASETS.items()
    }
    box, words = st.columns([2, 3], vertical_alignment="bottom")
    with box:
        controls.choice("Data", list(titles), current.name, "data.name", take_source, titles=titles)
    source = core.DATASETS.get(current.name)
    words.markdown(plain_markdown(source.summary) if source else "")
    if cached.drawn(state.settings()):
        draw_panel.data_options()
    elif source is not None and source.options and not source.uploaded and source.ready():
        options_of(source)
    return source


def take_source(name: str) -> None:
    """Another data set keeps the fractions, and the flips where there are classes."""
    source = core.DATASETS[name]
    flips = state.settings().data.flip_fraction if source.task != "regression" else 0.0
    if source.estimator not in {"", state.settings().estimator}:
        state.change(estimator=source.estimator)
        state.note(RARE_WORDS)
    state.change("data", name=name, options=(), flip_fraction=flips)


def choose_split(source: Source) -> None:
    """Fractions, scaling, flips and seed."""
    classes = core.task_of(state.settings().data) == "classification"
    test, validation, flips, rest = st.columns([3, 3, 4, 2], vertical_alignment="top")
    with test:
        percent("Test share, %", "test_fraction", 1, 90)
    with validation:
        percent("Validation share, %", "validation_fraction", 0, 50, "For loss curves only; nothing is fitted on it.")
    with flips:
        percent(
            "Labels flipped on purpose, %",
            "flip_fraction",
            0,
            50,
            "Share of the training labels replaced by another class: a known truth for finding wrong labels."
            if classes
            else "Only labels that are classes can be flipped.",
            disabled=not classes and state.settings().data.flip_fraction == 0,
        )
    with rest:
        controls.value(SEED, state.settings().seed, "data.seed", lambda new: state.change(seed=new))
    standardise(source)


def percent(label: str, name: str, low: int, high: int, words: str = "", disabled: bool = False) -> None:  # noqa: PLR0913, PLR0917
    """A slider in per cent for a fraction of the data settings."""
    key = f"data.{name}"
    st.session_state[key] = min(max(round(100 * getattr(state.settings().data, name)), low), high)
    st.slider(
        label,
        low,
        high,
        key=key,
        help=words or None,
        disabled=disabled,
        on_change=safely(lambda: state.change("data", **{name: st.session_state[key] / 100})),
    )


def standardise(source: Source) -> None:
    """Whether features get mean 0 and standard deviation 1."""
    st.session_state["data.standardise"] = state.settings().data.standardise and source.standardise
    st.checkbox(
        "Standardise features (mean 0, standard deviation 1 on the training part)",
        key="data.standardise",
        disabled=not source.standardise,
        help=None if source.standardise else "These features are used as they are.",
        on_change=safely(lambda: state.change("data", standardise=st.session_state["data.standardise"])),
    )


def sizes(problem: Problem) -> None:
    """The size line."""
    split, columns = problem.split, len(problem.columns)
    train = split.train
    encoded = f", of {columns:,} columns" if columns < train.x.shape[1] else ""
    facts = {
        "Training points n": len(train),
        "Validation points": len(split.validation),
        "Test points m": len(split.test),
        f"Features d{encoded}": train.x.shape[1],
        "Classes c": train.classes or "–",
        "Labels changed": int(split.flipped.sum()) if train.classes else "–",
    }
    for column, (name, count) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, f"{count:,}" if isinstance(count, int) else count)


def draw_map(problem: Problem) -> None:
    """Training points on two axes."""
    split, places = problem.split, problem.positions
    train, plane = split.train, split.train.x.shape[1] == 2
    labels = lens_of(train).hover(train, split.original_y)
    points = examples.Points(places.train, train.y, train.class_names, labels, split.flipped, train.target_name)
    axes = "features" if plane else "strongest directions of words" if train.worded else "principal axes"
    ends, caption = None, f"{len(train):,} training points on their two {axes}."
    if train.x.shape[1] == 1:
        caption = f"{len(train):,} training points: the one feature against the target."
    if plane and split.boundary is not None:
        corners = core.quality.frame(problem)
        ends = examples.boundary_ends(split.boundary.weights, split.boundary.offset, *corners)
        caption += (
            " Dashed: the boundary with the smallest possible error, known because the data are drawn from a known "
            f"law; its Bayes error is {split.boundary.bayes_error:.2%}."
        )
    if split.flipped.any():
        caption += f" Ringed: the {split.flipped.sum():,} labels flipped on purpose."
    title = "Where the classes lie" if train.classes else "Where high and low targets lie"
    table = pd.DataFrame({"id": train.ids, places.axes[0]: places.train[:, 0], places.axes[1]: places.train[:, 1]})
    table["label"] = named(train, train.y)
    table["flipped"] = split.flipped
    show(examples.points_map(points, places.axes, title, ends).update_layout(height=560), caption, table, "data-map")


def draw_balance(split: Split) -> None:
    """How common each class is, or how the target is distributed."""
    train = split.train
    if not train.classes:
        draw_histogram(train.y, train, "How the target is distributed", train.target_name, "target-histogram")
        return
    counts = {
        part: np.bincount(data.y.astype(int), minlength=train.classes)
        for part, data in (("train", train), ("validation", split.validation), ("test", split.test))
    }
    counts["train, before flips"] = np.bincount(split.original_y.astype(int), minlength=train.classes)
    table = pd.DataFrame({"class": train.class_names, **counts})
    words = ", ".join(f"{name}: {count:,}" for name, count in zip(train.class_names, counts["train"], strict=True))
    hatched = f" Hatched: {split.flipped.sum():,} labels flipped on purpose." if split.flipped.any() else ""
    figure = examples.class_balance(train.y, split.flipped, train.class_names)
    show(figure, f"Training examples by their present label. {words}.{hatched}", table, "class-balance")


def choose_histogram(split: Split) -> None:
    """Histogram of one feature in the unit of the source."""
    train = split.train
    names = train.feature_names
    feature = controls.place("feature", len(names), min(lens_of(train).first(train), len(names) - 1))
    st.session_state["histogram"] = feature
    st.selectbox(
        "Feature",
        range(len(names)),
        format_func=lambda k: names[k],
        key="histogram",
        on_change=safely(lambda: controls.pick("feature", st.session_state["histogram"], len(names))),
    )
    values = split.feature(feature)
    draw_histogram(values, train, f"How {names[feature]} is distributed", names[feature], "feature-histogram")


def draw_histogram(values: np.ndarray, train: Dataset, title: str, unit: str, key: str) -> None:
    """Counts in equal bins, by class where there are classes."""
    figure = examples.histogram(values, train.y, train.class_names, title, unit)
    edges = examples.bins(values)
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:]})
    for trace in figure.data:
        table[trace.name] = np.asarray(trace.y)
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    show(figure, f"Training points: lowest {low:.4g}, median {middle:.4g}, highest {high:.4g}.", table, key)


bootstrap("Data", "What are the examples, and are their labels right?")
with guarded():
    say_once()
    with st.container(border=True):
        chosen = choose_source()
        here = chosen is None or not chosen.uploaded or own_data()
        if chosen is not None and here:
            choose_split(chosen)
    if not here:
        st.stop()
    if chosen is not None and not chosen.present and not chosen.uploaded:
        if chosen.missing:
            st.info(plain_markdown(chosen.missing), icon=":material/inventory_2:")
        else:
            offer_to_fetch(state.settings().data.name, chosen)
        st.stop()
    with cached.in_turn(state.settings()):
        reading_panel.wait(state.settings())
        current_problem = cached.problem(state.settings())
        uploaded = chosen is not None and chosen.uploaded
        suit_model(current_problem.split.train, current_problem.split if fresh() and uploaded else None)
    go_on()
    sizes(current_problem)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        draw_map(current_problem)
    with right:
        draw_balance(current_problem.split)
        choose_histogram(current_problem.split)
    draw_gallery(current_problem.split)
    draw_table(current_problem.split)
