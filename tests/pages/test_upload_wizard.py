"""The upload wizard in AppTest: a clean file in one click, questions only where needed, errors in one sentence."""

import gzip
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data import load, uploads
from influence_core.settings import DataSettings, ModelSettings, Settings
from pages.components.lenses import lens_of
from pages.components.session.view import View
from tests.data.workbooks import named, xlsx
from tests.waiting import PATIENCE

PAGES = Path(__file__).parents[2] / "pages"
HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    return tmp_path


def opened(page="1_Data.py", model="logistic", **options):
    app = AppTest.from_file(str(PAGES / page), default_timeout=PATIENCE)
    data = DataSettings("upload", tuple(options.items()))
    app.session_state.settings, app.session_state.view = Settings(data=data, model=ModelSettings(model)), View()
    return app.run()


def table(n=60, **more):
    random = np.random.default_rng(0)
    data = pd.DataFrame(random.normal(size=(n, 3)), columns=["a", "b", "c"])
    return data.assign(**more, label=random.choice(["no", "yes"], n))


def given(app, data, name="mine.csv"):
    content = data if isinstance(data, bytes) else data.to_csv(index=False).encode()
    return app.file_uploader[0].set_value((name, content, "application/octet-stream")).run()


def keys(app):
    return {element.key for element in (*app.selectbox, *app.button, *app.multiselect)}


def fine(app):
    assert not app.exception and not app.error, [error.value for error in app.error]


def fingerprint(app):
    return dict(app.session_state.settings.data.options)["id"]


def test_nothing_is_shown_before_a_file_is_chosen():
    app = opened()
    fine(app)
    assert (
        "upload.uploader.0" in [box.key for box in app.file_uploader]
        and not app.metric
        and "upload.use" not in keys(app)
    )


def test_a_clean_file_is_in_with_one_click():
    app = given(opened(), table())
    fine(app)
    assert app.selectbox(key="upload.target").value == "label" and "upload.numbers" not in keys(app)
    assert not app.warning and [metric.label for metric in app.metric][:2] == ["Rows", "Features"]
    app.button(key="upload.use").click().run()
    fine(app)
    split = load(app.session_state.settings.data, 0)
    assert len(split.train) + len(split.test) == 60 and split.train.class_names == ("no", "yes")
    assert int(app.metric[0].value) == len(split.train)
    assert "mine\\.csv" in "".join(m.value for m in app.markdown) or "mine.csv" in "".join(
        m.value for m in app.markdown
    )
    assert app.session_state["upload.mine"] == {
        fingerprint(app): f"mine.csv · label · 60 rows · {fingerprint(app)[:6]}"
    }
    assert "upload.raw" not in app.session_state


def test_missing_values_have_a_usual_answer_that_can_be_changed():
    data = table(town=["Ulm", "Bonn", None] * 20)
    data.loc[4, "a"] = np.nan
    app = given(opened(), data)
    fine(app)
    numbers, texts = app.selectbox(key="upload.numbers"), app.selectbox(key="upload.texts")
    assert (numbers.value, texts.value) == ("indicator", "category")
    assert "1 missing number in a" in numbers.label and "20 missing texts in town" in texts.label
    numbers.set_value("median").run()
    app.button(key="upload.use").click().run()
    fine(app)
    manifest = uploads.upload_store().manifest(fingerprint(app))
    assert manifest["missing_filled"]["town"] == "missing" and manifest["missing_filled"]["a"].startswith("median")
    assert "says where" not in manifest["missing_filled"]["a"]
    assert manifest["mapping"]["texts"] == "category" and "a missing" not in manifest["feature_names"]


