"""Every solver on the same system: at once where that takes a moment, else a job that shows each row as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from influence_core.settings import Settings
from pages.components.session import cached
from pages.components.session.door import core
from pages.components.session.net import guarded
from pages.components.session.words import plain_markdown
from pages.components.solvers import benches
from pages.components.solvers.truth import TOP, Yardstick, agreed, fitness, reference
from pages.components.widgets import job_panel
from pages.components.widgets.chart_frame import twin
from pages.components.widgets.job_panel import jobs, owner

if TYPE_CHECKING:
    from influence_core.analysis.trials import Trial
    from influence_core.compute import Task
    from pages.components.solvers.benches import Bench

LONG = 1.0  # expected seconds of a comparison that leaves this process
INSTANT, UNASKED = 0.7, 8.0  # expected seconds of a comparison that runs in the page, and of a job that starts unasked
ASKED = "solvers.asked"  # the comparison that this session looks at
_LOOKING = dict[str, set[str]]()  # who looks at which
CAPTION = (
    "Times are measured live on this server, once per factor and once per test point: whatever else it is doing makes "
    "them longer, but waiting for other jobs is left out. Products of Hessian and vector, those before the first solve "
    "included; a product with some of the examples counts its share. Relative residual = ‖(H + δI)v − q‖ / ‖q‖. "
    "Error = ‖s − s_ref‖ / ‖s_ref‖ of the scores. r, ρ, slope of the reference on the first-order scores (above 1: the "
    "prediction under-estimates), and the share of its "
    f"{TOP} largest |changes| that is found."
)
MORE = (
    " LOO: training again without a point, r · ρ · slope · top as well. LDS: rank correlation over networks trained on "
    "random halves."
)


def names(settings: Settings) -> list[str]:
    """The solvers on offer for this model, in registry order."""
    fitted = cached.problem(settings).fitted
    return core.applicable_solvers(fitted.size, fitted.wide)


def compared(settings: Settings, test: int, truth: Yardstick) -> list[Trial]:
    """Run what is missing, show the table, and say what is worth knowing.

    Returns:
        The trials so far: all of them, or as many as a job has finished.
    """
    bench, wanted = benches.bench(settings, test), names(settings)
    missing = [name for name in wanted if name not in bench.found]
    seconds = sum(core.trials.expected_seconds(bench.problem.fitted, name) for name in missing)
    _leave_others(_key(bench))
    st.markdown("**One system, every solver**")
    if missing and seconds <= INSTANT:
        with st.spinner("Factoring and solving with every solver …"):
            for name in missing:
                bench.ask(name)
    elif missing:
        _run(bench, wanted, seconds)
    if running(bench):
        _coming(bench, wanted, truth)
    else:
        _table(bench, wanted, truth)
    return [bench.found[name] for name in wanted if name in bench.found]


def _leave_others(key: str) -> None:
    """This session looks at another comparison now: one that nobody looks at any more ends; its rows stay."""
    before, mine = st.session_state.get(ASKED), owner()
    st.session_state[ASKED] = key
    _LOOKING.setdefault(key, set()).add(mine)
    if before is None or before == key:
        return
    _LOOKING.setdefault(before, set()).discard(mine)
    if not _LOOKING[before]:
        del _LOOKING[before]
        job = jobs().get(before)
        if job is not None and job.active:
            jobs().stop(job)
            jobs().forget(before)  # whoever comes back need not start it


def running(bench: Bench) -> bool:
    """Whether a job is at work on this bench."""
    job = jobs().get(_key(bench))
    return job is not None and job.active


def _key(bench: Bench) -> str:
    return f"solvers:{bench.settings.key()}:{bench.test}"


def _run(bench: Bench, wanted: list[str], seconds: float) -> None:
    def work(task: Task) -> int:
        if seconds > LONG:
            bench.ask_elsewhere(wanted, task)
        for done, name in enumerate(wanted):
            bench.ask(name, task)
            task.tick(done + 1, len(wanted))
        return len(wanted)

    words = f"**Compare {len(wanted)} solvers.** About {job_panel.duration(seconds)}; rows appear as they come."
    panel = job_panel.Work(
        _key(bench),
        "Comparing solvers",
        "solvers",
        work,
        seconds,
        words,
        "Compare the solvers",
        "Cancelled. The rows below are finished; the next run continues with the others.",
    )
    if seconds <= UNASKED:
        job_panel.start(panel)
    job = jobs().get(panel.key)
    if job is not None and job.state == "done":  # its rows were pushed out of the cache meanwhile
        jobs().forget(panel.key)
    job_panel.panel(panel)


@st.fragment(run_every=1.0)
def _coming(bench: Bench, wanted: list[str], truth: Yardstick) -> None:
    with guarded():
        _table(bench, wanted, truth)


def _table(bench: Bench, wanted: list[str], truth: Yardstick) -> None:
    found = {name: bench.found[name] for name in wanted if name in bench.found}
    best = reference(list(found.values()))
    rows = [row(one, best, truth) for one in found.values()]
    if not rows:
        return
    rows += too_large(bench.settings, truth) if len(found) == len(wanted) else []
    table = pd.DataFrame(rows)
    if best is not None:
        table = table.rename(columns={"reference": f"r · ρ · slope · top {TOP} to {best.title}"})
    st.table(table.map(lambda cell: plain_markdown(str(cell))), hide_index=True)
    if len(found) < len(wanted):
        return
    st.caption(CAPTION + MORE * truth.way.noisy)
    chosen = [f"* **{one.title}.** {plain_markdown(one.note)}" for one in found.values() if one.note]
    with st.expander("What the solvers chose themselves, and why"):
        st.markdown("\n".join(chosen))
        st.caption("Choose a solver above to set any of it by hand; 0 stands for the automatic choice.")
    twin(table, "solvers")


def too_large(settings: Settings, truth: Yardstick) -> list[dict[str, str]]:
    """A row for every solver that is not offered for so many parameters."""
    size, offered = cached.problem(settings).fitted.size, names(settings)
    rest = [entry for name, entry in core.SOLVERS.items() if name not in offered]
    blank = dict.fromkeys(columns(truth), "–")
    return [
        blank | {"solver": entry.title, "what it says": f"Offered up to {entry.limit:,} parameters; here are {size:,}."}
        for entry in rest
    ]


def columns(truth: Yardstick) -> tuple[str, ...]:
    """Headings of the table."""
    own = ("solver", "factor", "solve", "products", "residual", "error", "reference")
    return (*own, *truth.way.columns, "what it says")


def row(one: Trial, best: Trial | None, truth: Yardstick) -> dict[str, str]:
    """What one solver did, as cells."""
    cells = dict.fromkeys(columns(truth), "–")
    cells |= {"solver": one.title, "factor": core.trials.seconds(one.factor_seconds)}
    cells["what it says"] = one.says or "Converged."
    if one.scores is None:
        return cells
    cells |= {
        "solve": core.trials.seconds(one.solve_seconds),
        "products": f"{one.products:,}",
        "residual": f"{one.residual:.1g}",
    }
    if best is not None and best.scores is not None:
        cells["error"] = f"{core.trials.relative_error(one.scores, best.scores):.1g}"
        cells["reference"] = fitness(agreed(best.scores, one.scores))
    return cells | truth.cells(one.scores)
