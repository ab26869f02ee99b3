"""The Solvers page compares as a job: rows appear as they come, Cancel keeps them, the next run goes on."""

import re
from typing import Any

import pytest

from tests.browser.helpers import no_trouble, push

pytestmark = pytest.mark.browser
# About 4,500 × 784: the comparison waits for a click and takes long enough to be cancelled.
LARGE = "v=1&data.digits=all&data.size=2000&model.name=softmax&model.l2=0.1"


def rows(page: Any) -> int:
    return page.locator("[data-testid=stTable] tbody tr").count()


def test_cancel_keeps_the_rows_that_have_come(page: Any, app: str) -> None:
    page.goto(f"{app}/Solvers?{LARGE}")
    run = page.get_by_role("button", name="Compare the solvers")
    push(page, run)
    page.get_by_text(re.compile(r"Comparing solvers: \d of \d+ solvers")).wait_for()
    page.locator("[data-testid=stTable] tbody tr").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled. The rows below are finished").wait_for()
    kept = rows(page)
    assert kept >= 1
    assert page.get_by_text("Cholesky", exact=True).first.is_visible()
    no_trouble(page)
    assert page.get_by_role("button", name="Compare the solvers").is_visible()
