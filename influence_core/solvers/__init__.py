"""SOLVERS of (H + damping·I) V = B: factor once, apply many."""

from influence_core.solvers.dense import CholeskyFactor, EighFactor, cholesky, eigh
from influence_core.solvers.iterative import AUTOMATIC, PRECONDITIONERS
from influence_core.solvers.registry import (
    SOLVERS,
    SPECTRUM_IS_CHEAP,
    applicable_solvers,
    chosen_solver,
    factor,
    why_chosen,
)
from influence_core.solvers.solution import Factor, SingularError, Solution, SolverEntry, energies

__all__ = [
    "AUTOMATIC",
    "PRECONDITIONERS",
    "SOLVERS",
    "SPECTRUM_IS_CHEAP",
    "CholeskyFactor",
    "EighFactor",
    "Factor",
    "SingularError",
    "Solution",
    "SolverEntry",
    "applicable_solvers",
    "cholesky",
    "chosen_solver",
    "eigh",
    "energies",
    "factor",
    "why_chosen",
]
