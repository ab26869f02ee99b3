"""A million rows on disk: a link opens them, a click is answered at once and completed, both by true numbers."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from influence_core.data.stored import add
from tests.browser.helpers import APP, READY, click, no_trouble, profile, push, rest

pytestmark = pytest.mark.browser
N, HELD, BLOCK, L2 = 1_000_000, 1_000, 100_000, 0.01
ANSWER = re.compile("(First|Complete) answer")
LINK = f"v=1&data.name=stored&data.set=made&model.l2={L2}"


@pytest.fixture(scope="module")
def million(tmp_path_factory):
    """A folder with the set, written block by block, and removed afterwards."""
    folder = tmp_path_factory.mktemp("million")
    x, y = blocks(folder, N + HELD)
    np.savez(folder / "made.npz", x_train=x[HELD:], y_train=y[HELD:], x_test=x[:HELD], y_test=y[:HELD])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_DATA_DIR", str(folder))
        add(folder / "made.npz", "made")
    yield folder, np.asarray(x), y
    shutil.rmtree(folder)


def blocks(folder, rows):
    random = np.random.default_rng(0)
    x, y = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 3)), np.zeros(rows, dtype=np.int64)
    for start in range(0, rows, BLOCK):
        part = random.normal(size=(min(BLOCK, rows - start), 3))
        x[start : start + len(part)] = part
        y[start : start + len(part)] = part[:, 0] + random.normal(size=len(part)) > 0
    return x, y


def opened(page, app, query):
    page.goto(f"{app}/Explore?{LINK}&{query}")
    offer, answer = (
        page.get_by_role("button", name="Fit on all rows"),
        page.get_by_text(ANSWER),
    )
    offer.or_(answer).first.wait_for()
    if offer.count():
        push(page, offer)
    complete(page, N)
    page.wait_for_function(READY)


def complete(page, rows):
    page.get_by_text(f"all {rows:,} training rows were looked at").wait_for()
    rest(page)
    no_trouble(page)


def downloaded(page):
    with page.expect_download() as found:
        push(page, page.get_by_role("button", name="10,000 rows as CSV"))
    return pd.read_csv(found.value.path(), comment="#")


def by_scikit_learn(x, y, test):
    """First-order changes of the loss of one test row."""
    train, scaling = x[HELD:].astype(float), (x[HELD:].mean(0, dtype=float), x[HELD:].std(0, dtype=float))
    scaled, asked = (train - scaling[0]) / scaling[1], (x[test].astype(float) - scaling[0]) / scaling[1]
    model = LogisticRegression(C=1 / (N * L2), tol=1e-10).fit(scaled, y[HELD:])
    scaled, asked = np.hstack([scaled, np.ones((N, 1))]), np.append(asked, 1)
    theta = np.append(model.coef_[0], model.intercept_)
    p = 1 / (1 + np.exp(-scaled @ theta))
    hessian = (scaled * (p * (1 - p))[:, None]).T @ scaled / N + L2 * np.diag([1, 1, 1, 0])
    q = (1 / (1 + np.exp(-asked @ theta)) - y[test]) * asked
    return (p - y[HELD:]) * (scaled @ np.linalg.solve(hessian, q)) / N


def test_a_million_rows_are_explored(page, browser, serve, million):
    folder, x, y = million
    app = serve(APP, env={"INFLUENCE_DATA_DIR": str(folder)})
    opened(page, app, "test=3")
    found = downloaded(page)
    expected = by_scikit_learn(x, y, 3)
    change = next(name for name in found if name.startswith("change of the test loss"))
    np.testing.assert_allclose(found[change], expected[found["row"]], rtol=1e-3)
    assert set(found["row"][:50]) <= set(np.argsort(-np.abs(expected))[:60])

    click(page, "test", 7)  # another question: answered at once, then by all rows
    page.wait_for_url(re.compile(r"test=(?!3(&|$))"))
    page.get_by_text(ANSWER).wait_for()
    complete(page, N)
    asked = re.search(r"test=\d+", page.url)[0]

    other = profile(browser).new_page()  # what one session has completed is there for the next
    other.goto(f"{app}/Explore?{LINK}&{asked}")
    complete(other, N)
    page_box = other.get_by_label("Page", exact=True)
    page_box.fill("2")
    page_box.press("Enter")
    rest(other)
    other.goto(f"{other.url}&train=77")  # a row that no map shows by itself
    other.get_by_text(re.compile(r"Row 77, .* nats, (place|not among)")).wait_for()
    no_trouble(other)
    other.context.close()

    shutil.rmtree(folder / "stored" / "made")  # other data under the same name are other data
    np.savez(folder / "made.npz", x_train=x[:600], y_train=y[:600], x_test=x[600:650], y_test=y[600:650])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_DATA_DIR", str(folder))
        add(folder / "made.npz", "made")
    page.goto(f"{app}/Explore?{LINK}&test=3")
    complete(page, 600)
