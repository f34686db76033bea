"""Initial weights from a seed, in NumPy: the same wherever a network is then trained.

Glorot and Bengio (2010), equation 16; Saxe, McClelland and Ganguli (2014) for the orthogonal
matrices; the forget gate's bias of 1 is that of Jozefowicz, Zaremba and Sutskever (2015).
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np

from seqkit.cells import find_cell

__all__ = [
    "cell_bias",
    "derived_seed",
    "glorot_uniform",
    "normal",
    "ones",
    "orthogonal",
    "uniform",
    "zeros",
]

Shape = tuple[int, ...]


def derived_seed(*parts: int) -> int:
    """Return a seed in [0, 2^31) made of all the parts (NumPy's SeedSequence mixes them).

    Examples
    --------
    >>> derived_seed(0, 1) == derived_seed(0, 1) != derived_seed(1, 0)
    True
    """
    words = [int(part) & 0xFFFFFFFFFFFFFFFF for part in parts]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def glorot_uniform(shape: Shape, seed: int) -> np.ndarray:
    """Draw a matrix (or vector) uniformly within sqrt(6 / (rows + columns)) of 0."""
    limit = np.sqrt(6.0 / (shape[0] + shape[-1]))
    return _generator(seed).uniform(-limit, limit, shape).astype(np.float32)


def orthogonal(shape: Shape, seed: int) -> np.ndarray:
    """Draw a matrix whose rows (or columns, whatever there is less of) are orthonormal.

    Examples
    --------
    >>> drawn = orthogonal((3, 6), 0)
    >>> bool(np.allclose(drawn @ drawn.T, np.eye(3), atol=1e-6))
    True
    """
    rows, columns = shape
    normal = _generator(seed).standard_normal((max(shape), min(shape)))
    # One thread: several wait for each other in matrices as small as these, for seconds where the
    # machine is busy. The factor R of QR with a positive diagonal is that of Cholesky.
    with _ONE_THREAD, _blas().limit(limits=1, user_api="blas"):
        lower = np.linalg.cholesky(normal.T @ normal)
        q = normal @ np.linalg.inv(lower).T
    return np.ascontiguousarray(q.T if rows < columns else q, np.float32)


_ONE_THREAD = threading.Lock()


@functools.cache
def _blas() -> Any:
    """Return what sets the threads of NumPy's linear algebra."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def zeros(shape: Shape, seed: int = 0) -> np.ndarray:
    """Return zeros."""
    return np.zeros(shape, np.float32)


def ones(shape: Shape, seed: int = 0) -> np.ndarray:
    """Return ones."""
    return np.ones(shape, np.float32)


def cell_bias(cell: str, shape: Shape) -> np.ndarray:
    """Return a cell's bias: zeros, but for the forget gate where there is one."""
    found, row = np.zeros(shape, np.float32), find_cell(cell)
    if row.forget_bias is not None:
        gate, value = row.forget_bias
        width = shape[-1] // len(row.gates)
        place = row.gates.index(gate)
        found[..., place * width : (place + 1) * width] = value
    return found


def uniform(shape: Shape, seed: int) -> np.ndarray:
    """Draw uniformly within 0.05 of 0, as Keras starts embeddings."""
    return _generator(seed).uniform(-0.05, 0.05, shape).astype(np.float32)


def normal(shape: Shape, seed: int) -> np.ndarray:
    """Draw from a normal distribution of standard deviation 0.05."""
    return (0.05 * _generator(seed).standard_normal(shape)).astype(np.float32)
