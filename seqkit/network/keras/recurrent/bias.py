"""How the bias of a cell starts."""

from __future__ import annotations

from typing import Any

import keras

from seqkit.cells import find_cell

__all__ = ["CellBias"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class CellBias(keras.initializers.Initializer):
    """Initialise the bias of a cell: an initialiser, and 1 for the forget gate if wanted.

    Parameters
    ----------
    cell : str
        Name of the cell.
    bias_initializer : str or keras.initializers.Initializer, default="zeros"
        For the other blocks.
    unit_forget_bias : bool, default=True
        Whether the forget gate starts at 1 (Jozefowicz et al. 2015); a coupled cell's input
        gate starts at -1, which is the same.
    """

    def __init__(
        self, cell: str, bias_initializer: Any = "zeros", unit_forget_bias: bool = True
    ) -> None:
        self.cell = cell
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.unit_forget_bias = unit_forget_bias

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Return the bias, of shape (blocks * units,) or (2, blocks * units)."""
        bias = self.bias_initializer(shape, dtype=dtype)
        cell = find_cell(self.cell)
        if not self.unit_forget_bias or cell.forget_bias is None:
            return bias
        gate, value = cell.forget_bias
        blocks = keras.ops.split(bias, len(cell.gates), axis=-1)
        n = cell.gates.index(gate)
        blocks[n] = keras.ops.full_like(blocks[n], value)
        return keras.ops.concatenate(blocks, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            "cell": self.cell,
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "unit_forget_bias": self.unit_forget_bias,
        }
