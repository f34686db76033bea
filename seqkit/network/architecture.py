"""Which network, by name: a description's function and its settings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from seqkit.backend import check_backend
from seqkit.network.graph import Network

__all__ = ["BUILDERS", "Architecture"]

BUILDERS = {
    "classifier": ("seqkit.network.series:classifier", "seqkit.builders:build_classifier"),
    "regressor": ("seqkit.network.series:regressor", "seqkit.builders:build_regressor"),
    "forecaster": ("seqkit.network.forecasting:forecaster", "seqkit.builders:build_forecaster"),
    "ensemble": ("", "seqkit.network.keras.ensemble:build_ensemble"),
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

    Examples
    --------
    >>> made = Architecture("regressor", {"n_timesteps": 12, "n_features": 1, "units": 4})
    >>> made.network.output, len(made.network.weights)
    ('output', 12)
    """

    kind: str
    settings: Mapping[str, Any]

    @cached_property
    def network(self) -> Network:
        """The description, made without Keras."""
        return _function(BUILDERS[self.kind][0])(**self.settings)

    @property
    def members(self) -> tuple[Architecture, ...]:
        """The networks of an ensemble; the network itself where it is one."""
        return tuple(self.settings["members"]) if self.kind == "ensemble" else (self,)

    def __call__(self) -> Any:
        """Build the Keras model."""
        check_backend()
        return _function(BUILDERS[self.kind][1])(**self.settings)


def _function(name: str) -> Any:
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)