def test_a_column_is_read_as_a_person_says():
    data = table(amount=["1,234", "2,500", "13,750"] * 20, code=["NA", "ZA", "BW"] * 20)
    app = given(opened(), data)
    fine(app)
    assert any("is a guess" in caption.value for caption in app.caption)
    app.selectbox(key="upload.column").set_value("amount").run()
    app.selectbox(key="upload.read_as").set_value("number with decimal comma").run()
    app.selectbox(key="upload.column").set_value("code").run()
    assert "NA" in app.multiselect(key="upload.missing").options
    app.multiselect(key="upload.missing").set_value(["NA"]).run()
    fine(app)
    assert "20 missing texts in code" in app.selectbox(key="upload.texts").label
    app.button(key="upload.use").click().run()
    fine(app)
    manifest = uploads.upload_store().manifest(fingerprint(app))
    split = load(app.session_state.settings.data, 0)
    amount = split.scaling.invert(split.train.x)[:, split.train.feature_names.index("amount")]
    assert set(np.round(amount, 9)) == {1.234, 2.5, 13.75}
    assert "code=missing" in split.train.feature_names and "code=NA" not in split.train.feature_names
    assert [choice["column"] for choice in manifest["mapping"]["readings"]] == ["amount", "code"]


def test_a_way_to_read_a_column_that_cannot_be_is_one_sentence():
    app = given(opened(), table(town=["Ulm", "Bonn", "Trier"] * 20))
    app.selectbox(key="upload.column").set_value("town").run()
    app.selectbox(key="upload.read_as").set_value("date").run()
    assert not app.exception and [error.value for error in app.error] and "expected dates" in app.error[0].value
    assert "upload.use" in keys(app)
    app.selectbox(key="upload.column").set_value("a").run()
    fine(app)


def test_a_file_is_read_as_a_person_says_and_everything_is_guessed_anew():
    text = "made by hand;;\nx;y;город\n" + "".join(f"{k / 4};{k % 5};{('Łódź', 'Kraków')[k % 2]}\n" for k in range(60))
    app = given(opened(), text.replace("город", "miasto").encode("cp1250"))
    fine(app)
    line = app.number_input(key="upload.asked.line")
    assert line.value == 2 and app.selectbox(key="upload.asked.names").format_func("") == "Guess: column names"
    assert "Windows-1252" in app.selectbox(key="upload.asked.encoding").format_func("")
    app.selectbox(key="upload.asked.encoding").set_value("cp1250").run()
    fine(app)
    assert "Kraków: 30, Łódź: 30" in " ".join(caption.value for caption in app.caption).replace("\\", "")
    app.number_input(key="upload.asked.line").set_value(3).run()
    fine(app)
    assert (
        app.selectbox(key="upload.target").value == "column 3" and app.number_input(key="upload.asked.line").value == 3
    )
    app.selectbox(key="upload.asked.separator").set_value("|").run()
    assert len(app.error) == 1 and "at least 2 columns" in app.error[0].value and "upload.use" not in keys(app)
    app.selectbox(key="upload.asked.separator").set_value("").run()
    fine(app)
    app.button(key="upload.use").click().run()
    fine(app)
    manifest = uploads.upload_store().manifest(fingerprint(app))
    form = {"encoding": "cp1250", "separator": "", "sheet": "", "line": 3, "names": "", "decimal": ""}
    assert manifest["mapping"]["form"] == form and manifest["class_names"] == ["Kraków", "Łódź"]
    assert "upload.asked" not in app.session_state


def test_a_file_that_cannot_be_read_by_guess_can_be_read_as_a_person_says():
    content = table(town=["Ulm"] * 60).to_csv(index=False).encode().replace(b"Ulm", b"\x81\x8d", 1)
    app = given(opened(), content, "a.txt")
    assert len(app.error) == 1 and "choose its encoding" in app.error[0].value and "upload.use" not in keys(app)
    app.selectbox(key="upload.asked.encoding").set_value("cp437").run()
    fine(app)
    assert app.selectbox(key="upload.target").value == "label"


