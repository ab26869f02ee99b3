"""SYMBOLS: what every symbol of the formulas means, in one phrase each."""

from __future__ import annotations

from collections.abc import Sequence

SYMBOLS: dict[str, tuple[str, str]] = {
    "n": ("n", "number of training points"),
    "p": ("p", "number of parameters"),
    "i": ("i", "the training point that is weighed, removed or moved"),
    "j": ("j", "the test point asked about"),
    "theta": (r"\theta", "parameters of the model, any value"),
    "theta_hat": (r"\hat\theta", "the fitted parameters, where J is smallest"),
    "theta_out": (r"\hat\theta_{-i}", "the parameters fitted without training point i"),
    "theta_eps": (r"\hat\theta(\varepsilon)", "the parameters fitted with point i weighed up by ε"),
    "J": (r"J(\theta)", "objective that fitting minimises: mean loss plus penalty"),
    "loss": (r"\ell_i(\theta)", "loss of training point i at the parameters θ"),
    "l2": (r"\lambda", "the penalty's strength, called l2 in this app"),
    "eps": (r"\varepsilon", "extra weight of point i; −1/n removes it"),
    "h_step": ("h", "share of the point mass in the mixture; −1/n removes the point up to o(1/n)"),
    "F": ("F", "the empirical distribution: weight 1/n on every training point"),
    "delta_z": (r"\delta_z", "a point mass: all weight on the one example z"),
    "H": ("H", r"Hessian, the second derivatives of J at $\hat\theta$: how curved the bowl is, direction by direction"),
    "Hi": ("H_i", r"Hessian of point i's own loss at $\hat\theta$"),
    "g": ("g_i", r"gradient $\nabla\ell_i(\hat\theta)$: how point i pulls on the parameters"),
    "g_bar": (r"\bar g", r"mean of all $g_i$; minus the gradient of the penalty at $\hat\theta$"),
    "q": ("q_j", r"gradient $\nabla m_j(\hat\theta)$ of what is watched at test point j"),
    "m": ("m_j", "what is watched at test point j: here its loss"),
    "change": (r"\mathrm{change}_{ij}", "loss at j after removing i minus before; > 0: i is helpful"),
    "leverage": ("h_i", "leverage of point i, between 0 and 1: how much the fit at i follows i's own label"),
    "x": (r"\tilde x_i", "features of point i with a 1 for the intercept"),
    "curv": (r"\ell''_i", "second derivative of the loss of i by the model's output"),
    "damping": (r"\delta", "damping, added to every eigenvalue of H in the solve; the fit stays"),
    "lambda_k": (r"\lambda_k", "k-th eigenvalue of H: curvature along its eigenvector"),
    "u_k": ("u_k", "k-th eigenvector of H, a direction in parameter space"),
    "t": ("t", "temperature of the smoothed hinge; 0 is the hinge itself"),
    "s": ("s = y f", "margin: label ±1 times output of the model"),
    "h_t": ("h_t", "smoothed hinge loss"),
    "sigma": (r"\sigma", "logistic function 1/(1 + e⁻ᶻ)"),
    "S": ("S", "a group of training points that leave together"),
    "gS": ("g_S", "sum of the gradients of the group"),
    "HS": ("H_S", "sum of the Hessians of the group's losses"),
    "self": (r"\mathrm{self}_i", "self-influence: predicted change of i's own loss if i leaves"),
    "pert": (r"\partial_{x_k} g_i", "how the gradient of i changes as its feature k grows"),
}


def explained(names: Sequence[str]) -> str:
    """The symbols as a Markdown list.

    Returns:
        One line per symbol.
    """
    return "\n".join(f"- ${SYMBOLS[name][0]}$: {SYMBOLS[name][1]}" for name in names)
