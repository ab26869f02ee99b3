"""The trust line: a word for the scores, what it rests on, and advice where an assumption is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Trust

BROKEN, SOUND = ":orange[:material/error:] ", ":green[:material/check_circle:] "
LOOKS = {
    "agrees": ("green", "check_circle"),
    "roughly": ("orange", "error"),
    "misleads": ("red", "cancel"),
}  # colour and icon of each word; the words stand beside them for whoever sees no colours


def trust_line(found: Trust, newton: Callable[[], None] | None = None) -> None:
    """The word, what it rests on and the facts; before them advice about every broken assumption.

    Args:
        found: what the scores rest on.
        newton: what takes one-step Newton instead, where that is offered and helps.
    """
    if found.warnings:
        tell = st.error if found.word == "misleads" else st.warning
        tell("  \n".join(plain_markdown(sentence) for sentence in found.warnings), icon=":material/warning:")
    offered = newton if found.mended else None
    label = f"Use one-step Newton{' and damping 0' if found.damping else ''}"
    if offered and st.button(label, key="trust.newton", icon=":material/swap_horiz:"):
        offered()
        st.rerun()  # the whole page: the choice of the estimator stands outside the part that a click reruns
    colour, icon = LOOKS[found.word]
    if found.word == "agrees" and found.caveats:
        colour, icon = LOOKS["roughly"]
    word = f":{colour}[:material/{icon}: **{found.word}**]"
    st.markdown(f"{word} :small[{plain_markdown(found.basis)} · {plain_markdown(found.line)}]")


def optimality(fit: Any) -> None:
    """Whether θ̂ is a minimum of J: everything on influence rests on it."""
    facts = f"‖∇J(θ̂)‖ = {fit.gradient_norm:.1e}, goal 1e-10·‖∇J(0)‖, but not below rounding, = {fit.goal:.1e}"
    if fit.epochs:
        trained(fit)
    elif fit.converged:
        st.success(f"Converged: {facts}.", icon=":material/check_circle:")
    elif fit.method == "adamw":
        st.warning(
            f"Not a minimum of J: {facts}. AdamW shrinks θ apart from the gradient (decoupled decay), so its fixed "
            "point is no minimum of J: more epochs come nearer to that point, not to the minimum. Influence assumes "
            "a minimum: fit by Newton.",
            icon="⚠️",
        )
    else:
        st.warning(f"Rounding stopped the descent first: {facts}. A larger l2 helps.", icon="⚠️")


def trained(fit: Any) -> None:
    """How far a network came."""
    epochs = f"{len(fit.history)} epochs"
    taken = f"θ̂ is that of epoch {fit.epochs}, the lowest validation loss" if fit.epochs < len(fit.history) else ""
    facts = f"‖∇J(θ̂)‖ = {fit.gradient_norm:.1e}, goal 1e-3·max(1, ‖∇J(θ₀)‖) = {fit.goal:.1e}"
    sentence = f"Trained for {epochs}: {facts}." + (f" {taken}." if taken else "")
    if fit.converged:
        st.success(sentence, icon=":material/check_circle:")
    else:
        st.info(
            sentence + " A network is at no exact minimum: read influence as a ranking, and measure it on the Explore "
            "page (noise of refitting, training on random halves).",
            icon=":material/info:",
        )
