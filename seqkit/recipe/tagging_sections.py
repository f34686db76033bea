"""The sections of a recipe for tagging, a label for every time step; others are in `sections`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import MaxLen, MinLen
from pydantic import Field

from seqkit import auto, auto_steps, stopping
from seqkit.network.settings import COMPONENTS, Auto
from seqkit.recipe.augmentation import STEPS_AUGMENT, StepsAugment
from seqkit.recipe.data_sections import DataSection, SequenceSplit
from seqkit.recipe.evaluate_sections import KEEP_SERIES
from seqkit.recipe.sections import (
    FOCAL_WORDS,
    PATIENCE_WORDS,
    SMOOTHING_WORDS,
    ModelSection,
    Patience,
    TrainSection,
    losses,
)
from seqkit.recipe.types import (
    NAMES,
    Column,
    Columns,
    Count,
    Files,
    Label,
    Positive,
    Rate,
    Section,
    Switch,
    Target,
    Words,
    count,
    names,
    positive,
    setting,
)
from seqkit.tasks import TASKS

__all__ = ["TaggingData", "TaggingEvaluate", "TaggingModel", "TaggingTrain"]


class TaggingData(DataSection):
    """Where the data comes from and which columns mean what."""

    target: Target | None = setting(
        None,
        "Column of the label of each step, or a list of columns of 0 and 1, several labels a step; "
        "next = no column: what is learned is the token of the next step from those so far; where "
        "all features are of 0 and 1 its labels, and where they are of other numbers the "
        "distribution of its numbers.",
    )
    validation_path: Files | None = setting(
        None, "File, glob, URL or list of the validation part, instead of a share held back."
    )
    test_path: Files | None = setting(
        None, "File, glob, URL or list of the test part, instead of split.test."
    )
    features: Annotated[Columns, MinLen(1)] | None = setting(
        None,
        "Columns of values; or one column of text, whose values are tokens. Default: every numeric "
        "column left over, or the only column of text.",
    )
    group: Column | None = setting(
        None, "Column whose values stay together in one part; for split.method: group."
    )
    split: SequenceSplit = Field(
        default_factory=SequenceSplit, description="Training, validation and test parts."
    )


class TaggingModel(ModelSection):
    """The network."""

    bidirectional: Switch | Auto = setting(  # type: ignore[assignment]
        "auto",
        "Run every layer in both directions and join the results. auto = unless target is next, "
        "where the backward direction would see what is asked.",
    )
    dropout: Rate = setting(
        0.2,
        "Share dropped on the input of every recurrent layer after the first, and before the head.",
    )
    embedding: count(16_384) | None = setting(  # type: ignore[valid-type]
        None, "Numbers that stand for a token, learned. Default: 64; of tokens only."
    )
    mixture: count(1000) | None = setting(  # type: ignore[valid-type]
        None,
        "Normal distributions whose mixture tells the numbers of the next step (Bishop 1994). "
        f"Default: {COMPONENTS}; of target next and series of numbers only.",
    )


class TaggingTrain(TrainSection):
    """How the network is trained."""

    epochs: Count | Auto = setting(  # type: ignore[assignment]
        "auto",
        f"Most passes over the training part. auto = so many that there are {auto.GRADIENT_STEPS} "
        f"gradient steps, but {auto.MOST_EPOCHS} at most, and fewer where that would take longer "
        "than some minutes.",
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
        f"validation part holds {stopping.FEWEST_HELD} series or more; else 0.",
        "epochs",
    )
    loss: losses("tagging") = setting(  # type: ignore[valid-type]
        "auto",
        f"What training minimises; auto is {TASKS['tagging'].loss}, of the numbers of the next "
        "step their negative log-likelihood.",
    )
    class_weight: Annotated[
        Literal["balanced"] | Annotated[dict[Label, Positive], MinLen(1), MaxLen(NAMES)] | None,
        Words("balanced, null or a map from every label to a number above 0"),
    ] = setting(
        None,
        "Weight of the steps of each class in the loss: balanced = inversely to its frequency, or "
        "a map from label to weight.",
    )
    label_smoothing: Rate = setting(0.0, SMOOTHING_WORDS)
    focal_gamma: positive(100) | None = setting(None, FOCAL_WORDS)  # type: ignore[valid-type]
    piece_length: Count | Auto | None = setting(
        "auto",
        "Steps of the pieces that longer series are cut into for training, each a series of its "
        f"own; null = series stay whole. auto = {auto_steps.PIECE} where the longest series has "
        f"more than {auto_steps.LONGEST} steps.",
        "time steps",
    )
    augment: StepsAugment | None = setting(None, STEPS_AUGMENT)


class TaggingEvaluate(Section):
    """How the model is judged."""

    metrics: names(TASKS["tagging"].metrics) | None = setting(  # type: ignore[valid-type]
        None,
        f"Scores. Default: {', '.join(TASKS['tagging'].default_metrics)}; of the numbers of the "
        f"next step {', '.join(TASKS['tagging'].next_metrics)}.",
    )
    baselines: names(TASKS["tagging"].all_baselines) | None = setting(  # type: ignore[valid-type]
        None,
        f"Simple methods beside the model. Default: {', '.join(TASKS['tagging'].baselines)}; of "
        f"the numbers of the next step {', '.join(TASKS['tagging'].next_baselines)}.",
    )
    keep_series: Switch = setting(True, KEEP_SERIES)
