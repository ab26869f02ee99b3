"""SOLVERS of (H + damping·I) V = B: factor once, apply many."""

from __future__ import annotations

from influence_core.curvature import Curvature
from influence_core.settings import Option, SettingsError, SolverSettings, resolve
from influence_core.solvers.dense import cholesky, eigh
from influence_core.solvers.iterative import AUTOMATIC, PRECONDITIONERS, ConjugateGradients, Identity
from influence_core.solvers.kronecker import Kronecker
from influence_core.solvers.lissa import Lissa, LissaSettings
from influence_core.solvers.lowrank import Arnoldi, Nystrom
from influence_core.solvers.solution import Factor, SolverEntry
from influence_core.solvers.taylor import Taylor

SPECTRUM_IS_CHEAP = 1_500
LARGE = 20_000_000  # parameters of solvers that need products only


def factor(settings: SolverSettings, curvature: Curvature) -> Factor:
    """Factor the damped curvature with the solver of the settings.

    Returns:
        A callable that solves for many right-hand sides.

    Raises:
        SettingsError: an unknown solver, or one that is too expensive for this many parameters.
    """
    name = chosen_solver(settings.name, curvature.size, curvature.network)
    if name not in SOLVERS:
        raise SettingsError(f"Unknown solver {name[:40]!r}: expected {AUTOMATIC} or one of {', '.join(SOLVERS)}.")
    entry = SOLVERS[name]
    if curvature.size > entry.limit:
        offered = ", ".join(applicable_solvers(curvature.size))
        raise SettingsError(
            f"{entry.title} is offered up to {entry.limit:,} parameters, this model has {curvature.size:,}: "
            f"choose one of {offered}."
        )
    return entry.factor(curvature, resolve(settings.options, entry.options))


def chosen_solver(name: str, size: int, network: bool = False) -> str:
    """What ``auto`` means for ``size`` parameters: the spectrum while it costs little, else a Cholesky factor.

    A network's matrix is dear to form and many parameters make it too large: there conjugate gradients.

    Returns:
        A name of ``SOLVERS`` for ``auto``, any other name as it is.
    """
    if name != AUTOMATIC:
        return name
    if size <= SPECTRUM_IS_CHEAP:
        return "eigh"
    return "cg" if network or size > SOLVERS["cholesky"].limit else "cholesky"


def why_chosen(size: int, network: bool = False) -> str:
    """Why ``auto`` means what :func:`chosen_solver` says.

    Returns:
        The title of the solver and the reason, as one sentence.
    """
    name = chosen_solver(AUTOMATIC, size, network)
    why = {
        "eigh": f"up to {SPECTRUM_IS_CHEAP:,} parameters the spectrum costs little, and then any damping is free",
        "cholesky": "one dense factor is exact and serves every test point",
        "cg": "it needs products only, and a network's matrix is dear to form"
        if network
        else "there are too many parameters for a dense factor",
    }
    return f"The automatic solver here is {SOLVERS[name].title}: {why[name]} (p = {size:,})."


def applicable_solvers(size: int) -> list[str]:
    """Names of the solvers offered for ``size`` parameters.

    Returns:
        Names in registry order.
    """
    return [name for name, entry in SOLVERS.items() if size <= entry.limit]


_SCALE = Option("scale", 0.0, "Scale s (0 = automatic)", 0.0, 1e12)
_RANK = Option("rank", 0, "Rank (0 = automatic)", 0, 5_000)

SOLVERS: dict[str, SolverEntry] = {
    "cholesky": SolverEntry("Cholesky", lambda a, _options: cholesky(a), "dense factor, O(np² + p³)"),
    "eigh": SolverEntry(
        "Eigendecomposition", lambda a, _options: eigh(a), "any damping for two matrix products", limit=3_000
    ),
    "cg": SolverEntry(
        "Conjugate gradients",
        lambda a, options: ConjugateGradients(
            a, float(options["tolerance"]), int(options["max_products"]), str(options["preconditioner"])
        ),
        "Martens 2010; Hessian products only",
        (
            Option("tolerance", 1e-10, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("max_products", 1_000, "Most products per right-hand side", 1, 100_000),
            Option("preconditioner", AUTOMATIC, "Preconditioner", choices=(AUTOMATIC, *PRECONDITIONERS)),
        ),
        limit=LARGE,
    ),
    "taylor": SolverEntry(
        "Taylor series",
        lambda a, options: Taylor(
            a, float(options["scale"]), float(options["tolerance"]), int(options["max_products"])
        ),
        "Koh & Liang 2017; full products",
        (
            _SCALE,
            Option("tolerance", 1e-3, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("max_products", 2_000, "Most products per right-hand side", 0, 100_000),
        ),
        kind="iterative",
        limit=LARGE,
    ),
    "lissa": SolverEntry(
        "LiSSA (sampled Taylor series)",
        lambda a, options: Lissa(a, LissaSettings.of(options)),
        "Agarwal et al. 2017; drawn examples",
        (
            _SCALE,
            Option("depth", 0, "Steps per round (0 = automatic)", 0, 1_000_000),
            Option("batch", 0, "Examples per step (0 = automatic)", 0, 10_000),
            Option("repeats", 4, "Repeats, averaged", 1, 100),
            Option("rounds", 50, "Most rounds on what is left", 1, 1_000),
            Option("sampling", "norm", "Draw examples", choices=("norm", "uniform")),
            Option("tolerance", 1e-3, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("draw", 0, "Seed of the draws", 0, 2**31 - 1),
        ),
        kind="iterative",
        limit=LARGE,
    ),
    "arnoldi": SolverEntry(
        "Arnoldi (dominant eigenspace)",
        lambda a, options: Arnoldi(a, int(options["rank"])),
        "Schioppa et al. 2022; the rest is dropped",
        (_RANK,),
        kind="approximate",
        limit=LARGE,
    ),
    "nystrom": SolverEntry(
        "Nyström sketch",
        lambda a, options: Nystrom(a, int(options["rank"])),
        "Frangella et al. 2021; Hataya & Yamada 2023",
        (_RANK,),
        kind="approximate",
        limit=LARGE,
    ),
    "kfac": SolverEntry(
        "K-FAC", lambda a, _options: Kronecker(a, False), "Martens & Grosse 2015", kind="approximate", limit=LARGE
    ),
    "ekfac": SolverEntry(
        "EK-FAC", lambda a, _options: Kronecker(a, True), "Grosse et al. 2023", kind="approximate", limit=LARGE
    ),
    "identity": SolverEntry(
        "Identity (no solve)",
        lambda a, _options: Identity(a),
        "gradient dot product, a baseline",
        kind="baseline",
        limit=LARGE,
    ),
}
