"""Frames of labelled series, as a classifier or a regressor takes them.

A row is a time step where a column names the series, and a series where none does.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.readers import sequences_of_frame
from seqkit.data.roles import DEFAULT_ID, as_names, check_present
from seqkit.data.sequences import Padded, Sequences, is_panel
from seqkit.data.step_tables import steps_of_frame
from seqkit.data.steps import NEXT, Steps
from seqkit.errors import DataError, explain
from seqkit.estimators.examples import Examples
from seqkit.estimators.inputs import SeriesInput, TargetInput, WeightInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LongFrames", "stepwise"]


class LongFrames:
    """Reads the series of a frame, and their targets, by the columns that the settings name."""

    missing: Any
    series_id: str | None
    time: Any
    target: Any
    features: Any
    _fitted: SimpleNamespace

    def score(
        self, X: SeriesInput, y: TargetInput | None = None, sample_weight: WeightInput = None
    ) -> float:
        """Return the mean accuracy (of several labels the share of series all right), or R².

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        """
        X, y = self._framed(X, y)
        score: float = super().score(X, y, sample_weight)  # type: ignore[misc]  # scikit-learn's
        return score

    def _examples(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, reset: bool
    ) -> Examples:
        X, y = self._framed(X, y, reset)
        examples: Examples = super()._examples(X, y, sample_weight, reset=reset)  # type: ignore[misc]
        if reset and isinstance(X, Sequences):
            self.feature_names_in_ = np.array(X.features, object)
        return examples

    def _check_X(self, X: Any, reset: bool) -> Padded:
        X, _ = self._framed(X, None, reset, targeted=False)
        padded: Padded = super()._check_X(X, reset)  # type: ignore[misc]
        return padded

    def _framed(
        self, X: Any, y: Any, reset: bool = False, targeted: bool = True
    ) -> tuple[Any, Any]:
        """Return the series of a frame, and their targets; what is no such frame as it is."""
        if not hasattr(X, "columns"):
            return X, y
        said, where = self if reset else self._fitted, type(self).__name__
        names = getattr(X, "column_names", X.columns)  # the columns of pyarrow are no names
        long = said.series_id is not None or DEFAULT_ID in map(str, names)
        if not long and not (said.time or said.target or said.features):
            _check_numeric(X, where)
            return X, y
        if targeted and y is None and not said.target:
            hint = "Name its column, or give y."
            raise DataError(explain(where, "target", "known", None, hint))
        if y is not None and said.target:
            expected = "left out where target names a column"
            raise DataError(explain(where, "y", expected, type(y).__name__, "Keep one of the two."))
        from seqkit.data.frames import as_pandas  # pandas, which arrays do not need

        table = as_pandas(X, where)
        target = said.target if targeted else None
        if long or table.index.nlevels == 2:
            return self._series(table, y, said, target, reset)
        if said.time is not None:
            hint = "Without it a frame has a row a series, and no column of time."
            raise DataError(explain(where, "series_id", "named beside time", None, hint))
        check_present([*as_names(target), *(said.features or ())], table, where)
        y = y if target is None else table[target]
        steps = said.features or [n for n in table.columns if n not in as_names(said.target)]
        return table[list(steps)], y

    def _series(
        self, table: pd.DataFrame, y: Any, said: Any, target: Any, reset: bool
    ) -> tuple[Sequences, Any]:
        """Return the series of a frame of a row a time step, and their targets."""
        features = said.features
        if not reset and hasattr(self, "feature_names_in_"):
            features = list(self.feature_names_in_)
        elif target is None:  # it is no feature
            table = table.drop(columns=[n for n in as_names(said.target) if n in table.columns])
        series = sequences_of_frame(
            table,
            target=target,
            features=features,
            series_id=said.series_id,
            time=said.time,
            missing=said.missing,
        )
        if target is not None:
            return series, series.y
        return series, y if y is None else self._one_a_series(y, series, len(table))

    def _one_a_series(self, y: Any, series: Sequences, n_rows: int) -> Any:
        """Return targets in the order of the series, by whose names they may be indexed."""
        import pandas as pd

        where, index = type(self).__name__, getattr(y, "index", None)
        names = np.asarray(series.ids)
        if isinstance(index, pd.Index) and len(index) == len(series):
            if set(index) == set(names.tolist()):
                return y.loc[names]
            if not isinstance(index, pd.RangeIndex):
                expected = f"indexed by the names of the series, {names[:3].tolist()}, ..."
                hint = "If it is in their order, give its values: y.to_numpy()."
                raise DataError(explain(where, "y", expected, index.tolist()[:3], hint))
        if len(y) == n_rows != len(series):
            hint = "Of a column of the frame, name it with target."
            raise DataError(
                explain(where, "y", f"one for each of {len(series)} series", n_rows, hint)
            )
        return y


def stepwise(
    estimator: Any, X: Any, y: Any, reset: bool = False, targeted: bool = True
) -> tuple[Any, Any]:
    """Return the series of a frame with a row a time step, and the labels of their steps.

    Of `Steps` the labels they have; what is neither as it is.
    """
    where, said = type(estimator).__name__, estimator if reset else estimator._fitted
    named = said.target if said.target != NEXT else None
    if hasattr(X, "columns"):
        from seqkit.data.frames import as_pandas  # pandas, which arrays do not need

        features = said.features
        if not reset and hasattr(estimator, "feature_names_in_"):
            features = list(estimator.feature_names_in_)
        if targeted and named is None and y is None and said.target != NEXT:
            hint = "Name the column of labels."
            raise DataError(explain(where, "target", "known", None, hint))
        table = as_pandas(X, where)
        if not targeted and not set(as_names(named)) <= set(table.columns):
            named = None  # nobody asks for it
        X = steps_of_frame(
            table, target=named, features=features, series_id=said.series_id, time=said.time
        )
    if isinstance(X, Steps) and X.labels is not None and targeted:
        if y is not None and y is not X.labels:
            expected = "left out where target names a column"
            raise DataError(explain(where, "y", expected, type(y).__name__, "Keep one of the two."))
        y = X.labels
    return X, y


def _check_numeric(X: Any, where: str) -> None:
    """Raise where a frame of a row a series has a column of text or dates."""
    import narwhals as nw

    if is_panel(X):
        return
    other = (nw.String, nw.Categorical, nw.Enum, nw.Date, nw.Datetime)
    for name, kind in nw.from_native(X, eager_only=True).schema.items():
        if isinstance(kind, other):
            expected = "of numbers, since a row is a series and a column a time step"
            hint = (
                "If a row is a time step, name the column that tells the series apart with "
                "series_id; if it is what to learn, with target; else leave it out."
            )
            raise TypeError(explain(where, f"column {name!r}", expected, str(kind), hint))
