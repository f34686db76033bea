"""The sections of a recipe for regression; others are in `sections`."""

from __future__ import annotations

from seqkit.convolutions import STEM
from seqkit.network.settings import Auto
from seqkit.recipe.sections import A_NETWORK_EACH, SequenceModel, SequenceTrain, Stems, losses
from seqkit.recipe.types import Fraction, Quantiles, setting
from seqkit.tasks import TASKS

__all__ = ["RegressionModel", "RegressionTrain"]


class RegressionModel(SequenceModel):
    """The network."""

    stem: Stems | Auto | None = setting(
        None,
        "Convolutions over time before the recurrent layers, each with batch normalisation and "
        f"ReLU; {{}} = {STEM['filters']} filters of {STEM['kernel_size']} steps; null = none. Its "
        "steps are what patch folds, which is then 1 unless it is set, and, pooled, what the head "
        "reads beside the recurrent layers (pooling: none = it does not). auto = what a classifier "
        f"has. {A_NETWORK_EACH}",
    )
    quantiles: Quantiles | None = setting(
        None,
        "Quantiles to predict, e.g. [0.1, 0.5, 0.9], of every target; the middle one is the "
        "prediction. null = a point.",
    )


class RegressionTrain(SequenceTrain):
    """How the network is trained."""

    loss: losses("regression") = setting(  # type: ignore[valid-type]
        "auto",
        f"What training minimises; auto is {TASKS['regression'].loss}, or pinball with quantiles.",
    )
    calibration: Fraction = setting(
        0.0,
        "Share of the training series that is not trained on: by its errors conformal intervals "
        "are calibrated (Lei et al. 2018; around quantiles Romano et al. 2019). 0 = none.",
    )
