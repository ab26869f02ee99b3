"""The trust line: what scores rest on, amber with advice where an assumption is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components.session.words import plain_markdown

if TYPE_CHECKING:
    from influence_core.analysis import Trust

BROKEN, SOUND = ":orange[:material/error:] ", ":green[:material/check_circle:] "


def trust_line(found: Trust) -> None:
    """Advice about every broken assumption, then the facts."""
    if found.warnings:
        st.warning("  \n".join(plain_markdown(sentence) for sentence in found.warnings), icon=":material/warning:")
    st.caption((BROKEN if found.warnings else SOUND) + plain_markdown(found.line))


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
