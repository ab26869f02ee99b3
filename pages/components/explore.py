"""What the Explore page shows for one test point: map, truth, trust line, examples; and ``Shown``, which holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components import cached, controls, loo_panel, state
from pages.components.influence_map import MapView, Reactions, Scene, colour_limit, influence_map
from pages.components.loo_scatter import HARMFUL, HELPFUL, Look, Pairs, loo_scatter, summary
from pages.components.scene import scene
from pages.components.strips import Strip, signed, strip

if TYPE_CHECKING:
    from influence_core.analysis import Analysis, Refits

SHOWN_EACH = 6  # one row at 1280 px


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
        return Shown(analysis, settings, test, state.view().train, scores, refits, unit, scene(settings))

    @property
    def orientation(self) -> int:
        """+1 where a rise is helpful, −1 where a fall is, 0 where neither word applies: a prediction, another class."""
        other_class = self.settings.quantity == "probability" and self.settings.target >= 0
        return 0 if other_class else self.analysis.quantity.helpful

    @property
    def helpfulness(self) -> np.ndarray:
        """Scores turned so that + is helpful: a fall of the margin or of the true class's probability is."""
        return self.sign * self.scores

    def look(self) -> Look:
        """How the points of the LOO scatter are named and coloured.

        Returns:
            The look.
        """
        own = self.analysis.quantity.unit or self.analysis.problem.fitted.model.loss.unit
        ends = {1: ("harmful", "helpful"), -1: ("helpful", "harmful"), 0: ("pushes down", "pushes up")}
        return Look(self.unit, own, self.unit == own, self.sign, self.train, ends=ends[self.orientation])

    @property
    def sign(self) -> int:
        """−1 where a fall is helpful, else +1."""
        return -1 if self.orientation < 0 else 1

    @property
    def watched(self) -> str:
        """The quantity in words."""
        if self.settings.quantity == "probability" and self.settings.target >= 0:
            return f"probability of class {self.analysis.problem.split.test.class_names[self.settings.target]}"
        return self.analysis.quantity.title

    @property
    def measured(self) -> np.ndarray | None:
        """(n,) measured change at the test point."""
        return None if self.refits is None else self.refits.change[:, self.test]


def draw_map(shown: Shown) -> None:
    """The map, recoloured by the scores of the test point."""
    helpful = shown.helpfulness
    st.markdown("**Training points, coloured by influence on the star**")
    locked = state.view().lock
    limit = colour_limit(shown.analysis.all_scores if locked else helpful)
    view = MapView(
        selected_test=shown.test,
        selected_train=shown.train,
        limit=limit,
        symlog=state.view().symlog,
        magnitude_only=state.view().magnitude,
        sign=shown.sign,
        words=("harmful", "helpful") if shown.orientation else ("removal pushes down", "pushes up"),
        unit=shown.unit,
        alt=_alt(shown),
    )
    influence_map(shown.scene, helpful, view, Reactions(_clicked), "map")
    st.caption(definition(shown))


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


def definition(shown: Shown) -> str:
    """The sentence of the method, for the quantity on screen.

    Returns:
        What the numbers are, with their sign in words.
    """
    if shown.orientation > 0:
        sentence: str = cached.core().SENTENCE
        return sentence
    start = f"change = {shown.watched} without the training point minus {shown.watched} with it. "
    if shown.orientation < 0:
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
    loo_scatter(shown.scene, Pairs(shown.measured, shown.scores), shown.look(), state.choose_train, "loo-scatter")
    agreed = shown.analysis.agreement(shown.refits, shown.test)  # type: ignore[arg-type]
    st.markdown(summary(agreed))
    st.caption(_certified(shown))


def _certified(shown: Shown) -> str:
    refits = shown.refits
    if refits is None:
        return ""
    failed = int((~refits.certified).sum())
    tail = "." if not failed else f"; {failed} refits have no certified minimum and are left out."
    return (
        "slope = least-squares slope of measured on predicted; above 1 the prediction under-estimates. "
        "Every point is a refit of its own, certified to a gradient of at most 10⁻⁶ of the one it started with, or to "
        f"rounding{tail}"
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
            _titles(shown),
        )
        strip(split.train.images, shown.scene.train_labels, content, state.choose_train, "strips")
        return
    for column, title, rows, colour in zip(
        st.columns(2), _titles(shown), (helpful, harmful), (HELPFUL, HARMFUL), strict=True
    ):
        with column:
            st.markdown(f":{'blue' if colour == HELPFUL else 'orange'}[**{title}**]")
            st.dataframe(_rows(shown, rows), hide_index=True)


def _titles(shown: Shown) -> tuple[str, str]:
    """What the two ends of the scores mean for the watched quantity."""
    up, down = (f"removing one of these would {verb} the {shown.watched}" for verb in ("raise", "lower"))
    if not shown.orientation:
        return f"Up: {up}", f"Down: {down}"
    good, bad = (up, down) if shown.orientation > 0 else (down, up)
    return f"Helpful: {good}", f"Harmful: {bad}"


def _rows(shown: Shown, rows: list[int]) -> pd.DataFrame:
    split = shown.analysis.problem.split
    frame = table(shown).iloc[rows][["id", "label", "predicted change"]]
    raw = split.scaling.invert(split.train.x[rows])[:, :8]
    features = pd.DataFrame(raw, columns=list(split.train.feature_names[:8]), index=frame.index)
    return pd.concat([frame, features], axis=1)


def table(shown: Shown) -> pd.DataFrame:
    """Every training point with its label, its predicted and, where it exists, its measured change.

    Returns:
        n rows in the order of the training set.
    """
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
