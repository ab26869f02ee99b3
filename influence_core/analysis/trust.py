"""The trust line: a word, what the numbers rest on, and one sentence of advice for every assumption that is broken."""

from __future__ import annotations

from dataclasses import dataclass

from influence_core.agreement import AGREES, ROUGHLY, Agreement, worst
from influence_core.analysis.ground import Caveat, Ground
from influence_core.analysis.witnesses import Click, blame, foreseen, witnesses

# Of caveats about the step from the fit to the refit: where refits agree, they are settled.
SETTLED = (
    "leverage",
    "damping",
    "minimum",
    "step",
    "order",
    "baseline",
    "ranking",
    "support",
    "hinge",
    "separable",
    "unchecked",
    "metasmooth",
)


@dataclass(frozen=True)
class Trust:
    """Facts beside every score view.

    Attributes:
        word: ``agrees``, ``roughly`` or ``misleads``.
        measured: whether the word follows from refits; else from cheap checks.
        sized: whether the numbers have a size; the word of a ranking follows from order and signs alone.
        gradient_norm: ‖∇J(θ̂)‖.
        smallest_eigenvalue: of H without the damping; None where it was not computed.
        residual: largest relative residual of the solve.
        damping: δ.
        agreement: with exact LOO, where that has been run.
        caveats: one per broken assumption; none where nothing speaks against the numbers.
        reason: why this damping was chosen, where nobody set it.
        smoothness: of the training run, where the scores are its derivative by the weights of the examples.
        curvature: whether the scores use the Hessian, so that what is said of it concerns them.
        truth: what the agreement is with.
    """

    word: str
    measured: bool
    sized: bool
    gradient_norm: float
    smallest_eigenvalue: float | None
    residual: float
    damping: float
    agreement: Agreement | None
    caveats: tuple[Caveat, ...]
    reason: str = ""
    truth: str = "exact LOO"
    curvature: bool = True
    smoothness: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences of the caveats."""
        return tuple(caveat.sentence for caveat in self.caveats)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the caveats."""
        return tuple(caveat.code for caveat in self.caveats)

    @property
    def mended(self) -> bool:
        """Whether the advice is to take one-step Newton."""
        return any("one-step Newton" in sentence for sentence in self.warnings)

    @property
    def green(self) -> bool:
        """Whether nothing speaks against the numbers."""
        return self.word == AGREES and not self.caveats

    @property
    def basis(self) -> str:
        """What the word rests on."""
        order = "" if self.sized else " in order and signs, a ranking without unit"
        if self.measured:
            return f"judged by {self.truth}{order}"
        return f"as far as cheap checks tell{order}; {self.truth} has not been run"

    @property
    def line(self) -> str:
        """The facts as one line of text."""
        smallest = "not computed" if self.smallest_eigenvalue is None else f"{self.smallest_eigenvalue:.2g}"
        facts = [f"‖∇J(θ̂)‖ = {self.gradient_norm:.1e}"]
        hessian = [
            f"smallest eigenvalue of H {smallest}",
            f"relative residual of the solve {self.residual:.0e}",
            f"damping {self.damping:g}",
        ]
        facts += hessian if self.curvature else []
        facts += [self.reason] if self.reason else []
        facts += [] if self.smoothness is None else [f"metasmoothness of the run {self.smoothness:.2f}"]
        if self.agreement is not None:
            facts.append(f"against {self.truth}: {self.agreement.said(self.sized)}")
        return " · ".join(facts)


def trust(ground: Ground, click: Click, agreed: Agreement | None = None, judged: bool = True) -> Trust:
    """The trust line of the scores at one test point, or of their mean over several.

    Args:
        ground: what was checked before.
        click: scores, and what was asked.
        agreed: with exact LOO.
        judged: whether one compared number says something; a refit that is noisy itself does not.
    """
    values, solution = ground.eigenvalues, click.solution
    word = agreed.word(ground.estimator.predicts) if agreed is not None and judged else ""
    if word == AGREES:
        found = [caveat for caveat in (*ground.caveats, *witnesses(ground, click)) if caveat.code not in SETTLED]
    else:
        guess = foreseen(ground, click)
        found = [*ground.caveats, *witnesses(ground, click, guess)]
        if word:
            found.insert(0, blame(ground, click, agreed, guess))  # type: ignore[arg-type]
        else:
            word = worst([*guess.words, ROUGHLY if found else AGREES])
    return Trust(
        word=word,
        measured=agreed is not None and judged and bool(agreed.word(ground.estimator.predicts)),
        sized=ground.estimator.predicts,
        gradient_norm=ground.fitted.fit.gradient_norm,
        smallest_eigenvalue=None if values is None else float(values.min()),
        residual=float(solution.residual.max()) if len(solution.residual) else 0.0,
        damping=ground.damping,
        agreement=agreed,
        caveats=tuple(found),
        reason=ground.reason,
        truth=click.truth,
        curvature=ground.curvature,
        smoothness=ground.smoothness,
    )
