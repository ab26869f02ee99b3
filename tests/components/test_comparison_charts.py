"""Accuracy and recall figures say what the numbers say."""

import numpy as np
import pytest

from influence_core.influence.search import PARTS, FastReport, Reached, Shortened
from pages.components.charts import comparison
from pages.components.solvers import fast_panel


def report(**changes):
    sizes = (Reached(10, 0.5, 1e-4), Reached(100, 0.96, 2e-4), Reached(1000, 1.0, 3e-3))
    given = dict(
        top=10, sizes=sizes, full=2e-3, together=1e-3, build=0.1, long=1.0, short=0.25, apart=0.5,
        rounds=(4, 16), rho=0.995,
    )  # fmt: skip
    return FastReport(**(given | changes))


def test_accuracy_is_drawn_where_it_is():
    figure = comparison.accuracy(["CG (x)", "LiSSA"], [0.1, 1.0], [1e-8, 0.0], "Cholesky")
    (trace,) = figure.data
    assert list(trace.text) == ["CG", "LiSSA"]
    assert list(trace.x) == [0.1, 1.0]
    assert trace.y[1] == comparison.FLOOR
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_labels_of_near_marks_stand_on_different_sides():
    x, y = np.array([1.0, 1.05, 30.0, 1e3]), np.array([0.3, 0.3, 0.3, 1e-16])
    sides = comparison.sides(x, y, ["EK-FAC", "K-FAC", "Arnoldi", "Eigendecomposition"])
    assert sides[0] != sides[1]
    assert sides[2] == sides[3] == "top center"
    crowd = comparison.sides(np.array([1.0, 1.02, 30.0]), np.array([1.0, 3.0, 1e-16]), ["one", "two", "far"])
    assert crowd[0] != "top center"  # there stands the other mark


def test_recall_has_a_mark_for_every_size_and_one_for_everything():
    figure = comparison.recalls(report())
    assert list(figure.data[0].y) == [0.5, 0.96, 1.0]
    assert figure.data[1].x[0] == pytest.approx(2.0)


def test_sentences_say_what_pays_and_what_does_not():
    index, rounds, repeats = fast_panel.sentences(report(), 1000)
    assert "100 of 1,000 candidates hold 96% of the true top 10" in index
    assert "10 times faster" in index
    assert "4 of 16 rounds" in rounds and "4 times faster" in rounds
    assert "2 times faster" in repeats
    ways = tuple(Shortened(name, 1 / (k + 1), 0.9, 0.99) for k, name in enumerate(("none", *PARTS, "all three")))
    together = fast_panel.sentences(report(ways=ways), 1000)[3]
    assert "5 times faster" in together and "90% of the true one (r = 0.990)" in together
    assert "does not pay here" in fast_panel.sentences(report(full=1e-5), 1000)[0]
    assert "saves nothing here" in fast_panel.sentences(report(apart=0.2), 1000)[2]


def test_sizes_go_up_to_every_point():
    assert fast_panel.candidates(900) == (10, 22, 46, 100, 215, 464, 900)
