"""Figures hold the numbers they were given, in the places and colours that the guide asks for."""

import html
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from influence_core.analysis import quality, trials
from pages.components.charts import base, examples, fits, solvers
from pages.components.charts.field import Field
from pages.components.charts.pixel_map import pixel_map
from pages.components.widgets import controls

RESERVED = {"#0072B2", "#D55E00"}
NASTY = '<b onclick="x">=1+1</b> %{x} *bold*'


def cloud(n=30, classes=("a", "b"), flips=(), seed=0):
    random = np.random.default_rng(seed)
    y = random.integers(0, max(len(classes), 1), n) if classes else random.normal(size=n)
    flipped = np.isin(np.arange(n), flips)
    return examples.Points(random.normal(size=(n, 2)), y, tuple(classes), [f"row {i}" for i in range(n)], flipped)


def test_class_colours_never_mean_helpful_or_harmful():
    assert not RESERVED & {colour.upper() for colour in base.CLASS_COLOURS}
    assert len(set(base.CLASS_COLOURS)) == len(base.CLASS_COLOURS)
    looks = {(base.class_colour(k), base.SHAPES[k % len(base.SHAPES)]) for k in range(10)}
    assert len(looks) == 10


def test_map_draws_every_point_once_and_rings_the_flipped():
    points = cloud(flips=(3, 7))
    figure = examples.points_map(points, ("x1", "x2"), "Where")
    a, b, rings = figure.data
    for k, trace in enumerate((a, b)):
        np.testing.assert_array_equal(np.column_stack([trace.x, trace.y]), points.xy[points.y == k])
        assert list(trace.text) == [f"row {i}" for i in np.flatnonzero(points.y == k)]
    assert a.marker.symbol != b.marker.symbol
    np.testing.assert_array_equal(np.column_stack([rings.x, rings.y]), points.xy[[3, 7]])
    assert rings.name == "label flipped on purpose (2)"


def test_map_of_a_target_is_coloured_by_it():
    points = cloud(classes=())
    [trace] = examples.points_map(points, ("x1", "x2"), "Where").data
    np.testing.assert_array_equal(trace.marker.color, points.y)


@pytest.mark.parametrize(("n", "kind"), [(2_000, go.Scatter), (2_001, go.Scattergl)])
def test_crowds_are_drawn_by_webgl_in_all_traces(n, kind):
    figure = examples.points_map(cloud(n, flips=(0,)), ("x1", "x2"), "Where", np.array([[0, 0], [1, 1]]))
    assert {type(trace) for trace in figure.data} == {kind}


def test_hostile_names_stay_text():
    points = examples.Points(np.zeros((2, 2)), np.array([0, 1]), (NASTY, "b"), [NASTY, "b"], np.zeros(2, bool))
    figure = examples.points_map(points, (NASTY, "x2"), NASTY)
    shown = [figure.layout.title.text, figure.layout.xaxis.title.text, figure.data[0].name, figure.data[0].text[0]]
    for text in shown:
        assert "<" not in text
        assert html.unescape(text) == NASTY
    assert NASTY not in (figure.data[0].hovertemplate or "")


@pytest.mark.parametrize(
    ("weights", "offset", "ends"),
    [
        ((2.0, 2.0), 0.0, [[1, -1], [-1, 1]]),
        ((1.0, 0.0), 0.5, [[0.5, -1], [0.5, 1]]),
        ((0.0, 2.0), 1.0, [[1, 0.5], [-1, 0.5]]),
        ((1.0, 1.0), 5.0, None),
        ((0.0, 1.0), 5.0, None),
    ],
)
def test_boundary_is_clipped_to_the_box(weights, offset, ends):
    found = examples.boundary_ends(weights, offset, (-1, -1), (1, 1))
    if ends is None:
        assert found is None
    else:
        np.testing.assert_allclose(sorted(found.tolist()), sorted(ends), atol=1e-12)
        np.testing.assert_allclose(found @ np.array(weights), offset, atol=1e-12)


def test_class_balance_counts_kept_and_changed_labels():
    y, flipped = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 0, 0, 1, 0], bool)
    kept, changed = examples.class_balance(y, flipped, ("a", "b", "c")).data
    assert (kept.x.tolist(), changed.x.tolist()) == ([2, 1, 1], [1, 1, 0])
    assert kept.y == ("a", "b", "c")
    assert "Most common is a: 50%" in examples.class_balance(y, flipped, ("a", "b", "c")).layout.title.text


@pytest.mark.parametrize("classes", [(), ("a", "b"), ("a", "b", "c", "d")])
def test_histogram_holds_every_value_once(classes):
    random = np.random.default_rng(0)
    values, y = random.normal(size=500), random.integers(0, max(len(classes), 1), 500)
    figure = examples.histogram(values, y, classes, "How", "cm")
    assert sum(int(np.sum(trace.y)) for trace in figure.data) == 500
    for k, trace in enumerate(figure.data):
        assert np.sum(trace.y) == (np.sum(y == k) if classes else 500)


