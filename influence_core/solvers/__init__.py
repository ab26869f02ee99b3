"""SOLVERS of (H + damping·I) V = B: factor once, apply many."""

from influence_core.solvers.dense import CholeskyFactor, EighFactor, cholesky, eigh
from influence_core.solvers.dual import DualFactor
from influence_core.solvers.iterative import AUTOMATIC, PRECONDITIONERS, ConjugateGradients
from influence_core.solvers.registry import (
    SOLVERS,
    SPECTRAL,
    SPECTRUM_IS_CHEAP,
    applicable_solvers,
    chosen_solver,
    factor,
    solver_entry,
    why_chosen,
)
from influence_core.solvers.rooted import RootFactor, rooted
from influence_core.solvers.solution import Factor, Load, SingularError, Solution, SolverEntry, energies

__all__ = [
    "AUTOMATIC",
    "PRECONDITIONERS",
    "SOLVERS",
    "SPECTRAL",
    "SPECTRUM_IS_CHEAP",
    "CholeskyFactor",
    "ConjugateGradients",
    "DualFactor",
    "EighFactor",
    "Factor",
    "Load",
    "RootFactor",
    "SingularError",
    "Solution",
    "SolverEntry",
    "applicable_solvers",
    "cholesky",
    "chosen_solver",
    "eigh",
    "energies",
    "factor",
    "rooted",
    "solver_entry",
    "why_chosen",
]
