"""How a forecaster reads what it is given: arrays or long frames, now and again later."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from seqkit.data.frames import rows_of_arrays, rows_of_frame
from seqkit.data.layouts import rows_of_entries
from seqkit.data.panel import Panel
from seqkit.data.roles import ColumnRoles, as_names
from seqkit.data.rows import Rows
from seqkit.errors import DataError, explain, suggest

__all__ = ["ForecastReader", "Reading", "is_frame", "read_series", "read_training"]

FRAME_SETTINGS = ("series_id", "time", "static_covariates", "frequency", "calendar")


@dataclass(frozen=True)
class ForecastReader:
    """What has to be known to read further series as those of the fit were.

    Parameters
    ----------
    owner : str
        Class name for messages.
    columns : ColumnRoles
    arrays : bool
        Arrays, or a long frame.
    n_features : int
        Features of the arrays.
    targets, future : tuple of int
        Their indices among the features.
    target_inputs : bool
        Whether the targets are among the features at all.
    flat : bool
        Whether predictions lose the axis of targets.
    """

    owner: str
    columns: ColumnRoles
    arrays: bool
    n_features: int = 0
    targets: tuple[int, ...] = ()
    future: tuple[int, ...] = ()
    target_inputs: bool = True
    flat: bool = False

    @property
    def many(self) -> bool:
        """Whether there are several series."""
        return self.columns.series_id is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, to be saved."""
        return {**self.__dict__, "columns": self.columns.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ForecastReader:
        """Undo :meth:`to_dict`."""
        return cls(**{**values, "columns": ColumnRoles.from_dict(values["columns"])})

    def read(self, X: Any) -> Panel:
        """Read series to go on with; ones never seen are welcome."""
        return self.reading(X).panel

    def reading(self, X: Any, y: Any = None) -> Reading:
        """Read series to go on with, and keep the rows as they are beside their panel.

        Parameters
        ----------
        X : as in fit, or a Reading
        y : array-like of shape (n_timesteps, n_targets), default=None
            Targets of an array whose features do not hold them, to be compared with forecasts.
        """
        if isinstance(X, Reading):
            return X
        if not self.arrays:
            X = _rows_of(X, None if self.columns.clock is None else self.columns.clock.frequency)
            if not is_frame(X):
                raise DataError(
                    explain("X", "data", "a long data frame, as in fit", type(X).__name__)
                )
            rows = rows_of_frame(X, like=self.columns, where="X")
            return Reading(self, rows, rows.panel())
        X, n_features, _ = _features(X)
        if n_features != self.n_features:
            reshape = " Reshape your data: a row is a time step." if np.ndim(X[0]) == 0 else ""
            raise ValueError(
                f"X has {n_features} features, but {self.owner} is expecting {self.n_features} "
                f"features as input.{reshape}"
            )
        if not self.target_inputs:
            unknown = [np.zeros((len(p), len(self.targets))) for p in _parts(X)]
            X = _joined(unknown if y is None else [np.reshape(y, (len(y), -1))], X)
        columns = self.columns
        if isinstance(X, list) != self.many:
            columns = dataclasses.replace(
                columns, series_id="series" if isinstance(X, list) else None
            )
        rows = rows_of_arrays(X, targets=self.targets, future=self.future, like=columns)
        return Reading(self, rows, rows.panel())


@dataclass(frozen=True)
class Reading:
    """Series that have been read. A forecaster takes them as they are wherever it takes ``X``.

    Parameters
    ----------
    reader : ForecastReader
        How they were read.
    rows : Rows
        What was given.
    panel : Panel
        What networks see of it.
    names : numpy.ndarray or None
        Names of the features, where a frame gave them for an array.
    """

    reader: ForecastReader
    rows: Rows
    panel: Panel
    names: np.ndarray | None = None

    def until(self, stop: np.ndarray) -> Reading:
        """What there was to be read when row ``stop[i] - 1`` was the last of series ``i``.

        Series without such a row are left out, and what was learned of the others alone is kept.
        """
        kept = np.flatnonzero(stop > 0)
        if not len(kept):
            raise DataError(explain("data", "the frame", "at least one row", 0))
        panel = self.panel.until(self.steps(kept, stop[kept] - 1) + 1, kept)
        panel = panel.recoded(panel.categories())
        return dataclasses.replace(self, rows=self.rows.until(stop), panel=panel).like(
            panel.columns
        )

    def on_grid(self) -> Reading:
        """The same series with a row of missing values for every stamp that was absent.

        So that rows are steps, and the horizon after a row is as long for every origin.
        """
        panel, rows = self.panel, self.rows
        if panel.absent is None:
            return self
        said = (*panel.said, *(note for note in panel.notes if "absent time stamps" in note))
        panel = dataclasses.replace(panel, absent=None, said=said)
        return dataclasses.replace(self, rows=rows.on_grid(), panel=panel)

    def like(self, columns: ColumnRoles) -> Reading:
        """The same series as a model that was fitted on these columns sees them."""
        return dataclasses.replace(
            self,
            reader=dataclasses.replace(self.reader, columns=columns),
            panel=self.panel.recoded(columns.categories),
        )

    def steps(self, series: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Step of the panel at which row ``row[i]`` of series ``series[i]`` stands.

        Raises
        ------
        DataError
            If a row comes before all of its series had been observed once.
        """
        panel = self.panel
        present = np.arange(len(panel.values))
        if panel.absent is not None:
            present = present[~panel.absent]
        begin = np.searchsorted(present, panel.offsets)
        number = row - (self.rows.lengths - np.diff(begin))[series]
        if (number < 0).any():
            whose = self.rows.ids[series[np.argmax(number < 0)]]
            what = "targets and past covariates"
            expected = "observed at least once before they are to be learned or forecast"
            got = "only missing values"
            raise DataError(explain(f"data, series {whose!s}", what, expected, got,
                                    "Leave the series out."))  # fmt: skip
        step: np.ndarray = present[begin[series] + number] - panel.offsets[series]
        return step


def read_training(
    X: Any, y: Any, **settings: Any
) -> tuple[ForecastReader, Panel, np.ndarray | None]:
    """Read what a forecaster is fitted on, unless it has been read; see :func:`read_series`.

    Returns
    -------
    reader : ForecastReader
    panel : Panel
    names : numpy.ndarray or None
        Names of the features, where a frame gave them.
    """
    reading = X if isinstance(X, Reading) else read_series(X, y, **settings)
    return reading.reader, reading.panel, reading.names


def read_series(
    X: Any,
    y: Any = None,
    *,
    owner: str,
    target: str | Sequence[str] | None,
    past_covariates: Sequence[str],
    future_covariates: Sequence[str],
    missing: str,
    **frame_settings: Any,
) -> Reading:
    """Read series that no forecaster has been fitted on; parameters are those of a forecaster."""
    X = _rows_of(X, frame_settings["frequency"])
    if is_frame(X) and y is None:
        rows = rows_of_frame(
            X,
            target=target,
            past_covariates=past_covariates,
            future_covariates=future_covariates,
            missing=missing,
            **frame_settings,
        )
        return Reading(ForecastReader(owner, rows.columns, False), rows, rows.panel())
    for name in FRAME_SETTINGS:
        if frame_settings[name]:
            raise ValueError(
                explain(owner, name, "left out with arrays", frame_settings[name],
                        "Give a long data frame.")
            )  # fmt: skip
    return _read_arrays(X, y, owner, target, past_covariates, future_covariates, missing)


def _read_arrays(
    X: Any,
    y: Any,
    owner: str,
    target: str | Sequence[str] | None,
    past_covariates: Sequence[str],
    future_covariates: Sequence[str],
    missing: str,
) -> Reading:
    X, n_features, names = _features(X)
    if not isinstance(X, list) and len(X) < 2:
        raise DataError(
            f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of 2 is "
            f"required by {owner}: one to see and one to forecast."
        )
    known = [f"x{i}" for i in range(n_features)] if names is None else list(names)

    def indices(wanted: Any) -> tuple[int, ...]:
        for name in as_names(wanted):
            if name not in known:
                expected = f"one of {', '.join(known)}"
                raise ValueError(explain(owner, "a feature", expected, name, suggest(name, known)))
        return tuple(known.index(name) for name in as_names(wanted))

    future = indices(future_covariates)
    flat, target_inputs = _is_flat(X), True
    if y is None:
        targets = indices(target)
        if not targets:
            taken = {*indices(past_covariates), *future}
            targets = tuple(i for i in range(n_features) if i not in taken)
    else:
        truths, flat = _truths(X, y, missing)
        targets = _found_in(X, truths, n_features)
        if not targets:
            # its own past is not among the features, and will not be when it is to be forecast
            target_inputs = False
            X = _joined(truths, X)
            n = truths[0].shape[1]
            targets, future = tuple(range(n)), tuple(n + i for i in future)
    rows = rows_of_arrays(X, targets=targets, future=future, missing=missing)
    reader = ForecastReader(
        owner, rows.columns, True, n_features, targets, future, target_inputs, flat
    )
    return Reading(reader, rows, rows.panel(), names)


def _rows_of(X: Any, frequency: str | None) -> Any:
    """Return GluonTS's entries, dicts of ``start`` and ``target``, as a long frame."""
    several = isinstance(X, (list, tuple)) and len(X) and isinstance(X[0], dict)
    return rows_of_entries(X, "X", frequency) if several else X


def is_frame(X: Any) -> bool:
    """Whether `X` is a data frame of some library, or a pandas series."""
    return hasattr(X, "columns") or isinstance(X, pd.Series)


def _parts(X: Any) -> list[np.ndarray]:
    return X if isinstance(X, list) else [X]


def _joined(before: list[np.ndarray], X: Any) -> Any:
    joined = [
        np.concatenate([b, p.reshape(len(p), -1)], 1)
        for b, p in zip(before, _parts(X), strict=True)
    ]
    return joined if isinstance(X, list) else joined[0]


def _is_flat(X: Any) -> bool:
    return all(part.ndim == 1 for part in _parts(X))


def _features(X: Any) -> tuple[Any, int, np.ndarray | None]:
    """Return an array or a list of arrays, the number of features, and their names."""
    if is_frame(X):
        columns = getattr(X, "columns", None)
        names = None
        if columns is not None and all(isinstance(name, str) for name in columns):
            names = np.asarray(list(columns), object)
        X = _numbers(np.asarray(X))
        return X, X.shape[1] if X.ndim == 2 else 1, names
    if isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]):
        X = [np.asarray(part) for part in X]
    elif not isinstance(X, list) or len(X) == 0 or not np.ndim(X[0]):
        if hasattr(X, "toarray"):
            raise TypeError("Sparse data was passed, but dense data is required. Use .toarray().")
        X = np.asarray(X)
        if X.ndim == 3:
            X = list(X)
        elif X.dtype == object and X.ndim == 1 and len(X) and np.ndim(X[0]):
            X = [np.asarray(part) for part in X]
        elif X.ndim == 0:
            raise ValueError(explain("X", "data", "an array of time steps", X.item()))
        else:
            X = _numbers(X)
    first = _parts(X)[0]
    return X, 1 if first.ndim == 1 else first.shape[-1], None


