"""A whole sequence of a cell as machine code: what a training step spends its time on.

Compiled by Numba on first use and kept on disk. Weights are laid out once a sequence, in panels as
wide as two vector registers; a product reads a panel for up to eight rows at a time and adds up in
registers. So small products, which are what a recurrent step consists of, run near the speed of
large ones, and there is one call a sequence instead of some operations a step. What needs no step
before it (the projection of the input, the gradients of weights) is done for a chunk of steps at
once, while their rows are still in the cache.

Arrays are C-ordered and float32: x (time, batch, n_features), W (n_features, blocks * units),
R (units, blocks * units), states (batch, units), `mask` of them or of no rows at all. What is kept
of a state has one step more than the sequence: the first is the initial state. Everything that
belongs to a step's gradient only is computed again on the way back.

Loops run over rows that are named first: compilers do not turn a sum of two numbers as an index,
one of which might be negative, into vectors.
"""

from __future__ import annotations

from seqkit.machine.code.dense import dense_backward, dense_forward
from seqkit.machine.code.descent import adam_step, clip, sgd_step
from seqkit.machine.code.gru import gru_backward, gru_forward
from seqkit.machine.code.lstm import lstm_backward, lstm_forward
from seqkit.machine.code.simple import simple_backward, simple_forward

__all__ = [
    "adam_step",
    "clip",
    "dense_backward",
    "dense_forward",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "sgd_step",
    "simple_backward",
    "simple_forward",
]
