"""``scores``, ``loo``, ``lds``: numbers of the Explore page as a file, made in one piece or in shards."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from influence_core.analysis import Analysis, Draw, Task, linear_datamodelling
from influence_core.analysis.chunks import in_chunks
from influence_core.cli.questions import about_of, add_truth, analysed, common, measured, tests_of
from influence_core.cli.shards import Arrays, Portion, Table, add_shard, write_result, write_shard
from influence_core.compute import fingerprint, numpy
from influence_core.settings import SettingsError


def add_scores(parser: argparse.ArgumentParser) -> None:
    """Predicted changes at every test point, or at some."""
    common(parser)
    add_shard(parser)
    parser.set_defaults(run=lambda arguments: _run_part(arguments, "scores", _scores))


def add_loo(parser: argparse.ArgumentParser) -> None:
    """Measured changes: refits without each training point; for a network without each of a random sample."""
    common(parser)
    add_truth(parser)
    add_shard(parser)
    parser.set_defaults(run=lambda arguments: _run_part(arguments, "loo", _loo))


def add_lds(parser: argparse.ArgumentParser) -> None:
    """The linear datamodelling score of the chosen estimator, per test point."""
    common(parser)
    parser.add_argument("--subsets", type=int, default=50, metavar="S", help="random halves to train on (default: 50)")
    parser.add_argument(
        "--seeds", type=int, default=5, metavar="K", help="runs averaged on each half, with --truth seeds (default: 5)"
    )
    add_truth(parser)
    add_shard(parser)
    parser.set_defaults(run=lambda arguments: _run_part(arguments, "lds", _lds))


Part = Callable[[argparse.Namespace, Analysis, Task], Portion]


def _run_part(arguments: argparse.Namespace, word: str, make: Part) -> None:
    """A command that can be shared out: all of it, or one shard for ``merge``."""
    settings, analysis, running = analysed(arguments)
    about, shard = about_of(settings, analysis), arguments.shard
    found = make(arguments, analysis, running)
    if shard.count == 1:
        write_result(about, TABLES[word](found), arguments.out)
        return
    asked = {name: getattr(arguments, name, None) for name in ("test", "truth", "subsets", "seeds")}
    theta = analysis.problem.fitted
    # A minimum is the same to rounding wherever it is found; a training run is not.
    about |= {"word": word, "asked": asked, "parameters": fingerprint(numpy(theta.theta)) if theta.kind.seeded else ""}
    print(write_shard(about, found, shard, arguments.out))


def _ids(analysis: Analysis, tests: list[int]) -> dict[str, Any]:
    split = analysis.problem.split
    return {"train": split.train.ids.astype(str), "test": split.test.ids[tests].astype(str)}


def _frame(values: np.ndarray[Any, Any], once: Arrays) -> pd.DataFrame:
    """One row per training point, one column per test point, named by their ids."""
    frame = pd.DataFrame(values, columns=once["test"].tolist())
    frame.insert(0, "id", once["train"].astype(object))
    return frame


def _scores(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Portion:
    tests, shard = tests_of(arguments, analysis), arguments.shard
    width = 128 if analysis.estimator.unrolls else 16  # test points share the walk back through a run
    chunks = [tests[start : start + width] for start in range(0, len(tests), width)]
    pieces = {"scores": np.concatenate([part.T for part in in_chunks(analysis, shard.of(chunks), task)])}
    if shard.index:
        return Portion(pieces=pieces)
    facts = {
        "estimator": analysis.settings.estimator,
        "solver": analysis.solver,
        "trust": analysis.trust(tests[:1]).line,
    }
    return Portion(pieces=pieces, once=_ids(analysis, tests) | {"worth": analysis.worth}, facts=facts)


def _scores_table(found: Portion) -> Table:
    frame = _frame(found.pieces["scores"].T, found.once)
    frame.insert(1, "mean over all test points", found.once["worth"])
    return frame, found.facts


def _loo(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Portion:
    tests, settings = tests_of(arguments, analysis), analysis.settings
    truth = replace(measured(arguments, analysis), shard=arguments.shard)
    refits = truth.loo(settings.quantity, settings.target, task)
    some = truth.rows if truth.way.noisy else slice(None)  # refits of a network stand in rows of all training points
    found = {"change": refits.change[:, tests], "certificate": refits.certificate, "certified": refits.certified}
    pieces = {"rows": truth.rows, **{name: values[some] for name, values in found.items()}}
    noise = {} if refits.noise is None else {"noise": refits.noise[:, tests]}
    if arguments.shard.index:
        return Portion(pieces=pieces)
    return Portion(pieces=pieces, once=_ids(analysis, tests) | noise, facts={"measured": truth.way.name})


def _loo_table(found: Portion) -> Table:
    n, pieces, once = len(found.once["train"]), found.pieces, found.once
    change, certificate = np.full((n, len(once["test"])), np.nan), np.full(n, np.nan)
    change[pieces["rows"]], certificate[pieces["rows"]] = pieces["change"], pieces["certificate"]
    frame = _frame(change, once)
    frame.insert(1, "certificate", certificate)
    facts = dict(found.facts) | {"certified": int(pieces["certified"].sum())}
    if "noise" in once:
        noise = once["noise"].std(0, ddof=1)
        facts["noise"] = dict(zip(once["test"].tolist(), noise.tolist(), strict=True))
    return frame, facts


def _lds(arguments: argparse.Namespace, analysis: Analysis, task: Task) -> Portion:
    if arguments.subsets < 3 or arguments.seeds < 1:
        raise SettingsError("--subsets and --seeds: expected at least 3 subsets and 1 seed.")
    tests, settings = tests_of(arguments, analysis), analysis.settings
    draw = Draw(arguments.subsets, arguments.seeds)
    truth = replace(measured(arguments, analysis), shard=arguments.shard)
    halves = truth.halves(settings.quantity, settings.target, task, draw)
    pieces = {"values": halves.values[:, tests], "members": halves.members}
    if arguments.shard.index:
        return Portion(pieces=pieces)
    scores = analysis.scores(tests).reshape(len(analysis.problem.split.train), -1)
    facts = {
        "estimator": analysis.settings.estimator,
        "seeds": halves.seeds,
        "truth": truth.way.short or truth.way.name,
    }
    return Portion(pieces=pieces, once=_ids(analysis, tests) | {"scores": scores}, facts=facts)


def _lds_table(found: Portion) -> Table:
    score = linear_datamodelling(found.pieces["values"], found.once["scores"], found.pieces["members"])
    facts = {"lds": score.mean.value, "standard_error": score.error, "subsets": score.subsets}
    return pd.DataFrame({"id": found.once["test"].astype(object), "lds": score.each}), {**found.facts, **facts}


TABLES: Mapping[str, Callable[[Portion], Table]] = {"scores": _scores_table, "loo": _loo_table, "lds": _lds_table}
