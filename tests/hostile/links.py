"""Hostile and clumsy links, settings files and browser events: what is sent, and a word of the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

LONG = "9" * 10_000


@dataclass(frozen=True)
class Link:
    """One link: its page, its parameters (a list repeats one), and a word that the answer holds."""

    name: str
    page: str
    query: dict[str, str | list[str]]
    word: str
    silent: bool = False  # read as something sensible: nothing to complain about


BLOBS = {"data.name": "blobs", "data.n": "60"}


def _explore(name: str, word: str, **query: str | list[str]) -> Link:
    """A link to Explore; ``model__l2`` stands for ``model.l2``, and small data are taken where none are named."""
    named = {key.replace("__", ".", 1): value for key, value in query.items()}
    base = {} if any(key.startswith("data") for key in named) else BLOBS
    return Link(name, "3_Explore", base | named, word)


LINKS = (
    _explore("html in a data set", "Unknown data", data__name="<script>alert(1)</script>"),
    _explore("markdown in a model", "Unknown model", model__name="[x](javascript:alert(1)) **b** :red[r] $x$"),
    _explore("an image in an estimator", "Unknown estimator", estimator="![x](http://203.0.113.1/pixel.png)"),
    _explore("markdown in an option's name", "Unknown option", **{"data.[x](http://203.0.113.1)": "1"}),
    _explore("a right-to-left override", "Unknown data", data__name="\u202egnitirw"),
    _explore("a NUL", "Unknown quantity", quantity="lo\0ss"),
    _explore("an encoded NUL", "Unknown solver", solver__name="%00"),
    _explore("a name of Python's own", "Unknown model", model__name="__class__"),
    _explore("an attribute of Python's own", "Unknown option", model____init____="1"),
    _explore("a path for an upload", "32 digits", data__name="upload", data__id="../../../../etc/passwd"),
    _explore("a penalty beyond floats", "model.l2: expected", model__l2="1e999"),
    _explore("a penalty that is no number", "model.l2: expected", model__l2="nan"),
    _explore("a negative penalty", "model.l2: expected", model__l2="-1"),
    _explore("an infinite damping", "solver.damping: expected", solver__damping="-inf"),
    _explore("text for a penalty", "model.l2: expected a number", model__l2="minus"),
    _explore("a negative seed", "seed: expected", seed="-1"),
    _explore("a seed beyond 31 bits", "seed: expected", seed=str(2**31)),
    _explore("ten thousand digits", "at most 6000 characters", seed=LONG),
    _explore("five thousand digits", "seed: expected a whole number", seed="9" * 5_000),
    _explore("half a seed", "seed: expected a whole number", seed="0.5"),
    _explore("other digits in a test point", "test: expected", test="\u0663"),
    _explore("a negative test point", "test: expected", test="-1"),
    _explore("no such test point", "Test point 99999999 does not exist", test="99999999"),
    _explore("no such training point", "Training point 99999999 does not exist", train="99999999"),
    _explore("a training point that is not there", "none is selected", ask="train"),
    _explore("an unknown question", "ask: expected one of", ask="everything"),
    _explore("a switch that is neither", "lock: expected true or false", lock="maybe"),
    _explore("a group of ten thousand characters", "at most 6000 characters", group=LONG),
    _explore("markdown in what to hide", "hide: expected some of", hide="[x](javascript:alert(1)),trust"),
    _explore("html in a tab", "details: expected", details="<b>table</b>"),
    _explore("an unknown way to turn a prediction", "flip: expected one of", flip="<b>minimal</b>"),
    _explore("a threshold beyond floats", "threshold: expected", flip="cross", threshold="1e999"),
    Link("no such lesson", "6_Lessons", {"lesson": "<script>alert(1)</script>"}, "Unknown lesson"),
    Link("no such step", "6_Lessons", {"lesson": "leverage", "step": "999999"}, "step"),
    Link("a slider that is not there", "6_Lessons", {"lesson": "figure-e", "tune": "__class__:1"}, "__class__"),
    Link("draws without end", "6_Lessons", {"lesson": "figure-e", "tune": "draws:1e308"}, "expected"),
    _explore("a title of a thousand characters", "title: expected at most 80", title="x" * 1000),
    _explore("a question that is a page", "question: expected at most 240", question="<b>why</b> " * 99),
    _explore("a presentation that is neither", "present: expected true or false", present="maybe"),
    _explore("no such class", "target: expected", target="99999999999"),
    _explore("an old version", "This link has version '0'", v="0"),
    _explore("a later version", "This link has version '99'", v="99"),
    _explore("no version", "This link has version ''", v=""),
    _explore("strangers", "Unknown part of a link", utm_source="x", **{"test.x": "1"}),
    _explore("a part without its setting", "Unknown setting 'data'", data="mnist"),
    _explore("a part with an empty setting", "Unknown setting 'data.'", **{"data.": "mnist"}),
    _explore("options as one", "Unknown option 'options'", **{"data.options": "(('n', 3),)"}),
    _explore("a parameter three times", "is given 3 times", test=["1", "2", "x"]),
    _explore("many mistakes", "more parts", **{f"part{k}": "1" for k in range(500)}),
    _explore("an unknown way of fitting", "Unknown way of fitting", model__fit="magic"),
    _explore("too many epochs", "Epochs", model__fit="adamw", model__epochs="5000"),
    _explore("text for epochs", "expected a whole number", model__fit="adamw", model__epochs="many"),
    _explore(
        "epochs for hours",
        "expected at most 100,000 steps",
        model__fit="adamw",
        model__epochs="2000",
        model__batch_size="1",
    ),
    _explore("an option out of its range", "Images at most: expected", data__size="1000000000"),
    _explore("digits that do not exist", "digit", data__digits="11"),
    _explore("html for digits", "digit", data__digits="<b>1</b>"),
    _explore("one class", "two", data__digits="7"),
    _explore("a held-out row that is not there", "Held-out row", data__held_out="999999"),
    _explore("a test share of all", "data.test_fraction: expected", data__test_fraction="1"),
    _explore(
        "nothing left to fit",
        "",
        **BLOBS | {"data.n": "10", "data.test_fraction": "0.9", "data.validation_fraction": "0.5"},
    ),
    _explore(
        "flips for regression", "", **{"data.name": "diabetes", "data.flip_fraction": "0.2", "model.name": "ridge"}
    ),
    _explore(
        "the hinge for three classes", "3 classes", **{"data.name": "iris", "data.classes": "3", "model.name": "hinge"}
    ),
    _explore("a solver's option out of range", "cg: ", **BLOBS | {"solver.name": "cg", "solver.max_products": "1e9"}),
    _explore("a tolerance of zero", "cg: ", **BLOBS | {"solver.name": "cg", "solver.tolerance": "0"}),
    Link("no such feature", "1_Data", BLOBS | {"feature": "77"}, "feature 77 does not exist"),
    Link(
        "no such output",
        "2_Model",
        {"data.name": "iris", "data.classes": "3", "model.name": "softmax", "output": "9"},
        "output 9 does not exist",
    ),
    Link(
        "a quantity the model lacks", "5_Solvers", BLOBS | {"model.name": "hinge", "quantity": "probability"}, "probab"
    ),
    Link("no such test point for the solvers", "5_Solvers", BLOBS | {"test": "999"}, "Test point 999 does not exist"),
    Link("a trial damping below zero", "5_Solvers", BLOBS | {"trial_damping": "-1"}, "damping: expected"),
    Link("a trial damping that is no number", "5_Solvers", BLOBS | {"trial_damping": "NaN"}, "damping: expected"),
    Link("html at home", "app", {"data.name": "<img src=x onerror=alert(1)>"}, "Unknown data"),
    Link("other digits in a seed", "app", {"seed": "\u0663\u0664"}, "", silent=True),
)


@dataclass(frozen=True)
class SettingsFile:
    """One uploaded settings file and a word of the answer."""

    name: str
    raw: bytes = field(repr=False)
    word: str


def _document(**more: object) -> bytes:
    return json.dumps({"v": 1} | more).encode()


FILES = (
    SettingsFile("lists without end", b"[" * 60_000, "JSON"),
    SettingsFile("objects without end", b'{"a":' * 10_000, "JSON"),
    SettingsFile("ten megabytes", b" " * 10_000_000, "at most 64 KB"),
    SettingsFile("nothing", b"", "JSON"),
    SettingsFile("a picture", b"\x89PNG\r\n\x1a\n\xff\xfe", "UTF-8"),
    SettingsFile("broken UTF-16", '{"v": 1}'.encode("utf-16")[:-1], "UTF-"),
    SettingsFile("a list", b"[1, 2]", '"v": 1'),
    SettingsFile("null", b"null", '"v": 1'),
    SettingsFile("another version", b'{"v": 2}', '"v": 1'),
    SettingsFile("a version as text", b'{"v": "1"}', '"v": 1'),
    SettingsFile("NaN", b'{"v": 1, "model.l2": NaN}', "model.l2: expected"),
    SettingsFile("infinity", b'{"v": 1, "model.l2": 1e999}', "model.l2: expected"),
    SettingsFile("a number of five thousand digits", b'{"v": 1, "seed": ' + b"9" * 5_000 + b"}", "JSON"),
    SettingsFile("a boolean penalty", _document(**{"model.l2": True}), "model.l2: expected"),
    SettingsFile("a list for a name", _document(**{"data.name": ["mnist"]}), "expected a text"),
    SettingsFile("nested parts", _document(data={"name": "blobs"}), "expected a text"),
    SettingsFile("a stranger", _document(**{"<b>": 1}), "Unknown setting"),
    SettingsFile("a view that is a list", _document(view=[1]), "under"),
    SettingsFile("a view of wrong types", _document(view={"test": {"a": 1}, "ask": 3}), "test: expected"),
    SettingsFile("an unknown data set", _document(**{"data.name": "<script>"}), "Unknown data"),
    SettingsFile("a formula", _document(**{"data.name": "=HYPERLINK(1)"}), "Unknown data"),
)

# What a component's click may carry when another sender than our script sends it.
INDICES = (None, True, False, -1, 1e9, 1.0, 0.5, float("nan"), float("inf"), "0", [0], {"0": 0}, 10**30)
EVENTS = (None, 7, "clicked", [], {}, {"index": {}}, {"side": "train"}, {"side": ["train"], "index": "0"})
