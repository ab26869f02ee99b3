"""Why a training point matters, as a table of columns with bars, or as a picture tinted by share."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pages.components.charts.colours import HARMFUL, HELPFUL
from pages.components.lenses.lens import Floats, Pictures, Reason

if TYPE_CHECKING:
    from influence_core.data.columns import SourceColumn

TOP = 6  # lines before "show all"
STYLE = (
    "<style>.if-why{border-collapse:collapse;width:100%;font-size:.85rem}"
    ".if-why th{text-align:left;font-weight:600;padding:.15rem .6rem .15rem 0;border-bottom:1px solid #8886}"
    ".if-why td{padding:.15rem .6rem .15rem 0;border-bottom:1px solid #8883;vertical-align:middle}"
    ".if-why .num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    ".if-why .bar{position:relative;height:.8rem;min-width:5rem;background:linear-gradient(#8888,#8888) 50%/1px 100% "
    "no-repeat}.if-why .bar i{position:absolute;top:0;bottom:0;border-radius:2px}"
    ".if-why .diff{font-weight:600}.if-why .rest td{opacity:.75}.if-why .sum td{font-weight:600;border:0}</style>"
)


def table(pair: Reason) -> None:
    """Column by column: this training row, the test row, what the column carries; the strongest first."""
    lines = pair.why.order if pair.why.columns else []
    shown, hidden = lines[:TOP], lines[TOP:]
    sides = f"← {pair.ends[0]} | {pair.ends[1]} →"
    words = ("column", "training point", pair.asked, f"share, {pair.form.scaled_unit}", sides)
    head = "".join(f"<th>{html.escape(word)}</th>" for word in words)
    body = [_line(pair, k) for k in shown]
    if hidden:
        body.append(_rest(f"{len(hidden):,} other columns", float(pair.why.share[hidden].sum()), pair))
    st.html(f'{STYLE}<table class="if-why"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}{_end(pair)}</table>')
    if hidden:
        with st.expander(f"All {len(lines):,} columns"):
            st.html(f'{STYLE}<table class="if-why"><tbody>{"".join(_line(pair, k) for k in lines)}</tbody></table>')


def _end(pair: Reason) -> str:
    shares = pair.why.shares
    parts = [("the constant (intercept)", shares.intercept), ("the penalty", shares.penalty)]
    if shares.before is not None:
        parts = [(f"{len(pair.why.share):,} inputs of the last layer", float(pair.why.share.sum())), *parts]
        parts.append(("the layers before the last", shares.before))
    rest = "".join(_rest(name, value, pair) for name, value in parts if value)
    number = f'<td class="num">{pair.form.text(shares.score)}</td><td></td>'
    total = f'<tr class="sum"><td>sum: the score</td><td></td><td></td>{number}</tr>'
    return f"{rest}{total}</tbody>"


def _rest(name: str, value: float, pair: Reason) -> str:
    return f'<tr class="rest"><td>{html.escape(name)}</td><td></td><td></td>{_share(value, pair)}</tr>'


def _line(pair: Reason, k: int) -> str:
    column = pair.why.columns[k]
    mine, asked, differs = _values(pair, column)
    mark = ' class="diff"' if differs else ""
    cells = f"<td>{html.escape(column.name)}</td><td{mark}>{html.escape(mine)}</td><td>{html.escape(asked)}</td>"
    return f"<tr>{cells}{_share(float(pair.why.share[k]), pair)}</tr>"


def _values(pair: Reason, column: SourceColumn) -> tuple[str, str, bool]:
    """Both values in words, and whether they differ by another level or by more than a standard deviation."""
    mine, asked = pair.source
    if column.levels:
        words = column.level(mine), "" if asked is None else column.level(asked)
        return *words, asked is not None and words[0] != words[1]
    (k,) = column.features
    far = asked is not None and abs(mine[k] - asked[k]) > pair.spread[k]
    return f"{mine[k]:.4g}", "" if asked is None else f"{asked[k]:.4g}", far


def _share(value: float, pair: Reason) -> str:
    """A bar from the middle to its side, and the number with its sign: never colour alone."""
    limit = float(np.abs(pair.why.share).max(initial=0.0)) or 1.0
    width = min(50.0, 50 * abs(value) / limit)
    side = "left" if value >= 0 else "right"
    colour = HELPFUL if pair.sign * value >= 0 else HARMFUL
    bar = f'<div class="bar"><i style="{side}:50%;width:{width:.1f}%;background:{colour}"></i></div>'
    return f'<td class="num">{pair.form.text(value)}</td><td aria-hidden="true">{bar}</td>'


def tinted(image: Pictures, share: Floats) -> Pictures:
    """A grey picture whose pixels take the colour of their share, as strongly as they carry it.

    Args:
        image: (h, w) or (h, w, 3).
        share: shares of its pixels, turned so that + is helpful; those of three colours are added up.

    Returns:
        (h, w, 3) uint8.
    """
    grey = image if image.ndim == 2 else image.mean(axis=2)
    pixels = share.reshape(image.shape)
    pixels = pixels if image.ndim == 2 else pixels.sum(axis=2)
    strength = np.abs(pixels) / (float(np.abs(pixels).max()) or 1.0)
    helpful, harmful = (np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) for colour in (HELPFUL, HARMFUL))
    colours = np.where((pixels > 0)[..., None], helpful, harmful)
    mixed = (1 - strength[..., None]) * (0.75 * grey[..., None]) + strength[..., None] * colours
    found: Pictures = mixed.round().astype(np.uint8)
    return found
