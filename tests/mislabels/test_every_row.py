"""Every row is reviewed, and its answers are found again: in another split, another scaling, a corrected file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from influence_core.analysis import Corrections, Problem, Task, uploads
from influence_core.annotations import (
    Answer,
    Plan,
    Samples,
    Store,
    answers,
    create_queue,
    decide,
    export,
    items,
    next_card,
    open_store,
    queues,
    resolve,
    run_settings,
)
from influence_core.reviewing import (
    CONTRADICTION,
    Recipe,
    adopt_older,
    contradictory,
    duplicates,
    recipe_of,
    run,
    samples,
    score,
    under_review,
)
from influence_core.settings import DataSettings, ModelSettings, Settings

CHEAP = ("self_influence", "loss", "margin", "random", "validation_influence")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INFLUENCE_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("INFLUENCE_DB_URL", raising=False)


def upload(table: pd.DataFrame, **data: object) -> Settings:
    raw = uploads.read_upload("mine.csv", table.to_csv(index=False).encode())
    columns = tuple(name for name in table.columns if name != "label")
    mapping = uploads.ColumnMapping("label", columns, "classification")
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    return Settings(replace(DataSettings("upload", (("id", key),)), **data), ModelSettings("logistic", 0.1))  # type: ignore[arg-type]


def table(n: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    found = pd.DataFrame(random.normal(size=(n, 2)).round(3), columns=["a", "b"])
    found["kind"] = random.choice(["x", "y", "z"], n)
    found["label"] = np.where(found["a"] + 0.1 * random.normal(size=n) > 0, "yes", "no")
    return found


def queued(store: Store, settings: Settings, strategy: str = "margin") -> int:
    recipe = Recipe(settings, None, CHEAP)
    scored = score(recipe, Problem(settings), Task())
    groups = duplicates(scored)
    made = create_queue(
        store, samples(scored.whole, "mine"), run(scored, recipe, groups), Plan(strategy, duplicates=groups), "lead"
    )
    return made.id


def answer(store: Store, number: int, actions: str) -> dict[str, tuple[str, int | None]]:
    """Answers in the order of the queue: k keeps, r relabels, e excludes; what was said by id."""
    said = {}
    for letter in actions:
        card = next_card(store, number, "Ada")
        assert card is not None
        action = {"k": "keep", "r": "re-label", "e": "exclude"}[letter]
        label = card.suggested if letter == "r" else None
        later = replace(store, clock=lambda card=card: card.served_at + 1)
        decide(later, card, Answer(action, label))  # type: ignore[arg-type]
        said[card.name] = (action, label)
    return said


def test_both_halves_together_judge_every_row_and_no_row_trains_and_holds_out() -> None:
    for validation in (0.0, 0.2):
        settings = upload(table(), validation_fraction=validation, test_fraction=0.2)
        given = Problem(settings)
        rows = under_review(given)
        assert len(rows.split.train) == 60
        (first, inside), (second, other) = rows.halves(0)
        assert set(inside) | set(other) == set(range(60))
        for split, known in ((first, inside), (second, other)):
            assert split.train.ids.tolist() == rows.split.train.ids[known].tolist()
            held = {*split.validation.ids, *split.test.ids}
            assert len(split.validation) and len(split.test) and not held & {*split.train.ids}
            assert np.bincount(split.train.y, minlength=2).min() > 1
        if validation:
            assert first.fingerprint == given.split.fingerprint
        assert set(given.split.test.ids) == set(first.test.ids)  # what was held out on purpose stays held out


def test_wrong_labels_of_held_out_rows_come_first_too(tmp_path: Path) -> None:
    found = table()
    settings = upload(found, test_fraction=0.3)
    names = [int(name.split()[1]) - 1 for name in Problem(settings).split.test.ids]
    wrong = [k for k in names if abs(found["a"][k]) > 1][:3]
    assert len(wrong) == 3
    found.loc[wrong, "label"] = ["no" if label == "yes" else "yes" for label in found["label"][wrong]]
    settings = upload(found, test_fraction=0.3)
    recipe = Recipe(settings, None, CHEAP)
    scored = score(recipe, Problem(settings), Task())
    made = run(scored, recipe)
    first = np.argsort(-made.signals["margin"])[:8]
    ids = [int(name.split()[1]) - 1 for name in scored.whole.split.train.ids[first]]
    assert set(wrong) <= set(ids)
    case = scored.cases([int(first[0])], ())[0]
    assert case is not None and case.relabel is not None  # a validation part is there on own data
    assert {one.row for one in (*case.supports, *case.contradicts)} <= set(range(60))
    assert scored.whole.split.train.ids[case.row] == case.id


@pytest.mark.parametrize(
    "other",
    [{"test_fraction": 0.35}, {"validation_fraction": 0.25}, {"standardise": False}, {"seed": 9}],
    ids=lambda one: next(iter(one)),
)
def test_another_split_seed_or_scaling_finds_queue_and_answers(other: dict[str, object]) -> None:
    store, settings = open_store(), upload(table())
    said = answer(store, queued(store, settings), "kre")
    seed = int(other.get("seed", 0))  # type: ignore[call-overload]
    rest = {name: value for name, value in other.items() if name != "seed"}
    again = replace(settings, data=replace(settings.data, **rest), seed=seed)  # type: ignore[arg-type]
    rows = under_review(Problem(again))
    (found,) = queues(store, rows.fingerprint)
    outcome = resolve(answers(store, found.dataset))
    assert {str(rows.split.train.ids[k]): outcome.action[k] for k in np.flatnonzero(outcome.action != "")} == {
        name: action for name, (action, _) in said.items()
    }


def test_a_corrected_file_finds_the_answers_to_the_rows_that_are_left() -> None:
    store, found = open_store(), table()
    said = answer(store, queued(store, upload(found)), "krekre")
    corrected = found.copy()
    place = {name: int(name.split()[1]) - 1 for name in said}
    for name, (action, label) in said.items():
        if action == "re-label":
            corrected.loc[place[name], "label"] = ["no", "yes"][int(label or 0)]
    gone = [place[name] for name, (action, _) in said.items() if action == "exclude"]
    corrected = corrected.drop(index=gone).reset_index().rename(columns={"index": "before"})
    settings = upload(corrected.drop(columns="before"))
    number = queued(store, settings)
    rows = under_review(Problem(settings))
    (made,) = queues(store, rows.fingerprint)
    assert made.id == number and made.size == 58 - 4  # the answered ones are not asked again
    outcome = resolve(answers(store, made.dataset))
    decided = np.flatnonzero(outcome.action != "")
    before = corrected["before"].to_numpy()[[int(name.split()[1]) - 1 for name in rows.split.train.ids[decided]]]
    assert sorted(before) == sorted(set(place.values()) - set(gone))
    assert (outcome.action[decided] == "keep").all()  # what was relabelled has that label now


def test_a_store_of_the_training_part_alone_is_adopted() -> None:
    store, settings = open_store(), upload(table(), test_fraction=0.3)
    train = Problem(settings).split.train  # as the first version kept it
    older = Samples("mine", train.fingerprint, train.ids, train.y.astype(np.int64), train.class_names)
    recipe = Recipe(settings, None, CHEAP)
    n = len(train)
    belief = np.linspace(1, 0, n)
    from_then = replace(
        run(score(recipe, Problem(settings), Task()), recipe),
        signals={"margin": belief}, predicted=older.labels, suggested=1 - older.labels, p_given=belief,
        p_suggested=1 - belief, label_score=belief, is_issue=belief > 0.5, likely=None,
    )  # fmt: skip
    number = create_queue(store, older, from_then, Plan("margin"), "lead").id
    said = answer(store, number, "krek")
    again = replace(settings, data=replace(settings.data, test_fraction=0.2), seed=4)
    rows = under_review(Problem(again))
    assert queues(store, rows.fingerprint) == ()
    assert adopt_older(store, rows, again) == n and adopt_older(store, rows, again) == 0
    made = queued(store, again)
    (queue,) = queues(store, rows.fingerprint)
    assert queue.id == made and queue.size == 60 - 4
    outcome = resolve(answers(store, queue.dataset))
    found = {str(rows.split.train.ids[k]): outcome.action[k] for k in np.flatnonzero(outcome.action != "")}
    assert found == {name: action for name, (action, _) in said.items()}


def test_a_queue_of_the_training_part_alone_goes_on_among_all_rows() -> None:
    store, settings = open_store(), upload(table(), test_fraction=0.3)
    train, recipe = Problem(settings).split.train, Recipe(settings, None, CHEAP)
    older = Samples("mine", train.fingerprint, train.ids, train.y.astype(np.int64), train.class_names)
    scored = score(recipe, Problem(settings), Task())
    now = run(scored, recipe)
    place = [scored.split.train.ids.tolist().index(name) for name in train.ids]
    parts = {name: getattr(now, name)[place] for name in ("predicted", "suggested", "p_given", "p_suggested")}
    signals = {name: values[place] for name, values in now.signals.items()}
    decided = Corrections(np.array([0, 5]), older.labels[[0, 5]], np.array([False, False]))
    from_then = replace(
        now, settings=replace(recipe, corrections=decided).record(), signals=signals, label_score=None, is_issue=None,
        likely=None, **parts,
    )  # fmt: skip
    number = create_queue(store, older, from_then, Plan("margin", overlap=2), "lead").id
    said = answer(store, number, "kre")
    left = [item.name for item in items(store, number, "Ada")][len(said) :]
    rows = under_review(Problem(settings))
    adopt_older(store, rows, settings)
    (going,) = queues(store, rows.fingerprint)
    assert (going.id, going.size) == (number, len(train))
    names = rows.split.train.ids
    found = items(store, number, "Ada")
    assert [str(names[item.position]) for item in found] == [item.name for item in found] == [*said, *left]
    card = next_card(store, number, "Ada")
    assert card is not None and card.name == left[0]
    assert card.scores["margin"] == pytest.approx(now.signals["margin"][card.position])
    moved = recipe_of(run_settings(store, going.run)).corrections
    assert moved is not None and names[moved.rows].tolist() == train.ids[[0, 5]].tolist()
    outcome = resolve(answers(store, going.dataset))
    assert {str(names[k]): outcome.action[k] for k in np.flatnonzero(outcome.action != "")} == {
        name: action for name, (action, _) in said.items()
    }
    issues = pd.read_csv(io.BytesIO(export(store, number, "lead")["label_issues.csv"]))
    assert issues["id"].tolist() == names.tolist()
    assert issues["queue_rank"].notna().all() and issues["self_influence"].notna().sum() == len(train)
    adopt_older(store, rows, settings)
    assert [one.id for one in queues(store, rows.fingerprint)] == [number]


def test_noisy_copies_are_near_and_contradictory_ones_come_first() -> None:
    settings = Settings(DataSettings("digits", (("digits", "3,5,8"),)), ModelSettings("softmax", 0.1))
    problem = Problem(settings)
    images = problem.split.train.images
    assert images is not None
    random = np.random.default_rng(0)
    noisy = np.clip(images[:18].astype(int) + random.integers(-3, 4, images[:18].shape), 0, 255)
    archive = np.concatenate([images[:150], noisy]).astype(np.uint8)
    labels = problem.split.train.y[[*range(150), *range(18)]].copy()
    labels[150:156] = (labels[150:156] + 1) % 3
    file = Path("twins.npz")
    import_ = {"x": archive, "y": labels}
    content = npz(import_)
    raw = uploads.read_upload(file.name, content)
    columns = uploads.describe_columns(raw)
    mapping = uploads.guess_mapping(raw, columns)
    key = uploads.upload_store().save(uploads.build(raw, mapping))
    own = Settings(DataSettings("upload", (("id", key),)), ModelSettings("softmax", 0.1))
    recipe = Recipe(own, None, CHEAP)
    scored = score(recipe, Problem(own), Task())
    groups = duplicates(scored)
    pairs = [groups[k] == groups[150 + k] >= 0 for k in range(18)]
    assert sum(pairs) == 18 and (groups >= 0).sum() <= 40
    wrong = contradictory(groups, scored.whole.split.train.y)
    assert set(np.flatnonzero(wrong)) >= {*range(6), *range(150, 156)}
    made = run(scored, recipe, groups)
    assert (made.signals[CONTRADICTION] > 0).sum() == wrong.sum()
    store = open_store()
    number = create_queue(store, samples(scored.whole, "x"), made, Plan("margin", duplicates=groups), "lead").id
    card = next_card(store, number, "Ada")
    assert card is not None and wrong[card.position] and card.peers
    later = replace(store, clock=lambda: card.served_at + 1)
    decide(later, card, Answer("keep"), also=card.peers)
    outcome = resolve(answers(store, 1))
    same = [card.position, *card.peers]
    assert {int(outcome.label[row]) for row in same} == {card.given}  # the same picture, the same label


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
