"""Statistics for the scaling layers, fitted on training values only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["SCALERS", "fit_scaler"]

Statistics = tuple[np.ndarray, np.ndarray]


def _standard(rows: np.ndarray, weight: np.ndarray | None) -> Statistics:
    if weight is None:
        return rows.mean(axis=0), rows.std(axis=0)
    mean = np.average(rows, axis=0, weights=weight)
    return mean, np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weight))


def _minmax(rows: np.ndarray, weight: np.ndarray | None) -> Statistics:
    low = rows.min(axis=0)
    return low, rows.max(axis=0) - low


def _robust(rows: np.ndarray, weight: np.ndarray | None) -> Statistics:
    shares = [0.25, 0.5, 0.75]
    if weight is None:
        low, median, high = np.quantile(rows, shares, axis=0)
    else:
        low, median, high = np.stack([_quantiles(r, weight, shares) for r in rows.T], axis=1)
    return median, high - low


def _quantiles(values: np.ndarray, weight: np.ndarray, shares: list[float]) -> np.ndarray:
    """Return the smallest values up to which these shares of the weight lie."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order], dtype=np.float64)
    index = np.searchsorted(reached, np.multiply(shares, reached[-1]))
    quantiles: np.ndarray = values[order][np.minimum(index, len(values) - 1)]
    return quantiles


SCALERS: dict[str, Callable[[np.ndarray, np.ndarray | None], Statistics]] = {
    "standard": _standard,
    "minmax": _minmax,
    "robust": _robust,
}


def fit_scaler(kind: str, rows: np.ndarray, weight: np.ndarray | None = None) -> Statistics:
    """Return the offset and the scale of every feature, each ``(n_features,)`` float64.

    Parameters
    ----------
    kind : {"standard", "minmax", "robust"}
        Mean and standard deviation; minimum and range; median and interquartile range.
    rows : ndarray of shape (n_rows, n_features)
        Time steps of the training series, padding left out; NaN where a value is missing.
    weight : ndarray of shape (n_rows,), default=None
        Of each row, not negative; rows of weight 0 are left out. Minimum and range are those of
        the other rows, whatever they weigh; quantiles are then values of a row.

    Notes
    -----
    A feature without spread gets the scale 1: it becomes 0 and stays finite. Statistics are taken
    about the first value, so that a small spread about a large number is exact.

    Examples
    --------
    >>> import numpy as np
    >>> fit_scaler("minmax", np.array([[1.0], [3.0]]))
    (array([1.]), array([2.]))
    >>> fit_scaler("standard", np.array([[1.0], [3.0], [9.0]]), np.array([1.0, 1.0, 0.0]))
    (array([2.]), array([1.]))
    """
    rows = np.asarray(rows, dtype=np.float64)
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float64)
        if not weight.all():
            rows, weight = rows[weight > 0], weight[weight > 0]
        if (weight == weight[:1]).all():
            weight = None
    missing = np.isnan(rows)
    first = rows[missing.argmin(axis=0), np.arange(rows.shape[1])]
    rows = rows - first
    if missing.any():
        columns = [
            SCALERS[kind](c[~m][:, None], None if weight is None else weight[~m])
            for c, m in zip(rows.T, missing.T, strict=True)
        ]
        offset, scale = (np.concatenate(part) for part in zip(*columns, strict=True))
    else:
        offset, scale = SCALERS[kind](rows, weight)
    offset = offset + first
    # a spread of some roundings of the level is that of a constant feature
    flat = scale <= 4 * np.finfo(np.float64).eps * np.abs(offset)
    return offset, np.where(flat, 1.0, scale)
