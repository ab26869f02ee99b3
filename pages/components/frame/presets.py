"""PRESETS: problems that open the pages in a chosen state; the first one is what a newcomer gets."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.settings import DataSettings, ModelSettings, Settings, SolverSettings, Value


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A problem worth a look."""

    title: str
    sentence: str
    button: str
    settings: Settings
    test: int | None = None


def smooth_run(width: int, rate: float, batch: int) -> ModelSettings:
    """A network whose training is smooth in the weights of its examples: tanh, few epochs, a modest rate."""
    options: dict[str, Value] = {
        "activation": "tanh",
        "batch_size": batch,
        "epochs": 10,
        "learning_rate": rate,
        "width": width,
    }
    return ModelSettings("mlp", 1e-4, options=tuple(sorted(options.items())))


PRESETS: dict[str, Preset] = {
    "mnist": Preset(
        title="MNIST, 1 versus 7",
        sentence="Real handwritten digits and logistic regression. Which training images make a 7 look like a 7, and "
        "which pull it towards 1?",
        button="Explore 1 and 7",
        settings=Settings(),
    ),
    "mislabelled": Preset(
        title="MNIST with 5 % wrong labels",
        sentence="The same digits, some labels flipped on purpose. Watch where the flipped ones end up.",
        button="Explore wrong labels",
        settings=Settings(data=DataSettings(flip_fraction=0.05)),
    ),
    "blobs": Preset(
        title="Two Gaussian blobs",
        sentence="Two dimensions, the optimal boundary known. See how far the influence of one point reaches.",
        button="Explore the blobs",
        settings=Settings(
            data=DataSettings("blobs", test_fraction=0.2, flip_fraction=0.03), model=ModelSettings("logistic", 0.01)
        ),
    ),
    "drawn": Preset(
        title="Draw your own points",
        sentence="Add, drag, relabel and delete points by hand: boundary and influence follow while you draw.",
        button="Draw points",
        settings=Settings(data=DataSettings("drawn"), model=ModelSettings("logistic", 0.01)),
    ),
    "digits": Preset(
        title="3, 5 or 8? Digits that look alike",
        sentence="Softmax regression with three classes of 8×8 images: the curvature couples all of them.",
        button="Explore 3, 5 and 8",
        settings=Settings(
            data=DataSettings("digits", (("digits", "3,5,8"),), test_fraction=0.2),
            model=ModelSettings("softmax", 0.03),
        ),
    ),
    "spam": Preset(
        title="Spam or not? Mails word by word",
        sentence="Which training mails, and which of their words, made the model call a mail spam? Ham that looks like "
        "spam is among them.",
        button="Explore the mails",
        settings=Settings(
            data=DataSettings("spam_assassin", test_fraction=0.2),
            model=ModelSettings("logistic", 0.001),
            estimator="newton",
        ),
    ),
    "speeches": Preset(
        title="Which party speaks?",
        sentence="State of the Union speeches since 1947 in pieces of four sentences: the words that tell a party, and "
        "the speeches they come from.",
        button="Explore the speeches",
        settings=Settings(
            data=DataSettings("state_of_the_union", (("words", 1_000),), test_fraction=0.4),
            model=ModelSettings("logistic", 0.001),
            estimator="newton",
        ),
    ),
    "run": Preset(
        title="A training run one can check",
        sentence="A small network whose run is smooth: its derivative by every example, step by step, foretells what "
        "the very same run does without it.",
        button="Explore a training run",
        settings=Settings(
            data=DataSettings("digits", (("digits", "3,5,8"),), standardise=False, test_fraction=0.2),
            model=smooth_run(32, 0.02, 64),
            estimator="unrolled",
        ),
    ),
    "mnist_run": Preset(
        title="MNIST by a network, run by run",
        sentence="1 and 7 once more, by two layers of tanh. Predicted and measured change agree, as long as the "
        "learning rate is modest.",
        button="Explore the network",
        settings=Settings(
            data=DataSettings("mnist", standardise=False), model=smooth_run(32, 0.01, 100), estimator="unrolled"
        ),
    ),
    "hinge": Preset(
        title="A support vector machine on iris",
        sentence="Points beyond the margin have no influence at all: the smoothed hinge makes that visible.",
        button="Explore the margin",
        settings=Settings(data=DataSettings("iris", test_fraction=0.2), model=ModelSettings("hinge", 0.1)),
    ),
    "regression": Preset(
        title="Least squares, by hand",
        sentence="One hundred points of a known line. One-step Newton is exact here, so predicted and measured "
        "coincide.",
        button="Explore a straight line",
        settings=Settings(
            data=DataSettings("linear_example"),
            model=ModelSettings("linear", 0.0, intercept=False),
            solver=SolverSettings("cholesky"),
            estimator="newton",
        ),
        test=7,
    ),
}
