"""Two recurrent layers, one from each end of the series."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from seqkit.cells import CellName
from seqkit.errors import explain
from seqkit.network.keras import kernels
from seqkit.network.keras.recurrent.absent import ABSENT, ABSENT_PAIR, refuse_absent
from seqkit.network.keras.recurrent.gated import GatedRNN, mask_to_lengths

__all__ = ["Bidirectional"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class Bidirectional(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Two `GatedRNN` over the same series, one from each end, side by side.

    Unlike reading a bidirectional sequence at its last step, where the backward half has seen
    one step only, the output without `return_sequences` is the last forward state beside the
    backward state at the first step, at each series' own length.

    Parameters
    ----------
    units : int
        Size of one direction.
    cell : str, default="lstm"
    return_sequences : bool, default=False
        Whether to return every step, (batch, time, 2 * units), aligned in time; else
        (batch, 2 * units).
    **kwargs
        Of `GatedRNN`, for both directions; name, dtype and trainable.

    Examples
    --------
    >>> import numpy as np
    >>> Bidirectional(4, "gru")(np.ones((2, 5, 3), "float32")).shape
    TensorShape([2, 8])
    """

    def __init__(
        self, units: int, cell: CellName = "lstm", return_sequences: bool = False, **kwargs: Any
    ) -> None:
        refuse_absent("Bidirectional", kwargs, ABSENT_PAIR | ABSENT)
        base = ("name", "dtype", "trainable", "activity_regularizer")
        own = {k: kwargs.pop(k) for k in base if k in kwargs}
        super().__init__(**own)
        for name in ("return_state", "stateful", "go_backwards"):
            if kwargs.pop(name, False):
                raise ValueError(
                    explain("Bidirectional", name, "False", True, "Use two GatedRNN of your own.")
                )
        common = {"cell": cell, "return_sequences": return_sequences, "dtype": self.dtype_policy}
        seed = kwargs.pop("seed", None)
        other = None if seed is None else seed + 1
        self.forward_layer = GatedRNN(units, **common, **kwargs, seed=seed, name="forward")
        self.backward_layer = GatedRNN(
            units, **common, **kwargs, seed=other, go_backwards=True, name="backward"
        )
        for layer in (self.forward_layer, self.backward_layer):
            layer.directions = 2
        self.units = units
        self.cell = self.forward_layer.cell
        self.return_sequences = return_sequences
        self.supports_masking = True
        self.supports_jit = False
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, sequences_shape: Any, lengths_shape: Any = None) -> None:
        """Make the weights of both directions."""
        for layer in (self.forward_layer, self.backward_layer):
            layer.build(sequences_shape)

    def kernel_report(self) -> kernels.Choice:
        """Return which kernel computes this layer, and why not a faster one."""
        return self.forward_layer.kernel_report()

    def call(
        self,
        sequences: Tensor,
        lengths: Tensor | None = None,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Compute both directions.

        Parameters
        ----------
        sequences : tensor of shape (batch, time, n_features)
        lengths : tensor of int of shape (batch,), optional
        mask : tensor of bool of shape (batch, time), optional
            Right-padded.
        training : bool, optional

        Returns
        -------
        tensor of shape (batch, time, 2 * units) or (batch, 2 * units)
        """
        if lengths is None and mask is not None:
            lengths = mask_to_lengths(tf.convert_to_tensor(mask), "Bidirectional")
        forward, _ = self.forward_layer.time_major(sequences, lengths, None, None, training)
        backward, _ = self.backward_layer.time_major(sequences, lengths, None, None, training)
        if not self.return_sequences:
            return tf.concat([forward, backward], -1)
        if lengths is None:
            backward = tf.reverse(backward, [0])
        else:
            lengths = tf.cast(tf.convert_to_tensor(lengths), tf.int32)
            backward = tf.reverse_sequence(backward, lengths, seq_axis=0, batch_axis=1)
        return tf.transpose(tf.concat([forward, backward], -1), [1, 0, 2])

    def compute_output_shape(self, sequences_shape: Any, lengths_shape: Any = None) -> Any:
        """Return (batch, time, 2 * units) or (batch, 2 * units)."""
        batch, time = sequences_shape[0], sequences_shape[1]
        columns = 2 * self.units
        return (batch, time, columns) if self.return_sequences else (batch, columns)

    def compute_mask(self, _: Any, mask: Any) -> Any:
        """Hand the mask on where there is a sequence to mask."""
        return mask if self.return_sequences else None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        inner = self.forward_layer.get_config()
        own = super().get_config()
        for name in (*own, "return_state", "stateful", "go_backwards"):
            inner.pop(name, None)
        return {**own, **inner}
