"""One recurrent layer for every cell."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from seqkit.cells import Cell, CellName, find_cell
from seqkit.errors import explain
from seqkit.network.keras import kernels
from seqkit.network.keras.recurrent.absent import ABSENT, refuse_absent
from seqkit.network.keras.recurrent.arguments import Constraint, Initializer, Regularizer
from seqkit.network.keras.recurrent.bias import CellBias

__all__ = ["GatedRNN", "mask_to_lengths"]

Tensor = Any

_ROLES = ("kernel", "recurrent", "bias", "peephole", "gate")


def mask_to_lengths(mask: Tensor, owner: str = "GatedRNN") -> Tensor:
    """Return the lengths of a right-padded mask; an error where it is not right-padded."""
    mask = tf.cast(mask, tf.bool)
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    padded = tf.reduce_all(tf.equal(mask, tf.sequence_mask(lengths, tf.shape(mask)[1])))
    message = explain(
        owner,
        "mask",
        "right-padded: True up to the length of a series, False after it",
        "a mask with a hole or with padding on the left",
        "Move the padding to the end, or fill the hole.",
    )
    if tf.executing_eagerly():
        if not bool(padded):
            raise ValueError(message)
        return lengths
    with tf.control_dependencies([tf.debugging.Assert(padded, [message])]):
        return tf.identity(lengths)


def _at_last(sequence: Tensor, first: Tensor, lengths: Tensor) -> Tensor:
    """Return each series' own last row of (time, batch, units); `first` where it has none."""
    rows = tf.range(tf.shape(lengths)[0])
    index = tf.stack([tf.maximum(lengths - 1, 0), rows], 1)
    return tf.where((lengths > 0)[:, None], tf.gather_nd(sequence, index), first)


