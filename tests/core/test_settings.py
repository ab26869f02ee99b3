"""Settings: there and back through JSON and a link, tampered values refused with a sentence, keys stable."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from influence_core.data import DATASETS
from influence_core.models import MODELS
from influence_core.settings import (
    DataSettings,
    ModelSettings,
    Option,
    Settings,
    SettingsError,
    SolverSettings,
    from_json,
    from_query,
    resolve,
    to_json,
    to_query,
)
from influence_core.solvers import SOLVERS

words = st.text(max_size=12)
PARTS = {"data": DataSettings, "model": ModelSettings, "solver": SolverSettings}
TAKEN = {name for part in PARTS.values() for name in (item.name for item in fields(part))}
option_names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8).filter(lambda name: name not in TAKEN)


def floats(low, high):
    return st.floats(low, high, allow_nan=False)


def options(values):
    return st.dictionaries(option_names, values, max_size=3).map(lambda chosen: tuple(sorted(chosen.items())))


def any_settings(values):
    return st.builds(
        Settings,
        data=st.builds(
            DataSettings,
            words,
            options(values),
            st.booleans(),
            floats(0, 0.5),
            floats(0.01, 0.9),
            floats(0, 0.5),
        ),
        model=st.builds(ModelSettings, words, floats(0, 1e9), st.booleans(), st.booleans(), words, options(values)),
        solver=st.builds(SolverSettings, words, floats(0, 1e9), options(values)),
        estimator=words,
        quantity=words,
        target=st.integers(-1, 10_000),
        seed=st.integers(0, 2**31 - 1),
    )


@settings(max_examples=60)
@given(any_settings(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), words, st.booleans())))
def test_json_there_and_back(value):
    again = from_json(to_json(value))
    assert again == value
    assert again.key() == value.key()


@settings(max_examples=60)
@given(any_settings(words))
def test_a_link_there_and_back(value):
    again, problems = from_query(to_query(value))
    assert again == value
    assert problems == ()


@settings(max_examples=60)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_no_link_raises(query):
    found, problems = from_query(query)
    assert isinstance(found, Settings)
    assert all(isinstance(sentence, str) for sentence in problems)


@settings(max_examples=60)
@given(
    st.one_of(st.text(), st.dictionaries(words, st.one_of(words, st.none(), st.lists(st.integers()))).map(json.dumps))
)
def test_no_json_raises_anything_else(text):
    try:
        assert isinstance(from_json(text), Settings)
    except SettingsError as error:
        assert str(error)


@settings(max_examples=200)
@given(st.sampled_from(sorted(to_query(Settings()) | json.loads(to_json(Settings())))), st.text(max_size=10))
def test_any_tampered_value_is_ignored_or_legal(name, text):
    found, problems = from_query({name: text})
    again, _ = from_query(to_query(found))
    assert again == found
    if problems and name != "v":
        assert found == Settings()


TAMPERED = {
    "model.l2": ("-1", "nan", "inf", "1e10", "abc", ""),
    "data.test_fraction": ("0", "0.95", "nan"),
    "data.flip_fraction": ("0.6", "-0.1"),
    "data.standardise": ("yes", "2", ""),
    "solver.damping": ("-1e-9", "nan"),
    "seed": ("-1", "2147483648", "1.5", "x"),
    "target": ("-2", "10001", "2.7"),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TAMPERED.items() for text in texts])
def test_values_out_of_range_are_named_and_the_default_is_used(name, text):
    found, problems = from_query({name: text, "model.name": "ridge"})
    assert found == replace(Settings(), model=replace(Settings().model, name="ridge"))
    assert len(problems) == 1
    assert name in problems[0]
    assert problems[0].endswith("The default is used.")


def test_long_values_are_cut_in_messages():
    _, problems = from_query({"model.l2": "9" * 5_000 + "x"})
    assert len(problems[0]) < 200


def test_another_version_and_strangers():
    found, problems = from_query({"v": "99", "utm_source": "mail", "seed": "3"})
    assert found.seed == 3
    assert "version '99'" in problems[0]
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "Expected a JSON document of settings"),
        ("[1]", '"v": 1'),
        ('{"seed": 3}', '"v": 1'),
        ('{"v": 1, "seed": null}', "seed: expected a text, a number or true/false"),
        ('{"v": 1, "seed": 1.5}', "seed: expected a whole number, got '1.5'"),
        ('{"v": 1, "seed": true}', "seed: expected a whole number, got 'True'"),
        ('{"v": 1, "model.l2": true}', "model.l2: expected a number, got 'True'"),
        ('{"v": 1, "colour": "red"}', "Unknown setting 'colour'"),
        ('{"v": 1, "model": "red"}', "Unknown setting 'model'"),
        ('{"v": 1, "colour.hue": 3}', "Unknown setting 'colour.hue'"),
        ('{"v": 1, "model.l2": 1e999}', "model.l2: expected a value from 0.0 to"),
        ('{"v": 1, "seed": ' + "9" * 5000 + "}", "Expected a JSON document|seed: expected"),
    ],
)
def test_documents_that_are_not_settings(text, match):
    with pytest.raises(SettingsError, match=match):
        from_json(text)


def test_only_what_differs_stands_in_the_link():
    assert to_query(Settings()) == {"v": "1"}
    changed = replace(Settings(), seed=4, data=replace(Settings().data, options=(("n", 100),)))
    assert to_query(changed) == {"v": "1", "seed": "4", "data.n": "100"}


# --- keys


def test_keys_are_the_same_in_another_process():
    script = "from influence_core.settings import Settings; print(Settings().key(), Settings().key('data', 'seed'))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert found == [Settings().key(), Settings().key("data", "seed")]
    assert all(len(key) == 16 for key in found)


def test_every_setting_counts_for_the_key():
    keys = {Settings().key()}
    other = {bool: lambda v: not v, int: lambda v: v + 1, float: lambda v: v + 0.01, str: lambda v: v + "x"}
    changed = 1
    for item in fields(Settings):
        value = getattr(Settings(), item.name)
        for inner in fields(value) if item.name in PARTS else ():
            old = getattr(value, inner.name)
            new = (("a", 1),) if inner.name == "options" else other[type(old)](old)
            keys.add(replace(Settings(), **{item.name: replace(value, **{inner.name: new})}).key())
            changed += 1
        if item.name not in PARTS:
            keys.add(replace(Settings(), **{item.name: other[type(value)](value)}).key())
            changed += 1
    assert len(keys) == changed


def test_a_partial_key_depends_on_its_parts_only():
    moved = replace(Settings(), estimator="newton", seed=5)
    assert moved.key("data", "model") == Settings().key("data", "model")
    assert moved.key("data", "seed") != Settings().key("data", "seed")


# --- options


@pytest.mark.parametrize(("value", "expected"), [(3, 3), ("3", 3), (3.0, 3), ("10", 10)])
def test_whole_numbers(value, expected):
    found = Option("k", 5, "Neighbours", 1, 10).parse(value)
    assert found == expected
    assert type(found) is int


@pytest.mark.parametrize("value", [2.7, "2.7", "abc", "", "nan", float("nan"), float("inf"), "1e400", True, False])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(SettingsError, match="Neighbours: expected a whole number, got"):
        Option("k", 5, "Neighbours", 1, 10).parse(value)


@pytest.mark.parametrize("value", [0, 11, "-3", 10**30])
def test_whole_numbers_out_of_range(value):
    with pytest.raises(SettingsError, match="Neighbours: expected a value from 1 to 10, got"):
        Option("k", 5, "Neighbours", 1, 10).parse(value)


def test_other_kinds():
    assert Option("s", 1.0, "Sigma", 0, 10).parse("2.5") == 2.5
    assert Option("s", 1.0, "Sigma", 0, 10).parse(2) == 2.0
    assert Option("b", True, "Flag").parse("false") is False
    assert Option("b", True, "Flag").parse(1) is True
    assert Option("c", "a", "Choice", choices=("a", "b")).parse("b") == "b"
    assert Option("c", "a", "Choice").parse("anything") == "anything"
    for value in ("nan", "inf", float("-inf"), -0.1, 11, "x"):
        with pytest.raises(SettingsError, match="Sigma: expected"):
            Option("s", 1.0, "Sigma", 0, 10).parse(value)
    with pytest.raises(SettingsError, match="Choice: expected one of a, b, got 'z'"):
        Option("c", "a", "Choice", choices=("a", "b")).parse("z")
    with pytest.raises(SettingsError, match="expected true or false, got 'maybe'"):
        Option("b", True, "Flag").parse("maybe")


def test_resolve_fills_in_defaults_and_refuses_strangers():
    described = (Option("n", 10, "Examples", 1, 100), Option("noise", 0.1, "Noise"))
    assert resolve((("n", "20"),), described) == {"n": 20, "noise": 0.1}
    with pytest.raises(SettingsError, match="Unknown option 'm': expected one of n, noise"):
        resolve((("m", 3),), described)
    with pytest.raises(SettingsError, match="expected one of none"):
        resolve((("m", 3),), ())


REGISTERED = [
    *(("data", name, option) for name, entry in DATASETS.items() for option in entry.options),
    *(("model", name, option) for name, entry in MODELS.items() for option in entry.all_options),
    *(("solver", name, option) for name, entry in SOLVERS.items() for option in entry.options),
]


@pytest.mark.parametrize(("part", "entry", "option"), REGISTERED, ids=[f"{p}.{e}.{o.name}" for p, e, o in REGISTERED])
def test_every_option_on_offer(part, entry, option):
    """Its default is legal, it survives a link, and its name does not hide one of the part's own settings."""
    assert option.parse(option.default) == option.default
    assert option.name not in {item.name for item in fields(PARTS[part])}
    found, problems = from_query({f"{part}.name": entry, f"{part}.{option.name}": str(option.default)})
    assert not problems
    assert resolve(getattr(found, part).options, [option]) == {option.name: option.default}
    if option.low is not None:
        with pytest.raises(SettingsError):
            option.parse(option.low - 1)
    if option.high is not None:
        with pytest.raises(SettingsError):
            option.parse(option.high + 1)


def test_options_from_a_link_and_from_a_widget_are_the_same_settings():
    widget = Settings(data=DataSettings("blobs", (("n", 300), ("sigma", 0.5))))
    link, problems = from_query(to_query(widget))
    assert problems == ()
    assert link.key() == widget.key()
    assert link.key() != Settings(data=DataSettings("blobs", (("n", 301), ("sigma", 0.5)))).key()
