"""The parts of the Explore page: question, map, truth, trust line, examples, details of what ``Shown`` holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components import cached, controls, loo_panel, state
from pages.components.gallery import gallery
from pages.components.influence_map import MapView, Scene, colour_limit, influence_map, plain
from pages.components.loo_scatter import HARMFUL, HELPFUL, loo_scatter, summary
from pages.components.pixel_map import pixel_map
from pages.components.scene import scene, tiles
from pages.components.strips import Strip, signed, strip

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Refits

DAMPINGS = (0.0, *(float(f"{m}e{e}") for e in range(-6, 3) for m in (1, 3)))
SHOWN_EACH = 7  # one row at 1280 px


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows for one test point.

    Attributes:
        analysis: where everything comes from.
        settings: of this view.
        test: index of the test point.
        train: selected training point, or None.
        scores: (n,) predicted change, new minus old.
        refits: measured changes, where they exist.
        unit: of the scores.
        scene: the map's constant part.
    """

    analysis: Analysis
    settings: Settings
    test: int
    train: int | None
    scores: np.ndarray
    refits: Refits | None
    unit: str
    scene: Scene

    @staticmethod
    def of(analysis: Analysis, settings: Settings, refits: Refits | None) -> Shown:
        """Scores for the test point of this session.

        Returns:
            What is shown.
        """
        test = state.test()
        unit = analysis.quantity.unit or analysis.problem.fitted.model.loss.unit
        if not cached.core().ESTIMATORS[settings.estimator].predicts:
            unit = "a ranking without unit"
        scores = analysis.scores([test])[:, 0]
        return Shown(analysis, settings, test, st.session_state.train, scores, refits, unit, scene(settings))

    @property
    def helpfulness(self) -> np.ndarray:
        """Scores turned so that + is helpful: a fall of the margin or of the true class's probability is."""
        return -self.scores if self.analysis.quantity.helpful < 0 else self.scores

    @property
    def measured(self) -> np.ndarray | None:
        """(n,) measured change at the test point."""
        return None if self.refits is None else self.refits.change[:, self.test]


def clamp_test(analysis: Analysis) -> None:
    """A link may name a test point that this data set does not have."""
    m = len(analysis.problem.split.test)
    if not 0 <= state.test() < m:
        st.warning(
            f"Test point {state.test()} does not exist: expected 0 to {m - 1}. Test point 0 is shown.",
            icon=":material/link_off:",
        )
        state.choose_test(0)


def question(analysis: Analysis) -> None:
    """Which test point, which quantity, which estimator, which damping."""
    m = len(analysis.problem.split.test)
    wrong = np.flatnonzero(analysis.problem.misclassified)
    box, back, forth, dice, miss, _ = st.columns([1.4, 1.3, 1.1, 1.3, 2.1, 0.6], vertical_alignment="bottom")
    with box:
        st.session_state["test-box"] = state.test()
        st.number_input(
            "Test point", 0, m - 1, key="test-box", on_change=lambda: state.choose_test(st.session_state["test-box"])
        )
    _step(back, "Previous", ":material/chevron_left:", (state.test() - 1) % m)
    _step(forth, "Next", ":material/chevron_right:", (state.test() + 1) % m)
    _step(dice, "Random", ":material/casino:", int(np.random.default_rng().integers(m)))
    later = wrong[wrong > state.test()]
    target = int((later if len(later) else wrong)[0]) if len(wrong) else None
    _step(miss, "Next misclassified", ":material/error:", target)
    _settings_row(analysis)
    st.markdown(_verdict(analysis))


def _step(column: Any, label: str, icon: str, target: int | None) -> None:
    column.button(
        label,
        icon=icon,
        disabled=target is None,
        width="stretch",
        on_click=state.choose_test,
        args=(target,),
        help=None if target is not None else "The model gets every test point right.",
    )


def _verdict(analysis: Analysis) -> str:
    """What the test point is and what the model says, in one line."""
    split, j = analysis.problem.split, state.test()
    names, prediction = split.test.class_names, analysis.problem.predictions[j]
    name = controls.plain_markdown(str(split.test.ids[j]))
    if not names:
        return f"**{name}** · true {split.test.y[j]:.4g} · predicted {prediction[0]:.4g}"
    true = controls.plain_markdown(names[int(split.test.y[j])])
    if len(prediction) == 1:
        guess = names[int(prediction[0] > 0)]
        return (
            f"**{name}** · labelled **{true}** · model says {controls.plain_markdown(guess)}, f = {prediction[0]:.2f}"
        )
    best = int(prediction.argmax())
    verdict = "✓" if best == int(split.test.y[j]) else "✗ misclassified"
    return (
        f"**{name}** · labelled **{true}** · model says **{controls.plain_markdown(names[best])}** "
        f"with p = {prediction[best]:.3f} {verdict}"
    )


