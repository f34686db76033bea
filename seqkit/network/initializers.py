"""Initial weights from a seed, in NumPy: the same wherever a network is then trained.

Glorot and Bengio (2010), equation 16; He et al. (2015), equation 10; Saxe, McClelland and Ganguli
(2014) for the orthogonal matrices; the forget gate's bias of 1 is that of Jozefowicz, Zaremba and
Sutskever (2015); chrono initialisation is that of Tallec and Ollivier (2018), section 2.

:data:`INITIALIZERS` are those of the matrices of recurrent layers, :data:`BIASES` of their biases.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqkit.cells import Cell, find_cell

__all__ = [
    "BIASES",
    "DEFAULT",
    "INITIALIZERS",
    "Initializer",
    "Initializers",
    "cell_bias",
    "chrono_bias",
    "derived_seed",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "keeps_memory",
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


def he_normal(shape: Shape, seed: int) -> np.ndarray:
    """Draw from a normal distribution of standard deviation sqrt(2 / rows)."""
    drawn = np.sqrt(2.0 / shape[0]) * _generator(seed).standard_normal(shape)
    values: np.ndarray = drawn.astype(np.float32)
    return values


def he_uniform(shape: Shape, seed: int) -> np.ndarray:
    """Draw uniformly within sqrt(6 / inputs) of 0: a kernel's are all its axes but the last."""
    limit = np.sqrt(6.0 / math.prod(shape[:-1]))
    return _generator(seed).uniform(-limit, limit, shape).astype(np.float32)


_NEARLY = 1e-7  # what float32 does not see


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
    # The factor R of QR with a positive diagonal is that of Cholesky; of a matrix that is nearly
    # singular it has to be taken twice.
    with _ONE_THREAD:
        q, products = normal, normal.T @ normal
        while np.abs(products - np.eye(len(products))).max() > _NEARLY:
            q = q @ np.linalg.inv(np.linalg.cholesky(products)).T
            products = q.T @ q
    return np.ascontiguousarray(q.T if rows < columns else q, np.float32)


class _OneThread:
    """Where linear algebra has one thread, for as long as anyone is inside.

    Several would wait for each other in matrices as small as these, for seconds where the machine
    is busy; matrices are drawn side by side instead.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.limit = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            if not self.inside:
                self.limit.enter_context(_blas().limit(limits=1, user_api="blas"))
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.limit.close()


_ONE_THREAD = _OneThread()


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
    bias, row = np.zeros(shape, np.float32), find_cell(cell)
    if row.forget_bias is not None:
        gate, value = row.forget_bias
        width = shape[-1] // len(row.gates)
        index = row.gates.index(gate)
        bias[..., index * width : (index + 1) * width] = value
    return bias


def uniform(shape: Shape, seed: int) -> np.ndarray:
    """Draw uniformly within 0.05 of 0, as Keras starts embeddings."""
    return _generator(seed).uniform(-0.05, 0.05, shape).astype(np.float32)


def normal(shape: Shape, seed: int) -> np.ndarray:
    """Draw from a normal distribution of standard deviation 0.05."""
    return (0.05 * _generator(seed).standard_normal(shape)).astype(np.float32)


@dataclass(frozen=True)
class Initializer:
    """A row of :data:`INITIALIZERS`: how a matrix of a recurrent layer starts.

    Parameters
    ----------
    draw : callable (shape, seed) -> ndarray of float32
    by_gate : bool, default=False
        Whether the block of each gate is drawn on its own, with a seed of its own.

    Examples
    --------
    >>> block = INITIALIZERS["orthogonal_gates"]((4, 12), 0, 3)[:, 4:8]
    >>> bool(np.allclose(block @ block.T, np.eye(4), atol=1e-6))
    True
    """

    draw: Callable[[Shape, int], np.ndarray]
    by_gate: bool = False

    def __call__(self, shape: Shape, seed: int, n_gates: int) -> np.ndarray:
        """Return the matrix, (rows, n_gates * units)."""
        if not self.by_gate:
            return self.draw(shape, seed)
        block = (shape[0], shape[1] // n_gates)
        drawn = [self.draw(block, derived_seed(seed, gate)) for gate in range(n_gates)]
        return np.concatenate(drawn, axis=1)


INITIALIZERS: dict[str, Initializer] = {
    "glorot_uniform": Initializer(glorot_uniform),
    "he_normal": Initializer(he_normal),
    "orthogonal": Initializer(orthogonal),
    "orthogonal_gates": Initializer(orthogonal, by_gate=True),
    "normal": Initializer(normal),
    "uniform": Initializer(uniform),
    "zeros": Initializer(zeros),
    "ones": Initializer(ones),
}


def keeps_memory(cell: Cell) -> bool:
    """Return whether a gate of the cell says how much of its memory stays."""
    return "z" in cell.gates or cell.forget_bias is not None


def chrono_bias(cell: str, shape: Shape, seed: int, n_steps: int) -> np.ndarray:
    r"""Draw a bias with which units forget over times from 1 to `n_steps`.

    A unit whose forget gate stays at :math:`f` forgets over about :math:`1 / (1 - f)` steps, so

    .. math:: b_f \sim \log U(1, T_{max} - 1), \quad b_i = -b_f

    (Tallec and Ollivier 2018, section 2). A GRU keeps its state by the update gate, whose bias is
    :math:`b_f`; a coupled cell forgets by :math:`1 - i`. Where a bias has two rows, which are added
    up, the second is 0. What lasts a step or two is drawn as for two.
    """
    bias, row = np.zeros(shape, np.float32), find_cell(cell)
    if not keeps_memory(row):
        raise ValueError(f"the cell {cell} has no gate that keeps its memory")
    width = shape[-1] // len(row.gates)
    drawn = np.log(_generator(seed).uniform(1, max(n_steps, 2) - 1, width))
    first = bias[0] if bias.ndim == 2 else bias
    for gate, sign in (("f", 1), ("i", -1), ("z", 1)):
        if gate in row.gates:
            index = row.gates.index(gate)
            first[index * width : (index + 1) * width] = sign * drawn
    return bias


BIASES: dict[str, Callable[[str, Shape, int, int], np.ndarray]] = {
    "forget_one": lambda cell, shape, seed, n_steps: cell_bias(cell, shape),
    "zeros": lambda cell, shape, seed, n_steps: zeros(shape),
    "chrono": chrono_bias,
}
"""How the bias of a cell starts: ``(cell, shape, seed, steps it sees) -> bias``."""


class Initializers(NamedTuple):
    """What a recurrent layer starts from, by name; `n_steps` is what ``chrono`` takes."""

    kernel: str = "glorot_uniform"
    recurrent: str = "orthogonal"
    bias: str = "forget_one"
    n_steps: int = 0

    def over(self, n_steps: int) -> Initializers:
        """Return those of a layer that sees so many steps; they are named only where it matters."""
        return self._replace(n_steps=n_steps) if self.bias == "chrono" else self


DEFAULT = Initializers()
"""What every recurrent layer starts from unless it is told otherwise."""
