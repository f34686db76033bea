"""Which settings a native network serves, and the network that they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seqkit.architecture import stack_units
from seqkit.cells import find_cell
from seqkit.machine.sequences import refusal as cell_refusal
from seqkit.native.networks import ForecastNetwork, Network, SeriesNetwork
from seqkit.native.parameters import Parameter
from seqkit.window_space import default_patch

__all__ = ["PLANS", "Plan", "network_of", "parameters_of", "refusal", "unsupported"]

Settings = Mapping[str, Any]


def _stack(s: Settings) -> dict[str, Any]:
    return {
        "cell": find_cell(s["cell"]).name,
        "units": stack_units(s["units"]),
        "bidirectional": s["bidirectional"],
        "recurrent_dropout": s["recurrent_dropout"],
        "residual": s["residual"],
    }


def _of_series(n_out: str, output: str) -> Callable[[Settings], Network]:
    def build(s: Settings) -> Network:
        return SeriesNetwork(
            s["n_features"],
            s[n_out],
            output=output,
            scale=s["scale"] != "none",
            patch=s["patch"],
            dense=s["dense"],
            dropout=s["dropout"],
            pooling=s["pooling"],
            **_stack(s),
        )

    return build


def _forecaster(s: Settings) -> Network:
    patch = s["patch"]
    if patch is None:
        patch = default_patch(s["season"], s["context_length"])
    quantiles = s["quantiles"]
    return ForecastNetwork(
        s["context_length"],
        s["horizon"],
        s["n_targets"],
        s["n_past"],
        n_levels=1 if quantiles is None else len(quantiles),
        quantiles=quantiles is not None,
        season=s["season"],
        patch=patch,
        target_inputs=s["target_inputs"],
        scale=s["scale"] != "none",
        normalize=s["normalize"],
        departure_from=s["departure_from"],
        channels=s["channels"],
        dense=s["dense"],
        dropout=s["dropout"],
        **_stack(s),
    )


@dataclass(frozen=True)
class Plan:
    """A row of :data:`PLANS`: what a builder's settings make, and what of it the loss sees.

    ``output`` is the Keras model's layer of that name, ``needs`` the settings that must be told: a
    builder's own defaults are known where Keras is.
    """

    output: str
    build: Callable[[Settings], Network]
    needs: tuple[str, ...]


_EVERY = (
    "cell", "units", "bidirectional", "dropout", "recurrent_dropout", "residual", "patch", "dense",
    "scale",
)  # fmt: skip
_SERIES = (*_EVERY, "n_features", "pooling")
_WINDOW = (
    *_EVERY, "context_length", "horizon", "n_targets", "n_past", "n_future", "n_static",
    "static_categories", "target_inputs", "season", "quantiles", "distribution", "decoder",
    "normalize", "departure_from", "channels",
)  # fmt: skip

PLANS: dict[str, Plan] = {
    "seqkit.builders:build_classifier": Plan(
        "logits", _of_series("n_classes", "logits"), (*_SERIES, "n_classes")
    ),
    "seqkit.builders:build_regressor": Plan(
        "standardized", _of_series("n_targets", "standardized"), (*_SERIES, "n_targets")
    ),
    "seqkit.forecast_model:build_forecaster": Plan("normalized", _forecaster, _WINDOW),
}
"""Builders whose networks can be native."""


def network_of(builder: str, settings: Settings) -> Network:
    """Return the network of a builder's settings, which :func:`refusal` has nothing against."""
    network = PLANS[builder].build(settings)
    network.parameters.settle()
    return network


def parameters_of(builder: str, settings: Settings) -> list[Parameter]:
    """Return the parameters of such a network with their paths and shapes, but no memory yet."""
    return PLANS[builder].build(settings).parameters.all


def refusal(builder: str, settings: Settings) -> str:
    """Return why settings make no native network in this process, or nothing."""
    return unsupported(builder, settings) or _process()


def unsupported(builder: str, settings: Settings) -> str:
    """Return why settings describe no native network, or nothing."""
    if builder not in PLANS:
        return f"{builder} is not one of its builders"
    if left_out := [name for name in PLANS[builder].needs if name not in settings]:
        return f"the builder's own defaults are meant for {', '.join(left_out)}"
    why = cell_refusal(find_cell(settings["cell"])) or _layers(settings)
    return why or (_forecast(settings) if "horizon" in settings else "")


def _layers(s: Settings) -> str:
    if s.get("multilabel"):
        return "the loss of several labels is Keras's"
    if s.get("pooling") == "attention":
        return "attention pooling is Keras's"
    if s["residual"] and len(set(stack_units(s["units"]))) > 1:
        return "a residual sum needs equal units"
    return ""


def _forecast(s: Settings) -> str:
    if s["decoder"] != "direct":
        return f"the decoder {s['decoder']} is Keras's"
    if s["distribution"] is not None:
        return "the likelihood of a distribution is Keras's"
    if s["n_future"] or s["n_static"] or s["static_categories"]:
        return "future and static covariates are Keras's"
    if (s["patch"] or 1) > s["context_length"]:
        return "a patch is longer than the context"
    if s["departure_from"] == "seasonal_naive" and not 2 <= s["season"] <= s["context_length"]:
        return "there is no season to depart from"
    if not s["target_inputs"] and (
        s["normalize"] != "none" or s["departure_from"] != "none" or s["channels"] != "joint"
    ):
        return "without the targets' past there is no window to normalise by"
    return ""


def _process() -> str:
    """Return why this process is not for native networks: precision, strategies, a GPU."""
    keras: Any = sys.modules.get("keras")
    tf: Any = sys.modules.get("tensorflow")
    if hasattr(keras, "config"):
        kinds = {keras.config.floatx(), keras.config.dtype_policy().name}
        if kinds != {"float32"}:
            return f"machine code computes in float32, not {' and '.join(sorted(kinds))}"
    if hasattr(tf, "distribute") and tf.distribute.has_strategy():
        return "a tf.distribute strategy shares the work"
    if hasattr(tf, "config"):
        return "there is a GPU" if tf.config.list_physical_devices("GPU") else ""
    return "there may be a GPU" if _may_have_gpu() else ""


def _may_have_gpu() -> bool:
    """Return whether TensorFlow should be asked for a GPU: a driver is there, and not hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    return any(Path(place).exists() for place in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))