def _settings_row(analysis: Analysis) -> None:
    core, settings = cached.core(), state.settings()
    loss = analysis.problem.fitted.model.loss
    quantities = [name for name, entry in core.QUANTITIES.items() if entry.applies(loss)]
    what, how, damp, switches = st.columns([2, 2.4, 2.8, 2], vertical_alignment="bottom")
    with what:
        controls.choice(
            "Watch the",
            quantities,
            settings.quantity,
            "quantity",
            lambda name: state.change(quantity=name),
            titles={name: entry.title for name, entry in core.QUANTITIES.items()},
        )
    with how:
        controls.choice(
            "Predict its change by",
            list(core.ESTIMATORS),
            settings.estimator,
            "estimator",
            lambda name: state.change(estimator=name),
            titles={name: entry.title for name, entry in core.ESTIMATORS.items()},
        )
    with damp:
        nearest = min(DAMPINGS, key=lambda value: abs(value - settings.solver.damping))
        st.session_state["damping"] = nearest
        st.select_slider(
            "Damping δ of (H + δI)⁻¹",
            DAMPINGS,
            key="damping",
            format_func=lambda value: f"{value:g}",
            on_change=lambda: state.change("solver", damping=st.session_state["damping"]),
            help="Moves only the solve, not the fit. Live: with the eigendecomposition another δ costs two products.",
        )
    with switches:
        st.checkbox("Lock colour scale", key="lock", help="The same limits for every test point.")
        st.checkbox("Symmetric log scale", key="symlog")


def draw_map(shown: Shown) -> None:
    """The map, recoloured by the scores of the test point."""
    helpful = shown.helpfulness
    st.markdown("**Training points, coloured by influence on the star**")
    locked = st.session_state.get("lock", False)
    limit = colour_limit(shown.analysis.all_scores if locked else helpful)
    view = MapView(
        selected_test=shown.test,
        selected_train=shown.train,
        limit=limit,
        symlog=st.session_state.get("symlog", False),
        unit=shown.unit,
        alt=_alt(shown),
    )
    influence_map(shown.scene, helpful, view, _clicked, "map")
    st.caption(_definition(shown))


def _clicked(side: str, index: int) -> None:
    if side == "test":
        state.choose_test(index)
    else:
        state.choose_train(index)


def _alt(shown: Shown) -> str:
    up, down = int(shown.helpfulness.argmax()), int(shown.helpfulness.argmin())
    ids = shown.analysis.problem.split.train.ids
    return (
        f"Map of {len(shown.scores)} training points. Most helpful {ids[up]} with {signed(shown.scores[up])}, "
        f"most harmful {ids[down]} with {signed(shown.scores[down])} {shown.unit}."
    )


def _definition(shown: Shown) -> str:
    """The sentence of the method, for the quantity on screen."""
    quantity = shown.analysis.quantity
    if quantity.helpful > 0:
        return cached.core().SENTENCE
    start = f"change = {quantity.title} without the training point minus {quantity.title} with it. "
    if quantity.helpful < 0:
        return start + "Helpful (blue): removing the point lowers it. Harmful: removing it raises it."
    return (
        start + "A prediction is neither helped nor harmed: blue, removal pushes it up; orange, removal pushes it down."
    )


def draw_truth(shown: Shown) -> None:
    """LOO scatter, or the way to it."""
    st.markdown("**Predicted change against exact leave-one-out**")
    if shown.measured is None:
        loo_panel.panel(shown.settings)
        return
    labels = [plain(text) for text in shown.scene.train_labels]
    st.plotly_chart(
        loo_scatter(shown.measured, shown.scores, labels, shown.unit, shown.train),
        key="loo-scatter",
        config={"displaylogo": False},
    )
    agreed = shown.analysis.agreement(shown.refits, shown.test)  # type: ignore[arg-type]
    st.markdown(summary(agreed))
    st.caption(_certified(shown))


def _certified(shown: Shown) -> str:
    refits = shown.refits
    if refits is None:
        return ""
    failed = int((~refits.certified).sum())
    tail = "." if not failed else f"; {failed} refits have no certified minimum and are left out."
    finite = refits.certificate[refits.certified]
    return (
        "slope = least-squares slope of measured on predicted; above 1 the prediction under-estimates. "
        f"Every point is a refit certified to ‖∇J‖ ≤ {finite.max(initial=0.0):.0e} of its first gradient{tail}"
    )


