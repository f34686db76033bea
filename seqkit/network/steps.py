"""One step of any cell, over an array namespace that is handed in.

Whole sequences are computed by compiled kernels, by Keras or by a runtime's own nodes; this is what
they are held to, and what stands for them where they have no such cell.
"""

from __future__ import annotations

from typing import Any

from seqkit.cells import Cell, Weights

__all__ = ["cell_step", "split_blocks"]

Tensor = Any


def split_blocks(ops: Any, cell: Cell, packed: Tensor) -> dict[str, Tensor]:
    """Return the blocks of packed columns by the name of their gate."""
    return dict(zip(cell.gates, ops.split(packed, len(cell.gates), axis=-1), strict=True))


def cell_step(
    ops: Any,
    cell: Cell,
    weights: Weights,
    x: Tensor,
    states: tuple[Tensor, ...],
    recurrent_mask: Tensor | None = None,
) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Compute one step of a cell.

    Parameters
    ----------
    ops : namespace
        With concatenate, matmul, sigmoid, split and tanh.
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
    activations = {"sigmoid": ops.sigmoid, "tanh": ops.tanh, "linear": lambda a: a}
    sigma = activations[cell.gate_activation]
    g = activations[cell.input_activation]
    a = activations[cell.output_activation]
    before = dict(zip(cell.states, states, strict=True))
    h = before["h"]  # (batch, units)
    hm = h if recurrent_mask is None else h * recurrent_mask
    bias = weights.bias
    Wx = ops.matmul(x, weights.kernel)  # (batch, G * units)
    if bias is not None:
        Wx += bias if cell.bias_rows == 1 else bias[0]
    Wx = split_blocks(ops, cell, Wx)

    if cell.family == "gru":
        R = split_blocks(ops, cell, weights.recurrent_kernel)
        d = dict.fromkeys(cell.gates, 0.0)
        if bias is not None and cell.bias_rows == 2:
            d = split_blocks(ops, cell, bias[1])
        z = sigma(Wx["z"] + ops.matmul(hm, R["z"]) + d["z"])
        r = sigma(Wx["r"] + ops.matmul(hm, R["r"]) + d["r"])
        if cell.reset == "after":
            n = g(Wx["h"] + r * (ops.matmul(hm, R["h"]) + d["h"]))
        else:
            n = g(Wx["h"] + ops.matmul(r * hm, R["h"]))
        return (z * h + (1 - z) * n,), {"z": z, "r": r, "h": n}

    Rh = split_blocks(ops, cell, ops.matmul(hm, weights.recurrent_kernel))
    if cell.family == "simple":
        h = g(Wx["h"] + Rh["h"])
        return (h,), {"h": h}

    c = before["c"]
    p = {name: weights.peephole_kernel[k] for k, name in enumerate(cell.peepholes)}
    extra = dict.fromkeys(cell.gates, 0.0)
    if cell.gate_recurrence:
        gates_before = ops.concatenate([before[k] for k in cell.gate_recurrence], axis=-1)
        fed = ops.split(ops.matmul(gates_before, weights.gate_kernel), 3, axis=-1)
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
