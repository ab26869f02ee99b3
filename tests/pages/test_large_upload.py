"""A large file is read in another process: the same page, a bar on the way, the same sentences where it is wrong."""

from influence_core.data import uploads
from influence_core.data.uploads import taking
from tests.pages.test_upload_wizard import fine, fingerprint, folder, given, opened, table

__all__ = ["folder"]


def large(monkeypatch):
    """Every file counts as large, and this process reads none."""

    def here(*_given):
        raise AssertionError("read in the process that answers clicks")

    monkeypatch.setattr(uploads, "AT_ONCE", 0)
    monkeypatch.setattr(taking, "read_upload", here)
    monkeypatch.setattr(taking, "build", here)


def used(app):
    app.button(key="upload.use").click().run()
    return fingerprint(app)


def test_a_large_file_is_read_and_built_elsewhere_and_is_the_same_upload(monkeypatch):
    here = used(given(opened(), table()))
    large(monkeypatch)
    app = given(opened(), table())
    fine(app)
    assert app.selectbox(key="upload.target").value == "label"
    assert [metric.label for metric in app.metric][:2] == ["Rows", "Features"]
    assert used(app) == here


def test_what_is_wrong_with_a_large_file_is_the_same_sentence(monkeypatch):
    large(monkeypatch)
    app = given(opened(), b"  ", "x.csv")
    assert not app.exception
    assert app.error[0].value.startswith("Expected data in")
