"""FIGURE_PAGES: what each published figure shows, where it comes from and what to notice."""

from __future__ import annotations

from influence_core.settings import Option
from pages.components.lessons.figures import fits, scores, solvers
from pages.components.lessons.parts.kinds import FigurePage

FIGURE_PAGES: dict[str, FigurePage] = {
    "figure-a": FigurePage(
        "A",
        "Does influence find the points that leave-one-out finds?",
        "One hundred points on a noisy plane, y = 0.3 x₁ + 0.7 x₂ + e, fitted by least squares without intercept; each "
        "training point is left out once, and the loss at one point is looked at again. Notice that influence "
        "finds the same "
        "five points as the refits, in the same order, and that the slope is a little above 1: leaving a point "
        "out also "
        "removes its curvature, which first order ignores. *Where the source prints something else:* the "
        "notebook drops a "
        "factor −2 at the test point and mixes a summed Hessian with 1/n, so its axes differ from these by a "
        "factor 2n and by "
        "two signs that cancel; the ranking and r are the same.",
        scores.linear_regression,
    ),
    "figure-b": FigurePage(
        "B",
        "Do four ways to the inverse Hessian give the same answer?",
        "Ridge regression of burned area on 516 forest fires, one row held out, the total penalty λ‖θ‖² with λ = "
        "1. The inverse "
        "Hessian by Cholesky, by conjugate gradients, by the full Taylor series and by its stochastic form LiSSA "
        "(m = 2000 "
        "steps, scale s = 400), each against leave-one-out. Notice that Cholesky and CG are one and the same, "
        "that the Taylor "
        "series leaves about 6 % of the residual, that LiSSA scatters from run to run, and that one Newton step "
        "is exact. Which "
        "row is held out, and how months and days are encoded, changes r more than any solver: row 42 has high "
        "leverage and "
        "turns the sign. *Where the source prints something else:* its pseudo-code adds the Hessian product that "
        "must be "
        "subtracted, and its closed form of ridge lacks a minus.",
        solvers.ridge,
        lambda chosen: 2.5 * float(chosen["runs"]),
        keeps=True,
    ),
    "figure-c": FigurePage(
        "C",
        "Does averaging LiSSA over ten runs give the right answer?",
        "Handwritten 1s against 7s, logistic regression, pixels standardised, the penalty folded into every "
        "example with "
        "n·l2 = 2000. CG and LiSSA (m = 10 000, s = 1000) against leave-one-out, once and averaged over ten "
        "runs. Notice that "
        "averaging removes the *noise* and that the points then stay off the line: the same settings in the full "
        "Taylor series, "
        "without any randomness, are off too. That is *bias*: too few steps for the scale. Automatic settings "
        "have none to "
        "speak of. The paper's 9 084 rows cannot be recovered; these are the bundled images, or the larger set "
        "of the data "
        "folder. Points of both classes lie on both sides of zero.",
        solvers.logistic,
        lambda chosen: 8.0 if chosen["images"] == "bundled" else 120.0,
        keeps=True,
    ),
    "figure-d": FigurePage(
        "D",
        "Which factor of the score does what?",
        "The score is q_testᵀ H⁻¹ gᵢ/n with gᵢ = −ỹᵢ σ(−ỹᵢ fᵢ) x̃ᵢ for logistic regression. Here the factor σ(−ỹ "
        "f), the "
        "inverse Hessian, or both are left out, for handwritten 1s and 7s with pixels as they are and with "
        "standardised "
        "pixels. Notice on the left that every point is over-estimated without σ: a point that is fitted well must not "
        "count. Without H⁻¹ on unscaled pixels, which are never negative, the sign only says whether the class is the "
        "same; H⁻¹ is what lets a training point of the same class be harmful.",
        scores.incomplete_scores,
        lambda _chosen: 1.5,
    ),
    "figure-e": FigurePage(
        "E",
        "Can influence say anything about a support vector machine?",
        "A linear support vector classifier on Iris, versicolor against virginica: the hinge has no second "
        "derivative, so it "
        "is smoothed with a temperature t, and the prediction is compared with refits of the *exact* hinge. Ten "
        "random test "
        "points are held out together, many times. Notice how widely r spreads over draws: the two values that "
        "the paper "
        "prints for its one draw lie inside the spread. At t = 0 the Hessian holds nothing but the penalty, and "
        "predictions "
        "are hundreds of times too large.",
        fits.hinge_smoothing,
        lambda chosen: 0.2 * float(chosen["draws"]),
        keeps=True,
    ),
    "figure-f": FigurePage(
        "F",
        "Do two models lean on the same points?",
        "Logistic regression and a linear support vector classifier on the same split of Iris, asked about the "
        "same test "
        "point. Each training point appears twice, joined by a line: at its signed distance to either boundary, "
        "at the height "
        "of its score. Notice that points far from the boundary have a score of exactly zero for the support "
        "vector machine "
        "and a merely small one for logistic regression.",
        scores.distances,
    ),
    "figure-g": FigurePage(
        "G",
        "Do flipped labels stand out, and what if the optimiser stops short?",
        "Two Gaussian clouds with equal covariance, whose best possible boundary is a known line: "
        "(μ₂ − μ₁)ᵀx = ½(‖μ₂‖² − ‖μ₁‖²) + σ² log(π₁/π₂). Logistic regression is fitted to its minimum by Newton, "
        "and by AdamW "
        "with a cosine schedule; influence of the first 100 training points on the mean test loss is computed "
        "directly and "
        "by conjugate gradients. Notice that flipped labels are harmful almost without exception, that both "
        "solvers agree, "
        "and that ‖∇J‖ after AdamW is not small: its weight decay is decoupled from the gradient, so it settles "
        "beside the "
        "minimum. *Where the source prints something else:* the notebook says it averages over training samples "
        "where it "
        "averages over test points, and it takes the Hessian of 100 points for a model trained on thousands.",
        fits.blobs,
        lambda _chosen: 3.0,
        (Option("limit", 99.0, "Full colour at this percentile of |score|", 50.0, 100.0),),
    ),
    "figure-h": FigurePage(
        "H",
        "How many wrong labels are found by checking the most suspicious tenth?",
        "Ten per cent of the training labels are flipped, every training point is ranked by suspicion, and the "
        "labels are put "
        "right in that order; over several seeds, mean ± standard error. Self-influence needs no test set: a "
        "flipped label is "
        "a point that only its own label supports. Notice how steep the curves are against checking at random, "
        "that the plain "
        "loss is nearly as good here, and how little the test accuracy gains once most flips are found. The "
        "reproduction "
        "paper announced this experiment and did not do it.",
        solvers.flipped_labels,
        lambda chosen: 4.0 * float(chosen["seeds"]),
        keeps=True,
    ),
    "figure-i": FigurePage(
        "I",
        "How much of the search for influential points can be saved?",
        "FastIF shortens the search in three ways: (1) score only the nearest neighbours of the test point, (2) "
        "take the fewest "
        "stochastic steps whose scores still rank like those of a long run, (3) run independent repeats side by "
        "side. Each is "
        "measured apart, against scoring every training point. Notice that on the pixels of a linear model the "
        "neighbours hold "
        "hardly more of the strongest points than chance would (candidates ÷ n): hard examples matter wherever "
        "they lie, and "
        "the last layer of a network, for which the method was made, is another space. Scoring everything is so "
        "cheap here that "
        "an index cannot pay. Times are of this server while it runs: trust ratios only. "
        "*Where the source prints something else:* its sign is the opposite of ours, so its argmax is the most "
        "harmful point.",
        solvers.shorter_search,
        lambda chosen: 2.0 * float(chosen["tests"]),
    ),
    "figure-j": FigurePage(
        "J",
        "In what sense is influence a derivative?",
        "Weigh one training point up by ε: θ̂(ε) minimises J(θ) + ε ℓᵢ(θ), and the loss at the test point "
        "follows a curve. Its "
        "slope at ε = 0 is −q_testᵀ H⁻¹ gᵢ, the influence; at ε = −1/n the point has weight zero, so the curve "
        "there *is* "
        "leave-one-out, and the tangent there is the prediction. The second curve mixes a point mass into the "
        "empirical "
        "distribution, (1 − h)F + hδ_z: the Gâteaux derivative of statistics, Hampel's influence function. "
        "Notice that the two "
        "tangents differ only through the penalty, and that h = −1/n is removal only up to terms of order o(1/n).",
        scores.derivative,
    ),
}
