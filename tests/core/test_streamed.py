"""On disk against in memory: every model, block size and estimator to rounding; refits against scikit-learn."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from influence_core.compute import Cancelled, ResultStore, Task
from influence_core.data import DataError
from influence_core.data.dataset import Split
from influence_core.data.stored import add
from influence_core.influence import Influence, scores, watch
from influence_core.influence.effects import group_change, relabel_change
from influence_core.influence.estimators import self_influence
from influence_core.models import MODELS, fit
from influence_core.retraining import Question, leave_one_out
from influence_core.settings import ModelSettings, SettingsError, SolverSettings
from influence_core.streamed import leave_each_out, leave_out, leave_together, relabelled, streamed, whole_test_set

LINEAR = sorted(name for name, entry in MODELS.items() if entry.kind.closed_form and entry.penalty)
models = pytest.mark.parametrize("name", LINEAR)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A stored set with two classes, one with three and one with a target, 90 training and 12 test rows."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFLUENCE_DATA_DIR", str(folder))
        yield {kind: _stored(folder, kind) for kind in (0, 2, 3)}


def _stored(folder, classes):
    random = np.random.default_rng(classes)
    x = random.normal(size=(102, 5)) * [1, 10, 0.1, 1, 1] + [0, 100, 0, 0, 3]
    signal = x[:, 0] + x[:, 3] + random.normal(size=102)
    y = signal if classes == 0 else np.digitize(signal, [0.0] if classes == 2 else [-0.7, 0.7])
    path = folder / f"{classes}.npz"
    np.savez(path, x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    return add(path, f"kind{classes}")


def kind_of(name):
    return next(classes for classes in (0, 2, 3) if name in {0: {"ridge"}, 3: {"softmax"}}.get(classes, {name}))


def both(shelf, name, block=3_000, l2=0.05, damping=0.0):
    stored, chosen = shelf[kind_of(name)], ModelSettings(name, l2)
    train, test = stored.dataset(slice(None), test=False), stored.dataset(slice(None))
    none = train.take(np.zeros(0, dtype=int))
    split = Split(train, none, test, np.zeros(len(train), dtype=bool), train.y, stored.scaling)
    fitted = fit(chosen, split)
    memory = Influence(fitted, SolverSettings("cholesky", damping))
    return memory, watch(fitted, fitted.batch(test)), streamed(chosen, stored, damping, block)


def gathered(chunks):
    return np.concatenate([found for _, found in chunks])


def close(found, expected, of=1e-10):
    assert np.abs(found - expected).max() <= of * np.abs(expected).max()


@models
def test_the_fit_is_that_in_memory(shelf, name):
    memory, _, disk = both(shelf, name)
    assert disk.fit.converged
    close(disk.fit.theta.numpy(), memory.fitted.theta.numpy())
    assert disk.passes.stored.train.x.dtype == np.float64


@models
@pytest.mark.parametrize("estimator", ["influence", "newton"])
@pytest.mark.parametrize("quantity", ["loss", "margin", "prediction"])
def test_scores_are_those_in_memory(shelf, name, estimator, quantity):
    memory, watched, disk = both(shelf, name, damping=0.01)
    try:
        watched = watch(memory.fitted, watched.batch, quantity)
    except ValueError as error:
        with pytest.raises(type(error)):
            disk.watched(np.arange(12), quantity)
        return
    expected = scores(memory, watched, estimator)
    close(gathered(disk.scores(disk.watched(np.arange(12), quantity), estimator)), expected)


@models
def test_signals_and_leverage_are_those_in_memory(shelf, name):
    memory, _, disk = both(shelf, name)
    chunks = [found for _, found in disk.signals()]
    found = {signal: np.concatenate([chunk[signal] for chunk in chunks]) for signal in chunks[0]}
    close(found["leverage"], memory.leverage.numpy())
    close(found["self_influence"], self_influence(memory))
    close(found["loss"], memory.fitted.model.losses(memory.fitted.theta, memory.fitted.train).numpy())


@models
def test_refits_are_those_in_memory(shelf, name):
    memory, _, disk = both(shelf, name)
    rows = np.array([3, 17, 44, 89])
    question = Question(memory.fitted.batch(disk.passes.stored.dataset(slice(None))))
    expected = leave_one_out(memory.fitted, question, rows)
    found = leave_out(disk, disk.watched(np.arange(12)), rows)
    np.testing.assert_array_equal(found.certified, expected.certified)
    close(found.change[found.certified], expected.change[found.certified], 1e-7)
    assert found.passes <= 8


@models
@pytest.mark.parametrize("quantity", ["loss", "prediction"])
def test_the_mean_over_all_test_rows_is_that_in_memory(shelf, name, quantity):
    memory, watched, disk = both(shelf, name, block=100)
    expected = scores(memory, watch(memory.fitted, watched.batch, quantity)).mean(1)
    watched = whole_test_set(disk, quantity)
    close(gathered(disk.scores(watched))[:, 0], expected)
    with pytest.raises(SettingsError, match="estimator=influence"):
        next(disk.scores(watched, "newton"))


@models
@pytest.mark.parametrize("estimator", ["influence", "newton"])
def test_other_labels_are_those_in_memory(shelf, name, estimator):
    memory, watched, disk = both(shelf, name)
    asked = disk.watched(np.arange(12))
    if kind_of(name) == 0:
        with pytest.raises(SettingsError, match="these data have a number"):
            next(relabelled(disk, asked, estimator))
        return
    parts = list(relabelled(disk, asked, estimator))
    labels = np.concatenate([label for _, label, _ in parts])
    assert (labels != disk.passes.stored.train.y).all()
    expected = relabel_change(memory, watched, labels, newton=estimator == "newton")
    close(np.concatenate([found for _, _, found in parts]), expected)


@models
def test_a_group_that_leaves_is_that_in_memory(shelf, name):
    memory, watched, disk = both(shelf, name, block=200, damping=0.01)
    rows = np.array([40, 3, 17, 88])
    found = leave_together(disk, disk.watched(np.arange(12)), rows)
    close(found.first_order, group_change(memory, watched, [rows])[0])
    close(found.newton, group_change(memory, watched, [rows], newton=True)[0])
    np.testing.assert_array_equal(found.rows, np.sort(rows))
    for wrong in ([], [90], [-1]):
        with pytest.raises(SettingsError, match="from 0 to 89"):
            leave_together(disk, disk.watched(np.arange(12)), np.array(wrong, dtype=int))


def test_all_refits_come_in_blocks_that_are_kept(shelf, tmp_path):
    memory, _, disk = both(shelf, "logistic", block=3_000)
    question = Question(memory.fitted.batch(disk.passes.stored.dataset(slice(None))))
    expected = leave_one_out(memory.fitted, question)
    watched, seen = disk.watched(np.arange(12)), []
    task = Task(store=ResultStore(tmp_path), report=lambda done, _: done and (seen.append(done) or task.cancel.set()))
    with pytest.raises(Cancelled):
        list(leave_each_out(disk, watched, "one", task))
    fresh = Task(store=ResultStore(tmp_path), reused=lambda count: seen.append(-count))
    parts = list(leave_each_out(disk, watched, "one", fresh))
    assert len(parts) > 3
    first = parts[0][0].stop
    assert seen == [first, -first]  # the block that was finished is not fitted again
    assert [part.start for part, _ in parts[1:]] == [part.stop for part, _ in parts[:-1]]
    close(np.concatenate([found.change for _, found in parts]), expected.change, 1e-7)
    assert np.concatenate([found.certified for _, found in parts]).all()


def test_refits_are_those_of_scikit_learn(shelf):
    _, _, disk = both(shelf, "logistic")
    train, test = (disk.passes.stored.dataset(slice(None), test=of) for of in (False, True))
    sk = LogisticRegression(C=1 / (90 * 0.05), tol=1e-12, max_iter=10_000)

    def losses(kept):
        sk.C = 1 / (90 * 0.05)
        sk.fit(train.x[kept], train.y[kept])
        return -np.log(sk.predict_proba(test.x)[np.arange(len(test)), test.y])

    every, base = np.arange(90), losses(np.arange(90))
    found = leave_out(disk, disk.watched(np.arange(12)), np.array([5, 60]))
    expected = np.stack([losses(np.delete(every, row)) - base for row in (5, 60)])
    close(found.change, expected, 1e-4)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(block=st.integers(1, 6_000), name=st.sampled_from(LINEAR))
def test_the_size_of_a_block_changes_nothing(shelf, block, name):
    _, _, disk = both(shelf, name, block)
    _, _, whole = both(shelf, name, 10**9)
    tests = np.arange(12)
    one, other = (gathered(d.scores(d.watched(tests), "newton")) for d in (disk, whole))
    close(one, other)


def test_the_strongest_rows_are_those_of_a_full_sort(shelf):
    _, _, disk = both(shelf, "softmax")
    watched = disk.watched(np.arange(12))
    rows, values = disk.strongest(watched, 7)
    every = gathered(disk.scores(watched))
    for j in range(12):
        order = np.argsort(-np.abs(every[:, j]), kind="stable")[:7]
        np.testing.assert_array_equal(rows[j], order)
        np.testing.assert_allclose(values[j], every[order, j])


def test_what_a_step_takes_is_told_before(shelf):
    _, _, disk = both(shelf, "logistic")
    said = str(disk.passes.cost(3, 1.0, 6))
    assert said.startswith("3 passes over 0 MB, about ")
    assert "of memory" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"l2": 0.0}, "penalty l2 > 0"),
        ({"name": "ridge"}, "does not fit data with 2 classes"),
        ({"name": "mlp"}, "linear predictor"),
        ({"fold_penalty": True}, "penalty l2 > 0 of its own"),
    ],
)
def test_what_cannot_be_fitted_on_disk_is_said(shelf, change, said):
    with pytest.raises(SettingsError, match=said):
        streamed(ModelSettings(**{"name": "logistic", "l2": 0.1, **change}), shelf[2])


def test_unknown_rows_and_estimators_are_refused(shelf):
    _, _, disk = both(shelf, "logistic")
    with pytest.raises(SettingsError, match="from 0 to 11"):
        disk.watched(np.array([12]))
    with pytest.raises(SettingsError, match="expected one of influence, newton"):
        next(disk.scores(disk.watched(np.array([0])), "tracin"))


def test_a_file_cut_off_in_the_middle_of_a_pass_ends_it_in_a_sentence(shelf):
    _, _, disk = both(shelf, "logistic", block=1)
    path = disk.passes.stored.folder / "x.npy"
    content, seen, when = path.read_bytes(), 0, path.stat()
    try:
        with pytest.raises(DataError, match="was changed while it was in use"):
            for _ in disk.passes:
                seen += 1
                path.write_bytes(content[:200])
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
    assert seen == 1


def test_files_changed_between_two_passes_are_noticed(shelf):
    _, _, disk = both(shelf, "logistic")
    path = disk.passes.stored.folder / "y.npy"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    try:
        with pytest.raises(DataError, match="was changed while it was in use"):
            gathered(disk.scores(disk.watched(np.array([0]))))
    finally:
        path.write_bytes(content)
