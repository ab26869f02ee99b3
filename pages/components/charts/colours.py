"""The colours of the house, once: Python charts read them here, browser components get the same as ``PALETTE``."""

from __future__ import annotations

import json

# This pair keeps a contrast of at least 3 on white and on the dark theme, and survives colour-blindness.
HELPFUL, HARMFUL = "#0072B2", "#D55E00"
STAR = "#F0E442"  # the test point asked about, and whatever else is selected
MARK = "#CC79A7"  # the corner of a picture that the model gets wrong
# Okabe–Ito without helpful and harmful: class is shape first, and these on the Data and the Model page.
CLASS_COLOURS = ("#CC79A7", "#009E73", "#E69F00", "#56B4E9", "#F0E442", "#999999")
# Red, green, blue and strength (of 255) of the field where the model is certain of class 0, 1, …; no orange, which
# would read as harmful.
TINTS = ((204, 121, 167, 46), (0, 158, 115, 36), (240, 228, 66, 60), (86, 180, 233, 44), (120, 120, 120, 46))
THEMES = {
    "light": {
        "neutral": "#F7F7F7",
        "outline": "#8A8F98",
        "idle": "#C3C7CE",
        "strength": "#6A3D9A",
        "grid": "#E6E8EC",
        "text": "#31333F",
        "edge": "#31333F",
    },
    "dark": {
        "neutral": "#3A3F4B",
        "outline": "#868C99",
        "idle": "#5C6270",
        "strength": "#C9A6FF",
        "grid": "#2A2E38",
        "text": "#FAFAFA",
        "edge": "#000000",
    },
}


def script() -> str:
    """The colours as a module of JavaScript that exports ``PALETTE``."""
    names = {"helpful": HELPFUL, "harmful": HARMFUL, "star": STAR, "mark": MARK, "tints": TINTS, "themes": THEMES}
    return f"export const PALETTE = {json.dumps(names)};\n"


def style() -> str:
    """The same as variables of style sheets, for pages and for shadow roots."""
    return (
        f":root, :host {{ --if-helpful: {HELPFUL}; --if-harmful: {HARMFUL}; --if-star: {STAR}; --if-mark: {MARK}; }}\n"
    )


def ramp(kind: int, strength: float) -> str:
    """The tint of class 0 to 4 at an opacity, as ``rgba(…)`` of a Plotly scale."""
    red, green, blue, _ = TINTS[kind]
    return f"rgba({red},{green},{blue},{strength:g})"
