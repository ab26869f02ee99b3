"""Whether a fit is a minimum of J, in words."""

from __future__ import annotations

from typing import Any

import streamlit as st


def optimality(fit: Any) -> None:
    """Whether θ̂ is a minimum of J: everything on influence rests on it."""
    facts = f"‖∇J(θ̂)‖ = {fit.gradient_norm:.1e}, goal 1e-10·max(1, ‖∇J(0)‖) = {fit.goal:.1e}"
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
