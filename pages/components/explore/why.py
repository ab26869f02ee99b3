"""Why a training point matters: its score over what it is made of, and the three factors behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.explore.copied import copied
from pages.components.explore.sharers import chosen_word, pick_word
from pages.components.explore.standing import short
from pages.components.explore.word_panel import word_panel
from pages.components.lenses import Reason, lens_of
from pages.components.problem import train_panel
from pages.components.problem.asked import Shown
from pages.components.problem.suit import RARE_WORDS
from pages.components.session.door import core
from pages.components.session.words import plain_markdown, signed

if TYPE_CHECKING:
    from influence_core.analysis import Why


def why(shown: Shown) -> None:
    """The selected training point, or the strongest one; nothing for the reverse question, which has no test point."""
    if shown.view.ask == "train" or not core.ESTIMATORS[shown.settings.estimator].splits:
        return
    row = shown.view.train
    chosen = shown.strongest if row is None else row
    if not np.isfinite(shown.scores[chosen]):
        st.caption("Without this training point no unique minimum is left, so it has no score to explain.")
        return
    split = shown.analysis.problem.split
    try:
        train_panel.solve_row(shown.analysis, chosen)
        found = core.why(shown.analysis, shown.tests, chosen)
    except core.EXPECTED_ERRORS as error:  # a network of another kind
        st.caption(plain_markdown(str(error)))
        return
    which = "the strongest training point"
    name = plain_markdown(shown.scene.train_labels[chosen])
    lead = (
        ""
        if row is not None
        else f" **{name}**, {which}: {shown.form.text(found.shares.score)} {shown.form.scaled_unit}."
    )
    st.markdown(f"**Why does it matter?**{lead} :small[{_factors(found)}]", help=_words(shown, found))
    asked = "test point" if shown.single is not None else f"{len(shown.tests):,} test points"
    pick = None if shown.single is None else pick_word
    reason = Reason(split, found, shown.single, asked, shown.sign, shown.ends, shown.form, chosen_word(shown), pick)
    lens_of(split).why(reason)
    word_panel(shown, found)
    copied(shown, chosen)


def _factors(found: Why) -> str:
    """How wrong, how far out, how alike."""
    parts = []
    if found.factors is not None:
        parts.append(
            f"The model is **wrong** on it by {short(found.factors.wrong)} (more than on {found.wronger:.0%} of the "
            "training points)"
        )
    if found.leverage is not None:
        value, share = found.leverage
        parts.append(f"it **sticks out** with leverage {value:.2g} (more than {share:.0%})")
    if found.factors is not None:
        pull = "the same way as" if found.factors.alike >= 0 else "against"
        parts.append(f"and it pulls **{pull}** what is asked about: cosine {signed(round(found.factors.alike, 3))}")
    return ", ".join(parts) + "." if parts else ""


def _words(shown: Shown, found: Why) -> str:
    if found.shares.before is not None:
        return (
            "A network's score splits exactly over what its last layer reads; the layers before it are one number. "
            "The cosine is that of the two gradients in the metric of (H + δI)⁻¹."
        )
    newton = " One-step Newton: the same split, with what the point's leverage adds." * (
        shown.settings.estimator == "newton"
    )
    if newton and shown.analysis.problem.split.train.worded:
        newton += f" {RARE_WORDS}"
    return (
        "The score is exactly the sum of these shares: share of a column = its value (from the mean) × how much the "
        f"{plain_markdown(shown.watched)} feels it × how wrong the model is here.{newton} A share is not what would "
        "happen if the value were another one: that is *What if a feature changed?* below. The cosine is that of the "
        "two gradients in the metric of (H + δI)⁻¹."
    )
