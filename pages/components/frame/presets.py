"""PRESETS: problems that open the pages in a chosen state; the first one is what a newcomer gets."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings


@dataclass(frozen=True)
class Preset:
    """A problem worth a look."""

    title: str
    sentence: str
    settings: Settings
    test: int | None = None


PRESETS: dict[str, Preset] = {
    "mnist": Preset(
        "MNIST, 1 versus 7",
        "Real handwritten digits and logistic regression. Which training images make a 7 look like a 7, and which "
        "pull it towards 1?",
        Settings(),
    ),
    "mislabelled": Preset(
        "MNIST with 5 % wrong labels",
        "The same digits, some labels flipped on purpose. Watch where the flipped ones end up.",
        Settings(data=DataSettings(flip_fraction=0.05)),
    ),
    "blobs": Preset(
        "Two Gaussian blobs",
        "Two dimensions, the optimal boundary known. See how far the influence of one point reaches.",
        Settings(
            data=DataSettings("blobs", test_fraction=0.2, flip_fraction=0.03), model=ModelSettings("logistic", 0.01)
        ),
    ),
    "drawn": Preset(
        "Draw your own points",
        "Add, drag, relabel and delete points by hand: boundary and influence follow while you draw.",
        Settings(data=DataSettings("drawn"), model=ModelSettings("logistic", 0.01)),
    ),
    "digits": Preset(
        "3, 5 or 8? Digits that look alike",
        "Softmax regression with three classes of 8×8 images: the curvature couples all of them.",
        Settings(
            data=DataSettings("digits", (("digits", "3,5,8"),), test_fraction=0.2),
            model=ModelSettings("softmax", 0.01),
        ),
    ),
    "hinge": Preset(
        "A support vector machine on iris",
        "Points beyond the margin have no influence at all: the smoothed hinge makes that visible.",
        Settings(data=DataSettings("iris", test_fraction=0.2), model=ModelSettings("hinge", 0.02)),
    ),
    "regression": Preset(
        "Least squares, by hand",
        "One hundred points of a known line. One-step Newton is exact here, so predicted and measured coincide.",
        Settings(
            data=DataSettings("linear_example"),
            model=ModelSettings("linear", 0.0, intercept=False),
            solver=SolverSettings("cholesky"),
            estimator="newton",
        ),
        7,
    ),
}
