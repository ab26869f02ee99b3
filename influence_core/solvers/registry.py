"""SOLVERS of (H + damping·I) V = B: factor once, apply many."""

from __future__ import annotations

from influence_core.curvature import Curvature
from influence_core.settings import Option, SettingsError, SolverSettings, resolve
from influence_core.solvers.dense import cholesky, eigh
from influence_core.solvers.dual import dual
from influence_core.solvers.iterative import AUTOMATIC, PRECONDITIONERS, ConjugateGradients, Identity
from influence_core.solvers.kronecker import Kronecker
from influence_core.solvers.lissa import Lissa, LissaSettings
from influence_core.solvers.lowrank import Arnoldi, Nystrom
from influence_core.solvers.rooted import rooted
from influence_core.solvers.solution import Factor, SolverEntry
from influence_core.solvers.taylor import Taylor

SPECTRUM_IS_CHEAP = 1_500
DENSE = 20_000  # parameters of one dense factor
LARGE = 20_000_000  # parameters of solvers that need products only


def solver_entry(name: str) -> SolverEntry:
    """The solver of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in SOLVERS:
        raise SettingsError(f"Unknown solver {name[:40]!r}: expected {AUTOMATIC} or one of {', '.join(SOLVERS)}.")
    return SOLVERS[name]


def factor(settings: SolverSettings, curvature: Curvature) -> Factor:
    """Factor the damped curvature with the solver of the settings.

    Raises:
        SettingsError: an unknown solver, or one that is too expensive for this many parameters.
    """
    wide = curvature.dual is not None
    entry = solver_entry(chosen_solver(settings.name, curvature.size, curvature.products_only, wide))
    if not _fits(entry, curvature.size, wide):
        offered = ", ".join(applicable_solvers(curvature.size, wide))
        raise SettingsError(
            f"{entry.title} is offered up to {entry.limit:,} parameters, this model has {curvature.size:,}: "
            f"choose one of {offered}."
        )
    if entry.dense and curvature.root is not None:
        return rooted(curvature)
    if entry.dense and not entry.spectral and curvature.dual is not None:
        return dual(curvature)
    return entry.factor(curvature, resolve(settings.options, entry.options))


def chosen_solver(name: str, size: int, products_only: bool = False, wide: bool = False) -> str:
    """What ``auto`` means for ``size`` parameters: the spectrum while it costs little, else a Cholesky factor.

    Where only products are cheap, or many parameters make the matrix too large, conjugate gradients; but not where the
    examples are few beside them (``wide``), and a factor of n × n serves in its place.

    Returns:
        A name of ``SOLVERS`` for ``auto``, any other name as it is.
    """
    return _automatic(size, products_only, wide)[0] if name == AUTOMATIC else name


def why_chosen(size: int, products_only: bool = False, wide: bool = False) -> str:
    """Why ``auto`` means what :func:`chosen_solver` says, as one sentence with its title."""
    name, why = _automatic(size, products_only, wide)
    return f"The automatic solver here is {SOLVERS[name].title}: {why} (p = {size:,})."


def _automatic(size: int, products_only: bool, wide: bool) -> tuple[str, str]:
    if wide and size > SPECTRUM_IS_CHEAP:
        return (
            "cholesky",
            "of n × n, for there are fewer examples than parameters; it is exact and serves every question",
        )
    return next((name, why) for name, entry in SOLVERS.items() if (why := entry.suits(size, products_only)))


def applicable_solvers(size: int, wide: bool = False) -> list[str]:
    """Names of the solvers offered for ``size`` parameters; ``wide`` where an n × n factor serves.

    Returns:
        Names in registry order.
    """
    return [name for name, entry in SOLVERS.items() if _fits(entry, size, wide)]


def _fits(entry: SolverEntry, size: int, wide: bool) -> bool:
    return size <= (LARGE if wide and entry.dense and not entry.spectral else entry.limit)


def _one_factor_serves(size: int, products_only: bool) -> str:
    middle = SPECTRUM_IS_CHEAP < size <= DENSE and not products_only
    return "one dense factor is exact and serves every test point" * middle


def _spectrum_is_cheap(size: int, _products_only: bool) -> str:
    why = f"up to {SPECTRUM_IS_CHEAP:,} parameters the spectrum costs little, and then any damping is free"
    return why * (size <= SPECTRUM_IS_CHEAP)


def _products_are_all(_size: int, products_only: bool) -> str:
    """For every size that is left: the dense solvers stand before it."""
    dear = "it needs products only, and a network's matrix is dear to form"
    return dear if products_only else "there are too many parameters for a dense factor"


_SCALE = Option("scale", 0.0, "Scale s (0 = automatic)", 0.0, 1e12)
_RANK = Option("rank", 0, "Rank (0 = automatic)", 0, 5_000)

SOLVERS: dict[str, SolverEntry] = {
    "cholesky": SolverEntry(
        title="Cholesky",
        factor=lambda a, _options: cholesky(a),
        limit=DENSE,
        dense=True,
        seconds=lambda load: load.form + 0.4 * load.cube,
        suits=_one_factor_serves,
    ),
    "eigh": SolverEntry(
        title="Eigendecomposition",
        factor=lambda a, _options: eigh(a),
        limit=3_000,
        dense=True,
        spectral=True,
        seconds=lambda load: load.form + 10 * load.cube,
        suits=_spectrum_is_cheap,
    ),
    "cg": SolverEntry(
        title="Conjugate gradients",
        factor=lambda a, options: ConjugateGradients(
            a, float(options["tolerance"]), int(options["max_products"]), str(options["preconditioner"])
        ),
        options=(
            Option("tolerance", 1e-10, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("max_products", 1_000, "Most products per right-hand side", 1, 100_000),
            Option("preconditioner", AUTOMATIC, "Preconditioner", choices=(AUTOMATIC, *PRECONDITIONERS)),
        ),
        limit=LARGE,
        seconds=lambda load: load.searched * load.product,
        suits=_products_are_all,
    ),
    "taylor": SolverEntry(
        title="Taylor series",
        factor=lambda a, options: Taylor(
            a, float(options["scale"]), float(options["tolerance"]), int(options["max_products"])
        ),
        options=(
            _SCALE,
            Option("tolerance", 1e-3, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("max_products", 2_000, "Most products per right-hand side", 0, 100_000),
        ),
        limit=LARGE,
        kind="iterative",
        seconds=lambda load: 800 * load.product,
    ),
    "lissa": SolverEntry(
        title="LiSSA (sampled Taylor series)",
        factor=lambda a, options: Lissa(a, LissaSettings.of(options)),
        options=(
            _SCALE,
            Option("depth", 0, "Steps per round (0 = automatic)", 0, 1_000_000),
            Option("batch", 0, "Examples per step (0 = automatic)", 0, 10_000),
            Option("repeats", 4, "Repeats, averaged", 1, 100),
            Option("rounds", 50, "Most rounds on what is left", 1, 1_000),
            Option("sampling", "norm", "Draw examples", choices=("norm", "uniform")),
            Option("tolerance", 1e-3, "Tolerance (relative residual)", 1e-14, 1.0),
            Option("draw", 0, "Seed of the draws", 0, 2**31 - 1),
        ),
        limit=LARGE,
        kind="iterative",
        seconds=lambda load: load.draws + 100 * load.product,
    ),
    "arnoldi": SolverEntry(
        title="Arnoldi (dominant eigenspace)",
        factor=lambda a, options: Arnoldi(a, int(options["rank"])),
        options=(_RANK,),
        limit=LARGE,
        kind="approximate",
        seconds=lambda load: 120 * load.product,
    ),
    "nystrom": SolverEntry(
        title="Nyström sketch",
        factor=lambda a, options: Nystrom(a, int(options["rank"])),
        options=(_RANK,),
        limit=LARGE,
        kind="approximate",
        seconds=lambda load: 150 * load.product,
    ),
    "kfac": SolverEntry(
        title="K-FAC",
        factor=lambda a, _options: Kronecker(a, False),
        limit=LARGE,
        kind="approximate",
    ),
    "ekfac": SolverEntry(
        title="EK-FAC",
        factor=lambda a, _options: Kronecker(a, True),
        limit=LARGE,
        kind="approximate",
    ),
    "identity": SolverEntry(
        title="Identity (no solve)",
        factor=lambda a, _options: Identity(a),
        limit=LARGE,
        kind="baseline",
    ),
}
SPECTRAL = next(name for name, entry in SOLVERS.items() if entry.spectral)
