"""Builder functions: from settings to a plain ``keras.Model`` that takes raw values.

Each describes a network (:mod:`seqkit.network`) and makes the Keras model of it: an ordinary
functional model with named layers. Compile and fit it by hand, or let an estimator do so.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seqkit.network import forecasting, series
from seqkit.network.keras.model import keras_model

__all__ = ["build_classifier", "build_forecaster", "build_regressor"]


def build_classifier(
    n_timesteps: int | None,
    n_features: int,
    n_classes: int,
    *,
    variable_length: bool = False,
    multilabel: bool = False,
    cell: str = "gru",
    units: int | Sequence[int] = (64, 64),
    bidirectional: bool = True,
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    pooling: str = "mean_max",
    patch: int | str = "auto",
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> keras.Model:
    """Build a model that gives the probability of each class for a whole series.

    Parameters
    ----------
    n_timesteps : int or None
        Length of every series; ``None`` leaves it open.
    n_features : int
        Features a time step.
    n_classes : int
        Number of classes, at least 2.
    variable_length : bool, default=False
        Add the input ``lengths``, ``(batch,)`` integers: how many steps of each right-padded
        series are valid. Inputs are then a dict ``{"x": ..., "lengths": ...}``.
    multilabel : bool, default=False
        Every class is there or not, whatever the others are: a sigmoid each instead of a softmax.
    cell : str, default="gru"
        A row of ``seqkit.cells.CELLS``.
    units : int or sequence of int, default=(64, 64)
        Width of the recurrent layer; a sequence is a stack.
    bidirectional : bool, default=True
        Run every layer in both directions (Schuster and Paliwal 1997). The read-out takes the
        last forward state and the backward state at the first step.
    dropout : float, default=0.2
        Share dropped, in [0, 1), on the input of every recurrent layer after the first and
        before the head.
    recurrent_dropout : float, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output, from the second layer on. Needs equal units.
    pooling : {"last", "mean", "max", "mean_max", "attention"}, default="mean_max"
        How the steps become one vector; only valid steps count.
    patch : int or "auto", default="auto"
        Time steps folded into one before the first recurrent layer; ``auto`` leaves 32 of
        `n_timesteps`, and folds nothing where that is open.
    dense : sequence of int, default=()
        Widths of hidden layers (ReLU) between pooling and head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Whether the model holds a :class:`~seqkit.layers.Standardize` layer. The kind says which
        statistics an estimator puts there; by hand, call its ``adapt``.

    Returns
    -------
    keras.Model
        ``x`` ``(batch, n_timesteps, n_features)`` to ``probabilities`` ``(batch, n_classes)``;
        the layer ``logits`` comes before the softmax or the sigmoids.

    Raises
    ------
    ValueError
        If a setting is out of range.

    Examples
    --------
    >>> model = build_classifier(150, 1, 2, cell="gru", units=[16, 16], bidirectional=True)
    >>> model.output_shape
    (None, 2)
    """
    return keras_model(
        series.classifier(
            n_timesteps,
            n_features,
            n_classes,
            variable_length=variable_length,
            multilabel=multilabel,
            cell=cell,
            units=units,
            bidirectional=bidirectional,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            pooling=pooling,
            patch=patch,
            dense=dense,
            scale=scale,
        )
    )


def build_forecaster(
    context_length: int,
    horizon: int,
    n_targets: int = 1,
    n_past: int = 0,
    n_future: int = 0,
    *,
    n_static: int = 0,
    static_categories: Sequence[int] = (),
    variable_length: bool = False,
    target_inputs: bool = True,
    season: int = 1,
    quantiles: Sequence[float] | None = None,
    distribution: str | None = None,
    decoder: str = "direct",
    normalize: str = "standard",
    departure_from: str = "none",
    channels: str = "joint",
    cell: str = "gru",
    units: int | Sequence[int] = 128,
    bidirectional: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    patch: int | None = None,
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> keras.Model:
    """Build a model that forecasts the steps after a window.

    Parameters
    ----------
    context_length : int
        Steps of the window that is looked at.
    horizon : int
        Steps that are forecast.
    n_targets : int, default=1
        Series forecast together.
    n_past, n_future : int, default=0
        Covariates known up to now; known over the horizon too.
    n_static : int, default=0
        Numbers that describe a series.
    static_categories : sequence of int, default=()
        For every static covariate of categories their number; code 0 is an unknown one.
    variable_length : bool, default=False
        Add the input ``lengths``: valid steps of windows padded on the left.
    target_inputs : bool, default=True
        Whether the targets' own past is an input. Without it ``normalize`` and
        ``departure_from`` must be "none".
    season : int, default=1
        Steps in a season, for ``departure_from="seasonal_naive"``.
    quantiles : sequence of float, default=None
        Levels to forecast, in rising order; they cannot cross.
    distribution : {"normal", "student_t", "negative_binomial", "poisson"}, default=None
        Forecast the parameters of a distribution.
    decoder : {"direct", "recursive", "segment"}, default="direct"
        A row of :data:`seqkit.network.decoders.DECODERS`.
    normalize : {"none", "last", "standard"}, default="standard"
        Each window by its last value, or its mean and standard deviation; undone on the output
        (Lin et al. 2023, section 3.4; Kim et al. 2022). "none" takes the training part's.
    departure_from : {"none", "last", "seasonal_naive"}, default="none"
        Forecast the departure from that naive forecast of the same window.
    channels : {"joint", "independent"}, default="joint"
        Several targets together, or each as a window of its own with shared weights.
    patch : int or None, default=None
        Steps folded into one before the recurrence, counted from the end of the window; ``None``
        is a season where the context holds two, else 1.
    cell, units, bidirectional, dropout, recurrent_dropout, residual, dense, scale
        As in :func:`seqkit.build_classifier`; ``scale`` is for the covariates, and for the
        targets where they are not normalised by window.

    Returns
    -------
    keras.Model
        Inputs by name: ``x`` ``(batch, context_length, n_targets + n_past + n_future)``, and as
        set ``future`` ``(batch, horizon, n_future)``, ``static``, ``static_codes``, ``lengths``.
        Output ``forecast`` in raw units: ``(batch, horizon, n_targets)``, with quantiles or a
        distribution ``(batch, horizon, n_targets, levels or parameters)``. The layer
        ``normalized`` gives the same in the normalised space of the window.

    Raises
    ------
    ValueError
        If a setting is out of range or one the decoder cannot use.

    Examples
    --------
    >>> build_forecaster(48, 24, units=8, patch=12, quantiles=[0.1, 0.5, 0.9]).output_shape
    (None, 24, 1, 3)
    """
    return keras_model(
        forecasting.forecaster(
            context_length,
            horizon,
            n_targets,
            n_past,
            n_future,
            n_static=n_static,
            static_categories=static_categories,
            variable_length=variable_length,
            target_inputs=target_inputs,
            season=season,
            quantiles=quantiles,
            distribution=distribution,
            decoder=decoder,
            normalize=normalize,
            departure_from=departure_from,
            channels=channels,
            cell=cell,
            units=units,
            bidirectional=bidirectional,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            patch=patch,
            dense=dense,
            scale=scale,
        )
    )


def build_regressor(
    n_timesteps: int | None,
    n_features: int,
    n_targets: int = 1,
    *,
    variable_length: bool = False,
    cell: str = "gru",
    units: int | Sequence[int] = (64, 64),
    bidirectional: bool = True,
    dropout: float = 0.2,
    recurrent_dropout: float = 0.0,
    residual: bool = False,
    pooling: str = "mean_max",
    patch: int | str = "auto",
    dense: Sequence[int] = (),
    scale: str = "standard",
) -> keras.Model:
    """Build a model that gives one number, or several, for a whole series.

    Parameters are those of :func:`build_classifier`, but ``n_targets`` for ``n_classes``.

    Returns
    -------
    keras.Model
        ``x`` ``(batch, n_timesteps, n_features)`` to ``output`` ``(batch, n_targets)``, in the
        units of the target: the layer ``standardized`` gives it in standard deviations, the
        last layer undoes that.

    Examples
    --------
    >>> build_regressor(None, 4, variable_length=True).output_shape
    (None, 1)
    """
    return keras_model(
        series.regressor(
            n_timesteps,
            n_features,
            n_targets,
            variable_length=variable_length,
            cell=cell,
            units=units,
            bidirectional=bidirectional,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            residual=residual,
            pooling=pooling,
            patch=patch,
            dense=dense,
            scale=scale,
        )
    )
