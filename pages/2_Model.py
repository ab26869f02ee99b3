"""Model: how does the model fit, and has it converged?"""

from __future__ import annotations

import streamlit as st

from pages.components.frame.bootstrap import bootstrap
from pages.components.model.choosing import choose_model
from pages.components.model.deletion import draw_deletion
from pages.components.model.fitted import draw_curve, draw_errors, draw_field, draw_weights, numbers
from pages.components.problem import reading_panel, train_panel
from pages.components.problem.suit import say_once, suit_model
from pages.components.session import cached, state
from pages.components.session.net import guarded
from pages.components.widgets import trust_line

bootstrap("Model", "How does the model fit, and has it converged?")
with guarded():
    say_once()
    reading_panel.wait(state.settings())
    problem = cached.problem(state.settings())
    suit_model(problem.split.train)
    with st.container(border=True):
        choose_model(problem.split)
    train_panel.wait(state.settings())
    with st.spinner("Fitting …"):
        fit = problem.fitted.fit
    trust_line.optimality(fit)
    numbers(problem)
    draw_field(problem)
    left, right = st.columns(2, gap="medium")
    with left:
        draw_curve(fit, problem.fitted.model.loss.unit)
    with right:
        draw_errors(problem)
    draw_weights(problem)
    draw_deletion(problem)
