"""Arguments of Keras's recurrent layers that seqkit's do not have, each with what stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqkit.errors import explain

__all__ = ["ABSENT", "ABSENT_PAIR", "refuse_absent"]

_ACTIVATION = (
    "The activations belong to the cell, whose compiled kernels and gradient are written for them: "
    "'lstm' and 'gru' have Keras's defaults, tanh and sigmoid. "
)
_OTHER_ACTIVATION = (
    "Choose another cell ('niaf' and 'noaf' are linear where 'vanilla' is tanh), write a row of "
    "seqkit.cells.CELLS (docs/extending.md), or use keras.layers."
)
_KERNEL = "Use kernel to choose how a sequence is computed; kernel_report tells what was chosen."

ABSENT = {
    "activation": _ACTIVATION + _OTHER_ACTIVATION,
    "recurrent_activation": _ACTIVATION + _OTHER_ACTIVATION,
    "unroll": (
        "The compiled kernels run over all steps in one call, so there is no loop to unroll; any "
        "number of steps is allowed. Leave it out."
    ),
    "reset_after": (
        "That is the choice of the cell. Use cell='gru' for reset_after=True and "
        "cell='gru_reset_before' for reset_after=False."
    ),
    "implementation": (
        "Keras 3 has it no longer, and each kernel orders its products in one way. " + _KERNEL
    ),
    "use_cudnn": (
        "Keras's kernel, and cuDNN with it, is chosen where there is a GPU and it serves the cell. "
        + _KERNEL
    ),
    "time_major": (
        "Inputs and outputs are (batch, time, features), as everywhere in Keras 3. Use "
        "keras.ops.transpose(x, (1, 0, 2)) before and after the layer."
    ),
    "zero_output_for_mask": (
        "Outputs past a series' length are always 0. Leave it out; the last valid output is what "
        "the layer returns without return_sequences."
    ),
}
"""Of ``keras.layers.LSTM``, ``GRU``, ``SimpleRNN`` and ``RNN``, Keras 2 included."""

ABSENT_PAIR = {
    "merge_mode": (
        "The two directions are always side by side, as with 'concat'. Split the output in halves "
        "along its last axis to add, multiply or average them."
    ),
    "layer": (
        "It makes its two layers itself. Use Bidirectional(units, cell), or "
        "keras.layers.Bidirectional(GatedRNN(units, cell))."
    ),
    "backward_layer": (
        "Both directions have the same settings. Use "
        "keras.layers.Bidirectional(forward, backward_layer=backward) with two GatedRNN."
    ),
}
"""Of ``keras.layers.Bidirectional``."""


def refuse_absent(owner: str, given: Mapping[str, Any], table: Mapping[str, str]) -> None:
    """Raise one ValueError for the first argument of a table that was given.

    Parameters
    ----------
    owner : str
        The layer, for the message.
    given : mapping of str to object
        Its keyword arguments.
    table : mapping of str to str
        `ABSENT` or `ABSENT_PAIR`: names, and what to do instead.
    """
    for name, instead in table.items():
        if name in given:
            raise ValueError(explain(owner, name, "left out", given[name], instead))
