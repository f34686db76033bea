"""Statistics for the scaling layers, fitted on training values only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["SCALERS", "fit_scaler"]

Statistics = tuple[np.ndarray, np.ndarray]


def _standard(rows: np.ndarray) -> Statistics:
    return rows.mean(axis=0), rows.std(axis=0)


def _minmax(rows: np.ndarray) -> Statistics:
    low = rows.min(axis=0)
    return low, rows.max(axis=0) - low


def _robust(rows: np.ndarray) -> Statistics:
    low, middle, high = np.percentile(rows, [25, 50, 75], axis=0)
    return middle, high - low


SCALERS: dict[str, Callable[[np.ndarray], Statistics]] = {
    "standard": _standard,
    "minmax": _minmax,
    "robust": _robust,
}


def fit_scaler(kind: str, rows: np.ndarray) -> Statistics:
    """Return the offset and the scale of every feature, each ``(n_features,)`` float64.

    Parameters
    ----------
    kind : {"standard", "minmax", "robust"}
        Mean and standard deviation; minimum and range; median and interquartile range.
    rows : ndarray of shape (n_rows, n_features)
        Time steps of the training series, padding left out; NaN where a value is missing.

    Notes
    -----
    A feature without spread gets the scale 1: it becomes 0 and stays finite.

    Examples
    --------
    >>> import numpy as np
    >>> fit_scaler("minmax", np.array([[1.0], [3.0]]))
    (array([1.]), array([2.]))
    """
    rows = np.asarray(rows, dtype=np.float64)
    missing = np.isnan(rows)
    if missing.any():
        columns = [SCALERS[kind](c[~m][:, None]) for c, m in zip(rows.T, missing.T, strict=True)]
        offset, scale = (np.concatenate(part) for part in zip(*columns, strict=True))
    else:
        offset, scale = SCALERS[kind](rows)
    # rounding leaves a constant feature a spread of some 1e-16 of its size
    flat = scale <= 1e-12 * np.maximum(np.abs(offset), np.finfo(np.float64).tiny)
    return offset, np.where(flat, 1.0, scale)
