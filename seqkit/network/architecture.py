"""Which network, by name: a description's function and its settings."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seqkit.network.graph import Network
from seqkit.system.backend import check_backend

__all__ = ["BUILDERS", "Architecture", "weights_of"]

BUILDERS = {
    "classifier": ("seqkit.network.series:classifier", "seqkit.builders:build_classifier"),
    "tagger": ("seqkit.network.tagging:tagger", "seqkit.builders:build_tagger"),
    "regressor": ("seqkit.network.series:regressor", "seqkit.builders:build_regressor"),
    "forecaster": ("seqkit.network.forecasting:forecaster", "seqkit.builders:build_forecaster"),
    "ensemble": (
        "seqkit.network.ensembles:ensemble",
        "seqkit.network.keras.ensemble:build_ensemble",
    ),
}
"""What describes a kind of network, and what builds its Keras model: ``module:function``. An
ensemble is several networks, in its setting `members`."""


@dataclass(frozen=True)
class Architecture:
    """A network by name; called, it builds the ``keras.Model``.

    Parameters
    ----------
    kind : str
        A row of :data:`BUILDERS`.
    settings : mapping of str to value
        Keyword arguments of its functions.
    frozen : tuple of str, optional
        Nodes whose weights a fit leaves as they are.

    Examples
    --------
    >>> made = Architecture("regressor", {"n_timesteps": 12, "n_features": 1, "units": 4})
    >>> made.network.output, len(made.network.weights)
    ('output', 12)
    """

    kind: str
    settings: Mapping[str, Any]
    frozen: tuple[str, ...] = ()

    @cached_property
    def network(self) -> Network:
        """The description, made without Keras."""
        network: Network = _function(BUILDERS[self.kind][0])(**self.settings)
        return dataclasses.replace(network, frozen=self.frozen) if self.frozen else network

    @cached_property
    def idle(self) -> list[Any]:
        """Native networks of it that are built, and that nobody asks at the moment."""
        return []

    @property
    def members(self) -> tuple[Architecture, ...]:
        """The networks of an ensemble; the network itself where it is one."""
        return tuple(self.settings["members"]) if self.kind == "ensemble" else (self,)

    def keras_model(self, weights: Any) -> Any:
        """Build the Keras model with weights in the order of the description."""
        model = self()
        return _function("seqkit.network.keras.weights:load")(self, model, weights)

    @property
    def key(self) -> Hashable:
        """What names the network among others."""
        if self.kind == "ensemble":
            more = {k: v for k, v in self.settings.items() if k not in ("members",)}
            return self.kind, tuple(member.key for member in self.members), _hashable(more)
        frozen = (self.frozen,) if self.frozen else ()
        return self.kind, _hashable(self.settings), *frozen

    def __call__(self) -> Any:
        """Build the Keras model."""
        check_backend()
        model = _function(BUILDERS[self.kind][1])(**self.settings)
        for name in self.frozen:
            model.get_layer(name).trainable = False
        return model


def _hashable(value: Any) -> Hashable:
    """Return a setting with its lists and maps as tuples."""
    if isinstance(value, Mapping):
        return tuple((name, _hashable(inner)) for name, inner in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    hashable: Hashable = value
    return hashable


def weights_of(architecture: Architecture, model: Any) -> list[Any]:
    """Return the weights of a Keras model in the order of the description that it was made of.

    Of a model with other layers the weights as they are: whoever takes them sees that they are not
    those that were expected.
    """
    try:
        variables = _function("seqkit.network.keras.weights:variables_of")(architecture, model)
    except (KeyError, ValueError):
        return list(model.get_weights())
    return [variable.numpy() for variable in variables]


def _function(name: str) -> Any:
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)
