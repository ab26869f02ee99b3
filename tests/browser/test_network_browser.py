"""A network from end to end: trained on Model, asked on Explore, measured again and again, told apart from noise."""

import re
from typing import Any

import pytest

from tests.browser.helpers import COLOURED, click, coloured, measured, no_trouble, push, rest

pytestmark = pytest.mark.browser
MOONS = "v=1&data.name=moons&data.n=120&data.test_fraction=0.2&data.validation_fraction=0.1&model.name=logistic"
SMOOTH = "&model.epochs=10&model.activation=tanh&model.learning_rate=0.02&estimator=unrolled"
LEGEND = "() => [...document.querySelectorAll('.if-loo .legendtext')].map((e) => e.textContent)"


def test_train_click_and_measure(page: Any, app: str) -> None:
    page.goto(f"{app}/Model?{MOONS}")
    page.get_by_label("Model", exact=True).wait_for()
    push(page, page.get_by_label("Model", exact=True))
    page.get_by_role("option", name="Multilayer perceptron").click()
    page.get_by_text("Lowest validation loss").wait_for()  # the curves
    page.get_by_text("Test accuracy").wait_for()
    push(page, page.get_by_role("link", name="Explore"))
    page.get_by_text("Train without each point").wait_for()
    page.wait_for_function(COLOURED)
    rest(page)
    before = coloured(page, "train")
    click(page, "test", 7)
    page.wait_for_url(re.compile("test=7"))
    rest(page)
    assert coloured(page, "train") != before
    page.get_by_text("Training stopped at").wait_for()  # the trust line
    page.get_by_text(re.compile("Damping .* was chosen: 0.1 of the mean eigenvalue")).wait_for()

    push(page, page.get_by_role("button", name="Train without each point"))
    page.get_by_text("Grey band: ±2σ").wait_for()
    rest(page)
    assert sum(len(trace) for trace in measured(page)[1:3]) == len(before)
    assert "noise: ±2σ of other seeds" in page.evaluate(LEGEND)
    assert page.get_by_text("against the same run without a point: r =").is_visible()
    push(page, page.get_by_role("button", name="Train on 50 random halves"))
    page.get_by_text("LDS = ").wait_for()
    no_trouble(page)


def test_the_run_is_walked_back_and_bears_itself_out(page: Any, app: str) -> None:
    """Scores of the unrolled run come by a job; the same run without each point bears them out."""
    page.goto(f"{app}/Explore?{MOONS}".replace("logistic", "mlp") + SMOOTH)
    page.get_by_text("metasmoothness of the run").wait_for()
    page.wait_for_function(COLOURED)
    rest(page)
    before = coloured(page, "train")
    click(page, "test", 7)
    page.wait_for_url(re.compile("test=7"))
    rest(page)
    assert coloured(page, "train") != before
    push(page, page.get_by_role("button", name="Train without each point"))
    page.get_by_text("They are exact for this run").or_(
        page.get_by_text("of the measured changes lie inside")
    ).wait_for()
    page.get_by_text("judged by the same run without a point").wait_for()
    push(page, page.get_by_role("radio", name="mean over 5 seeds"))
    page.wait_for_url(re.compile("truth=seeds"))
    page.get_by_text("from 5 seeds, and take the mean of the changes").wait_for()
    no_trouble(page)