def test_histogram_of_a_constant_and_of_a_heavy_tail():
    assert np.sum(examples.histogram(np.ones(9), np.zeros(9, int), (), "How", "").data[0].y) == 9
    assert len(examples.bins(np.random.default_rng(0).standard_cauchy(5_000))) <= examples.MOST_BINS + 1


def test_newton_curve_is_the_distance_to_the_last_value():
    [trace] = fits.newton_curve((5.0, 2.0, 1.5, 1.5)).data
    np.testing.assert_array_equal(trace.x, [0, 1])
    np.testing.assert_allclose(trace.y, [3.5, 0.5])


def test_loss_curves_start_at_epoch_one():
    training, validation = fits.loss_curves((3.0, 2.0), (4.0, 5.0), "nats").data
    assert training.x.tolist() == [1, 2]
    assert (training.y.tolist(), validation.y.tolist()) == ([3.0, 2.0], [4.0, 5.0])


def test_confusion_has_true_classes_as_rows():
    counts = quality.confusion(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), 2)
    np.testing.assert_array_equal(counts, [[1, 1], [1, 2]])
    figure = fits.confusion_matrix(counts, ("a", "b"))
    np.testing.assert_allclose(figure.data[0].z, [[0.5, 0.5], [1 / 3, 2 / 3]])
    places = {(note.y, note.x): note.text for note in figure.layout.annotations}
    assert places == {(0, 0): "1", (0, 1): "1", (1, 0): "1", (1, 1): "2"}
    assert "3 of 5" in figure.layout.title.text


def test_decided_class_of_one_and_of_several_outputs():
    assert quality.decided(np.array([[-1.0], [2.0]])).tolist() == [0, 1]
    assert quality.decided(np.array([[0.1, 0.9, 0.3], [2.0, 1.0, 0.0]])).tolist() == [1, 0]


def test_residuals_are_target_minus_prediction():
    predicted, target = np.array([1.0, 2.0]), np.array([1.5, 1.0])
    trace = fits.residual_plot(predicted, target, ["a", "b"], "kg").data[1]
    np.testing.assert_allclose(trace.y, [0.5, -1.0])
    np.testing.assert_allclose(trace.x, predicted)


@pytest.mark.parametrize("probability", [True, False])
def test_decision_field_fills_probability_and_draws_its_levels(probability):
    axis = np.linspace(-3, 3, 41)
    f = np.add.outer(0 * axis, axis)  # f = x1
    points = cloud()
    figure = fits.decision_field(Field(axis, axis, f), probability, points, ("x1", "x2"), None)
    fill, boundary, low, high = figure.data[:4]
    expected = 1 / (1 + np.exp(-f)) if probability else np.clip(f, -2, 2)
    np.testing.assert_allclose(fill.z, expected)
    assert fill.hoverinfo == "skip"
    for trace, level, dash in ((boundary, 0.0, "solid"), (low, -1.0, "dash"), (high, 1.0, "dash")):
        np.testing.assert_allclose(np.array(trace.x)[np.isfinite(trace.x)], level, atol=1e-9)
        assert trace.line.dash == dash


def test_colours_of_a_pixel_are_added_up_in_weights_and_changes():
    weights = np.arange(2 * 3 * 4 * 3, dtype=float).reshape(2, -1)
    figure = fits.weight_images(weights, (3, 4, 3), ["a", "b"])
    assert np.array_equal(figure.data[1].z, weights[1].reshape(12, 3).sum(1).reshape(3, 4))
    images = np.zeros((2, 3, 4, 3), np.uint8)
    images[1, 0, 0] = [30, 60, 90]
    drawn = pixel_map(weights[0], images[1], "nats").data
    assert drawn[0].z[-1, 0] == 60  # the first row of the picture is drawn last, from below
    assert drawn[1].z[-1, 0] == weights[0, :3].sum()


def test_weight_images_share_one_scale_symmetric_about_zero():
    weights = np.random.default_rng(0).normal(size=(7, 12))
    figure = fits.weight_images(weights, (3, 4), [f"class {k}" for k in range(7)])
    assert len(figure.data) == 7
    for k, trace in enumerate(figure.data):
        np.testing.assert_array_equal(trace.z, weights[k].reshape(3, 4))
    axis = figure.layout.coloraxis
    assert axis.cmax == -axis.cmin == np.abs(weights).max()
    assert not RESERVED & {str(stop[1]).upper() for stop in axis.colorscale}


def test_coefficient_bars_are_the_largest_first():
    values = np.linspace(-3, 2, 40)
    figure = fits.coefficient_bars(values, [f"f{k}" for k in range(40)], "unit")
    shown = figure.data[0]
    assert len(shown.x) == fits.LARGEST
    assert (shown.x[0], shown.y[0]) == (-3.0, "f0")
    assert np.all(np.diff(np.abs(shown.x)) <= 0)


