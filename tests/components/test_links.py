"""Links and settings files: what is chosen survives both ways, and what the registries lack is dropped with words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from influence_core.analysis import DATASETS, ESTIMATORS, MODELS, QUANTITIES, SOLVERS
from influence_core.settings import DataSettings, ModelSettings, Option, Settings, SolverSettings, from_json
from pages.components.session.links import SHOWN, known, read, read_file, told, write, write_file
from pages.components.session.view import View


def values(option: Option) -> some.SearchStrategy:
    if option.choices:
        return some.sampled_from(option.choices)
    if isinstance(option.default, bool):
        return some.booleans()
    if isinstance(option.default, str):
        return some.just(option.default)
    low, high = option.low, option.high
    if isinstance(option.default, int):
        return some.integers(int(low), int(high))
    return some.floats(low, high)


@some.composite
def chosen(draw: some.DrawFn, registry: dict, options: str) -> tuple[str, tuple]:
    """A name of the registry with some of its options."""
    name = draw(some.sampled_from(sorted(registry)))
    described = [option for option in getattr(registry[name], options) if draw(some.booleans())]
    return name, tuple(sorted((option.name, draw(values(option))) for option in described))


some_settings = some.builds(
    lambda data, model, solver, rest: Settings(
        DataSettings(*data),
        ModelSettings(model[0], options=model[1]),
        SolverSettings(solver[0], options=solver[1]),
        *rest,
    ),
    chosen(DATASETS, "options"),
    chosen(MODELS, "all_options"),
    chosen(SOLVERS, "options"),
    some.tuples(
        some.sampled_from(sorted(ESTIMATORS)),
        some.sampled_from(sorted(QUANTITIES)),
        some.integers(-1, 9),
        some.integers(0, 99),
    ),
)
some_views = some.builds(
    View, some.integers(0, 99), some.none() | some.integers(0, 99), group=some.sampled_from(["", "3-9"])
)


@given(some_settings, some_views)
def test_a_link_and_a_file_restore_every_choice_of_every_registry(settings: Settings, view: View) -> None:
    linked = read({name: [text] for name, text in write(settings, view).items()})
    filed = read_file(write_file(settings, view).encode())
    for found in (linked, filed):
        assert known(found.settings) == (settings, ())
        assert (found.view, found.problems) == (view, ())


def test_the_library_reads_the_file_of_the_pages() -> None:
    settings = Settings(DataSettings("blobs", (("n", 40),)), seed=3)
    text = write_file(settings, View(test=4))
    assert from_json(text) == settings
    assert json.loads(text)["view"]["test"] == 4


@pytest.mark.parametrize("part", ["data", "model", "solver"])
def test_an_unknown_name_loses_its_options_and_keeps_the_rest(part: str) -> None:
    settings = Settings(DataSettings(flip_fraction=0.2), ModelSettings(l2=3.0), SolverSettings(damping=2.0))
    strange = replace(getattr(settings, part), name="nobody", options=(("n", 3),))
    found, (sentence,) = known(replace(settings, **{part: strange}))
    assert found == settings if part != "solver" else found.solver == SolverSettings(damping=2.0)
    assert f"Unknown {part} 'nobody'" in sentence


def test_one_bad_option_costs_one_option() -> None:
    options = (("n", "50"), ("noise", "-1"), ("wings", "2"))
    found, problems = known(Settings(DataSettings("moons", options)))
    assert found.data.options == (("n", 50),)
    assert [word in text for word, text in zip(("Noise", "wings"), problems, strict=True)] == [True, True]


def test_a_few_sentences_are_told_and_the_rest_is_counted() -> None:
    assert told(["a"] * SHOWN) == ("a",) * SHOWN
    assert told(["a"] * (SHOWN + 1))[-1].startswith("1 more part of")
    assert told(["a"] * (SHOWN + 7))[-1].startswith("7 more parts of")
