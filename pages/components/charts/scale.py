"""From scores to colours and sizes, and from anybody's text to text that a chart shows as it is."""

from __future__ import annotations

import html

import numpy as np
from numpy.typing import NDArray

from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.charts.field import Floats

CLIP_PERCENTILE = 99.0
SMALLEST_MARKER = 4.5
LARGEST_MARKER = 16.0
CROWD = 500
NEUTRAL = "#9AA0AC"
# Grey in the middle reads on white and on the dark theme; the sign shows well before the full colour.
DIVERGING = [[0.0, HARMFUL], [0.4, "#C98A5E"], [0.5, NEUTRAL], [0.6, "#6699B8"], [1.0, HELPFUL]]


def plain(text: str) -> str:
    """Text that Plotly shows as it stands; Plotly reads a subset of HTML in titles and legends."""
    return html.escape(text, quote=False)


def plain_lines(text: str) -> str:
    """The same, and a line break stays one."""
    return plain(text).replace("\n", "<br>")


def coloured(scores: Floats) -> list[str]:
    """A colour per score: blue where helpful, vermillion where harmful, grey at zero."""
    zero = 1e-12 * float(np.abs(scores).max(initial=0.0))  # rounding is no sign
    colours: list[str] = np.where(scores > zero, HELPFUL, np.where(scores < -zero, HARMFUL, NEUTRAL)).tolist()
    return colours


def colour_limit(scores: Floats) -> float:
    """99th percentile of |score|, so that a few extremes do not make all else neutral; positive even for zeros.

    A point whose removal leaves no unique minimum has no score, and no say here.
    """
    magnitude = np.abs(scores[np.isfinite(scores)])
    limit = float(np.percentile(magnitude, CLIP_PERCENTILE)) if magnitude.size else 0.0
    return limit or float(magnitude.max(initial=0.0)) or 1.0


def marker_sizes(scores: Floats, limit: float) -> NDArray[np.float32]:
    """Marker diameters in pixels: area in proportion to |score| up to the limit, with a floor that stays visible.

    Many points get smaller large markers, so that a crowd does not become a blot.

    Returns:
        (n,) float32.

    Raises:
        ValueError: the limit is not positive.
    """
    if not limit > 0:
        raise ValueError(f"Expected a positive colour limit, got {limit}.")
    crowding = min(1.0, (CROWD / max(len(scores), 1)) ** 0.25)
    share = np.minimum(np.abs(scores) / limit, 1.0)
    floor = SMALLEST_MARKER * np.sqrt(crowding)
    sizes: NDArray[np.float32] = np.maximum(LARGEST_MARKER * crowding * np.sqrt(share), floor).astype(np.float32)
    return sizes