def test_solver_panels_have_equal_axes_and_a_diagonal():
    truth = np.array([np.nan, 1.0, -2.0])
    figure = solvers.panels(truth, {"A": np.array([9.0, 1.0, 4.0]), "B": truth}, solvers.Against("exact LOO", "nats"))
    diagonal, dots = figure.data[:2]
    np.testing.assert_array_equal(diagonal.x, diagonal.y)
    np.testing.assert_array_equal(dots.y, [1.0, -2.0])
    np.testing.assert_array_equal(dots.x, [1.0, 4.0])  # the cloud leans as the slope of measured on predicted
    assert dots.text == ("training point 1", "training point 2")  # 0 was not measured
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert figure.layout.xaxis2.range == figure.layout.yaxis2.range
    assert figure.layout.xaxis.range[1] > 4 > figure.layout.xaxis2.range[1]


def test_the_noise_of_a_network_is_a_band_whose_edges_are_seen():
    truth, look = np.array([1.0, -2.0]), solvers.Against("training without a point", "nats", 3.0)
    figure = solvers.panels(truth, {"A": truth, "B": truth}, look)
    assert [(shape.y0, shape.y1, shape.yref) for shape in figure.layout.shapes] == [(-3, 3, "y"), (-3, 3, "y2")]
    assert figure.layout.xaxis.range[1] > 3
    wide = solvers.panels(truth, {"A": truth}, replace(look, band=1e6))
    assert wide.layout.xaxis.range[1] < 20  # points stay visible


def test_halves_have_a_panel_per_solver_with_its_rank_correlation():
    measured = np.array([0.1, 0.3, 0.2])
    figure = solvers.halves_panels(measured, {"A": -measured, "B<": measured}, {"A": -1.0, "B<": 1.0})
    assert [note.text for note in figure.layout.annotations] == ["A: -1.00", "B&lt;: 1.00"]
    np.testing.assert_array_equal(figure.data[0].x, [1, 3, 2])
    np.testing.assert_array_equal(figure.data[0].y, [3, 1, 2])
    assert figure.data[0].customdata[1] == [1, "0.3", "-0.3"]
    assert "3 random halves" in figure.layout.title.text


@pytest.mark.parametrize(("sign", "colours"), [(1, ["#0072B2", "#D55E00"]), (-1, ["#D55E00", "#0072B2"])])
def test_panels_colour_by_helpfulness(sign, colours):
    truth = np.array([1.0, -1.0])
    meant = solvers.Meant(("down", "up"), sign)
    figure = solvers.panels(truth, {"A": truth}, solvers.Against("x < y", "nats"), meant)
    assert list(figure.data[1].marker.color) == colours
    assert figure.layout.yaxis.title.text == "x &lt; y<br>← down | up →"
    assert figure.layout.xaxis.title.text == "predicted<br>← down | up →"


def test_spectrum_counts_what_lies_below_the_damping():
    figure = solvers.spectrum(np.array([-1.0, 0.1, 1.0, 10.0]), 0.5)
    assert "2 of 4" in figure.layout.title.text
    np.testing.assert_array_equal(figure.data[0].y, [10.0, 1.0, 0.1])
    assert figure.layout.shapes[0].y0 == 0.5
    assert not solvers.spectrum(np.array([1.0, 2.0]), 0.0).layout.shapes


def test_score_paths_keep_zero_damping_beside_the_decades():
    scores = np.array([[2.0, 1.0, 0.5], [-3.0, -1.0, 0.5]])
    path = trials.DampingPath(np.array([0.0, 0.1, 1.0]), np.array([4, 5]), scores)
    figure = solvers.score_paths(path, ["a", "b"], 0.1, "nats")
    for trace, row in zip(figure.data, scores, strict=True):
        np.testing.assert_array_equal(trace.y, row)
        np.testing.assert_allclose(trace.x, [-2, -1, 0])
    assert [trace.line.color for trace in figure.data] == ["#0072B2", "#D55E00"]
    assert figure.layout.shapes[0].x0 == pytest.approx(-1)
    assert figure.layout.xaxis.ticktext == ("0", "0.1", "1")
    assert figure.layout.yaxis.title.text == "predicted change, nats<br>← harmful | helpful →"


def test_durations_read_well():
    assert [trials.seconds(value) for value in (2.5e-5, 0.0123, 2.0)] == ["25\u00a0µs", "12.3\u00a0ms", "2\u00a0s"]


def test_relative_error_of_zero_reference():
    assert trials.relative_error(np.zeros(3), np.zeros(3)) == 0
    assert trials.relative_error(np.array([3.0, 4.0]), np.array([0.0, 5.0])) == pytest.approx(np.sqrt(10) / 5)


@pytest.mark.parametrize(("current", "step"), [(0.1, 0.01), (0.003, 0.0001), (1000.0, 100.0), (0.0, 0.01), (1.0, 0.1)])
def test_steppers_move_by_a_tenth_of_the_leading_digit(current, step):
    assert controls._step(current) == pytest.approx(step)
