"""Builder functions: from settings to a plain ``keras.Model`` that takes raw values.

``x -> Standardize -> Patch -> recurrent stack -> pooling -> dense -> head``. The result is an
ordinary functional model: compile and fit it by hand, or let an estimator do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from seqkit import _register_layers
from seqkit.architecture import stack_units
from seqkit.auto import AUTO, patch_for
from seqkit.cells import ALIASES, CELLS
from seqkit.errors import explain, suggest
from seqkit.layers import (
    AttentionPooling,
    Bidirectional,
    GatedRNN,
    Patch,
    SequencePooling,
    Standardize,
    Unstandardize,
)

__all__ = ["build_classifier", "build_regressor", "encode", "recurrent_stack"]

POOLINGS = ("last", "mean", "max", "mean_max", "attention")
SCALES = ("none", "standard", "minmax", "robust")


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
    if n_classes < 2:
        raise ValueError(explain("build_classifier", "n_classes", "at least 2", n_classes))
    inputs, features = encode(
        n_timesteps,
        n_features,
        variable_length=variable_length,
        owner="build_classifier",
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
    logits = keras.layers.Dense(n_classes, name="logits")(features)
    head = keras.layers.Activation("sigmoid") if multilabel else keras.layers.Softmax()
    head.name = "probabilities"
    probabilities = head(logits)
    return keras.Model(inputs, probabilities, name="classifier")


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
    if n_targets < 1:
        raise ValueError(explain("build_regressor", "n_targets", "at least 1", n_targets))
    inputs, features = encode(
        n_timesteps,
        n_features,
        variable_length=variable_length,
        owner="build_regressor",
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
    standardized = keras.layers.Dense(n_targets, name="standardized")(features)
    output = Unstandardize(name="output")(standardized)
    return keras.Model(inputs, output, name="regressor")


def encode(
    n_timesteps: int | None,
    n_features: int,
    *,
    variable_length: bool,
    owner: str,
    dropout: float,
    patch: int | str,
    dense: Sequence[int],
    scale: str,
    **stack: Any,
) -> tuple[Any, Any]:
    """Return the inputs, and the vector ``(batch, width)`` that a head reads."""
    _check_choice(owner, "scale", scale, SCALES)
    x = keras.Input((n_timesteps, n_features), name="x")
    inputs: Any = x
    lengths = None
    if variable_length:
        lengths = keras.Input((), dtype="int32", name="lengths")
        inputs = {"x": x, "lengths": lengths}
    if scale != "none":
        x = Standardize(name="standardize")(x)
    if not 0 <= dropout < 1:
        raise ValueError(explain(owner, "dropout", "in [0, 1)", dropout))
    if isinstance(patch, str):
        if patch != AUTO:
            raise ValueError(explain(owner, "patch", "a positive integer or auto", patch))
        patch = 1 if n_timesteps is None else patch_for(n_timesteps)
    if patch > 1:
        folding = Patch(patch, name="patch")
        x = folding(x) if lengths is None else folding(x, lengths=lengths)
        if lengths is not None:
            lengths = folding.patched_lengths(lengths)
    features = recurrent_stack(x, lengths, owner=owner, dropout=dropout, **stack)
    for i, width in enumerate(dense):
        features = keras.layers.Dense(width, activation="relu", name=f"dense_{i + 1}")(features)
    if dropout:
        features = keras.layers.Dropout(dropout, name="dropout_head")(features)
    return inputs, features


def recurrent_stack(
    x: Any,
    lengths: Any,
    *,
    owner: str,
    cell: str,
    units: int | Sequence[int],
    bidirectional: bool,
    dropout: float,
    recurrent_dropout: float,
    residual: bool,
    pooling: str | None,
) -> Any:
    """Stack recurrent layers on `x` and pool; ``pooling=None`` keeps every step."""
    if cell not in CELLS and cell not in ALIASES:
        hint = suggest(cell, CELLS)
        raise ValueError(explain(owner, "cell", f"one of {', '.join(CELLS)}", cell, hint))
    if pooling is not None:
        _check_choice(owner, "pooling", pooling, POOLINGS)
    widths = stack_units(units)
    if residual and len(set(widths)) > 1:
        raise ValueError(
            explain(owner, "units", "equal in all layers with residual=True", list(widths))
        )
    kind = Bidirectional if bidirectional else GatedRNN
    timing = {} if lengths is None else {"lengths": lengths}
    # a residual sum needs the steps of both layers, so the last state is read afterwards
    read_state = pooling == "last" and not (residual and len(widths) > 1)
    for i, width in enumerate(widths):
        last = i == len(widths) - 1
        if i and dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{i + 1}")(x)
        layer = kind(
            width,
            cell=cell,
            recurrent_dropout=recurrent_dropout,
            return_sequences=not (last and read_state),
            name=f"recurrent_{i + 1}",
        )
        output = layer(x, **timing)
        x = keras.layers.Add(name=f"residual_{i + 1}")([x, output]) if residual and i else output
    if pooling is None or read_state:
        return x
    if pooling == "attention":
        return AttentionPooling(name="pooling")(x, **timing)
    return SequencePooling(pooling, bidirectional=bidirectional, name="pooling")(x, **timing)


def _check_choice(owner: str, name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(
            explain(owner, name, f"one of {', '.join(choices)}", value, suggest(value, choices))
        )


_register_layers(__name__)