@keras.saving.register_keras_serializable(package="seqkit")
class GatedRNN(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Recurrent layer of any cell of `seqkit.cells.CELLS`.

    Use it where one would use ``keras.layers.LSTM``, ``GRU`` or ``SimpleRNN``: argument names,
    packed weights and outputs are theirs, and their weights can be copied over as they are.

    Parameters
    ----------
    units : int
        Size of the output.
    cell : str, default="lstm"
        A name of `CELLS` or `ALIASES`.
    return_sequences : bool, default=False
        Whether to return the output of every step.
    return_state : bool, default=False
        Whether to return the states after the last step too.
    go_backwards : bool, default=False
        Whether to walk from the last step to the first; outputs are then in reversed order, as
        in Keras. With `lengths` each series is reversed within its own length (its padding stays
        at the end); with `mask` the whole row is, so that ``keras.layers.Bidirectional`` aligns.
    stateful : bool, default=False
        Whether a batch starts from the last states of the batch before; needs a fixed batch size.
    use_bias, unit_forget_bias : bool, default=True
        Whether there is a bias; whether the forget gate's starts at 1.
    dropout : float, default=0.0
        Fraction of the inputs dropped in training, one mask a sequence. In [0, 1).
    recurrent_dropout : float, default=0.0
        Fraction of h_{t-1} dropped in the recurrent products in training, one mask a sequence
        (Gal and Ghahramani 2016). In [0, 1).
    kernel_initializer, recurrent_initializer, bias_initializer : default as keras.layers.LSTM
    peephole_initializer : default="zeros"
        So that a cell with peepholes starts as the cell without.
    gate_initializer : default="glorot_uniform"
        Of the matrices from gates to gates (`fgr`).
    kernel_regularizer, recurrent_regularizer, bias_regularizer, peephole_regularizer, \
gate_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, \
peephole_constraint, gate_constraint : optional
    seed : int, optional
        Of the dropout masks.
    kernel : str, default="auto"
        How the sequence is computed: ``"auto"`` or a name of
        `seqkit.network.keras.kernels.KERNELS`. `kernel_report` says what was chosen and why.
    **kwargs
        Of ``keras.layers.Layer``: name, dtype, trainable, activity_regularizer.

    Raises
    ------
    ValueError
        If the cell is unknown, a number out of range, or an argument one of Keras's layers that
        this one does not have (`activation`, `reset_after`, ...): the message says what to use.

    Examples
    --------
    >>> import numpy as np
    >>> layer = GatedRNN(4, cell="vanilla", return_sequences=True)
    >>> layer(np.ones((2, 5, 3), "float32"), lengths=np.array([5, 2])).shape
    TensorShape([2, 5, 4])
    """

    def __init__(
        self,
        units: int,
        cell: CellName = "lstm",
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        peephole_initializer: Initializer = "zeros",
        gate_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        peephole_regularizer: Regularizer = None,
        gate_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        peephole_constraint: Constraint = None,
        gate_constraint: Constraint = None,
        seed: int | None = None,
        kernel: Literal["auto", "keras", "compiled", "reference"] = "auto",
        **kwargs: Any,
    ) -> None:
        refuse_absent("GatedRNN", kwargs, ABSENT)
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise ValueError(explain("GatedRNN", "units", "a positive integer", units))
        for what, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate < 1:
                raise ValueError(explain("GatedRNN", what, "in [0, 1)", rate))
        if kernel != "auto" and kernel not in kernels.KERNELS:
            known = f"'auto' or one of {list(kernels.KERNELS)}"
            raise ValueError(explain("GatedRNN", "kernel", known, kernel))
        self.units = units
        self.cell = find_cell(cell).name
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        given = locals()
        for role in _ROLES:
            for kind, module in (
                ("initializer", keras.initializers),
                ("regularizer", keras.regularizers),
                ("constraint", keras.constraints),
            ):
                setattr(self, f"{role}_{kind}", module.get(given[f"{role}_{kind}"]))
        self.seed = seed
        self.seed_generator = (
            keras.random.SeedGenerator(seed) if (dropout or recurrent_dropout) else None
        )
        self.kernel_choice = kernel
        self.directions = 1  # how many such layers run side by side
        self.states: list[Any] | None = None
        self.supports_masking = True
        self.supports_jit = False
        self.input_spec = keras.layers.InputSpec(ndim=3)
        row = self._row
        self.state_size = [units for _ in row.states]

    @property
    def _row(self) -> Cell:
        return find_cell(self.cell)

    def build(
        self, sequences_shape: Any, lengths_shape: Any = None, initial_state_shape: Any = None
    ) -> None:
        """Make the weights, in the order of Keras: kernel, recurrent_kernel, bias, the others."""
        row, units = self._row, self.units
        columns = len(row.gates) * units
        n_features = sequences_shape[-1]
        if n_features is None:
            raise ValueError(
                explain("GatedRNN", "the last axis of the input", "known", sequences_shape)
            )
        self.input_spec = keras.layers.InputSpec(ndim=3, axes={2: n_features})

        def add(role: str, name: str, shape: tuple[int, ...], initializer: Any = None) -> Any:
            return self.add_weight(
                name=name,
                shape=shape,
                initializer=initializer or getattr(self, f"{role}_initializer"),
                regularizer=getattr(self, f"{role}_regularizer"),
                constraint=getattr(self, f"{role}_constraint"),
            )

        self.kernel = add("kernel", "kernel", (n_features, columns))
        self.recurrent_kernel = add("recurrent", "recurrent_kernel", (units, columns))
        self.bias = self.peephole_kernel = self.gate_kernel = None
        if self.use_bias:
            shape = (2, columns) if row.bias_rows == 2 else (columns,)
            bias = CellBias(self.cell, self.bias_initializer, self.unit_forget_bias)
            self.bias = add("bias", "bias", shape, bias)
        if row.peepholes:
            self.peephole_kernel = add("peephole", "peephole_kernel", (len(row.peepholes), units))
        if row.gate_recurrence:
            n = len(row.gate_recurrence) * units
            self.gate_kernel = add("gate", "gate_kernel", (n, n))
        if self.stateful:
            batch = sequences_shape[0]
            if batch is None:
                raise ValueError(
                    explain(
                        "GatedRNN",
                        "the batch size of a stateful layer",
                        "fixed",
                        sequences_shape,
                        "Give keras.Input a batch_shape.",
                    )
                )
            self.states = [
                self.add_weight(
                    name=f"state_{k}", shape=(batch, units), initializer="zeros", trainable=False
                )
                for k in row.states
            ]

    def kernel_report(self) -> kernels.Choice:
        """Return which kernel trains this layer, and why not a faster one."""
        row, dtype = self._row, self.compute_dtype
        if self.kernel_choice == "auto":
            return kernels.choose_kernel(row, dtype, self.recurrent_dropout)
        reason = kernels.KERNELS[self.kernel_choice].refuses(
            row, dtype, self.recurrent_dropout > 0, self.kernel_choice == "keras", True
        )
        if reason:
            raise ValueError(
                explain("GatedRNN", "kernel", "one that serves", self.kernel_choice, reason)
            )
        return kernels.Choice(self.kernel_choice, "asked for by the argument kernel", {})

    def get_initial_state(self, batch_size: Any) -> list[Tensor]:
        """Return the states before the first step: zeros, (batch, units) each."""
        shape = (batch_size, self.units)
        return [tf.zeros(shape, self.compute_dtype) for _ in self._row.states]

    def reset_state(self) -> None:
        """Set the states of a stateful layer to zero."""
        for state in self.states or ():
            state.assign(keras.ops.zeros_like(state))

    reset_states = reset_state

    def weights_as_given(self) -> kernels.Weights:
        """Return the weights as tensors in the precision the layer computes in."""
        given = (
            self.kernel,
            self.recurrent_kernel,
            self.bias,
            self.peephole_kernel,
            self.gate_kernel,
        )
        cast = self.compute_dtype
        return kernels.Weights(
            *(None if w is None else tf.cast(tf.convert_to_tensor(w.value), cast) for w in given)
        )

    def call(
        self,
        sequences: Tensor,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        initial_state: Any = None,
        training: bool | None = None,
        sequences_mask: Tensor | None = None,
    ) -> Any:
        """Compute the layer.

        Parameters
        ----------
        sequences : tensor of shape (batch, time, n_features)
        lengths : tensor of int of shape (batch,), optional
            Steps of each series, the rest of the row being padding. Outputs past a length are 0.
        mask : tensor of bool of shape (batch, time), optional
            The same as a right-padded mask.
        initial_state : tensor or list of tensors of shape (batch, units), optional
            In the order of the cell's states.
        training : bool, optional
            Whether to drop out.
        sequences_mask : tensor of bool of shape (batch, time), optional
            What Keras calls `mask` where the states are tensors, too.

        Returns
        -------
        tensor of shape (batch, time, units), or (batch, units), followed by the states with
        `return_state`

        Raises
        ------
        ValueError
            If `mask` is not right-padded, or `initial_state` has not the cell's states.
            (Inside a graph: tf.errors.InvalidArgumentError.)
        """
        mask = sequences_mask if mask is None else mask
        out, states = self.time_major(sequences, lengths, mask, initial_state, training)
        if self.return_sequences:
            out = tf.transpose(out, [1, 0, 2])
        return (out, *states) if self.return_state else out

    # long: every combination of states, lengths, masks and directions that Keras's call may ask for
    def time_major(
        self,
        sequences: Tensor,
        lengths: Tensor | None,
        mask: Tensor | None,
        initial_state: Any,
        training: bool | None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output, by time where it is a sequence, and the last states."""
        row, dtype = self._row, self.compute_dtype
        x = tf.cast(tf.convert_to_tensor(sequences), dtype)
        whole_rows = lengths is None  # reverse whole rows, as Keras does under a mask
        if lengths is None and mask is not None:
            mask = mask[0] if isinstance(mask, list | tuple) else mask
            if mask is not None:
                lengths = mask_to_lengths(tf.convert_to_tensor(mask))
        if lengths is not None:
            lengths = tf.cast(tf.convert_to_tensor(lengths), tf.int32)

        # by time, as kernels look at it: the layer before then turns it for nobody
        n_series = tf.shape(tf.transpose(x, [1, 0, 2]))[1]
        initial = self._initial(initial_state, n_series)
        recurrent_mask = None
        if training and self.dropout:
            x *= self._drop(tf.ones_like(x[:, :1]), self.dropout)
        if training and self.recurrent_dropout:
            recurrent_mask = self._drop(tf.ones_like(initial[0]), self.recurrent_dropout)

        def backwards(by_batch: Tensor) -> Tensor:
            if lengths is None:
                return tf.reverse(by_batch, [1])
            return tf.reverse_sequence(by_batch, lengths, seq_axis=1, batch_axis=0)

        if self.go_backwards:
            x = backwards(x)
        kernel = self.kernel_report().name
        if kernel == "compiled" and not training:
            kernel = kernels.choose_kernel(row, dtype, self.recurrent_dropout, training=False).name
        last = not self.return_sequences and lengths is None
        wants_states = self.return_state or self.stateful
        n_states = len(row.states) if wants_states else 1
        if kernel == "keras" and not last and n_states > 1:
            # Keras tells h of every step but c of the last one only
            kernel = kernels.choose_kernel(
                row, dtype, self.recurrent_dropout, gpu=False, training=False
            ).name
        batch = x.shape[0]
        rows = kernels.run_kernel(
            kernel,
            row,
            x,
            self.weights_as_given(),
            initial,
            last=last,
            n_states=n_states,
            recurrent_mask=recurrent_mask,
            training=bool(training),
            shards=None,
            directions=self.directions,
        )
        if last:
            final = list(rows)
        elif lengths is None:
            final = [s[-1] for s in rows]
        elif wants_states or not self.return_sequences:
            final = [_at_last(s, h0, lengths) for s, h0 in zip(rows, initial, strict=False)]
        else:
            final = []
        if not self.return_sequences:
            out = final[0]
        else:
            out = rows[0]
            if lengths is not None:
                valid = tf.sequence_mask(lengths, tf.shape(x)[1], dtype=out.dtype)
                out *= tf.expand_dims(tf.transpose(valid), -1)
                if self.go_backwards and whole_rows:
                    # Keras turns whole rows, so their padding comes first.
                    out = tf.reverse(
                        tf.reverse_sequence(out, lengths, seq_axis=0, batch_axis=1), [0]
                    )
                    out.set_shape([x.shape[1], batch, self.units])
        if self.stateful and self.states is not None:
            for variable, state in zip(self.states, final, strict=True):
                variable.assign(state)
        return out, final

    def _initial(self, given: Any, batch: Tensor) -> tuple[Tensor, ...]:
        n = len(self._row.states)
        if given is None:
            given = self.states if self.stateful else self.get_initial_state(batch)
        given = list(given) if isinstance(given, list | tuple) else [given]
        if len(given) != n:
            raise ValueError(
                explain(
                    "GatedRNN",
                    "initial_state",
                    f"the {n} states {self._row.states} of {self.cell}",
                    f"{len(given)} tensors",
                )
            )
        given = [s.value if isinstance(s, keras.Variable) else s for s in given]
        cast = [tf.cast(tf.convert_to_tensor(s), self.compute_dtype) for s in given]
        return tuple(tf.ensure_shape(s, [None, self.units]) for s in cast)

    def _drop(self, ones: Tensor, rate: float) -> Tensor:
        return keras.random.dropout(ones, rate, seed=self.seed_generator)

    def inspect(self, sequences: Tensor, initial_state: Any = None) -> dict[str, Tensor]:
        """Return states and gate activations at every step, by the plain reference.

        Parameters
        ----------
        sequences : tensor of shape (batch, time, n_features)
        initial_state : tensor or list of tensors of shape (batch, units), optional

        Returns
        -------
        dict of str to tensor of shape (batch, time, units)
            ``"state_h"``, ``"state_c"``, ... and every gate and the candidate by block name, in
            the order the layer walks.
        """
        x = tf.cast(tf.convert_to_tensor(sequences), self.compute_dtype)
        if self.go_backwards:
            x = tf.reverse(x, [1])
        initial = self._initial(initial_state, tf.shape(x)[0])
        return kernels.gates_over_time(self._row, x, self.weights_as_given(), initial)

    def compute_output_shape(
        self, sequences_shape: Any, lengths_shape: Any = None, initial_state_shape: Any = None
    ) -> Any:
        """Return (batch, time, units) or (batch, units), and the states' with `return_state`."""
        batch, time = sequences_shape[0], sequences_shape[1]
        out = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        if not self.return_state:
            return out
        return (out, *((batch, self.units) for _ in self.state_size))

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Hand the mask on where there is a sequence to mask."""
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        config: dict[str, Any] = {
            "units": self.units,
            "cell": self.cell,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "seed": self.seed,
            "kernel": self.kernel_choice,
        }
        for role in _ROLES:
            for kind, module in (
                ("initializer", keras.initializers),
                ("regularizer", keras.regularizers),
                ("constraint", keras.constraints),
            ):
                config[f"{role}_{kind}"] = module.serialize(getattr(self, f"{role}_{kind}"))
        return {**super().get_config(), **config}
