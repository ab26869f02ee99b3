"""The LOO scatter: what is drawn is what was measured and predicted, and blue is helpful whatever the quantity."""

import numpy as np
import pytest

from influence_core.agreement import agreement
from pages.components.loo_scatter import HARMFUL, HELPFUL, Look, loo_scatter, summary

RANDOM = np.random.default_rng(0)
MEASURED = RANDOM.normal(size=60)
PREDICTED = 0.8 * MEASURED + 0.05 * RANDOM.normal(size=60)
LABELS = [f"point {i}" for i in range(60)]


def drawn(figure) -> dict[int, tuple[float, float, str]]:
    points = {}
    for trace in figure.data[1:3]:
        for i, x, y, colour in zip(trace.customdata, trace.x, trace.y, trace.marker.color, strict=True):
            points[i] = (x, y, colour)
    return points


@pytest.mark.parametrize("sign", [1, -1])
def test_every_point_is_drawn_once_in_its_place_and_colour(sign: int) -> None:
    points = drawn(loo_scatter(MEASURED, PREDICTED, Look(LABELS, sign=sign)))
    assert sorted(points) == list(range(60))
    for i, (x, y, colour) in points.items():
        assert (x, y) == (MEASURED[i], PREDICTED[i])
        assert colour == (HELPFUL if sign * PREDICTED[i] >= 0 else HARMFUL)


def test_the_strongest_twenty_are_diamonds_with_their_own_r() -> None:
    figure = loo_scatter(MEASURED, PREDICTED, Look(LABELS))
    strongest = set(np.argsort(-np.abs(PREDICTED))[:20])
    assert set(figure.data[2].customdata) == strongest
    assert figure.data[2].marker.symbol == "diamond"
    rows = list(strongest)
    assert f"r = {np.corrcoef(MEASURED[rows], PREDICTED[rows])[0, 1]:.3f}" in figure.data[2].name


def test_axes_are_equal_for_changes_and_free_for_rankings() -> None:
    figure = loo_scatter(MEASURED, 100 * PREDICTED, Look(LABELS))
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    figure = loo_scatter(MEASURED, 100 * PREDICTED, Look(LABELS, "a ranking", equal=False))
    assert figure.layout.xaxis.range != figure.layout.yaxis.range
    assert "predicted = measured" not in [trace.name for trace in figure.data]


def test_refits_without_a_certificate_are_left_out() -> None:
    measured = MEASURED.copy()
    measured[5] = np.nan
    assert 5 not in drawn(loo_scatter(measured, PREDICTED, Look(LABELS, selected=5)))


def test_the_summary_names_every_number() -> None:
    found = agreement(MEASURED, PREDICTED)
    text = summary(found)
    assert f"r = {found.r}" in text
    assert f"slope = {found.slope}" in text
    assert "n = 60" in text


def test_both_axes_say_their_sign_in_words() -> None:
    figure = loo_scatter(MEASURED, PREDICTED, Look(LABELS, sign=-1, ends=("helpful", "harmful")))
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.title.text.endswith("← helpful | harmful →")
