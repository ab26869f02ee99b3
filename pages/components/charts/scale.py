"""From scores to colours and sizes, and from anybody's text to text that a chart shows as it is."""

from __future__ import annotations

import html

import numpy as np
from numpy.typing import NDArray

from pages.components.charts.field import Floats

CLIP_PERCENTILE = 99.0
SMALLEST_MARKER = 4.5
LARGEST_MARKER = 16.0
CROWD = 500


def plain(text: str) -> str:
    """Text that Plotly shows as it stands; Plotly reads a subset of HTML in titles and legends.

    Returns:
        The text with ``&``, ``<`` and ``>`` as entities.
    """
    return html.escape(text, quote=False)


def colour_limit(scores: Floats) -> float:
    """99th percentile of |score|, so that a few extremes do not make all else neutral.

    Returns:
        A positive number, even where all scores are zero.
    """
    magnitude = np.abs(scores)
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
    return np.maximum(LARGEST_MARKER * crowding * np.sqrt(share), floor).astype(np.float32)