def test_another_sheet_of_a_workbook_can_be_chosen():
    other = [["u", "kind"], *([k / 7, "pq"[k % 2]] for k in range(30))]
    app = given(opened(), xlsx({"Data": SHEET, "Other": other}), "mine.xlsx")
    fine(app)
    assert app.selectbox(key="upload.asked.sheet").value == "Data"
    app.number_input(key="upload.asked.line").set_value(2).run()
    app.selectbox(key="upload.asked.sheet").set_value("Other").run()
    fine(app)
    assert app.selectbox(key="upload.target").value == "kind" and app.number_input(key="upload.asked.line").value == 1
    app = given(app, table(), "plain.csv")
    fine(app)
    assert (
        app.selectbox(key="upload.asked.encoding").value == "" and app.number_input(key="upload.asked.line").value == 1
    )


def test_dates_are_left_out_until_they_are_asked_for():
    data = table(day=pd.date_range("2024-01-25", periods=60).strftime("%d.%m.%Y"))
    app = given(opened(), data)
    assert app.multiselect(key="upload.left_out").value == ["day"]
    assert any("day" in caption.value and "dates" in caption.value for caption in app.caption)
    app.multiselect(key="upload.left_out").set_value([]).run()
    app.button(key="upload.use").click().run()
    fine(app)
    names = load(app.session_state.settings.data, 0).train.feature_names
    assert names == ("a", "b", "c", "day month", "day day", "day weekday")


def test_another_guess_of_the_target_is_one_click():
    app = given(opened(), table(kind=["u", "v", "w"] * 20))
    fine(app)
    assert app.selectbox(key="upload.target").value == "label"
    assert app.button(key="upload.guess.0").label == "kind"
    app.button(key="upload.guess.0").click().run()
    fine(app)
    assert app.selectbox(key="upload.target").value == "kind" and app.button(key="upload.guess.0").label == "label"
    app.button(key="upload.use").click().run()
    fine(app)
    assert load(app.session_state.settings.data, 0).train.target_name == "kind"


def test_the_data_in_use_are_explored_at_once():
    app = AppTest.from_file(str(PAGES.parent / "app.py"), default_timeout=PATIENCE)
    app.session_state.settings, app.session_state.view = Settings(data=DataSettings("upload")), View()
    app.run().switch_page("pages/1_Data.py").run()
    given(app, table()).button(key="upload.use").click().run()
    fine(app)
    assert not [box.key for box in app.file_uploader if box.key.startswith("upload.")]
    assert app.get("component_instance") or app.get("bidi_component")


def test_another_target_changes_task_features_and_model():
    app = given(opened(), table())
    app.selectbox(key="upload.target").set_value("b").run()
    fine(app)
    assert app.selectbox(key="upload.task").value == "regression" and app.multiselect[0].value == []
    app.multiselect(key="upload.left_out").set_value(["c"]).run()
    app.button(key="upload.use").click().run()
    fine(app)
    assert app.session_state.settings.model.name == "ridge"
    split = load(app.session_state.settings.data, 0)
    assert split.train.feature_names == ("a", "label=no", "label=yes") and split.train.target_name == "b"
    assert app.slider(key="data.flip_fraction").disabled


def test_warnings_are_shown_before_use():
    app = given(opened(), table(same=1.0))
    assert any("same value in every row" in warning.value for warning in app.warning)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("a.csv", b"", "empty file"),
    ("a.npz", b"PK\x03\x04junk", "damaged or cut"),
    ("a.parquet", b"PAR1junk", "damaged or cut"),
    ("a.zip", b"no", "got other content"),
    ("a.csv", b'x,y\n1,2\n3,"4\n', "breaks off"),
], ids=named)  # fmt: skip
def test_a_bad_file_is_one_sentence_and_another_can_follow(name, content, words):
    app = given(opened(), content, name)
    assert not app.exception and len(app.error) == 1 and words in app.error[0].value
    assert "upload.use" not in keys(app)
    given(app, table())
    fine(app)
    assert "upload.use" in keys(app)


def test_a_choice_that_cannot_be_is_one_sentence():
    app = given(opened(), table())
    app.selectbox(key="upload.task").set_value("regression").run()
    assert not app.exception and len(app.error) == 1 and "expected numbers for regression" in app.error[0].value
    assert "upload.use" not in keys(app)
    app.selectbox(key="upload.task").set_value("classification").run()
    fine(app)


