"""What every kind of layer says of itself.

Shapes are those of one example, without the batch; ``None`` is an open axis. Arrays are
``(batch, ...)``, sequences ``(batch, time, features)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

__all__ = ["Array", "Layer", "Parameter", "Saved", "Shape", "unbroadcast"]

Array = np.ndarray
Tensor = Any
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Parameter:
    """One weight of a layer.

    Parameters
    ----------
    name : str
        As Keras's layer of the kind names it.
    shape : tuple of int
    initial : callable (shape, seed) -> ndarray of float32
        What it starts from.
    trainable : bool, default=True
    """

    name: str
    shape: tuple[int, ...]
    initial: Callable[[tuple[int, ...], int], Array]
    trainable: bool = True

    @property
    def size(self) -> int:
        """How many numbers it has."""
        size = 1
        for n in self.shape:
            size *= n
        return size


class Saved(dict[str, Any]):
    """What one forward pass keeps for its backward pass.

    Parameters
    ----------
    mask : callable (shape, rate, index) -> ndarray, optional
        Draws 0 for what is dropped and 1 / (1 - rate) for the rest, from the layer's source number
        `index`; None where nothing is dropped, since nothing is being trained.
    """

    def __init__(self, mask: Callable[[tuple[int, ...], float, int], Array] | None = None) -> None:
        self.mask = mask


@dataclass(frozen=True)
class Layer:
    """A kind of layer with its settings: what it computes, and the gradient of that.

    A kind is a frozen dataclass, so it compares, hashes and prints; its fields are its settings.
    """

    n_outputs: ClassVar[int] = 1
    """Outputs; more than one are a tuple."""
    n_masks: ClassVar[int] = 0
    """Sources of random masks."""

    def shape(self, *inputs: Any) -> Any:
        """Return the shape of the output (of each, where there are several)."""
        return inputs[0]

    def parameters(self, *inputs: Any) -> tuple[Parameter, ...]:
        """Return the weights for inputs of these shapes."""
        return ()

    def masks(self) -> int:
        """Return how many sources of random masks these settings need."""
        return self.n_masks

    def fixed(self) -> Layer:
        """Return the layer as it computes where its weights are not trained."""
        return self

    def inner(self, *inputs: Any) -> Any:
        """Return the network that the layer is in itself, if it is one: it needs nothing else."""
        return None

    def forward(self, ops: Any, p: Mapping[str, Any], saved: Saved, *inputs: Any) -> Any:
        """Compute the output in a namespace of :mod:`seqkit.network.ops`.

        Parameters
        ----------
        ops : namespace
        p : mapping of str to tensor
            The weights by name.
        saved : Saved
            To keep what :meth:`backward` needs.
        *inputs : tensor or None
        """
        raise NotImplementedError

    def backward(
        self,
        p: Mapping[str, Array],
        g: Mapping[str, Array],
        saved: Saved,
        d: Any,
        wants: tuple[bool, ...],
    ) -> tuple[Array | None, ...]:
        """Fill the gradients of the weights and return those of the inputs.

        Parameters
        ----------
        p, g : mapping of str to ndarray
            Weights, and their gradients to be written.
        saved : Saved
            Of the forward pass.
        d : ndarray, or tuple of ndarray or None
            Gradient of the output, or of each of several.
        wants : tuple of bool
            Whether an input's gradient is wanted; what is not may be None.
        """
        raise NotImplementedError(f"nothing is trained in front of {type(self).__name__}")


def unbroadcast(d: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of what was broadcast to the shape of `d` from `shape`."""
    lead = d.ndim - len(shape)
    d = d.sum(tuple(range(lead))) if lead else d
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and d.shape[i] > 1)
    return d.sum(axes, keepdims=True) if axes else d
