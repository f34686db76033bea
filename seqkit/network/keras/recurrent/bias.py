"""How the bias of a cell starts, and initial weights by the names of seqkit."""

from __future__ import annotations

import random
from typing import Any

import keras

from seqkit.cells import find_cell
from seqkit.network.initializers import BIASES, DEFAULT, INITIALIZERS, Initializers

__all__ = ["CellBias", "StartOf", "starting"]

Tensor = Any


@keras.saving.register_keras_serializable(package="seqkit")
class CellBias(keras.initializers.Initializer):  # type: ignore[misc]  # Keras has no types
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


@keras.saving.register_keras_serializable(package="seqkit")
class StartOf(keras.initializers.Initializer):  # type: ignore[misc]  # Keras has no types
    """Initialise a weight of a recurrent layer as a description says.

    Parameters
    ----------
    name : str
        A row of :data:`~seqkit.network.initializers.INITIALIZERS`, or of ``BIASES`` for a bias.
    cell : str
    bias : bool, default=False
    n_steps : int, default=0
        Steps that the layer sees, for ``chrono``.
    seed : int, optional
        Without one each call draws anew, from Python's generator as Keras does.
    """

    def __init__(
        self, name: str, cell: str, bias: bool = False, n_steps: int = 0, seed: int | None = None
    ) -> None:
        self.name, self.cell, self.bias, self.n_steps, self.seed = name, cell, bias, n_steps, seed

    def __call__(self, shape: Any, dtype: Any = None) -> Tensor:
        """Return the weight."""
        seed = random.randrange(2**31) if self.seed is None else self.seed
        if self.bias:
            drawn = BIASES[self.name](self.cell, tuple(shape), seed, self.n_steps)
        else:
            drawn = INITIALIZERS[self.name](tuple(shape), seed, len(find_cell(self.cell).gates))
        return keras.ops.convert_to_tensor(drawn, dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return dict(vars(self))


def starting(initializers: tuple[Any, ...], cell: str) -> dict[str, Any]:
    """Return the arguments of a `GatedRNN` with the initializers of a description."""
    given, options = Initializers(*initializers), dict[str, Any]()
    for role in ("kernel", "recurrent"):
        if (name := getattr(given, role)) != getattr(DEFAULT, role):
            options[f"{role}_initializer"] = StartOf(name, cell)
    if given.bias != DEFAULT.bias:
        options["bias_initializer"] = StartOf(given.bias, cell, True, given.n_steps)
        options["unit_forget_bias"] = False
    return options