def trust_line(shown: Shown) -> None:
    """What the numbers rest on; amber with advice where an assumption is broken."""
    found = shown.analysis.trust(shown.test, shown.refits)
    if found.warnings:
        st.warning(
            "  \n".join(controls.plain_markdown(sentence) for sentence in found.warnings), icon=":material/warning:"
        )
    mark = ":orange[:material/error:] " if found.warnings else ":green[:material/check_circle:] "
    st.caption(mark + controls.plain_markdown(found.line))


def examples(shown: Shown) -> None:
    """The most helpful and most harmful training points: images in strips, rows in tables."""
    order = np.argsort(-shown.helpfulness, kind="stable")
    helpful = [int(i) for i in order[:SHOWN_EACH] if shown.helpfulness[i] > 0]
    harmful = [int(i) for i in order[::-1][:SHOWN_EACH] if shown.helpfulness[i] < 0]
    split = shown.analysis.problem.split
    st.subheader("The training points that matter most", anchor=False)
    if split.train.images is not None and split.test.images is not None:
        content = Strip(
            split.test.images[shown.test],
            shown.scene.test_labels[shown.test],
            helpful,
            harmful,
            shown.scores,
            shown.unit,
            shown.train,
        )
        strip(split.train.images, shown.scene.train_labels, content, state.choose_train, "strips")
        return
    for column, title, rows, colour in zip(
        st.columns(2), ("Most helpful", "Most harmful"), (helpful, harmful), (HELPFUL, HARMFUL), strict=True
    ):
        with column:
            st.markdown(f":{'blue' if colour == HELPFUL else 'orange'}[**{title}**]")
            st.dataframe(_rows(shown, rows), hide_index=True)


def _rows(shown: Shown, rows: list[int]) -> pd.DataFrame:
    split = shown.analysis.problem.split
    frame = _table(shown).iloc[rows][["id", "label", "predicted change"]]
    raw = split.scaling.invert(split.train.x[rows])[:, :8]
    features = pd.DataFrame(raw, columns=list(split.train.feature_names[:8]), index=frame.index)
    return pd.concat([frame, features], axis=1)


def details(shown: Shown) -> None:
    """Gallery, perturbation map and table twin."""
    images = tiles(shown.settings)
    names = ["Gallery of test images"] * (images is not None) + ["What if a feature changed?", "Table and CSV"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if images is not None:
        with tabs["Gallery of test images"]:
            st.caption("Click a digit, or use Tab, arrow keys and Enter. A corner mark: the model gets it wrong.")
            gallery(images, shown.test, state.choose_test, "gallery")
    with tabs["What if a feature changed?"]:
        _perturbation(shown)
    with tabs["Table and CSV"]:
        frame = _table(shown)
        ranked = frame.reindex(frame["predicted change"].abs().sort_values(ascending=False).index)
        st.dataframe(ranked, hide_index=True, height=360)
        st.download_button(
            "Download CSV",
            lambda: controls.csv(ranked),
            f"influence-{shown.settings.data.name}-test-{shown.test}.csv",
            "text/csv",
            icon=":material/download:",
        )
        st.caption(_definition(shown))


def _table(shown: Shown) -> pd.DataFrame:
    split = shown.analysis.problem.split
    names = split.train.class_names
    columns: dict[str, Any] = {
        "id": split.train.ids,
        "label": [names[int(y)] for y in split.train.y] if names else split.train.y,
        "flipped": split.flipped,
        "predicted change": shown.scores,
    }
    if shown.measured is not None and shown.refits is not None:
        columns |= {"measured change": shown.measured, "certificate": shown.refits.certificate}
    return pd.DataFrame(columns)


def _perturbation(shown: Shown) -> None:
    split = shown.analysis.problem.split
    row = shown.train if shown.train is not None else int(np.abs(shown.scores).argmax())
    change = shown.analysis.perturbation(shown.test, row)
    chosen = "the selected" if shown.train is not None else "the strongest"
    label = controls.plain_markdown(shown.scene.train_labels[row])
    st.markdown(f"**{label}**, {chosen} training point: what would each feature's growth do to this prediction?")
    st.plotly_chart(pixel_map(change, split.train, row, shown.unit), key="perturbation", config={"displaylogo": False})
    st.caption(
        "Predicted change (first order) if one feature of this training point grew by one unit"
        + (" (one standard deviation of that feature)" if shown.settings.data.standardise else "")
        + " and the model were refitted."
    )
