"""What the networks of a fitted estimator are given for some series, to be looked into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from seqkit.data.windows import WindowSource
from seqkit.errors import DataError, explain
from seqkit.estimators.examples import Examples
from seqkit.estimators.forecast_combining import ThetaBeside
from seqkit.estimators.long_frames import stepwise
from seqkit.estimators.training_parts import inputs_of
from seqkit.network.graph import Network
from seqkit.network.losses import Objective
from seqkit.network.native import NativeNetwork, as_answering

__all__ = ["Beside", "Inspected", "inspected"]

Array = np.ndarray
MOST_WINDOWS = 128
"""Windows of a panel that are looked at, evenly over time, where many are wanted."""


@dataclass(frozen=True)
class Beside:
    """What a theta forecast beside a forecaster's networks is made from.

    Attributes
    ----------
    theta : ThetaBeside
    scale : ndarray of shape (n_targets,)
        Of the training part.
    values : ndarray of shape (n_windows, window, n_channels)
        In units, targets first; zeros before a series begins.
    lengths : ndarray of shape (n_windows,)
        Steps of each that are there, the last ones.
    """

    theta: ThetaBeside
    scale: Array
    values: Array
    lengths: Array


@dataclass(frozen=True)
class Inspected:
    """A network of a fitted estimator, and what it is given for some series.

    Attributes
    ----------
    network : Network
    weights : list of ndarray
    inputs : ndarray or dict of str to ndarray
        As the network takes them, a series (of a forecaster a window) a row.
    values : ndarray of shape (n_series, n_timesteps, n_features)
        The same in units, to be shown; padded.
    lengths : ndarray of shape (n_series,)
        Valid steps: the first ones, of a window the last ones.
    features : tuple of str
    ids : ndarray of shape (n_series,)
    words : ndarray or None
        The token of each code, where series are of tokens; the unknown one is the first.
    ends : bool
        Whether the valid steps are the last ones.
    center, spread : ndarray of shape (n_series, 1, n_targets) or None
        Of a forecaster's windows: what puts into units what the network gives.
    y, weight : ndarray or None
        The target as the loss sees it.
    objective : Objective
    powers : tuple of float or None
        Of the Box-Cox transform of each target, where the network sees that.
    beside : Beside or None
        What the forecast is combined with.
    targets : tuple of str
        Of a forecaster.
    """

    network: Network
    weights: list[Array]
    inputs: Any
    values: Array
    lengths: Array
    features: tuple[str, ...]
    ids: Array
    objective: Objective
    words: Array | None = None
    ends: bool = False
    center: Array | None = None
    spread: Array | None = None
    y: Array | None = None
    weight: Array | None = None
    powers: tuple[float, ...] | None = None
    beside: Beside | None = None
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Inspected:
        """Return some of the series."""

        def part(array: Any) -> Any:
            return None if array is None else array[rows]

        inputs, beside = self.inputs, self.beside
        if beside is not None:
            beside = replace(beside, values=beside.values[rows], lengths=beside.lengths[rows])
        inputs = {k: v[rows] for k, v in inputs.items()} if isinstance(inputs, Mapping) else inputs
        return replace(
            self, inputs=inputs if isinstance(inputs, Mapping) else inputs[rows], beside=beside,
            **{name: part(getattr(self, name))
               for name in ("values", "lengths", "ids", "center", "spread", "y", "weight")},
        )  # fmt: skip

    def until(self, n_steps: int) -> Inspected:
        """Return the series without what is after that many steps; windows as they are."""
        if self.ends or self.values.shape[1] <= n_steps:
            return self
        lengths, inputs = np.minimum(self.lengths, n_steps), self.inputs
        if isinstance(inputs, Mapping):
            inputs = {**inputs, "x": inputs["x"][:, :n_steps]}
            if "lengths" in inputs:
                inputs["lengths"] = np.minimum(inputs["lengths"], n_steps)
        else:
            inputs = inputs[:, :n_steps]
        return replace(self, inputs=inputs, values=self.values[:, :n_steps], lengths=lengths)

    def native(
        self, watched: tuple[str, ...] = (), end: str | None = None, moves: bool = False
    ) -> NativeNetwork:
        """Return the network with its weights; see :func:`as_answering`."""
        native = NativeNetwork(as_answering(self.network, end, moves), watched)
        native.weights.load(self.weights)
        return native

    def row_of(self, series: Any, owner: str) -> int:
        """Return the row of a series, given by its number or its name.

        Raises
        ------
        ValueError
            If there is no such series.
        """
        named = np.flatnonzero(self.ids.astype(str) == str(series))
        if isinstance(series, str) and len(named):
            return int(named[0])
        number = int(series) if str(series).lstrip("-").isdigit() else None
        if number is None or not -len(self) <= number < len(self):
            expected = f"a number from 0 to {len(self) - 1}, or the name of a series"
            expected += f" such as {self.ids[0]}"
            raise ValueError(explain(owner, "series", expected, series))
        return number % len(self)


def inspected(
    estimator: Any, X: Any, y: Any = None, *, member: int = 0, many: bool = False,
    targets: bool = False,
) -> Inspected:  # fmt: skip
    """Return a network of a fitted estimator and what it is given for series.

    Parameters
    ----------
    estimator : SequenceClassifier, SequenceRegressor, SequenceTagger or SequenceForecaster
    X, y
        As in ``fit``; `y` only with `targets`.
    member : int, default=0
        Which network of an ensemble.
    many : bool, default=False
        Of a forecaster windows all over time instead of the last one of each series.
    targets : bool, default=False
        Whether the target is wanted too.

    Raises
    ------
    ValueError
        If there is no such network, or the series are not what they must be.
    """
    check_is_fitted(estimator)
    owner, n = type(estimator).__name__, len(estimator._member_weights())
    if isinstance(member, bool) or not isinstance(member, int | np.integer) or not 0 <= member < n:
        expected = "0: there is one network" if n == 1 else f"from 0 to {n - 1}"
        raise ValueError(explain(owner, "member", expected, member))
    if estimator._task == "forecasting":
        return _windows(estimator, X, member, many or targets, targets)
    return _series(estimator, X, y, member, targets)


def _series(estimator: Any, X: Any, y: Any, member: int, targets: bool) -> Inspected:
    examples = _examples(estimator, X, y) if targets else None
    padded = estimator._check_X(X, reset=False) if examples is None else examples.padded
    values = padded.values if padded.values.ndim == 3 else padded.values[:, :, None]
    n, n_steps, n_features = values.shape
    variable = estimator._variable_length_ or padded.lengths is not None
    known: Any = getattr(X, "features", getattr(estimator, "feature_names_in_", ()))
    names = [str(name) for name in known]
    if len(names) * 2 == n_features and estimator._fitted.missing == "indicator":
        names += [f"{name} is missing" for name in names]
    if len(names) != n_features:
        names = ["value"] if n_features == 1 else [f"feature {k}" for k in range(n_features)]
    words = None
    if getattr(estimator, "_of_tokens", False):
        words = np.array(["?", *estimator.tokens_.astype(str)], object)
    inputs = inputs_of(padded, variable)
    if not isinstance(inputs, dict):
        inputs = np.asarray(inputs, np.int32 if words is not None else np.float32)
    elif words is None:
        inputs["x"] = np.asarray(inputs["x"], np.float32)
    found = Inspected(
        estimator._build(variable).members[member].network,
        estimator._member_weights()[member],
        inputs,
        values,
        np.full(n, n_steps) if padded.lengths is None else np.asarray(padded.lengths),
        tuple(names),
        np.asarray(getattr(X, "ids", np.arange(n)))[:n],
        estimator._objective(),
        words,
    )
    if examples is None:
        return found
    target = estimator._trained_target(examples.target)
    return replace(found, y=target, weight=examples.weight)


def _examples(estimator: Any, X: Any, y: Any) -> Examples:
    """Return series with their targets; those of a tagger whole, however long."""
    if estimator._task != "tagging":
        found: Examples = estimator._examples(X, y, reset=False)
        return found
    X, y = stepwise(estimator, X, y)
    padded, target = estimator._read(X, y, reset=False)
    whole: Examples = estimator._with_weights(padded, target, None)
    return whole


def _windows(estimator: Any, X: Any, member: int, many: bool, targets: bool) -> Inspected:
    networks, owner = estimator._networks, type(estimator).__name__
    panel = estimator._reader.read(X)
    seen, context = networks._seen(panel, owner), networks.contexts[member]
    origins = "training" if targets else "all" if many else "last"
    which: dict[str, Any] = {"origins": origins}
    if not many and panel.n_future:  # the horizon must be known
        which["back"] = networks.horizon
    space: dict[str, Any] = {
        "normalize": networks.normalize, "offset": networks.offset, "scale": networks.scale,
    }  # fmt: skip
    with_lengths = networks.variable_length or None

    def source(of: Any, **more: Any) -> WindowSource:
        return WindowSource(
            of, context, networks.horizon, lengths=with_lengths,
            target_inputs=networks.target_inputs, targets=targets, **which, **more,
        )  # fmt: skip

    own = source(seen, **space)
    every = np.arange(own.n_examples)
    if many and panel.n_future and not targets:
        series, origin = own.rows(every)
        every = every[origin + networks.horizon < panel.offsets[1:][series]]
    if not len(every):
        expected = f"long enough for a window of {context} steps, and its horizon where it is asked"
        raise DataError(explain(owner, "X", expected, panel.lengths.tolist()[:5]))
    if len(every) > MOST_WINDOWS and many:
        every = every[np.linspace(0, len(every) - 1, MOST_WINDOWS).round().astype(int)]
    inputs, y, weight = own.take(every)
    values, lengths, series, origin = source(panel).contexts(every)
    names = [str(name) for name in panel.columns.channels]
    if not networks.target_inputs:
        values, names = values[:, :, panel.n_targets :], names[panel.n_targets :]
    ids = np.asarray(panel.ids, object)[series]
    if many:
        ids = np.array([f"{name} at {row}" for name, row in zip(
            ids, origin - panel.offsets[series], strict=True)], object)  # fmt: skip
    center, spread = own.space(every) if networks.normalize is not None else (None, None)
    beside = None
    if networks.theta is not None:
        whole = WindowSource(
            panel, networks.theta.window, networks.horizon, origins="all", shortest=1,
            targets=False, lengths=True,
        )  # fmt: skip
        index = whole.arrays["windows_before"][series] + origin - whole.first_origin[series]
        beside = Beside(networks.theta, networks.scale, *whole.contexts(index)[:2])
    return Inspected(
        networks.build(context, own.with_lengths).network,
        networks.weights[member],
        {k: np.asarray(v, np.float32) if v.dtype.kind == "f" else v for k, v in inputs.items()},
        values, np.asarray(lengths), tuple(names), ids, estimator._objective(),
        ends=True, center=center, spread=spread, y=y, weight=weight, powers=networks.powers,
        beside=beside, targets=tuple(str(name) for name in panel.columns.targets),
    )  # fmt: skip
