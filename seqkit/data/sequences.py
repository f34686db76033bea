"""Series of equal or unequal length in one flat table, and the padded arrays models take.

Two forms. `Sequences` is what a file becomes: the rows of all series one after the other, with the
row where each begins, and beside them labels, names, time stamps and groups. `as_padded` turns
whatever a user hands to an estimator (arrays of 2 or 3 dimensions, lists of unequal arrays, data
frames) into the one array a model takes, with the true lengths.

What becomes of NaN is the same for both: `seqkit.data.missing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seqkit.data.missing import Missing, fill_missing
from seqkit.errors import DataError, explain, suggest

__all__ = ["Padded", "Sequences", "as_padded", "concatenate", "is_panel", "pad"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Labelled series of any lengths, stored as one table of rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features), float64
        The time steps of the first series, then those of the second, and so on.
    offsets : ndarray of shape (n_series + 1,), int64
        Series i is ``values[offsets[i]:offsets[i + 1]]``.
    features : tuple of str
        Names of the columns of `values`.
    y : ndarray of shape (n_series,) or (n_series, n_targets), optional
        A label (any type) or a number a series.
    ids : ndarray of shape (n_series,), optional
        Names of the series; 0, 1, 2 ... by default.
    times : ndarray of shape (n_rows,), optional
        Time stamp of each row.
    groups : ndarray of shape (n_series,), optional
        Series of one group are never divided between training and test (`splits.split`).
    parts : ndarray of shape (n_series,), optional
        "train", "validation" or "test", where the file itself says so.
    date_form : str, default=""
        How the stamps were written, where they were read from text or numbers.

    Raises
    ------
    DataError
        The arrays do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> s = Sequences(np.arange(5.0)[:, None], np.array([0, 2, 5]), ("load",), y=np.array([0, 1]))
    >>> len(s), s.lengths.tolist(), s[1].values.ravel().tolist()
    (2, [2, 3], [2.0, 3.0, 4.0])
    """

    values: NDArray[np.float64]
    offsets: NDArray[np.int64]
    features: tuple[str, ...]
    y: NDArray[Any] | None = None
    ids: NDArray[Any] | None = None
    times: NDArray[Any] | None = None
    groups: NDArray[Any] | None = None
    parts: NDArray[Any] | None = None
    date_form: str = ""

    def __post_init__(self) -> None:
        assign = object.__setattr__
        assign(self, "values", np.asarray(self.values, dtype=np.float64))
        assign(self, "offsets", np.asarray(self.offsets, dtype=np.int64))
        assign(self, "features", tuple(str(name) for name in self.features))
        offsets = self.offsets
        if self.values.ndim != 2 or self.values.shape[1] != len(self.features):
            expected = f"(n_rows, {len(self.features)}), one column a feature"
            raise DataError(explain("Sequences", "values", expected, self.values.shape))
        rows = self.values.shape[0]
        ordered = offsets.ndim == 1 and offsets.size >= 1 and bool((np.diff(offsets) >= 0).all())
        if not ordered or offsets[0] != 0 or offsets[-1] != rows:
            expected = f"ascending from 0 to {rows}"
            raise DataError(explain("Sequences", "offsets", expected, offsets.tolist()[:20]))
        if self.ids is None:
            assign(self, "ids", np.arange(len(self)))
        for name, count in (
            ("y", len(self)),
            ("ids", len(self)),
            ("groups", len(self)),
            ("parts", len(self)),
            ("times", rows),
        ):
            column = getattr(self, name)
            if column is not None and len(column) != count:
                raise DataError(explain("Sequences", name, f"of length {count}", len(column)))

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        """Yield each series as an array of shape (n_timesteps, n_features)."""
        for start, stop in zip(self.offsets[:-1], self.offsets[1:], strict=True):
            yield self.values[start:stop]

    def __getitem__(self, which: Any) -> Sequences:
        """Return the chosen series: a slice, an integer, or an array of integers or booleans."""
        index = np.arange(len(self))[which]
        index = np.atleast_1d(index)
        lengths = self.lengths[index]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        # Rows of the chosen series: its start, repeated, plus a count that restarts at each one.
        rows = np.repeat(self.offsets[:-1][index] - offsets[:-1], lengths) + np.arange(offsets[-1])

        def chosen(column: NDArray[Any] | None, at: NDArray[np.int64]) -> NDArray[Any] | None:
            return None if column is None else np.asarray(column)[at]

        return replace(
            self,
            values=self.values[rows],
            offsets=offsets,
            y=chosen(self.y, index),
            ids=chosen(self.ids, index),
            times=chosen(self.times, rows),
            groups=chosen(self.groups, index),
            parts=chosen(self.parts, index),
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of time steps of each series, shape (n_series,)."""
        return np.diff(self.offsets)

    @property
    def equal_length(self) -> bool:
        """Whether every series has the same number of steps."""
        lengths = self.lengths
        return bool(lengths.size == 0 or (lengths == lengths[0]).all())

    @property
    def X(self) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """The series as estimators take them.

        An array (n_series, n_timesteps, n_features) when the lengths are equal, else a list of
        arrays (n_timesteps_i, n_features).
        """
        if len(self) and self.equal_length:
            return self.values.reshape(len(self), -1, len(self.features))
        return list(self)

    def select(self, features: Sequence[str], where: str = "data") -> Sequences:
        """Return the same series with these features, in this order.

        Examples
        --------
        >>> s = Sequences(np.ones((3, 2)), np.array([0, 3]), ("ax", "ay"))
        >>> s.select(["ay"]).features
        ('ay',)
        """
        for name in features:
            if name not in self.features:
                known = ", ".join(self.features[:20])
                hint = suggest(name, self.features)
                raise DataError(explain(where, "each of features", f"one of {known}", name, hint))
        columns = [self.features.index(name) for name in features]
        return replace(self, values=self.values[:, columns], features=tuple(features))


def concatenate(parts: Sequence[Sequences]) -> Sequences:
    """Return the series of all `parts`, in order, as one `Sequences`.

    A column beside the values (y, times, groups, parts) is kept when every part has it. Names of
    series are kept when they stay distinct, else the series are numbered anew.

    Parameters
    ----------
    parts : sequence of Sequences
        At least one, all with the same features.

    Raises
    ------
    DataError
        No part, or parts of different features.

    Examples
    --------
    >>> s = Sequences(np.ones((2, 1)), np.array([0, 2]), ("load",))
    >>> concatenate([s, s]).offsets.tolist()
    [0, 2, 4]
    """
    if not parts:
        raise DataError(explain("concatenate", "parts", "at least one", 0))
    first = parts[0]
    for part in parts[1:]:
        if part.features != first.features:
            expected = f"the same in every part, {first.features}"
            raise DataError(explain("concatenate", "features", expected, part.features))

    def joined(name: str) -> NDArray[Any] | None:
        columns = [getattr(part, name) for part in parts]
        return None if any(c is None for c in columns) else np.concatenate(columns)

    ids = joined("ids")
    if ids is not None and len(set(ids.tolist())) < ids.size:
        ids = None
    lengths = np.concatenate([part.lengths for part in parts])
    return Sequences(
        np.concatenate([part.values for part in parts]),
        np.concatenate([[0], np.cumsum(lengths)]),
        first.features,
        y=joined("y"),
        ids=ids,
        times=joined("times"),
        groups=joined("groups"),
        parts=joined("parts"),
        date_form=next((part.date_form for part in parts if part.date_form), ""),
    )


class Padded(NamedTuple):
    """Series as a model takes them.

    Attributes
    ----------
    values : ndarray of shape (n_series, max_length, n_features)
        Padded at the right with zeros.
    lengths : ndarray of shape (n_series,), int32, or None
        Valid steps of each series; None when all have `max_length`.
    """

    values: NDArray[Any]
    lengths: NDArray[np.int32] | None


def as_padded(
    X: Any,
    *,
    where: str = "X",
    missing: Missing = "error",
    dtype: DTypeLike | None = np.float32,
    min_length: int = 1,
    feature_names: Sequence[str] | None = None,
    ids: NDArray[Any] | None = None,
) -> Padded:
    """Return series of any accepted form as one right-padded array and their lengths.

    Parameters
    ----------
    X : array-like
        - 2-D array (n_series, n_timesteps): one feature;
        - 3-D array (n_series, n_timesteps, n_features);
        - list, tuple or 1-D object array of arrays (n_timesteps_i, n_features) or (n_timesteps_i,);
        - pandas, polars or other data frame (through narwhals): a row a series, a column a step;
        - data frames as sktime has them: rows indexed by series and time, a column a feature; or a
          row a series whose cells are series;
        - `Sequences`, what a reader gives;
        - `Padded`, what this function has returned: nothing is done again.
    where : str, default="X"
        What an error begins with, for example the name of the estimator.
    missing : {"error", "interpolate", "indicator"}, default="error"
        What becomes of NaN: see `fill_missing`. "indicator" doubles the number of features.
    dtype : dtype or None, default=float32
        Of the values returned; None leaves float32 and float64 as they are.
    min_length : int, default=1
        A shorter series is an error.
    feature_names : sequence of str, optional
        Names of the features, for errors.
    ids : array of shape (n_series,), optional
        Names of the series, for errors.

    Returns
    -------
    Padded
        ``values`` (n_series, max_length, n_features) and ``lengths`` (n_series,) or None. `X` is
        never changed; ``values`` may be a view of it.

    Raises
    ------
    TypeError
        A sparse matrix, text or other things that are no numbers.
    DataError
        A wrong number of dimensions, no series, a series too short, series of different numbers
        of features, NaN or infinity. It is a ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> padded = as_padded([np.ones((2, 1)), np.ones((3, 1))])
    >>> padded.values.shape, padded.lengths.tolist()
    ((2, 3, 1), [2, 3])
    >>> as_padded(np.ones((4, 6))).values.shape
    (4, 6, 1)
    """
    if isinstance(X, Padded):
        return X
    if isinstance(X, Sequences):
        feature_names = X.features if feature_names is None else feature_names
        ids = X.ids if ids is None else ids
        X = X.X
    X = _unpacked(X, where)
    whole = _as_array(X, where)
    if whole is not None:
        rows, lengths = whole.reshape(-1, whole.shape[-1]), np.full(len(whole), whole.shape[1])
    else:
        rows, lengths = _as_rows(X, where)
    shortest = int(np.argmin(lengths))
    if lengths[shortest] < max(min_length, 1):
        name = shortest if ids is None else np.asarray(ids)[shortest].item()
        expected = f"at least {max(min_length, 1)} steps long"
        got = f"{int(lengths[shortest])} in series {name!r}"
        raise DataError(f"{where}: every series must be {expected}; got {got}. Leave it out.")
    if dtype is None:
        dtype = rows.dtype if rows.dtype in (np.float32, np.float64) else np.float64
    with np.errstate(over="ignore"):  # what overflows becomes inf, and that is an error below
        rows = rows.astype(dtype, copy=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = fill_missing(rows, offsets, missing, where=where, ids=ids, features=feature_names)
    return pad(rows, lengths)


def pad(rows: NDArray[Any], lengths: NDArray[Any]) -> Padded:
    """Return series that stand one after another as one right-padded array and their lengths.

    Parameters
    ----------
    rows : ndarray of shape (n_timesteps of all, n_features)
        They may hold NaN.
    lengths : ndarray of shape (n_series,)
        At least one.

    Examples
    --------
    >>> pad(np.arange(3.0)[:, None], np.array([1, 2])).values[:, :, 0].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    longest = int(lengths.max())
    if (lengths == longest).all():
        return Padded(rows.reshape(len(lengths), longest, rows.shape[1]), None)
    values = np.zeros((len(lengths), longest, rows.shape[1]), dtype=rows.dtype)
    values[np.arange(longest) < lengths[:, None]] = rows
    return Padded(values, lengths.astype(np.int32))


def is_panel(X: Any) -> bool:
    """Whether X is a frame of pandas that holds whole series, as sktime has them.

    Rows are indexed by series and time, or cells are series.
    """
    if not (hasattr(X, "iloc") and hasattr(X, "columns")) or not X.size:
        return False
    cell = X.iloc[0, 0]
    return X.index.nlevels == 2 or (np.ndim(cell) == 1 and not isinstance(cell, str))


def _unpacked(X: Any, where: str) -> Any:
    """Return the series of such a frame as a list of arrays; anything else as it is."""
    if not is_panel(X):
        return X
    if X.index.nlevels != 2:
        try:
            return [
                np.column_stack([np.asarray(cell, np.float64) for cell in row])
                for row in X.itertuples(index=False, name=None)
            ]
        except ValueError as error:
            raise DataError(explain(where, "cells", "series of numbers", str(error))) from error
    series = []
    for name, rows in X.groupby(level=0, sort=False):
        if not rows.index.get_level_values(1).is_monotonic_increasing:
            hint = "Sort the frame by its index."
            raise DataError(explain(where, "time", "ascending in each series", name, hint))
        series.append(rows.to_numpy(dtype=np.float64, na_value=np.nan))
    return series


def _as_array(X: Any, where: str) -> NDArray[Any] | None:
    """Return X as a numeric 3-D array, or None where it is a collection of unequal series."""
    import narwhals as nw
    from sklearn.utils import check_array

    if not isinstance(X, np.ndarray) and nw.dependencies.is_into_dataframe(X):
        frame = nw.from_native(X, eager_only=True)
        for name, kind in frame.schema.items():
            if not kind.is_numeric() and kind not in (nw.Boolean(), nw.Object(), nw.Unknown()):
                expected = "numeric (a row a series, a column a step)"
                hint = "Leave the column out."
                raise TypeError(explain(where, f"column {name!r}", expected, str(kind), hint))
        X = X if hasattr(X, "iloc") else frame.to_numpy()
    elif isinstance(X, str | bytes | dict | set) or X is None:
        expected = "an array, a list of arrays or a data frame"
        raise TypeError(explain(where, "X", expected, type(X).__name__))
    if isinstance(X, list | tuple):
        if _unequal(X):
            return None
        try:
            X = np.asarray(X)
        except ValueError:  # unequal lengths make no one array
            return None
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 1 and _holds_series(X):
        return None
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if kind in "USmM" and kind:
        raise TypeError(explain(where, "X", "numeric", str(X.dtype), "Leave text and dates out."))
    numeric = np.dtype(X.dtype) if kind == "f" else np.float64
    # One pass of scikit-learn's own checks, so that its estimator checks find its messages.
    array: NDArray[Any] = check_array(
        X, dtype=numeric, allow_nd=True, ensure_all_finite=False, input_name="X", estimator=where
    )
    if array.ndim > 3:
        expected = "of 2 dimensions (n_series, n_timesteps) or 3 (with n_features)"
        raise DataError(explain(where, "X", expected, array.shape))
    if array.ndim == 2:
        return array[:, :, None]
    if array.shape[2] == 0:
        raise DataError(explain(where, "X", "of at least one feature", array.shape))
    return array


def _holds_series(X: NDArray[Any]) -> bool:
    """Tell whether a 1-D object array holds arrays and not plain values."""
    return len(X) > 0 and np.ndim(X[0]) > 0


def _unequal(series: Sequence[Any]) -> bool:
    """Tell cheaply whether arrays differ in length, without joining them."""
    shapes = {getattr(one, "shape", None) for one in series}
    return None not in shapes and len(shapes) > 1


def _as_rows(X: Any, where: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Join a collection of series to rows (n_rows, n_features) and lengths (n_series,)."""
    series: list[NDArray[Any]] = []
    for number, one in enumerate(X):
        try:
            array = np.asarray(one)
            if array.dtype.kind not in "fiub":
                if array.dtype.kind in "USmMc":
                    raise TypeError(f"values of type {array.dtype}")
                array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            expected = "a numeric array (n_timesteps, n_features) or (n_timesteps,)"
            raise TypeError(explain(where, f"series {number}", expected, str(error))) from error
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or array.shape[1] == 0:
            expected = "of shape (n_timesteps, n_features) or (n_timesteps,)"
            raise DataError(explain(where, f"series {number}", expected, np.shape(one)))
        if series and array.shape[1] != series[0].shape[1]:
            expected = f"of {series[0].shape[1]} features as series 0"
            raise DataError(explain(where, f"series {number}", expected, array.shape))
        series.append(array)
    lengths = np.fromiter((len(array) for array in series), dtype=np.int64, count=len(series))
    return np.concatenate(series), lengths
