"""LiSSA: the Neumann series of A / s with a few sampled examples per step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from influence_core.compute import once
from influence_core.curvature import Curvature, SampledProducts
from influence_core.settings import SettingsError, Value
from influence_core.solvers.lanczos import POWER_STEPS, largest_eigenvalue, random_columns
from influence_core.solvers.solution import Solution, dense_inverse
from influence_core.solvers.taylor import GROWN

ENOUGH = 1_024  # drawn examples that stand for all where λ_max is estimated
FEW = 6  # products for λ_max: a tenth too little does no harm, mean squares contract from half the scale on
AHEAD = 64  # steps whose draws are made at once
LOOK = 16  # steps between two looks at the size of the state
REACH = 3.0  # depth of a round in units of s / (smallest eigenvalue that is known)
PASSES, LEAST = 2, 100  # a round costs at most two passes over the examples and a hundred steps more
MOST_BATCH, UNKNOWN_BATCH = 256, 64
TRIED, SAFETY = 16, 1.1


@dataclass(frozen=True)
class LissaSettings:
    """What can be set by hand; 0 stands for the automatic choice.

    Attributes:
        scale: s.
        depth: m, steps per round.
        batch: b, examples per step.
        repeats: independent runs, side by side; averaged.
        rounds: most rounds; in each the series is applied to what is left of the right-hand side.
        sampling: ``norm`` draws examples in proportion to ‖H_i‖, ``uniform`` all alike.
        tolerance: relative residual at which no further round is begun.
        seed: of the draws.
    """

    scale: float
    depth: int
    batch: int
    repeats: int
    rounds: int
    sampling: str
    tolerance: float
    seed: int

    @classmethod
    def of(cls, options: Mapping[str, Value]) -> LissaSettings:
        """Settings from the options of the registry."""
        whole = {name: int(options[name]) for name in ("depth", "batch", "repeats", "rounds")}
        scale, tolerance = float(options["scale"]), float(options["tolerance"])
        return cls(
            scale=scale, tolerance=tolerance, sampling=str(options["sampling"]), seed=int(options["draw"]), **whole
        )


@dataclass(frozen=True)
class Recursion:
    """The settings in use, with their reasons."""

    scale: float
    depth: int
    batch: int
    products: int
    note: str


@dataclass(frozen=True, eq=False)
class Lissa:
    """The Taylor series with b sampled examples per step, r repeats averaged (Agarwal, Bullins & Hazan 2017).

    V_k = B + (I − A_k/s) V_{k−1} with A_k an unbiased draw of A, so that E V_m / s is the Taylor series.  Three
    differences to the paper, each of which can be turned off:

    * examples are drawn in proportion to R_i = ‖H_i‖ and weighted by mean(R)/R_i (Needell, Srebro & Ward 2014), so that
      the safe scale is a mean instead of a maximum;
    * b examples per step: E A_k² ⪯ (R/b + λ_max) A, hence s = R/b + λ_max contracts in mean square (R: the largest
      weighted norm); never more than R + ‖A − H_data‖, where no single draw can expand;
    * the mean of the repeats is stretched to leave the least residual, which is solved again, up to ``rounds`` times:
      that makes the noise as small as wanted.
    """

    curvature: Curvature
    settings: LissaSettings
    eigenvalues: None = None

    @once
    def samples(self) -> SampledProducts:
        """Products with drawn examples.

        Raises:
            SettingsError: the model has none.
        """
        if self.curvature.samples is None:
            raise SettingsError("LiSSA needs Hessian products with single examples, which this model does not offer.")
        return self.curvature.samples

    @once
    def law(self) -> tuple[Tensor, Tensor, float] | None:
        """Cumulative probabilities (n,), weights (n,) and the largest weighted norm R; None without norms."""
        if self.samples.norms is None:
            return None
        norms, n = self.samples.norms().double(), self.samples.count
        total = float(norms.sum())
        if self.settings.sampling == "uniform" or not total > 0:
            even = torch.full_like(norms, 1 / n)
            return even.cumsum(0), torch.ones_like(norms), float(norms.max())
        weights = torch.where(norms > 0, total / n / norms.clamp(min=1e-300), 0.0)
        return (norms / total).cumsum(0), weights, total / n

    @once
    def recursion(self) -> Recursion:
        """Scale, batch and depth with their reasons."""
        return _recursion(self)

    @property
    def setup(self) -> int:
        """Products before the first solve."""
        return self.recursion.products

    def __call__(self, b: Tensor) -> Solution:
        """Rounds of sampled series until every relative residual is ≤ tolerance, or the rounds are used up.

        Returns:
            The solution; its spread is that of the last round's repeats.
        """
        recursion, size = self.recursion, b.norm(dim=0)
        generator = torch.Generator().manual_seed(self.settings.seed)
        x, r, live = torch.zeros_like(b), b.clone(), torch.nonzero(size > 0)[:, 0]
        spread, used, diverged = torch.zeros_like(size), 0.0, False
        for _ in range(self.settings.rounds):
            if not len(live):
                break
            mean, error, diverged = self._series(r[:, live], generator)
            image = self.curvature.matvec(mean)
            plain = diverged or self.settings.rounds == 1
            share = torch.ones_like(error) if plain else _share(r[:, live], image)
            x[:, live] += share * mean
            spread[live] = share.abs() * error / x[:, live].norm(dim=0).clamp(min=torch.finfo(b.dtype).tiny)
            r[:, live] -= share * image
            used += len(live) * (1 + recursion.depth * recursion.batch * self.settings.repeats / self.samples.count)
            if diverged:
                break
            live = live[~(r[:, live].norm(dim=0) / size[live] <= self.settings.tolerance)]
        relative = torch.where(size > 0, r.norm(dim=0) / size.clamp(min=1e-300), 0.0)
        good = not len(live)
        advice = "" if good else self._advice(diverged, relative, spread)
        return Solution(x, relative, math.ceil(used), good, advice, spread, recursion.note)

    def _series(self, b: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, bool]:
        """Mean over the repeats of V_m / s, its standard error (k,), and whether the states left every bound."""
        recursion, repeats = self.recursion, self.settings.repeats
        # ‖I − A_k/s‖ ≤ 1 keeps ‖V_k‖ below (k + 1)‖B‖; what is far beyond has diverged.
        state, bound = b.expand(repeats, *b.shape).clone(), b.norm(dim=0)
        diverged = False
        for step in range(1, recursion.depth + 1):
            if step % AHEAD == 1:
                rows, weights = self.draw(generator, (AHEAD, repeats, recursion.batch))
            drawn = self.samples.matvec(rows[step % AHEAD], weights[step % AHEAD], state)
            state.add_(b).sub_(drawn, alpha=1 / recursion.scale)
            if step % LOOK == 0 or step == recursion.depth:
                inside = state.norm(dim=1).amax(0) <= GROWN * (step + 1) * bound
                diverged = not bool(inside.all())
            if diverged:
                break
        values = torch.nan_to_num(state / recursion.scale)
        mean = values.mean(0)
        error = values.std(0).norm(dim=0) / math.sqrt(repeats) if repeats > 1 else torch.full_like(bound, math.nan)
        return mean, error, diverged

    def draw(self, generator: torch.Generator, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
        """Examples of some steps with the weights that make them unbiased.

        Args:
            generator: on the CPU.
            shape: (steps, r, b).

        Returns:
            Rows and weights of that shape.
        """
        n, device = self.samples.count, self.curvature.like.device
        if self.law is None:
            rows = torch.randint(n, shape, generator=generator).to(device)
            return rows, torch.ones(shape, dtype=self.curvature.like.dtype, device=device)
        cumulative, weights, _ = self.law
        points = torch.rand(shape, generator=generator, dtype=torch.float64).to(device) * cumulative[-1]
        rows = torch.searchsorted(cumulative, points, right=True).clamp(max=n - 1)
        return rows, weights[rows].to(self.curvature.like.dtype)

    def _advice(self, diverged: bool, relative: Tensor, spread: Tensor) -> str:
        worst, noise = float(relative.max()), float(spread.max())
        if diverged or not worst < GROWN:
            return (
                f"LiSSA diverges: the scale s = {self.recursion.scale:.3g} is below what single draws of the Hessian "
                "need (the largest eigenvalue of the mean is not enough). Leave the scale at 0 (automatic)."
            )
        because = "more rounds or repeats" if noise > worst / 10 else "more depth or rounds"
        shown = "" if math.isnan(noise) else f", its repeats differ by {noise:.1e}"
        return f"LiSSA stopped at a relative residual of {worst:.1e}{shown}: {because}, or a larger damping, helps."

    def inverse(self) -> Tensor:
        """A⁻¹, p solves, (p, p)."""
        return dense_inverse(self, self.curvature)


def _share(r: Tensor, image: Tensor) -> Tensor:
    """The factor of each column of ``image`` that comes nearest to ``r``, ⟨r, A v⟩ / ‖A v‖²."""
    return (r * image).sum(0) / image.square().sum(0).clamp(min=torch.finfo(r.dtype).tiny)


def _recursion(lissa: Lissa) -> Recursion:
    """Automatic scale, batch and depth, with their reasons in words."""
    chosen, n = lissa.settings, lissa.samples.count
    top, products = _top(lissa)
    ridge = _ridge(lissa.curvature)
    batch = min(chosen.batch or _batch(lissa, top), n)
    scale, why = (chosen.scale, "set by hand") if chosen.scale else _scale(lissa, batch, top, float(ridge.max()))
    positive = ridge[ridge > 0]
    flat = float(positive.min()) if len(positive) else top / 100
    wanted, most = math.ceil(REACH * scale / flat), math.ceil(PASSES * n / batch / chosen.repeats) + LEAST
    depth = chosen.depth or min(wanted, most)
    reason = "set by hand"
    if not chosen.depth:
        reason = f"{REACH:g} s / {flat:.3g}, the flattest direction"
        reason = reason if wanted <= most else f"the cost of {PASSES} passes over the examples"
    note = (
        f"Scale s = {scale:.4g} ({why}); {depth:,} steps ({reason}) of {batch} example{'s' * (batch > 1)}, "
        f"{chosen.repeats} repeats averaged, up to {chosen.rounds} rounds."
    )
    return Recursion(scale, depth, batch, products, note)


def _top(lissa: Lissa) -> tuple[float, int]:
    """λ_max(A), for many examples of one matrix of ``ENOUGH`` drawn ones: noise makes it larger, which is safe."""
    curvature, samples = lissa.curvature, lissa.samples
    if samples.count <= 4 * ENOUGH:
        return largest_eigenvalue(curvature, FEW)
    generator = torch.Generator().manual_seed(lissa.settings.seed)
    rows, weights = (part[0, :1] for part in lissa.draw(generator, (1, 1, ENOUGH)))
    part = replace(curvature, matvec=lambda v: samples.matvec(rows, weights, v[None])[0])
    found, products = largest_eigenvalue(part, FEW)
    return found, math.ceil(products * ENOUGH / samples.count)


def _scale(lissa: Lissa, batch: int, top: float, ridge: float) -> tuple[float, str]:
    if lissa.law is None:
        found = SAFETY * _largest_of_batches(lissa, batch)
        return max(
            found, top
        ), f"{SAFETY:g} times the largest eigenvalue of {TRIED} sampled batches, by power iteration"
    largest, kind = lissa.law[2], "mean" if lissa.settings.sampling == "norm" else "largest"
    single, mean_square = largest + ridge, largest / batch + top
    if single <= mean_square:
        return single, f"{kind} curvature of a single example + penalty + damping: no draw can expand"
    return mean_square, f"{kind} curvature of a single example / {batch} + λ_max: contracts in mean square"


def _batch(lissa: Lissa, top: float) -> int:
    """As many examples per step as make the noise of a draw as large as λ_max itself."""
    if lissa.law is None:
        return UNKNOWN_BATCH
    return max(1, min(math.ceil(lissa.law[2] / max(top, 1e-300)), MOST_BATCH))


def _largest_of_batches(lissa: Lissa, batch: int) -> float:
    """Largest eigenvalue over a few sampled batches, each by power iteration, side by side."""
    generator, samples, like = torch.Generator().manual_seed(lissa.settings.seed), lissa.samples, lissa.curvature.like
    rows = torch.randint(samples.count, (TRIED, batch), generator=generator).to(like.device)
    ones = torch.ones(rows.shape, dtype=like.dtype, device=like.device)
    v = random_columns(like, (TRIED * lissa.curvature.size, 1), generator).view(TRIED, -1, 1)
    for _ in range(POWER_STEPS):
        v = samples.matvec(rows, ones, v / v.norm(dim=1, keepdim=True).clamp(min=1e-300))
    return float(v.norm(dim=1).max())


def _ridge(curvature: Curvature) -> Tensor:
    if curvature.ridge is not None:
        return curvature.ridge()
    return curvature.like.new_full((curvature.size,), curvature.damping)
