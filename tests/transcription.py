"""The equations of every cell, transcribed once more in NumPy: what the kernels are held to.

Written from the papers, gate by gate, without the packed products, the table's switches or any
code of seqkit, so that an error there cannot hide here.
"""

from __future__ import annotations

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def simple_rnn(x, h, W, R, b):
    return (np.tanh(x @ W["h"] + h @ R["h"] + b["h"]),)


def lstm_1997(x, h, c, W, R, b):
    i = sigmoid(x @ W["i"] + h @ R["i"] + b["i"])
    g = np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o = sigmoid(x @ W["o"] + h @ R["o"] + b["o"])
    c = c + i * g
    return o * np.tanh(c), c


def lstm(x, h, c, W, R, b):
    i = sigmoid(x @ W["i"] + h @ R["i"] + b["i"])
    f = sigmoid(x @ W["f"] + h @ R["f"] + b["f"])
    g = np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o = sigmoid(x @ W["o"] + h @ R["o"] + b["o"])
    c = f * c + i * g
    return o * np.tanh(c), c


def vanilla(x, h, c, W, R, b, p, squash_in=np.tanh, squash_out=np.tanh):
    i = sigmoid(x @ W["i"] + h @ R["i"] + p["i"] * c + b["i"])
    f = sigmoid(x @ W["f"] + h @ R["f"] + p["f"] * c + b["f"])
    g = squash_in(x @ W["c"] + h @ R["c"] + b["c"])
    c = f * c + i * g
    o = sigmoid(x @ W["o"] + h @ R["o"] + p["o"] * c + b["o"])
    return o * squash_out(c), c


def niaf(*args):
    return vanilla(*args, squash_in=lambda a: a)


def noaf(*args):
    return vanilla(*args, squash_out=lambda a: a)


def nig(x, h, c, W, R, b, p):
    f = sigmoid(x @ W["f"] + h @ R["f"] + p["f"] * c + b["f"])
    c = f * c + np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o = sigmoid(x @ W["o"] + h @ R["o"] + p["o"] * c + b["o"])
    return o * np.tanh(c), c


def nfg(x, h, c, W, R, b, p):
    i = sigmoid(x @ W["i"] + h @ R["i"] + p["i"] * c + b["i"])
    c = c + i * np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o = sigmoid(x @ W["o"] + h @ R["o"] + p["o"] * c + b["o"])
    return o * np.tanh(c), c


def nog(x, h, c, W, R, b, p):
    i = sigmoid(x @ W["i"] + h @ R["i"] + p["i"] * c + b["i"])
    f = sigmoid(x @ W["f"] + h @ R["f"] + p["f"] * c + b["f"])
    c = f * c + i * np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    return np.tanh(c), c


def cifg(x, h, c, W, R, b, p):
    i = sigmoid(x @ W["i"] + h @ R["i"] + p["i"] * c + b["i"])
    c = (1 - i) * c + i * np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o = sigmoid(x @ W["o"] + h @ R["o"] + p["o"] * c + b["o"])
    return o * np.tanh(c), c


def fgr(x, h, c, i, f, o, W, R, b, p, Q):
    def fed(gate):
        return i @ Q["i", gate] + f @ Q["f", gate] + o @ Q["o", gate]

    i_ = sigmoid(x @ W["i"] + h @ R["i"] + p["i"] * c + fed("i") + b["i"])
    f_ = sigmoid(x @ W["f"] + h @ R["f"] + p["f"] * c + fed("f") + b["f"])
    c = f_ * c + i_ * np.tanh(x @ W["c"] + h @ R["c"] + b["c"])
    o_ = sigmoid(x @ W["o"] + h @ R["o"] + p["o"] * c + fed("o") + b["o"])
    return o_ * np.tanh(c), c, i_, f_, o_


def gru(x, h, W, R, b, d):
    z = sigmoid(x @ W["z"] + b["z"] + h @ R["z"] + d["z"])
    r = sigmoid(x @ W["r"] + b["r"] + h @ R["r"] + d["r"])
    n = np.tanh(x @ W["h"] + b["h"] + r * (h @ R["h"] + d["h"]))
    return (z * h + (1 - z) * n,)


def gru_reset_before(x, h, W, R, b):
    z = sigmoid(x @ W["z"] + h @ R["z"] + b["z"])
    r = sigmoid(x @ W["r"] + h @ R["r"] + b["r"])
    n = np.tanh(x @ W["h"] + (r * h) @ R["h"] + b["h"])
    return (z * h + (1 - z) * n,)


def run(name, gates, peepholes, x, weights, states):
    """Return the states at every step, each (time, batch, units); x (time, batch, features)."""

    def blocks(packed):
        return dict(zip(gates, np.split(packed, len(gates), -1), strict=True))

    kernel, recurrent, bias, peephole, gate = weights
    args = [blocks(kernel), blocks(recurrent)]
    args += [blocks(row) for row in np.atleast_2d(bias)]
    if peephole is not None:
        args.append(dict(zip(peepholes, peephole, strict=True)))
    if gate is not None:
        args.append(
            {
                (a, b): block
                for a, rows in zip("ifo", np.split(gate, 3, 0), strict=True)
                for b, block in zip("ifo", np.split(rows, 3, 1), strict=True)
            }
        )
    rows = []
    for x_t in x:
        states = globals()[name](x_t, *states, *args)
        rows.append(states)
    return [np.stack(s) for s in zip(*rows, strict=True)]
