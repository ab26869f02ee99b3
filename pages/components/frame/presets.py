"""PRESETS: problems that open the pages in a chosen state; the first one is what a newcomer gets."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A problem worth a look."""

    title: str
    sentence: str
    settings: Settings
    test: int | None = None


PRESETS: dict[str, Preset] = {
    "mnist": Preset(
        title="MNIST, 1 versus 7",
        sentence="Real handwritten digits and logistic regression. Which training images make a 7 look like a 7, and "
        "which pull it towards 1?",
        settings=Settings(),
    ),
    "mislabelled": Preset(
        title="MNIST with 5 % wrong labels",
        sentence="The same digits, some labels flipped on purpose. Watch where the flipped ones end up.",
        settings=Settings(data=DataSettings(flip_fraction=0.05)),
    ),
    "blobs": Preset(
        title="Two Gaussian blobs",
        sentence="Two dimensions, the optimal boundary known. See how far the influence of one point reaches.",
        settings=Settings(
            data=DataSettings("blobs", test_fraction=0.2, flip_fraction=0.03), model=ModelSettings("logistic", 0.01)
        ),
    ),
    "drawn": Preset(
        title="Draw your own points",
        sentence="Add, drag, relabel and delete points by hand: boundary and influence follow while you draw.",
        settings=Settings(data=DataSettings("drawn"), model=ModelSettings("logistic", 0.01)),
    ),
    "digits": Preset(
        title="3, 5 or 8? Digits that look alike",
        sentence="Softmax regression with three classes of 8×8 images: the curvature couples all of them.",
        settings=Settings(
            data=DataSettings("digits", (("digits", "3,5,8"),), test_fraction=0.2),
            model=ModelSettings("softmax", 0.01),
        ),
    ),
    "hinge": Preset(
        title="A support vector machine on iris",
        sentence="Points beyond the margin have no influence at all: the smoothed hinge makes that visible.",
        settings=Settings(data=DataSettings("iris", test_fraction=0.2), model=ModelSettings("hinge", 0.02)),
    ),
    "regression": Preset(
        title="Least squares, by hand",
        sentence="One hundred points of a known line. One-step Newton is exact here, so predicted and measured "
        "coincide.",
        settings=Settings(
            data=DataSettings("linear_example"),
            model=ModelSettings("linear", 0.0, intercept=False),
            solver=SolverSettings("cholesky"),
            estimator="newton",
        ),
        test=7,
    ),
}