def test_back_to_an_earlier_upload_of_this_session_only():
    app = given(opened(), table())
    app.button(key="upload.use").click().run()
    first = fingerprint(app)
    given(app, table(80), "other.csv").button(key="upload.use").click().run()
    fine(app)
    assert fingerprint(app) != first
    app.selectbox(key="upload.choice").set_value(first).run()
    fine(app)
    assert fingerprint(app) == first and int(app.metric[0].value) == 54
    assert "upload.choice" not in keys(opened())


def test_a_link_to_data_that_are_not_here_says_so_and_offers_the_uploader():
    app = opened(id="a" * 32)
    assert not app.exception and len(app.error) == 1 and "upload.uploader.0" in [box.key for box in app.file_uploader]
    assert "which this server does not hold" in app.error[0].value.replace("\\", "")
    given(app, table()).button(key="upload.use").click().run()
    fine(app)


@pytest.mark.parametrize("page", ["2_Model.py", "3_Explore.py", "5_Solvers.py"])
@pytest.mark.parametrize("key", ["", "../../../etc/passwd", "a" * 32])
def test_other_pages_say_where_to_upload(page, key):
    app = opened(page, id=key)
    assert not app.exception and len(app.error) == 1
    assert "Data page" in app.error[0].value and "nobody foresaw" not in app.error[0].value


def stored(name, content):
    raw = uploads.read_upload(name, content)
    return uploads.upload_store().save(uploads.build(raw, uploads.guess_mapping(raw, uploads.describe_columns(raw))))


def as_npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def some(kind):
    """A small upload: two features with texts, colour pictures, embeddings with pictures, or a regression."""
    random = np.random.default_rng(0)
    x, pictures = random.normal(size=(40, 2)), random.integers(0, 256, (40, 5, 4, 3)).astype(np.uint8)
    y, text = (x[:, 0] > 0).astype(int), np.array([f"{HTML} {k}" for k in range(40)])
    arrays = {
        "plane": {"x": x, "y": y, "text": text}, "colour": {"x": pictures, "y": y, "text": text},
        "embedding": {"x": random.normal(size=(40, 6)), "y": y % 3, "images": pictures},
        "line": {"x": x[:, :1], "y": x[:, 1]},
    }  # fmt: skip
    return stored("a.npz", as_npz(**arrays[kind]))


@pytest.mark.parametrize("kind", ["plane", "colour", "embedding", "line"])
@pytest.mark.parametrize("page", ["1_Data.py", "2_Model.py", "3_Explore.py"])
def test_every_page_shows_every_kind_of_upload(page, kind):
    app = opened(page, "ridge" if kind == "line" else "logistic", id=some(kind))
    fine(app)
    assert app.get("plotly_chart") or app.get("component_instance") or app.get("bidi_component")


def test_texts_of_the_source_stand_beside_the_points():
    key = some("plane")
    data = load(DataSettings("upload", (("id", key),)), 0).test
    lines = lens_of(data).hover(data, None)
    assert all(re.fullmatch(r"row \d+: [01] · <img src=x onerror=alert\(1\)> \d+", line) for line in lines)


def test_hostile_names_cells_and_labels_are_shown_as_text():
    data = table(**{HTML: range(60), "**bold** $x$": ["=1+1", HTML] * 30})
    data["label"] = data["label"].replace("yes", HTML)
    app = given(opened(), data, f"{HTML}.csv")
    fine(app)
    app.button(key="upload.use").click().run()
    fine(app)
    for element in (*app.markdown, *app.caption, *app.warning):
        assert HTML not in element.value and "**bold**" not in element.value
    assert not any(element.proto.allow_html for element in app.markdown)


SHEET = [["a", "b", "label"], *([k / 7, k % 5, "uv"[k % 2]] for k in range(60))]
LINES = table().to_json(orient="records", lines=True).encode()


