"""The sections of a recipe: every field with its type, default, unit and meaning, stated once.

The JSON schema, the guide, the messages about wrong values and the checks of estimator
parameters are all read from these classes. Each task has its own class where its fields differ,
so that a setting of another task is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Interval, MaxLen, MinLen
from pydantic import Field

from seqkit import auto, stopping
from seqkit import auto_networks as nets
from seqkit.cells import ALIASES, CELLS
from seqkit.convolutions import FCN, STEM, STEM_STEPS
from seqkit.network import settings as network
from seqkit.recipe.augmentation import SERIES_AUGMENT, SeriesAugment
from seqkit.recipe.convolution_sections import Branches, Stems
from seqkit.recipe.optimizers import AnyOptimizer
from seqkit.recipe.starting import FREEZE, START, LayerName, Origin
from seqkit.recipe.types import (
    LAYERS,
    MILLION,
    NAMES,
    Count,
    Label,
    OneOf,
    Positive,
    Rate,
    Section,
    Strength,
    Switch,
    Widths,
    WidthsEach,
    Words,
    count,
    positive,
    setting,
)
from seqkit.tasks import TASKS

__all__ = [
    "A_NETWORK_EACH",
    "EXPORT_FORMATS",
    "FOCAL_WORDS",
    "PATIENCE_WORDS",
    "SMOOTHING_WORDS",
    "TRACKERS",
    "ClassificationTrain",
    "ModelSection",
    "Patience",
    "Section",
    "SequenceModel",
    "SequenceTrain",
    "Stems",
    "TrainSection",
    "losses",
    "setting",
]

EXPORT_FORMATS = (
    "keras", "saved_model", "litert", "litert_int8", "onnx", "onnx_streaming",
)  # fmt: skip
TRACKERS = {
    "mlflow": "settings, curves, scores, files and the model of a run, in a store of MLflow",
    "tensorboard": "curves and scores of a run, in its folder tensorboard/",
}

CellName = Annotated[str, OneOf((*CELLS, *ALIASES))]
Moves = Annotated[int, Interval(ge=0, le=MILLION), Words("an integer of 0 or more")]
Counts = Annotated[
    Count | Annotated[list[Count], MinLen(1), MaxLen(1000)],
    Words("a positive integer or a list of them"),
]
Overlaps = Annotated[
    Moves | Annotated[list[Moves], MinLen(1), MaxLen(1000)],
    Words("an integer of 0 or more or a list of them"),
]


Switches = Annotated[
    Switch | Annotated[list[Switch], MinLen(1), MaxLen(1000)],
    Words("true or false or a list of them"),
]
A_NETWORK_EACH = "A list has a value for each network of train.ensemble."
Span = Annotated[
    int,
    Interval(ge=network.LEAST_AVERAGED, le=network.MOST_AVERAGED),
    Words(f"an integer from {network.LEAST_AVERAGED} to {network.MOST_AVERAGED}"),
]
Move = Annotated[int, Interval(ge=-MILLION, le=MILLION), Words("an integer")]
Patience = Annotated[int, Interval(ge=0, le=MILLION), Words("an integer of 0 or more")]
Auto = network.Auto
# model -------------------------------------------------------------------------------------


class ModelSection(Section):
    """The network."""

    cell: CellName = setting("gru", "Recurrent cell; `seqkit list cells` describes each.")
    units: Widths = setting(64, "Width of the recurrent layer; a list is a stack of layers.")
    bidirectional: Switch = setting(
        False, "Run every layer in both directions and join the results."
    )
    dropout: Rate = setting(
        0.0,
        "Share dropped on the input of every recurrent layer after the first, and before the head.",
    )
    recurrent_dropout: Rate = setting(
        0.0, "Share of the previous state dropped, one mask a sequence (Gal and Ghahramani 2016)."
    )
    residual: Switch = setting(
        False, "Add a layer's input to its output from the second layer on; for deep stacks."
    )
    dense: Annotated[list[count(16_384)], MaxLen(LAYERS)] = Field(  # type: ignore[valid-type]
        default_factory=list,
        description="Widths of hidden layers before the head.",
    )
    scale: network.Scaling = setting(
        "standard",
        "Scaling of the features, fitted on the training part and kept in the model: zero mean "
        "and unit variance, to [0, 1], or by median and quartiles.",
    )
    kernel_initializer: network.MatrixStart = setting(
        "glorot_uniform", "What the input matrices of the recurrent layers start from."
    )
    recurrent_initializer: network.MatrixStart = setting(
        "orthogonal",
        "What their recurrent matrices start from; orthogonal_gates = the block of each gate is "
        "orthogonal by itself.",
    )
    bias_initializer: network.BiasStart = setting(
        "forget_one",
        "What their biases start from: 0, but 1 for a forget gate; 0; or chrono = so that units "
        "forget over times from one step to as many as there are (Tallec and Ollivier 2018).",
    )


class SequenceModel(ModelSection):
    """The network."""

    units: WidthsEach | Auto = setting(  # type: ignore[assignment]
        "auto",
        "Width of the recurrent layer; a list is a stack of layers, and a list of lists has a "
        f"stack for each network of train.ensemble. auto = {list(nets.UNITS)}, "
        f"with residual sums {[max(nets.UNITS)] * len(nets.UNITS)}; behind a stem "
        f"{list(nets.STEM_UNITS)}, unless layers are wanted.",
    )
    bidirectional: Switch | Auto = setting(  # type: ignore[assignment]
        "auto",
        "Run every layer in both directions and join the results. auto = where there is more than "
        "one step after patching.",
    )
    dropout: Rate = setting(
        0.2,
        "Share dropped on the input of every recurrent layer after the first, and before the head.",
    )
    patch: Counts | Auto = setting(
        "auto",
        "Time steps folded into one before the first recurrent layer: shorter recurrences. auto = "
        f"so many that about {nets.RECURRENT_STEPS} are left of a series of median length; with a "
        f"pyramid so many of the layers above the first. {A_NETWORK_EACH}",
        "time steps",
    )
    overlap: Overlaps | Auto = setting(
        "auto",
        "Time steps of its neighbours that a patch reads besides its own, half of them of each. "
        f"auto = as many as its own; 0 where patch is set. {A_NETWORK_EACH}",
        "time steps",
    )
    pyramid: Counts | Auto = setting(
        "auto",
        "States of the first recurrent layer that the layers above it read as one step (Chan et "
        f"al. 2016); the steps of both are pooled. 1 = none. {A_NETWORK_EACH} auto = about "
        f"{nets.PYRAMIDS[0]}, {nets.PYRAMIDS[1]} in every second network; 1 where patch or "
        "residual is set, or one layer.",
        "steps",
    )
    pooling: network.PoolingName | Auto = setting(
        "auto",
        "How the steps of a series become one vector; padding never counts. auto = mean_max, of "
        "one step after patching last.",
    )
    deviations: Switch | Auto = setting(
        "auto",
        "Give the network each value a second time, as its deviation from the mean of its time "
        "step over all training series, by the spread there: for series of one length that share "
        f"a course and differ by little. auto = if the mean course explains {auto.SHARED_COURSE} "
        f"of the variance of {auto.FEWEST_WITH_COURSE} series or more.",
    )
    differences: Switches | Auto = setting(
        "auto",
        "Give the network each value a second time, as its difference from the one a time step "
        "before, by the spread of these: of smooth series, whose shape is small beside their "
        f"level. {A_NETWORK_EACH} auto = for classes, in networks of both directions, with a stem "
        "in every second one, where that spread is below that of the values, unless normalize is "
        "series.",
    )
    averages: Annotated[list[Span], MaxLen(20)] = Field(
        default_factory=list,
        description="Give the network each value again as the mean of itself and all before it, in "
        "which a step weighs 1 - 1/n times as much as the one after it, for each n of the list: of "
        "noisy measurements under which something changes slowly.",
        json_schema_extra={"x-unit": "time steps"},
    )
    moves: Annotated[list[Move], MaxLen(100)] | Auto = setting(
        "auto",
        "Read each series at several offsets when predicting, its ends repeated; the mean of what "
        "the network makes of them goes to the head. In training a series is read once, moved at "
        "random by train.shift. auto = back and forth by train.shift and by half of it, and not at "
        "all; [] = as it stands.",
        "time steps",
    )
    stem: Stems | Auto | None = setting(
        "auto",
        "Convolutions over time before the recurrent layers, each with batch normalisation and "
        f"ReLU; {{}} = {STEM['filters']} filters of {STEM['kernel_size']} steps; null = none. Its "
        "steps are what patch folds, which is then 1 unless it is set, and, pooled, what the head "
        "reads beside the recurrent layers (pooling: none = it does not). auto = those, with "
        f"strides of 2 while they leave {STEM_STEPS} steps of a series of median length; none in "
        "the third and fourth network of an ensemble of both directions, nor where patch, overlap "
        f"or pyramid is set. {A_NETWORK_EACH}",
    )
    branch: Branches | None = setting(
        None,
        "Convolutions over time beside the recurrent layers, each with batch normalisation and "
        "ReLU; their pooled steps stand beside those of the recurrent layers. fcn = "
        f"{FCN['filters']} filters of {FCN['kernel_size']} steps (Karim et al. 2018). "
        f"{A_NETWORK_EACH}",
    )
    normalize: network.SeriesNormalization = setting(
        "none",
        "Each series by its own mean and spread, feature by feature, which the network then does "
        "not see.",
    )
    layer_norm: Switch = setting(
        False,
        "Normalise each step by its own features before every recurrent layer but the first (Ba "
        "et al. 2016).",
    )
    input_dropout: Rate = setting(0.0, "Share of the (scaled) values of a series that is dropped.")


# train -------------------------------------------------------------------------------------


def losses(task: str) -> Any:
    """Return the type of ``train.loss`` for a task."""
    return Annotated[str, OneOf(("auto", *TASKS[task].losses))]


PATIENCE_WORDS = (
    "Epochs without a better validation loss before training stops and the best weights are "
    f"restored; an epoch of fewer than {stopping.STEPS_OF_PATIENCE} gradient steps counts as a "
    "part."
)


SMOOTHING_WORDS = (
    "Share of the truth that all classes have alike in the loss: with n of them the true one is "
    "taken to be 1 - label_smoothing + label_smoothing / n (Szegedy et al. 2016). It guards "
    "against probabilities near 0 and 1; scores are of the labels as they are."
)


FOCAL_WORDS = (
    "How little the loss focal, -(1 - p)^focal_gamma log p of the probability p of the truth (Lin "
    f"et al. 2017), counts what is sure already. Default: {network.FOCAL_GAMMA:g}; of focal only."
)


class TrainSection(Section):
    """How the network is trained."""

    epochs: Count = setting(100, "Most passes over the training part.")
    batch_size: Count = setting(32, "Series, or windows, in a gradient step.", "examples")
    optimizer: AnyOptimizer = setting(
        "adam",
        "Gradient method: a name, or a map of a name and its options, as "
        "{name: sgd, momentum: 0.9}; an option left out has its default.",
    )
    learning_rate: positive(1e38) = setting(1e-3, "Step size at the start.")  # type: ignore[valid-type]
    schedule: Literal["constant", "cosine", "plateau"] = setting(
        "constant",
        "How the learning rate goes on: constant, along a cosine to 0 over all epochs, or lowered "
        "when the validation loss stands still.",
    )
    steps_per_epoch: Count | None = setting(
        None,
        "Batches drawn at random make an epoch, instead of a full pass: for long or many series.",
        "gradient steps",
    )
    clipnorm: Positive | None = setting(
        1.0, "Largest global norm of a gradient, against exploding ones; null = no limit."
    )
    patience: Patience = setting(10, f"{PATIENCE_WORDS} 0 = never.", "epochs")
    start: Origin | None = setting(None, START)
    freeze: Annotated[list[LayerName], MaxLen(NAMES)] = Field(
        default_factory=list, description=FREEZE
    )


class SequenceTrain(TrainSection):
    """How the network is trained."""

    epochs: Count | Auto = setting(  # type: ignore[assignment]
        "auto",
        "Most passes over the training part. auto = so many that there are "
        f"{auto.GRADIENT_STEPS} gradient steps, but {auto.MOST_EPOCHS} at most, and fewer where "
        "the longest series are many times the median.",
    )
    batch_size: Count | Auto = setting(  # type: ignore[assignment]
        "auto",
        f"Series in a gradient step. auto = about a {auto.BATCHES}th of them, a power of two from "
        f"{auto.SMALLEST_BATCH} to {auto.LARGEST_BATCH}.",
        "examples",
    )
    learning_rate: positive(1e38) | Auto = setting(  # type: ignore[valid-type]
        "auto",
        f"Step size at the start. auto = {auto.LEARNING_RATE}.",
    )
    schedule: Literal["constant", "cosine", "plateau"] = setting(
        "cosine",
        "How the learning rate goes on: along a cosine to 0 over all epochs, constant, or lowered "
        "when the validation loss stands still.",
    )
    patience: Patience | Auto = setting(  # type: ignore[assignment]
        "auto",
        f"{PATIENCE_WORDS} 0 = never, the last weights are kept. auto = {stopping.PATIENCE} if the "
        f"validation part holds {stopping.FEWEST_HELD} series or more and "
        f"{stopping.FEWEST_OF_A_CLASS} of every class; else 0.",
        "epochs",
    )
    shift: Moves | Auto = setting(
        "auto",
        "Move every series by up to so many time steps, to and fro, anew in every epoch, its ends "
        "repeated: what tells the classes apart may come a little earlier or later. 0 = never; "
        "auto = half a patch, of a pyramid those of its upper layers.",
        "time steps",
    )
    augment: SeriesAugment | None = setting(None, SERIES_AUGMENT)
    ensemble: count(1000) | Auto = setting(  # type: ignore[valid-type]
        "auto",
        "Networks trained with different seeds, whose predictions are averaged. auto = "
        f"{nets.MOST_NETWORKS}, or 2 or 1 where training them is long; 1 where epochs are set.",
    )


class ClassificationTrain(SequenceTrain):
    """How the network is trained."""

    loss: losses("classification") = setting(  # type: ignore[valid-type]
        "auto", f"What training minimises; auto is {TASKS['classification'].loss}."
    )
    class_weight: Annotated[
        Literal["balanced"] | Annotated[dict[Label, Positive], MinLen(1), MaxLen(NAMES)] | None,
        Words("balanced, null or a map from every label to a number above 0"),
    ] = setting(
        None,
        "Weight of each class in the loss: balanced = inversely to its frequency, or a map from "
        "label to weight.",
    )
    label_smoothing: Rate = setting(0.0, SMOOTHING_WORDS)
    mixup: Strength | Auto = setting(
        "auto",
        "Mix every series of a batch with another one of it, and their classes by the same shares "
        "(Zhang et al. 2018), which are from Beta(mixup, mixup), the greater one its own: the "
        "network learns to be less sure between what it has seen. 0 = never; auto = "
        f"{auto.MIXUP:g} with {auto.FEWEST_MIXED} series and more, but not of symbols (whole "
        f"numbers less than {auto.MOST_SYMBOLS} apart).",
    )
    focal_gamma: positive(100) | None = setting(None, FOCAL_WORDS)  # type: ignore[valid-type]
    loss_goal: positive(1e38) | Auto | None = setting(  # type: ignore[valid-type]
        "auto",
        "Training loss below which the classes are learned (with label_smoothing, above the least "
        "there can be): the fit then goes on for half as many "
        f"epochs again, {stopping.STEPS_AFTER} gradient steps in all at least, the schedule run to "
        f"its end. null = none; auto = {stopping.LOSS_GOAL:g}, but none where epochs are set or a "
        "part is held out to stop by.",
    )
    calibrate: Switch | Auto = setting(
        "auto",
        "Bring the probabilities down towards the frequencies of the classes, by as much as is "
        "best for the validation part that training was stopped by, or else for a third of the "
        "series, asked of a second fit on the others. auto = where one class has "
        f"{stopping.IMBALANCED} of the series or more and the part {stopping.FEWEST_HELD}, unless "
        "epochs or class_weight are set.",
    )
