"""The page that the browser tests drive: ``?n=``, ``?field=1``, ``?classes=``, ``?magnitude=1`` choose the scene.

``?reverse=1`` colours the test points by the selected training point.  A lasso is the group, and moves the boundary.
``?loo=1`` adds the LOO scatter, a table and a Streamlit chart below.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from influence_core.settings import Settings  # noqa: E402
from pages.components.browser.bridge import ensure_static  # noqa: E402
from pages.components.browser.gallery import Gallery, gallery, park_tiles, sprite  # noqa: E402
from pages.components.browser.loo_scatter import Look, Pairs, loo_scatter  # noqa: E402
from pages.components.browser.map import MapView, Reactions, Scene, influence_map, park
from pages.components.browser.strips import Strip, strip  # noqa: E402
from pages.components.charts.field import Field, level_lines  # noqa: E402
from pages.components.charts.scale import colour_limit
from pages.components.widgets import chart_frame  # noqa: E402
from pages.components.widgets.linked_table import linked_table  # noqa: E402

st.set_page_config(layout="wide")
ensure_static(Path(__file__).parent / "static")  # served from beside the main script
query, state = st.query_params, st.session_state
N, CLASSES = int(query.get("n", 300)), int(query.get("classes", 2))
TESTS = 40


def digits(kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred bars and boxes: something to look at.

    Returns:
        (n, 14, 14) uint8.
    """
    images = np.zeros((len(kind), 14, 14), np.uint8)
    for image, k in zip(images, kind, strict=True):
        a, b = rng.integers(2, 5, 2)
        image[a:-b, a:-b] = 200
        image[a + 2 : -b - 2 + k % 3, a + 2 : -b - 2] = 0 if k % 2 else 120
    return images + rng.integers(0, 40, images.shape).astype(np.uint8)


@st.cache_resource
def scene(n: int, classes: int, with_field: bool) -> tuple[Scene, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    kind, test_kind = rng.integers(0, classes, n), rng.integers(0, classes, TESTS)
    angle = 2 * np.pi * np.arange(classes) / classes
    centre = 1.2 * np.column_stack([np.cos(angle), np.sin(angle)])
    xy, test = centre[kind] + rng.normal(size=(n, 2)), centre[test_kind] + rng.normal(size=(TESTS, 2))
    gx, gy = np.linspace(-4.5, 4.5, 100), np.linspace(-4, 4, 100)
    p = 1 / (1 + np.exp(2.2 * gx[None] + 0.5 * np.sin(2 * gy[:, None]) + 0.3))
    images, test_images = digits(kind, rng), digits(test_kind, rng)
    flipped = rng.random(n) < min(0.08, 60 / n)
    value = Scene(
        fingerprint=f"demo {n} {classes} {with_field}",
        train_xy=xy,
        test_xy=test,
        train_class=kind,
        test_class=test_kind,
        class_names=tuple(f"<b>class</b> {k}" for k in range(classes)),
        train_labels=[f"train-{i} · label {k}" for i, k in enumerate(kind)],
        test_labels=[f"test-{i} · <i>label</i> {k}" for i, k in enumerate(test_kind)],
        flipped=flipped,
        axis_titles=("first component", "second component"),
        sprite=sprite(np.concatenate([images, test_images])),
        field=Field(gx, gy, p) if with_field else None,
        optimal=np.array([[0.0, -4.0], [0.0, 4.0]]) if with_field else None,
    )
    return value, images, test_images


@st.cache_resource
def tiles(n: int, classes: int) -> Gallery:
    value, _, test_images = scene(n, classes, False)
    return Gallery(f"tests {n} {classes}", sprite(test_images), value.test_labels, np.arange(TESTS) % 7 == 3)


shown, train_images, test_images = scene(N, CLASSES, "field" in query)
for name in ("test", "train", "last"):
    state.setdefault(name, None)
state.setdefault("lasso", ((), ()))


def clicked(side: str, index: int) -> None:
    state[side], state.last = index, f"{side} {index}"


def lassoed(train: np.ndarray, test: np.ndarray) -> None:
    state.lasso = train, test


def scores() -> np.ndarray | None:
    if "reverse" in query:
        return (
            None
            if state.train is None
            else 0.01 - 0.004 * np.linalg.norm(shown.test_xy - shown.train_xy[state.train], axis=1)
        )
    if state.test is None:
        return None
    gap = np.linalg.norm(shown.train_xy - shown.test_xy[state.test], axis=1)
    same = np.where(shown.train_class == shown.test_class[state.test], 1.0, -1.0)
    return same * np.where(shown.flipped, -1, 1) * np.exp(-(gap**2)) * 0.013


show = st.toggle("Show", True)
if show:
    park(shown, "scene")


@st.fragment
def explore() -> None:
    values = scores()
    limit = 1.0 if values is None else colour_limit(values)
    group, tests = state.lasso
    after = None
    if len(group) and shown.field is not None:
        after = level_lines(shown.field, 0.7)
    view = MapView(
        state.test,
        state.train,
        limit,
        symlog="symlog" in query,
        magnitude_only="magnitude" in query,
        target="test" if "reverse" in query else "train",
        group=group,
        tests=tests,
        after=after,
        title="Who moved the <i>boundary</i>?",
        file="demo-map",
    )
    influence_map(shown, values, view, Reactions(clicked, lassoed), "map")
    st.code(f"last={state.last} selected={state.test}")
    st.code(f"group={list(map(int, group))} tests={list(map(int, tests))}")
    park_tiles(tiles(N, CLASSES), "gallery-tiles")
    gallery(tiles(N, CLASSES), state.test, lambda index: clicked("test", index), "gallery")
    if values is not None and len(values) == N:
        order = np.argsort(values)
        said = f"test-{state.test} · label 1, model says 0"
        content = Strip(said, order[::-1][:8], order[:8], values, selected=state.train)
        images = np.concatenate([test_images[[state.test]], train_images[[*content.helpful, *content.harmful]]])
        strip(sprite(images), shown.train_labels, content, lambda index: clicked("train", index), "strip")


@st.fragment
def linked() -> None:
    side = "test" if "reverse" in query else "train"
    count = TESTS if side == "test" else N
    rng = np.random.default_rng(state.test or 0)
    predicted = rng.normal(size=count) ** 3 * 0.01
    measured = predicted * 1.1 + rng.normal(size=count) * 0.004
    measured[::50] = np.nan
    pick = state.test if side == "test" else state.train
    loo_scatter(
        shown, Pairs(measured, predicted, side), Look(selected=pick, file="demo-loo"), lambda i: clicked(side, i), "loo"
    )
    frame = pd.DataFrame({"label": getattr(shown, f"{side}_labels"), "predicted change, nats": predicted})
    linked_table(frame.sort_values("predicted change, nats"), pick, lambda i: clicked(side, i), "linked-table")
    st.code(f"linked={state[side]}")


@st.fragment
def framed() -> None:
    st.session_state.setdefault("settings", Settings())  # what the file of a chart names
    xs = np.linspace(0, 6, 50, dtype=np.float32)
    figure = go.Figure(go.Scatter(x=xs, y=np.sin(xs), name="a sine"))
    figure.update_layout(title="A wave &lt;b&gt; comes &amp; goes", xaxis_title="time, s", yaxis_title="height, m")
    chart_frame.show(figure, "One period.", pd.DataFrame({"time": xs, "height": np.sin(xs)}), "wave")


if show:
    explore()
    if "loo" in query:
        linked()
        framed()