@pytest.mark.parametrize(("name", "content", "said"), [
    ("mine.xlsx", xlsx({"Notes": [["by me"]], "Data": SHEET}), "Sheet 'Data' was read"),
    ("mine.csv.gz", gzip.compress(table().to_csv(index=False).encode()), ""),
    ("mine.jsonl", LINES, ""), ("mine.txt", LINES, ""), ("mine", table().to_csv(index=False).encode(), ""),
    ("mine.npz", as_npz(x_train=np.arange(80).reshape(40, 2) % 7, y_train=np.arange(40) % 2,
                        x_test=np.arange(40).reshape(20, 2) % 7, y_test=np.arange(20) % 2), "Arrays used: x_train"),
], ids=named)  # fmt: skip
def test_any_container_is_in_with_one_click_and_says_what_was_understood(name, content, said):
    app = given(opened(), content, name)
    fine(app)
    assert said in " ".join(caption.value.replace("\\", "") for caption in app.caption)
    app.button(key="upload.use").click().run()
    fine(app)
    split = load(app.session_state.settings.data, 0)
    assert len(split.train) + len(split.test) == 60


@pytest.mark.parametrize(("name", "content", "words"), [
    ("mine.pkl", b"\x80\x04N.", "pickled files can run code"), ("cat.jpg", b"\xff\xd8\xff\xe0", "a single picture"),
    ("mine.docx", b"PK\x03\x04junk", "damaged or cut"),
    ("mine.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "save it again as .xlsx"),
], ids=named)  # fmt: skip
def test_the_uploader_takes_every_file_and_the_core_says_what_is_wrong(name, content, words):
    uploader = opened().file_uploader[0]
    assert not uploader.proto.type, "a list of endings would refuse files with a tile that says nothing"
    app = given(opened(), content, name)
    assert not app.exception and len(app.error) == 1
    assert words in app.error[0].value.replace("\\", "") and "upload.use" not in keys(app)


def test_texts_are_guessed_and_their_words_become_the_features():
    random = np.random.default_rng(0)
    said = [f"{'an excellent' if k % 2 else 'a dull'} film, number {k} {random.random()}" for k in range(60)]
    reviews = pd.DataFrame({"review": said, "label": ["good" if k % 2 else "bad" for k in range(60)]})
    app = given(opened(), reviews)
    fine(app)
    assert app.multiselect(key="upload.prose").value == ["review"]
    assert "upload.left_out" not in keys(app)
    use = next(button for button in app.button if button.label.startswith("Use"))
    app = use.click().run()
    fine(app)
    split = load(app.session_state.settings.data, 0)
    assert split.kind == "text" and "excellent" in split.train.feature_names
    assert app.session_state.settings.estimator == "newton"
    assert any("rare words have high leverage" in info.value for info in app.info)


def test_texts_can_be_left_to_other_columns():
    said = [f"a film with a plot, number {k} of them" for k in range(60)]
    app = given(opened(), table(review=said))
    fine(app)
    assert app.multiselect(key="upload.prose").value == []
    app.multiselect(key="upload.prose").select("review").run()
    fine(app)
    assert "of texts" in {metric.value for metric in app.metric}


def test_how_texts_become_features_is_chosen_with_the_file_and_changed_later():
    said = [f"{'good' if k % 2 else 'bad'} words about film number {k} and its long story" for k in range(60)]
    app = given(opened(), pd.DataFrame({"text": said, "label": ["no", "yes"] * 30}))
    fine(app)
    app.number_input(key="upload.words.words").set_value(10).run()
    app.selectbox(key="upload.words.pairs").select("yes").run()
    app.button(key="upload.use").click().run()
    fine(app)
    assert dict(app.session_state.settings.data.options) == {"id": fingerprint(app), "pairs": "yes", "words": 10}
    assert app.number_input(key="data.upload.words").value == 10
    app.number_input(key="data.upload.words").set_value(12).run()
    fine(app)
    assert len(load(app.session_state.settings.data, 0).train.feature_names) == 12
