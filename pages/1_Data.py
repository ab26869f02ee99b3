"""Data: what are the examples, and are their labels right?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Option, Settings
from pages.components import cached, charts, controls, draw_panel, fit_report, state
from pages.components.bootstrap import bootstrap, guarded
from pages.components.chart_frame import show, twin
from pages.components.gallery import Gallery, gallery, sprite
from pages.components.scene import describe
from pages.components.suit import say_once, suit_model

PREVIEW = 200
FEATURES = 30
SEED = Option("seed", 0, "Seed", 0, 2**31 - 1, help="Decides every random choice: draw, split and flips.")


def choose_source() -> Any:
    """Which data set, and its own options.

    Returns:
        The chosen source.
    """
    core, current = cached.core(), state.settings().data
    titles = {
        name: source.title + ("" if source.present else " (not fetched yet)") for name, source in core.DATASETS.items()
    }
    box, words = st.columns([2, 3], vertical_alignment="bottom")
    with box:
        controls.choice("Data", list(titles), current.name, "data.name", take_source, titles=titles)
    source = core.DATASETS.get(current.name)
    words.markdown(controls.plain_markdown(source.summary) if source else "")
    if cached.drawn(state.settings()):
        draw_panel.data_options()
    elif source is not None and source.options:
        columns = st.columns(4)
        for k, described in enumerate(source.options):
            with columns[k % 4]:
                controls.option("data", described)
    return source


def take_source(name: str) -> None:
    """Another data set keeps the fractions, and the flips where there are classes."""
    flips = state.settings().data.flip_fraction if cached.core().DATASETS[name].task == "classification" else 0.0
    state.change("data", name=name, options=(), flip_fraction=flips)


def choose_split(source: Any) -> None:
    """Fractions, scaling, flips and seed."""
    test, validation, flips, rest = st.columns([3, 3, 4, 2], vertical_alignment="top")
    with test:
        percent("Test share, %", "test_fraction", 1, 90)
    with validation:
        percent("Validation share, %", "validation_fraction", 0, 50, "For loss curves only; nothing is fitted on it.")
    with flips:
        percent(
            "Labels changed on purpose, %",
            "flip_fraction",
            0,
            50,
            "Share of the training labels replaced by another class: a known truth for finding wrong labels."
            if source.task == "classification"
            else "Only labels that are classes can be flipped.",
            disabled=source.task != "classification" and state.settings().data.flip_fraction == 0,
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
        on_change=lambda: state.change("data", **{name: st.session_state[key] / 100}),
    )


def standardise(source: Any) -> None:
    """Whether features get mean 0 and standard deviation 1."""
    st.session_state["data.standardise"] = state.settings().data.standardise and source.standardise
    st.checkbox(
        "Standardise features (mean 0, standard deviation 1 on the training part)",
        key="data.standardise",
        disabled=not source.standardise,
        help=None if source.standardise else "These features are used as they are.",
        on_change=lambda: state.change("data", standardise=st.session_state["data.standardise"]),
    )


def offer_to_fetch(source: Any) -> None:
    """The file is missing: say so, and fetch it when asked."""
    st.info(
        f"{source.title} needs the file {source.file}, which is not in the data folder yet. "
        "It can be fetched once from OpenML and is checked against a checksum.",
        icon=":material/cloud_download:",
    )
    if not st.button("Fetch it now", type="primary", key="data.fetch"):
        return
    try:
        with st.spinner("Fetching and checking …"):
            cached.problem(state.settings()).split  # noqa: B018 - loading fetches
    except cached.core().EXPECTED_ERRORS as error:
        st.error(controls.plain_markdown(str(error)), icon="⚠️")
        return
    st.rerun()


def sizes(split: Any) -> None:
    """The size line."""
    train = split.train
    facts = {
        "Training points n": len(train),
        "Validation points": len(split.validation),
        "Test points m": len(split.test),
        "Features d": train.x.shape[1],
        "Classes c": train.classes or "–",
        "Labels changed": int(split.flipped.sum()) if train.classes else "–",
    }
    for column, (name, count) in zip(st.columns(len(facts)), facts.items(), strict=True):
        column.metric(name, f"{count:,}" if isinstance(count, int) else count)


def draw_map(problem: Any) -> None:
    """Training points on two axes."""
    split, places = problem.split, problem.positions
    train, plane = split.train, split.train.x.shape[1] == 2
    labels = describe(train, split.original_y)
    points = charts.Points(places.train, train.y, train.class_names, labels, split.flipped, train.target_name)
    ends, caption = None, f"{len(train):,} training points on their two {'features' if plane else 'principal axes'}."
    if train.x.shape[1] == 1:
        caption = f"{len(train):,} training points: the one feature against the target."
    if plane and split.boundary is not None:
        ends = charts.boundary_ends(split.boundary.weights, split.boundary.offset, *fit_report.frame(problem))
        caption += (
            " Dashed: the boundary with the smallest possible error, known because the data are drawn from a known "
            f"law; its Bayes error is {split.boundary.bayes_error:.2%}."
        )
    if split.flipped.any():
        caption += f" Ringed: the {split.flipped.sum():,} labels changed on purpose."
    title = "Where the classes lie" if train.classes else "Where high and low targets lie"
    table = pd.DataFrame({"id": train.ids, places.axes[0]: places.train[:, 0], places.axes[1]: places.train[:, 1]})
    table["label"] = named(train, train.y)
    table["changed on purpose"] = split.flipped
    show(charts.points_map(points, places.axes, title, ends).update_layout(height=560), caption, table, "data-map")


def named(data: Any, y: np.ndarray) -> Any:
    """Class names, or the targets themselves."""
    return np.array(data.class_names, dtype=object)[y.astype(int)] if data.classes else y


def draw_balance(split: Any) -> None:
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
    hatched = f" Hatched: {split.flipped.sum():,} labels changed on purpose." if split.flipped.any() else ""
    figure = charts.class_balance(train.y, split.flipped, train.class_names)
    show(figure, f"Training examples by their present label. {words}.{hatched}", table, "class-balance")


def choose_histogram(split: Any) -> None:
    """Histogram of one feature in the unit of the source."""
    train = split.train
    names = train.feature_names
    start = 0 if train.images is None else len(names) // 2 + (train.images.shape[2] // 2)
    feature = st.selectbox(
        "Feature", range(len(names)), index=min(start, len(names) - 1), format_func=lambda k: names[k], key="histogram"
    )
    values = split.scaling.invert(train.x)[:, feature]
    draw_histogram(values, train, f"How {names[feature]} is distributed", names[feature], "feature-histogram")


def draw_histogram(values: np.ndarray, train: Any, title: str, unit: str, key: str) -> None:
    """Counts in equal bins, by class where there are classes."""
    figure = charts.histogram(values, train.y, train.class_names, title, unit)
    edges = charts.bins(values)
    table = pd.DataFrame({"from": edges[:-1], "to": edges[1:]})
    for trace in figure.data:
        table[trace.name] = np.asarray(trace.y)
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    show(figure, f"Training points: lowest {low:.4g}, median {middle:.4g}, highest {high:.4g}.", table, key)


@st.cache_resource(max_entries=6, show_spinner=False)
def tiles(key: str, _settings: Settings) -> Gallery:
    """The first training images with flipped labels marked, built once per split."""
    split = cached.problem(_settings).split
    labels = describe(split.train, split.original_y)[:PREVIEW]
    images = sprite(split.train.images[:PREVIEW])
    return Gallery(f"train {key}", images, labels, split.flipped[:PREVIEW], charts.FLIPPED, "Training images")


def draw_gallery(split: Any) -> None:
    """The first training images; one click names an image."""
    shown = min(PREVIEW, len(split.train))
    st.markdown(f"**The first {shown} training images**")
    row = st.session_state.get("data.row")
    row = row if row is not None and row < shown else None
    found = tiles(state.settings().key("data", "seed"), state.settings())
    gallery(found, row, lambda index: st.session_state.update({"data.row": index}), "train-gallery")
    marked = f" A corner mark: {charts.FLIPPED}." if split.flipped[:shown].any() else ""
    picked = f"Picked: {found.labels[row]}." if row is not None else "Click an image to read its name and label."
    st.caption(controls.plain_markdown(picked + marked))


def draw_table(split: Any) -> None:
    """The first rows as a person would write them."""
    train = split.train
    rows, columns = min(PREVIEW, len(train)), min(FEATURES, train.x.shape[1])
    table = pd.DataFrame({"id": train.ids[:rows], "label": named(train, train.y)[:rows]})
    if split.flipped.any():
        original = pd.Series(named(train, split.original_y)[:rows], dtype=object)
        table["label in the source"] = original.where(split.flipped[:rows], "")
    raw = pd.DataFrame(split.scaling.invert(train.x[:rows])[:, :columns], columns=list(train.feature_names[:columns]))
    table = pd.concat([table, raw], axis=1).loc[:, lambda frame: ~frame.columns.duplicated()]
    st.markdown(f"**The first {rows} of {len(train):,} training examples, in the source's units**")
    if columns < train.x.shape[1]:
        st.caption(f"The first {columns} of {train.x.shape[1]:,} features.")
    st.dataframe(table, hide_index=True, height=300)
    twin(table, "training-examples")


bootstrap("Data", "What are the examples, and are their labels right?")
with guarded():
    say_once()
    with st.container(border=True):
        chosen = choose_source()
        if chosen is not None:
            choose_split(chosen)
    if chosen is not None and not chosen.present:
        offer_to_fetch(chosen)
        st.stop()
    current_problem = cached.problem(state.settings())
    suit_model(current_problem.split.train)
    sizes(current_problem.split)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        draw_map(current_problem)
    with right:
        draw_balance(current_problem.split)
        choose_histogram(current_problem.split)
    if current_problem.split.train.images is not None:
        draw_gallery(current_problem.split)
    draw_table(current_problem.split)
