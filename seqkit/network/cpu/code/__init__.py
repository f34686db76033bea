"""Whole sequences of a cell as compiled kernels: what a training step spends its time on.

Compiled by Numba on first use and kept on disk; only what a network needs. Weights are packed once
a sequence into tiles as wide as two vector registers; a product reads a tile for up to eight rows
at a time and adds up in registers (`products`). So small products, which are what a recurrent step
consists of, run near the speed of large ones, and there is one call a sequence instead of some
operations a step. What needs no step before it (the projection of the input, the gradients of
weights) is done for a chunk of steps at once, while their rows are still in the cache::

    time  0 ............ t | t+1 .......... n-1
          |  chunk         |  chunk           |     at_once steps each
          x W + b at once  |  x W + b at once |     then step by step: + h R, activations

Arrays are C-ordered and float32: x (time, batch, n_features), W (n_features, blocks * units),
R (units, blocks * units), states (batch, units), `mask` of them or of no rows at all. Saved
activations of a state have one step more than the sequence: the first is the initial state. What
belongs to a step's gradient only is computed again in the backward pass.

A kernel takes arrays, and works on pointers into them, as C does: ``at(h, b * units)`` is row b.
Slices of arrays read better and cost three times the compilation: each is some hundred instructions
to be typed, lowered and thrown away. For the same reason a kernel makes no array; a function around
it says how large the vectors are that it works in (`kernel`).
"""

from __future__ import annotations

from seqkit.network.cpu.code.convolution import convolution_backward, convolution_forward
from seqkit.network.cpu.code.dense import dense_backward, dense_forward
from seqkit.network.cpu.code.descent import adam_step, clip, sgd_step
from seqkit.network.cpu.code.gru import gru_backward, gru_forward
from seqkit.network.cpu.code.lstm import lstm_backward, lstm_forward
from seqkit.network.cpu.code.normalization import (
    affine,
    moments,
    normalization_backward,
    normalization_sums,
)
from seqkit.network.cpu.code.simple import simple_backward, simple_forward
from seqkit.network.cpu.code.streaming import run_plan

__all__ = [
    "adam_step",
    "affine",
    "clip",
    "convolution_backward",
    "convolution_forward",
    "dense_backward",
    "dense_forward",
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "moments",
    "normalization_backward",
    "normalization_sums",
    "run_plan",
    "sgd_step",
    "simple_backward",
    "simple_forward",
]
