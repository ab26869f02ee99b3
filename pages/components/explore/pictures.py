"""What the Explore page shows for one question: map, truth, trust line, and the points that matter most."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.browser.loo_scatter import Pairs, loo_scatter, summary
from pages.components.browser.map import MapView, Reactions, Side, influence_map
from pages.components.browser.strips import Strip
from pages.components.charts.scale import colour_limit
from pages.components.explore import question
from pages.components.explore.group_panel import Group
from pages.components.explore.listing import asked, listing
from pages.components.explore.sharers import chosen_word, sharers
from pages.components.explore.standing import certain, extremes
from pages.components.lenses import Strongest, lens_of
from pages.components.problem import draw_panel, loo_panel, network_truth, truths
from pages.components.problem.asked import ASKED, EACH, Shown, definition
from pages.components.problem.groups import Rows
from pages.components.session import cached, state
from pages.components.session.door import core
from pages.components.session.view import group_text
from pages.components.session.words import counted, plain_markdown
from pages.components.widgets.trust_line import trust_line as draw_trust

if TYPE_CHECKING:
    from influence_core.analysis import Refits

MAP, TRUTH = 450, 280  # pixels: both, and the first lines about one training point, fit a screen of 800
LASSO = {
    "test": "A lasso makes a group of training points that leave together. Drag moves the map, ctrl + wheel zooms.",
    "tests": "A lasso chooses the test points asked about. Drag moves the map, ctrl + wheel zooms.",
    "train": "A lasso makes a group of training points that leave together. Drag moves the map, ctrl + wheel zooms.",
}
TITLES = {
    "test": "Training points, coloured by influence on the star",
    "tests": "Training points, coloured by influence on the ringed test points",
    "train": "Test points, coloured by what removing the diamond does to each",
}


def draw_map(shown: Shown, group: Group | None) -> None:
    """The map, recoloured by the scores of the question; for a drawing, the board it is drawn on."""
    if cached.drawn(shown.settings) and shown.side == "train":
        draw_panel.draw_panel(_now)
        st.caption(definition(shown))
        return
    st.markdown(f"**{TITLES[shown.view.ask]}**", help=LASSO[shown.view.ask])
    influence_map(shown.scene, *_picture(shown, group), Reactions(_clicked, _lassoed), "map")
    st.caption(definition(shown))
    draw_panel.edit_button(shown.settings, shown.analysis.problem.split)


def _now() -> tuple[np.ndarray, MapView]:
    """The picture for what this session has chosen by now."""
    return _picture(Shown.of(cached.analysis(state.settings()), None), None)


def _picture(shown: Shown, group: Group | None) -> tuple[np.ndarray, MapView]:
    """Scores as they are coloured, and how."""
    form, view = shown.form, shown.view
    helpful = form.scale(shown.helpfulness)
    locked = view.lock and view.ask == "test"
    return helpful, MapView(
        selected_test=shown.single,
        selected_train=view.train,
        limit=colour_limit(form.scale(shown.analysis.all_scores) if locked else helpful),
        symlog=view.symlog,
        magnitude_only=view.magnitude,
        sign=shown.sign,
        words=("harmful", "helpful") if shown.orientation else ("removal pushes down", "pushes up"),
        target=shown.side,
        unit=form.scaled_unit,
        about=shown.about,
        group=() if group is None else group.rows,
        tests=shown.tests if view.ask == "tests" else (),
        after=None if group is None else group.boundary(shown),
        alt=_alt(shown),
        title=TITLES[view.ask],
        height=MAP,
        told=shown.told,
        beside=shown.beside,
    )


def _clicked(side: Side, index: int) -> None:
    question.clicked()
    if side == "test":
        state.choose_test(index)
    else:
        state.choose_train(index)


def _lassoed(train: Rows, test: Rows) -> None:
    """A lasso makes a group of what the question can use: test points to ask about, or training points that leave."""
    if state.view().ask == "tests" and len(test):
        state.look(tests=group_text(test))
    elif len(train):
        state.choose_group(group_text(train))


def _alt(shown: Shown) -> str:
    if not shown.ranked:
        return "Map without scores."
    up, down = shown.ranked[0], shown.ranked[-1]
    ids, ends = shown.data.ids, shown.ends if shown.sign > 0 else shown.ends[::-1]
    kind = "training" if shown.side == "train" else "test"
    return (
        f"Map of {len(shown.scores)} {kind} points. Most {ends[1]} {ids[up]} with {shown.form.text(shown.scores[up])}, "
        f"most {ends[0]} {ids[down]} with {shown.form.text(shown.scores[down])} {shown.form.scaled_unit}."
    )


def draw_truth(shown: Shown) -> None:
    """LOO scatter, or the way to it."""
    way = shown.truth.way
    st.markdown(f"**Predicted change against {way.runs}**", help=truths.TWO if way.short else None)
    truths.choose(shown.settings)
    if shown.measured is None:
        loo_panel.panel(shown.settings)
        return
    # A drawing has a map of its own, and a ranking may have a factor of its own on the axis.
    shared = not (cached.drawn(shown.settings) and shown.side == "train") and shown.axis_form.power == shown.form.power
    coloured = shown.form.scale(shown.helpfulness) if shared else None
    pairs = Pairs(shown.truth_form.scale(shown.measured), shown.axis_form.scale(shown.scores), shown.side, coloured)
    loo_scatter(shown.scene, pairs, replace(loo_panel.look(shown), height=TRUTH), shown.pick, "loo-scatter")
    said = summary(shown.agreed, shown.sized)
    if not way.noisy:
        st.markdown(said, help=_certified(shown))
        return
    st.markdown(f"{said}  \n:small[{network_truth.words(shown)}]")
    network_truth.halves_panel(shown)


def _certified(shown: Shown) -> str:
    refits = shown.refits
    if refits is None:
        return ""
    slope = "slope = least-squares slope of measured on predicted; above 1 the prediction under-estimates. "
    slope = slope if shown.sized else "A ranking has no size, so it has no slope. "
    if shown.side == "test":
        row = int(shown.view.train or 0)
        if not np.isfinite(refits.certificate[row]):
            return slope + "Without this training point no unique minimum is left: there is nothing to measure."
        certificate = f"certificate {refits.certificate[row]:.0e}{_bound(shown, refits, row)}"
        return f"{slope}One refit without this training point, measured at every test point; {certificate}."
    none = int((~np.isfinite(refits.certificate)).sum())
    failed = int((~refits.certified).sum()) - none
    left = f"; without {counted(none, 'point')} no unique minimum is left: nothing to measure there" if none else ""
    left += f"; {counted(failed, 'refit')} without a certified minimum left out" if failed else ""
    return (
        slope + "Every point is a refit of its own, certified to a gradient of at most 10⁻⁶ of the one it started "
        f"with, or to rounding{_bound(shown, refits)}{left}."
    )


def _bound(shown: Shown, refits: Refits, row: int | None = None) -> str:
    """How far the changes can be off, beside the certificate of the gradient."""
    if refits.error is None:
        return ""
    rows = refits.certified if row is None else [row]
    errors = refits.error[rows]
    return f", changes to within about {errors.max():.0e} {shown.own_unit}" if len(errors) else ""


def trust_line(shown: Shown) -> None:
    """What the numbers rest on; amber with advice where an assumption is broken."""
    # r and slope of the line compare training points; the reverse question compares test points, and has its own box.
    refits = shown.refits if shown.side == "train" else None
    found = shown.analysis.trust(shown.tests, refits, shown.truth)
    draw_trust(found, _newton if "measure" not in shown.view.hidden else None)

    if sentence := certain(shown):
        st.info(plain_markdown(sentence), icon=":material/info:")


def _newton() -> None:
    """One-step Newton, and no damping."""
    state.change(estimator="newton")
    state.change("solver", damping=0.0)


def examples(shown: Shown) -> None:
    """The points that matter most, or to which it matters most."""
    order = shown.ranked
    helpful = [i for i in order[:EACH] if shown.helpfulness[i] > 0]
    harmful = [i for i in order[::-1][:EACH] if shown.helpfulness[i] < 0]
    st.subheader(strongest(shown), anchor=False)
    if word := chosen_word(shown):
        sharers(shown, word)
        return
    if shown.side == "train":
        st.caption(_concentration(shown))
    if said := extremes(shown):
        st.caption(plain_markdown(said))
    above, caption = asked(shown), _caption(shown)
    content = Strip(
        caption,
        helpful,
        harmful,
        shown.scores,
        shown.form,
        shown.selected,
        titles(shown),
        heading=strongest(shown),
        about=shown.about,
        asked=len(above),
    )
    rows = [*helpful, *harmful]
    points = Strongest(
        shown.data, above, shown.labels, content, shown.pick, "strips", lambda: listing(shown, rows, "strongest"),
        shown.on_map,
    )  # fmt: skip
    lens_of(shown.data).strongest(points)


def _concentration(shown: Shown) -> str:
    """How few carry most, of which classes, and near-duplicates together."""
    found, names = core.concentrated(shown.analysis, shown.helpfulness), shown.data.class_names
    if not found.count:
        return "No training point changes anything here."
    words = [f"{found.count:,} of {found.of:,} points carry {found.share:.0%} of the influence."]
    # Helpfulness is turned already: + is helpful, also where the quantity falls.
    for side, mix in (("helpful", found.helpful), ("harmful", found.harmful)) if shown.orientation else ():
        if len(mix) and mix.any():
            top = np.argsort(-mix, kind="stable")[:2]
            said = ", ".join(f"{mix[k]:.0%} class {plain_markdown(names[k])}" for k in top if mix[k] > 0.005)
            words.append(f"{side.capitalize()}: {said}.")
    if len(found.family):
        words.append(f"{len(found.family):,} near-copies of one another carry {found.carried:.0%} together.")
    return " ".join(words)


def strongest(shown: Shown) -> str:
    """What the strips and the tables show."""
    if shown.side == "test":
        return "The test points to which it matters most"
    return "The training points that matter most"


def _caption(shown: Shown) -> str:
    """What is asked about, in words."""
    if shown.side == "test":
        return shown.scene.train_labels[int(shown.view.train or 0)]
    count = len(shown.tests)
    if count == 1:
        return shown.scene.test_labels[shown.first]
    return (
        f"The {count:,} test points asked about"
        if count <= ASKED
        else f"{ASKED} of the {count:,} test points asked about"
    )


def titles(shown: Shown) -> tuple[str, str]:
    """What the two ends of the scores mean: helpful and harmful, or up and down."""
    if shown.side == "test":
        up, down = (f"removing the training point would {verb} their {shown.watched}" for verb in ("raise", "lower"))
    else:
        up, down = (f"removing one of these would {verb} the {shown.watched}" for verb in ("raise", "lower"))
    if not shown.sized:
        up, down = (f"ranked as if {words}" for words in (up, down))
    if not shown.orientation:
        return f"Up: {up}", f"Down: {down}"
    good, bad = (up, down) if shown.orientation > 0 else (down, up)
    return f"Helpful: {good}", f"Harmful: {bad}"
