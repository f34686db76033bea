"""Builder functions: from settings to a plain ``keras.Model`` that takes raw values.

Each describes a network (:mod:`seqkit.network`) and makes the Keras model of it: an ordinary
functional model with named layers. Compile and fit it by hand, or let an estimator do so. Their
arguments are the fields of :mod:`seqkit.network.settings`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import keras

from seqkit.network import forecasting, series, tagging
from seqkit.network.keras.model import keras_model
from seqkit.network.settings import (
    ClassifierNetwork,
    ForecasterNetwork,
    RegressorNetwork,
    TaggerNetwork,
    takes,
)

__all__ = ["build_classifier", "build_forecaster", "build_regressor", "build_tagger"]


def _all(settings: Any) -> dict[str, Any]:
    return {field.name: getattr(settings, field.name) for field in fields(settings)}


@takes(ClassifierNetwork)
def build_classifier(settings: ClassifierNetwork) -> keras.Model:
    """Build a model that gives the probability of each class for a whole series.

    Parameters
    ----------
    n_timesteps : int or None
        Length of every series; None leaves it open.
    n_features : int
        Features a time step.
    n_classes : int
        Number of classes, at least 2.
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer, a list of them or of such lists or "auto", default="auto"
        Width of the recurrent layer; a list is a stack of layers, and a list of lists has a stack
        for each network of train.ensemble. auto = [32, 64], with residual sums [64, 64]; behind a
        stem [32], unless layers are wanted.
    bidirectional : true or false or "auto", default="auto"
        Run every layer in both directions and join the results. auto = where there is more than one
        step after patching.
    dropout : a number from 0 to below 1, default=0.2
        Share dropped on the input of every recurrent layer after the first, and before the head.
    recurrent_dropout : a number from 0 to below 1, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output from the second layer on; for deep stacks.
    dense : a list of positive integers, default=()
        Widths of hidden layers before the head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Scaling of the features, fitted on the training part and kept in the model: zero mean and
        unit variance, to [0, 1], or by median and quartiles. The kind says which statistics an
        estimator puts into the layer; by hand, call its ``adapt``.
    kernel_initializer : str, default="glorot_uniform"
        What the input matrices of the recurrent layers start from. One of "glorot_uniform",
        "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    recurrent_initializer : str, default="orthogonal"
        What their recurrent matrices start from; orthogonal_gates = the block of each gate is
        orthogonal by itself. One of "glorot_uniform", "he_normal", "orthogonal",
        "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    bias_initializer : {"forget_one", "zeros", "chrono"}, default="forget_one"
        What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units
        forget over times from one step to as many as there are (Tallec and Ollivier 2018).
    pooling : {"last", "mean", "max", "mean_max", "attention", "auto"}, default="auto"
        How the steps of a series become one vector; padding never counts. auto = mean_max, of one
        step after patching last.
    patch : a positive integer or a list of them or "auto", default="auto"
        Time steps folded into one before the first recurrent layer: shorter recurrences. auto = so
        many that about 32 are left of a series of median length; with a pyramid so many of the
        layers above the first. A list has a value for each network of train.ensemble.
    overlap : an integer of 0 or more or a list of them or "auto", default="auto"
        Time steps of its neighbours that a patch reads besides its own, half of them of each. auto
        = as many as its own; 0 where patch is set. A list has a value for each network of
        train.ensemble.
    pyramid : a positive integer or a list of them or "auto", default="auto"
        States of the first recurrent layer that the layers above it read as one step (Chan et al.
        2016); the steps of both are pooled. 1 = none. A list has a value for each network of
        train.ensemble. auto = about 3, 1 in every second network; 1 where patch or residual is set,
        or one layer.
    deviations : true or false or "auto", default="auto"
        Give the network each value a second time, as its deviation from the mean of its time step
        over all training series, by the spread there: for series of one length that share a course
        and differ by little. auto = if the mean course explains 0.95 of the variance of 20 series
        or more.
    differences : true or false or a list of them or "auto", default="auto"
        Give the network each value a second time, as its difference from the one a time step
        before, by the spread of these: of smooth series, whose shape is small beside their level. A
        list has a value for each network of train.ensemble. auto = for classes, in networks of both
        directions, with a stem in every second one, where that spread is below that of the values,
        unless normalize is series.
    averages : a list of values, each an integer from 2 to 1000, default=()
        Give the network each value again as the mean of itself and all before it, in which a step
        weighs 1 - 1/n times as much as the one after it, for each n of the list: of noisy
        measurements under which something changes slowly.
    moves : a list of values, each an integer or "auto", default="auto"
        Read each series at several offsets when predicting, its ends repeated; the mean of what the
        network makes of them goes to the head. In training a series is read once, moved at random
        by train.shift. auto = back and forth by train.shift and by half of it, and not at all; [] =
        as it stands.
    stem : None, a map of filters, kernel_size, stride, layers and pooling or "auto", default="auto"
        Convolutions over time before the recurrent layers, each with batch normalisation and ReLU;
        {} = [32, 64, 64] filters of [9, 7, 5] steps; None = none. Its steps are what patch folds,
        which is then 1 unless it is set, and, pooled, what the head reads beside the recurrent
        layers (pooling: none = it does not). auto = those, with strides of 2 while they leave 20
        steps of a series of median length; none in the third and fourth network of an ensemble of
        both directions, nor where patch, overlap or pyramid is set. A list has a value for each
        network of train.ensemble.
    branch : fcn, a map of filters, kernel_size, stride, layers and pooling or None, default=None
        Convolutions over time beside the recurrent layers, each with batch normalisation and ReLU;
        their pooled steps stand beside those of the recurrent layers. fcn = [128, 256, 128] filters
        of [8, 5, 3] steps (Karim et al. 2018). A list has a value for each network of
        train.ensemble.
    normalize : {"none", "series"}, default="none"
        Each series by its own mean and spread, feature by feature, which the network then does not
        see.
    layer_norm : bool, default=False
        Normalise each step by its own features before every recurrent layer but the first (Ba et
        al. 2016).
    input_dropout : a number from 0 to below 1, default=0.0
        Share of the (scaled) values of a series that is dropped.
    variable_length : bool, default=False
        Add the input ``lengths``, ``(batch,)`` integers: how many steps of each series are valid.
        Inputs are then a dict ``{"x": ..., "lengths": ...}``. They are padded on the right.
    max_timesteps : int or None, default=None
        Most steps of a series, where `n_timesteps` is open and `bias_initializer` is "chrono".
    multilabel : bool, default=False
        Every class is there or not, whatever the others are: a sigmoid each, not a softmax.

    Returns
    -------
    keras.Model
        ``x`` ``(batch, n_timesteps, n_features)`` to ``probabilities`` ``(batch, n_classes)``;
        the layer ``logits`` comes before the softmax or the sigmoids.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown, or a setting out of range.

    Examples
    --------
    >>> model = build_classifier(150, 1, 2, cell="gru", units=[16, 16], bidirectional=True)
    >>> model.output_shape
    (None, 2)
    """
    return keras_model(series.classifier(**_all(settings)))


@takes(ForecasterNetwork)
def build_forecaster(settings: ForecasterNetwork) -> keras.Model:
    """Build a model that forecasts the steps after a window.

    Parameters
    ----------
    context_length : a positive integer
        Past steps the model sees.
    horizon : a positive integer
        Steps forecast at once.
    n_targets : int, default=1
        Numbers, or series, predicted together.
    n_past : int, default=0
        Covariates known up to now only.
    n_future : int, default=0
        Covariates known over the horizon too.
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer or a list of them, default=128
        Width of the recurrent layer; a list is a stack of layers.
    bidirectional : bool, default=False
        Run every layer in both directions and join the results.
    dropout : a number from 0 to below 1, default=0.0
        Share dropped on the input of every recurrent layer after the first, and before the head.
    recurrent_dropout : a number from 0 to below 1, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output from the second layer on; for deep stacks.
    dense : a list of positive integers, default=()
        Widths of hidden layers before the head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Scaling of the features, fitted on the training part and kept in the model: zero mean and
        unit variance, to [0, 1], or by median and quartiles. The kind says which statistics an
        estimator puts into the layer; by hand, call its ``adapt``.
    kernel_initializer : str, default="glorot_uniform"
        What the input matrices of the recurrent layers start from. One of "glorot_uniform",
        "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    recurrent_initializer : str, default="orthogonal"
        What their recurrent matrices start from; orthogonal_gates = the block of each gate is
        orthogonal by itself. One of "glorot_uniform", "he_normal", "orthogonal",
        "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    bias_initializer : {"forget_one", "zeros", "chrono"}, default="forget_one"
        What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units
        forget over times from one step to as many as there are (Tallec and Ollivier 2018).
    patch : a positive integer or None, default=None
        Time steps folded into one before the first recurrent layer: shorter recurrences. Default: a
        season, where the shortest context holds two, else 1.
    decoder : {"direct", "recursive", "segment"}, default="direct"
        How the horizon is produced: all steps from the final state; patch after patch, its own
        outputs fed back; or all patches in parallel (SegRNN, Lin et al. 2023).
    normalize : {"none", "last", "standard"}, default="standard"
        Each context window by its own statistics, undone on the output: its last value subtracted,
        or zero mean and unit variance.
    departure_from : {"none", "last", "seasonal_naive", "theta", "learned_theta"}, default="none"
        Learn the departure from this naive forecast of the same window; learned_theta = theta, its
        smoothing constants and a damped trend learned with the network (Smyl 2020), the same for
        all series.
    channels : {"joint", "independent"}, default="joint"
        Several targets together in one window, or each as a series of its own.
    season : a positive integer, default=1
        Steps in a season, for the seasonal naive forecast and the patch.
    quantiles : a rising list of numbers between 0 and 1 or None, default=None
        Quantiles to forecast, e.g. [0.1, 0.5, 0.9]; None = a point forecast.
    distribution : {"normal", "student_t", "negative_binomial", "poisson"} or None, default=None
        Distribution to forecast instead of quantiles; the last two are of counts.
    n_static : int, default=0
        Numbers that describe a series.
    static_categories : sequence of int, default=()
        For every static covariate of categories their number; code 0 is an unknown one.
    variable_length : bool, default=False
        Add the input ``lengths``, ``(batch,)`` integers: how many steps of each series are valid.
        Inputs are then a dict ``{"x": ..., "lengths": ...}``. They are padded on the left.
    target_inputs : bool, default=True
        Whether the targets' own past is an input. Without it `normalize` and `departure_from` must
        be "none".

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
    TypeError, ValueError
        If an argument is unknown, a setting out of range or one the decoder cannot use.

    Examples
    --------
    >>> build_forecaster(48, 24, units=8, patch=12, quantiles=[0.1, 0.5, 0.9]).output_shape
    (None, 24, 1, 3)
    """
    return keras_model(forecasting.forecaster(**_all(settings)))


@takes(RegressorNetwork)
def build_regressor(settings: RegressorNetwork) -> keras.Model:
    """Build a model that gives one number, or several, for a whole series.

    Parameters
    ----------
    n_timesteps : int or None
        Length of every series; None leaves it open.
    n_features : int
        Features a time step.
    n_targets : int, default=1
        Numbers, or series, predicted together.
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer, a list of them or of such lists or "auto", default="auto"
        Width of the recurrent layer; a list is a stack of layers, and a list of lists has a stack
        for each network of train.ensemble. auto = [32, 64], with residual sums [64, 64]; behind a
        stem [32], unless layers are wanted.
    bidirectional : true or false or "auto", default="auto"
        Run every layer in both directions and join the results. auto = where there is more than one
        step after patching.
    dropout : a number from 0 to below 1, default=0.2
        Share dropped on the input of every recurrent layer after the first, and before the head.
    recurrent_dropout : a number from 0 to below 1, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output from the second layer on; for deep stacks.
    dense : a list of positive integers, default=()
        Widths of hidden layers before the head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Scaling of the features, fitted on the training part and kept in the model: zero mean and
        unit variance, to [0, 1], or by median and quartiles. The kind says which statistics an
        estimator puts into the layer; by hand, call its ``adapt``.
    kernel_initializer : str, default="glorot_uniform"
        What the input matrices of the recurrent layers start from. One of "glorot_uniform",
        "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    recurrent_initializer : str, default="orthogonal"
        What their recurrent matrices start from; orthogonal_gates = the block of each gate is
        orthogonal by itself. One of "glorot_uniform", "he_normal", "orthogonal",
        "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    bias_initializer : {"forget_one", "zeros", "chrono"}, default="forget_one"
        What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units
        forget over times from one step to as many as there are (Tallec and Ollivier 2018).
    pooling : {"last", "mean", "max", "mean_max", "attention", "auto"}, default="auto"
        How the steps of a series become one vector; padding never counts. auto = mean_max, of one
        step after patching last.
    patch : a positive integer or a list of them or "auto", default="auto"
        Time steps folded into one before the first recurrent layer: shorter recurrences. auto = so
        many that about 32 are left of a series of median length; with a pyramid so many of the
        layers above the first. A list has a value for each network of train.ensemble.
    overlap : an integer of 0 or more or a list of them or "auto", default="auto"
        Time steps of its neighbours that a patch reads besides its own, half of them of each. auto
        = as many as its own; 0 where patch is set. A list has a value for each network of
        train.ensemble.
    pyramid : a positive integer or a list of them or "auto", default="auto"
        States of the first recurrent layer that the layers above it read as one step (Chan et al.
        2016); the steps of both are pooled. 1 = none. A list has a value for each network of
        train.ensemble. auto = about 3, 1 in every second network; 1 where patch or residual is set,
        or one layer.
    deviations : true or false or "auto", default="auto"
        Give the network each value a second time, as its deviation from the mean of its time step
        over all training series, by the spread there: for series of one length that share a course
        and differ by little. auto = if the mean course explains 0.95 of the variance of 20 series
        or more.
    differences : true or false or a list of them or "auto", default="auto"
        Give the network each value a second time, as its difference from the one a time step
        before, by the spread of these: of smooth series, whose shape is small beside their level. A
        list has a value for each network of train.ensemble. auto = for classes, in networks of both
        directions, with a stem in every second one, where that spread is below that of the values,
        unless normalize is series.
    averages : a list of values, each an integer from 2 to 1000, default=()
        Give the network each value again as the mean of itself and all before it, in which a step
        weighs 1 - 1/n times as much as the one after it, for each n of the list: of noisy
        measurements under which something changes slowly.
    moves : a list of values, each an integer or "auto", default="auto"
        Read each series at several offsets when predicting, its ends repeated; the mean of what the
        network makes of them goes to the head. In training a series is read once, moved at random
        by train.shift. auto = back and forth by train.shift and by half of it, and not at all; [] =
        as it stands.
    stem : None, a map of filters, kernel_size, stride, layers and pooling or "auto", default=None
        Convolutions over time before the recurrent layers, each with batch normalisation and ReLU;
        {} = [32, 64, 64] filters of [9, 7, 5] steps; None = none. Its steps are what patch folds,
        which is then 1 unless it is set, and, pooled, what the head reads beside the recurrent
        layers (pooling: none = it does not). auto = what a classifier has. A list has a value for
        each network of train.ensemble.
    branch : fcn, a map of filters, kernel_size, stride, layers and pooling or None, default=None
        Convolutions over time beside the recurrent layers, each with batch normalisation and ReLU;
        their pooled steps stand beside those of the recurrent layers. fcn = [128, 256, 128] filters
        of [8, 5, 3] steps (Karim et al. 2018). A list has a value for each network of
        train.ensemble.
    normalize : {"none", "series"}, default="none"
        Each series by its own mean and spread, feature by feature, which the network then does not
        see.
    layer_norm : bool, default=False
        Normalise each step by its own features before every recurrent layer but the first (Ba et
        al. 2016).
    input_dropout : a number from 0 to below 1, default=0.0
        Share of the (scaled) values of a series that is dropped.
    quantiles : a rising list of numbers between 0 and 1 or None, default=None
        Quantiles to predict, e.g. [0.1, 0.5, 0.9], of every target; the middle one is the
        prediction. None = a point.
    variable_length : bool, default=False
        Add the input ``lengths``, ``(batch,)`` integers: how many steps of each series are valid.
        Inputs are then a dict ``{"x": ..., "lengths": ...}``. They are padded on the right.
    max_timesteps : int or None, default=None
        Most steps of a series, where `n_timesteps` is open and `bias_initializer` is "chrono".

    Returns
    -------
    keras.Model
        ``x`` ``(batch, n_timesteps, n_features)`` to ``output`` ``(batch, n_targets)``, in the
        units of the target: the layer ``standardized`` gives it in standard deviations, the
        last layer undoes that.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown, or a setting out of range.

    Examples
    --------
    >>> build_regressor(None, 4, variable_length=True).output_shape
    (None, 1)
    """
    return keras_model(series.regressor(**_all(settings)))


@takes(TaggerNetwork)
def build_tagger(settings: TaggerNetwork) -> keras.Model:
    """Build a model that gives the probability of each class at every time step.

    Parameters
    ----------
    n_timesteps : int or None
        Length of every series; None leaves it open.
    n_features : int
        Features a time step.
    n_classes : int
        Number of classes, at least 2.
    cell : str, default="gru"
        Recurrent cell; `seqkit list cells` describes each. One of "simple_rnn", "lstm_1997",
        "lstm", "vanilla", "nig", "nfg", "nog", "niaf", "noaf", "cifg", "fgr", "gru",
        "gru_reset_before", "np".
    units : a positive integer or a list of them, default=64
        Width of the recurrent layer; a list is a stack of layers.
    bidirectional : true or false or "auto", default="auto"
        Run every layer in both directions and join the results. auto = unless target is next, where
        the backward direction would see what is asked.
    dropout : a number from 0 to below 1, default=0.2
        Share dropped on the input of every recurrent layer after the first, and before the head.
    recurrent_dropout : a number from 0 to below 1, default=0.0
        Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016).
    residual : bool, default=False
        Add a layer's input to its output from the second layer on; for deep stacks.
    dense : a list of positive integers, default=()
        Widths of hidden layers before the head.
    scale : {"none", "standard", "minmax", "robust"}, default="standard"
        Scaling of the features, fitted on the training part and kept in the model: zero mean and
        unit variance, to [0, 1], or by median and quartiles. The kind says which statistics an
        estimator puts into the layer; by hand, call its ``adapt``.
    kernel_initializer : str, default="glorot_uniform"
        What the input matrices of the recurrent layers start from. One of "glorot_uniform",
        "he_normal", "orthogonal", "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    recurrent_initializer : str, default="orthogonal"
        What their recurrent matrices start from; orthogonal_gates = the block of each gate is
        orthogonal by itself. One of "glorot_uniform", "he_normal", "orthogonal",
        "orthogonal_gates", "normal", "uniform", "zeros", "ones".
    bias_initializer : {"forget_one", "zeros", "chrono"}, default="forget_one"
        What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units
        forget over times from one step to as many as there are (Tallec and Ollivier 2018).
    embedding : a positive integer or None, default=None
        Numbers that stand for a token, learned. Default: 64; of tokens only.
    mixture : a positive integer or None, default=None
        Normal distributions whose mixture tells the numbers of the next step (Bishop 1994).
        Default: 5; of target next and series of numbers only.
    n_tokens : int or None, default=None
        Number of tokens, where series are of tokens and not of features.
    variable_length : bool, default=False
        Add the input ``lengths``, ``(batch,)`` integers: how many steps of each series are valid.
        Inputs are then a dict ``{"x": ..., "lengths": ...}``. They are padded on the right.
    max_timesteps : int or None, default=None
        Most steps of a series, where `n_timesteps` is open and `bias_initializer` is "chrono".
    multilabel : bool, default=False
        Every class is there or not, whatever the others are: a sigmoid each, not a softmax.

    Returns
    -------
    keras.Model
        ``x`` ``(batch, n_timesteps, n_features)``, or with `n_tokens` integer codes ``(batch,
        n_timesteps)``, to ``probabilities`` ``(batch, n_timesteps, n_classes)``; the layer
        ``logits`` comes before the softmax or the sigmoids. With `mixture`, where `n_classes` is
        None, to ``(batch, n_timesteps, mixture, 1 + 2 n_features)``: weight, means and scales of
        each normal distribution for the numbers of the next step. What it says of steps past a
        series' length means nothing.

    Raises
    ------
    TypeError, ValueError
        If an argument is unknown, or a setting out of range.

    Examples
    --------
    >>> build_tagger(100, 13, 61, cell="lstm", units=[16, 16]).output_shape
    (None, 100, 61)
    >>> build_tagger(None, None, 13, n_tokens=500, units=16).output_shape
    (None, None, 13)
    """
    return keras_model(tagging.tagger(**_all(settings)))
