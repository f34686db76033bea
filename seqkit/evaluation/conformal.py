"""Intervals from past errors: split-conformal prediction over the windows of a backtest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seqkit.errors import explain
from seqkit.estimators.intervals import conformal_width
from seqkit.evaluation.forecast_errors import Undefined, as_windows

__all__ = ["ConformalIntervals", "split_conformal"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ConformalIntervals:
    """How far a forecast has to be widened, and how often that held the truth.

    Attributes
    ----------
    level : float
        Share of true values that the interval should hold.
    width : ndarray of shape (horizon, n_targets)
        To subtract from the lower and add to the upper end, in units of ``scale``.
    scale : ndarray of shape (n_series, n_targets)
    coverage : float or None
        Share of true values held, by windows (or series) that no width was calibrated on.
    mean_width : float
        Mean distance of the two ends over the backtest, in the target's unit.
    n_calibration, n_measured : int
        Values the final widths come from, and values the coverage was measured on.
    notes : tuple of str
    """

    level: float
    width: Floats
    scale: Floats
    coverage: float | None
    mean_width: float
    n_calibration: int
    n_measured: int
    notes: tuple[str, ...] = ()

    def interval(
        self, low: npt.ArrayLike, high: npt.ArrayLike | None = None
    ) -> tuple[Floats, Floats]:
        """Widen forecasts of the same series.

        Parameters
        ----------
        low, high : array-like of shape (n_series, horizon) and further forms
            The two quantiles that were calibrated, or the point forecast alone.

        Returns
        -------
        low, high : ndarray of shape (n_series, n_windows, horizon, n_targets)
        """
        below = as_windows(low, where="low")
        above = below if high is None else as_windows(high, where="high")
        away = self.width[None, None] * self.scale[:, None, None]
        return below - away, above + away


def split_conformal(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike | None = None,
    *,
    level: float = 0.8,
    low: npt.ArrayLike | None = None,
    high: npt.ArrayLike | None = None,
    scale: npt.ArrayLike | None = None,
) -> ConformalIntervals:
    """Calibrate intervals on past errors, so that they hold a given share of true values.

    A window's score is how far the truth lies outside, ``max(low - y, y - high) / scale`` (Romano,
    Patterson and Candes 2019, eq. 6), which for a point forecast, ``low = high``, is the absolute
    error. The width is the ``ceil((n + 1) * level)``-th smallest of the n scores of a step (Lei et
    al. 2018, "Distribution-free predictive inference for regression", algorithm 2). That promises
    ``level`` for exchangeable windows; windows of a time series are not quite that, so the coverage
    is measured as well: widths from the earlier half of the windows (of the series, where there is
    one window), on the later half. The widths that are returned come from all windows.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_series, n_windows, horizon) and further forms
        See :func:`~seqkit.evaluation.forecast_errors.as_windows`; windows in order of time.
    level : float, default=0.8
        Between 0 and 1.
    low, high : array-like, optional
        Two quantiles to correct, in place of ``y_pred``.
    scale : array-like of shape (n_series, n_targets), optional
        Size of a typical error of each series, so that series of any size learn from one another.

    Raises
    ------
    Undefined
        If there are too few true values for the level.

    Examples
    --------
    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(size=(20, 10, 3))
    >>> fitted = split_conformal(noise, np.zeros_like(noise), level=0.8)
    >>> fitted.width.round(1).ravel()  # the 80 % interval of a standard normal is +-1.28
    array([1.3, 1.3, 1.3])
    """
    if not 0 < level < 1:
        raise ValueError(explain("split_conformal", "level", "between 0 and 1", level))
    truth = as_windows(y_true, where="y_true")
    if low is not None and high is not None:
        below, above = as_windows(low, where="low"), as_windows(high, where="high")
    elif y_pred is not None:
        below = above = as_windows(y_pred, where="y_pred")
    else:
        raise ValueError(explain("split_conformal", "y_pred", "given, or low and high", None))
    n_series, _, _, n_targets = truth.shape
    size = np.ones((n_series, n_targets)) if scale is None else np.array(scale, dtype=np.float64)
    size = size.reshape(n_series, n_targets)
    size[~np.isfinite(size) | (size <= 0)] = 1.0
    scores = np.maximum(below - truth, truth - above) / size[:, None, None]

    width, pooled = _widths(scores, level)
    coverage, n_measured = _measured(scores, level)
    notes = []
    if pooled:
        notes.append(f"too few windows for a width a step at {level:.0%}: one width for all steps")
    if coverage is None:
        notes.append("too few windows and series to measure the coverage")
    ends = above - below + 2 * width * size[:, None, None]
    return ConformalIntervals(
        level=level,
        width=width,
        scale=size,
        coverage=coverage,
        mean_width=float(np.nanmean(np.where(np.isfinite(scores), ends, np.nan))),
        n_calibration=int(np.isfinite(scores).sum()),
        n_measured=n_measured,
        notes=tuple(notes),
    )


def _widths(scores: Floats, level: float) -> tuple[Floats, bool]:
    """Widths (horizon, n_targets), and whether the steps had to be pooled for them."""
    _, _, horizon, n_targets = scores.shape
    each = np.asarray(
        [
            [conformal_width(scores[:, :, h, k], level) for k in range(n_targets)]
            for h in range(horizon)
        ]
    )
    if np.isfinite(each).all():
        return each, False
    together = np.asarray([conformal_width(scores[..., k], level) for k in range(n_targets)])
    if not np.isfinite(together).all():
        raise Undefined(f"too few true values for an interval of {level:.0%}; run more windows")
    return np.tile(together, (horizon, 1)), True


def _measured(scores: Floats, level: float) -> tuple[float | None, int]:
    n_series, n_windows = scores.shape[:2]
    if n_windows > 1:
        earlier, later = scores[:, : (n_windows + 1) // 2], scores[:, (n_windows + 1) // 2 :]
    elif n_series > 1:
        earlier, later = scores[::2], scores[1::2]
    else:
        return None, 0
    try:
        width, _ = _widths(earlier, level)
    except Undefined:
        return None, 0
    known = np.isfinite(later)
    if not known.any():
        return None, 0
    return float((later <= width)[known].mean()), int(known.sum())