def _numbers(X: np.ndarray) -> np.ndarray:
    """Return one series as numbers; the words of the errors are those of scikit-learn."""
    if X.dtype.kind == "c":
        raise ValueError(f"Complex data not supported\n{X}\n")
    if X.ndim == 2 and X.shape[1] == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required."
        )
    return X.astype(np.float64) if X.dtype == object else X


def _truths(X: Any, y: Any, missing: str) -> tuple[list[np.ndarray], bool]:
    """Targets of every series, ``(n_timesteps, n_targets)``, and whether they came flat."""
    many = isinstance(X, list)
    truths = [np.asarray(truth, np.float64) for truth in (y if many else [y])]
    for i, (part, truth) in enumerate(zip(X if many else [X], truths, strict=True)):
        if len(part) != len(truth):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"[{len(part)}, {len(truth)}]" + (f" (series {i})" if many else "")
            )
        if not np.isfinite(truth).all() and missing == "error":
            raise ValueError("Input y contains NaN or infinity.")
    flat = truths[0].ndim == 1
    return [truth.reshape(len(truth), -1) for truth in truths], flat


def _found_in(X: Any, truths: list[np.ndarray], n_features: int) -> tuple[int, ...]:
    """Indices of the targets among the features; empty unless all are there."""
    parts = [part.reshape(len(part), -1) for part in _parts(X)]
    indices = []
    for k in range(truths[0].shape[1]):
        for j in range(n_features):
            if all(
                np.array_equal(p[:, j], t[:, k], equal_nan=p.dtype.kind == "f")
                for p, t in zip(parts, truths, strict=True)
            ):
                indices.append(j)
                break
        else:
            return ()
    return tuple(indices)
