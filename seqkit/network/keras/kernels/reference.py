"""The plain reference: the step of every cell, written once, as the papers write it.

It is what the fast kernels are tested against, and what inspection uses: the step yields its
gate activations. Gradients are TensorFlow's own.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from seqkit.cells import Cell, Weights

__all__ = ["ACTIVATIONS", "Weights", "gates_over_time", "reference", "split_blocks", "step"]

Tensor = Any

ACTIVATIONS = {"sigmoid": tf.sigmoid, "tanh": tf.tanh, "linear": tf.identity}


def split_blocks(cell: Cell, packed: Tensor) -> dict[str, Tensor]:
    """Return the blocks of packed columns by the name of their gate."""
    return dict(zip(cell.gates, tf.split(packed, len(cell.gates), axis=-1), strict=True))


def step(
    cell: Cell,
    weights: Weights,
    x: Tensor,
    states: tuple[Tensor, ...],
    recurrent_mask: Tensor | None = None,
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Compute one step of a cell.

    Parameters
    ----------
    cell : Cell
    weights : Weights
    x : tensor of shape (batch, n_features)
    states : tuple of tensors of shape (batch, units)
        In the order of ``cell.states``.
    recurrent_mask : tensor of shape (batch, units), optional
        Multiplies h_{t-1} in the recurrent products (Gal and Ghahramani 2016).

    Returns
    -------
    states : tuple of tensors of shape (batch, units)
    activations : dict of str to tensor of shape (batch, units)
        Every gate the cell computes and its candidate, by block name.
    """
    sigma = ACTIVATIONS[cell.gate_activation]
    g = ACTIVATIONS[cell.input_activation]
    a = ACTIVATIONS[cell.output_activation]
    before = dict(zip(cell.states, states, strict=True))
    h = before["h"]  # (batch, units)
    hm = h if recurrent_mask is None else h * recurrent_mask
    bias = weights.bias
    Wx = tf.matmul(x, weights.kernel)  # (batch, G * units)
    if bias is not None:
        Wx += bias if cell.bias_rows == 1 else bias[0]
    Wx = split_blocks(cell, Wx)

    if cell.family == "gru":
        R = split_blocks(cell, weights.recurrent_kernel)
        d = dict.fromkeys(cell.gates, 0.0)
        if bias is not None and cell.bias_rows == 2:
            d = split_blocks(cell, bias[1])
        z = sigma(Wx["z"] + tf.matmul(hm, R["z"]) + d["z"])
        r = sigma(Wx["r"] + tf.matmul(hm, R["r"]) + d["r"])
        if cell.reset == "after":
            n = g(Wx["h"] + r * (tf.matmul(hm, R["h"]) + d["h"]))
        else:
            n = g(Wx["h"] + tf.matmul(r * hm, R["h"]))
        return (z * h + (1 - z) * n,), {"z": z, "r": r, "h": n}

    Rh = split_blocks(cell, tf.matmul(hm, weights.recurrent_kernel))
    if cell.family == "simple":
        h = g(Wx["h"] + Rh["h"])
        return (h,), {"h": h}

    c = before["c"]
    p = (
        dict(zip(cell.peepholes, tf.unstack(weights.peephole_kernel), strict=True))
        if (cell.peepholes)
        else {}
    )
    extra = dict.fromkeys(cell.gates, 0.0)
    if cell.gate_recurrence:
        gates_before = tf.concat([before[k] for k in cell.gate_recurrence], -1)
        fed = tf.split(tf.matmul(gates_before, weights.gate_kernel), 3, axis=-1)
        extra.update(zip(cell.gate_recurrence, fed, strict=True))

    def gate(name: str, memory: Tensor) -> Tensor:
        return sigma(Wx[name] + Rh[name] + extra[name] + p.get(name, 0.0) * memory)

    gates = {"c": g(Wx["c"] + Rh["c"])}
    if "i" in cell.gates:
        gates["i"] = gate("i", c)
    if "f" in cell.gates:
        gates["f"] = gate("f", c)
    i = gates.get("i", 1.0)
    f = 1.0 - i if cell.coupled else gates.get("f", 1.0)
    c = f * c + i * gates["c"]
    if "o" in cell.gates:
        gates["o"] = gate("o", c)
    h = gates.get("o", 1.0) * a(c)
    return (h, c, *(gates[k] for k in cell.gate_recurrence)), gates


def reference(
    cell: Cell,
    x: Tensor,
    weights: Weights,
    initial: tuple[Tensor, ...],
    recurrent_mask: Tensor | None = None,
    inspect: bool = False,
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Compute a whole sequence step by step.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (time, batch, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)
    recurrent_mask : tensor of shape (batch, units), optional
    inspect : bool, default=False
        Whether to return the gate activations too.

    Returns
    -------
    states : tuple of tensors of shape (time, batch, units)
    activations : dict of str to tensor of shape (time, batch, units)
        Empty without `inspect`.
    """
    n_steps = tf.shape(x)[0]
    names = cell.gates if inspect else ()
    n_arrays = len(cell.states) + len(names)
    arrays = tuple(tf.TensorArray(x.dtype, size=n_steps) for _ in range(n_arrays))

    def body(
        t: Tensor, states: tuple[Tensor, ...], arrays: tuple[Any, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Any, ...]]:
        new, gates = step(cell, weights, x[t], states, recurrent_mask)
        for after, before in zip(new, initial, strict=True):
            after.set_shape(before.shape)
        rows = [*new, *(gates[k] for k in names)]
        return t + 1, new, tuple(a.write(t, r) for a, r in zip(arrays, rows, strict=True))

    _, _, arrays = tf.while_loop(lambda t, *_: t < n_steps, body, (0, tuple(initial), arrays))
    rows = []
    for array in arrays:
        row = array.stack()
        row.set_shape([x.shape[0], *initial[0].shape])
        rows.append(row)
    n = len(cell.states)
    return tuple(rows[:n]), dict(zip(names, rows[n:], strict=True))


def gates_over_time(
    cell: Cell, x: Tensor, weights: Weights, initial: tuple[Tensor, ...]
) -> dict[str, Tensor]:
    """Return states and gate activations of every step, batch first, to be drawn.

    Parameters
    ----------
    cell : Cell
    x : tensor of shape (batch, time, n_features)
    weights : Weights
    initial : tuple of tensors of shape (batch, units)

    Returns
    -------
    dict of str to tensor of shape (batch, time, units)
        The states by name with prefix ``"state_"``, the gates and the candidate by block name.
    """
    states, gates = reference(cell, tf.transpose(x, [1, 0, 2]), weights, initial, inspect=True)
    rows = {f"state_{k}": v for k, v in zip(cell.states, states, strict=True)} | gates
    return {k: tf.transpose(v, [1, 0, 2]) for k, v in rows.items()}
