"""What a notebook shows of an estimator: scikit-learn's diagram, the network, and its history.

Nothing of Keras is built for it: a network is a description, which prints itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any

from sklearn.base import BaseEstimator

from seqkit.network.architecture import Architecture
from seqkit.network.summary import summary_lines

__all__ = ["Diagram", "curve_svg", "network_lines"]

WIDTH, HEIGHT, EDGE = 320, 90, 6  # of the drawing, in pixels
LOG_FROM = 30  # how many times the smallest loss the largest is, from which on the axis is log
MOST_POINTS = 400
STYLE = "max-width:60em;overflow-x:auto;margin:.5em 0"
_alone: ContextVar[int | None] = ContextVar("_alone", default=None)
"""Of the estimator that is shown by itself, whose network stands below the diagram; that of one
in a pipeline or a search stands in its box."""


def network_lines(architecture: Architecture) -> list[str]:
    """Return the table of a network; of equal ones of an ensemble the first, and how many.

    Examples
    --------
    >>> made = Architecture("regressor", {"n_timesteps": 12, "n_features": 1, "units": 4})
    >>> network_lines(made)[0].split()
    ['layer', 'kind', 'output', 'parameters']
    """
    tables: dict[tuple[str, ...], int] = {}
    for member in architecture.members:
        table = tuple(summary_lines(member.network))
        tables[table] = tables.get(table, 0) + 1
    lines: list[str] = []
    for table, n in tables.items():
        lines += [f"{n} networks:"] if n > 1 else ["1 network:"] if len(tables) > 1 else []
        lines += table
    return lines


def curve_svg(curves: Mapping[str, Sequence[float]]) -> str:
    """Return the losses of a training as a small drawing, in the colour of the text around it.

    Parameters
    ----------
    curves : mapping of str to sequence of float
        ``loss`` and, dashed, ``val_loss``.

    Returns
    -------
    str
        An ``svg`` element; empty where there is nothing to draw.
    """
    drawn = {name: list(curves.get(name, ())) for name in ("loss", "val_loss")}
    known = [value for values in drawn.values() for value in values if math.isfinite(value)]
    n = max(map(len, drawn.values()))
    if not known or n < 2:
        return ""
    low, high = min(known), max(known)
    as_log = low > 0 and high / low > LOG_FROM

    def height(value: float) -> float:
        low_, high_, at = (math.log(v) if as_log else v for v in (low, high, value))
        share = (at - low_) / (high_ - low_) if high_ > low_ else 0.5
        return HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)

    lines = []
    for name, values in drawn.items():
        every = max(len(values) // MOST_POINTS, 1)
        points = " ".join(
            f"{EDGE + i / (n - 1) * (WIDTH - 2 * EDGE):.1f},{height(value):.1f}"
            for i, value in enumerate(values)
            if math.isfinite(value) and (i % every == 0 or i == len(values) - 1)
        )
        dashes = ' stroke-dasharray="4 3"' if name == "val_loss" else ""
        if points:
            lines.append(f'<polyline fill="none" stroke="currentColor"{dashes} points="{points}"/>')
    scale = ", on a logarithmic axis" if as_log else ""
    label = f"loss over {n} epochs, from {high:.4g} to {low:.4g}{scale}"
    return (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">{"".join(lines)}</svg><br>{escape(label)}'
        f"{'; dashed on the validation part' if drawn['val_loss'] else ''}"
    )


class Diagram:
    """The representation of an estimator in a notebook."""

    _build: Any
    __sklearn_is_fitted__: Any

    def _details_html(self) -> str:
        """Return the network and its training, of a fitted estimator, as HTML."""
        if not self.__sklearn_is_fitted__():
            return ""
        table = escape("\n".join(network_lines(self._build())))
        stopped: Mapping[str, Sequence[float]] = getattr(self, "stopped_histories_", ({},))[0]
        history: Mapping[str, Sequence[float]] = getattr(self, "history_", {})
        curves = {
            name: [*stopped.get(name, ()), *history.get(name, ())] for name in ("loss", "val_loss")
        }
        drawing = curve_svg(curves)
        return (
            f'<div style="{STYLE}"><details open><summary>network</summary><pre>{table}</pre>'
            f"</details>{f'<div>{drawing}</div>' if drawing else ''}</div>"
        )

    @contextmanager
    def _shown_alone(self) -> Iterator[None]:
        token = _alone.set(id(self))
        try:
            yield
        finally:
            _alone.reset(token)

    def _repr_html_inner(self) -> str:
        with self._shown_alone():
            shown: str = super()._repr_html_inner()  # type: ignore[misc]
        return shown + self._details_html()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        with self._shown_alone():
            bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:
            bundle["text/html"] += self._details_html()
        return bundle

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        """Return scikit-learn's table of what a fit has left.

        It reads every attribute, also ``model_``, which would import and build Keras: so it is
        given what there is.
        """
        kind: Any = type(type(self).__name__, (BaseEstimator,), {"__doc__": type(self).__doc__})
        facts = kind()
        facts.__dict__.update(vars(self))
        table = facts._get_fitted_attr_html(doc_link)
        if _alone.get() != id(self):
            inside = table._repr_html_inner() + self._details_html()
            table._html_repr = lambda: inside
        return table
